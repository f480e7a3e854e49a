"""``stix-jobs calibration``: which energy tables and CAL files there are, and more of them."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path

import numpy as np

from archive import Archive
from archive.calibration import AddStatus, CalibrationEntry, add_calibration, calibration_catalog, list_calibration
from archive.ingest import index_placed
from archive.layout import CAL_FILES
from jobs.logs import say, tell
from stixcore.calibration.catalog import CalibrationCatalog

DONE, SOME_FAILED, WRONG_USAGE = 0, 1, 2


def add_options(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("action", choices=("list", "add"), metavar="list|add", help="show all, or add files")
    parser.add_argument(
        "paths",
        nargs="*",
        type=Path,
        metavar="PATH",
        help="add: elut_table_*.csv with elut_index.csv, solo_CAL_*.fits, or folders with them",
    )
    parser.add_argument("--json", action="store_true", help="list: as one JSON array")


def run_calibration(arguments: argparse.Namespace) -> int:
    """List or add."""
    if arguments.action == "add":
        return _add(arguments)
    entries = list_calibration(Archive(arguments.archive).root)
    if arguments.json:
        say(json.dumps([_document(entry) for entry in entries]))
        return DONE
    for entry in entries:
        say(
            f"{entry.kind:17s}  {entry.name}  {_when(entry.start, 'always')} to {_when(entry.end, 'now')}  "
            f"{entry.sha256 or '-'}  {entry.source}"
        )
    return DONE


def _add(arguments: argparse.Namespace) -> int:
    if not arguments.paths:
        tell("stix-jobs calibration add: name files or folders")
        return WRONG_USAGE
    from jobs.commands import now  # which imports this module

    archive = Archive(arguments.archive, create=True)
    outcome = add_calibration(archive.root, arguments.paths, archive.write_lock())
    added = [archive.path_of(CAL_FILES / one.name) for one in outcome if one.status is AddStatus.ADDED]
    index_placed(archive, [path for path in added if path.is_file()], now())
    for one in outcome:
        if one.status is AddStatus.REFUSED:
            tell(one.reason)
    counted = Counter(str(one.status) for one in outcome)
    say(", ".join(f"{number} {status}" for status, number in sorted(counted.items())) or "nothing found")
    return SOME_FAILED if counted[AddStatus.REFUSED] or not outcome else DONE


def calibration_of(folder: Path) -> CalibrationCatalog:
    """Catalogue of the archive in a folder; the shipped one where there is none."""
    return calibration_catalog(folder.expanduser().resolve())


def _document(entry: CalibrationEntry) -> dict[str, str | None]:
    return {
        "kind": entry.kind,
        "name": entry.name,
        "start": None if entry.start is None else str(entry.start),
        "end": None if entry.end is None else str(entry.end),
        "sha256": entry.sha256 or None,
        "source": entry.source,
    }


def _when(time: np.datetime64 | None, otherwise: str) -> str:
    return otherwise if time is None else str(time)[:19]
