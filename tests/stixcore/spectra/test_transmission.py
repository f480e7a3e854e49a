"""Windows, attenuator and grids against the tables and the numbers of the ground software."""

import numpy as np
import pytest

from stixcore.errors import SelectionError
from stixcore.instrument.geometry import BACKGROUND_MONITOR, FLARE_LOCATOR, IMAGING_LABELS, detector_indices
from stixcore.spectra.transmission import (
    ResponseScheme,
    grid_transmission,
    tungsten_length,
    wedge_transmission,
    window_transmission,
)

COARSE = tuple(sorted(int(i) for i in detector_indices(IMAGING_LABELS)))
FINE = (10, 11, 12, 16, 17, 18)
ALL_GRIDS = tuple(i for i in range(32) if i not in (FLARE_LOCATOR, BACKGROUND_MONITOR))
OLD = ResponseScheme.GSW_2022


# --- windows and attenuator -------------------------------------------------------------------------------------------

# Some rows of stix_transmission_highres_20251110.csv of the ground software.
WINDOW_KEV = [5, 6, 7, 8, 10, 15, 20, 30, 50, 80, 100, 150]
WINDOW = {
    COARSE: [.00179, .02497, .09410, .18212, .39602, .70171, .80707, .86958, .89500, .90816, .91329, .92236],
    FINE: [.00085, .01629, .07198, .15227, .36107, .68077, .79447, .86234, .88989, .90377, .90916, .91866],
}  # fmt: skip
ATTENUATOR = [7.4e-15, 3.1e-9, 3.1e-6, 1.55e-4, 9.11e-4, .1054, .3684, .7221, .9110, .9591, .9678, .9759]  # fmt: skip


@pytest.mark.parametrize("detectors", [COARSE, FINE])
def test_windows_of_the_table(agrees, detectors):
    energy = np.array(WINDOW_KEV, dtype=float)
    without = window_transmission(energy, detectors, attenuator=False)
    name = "coarse" if detectors == COARSE else "fine"
    agrees(f"window transmission, {name} detectors, 5-150 keV", without, WINDOW[detectors], atol=6e-6)
    ratio = window_transmission(energy, detectors, attenuator=True) / without
    agrees(f"attenuator, {name} detectors, 5-150 keV, two digits", ratio, ATTENUATOR, rtol=0.017)


def test_windows_equal_the_published_columns(spectroscopy):
    for name, scheme in (("transmission_20251110.csv", ResponseScheme.GSW_2026), ("transmission_20220621.csv", OLD)):
        table = np.loadtxt(spectroscopy / "tables" / name, delimiter=",", skiprows=1)
        energy, coarse, fine, attenuator = table[table[:, 0] > 3].T
        for detectors, column in (((0,), coarse), ((10,), fine), ((0, 10), 0.5 * (coarse + fine))):
            got = window_transmission(energy, detectors, attenuator=False, scheme=scheme)
            np.testing.assert_allclose(got, column, rtol=1e-5)
        shut = window_transmission(energy, (0,), attenuator=True, scheme=scheme)
        np.testing.assert_allclose(shut, coarse * attenuator, rtol=2e-5)


# --- grids ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "pitch", "thickness", "low", "wedge"),
    [
        ("3a front (p=.077594,H=.3740,slit/pitch=sqrt(.2717))", 0.077594, 0.3740, 0.2717, 5e-3),
        ("10a front (p=.909824,H=.4413,sqrt(.2358))", 0.909824, 0.4413, 0.2358, 5e-3),
        ("1a one layer (p=.113796/3,H=.133,ds=dh=0,sqrt(.1165))", 0.113796 / 3, 0.133, 0.1165, 0.0),
    ],
)
def test_one_grid_as_the_ground_software_computes_it(agrees, gdl, key, pitch, thickness, low, wedge):
    length = np.array(gdl["stx_grid_transmission"]["L_mm"])
    (got,) = wedge_transmission(length, *(np.array([x]) for x in (pitch, thickness, np.sqrt(low), wedge)))
    agrees(f"grid {key.split(' (')[0]}", got, gdl["stx_grid_transmission"][key], rtol=1e-5)


def test_grids_of_the_coarse_detectors(agrees):
    # stx_subc_transmission of ground software v0.6.2 with NIST's tungsten; 300 keV with another table
    energy = np.array([4, 6, 10, 20, 30, 50, 60, 69, 70, 80, 100, 150, 300.0])
    expected = [
        .22394, .22484, .22860, .23108, .24353, .26784, .29713, .34215, .25462, .26052, .28261, .44106, .80148
    ]  # fmt: skip
    on_axis = grid_transmission(energy, COARSE)
    agrees("24 coarse grids, 4-150 keV, five digits", on_axis[:-1], expected[:-1], rtol=3e-5)
    agrees("24 coarse grids, 300 keV, other tungsten table", on_axis[-1], expected[-1], rtol=3e-3)
    flare = grid_transmission(energy, COARSE, (-275.0, -1422.0))
    assert flare[3] / on_axis[3] == pytest.approx(0.998, abs=5e-4)
    assert tungsten_length(np.array([69.0]))[0] > 4 * tungsten_length(np.array([70.0]))[0]  # K edge at 69.525 keV


def test_fine_grids_have_no_wedge_and_thin_layers():
    length = tungsten_length(np.array([15.0, 120.0]))
    # label 1a, detector 11: three layers of 0.133 mm, t₀ = 0.1165 on axis
    one = np.sqrt(0.1165) + (1 - np.sqrt(0.1165)) * np.exp(-0.133 / length)
    np.testing.assert_allclose(grid_transmission(np.array([15.0, 120.0]), [10]), one**2, rtol=1e-12)


def test_detectors_without_grids_are_refused():
    for detectors in ([FLARE_LOCATOR], [0, BACKGROUND_MONITOR], [], [32]):
        with pytest.raises(SelectionError, match="with a grid"):
            grid_transmission(np.array([10.0]), detectors)
    with pytest.raises(SelectionError, match="near the Sun"):
        grid_transmission(np.array([10.0]), COARSE, (60_000.0, 60_000.0))


def test_old_scheme_on_axis_is_the_nominal_transmission(agrees, spectroscopy):
    # ground software v0.5: 0.251970 for the 30 detectors, × 1.018, 1.056, 1.42 at 50, 100 and 140 keV
    got = grid_transmission(np.array([10.0, 50, 100, 140]), ALL_GRIDS, scheme=OLD)
    agrees("30 grids of gsw-2022, 10-140 keV, relative", got / 0.25196965, [1, 1.018, 1.056, 1.42], rtol=4e-3)
    nominal = np.loadtxt(spectroscopy / "tables" / "nom_grid_transmission.txt", comments=";")
    for detector in ALL_GRIDS:
        assert grid_transmission(np.array([10.0]), [detector], scheme=OLD)[0] == pytest.approx(nominal[detector], 3e-3)
    off_axis = grid_transmission(np.array([10.0]), COARSE, (-275.0, -1422.0), scheme=OLD)
    assert 0.96 < off_axis[0] / grid_transmission(np.array([10.0]), COARSE, scheme=OLD)[0] < 0.975  # shadows
