"""Selecting images, and what can be done with them, in a real browser."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from archive import Archive, ImageFilter

pytestmark = pytest.mark.needs_chromium


def boxes(page: Page) -> Any:
    return page.locator(".tabulator-row input[type=checkbox]")


def expect_selected(page: Page, number: int) -> None:
    expect(page.get_by_role("status").filter(has_text="selected")).to_contain_text(f"{number} selected")


def test_a_selection_survives_paging_sorting_and_filtering(watched: Any, small: Any) -> None:
    page = watched.visit("image_archive")
    boxes(page).nth(0).check()
    boxes(page).nth(3).focus()
    page.keyboard.press("Space")
    expect_selected(page, 2)
    page.get_by_role("button", name="Go to page 2").click()
    expect(page.get_by_text("26–50 of 61 images")).to_be_visible()
    boxes(page).nth(1).check()
    expect_selected(page, 3)
    picked = {small.newest_first[place] for place in (0, 3, 26)}
    page.wait_for_url(lambda url: all(image_id in url for image_id in picked))

    page.get_by_role("button", name="Go to page 1", exact=True).click()
    expect(page.get_by_text("1–25 of 61 images")).to_be_visible()
    for place in (0, 3):
        expect(boxes(page).nth(place)).to_be_checked()
    expect(boxes(page).nth(1)).not_to_be_checked()
    expect_selected(page, 3)
    page.locator(".tabulator-col", has_text="Solar X").click()
    page.wait_for_url("**sort=peak_hpc_x**")
    watched.type_into("Uid, flare or image id", "2211100007")
    expect(page.get_by_text("1–2 of 2 images")).to_be_visible()
    expect_selected(page, 3)

    page.get_by_role("button", name="Select all 2 matches").click()
    expect_selected(page, 2)
    for place in (0, 1):
        expect(boxes(page).nth(place)).to_be_checked()
    boxes(page).nth(0).uncheck()
    expect_selected(page, 1)
    expect(page.get_by_role("dialog")).to_have_count(0)  # a tick is no wish to look
    page.get_by_role("button", name="Clear", exact=True).click()
    expect(page.get_by_text("1–25 of 61 images")).to_be_visible()
    expect_selected(page, 1)
    page.get_by_role("button", name="Clear selection").click()
    expect_selected(page, 0)

    page.locator(".tabulator-header input[type=checkbox]").check()
    expect_selected(page, 25)


def test_the_table_of_a_shared_selection_is_downloaded(watched: Any, small: Any) -> None:
    picked = [small.newest_first[2], small.newest_first[40]]
    page = watched.visit(f"image_archive?picked={','.join(picked)}")
    expect_selected(page, 2)
    with page.expect_download() as started:
        page.get_by_role("button", name="Table").click()
    rows = list(csv.DictReader(Path(started.value.path()).read_text().splitlines()))
    assert {row["image_id"] for row in rows} == set(picked)


def test_more_filters_and_other_columns(watched: Any, small: Any) -> None:
    page = watched.visit("image_archive")
    page.get_by_role("button", name="More", exact=True).click()
    expect(page.get_by_role("button", name="Less", exact=True)).to_be_visible()  # nobody types faster than that
    watched.type_into("GOES class", "≥ C1")
    expect(page.get_by_text("1–20 of 20 images")).to_be_visible()
    watched.type_into("Solar X [″]", "-500..-441")
    expect(page.get_by_text("1–4 of 4 images")).to_be_visible()
    watched.type_into("Min. counts", "many")
    expect(page.get_by_text("“many” is not a number")).to_be_visible()
    page.get_by_label("Columns").click()
    page.get_by_role("menuitem", name="Recipe").click()
    expect(page.locator(".tabulator-row").first).to_contain_text(small.images[6].recipe_id)
    page.keyboard.press("Escape")
    page.wait_for_url("**columns=**")
    assert "recipe" in watched.query["columns"][0]
    assert (watched.query["goes"], watched.query["x"]) == (["≥ C1"], ["-500..-441"])
    page.reload()
    expect(page.locator(".tabulator-col", has_text="Recipe")).to_be_visible()
    expect(page.get_by_label("GOES class")).to_have_value("≥ C1")


def of_one_recipe(archive: Archive) -> list[str]:
    (newest, *_) = archive.images(limit=1)
    return [image.image_id for image in archive.images(ImageFilter(recipe_id=newest.recipe_id))]


def test_images_are_compared_and_tracked(
    watch: Callable[..., Any], desktop: BrowserContext, imaged_server: Any, imaged: Archive, axe: Callable[..., None]
) -> None:
    picked = [i for i in of_one_recipe(imaged) if not i.endswith("full_disk_bp")]
    watched = watch(desktop, imaged_server.url)
    page = watched.visit(f"image_archive?picked={','.join(picked)}")
    expect_selected(page, len(picked))
    page.get_by_role("button", name="Compare").click()
    expect(page.locator(".bk-Figure")).to_have_count(len(picked))
    # wheel over one, and all have moved
    ranges = (
        "Bokeh.documents[0]._all_models.values().filter(m => m.type === 'Figure').map(m => m.x_range.start).toArray()"
    )
    page.wait_for_function(f"() => new Set({ranges}).size === 1")
    before = page.evaluate(ranges)
    page.locator(".bk-Figure").first.hover()
    page.mouse.wheel(0, -300)
    page.wait_for_function(f"before => {ranges}.every(start => start !== before)", arg=before[0])
    page.wait_for_function(f"() => new Set({ranges}).size === 1")

    page.get_by_label("Contours of the reference").check()
    expect(page.get_by_text("Contours relative to the reference's maximum")).to_be_visible()
    page.get_by_label("Subtract the reference").check()
    expect(page.get_by_text("Images whose unit differs from the reference")).to_be_visible()
    page.wait_for_url("**contours=yes&difference=yes**")
    axe(page)

    page.get_by_role("tab", name="Tracks").click()
    expect(page.get_by_text("Forward fits show the strongest source")).to_be_visible()
    with page.expect_download() as started:
        page.get_by_role("button", name="Download table (CSV)").click()
    rows = list(csv.DictReader(Path(started.value.path()).read_text().splitlines()))
    assert {row["image_id"] for row in rows} == set(picked)
    page.get_by_role("button", name="Clear selection").click()
    expect(page.get_by_text("Select up to 300 images")).to_be_visible()


def test_the_dialog_by_keyboard(
    watch: Callable[..., Any], desktop: BrowserContext, imaged_server: Any, imaged: Archive, axe: Callable[..., None]
) -> None:
    watched = watch(desktop, imaged_server.url)
    page = watched.visit("image_archive?method=clean")
    thumbnails = page.locator(".tabulator-row .thumb")
    names = [str(name).removeprefix("Show ") for name in thumbnails.evaluate_all("all => all.map(b => b.ariaLabel)")]
    thumbnails.nth(0).focus()
    page.keyboard.press("Enter")
    dialog, picture = page.get_by_role("dialog"), page.get_by_role("dialog").locator("img.large")
    expect(picture).to_be_visible()
    first = picture.get_attribute("src")
    expect(dialog).to_contain_text(names[0].split(", ")[1])
    page.keyboard.press("ArrowRight")
    expect(dialog).to_contain_text(names[1].split(", ")[1])
    expect(picture).not_to_have_attribute("src", str(first))
    page.keyboard.press("ArrowLeft")
    expect(picture).to_have_attribute("src", str(first))

    dialog.get_by_role("button", name="VIS_FWDFIT").click()
    expect(dialog.get_by_role("heading", name="Fitted sources")).to_be_visible()
    expect(dialog.get_by_role("button", name="VIS_FWDFIT")).to_have_attribute("aria-pressed", "true")
    expect(dialog.get_by_role("heading", name="Visibilities")).to_be_visible()
    dialog.get_by_label("Zoom and read values").check()
    expect(dialog.locator(".bk-Figure")).to_have_count(3)  # the map, amplitudes and phases
    expect(picture).to_have_count(0)
    axe(dialog)
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(thumbnails.nth(0)).to_be_focused()

    page.locator(".tabulator-row").nth(1).click()
    dialog.get_by_role("link", name="all").click()
    page.wait_for_url("**image_archive?flare=*")
    expect(page.locator(".tabulator-row").first).to_be_visible()
