from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import param
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive import Archive
from archive.index.series import BANDS
from dashboards.pages.lightcurves.images import MOST_ON_CURVES, WindowImages, images_in, spread
from dashboards.pages.lightcurves.state import BINS, LightCurvesState
from dashboards.shared.access import GUEST, Visitor
from dashboards.shared.errors import NotUnderstood
from dashboards.shared.light_times import Clock
from dashboards.shared.source import ArchiveSource
from dashboards.shared.time_window import DAY_S, SHORTEST_S, Window

HOUR, DAY = 3600.0, 86_400.0


def state_of(archive: Any, **params: Any) -> LightCurvesState:
    state = LightCurvesState(ArchiveSource(archive.root), **params)
    state.load()
    return state


def test_the_end_of_the_data_comes_first(curves: Any) -> None:
    state = state_of(curves.archive)
    assert state.window == Window(curves.start, DAY)
    assert state.address == ""
    assert state.curves.recorded
    assert state.extent.what == "light curves"
    assert (state.simulated, state.both_series) == (False, False)
    assert state.curves.n_flares == 2
    state.show_last(6 * HOUR)
    assert state.address == f"?start={curves.start + 18 * 3600}&span=21600"


def test_rates_gaps_and_attenuator_are_those_of_the_archive(curves: Any) -> None:
    state = state_of(curves.archive, start=float(curves.start + 7 * 3600), span=3 * HOUR, bin_s=4.0)
    view = state.curves.view
    assert view.bucket_s == 0.0
    gap = np.flatnonzero(np.isnan(view.mean[:, 0]))
    assert view.time[gap] == [np.datetime64("2022-11-10T08:00:00")]
    assert view.mean[gap - 1, 0] == 62.5
    state.show(Window(curves.start + 2.9 * HOUR, 1800.0))
    view = state.curves.view
    inside = view.time[view.rcr > 0]
    assert (inside[0], inside[-1]) == (np.datetime64("2022-11-10T03:00:00"), np.datetime64("2022-11-10T03:09:56"))


@given(
    st.integers(1_600_000_000, 2_000_000_000),
    st.integers(20, 600_000_000),
    st.sampled_from(BINS),
    st.sampled_from([clock.value for clock in Clock]),
    st.lists(st.sampled_from(BANDS), unique=True),
    st.booleans(),
)
def test_any_view_survives_its_address(
    start: int, span: int, bin_s: float, clock: str, bands: list[str], pictures: bool
) -> None:
    nowhere = ArchiveSource(Path("/nowhere"))
    state = LightCurvesState(nowhere)
    with param.parameterized.discard_events(state):  # the address alone, nothing is loaded
        state.param.update(start=float(start), span=float(span), bin_s=bin_s, clock=clock, bands=bands)
        state.param.update(pictures=pictures, scale="linear")
    other = LightCurvesState(nowhere)
    assert other.take_address(state.address) == []
    for name in LightCurvesState.address_keys:
        assert getattr(other, name) == getattr(state, name)


def test_fractions_of_a_second_are_understood(curves: Any) -> None:
    state = LightCurvesState(ArchiveSource(curves.archive.root))
    assert state.take_address(f"?start={curves.start}.7&span=60.5") == []
    assert state.window == Window(curves.start + 0.7, 60.5)


BAD = ("start=abc", "start=-5", "start=nan", "span=5", "span=inf", "span=1e12", "clock=mars", "bin=7")


@pytest.mark.parametrize("bad", BAD)
def test_bad_addresses_are_complained_about_and_the_rest_is_kept(curves: Any, bad: str) -> None:
    state = LightCurvesState(ArchiveSource(curves.archive.root))
    complaints = state.take_address(f"?{bad}&img=yes&scale=linear")
    assert len(complaints) == 1
    assert bad in complaints[0]
    assert (state.pictures, state.scale) == (True, "linear")
    state.load()
    assert state.curves.problem == ""


def test_windows_stay_inside_what_an_address_may_say(curves: Any) -> None:
    state = state_of(curves.archive)
    state.show(Window(-1e10, 1.0))
    assert (state.start, state.span) == (1_577_836_800.0, SHORTEST_S)
    state.shift(-1)
    assert state.start == 1_577_836_800.0


def test_moving_by_windows_to_flares_and_times(curves: Any) -> None:
    state = state_of(curves.archive, start=float(curves.start), span=HOUR)
    state.shift(1)
    assert state.window == Window(curves.start + HOUR, HOUR)
    state.go_to("2211101501")
    assert state.window.begin < np.datetime64("2022-11-10T15:01") < state.window.end
    before = state.window
    with pytest.raises(NotUnderstood):
        state.go_to("no flare")
    assert state.window == before


def test_too_fine_bins_become_longer_and_it_is_said(curves: Any) -> None:
    state = state_of(curves.archive, start=float(curves.start), span=30 * DAY, bin_s=20.0)
    assert state.curves.coarser
    assert state.curves.view.bucket_s > 20.0
    state.bin_s = 3600.0
    assert (state.curves.coarser, state.curves.view.bucket_s) == (False, 3600.0)


def test_images_come_when_they_are_asked_for_and_only_those_of_the_window(curves: Any) -> None:
    state = state_of(curves.archive, start=float(curves.start + 2.5 * HOUR), span=HOUR)
    assert state.images.images == ()
    state.pictures = True
    assert [image.flare_id for image in state.images.images] == ["2200000003"] * 2
    assert [image.method for image in state.images.images] == ["bp", "clean"]
    assert [image.method for image in state.images.on_curves] == ["clean"]
    bp, clean = state.images.images
    trusted, doubtful = replace(bp, trusted=True), replace(clean, trusted=False)
    assert WindowImages((trusted, doubtful)).on_curves == (trusted,)
    state.go_to("2211101501")
    assert {image.flare_id for image in state.images.images} == {"2200000015"}
    state.pictures = False
    assert state.images.images == ()


def test_no_image_in_the_window_names_the_nearest(curves: Any) -> None:
    state = state_of(curves.archive, start=float(curves.start + 10 * HOUR), span=HOUR, pictures=True)
    nearest = state.images.nearest
    assert state.images.images == ()
    assert (nearest.image.flare_id, nearest.later) == ("2200000015", True)
    assert nearest.away == np.timedelta64(4 * 3600, "s")
    state.show(Window(curves.start + 5 * HOUR, HOUR))
    assert (state.images.nearest.image.flare_id, state.images.nearest.later) == ("2200000003", False)
    assert state.images.nearest.away == np.timedelta64(2 * 3600 - 60, "s")


def test_hidden_images_are_their_owners(curves: Any) -> None:
    window = Window(curves.start + 3.9 * HOUR, 0.5 * HOUR)

    def seen(visitor: Visitor) -> list[str]:
        return [image.image_id for image in images_in(curves.archive, window, visitor, simulated=False).images]

    assert seen(GUEST) == seen(Visitor("bob")) == []
    assert seen(Visitor("alice")) == seen(Visitor("olga", operator=True)) == [curves.hidden.image_id]
    # who signs out sees them no more, in the same session
    who = [Visitor("alice")]
    state = state_of(curves.archive, visitor=lambda: who[0], start=window.start, span=window.span, pictures=True)
    state.opened = curves.hidden.image_id
    assert state.detail is not None
    who[0] = GUEST
    state.opened = ""
    state.opened = curves.hidden.image_id
    assert state.detail is None
    state.shift(0)
    state.pictures = False
    state.pictures = True
    assert state.images.images == ()


def test_no_more_pictures_than_the_curves_bear_spread_over_the_window() -> None:
    window = Window(0.0, 1000.0)
    recipes = [
        {"recipe_id": n, "t_start": np.datetime64(n * 1_000_000, "us"), "trusted": n % 2 == 0, "goes_flux": float(n)}
        for n in range(1000)
    ]
    chosen = spread(recipes, window, MOST_ON_CURVES)
    assert len(chosen) == MOST_ON_CURVES
    assert [recipe["recipe_id"] for recipe in chosen[:2]] == [24, 48]  # the strongest trusted one of each part
    assert spread(recipes[:5], window, MOST_ON_CURVES) == recipes[:5]


def test_stepping_goes_through_the_strip(curves: Any) -> None:
    state = state_of(curves.archive, pictures=True)
    ids = [image.image_id for image in state.images.images]
    state.opened = ids[0]
    state.step(1)
    assert (state.opened, state.detail.image.image_id) == (ids[1], ids[1])
    state.step(99)
    assert state.opened == ids[-1]
    state.opened = "0123456789abcdef-clean"
    assert "there is no image" in state.detail_problem


def test_an_archive_without_light_curves_still_shows_flares_and_images(small: Any) -> None:
    state = state_of(small.archive, pictures=True)
    assert state.extent.what == "images"
    assert not state.curves.recorded
    assert state.curves.problem == ""
    assert state.images.images
    assert state.both_series
    state.series = "simulated"
    assert [image.image_id for image in state.images.images] == [small.simulated.image_id]


def test_empty_and_missing_archives(tmp_path: Path) -> None:
    state = state_of(Archive(tmp_path / "archive", create=True), pictures=True)
    assert (state.extent, state.curves.problem, state.images.nearest) == (None, "", None)
    state.show_last(DAY)  # there is nothing to show the end of
    assert state.start is None
    missing = LightCurvesState(ArchiveSource(tmp_path / "nowhere"))
    missing.load()
    assert "There is no archive here yet" in missing.curves.problem


def test_the_light_time_at_the_ends_is_asked_for_where_it_matters(imaged: Archive) -> None:
    state = LightCurvesState(ArchiveSource(imaged.root), series="simulated", span=DAY_S)
    state.load()
    assert state.curves.light_ends == ()
    state.clock = "earth"
    middle, first, last = state.curves.light, *state.curves.light_ends
    assert middle is not None
    for one in (first, last):  # of a day of simulated data some hours have an ephemeris
        assert one is None or 0 < abs(one.to_solar_orbiter - middle.to_solar_orbiter) < 10
    state.span = 3600.0
    assert state.curves.light_ends == ()
