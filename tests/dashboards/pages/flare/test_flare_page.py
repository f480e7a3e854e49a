"""The flare page in a real browser, on a really running server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from archive import Archive
from archive.cubes import flare_cubes

pytestmark = pytest.mark.needs_chromium


@pytest.fixture(scope="module")
def flare_server(serve: Callable[[Path], Any], cubed: Archive) -> Iterator[Any]:
    with serve(cubed.root) as started:
        yield started


@pytest.fixture
def watched(watch: Callable[..., Any], desktop: BrowserContext, flare_server: Any) -> Any:
    return watch(desktop, flare_server.url)


def test_a_flare_is_read_shared_and_printed(
    watched: Any, flared: Any, desktop: BrowserContext, axe: Callable[..., None]
) -> None:
    """One visit: sections, clock, image dialog, citation, sections by link, paper."""
    desktop.grant_permissions(["clipboard-read", "clipboard-write"])
    page = watched.visit("flare?id=2211100303")
    expect(page.get_by_role("heading", name="Flare 2211100301")).to_be_visible()
    expect(page.get_by_text("2 image sets <b>(16-28 keV) put the flare 186″ away.")).to_be_visible()
    expect(page.get_by_role("img", name="Count rates against time")).to_be_visible()
    expect(page).to_have_title("Flare 2211100301 · STIX flare images")
    axe(page)

    page.get_by_role("combobox", name="Clock at").click()
    page.get_by_role("menuitem", name="Earth").click()
    expect(page.get_by_text("Time [UTC at Earth = Solar Orbiter +183.1 s], 2022-11-10").first).to_be_visible()
    page.wait_for_function("new URLSearchParams(location.search).get('clock') === 'earth'")

    page.get_by_role("link", name="How to cite").click()
    page.wait_for_function("location.hash === '#citation'")
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()").startswith("Flare 2211100301 (SOL2022-11-10T03:04:03")

    page.emulate_media(media="print")
    expect(page.get_by_role("button", name="Print")).to_be_hidden()
    expect(page.get_by_role("link", name="Image archive")).to_be_hidden()
    # on paper nothing scrolls: the document is as long as the page
    page.wait_for_function("document.documentElement.scrollHeight > 1.5 * innerHeight")
    page.emulate_media(media="screen")

    page.get_by_role("button", name="CLEAN").first.click()
    expect(page.get_by_role("dialog")).to_be_visible()
    page.wait_for_function(
        "id => new URLSearchParams(location.search).get('image') === id", arg=flared.images[1].image_id
    )


def test_another_spectrum_is_chosen_shared_and_printed(watched: Any) -> None:
    page = watched.visit("flare?id=2211100301")
    drawing = page.get_by_role("img", name="Count rate against energy")
    section = page.locator("section#spectrum")
    expect(drawing).to_be_visible()
    expect(section).to_contain_text("18.18 ± 0.42 MK")
    expect(section).to_contain_text("Automatic fit, not for publication.")
    for name in ("Spectrum (FITS)", "Response (FITS)", "Counts and fit (JSON)", "XSPEC, Sherpa (ZIP)"):
        expect(section.get_by_role("link", name=name)).to_be_visible()

    section.get_by_text("2 spectra to choose from").click()
    section.get_by_role("link", name="no fit").click()
    expect(section).to_contain_text("No fit: no channel has <counts> above the background.")
    page.wait_for_function("new URLSearchParams(location.search).get('spectrum') !== null")
    expect(section).not_to_contain_text("Temperature T")
    expect(drawing).to_be_visible()
    page.emulate_media(media="print")
    expect(drawing).to_be_visible()
    expect(section.get_by_role("link", name="Spectrum (FITS)")).to_be_hidden()
    page.emulate_media(media="screen")


def test_the_movie_of_the_cube_is_played_and_printed(watched: Any) -> None:
    page = watched.visit("flare?id=2211100301")
    movie, poster = page.locator("video"), page.locator("figure.movie img")
    expect(movie).to_be_visible()
    expect(poster).to_be_hidden()
    movie.scroll_into_view_if_needed()
    duration = movie.evaluate("async movie => { movie.muted = true; await movie.play(); return movie.duration }")
    assert duration == pytest.approx(0.75, abs=0.1)
    page.emulate_media(media="print")
    expect(movie).to_be_hidden()
    expect(poster).to_be_visible()
    assert poster.evaluate("picture => picture.naturalWidth") == 64
    page.emulate_media(media="screen")


def test_files_of_a_cube_come_in_ranges(flare_server: Any, cubed: Archive) -> None:
    (cube,) = flare_cubes(cubed, "2211100301")
    place = f"{flare_server.url}/archive/cube/{cube.group_id}"
    with urlopen(Request(f"{place}/movie.mp4", headers={"Range": "bytes=4-7"}), timeout=60) as answer:
        assert (answer.status, answer.read()) == (206, b"ftyp")
        assert answer.headers["Content-Type"] == "video/mp4"
        assert answer.headers["Content-Disposition"] == 'inline; filename="movie.mp4"'
    with urlopen(f"{place}/tracks.parquet", timeout=60) as answer:
        assert answer.headers["Content-Disposition"].startswith("attachment")
    for lost in ("other.mp4", "cube.json.bak"):
        with pytest.raises(HTTPError) as refused:
            urlopen(f"{place}/{lost}", timeout=60)
        with refused.value as error:
            assert error.code == 404


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_telephone_shows_all_of_it(
    browser: Browser, watch: Callable[..., Any], flare_server: Any, axe: Callable[..., None], scheme: str
) -> None:
    with browser.new_context(viewport={"width": 390, "height": 844}, color_scheme=scheme) as context:
        watched = watch(context, flare_server.url)
        theme = "dark" if scheme == "dark" else "default"
        page = watched.visit(f"flare?id=2211100301&theme={theme}")
        expect(page.get_by_role("heading", name="Geometry")).to_be_visible()
        expect(page.locator("video")).to_be_visible()
        watched.expect_no_sideways_scrolling()
        axe(page)
