"""Reflection by the photosphere: the shipped table, its formulas, and the matrices of OSPEX."""

from __future__ import annotations

import json

import numpy as np
import pytest
from astropy.io import fits

from stixcore.errors import SelectionError
from stixcore.spectra.makers import albedo as maker
from stixcore.spectra.models import Albedo, thick_target
from stixcore.spectra.models.albedo import ReflectionTable, shipped_table
from stixcore.spectra.models.bremsstrahlung import ElectronSpectrum

EDGES = np.concatenate([np.arange(3.005, 20, 0.01), np.arange(20, 100, 0.1), np.arange(100, 600.1, 2)])
CENTRES = (EDGES[1:] + EDGES[:-1]) / 2


def angle(mu):
    return float(np.degrees(np.arccos(mu)))


@pytest.fixture(scope="module")
def ospex(shared_data):
    """Matrices that OSPEX uses, 3-303 keV, as a table of ours."""
    with fits.open(shared_data / "spectroscopy" / "tables" / "albedo_green_3_300keV.fits.gz") as file:
        edges = file["EDGES"].data.astype(float)
        mu, green = file["MU"].data.astype(float), file["GREEN"].data.astype(float)
    return ReflectionTable(mu, (edges[1:] + edges[:-1]) / 2, green)


@pytest.mark.parametrize("mu", [0.05, 0.25, 0.55, 0.95])
@pytest.mark.parametrize(("index", "bar"), [(2.0, 0.003), (3.0, 0.003), (5.0, 0.005), (7.0, 0.008)])
def test_the_table_is_the_integral_over_the_published_function(mu, index, bar):
    reflected = Albedo(EDGES, angle(mu)).reflected(CENTRES**-index)
    for energy in (12.01, 13.0, 18.0, 30.0, 50.0, 99.0, 150.0):
        incident, width = maker.incident_energies(mu, energy)
        expected = (maker.green(mu, energy, incident) * width * incident**-index).sum()
        got = np.interp(energy, CENTRES, reflected * CENTRES**index) * energy**-index
        assert got == pytest.approx(expected, rel=bar)


@pytest.mark.parametrize("mu", [0.275, 0.525, 0.775])
def test_between_cosines_the_table_is_the_published_function_too(mu):
    reflected = Albedo(EDGES, angle(mu)).reflected(CENTRES**-3.0)
    for energy in (13.0, 30.0, 80.0):
        incident, width = maker.incident_energies(mu, energy)
        expected = (maker.green(mu, energy, incident) * width * incident**-3.0).sum()
        got = np.interp(energy, CENTRES, reflected * CENTRES**3.0) * energy**-3.0
        assert got == pytest.approx(expected, rel=0.005)


@pytest.mark.parametrize("mu", [0.05, 0.5, 0.95])
def test_below_10_kev_nothing_loses_energy(mu):
    soft = CENTRES < 10
    ratio = Albedo(EDGES, angle(mu)).reflected(CENTRES**-4.0) * CENTRES**4
    expected = maker.elastic(mu, CENTRES[soft])
    edge = np.abs(CENTRES[soft][:, None] - [3.21, 4.038, 7.111, 8.331]).min(axis=1) < 0.011
    np.testing.assert_allclose(ratio[soft][~edge], expected[~edge], rtol=1e-3)
    assert expected[np.searchsorted(CENTRES, 7.09)] > 1.5 * expected[np.searchsorted(CENTRES, 7.13)]  # iron's K edge


@pytest.mark.parametrize("mu", [0.1, 0.5, 0.95])
def test_both_published_forms_meet_where_one_takes_over(mu):
    energy = np.array([10.0, 11.0, 12.0])
    greens = []
    for value in energy:
        incident, width = maker.incident_energies(mu, float(value))
        greens.append((maker.green(mu, float(value), incident) * width * incident**-2.0).sum() * value**2)
    np.testing.assert_allclose(greens, maker.elastic(mu, energy), rtol=0.06)


class MonteCarlo:
    """Photons scattered by free electrons (Klein-Nishina) and absorbed, in a slab without end; an own calculation."""

    def __init__(self, seed, photons, mu, edges, index, top):
        self.random = np.random.default_rng(seed)
        self.edges, self.mu, self.counts = edges, mu, np.zeros(edges.size - 1)
        low = 0.9 * edges[0]
        energy = low * (top / low) ** self.random.random(photons)
        self.run(energy, energy ** (1 - index))
        direct = photons / np.log(top / low) * (edges[:-1] ** (1 - index) - edges[1:] ** (1 - index)) / (index - 1)
        # half of the photons go down; per steradian the observer sees 1/4π of all
        self.ratio = 2 * np.pi * self.counts / direct

    @staticmethod
    def cross_section(energy):
        """Klein & Nishina 1929, per electron, 10⁻²⁴ cm²."""
        x = energy / maker.MC2
        first = (1 + x) / x**2 * (2 * (1 + x) / (1 + 2 * x) - np.log1p(2 * x) / x)
        return 0.75 * maker.THOMSON * (first + np.log1p(2 * x) / (2 * x) - (1 + 3 * x) / (1 + 2 * x) ** 2)

    def opacity(self, energy):
        scattering = maker.ELECTRONS * self.cross_section(energy)
        # the Green's function takes absorption to fall as E⁻³ from 10 keV
        return scattering, scattering + maker.absorption(energy)

    @staticmethod
    def density(energy, cosine):
        """Scattered photons per steradian, and their energy."""
        left = 1 / (1 + energy / maker.MC2 * (1 - cosine))
        return 3 / (16 * np.pi) * maker.THOMSON * left**2 * (left + 1 / left - 1 + cosine**2), energy * left

    def run(self, energy, weight):
        vertical = -self.random.random(energy.size)  # an isotropic source: as many photons in each cosine
        depth = np.zeros(energy.size)
        for _ in range(25):
            scattering, total = self.opacity(energy)
            depth = depth + vertical * np.log(self.random.random(energy.size)) / total
            kept = (depth > 0) & (energy > self.edges[0])
            energy, vertical, depth = energy[kept], vertical[kept], depth[kept]
            weight = (weight * scattering / total)[kept]
            self.score(energy, vertical, depth, weight)
            cosine = self.scatter(energy)
            energy = self.density(energy, cosine)[1]
            azimuth = np.cos(2 * np.pi * self.random.random(energy.size))
            vertical = vertical * cosine + np.sqrt((1 - vertical**2) * (1 - cosine**2)) * azimuth
            vertical = np.where(vertical == 0, 1e-9, vertical)

    def score(self, energy, vertical, depth, weight):
        azimuth = np.cos(2 * np.pi * self.random.random(energy.size))
        cosine = vertical * self.mu + np.sqrt((1 - vertical**2) * (1 - self.mu**2)) * azimuth
        density, out = self.density(energy, cosine)
        escape = np.exp(-depth * self.opacity(out)[1] / self.mu)
        self.counts += np.histogram(out, self.edges, weights=weight * escape * density / self.cross_section(energy))[0]

    def scatter(self, energy):
        cosine, open_rows = np.empty(energy.size), np.arange(energy.size)
        while open_rows.size:
            trial = 2 * self.random.random(open_rows.size) - 1
            most = 3 / (8 * np.pi) * maker.THOMSON
            accepted = self.random.random(open_rows.size) < self.density(energy[open_rows], trial)[0] / most
            cosine[open_rows[accepted]] = trial[accepted]
            open_rows = open_rows[~accepted]
        return cosine


@pytest.mark.parametrize("mu", [0.25, 0.55, 0.9])
def test_an_own_monte_carlo_calculation_gives_the_same(mu):
    edges = np.array([13.0, 17, 23, 30, 40, 55, 75, 110])
    truth = MonteCarlo(7, 60_000, mu, edges, 3.0, 600.0).ratio
    reflected = Albedo(EDGES, angle(mu)).reflected(CENTRES**-3.0) * np.diff(EDGES)
    part = np.searchsorted(edges, CENTRES) - 1
    within = (part >= 0) & (part < edges.size - 1)
    got = np.bincount(part[within], reflected[within], edges.size - 1)
    got /= np.bincount(part[within], (CENTRES**-3.0 * np.diff(EDGES))[within], edges.size - 1)
    # the fits are good to about 4 %, the sample to 1 to 2 %
    np.testing.assert_allclose(got, truth, rtol=0.06)
    assert np.mean(got / truth) == pytest.approx(1.0, abs=0.03)


def test_ospex_matrices_give_the_numbers_of_idl(agrees, ospex, shared_data):
    truth = json.loads((shared_data / "spectroscopy" / "truth" / "models_idl.json").read_text())["albedo"]
    edges = np.arange(10.0, 30.1, 2)
    mu = np.cos(np.radians(45))
    # IDL's weight between the cosines lacks a factor 20: 0 … 0.05
    weight = mu - np.floor(20 * mu) / 20
    low = int(np.searchsorted(ospex.mu, mu)) - 1
    mixed = ospex.green[low] * (1 - weight) + ospex.green[low + 1] * weight
    table = ReflectionTable(np.array([0.0, 1.0]), ospex.nodes, np.stack([mixed, mixed]))
    direct = np.array(truth["spec_in"])
    got = direct + Albedo(edges, 45, table=table).reflected(direct)
    agrees("albedo with the matrices of OSPEX (five digits), 45°", got, truth["spec_out_IDL"], rtol=1e-5)
    # at the centre of the disk the matrix of the largest cosine is used; element of 4-5 keV
    first = truth["matrix_element_theta0_edges_4..600_step1"]["[0,0]"]
    at = int(np.abs(ospex.nodes - 4.5).argmin())
    agrees("its first element, 0°, 4-5 keV", ospex.green[-1, at, at], first, rtol=1e-5)
    proper = Albedo(edges, 45, table=ospex).reflected(direct)
    assert proper == pytest.approx(np.array(truth["spec_out_IDL"]) - direct, rel=0.02)
    assert not np.allclose(proper, np.array(truth["spec_out_IDL"]) - direct, rtol=1e-4)


def test_cosines_are_weighted_from_0_to_1():
    table = shipped_table()
    flux = CENTRES**-3.0
    ends = [Albedo(EDGES, angle(mu)).reflected(flux) for mu in table.mu[9:11]]
    between = Albedo(EDGES, angle(0.25 * table.mu[9] + 0.75 * table.mu[10])).reflected(flux)
    np.testing.assert_allclose(between, 0.25 * ends[0] + 0.75 * ends[1], rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize(("inside", "outside"), [(0.95, 0.0), (0.05, 90.0)])
def test_beyond_the_table_its_end_is_used(inside, outside):
    flux = CENTRES**-3.0
    np.testing.assert_allclose(
        Albedo(EDGES, outside).reflected(flux), Albedo(EDGES, angle(inside)).reflected(flux), rtol=1e-9
    )


def model_row(shared_data, table):
    """Counts that the published fit of 2024-03-10 predicts in the channels from 20 keV, with and without albedo."""
    folder = shared_data / "spectroscopy"
    with fits.open(folder / "srm" / "stixpy_pr192_20240310_top24.fits") as file:
        srm = file["SRM"].data.astype(float)
    with fits.open(folder / "truth" / "drm_no_tail.fits") as file:
        edges = file["EDGES"].data.astype(float)
    fit = json.loads((folder / "truth" / "published_fits.json").read_text())["soler_20240310"]
    shape = fit["fit"]
    electrons = ElectronSpectrum(shape["delta"], shape["Elow_keV"], shape["break_keV"], e_high=1500)
    flux = thick_target(edges, shape["Flux_1e35"], electrons)
    reflected = Albedo(edges, fit["albedo_angle_deg"], table=table).reflected(flux)
    scale = 4.000985 * 18.46944 / fit["distance_AU"] ** 2
    fold = scale * np.diff(edges)[:, None] * srm
    return (
        (flux @ fold)[14:28],
        ((flux + reflected) @ fold)[14:28],
        np.array(fit["counts_background_subtracted"])[14:28],
    )


WITHOUT = [2199, 2465, 1565, 1433, 945, 719, 682, 517, 477, 424, 302, 151, 142, 162]
WITH = [3454, 3969, 2543, 2327, 1524, 1147, 1073, 801, 726, 629, 438, 214, 197, 218]


def test_the_published_fit_gives_its_counts(ospex, shared_data):
    without, with_albedo, counts = model_row(shared_data, ospex)
    np.testing.assert_allclose(without, WITHOUT, rtol=0.005)
    np.testing.assert_allclose(with_albedo, WITH, rtol=0.005)
    assert np.sqrt(np.mean((with_albedo / counts - 1) ** 2)) < 0.06


def test_the_shipped_table_predicts_less_than_ospex_at_20_kev(shared_data):
    _, with_albedo, counts = model_row(shared_data, None)
    ratio = with_albedo / WITH
    assert ratio.min() > 0.965
    assert ratio.max() < 1.005
    assert np.sqrt(np.mean((with_albedo / counts - 1) ** 2)) < 0.06


def test_the_table_of_ospex_differs_as_documented(ospex):
    """Below 15 keV OSPEX's matrices lack photons that are scattered without reaching absorption."""
    edges = EDGES[EDGES < 303]
    centres = (edges[1:] + edges[:-1]) / 2
    ours = Albedo(edges, 56).reflected(centres**-3.0)
    theirs = Albedo(edges, 56, table=ospex).reflected(centres**-3.0)
    at = [10.5, 20, 30, 50, 80, 100]
    ratio = np.interp(at, centres, ours) / np.interp(at, centres, theirs)
    np.testing.assert_allclose(ratio, [1.65, 0.936, 0.941, 0.949, 0.971, 0.978], atol=0.02)


def test_reflection_is_linear_and_falls_with_anisotropy():
    one, other = CENTRES**-3.0, np.exp(-CENTRES / 5)
    albedo = Albedo(EDGES, 40)
    np.testing.assert_allclose(
        albedo.reflected(2 * one + other), 2 * albedo.reflected(one) + albedo.reflected(other), rtol=1e-9
    )
    np.testing.assert_allclose(Albedo(EDGES, 40, anisotropy=2.0).reflected(one), albedo.reflected(one) / 2)


def test_outside_the_table_nothing_is_reflected():
    edges = np.array([1.0, 2.0, 2.9, 30, 31, 601, 700])
    reflected = Albedo(edges, 30).reflected(np.ones(6))
    assert (reflected[[0, 1, 5]] == 0).all()
    assert reflected[3] > 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"angle_deg": 91.0}, "angle_deg must be between 0 and 90 degrees, found 91"),
        ({"angle_deg": np.nan}, "angle_deg must be between 0 and 90 degrees, found nan"),
        ({"angle_deg": 10.0, "anisotropy": 0.0}, "anisotropy must be a positive number, found 0"),
        ({"angle_deg": 10.0, "photon_edges": np.array([5.0])}, "photon_edges must be"),
    ],
)
def test_bad_input_is_refused(arguments, sentence):
    with pytest.raises(SelectionError, match=sentence):
        Albedo(**({"photon_edges": EDGES} | arguments))


def test_a_flux_of_another_length_is_refused():
    with pytest.raises(SelectionError, match="flux must have one value per photon bin"):
        Albedo(EDGES, 10).reflected(np.ones(5))


def test_the_shipped_file_is_what_the_maker_makes():
    table = shipped_table()
    # the last digit of a power depends on the processor
    np.testing.assert_allclose(table.nodes, maker.NODES, rtol=1e-15)
    np.testing.assert_allclose(table.mu, maker.MU, rtol=1e-15)
    row, mu = 40, 10
    incident, width = maker.incident_energies(float(maker.MU[mu]), float(maker.NODES[row]))
    direct = incident**-maker.SLOPE
    total = (maker.green(float(maker.MU[mu]), float(maker.NODES[row]), incident) * width * direct).sum()
    fine = np.geomspace(10, 600, 200_001)
    middle = np.sqrt(fine[1:] * fine[:-1])
    assert (table.green[mu, row] * maker._share(middle, np.diff(fine) * middle**-maker.SLOPE)).sum() == pytest.approx(
        total, rel=2e-4
    )
    np.testing.assert_allclose(table.elastic[mu], maker.elastic(float(maker.MU[mu]), maker.ELASTIC), rtol=1e-6)
