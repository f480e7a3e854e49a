"""A campaign: files that belong together, and flares that are found where they were put."""

import numpy as np
import pytest

from stixcore.calibration.pointing import pointing_at
from stixcore.errors import SelectionError
from stixcore.fits.read import read_aspect, read_header, read_light_curve, read_pixel_data
from stixcore.fits.spec import ProductKind
from stixcore.imaging.clean import clean
from stixcore.imaging.grid import ImageGrid
from stixcore.imaging.location import locate_flare
from stixcore.simulation.campaign import FlareSizes, native_bins, random_flare, simulate_campaign
from stixcore.simulation.ephemeris import Orbit
from stixcore.visibility.form import form_visibilities
from stixcore.visibility.pixels import sum_pixels

START = np.datetime64("2024-05-10T06:00", "us")
HALF_MINUTE = np.timedelta64(30, "s")


@pytest.fixture(scope="module")
def campaign(tmp_path_factory):
    folder = tmp_path_factory.mktemp("campaign")
    return folder, simulate_campaign(folder, 3, START, 1.25, 6.0)


def test_files_are_those_of_an_archive(campaign):
    folder, records = campaign
    headers = [read_header(path) for path in sorted(folder.iterdir())]
    assert all(header.simulated for header in headers)
    kinds = [header.kind for header in headers]
    assert kinds.count(ProductKind.ASPECT) == kinds.count(ProductKind.LIGHT_CURVE) == 2
    backgrounds = [header for header in headers if header.purpose.startswith("BKG quiet, Background")]
    assert len(backgrounds) == 2
    science = {record["file"] for record in records}
    assert kinds.count(ProductKind.PIXEL_DATA) == len(science) + 2
    assert {header.name for header in backgrounds} >= {record["background"] for record in records}
    assert len({header.request_id for header in headers if header.request_id}) == len(science) + 2
    assert sum(path.stat().st_size for path in folder.iterdir()) < 40e6


def test_records_are_in_order_and_complete(campaign):
    folder, records = campaign
    assert len(records) == 8
    peaks = [np.datetime64(record["peak_utc"]) for record in records]
    assert peaks == sorted(peaks)
    assert np.diff(peaks).min() >= np.timedelta64(1499, "s")
    for record in records:
        data = read_pixel_data(folder / record["file"])
        assert data.t_start[0] < np.datetime64(record["peak_utc"]) < data.t_end[-1]
        assert data.header.request_id == record["uid"]
        assert record["expected_counts"]["4-10"] > 1e4


def test_a_pixel_data_file_holds_the_counts_it_promises(campaign):
    folder, records = campaign
    for record in records:
        if sum(other["file"] == record["file"] for other in records) > 1:
            continue
        data, dark = (read_pixel_data(folder / record[name]) for name in ("file", "background"))
        imaging = np.delete(np.arange(32), [8, 9])
        seconds = data.duration.sum()
        counts = data.read(channels=data.energy_channels(4, 10)).counts[:, imaging, :8].sum()
        quiet = (
            dark.read(channels=dark.energy_channels(4, 10)).counts[:, imaging, :8].sum() * seconds / dark.duration.sum()
        )
        # truth counts 12 pixels; the large eight have 95 % of the area
        assert counts - quiet == pytest.approx(0.95 * record["expected_counts"]["4-10"], rel=0.03)


def test_flares_are_found_where_they_were_put(campaign):
    folder, records = campaign
    errors = []
    for record in records:
        data = read_pixel_data(folder / record["file"])
        peak = np.datetime64(record["peak_utc"], "us")
        background, aspect = read_pixel_data(folder / record["background"]), read_aspect(folder / record["auxiliary"])
        window = peak - HALF_MINUTE, peak + HALF_MINUTE
        pointing = pointing_at(aspect, *window)
        vis = form_visibilities(sum_pixels(data, *window, 6.0, 10.0, background=background))
        found = locate_flare(vis, pointing, pointing.rsun)
        errors.append(np.hypot(found.x - record["hpc_x"], found.y - record["hpc_y"]))
    assert np.median(errors) < 2.0
    assert max(errors) < 8.0


def test_the_light_curve_peaks_with_the_flares(campaign):
    folder, records = campaign
    curves = [read_light_curve(path) for path in sorted(folder.glob("*ql-lightcurve*"))]
    assert curves[0].t_start[0] == START
    assert curves[1].t_start[-1] + np.timedelta64(4, "s") == START + np.timedelta64(30, "h")
    time = np.concatenate([curve.t_start for curve in curves])
    soft = np.concatenate([curve.counts[:, 0] for curve in curves])
    assert (np.diff(time) == np.timedelta64(4, "s")).all()
    quiet = np.median(soft)
    for record in records:
        near = np.abs(time - np.datetime64(record["peak_utc"], "us")) < np.timedelta64(12, "s")
        # averaged over the bins around it, a flare is a little below its peak
        assert 0.7 * 4.0 * record["peak_rate"] < soft[near].max() - quiet < 1.25 * 4.0 * record["peak_rate"] + 300.0


def test_the_hard_band_shows_the_footpoints(tmp_path):
    # one bright flare with two footpoints: CLEAN in 16-28 keV finds both places
    sizes = FlareSizes(rate=(9000.0, 9001.0), off_limb=0.0)
    (record,) = simulate_campaign(tmp_path, 12, START, 0.3, 1.0 / 0.3, sizes=sizes)
    feet = [(source["x"], source["y"]) for source in record["components"][1]["sources"]]
    data, background = (read_pixel_data(tmp_path / record[name]) for name in ("file", "background"))
    burst = np.datetime64(record["components"][1]["profile"]["peak"], "us")
    window = burst - 2 * HALF_MINUTE, burst + 2 * HALF_MINUTE
    pointing = pointing_at(read_aspect(tmp_path / record["auxiliary"]), *window)
    center = tuple(np.mean(feet, axis=0))
    pixels = sum_pixels(data, *window, 16.0, 28.0, background=background)
    vis = form_visibilities(pixels).to_helioprojective(pointing, *center)
    image = clean(vis, ImageGrid((129, 129), 1.0, center))
    for x, y in feet:
        near = np.hypot(image.grid.x[None, :] + center[0] - x, image.grid.y[:, None] + center[1] - y) < 10.0
        assert image.planes["restored"][near].max() > 0.35 * image.planes["restored"].max()
    middle = np.hypot(image.grid.x[None, :], image.grid.y[:, None]) < 4.0
    assert image.planes["restored"][middle].max() < 0.8 * image.planes["restored"].max()


def test_the_same_seed_gives_the_same_campaign(tmp_path, campaign):
    folder, records = campaign
    assert simulate_campaign(tmp_path, 3, START, 1.25, 6.0) == records
    for path in folder.iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes(), path.name


def test_another_seed_gives_other_flares(tmp_path, campaign):
    other = simulate_campaign(tmp_path, 4, START, 1.25, 6.0, science=False)
    assert {record["flare_id"] for record in other}.isdisjoint(record["flare_id"] for record in campaign[1])
    assert not list(tmp_path.glob("*cpd*"))
    assert len(list(tmp_path.iterdir())) == 4


def test_flares_that_overlap_share_a_request(tmp_path):
    records = simulate_campaign(tmp_path, 5, START, 0.15, 60.0, min_separation=60.0)
    shared = [record for record in records if sum(other["file"] == record["file"] for other in records) > 1]
    assert len(records) == 9
    assert len(shared) >= 2


def test_random_flares_lie_on_the_disk_or_just_off_it():
    orbit, rng = Orbit(START), np.random.default_rng(0)
    rsun = float(orbit.solar_radius(START))
    flares = [random_flare(rng, START, orbit) for _ in range(200)]
    distance = np.array([np.hypot(*flare.position) for flare in flares]) / rsun
    assert distance.max() <= 1.041
    assert 0.05 < (distance > 0.95).mean() < 0.2
    assert {type(flare.components[0].sources[0]).__name__ for flare in flares} == {"Circle", "Ellipse", "Loop"}
    assert 0.2 < np.mean([len(flare.components) == 2 for flare in flares]) < 0.9


def test_native_bins_are_short_where_it_is_bright():
    orbit = Orbit(START)
    flare = random_flare(np.random.default_rng(1), START, orbit, FlareSizes(rate=(5000.0, 5001.0)))
    begin, end = START - np.timedelta64(300, "s"), START + np.timedelta64(900, "s")
    t_start, duration = native_bins([flare], begin, end, 700.0)
    assert t_start[0] == begin
    assert t_start[-1] + np.timedelta64(round(duration[-1]), "s") == end
    assert (np.diff(t_start) / np.timedelta64(1, "s") == duration[:-1]).all()
    assert duration.max() <= 20.0
    at_peak = duration[np.searchsorted(t_start, START) - 1]
    assert at_peak < 0.6 * duration[0]
    assert duration.size <= 161


def test_more_flares_than_time_are_refused(tmp_path):
    with pytest.raises(SelectionError, match="do not fit"):
        simulate_campaign(tmp_path, 1, START, 0.1, 100.0)
