"""Grid transmission and amplitude factors: the ground software's table, ``stixpy`` where it is right, the formulas."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stixcore.calibration.grids import (
    IDEAL_AMPLITUDE_FACTOR,
    AmplitudeScheme,
    amplitude_factor,
    flight_transmission,
    geometric_transmission,
    modulation_factor,
)
from stixcore.instrument.geometry import detector_indices, mean_orientation
from stixcore.instrument.tables import subcollimator_table, transmission_table

#: On axis, from the ground software v0.6.2: transmission, amplitude factor, and what it was before 2026, divided by 4T.
ON_AXIS = """
10a .2358 2.7462 2.6315   10b .2418 2.7424 2.5704   10c .2457 2.7411 2.6710
 9a .2396 2.7436 2.6215    9b .2470 2.7408 2.6019    9c .2404 2.7431 2.6246
 8a .2164 2.7736 2.6920    8b .2255 2.7577 2.6709    8c .2381 2.7445 2.5964
 7a .1999 2.8177 2.8603    7b .2105 2.7870 2.6684    7c .2231 2.7614 2.5271
 6a .1996 2.8187 2.8073    6b .1854 2.8752 2.9566    6c .1973 2.8266 2.5917
 5a .1879 2.8639 2.7545    5b .2058 2.7995 2.6343    5c .1768 2.9190 2.8121
 4a .1965 2.8295 2.3545    4b .1967 2.8288 2.4034    4c .2105 2.7870 2.4470
 3a .2717 2.7528 1.6664    3b .2722 2.7534 1.7537    3c .2978 2.7979 1.7861
 2a .1309 3.3298    nan    2b .0763 4.7088    nan    2c .1839 2.8823    nan
 1a .1165 3.5527    nan    1b .0384 8.2184    nan    1c .0908 4.1620    nan
"""
CELLS = ON_AXIS.split()
ROWS = [(CELLS[i], *map(float, CELLS[i + 1 : i + 4])) for i in range(0, len(CELLS), 4)]
COARSE = detector_indices([row[0] for row in ROWS if not np.isnan(row[3])])


@pytest.mark.parametrize(("label", "transmission", "new", "old"), ROWS)
def test_on_axis(label, transmission, new, old):
    (index,) = detector_indices([label])
    assert flight_transmission(0, 0)[index] == transmission
    assert amplitude_factor(AmplitudeScheme.GSW_2026, 0, 0)[index] == pytest.approx(new, abs=5.1e-5)
    if not np.isnan(old):
        assert amplitude_factor(AmplitudeScheme.GSW_2021, 0, 0)[index] == pytest.approx(old, abs=5.1e-5)


def test_transmission_off_axis_as_the_matrix_of_the_original_em(reference):
    """At (300, -200)″ in the STIX frame; GSW signs the angle, so some detectors gain and some lose."""
    np.testing.assert_allclose(flight_transmission(300, -200), reference["em_synthetic_gdl"]["transmission"], atol=1e-8)


def test_on_axis_transmission_of_all_detectors(reference):
    labels = subcollimator_table().label
    expected = [reference["transmission_on_axis"][label] for label in labels]
    np.testing.assert_array_equal(flight_transmission(0, 0), expected)


def test_ideal_factor():
    # π³ = 31.006277, 8√2 = 11.313708
    assert pytest.approx(2.7405936, abs=5e-8) == IDEAL_AMPLITUDE_FACTOR


def test_ideal_grids_need_the_ideal_factor():
    """Slits of half the pitch transmit ½ · ½ and modulate best."""
    assert modulation_factor(np.array([0.25]))[0] == pytest.approx(IDEAL_AMPLITUDE_FACTOR)
    assert (modulation_factor(np.array([0.2, 0.3])) > IDEAL_AMPLITUDE_FACTOR).all()


def test_detectors_without_grid_have_no_factor():
    for scheme in AmplitudeScheme:
        np.testing.assert_array_equal(np.flatnonzero(np.isnan(amplitude_factor(scheme, 0, 0))), [8, 9])


@given(st.floats(-3600, 3600), st.floats(-3600, 3600))
def test_flight_transmission_is_linear_and_signed(x, y):
    orientation = np.deg2rad(np.nan_to_num(mean_orientation()))
    degrees = (x * np.cos(orientation) + y * np.sin(orientation)) / 3600
    table = transmission_table()
    np.testing.assert_allclose(flight_transmission(x, y), table.intercept + table.slope * degrees, atol=1e-14)
    np.testing.assert_allclose(flight_transmission(x, y) + flight_transmission(-x, -y), 2 * table.intercept, atol=1e-14)


def stixpy_transmission(x, y):
    import astropy.units as u
    from astropy.coordinates import SkyCoord
    from stixpy.calibration.grid import get_grid_transmission
    from stixpy.coordinates.frames import STIXImaging

    return np.asarray(get_grid_transmission(SkyCoord(x * u.arcsec, y * u.arcsec, frame=STIXImaging)))


def test_geometric_transmission_equals_that_of_stixpy_on_axis(patience):
    np.testing.assert_allclose(geometric_transmission(0, 0), stixpy_transmission(0, 0), rtol=1e-12)


def test_geometric_transmission_where_stixpy_is_wrong(patience):
    """``stixpy`` 0.3.0 takes |x cos o| + y sin o; the ground software |x cos o + y sin o|, which only narrows slits.

    Where both terms have the same sign they agree; at (300, -200)″ they differ by up to 1.5 %.
    """
    np.testing.assert_allclose(geometric_transmission(0, 200), stixpy_transmission(0, 200), rtol=1e-12)
    ours, theirs = geometric_transmission(300, -200), stixpy_transmission(300, -200)
    ten_a, five_c = detector_indices(["10a", "5c"])
    assert (ours[ten_a], theirs[ten_a]) == pytest.approx((0.25956, 0.26000), abs=6e-6)
    assert (ours[five_c], theirs[five_c]) == pytest.approx((0.23959, 0.24317), abs=6e-6)


@given(st.floats(-3600, 3600), st.floats(-3600, 3600))
def test_shadowing_never_widens_a_slit(x, y):
    on_axis, off_axis = geometric_transmission(0, 0), geometric_transmission(x, y)
    assert (off_axis <= on_axis + 1e-15).all()
    np.testing.assert_allclose(off_axis, geometric_transmission(-x, -y))


def test_finest_grids_are_not_modelled_by_geometry():
    fine = detector_indices(["1a", "1b", "1c", "2a", "2b", "2c"])
    np.testing.assert_array_equal(geometric_transmission(300, 100)[fine], 1.0)
    assert (geometric_transmission(300, 100)[COARSE] < 0.5).all()


def test_what_the_change_of_2026_did():
    """New over old amplitude, on axis: 1.57 for 3c and 3b, 1.04 for 10a."""
    new, old = (amplitude_factor(scheme, 0, 0) for scheme in (AmplitudeScheme.GSW_2026, AmplitudeScheme.GSW_2021))
    np.testing.assert_allclose((new / old)[detector_indices(["3c", "3b", "10a"])], [1.57, 1.57, 1.04], atol=0.005)
