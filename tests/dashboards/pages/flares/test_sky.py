"""Marks of the Sun figure and bars of the flare rate."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from archive import FlareFilter
from dashboards.pages.flares.rate_plot import RatePlot
from dashboards.pages.flares.sky import GROUPS, Sky, marks_of, rate_of, read_sky
from dashboards.pages.flares.sun_plot import SunPlot
from dashboards.pages.flares.views import SunView


@pytest.fixture
def sky(flares: Any) -> Sky:
    return read_sky(flares.archive, FlareFilter())


def test_every_flare_with_a_place_is_a_mark(flares: Any, sky: Sky) -> None:
    marks = marks_of(sky, SunView.EARTH)
    placed = [flare for flare in flares.flares if flare.hpc_x is not None]
    assert sorted(sky.ids[marks.flare]) == [flare.flare_id for flare in placed]
    assert (marks.number.sum(), marks.without_place) == (len(placed), 30 - len(placed))
    hidden = {flare.flare_id for flare in placed if not flare.earth_visible}
    assert set(sky.ids[marks.flare[marks.hollow]]) == hidden
    assert sky.flux[marks.flare[-1]] == 1.2e-5  # strong flares are drawn last


def test_seen_from_solar_orbiter_in_radii(flares: Any, sky: Sky) -> None:
    """The solar radius of 695,700 km is 1598.7″ at 0.6 au."""
    marks = marks_of(sky, SunView.SOLAR_ORBITER)
    flare = flares.flares[4]
    mark = list(sky.ids[marks.flare]).index(flare.flare_id)
    assert marks.x[mark] == pytest.approx(flare.hpc_x / 1598.73, rel=1e-4)
    assert marks.hollow.sum() == 1  # the one off the limb


def test_many_flares_are_joined_and_none_is_lost(sky: Sky) -> None:
    rng = np.random.default_rng(3)
    size = 20_000
    place = rng.uniform(-900.0, 900.0, size), rng.uniform(-300.0, 300.0, size)
    hollow = rng.random(size) < 0.3
    flux = 10.0 ** rng.uniform(-7.0, -4.0, size)
    many = Sky(
        np.arange(size).astype(str).astype(object),
        np.full(size, np.datetime64("2022-11-11", "us")),
        flux,
        {SunView.EARTH: place},
        {SunView.EARTH: hollow},
    )
    marks = marks_of(many, SunView.EARTH)
    assert marks.number.sum() == size
    assert marks.x.size < 5000
    assert np.array_equal(hollow[marks.flare], marks.hollow)  # hollow and full ones are not joined
    strongest = int(np.argmax(flux))
    assert strongest == marks.flare[-1]
    assert np.all(np.diff(flux[marks.flare]) >= 0)
    inside = np.abs(place[0] - marks.x[-1]) < 48
    assert flux[inside & (np.abs(place[1] - marks.y[-1]) < 48)].max() == flux[strongest]


def test_the_rate_counts_every_flare_once(sky: Sky) -> None:
    rate = rate_of(sky)
    assert rate is not None
    assert rate.counts.sum() == 30
    assert rate.length_s == 3600.0
    assert dict(zip(GROUPS, rate.counts.sum(axis=0), strict=True)) == {
        "no class": 0, "A": 0, "B": 0, "C": 24, "M": 6, "X": 0,
    }  # fmt: skip
    assert rate.edges[0] == np.datetime64("2022-11-10T00:00")


def test_no_flares_make_no_bars(flares: Any) -> None:
    assert rate_of(read_sky(flares.archive, FlareFilter(text="nothing"))) is None


def test_a_dragged_area_becomes_a_filter(sky: Sky) -> None:
    chosen: list[Any] = []
    plot = SunPlot(lambda view, box: chosen.append((view, box)))
    text = plot.show(sky, SunView.CARRINGTON, "class")
    assert "20 of 30 flares have a position" in text
    brushed(plot.pane.object, x0=200.0, x1=100.0, y0=-10.0, y1=20.0)
    assert chosen == [(SunView.CARRINGTON, (100.0, 200.0, -10.0, 20.0))]


def test_dragged_bars_become_a_time_range(sky: Sky) -> None:
    chosen: list[Any] = []
    plot = RatePlot(lambda begin, end: chosen.append((begin, end)))
    plot.show(sky)
    milliseconds = np.datetime64("2022-11-10T03:00", "ms").astype(float)
    brushed(plot.pane.object, x0=milliseconds, x1=milliseconds + 3.6e6, y0=0.0, y1=1.0)
    assert chosen == [(np.datetime64("2022-11-10T03:00"), np.datetime64("2022-11-10T04:00"))]
    plot.show(None)
    assert all(len(column) == 0 for column in plot.pane.object.renderers[0].data_source.data.values())


def brushed(figure: Any, **edges: float) -> None:
    """What the browser sends at the end of a drag."""
    from bokeh.events import SelectionGeometry

    figure._trigger_event(SelectionGeometry(figure, geometry={"type": "rect", **edges}, final=True))
