"""A served archive and a browser, for the benchmarks of the pages."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from playwright.sync_api import BrowserContext, Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
#: Timeout of all waits, s.
PATIENCE_S = 120.0
#: Targets for all pages, s.
FIRST_CONTENT_BAR, FLIP_BAR = 0.6, 0.4
#: Factor by which the targets are longer for an archive with a million images.
MANY_RATIO = 2.0

#: Records when the first frame with an element of a selector is drawn.
_PAINTED = """([selector]) => {
  const look = () => {
    if (document.querySelector(selector)) { window.painted = performance.now() } else { requestAnimationFrame(look) }
  }
  look()
}"""


@contextmanager
def serving(archive: Path, log: Path | None = None) -> Iterator[str]:
    """Serve the pages of an archive, like ``python -m dashboards``, on a free port."""
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
        yield url
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


def visit(page: Page, address: str, content: str, alive: str) -> tuple[float, float]:
    """Open a URL.

    Parameters
    ----------
    content : str
        Selector of the main content in the document.
    alive : str
        JavaScript expression that is true when the live page is ready.

    Returns
    -------
    first, live : float
        Time until the browser paints the content, and until the live page is ready, s.
    """
    page.goto("about:blank")
    begin = time.perf_counter()
    page.goto(address, wait_until="commit")
    page.evaluate(_PAINTED, [content])
    page.wait_for_function(f"!document.getElementById('opening') && ({alive})")
    live = time.perf_counter() - begin
    paint = "Math.max(painted, performance.getEntriesByName('first-contentful-paint')[0].startTime)"
    return float(page.evaluate(paint)) / 1e3, live


def judged(what: Sequence[object], times: Sequence[float], bar: float | None) -> list[object]:
    """A row: name, median and worst [s], target [s], and whether the median meets the target."""
    middle = median(times)
    judgement = ["–", ""] if bar is None else [f"{bar:g}", "yes" if middle <= bar else "NO"]
    return [*what, f"{middle:.2f}", f"{max(times):.2f}", *judgement]


#: Column names of `judged`.
JUDGED = ["median [s]", "worst [s]", "target [s]", "met"]
