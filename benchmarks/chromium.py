"""A served archive and a browser, for the benchmarks of the pages."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from playwright.sync_api import BrowserContext, Page, sync_playwright

from benchmarks.processor_time import cpu_seconds, descendants

ROOT = Path(__file__).resolve().parents[1]
#: Timeout of all waits, s: the machine may be busy.
PATIENCE_S = 600.0
#: Targets for all pages, s.
FIRST_CONTENT_BAR, FLIP_BAR = 0.6, 0.4
#: Factor by which the targets are longer for an archive with a million images.
MANY_RATIO = 2.0

#: Records, in the document at an address with a path, when the first frame with an element of a selector is drawn.
#: It is in the document from its beginning: after a question to the page the element may be gone.
_PAINTED = """(selector => {
  const look = () => {
    if (document.querySelector(selector)) { window.painted = performance.now() } else { requestAnimationFrame(look) }
  }
  if (location.protocol.startsWith('http')) { look() }
})(%s)"""


@contextmanager
def serving(archive: Path, log: Path | None = None) -> Iterator[str]:
    """Serve the pages of an archive, like ``python -m dashboards``, on a free port."""
    with served(archive, log) as server:
        yield server.url


@dataclass(frozen=True)
class Served:
    """A running server: its address and the id of its process."""

    url: str
    pid: int


@contextmanager
def served(archive: Path, log: Path | None = None) -> Iterator[Served]:
    """As `serving`, with the process of the server."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    environment = os.environ | {"STIX_ARCHIVE": str(archive), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "dashboards", "--port", str(port)]
    with (log or Path(os.devnull)).open("wb") as stream:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=stream, stderr=subprocess.STDOUT)
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not _answers(f"{url}/liveness"):
            if process.poll() is not None or time.monotonic() > deadline:
                message = f"the server did not start: {'' if log is None else log.read_text()}"
                raise RuntimeError(message)
            time.sleep(0.1)
        yield Served(url, process.pid)
    finally:
        process.terminate()
        process.wait(30)


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=10):
            return True
    except OSError:
        return False


@contextmanager
def chromium(height: int = 900) -> Iterator[BrowserContext]:
    """A headless browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        with browser.new_context(viewport={"width": 1280, "height": height}) as context:
            context.set_default_timeout(PATIENCE_S * 1e3)
            yield context
        browser.close()


def watched_page(context: BrowserContext, content: str) -> Page:
    """A page that records when an element of a selector, its main content, is first painted."""
    page = context.new_page()
    page.add_init_script(_PAINTED % json.dumps(content))
    return page


def visit(page: Page, address: str, alive: str) -> tuple[float, float]:
    """Open a URL.

    Parameters
    ----------
    page : Page
        Of `watched_page`.
    address : str
    alive : str
        JavaScript expression that is true when the live page is ready.

    Returns
    -------
    first, live : float
        Time until the browser paints the content, and until the live page is ready, s. Content that only the live page
        paints has the time of that.

    Raises
    ------
    playwright.sync_api.TimeoutError
        When the live page does not get ready.
    """
    page.goto("about:blank")
    begin = time.perf_counter()
    page.goto(address, wait_until="commit")
    page.wait_for_function(f"!document.getElementById('opening') && ({alive})")
    live = time.perf_counter() - begin
    paint = "Math.max(window.painted ?? 1e9, performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0)"
    return min(float(page.evaluate(paint)) / 1e3, live), live


@dataclass(frozen=True)
class Visit:
    """Times of opening a page, s: as of `visit`, and processor times of server and browser until the page is live."""

    first: float
    live: float
    server: float
    browser: float


def measured_visit(page: Page, server: Served, path: str, alive: str) -> Visit:
    """Open a page of a server as `visit` does, and measure processor times."""
    before = _processor_times(server)
    first, live = visit(page, f"{server.url}/{path}", alive)
    after = _processor_times(server)
    return Visit(first, live, after[0] - before[0], after[1] - before[1])


def _processor_times(server: Served) -> tuple[float, float]:
    """Of the server, and of all other children of this process: the browser."""
    serving_ones = set(descendants([server.pid]))
    others = set(descendants([os.getpid()])) - serving_ones - {os.getpid()}
    return sum(map(cpu_seconds, serving_ones)), sum(map(cpu_seconds, others))


def judged(what: Sequence[object], times: Sequence[float], bar: float | None) -> list[object]:
    """A row: name, median and worst [s], target [s], and whether the median meets the target."""
    middle = median(times)
    judgement = ["–", ""] if bar is None else [f"{bar:g}", "yes" if middle <= bar else "NO"]
    return [*what, f"{middle:.2f}", f"{max(times):.2f}", *judgement]


#: Column names of `judged`.
JUDGED = ["median [s]", "worst [s]", "target [s]", "met"]
