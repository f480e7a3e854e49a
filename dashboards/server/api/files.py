"""Lists of the API as one file: all rows of a filter, in the formats of `archive.exports`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa

from archive.exports import EXTENSIONS, FORMATS, described
from archive.index.columns import Table
from archive.index.ucds import UCDS
from dashboards.server.api import parameters as p
from dashboards.server.api.call import Call, FileReply, Reply
from dashboards.server.api.errors import Refused
from dashboards.server.api.parameters import Parameter
from dashboards.server.api.rows import public_columns, public_names
from dashboards.shared.limits import WebLimits

#: Rows in each piece of a file.
ROWS_OF_PIECE = 4000


def format_parameter(what: str) -> Parameter:
    """Parameter of a list that may be a file."""
    return p.choice("format", f"All {what} of the filter as one file, instead of a page as JSON", tuple(FORMATS))


def file_reply(
    call: Call, table: Table[Any], total: int, read: Callable[[Sequence[str]], pa.Table], most: int | None = None
) -> Reply:
    """All rows of a filter as a file, oldest first.

    Parameters
    ----------
    call : Call
    table : Table
    total : int
        Number of rows; they are not read if there are too many, because they are sorted in memory.
    read : function
        Called with names of columns.
    most : int, optional
        Rows of a file, `WebLimits.file_rows` by default.

    Raises
    ------
    Refused
        400 if a page was asked for too, or there are more rows.
    """
    most = WebLimits().file_rows if most is None else most
    for name in ("limit", "offset", "sort"):
        if name in call.given:
            message = f"{name}: a file has all {table.name}, oldest first; leave {name} out, or format"
            raise Refused(400, message, name)
    form = call.values["format"]
    if total > most:
        message = f"format: {total} {table.name}, {most} at most in a file; narrow the filter, as by start and end"
        raise Refused(400, message, "format", form)
    media_type, write = FORMATS[form]
    rows = read(public_names(table))
    schema = described(rows.schema, public_columns(table), ucds=UCDS[table.name], name=table.name)
    parts = (rows.slice(begin, ROWS_OF_PIECE).cast(schema) for begin in range(0, rows.num_rows, ROWS_OF_PIECE))
    name = f"stix_{table.name}.{EXTENSIONS[form]}"
    return Reply({}, file=FileReply(media_type, name, write(schema, parts)))
