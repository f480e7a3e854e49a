"""Positions in the sky for whole arrays agree with those of single sources."""

from __future__ import annotations

import numpy as np
import pytest

from stixcore.coordinates import SOLAR_RADIUS
from stixcore.heliographic import AU, Observer, on_sun, seen_from
from stixcore.sky_views import apparent_radius, places_of, sky_of

SOLO, EARTH = Observer(-40.0, 7.0, 0.4 * AU), Observer(0.0, 4.0, 0.99 * AU)
X, Y = np.meshgrid(np.linspace(-1500.0, 1500.0, 9), np.linspace(-1500.0, 1500.0, 7))


def test_places_and_views_agree_with_those_of_single_sources() -> None:
    places = places_of(SOLO, X, Y)
    x, y = sky_of(EARTH, places)
    for place in np.ndindex(X.shape):
        source = on_sun(X[place], Y[place], SOLO)
        view = seen_from(source, EARTH)
        assert places[place] == pytest.approx(source.vector, abs=1.0)
        if view.visible:
            assert (x[place], y[place]) == (pytest.approx(view.x, abs=1e-3), pytest.approx(view.y, abs=1e-3))
        else:
            assert np.isnan(x[place])
            assert np.isnan(y[place])


def test_an_observer_sees_its_own_positions() -> None:
    x, y = sky_of(SOLO, places_of(SOLO, X, Y))
    assert x == pytest.approx(X, abs=1e-6)
    assert y == pytest.approx(Y, abs=1e-6)


def test_beyond_the_limb_there_is_only_a_screen() -> None:
    radius = apparent_radius(SOLO)
    assert radius == pytest.approx(np.degrees(np.arcsin(SOLAR_RADIUS / SOLO.distance)) * 3600.0)
    x, y = np.array([1.1 * radius]), np.array([30.0])
    assert np.isnan(places_of(SOLO, x, y)).all()
    places = places_of(SOLO, x, y, screen=SOLO)
    assert np.linalg.norm(places - SOLO.vector) == pytest.approx(SOLO.distance)
    back = sky_of(SOLO, places)
    assert (back[0][0], back[1][0]) == (pytest.approx(x[0]), pytest.approx(30.0))
