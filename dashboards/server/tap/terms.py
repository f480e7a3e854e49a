"""Parts of an expression: SQL with the kind of its value; numbers, times and truth values as SQL."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dashboards.server.tap.published import Kind, PublishedColumn
from dashboards.server.tap.refusals import Refused, shortened
from stixcore.errors import StixError
from stixcore.times import parse_time

_WHOLE = re.compile(r"\d{1,18}", re.ASCII)
_NUMBER = re.compile(r"(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_TRUTHS = {"1": "TRUE", "0": "FALSE", "true": "TRUE", "false": "FALSE"}
#: Times that DuckDB and NumPy have.
_TIMES = np.datetime64("1900-01-01", "us"), np.datetime64("2200-01-01", "us")


@dataclass(frozen=True)
class Term:
    """A part of an expression.

    Attributes
    ----------
    sql : str
        SQL that this package wrote, in parentheses where it needs them.
    kind : Kind
    column : PublishedColumn, optional
        The column, if it is nothing else.
    literal : str, optional
        The text, if it is a text or number of the query.
    about : PublishedColumn, optional
        Column whose unit and clock the value has.
    place : tuple of Term, optional
        Coordinates of a point, or of a circle and its radius.
    frame : str
        Frame of a point or circle.
    condition : str
        SQL that is true where the value is 1, if that is faster than to compare it.
    """

    sql: str
    kind: Kind
    column: PublishedColumn | None = None
    literal: str | None = None
    about: PublishedColumn | None = None
    place: tuple[Term, ...] = ()
    frame: str = ""
    condition: str = ""


def number_term(text: str) -> Term:
    """A number of the query.

    Raises
    ------
    Refused
        If it is too large, or not written as ADQL writes numbers.
    """
    if _WHOLE.fullmatch(text):
        return Term(str(int(text)), Kind.INTEGER, literal=text)
    if not _NUMBER.fullmatch(text) or not math.isfinite(float(text)):
        message = f"{shortened(text)!r} is not a number of ADQL, or too large"
        raise Refused(message)
    written = repr(float(text))
    return Term(written if "e" in written else f"{written}e0", Kind.REAL, literal=text)  # e0: DuckDB's type is DOUBLE


def alike(left: Term, right: Term) -> tuple[Term, Term]:
    """Two terms that can be compared: a text of the query becomes the time or truth value that it says.

    Raises
    ------
    Refused
        If they cannot.
    """
    return _as(left, right), _as(right, left)


def _as(term: Term, other: Term) -> Term:
    if term.kind is other.kind or (term.kind.is_number and other.kind.is_number):
        return term
    if other.kind is Kind.TIME and term.kind is Kind.TEXT and term.literal is not None:
        return replace(term, sql=_time_sql(term.literal, other), kind=Kind.TIME)
    if other.kind is Kind.TRUTH and term.literal is not None:
        return replace(term, sql=_truth_sql(term.literal, other), kind=Kind.TRUTH)
    if other.literal is not None and {term.kind, other.kind} <= {Kind.TIME, Kind.TEXT, Kind.TRUTH, Kind.INTEGER}:
        swapped = _as(other, term) if term.literal is None else other
        if swapped.kind is term.kind:
            return term
    message = f"{named(term)} ({term.kind}) cannot be compared with {named(other)} ({other.kind})"
    raise Refused(message)


def named(term: Term) -> str:
    """A term as a refusal names it."""
    if term.column is not None:
        return term.column.name
    return repr(shortened(term.literal)) if term.literal is not None else "an expression"


def _time_sql(text: str, other: Term) -> str:
    try:
        time = parse_time(text)
        known = bool(_TIMES[0] <= time < _TIMES[1])
    except (StixError, ValueError) as error:
        message = f"{named(other)} is a time, as in '2022-11-11T01:30:00', and {shortened(text)!r} is none"
        raise Refused(message) from error
    if not known:
        message = f"{shortened(text)!r} is not between 1900 and 2200"
        raise Refused(message)
    return f"TIMESTAMP '{time.astype('datetime64[us]').item():%Y-%m-%d %H:%M:%S.%f}'"


def _truth_sql(text: str, other: Term) -> str:
    if text.lower() not in _TRUTHS:
        message = f"{named(other)} is true or false (1 or 0), and {shortened(text)!r} is neither"
        raise Refused(message)
    return _TRUTHS[text.lower()]


def of_kind(term: Term, *kinds: Kind, where: str) -> Term:
    """The term, if it has one of these kinds.

    Raises
    ------
    Refused
        If it has not.
    """
    if term.kind not in kinds:
        message = f"{where} takes {' or '.join(kinds)}, found {named(term)} ({term.kind})"
        raise Refused(message)
    return term


NUMBERS: tuple[Any, ...] = (Kind.REAL, Kind.INTEGER, Kind.SHORT)
