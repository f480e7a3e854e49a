"""Spectra of regions in a real browser, by a guest: regions by mouse, by keyboard and from a link."""

import json
import re
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from dashboards.pages.science_data.region_map import MAP_PIXELS
from stixcore.spectra.models.thermal import KEV_PER_MK

pytestmark = [pytest.mark.needs_chromium, pytest.mark.needs_shared_data]
FLARE = "2211116471"
#: Few channels and copies, so that the measurement is quick.
QUICK = f"science_data?uid={FLARE}&tab=regions&method=mem_ge&map=65,4&copies=2&least_counts=20000&model=vth"
MAP = "Image with the regions"


def resting(page: Page, figure: Locator) -> dict[str, float]:
    """Where a figure is when the page no longer moves."""
    figure.scroll_into_view_if_needed()
    place = None
    while place is None or place != figure.bounding_box():
        place = figure.bounding_box()
        page.wait_for_timeout(300)
    return dict(place)


def drag(page: Page, right: float, up: float) -> None:
    """Drag on the map from near its middle, by shares of its width."""
    place = resting(page, page.get_by_role("figure", name=MAP))
    x, y = place["x"] + 0.57 * place["width"], place["y"] + 0.47 * place["height"]
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 0.5 * right * MAP_PIXELS, y - 0.5 * up * MAP_PIXELS)
    page.mouse.move(x + right * MAP_PIXELS, y - up * MAP_PIXELS)
    page.mouse.up()


def test_a_guest_draws_regions_measures_and_reads_the_temperature(
    watch: Callable[..., Any], desktop: BrowserContext, science_server: Any, axe: Callable[..., None]
) -> None:
    watched = watch(desktop, science_server.url)
    page = watched.visit(QUICK)
    expect(page.get_by_text("MEM_GE of the whole band")).to_be_visible()
    expect(page.get_by_role("button", name="Measure")).to_be_disabled()

    # by mouse: a circle of a tenth of the map, which has 260 arcsec
    drag(page, 0.1, 0.0)
    expect(page.get_by_label("Name of region 1")).to_have_value("region 1")
    numbers = page.get_by_label("Circle: X, Y, radius [″]")
    radius = float(numbers.input_value().split(",")[2])
    assert radius == pytest.approx(26.0, abs=2.0)
    expect(page.get_by_text("of the flux in the image")).to_be_visible()
    expect(page.get_by_role("button", name="Measure")).to_be_enabled()

    # as numbers: a polygon that shares pixels with it is refused beside it, until it is moved
    page.get_by_role("button", name="Add polygon").click()
    expect(page.get_by_text("a pixel can belong to one region only")).to_have_count(2)
    expect(page.get_by_role("button", name="Measure")).to_be_disabled()
    watched.type_into("Polygon: X, Y of every corner [″]", "760, 200, 790, 200, 790")
    expect(page.get_by_text("expected X and Y of every corner, found 5 numbers")).to_be_visible()
    watched.type_into("Polygon: X, Y of every corner [″]", "760, 200, 790, 200, 790, 240")
    expect(page.get_by_text("of the flux in the image")).to_have_count(2)
    watched.type_into("Name of region 1", "footpoint")
    expect(page.get_by_role("link", name="Link to this form")).to_have_attribute("href", re.compile("footpoint"))

    page.get_by_role("button", name="Measure").click()
    expect(page.get_by_role("region", name="Command")).to_be_visible()
    shown = page.get_by_role("region", name="Regions").get_by_role("row", name="footpoint").inner_text()
    with page.expect_download() as started:
        page.get_by_role("button", name="Download the spectra (ZIP)").click()
    with ZipFile(BytesIO(Path(started.value.path()).read_bytes())) as content:
        document = json.loads(content.read("regions.json"))
        command = content.read("command.txt").decode().strip()
    expect(page.get_by_role("region", name="Command")).to_have_text(command)
    assert [region["name"] for region in document["regions"]] == ["footpoint", "region 2"]
    fitted = document["regions"][0]["fit"]["parameters"]["T_keV"]["value"] / KEV_PER_MK
    read = [float(number) for number in re.findall(r"\d+\.\d+", shown)]
    assert any(number == pytest.approx(fitted, rel=0.01) for number in read)
    page.get_by_text("Shares and scale of every channel").click()
    expect(page.get_by_role("region", name="Channels").get_by_text("fewer than 20000").first).to_be_visible()
    axe(page)

    # a changed region needs another measurement; the link leads to the same form
    page.get_by_role("button", name="Delete region 2").click()
    expect(page.get_by_text("The form has changed since the last measurement.")).to_be_visible()
    expect(page.get_by_role("button", name="Download the spectra (ZIP)")).to_be_hidden()
    expect(page.get_by_role("link", name="Link to this form")).not_to_have_attribute("href", re.compile("polygon"))
    page.get_by_role("link", name="Link to this form").click()
    page.wait_for_url("**footpoint**")
    expect(page.locator("#opening")).to_have_count(0)
    expect(page.get_by_label("Name of region 1")).to_have_value("footpoint")
    expect(page.get_by_label("Name of region 2")).to_have_count(0)
    expect(page.get_by_text("of the flux in the image")).to_be_visible()


def test_by_keyboard_on_a_telephone_in_the_dark(
    watch: Callable[..., Any], browser: Browser, science_server: Any, axe: Callable[..., None]
) -> None:
    context = browser.new_context(viewport={"width": 420, "height": 844}, color_scheme="dark")
    phone = watch(context, science_server.url)
    page = phone.visit(f"{QUICK}&regions=contour:bright:60")
    expect(page.get_by_text("of the flux in the image")).to_be_visible()
    page.get_by_role("button", name="Add circle").press("Enter")
    expect(page.get_by_text("shares").first).to_be_visible()
    page.get_by_role("button", name="Delete region 1").press("Enter")
    expect(page.get_by_label("Name of region 1")).to_have_value("region 1")  # the circle moved up
    expect(page.get_by_label("Name of region 2")).to_have_count(0)
    expect(page.get_by_text("of the flux in the image")).to_be_visible()
    phone.expect_no_sideways_scrolling()
    width = page.evaluate("innerWidth")
    for figure in page.locator(".bk-Figure").all():  # none is cut off
        place = figure.bounding_box()
        assert place is None or place["x"] + place["width"] <= width
    axe(page)
    context.close()
