"""The flares page in a real browser, on a really running server."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

pytestmark = pytest.mark.needs_chromium


def test_flares_are_found_sorted_and_opened(
    watch: Callable[..., Any], desktop: BrowserContext, flares_server: Any, flares: Any, axe: Callable[..., None]
) -> None:
    watched = watch(desktop, flares_server.url)
    page = watched.visit("")  # the first page of the service
    expect(page.get_by_text("1–25 of 30 flares")).to_be_visible()
    expect(page.get_by_role("link", name="Flares", exact=True)).to_have_attribute("aria-current", "page")
    row = page.locator(".rows tbody tr", has_text="2211110400")
    for text in ("04:00:00", "≈C3 (B9–C5)", "780″, 200″", "N12 W060 ± 2.1°", "behind", "1 028", "doubtful"):
        expect(row).to_contain_text(text)
    for place in (
        "flare?id=2211110400",
        "image_archive?flare=2211110400",
        "lightcurves?start=",
        "science_data?start=2022-11-11T03:58:32",
    ):
        expect(row.locator(f"a[href^='{place}']").first).to_be_visible()
    expect(page.get_by_role("figure")).to_have_count(2)
    axe(page)

    # the reason of a verdict is there by keyboard, without a mouse
    row.get_by_role("button", name="doubtful").focus()
    expect(page.get_by_text("Another place is 0.95 times as <bright>.").locator("visible=true")).to_have_count(1)
    page.get_by_role("button", name="Show the thermal image of flare 2211110400").click()
    expect(page.get_by_role("dialog").locator("img.large")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)

    page.get_by_role("columnheader", name="GOES").click()
    page.wait_for_url("**sort=-goes_flux**")
    expect(page.locator(".rows tbody tr").first).to_contain_text("M1.2")
    watched.type_into("GOES class", "M1")
    expect(page.get_by_text("1–6 of 6 flares")).to_be_visible()
    page.go_back()
    expect(page.get_by_text("1–25 of 30 flares")).to_be_visible()


def test_an_area_of_the_sun_and_a_time_are_selected_by_a_drag(
    watch: Callable[..., Any], desktop: BrowserContext, flares_server: Any
) -> None:
    watched = watch(desktop, flares_server.url)
    page = watched.visit("flares?view=carrington&rows=50")
    expect(page.get_by_text("20 of 30 flares have a position")).to_be_visible()
    watched.brush(0.5, 0.8, 0.2, 0.7)
    page.wait_for_url("**box=carrington:**")
    expect(page.get_by_text("1–30 of 30 flares")).to_have_count(0)
    page.get_by_role("button", name="Whole Sun").click()
    expect(page.get_by_text("1–30 of 30 flares")).to_be_visible()


def test_a_telephone_shows_the_table_first(watch: Callable[..., Any], browser: Browser, flares_server: Any) -> None:
    with browser.new_context(viewport={"width": 390, "height": 844}) as context:
        watched = watch(context, flares_server.url)
        page = watched.visit("flares")
        expect(page.locator(".rows tbody tr").first).to_be_in_viewport()
        watched.expect_no_sideways_scrolling()
        expect(page.get_by_role("figure")).to_have_count(0)
        page.get_by_role("button", name="Sun and flare rate").click()
        expect(page.get_by_role("figure")).to_have_count(2)
        watched.expect_no_sideways_scrolling()
        watched.page.close()
