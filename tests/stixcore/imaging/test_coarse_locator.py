"""The coarse flare locator: 56 real flares, simulated flares over the disk, and files that give no position."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import stixcore.imaging.coarse_locator as module
from jobs.imaging.products import describe
from jobs.imaging.task import _locator_columns
from stixcore.calibration.grids import flight_transmission
from stixcore.calibration.pointing import pointing_at
from stixcore.coordinates import Pointing, PointingSource, hpc_to_stix, stix_to_hpc
from stixcore.errors import SelectionError
from stixcore.fits.read import read_pixel_data
from stixcore.image_files.header import image_header
from stixcore.imaging.coarse_locator import (
    COUNT_FACTOR,
    LEAKAGE,
    LEVELS,
    REACH,
    STEP,
    LocatorCounts,
    locate_coarsely,
    locator_counts,
)
from stixcore.imaging.reconstruction import Method
from stixcore.instrument.flare_locator import LARGE_AREA, PIXEL_AREA, lit_areas
from stixcore.instrument.geometry import FLARE_LOCATOR, IMAGING_LABELS, detector_indices
from stixcore.options import ImageRequest
from stixcore.prepare import prepare
from stixcore.simulation.instrument import pixel_response
from stixcore.simulation.quick import simulate_pixel_sums
from stixcore.simulation.sources import Circle
from stixcore.visibility.pixels import SinglePixels, sum_pixels

BAND = (4.0, 10.0)
RSUN = 1600.0
TILTED = Pointing(PointingSource.MANUAL, 25.0, -300.0, 200.0, rsun=RSUN)


def expected(x, y, fluence, pointing=TILTED):
    """Counts of the twelve pixels of a source at (x, y), helioprojective."""
    areas = lit_areas(*hpc_to_stix(x, y, pointing))
    return COUNT_FACTOR * fluence * (areas + LEAKAGE * PIXEL_AREA)


def observed(counts, fluence, background=5.0, small=True):
    net = np.array(counts, dtype=float)
    if not small:
        net[8:] = np.nan
    return LocatorCounts(BAND, net, np.nan_to_num(net) + background, fluence, 0.0)


def simulated(seed, pointing=TILTED):
    """A flare on the disk with 100 to 100,000 counts: its position and its random counts."""
    rng = np.random.default_rng(seed)
    radius, angle = RSUN * np.sqrt(rng.uniform()), rng.uniform(0.0, 2.0 * np.pi)
    x, y = radius * np.cos(angle), radius * np.sin(angle)
    quiet = 5.0
    fluence = 10.0 ** rng.uniform(2.0, 5.0) / lit_areas(*hpc_to_stix(x, y, pointing)).sum() / COUNT_FACTOR
    counts = rng.poisson(expected(x, y, fluence) + quiet) - quiet
    return (x, y), observed(counts, fluence, quiet)


# --- November 2022 ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def flares(november):
    """The 56 flares in the window of IDL's map, 4-10 keV: uid, IDL's circle, pointing, counts."""
    found = []
    for flare in november.flares:
        if flare.file is None:
            continue
        pointing = pointing_at(november.aspects, flare.start, flare.end)
        pixels = sum_pixels(read_pixel_data(flare.file), flare.start, flare.end, 6, 10, background=november.background)
        found.append((flare, pointing, locator_counts(pixels, BAND)))
    assert len(found) == 56
    return found


def distances(flares):
    """Distance from IDL's circle, counts, and the confidence level of its position."""
    rows = []
    for flare, pointing, counts in flares:
        found = locate_coarsely(counts, pointing, pointing.rsun)
        x, y = flare.forward_fit
        rows.append((np.hypot(found.x - x, found.y - y), counts.total, float(found.level(x, y))))
    return np.array(rows).T


@pytest.mark.needs_shared_data
def test_real_flares_lie_where_idl_puts_them(flares):
    off, counts, level = distances(flares)
    assert np.median(off) <= 59.0
    assert np.median(off[counts > 3000]) <= 25.0
    on_disk = np.array([np.hypot(*flare.forward_fit) < REACH * pointing.rsun for flare, pointing, _ in flares])
    assert on_disk.sum() == 55
    for wanted, contour in zip((0.68, 0.95), LEVELS, strict=False):
        assert (level[on_disk] <= contour).mean() >= wanted


@pytest.mark.needs_shared_data
def test_with_another_sign_they_lie_elsewhere(flares, monkeypatch):
    monkeypatch.setattr(module, "lit_heights", lambda y: original(-np.asarray(y)))
    off, counts, _ = distances(flares)
    assert np.median(off) > 200.0
    assert np.median(off[counts > 3000]) > 200.0


original = module.lit_heights


@pytest.mark.needs_shared_data
def test_the_brightest_flare_needs_the_light_in_the_shadow(flares, monkeypatch):
    (bright,) = [one for one in flares if one[0].request_id == "2211116471"]
    assert distances([bright])[0] < 40.0
    found = locate_coarsely(bright[2], bright[1], bright[1].rsun)
    assert found.chi2 < 2.0
    monkeypatch.setattr(module, "LEAKAGE", 0.0)
    monkeypatch.setattr(module, "LEAKAGE_SIGMA", 0.0)
    assert distances([bright])[0] > 300.0


# --- simulated flares -------------------------------------------------------------------------------------------------


def test_contours_hold_simulated_flares():
    levels = []
    for seed in range(300):
        (x, y), counts = simulated(seed)
        levels.append(float(locate_coarsely(counts, TILTED, RSUN).level(x, y)))
    for level in LEVELS[:2]:
        assert np.mean(np.array(levels) <= level) >= level
    assert np.mean(np.array(levels) <= LEVELS[2]) >= 0.99


@settings(max_examples=25, deadline=None)
@given(st.floats(0.0, 1.0), st.floats(0.0, 2.0 * np.pi), st.booleans())
def test_counts_without_noise_give_a_region_around_the_source(radius, angle, small):
    x, y = RSUN * radius * np.cos(angle), RSUN * radius * np.sin(angle)
    found = locate_coarsely(observed(expected(x, y, 1e4), 1e4, small=small), TILTED, RSUN)
    assert found.degrees_of_freedom == (10 if small else 6)
    assert found.level(x, y) == pytest.approx(0.0, abs=1e-9)
    assert found.chi2 < 1.0  # the nearest point of the grid is at most 7″ away
    assert found.level(found.x, found.y) < 0.1


def test_the_map_is_that_of_the_areas():
    _, counts = simulated(7)
    found = locate_coarsely(counts, TILTED, RSUN)
    x, y = stix_to_hpc(found.axis_x[None, :], found.axis_y[:, None], TILTED)
    inside = np.hypot(x, y) <= REACH * RSUN
    np.testing.assert_array_equal(np.isfinite(found.delta_chi2), inside)
    # Σ (n - k f (a + ε A))² / σ² without the product of matrices
    model = (
        COUNT_FACTOR * counts.fluence * (lit_areas(*hpc_to_stix(x[inside], y[inside], TILTED)) + LEAKAGE * PIXEL_AREA)
    )
    leaked = module.LEAKAGE_SIGMA * COUNT_FACTOR * counts.fluence * PIXEL_AREA
    relative = module.RELATIVE_ERROR * np.maximum(counts.net, 0.0)
    chi2 = ((counts.net - model) ** 2 / (np.maximum(counts.variance, 1.0) + relative**2 + leaked**2)).sum(axis=-1)
    np.testing.assert_allclose(found.delta_chi2[inside], chi2 - chi2.min(), atol=1e-6 * chi2.max())
    assert found.chi2 == pytest.approx(chi2.min() / 10.0)


def test_levels_regions_and_contours_belong_together():
    _, counts = simulated(11)
    found = locate_coarsely(counts, TILTED, RSUN)
    x, y = stix_to_hpc(found.axis_x[None, :], found.axis_y[:, None], TILTED)
    smaller = np.zeros(found.delta_chi2.shape, dtype=bool)
    for level in LEVELS:
        region = found.region(level)
        assert region[smaller].all()
        assert region.sum() > smaller.sum()
        assert found.level(x[region], y[region]).max() <= level + 1e-9
        outside = ~region & np.isfinite(found.delta_chi2)
        assert found.level(x[outside], y[outside]).min() > level - 1e-9
        # every outline is closed, and its area that of the region to a pixel along it
        area = 0.0
        for line in found.contours(level):
            np.testing.assert_allclose(line[0], line[-1])
            area += 0.5 * np.sum(line[:-1, 0] * line[1:, 1] - line[1:, 0] * line[:-1, 1])
        border = sum(np.hypot(*np.diff(line, axis=0).T).sum() for line in found.contours(level))
        assert abs(abs(area) - region.sum() * STEP**2) < border * STEP
        smaller = region
    assert found.radius == pytest.approx(np.sqrt(found.region(LEVELS[0]).sum() * STEP**2 / np.pi))


def test_a_misfit_widens_the_contours():
    counts = observed(expected(400.0, 300.0, 1e4), 1e4)
    good = locate_coarsely(counts, TILTED, RSUN)
    bad = locate_coarsely(replace(counts, net=counts.net * np.tile([0.5, 1.5], 6)), TILTED, RSUN)
    assert good.chi2 < 1.0
    assert bad.chi2 > 3.0
    assert good.scale == module.WIDENING
    assert bad.scale == pytest.approx(module.WIDENING * bad.chi2)
    assert bad.threshold(0.95) > good.threshold(0.95)


def test_a_position_beyond_the_map_has_a_level():
    found = locate_coarsely(observed(expected(0.0, 0.0, 1e4), 1e4), TILTED, RSUN)
    assert found.level(1.4 * RSUN, 0.0) > LEVELS[2]


def test_the_disk_may_be_anywhere_in_the_field():
    far = replace(TILTED, x=2500.0, y=-1800.0, rsun=3200.0)
    counts = expected(-800.0, 2000.0, 1e4, far)
    found = locate_coarsely(observed(counts, 1e4), far, far.rsun)
    assert np.hypot(found.x + 800.0, found.y - 2000.0) < 2.0 * STEP


@pytest.mark.parametrize("rsun", [0.0, -1.0, np.nan, np.inf])
def test_the_radius_must_be_positive(rsun):
    with pytest.raises(SelectionError, match="apparent solar radius must be positive"):
        locate_coarsely(observed(expected(0.0, 0.0, 1e4), 1e4), TILTED, rsun)


# --- counts of a window -----------------------------------------------------------------------------------------------


@pytest.fixture
def window(meta_pixels):
    """Sums of a flare at (200, 100)″ with a fluence of 100 ct/mm² per channel, 4-6 and 6-10 keV."""
    net = np.zeros((32, 12, 2))
    imaging = detector_indices(IMAGING_LABELS)
    net[imaging, :8] = (100.0 * flight_transmission(0.0, 0.0)[imaging] * LARGE_AREA)[:, None, None]
    net[FLARE_LOCATOR] = expected(200.0, 100.0, 100.0)[:, None]
    single = SinglePixels(np.array([4.0, 6.0]), np.array([6.0, 10.0]), net, net + 1.0)

    def make(change=lambda net: None, **changes):
        values = net.copy()
        change(values)
        kept = replace(single, net=values)
        return meta_pixels(np.ones((32, 4)), **{"background_name": "quiet.fits", "single": kept} | changes)

    return make


def test_fluence_and_counts_of_a_window(window):
    found = locator_counts(window(), BAND)
    assert found.fluence == pytest.approx(200.0)
    assert found.energy == BAND
    np.testing.assert_allclose(found.net, expected(200.0, 100.0, 200.0))
    assert locator_counts(window(), (6.0, 10.0)).fluence == pytest.approx(100.0)
    position = locate_coarsely(found, TILTED, RSUN)
    assert np.hypot(position.x - 200.0, position.y - 100.0) < 2.0 * STEP


def test_live_times_of_the_detectors_count(window):
    live = np.full(32, 60.0)
    live[FLARE_LOCATOR] = 30.0
    assert locator_counts(window(livetime=live), BAND).fluence == pytest.approx(100.0)


def test_a_detector_that_was_off_does_not_count(window):
    on = np.ones(32, dtype=bool)
    on[detector_indices(["5a"])] = False

    def silent(net):
        net[detector_indices(["5a"])] = 0.0

    assert locator_counts(window(silent, detector_mask=on), BAND).fluence == pytest.approx(200.0)


def test_the_attenuator_changes_nothing(window):
    assert locator_counts(window(rcr=1), BAND).fluence == pytest.approx(200.0)


def test_files_with_eight_pixels(window):
    def without_small(net):
        net[:, 8:] = np.nan

    found = locator_counts(window(without_small), BAND)
    assert np.isnan(found.net[8:]).all()
    assert locate_coarsely(found, TILTED, RSUN).degrees_of_freedom == 6


def pixels(value, where=np.s_[FLARE_LOCATOR]):
    def change(net):
        net[where] = value

    return change


def off():
    mask = np.ones(32, dtype=bool)
    mask[FLARE_LOCATOR] = False
    return mask


@pytest.mark.parametrize(
    ("change", "changes", "energy", "reason"),
    [
        (pixels(3.0), {"single": None}, BAND, "summed on board"),
        (pixels(3.0), {"background_name": ""}, BAND, "without a background"),
        (pixels(3.0), {"detector_mask": off()}, BAND, r"\(detector 9\) was off"),
        (pixels(np.nan), {}, BAND, "not all read out at 4-10 keV"),
        (pixels(100.0), {}, (5.0, 10.0), "not all read out at 5-10 keV"),
        (pixels(1.0), {}, BAND, "has 16 ± 68 counts above background; a position needs 20 and 3 standard deviations"),
        (pixels(5.0), {}, BAND, "has 80 ± 68 counts above background"),
        (pixels(-1.0), {}, BAND, "has -16 ± "),
        (pixels(0.0, np.s_[detector_indices(IMAGING_LABELS)]), {}, BAND, "imaging detectors have no flare"),
    ],
)
def test_reasons_for_no_position(window, change, changes, energy, reason):
    with pytest.raises(SelectionError, match=reason):
        locator_counts(window(change, **changes), energy)


# --- in the imaging chain ---------------------------------------------------------------------------------------------


@pytest.mark.needs_shared_data
def test_an_image_set_has_the_locator_in_headers_json_and_rows(november_images):
    found, location = november_images.locator, november_images.recipe.location
    assert found.observed.energy == BAND
    assert np.hypot(found.x - location.x, found.y - location.y) < 40.0
    assert november_images.locator_level == pytest.approx(float(found.level(location.x, location.y)))
    header = image_header(november_images, Method.CLEAN, np.datetime64("2026-11-01T00:00:00"))
    described = describe(november_images, {})["locator"]
    row = _locator_columns(november_images)
    for keyword, key, column, value in (
        ("CFL_HPX", "hpc_x", "locator_x", found.x),
        ("CFL_HPY", "hpc_y", "locator_y", found.y),
        ("CFL_RAD", "radius", "locator_radius", found.radius),
        ("CFL_CNTS", "counts", "locator_counts", found.observed.total),
        ("CFL_CHI2", "chi2", "locator_chi2", found.chi2),
        ("CFL_LEV", "level", "locator_level", november_images.locator_level),
    ):
        assert header[keyword] == described[key] == row[column] == value


@pytest.mark.needs_shared_data
def test_without_a_locator_there_is_its_reason(november_images):
    images = replace(november_images, locator=None, no_locator="the coarse flare locator was off")
    assert images.locator_level is None
    assert describe(images, {})["locator"] == {"reason": "the coarse flare locator was off"}
    assert _locator_columns(images) == {}
    header = image_header(images, Method.CLEAN, np.datetime64("2026-11-01T00:00:00"))
    assert [key for key in header if key.startswith("CFL_")] == ["CFL_WHY"]
    assert header["CFL_WHY"] == "the coarse flare locator was off"


@pytest.mark.needs_shared_data
def test_the_band_of_the_locator(november):
    flare = next(one for one in november.flares if one.request_id == "2211116471")
    science = read_pixel_data(flare.file)
    pointing = pointing_at(november.aspects, flare.start, flare.end)

    def band(science=science, background=november.background):
        asked = ImageRequest(flare.start, flare.end, (10.0, 16.0))
        return prepare(asked, science, background, pointing).locate_coarsely().observed.energy

    assert band() == BAND
    # the attenuator removes the photons below 10 keV
    assert band(replace(science, rcr=np.ones_like(science.rcr))) == (6.0, 25.0)
    with pytest.raises(SelectionError, match="without a background"):
        band(background=None)


def test_the_simulator_lights_the_locator_where_the_source_is():
    source = Circle(-700.0, 900.0, 20.0)
    for counts, reach in ((1e4, 400.0), (1e6, 40.0)):
        pixels = simulate_pixel_sums([source], counts, np.random.default_rng(3), pointing=TILTED, background=1658.0)
        found = locate_coarsely(locator_counts(pixels, (6.0, 10.0)), TILTED, RSUN)
        assert np.hypot(found.x - source.x, found.y - source.y) < reach
        assert found.level(source.x, source.y) < LEVELS[2]
    other = locate_coarsely(locator_counts(pixels, (6.0, 10.0)), replace(TILTED, roll=TILTED.roll + 180.0), RSUN)
    assert np.hypot(other.x - source.x, other.y - source.y) > 500.0


def test_counts_of_simulated_files_follow_the_areas():
    response = pixel_response([Circle(-700.0, 900.0, 20.0)], TILTED)[FLARE_LOCATOR]
    areas = lit_areas(*hpc_to_stix(-700.0, 900.0, TILTED))
    np.testing.assert_allclose(100.0 * response, COUNT_FACTOR * (areas + 0.0026 * PIXEL_AREA))
