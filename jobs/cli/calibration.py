"""``stix-jobs calibration``: list and add energy tables, CAL files and CHIANTI tables."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path

import numpy as np

from archive import Archive
from archive.calibration import CalibrationEntry, calibration_catalog, list_calibration
from archive.chianti import list_chianti
from archive.ingest.added_files import AddStatus
from archive.ingest.calibration import add_calibration
from archive.ingest.ingest import index_placed
from archive.layout import CAL_FILES
from jobs.cli.commands import DONE, SOME_FAILED, WRONG_USAGE, now
from jobs.shared.logs import say, tell

#: Digits of a SHA-256 in the printed list; ``--json`` has all of them.
SHORT_HASH = 12
_STORED = (AddStatus.ADDED, AddStatus.RESTORED)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    actions = parser.add_subparsers(title="actions", required=True, metavar="list | add", dest="action")
    listed = actions.add_parser(
        "list", help="show all", description="Energy tables and CAL files that images and spectra use."
    )
    listed.add_argument("--json", action="store_true", help="as one JSON array")
    added = actions.add_parser(
        "add",
        help="add files, or restore damaged ones",
        description="Copy energy tables, CAL files and the CHIANTI tables of SolarSoft into the archive's calibration "
        "folder; all are checked first.",
    )
    added.add_argument(
        "paths",
        nargs="*",
        type=Path,
        metavar="PATH",
        help="elut_table_*.csv with elut_index.csv, solo_CAL_*.fits, chianti_lines_*.sav with chianti_cont_*.sav and "
        "xray_abun_file.genx, or folders with them",
    )
    for each in (listed, added):  # so that the option may be before or after the action
        each.add_argument("--archive", type=Path, default=argparse.SUPPRESS, metavar="DIR", help="the archive")


def run_calibration(arguments: argparse.Namespace) -> int:
    """List calibration files, or add some."""
    if arguments.action == "add":
        return _add(arguments)
    root = Archive(arguments.archive).root
    entries, damage = (*list_calibration(root), *list_chianti(root)), calibration_catalog(root).faults.sentences
    for text in damage:
        tell(text)
    if arguments.json:
        say(json.dumps([_document(entry) for entry in entries]))
        return SOME_FAILED if damage else DONE
    sources = list(dict.fromkeys(entry.source for entry in entries))
    for entry in entries:
        time = f"{_when(entry.start, 'always')} to {_when(entry.end, 'now')}"
        source = f"[{sources.index(entry.source) + 1}]"
        say(f"{entry.kind:17s}  {entry.name:24s}  {time:42s}  {entry.sha256[:SHORT_HASH] or '-':12s}  {source}")
    for number, source in enumerate(sources, start=1):
        say(f"[{number}] {source}")
    return SOME_FAILED if damage else DONE


def _add(arguments: argparse.Namespace) -> int:
    if not arguments.paths:
        tell("stix-jobs calibration add: name files or folders")
        return WRONG_USAGE
    archive = Archive(arguments.archive, create=True)
    outcome = add_calibration(archive.root, arguments.paths, archive.write_lock())
    added = [archive.path_of(CAL_FILES / one.name) for one in outcome if one.status in _STORED]
    index_placed(archive, [path for path in added if path.is_file()], now())
    for one in outcome:
        if one.reason:
            tell(one.reason)
    if any(one.status in _STORED for one in outcome):
        tell("the next stix-jobs previews makes affected previews and spectra again")
    counted = Counter(str(one.status) for one in outcome)
    say(", ".join(f"{number} {status}" for status, number in sorted(counted.items())) or "nothing found")
    return SOME_FAILED if counted[AddStatus.REFUSED] or not outcome else DONE


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
