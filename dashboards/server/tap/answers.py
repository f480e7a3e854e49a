"""A query of ``/tap/sync``: its parameters, and its answer as a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import pyarrow as pa

from archive import Archive, QueryRefused, QueryTimeout
from archive.exports import EXTENSIONS, FORMATS, About, Writer, votable_pieces
from archive.index.reader import QueryLimits
from dashboards.server.bounded_threads import BoundedThreads
from dashboards.server.tap.adql import Statement, translate
from dashboards.server.tap.refusals import Refused, shortened
from dashboards.shared.limits import WebLimits
from dashboards.shared.source import ArchiveSource, Unavailable, archive_source

_LIMITS = WebLimits()
#: Rows in each piece of an answer.
_ROWS_OF_PIECE = 4000
VOTABLE_TYPE = "application/x-votable+xml"
#: Formats by the names that RESPONSEFORMAT may have, media types in lower case.
RESPONSE_FORMATS: Mapping[str, str] = {
    "votable": "votable",
    "votable/td": "votable",
    "text/xml": "votable",
    VOTABLE_TYPE: "votable",
    f"{VOTABLE_TYPE};serialization=tabledata": "votable",
    "csv": "csv",
    "text/csv": "csv",
    "text/csv;header=present": "csv",
    "ecsv": "ecsv",
    "json": "json",
    "application/json": "json",
    "fits": "fits",
    "application/fits": "fits",
    "parquet": "parquet",
    "application/vnd.apache.parquet": "parquet",
}
#: Names of parameters that may be given once; others are ignored (IVOA DALI 1.1, section 2.1).
_ONCE = ("REQUEST", "LANG", "QUERY", "MAXREC", "RESPONSEFORMAT", "FORMAT", "RUNID")


@dataclass(frozen=True)
class Wanted:
    """A query and how it is to be answered: format, and number of rows."""

    query: str
    form: str = "votable"
    rows: int = _LIMITS.tap_rows


@dataclass(frozen=True)
class Answer:
    """An answer: its media type, name of its file, beginning, and the rest."""

    media_type: str
    name: str
    beginning: bytes
    rest: Iterator[bytes] | None


def wanted(given: Mapping[str, Sequence[bytes]]) -> Wanted:
    """Read the parameters of a query (IVOA TAP 1.1, section 2.3); their names have any case.

    Raises
    ------
    Refused
        With the name of the parameter.
    """
    values: dict[str, str] = {}
    for name, texts in given.items():
        known = name.upper()
        if known == "UPLOAD" and any(text.strip() for text in texts):
            message = "UPLOAD: tables of your own cannot be sent to this service"
            raise Refused(message)
        if known not in _ONCE:
            continue
        if known in values or len(texts) > 1:
            message = f"{known} is given more than once"
            raise Refused(message)
        values[known] = texts[0].decode("utf-8", "replace")
    if values.get("REQUEST", "doQuery").lower() != "doquery":
        message = f"REQUEST: expected doQuery, found {shortened(values['REQUEST'])!r}"
        raise Refused(message)
    if values.get("LANG", "").upper() not in {"ADQL", "ADQL-2.0", "ADQL-2.1"}:
        message = f"LANG: expected ADQL, found {shortened(values.get('LANG', 'nothing'))!r}"
        raise Refused(message)
    if not values.get("QUERY", "").strip():
        message = "QUERY is missing"
        raise Refused(message)
    return Wanted(values["QUERY"], _form(values), _rows(values.get("MAXREC")))


def _form(values: Mapping[str, str]) -> str:
    name = "RESPONSEFORMAT" if "RESPONSEFORMAT" in values else "FORMAT"
    given = values.get(name, "votable")
    form = RESPONSE_FORMATS.get(given.lower().replace(" ", ""))
    if form is None:
        message = f"{name}: expected one of {', '.join(RESPONSE_FORMATS)}; found {shortened(given)!r}"
        raise Refused(message)
    return form


def _rows(given: str | None) -> int:
    if given is None or not given.strip():
        return _LIMITS.tap_rows
    text = given.strip()
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        message = f"MAXREC: expected a whole number, found {shortened(given)!r}"
        raise Refused(message)
    return min(int(text), _LIMITS.tap_rows_most)


def answer(want: Wanted, server: str) -> Answer:
    """Run a query; called in a thread.

    Parameters
    ----------
    want : Wanted
    server : str
        Address of this server.

    Raises
    ------
    Refused
        If it is not allowed, takes too long or too much memory.
    Unavailable
        If the archive cannot be read.
    """
    statement = translate(want.query, server)
    table = tap_source().ask(lambda archive: _run(archive, statement, want.rows))
    is_cut = want.rows == 0 or table.num_rows > want.rows
    media_type, write = FORMATS[want.form]
    if want.form == "votable":
        write = _votable_writer(statement, want, is_cut=is_cut)
    rows = table.slice(0, want.rows)
    parts = (rows.slice(begin, _ROWS_OF_PIECE) for begin in range(0, rows.num_rows, _ROWS_OF_PIECE))
    pieces = write(statement.schema, parts)
    name = f"stix_tap.{EXTENSIONS[want.form]}"
    if rows.num_rows <= _ROWS_OF_PIECE:
        return Answer(media_type, name, b"".join(pieces), None)
    return Answer(media_type, name, b"", iter(pieces))


def _run(archive: Archive, statement: Statement, rows: int) -> pa.Table:
    """Rows of a query, one more than asked for if there are more."""
    sql = statement.limited(rows + 1 if rows else 0)
    try:
        found = archive.query(sql, statement.parameters, time_limit_s=_LIMITS.tap_time)
        return found.cast(statement.schema)
    except QueryTimeout as error:
        message = f"the query was stopped after {_LIMITS.tap_time:g} s; ask for fewer rows, or a shorter time range"
        raise Refused(message) from error
    except QueryRefused as error:
        message = f"the query cannot be answered: {str(error).strip().splitlines()[0]}"
        raise Refused(message) from error
    except pa.ArrowInvalid as error:
        message = "the query cannot be answered: a number is too large"
        raise Refused(message) from error


def _votable_writer(statement: Statement, want: Wanted, *, is_cut: bool) -> Writer:
    alone = statement.tables[0] if len(statement.tables) == 1 else None
    about = About(
        name=alone.name if alone else "joined",
        utype=alone.utype if alone else "",
        description=alone.description if alone else "",
        infos=(("QUERY_STATUS", "OK", ""), ("QUERY", " ".join(want.query.split()), "")),
        after=(("QUERY_STATUS", "OVERFLOW", f"there are more than {want.rows} rows"),) if is_cut else (),
    )
    return partial(votable_pieces, about=about)


def fault() -> str:
    """Why queries cannot be answered now; empty if they can."""
    try:
        tap_source().ask(lambda archive: archive.query("SELECT flare_id FROM flares LIMIT 1"))
    except Unavailable as error:
        return str(error)
    return ""


@cache
def tap_threads() -> BoundedThreads:
    """Threads for queries, separate from those for calls: a long query delays no page."""
    return BoundedThreads("tap", _LIMITS.tap_queries, _LIMITS.waiting)


def tap_source() -> ArchiveSource:
    """The archive, with a database of its own: a query that takes all of its memory takes none from pages."""
    return _source_of(archive_source().folder)


@cache
def _source_of(folder: Path) -> ArchiveSource:
    return ArchiveSource(folder, QueryLimits(_LIMITS.tap_memory, _LIMITS.tap_answer, threads=1))
