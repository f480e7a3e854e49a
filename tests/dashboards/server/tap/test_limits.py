"""No query takes more than its share, and pages do not notice."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest

from dashboards.server.tap import answers
from dashboards.server.tap.answers import Wanted, answer, fault, tap_source
from dashboards.server.tap.refusals import Refused
from dashboards.shared.source import ARCHIVE_VARIABLE, archive_source

SERVER = "https://stix.example"
#: Hundreds of thousands of rows of joined descriptions of columns, and hundreds of functions of each.
_MANY = " AND ".join(
    f"SIN(COS(a.column_index + b.column_index * {n}.5 + c.column_index)) <> {n}" for n in range(2, 200)
)
LONG = (
    "SELECT COUNT(*) FROM TAP_SCHEMA.columns a JOIN TAP_SCHEMA.columns b ON a.table_name = b.table_name "
    f"JOIN TAP_SCHEMA.columns c ON b.table_name = c.table_name WHERE {_MANY}"
)
LARGE = (
    "SELECT a.description, b.description, c.description, COUNT(*) FROM TAP_SCHEMA.columns a "
    "JOIN TAP_SCHEMA.columns b ON a.table_name = b.table_name JOIN TAP_SCHEMA.columns c ON b.table_name = c.table_name "
    "GROUP BY 1, 2, 3 HAVING COUNT(*) > 1000"
)


@pytest.fixture
def limited(sky: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Small limits."""
    limits = replace(answers._LIMITS, tap_time=0.3, tap_memory=48 << 20, tap_answer=200_000)
    monkeypatch.setattr(answers, "_LIMITS", limits)
    monkeypatch.setenv(ARCHIVE_VARIABLE, str(sky.archive.root))
    answers._source_of.cache_clear()
    yield
    tap_source().archive().close()
    answers._source_of.cache_clear()


@pytest.mark.usefixtures("limited")
def test_a_long_query_is_stopped() -> None:
    began = time.monotonic()
    with pytest.raises(Refused, match=r"stopped after 0\.3 s"):
        answer(Wanted(LONG), SERVER)
    assert time.monotonic() - began < 5
    assert b"<TR>" in answer(Wanted("SELECT COUNT(*) FROM stix.images"), SERVER).beginning


@pytest.mark.usefixtures("limited")
def test_a_query_that_needs_too_much_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "_LIMITS", replace(answers._LIMITS, tap_time=30.0))
    with pytest.raises(Refused, match=r"(?i)memory") as refused:
        answer(Wanted(LARGE), SERVER)
    assert "\n" not in refused.value.sentence
    with pytest.raises(Refused, match="the answer has more than 0 MiB"):
        answer(Wanted("SELECT a.*, b.* FROM TAP_SCHEMA.columns a JOIN TAP_SCHEMA.columns b "
                      "ON a.table_name = b.table_name"), SERVER)  # fmt: skip


@pytest.mark.usefixtures("limited")
def test_queries_have_a_database_of_their_own() -> None:
    assert tap_source() is tap_source()
    assert tap_source() is not archive_source()
    (settings,) = tap_source().archive().rows("SELECT current_setting('threads') AS threads")
    assert settings == {"threads": 1}


def test_an_archive_that_cannot_be_read_is_not_available(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv(ARCHIVE_VARIABLE, str(tmp_path))
    assert "no archive here" in fault()


@pytest.mark.system
def test_long_bodies_and_many_queries_at_once(sky_server: Any, new_client: Any) -> None:
    client = new_client(sky_server.url)
    form = {"LANG": "ADQL", "QUERY": f"SELECT flare_id FROM stix.flares WHERE flare_id = '{'a' * 30_000}'"}
    answered = client.post("/tap/sync", form)
    assert (answered.status, b"20000 at most" in answered.body) == (400, True)
    assert client.post("/tap/sync", {"QUERY": "a" * (2 << 20)}).status in {400, 413}
    fair = {"LANG": "ADQL", "QUERY": "SELECT COUNT(*) AS n FROM stix.images", "FORMAT": "csv"}
    assert client.get(f"/tap/sync?{urlencode(fair)}").status == 200
