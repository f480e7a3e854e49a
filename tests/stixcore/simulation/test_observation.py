"""The forward model against the calibration: what goes in comes out of `sum_pixels` and `form_visibilities`."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stixcore.calibration.energy import EdgeCorrection
from stixcore.calibration.grids import flight_transmission
from stixcore.calibration.livetime import livetime_fraction
from stixcore.coordinates import hpc_to_stix
from stixcore.errors import SelectionError
from stixcore.fits.compression import compress, compression_variance
from stixcore.fits.read import read_pixel_data
from stixcore.instrument.geometry import (
    ALL_LABELS,
    BACKGROUND_MONITOR,
    IMAGING_LABELS,
    PixelSet,
    detector_indices,
    uv_points,
)
from stixcore.instrument.tables import pixel_area, trigger_accumulator
from stixcore.simulation.ephemeris import Orbit
from stixcore.simulation.flare import Component, FastRise, Flare, mean_level
from stixcore.simulation.instrument import Background, channel_edges, dead_time, pixel_response
from stixcore.simulation.observation import COUNTS_SKM, as_pixel_data, channel_range, expected_counts, observe
from stixcore.simulation.sources import Circle, Ellipse, Loop, visibilities
from stixcore.simulation.spectrum import ThermalSpectrum, integrate
from stixcore.visibility.form import form_visibilities
from stixcore.visibility.pixels import sum_pixels

START = np.datetime64("2022-11-10T12:00:00", "us")
ORBIT = Orbit(START)
POINTING = ORBIT.pointing(START)
BAND = (6.0, 10.0)
T_START = START + np.arange(12) * np.timedelta64(10, "s")
DURATION = np.full(12, 10.0)
WINDOW = (START, START + np.timedelta64(120, "s"))
SHAPES = [
    (Circle(400.0, 300.0, 20.0),),
    (Circle(0.0, 0.0, 0.0),),
    (Ellipse(-700.0, 500.0, 50.0, 18.0, 65.0),),
    (Loop(-300.0, -900.0, 50.0, 27.0, 20.0, 60.0),),
]
IDS = ["circle", "point", "ellipse", "loop"]


def make_flare(sources, flux=200.0):
    profile = FastRise(START + np.timedelta64(40, "s"), 15.0, 60.0)
    return Flare((Component(sources, ThermalSpectrum(flux), profile),))


def seen_flux(flare, observation, detectors, band):
    """Band flux averaged over the live time of each detector, ct s⁻¹ cm⁻² keV⁻¹."""
    component = flare.components[0]
    level = mean_level(component.profile, observation.t_start, observation.duration)
    weights = observation.live_fraction[:, detectors] * observation.duration[:, None]
    flux = integrate(component.spectrum, np.array(band))[0] / (band[1] - band[0])
    return flux * (level @ weights) / weights.sum(axis=0)


def truth_and_result(sources, labels=IMAGING_LABELS, pixel_set=PixelSet.TOP_BOT, flux=200.0, band=BAND, **options):
    flare = make_flare(sources, flux)
    observation = expected_counts((flare,), T_START, DURATION, POINTING, background=Background(0.0), **options)
    correction = EdgeCorrection.NONE if options.get("nominal_edges") else EdgeCorrection.POWER_LAW
    pixels = sum_pixels(as_pixel_data(observation), *WINDOW, *band, pixel_set=pixel_set, edge_correction=correction)
    x, y = hpc_to_stix(sources[0].x, sources[0].y, POINTING)
    vis = form_visibilities(pixels, labels, flare_xy=(float(x), float(y)), systematic=0.0)
    detectors = detector_indices(labels)
    u, v = uv_points()[detectors].T
    flux_seen = seen_flux(flare, observation, detectors, band)
    return flux_seen * visibilities(sources, u, v, POINTING), vis.vis, flux_seen.mean()


@pytest.mark.parametrize("sources", SHAPES, ids=IDS)
@pytest.mark.parametrize("pixel_set", [PixelSet.TOP, PixelSet.BOT, PixelSet.TOP_BOT])
def test_noise_free_counts_give_the_analytic_visibilities(sources, pixel_set):
    truth, result, flux = truth_and_result(sources, pixel_set=pixel_set, nominal_edges=True)
    assert np.abs(result - truth).max() < 1e-9 * flux


def test_calibrated_or_not_the_finest_grids_are_consistent_too():
    # 20″ wide: no grid of labels 1 and 2 is asked for fewer than no counts
    truth, result, flux = truth_and_result((Circle(400.0, 300.0, 20.0),), ALL_LABELS, nominal_edges=True)
    assert np.abs(result - truth)[:24].max() < 1e-9 * flux
    assert np.abs(result - truth).max() < 0.02 * flux


def test_all_pixels_together_agree_to_what_their_nominal_phase_is_worth():
    # large pixels at 46.1° and small ones at 22.5° add up to 44.9°, which the ground software calls 45°
    truth, result, flux = truth_and_result(SHAPES[0], pixel_set=PixelSet.ALL, nominal_edges=True)
    assert np.abs(result - truth).max() < 5e-3 * flux


def test_small_pixels_modulate_more_than_the_amplitude_factor_assumes():
    # k = 2 in the count model, k = 1 in the factor: 2 sin(π/8)/sin(π/4), as in the ground software
    truth, result, _ = truth_and_result(
        (Circle(0.0, 0.0, 100.0),), IMAGING_LABELS[:6], PixelSet.SMALL, nominal_edges=True
    )
    assert (result / truth).real == pytest.approx(2.0 * np.sin(np.pi / 8.0) / np.sin(np.pi / 4.0), rel=1e-6)


@pytest.mark.parametrize(
    ("band", "worst", "gain"),
    # the correction takes a power law inside a channel: the iron lines at 6.7 keV are none
    [((10.0, 15.0), 3e-3, 5.0), ((6.0, 10.0), 1e-2, 2.5)],
    ids=["continuum", "iron lines"],
)
def test_energy_edges_are_corrected_to_a_third_of_a_percent(band, worst, gain):
    truth, result, flux = truth_and_result(SHAPES[0], band=band)
    assert np.abs(result - truth).max() < worst * flux
    uncorrected = expected_counts((make_flare(SHAPES[0]),), T_START, DURATION, POINTING, background=Background(0.0))
    pixels = sum_pixels(as_pixel_data(uncorrected), *WINDOW, *band, edge_correction=EdgeCorrection.NONE)
    xy = tuple(float(value) for value in hpc_to_stix(400.0, 300.0, POINTING))
    without = form_visibilities(pixels, flare_xy=xy, systematic=0.0).vis
    assert np.abs(without - truth).max() > gain * np.abs(result - truth).max()


def test_dead_time_leaves_rates_alone():
    faint, _, faint_flux = truth_and_result(SHAPES[0], flux=1.0, nominal_edges=True)
    truth, result, flux = truth_and_result(SHAPES[0], flux=60_000.0, nominal_edges=True)
    observation = expected_counts((make_flare(SHAPES[0], 60_000.0),), T_START, DURATION, POINTING)
    assert observation.live_fraction.min() < 0.8
    assert np.abs(result - truth).max() < 1e-9 * flux
    assert (
        np.abs(truth / flux - faint / faint_flux).max() < 0.02
    )  # live time weighs the light curve a little differently


@pytest.mark.parametrize("sources", SHAPES, ids=IDS)
def test_the_four_pixels_sum_to_four_times_the_transmission(sources):
    # identity (ii) of the count model: A + B + C + D = 4 T F area
    area = pixel_response(sources, POINTING)
    x, y = (float(value) for value in hpc_to_stix(sources[0].x, sources[0].y, POINTING))
    transmission = flight_transmission(x, y)
    used = detector_indices(ALL_LABELS)
    for first in (0, 4, 8):
        total = area[used, first : first + 4].sum(axis=1)
        assert total == pytest.approx(4.0 * transmission[used] * pixel_area()[first], rel=1e-12)
    assert area.min() >= 0.0


@given(rate=st.floats(0.0, 5e5))
def test_triggers_tell_the_live_time_they_came_from(rate):
    fraction, triggers = dead_time(np.array([rate]))
    found, _ = livetime_fraction(triggers, np.zeros(1), np.ones(1))
    assert found == pytest.approx(fraction, rel=1e-9)


def test_counts_are_area_times_flux_times_live_time():
    flare = make_flare(SHAPES[0])
    observation = expected_counts((flare,), T_START, DURATION, POINTING, background=Background(0.0), nominal_edges=True)
    component = flare.components[0]
    level = mean_level(component.profile, T_START, DURATION)
    fluence = (level * DURATION) @ observation.live_fraction * integrate(component.spectrum, np.array([4.0, 28.0]))
    wanted = pixel_response(SHAPES[0], POINTING).sum(axis=1) * fluence
    assert observation.counts[..., channel_range(4.0, 28.0)].sum(axis=(0, 2, 3)) == pytest.approx(wanted, rel=1e-9)


def test_the_attenuator_takes_the_soft_counts_away():
    flare, state = make_flare(SHAPES[0]), np.repeat([0, 1], 6)
    bright = expected_counts((flare,), T_START, DURATION, POINTING, background=Background(0.0))
    mixed = expected_counts((flare,), T_START, DURATION, POINTING, background=Background(0.0), rcr=state)
    assert (mixed.rcr == state).all()
    assert (mixed.counts[:6] == bright.counts[:6]).all()
    behind = np.delete(np.arange(32), BACKGROUND_MONITOR)
    # not only what passes: a few hard photons are counted there, because lines of cadmium and tellurium escape
    assert mixed.counts[6:, behind, :, 1:5].sum() < 2e-4 * bright.counts[6:, behind, :, 1:5].sum()
    assert mixed.counts[6:, behind].sum() > 0
    # the attenuator is not in front of the background monitor; its live time is that of a detector with less to do
    rates = [(one.counts[6:] / one.live_fraction[6:, :, None, None])[:, BACKGROUND_MONITOR] for one in (bright, mixed)]
    assert rates[1] == pytest.approx(rates[0], rel=1e-9)


def quiet(duration):
    return expected_counts((), np.array([START]), np.array([duration]), POINTING)


def test_the_background_has_its_nominal_rate():
    expected = quiet(1.0)
    live = expected.live_fraction[0][:, None, None]
    assert (expected.counts[0] / live)[:, :, 1:].sum() == pytest.approx(716.0, rel=2e-3)


@pytest.mark.needs_shared_data
def test_the_background_looks_like_a_real_quiet_hour(shared_data):
    (path,) = (shared_data / "nov2022" / "l1").glob("*2211098157*")
    real = read_pixel_data(path).read()
    seconds = real.duration.sum()
    rate, model = real.counts.sum(axis=0) / seconds, quiet(seconds).counts[0, :, :, 1:] / seconds
    assert model.sum() == pytest.approx(rate.sum(), rel=0.02)
    assert quiet(seconds).triggers.sum() == pytest.approx(real.triggers.sum(), rel=0.03)
    assert model.sum(axis=(1, 2)) == pytest.approx(rate.sum(axis=(1, 2)), rel=0.15)
    large, small = rate[:, :8].sum(), rate[:, 8:].sum()
    assert model[:, 8:].sum() / model[:, :8].sum() == pytest.approx(small / large, rel=0.1)
    assert model.sum(axis=(0, 1)) == pytest.approx(rate.sum(axis=(0, 1)), rel=0.5)  # every channel, lines included


def test_background_subtraction_is_unbiased():
    rng, flare = np.random.default_rng(11), make_flare(SHAPES[0], 20.0)
    with_sky = expected_counts((flare,), T_START, DURATION, POINTING)
    alone = expected_counts((flare,), T_START, DURATION, POINTING, background=Background(0.0))
    dark = quiet(3200.0)
    wanted = sum_pixels(as_pixel_data(alone), *WINDOW, 4.0, 10.0)
    used = detector_indices(IMAGING_LABELS)
    pulls = []
    for _ in range(60):
        # without compression, whose half count would show: see the test of it below
        science, background = (as_pixel_data(observe(each, rng, compressed=False)) for each in (with_sky, dark))
        pixels = sum_pixels(science, *WINDOW, 4.0, 10.0, background=background)
        mean = pixels.rate[used].mean()
        sigma = np.sqrt((pixels.rate_sigma[used] ** 2).sum()) / pixels.rate[used].size
        pulls.append((mean - wanted.rate[used].mean()) / sigma)
    assert wanted.rate[used].mean() > 0
    assert abs(np.mean(pulls)) < 3.5 / np.sqrt(60)
    # live time is common to all pixels and enters each sigma, so single pulls scatter a little less than 1
    assert 0.5 < np.std(pulls) < 1.3


def test_draws_have_poisson_scatter_about_the_expectation():
    expected = quiet(50.0)
    draws = np.stack([observe(expected, np.random.default_rng(i), compressed=False).counts[0] for i in range(30)])
    difference = draws.sum(axis=0) - 30 * expected.counts[0]
    used = expected.counts[0] > 1e-3
    assert (difference[used] ** 2).sum() == pytest.approx(30 * expected.counts[0][used].sum(), rel=0.05)
    assert (draws[:, ~used].sum(axis=0) <= 2).all()


def test_compression_keeps_small_counts_and_accounts_for_large_ones():
    expected = expected_counts((make_flare(SHAPES[0], 3000.0),), T_START, DURATION, POINTING)
    exact = observe(expected, np.random.default_rng(5), compressed=False)
    sent = observe(expected, np.random.default_rng(5))
    small = exact.counts < 32
    assert (sent.counts[small] == exact.counts[small]).all()
    assert (sent.counts_comp_err[small] == 0).all()
    coarse = sent.counts_comp_err > 0
    assert coarse.any()
    # codes survive a second passage, and the error is that of the interval
    whole = sent.counts[coarse].astype(int)
    assert (compress(whole, COUNTS_SKM) == compress(exact.counts[coarse].astype(int), COUNTS_SKM)).all()
    assert sent.counts_comp_err[coarse] ** 2 == pytest.approx(compression_variance(whole, COUNTS_SKM))
    scatter = np.mean((sent.counts[coarse] - exact.counts[coarse]) ** 2 / sent.counts_comp_err[coarse] ** 2)
    assert 0.6 < scatter < 1.2
    # a decompressed value lies half a count below the middle of its interval, on board as here
    assert np.mean(sent.counts[coarse] - exact.counts[coarse]) == pytest.approx(-0.5, abs=0.15)


def test_pixels_switch_channels_where_the_table_on_board_says():
    nominal = channel_edges(None)
    assert (nominal[3, 7] == nominal[20, 0]).all()
    one = expected_counts((), np.array([START]), np.array([100.0]), POINTING, nominal_edges=True)
    other = quiet(100.0)
    assert one.counts.sum() == pytest.approx(other.counts.sum(), rel=2e-3)
    assert np.abs(one.counts - other.counts).max() > 0.1


def test_two_detectors_of_a_group_share_their_dead_time():
    observation = expected_counts((make_flare(SHAPES[0]),), T_START, DURATION, POINTING)
    accumulator = trigger_accumulator()
    for group in range(16):
        first, second = np.flatnonzero(accumulator == group)
        assert (observation.live_fraction[:, first] == observation.live_fraction[:, second]).all()


@pytest.mark.parametrize(
    "make",
    [
        lambda: expected_counts((), T_START[:0], DURATION[:0], POINTING),
        lambda: expected_counts((), T_START, -DURATION, POINTING),
        lambda: channel_range(4.0, 17.0),
        lambda: channel_range(10.0, 4.0),
        lambda: Background(-1.0),
    ],
)
def test_impossible_observations_are_refused(make):
    with pytest.raises(SelectionError):
        make()
