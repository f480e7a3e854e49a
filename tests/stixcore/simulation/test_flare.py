"""Spectra against the response of spectral fits, light curves against quadrature."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from stixcore.calibration.grids import flight_transmission
from stixcore.errors import SelectionError
from stixcore.instrument.tables import pixel_area
from stixcore.simulation.flare import Component, FastRise, Flare, Gaussian, mean_level
from stixcore.simulation.response import COARSE
from stixcore.simulation.sources import Circle
from stixcore.simulation.spectrum import ThermalSpectrum, ThickTargetSpectrum, integrate, norm_at_unit_distance
from stixcore.spectra.models.thermal import thermal
from stixcore.spectra.response import make_response
from stixcore.spectra.tables import response_tables

PEAK = np.datetime64("2022-11-10T12:00:00", "us")
SPECTRA = [ThermalSpectrum(7.0, 16.0), ThickTargetSpectrum(0.5, 5.0)]


@pytest.mark.parametrize("spectrum", SPECTRA)
def test_flux_is_that_of_its_band(spectrum):
    assert integrate(spectrum, np.array(spectrum.band))[0] == pytest.approx(spectrum.flux, rel=1e-12)


@pytest.mark.parametrize("spectrum", SPECTRA)
@pytest.mark.parametrize("attenuated", [False, True])
def test_native_channels_hold_what_the_response_of_spectra_gives(spectrum, attenuated):
    native = response_tables().channel_edges
    response = make_response(native, detectors=COARSE, pixels=[0], attenuator=attenuated, tailing=False)
    photons = norm_at_unit_distance(spectrum) * spectrum.photons(response.photon_edges)
    area = flight_transmission(0.0, 0.0)[list(COARSE)].sum() * pixel_area()[0]
    assert integrate(spectrum, native, attenuated=attenuated) * area == pytest.approx(response.fold(photons), rel=1e-6)


@pytest.mark.parametrize("spectrum", SPECTRA)
def test_the_place_of_a_flare_changes_the_areas_but_not_the_spectrum(spectrum):
    # grids let more hard photons through, by the same factor everywhere: it is taken on the axis
    native = response_tables().channel_edges
    photons = spectrum.photons(response_tables().photon_edges)
    folded = []
    for x, y in ((0.0, 0.0), (1500.0, -800.0)):
        response = make_response(native, detectors=COARSE, pixels=[0], place=(x, y), tailing=False)
        folded.append(response.fold(photons) / flight_transmission(x, y)[list(COARSE)].mean())
    assert folded[1] == pytest.approx(folded[0], rel=2e-3)


@pytest.mark.parametrize("spectrum", SPECTRA)
def test_narrow_bins_divide_a_channel_smoothly(spectrum):
    # counts between pixels' edges: the cumulative curve is monotonic, and no bin stands out from its neighbours
    edges = np.arange(4.0, 28.01, 0.125)
    counts = integrate(spectrum, edges)
    assert (counts > 0).all()
    middle = np.sqrt(counts[2:] * counts[:-2])
    assert np.abs(counts[1:-1] / middle - 1.0).max() < 0.25


def test_counts_below_the_table_follow_those_above():
    # pixels whose first edge is below 4 keV: fewer counts there, but not none
    below, first = integrate(SPECTRA[0], np.array([3.875, 4.0, 4.125]))
    assert 0.5 * first < below < first


def test_the_norm_is_that_of_the_photon_model():
    # 0.01 · 10⁴⁹ cm⁻³ at 1 AU in, the same number out
    edges = response_tables().photon_edges
    response = make_response([4.0, 10.0], detectors=COARSE, pixels=[0], tailing=False)
    area = flight_transmission(0.0, 0.0)[list(COARSE)].sum() * pixel_area()[0]
    flux = response.fold(thermal(edges, 20.0, 0.01))[0] / area
    assert norm_at_unit_distance(ThermalSpectrum(float(flux), 20.0)) == pytest.approx(0.01, rel=1e-6)


def test_nothing_is_lost_between_channels_and_beyond_the_last():
    edges = np.array([0.0, 4.0, 10.0, 150.0, np.inf])
    assert integrate(SPECTRA[0], edges).sum() == pytest.approx(integrate(SPECTRA[0], edges[[0, -1]])[0])


def test_the_attenuator_hides_the_soft_band():
    soft, hard = (
        integrate(spectrum, np.array(band), attenuated=True)[0] / integrate(spectrum, np.array(band))[0]
        for spectrum, band in zip(SPECTRA, ((4.0, 8.0), (20.0, 28.0)), strict=True)
    )
    assert soft < 1e-3
    assert 0.5 < hard < 0.9
    # what is left of soft counts behind it is due to hard photons, of which cadmium and tellurium lines escape
    escape = integrate(SPECTRA[1], np.array([4.0, 8.0]), attenuated=True)[0]
    assert escape > 5 * soft * integrate(SPECTRA[1], np.array([4.0, 8.0]))[0]


@pytest.mark.parametrize("profile", [FastRise(PEAK, 20.0, 90.0), Gaussian(PEAK, 25.0)])
def test_means_over_bins_are_those_of_the_curve(profile):
    def level(t):
        if isinstance(profile, Gaussian):
            return np.exp(-0.5 * (t / 25.0) ** 2)
        return np.exp(-0.5 * (t / 20.0) ** 2) if t < 0 else np.exp(-t / 90.0)

    begin = np.array([-60.0, -13.0, -2.0, 5.0, 80.0])
    duration = np.array([20.0, 4.0, 10.0, 4.0, 60.0])
    starts = PEAK + (begin * 1e6).astype("int64").astype("timedelta64[us]")
    wanted = [quad(level, b, b + d, points=[0.0])[0] / d for b, d in zip(begin, duration, strict=True)]
    assert mean_level(profile, starts, duration) == pytest.approx(wanted, rel=1e-9)


@given(level=st.floats(1e-6, 0.99))
def test_the_interval_ends_at_the_level(level):
    for profile in (FastRise(PEAK, 20.0, 90.0), Gaussian(PEAK, 25.0)):
        for edge in profile.interval(level):
            at = mean_level(profile, np.array([PEAK + np.timedelta64(round(edge * 1e6), "us")]), np.array([1e-3]))
            assert at[0] == pytest.approx(level, rel=1e-3)


def test_a_flare_is_named_and_placed_by_its_first_component():
    soft = Component(
        (Circle(100.0, 40.0, 20.0), Circle(140.0, 60.0, 20.0, 3.0)), SPECTRA[0], FastRise(PEAK, 20.0, 90.0)
    )
    hard = Component((Circle(90.0, 40.0, 8.0),), SPECTRA[1], Gaussian(PEAK - np.timedelta64(60, "s"), 25.0))
    flare = Flare((soft, hard))
    assert flare.flare_id == "2211101200"
    assert flare.peak == PEAK
    assert flare.position == pytest.approx((130.0, 55.0))
    assert flare.interval(0.1)[0] == PEAK + np.timedelta64(round((-60.0 + hard.profile.interval(0.1)[0]) * 1e6), "us")
    assert json.loads(json.dumps(flare.describe()))["components"][1]["spectrum"]["model"] == "thicktarget"


@pytest.mark.parametrize(
    "make", [lambda: Flare(()), lambda: ThermalSpectrum(-1.0), lambda: ThermalSpectrum(1.0, band=(10.0, 4.0))]
)
def test_impossible_flares_are_refused(make):
    with pytest.raises(SelectionError):
        make()
