"""A real browser, and pages in which nothing may go wrong."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Request, expect, sync_playwright

#: Milliseconds to wait for anything: a busy machine is no fault of the page.
PATIENCE = 60_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=PATIENCE)
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
        self.page.set_default_timeout(PATIENCE)
        self.page.on("console", lambda m: self.faults.append(m.text) if m.type in {"error", "warning"} else None)
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("requestfailed", self._check_failure)
        self.page.on("response", lambda r: self.faults.append(f"{r.status}: {r.url}") if r.status >= 400 else None)
        self.page.on("request", lambda r: self._check_host(r.url, host))
        self.page.on("websocket", lambda socket: self._check_host(socket.url, host))
        # wherever a click, Back or a reload leads: what was sent first says the same as the live page after it,
        # and whoever looks meanwhile waits until it is gone
        self.page.add_locator_handler(self.page.locator("#opening"), lambda: None)

    def _check_failure(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # so ends what was still loading when the visitor went on
            self.faults.append(f"failed: {request.url} {request.failure}")

    def _check_host(self, url: str, host: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"data", "blob"} and parts.netloc != host:
            self.faults.append(f"foreign: {url}")

    def visit(self, address: str) -> Page:
        """Open an address and wait until the live page stands."""
        self.page.goto(f"{self.url}/{address}")
        expect(self.page.locator("#opening")).to_have_count(0)
        return self.page

    def type_into(self, label: str, text: str) -> None:
        """Type into a field and leave it, as a person does."""
        field = self.page.get_by_label(label, exact=True)
        # panel.ui's field shows a number otherwise while one is in it, and hands over what it knew when it was last
        # drawn: a person cannot be faster than that, and a busy browser has drawn when it has nothing else to do
        drawn = (
            "new Promise(done => requestAnimationFrame(() => requestIdleCallback(() => requestAnimationFrame(done))))"
        )
        field.focus()
        self.page.evaluate(drawn)
        field.fill(text)
        self.page.evaluate(drawn)
        expect(field).to_have_value(text)
        field.press("Enter")
        field.blur()

    def brush(self, left: float, right: float, top: float, bottom: float) -> None:
        """Drag a box over the first figure; numbers are shares of its width and height."""
        figure = self.page.locator(".bk-Figure").first
        place = None
        while place is None or place != figure.bounding_box():  # the page is still being laid out
            place = figure.bounding_box()
            self.page.wait_for_timeout(300)
        middle = ((left + right) / 2, (top + bottom) / 2)
        points = [(left, top), middle, (right, bottom)]
        (first, *rest) = [(place["x"] + x * place["width"], place["y"] + y * place["height"]) for x, y in points]
        self.page.mouse.move(*first)
        self.page.mouse.down()
        for point in rest:
            self.page.mouse.move(*point)
        self.page.mouse.up()

    def expect_no_sideways_scrolling(self) -> None:
        """The page comes to fit into its window."""
        self.page.wait_for_function("document.documentElement.scrollWidth <= innerWidth")

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


#: Findings that lock somebody out; "moderate" and "minor" ones are matters of taste.
GRAVE = {"serious", "critical"}


def look_with_axe(part: Locator) -> list[str]:
    """Run axe on a part of a page."""
    part.page.evaluate(AXE_SCRIPT)
    found = part.evaluate("part => axe.run(part, {resultTypes: ['violations']}).then(result => result.violations)")
    return [
        f"{finding['id']} ({finding['impact']}), {finding['help']}: {node['html'][:200]} in {node['target']}"
        for finding in found
        if finding["impact"] in GRAVE
        for node in finding["nodes"]
    ]


@pytest.fixture
def axe() -> Callable[..., None]:
    """Nothing grave may stand between a page and people who see, hear or point otherwise: ``axe(page)``.

    A locator instead of the page looks at a part of it.
    """

    def check(what: Page | Locator) -> None:
        assert look_with_axe(what.locator("html") if isinstance(what, Page) else what) == []

    return check
