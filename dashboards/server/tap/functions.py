"""The functions of ADQL that this service has, and what each takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dashboards.server.tap.published import Kind
from dashboards.server.tap.refusals import Refused
from dashboards.server.tap.terms import NUMBERS, Term, alike, of_kind


@dataclass(frozen=True)
class Function:
    """A function of numbers or of one text.

    Attributes
    ----------
    sql : str
        Its SQL, with one ``{}`` for each argument.
    arguments : int
    takes, gives : Kind
        REAL takes every number.
    """

    sql: str
    arguments: int = 1
    takes: Kind = Kind.REAL
    gives: Kind = Kind.REAL


_PLACES = range(16)
FUNCTIONS: Mapping[str, Function] = {
    "ABS": Function("abs({})"),
    "CEILING": Function("ceil({})"),
    "FLOOR": Function("floor({})"),
    "SQRT": Function("sqrt({})"),
    "POWER": Function("power({}, {})", 2),
    "EXP": Function("exp({})"),
    "LOG": Function("ln({})"),
    "LOG10": Function("log10({})"),
    "MOD": Function("{} % {}", 2),
    "PI": Function("pi()", 0),
    "SIN": Function("sin({})"),
    "COS": Function("cos({})"),
    "TAN": Function("tan({})"),
    "COT": Function("cot({})"),
    "ASIN": Function("asin({})"),
    "ACOS": Function("acos({})"),
    "ATAN": Function("atan({})"),
    "ATAN2": Function("atan2({}, {})", 2),
    "DEGREES": Function("degrees({})"),
    "RADIANS": Function("radians({})"),
    "LOWER": Function("lower({})", takes=Kind.TEXT, gives=Kind.TEXT),
    "UPPER": Function("upper({})", takes=Kind.TEXT, gives=Kind.TEXT),
}
#: Functions with a number of decimals as second argument.
DECIMALS = {"ROUND": "round({} * 1e{n}) / 1e{n}", "TRUNCATE": "trunc({} * 1e{n}) / 1e{n}"}
AGGREGATES = ("COUNT", "MIN", "MAX", "AVG", "SUM")


def function_term(name: str, arguments: Sequence[Term]) -> Term:
    """A function that is no aggregate and no geometry.

    Parameters
    ----------
    name : str
        In upper case; in `FUNCTIONS` or `DECIMALS`, or "COALESCE".
    arguments : sequence of Term

    Raises
    ------
    Refused
        If it does not take these arguments.
    """
    if name == "COALESCE":
        return _first_known(arguments)
    if name in DECIMALS:
        return _decimals(name, arguments)
    function = FUNCTIONS[name]
    if len(arguments) != function.arguments:
        message = f"{name} takes {function.arguments} arguments, found {len(arguments)}"
        raise Refused(message)
    kinds = NUMBERS if function.takes is Kind.REAL else (function.takes,)
    for term in arguments:
        of_kind(term, *kinds, where=name)
    sql = function.sql.format(*(term.sql for term in arguments))
    return Term(f"({sql})" if name == "MOD" else sql, function.gives)


def _decimals(name: str, arguments: Sequence[Term]) -> Term:
    if len(arguments) not in {1, 2}:
        message = f"{name} takes a number and, if wanted, a number of decimals"
        raise Refused(message)
    of_kind(arguments[0], *NUMBERS, where=name)
    places = arguments[1].literal if len(arguments) == 2 else "0"
    if places is None or not places.isdecimal() or int(places) not in _PLACES:
        message = f"the second argument of {name} is the number of decimals, 0 to {_PLACES[-1]}"
        raise Refused(message)
    return Term(f"({DECIMALS[name].format(arguments[0].sql, n=int(places))})", Kind.REAL)


def _first_known(arguments: Sequence[Term]) -> Term:
    if len(arguments) < 2:
        message = "COALESCE takes two values or more"
        raise Refused(message)
    first = arguments[0]
    others = [alike(first, other)[1] for other in arguments[1:]]
    kind = first.kind
    if kind.is_number and any(other.kind is Kind.REAL for other in others):
        kind = Kind.REAL
    return Term(f"coalesce({', '.join(term.sql for term in (first, *others))})", kind, about=first.column)


def aggregate_term(name: str, argument: Term, *, distinct: bool) -> Term:
    """An aggregate of one value.

    Raises
    ------
    Refused
        If it cannot be taken of this value.
    """
    word = "DISTINCT " if distinct else ""
    sql = f"{name.lower()}({word}{argument.sql})"
    if name == "COUNT":
        of_kind(argument, *NUMBERS, Kind.TEXT, Kind.TIME, Kind.TRUTH, where=name)
        return Term(sql, Kind.INTEGER)
    about = argument.column or argument.about
    if name in {"MIN", "MAX"}:
        of_kind(argument, *NUMBERS, Kind.TEXT, Kind.TIME, where=name)
        return Term(sql, argument.kind, about=about)
    of_kind(argument, *NUMBERS, where=name)
    kind = Kind.INTEGER if name == "SUM" and argument.kind is not Kind.REAL else Kind.REAL
    return Term(f"CAST({sql} AS {'BIGINT' if kind is Kind.INTEGER else 'DOUBLE'})", kind, about=about)
