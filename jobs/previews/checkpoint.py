"""What the last previews saw of the index, so that the next ones check only months that have changed.

Cron starts the previews every minute. A month of the index is one file that is replaced whole, so its size and time
show whether it has changed. Flares are the exception: the previews themselves change their rows, so only the number of
flares and their times count.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from archive import Archive
from archive.atomic import write_text
from archive.index.schema import FLARES
from archive.index.write import partitions
from stixcore.software import software_version

#: Table → how many months away a change in it may matter: backgrounds are taken from 60 days on either side.
_REACH = {"science_files": 3, "aux_files": 1, "flares": 1}
#: Tables that the previews write.
_MADE = ("runs", "spectra")
_FILE = "read/previews.json"


@dataclass(frozen=True)
class PreviewCheckpoint:
    """Months of the index by "table/2022-11", with what changes when their inputs of previews change.

    Attributes
    ----------
    by : str
        Software, rules and calibration; when they change, every month is checked.
    months : dict
        Size [byte] and modification time [ns] of a month's file; of flares, their number and the last change of their
        times, µs.
    """

    by: str
    months: dict[str, list[int]]

    @classmethod
    def now(cls, archive: Archive, rules: object) -> PreviewCheckpoint:
        """The present state of the index."""
        paths = (path for table in (*_REACH, *_MADE) for path in partitions(archive.index, table))
        by = f"{software_version()} {rules} {archive.calibration!r}"
        return cls(by, {_name(path): _identity(path) for path in paths})

    @classmethod
    def before(cls, archive: Archive) -> PreviewCheckpoint | None:
        """The state that the last previews kept; None when there is none that can be read."""
        try:
            content = json.loads((archive.index / _FILE).read_text(encoding="utf-8"))
            return cls(str(content["by"]), {str(name): list(one) for name, one in content["months"].items()})
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def keep(self, archive: Archive) -> None:
        """Keep for the next previews; the file may be deleted at any time."""
        content = {"by": self.by, "months": self.months}
        write_text(archive.index / _FILE, json.dumps(content, sort_keys=True) + "\n")

    def with_runs_of(self, other: PreviewCheckpoint) -> PreviewCheckpoint:
        """The same months, with the runs and spectra of another state."""
        mine = {name: one for name, one in self.months.items() if _table(name) not in _MADE}
        theirs = {name: one for name, one in other.months.items() if _table(name) in _MADE}
        return PreviewCheckpoint(self.by, mine | theirs)

    def touched_since(self, earlier: PreviewCheckpoint | None) -> set[str]:
        """Months ("2022-11") whose runs may have become stale since ``earlier``, because an input was written."""
        runs = {name.partition("/")[2] for name in self.months if _table(name) == "runs"}
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


def _table(name: str) -> str:
    return name.partition("/")[0]


def _name(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


def _identity(path: Path) -> list[int]:
    if path.parent.name == FLARES.name:
        rows = pq.read_table(path, columns=["limits_changed_at", "updated_at"], partitioning=None)
        changed = pc.coalesce(rows["limits_changed_at"], rows["updated_at"])
        return [rows.num_rows, pc.max(changed).value if rows.num_rows else 0]
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]
