from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.shared.errors import NotUnderstood
from dashboards.shared.time_window import LENGTHS, MOST_POINTS, POINTS, Window, go_to, resolution

HOUR, DAY = 3600.0, 86_400.0


def test_windows_move_and_grow_about_their_middle() -> None:
    window = Window(1000.0, 100.0)
    assert window.moved(-1) == Window(900.0, 100.0)
    assert window.around(300.0) == Window(900.0, 300.0)
    assert window.loaded == Window(950.0, 200.0)
    assert window.middle == np.datetime64("1970-01-01T00:17:30", "us")
    assert Window(1000.4, 3.0).limited() == Window(992.0, 20.0)
    assert Window.between(window.begin, window.end) == window


@given(st.floats(20.0, 20 * 366 * DAY), st.sampled_from([0.0, 4.0, 20.0, 60.0, 3600.0, DAY]))
def test_no_window_asks_for_more_than_a_screen_and_the_line_bear(span: float, bin_s: float) -> None:
    wanted = resolution(Window(1.65e9, span), bin_s)
    length = wanted.loaded.span / (wanted.points - 1)
    native = wanted.points >= 2 * wanted.loaded.span / 4.0
    assert wanted.loaded.start <= 1.65e9
    assert wanted.loaded.start + wanted.loaded.span >= 1.65e9 + span
    if bin_s and not wanted.wish_too_fine and not native:
        assert length == pytest.approx(bin_s)
    most = POINTS if not bin_s else MOST_POINTS
    assert span / (4.0 if native else length) <= most * 1.001 or length >= DAY * 0.999


@pytest.mark.parametrize(("span", "length"), [(HOUR, 4.0), (DAY, 60.0), (30 * DAY, 1800.0), (365 * DAY, 21_600.0)])
def test_the_page_takes_lengths_that_people_use(curves: Any, span: float, length: float) -> None:
    wanted = resolution(Window(curves.start, span))
    view = curves.archive.light_curve(wanted.loaded.begin, wanted.loaded.end, wanted.points)
    assert length in LENGTHS
    assert (view.bucket_s or 4.0) == length


def test_go_to_a_flare_or_a_time(curves: Any) -> None:
    now = Window(curves.start, HOUR)
    flare = go_to(" 2211100301 ", curves.archive, now)
    assert flare.begin < np.datetime64("2022-11-10T02:59:00") < np.datetime64("2022-11-10T03:21:00") < flare.end
    assert flare.span < 2 * HOUR
    november = Window.between(np.datetime64("2022-11-01"), np.datetime64("2022-12-01"))
    assert go_to("2022-11", curves.archive, now) == november
    moment = go_to("2022-11-10T13:30", curves.archive, now)
    assert (moment.span, moment.middle) == (HOUR, np.datetime64("2022-11-10T13:30", "us"))


@pytest.mark.parametrize("text", ["soon", "2211999999", "", "<b>"])
def test_what_is_neither_is_said(curves: Any, text: str) -> None:
    with pytest.raises(NotUnderstood):
        go_to(text, curves.archive, Window(curves.start, HOUR))
