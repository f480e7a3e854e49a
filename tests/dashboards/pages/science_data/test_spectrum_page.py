"""The fit of a spectrum in a real browser, by a guest."""

import json
import re
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from archive import Archive
from dashboards.shared.spectrum_table import parameters_html
from jobs.queue.journal import Journal
from stixcore.spectra.models.thermal import KEV_PER_MK

pytestmark = [pytest.mark.needs_chromium, pytest.mark.needs_shared_data]
FLARE, LONG = "2211116471", "2212273755"


def test_a_guest_brushes_a_window_fits_and_reads_the_temperature(
    watch: Callable[..., Any],
    desktop: BrowserContext,
    science_server: Any,
    science_archive: Archive,
    axe: Callable[..., None],
) -> None:
    requests, files = Journal(science_archive.root).requests(), set(science_archive.root.rglob("*.fits"))
    watched = watch(desktop, science_server.url)
    page = watched.visit(f"science_data?uid={FLARE}")
    page.get_by_role("tab", name="Spectrum", exact=True).click()
    page.wait_for_url("**tab=spectrum**")
    expect(page.get_by_text("Ready to fit 17 channels")).to_be_visible()
    first = page.locator("p.box").inner_text()
    watched.brush(0.42, 0.46, 0.3, 0.6)
    expect(page.locator("p.box")).not_to_have_text(first)
    page.get_by_role("button", name="Fit", exact=True).click()
    expect(page.get_by_role("row", name="Temperature T")).to_be_visible()
    shown = page.get_by_role("row", name="Temperature T").inner_text()
    with page.expect_download() as started:
        page.get_by_role("button", name="Download this fit (ZIP)").click()
    assert re.fullmatch(rf"stx_spectrum_{FLARE}_20221111T\d{{6}}\.zip", started.value.suggested_filename)
    with ZipFile(BytesIO(Path(started.value.path()).read_bytes())) as content:
        document = json.loads(content.read("spectrum.json"))
        command = content.read("command.txt").decode().strip()
    temperature = re.search(r"([\d.]+) .*MK", shown)
    assert temperature is not None
    fitted = document["fit"]["parameters"]["T_keV"]["value"] / KEV_PER_MK
    assert float(temperature[1]) == pytest.approx(fitted, rel=0.01)
    assert f"{temperature[1]} " in parameters_html(document["fit"])
    start, end = (time[11:19] for time in document["time_range"])
    window = f"{start} – {end}"
    expect(page.locator("p.box")).to_contain_text(window)
    expect(page.get_by_role("region", name="Command")).to_have_text(command)
    axe(page)

    # an invalid field is named, and there is nothing to press
    page.get_by_role("button", name="Advanced").click()
    watched.type_into("Fixed delta", "99")
    expect(page.get_by_text("Fixed delta: delta must be 1.5 to 12, found 99.0.")).to_be_visible()
    expect(page.get_by_text("The form has changed since the last fit.")).to_be_visible()
    expect(page.get_by_role("button", name="Fit", exact=True)).to_be_disabled()
    expect(page.get_by_role("button", name="Download this fit (ZIP)")).to_be_hidden()
    watched.type_into("Fixed delta", "6.5")
    expect(page.get_by_role("button", name="Fit", exact=True)).to_be_enabled()
    page.get_by_role("button", name="Fit", exact=True).click()
    expect(page.get_by_role("row", name="Spectral index")).to_contain_text("fixed")
    axe(page)

    # the link leads to the same form
    expect(page.get_by_role("link", name="Link to this form")).to_have_attribute("href", re.compile("fixed=delta:6.5"))
    page.get_by_role("link", name="Link to this form").click()
    page.wait_for_url("**fixed=delta:6.5**")
    expect(page.locator("#opening")).to_have_count(0)
    expect(page.locator("p.box")).to_contain_text(window)
    expect(page.get_by_label("Fixed delta", exact=True)).to_have_value("6.5")
    assert Journal(science_archive.root).requests() == requests
    assert set(science_archive.root.rglob("*.fits")) == files


def test_a_spectrogram_on_a_telephone_in_the_dark(
    watch: Callable[..., Any], browser: Browser, science_server: Any, axe: Callable[..., None]
) -> None:
    context = browser.new_context(viewport={"width": 420, "height": 844}, color_scheme="dark")
    phone = watch(context, science_server.url)
    page = phone.visit(f"science_data?uid={LONG}&tab=spectrum&model=vth&fit_energy=6,15")
    expect(page.get_by_role("tab", name="Interactive analysis")).to_have_count(0)
    expect(page.get_by_text("Entered range: whole channels in 6–15 keV.")).to_be_visible()
    page.get_by_role("button", name="Fit", exact=True).click()
    expect(page.get_by_role("row", name="Emission measure")).to_be_visible()
    phone.expect_no_sideways_scrolling()
    axe(page)
    context.close()
