"""Light curves corrected for live time and for the attenuator, and the background detector."""

from typing import Any

import duckdb
import numpy as np
import pytest

from archive import Archive, QueryRefused
from archive.ingest.ingest import ingest
from archive.lightcurves.corrections import (
    ATTENUATOR,
    FROM_MINUTES,
    TRANSMISSION,
    Corrections,
    live_fraction,
    live_fraction_sql,
)
from archive.lightcurves.detector import LONGEST_DETECTOR
from stixcore.calibration.livetime import livetime_fraction
from stixcore.fits.read import read_background_monitor
from tests.archive.lightcurves.test_lightcurves import CurveFile, day, take

BOTH = Corrections(live_time=True, attenuator=True)
LIVE = Corrections(live_time=True)
HOUR = np.timedelta64(1, "h")
#: Level and height of the curve, ct per bin of 4 s.
QUIET, FLARE = 1000.0, 50_000.0


def flare(second: np.ndarray) -> np.ndarray:
    """A flare between 06:30 and 06:40."""
    return np.where((second >= 23_400) & (second < 24_000), QUIET + FLARE, QUIET)


@pytest.fixture
def attenuated(archive: Archive, make: Any, tmp_path: Any) -> Archive:
    """An hour of bins; the attenuator is in from 06:30 to 06:40."""
    before, during, after = (
        CurveFile(start=f"2022-11-11T06:{start}:00.000", bins=15 * n, counts=flare, serial=f"_0000{start}", rcr=rcr)
        for start, n, rcr in (("00", 30, 0), ("30", 10, 1), ("40", 20, 0))
    )
    take(archive, make, *(one.write(tmp_path) for one in (before, during, after)))
    return archive


def view(archive: Archive, corrections: Corrections, points: int = 2000, hours: int = 1) -> Any:
    start = day("2022-11-11T06:00")
    return archive.light_curve(start, start + hours * HOUR, points, corrections=corrections)


def test_sql_and_python_have_the_same_live_fraction() -> None:
    rates = np.array([0.0, 1e3, 4.5e4, 6e5, 1.3e6, 1.43e6])  # the last one is beyond the limit of the electronics
    with duckdb.connect() as connection:
        found = [
            connection.execute(
                f"SELECT {live_fraction_sql('?')}", [rate] * live_fraction_sql("?").count("?")
            ).fetchone()
            for rate in rates.tolist()
        ]
    ours = live_fraction(rates, np.ones_like(rates))
    assert np.allclose([one[0] for one in found if one], ours, rtol=1e-12, atol=0, equal_nan=True)
    assert np.isnan(ours).tolist() == [False] * 5 + [True]
    expected, _ = livetime_fraction(rates[:5] / 16, np.zeros(5), np.ones(5))
    assert np.allclose(ours[:5], expected, rtol=1e-12)


@pytest.mark.parametrize("points", [2000, 200, 10])
def test_rates_are_divided_by_the_live_fraction_of_their_bin(attenuated: Archive, points: int) -> None:
    recorded, corrected = view(attenuated, Corrections(), points), view(attenuated, LIVE, points)
    # a bin has ten triggers per count of the first band
    fraction = live_fraction(recorded.triggers_mean, np.ones_like(recorded.triggers_mean))
    one_state = recorded.triggers_low == recorded.triggers_high  # other buckets have bins of both levels
    assert one_state.sum() >= 4
    assert np.allclose(corrected.mean[one_state], (recorded.mean / fraction[:, None])[one_state], rtol=1e-6)
    assert (corrected.mean >= recorded.mean)[np.isfinite(recorded.mean)].all()
    assert np.array_equal(corrected.triggers_mean, recorded.triggers_mean, equal_nan=True)
    assert corrected.cautions == ()


def test_bins_are_corrected_before_they_are_combined(attenuated: Archive) -> None:
    fine, coarse = view(attenuated, LIVE), view(attenuated, LIVE, 10)
    assert coarse.time.size < 12
    total = np.nansum(fine.mean * fine.seconds[:, None], axis=0)
    assert np.allclose(np.nansum(coarse.mean * coarse.seconds[:, None], axis=0), total, rtol=1e-9)


def test_only_the_flare_in_hard_bands_is_corrected_for_the_attenuator(attenuated: Archive) -> None:
    recorded, corrected = (view(attenuated, Corrections(attenuator=on)) for on in (False, True))
    inside = recorded.rcr > 0
    assert inside.sum() == 150
    assert np.array_equal(corrected.mean[~inside], recorded.mean[~inside], equal_nan=True)
    assert np.array_equal(corrected.mean[inside][:, :3], recorded.mean[inside][:, :3])
    for number, band in ((3, "25_50"), (4, "50_84")):
        quiet = (QUIET + number) / 4.0
        expected = quiet + (recorded.mean[inside, number] - quiet) / TRANSMISSION[band]
        assert np.allclose(corrected.mean[inside, number], expected, rtol=1e-6)
    assert corrected.cautions == (ATTENUATOR,)


def test_without_a_quiet_level_nothing_is_corrected_and_the_day_is_named(
    archive: Archive, make: Any, tmp_path: Any
) -> None:
    take(archive, make, CurveFile(rcr=1).write(tmp_path))
    recorded, corrected = (view(archive, Corrections(attenuator=on)) for on in (False, True))
    assert np.array_equal(corrected.mean, recorded.mean)
    (caution,) = corrected.cautions
    assert "2022-11-11" in caution
    assert "quiet level is unknown" in caution


def test_minutes_are_corrected_for_live_time_only(attenuated: Archive) -> None:
    recorded, corrected = (view(attenuated, one, 100, hours=24 * 20) for one in (Corrections(), BOTH))
    assert recorded.bucket_s >= 3600
    assert (corrected.mean > recorded.mean).all()
    assert corrected.cautions == (FROM_MINUTES,)


def test_rows_of_files_say_what_they_are_corrected_for(attenuated: Archive) -> None:
    start, end = day("2022-11-11"), day("2022-11-12")
    (recorded,) = attenuated.light_curve_rows(start, end)
    (corrected,) = attenuated.light_curve_rows(start, end, corrections=BOTH)
    assert corrected.column_names == [*recorded.column_names, "live_fraction", "corrected_for"]
    said = np.array(corrected["corrected_for"].to_pylist())
    inside = recorded["rcr"].to_numpy() > 0
    assert set(said[~inside]) == {"live time"}
    assert set(said[inside]) == {"live time, attenuator in 25-50 keV, 50-84 keV"}
    shown = view(attenuated, BOTH)
    keep = shown.rcr >= 0
    for number, band in enumerate(("4_10", "10_15", "15_25", "25_50", "50_84")):
        rates = corrected[f"counts_{band}"].to_numpy() / 4.0
        assert np.allclose(rates, shown.mean[keep, number], rtol=1e-9)
    (minutes,) = attenuated.light_curve_rows(start, end, minutes=True, corrections=BOTH)
    assert set(minutes["corrected_for"].to_pylist()) == {"live time"}


@pytest.fixture(scope="module")
def monitored(shared_data: Any, tmp_path_factory: Any) -> Any:
    """An archive with a real file of the background detector."""
    files = sorted((shared_data / "products").glob("*ql-background_20200506*"))
    if not files:
        pytest.skip("the real file of the background detector is absent")
    archive = Archive(tmp_path_factory.mktemp("monitor") / "archive", create=True)
    ingest(archive, files, np.datetime64("2026-01-01", "us"))
    return archive, read_background_monitor(files[0])


def test_the_background_detector_has_the_counts_of_its_file(monitored: Any) -> None:
    archive, series = monitored
    start, end = series.t_start[0], series.t_start[-1] + np.timedelta64(8, "s")
    for points in (200_000, 500):
        curve = archive.detector_curve(start, end, points)
        assert curve.view.time.size <= points
        assert np.allclose(np.nansum(curve.view.mean * curve.view.seconds[:, None], axis=0), series.counts.sum(axis=0))
    assert curve.files == (series.header.name,)
    assert not curve.live_time_corrected
    corrected = archive.detector_curve(start, end, 500, corrected=True)
    ratio = corrected.view.mean[:, 0] / curve.view.mean[:, 0]
    # 68 triggers a second in the one accumulator of this detector: 0.08 % dead time
    assert np.nanmedian(ratio) == pytest.approx(1.0 + 68 * 12.2e-6, abs=1e-4)


def test_the_background_detector_is_not_read_for_long_windows(monitored: Any) -> None:
    archive, series = monitored
    start = series.t_start[0]
    with pytest.raises(QueryRefused, match="background detector"):
        archive.detector_curve(start, start + LONGEST_DETECTOR + HOUR)
    assert archive.detector_curve(start + 30 * LONGEST_DETECTOR, start + 31 * LONGEST_DETECTOR).files == ()
