"""Spectra and light curves: integrals against quadrature."""

import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from stixcore.errors import SelectionError
from stixcore.simulation.flare import Component, FastRise, Flare, Gaussian, mean_level
from stixcore.simulation.sources import Circle
from stixcore.simulation.spectrum import PowerLawSpectrum, ThermalSpectrum, attenuator_transmission, integrate

PEAK = np.datetime64("2022-11-10T12:00:00", "us")
SPECTRA = [ThermalSpectrum(7.0, 1.4), PowerLawSpectrum(0.5, 5.0)]


@pytest.mark.parametrize("spectrum", SPECTRA)
def test_flux_is_that_of_its_band(spectrum):
    assert integrate(spectrum, np.array(spectrum.band))[0] == pytest.approx(spectrum.flux, rel=1e-12)


@pytest.mark.parametrize("spectrum", SPECTRA)
@pytest.mark.parametrize("attenuated", [False, True])
def test_channels_hold_the_integral_of_the_shape(spectrum, attenuated):
    edges = np.array([5.0, 6.2, 10.0, 14.0, 28.0])

    def density(energy):
        value = spectrum.shape(np.array([energy]))[0]
        return value * attenuator_transmission(np.array([energy]))[0] if attenuated else value

    def between(low, high):
        return quad(density, low, high, points=[14.0], epsabs=0.0)[0]

    scale = spectrum.flux / quad(lambda e: spectrum.shape(np.array([e]))[0], *spectrum.band)[0]
    wanted = [scale * between(low, high) for low, high in pairwise(edges)]
    assert integrate(spectrum, edges, attenuated=attenuated) == pytest.approx(wanted, rel=1e-4, abs=1e-9)


def test_nothing_is_lost_between_channels_and_beyond_the_last():
    edges = np.array([0.0, 4.0, 10.0, 150.0, np.inf])
    assert integrate(SPECTRA[0], edges).sum() == pytest.approx(integrate(SPECTRA[0], edges[[0, -1]])[0])


def test_the_attenuator_hides_the_soft_band():
    soft, hard = (
        integrate(SPECTRA[1], np.array(band), attenuated=True)[0] / integrate(SPECTRA[1], np.array(band))[0]
        for band in ((4.0, 8.0), (20.0, 28.0))
    )
    assert soft < 1e-3
    assert 0.5 < hard < 0.9


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
    assert json.loads(json.dumps(flare.describe()))["components"][1]["spectrum"]["model"] == "powerlaw"


@pytest.mark.parametrize(
    "make", [lambda: Flare(()), lambda: ThermalSpectrum(-1.0), lambda: ThermalSpectrum(1.0, band=(10.0, 4.0))]
)
def test_impossible_flares_are_refused(make):
    with pytest.raises(SelectionError):
        make()
