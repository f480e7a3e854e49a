import numpy as np
import pytest

from stixcore.solar_grid import clipped, heliographic_grid, limb


def test_the_limb_is_a_circle() -> None:
    x, y = limb(960.0)
    np.testing.assert_allclose(np.hypot(x, y), 960.0)


def test_lines_stay_on_the_disk_and_turn_with_the_observer() -> None:
    lines = list(heliographic_grid(1000.0, 0.0))
    assert len(lines) == 17 + 36
    for x, y in lines:
        radius = np.hypot(x, y)
        assert np.nanmax(radius, initial=0.0) <= 1000.0 + 1e-6
    # from above, the equator bends to the south at the central meridian
    equator = list(heliographic_grid(1000.0, 7.0))[8]
    middle = np.nanargmin(np.abs(equator[0]))
    assert equator[1][middle] == pytest.approx(-1000.0 * np.sin(np.deg2rad(7.0)), abs=1e-6)


def test_a_parallel_stands_at_its_latitude() -> None:
    north = list(heliographic_grid(1000.0, 0.0))[8 + 3]  # 30 degrees
    assert np.nanmax(north[1]) == pytest.approx(500.0)


def test_only_what_is_near_stays() -> None:
    line = np.array([-500.0, -10.0, 0.0, 10.0, np.nan, 5.0, 6.0]), np.zeros(7)
    pieces = clipped(line, (-20.0, 20.0, -20.0, 20.0))
    assert [list(x) for x, _ in pieces] == [[-10.0, 0.0, 10.0], [5.0, 6.0]]
    assert clipped(line, (1000.0, 1020.0, -20.0, 20.0)) == []
