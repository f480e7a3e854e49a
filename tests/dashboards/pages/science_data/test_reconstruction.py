"""Interactive reconstruction in a real browser: guest, user, a file of one's own."""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from archive import Archive, ImageFilter
from archive.accounts import Accounts, Role
from jobs.executors.serial import SerialExecutor
from jobs.queue.journal import Journal
from jobs.queue.worker import Worker
from jobs.renderings.planner import RequestPlanner
from stixcore import Method, read_pixel_data

pytestmark = [pytest.mark.needs_chromium, pytest.mark.needs_shared_data]
FLARE, PASSWORD = "2211116471", "a long pass phrase"
NOW = np.datetime64("2026-11-25T12:00:00", "us")
SLOW = 60_000


@pytest.fixture(scope="module")
def archive(november: Archive, tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """A copy that may change, with a user."""
    root = tmp_path_factory.mktemp("reconstruction") / "archive"
    shutil.copytree(november.root, root)
    Accounts(root).add("alice", PASSWORD, NOW, Role.USER)
    return Archive(root)


@pytest.fixture(scope="module")
def form_server(serve: Callable[[Path], Any], archive: Archive) -> Iterator[Any]:
    with serve(archive.root) as started:
        yield started


def sign_in_at_the_form(page: Page, url: str) -> str:
    """Alice looks at the form; gives what it says of the box that it opens with."""
    page.goto(f"{url}/login?next=%2Fscience_data%3Fuid%3D{FLARE}%26tab%3Danalysis")
    page.get_by_label("Name").fill("alice")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/science_data?**")
    expect(page.get_by_text("will be made")).to_be_visible(timeout=SLOW)
    return page.locator("p.box").inner_text()


def test_a_guest_sees_everything_and_cannot_submit(
    watch: Callable[..., Any], desktop: BrowserContext, form_server: Any, archive: Archive
) -> None:
    watched = watch(desktop, form_server.url)
    page = watched.visit(f"science_data?uid={FLARE}")
    page.get_by_role("tab", name="Interactive analysis").click()
    page.wait_for_url("**tab=analysis**")
    expect(page.get_by_text("will be made")).to_be_visible(timeout=SLOW)
    first = page.locator("p.box").inner_text()
    watched.brush(0.4, 0.52, 0.3, 0.6)
    expect(page.locator("p.box")).not_to_have_text(first, timeout=SLOW)
    edges = read_pixel_data(archive.locate(FLARE))
    start = np.datetime64(page.get_by_label("From (UTC)").input_value(), "us")
    assert np.abs(edges.t_start - start).min() < np.timedelta64(1, "ms")
    expect(page.get_by_text("You are browsing as a guest")).to_be_visible()
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_text("Sign in to submit requests.", exact=True)).to_be_visible()
    assert Journal(archive.root).requests() == []


def test_everything_in_the_advanced_form_has_a_name(
    watch: Callable[..., Any], desktop: BrowserContext, form_server: Any, axe: Callable[..., None]
) -> None:
    watched = watch(desktop, form_server.url)
    page = watched.visit(f"science_data?uid={FLARE}&tab=analysis")
    expect(page.get_by_text("will be made")).to_be_visible(timeout=SLOW)
    page.get_by_role("button", name="Advanced").click()
    for button in ("Less: CLEAN iterations", "More: CLEAN iterations", "Less: Roll [°]", "More: Roll [°]"):
        expect(page.get_by_role("button", name=button)).to_be_visible(timeout=SLOW)
    expect(page.get_by_label("Time bins")).to_be_visible()
    expect(page.get_by_label("Delayed counts")).to_have_count(0)  # of files before December 2021
    axe(page)
    # longer than the window, and yet nothing lies on it
    form, images = page.get_by_role("button", name="Submit"), page.get_by_text("Images of this file")
    assert form.bounding_box()["y"] < images.bounding_box()["y"]
    # what is chosen of many is one stop for Tab; arrows go on, and Enter takes away
    methods = page.get_by_role("combobox", name="Methods")
    methods.focus()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Take away Full disk")).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("button", name="Take away Back projection")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Take away Back projection")).to_have_count(0)
    expect(methods).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    expect(page.get_by_role("button", name="Take away Full disk")).to_have_count(0)
    expect(methods).to_be_focused()
    expect(page.get_by_role("menuitem")).to_have_count(0)
    # keys go on in a list that what was chosen has left, and can close it when it says that there is nothing more
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("menuitem", name="Full disk")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Take away Full disk")).to_be_visible()
    expect(page.get_by_role("menuitem", name="Back projection")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Take away Back projection")).to_be_visible()
    expect(page.get_by_text("No choices")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_text("No choices")).to_have_count(0)
    expect(methods).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Less: CLEAN iterations")).to_be_focused()
    # what is not allowed becomes what is nearest to it
    for label, typed, taken in (("Pixel size [″]", "0", "0.1"), ("Map size [pixels]", "5000", "1,024")):
        watched.type_into(label, typed)
        expect(page.get_by_label(label, exact=True)).to_have_value(taken)


def test_from_the_brush_to_images_everywhere(
    watch: Callable[..., Any], desktop: BrowserContext, form_server: Any, archive: Archive
) -> None:
    watched = watch(desktop, form_server.url)
    page = watched.page
    first = sign_in_at_the_form(page, form_server.url)
    watched.brush(0.42, 0.47, 0.3, 0.6)
    expect(page.locator("p.box")).not_to_have_text(first, timeout=SLOW)
    known = page.locator("[data-image]").count()
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_text("No worker is running")).to_be_visible(timeout=SLOW)
    page.wait_for_url("**request=1**")
    (request,) = Journal(archive.root).requests("alice")

    with SerialExecutor() as executor:
        Worker(archive.root, RequestPlanner(), executor, lambda: np.datetime64("now", "us")).run(until_idle=True)
    expect(page.get_by_text("Request 1 is done")).to_be_visible(timeout=SLOW)  # by itself
    expect(page.locator("[data-image]")).to_have_count(known + len(Method), timeout=SLOW)
    (part,) = Journal(archive.root).parts(request.request_id)
    made = archive.images(ImageFilter(recipe_id=part.run_id))
    assert {image.author for image in made} == {"alice"}
    bp = next(image for image in made if image.method == "bp")
    expect(page.get_by_text(f"Peak at ({bp.peak_hpc_x:.1f}″, {bp.peak_hpc_y:.1f}″)")).to_be_visible()

    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_text("needed no computation")).to_be_visible(timeout=SLOW)
    page.reload()  # found again by its number
    expect(page.get_by_text("Request 1 is done")).to_be_visible(timeout=SLOW)
    expect(page.get_by_role("link", name="1", exact=True)).to_be_visible()
    watched.visit("account")
    expect(page.get_by_role("link", name="1", exact=True)).to_have_attribute(
        "href", re.compile(f"uid={FLARE}.*request=1$")
    )
    watched.visit(f"image_archive?image={bp.image_id}")
    expect(page.get_by_role("dialog").locator("img.large")).to_have_attribute("src", f"archive/png/{bp.image_id}")
    page.goto(f"{form_server.url}/logout")


def test_hidden_images_of_ones_own_are_on_the_light_curves_for_nobody_else(
    watch: Callable[..., Any], browser: Browser, desktop: BrowserContext, form_server: Any, archive: Archive
) -> None:
    watched = watch(desktop, form_server.url)
    page = watched.page
    first = sign_in_at_the_form(page, form_server.url)
    watched.brush(0.7, 0.76, 0.3, 0.6)  # where nobody has made an image
    expect(page.locator("p.box")).not_to_have_text(first, timeout=SLOW)
    page.get_by_label("Hidden from others").check()
    page.get_by_role("button", name="Submit").click()
    page.wait_for_url(re.compile(r"request=\d+"))
    number = int(watched.query["request"][0])
    with SerialExecutor() as executor:
        Worker(archive.root, RequestPlanner(), executor, lambda: np.datetime64("now", "us")).run(until_idle=True)
    expect(page.get_by_text(f"Request {number} is done")).to_be_visible(timeout=SLOW)
    (part,) = Journal(archive.root).parts(number)
    made = {image.image_id for image in archive.images(ImageFilter(recipe_id=part.run_id, viewer="alice"))}
    assert made
    assert archive.images(ImageFilter(recipe_id=part.run_id)) == []  # hidden

    (one, *_) = archive.images(ImageFilter(recipe_id=part.run_id, viewer="alice"))
    begin = int(one.t_start.astype("datetime64[s]").astype(int))
    window = f"lightcurves?start={begin}&span={(one.t_end - one.t_start) // np.timedelta64(1, 's')}"
    watched.visit(window)
    page.get_by_role("button", name="IMG").click()
    cards = page.locator("[data-image]")
    expect(page.locator(f'[data-image="{one.image_id}"]')).to_be_visible(timeout=SLOW)
    assert made <= {card.get_attribute("data-image") for card in cards.all()}
    page.locator(f'[data-image="{one.image_id}"]').click()
    expect(page.get_by_role("dialog").locator("img.large")).to_have_attribute("src", f"archive/png/{one.image_id}")

    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        guest = watch(context, form_server.url)
        others = guest.visit(f"{window}&img=yes").locator("[data-image]")
        expect(guest.page.get_by_text("Images of this window")).to_be_visible()
        assert made.isdisjoint(card.get_attribute("data-image") for card in others.all())
        guest.page.close()
    page.goto(f"{form_server.url}/logout")


def test_a_file_of_ones_own(
    watch: Callable[..., Any], desktop: BrowserContext, form_server: Any, archive: Archive
) -> None:
    page = watch(desktop, form_server.url).visit("science_data")
    before = set(archive.root.rglob("*"))
    page.locator("input[type=file]").set_input_files(
        {"name": "my flare.fits", "mimeType": "application/fits", "buffer": archive.locate(FLARE).read_bytes()}
    )
    expect(page.get_by_text("This is your own file")).to_be_visible(timeout=SLOW)
    page.get_by_role("tab", name="Interactive analysis").click()
    expect(page.get_by_text("will be made")).to_be_visible(timeout=SLOW)
    page.get_by_role("button", name="Make the images").click()
    expect(page.locator(".cards section")).to_have_count(len(Method), timeout=2 * SLOW)
    picture = page.locator(".cards img").first.element_handle()
    page.wait_for_function("image => image.naturalWidth > 300", arg=picture)
    page.get_by_role("button", name="All files").click()
    expect(page.get_by_text("files", exact=False).first).to_be_visible()
    assert {path for path in set(archive.root.rglob("*")) - before if path.suffix == ".fits"} == set()
