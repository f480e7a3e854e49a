"""Sub-collimators, pixels and (u, v) points against the original IDL."""

from __future__ import annotations

import numpy as np
import pytest

from stixcore.errors import SelectionError
from stixcore.instrument.geometry import (
    ALL_LABELS,
    BACKGROUND_MONITOR,
    FLARE_LOCATOR,
    IMAGING_LABELS,
    LOCATION_LABELS,
    PixelSet,
    detector_indices,
    uv_points,
)

#: (u, v) in arcsec⁻¹ as ``stx_uv_points`` of the ground software v0.6.2 gives them (run in GDL).
UV = """
10a  0.00257996 -0.00138761   10b  0.00017653  0.00277523   10c  0.00257996  0.00138761
 9a  0.00408632 -0.00068939    9b -0.00118131  0.00373067    9c -0.00237537 -0.00304130
 8a  0.00576949  0.00098624    8b  0.00382705 -0.00435057    8c  0.00211895  0.00533674
 7a  0.00721246  0.00406225    7b  0.00721246 -0.00406225    7c  0.00017650 -0.00812444
 6a -0.00729305 -0.00890188    6b -0.01126753  0.00201784    6c -0.00379795  0.01091981
 5a  0.00586331  0.01562418    5b -0.01619784 -0.00288734    5c  0.01086412 -0.01273707
 4a  0.00017653  0.02377413    4b  0.02076563  0.01188713    4c  0.02076563 -0.01188714
 3a  0.01181336 -0.03197256    3b -0.02169395 -0.02606388    3c -0.03333102  0.00590823
 2a -0.03111830  0.03729616    2b -0.01647560 -0.04575062    2c  0.04812315  0.00845389
 1a  0.06042683 -0.03478512    1b  0.00017695 -0.06957060    1c  0.06042683  0.03478512
"""
CELLS = UV.split()
EXPECTED_UV = {CELLS[i]: (float(CELLS[i + 1]), float(CELLS[i + 2])) for i in range(0, len(CELLS), 3)}


@pytest.mark.parametrize("label", ALL_LABELS)
def test_uv_points(label):
    (index,) = detector_indices([label])
    np.testing.assert_allclose(uv_points()[index], EXPECTED_UV[label], atol=1.2e-8)  # the last digit printed


def test_uv_points_to_the_last_digit_of_idl(reference):
    """The dictionary has all 30; IDL works in single precision."""
    idl = np.array([reference["uv_new_convention"][label] for label in ALL_LABELS])
    np.testing.assert_allclose(uv_points()[detector_indices(ALL_LABELS)], idl, atol=6e-9)


def test_uv_points_equal_those_of_stixpy(patience):
    from stixpy.config.instrument import STIX_INSTRUMENT

    info = STIX_INSTRUMENT.vis_info
    ours = uv_points()[np.asarray(info["isc"]) - 1]
    np.testing.assert_allclose(ours[:, 0], info["u"].to_value("1/arcsec"), rtol=1e-8)  # radian rounded to 206264.806″
    np.testing.assert_allclose(ours[:, 1], info["v"].to_value("1/arcsec"), rtol=1e-8)


def test_uv_points_are_missing_without_a_grid():
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(uv_points()[:, 0])), [FLARE_LOCATOR, BACKGROUND_MONITOR])


def test_kept_uv_points_cannot_be_changed_by_a_caller():
    with pytest.raises(ValueError, match="read-only"):
        uv_points()[0, 0] = 0.0


def test_resolution_of_the_labels():
    """Half a period of a sub-collimator: 7.1″ at label 1, 178.6″ at label 10, steps of 1.43 (Krucker et al. 2020)."""
    half_period = 0.5 / np.hypot(*uv_points()[detector_indices(ALL_LABELS)].T).reshape(10, 3).mean(axis=1)
    nominal = [178.6, 124.9, 87.3, 61.0, 42.7, 29.8, 20.9, 14.6, 10.2, 7.1]
    # the present (u, v) reach from the front grid to the detector, 593 mm, where the nominal figures take 550 mm
    np.testing.assert_allclose(half_period, nominal, rtol=0.06)


def test_label_groups():
    assert IMAGING_LABELS[:4] == ("10a", "10b", "10c", "9a")
    assert IMAGING_LABELS[-1] == "3c"
    assert len(IMAGING_LABELS) == 24
    assert tuple(f"{n}{letter}" for n in (10, 9, 8, 7) for letter in "abc") == LOCATION_LABELS
    assert len(set(ALL_LABELS)) == 30


def test_default_order_is_that_of_the_ground_software():
    expected = [2, 19, 21, 15, 13, 31, 20, 25, 3, 23, 7, 27, 14, 26, 30, 5, 29, 1, 24, 4, 22, 6, 28, 0]
    np.testing.assert_array_equal(detector_indices(IMAGING_LABELS), expected)


@pytest.mark.parametrize("labels", [["11a"], ["cfl"], ["3A"], ["10a", "10a"], [""]])
def test_unknown_or_repeated_labels_are_refused(labels):
    with pytest.raises(SelectionError, match="distinct labels out of 10a … 1c"):
        detector_indices(labels)


@pytest.mark.parametrize(
    ("name", "pixels", "phase", "area"),
    [
        ("TOP", range(4), 46.1, 0.0961950),
        ("BOT", range(4, 8), 46.1, 0.0961950),
        ("TOP+BOT", range(8), 46.1, 0.192390),
        ("ALL", range(12), 45.0, 0.202400),
        ("SMALL", range(8, 12), 22.5, 0.0100100),
    ],
)
def test_pixel_sets(name, pixels, phase, area):
    chosen = PixelSet(name)
    np.testing.assert_array_equal(chosen.pixels, pixels)
    assert chosen.phase == phase
    assert chosen.area == pytest.approx(area, rel=1e-6)
