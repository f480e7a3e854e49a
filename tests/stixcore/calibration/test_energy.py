"""Energy-edge correction against quadrature of the spectra it assumes, and against ``stixpy`` for flat ones."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from stixcore.calibration.catalog import energy_lookup_table
from stixcore.calibration.energy import MAX_INDEX, actual_edges, edge_factors, spectral_indices
from stixcore.instrument.energy_tables import EnergyLookupTable

DATE = np.datetime64("2022-11-10T12:00:00")
SCIENCE = np.array(
    [*range(4, 17), 18, 20, 22, 25, 28, 32, 36, 40, 45, 50, 56, 63, 70, 76, 84, 100, 120, 150], dtype=float
)
LOW, HIGH = SCIENCE, np.array([*SCIENCE[1:], np.inf])
FLAT = np.zeros(LOW.size)


@pytest.fixture(scope="module")
def table():
    return energy_lookup_table(DATE)


def nominal_table():
    return EnergyLookupTable("ideal", np.broadcast_to(SCIENCE, (32, 12, 31)).copy(), SCIENCE)


# --- edges ------------------------------------------------------------------------------------------------------------


def test_actual_edges(table):
    np.testing.assert_array_equal(actual_edges(table, 6.0), table.edges[:, :, 2])
    np.testing.assert_array_equal(actual_edges(table, 0.0), 0.0)  # not in the table: nominal
    assert np.abs(actual_edges(table, 6.0) - 6.0).max() > 0.02


# --- factors ----------------------------------------------------------------------------------------------------------


def power(gamma):
    return lambda energy: energy**-gamma


def ratio(spectrum, wanted, actual):
    return quad(spectrum, *wanted)[0] / quad(spectrum, *actual)[0]


@pytest.mark.parametrize("gammas", [(0.0, 0.0), (1.0, 1.0), (3.5, 6.0), (-2.5, 4.0), (8.0, -8.0)])
@pytest.mark.parametrize(("first", "last"), [(2, 5), (0, 1), (12, 29)])
def test_two_ends(table, first, last, gammas):
    """first: ∫[l, h'] ÷ ∫[l', h']; last: ∫[l', h] ÷ ∫[l', h] of E^-γ; inner edges cancel between neighbours."""
    index = FLAT.copy()
    index[first], index[last] = gammas
    ours_first, ours_last = edge_factors(table, LOW, HIGH, slice(first, last + 1), index)
    for detector, pixel in ((0, 0), (17, 5), (31, 11)):
        edge = table.edges[detector, pixel]
        expected = ratio(power(gammas[0]), (LOW[first], edge[first + 1]), (edge[first], edge[first + 1]))
        assert ours_first[detector, pixel] == pytest.approx(expected, rel=1e-9)
        expected = ratio(power(gammas[1]), (edge[last], HIGH[last]), (edge[last], edge[last + 1]))
        assert ours_last[detector, pixel] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("gamma", [0.0, 1.0, 5.2, -3.0])
def test_a_single_channel(table, gamma):
    index = FLAT + gamma
    factor, nothing = edge_factors(table, LOW, HIGH, slice(6, 7), index)
    edge = table.edges[3, 4]
    assert factor[3, 4] == pytest.approx(ratio(power(gamma), (10, 11), (edge[6], edge[7])), rel=1e-9)
    np.testing.assert_array_equal(nothing, 1.0)


@pytest.mark.parametrize(("below", "above"), [(-4.0, 5.0), (0.0, 5.0), (-4.0, 0.0)])
def test_the_peak_channel_alone(table, below, above):
    """Two power laws that meet at the middle of the channel, with the slopes of its neighbours."""
    index = FLAT.copy()
    index[[1, 3]] = below, above

    def spectrum(energy):
        return energy**-below if energy < 6.5 else 6.5 ** (above - below) * energy**-above

    factor, _ = edge_factors(table, LOW, HIGH, slice(2, 3), index)
    edge = table.edges[9, 1]
    wanted, actual = (quad(spectrum, low, high, points=[6.5])[0] for low, high in ((6.0, 7.0), (edge[2], edge[3])))
    assert factor[9, 1] == pytest.approx(wanted / actual, rel=1e-9)


@given(st.integers(0, 29), st.integers(0, 29), st.floats(-8, 8), st.floats(-8, 8))
def test_nominal_edges_need_no_correction(one, other, gamma_first, gamma_last):
    first, last = sorted((one, other))
    index = FLAT.copy()
    index[first], index[last] = gamma_first, gamma_last
    for factor in edge_factors(nominal_table(), LOW, HIGH, slice(first, last + 1), index):
        np.testing.assert_allclose(factor, 1.0, rtol=1e-12)


@given(st.integers(0, 28), st.floats(-8, 8))
def test_corrections_are_small(first, gamma):
    """Edges are off by at most 0.056 keV: at γ = 8 and 4 keV that is 12 % of a 1 keV channel."""
    factors = edge_factors(energy_lookup_table(DATE), LOW, HIGH, slice(first, first + 2), FLAT + gamma)
    assert np.abs(np.array(factors) - 1).max() < 0.2


def test_an_open_channel_is_corrected_at_its_lower_edge_only(table):
    _, last = edge_factors(table, LOW, HIGH, slice(20, 31), FLAT)
    np.testing.assert_array_equal(last, 1.0)
    factor, _ = edge_factors(table, LOW, HIGH, slice(30, 31), FLAT)
    np.testing.assert_array_equal(factor, 1.0)


def test_flat_spectrum_as_stixpy(table, patience):
    """Width ratio; for a single channel ``stixpy`` multiplies two factors, the ground software takes one ratio."""
    import astropy.units as u
    from stixpy.calibration.visibility import get_elut_correction

    product = SimpleNamespace(
        energy_masks=SimpleNamespace(energy_mask=np.array([0] + 31 * [1])),
        time_range=SimpleNamespace(center=np.datetime64(DATE).astype("datetime64[us]").item()),
    )
    for first, last in ((2, 5), (0, 12), (20, 25)):
        high, low = get_elut_correction(np.arange(first, last + 1), product)
        ours_first, ours_last = edge_factors(table, LOW, HIGH, slice(first, last + 1), FLAT)
        np.testing.assert_allclose(ours_first, u.Quantity(low).value, rtol=1e-12)
        np.testing.assert_allclose(ours_last, u.Quantity(high).value, rtol=1e-12)
    high, low = get_elut_correction(np.array([6]), product)
    ours, _ = edge_factors(table, LOW, HIGH, slice(6, 7), FLAT)
    edge = table.edges
    np.testing.assert_allclose(ours, 1.0 / (edge[:, :, 7] - edge[:, :, 6]), rtol=1e-12)
    difference = np.abs(ours - low * high)
    assert 1e-4 < difference.max() < 5e-3


# --- spectral indices -------------------------------------------------------------------------------------------------


def channel_spectrum(function, low=LOW[:-1], high=HIGH[:-1]):
    """Counts per keV of a spectrum in the closed channels."""
    return np.array([quad(function, a, b)[0] / (b - a) for a, b in zip(low, high, strict=True)])


@pytest.mark.parametrize("gamma", [2.0, 3.5, 7.0])
def test_index_of_a_power_law(gamma):
    """Next to the peak up to 14 % steep: the peak channel has no slope, so its centre stays in its middle."""
    index = spectral_indices(channel_spectrum(power(gamma)), LOW[:-1], HIGH[:-1])
    assert index[0] == 0.0  # the peak
    assert gamma < index[1] < 1.15 * gamma
    np.testing.assert_allclose(index[2:], gamma, rtol=0.04)


@pytest.mark.parametrize("lowest", [4.0, 0.0])
def test_two_passes_step_by_step(lowest):
    """Slopes between channel centres, then between ⟨E⟩ = ∫E·E^-γ ÷ ∫E^-γ with the γ found; here by quadrature.

    The integral over a channel from 0 keV begins at 1 eV.
    """
    low, high = np.array([lowest, *LOW[1:8]]), HIGH[:8]
    spectrum = np.array([3.0, 8.0, 11.0, 9.0, 4.0, 2.0, 1.5, 0.9])

    def slopes(centre):
        slope = -np.diff(np.log(spectrum)) / np.diff(np.log(centre))
        return np.array([*slope[:2], 0.0, *slope[2:]])  # forward below channel 2, backward above it

    first = slopes(0.5 * (low + high))
    centre = [
        quad(lambda e, g=g: e ** (1 - g), a, b, epsrel=1e-11)[0] / quad(power(g), a, b, epsrel=1e-11)[0]
        for a, b, g in zip(np.maximum(low, 1e-3), high, first, strict=True)
    ]
    np.testing.assert_allclose(spectral_indices(spectrum, low, high), slopes(np.array(centre)), rtol=1e-8)


def test_slopes_on_either_side_of_the_peak():
    spectrum = channel_spectrum(lambda e: e**3.0 if e < 8 else 8.0**9 * e**-6.0)
    peak = int(spectrum.argmax())
    index = spectral_indices(spectrum, LOW[:-1], HIGH[:-1])
    assert index[peak] == 0.0
    assert LOW[peak] in {7.0, 8.0}
    np.testing.assert_allclose(index[: peak - 1], -3.0, rtol=0.03)
    np.testing.assert_allclose(index[peak + 3 :], 6.0, rtol=0.03)


def test_the_open_channel_is_never_the_peak():
    """All counts above 150 keV stand in it, more than in any channel of a quiet hour, but it has no width."""
    spectrum = np.append(channel_spectrum(power(3.0)), 1e9)
    index = spectral_indices(spectrum, LOW, HIGH)
    np.testing.assert_allclose(index[2:-1], 3.0, rtol=0.02)
    assert index[0] == index[-1] == 0.0


def test_noise_is_tamed():
    spectrum = np.array([10.0, 1e-9, -3.0, 0.0, 5.0, np.nan, 1e12])
    index = spectral_indices(spectrum, LOW[:7], HIGH[:7])
    assert np.isfinite(index).all()
    assert np.abs(index).max() <= MAX_INDEX


def test_no_spectrum_no_slope():
    for nothing in (np.zeros(6), np.full(6, np.nan)):
        np.testing.assert_array_equal(spectral_indices(nothing, LOW[:6], HIGH[:6]), 0.0)


@given(st.floats(1e-3, 1e3))
def test_only_the_shape_of_the_spectrum_counts(scale):
    spectrum = channel_spectrum(lambda e: np.exp(-e / 3.0) * e)[:10]
    np.testing.assert_allclose(
        spectral_indices(scale * spectrum, LOW[:10], HIGH[:10]),
        spectral_indices(spectrum, LOW[:10], HIGH[:10]),
        atol=1e-9,
    )
