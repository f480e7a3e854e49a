"""The image archive page in a real browser, on a really running server."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Page, Request, expect, sync_playwright

from archive import Archive

pytestmark = pytest.mark.needs_chromium


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=20_000)  # a busy machine is no fault of the page
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield started
        started.close()


@dataclass
class Watched:
    """A browser page, and everything in it that must not happen."""

    page: Page
    url: str
    faults: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        host = urlsplit(self.url).netloc
        self.page.on("console", lambda m: self.faults.append(m.text) if m.type in {"error", "warning"} else None)
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("requestfailed", self._check_failure)
        self.page.on("response", lambda r: self.faults.append(f"{r.status}: {r.url}") if r.status >= 400 else None)
        self.page.on("request", lambda r: self._check_host(r.url, host))
        self.page.on("websocket", lambda socket: self._check_host(socket.url, host))

    def _check_failure(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # so ends what was still loading when the visitor went on
            self.faults.append(f"failed: {request.url} {request.failure}")

    def _check_host(self, url: str, host: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"data", "blob"} and parts.netloc != host:
            self.faults.append(f"foreign: {url}")

    def open(self, query: str = "") -> Page:
        self.page.goto(f"{self.url}/image_archive{query}")
        expect(self.page.locator("#opening")).to_have_count(0, timeout=20_000)
        return self.page

    def ids(self) -> list[str]:
        """Images of the rows, in the order shown."""
        try:
            places = self.page.locator(".tabulator-row .file").evaluate_all(
                "all => all.map(a => a.getAttribute('href'))"
            )
        except Error:  # the page is just being loaded anew
            return []
        return [place.rpartition("/")[2] for place in places]

    def expect_ids(self, expected: list[str]) -> None:
        deadline = time.monotonic() + 20
        while (shown := self.ids()) != expected and time.monotonic() < deadline:
            self.page.wait_for_timeout(30)
        assert shown == expected

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.page.url).query)


@pytest.fixture(scope="module")
def desktop(browser: Browser) -> Iterator[BrowserContext]:
    """A browser that knows the scripts already, after the first page."""
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        yield context


@pytest.fixture
def watch() -> Iterator[Callable[[BrowserContext, str], Watched]]:
    """Open watched pages; the test fails when anything in them did."""
    pages: list[Watched] = []

    def make(context: BrowserContext, url: str) -> Watched:
        pages.append(Watched(context.new_page(), url))
        return pages[-1]

    yield make
    for watched in pages:
        watched.page.close()
    assert [watched.faults for watched in pages] == [[]] * len(pages)


@pytest.fixture
def watched(watch: Callable[..., Watched], desktop: BrowserContext, server: Any) -> Watched:
    return watch(desktop, server.url)


def image_of(small: Any, image_id: str) -> Any:
    return next(image for image in small.images if image.image_id == image_id)


def expected(small: Any, keep: Callable[[Any], bool], limit: int = 25) -> list[str]:
    """Newest first, of what a filter keeps."""
    return [image_id for image_id in small.newest_first if keep(image_of(small, image_id))][:limit]


def test_newest_first_with_pictures_page_by_page(watched: Watched, small: Any) -> None:
    page = watched.open()
    watched.expect_ids(small.newest_first[:25])
    expect(page.get_by_text("1–25 of 61 images")).to_be_visible()
    expect(page.get_by_role("alert")).to_contain_text("SIMULATED")
    thumbnail = page.locator(".tabulator-row .thumb img").first
    page.wait_for_function("image => image.complete && image.naturalWidth === 32", arg=thumbnail.element_handle())
    row = page.locator(".tabulator-row").nth(1)
    for text in ("2022-11-11", "05:00:00", "60 s", "2211100029", "16–28 keV", "−210.0", "trusted"):
        expect(row).to_contain_text(text)

    page.get_by_role("button", name="Go to page 3").click()
    watched.expect_ids(small.newest_first[50:])
    expect(page.get_by_text("51–61 of 61 images")).to_be_visible()
    page.get_by_role("button", name="Go to page 2").click()
    watched.expect_ids(small.newest_first[25:50])
    page.wait_for_url("**page=2")
    assert watched.query == {"page": ["2"]}

    # Back and Forward do what the visitor expects of them
    page.go_back()
    watched.expect_ids(small.newest_first[50:])
    page.go_forward()
    watched.expect_ids(small.newest_first[25:50])


def test_heads_sort_in_the_archive(watched: Watched, small: Any) -> None:
    page = watched.open()
    page.locator(".tabulator-col", has_text="Solar X").click()
    rising = sorted(small.newest_first, key=lambda i: (image_of(small, i).peak_hpc_x, i))
    watched.expect_ids(rising[:25])
    page.locator(".tabulator-col", has_text="Solar X").click()
    falling = sorted(small.newest_first, key=lambda i: (-image_of(small, i).peak_hpc_x, i))
    watched.expect_ids(falling[:25])
    page.wait_for_url("**sort=-peak_hpc_x")
    page.locator(".tabulator-col", has_text="χ²").click()  # half of them have none: those come last
    with_chi2 = [i for i in small.newest_first if image_of(small, i).chi2 is not None]
    by_chi2 = sorted(with_chi2, key=lambda i: (image_of(small, i).chi2, i))
    watched.expect_ids(by_chi2[:25])
    page.locator(".tabulator-row").nth(4).locator(".thumb").click()
    expect(page.locator("img.large")).to_have_attribute("src", f"archive/png/{by_chi2[4]}")


def test_filters_work_in_the_archive(watched: Watched, small: Any) -> None:
    page = watched.open()
    type_into(page, "From (UTC)", "2022-11-11")
    expect(page.get_by_text("1–13 of 13 images")).to_be_visible()
    page.get_by_label("Trust").click()
    page.get_by_role("menuitem", name="doubtful", exact=True).click()
    day = expected(small, lambda image: str(image.t_start) >= "2022-11-11" and not image.trusted)
    watched.expect_ids(day)
    page.get_by_label("Method").click()
    page.get_by_role("menuitem", name="CLEAN").click()
    watched.expect_ids([i for i in day if i.endswith("-clean")])
    page.keyboard.press("Escape")
    page.wait_for_url("**method=clean**")
    assert watched.query == {"start": ["2022-11-11"], "trust": ["doubtful"], "method": ["clean"]}

    page.get_by_role("button", name="Clear").click()
    watched.expect_ids(small.newest_first[:25])
    page.wait_for_url(lambda url: "?" not in url)
    page.get_by_label("Energy").click()
    page.get_by_role("menuitem", name="16–28 keV").click()
    watched.expect_ids(expected(small, lambda image: image.e_low == 16))
    type_into(page, "Uid, flare or image id", "2211100007")
    watched.expect_ids(expected(small, lambda image: image.uid == "2211100007"))

    type_into(page, "To (UTC)", "<b>soon")
    expect(page.get_by_text("“<b>soon” is no time")).to_be_visible()
    watched.expect_ids(expected(small, lambda image: image.uid == "2211100007"))
    type_into(page, "To (UTC)", "2021")
    expect(page.get_by_text("No image is in this selection.")).to_be_visible()


def type_into(page: Page, label: str, text: str) -> None:
    page.get_by_label(label).fill(text)
    page.get_by_label(label).press("Enter")


def test_a_row_opens_large_with_numbers_and_methods(watched: Watched, small: Any) -> None:
    page = watched.open("?method=clean")
    shown = watched.ids()
    page.locator(".tabulator-row").nth(2).click()
    dialog = page.get_by_role("dialog")
    picture = dialog.locator("img.large")
    expect(picture).to_have_attribute("src", f"archive/png/{shown[2]}")
    page.wait_for_function("image => image.complete && image.naturalWidth === 96", arg=picture.element_handle())
    image = image_of(small, shown[2])
    for text in (
        f"uid {image.uid}",
        "of them background 5\N{NARROW NO-BREAK SPACE}000",
        "roll −1.57°",
        "[arcsec]",
        "keV",
    ):
        expect(dialog).to_contain_text(text)
    expect(dialog.locator("thead th[scope=col]")).to_have_count(2)
    page.wait_for_url(f"**image={shown[2]}")

    dialog.get_by_role("button", name="Back projection").click()
    expect(picture).to_have_attribute("src", f"archive/png/{shown[2].replace('-clean', '-bp')}")
    dialog.get_by_role("button", name="CLEAN").click()
    expect(picture).to_have_attribute("src", f"archive/png/{shown[2]}")
    dialog.get_by_role("button", name="Next").click()
    expect(picture).to_have_attribute("src", f"archive/png/{shown[3]}")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.wait_for_url(lambda url: "image=" not in url)

    page.locator(".tabulator-row .thumb").nth(1).focus()
    page.keyboard.press("Enter")
    expect(picture).to_have_attribute("src", f"archive/png/{shown[1]}")


def test_fits_is_downloaded_byte_for_byte(watched: Watched, small: Any) -> None:
    page = watched.open()
    image = image_of(small, watched.ids()[5])
    with page.expect_download() as started:
        page.locator(".tabulator-row .file").nth(5).click()
    assert started.value.suggested_filename == Path(image.file).name
    assert Path(started.value.path()).read_bytes() == (small.archive.root / image.file).read_bytes()
    expect(page.get_by_role("dialog")).to_have_count(0)  # a download is not a wish to look

    page.get_by_role("tab", name="Bands without image").click()
    expect(page.get_by_text("1–3 of 3 bands without image")).to_be_visible()
    expect(page.get_by_text("no detector is on <b>")).to_be_visible()
    expect(page.get_by_text("too few counts").first).to_be_visible()
    page.get_by_role("tab", name="Images").click()
    expect(page.get_by_text("1–25 of 61 images")).to_be_visible()


def test_the_address_restores_everything(watched: Watched, small: Any) -> None:
    by_uid = sorted(
        (i for i in small.newest_first if image_of(small, i).e_low == 4), key=lambda i: (image_of(small, i).uid, i)
    )
    opened = by_uid[28]
    page = watched.open(f"?energy=4-10&sort=uid&page=2&image={opened}")
    watched.expect_ids(by_uid[25:])
    expect(page.locator("img.large")).to_have_attribute("src", f"archive/png/{opened}")
    expect(page.get_by_label("Energy", exact=True)).to_contain_text("4–10 keV")
    expect(page.get_by_text("26–30 of 30 images")).to_be_visible()

    watched.open(f"?page=many&image={small.hidden.image_id}")
    expect(page.get_by_text("The address says page=many, which means nothing here.")).to_be_visible()
    expect(page.get_by_text("There is no image")).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(0)


LIGHT, DARK = "rgb(255, 255, 255)", "rgb(19, 27, 36)"


def test_light_and_dark_on_a_telephone(watch: Callable[..., Watched], browser: Browser, server: Any) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, color_scheme="dark")
    phone = watch(context, server.url)
    page = phone.open()
    expect(page.locator("main")).to_have_css("background-color", DARK)  # as the system wants it
    first = page.locator(".tabulator-row").first
    for text in ("2022-11-11 07:00:00", "CLEAN, 16–28 keV", "SIMULATED", "FITS"):
        expect(first.get_by_text(text).first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_role("button", name="Toggle theme").click()
    expect(page.locator("main")).to_have_css("background-color", LIGHT)
    phone.open("?page=2")  # the choice is remembered
    expect(page.locator("main")).to_have_css("background-color", LIGHT)


def test_a_missing_and_an_empty_archive(
    watch: Callable[..., Watched], desktop: BrowserContext, serve: Callable[..., Any], tmp_path: Path
) -> None:
    with serve(tmp_path / "archive") as server:
        page = watch(desktop, server.url).open()
        expect(page.get_by_role("alert")).to_contain_text("There is no archive here yet")
        Archive(tmp_path / "archive", create=True)
        page.reload()
        expect(page.get_by_text("The archive holds no images yet")).to_be_visible()
        page.goto("about:blank")
