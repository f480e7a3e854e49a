"""Dialogs for what can be made of selected images, in a real browser, as a guest sees them."""

import re
from typing import Any

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.needs_chromium


def test_scripts_and_downloads_of_a_selection(watched: Any, small: Any) -> None:
    page = watched.visit("image_archive")
    ticks = page.locator(".tabulator-row input[type=checkbox]")
    ticks.nth(0).check()
    ticks.nth(2).check()
    expect(page.get_by_role("status").filter(has_text="selected")).to_contain_text("2 selected")
    ids = {small.newest_first[place] for place in (0, 2)}

    page.get_by_role("button", name="Create animation…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("2 images selected.")
    script = dialog.get_by_role("link", name="Python script for this animation")
    address = script.get_attribute("href")
    assert address.startswith("archive/selection/animation.py?images=")
    assert set(address.partition("images=")[2].partition("&")[0].split(",")) == ids
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
