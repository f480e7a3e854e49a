"""What the thermal table is computed with, against textbook numbers and a database of two levels."""

import numpy as np
import pytest

from stixcore.errors import CalibrationError
from stixcore.spectra.makers.chianti_database import KEV_PER_CM, Database, Excitation, Level
from stixcore.spectra.makers.continuum import KEV_PER_K, RYDBERG, BoundFree, TwoPhoton, free_bound, free_free
from stixcore.spectra.makers.lines import SAHA, Ion, effective_strength
from stixcore.spectra.makers.thermal import CELL, in_cells
from stixcore.spectra.models.chianti_files import WAVELENGTH_KEV

ERG = 1.602176634e-9  # per keV
# hydrogen of Verner & Yakovlev 1995, table 1
HYDROGEN = " 1  1 1 0  1.360e+01  4.298e-01  5.475e+04  3.288e+01  2.963e+00  0.000e+00"


@pytest.fixture
def folder(tmp_path):
    """A database of one helium-like ion of iron with three levels, of hydrogen, and of flat tables."""
    files = {
        "VERSION": "10.1\n",
        "continuum/verner_short.txt": HYDROGEN + "\n",
        "continuum/hseq_2photon.dat": " 0.0 0.5 1.0\n 1.0 20.0\n 1 8.229e+00 1.884 0.0 4.0 0.0\n -1\n",
        "continuum/heseq_2photon.dat": " 0.0 0.5 1.0\n 2 5.0e+01 0.0 3.0 0.0\n -1\n",
        "fe/fe_25/fe_25.elvlc": "\n".join(
            f"{i:7d} {name:<30}{'':5}{m:5d}{s:>5}{j:5.1f}{observed:15.3f}{theory:15.3f}"
            for i, name, m, s, j, observed, theory in [
                (1, "1s2", 1, "S", 0.0, 0.0, 0.0),
                (2, "1s.2p", 1, "P", 1.0, 54e6, 54.1e6),
                (3, "2p2", 1, "D", 2.0, -1.0, 112e6),
            ]
        )
        + "\n -1\n%comment\n",
        "fe/fe_25/fe_25.wgfa": (
            "    1    2         1.8519      7.0e-01      4.500e+14   1s2 1S0 - 1s.2p 1P1\n"
            "    2    3        -1.7241      7.0e-01      3.000e+14   1s.2p 1P1 - 2p2 1D2\n -1\n"
        ),
        "fe/fe_25/fe_25.scups": (
            "      1      2   4.921e+02   7.0e-01   0.0e+00   5    2  2.0e+00\n"
            " 0.0 0.25 0.5 0.75 1.0\n 1.0e-3 1.0e-3 1.0e-3 1.0e-3 1.0e-3\n -1\n"
        ),
        "fe/fe_25/fe_25.auto": "      1      3    2.00e+14   1s 2S0.5 - 2p2 1D2\n -1\n",
        "fe/fe_26/fe_26.elvlc": f"{1:7d} {'1s':<30}{'':5}{2:5d}{'S':>5}{0.5:5.1f}{0.0:15.3f}{0.0:15.3f}\n -1\n",
    }
    for n in range(1, 7):
        row = " ".join(["1.0"] * n)
        files[f"continuum/klgfb_{n}.dat"] = f" 1e12 {row}\n 1e-3 {row}\n"
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_bremsstrahlung_radiates_the_textbook_power():
    # 1.4e-27 √T Z² g erg cm³/s (Rybicki & Lightman 1979, eq. 5.15b)
    kelvin, charge = 2e7, 3
    energy = np.geomspace(1e-4, 60, 4000)
    flux = free_free(charge, kelvin, energy, np.ones_like(energy)) * np.exp(-energy / (KEV_PER_K * kelvin))
    power = np.trapezoid(flux * energy, energy) * ERG
    assert power == pytest.approx(1.426e-27 * np.sqrt(kelvin) * charge**2, rel=0.005)


def test_hydrogen_recombines_to_its_ground_level_at_the_textbook_rate(folder):
    # 1.58e-13 cm³/s at 10⁴ K (Osterbrock & Ferland 2006, table 2.1)
    energy = RYDBERG + np.linspace(1e-9, 30 * KEV_PER_K * 1e4, 4000)
    bound_free = BoundFree(Database(folder))
    sigma = bound_free.ground(1, 1, energy)
    assert sigma[0] == pytest.approx(6.3e-18, rel=0.01)
    rate = free_bound(1e4, energy, RYDBERG, (2.0, 1.0), sigma) * np.exp(-energy / (KEV_PER_K * 1e4))
    assert np.trapezoid(rate, energy) == pytest.approx(1.58e-13, rel=0.01)
    # Kramers with a Gaunt factor of 1: 7.91e-18 cm² at the edge of hydrogen
    kramers = bound_free.level(Level(0.0, 2.0, 1, 0), RYDBERG, np.array([RYDBERG]))
    assert kramers[0] == pytest.approx(7.91e-18, rel=0.002)


def test_nothing_recombines_below_the_edge():
    energy = np.array([8.0, 9.0])
    rate = free_bound(2e7, energy, 8.83, (1.0, 2.0), np.full(2, 1e-20))
    assert rate[0] == 0
    assert rate[1] > 0


def test_two_photons_of_each_decay(folder):
    kelvin, energy = 1e7, np.linspace(1e-6, 7.5, 30000)
    for electrons, z in ((1, 1), (2, 2)):
        spectrum = TwoPhoton(Database(folder))(z, electrons, 6.95, kelvin, energy) * np.exp(
            -energy / (KEV_PER_K * kelvin)
        )
        assert np.trapezoid(spectrum, energy) == pytest.approx(2, rel=1e-3)
        assert np.trapezoid(spectrum * energy, energy) == pytest.approx(6.95, rel=1e-3)


@pytest.mark.parametrize(
    ("kind", "factor"),
    [(1, lambda e: np.log(e + np.e)), (2, lambda _: 1.0), (3, lambda e: 1 / (e + 1)), (4, lambda e: np.log(e + 2.0)),
     (5, lambda e: 1 / e)],
)  # fmt: skip
def test_scaling_of_collision_strengths(kind, factor):
    x = np.linspace(0, 1, 5)
    transition = Excitation(1, 2, 100.0, kind, 2.0, x, np.full(5, 0.3))
    kelvin = np.array([1e7])
    e = kelvin * KEV_PER_K / (100.0 * RYDBERG)
    np.testing.assert_allclose(effective_strength(transition, kelvin), 0.3 * factor(e))


def test_populations_of_three_levels(folder):
    kelvin, density, ratio = np.array([1e7, 3e7]), 1e10, np.array([0.5, 2.0])
    ion = Ion(Database(folder), 26, 25, kelvin, ratio, binding=8.828, density=density)
    assert ion.energies[2] == pytest.approx(112e6 * KEV_PER_CM)  # theoretical where none is observed
    lines = ion.lines(2.0)
    np.testing.assert_allclose(lines.energy, [WAVELENGTH_KEV / 1.8519, WAVELENGTH_KEV / 1.7241])
    excited = 8.629e-6 * 1e-3 / np.sqrt(kelvin) * np.exp(-492.1 * RYDBERG / (KEV_PER_K * kelvin))
    above = 112e6 * KEV_PER_CM - 8.828
    captured = 5 / (2 * 2) * SAHA * kelvin**-1.5 * 2e14 * np.exp(-above / (KEV_PER_K * kelvin)) * ratio
    branching = 3e14 / (3e14 + 2e14)
    np.testing.assert_allclose(lines.emissivity[:, 1], captured * branching, rtol=1e-3)
    np.testing.assert_allclose(lines.emissivity[:, 0], excited + captured * branching, rtol=1e-3)


def test_lines_of_a_cell_become_one():
    energy = np.array([6.7000, 6.7001, 6.7001, 6.9])
    emissivity = np.array([[1.0, 3.0, 1.0, 2.0], [2.0, 6.0, 1.0, 4.0]])
    mean, group, summed = in_cells(energy, np.array([1, 1, 0, 1]), emissivity)
    assert len(mean) == 3
    assert summed.sum() == pytest.approx(emissivity.sum())
    together = (group == 1) & (mean < 6.8)
    assert mean[together] == pytest.approx(6.7 + 0.0001 * 0.75, abs=CELL / 100)
    np.testing.assert_allclose(summed[:, together].ravel(), [4.0, 8.0])


def test_a_folder_without_version(tmp_path):
    with pytest.raises(CalibrationError, match="is not a CHIANTI database"):
        Database(tmp_path)


def test_a_pointer_to_a_large_file_is_no_data(folder):
    (folder / "fe/fe_25/fe_25.scups").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    assert Database(folder).excitations(26, 25) == []
