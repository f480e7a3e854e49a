"""Lit areas of the coarse flare locator: the table of the Data Center, and properties."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stixcore.instrument.flare_locator import DISTANCE, PIXEL_AREA, lit_areas
from stixcore.instrument.tables import pixel_area

#: With which the table of the Data Center was computed, mm.
TABLE_DISTANCE = 597.0
places = st.floats(-6000.0, 6000.0)


@pytest.mark.needs_shared_data
def test_the_nine_positions_of_the_table(shared_data):
    table = json.loads((shared_data / "products" / "cfl_lut_positions.json").read_text())["positions"]
    assert len(table) == 9
    for row in table:
        found = lit_areas(row["x_stix"], row["y_stix"], TABLE_DISTANCE, slots=False)
        np.testing.assert_allclose(found, row["area_mm2"], rtol=0, atol=1e-6)


@pytest.mark.needs_shared_data
@pytest.mark.parametrize(("sign_x", "sign_y"), [(-1, 1), (1, -1), (-1, -1)])
def test_other_signs_give_another_table(shared_data, sign_x, sign_y):
    table = json.loads((shared_data / "products" / "cfl_lut_positions.json").read_text())["positions"]
    x, y = (np.array([row[axis] for row in table]) for axis in ("x_stix", "y_stix"))
    expected = np.array([row["area_mm2"] for row in table])
    off = np.abs(lit_areas(sign_x * x, sign_y * y, TABLE_DISTANCE, slots=False) - expected).max()
    assert off > 1.0


def test_a_source_on_the_axis_lights_a_strip_at_both_ends():
    # 2.2 mm times 4.6 - 3.45 mm
    np.testing.assert_allclose(lit_areas(0.0, 0.0), [2.53] * 8 + [0.0] * 4, atol=1e-12)


def test_a_source_to_the_right_of_the_sun_lights_the_upper_row_at_negative_y():
    areas = lit_areas(0.0, [-1000.0, 1000.0])
    assert areas[0, :4].sum() == 0.0 < areas[0, 4:8].sum()  # y_stix points down on the detector
    np.testing.assert_allclose(areas[0, 4:8], areas[1, :4])


def test_the_slots_light_the_outer_columns_beyond_1913_arcsec():
    # (9.9 - 4.4) mm / 593.08 mm = 1913″
    edge = np.degrees(np.arctan(5.5 / DISTANCE)) * 3600.0
    assert edge == pytest.approx(1913.0, abs=1.0)
    for x, added in ((edge - 1.0, False), (edge + 100.0, True)):
        more = lit_areas(x, 0.0) - lit_areas(x, 0.0, slots=False)
        assert bool(more.sum() > 0.1) is added
        assert (more >= 0).all()


@given(places, places)
def test_areas_are_at_most_those_of_the_pixels_and_symmetric(x, y):
    areas = lit_areas(x, y)
    assert (areas >= 0).all()
    assert (areas <= PIXEL_AREA + 1e-12).all()
    np.testing.assert_allclose(lit_areas(x, -y)[[4, 5, 6, 7, 0, 1, 2, 3]], areas[:8], atol=1e-9)


@given(st.floats(3500.0, 6000.0) | st.floats(-6000.0, -3500.0), places)
def test_a_source_behind_the_tungsten_lights_less_than_one_on_the_axis(x, y):
    # the slots cover x to 11.0 + 4.4 mm, 5356″; a part of the detector at most
    assert lit_areas(x, y).sum() <= 2.0 * 1.1 * 9.2 + 1e-9
    assert lit_areas(np.sign(x) * 5500.0, y).sum() == 0.0


@given(places, places, st.integers(1, 4))
def test_positions_have_any_shape(x, y, n):
    found = lit_areas(np.full((n, 2), x), y)
    assert found.shape == (n, 2, 12)
    np.testing.assert_array_equal(found[0, 1], lit_areas(x, y))


def test_pixels_are_close_to_those_for_rates():
    np.testing.assert_allclose(PIXEL_AREA[:8] / 100.0, pixel_area()[:8], rtol=0.01)
    np.testing.assert_allclose(PIXEL_AREA[8:] / 100.0, pixel_area()[8:], rtol=0.11)
