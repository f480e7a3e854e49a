"""Fits against time: steps with enough counts, and a simulated flare whose temperature and electrons are known."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stixcore.calibration.catalog import SHIPPED
from stixcore.coordinates import ASTRONOMICAL_UNIT, SOLAR_RADIUS, Pointing, PointingSource, stix_to_hpc
from stixcore.fits.products import PixelData, ProductHeader
from stixcore.fits.read import read_aspect, read_pixel_data
from stixcore.fits.spec import ProductKind
from stixcore.flare_response import heliocentric_angle
from stixcore.instrument.geometry import IMAGING_LABELS, detector_indices
from stixcore.measure_spectrum import SpectrumRequest, measure_spectrum, read_science
from stixcore.measure_track import LEAST_FIT_COUNTS, TrackInputs, join_steps, measure_track
from stixcore.prepare import find_pointing
from stixcore.spectra.counts import systematic_errors
from stixcore.spectra.models.albedo import Albedo
from stixcore.spectra.models.bremsstrahlung import ElectronSpectrum
from stixcore.spectra.models.thermal import KEV_PER_MK, thermal
from stixcore.spectra.models.thick_target import thick_target
from stixcore.spectra.response import make_response
from stixcore.spectra.tables import response_tables

START = np.datetime64("2023-05-01T10:00:00", "us")
BIN = 10.0  # s
DISTANCE = 0.6  # au
COARSE = tuple(sorted(detector_indices(IMAGING_LABELS).tolist()))
PIXELS = tuple(range(12))
#: ct per bin and channel in every detector and pixel.
QUIET = 0.02
POINTING = Pointing(
    PointingSource.ASPECT,
    roll=0.0,
    x=0.0,
    y=0.0,
    rsun=float(np.arcsin(SOLAR_RADIUS / (DISTANCE * ASTRONOMICAL_UNIT)) * 206264.806),
    stonyhurst_lon=0.0,
    b0=0.0,
    dsun=DISTANCE * ASTRONOMICAL_UNIT,
)


def pixel_data(counts, rcr=None):
    """Pixel data in memory, (n_time, 32, 12, n_channel) counts in bins of 10 s."""
    edges, n = response_tables().channel_edges, counts.shape[0]
    begin = START + np.arange(n) * np.timedelta64(round(BIN * 1e6), "us")
    ends = begin + np.timedelta64(round(BIN * 1e6), "us")
    header = ProductHeader(
        "solo_L1_stix-sci-xray-cpd_test.fits", ProductKind.PIXEL_DATA, "L1", "02", "1", begin[0], ends[-1], {}
    )
    triggers = np.zeros((n, 16))
    return PixelData(
        path=Path("test.fits"),
        header=header,
        t_start=begin,
        t_end=ends,
        duration=np.full(n, BIN),
        e_low=edges[:-1],
        e_high=edges[1:],
        rcr=np.zeros(n, dtype=np.int64) if rcr is None else np.asarray(rcr),
        pixel_mask=np.ones((n, 12), dtype=bool),
        detector_mask=np.ones((n, 32), dtype=bool),
        loader=lambda times, channels: (
            counts[times][..., channels],
            counts[times][..., channels],
            triggers[times],
            triggers[times],
        ),
    )


def flare_counts(truth, rng):
    """Counts of bins with given (kT [keV], emission measure, electrons, index), spread evenly over the detectors."""
    response = make_response(response_tables().channel_edges, detectors=COARSE, pixels=PIXELS, tailing=False)
    edges = response.photon_edges
    place = tuple(float(one) for one in stix_to_hpc(0.0, 0.0, POINTING))
    albedo = Albedo(edges, heliocentric_angle(place, DISTANCE))
    systematic = systematic_errors(response.channel_edges[:-1], response.channel_edges[1:])
    counts = rng.poisson(QUIET, (len(truth), 32, 12, systematic.size)).astype(float)
    for number, (kt, em, norm, delta) in enumerate(truth):
        flux = thermal(edges, kt / KEV_PER_MK, em) + thick_target(edges, norm, ElectronSpectrum(delta, 18.0))
        expected = response.fold(flux + albedo.reflected(flux)) * BIN / DISTANCE**2
        expected = np.maximum(expected * (1.0 + systematic * rng.standard_normal(expected.size)), 0.0)
        share = rng.poisson(expected / (len(COARSE) * len(PIXELS)), (len(COARSE), len(PIXELS), expected.size))
        counts[number, list(COARSE)] += share
    return counts, place


def inputs_of(data, background, place):
    calibration = SHIPPED.choose(data.t_start[0], data.t_end[-1])
    return TrackInputs(data, background, lambda *_: POINTING, place, calibration)


@pytest.fixture(scope="module")
def simulated():
    """A flare that heats to 20 MK and hardens to δ = 4 in the middle, in 24 bins, and its track."""
    rng = np.random.default_rng(16)
    phase = np.sin(np.linspace(0.0, np.pi, 24))
    truth = [((12.0 + 8.0 * p) * KEV_PER_MK, 0.06 + 0.06 * p, 0.9 + 0.9 * p, 6.0 - 2.0 * p) for p in phase]
    counts, place = flare_counts(truth, rng)
    quiet = pixel_data(rng.poisson(QUIET, (200, 32, 12, counts.shape[-1])).astype(float))
    data = pixel_data(counts)
    steps = [slice(n, n + 1) for n in range(len(truth))]
    return truth, measure_track(inputs_of(data, quiet, place), steps)


def within(value, truth, sigmas):
    sigma = value.sigma_minus if value.value > truth else value.sigma_plus
    return sigma is None or abs(value.value - truth) <= sigmas * sigma


def test_a_simulated_flare_is_recovered(simulated):
    truth, track = simulated
    assert len(track) == len(truth)
    assert all(step.counts >= LEAST_FIT_COUNTS for step in track)
    assert {step.fit.model for step in track} == {"vth+thick2"}
    heat = [within(step.fit.parameters["T_keV"], kt, 3.0) for step, (kt, *_) in zip(track, truth, strict=True)]
    index = [within(step.fit.parameters["delta"], true[3], 3.0) for step, true in zip(track, truth, strict=True)]
    assert np.mean(heat) >= 0.95
    assert np.mean(index) >= 0.95
    # errors are not just large
    assert np.median([step.fit.parameters["T_keV"].sigma_plus / KEV_PER_MK for step in track]) < 1.5
    assert np.median([step.fit.parameters["delta"].sigma_plus for step in track]) < 0.5
    middle, ends = track[12].fit.parameters, track[0].fit.parameters
    assert middle["T_keV"].value > 1.3 * ends["T_keV"].value
    assert middle["delta"].value < ends["delta"].value - 1.0


def test_steps_with_few_counts_are_joined_and_no_step_crosses_the_attenuator():
    rng = np.random.default_rng(3)
    counts, place = flare_counts([(1.3, 0.02, 0.0001, 5.0)] * 12, rng)
    rcr = [0] * 6 + [1] * 6
    data, steps = pixel_data(counts, rcr), [slice(n, n + 1) for n in range(12)]
    quiet = pixel_data(rng.poisson(QUIET, (20, 32, 12, counts.shape[-1])).astype(float))
    single = measure_track(inputs_of(data, quiet, place), steps[:5], 1.0)
    assert len(single) == 5  # the bin before the change is left out, as the attenuator may move in it
    least = 1.5 * max(step.counts for step in single)
    track = measure_track(inputs_of(data, quiet, place), steps, least)
    assert all(step.counts >= least for step in track)
    before = [step for step in track if not step.response.attenuator]
    assert sum(step.spectrum.duration for step in before) == pytest.approx(5 * BIN)
    change = data.t_start[6]
    assert all(step.spectrum.t_end <= change or step.spectrum.t_start >= change for step in track)
    assert all(step.fit.energy.low == 11.0 for step in track if step.response.attenuator)
    assert measure_track(inputs_of(data, quiet, place), steps, 1e9) == ()
    assert measure_track(inputs_of(data, quiet, place), [], 1.0) == ()


@given(
    weights=st.lists(st.integers(-3, 30), min_size=1, max_size=30),
    changes=st.sets(st.integers(1, 29)),
    enough=st.integers(1, 40),
)
def test_joined_steps(weights, changes, enough):
    """They are in order, share no bins, cross no change, and have enough where they are not extended by a rest."""
    state = np.cumsum([row in changes for row in range(len(weights))])
    data = pixel_data(np.zeros((len(weights), 1, 1, 1)), state)
    steps = [slice(row, row + 1) for row in range(len(weights))]
    found = join_steps(data, steps, lambda step: sum(weights[step]) >= enough)
    assert all(before.stop <= after.start for before, after in pairwise(found))
    for step in found:
        assert len(set(state[step])) == 1
        assert any(sum(weights[step.start : stop]) >= enough for stop in range(step.start + 1, step.stop + 1))
    for part in range(state[-1] + 1):  # a part between changes with enough counts in one bin is used to its end
        rows = np.flatnonzero(state == part)
        if any(weights[row] >= enough for row in rows):
            assert (
                max(step.stop for step in found if step.start >= rows[0] and step.stop <= rows[-1] + 1) == rows[-1] + 1
            )


def test_the_temperature_of_the_whole_flare_is_between_those_of_its_steps(shared_data):
    """The M1.2 flare of 2022-11-11, from its rise to its decay."""
    l1 = shared_data / "nov2022" / "l1"
    (science,), (background,) = l1.glob("*_2211116471-*"), l1.glob("*_2211098157-*")
    (path,) = (shared_data / "nov2022" / "aux").glob("*_20221111_*")
    data, aspects, place = read_science(science).in_memory(), [read_aspect(path)], (825.1, 144.7)
    start, end = (np.datetime64(f"2022-11-11T11:{minute}:00", "us") for minute in (34, 42))
    bins = data.time_bins(start, end)
    inputs = TrackInputs(
        data,
        read_pixel_data(background),
        lambda *step: find_pointing(data.header, aspects, *step),
        place,
        SHIPPED.choose(start, end),
    )
    track = measure_track(inputs, [slice(row, row + 1) for row in range(bins.start, bins.stop)])
    assert len(track) >= 6
    whole = measure_spectrum(SpectrumRequest(start=start, end=end, location=place), science, background, (path,))
    temperatures = [step.fit.parameters["T_keV"].value for step in track]
    assert min(temperatures) < whole.fit.parameters["T_keV"].value < max(temperatures)
    assert sum(step.spectrum.counts.sum() for step in track) == pytest.approx(whole.spectrum.counts.sum(), rel=1e-3)
