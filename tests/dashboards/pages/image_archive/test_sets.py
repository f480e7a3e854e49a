"""The image archive by image set: one row per flare and band, its pictures side by side."""

from typing import Any

import pytest
from playwright.sync_api import expect

from archive.index.filters import ImageFilter
from dashboards.pages.image_archive.set_columns import SET_COLUMNS, SetRow, shown_columns
from dashboards.pages.image_archive.state import ImageArchiveState
from dashboards.pages.image_archive.table import SetTable
from dashboards.shared.access import Visitor
from dashboards.shared.links import RouteLinks
from dashboards.shared.source import ArchiveSource


@pytest.fixture
def state(small: Any) -> ImageArchiveState:
    made = ImageArchiveState(ArchiveSource(small.archive.root))
    made.load()
    return made


def recipes(state: ImageArchiveState) -> list[str]:
    return [row.run.run_id for row in state.sets.rows]


def cells(row: SetRow) -> dict[str, str]:
    return {column.field: column.cell(row, RouteLinks()) for column in SET_COLUMNS}


def test_one_row_per_flare_and_band_with_all_its_methods(small: Any, state: ImageArchiveState) -> None:
    assert (state.sets.total, state.listing.total) == (31, 61)
    assert recipes(state) == list(dict.fromkeys(i.partition("-")[0] for i in small.newest_first))[:25]
    first, second = state.sets.rows[:2]
    assert (list(first.images), list(second.images)) == (["clean"], ["bp", "clean"])
    shown = cells(second)
    assert all(f"archive/thumbnail/{second.images[method].image_id}" in shown[method] for method in ("bp", "clean"))
    # a telephone has space for one picture: without MEM_GE, of the method that stands for the set, and names it
    assert shown["mem_ge"].startswith('<span class="narrow">')
    assert f"archive/thumbnail/{second.images['clean'].image_id}" in shown["mem_ge"]
    assert "16–28 keV, CLEAN</span>" in shown["time"]
    assert "aria-expanded" in shown["rows"]
    assert "≤" not in shown["position"]


def test_an_opened_set_has_a_row_per_image(state: ImageArchiveState) -> None:
    run = state.sets.rows[1].run
    state.show_rows(run.run_id)
    assert [row.method for row in state.set_rows[:5]] == ["", "", "bp", "clean", ""]
    assert state.set_rows[1].opened
    bp = cells(state.set_rows[2])
    assert f"archive/thumbnail/{state.set_rows[2].image_ids[0]}" in bp["bp"]
    assert (bp["clean"], bp["goes"]) == ("", "")
    assert "FITS" in bp["file"]
    state.show_rows(run.run_id)
    assert len(state.set_rows) == len(state.sets.rows)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"methods": ["bp"]},
        {"text": "2211100007"},
        {"text": "f38-bp"},
        {"trust": "doubtful"},
        {"trust": "trusted", "methods": ["clean"], "band": "4-10"},
        {"start": "2022-11-11"},
        {"goes": "C1"},
        {"estimated": "C1"},
        {"x": "≥ -300"},
        {"counts": "20000"},
        {"author": "anyone"},
    ],
)
def test_sets_are_those_of_the_matching_images(small: Any, state: ImageArchiveState, changes: dict[str, Any]) -> None:
    state.param.update(page_size=100, **changes)
    images = small.archive.images(state.image_filter(), limit=100)
    assert set(recipes(state)) == {image.recipe_id for image in images}
    assert state.listing.total == len(images)


def test_hidden_images_of_a_set_are_for_their_author(small: Any) -> None:
    which = ImageFilter(recipe_id=small.hidden.recipe_id)
    assert small.archive.set_page(which)[1] == 0
    for visitor in (Visitor("bob"), Visitor("alice")):
        state = ImageArchiveState(
            ArchiveSource(small.archive.root), visitor, text=small.hidden.recipe_id, author="anyone"
        )
        state.load()
        assert all(small.hidden.image_id not in row.image_ids for row in state.sets.rows) or visitor.name == "alice"


def test_sets_sort_by_what_runs_have(small: Any, state: ImageArchiveState) -> None:
    state.param.update(page_size=100, sort=["-net_counts"])
    counts = [row.counts.net for row in state.sets.rows]
    assert counts == sorted(counts, key=lambda value: (value is None, -(value or 0)))
    state.sort = ["e_low"]
    assert [row.run.e_low for row in state.sets.rows] == sorted(row.run.e_low for row in state.sets.rows)
    state.sort = ["chi2"]  # a column of images only: newest first
    assert recipes(state)[0] == small.newest_first[0].partition("-")[0]


def test_a_ticked_set_selects_its_images(state: ImageArchiveState) -> None:
    row = state.sets.rows[1]
    state.select(row.image_ids, ())
    assert state.n_selected == 2
    assert state.selected_rows == frozenset(row.image_ids)
    table = SetTable(lambda _: None, lambda _: None, lambda _: None, lambda _on, _off: None)
    table.show(state.set_rows, state.sort, RouteLinks(), state.selected_rows)
    assert table.widget.ticked == [1]
    table.tick(frozenset(row.image_ids[:1]))
    assert table.widget.ticked == []


def test_clicks_open_the_image_under_them(state: ImageArchiveState) -> None:
    opened, rows = [], []
    table = SetTable(opened.append, rows.append, lambda _: None, lambda _on, _off: None)
    table.show(state.set_rows, state.sort, RouteLinks())
    row = state.set_rows[1]
    table._on_click(row, "bp")
    table._on_click(row, "time")
    table._on_click(row, "file")
    table._on_click(row, "rows")
    assert opened == [row.images["bp"].image_id, row.images["clean"].image_id]
    assert rows == [row.run.run_id]


def test_multi_scale_clean_has_a_column_only_where_there_is_one(state: ImageArchiveState) -> None:
    assert "ms_clean" not in {column.method for column in shown_columns(state.sets.rows)}
    row = state.sets.rows[0]
    more = SetRow(row.run, {**row.images, "ms_clean": row.images["clean"]})
    assert "ms_clean" in {column.method for column in shown_columns((more,))}


def test_the_page_by_sets(watched: Any, small: Any, axe: Any) -> None:
    page = watched.visit("image_archive")
    expect(page.get_by_text("1–25 of 31 image sets")).to_be_visible()
    axe(page)
    rows = page.locator(".rows tbody tr")
    toggle = rows.nth(1).get_by_role("button", name="Show rows of the 2 images")
    toggle.focus()
    for opened in ("true", "false", "true"):  # the focus stays
        page.keyboard.press("Enter")
        expect(rows.nth(1).locator(".toggle")).to_have_attribute("aria-expanded", opened)
    expect(rows.nth(2)).to_contain_text("Back projection")
    expect(rows.nth(3)).to_contain_text("CLEAN")
    page.wait_for_url("**rows_of=**")
    rows.nth(1).locator(".thumb:visible").last.click()
    clean = next(i for i in small.newest_first if i.endswith("-clean") and i.startswith(watched.query["rows_of"][0]))
    page.wait_for_url(f"**image={clean}*")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("tab", name="Images", exact=True).click()
    expect(page.get_by_text("1–25 of 61 images")).to_be_visible()
