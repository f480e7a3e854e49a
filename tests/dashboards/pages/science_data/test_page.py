"""The science data page in a real browser, on real files."""

import http.client
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from archive import Archive

pytestmark = [pytest.mark.needs_chromium, pytest.mark.needs_shared_data]
FLARE, QUIET, LONG = "2211116471", "2211098157", "2212273755"


#: Alternative text of the picture in the image dialog.
BACK_PROJECTION = re.compile("^Back projection image, ")


@pytest.fixture
def watched(watch: Callable[..., Any], desktop: BrowserContext, science_server: Any) -> Any:
    return watch(desktop, science_server.url)


def test_from_the_table_to_a_file_its_neighbours_and_images(watched: Any, november: Archive) -> None:
    page = watched.visit("science_data?uid=2201010001&rows=7")
    expect(page.get_by_text("No science file has the name or uid '2201010001'.")).to_be_visible()
    expect(page.get_by_text("Ignored invalid rows=7 in the URL.")).to_be_visible()
    expect(page.get_by_text("1–3 of 3 files")).to_be_visible()
    rows = page.locator(".rows tbody tr")
    rows.get_by_role("button", name=FLARE).click()
    page.wait_for_url(f"**uid={FLARE}**")
    expect(page.get_by_role("heading", name=FLARE)).to_be_visible()
    expect_downloads(watched, november.locate(FLARE))

    names = [row.uid for row in november.science_files(sort=("-t_start",))]
    assert names == [LONG, FLARE, QUIET]
    for step, uid in (("Previous", LONG), ("Next", FLARE), ("Next", QUIET)):
        page.get_by_role("button", name=step).click()
        page.wait_for_url(f"**uid={uid}**")
        expect(page.get_by_role("heading", name=uid)).to_be_visible()
        if uid == LONG:
            expect(page.get_by_text("10\N{NARROW NO-BREAK SPACE}352 bins")).to_be_visible()
            expect(page.get_by_text("time bins are merged for display")).to_be_visible()
            expect(page.get_by_text("A spectrogram has no pixel data")).to_be_visible()
    expect(page.get_by_role("button", name="Next")).to_be_disabled()
    expect(page.get_by_role("button", name="Previous")).to_be_enabled()

    page.get_by_role("button", name="All files").click()
    expect(page.get_by_text("1–3 of 3 files")).to_be_visible()
    page.locator(".rows th button", has_text="Counts").click()
    expect(rows.first).to_contain_text(LONG)
    page.wait_for_url("**sort=-counts")
    page.get_by_label("Purpose").click()
    page.get_by_role("menuitem", name="science").click()
    expect(page.get_by_text("1–2 of 2 files")).to_be_visible()
    watched.type_into("Uid, name or subject", "2211111136")
    expect(page.get_by_text("1 file", exact=True)).to_be_visible()
    rows.first.get_by_role("button", name=FLARE).click()
    page.wait_for_url(f"**uid={FLARE}**")
    expect(page.get_by_role("heading", name=FLARE)).to_be_visible()
    for text in ("59 bins of 40–79.7 s", "4–28 keV, 17 channels", "8 of 12 per detector", "UTC at Solar Orbiter"):
        expect(page.get_by_text(text).first).to_be_visible()

    expect(page.get_by_text("Images of this file")).to_be_visible()
    watched.brush(0.42, 0.5, 0.2, 0.7)
    expect(page.get_by_text("Selected")).to_be_visible()
    chosen = page.wait_for_function(
        """() => {
            const boxes = Bokeh.documents.flatMap(d => [...d._all_models.values()])
                .filter(m => m.type === "BoxAnnotation" && m.visible && m.left > 1e9)
            return boxes.length && boxes.map(m => [m.left, m.right])
        }"""
    ).json_value()
    starts = {float(t.astype("datetime64[us]").astype(int)) / 1e3 for t in _edges(november)}
    assert chosen
    assert all(left in starts and right in starts for left, right in chosen)

    page.get_by_role("button", name="FITS header").click()
    expect(page.get_by_text("TELESCOP").first).to_be_visible()

    image = november.images()[0]
    cards = page.locator("[data-image]")
    expect(cards).to_have_count(november.count_images())
    page.locator(f'[data-image="{image.image_id}"]').click()
    expect(page.get_by_role("dialog").locator("img.large")).to_have_attribute("alt", BACK_PROJECTION)
    page.wait_for_url(f"**image={image.image_id}")
    page.get_by_role("dialog").press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)

    page.get_by_role("button", name="All files").click()
    expect(page.get_by_text("1 file", exact=True)).to_be_visible()


def _edges(november: Archive) -> list[Any]:
    from stixcore import read_pixel_data

    data = read_pixel_data(november.locate(FLARE))
    return [*data.t_start, *data.t_end]


def expect_downloads(watched: Any, path: Path) -> None:
    """The opened file comes byte for byte, whole and in part, and nothing else by its address."""
    with watched.page.expect_download() as started:
        watched.page.get_by_role("link", name=path.name).click()
    assert started.value.suggested_filename == path.name
    assert Path(started.value.path()).read_bytes() == path.read_bytes()
    connection = http.client.HTTPConnection(urlsplit(watched.url).netloc, timeout=20)
    connection.request("GET", f"/archive/science/{path.name}", headers={"Range": "bytes=80-159"})
    response = connection.getresponse()
    assert (response.status, response.read()) == (206, path.read_bytes()[80:160])
    for name in (FLARE, "nothing.fits", "..%2findex%2fschema.json", "../../requests.sqlite"):
        connection.request("GET", f"/archive/science/{name}")
        response = connection.getresponse()
        response.read()
        assert response.status == 404
    connection.close()


def test_on_a_telephone_in_the_dark(watch: Callable[..., Any], browser: Browser, science_server: Any) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, color_scheme="dark")
    phone = watch(context, science_server.url)
    page = phone.visit("science_data")
    expect(page.locator(".rows tbody tr").first.locator(".narrow", has_text="0 keV and more")).to_be_visible()
    page.locator(".rows tbody tr", has_text=FLARE).get_by_role("button").first.click()
    expect(page.get_by_role("heading", name=FLARE)).to_be_visible()
    phone.expect_no_sideways_scrolling()
    context.close()


def test_a_spectrum_of_the_file_is_chosen_and_drawn(watched: Any, axe: Callable[..., None]) -> None:
    page = watched.visit(f"science_data?uid={FLARE}")
    expect(page.get_by_role("heading", name="Spectra of this file")).to_be_visible()
    expect(page.get_by_text("none: no <signal>")).to_be_visible()
    expect(page.get_by_text("Automatic fit, not for publication.")).to_have_count(0)
    page.get_by_role("combobox", name="Spectrum", exact=True).click()
    page.get_by_role("menuitem", name="2022-11-11 11:11:02 – 11:12:02, vth+thick2").click()
    expect(page.get_by_role("figure", name="Residuals against energy")).to_be_visible()
    expect(page.get_by_text("18.18 ± 0.42 MK")).to_be_visible()
    page.wait_for_function("new URLSearchParams(location.search).get('spectrum') !== null")
    axe(page)
