"""Spectra of regions are filed in a real browser, and appear on the page; the tab offers its own energies."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from archive import Archive, RegionFilter
from jobs.executors.serial import SerialExecutor
from jobs.queue.journal import Journal
from jobs.queue.worker import Worker
from jobs.renderings.planner import RequestPlanner
from stixcore.spectra.models.thermal import KEV_PER_MK

pytestmark = [pytest.mark.needs_chromium, pytest.mark.needs_shared_data]
FLARE = "2211116471"
#: Few channels and copies, so that the measurement is quick.
QUICK = (
    f"science_data?uid={FLARE}&tab=regions&method=mem_ge&map=65,4&copies=2&least_counts=20000&model=vth"
    "&regions=circle:west:830,145,20"
)
NOTHING = "No spectra of regions of this file have been filed."


def sign_in(page: Page, url: str, address: str, password: str) -> None:
    """Sign in as alice, and go on to a page."""
    page.goto(f"{url}/login?next={quote(f'/{address}', safe='')}")
    page.get_by_label("Name").fill("alice")
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/science_data?**")
    expect(page.locator("#opening")).to_have_count(0)


def test_filed_regions_appear_on_the_page_of_their_author(
    watch: Callable[..., Any],
    desktop: BrowserContext,
    science_server: Any,
    science_archive: Archive,
    password: str,
    axe: Callable[..., None],
) -> None:
    """Hidden ones: for alice, from the button to picture and form, and nothing for a guest."""
    archive, watched = science_archive, watch(desktop, science_server.url)
    page = watched.page
    sign_in(page, watched.url, QUICK, password)
    expect(page.get_by_text("of the flux in the image")).to_be_visible()
    expect(page.get_by_text(NOTHING)).to_be_visible()
    page.get_by_label("Hidden from others").check()
    page.get_by_role("button", name="File in the archive").click()
    expect(page.get_by_text("No worker is running")).to_be_visible()
    number = max(request.request_id for request in Journal(archive.root).requests("alice"))

    with SerialExecutor() as executor:
        Worker(archive.root, RequestPlanner(), executor, lambda: np.datetime64("now", "us")).run(until_idle=True)
    filed = page.locator("details.regions")
    expect(filed.locator("summary").first).to_contain_text("MEM_GE: west")  # by itself
    expect(filed.locator("summary").first).to_contain_text("by alice, hidden")
    expect(page.get_by_text(f"Request {number} is done and filed")).to_be_visible()
    expect(page.get_by_text(NOTHING)).to_have_count(0)
    (part,) = Journal(archive.root).parts(number)
    assert archive.count_region_spectra(RegionFilter(uid=FLARE)) == 0
    (row,) = archive.region_spectra(RegionFilter(uid=FLARE, viewer="alice"))
    assert (row.region_id, row.hidden) == (part.run_id, True)
    response = page.request.get(f"{watched.url}/api/v1/region-spectra/{row.region_id}")
    (region,) = response.json()["regions"]["regions"]
    fitted = region["fit"]["parameters"]["T_keV"]["value"] / KEV_PER_MK
    shown = filed.get_by_role("row", name="west").first.inner_text()
    assert any(float(text) == pytest.approx(fitted, rel=0.01) for text in re.findall(r"\d+\.\d+", shown))
    picture = filed.locator("img.regions")
    picture.scroll_into_view_if_needed()
    page.wait_for_function("image => image.complete && image.naturalWidth > 1000", arg=picture.element_handle())
    axe(page)

    # filed again, it is there already; its link fills in the form
    page.get_by_role("button", name="File in the archive").click()
    expect(page.get_by_text("is in the archive already")).to_be_visible()
    expect(filed).to_have_count(1)
    page.get_by_role("link", name="The form filled in as for these spectra").click()
    expect(page.get_by_label("Name of region 1")).to_have_value("west")
    expect(page.get_by_label("Circle: X, Y, radius [″]")).to_have_value("830, 145, 20")
    expect(page.get_by_label("Copies for errors", exact=True)).to_have_value("2")
    expect(page.get_by_text("of the flux in the image")).to_be_visible()

    page.context.clear_cookies()
    guest = watched.visit(f"science_data?uid={FLARE}")
    expect(guest.get_by_text(NOTHING)).to_be_visible()
    assert page.request.get(f"{watched.url}/archive/regions/{row.region_id}/regions.png").status == 404


def shown(energy: int) -> re.Pattern[str]:
    """How a field shows a number."""
    return re.compile(rf"^{energy}(\.0)?$")


def test_the_tab_offers_its_energies_until_some_are_typed(
    watch: Callable[..., Any], desktop: BrowserContext, science_server: Any
) -> None:
    watched = watch(desktop, science_server.url)
    page = watched.visit(f"science_data?uid={FLARE}&tab=analysis")
    low, high = (page.get_by_role("textbox", name=name) for name in ("From [keV]", "To [keV]"))
    expect(low).to_have_value(shown(6))
    page.get_by_role("tab", name="Regions").click()
    expect(low).to_have_value(shown(4))
    expect(high).to_have_value(shown(28))
    page.get_by_role("tab", name="Interactive analysis").click()
    expect(low).to_have_value(shown(6))
    expect(high).to_have_value(shown(10))
    watched.type_into("To [keV]", "12")
    expect(page.locator("p.box")).to_contain_text("6–12 keV")
    page.get_by_role("tab", name="Regions").click()
    expect(page.get_by_role("button", name="Measure")).to_be_visible()
    expect(high).to_have_value(shown(12))
    expect(low).to_have_value(shown(6))
