"""``stix-jobs validate``."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from jobs.cli.commands import DONE, SOME_FAILED
from jobs.shared.logs import say, tell
from stixcore.errors import InvalidProduct
from stixcore.image_files.validation.file import validate
from stixcore.image_files.validation.findings import Finding, Level
from stixcore.printable import plural, printable, shortened

#: Exit status when a file cannot be read.
NOT_READABLE = 2


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    text = "maps of any software; .gz is unpacked"
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help=text)
    parser.add_argument("--errors-only", action="store_true", help="print neither warnings nor notes")
    parser.add_argument("--json", action="store_true", help="print the findings as one JSON array")


def run_validate(arguments: argparse.Namespace) -> int:
    """Check maps: 0 without errors, 1 with errors, 2 if a file cannot be read."""
    status, documents = DONE, []
    for path in arguments.files:
        try:
            found: Sequence[Finding] = validate(path)
        except (InvalidProduct, OSError) as problem:
            status = NOT_READABLE
            documents.append({"file": str(path), "readable": False, "problem": str(problem), "findings": []})
            if not arguments.json:
                tell(str(problem) if isinstance(problem, InvalidProduct) else f"{path.name}: {problem.strerror}")
            continue
        if any(one.level is Level.ERROR for one in found):
            status = max(status, SOME_FAILED)
        shown = [one for one in found if one.level is Level.ERROR or not arguments.errors_only]
        documents.append({"file": str(path), "readable": True, "findings": [asdict(one) for one in shown]})
        if not arguments.json:
            _print(path, found, shown)
    if arguments.json:
        say(json.dumps([_json(one) for one in documents], allow_nan=False))
    return status


def _print(path: Path, found: Sequence[Finding], shown: Sequence[Finding]) -> None:
    counted = Counter(one.level for one in found)
    numbers = ", ".join(plural(counted[level], str(level)) for level in Level)
    say(f"{printable(path.name)}: {numbers}")
    for one in shown:
        value = "" if one.value is None else f" = {shortened(printable(repr(one.value)))}"
        say(f"  {one.level:7}  HDU {one.hdu}  {one.keyword}{value}  {printable(one.text)}")


def _json(document: dict[str, Any]) -> dict[str, Any]:
    """A document without numbers that JSON does not have."""
    for one in document["findings"]:
        if isinstance(one["value"], float) and one["value"] - one["value"] != 0.0:
            one["value"] = str(one["value"])
    return document
