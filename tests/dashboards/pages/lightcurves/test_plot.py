"""What is drawn of light curves, and what is said about them."""

from typing import Any

import numpy as np
import pytest

from dashboards.pages.lightcurves.first_content import curves_svg
from dashboards.pages.lightcurves.plot import (
    MAIN_PX,
    PICTURE_PX,
    ROOM_WITH_PICTURES,
    ROWS,
    LightCurvePlot,
    axis_label,
    picture_rows,
)
from dashboards.pages.lightcurves.state import LightCurvesState
from dashboards.pages.lightcurves.wording import about_html, images_html, length, nothing_recorded, status_html
from dashboards.shared.curve_series import attenuator_spans, columns_of, rate_limits
from dashboards.shared.light_times import Clock, LightTimes
from dashboards.shared.links import RouteLinks
from dashboards.shared.source import ArchiveSource

HOUR = 3600.0
LIGHT = LightTimes(300.04, 195.3, 0.03, "<a file>")


def state_of(curves: Any, hour: float, hours: float, **params: Any) -> LightCurvesState:
    source = ArchiveSource(curves.archive.root)
    state = LightCurvesState(source, start=curves.start + hour * HOUR, span=hours * HOUR, **params)
    state.load()
    return state


def test_a_curve_ends_where_recording_ends(curves: Any) -> None:
    columns = columns_of(state_of(curves, 7.5, 2, bin_s=4.0).curves.view, log=True)
    time, rates = columns["time"], columns["mean_4_10"]
    gap = int(np.flatnonzero(np.isnan(rates))[0])
    end = (curves.start + 8 * HOUR) * 1e3
    # the last bin begins 4 s before the gap and is drawn to its end
    assert list(time[gap - 2 : gap + 1]) == [end - 4e3, end, end]
    assert rates[gap - 2] == rates[gap - 1] == 62.5
    assert rates.dtype == np.float32


def test_no_rate_of_zero_on_a_logarithmic_axis(curves: Any) -> None:
    view = state_of(curves, 5, 0.1).curves.view
    view.mean[3, 2] = 0.0
    assert np.isnan(columns_of(view, log=True)["mean_15_25"][3])
    assert columns_of(view, log=False)["mean_15_25"][3] == 0.0


def test_the_attenuator_is_in_for_its_ten_minutes(curves: Any) -> None:
    left, right = attenuator_spans(state_of(curves, 2.5, 1).curves.view)
    assert (left[0], right[0]) == ((curves.start + 3 * HOUR) * 1e3, (curves.start + 3 * HOUR + 600) * 1e3)
    assert attenuator_spans(state_of(curves, 5, 1).curves.view)[0].size == 0


@pytest.mark.parametrize("log", [True, False])
def test_the_highest_rate_leaves_room_for_names(curves: Any, log: bool) -> None:
    view = state_of(curves, 2.5, 1).curves.view
    begin, end = (curves.start + 2.5 * HOUR) * 1e3, (curves.start + 3.5 * HOUR) * 1e3
    low, high = rate_limits(view, ["4_10"], begin, end, log=log, room=0.25)
    peak = np.nanmax(view.high[:, 0])
    height = np.log(peak / low) / np.log(high / low) if log else (peak - low) / (high - low)
    assert height == pytest.approx(0.75, abs=0.03)
    assert rate_limits(view, [], begin, end, log=log, room=0.25)[0] < 10


def test_pictures_stand_beside_or_below_one_another() -> None:
    first, second, third = picture_rows([0.0, 200.0, 210.0], 100.0)
    assert first == second > third
    assert len(set(picture_rows([0.0, 1.0, 2.0, 3.0], 100.0))) == len(ROWS)


def test_pictures_hide_no_peak() -> None:
    """The curves stay below the lowest picture; legend and margins take a tenth of the height."""
    assert min(ROWS) - PICTURE_PX / (0.88 * MAIN_PX) / 2 >= 1.0 - ROOM_WITH_PICTURES


@pytest.mark.parametrize(
    ("clock", "light", "at_ends", "text"),
    [
        (Clock.SOLAR_ORBITER, LIGHT, (), "Time [UTC at Solar Orbiter]"),
        (Clock.EARTH, LIGHT, (), "Time [UTC at Earth = Solar Orbiter + 195.3 s]"),
        (Clock.SUN, LIGHT, (), "Time [UTC at the Sun = Solar Orbiter − 300.0 s]"),
        (Clock.EARTH, LightTimes(300, -4.2, 1.3, ""), (), "Time [UTC at Earth = Solar Orbiter − 4 ± 2 s]"),
        (
            Clock.SUN,
            LIGHT,
            (LightTimes(290.0, 205.0, 0.1, ""), None),
            "Time [UTC at the Sun = Solar Orbiter − 300.0 s in the middle; at the ends − 290.0 s and unknown]",
        ),
        (Clock.SUN, None, (), "Time [UTC at Solar Orbiter]"),
    ],
)
def test_the_axis_says_whose_clock_it_shows(
    clock: Clock, light: LightTimes | None, at_ends: tuple[LightTimes | None, ...], text: str
) -> None:
    assert axis_label(clock, light, at_ends) == text


def test_the_clock_moves_the_axis_and_not_the_data(curves: Any) -> None:
    plot = LightCurvePlot(RouteLinks(), lambda _: None, lambda _: None, lambda _: None, dark=False)
    state = state_of(curves, 2, 1)
    plot.show(state.curves, Clock.SOLAR_ORBITER)
    data = plot._sources.rates.data["time"].copy()
    start = plot.x_range.start
    object.__setattr__(state.curves, "light", LIGHT)
    plot.show(state.curves, Clock.EARTH)
    assert plot.x_range.start == start
    assert (plot._sources.rates.data["time"] == data).all()
    assert plot._clock_range.start == pytest.approx(start + 195_300)
    plot.set_dark(True)
    plot.set_scale("linear")
    assert plot._axis.axis_label == "Time [UTC at Earth = Solar Orbiter + 195.3 s]"
    assert plot.window == state.window


def test_a_click_on_a_flare_or_a_picture_tells_which(curves: Any) -> None:
    said: list[str] = []
    plot = LightCurvePlot(RouteLinks(), lambda _: None, said.append, said.append, dark=False)
    state = state_of(curves, 0, 24, pictures=True)
    plot.show(state.curves, Clock.SOLAR_ORBITER)
    plot.show_images(state.images)
    assert plot._sources.pictures.data["url"][0].startswith("archive/thumbnail/")
    for source in (plot._sources.flares, plot._sources.frames, plot._sources.frames):
        source.selected.indices = [1]
    assert said == ["2211100301", state.images.on_curves[1].image_id, state.images.on_curves[1].image_id]


def test_lengths_have_a_unit_that_fits() -> None:
    assert [length(s) for s in (20, 60, 100, 3600, 86_400, 90_000, 864_000)] == [
        "20 s", "60 s", "1.67 min", "60 min", "24 h", "25 h", "10 days",
    ]  # fmt: skip


def test_the_status_names_what_is_there_and_escapes(curves: Any) -> None:
    state = state_of(curves, 2.5, 1)
    object.__setattr__(state.curves, "light", LIGHT)
    html = status_html(state.curves, simulated=False, downloads=True)
    about = about_html(state.curves, state.extent, simulated=False)
    for text in ("2022-11-10 02:30:00 – 03:30:00", "1 flare in", "from 2022-11-10 to 2022-11-11", "300.0 s to Solar"):
        assert text in html + about
    assert "&lt;a file&gt;" in about
    assert "archive/lightcurve.csv?start=" in html
    assert "archive/" not in status_html(state.curves, simulated=False, downloads=False)


def test_no_image_says_how_far_the_nearest_is(curves: Any) -> None:
    state = state_of(curves, 10, 1, pictures=True, clock="earth")
    html = images_html(state.images, state)
    assert "No images in this window." in html
    assert "is 4 h later" in html
    assert "clock=earth&amp;img=yes" in html
    assert "image=" not in html


def test_empty_archives_are_explained(curves: Any, small: Any) -> None:
    assert "has no quick-look light curves yet" in nothing_recorded(None)
    assert "damaged" in nothing_recorded(None, damaged=True)
    assert "cover 2022-11-10 00:00:00" in nothing_recorded(state_of(curves, 0, 1).extent)
    state = LightCurvesState(ArchiveSource(small.archive.root))
    state.load()
    assert "Its images cover" in nothing_recorded(state.extent)


def test_the_opening_draws_the_bands_with_their_gaps(curves: Any) -> None:
    svg = curves_svg(state_of(curves, 7, 3).curves, ["4_10", "50_84"], log=True)
    assert svg.count("<path") == 2
    assert svg.count("M") == 4  # before and after the gap, twice
    assert len(svg) < 40_000
    assert curves_svg(state_of(curves, 8.2, 0.5).curves, ["4_10"], log=True) == ""
