"""Interactive reconstruction in a browser: from a selection to the instant image, from submission to images."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from archive import Archive
from archive.accounts import Accounts, Role
from archive.ingest.ingest import ingest
from benchmarks.chromium import JUDGED, chromium, judged, serving
from benchmarks.real_data import SHARED_DATA
from benchmarks.timing import print_table
from stixcore.imaging.methods import default_methods

FLARE, NAME, PASSWORD = "2211116471", "benchmark", "a long pass phrase"
#: Targets, s.
BRUSH_BAR, SUBMIT_BAR = 0.3, 4.0

#: Waits until the text of an element, in any shadow root, changes.
_CHANGED = """([selector, before]) => {
  const find = (node) => {
    for (const element of node.querySelectorAll('*')) {
      if (element.matches(selector) && element.innerText !== before) { return true }
      if (element.shadowRoot && find(element.shadowRoot)) { return true }
    }
    return false
  }
  return find(document)
}"""


def run() -> None:
    """Print the table."""
    if not SHARED_DATA.is_dir():
        print("\n  Skipped the reconstruction page: ../shared/data does not exist")
        return
    with tempfile.TemporaryDirectory() as folder:
        root = _archive(Path(folder))
        with serving(root) as url, _worker(root), chromium(height=1400) as context:
            load = os.getloadavg()[0]
            brushes, submissions = _measure(context.new_page(), url)
    rows = [
        judged(["select a box → instant image"], brushes, BRUSH_BAR),
        judged(["submit → images shown"], submissions, SUBMIT_BAR),
    ]
    print_table(f"Interactive reconstruction in Chromium, uid {FLARE}, load {load:.1f}", ["operation", *JUDGED], rows)


def _archive(folder: Path) -> Path:
    data = SHARED_DATA / "nov2022"
    names = (f"l1/*_{FLARE}-*.fits", "l1/*_2211098157-*.fits", "aux/*_20221111_*.fits")
    archive = Archive(folder / "archive", create=True)
    now = np.datetime64("now", "us")
    ingest(archive, [path for name in names for path in data.glob(name)], now)
    Accounts(archive.root).add(NAME, PASSWORD, now, Role.USER)
    archive.close()
    return archive.root


def _measure(page: Any, url: str) -> tuple[list[float], list[float]]:
    page.goto(f"{url}/login?next=%2Fscience_data%3Fuid%3D{FLARE}%26tab%3Danalysis")
    page.get_by_label("Name").fill(NAME)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_text("will be made").wait_for()
    page.wait_for_function("!document.getElementById('opening')")
    brushes = [_brush(page, number) for number in range(8)][2:]  # the first ones are warm-up
    submissions = [_submit(page, number) for number in range(4)][1:]
    return brushes, submissions


def _brush(page: Any, number: int) -> float:
    """Draw a box; time from the release of the mouse button to the new text of the instant image."""
    place = page.locator(".bk-Figure").first.bounding_box()
    left, top = place["x"] + (0.41 + 0.012 * number) * place["width"], place["y"] + 0.3 * place["height"]
    before = page.locator("p.box").inner_text()
    page.mouse.move(left, top)
    page.mouse.down()
    begin = time.perf_counter()
    page.mouse.move(left + 14, top + 60)
    page.mouse.up()
    page.wait_for_function(_CHANGED, arg=["p.box", before], polling="raf")
    return time.perf_counter() - begin


def _submit(page: Any, number: int) -> float:
    """Choose a minute and submit it; time until its images are on the page."""
    before = page.locator("p.box").inner_text()
    for label, second in (("To (UTC)", 50), ("From (UTC)", 10)):
        page.get_by_label(label).fill(f"2022-11-11T11:{37 + number}:{second}")
        page.get_by_label(label).press("Enter")
        page.wait_for_timeout(1000)
    page.wait_for_function(_CHANGED, arg=["p.box", before])
    known = page.locator("[data-image]").count()
    begin = time.perf_counter()
    page.get_by_role("button", name="Submit").click()
    while page.locator("[data-image]").count() < known + len(default_methods()):
        page.wait_for_timeout(20)
    return time.perf_counter() - begin


@contextmanager
def _worker(root: Path) -> Iterator[None]:
    command = [str(Path(sys.executable).parent / "stix-jobs"), "worker", "--archive", str(root), "--workers", "1"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.terminate()
