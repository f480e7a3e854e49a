"""Interactive reconstruction in a real browser: guest, user, a file of one's own."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import BrowserContext, expect

from archive import Archive, ImageFilter
from jobs.executors.serial import SerialExecutor
from jobs.queue.journal import Journal
from jobs.queue.worker import Worker
from jobs.renderings.planner import RequestPlanner
from stixcore import Method, read_pixel_data

pytestmark = [pytest.mark.needs_chromium, pytest.mark.needs_shared_data]
#: Alternative text of the picture in the image dialog.
BACK_PROJECTION = re.compile("^Back projection image, ")

FLARE = "2211116471"


def test_a_guest_sees_everything_and_cannot_submit(
    watch: Callable[..., Any],
    desktop: BrowserContext,
    science_server: Any,
    science_archive: Archive,
    axe: Callable[..., None],
) -> None:
    """A guest brushes a box, has all of the advanced form, and images a file of their own."""
    requests = Journal(science_archive.root).requests()
    watched = watch(desktop, science_server.url)
    page = watched.visit(f"science_data?uid={FLARE}")
    page.get_by_role("tab", name="Interactive analysis").click()
    page.wait_for_url("**tab=analysis**")
    expect(page.get_by_text("will be made")).to_be_visible()
    first = page.locator("p.box").inner_text()
    watched.brush(0.4, 0.52, 0.3, 0.6)
    expect(page.locator("p.box")).not_to_have_text(first)
    edges = read_pixel_data(science_archive.locate(FLARE))
    start = np.datetime64(page.get_by_label("From (UTC)").input_value(), "us")
    assert np.abs(edges.t_start - start).min() < np.timedelta64(1, "ms")
    expect(page.get_by_text("You are browsing as a guest")).to_be_visible()
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_text("Sign in to submit requests.", exact=True)).to_be_visible()
    assert Journal(science_archive.root).requests() == requests

    # everything in the advanced form has a name
    page.get_by_role("button", name="Advanced").click()
    for button in ("Less: CLEAN iterations", "More: CLEAN iterations", "Less: EM iterations", "More: EM iterations"):
        expect(page.get_by_role("button", name=button)).to_be_visible()
    for unused in ("Solar X [″]", "Roll [°]", "MEM_GE λ [%]", "Copies"):  # automatic, and no error bars
        expect(page.get_by_label(unused, exact=True)).to_be_hidden()
    page.get_by_role("combobox", name="Pointing").click()
    page.get_by_role("menuitem", name="as entered").click()
    page.get_by_label("From simulated copies of the data").check()
    for button in ("Less: Roll [°]", "More: Roll [°]", "Less: Copies", "More: Copies"):
        expect(page.get_by_role("button", name=button)).to_be_visible()
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

    page.get_by_role("button", name="All files").click()
    before = set(science_archive.root.rglob("*"))
    page.locator("input[type=file]").set_input_files(
        {"name": "my flare.fits", "mimeType": "application/fits", "buffer": science_archive.locate(FLARE).read_bytes()}
    )
    expect(page.get_by_text("This is your own file")).to_be_visible()
    page.get_by_role("tab", name="Interactive analysis").click()
    expect(page.get_by_text("will be made")).to_be_visible()
    page.get_by_role("button", name="Make the images").click()
    expect(page.locator(".cards section")).to_have_count(len(Method), timeout=120_000)
    picture = page.locator(".cards img").first.element_handle()
    page.wait_for_function("image => image.naturalWidth > 300", arg=picture)
    page.get_by_role("button", name="All files").click()
    expect(page.get_by_text("files", exact=False).first).to_be_visible()
    assert {path for path in set(science_archive.root.rglob("*")) - before if path.suffix == ".fits"} == set()
    page.get_by_role("link", name="Sign in", exact=True).click()
    page.wait_for_url(re.compile(r"/login\?next=%2Fscience_data"))
    expect(page.get_by_label("Password")).to_be_visible()


def test_from_the_brush_to_images_everywhere(
    watch: Callable[..., Any], desktop: BrowserContext, science_server: Any, science_archive: Archive, password: str
) -> None:
    """Images that alice keeps hidden: on every page for her, on none for a guest."""
    archive, watched = science_archive, watch(desktop, science_server.url)
    earlier = Journal(archive.root).requests("alice")  # other tests of this archive file results, too
    page = watched.page
    page.goto(f"{watched.url}/login?next=%2Fscience_data%3Fuid%3D{FLARE}%26tab%3Danalysis")
    page.get_by_label("Name").fill("alice")
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/science_data?**")
    expect(page.get_by_text("will be made")).to_be_visible()
    first = page.locator("p.box").inner_text()
    watched.brush(0.7, 0.76, 0.3, 0.6)  # where nobody has made an image
    expect(page.locator("p.box")).not_to_have_text(first)
    known = page.locator("[data-image]").count()
    page.get_by_label("Hidden from others").check()
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_text("No worker is running")).to_be_visible()
    page.wait_for_url(re.compile(r"request=\d+"))
    (number,) = {one.request_id for one in Journal(archive.root).requests("alice")} - {
        one.request_id for one in earlier
    }
    assert watched.query["request"] == [str(number)]

    with SerialExecutor() as executor:
        Worker(archive.root, RequestPlanner(), executor, lambda: np.datetime64("now", "us")).run(until_idle=True)
    expect(page.get_by_text(f"Request {number} is done")).to_be_visible()  # by itself
    expect(page.locator("[data-image]")).to_have_count(known + len(Method))
    (part,) = Journal(archive.root).parts(number)
    made = archive.images(ImageFilter(recipe_id=part.run_id, viewer="alice"))
    assert {image.method for image in made} == {method.value for method in Method}
    assert {image.author for image in made} == {"alice"}
    assert archive.images(ImageFilter(recipe_id=part.run_id)) == []  # hidden
    bp = next(image for image in made if image.method == "bp")
    expect(page.get_by_text(f"Peak at ({bp.peak_hpc_x:.1f}″, {bp.peak_hpc_y:.1f}″)")).to_be_visible()
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_text("needed no computation")).to_be_visible()

    # found again by its number
    page.get_by_role("link", name="alice", exact=True).click()
    expect(page.get_by_text("You are signed in as alice")).to_be_visible()
    link = page.get_by_role("link", name=str(number), exact=True)
    expect(link).to_have_attribute("href", re.compile(f"uid={FLARE}.*request={number}$"))
    link.click()
    expect(page.get_by_text(f"Request {number} is done")).to_be_visible()
    expect(page.get_by_role("link", name=str(number), exact=True)).to_be_visible()

    watched.visit(f"image_archive?image={bp.image_id}")
    expect(page.get_by_role("dialog").locator("img.large")).to_have_attribute("alt", BACK_PROJECTION)
    begin = int(bp.t_start.astype("datetime64[s]").astype(int))
    watched.visit(f"lightcurves?start={begin}&span={(bp.t_end - bp.t_start) // np.timedelta64(1, 's')}")
    page.get_by_role("button", name="IMG").click()
    cards, ids = page.locator("[data-image]"), {image.image_id for image in made}
    expect(page.locator(f'[data-image="{bp.image_id}"]')).to_be_visible()
    assert ids <= {card.get_attribute("data-image") for card in cards.all()}
    page.locator(f'[data-image="{bp.image_id}"]').click()
    expect(page.get_by_role("dialog").locator("img.large")).to_have_attribute("alt", BACK_PROJECTION)
    page.get_by_role("dialog").press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)

    # the same address after signing out
    page.wait_for_url(lambda url: "img=yes" in url and "image=" not in url)
    address = page.url
    page.get_by_role("link", name="Sign out", exact=True).click()
    page.wait_for_url(address)
    expect(page.get_by_role("link", name="Sign in", exact=True)).to_be_visible()
    expect(page.get_by_text("Images of this window")).to_be_visible()
    assert ids.isdisjoint(card.get_attribute("data-image") for card in cards.all())
