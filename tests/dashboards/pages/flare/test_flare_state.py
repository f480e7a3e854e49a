"""What the flare page loads, and for whom."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from archive import NotInArchive
from dashboards.pages.flare.content import MOST_SETS, curve_window, json_sentences, load_flare
from dashboards.pages.flare.state import FlareState
from dashboards.shared.access import GUEST, Visitor
from dashboards.shared.light_times import Clock
from dashboards.shared.source import ArchiveSource
from dashboards.shared.time_window import Window

ALICE, BOB, OPERATOR = Visitor("alice"), Visitor("bob"), Visitor("olga", operator=True)


def state_of(flared: Any, visitor: Visitor = GUEST, search: str = "") -> FlareState:
    state = FlareState(ArchiveSource(flared.archive.root), lambda: visitor)
    state.take_address(search or f"?id={flared.flare.flare_id}")
    state.load()
    return state


def test_a_flare_comes_with_its_image_sets_in_order_of_time(flared: Any) -> None:
    state = state_of(flared)
    assert state.problem == ""
    assert state.content is not None
    assert state.content.flare == flared.flare
    assert [one.first.image_id for one in state.content.sets] == [flared.images[1].image_id, flared.images[3].image_id]
    assert [image.image_id for image in state.content.images] == [image.image_id for image in flared.images]
    assert state.content.n_sets == 2
    assert state.content.sets[0].run is not None
    assert state.content.curves is not None


@pytest.mark.parametrize(("visitor", "sees"), [(GUEST, False), (BOB, False), (ALICE, True), (OPERATOR, True)])
def test_hidden_images_are_for_their_author_and_operators(flared: Any, visitor: Visitor, sees: bool) -> None:
    content = load_flare(flared.archive, flared.flare.flare_id, visitor)
    assert (flared.hidden.image_id in {image.image_id for image in content.images}) == sees
    assert content.n_sets == 2 + sees


def test_a_hidden_best_image_is_no_best_image_for_others(flared: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    hidden = replace(flared.flare, best_image_thermal=flared.hidden.image_id)
    monkeypatch.setattr(flared.archive, "flare", lambda _: hidden)
    assert load_flare(flared.archive, flared.flare.flare_id, BOB).thermal is None


def test_any_id_of_the_flare_leads_to_it(flared: Any) -> None:
    state = state_of(flared, search="?id=2211100303")
    assert state.content is not None
    assert state.content.flare.flare_id == flared.flare.flare_id


@pytest.mark.parametrize(
    ("search", "problem"),
    [
        ("?clock=earth", "The URL names no flare (example: flare?id=2211111136)."),
        ("?id=9901010000", "The archive has no flare “9901010000”."),
        ("?id=%3Cb%3E", "The archive has no flare “<b>”."),
    ],
)
def test_without_a_flare_the_page_says_why(flared: Any, search: str, problem: str) -> None:
    state = state_of(flared, search=search)
    assert state.content is None
    assert state.problem == problem
    state.step(1)
    assert state.opened == ""


def test_an_image_opens_and_the_next_one(flared: Any) -> None:
    state = state_of(flared)
    state.opened = flared.images[0].image_id
    assert state.detail is not None
    state.step(1)
    assert state.opened == flared.images[1].image_id
    assert state.address == f"?id={flared.flare.flare_id}&image={flared.images[1].image_id}"
    state.opened = flared.hidden.image_id
    assert state.detail is None
    assert state.detail_problem == f"there is no image {flared.hidden.image_id!r}"


def test_clocks_follow_the_light_from_the_flare(flared: Any) -> None:
    content = load_flare(flared.archive, flared.flare.flare_id)
    assert [content.shift(clock) for clock in Clock] == [0.0, 183.1, -308.7]
    unknown = replace(content, flare=replace(flared.flare, earth_delay_s=None, sun_delay_s=None))
    assert [unknown.shift(clock) for clock in Clock] == [0.0, None, None]


def test_the_window_holds_the_flare_and_its_images(flared: Any) -> None:
    flare = flared.flare
    window = curve_window(flare)
    assert window.begin < flare.t_start
    assert window.end > flare.t_end
    short = replace(flare, t_start=None, t_end=None)
    assert curve_window(short) == Window.between(flare.t_peak, flare.t_peak).around(600.0).limited()
    assert curve_window(short, [flared.images[0]]).end > flared.images[0].t_end


def test_more_sets_than_a_page_shows_are_counted(flared: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dashboards.pages.flare.content.MOST_SETS", 1)
    content = load_flare(flared.archive, flared.flare.flare_id)
    assert (len(content.sets), content.n_sets) == (1, 2)
    assert MOST_SETS > 1


def test_sentences_of_the_index_that_are_no_list_are_left_out() -> None:
    assert json_sentences('["a", "b"]') == ("a", "b")
    assert json_sentences(None) == json_sentences("{") == json_sentences('{"a": 1}') == ()


def test_there_is_no_such_flare(flared: Any) -> None:
    with pytest.raises(NotInArchive):
        load_flare(flared.archive, "9901010000")
