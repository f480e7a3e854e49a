"""Clocks against what headers of real files say, and what happens where no file says anything."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from archive import Archive
from archive.ingest.ingest import ingest
from dashboards.shared.light_times import (
    Clock,
    Distance,
    LightTimes,
    earth_distance,
    interpolated,
    light_times,
    why_unknown,
)
from stixcore.fits.read import read_header

NOON = np.datetime64("2022-11-10T12:00:00", "us")
HOUR = np.timedelta64(3600, "s")
NOW = np.datetime64("2026-11-25T12:00:00", "us")


def test_shifts_have_the_signs_of_the_headers() -> None:
    light = LightTimes(300.0, 195.0, 0.03, "somewhere")
    assert [light.shift(clock) for clock in Clock] == [0.0, 195.0, -300.0]


@pytest.mark.parametrize(("date", "au"), [("2022-01-04T07", 0.98333), ("2022-07-04T07", 1.01672)])
def test_earth_at_perihelion_and_aphelion(date: str, au: float) -> None:
    # distances of the Astronomical Almanac
    assert earth_distance(np.datetime64(date, "us")) / 149_597_870_700.0 == pytest.approx(au, abs=4e-5)


def test_distances_are_interpolated_and_say_how_well() -> None:
    known = [Distance(NOON, 9e10), Distance(NOON + 24 * HOUR, 9.1e10)]
    assert interpolated(known, NOON + 6 * HOUR) == (pytest.approx(9.025e10), pytest.approx(4.67e7, rel=0.01))
    assert interpolated(known, NOON - HOUR) == (9e10, pytest.approx(1.26e8))
    assert interpolated(known, NOON) == (9e10, 0.0)


def test_far_from_everything_known_nothing_is_made_up() -> None:
    apart = [Distance(NOON, 9e10), Distance(NOON + 10 * 24 * HOUR, 9.1e10)]
    assert interpolated(apart, NOON + 5 * 24 * HOUR) is None
    assert interpolated(apart, NOON - 13 * HOUR) is None
    assert interpolated([], NOON) is None


def test_no_file_no_clock(tmp_path: Path) -> None:
    assert light_times(Archive(tmp_path / "archive", create=True), NOON) is None
    assert "ephemeris or science file" in why_unknown()
    assert "simulated file" in why_unknown(simulated=True)


@pytest.fixture(scope="module")
def real(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Archive, list[Path]]:
    """Three real files of different days, with one ephemeris file for the first of them."""
    folder = tmp_path_factory.mktemp("files")
    names = ("2211090305", "2211109000", "2211117374")
    science = [next((shared_data / "nov2022" / "l1").glob(f"*{name}*")) for name in names]
    aux = next((shared_data / "nov2022" / "aux").glob("*20221109*"))
    for path in (*science, aux):
        shutil.copy(path, folder)
    archive = Archive(tmp_path_factory.mktemp("real") / "archive", create=True)
    ingest(archive, [folder], NOW)
    return archive, science


def test_light_times_are_those_of_the_headers(real: tuple[Archive, list[Path]]) -> None:
    archive, files = real
    sources = []
    for path in files:
        header = read_header(path)
        light = light_times(archive, header.date_beg + (header.date_end - header.date_beg) / 2)
        assert light is not None
        assert light.to_earth_later == pytest.approx(float(header.ephemeris["EAR_TDEL"]), abs=0.03)
        assert light.to_solar_orbiter == pytest.approx(float(header.ephemeris["SUN_TIME"]), abs=0.01)
        sources.append(light.source)
    assert "aux-ephemeris_20221109" in sources[0]
    assert "headers of science files" in sources[1]


def test_between_files_it_says_how_far_it_may_be_off(real: tuple[Archive, list[Path]]) -> None:
    archive, _ = real
    between = light_times(archive, np.datetime64("2022-11-10T18:00:00", "us"))
    assert between is not None
    # what the ephemeris file of that day says, which this archive does not have
    assert between.to_solar_orbiter == pytest.approx(307.0, abs=1.5)
    assert 0.03 < between.uncertainty < 1.0
    assert light_times(archive, np.datetime64("2023-03-01", "us")) is None
    assert light_times(archive, np.datetime64("2022-11-10T18:00:00", "us"), simulated=True) is None
