"""What the flare list was last located from, so that only months of the index that have changed are read again."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from archive import Archive
from archive.atomic import write_text
from archive.index.write import partitions
from stixcore.software import software_version

#: Runs hold positions, spectra temperatures, flares the rows; an id may come from a purpose.
_TABLES = ("runs", "images", "spectra", "flares", "science_files")
_FILE = "read/flares.json"


@dataclass(frozen=True)
class FlareCheckpoint:
    """Months of the index by "table/2022-11", with size [byte] and modification time [ns] of their files.

    Attributes
    ----------
    by : str
        Software; when it changes, every month is read.
    months : dict
    """

    by: str
    months: dict[str, list[int]]

    @classmethod
    def now(cls, archive: Archive) -> FlareCheckpoint:
        """The present state of the index."""
        paths = (path for table in _TABLES for path in partitions(archive.index, table))
        return cls(software_version(), {_name(path): _identity(path) for path in paths})

    @classmethod
    def before(cls, archive: Archive) -> FlareCheckpoint | None:
        """The state that was kept; None when there is none that can be read."""
        try:
            content = json.loads((archive.index / _FILE).read_text(encoding="utf-8"))
            return cls(str(content["by"]), {str(name): list(one) for name, one in content["months"].items()})
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def keep(self, archive: Archive) -> None:
        """Keep for the next time; the file may be deleted at any time."""
        text = json.dumps({"by": self.by, "months": self.months}, sort_keys=True) + "\n"
        write_text(archive.index / _FILE, text)

    def touched_since(self, earlier: FlareCheckpoint | None) -> set[str]:
        """Months of rows that have changed since ``earlier``, or are beside one: flares cross midnight."""
        own = {_month(name) for name in self.months if name.startswith(("flares/", "runs/", "spectra/"))}
        if earlier is None or earlier.by != self.by:
            return own
        names = self.months.keys() | earlier.months.keys()
        changed = {_month(name) for name in names if self.months.get(name) != earlier.months.get(name)}
        one = np.timedelta64(1, "M")
        return own & {str(np.datetime64(month, "M") + step * one) for month in changed for step in (-1, 0, 1)}


def _month(name: str) -> str:
    return name.partition("/")[2]


def _name(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


def _identity(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]
