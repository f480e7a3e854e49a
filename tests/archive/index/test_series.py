"""Files of the light curves: written once, read back, and seen by queries."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from archive import Archive, IndexDamaged
from archive.index.series import (
    COUNTS,
    LIGHT_CURVE_MINUTES,
    LIGHT_CURVES,
    day_file,
    inputs_of,
    month_file,
    read_rows,
    write_rows,
)

DAY = np.datetime64("2022-11-11T12:00:00", "us")
INPUTS = {"b.fits": "1" * 64, "a.fits": "0" * 64}


def bins(number: int, triggers: float = 7.0) -> pa.Table:
    """Bins of 4 s."""
    plain = {"duration_s": 4.0, "triggers": triggers, "rcr": 0, "simulated": False, "file": "a.fits", "version": "01"}
    counts = dict.fromkeys(COUNTS, 10.0)
    times = [DAY + np.timedelta64(4 * row, "s") for row in range(number)]
    return LIGHT_CURVES.to_arrow([{"time": time} | counts | plain for time in times])


def test_places_of_the_files(tmp_path: Path) -> None:
    assert day_file(tmp_path, DAY) == tmp_path / "lightcurves" / "2022-11-11.parquet"
    assert month_file(tmp_path, DAY) == tmp_path / "lightcurve_minutes" / "2022-11.parquet"


def test_a_day_is_written_once_and_read_back(tmp_path: Path) -> None:
    path = day_file(tmp_path, DAY)
    assert read_rows(path, LIGHT_CURVES) == LIGHT_CURVES.arrow.empty_table()
    assert inputs_of(path) is None
    assert write_rows(path, bins(3), INPUTS)
    assert read_rows(path, LIGHT_CURVES).equals(bins(3))
    assert inputs_of(path) == INPUTS
    before = path.read_bytes()
    assert not write_rows(path, bins(3), dict(reversed(INPUTS.items())))
    assert path.read_bytes() == before


def test_other_rows_or_inputs_replace_a_file(tmp_path: Path) -> None:
    path = day_file(tmp_path, DAY)
    write_rows(path, bins(3), INPUTS)
    assert write_rows(path, bins(3, triggers=8.0), INPUTS)
    assert write_rows(path, bins(3, triggers=8.0), INPUTS | {"a.fits": "2" * 64})
    assert inputs_of(path) == INPUTS | {"a.fits": "2" * 64}
    path.write_bytes(b"PAR1 damaged")
    assert write_rows(path, bins(3), INPUTS)
    assert read_rows(path, LIGHT_CURVES).num_rows == 3


def test_without_rows_there_is_no_file(tmp_path: Path) -> None:
    path = day_file(tmp_path, DAY)
    assert not write_rows(path, bins(0))
    write_rows(path, bins(1))
    assert write_rows(path, bins(0))
    assert not path.exists()


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = day_file(tmp_path, DAY)
    path.parent.mkdir()
    path.write_bytes(b"PAR1 damaged")
    with pytest.raises(IndexDamaged, match=r"2022-11-11\.parquet cannot be read"):
        read_rows(path, LIGHT_CURVES)
    assert inputs_of(path) is None


def test_queries_see_the_days_and_nothing_beside_them(archive: Archive) -> None:
    assert archive.query("SELECT * FROM lightcurves").schema.names == LIGHT_CURVES.arrow.names
    folder = archive.index / "lightcurves"
    write_rows(folder / ".part-2022-11-12.parquet", bins(2))
    assert archive.rows("SELECT count(*) AS n FROM lightcurves") == [{"n": 0}]
    write_rows(day_file(archive.index, DAY), bins(3))
    write_rows(folder / "2022-11-11-old.parquet", bins(5))
    assert archive.rows("SELECT count(*) AS n, sum(triggers) AS sum FROM lightcurves") == [{"n": 3, "sum": 21.0}]
    assert archive.query("SELECT * FROM lightcurve_minutes").schema.names == LIGHT_CURVE_MINUTES.arrow.names
