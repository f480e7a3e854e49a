"""Queries read the index, and can do nothing else."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archive import Archive, ImageFilter, IndexDamaged, QueryRefused, QueryTimeout, RunFilter, ScienceFilter
from archive.errors import ArchiveBusy
from archive.index import reader
from archive.index.reader import QueryLimits
from archive.index.schema import TABLES


@pytest.fixture
def filled(archive: Archive, make) -> Archive:
    archive.upsert("images", [make.image(n, f"2022-{n + 1:02d}-01", total_flux=float(n)) for n in range(12)])
    return archive


def test_every_table_exists_before_it_has_rows(archive: Archive) -> None:
    for table in TABLES.values():
        found = archive.query(f"SELECT * FROM {table.name}")
        assert found.num_rows == 0
        assert found.schema.names == table.arrow.names
        assert found.schema.types == table.arrow.types


@pytest.mark.parametrize("with_model", [False, True])
def test_tables_keep_their_types(filled: Archive, with_model: bool) -> None:
    if with_model:
        filled.build_read_model()
    assert filled.query("SELECT * FROM images").schema.types == TABLES["images"].arrow.types
    assert filled.query("SELECT count(*) AS n, max(total_flux) AS top FROM images").to_pylist() == [
        {"n": 12, "top": 11.0}
    ]


def test_parameters_of_every_kind(filled: Archive) -> None:
    def count(condition: str, *values: object) -> int:
        return filled.rows(f"SELECT count(*) AS n FROM images WHERE {condition}", values)[0]["n"]

    assert count("t_start < ?", np.datetime64("2022-03-01T00:00:00.000001")) == 3
    assert count("t_start < ?", datetime(2022, 3, 1, 1, tzinfo=UTC)) == 3
    assert count("total_flux >= ?", np.float64(10)) == 2
    assert count("total_flux IN (SELECT unnest(?))", (1.0, 2.0, 99.0)) == 2
    assert count("method = ? AND nx = ?", "clean", np.int64(128)) == 12


SECRET = "do not read me"

DOES_MORE_THAN_READ = [
    "SELECT 1; SELECT 2",
    "",
    "-- nothing",
    "CREATE TABLE x AS SELECT 1",
    "CREATE VIEW x AS SELECT 1",
    "INSERT INTO images SELECT * FROM images",
    "WITH gone AS (DELETE FROM images RETURNING *) SELECT * FROM gone",
    "DELETE FROM images",
    "UPDATE images SET hidden = true",
    "DROP VIEW images",
    "COPY images TO '{outside}/stolen.csv'",
    "COPY (SELECT 1) TO '{month}' (FORMAT parquet)",
    "COPY images FROM '{month}'",
    "EXPORT DATABASE '{outside}'",
    "IMPORT DATABASE '{outside}'",
    "ATTACH '{outside}/other.duckdb' AS other",
    "ATTACH ':memory:' AS other",
    "DETACH memory",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SET enable_external_access = true",
    "RESET lock_configuration",
    "PRAGMA database_list",
    "CALL pragma_version()",
    "PREPARE x AS SELECT 1",
    "CHECKPOINT",
    "BEGIN",
    "EXPLAIN ANALYZE SELECT 1",
    "SELECT * FROM read_text('{secret}')",
    "SELECT * FROM read_blob('{secret}')",
    "SELECT * FROM read_csv('{secret}')",
    "SELECT * FROM read_json('{secret}')",
    "SELECT * FROM '{secret}'",
    "SELECT * FROM read_text('{root}/users.json')",
    "SELECT * FROM glob('{outside}/*')",
    "SELECT * FROM sniff_csv('{secret}')",
    "SELECT * FROM read_parquet('{index}/*/*.parquet')",
    "SELECT * FROM read_text('https://example.org/')",
    "SELECT * FROM query('DROP VIEW images')",
    "SELECT getenv('HOME')",
    "SELECT * FROM values",  # DuckDB would look for Python variables of that name
    "SELECT * FROM TABLES",
    "SELECT * FROM duckdb_secrets()",
    "FROM images SELECT nothing_of_the_kind",
    "SELEC 1",
]


@pytest.fixture(scope="module", params=[False, True], ids=["parquet", "read model"])
def guarded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, make) -> Archive:
    """Build an archive once, beside a secret, for the many tests that must not change it."""
    folder = tmp_path_factory.mktemp("guarded")
    archive = Archive(folder / "archive", create=True)
    archive.upsert("images", [make.image(n, f"2022-{n + 1:02d}-01") for n in range(12)])
    if request.param:
        archive.build_read_model()
        archive.upsert("images", [make.image(0, "2022-01-01", size=2)])
    (folder / "secret.csv").write_text(SECRET)
    (archive.root / "users.json").write_text(SECRET)
    return archive


@pytest.mark.parametrize("sql", DOES_MORE_THAN_READ)
def test_whatever_does_more_than_read_the_index_fails(guarded: Archive, make, sql: str) -> None:
    outside = guarded.root.parent
    places = {"outside": outside, "secret": outside / "secret.csv", "root": guarded.root, "index": guarded.index}
    before = make.tree(outside)
    with pytest.raises(QueryRefused) as caught:
        guarded.query(sql.format(**places, month=guarded.index / "images" / "2022-01.parquet"))
    assert SECRET not in str(caught.value)
    assert make.tree(outside) == before
    assert guarded.count_images() == 12


HOSTILE = [
    "' OR 1=1 --",
    "'; DROP VIEW images; --",
    "x') OR true OR ('",
    "%",
    "_",
    "\\",
    "0 UNION SELECT * FROM runs",
    "{0}",
    "$1",
    "?",
    "\x00",
    "NULL",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_values_are_values(guarded: Archive, make, text: str) -> None:
    for which in (
        ImageFilter(uid=text),
        ImageFilter(flare_id=text),
        ImageFilter(recipe_id=text),
        ImageFilter(methods=(text, text)),
        ImageFilter(author=text),
        ImageFilter(text=text),
        ImageFilter(text=text, viewer=text, all_hidden=False),
    ):
        # "_" and "%" mean themselves; ids hold neither
        assert guarded.images(which) == []
        assert guarded.count_images(which) == 0
    assert guarded.runs(RunFilter(text=text, statuses=(text,), band=text)) == []
    assert guarded.science_files(ScienceFilter(text=text, product=text)) == []
    assert guarded.count_images(ImageFilter(viewer=text)) == 12


def test_text_search_is_a_piece_of_text(guarded: Archive) -> None:
    rows = guarded.images()

    @settings(max_examples=60, deadline=None)
    @given(text=st.text(min_size=1))
    def search(text: str) -> None:
        expected = {row.image_id for row in rows if text in row.image_id or text in row.uid}
        assert {row.image_id for row in guarded.images(ImageFilter(text=text))} == expected

    search()


@pytest.mark.parametrize("column", ["nope", "t_start; DROP VIEW images", "t_start DESC", "", "-", "--t_start", "1"])
def test_only_columns_can_be_sorted_by(filled: Archive, column: str) -> None:
    with pytest.raises(QueryRefused, match="table images has no column"):
        filled.images(sort=(column,))


def test_a_query_that_takes_too_long_is_stopped(filled: Archive) -> None:
    began = time.monotonic()
    with pytest.raises(QueryTimeout, match=r"stopped after 0\.2 s"):
        filled.query("SELECT count(*) FROM range(1000000000000) AS r WHERE range % 7 = 3", time_limit_s=0.2)
    assert time.monotonic() - began < 5
    assert filled.query("SELECT 1 AS one", time_limit_s=5).to_pylist() == [{"one": 1}]


def test_a_query_is_stopped_though_its_time_is_over_before_it_begins(filled: Archive) -> None:
    """DuckDB forgets an interrupt that comes while it prepares a query."""
    conditions = " AND ".join(f"sin(cos(range + {number})) <> {number}" for number in range(2, 150))
    began = time.monotonic()
    with pytest.raises(QueryTimeout):
        filled.query(f"SELECT count(*) FROM range(100000000000) WHERE {conditions}", time_limit_s=0.001)
    assert time.monotonic() - began < 10


def test_a_query_that_needs_too_much_memory_is_refused(filled: Archive) -> None:
    with pytest.raises(QueryRefused, match=r"(?i)memory"):
        filled.query("SELECT list(range) AS all FROM range(300000000)", time_limit_s=60)
    assert filled.count_images() == 12


def test_an_archive_can_have_limits_of_its_own(filled: Archive) -> None:
    small = Archive(filled.root, limits=QueryLimits(memory=32 << 20, answer=100_000, threads=1))
    asked = "SELECT current_setting('threads') AS threads, current_setting('memory_limit') AS memory"
    assert small.rows(asked) == [{"threads": 1, "memory": "32.0 MiB"}]
    with pytest.raises(QueryRefused, match=r"(?i)memory"):
        small.query("SELECT list(range) AS all FROM range(20000000)", time_limit_s=60)
    with pytest.raises(QueryRefused, match="the answer has more than 0 MiB"):
        small.query("SELECT range FROM range(100000)")
    assert filled.query("SELECT range FROM range(100000)").num_rows == 100_000
    small.close()


def test_many_threads_ask_one_archive(filled: Archive) -> None:
    with ThreadPoolExecutor(8) as pool:
        counts = list(pool.map(lambda _: (filled.count_images(), len(filled.images())), range(100)))
    assert set(counts) == {(12, 12)}


def test_views_are_made_once_until_the_files_change(filled: Archive, make, monkeypatch) -> None:
    opened, real = [], reader._open
    monkeypatch.setattr(reader, "_open", lambda *words: opened.append(words) or real(*words))

    def number_of_views(sql: str) -> int:
        opened.clear()
        filled.query(sql)
        return len(opened)

    number_of_views("SELECT 1")
    assert number_of_views("SELECT count(*) FROM images") == 0
    assert number_of_views("SELECT count(*) FROM lightcurves") == 1  # series have their view when they are asked for
    assert number_of_views("SELECT count(*) FROM lightcurves") == 0
    assert number_of_views("SELECT count(*) FROM images") == 0
    filled.upsert("images", [make.image(99, "2031-01-01")])
    assert number_of_views("SELECT count(*) FROM images") == 1


def test_files_that_are_being_written_are_not_read(filled: Archive) -> None:
    (filled.index / "images" / ".part-0123456789abcdef.parquet").write_bytes(b"PAR1 half a month")
    (filled.index / "images" / "2022-13-old.parquet").write_bytes(b"PAR1 somebody's copy")
    assert filled.count_images() == 12
    filled.build_read_model()
    assert filled.count_images() == 12


def test_a_month_that_was_replaced_while_it_was_read_is_read_again(filled: Archive, make, monkeypatch) -> None:
    asked = []

    def replacing(cursor, seconds):  # stands between our look at the files and DuckDB's
        asked.append(True)
        if len(asked) < 4:
            filled.upsert("images", [make.image(0, "2022-01-01", n_iter=len(asked))])
        return nullcontext()

    monkeypatch.setattr("archive.index.reader.limited", replacing)
    assert filled.rows("SELECT max(n_iter) AS n FROM images") == [{"n": 3}]
    assert len(asked) == 4


def test_writers_are_kept_out_when_they_would_disturb_for_ever(filled: Archive, make, monkeypatch) -> None:
    held = []

    def replacing(cursor, seconds):
        held.append(filled._lock.is_locked)
        if not held[-1]:
            filled.upsert("images", [make.image(0, "2022-01-01", n_iter=len(held))])
        return nullcontext()

    monkeypatch.setattr("archive.index.reader.limited", replacing)
    assert filled.count_images() == 12
    assert held == [False] * 5 + [True]


def test_an_index_that_changes_under_the_lock_is_reported(filled: Archive, make, monkeypatch) -> None:
    asked = []

    def replacing(cursor, seconds):
        asked.append(True)
        filled.upsert("images", [make.image(0, "2022-01-01", n_iter=len(asked))])
        return nullcontext()

    monkeypatch.setattr("archive.index.reader.limited", replacing)
    with pytest.raises(ArchiveBusy, match="changed while it was read"):
        filled.count_images()


def test_a_file_that_is_no_parquet_is_named(filled: Archive) -> None:
    (filled.index / "images" / "2022-05.parquet").write_bytes(b"")
    with pytest.raises(IndexDamaged, match=r"2022-05\.parquet"):
        filled.images()


def test_folders_with_odd_names(tmp_path: Path, make) -> None:
    for name in ("it's", "a b", "key=value", "ünïcode", 'quo"te', "$HOME", "semi;colon"):
        archive = Archive(tmp_path / name, create=True)
        archive.upsert("images", [make.image(1)])
        assert archive.images() == [make.image(1)]
        archive.build_read_model()
        archive.upsert("images", [make.image(2)])
        assert archive.images() == [make.image(1), make.image(2)]
        assert archive.query("SELECT * FROM images").schema.names == TABLES["images"].arrow.names


def test_answers_are_arrow_tables(filled: Archive) -> None:
    assert isinstance(filled.query("SELECT 1 AS one"), pa.Table)


@pytest.mark.parametrize("model", [False, True])
def test_who_only_shows_what_there_is_gets_the_rest_of_a_damaged_index(archive, make, model):
    archive.upsert("images", [make.image(1, "2022-10-01T00:00"), make.image(2, "2022-11-01T00:00")])
    if model:
        archive.build_read_model()
        archive.upsert("images", [make.image(3, "2022-11-02T00:00")])
    path = archive.index / "images/2022-11.parquet"
    whole = path.read_bytes()
    path.write_bytes(whole[:200])
    shown = Archive(archive.root, incomplete=True)
    assert shown.left_out == ()
    assert [image.recipe_id for image in shown.images()] == [make.image(1).recipe_id]
    assert shown.left_out == ("images 2022-11",)
    assert shown.runs() == []
    assert shown.image(make.image(1).image_id).t_start == np.datetime64("2022-10-01")
    with pytest.raises(IndexDamaged):
        archive.images()
    path.write_bytes(whole)  # mended: everything is there again
    assert len(shown.images()) == (3 if model else 2)
    assert shown.left_out == ()
