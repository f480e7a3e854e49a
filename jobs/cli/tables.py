"""Print query results as text, JSON, CSV, ECSV, VOTable, FITS or Parquet."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from io import BytesIO
from typing import TextIO

import pyarrow as pa
import pyarrow.csv

from archive.errors import QueryRefused
from archive.exports import FORMATS, described
from archive.index.columns import Field
from archive.index.schema import TABLES
from stixcore.printable import printable

#: Formats with units, meanings and UCDs, and those of them that are text.
DESCRIBED, TEXTS = ("ecsv", "votable", "fits", "parquet"), ("ecsv", "votable")


def print_table(table: pa.Table, form: str, stream: TextIO, columns: Sequence[Field] = ()) -> None:
    """Write ``table`` as "table" (aligned text), "json" (list of objects), "csv", or a format of `archive.exports`.

    ECSV, VOTable, FITS and Parquet have units, meanings and UCDs of the columns that are among ``columns``.

    In JSON, NaN and infinity are null.

    Raises
    ------
    QueryRefused
        When the format cannot hold a value: a list in CSV, a time outside Python's years.
    """
    try:
        if form in DESCRIBED:
            _write_described(table, form, stream, columns)
        else:
            _write(table, form, stream)
    except (pa.ArrowException, ValueError, OverflowError) as error:
        message = f"the answer cannot be written as {form}: {error}"
        raise QueryRefused(message) from error


def _write(table: pa.Table, form: str, stream: TextIO) -> None:
    if form == "json":
        json.dump(_finite(table.to_pylist()), stream, default=str, allow_nan=False)
        stream.write("\n")
    elif form == "csv":
        stream.flush()
        if stream.isatty():  # show it on a terminal
            text = BytesIO()
            pyarrow.csv.write_csv(table, text)
            stream.write(printable(text.getvalue().decode(), lines=True))
        else:
            pyarrow.csv.write_csv(table, stream.buffer)
    else:
        stream.write(_aligned(table))


def _write_described(table: pa.Table, form: str, stream: TextIO, columns: Sequence[Field]) -> None:
    schema = described(table.schema, columns)
    content = b"".join(FORMATS[form][1](schema, [table.cast(schema)]))
    stream.flush()
    if stream.isatty() and form in TEXTS:
        stream.write(printable(content.decode(), lines=True))
    else:
        stream.buffer.write(content)


def columns_of(sql: str) -> list[Field]:
    """Columns of the tables of the index that a query names, where they have one meaning."""
    words = set(re.findall(r"[a-z_]+", sql.lower()))
    named = [table for name, table in TABLES.items() if name in words]
    found: dict[str, list[Field]] = {}
    for column in (column for table in named for column in table.columns):
        found.setdefault(column.name, []).append(column)
    return [same[0] for same in found.values() if len({(one.meaning, one.unit) for one in same}) == 1]


def _finite(value: object) -> object:
    """A value with None for every number that is not finite, also inside lists and structs."""
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _aligned(table: pa.Table) -> str:
    """Columns padded to their widest cell, numbers aligned right."""
    texts = [[_cell(value) for value in column.to_pylist()] for column in table.columns]
    names = [printable(name) for name in table.column_names]
    widths = [max([len(name), *map(len, cells)]) for name, cells in zip(names, texts, strict=True)]
    numeric = [pa.types.is_integer(f.type) or pa.types.is_floating(f.type) for f in table.schema]

    def line(cells: list[str]) -> str:
        padded = [
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(cells, widths, numeric, strict=True)
        ]
        return "  ".join(padded).rstrip()

    rows = [line(list(row)) for row in zip(*texts, strict=True)] if table.num_columns else []
    rule = "  ".join("-" * width for width in widths)
    return "\n".join([line(names), rule, *rows, f"({table.num_rows} rows)"]) + "\n"


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else printable(value)
