import csv
import io
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from astropy.table import Table

from archive.index.series import LIGHT_CURVES
from dashboards.server.lightcurve_files import csv_pieces, parquet_pieces, wanted
from dashboards.shared.errors import NotUnderstood

HOUR = 3600


def rows_of(curves: Any, hour: float, hours: float, **options: Any) -> Iterator[Any]:
    begin = np.datetime64(round((curves.start + hour * HOUR) * 1e6), "us")
    return curves.archive.light_curve_rows(begin, begin + np.timedelta64(round(hours * HOUR * 1e6), "us"), **options)


@pytest.mark.filterwarnings("ignore:No table..len")  # rows are sent before the longest text is known
def test_text_and_parquet_hold_what_is_stored(curves: Any, tmp_path: Path) -> None:
    text = b"".join(csv_pieces(LIGHT_CURVES.arrow, rows_of(curves, 7, 3))).decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == 2 * 900  # an hour of them is missing
    assert rows[0]["time_utc_solar_orbiter"] == "2022-11-10T07:00:00.000000"
    assert float(rows[0]["counts_4_10"]) == 250.0
    whole = b"".join(parquet_pieces(LIGHT_CURVES.arrow, rows_of(curves, 7, 3)))
    table = pq.read_table(io.BytesIO(whole))
    assert table.column_names == list(rows[0])
    assert table["counts_4_10"].to_pylist() == [float(row["counts_4_10"]) for row in rows]
    (tmp_path / "curve.parquet").write_bytes(whole)
    assert (
        list(Table.read(tmp_path / "curve.parquet", format="parquet")["counts_4_10"])
        == table["counts_4_10"].to_pylist()
    )


def test_minutes_and_series(curves: Any) -> None:
    (minutes,) = rows_of(curves, 0, 2, minutes=True)
    assert minutes.num_rows == 120
    assert sum(rows.num_rows for rows in rows_of(curves, 0, 2, simulated=True)) == 0
    assert list(rows_of(curves, 48, 2)) == []


def test_a_file_without_rows_is_whole(curves: Any) -> None:
    nothing = b"".join(parquet_pieces(LIGHT_CURVES.arrow, rows_of(curves, 48, 2)))
    assert pq.read_table(io.BytesIO(nothing)).num_rows == 0
    assert b"".join(csv_pieces(LIGHT_CURVES.arrow, rows_of(curves, 48, 2))).count(b"\n") == 1


def test_what_was_sent_is_let_go(curves: Any) -> None:
    (day,) = rows_of(curves, 0, 24)
    tracemalloc.start()
    size = sum(len(piece) for piece in parquet_pieces(LIGHT_CURVES.arrow, iter([day] * 60)))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < size / 4


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"start": "1668038400"},
        {"start": "abc", "span": "60"},
        {"start": "nan", "span": "60"},
        {"start": "1668038400", "span": "0"},
        {"start": "5", "span": "60"},
        {"start": "1668038400", "span": "40000000"},
        {"start": "1668038400", "span": "60", "bins": "hours"},
        {"start": "1668038400", "span": "60", "series": "both"},
        {"start": "1668038400", "span": "60", "path": "/etc/passwd"},
    ],
)
def test_what_means_nothing_is_refused(arguments: dict[str, str]) -> None:
    with pytest.raises(NotUnderstood):
        wanted(arguments)


def test_long_windows_come_as_minutes() -> None:
    want = wanted({"start": "1668038400", "span": "40000000", "bins": "minutes", "series": "simulated"})
    assert want.name == "stix_ql-lightcurve_minutes_20221110T000000_20240215T230640_SIMULATED"


def test_refusals_are_json(client: Any) -> None:
    answer = client.get("/archive/lightcurve.csv?start=abc&span=60")
    assert (answer.status, answer.json["status"]) == (400, 400)
    assert "number of seconds" in answer.json["error"]
    assert client.get("/archive/lightcurve.txt?start=1668038400&span=60").status == 404


def test_an_archive_without_light_curves_sends_an_empty_file(client: Any) -> None:
    answer = client.get("/archive/lightcurve.csv?start=1668038400&span=60")
    assert answer.status == 200
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="stix_ql-lightcurve_bins_2022')
    assert answer.text.count("\n") == 1
