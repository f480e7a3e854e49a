"""The record of a run beside its images, ``run.json``: the rows of the index, in case the index is lost.

An image file holds its recipe and its numbers, and not who asked for it, which flare it belongs to, why that background
was chosen. The record is written before the run is added to the index; a check compares the two.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from archive.atomic import write_text
from archive.errors import BadRow
from archive.index.columns import Field, Table
from archive.index.old_chi2 import converted_value
from archive.index.schema import IMAGES, RUNS, Image, Run

RECORD = "run.json"
#: Format 1 has χ² of another definition (`archive.index.old_chi2`).
_FORMAT = 2


@dataclass(frozen=True)
class Record:
    """The rows of one run and of its images, sorted by key."""

    run: Run
    images: tuple[Image, ...]


def write_record(folder: Path, run: Run, images: Iterable[Image]) -> None:
    """Write the record of a run into the folder of its images, whole or not at all.

    Parameters
    ----------
    folder : Path
    run : Run
    images : iterable of Image
    """
    text = json.dumps(record_document(run, images), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    path = folder / RECORD
    if not (path.is_file() and path.read_bytes() == text.encode()):
        write_text(path, text)


def record_document(run: Run, images: Iterable[Image]) -> dict[str, Any]:
    """The record of a run as JSON values."""
    rows = sorted(images, key=lambda image: image.image_id)
    return {"format": _FORMAT, "run": row_to_json(RUNS, run), "images": [row_to_json(IMAGES, row) for row in rows]}


def record_of(document: Mapping[str, Any]) -> Record:
    """The rows in a document of `record_document`.

    Raises
    ------
    BadRow, KeyError, ValueError, TypeError
        When it is not one.
    """
    if document["format"] != _FORMAT:
        message = f"format {document['format']!r} of a record is not known"
        raise BadRow(message)
    images = [row_from_json(IMAGES, row) for row in document["images"]]
    return Record(row_from_json(RUNS, document["run"]), tuple(sorted(images, key=lambda image: image.image_id)))


def keep_records(root: Path, runs: Iterable[Run], images: Iterable[Image]) -> None:
    """Write the records of runs that are about to go into the index, where they have files.

    Parameters
    ----------
    root : Path
        Folder of the archive.
    runs, images : iterables of rows
        All images of each of these runs; others are ignored.
    """
    by_recipe: dict[str, list[Image]] = {}
    for image in images:
        by_recipe.setdefault(image.recipe_id, []).append(image)
    for run in runs:
        if run.folder is not None and run.run_id in by_recipe and (root / run.folder).is_dir():
            write_record(root / run.folder, run, by_recipe[run.run_id])


def read_record(folder: Path) -> Record | None:
    """Record in the folder of a run; None when there is none or it is not valid."""
    try:
        content = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        if content["format"] not in (1, _FORMAT):
            return None
        run, images = row_from_json(RUNS, content["run"]), [row_from_json(IMAGES, row) for row in content["images"]]
        if content["format"] == 1:
            images = [
                replace(i, chi2=converted_value(i.chi2, i.method, run.recipe, folder / Path(i.file).name))
                for i in images
            ]
        return Record(run, tuple(sorted(images, key=lambda image: image.image_id)))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, BadRow):
        return None


def row_to_json(table: Table[Any], row: Any) -> dict[str, Any]:
    """A row as JSON values, in the order of the columns."""
    return {column.name: _to_json(getattr(row, column.name)) for column in table.columns}


def _to_json(value: Any) -> Any:
    if isinstance(value, np.datetime64):
        return None if np.isnat(value) else str(value.astype("datetime64[us]"))
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)  # JSON has no infinity, and the highest energy edge is one
    return value


def row_from_json[Row](table: Table[Row], values: dict[str, Any]) -> Row:
    """A row from JSON values. Newer columns get their default; columns that no longer exist are ignored.

    Raises
    ------
    BadRow, ValueError, TypeError
        When the values are not a row of the table.
    """
    known = {c.name: _from_json(c, values[c.name]) for c in table.columns if c.name in values}
    (row,) = table.to_rows(table.to_arrow([known]))  # checks every type
    return row


def _from_json(column: Field, value: Any) -> Any:
    if value is None:
        return None
    if column.python is np.datetime64:
        return np.datetime64(value, "us")
    return float(value) if column.python is float else value
