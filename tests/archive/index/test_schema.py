"""Tables declared once: rows, Arrow, DuckDB and documentation agree."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from archive.errors import BadRow, NotInArchive
from archive.index.schema import IMAGES, TABLES, schema_markdown, table_named


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_duckdb_and_arrow_have_the_same_columns(table) -> None:
    with duckdb.connect() as connection:
        connection.execute(table.ddl)
        described = {row[0]: row[1:3] for row in connection.execute(f"DESCRIBE {table.name}").fetchall()}
        empty = connection.sql(table.empty_select).to_arrow_table().schema
    assert list(described) == table.arrow.names == empty.names
    assert [described[c.name] for c in table.columns] == [
        (c.duckdb, "YES" if c.nullable else "NO") for c in table.columns
    ]
    assert empty.types == table.arrow.types


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_every_column_is_documented(table) -> None:
    assert {table.key, table.time} <= table.names
    for column in table.columns:
        assert column.meaning.strip()
        assert f"| `{column.name}` |" in schema_markdown()
    assert f"## `{table.name}`" in schema_markdown()


def test_rows_survive_the_journey(make) -> None:
    rows = [make.image(1), make.image(2, flare_id="2211111136", chi2=1.5, n_iter=59, hidden=True, e_high=np.inf)]
    assert IMAGES.to_rows(IMAGES.to_arrow(rows)) == rows


def test_times_are_naive_utc_microseconds(make) -> None:
    assert IMAGES.arrow.field("t_start").type == pa.timestamp("us")
    row = make.image(1, t_start="2022-11-11T12:00:00.123456")
    assert str(IMAGES.to_rows(IMAGES.to_arrow([row]))[0].t_start) == "2022-11-11T12:00:00.123456"


def test_not_a_number_is_empty(make) -> None:
    row = make.image(1, chi2=float("nan"), total_flux=np.float64("nan"))
    found = IMAGES.to_rows(IMAGES.to_arrow([row]))[0]
    assert found.chi2 is None
    assert found.total_flux is None


def test_of_one_key_the_last_row_stays(make) -> None:
    rows = [make.image(1, size=1), make.image(2, size=2), make.image(1, size=3)]
    assert {row.image_id: row.size for row in IMAGES.to_rows(IMAGES.to_arrow(rows))} == {
        make.image(1).image_id: 3,
        make.image(2).image_id: 2,
    }


def test_mappings_are_rows_too(make) -> None:
    values = vars(make.image(1))
    assert IMAGES.to_rows(IMAGES.to_arrow([values])) == [make.image(1)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": 1.5}, "column size takes integer, found 1.5"),
        ({"size": "large"}, "column size takes integer, found 'large'"),
        ({"file": Path("images/x.fits")}, "column file takes text"),
        ({"t_end": "yesterday"}, "column t_end takes time, found 'yesterday'"),
        ({"t_end": None}, "column t_end is empty"),
        ({"t_end": np.datetime64("NaT", "us")}, "column t_end is empty"),
        ({"pixel_arcsec": float("nan")}, "column pixel_arcsec is empty"),
        ({"sha256": None}, "column sha256 is empty"),
    ],
)
def test_a_row_that_does_not_fit_is_named(make, change: dict[str, Any], message: str) -> None:
    with pytest.raises(BadRow, match=message) as caught:
        IMAGES.to_arrow([make.image(1), make.image(2, **change), make.image(3)])
    assert "table images, row '0000000000000002-clean'" in str(caught.value)


def test_unknown_and_missing_columns_are_named(make) -> None:
    with pytest.raises(BadRow, match=r"table images.*'brightness'"):
        IMAGES.to_arrow([vars(make.image(1)) | {"brightness": 1.0}])
    with pytest.raises(BadRow, match=r"table images.*'sha256'"):
        IMAGES.to_arrow([{name: value for name, value in vars(make.image(1)).items() if name != "sha256"}])
    with pytest.raises(BadRow, match="takes rows of type Image, found Run"):
        IMAGES.to_arrow([make.run("00")])


def test_wrong_images_and_runs_cannot_be_built(make) -> None:
    with pytest.raises(BadRow, match="method is 'Mem'"):  # "mem" may be of a package that was removed
        make.image(1, method="Mem")
    with pytest.raises(BadRow, match="must be called '0000000000000001-clean'"):
        make.image(1, image_id="2-clean")
    with pytest.raises(BadRow, match="status is 'finished', allowed are done, failed, skipped"):
        make.run("00", status="finished")


def test_a_zoned_time_is_refused_rather_than_shifted(make) -> None:
    with pytest.raises((BadRow, UserWarning)):
        IMAGES.to_arrow([make.image(1, created_at=datetime(2026, 1, 1, tzinfo=UTC))])


def test_a_table_that_does_not_exist() -> None:
    with pytest.raises(NotInArchive, match="there is no table 'users'"):
        table_named("users")
