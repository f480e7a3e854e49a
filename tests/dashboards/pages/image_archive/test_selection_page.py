"""Selecting images, and what can be done with them, in a real browser."""

import csv
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from archive import Archive, ImageFilter

pytestmark = pytest.mark.needs_chromium


def boxes(page: Page) -> Any:
    return page.locator(".rows tbody tr input[type=checkbox]")


def expect_selected(page: Page, number: int) -> None:
    expect(page.get_by_role("status").filter(has_text="selected")).to_contain_text(f"{number} selected")


def test_a_shared_selection_and_what_is_made_of_it(watched: Any, small: Any) -> None:
    """A guest gets scripts and files of a selection; it survives paging, sorting and filtering."""
    picked = [small.newest_first[place] for place in (0, 2)]
    page = watched.visit(f"image_archive?tab=images&picked={','.join(picked)}")
    expect_selected(page, 2)
    with page.expect_download() as started:
        page.get_by_role("button", name="Table").click()
    rows = list(csv.DictReader(Path(started.value.path()).read_text().splitlines()))
    assert {row["image_id"] for row in rows} == set(picked)

    page.get_by_role("button", name="Create animation…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("2 images selected.")
    script = dialog.get_by_role("link", name="Python script for this animation")
    address = script.get_attribute("href")
    assert address.startswith("archive/selection/animation.py?images=")
    assert set(address.partition("images=")[2].partition("&")[0].split(",")) == set(picked)
    expect(dialog).to_contain_text("Sign in to render this here")
    expect(dialog.get_by_role("button", name="Render here")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    page.get_by_role("button", name="Download…").click()
    zipped = dialog.get_by_role("link", name="Zip: FITS, scripts, manifest, citation")
    expect(zipped).to_have_attribute("href", re.compile(r"bundle\.zip\?images=[0-9a-f,a-z_-]+$"))
    dialog.get_by_label("Include the level-1 files").check()
    expect(zipped).to_have_attribute("href", re.compile(r"bundle\.zip\?images=.*&inputs=yes$"))
    with page.expect_download() as started:
        dialog.get_by_role("link", name="Table as CSV").click()
    assert started.value.suggested_filename == "stix_images.csv"
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)

    boxes(page).nth(2).uncheck()
    expect_selected(page, 1)
    boxes(page).nth(3).focus()
    page.keyboard.press("Space")
    expect_selected(page, 2)
    page.get_by_role("button", name="Go to page 2").click()
    expect(page.get_by_text("26–50 of 61 images")).to_be_visible()
    boxes(page).nth(1).check()
    expect_selected(page, 3)
    everywhere = {small.newest_first[place] for place in (0, 3, 26)}
    page.wait_for_url(lambda url: all(image_id in url for image_id in everywhere))

    page.get_by_role("button", name="Go to page 1", exact=True).click()
    expect(page.get_by_text("1–25 of 61 images")).to_be_visible()
    for place in (0, 3):
        expect(boxes(page).nth(place)).to_be_checked()
    expect(boxes(page).nth(1)).not_to_be_checked()
    expect_selected(page, 3)
    page.locator(".rows th button", has_text="Solar X").click()
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

    page.locator(".rows thead input[type=checkbox]").check()
    expect_selected(page, 25)


@pytest.mark.parametrize("width", [1280, 390])
def test_all_of_the_dialog_fits_and_colours_are_remembered(
    watch: Callable[..., Any], browser: Browser, imaged_server: Any, width: int
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 800})
    page = watch(context, imaged_server.url).visit("image_archive?method=clean")
    page.locator(".rows tbody tr .thumb:visible").first.click()
    dialog = page.get_by_role("dialog")
    table = dialog.locator("table.methods")
    expect(table.locator("tbody tr")).to_have_count(7)
    assert table.evaluate("t => t.scrollWidth <= t.parentElement.clientWidth")  # nothing is cut
    expect(dialog.locator(".bk-Figure")).to_have_count(2)
    legends = "[...Bokeh.documents[0]._all_models.values()].filter(m => m.type === 'Legend')"
    # the browser reports the width after the figure is drawn
    page.wait_for_function(f"() => {legends}.some(m => m.ncols === {2 if width < 700 else 6})")

    picture = dialog.locator("img.large")
    first = str(picture.get_attribute("src"))
    dialog.get_by_role("combobox", name="Colours").click()
    page.get_by_role("menuitem", name="cividis").click()
    expect(picture).not_to_have_attribute("src", first)
    chosen = str(picture.get_attribute("src"))
    page.reload()
    expect(picture).to_have_attribute("src", chosen)
    context.close()


def of_one_recipe(archive: Archive) -> list[str]:
    (newest, *_) = archive.images(limit=1)
    return [image.image_id for image in archive.images(ImageFilter(recipe_id=newest.recipe_id))]


#: One that is no model of the source, the usual one, and one whose unit differs.
COMPARED = ("bp", "clean", "vis_fwdfit")


def test_the_dialog_by_keyboard_and_images_compared_and_tracked(
    watch: Callable[..., Any], desktop: BrowserContext, imaged_server: Any, imaged: Archive, axe: Callable[..., None]
) -> None:
    picked = [i for i in of_one_recipe(imaged) if i.endswith(tuple(f"-{method}" for method in COMPARED))]
    assert len(picked) == len(COMPARED)
    watched = watch(desktop, imaged_server.url)
    page = watched.visit(f"image_archive?tab=images&method=clean&picked={','.join(picked)}")
    expect_selected(page, len(picked))
    thumbnails = page.locator(".rows tbody tr .thumb")
    expect(thumbnails.nth(1)).to_be_visible()
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

    page.get_by_role("button", name="Compare").click()
    expect(page.locator(".bk-Figure")).to_have_count(len(picked))
    # wheel over one, and all have moved
    figures = "[...Bokeh.documents[0]._all_models.values()].filter(m => m.type === 'Figure')"
    shown = f"{figures}.filter(m => Bokeh.index.find_one(m)?.el.isConnected)"  # those of the dialog are gone
    ranges = f"{shown}.map(m => m.x_range.start)"
    page.wait_for_function(f"() => new Set({ranges}).size === 1")
    # the maps are square
    page.wait_for_function(
        f"() => {shown}.every(m => m.inner_height > 0 && Math.abs(m.inner_width - m.inner_height) < 2)"
    )
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
    expect(page.get_by_text("Position and size are those of the brightest source")).to_be_visible()
    with page.expect_download() as started:
        page.get_by_role("button", name="Download table (CSV)").click()
    rows = list(csv.DictReader(Path(started.value.path()).read_text().splitlines()))
    assert {row["image_id"] for row in rows} == set(picked)
    page.get_by_role("button", name="Clear selection").click()
    expect(page.get_by_text("Select up to 300 images")).to_be_visible()

    page.get_by_role("tab", name="Images").click()
    page.locator(".rows tbody tr").nth(1).click()
    dialog.get_by_role("link", name=re.compile(r"^all \d+ images")).click()
    page.wait_for_url("**image_archive?flare=*")
    expect(page.locator(".rows tbody tr").first).to_be_visible()
