"""``python -m docs.screenshots``: screenshots of the pages with a simulated archive, taken in a real browser.

Without ``--all``, only the few screenshots of README and documentation are taken, small enough to be committed. With
it, all pages are written to a folder, light and dark, wide and narrow. Screenshots of real data are never committed.
"""

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from urllib.request import urlopen

from PIL import Image as Picture
from playwright.sync_api import Browser, Page, expect, sync_playwright

from archive import Archive, FlareFilter

ROOT = Path(__file__).resolve().parents[1]
COMMITTED = ROOT / "docs" / "pictures"
CHROMIUM = "/usr/bin/chromium"
WIDTHS = {"wide": (1280, 860), "phone": (390, 844)}
LARGEST = 150_000  # bytes of a committed screenshot
COLORS = 256
PATIENCE_MS = 300_000  # the machine may be busy


def _nothing(page: Page) -> None:
    """Leave the page as it opens."""


def _opened_image(page: Page) -> None:
    expect(page.get_by_role("dialog").locator("img.large")).to_be_visible()


@dataclass(frozen=True)
class Shot:
    """A screenshot: name, address, actions before it is taken, and the committed variants as (width, theme).

    The address may name values of `places_of` in braces.
    """

    name: str
    address: str
    act: Callable[[Page], None] = _nothing
    committed: tuple[tuple[str, str], ...] = ()


SHOTS = (
    Shot("flares", "flares", committed=(("wide", "light"), ("phone", "dark"))),
    Shot("flare", "flare?id={flare}", committed=(("wide", "light"), ("phone", "light"))),
    Shot("image_archive", "image_archive", committed=(("wide", "light"), ("wide", "dark"), ("phone", "light"))),
    Shot("image", "flare?id={flare}&image={image}", _opened_image, committed=(("wide", "light"),)),
    Shot("lightcurves", "lightcurves", committed=(("wide", "light"), ("phone", "dark"))),
    Shot("science_data", "science_data", committed=(("wide", "light"),)),
    Shot("operations", "operations"),
    Shot("login", "login"),
)


def places_of(root: Path) -> dict[str, str]:
    """A flare with a trusted position and images in two bands, and its best thermal image."""
    with closing(Archive(root)) as archive:
        which = FlareFilter(verdict="trusted", has_images=True)
        flares = archive.flare_page(which, sort=("-peak_counts",), limit=100)
    best = next((one for one in flares if one.best_image_thermal and one.best_image_nonthermal), None)
    if best is None:
        message = f"{root} has no flare with a trusted position and images in two bands"
        raise SystemExit(message)
    return {"flare": best.flare_id, "image": str(best.best_image_thermal)}


@contextmanager
def served(archive: Path) -> Iterator[str]:
    """Serve an archive on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    environment = os.environ | {"STIX_ARCHIVE": str(archive)}
    command = [sys.executable, "-m", "dashboards", "--port", str(port)]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL) as server:  # noqa: S603 - ours
        try:
            deadline = time.monotonic() + PATIENCE_MS / 1e3
            while not _answers(url):
                if server.poll() is not None or time.monotonic() > deadline:
                    message = "the server did not start"
                    raise SystemExit(message)
                time.sleep(0.1)
            yield url
        finally:
            server.terminate()


def _answers(url: str) -> bool:
    try:
        with urlopen(f"{url}/image_archive", timeout=20):  # noqa: S310 - our own server
            return True
    except OSError:
        return False


def take(browser: Browser, url: str, shot: Shot, places: dict[str, str], width: str, theme: str) -> bytes:
    """Take one screenshot, as PNG."""
    size = WIDTHS[width]
    address = shot.address.format(**places)
    separator = "&" if "?" in address else "?"
    with browser.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme=theme) as context:
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        page.goto(f"{url}/{address}{separator}theme={'dark' if theme == 'dark' else 'default'}")
        expect(page.locator("#opening")).to_have_count(0)  # wait for the live page; the sign-in page has none
        page.wait_for_load_state("networkidle")
        shot.act(page)
        page.wait_for_load_state("networkidle")
        page.evaluate("() => Promise.all([...document.images].map(i => i.decode().catch(() => 0)))")
        page.wait_for_timeout(600)  # fade-in animations have ended
        return page.screenshot()


def small(picture: bytes) -> bytes:
    """Reduce the number of colors for a smaller file; thin lines keep theirs, even if they have few pixels."""
    stream = BytesIO()
    Picture.open(BytesIO(picture)).convert("RGB").quantize(COLORS, Picture.Quantize.MAXCOVERAGE, kmeans=2).save(
        stream, "PNG", optimize=True
    )
    return stream.getvalue()


def file_name(shot: Shot, width: str, theme: str) -> str:
    """File name; only variants other than wide and light are named in it."""
    return "_".join([shot.name, *(part for part in (theme, width) if part not in ("light", "wide"))]) + ".png"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m docs.screenshots", description=__doc__)
    parser.add_argument(
        "--archive", type=Path, metavar="DIR", help="use this archive, not a simulated one; only with --out"
    )
    parser.add_argument("--all", action="store_true", help="all pages, light and dark, wide and narrow")
    parser.add_argument("--out", type=Path, metavar="DIR", help="output folder (default: docs/pictures)")
    arguments = parser.parse_args()
    if arguments.out is None and (arguments.archive or arguments.all):
        parser.error("--archive and --all need --out: only the small set from simulated files is committed")
    folder = arguments.out or COMMITTED
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="stix-screenshots-") as made:
        archive = arguments.archive or Path(made)
        if arguments.archive is None:
            command = [sys.executable, "-m", "jobs.cli", "demo", "--no-serve", "--archive", made]
            subprocess.run(command, cwd=ROOT, check=True, capture_output=True)  # noqa: S603 - ours
        with served(archive) as url, sync_playwright() as playwright:
            expect.set_options(timeout=PATIENCE_MS)
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            places = places_of(archive)
            for shot in SHOTS:
                every = [(width, theme) for width in WIDTHS for theme in ("light", "dark")]
                for width, theme in every if arguments.all else shot.committed:
                    picture = small(take(browser, url, shot, places, width, theme))
                    path = folder / file_name(shot, width, theme)
                    path.write_bytes(picture)
                    note = "" if arguments.all or len(picture) <= LARGEST else ": too large to be committed"
                    print(f"{path} {len(picture) / 1000:.0f} kB{note}")
            browser.close()


if __name__ == "__main__":
    main()
