"""What the last previews had seen: nothing that came from months which are the same since needs a second look.

Cron starts the previews every minute, for years. A month of the index is one file, replaced whole, so its size and time
tell whether anything in it changed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from archive import Archive
from archive.atomic import write_text
from archive.index.write import partitions
from jobs.previews.windows import PreviewRules
from stixcore.software import software_version

#: Table → how many months away a change in it may matter: backgrounds are taken from 60 days on either side.
_REACH = {"science_files": 3, "aux_files": 1, "flares": 1}
_FILE = "read/previews.json"


@dataclass(frozen=True)
class Seen:
    """Months of the index, as "table/2022-11", each with what tells whether its file was replaced.

    Attributes
    ----------
    by : str
        Software, rules and calibration: others may decide otherwise.
    months : dict
    """

    by: str
    months: dict[str, list[int]]

    @classmethod
    def now(cls, archive: Archive, rules: PreviewRules) -> Seen:
        """As they are."""
        paths = (path for table in (*_REACH, "runs") for path in partitions(archive.index, table))
        by = f"{software_version()} {rules} {archive.calibration!r}"
        return cls(by, {_name(path): _identity(path) for path in paths})

    @classmethod
    def before(cls, archive: Archive) -> Seen | None:
        """As the last previews kept them; None when there were none, or nothing that can be understood."""
        try:
            content = json.loads((archive.index / _FILE).read_text(encoding="utf-8"))
            return cls(str(content["by"]), {str(name): list(one) for name, one in content["months"].items()})
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def keep(self, archive: Archive) -> None:
        """Write them down for the next previews; the file may be deleted at any time."""
        content = {"by": self.by, "months": self.months}
        write_text(archive.index / _FILE, json.dumps(content, sort_keys=True) + "\n")

    def with_runs_of(self, other: Seen) -> Seen:
        """These, with the runs of another moment."""
        mine = {name: one for name, one in self.months.items() if not name.startswith("runs/")}
        theirs = {name: one for name, one in other.months.items() if name.startswith("runs/")}
        return Seen(self.by, mine | theirs)

    def touched_since(self, earlier: Seen | None) -> set[str]:
        """Months ("2022-11") whose runs may be others than ``earlier``: something they are made from was written."""
        runs = {name.partition("/")[2] for name in self.months if name.startswith("runs/")}
        if earlier is None or earlier.by != self.by:
            return runs
        changed = {
            name
            for name in self.months.keys() | earlier.months.keys()
            if self.months.get(name) != earlier.months.get(name)
        }
        near: set[str] = set()
        for table, month in (name.split("/") for name in changed):
            near.update(_around(month, _REACH.get(table, 0)))
        return runs & near


def _around(month: str, reach: int) -> Iterable[str]:
    return (str(np.datetime64(month, "M") + np.timedelta64(step, "M")) for step in range(-reach, reach + 1))


def _name(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


def _identity(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]
