"""What the flares page shows for its filter, order and page, without a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dashboards.pages.flares.state import FlaresState
from dashboards.pages.flares.view import FlaresPage, notices_for
from dashboards.pages.flares.views import SunView
from dashboards.shared.access import Visitor
from dashboards.shared.light_times import Clock
from dashboards.shared.links import RouteLinks
from dashboards.shared.source import ArchiveSource


def state_of(flares: Any, search: str = "", **more: Any) -> FlaresState:
    state = FlaresState(ArchiveSource(flares.archive.root), **more)
    assert state.take_address(search) == []
    state.load()
    return state


def ids_of(state: FlaresState) -> list[str]:
    return [row.flare.flare_id for row in state.listing.rows]


def test_newest_first_page_by_page(flares: Any) -> None:
    state = state_of(flares)
    assert ids_of(state) == flares.newest_first()[:25]
    assert (state.listing.total, state.listing.pages) == (30, 2)
    state.page = 2
    assert ids_of(state) == flares.newest_first()[25:]
    state.sort = ["-duration_s"]
    assert (state.page, ids_of(state)[0]) == (1, flares.flares[-1].flare_id)  # the longest one


@pytest.mark.parametrize(
    ("search", "keep"),
    [
        ("?start=2022-11-11", lambda flare: str(flare.t_peak) >= "2022-11-11"),
        ("?end=2022-11-10", lambda flare: str(flare.t_peak) < "2022-11-11"),
        ("?goes=M1", lambda flare: flare.goes_flux),
        ("?estimated=C1-C2", lambda _: False),
        ("?temperature=12..20", lambda flare: 12.0 <= (flare.temperature or 0.0) <= 20.0),
        ("?temperature=≥ 15&delta=..5", lambda flare: (flare.temperature or 0) >= 15 and (flare.delta or 9.0) <= 5.0),
        ("?verdict=doubtful", lambda flare: flare.location_verdict == "doubtful"),
        ("?verdict=unknown", lambda flare: flare.hpc_x is None),
        ("?earth=yes", lambda flare: flare.earth_visible),
        ("?earth=no", lambda flare: flare.earth_visible is False),
        ("?images=yes", lambda flare: flare.best_image_thermal),
        ("?x=..0&y=100..300", lambda flare: flare.hpc_x is not None and flare.hpc_x <= 0),
        ("?box=carrington:200,250,0,30", lambda flare: 200 <= (flare.carrington_lon or 0) <= 250),
        ("?box=earth:0,1000,0,300", lambda flare: flare.earth_x is not None and flare.earth_x >= 0),
        ("?text=SOL2022-11-10T05", lambda flare: flare.flare_id == "2211100500"),
        ("?series=simulated", lambda _: False),
    ],
)
def test_filters_in_the_address(flares: Any, search: str, keep: Any) -> None:
    """The table, the Sun and the flare rate show the same flares."""
    state = state_of(flares, search + "&rows=50")
    assert ids_of(state) == flares.newest_first(keep)
    assert sorted(state.sky.ids) == sorted(ids_of(state))
    assert state.filtered


def test_what_is_not_understood_is_said_and_not_used(flares: Any) -> None:
    state = state_of(flares, "?box=moon:0,1,0,1&goes=huge&temperature=hot&rows=50")
    assert state.listing.total == 30
    assert set(state.complaints) == {"box", "goes", "temperature"}
    assert any("is not an area of the map" in notice.text for notice in notices_for(state))
    assert FlaresState(ArchiveSource(flares.archive.root)).take_address("?view=moon") == [
        "Ignored invalid view=moon in the URL."
    ]


def test_order_by_temperature_and_index(flares: Any) -> None:
    """Flares without a fit come last in both directions."""
    state = state_of(flares, "?sort=-temperature&columns=temperature,delta&rows=50")
    temperatures = [row.flare.temperature for row in state.listing.rows]
    known = [value for value in temperatures if value is not None]
    assert known == sorted(known, reverse=True)
    assert temperatures == known + [None] * (30 - len(known))
    state.sort = ["delta"]
    indices = [row.flare.delta for row in state.listing.rows if row.flare.delta is not None]
    assert [row.flare.delta for row in state.listing.rows][: len(indices)] == sorted(indices)
    html = FlaresPage.opening(state, RouteLinks(), dark=False)
    assert "T [MK]" in html
    assert "EM [" not in html


def test_an_area_of_the_sun_is_a_filter_and_in_the_address(flares: Any) -> None:
    state = state_of(flares)
    state.page = 2
    state.brush_sky(SunView.EARTH, (0.0, 1000.0, 0.0, 300.0))
    assert state.address == "?box=earth:0,1000,0,300"
    assert state.listing.total == len(
        flares.newest_first(lambda flare: flare.earth_x is not None and flare.earth_x >= 0)
    )
    state.clear_filter()
    assert state.listing.total == 30


def test_a_long_brushed_time_is_in_whole_days(flares: Any) -> None:
    state = state_of(flares)
    begin = np.datetime64("2022-11-10T03:30:10.5", "us")
    state.brush_time(begin, begin + np.timedelta64(2, "h"))
    assert (state.start, state.end) == ("2022-11-10T03:30:10", "2022-11-10T05:30:10")
    assert ids_of(state) == ["2211100500", "2211100400"]
    state.brush_time(begin, begin + np.timedelta64(20, "D"))
    assert (state.start, state.end) == ("2022-11-10", "2022-11-30")


def test_hidden_pictures_are_shown_to_their_author_only(flares: Any) -> None:
    def row_of(state: FlaresState) -> Any:
        return next(row for row in state.listing.rows if row.flare.best_image_thermal)

    guest = row_of(state_of(flares))
    assert (guest.thermal, guest.nonthermal) == (flares.thermal, None)
    alice = row_of(state_of(flares, visitor=lambda: Visitor("alice")))
    assert (alice.thermal, alice.nonthermal) == (flares.thermal, flares.hidden)
    state = state_of(flares, f"?image={flares.hidden.image_id}")
    assert state.detail is None
    assert state.detail_problem


def test_the_pictures_of_a_page_follow_each_other(flares: Any) -> None:
    state = state_of(flares, f"?image={flares.thermal.image_id}", visitor=lambda: Visitor("alice"))
    assert (state.detail.image, state.steps.before, state.steps.after) == (flares.thermal, False, True)
    state.step(1)
    assert state.detail.image == flares.hidden


def test_first_content_has_the_rows(flares: Any) -> None:
    html = FlaresPage.opening(state_of(flares), RouteLinks(), dark=False)
    for text in ("1–25 of 30 flares", "2211110400", f"archive/thumbnail/{flares.thermal.image_id}", "N12 W060 ± 2.1°"):
        assert text in html
    assert "&lt;bright&gt;" in html
    assert "<bright>" not in html


def test_the_clock_is_that_of_the_choice(flares: Any) -> None:
    state = state_of(flares, "?text=2211110400")
    assert state.listing.rows[0].clock is Clock.SOLAR_ORBITER
    state.clock = "earth"
    assert "04:03:20" in FlaresPage.opening(state, RouteLinks(), dark=False)
    state.param.update(clock="sun")
    assert "03:55:00" in FlaresPage.opening(state, RouteLinks(), dark=False)


def test_nothing_to_show(flares: Any, tmp_path: Path) -> None:
    state = state_of(flares, "?text=nothing")
    assert [notice.text for notice in notices_for(state)] == ["No flare matches the filter."]
    missing = FlaresState(ArchiveSource(tmp_path))
    missing.load()
    assert missing.sky is None
    assert "There is no archive here yet" in notices_for(missing)[0].text
