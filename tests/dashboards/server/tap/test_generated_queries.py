"""Generated queries: whatever comes, the answer is rows that everybody may see, or a refusal in one sentence."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archive.errors import QueryRefused
from dashboards.server.tap.adql import Statement, translate
from dashboards.server.tap.functions import AGGREGATES, DECIMALS, FUNCTIONS
from dashboards.server.tap.geometry import NAMES
from dashboards.server.tap.refusals import Refused
from dashboards.server.tap.tables import TABLES

from .conftest import SECRETS

_COLUMNS = sorted({column.name for table in TABLES.values() for column in table.columns})
_INTERNAL = [
    "author",
    "hidden",
    "file",
    "folder",
    "recipe",
    "png",
    "detected",
    "rowid",
    "runs",
    "images",
    "model.images",
]
_WORDS = [
    "SELECT", "FROM", "WHERE", "AND", "OR", "NOT", "IN", "LIKE", "BETWEEN", "IS", "NULL", "GROUP BY", "ORDER BY",
    "HAVING", "TOP", "DISTINCT", "OFFSET", "AS", "JOIN", "ON", "UNION", "WITH", "CASE", "WHEN", "END", "CAST", "LIMIT",
    "(", ")", ",", ".", "*", "+", "-", "/", "=", "<>", "<", ">=", "||", "::", ";", "--", "/*", "*/", "'", '"', "[", "]",
    "{", "}", "$1", "?", "@", "#", ":x", "%", "\\", "read_parquet", "pragma", "getenv('HOME')", "'a'", "''''", "1",
    "1e5", "TRUE", "é", "\u202e", "\0",
]  # fmt: skip
_token = st.sampled_from([*_WORDS, *_COLUMNS, *_INTERNAL, *(table.name for table in TABLES.values())])
_noise = st.lists(_token, max_size=25).map(" ".join)

_column = st.sampled_from([*_COLUMNS, *_INTERNAL])
_value = st.one_of(
    _column,
    st.integers(-(10**20), 10**20).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.text(max_size=8).map(lambda text: "'" + text.replace("'", "''") + "'"),
    st.sampled_from(["'2022-11-10'", "'true'", "TRUE", "NULL", "COUNT(*)"]),
)
_functions = [*FUNCTIONS, *DECIMALS, *AGGREGATES, *NAMES, "COALESCE", "read_text", "printf"]


def _wider(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    listed = st.lists(inner, min_size=1, max_size=4).map(", ".join)
    signs = st.sampled_from("+ - * / = <> < > AND OR LIKE".split())  # noqa: SIM905 (signs)
    return st.one_of(
        st.tuples(inner, signs, inner).map(" ".join),
        st.tuples(st.sampled_from(_functions), listed).map(lambda part: f"{part[0]}({part[1]})"),
        st.tuples(inner, inner, inner).map(lambda part: f"{part[0]} BETWEEN {part[1]} AND {part[2]}"),
        st.tuples(inner, listed).map(lambda part: f"{part[0]} IN ({part[1]})"),
        inner.map(lambda part: f"NOT ({part})"),
        inner.map(lambda part: f"({part}) IS NOT NULL"),
    )


_expression = st.recursive(_value, _wider, max_leaves=8)
_query = st.builds(
    "SELECT {0} FROM {1} WHERE {2} ORDER BY {3}".format,
    st.lists(_expression, min_size=1, max_size=3).map(", ".join),
    st.sampled_from([table.name for table in TABLES.values()]),
    _expression,
    _expression,
)


def _ask(sky: Any, query: str) -> None:
    try:
        statement = translate(query, "https://stix.example")
    except Refused as refused:
        sentence = refused.sentence
    else:
        _look(sky, statement, query)
        return
    assert 0 < len(sentence) < 800


def _look(sky: Any, statement: Statement, query: str) -> None:
    try:
        rows = sky.archive.query(statement.limited(200), statement.parameters, time_limit_s=20).to_pylist()
    except QueryRefused:
        return  # DuckDB finds what only types and values show, such as an overflow
    words = repr(rows)
    assert not [secret for secret in SECRETS if secret in words], query


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=_query)
def test_expressions(sky: Any, query: str) -> None:
    _ask(sky, query)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(start=st.sampled_from(["", "SELECT ", "SELECT * FROM stix.images "]), noise=_noise)
def test_noise(sky: Any, start: str, noise: str) -> None:
    _ask(sky, start + noise)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=st.text(max_size=80))
def test_any_text(sky: Any, query: str) -> None:
    _ask(sky, query)
    _ask(sky, f"SELECT {query} FROM stix.images")


@pytest.mark.parametrize("table", [name for name in TABLES if name.startswith("stix.")])
def test_no_row_of_what_is_hidden(sky: Any, table: str) -> None:
    statement = translate(f"SELECT * FROM {table}", "https://stix.example")
    rows = sky.archive.query(statement.limited(10_000), statement.parameters).to_pylist()
    expected = {
        "stix.flares": len(sky.flares),
        "stix.images": len(sky.images),
        "stix.spectra": len(sky.spectra),
        "stix.epn_core": sum(not r.simulated for kind in (sky.flares, sky.images, sky.spectra) for r in kind) + 1,
    }
    assert len(rows) == expected[table]
    assert not [secret for secret in SECRETS if secret in repr(rows)]
    everything = (
        sky.archive.query("SELECT * FROM images").to_pylist() + sky.archive.query("SELECT * FROM spectra").to_pylist()
    )
    assert all(secret in repr(everything) for secret in SECRETS)  # they would be seen
