"""The image archive page in a real browser, on a really running server."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Error, Page, expect

pytestmark = pytest.mark.needs_chromium


def ids_of(page: Page) -> list[str]:
    """Images of the rows, in the order shown."""
    try:
        places = page.locator(".rows tbody tr .file").evaluate_all("all => all.map(a => a.getAttribute('href'))")
    except Error:  # the page is just being loaded anew
        return []
    return [place.rpartition("/")[2] for place in places]


def expect_ids(page: Page, expected: list[str]) -> None:
    deadline = time.monotonic() + 60  # a busy machine is no fault of the page
    while (shown := ids_of(page)) != expected and time.monotonic() < deadline:
        page.wait_for_timeout(30)
    assert shown == expected


def image_of(small: Any, image_id: str) -> Any:
    return next(image for image in small.images if image.image_id == image_id)


def expected(small: Any, keep: Callable[[Any], bool], limit: int = 25) -> list[str]:
    """Newest first, of what a filter keeps."""
    return [image_id for image_id in small.newest_first if keep(image_of(small, image_id))][:limit]


def test_newest_first_with_pictures_page_by_page(watched: Any, small: Any, axe: Callable[..., None]) -> None:
    page = watched.visit("image_archive?tab=images")
    expect_ids(page, small.newest_first[:25])
    expect(page.get_by_text("1–25 of 61 images")).to_be_visible()
    expect(page.get_by_role("alert")).to_contain_text("SIMULATED")
    thumbnail = page.locator(".rows tbody tr .thumb img").first
    page.wait_for_function("image => image.complete && image.naturalWidth === 32", arg=thumbnail.element_handle())
    row = page.locator(".rows tbody tr").nth(1)
    for text in ("2022-11-11", "05:00:00", "60 s", "2211100029", "16–28 keV", "−210.0", "trusted"):
        expect(row).to_contain_text(text)
    axe(page)

    # the Tab key goes from link to link of a row
    page.locator(".rows tbody tr").first.get_by_role("checkbox").focus()
    said = []
    for _ in range(8):
        page.keyboard.press("Tab")
        said.append(page.locator(":focus").last.evaluate("place => place.ariaLabel ?? place.textContent"))
    assert said[0].startswith("Show ")
    newest = image_of(small, small.newest_first[0])
    assert said[1:] == [newest.uid, newest.flare_id, "FITS", "Python", "IDL", "Notebook", "Select row"]

    image = image_of(small, ids_of(page)[5])
    with page.expect_download() as started:
        page.locator(".rows tbody tr .file").nth(5).click()
    assert started.value.suggested_filename == Path(image.file).name
    assert Path(started.value.path()).read_bytes() == (small.archive.root / image.file).read_bytes()
    expect(page.get_by_role("dialog")).to_have_count(0)  # a download is not a wish to look

    page.get_by_role("tab", name="Bands without image").click()
    expect(page.get_by_text("1–3 of 3 bands without image")).to_be_visible()
    expect(page.get_by_text("no detector is on <b>")).to_be_visible()
    expect(page.get_by_text("too few counts").first).to_be_visible()
    page.get_by_role("tab", name="Images").click()
    expect(page.get_by_text("1–25 of 61 images")).to_be_visible()

    page.get_by_role("button", name="Go to page 3").click()
    expect_ids(page, small.newest_first[50:])
    expect(page.get_by_text("51–61 of 61 images")).to_be_visible()
    page.get_by_role("button", name="Go to page 2").click()
    expect_ids(page, small.newest_first[25:50])
    page.wait_for_url("**page=2*")
    assert watched.query == {"page": ["2"], "tab": ["images"]}
    page.go_back()
    expect_ids(page, small.newest_first[50:])


def test_filters_and_heads_work_in_the_archive(watched: Any, small: Any) -> None:
    page = watched.visit("image_archive?tab=images")
    # a choice opens by any of three keys, and is made by keys alone
    choice, options = page.get_by_role("combobox", name="Trust"), page.get_by_role("menuitem")
    for key in ("ArrowDown", "Enter", "Space"):
        choice.press(key)
        expect(options).to_have_count(9)
        page.keyboard.press("Escape")
        expect(options).to_have_count(0)
    choice.press("Space")
    expect(options.first).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url("**trust=trusted*")
    expect_ids(page, expected(small, lambda image: image.trusted))
    page.get_by_role("button", name="Clear").click()
    expect_ids(page, small.newest_first[:25])

    watched.type_into("From (UTC)", "2022-11-11")
    expect(page.get_by_text("1–13 of 13 images")).to_be_visible()
    page.get_by_label("Trust").click()
    page.get_by_role("menuitem", name="doubtful", exact=True).click()
    day = expected(small, lambda image: str(image.t_start) >= "2022-11-11" and not image.trusted)
    expect_ids(page, day)
    page.get_by_label("Method").click()
    page.get_by_role("menuitem", name="CLEAN", exact=True).click()
    expect_ids(page, [i for i in day if i.endswith("-clean")])
    page.keyboard.press("Escape")
    page.wait_for_url("**method=clean**")
    assert watched.query == {"start": ["2022-11-11"], "trust": ["doubtful"], "method": ["clean"], "tab": ["images"]}

    page.get_by_role("button", name="Clear").click()
    expect_ids(page, small.newest_first[:25])
    page.wait_for_url(lambda url: url.endswith("?tab=images"))
    page.get_by_label("Energy").click()
    page.get_by_role("menuitem", name="16–28 keV").click()
    expect_ids(page, expected(small, lambda image: image.e_low == 16))
    watched.type_into("Uid, flare or image id", "2211100007")
    expect_ids(page, expected(small, lambda image: image.uid == "2211100007"))
    watched.type_into("To (UTC)", "<b>soon")
    expect(page.get_by_text("“<b>soon” is not a time")).to_be_visible()
    expect_ids(page, expected(small, lambda image: image.uid == "2211100007"))
    watched.type_into("To (UTC)", "2021")
    expect(page.get_by_text("No image matches the filter.")).to_be_visible()
    page.get_by_role("button", name="Clear").click()
    expect_ids(page, small.newest_first[:25])

    page.locator(".rows th button", has_text="Solar X").click()
    rising = sorted(small.newest_first, key=lambda i: (image_of(small, i).peak_hpc_x, i))
    expect_ids(page, rising[:25])
    page.locator(".rows th button", has_text="Solar X").click()
    falling = sorted(small.newest_first, key=lambda i: (-image_of(small, i).peak_hpc_x, i))
    expect_ids(page, falling[:25])
    page.wait_for_url("**sort=-peak_hpc_x*")
    page.locator(".rows th button", has_text="χ²").click()  # half of them have none: those come last
    with_chi2 = [i for i in small.newest_first if image_of(small, i).chi2 is not None]
    by_chi2 = sorted(with_chi2, key=lambda i: (image_of(small, i).chi2, i))
    expect_ids(page, by_chi2[:25])
    page.locator(".rows tbody tr").nth(4).locator(".thumb").click()
    expect(page.locator("img.large")).to_have_attribute("src", f"archive/png/{by_chi2[4]}")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)

    # by keys alone
    page.get_by_label("Uid, flare or image id").focus()
    head = page.locator(".rows th button", has_text="Counts")
    for _ in range(60):
        page.keyboard.press("Tab")
        if head.evaluate("head => head.getRootNode().activeElement === head"):
            break
    page.keyboard.press("Enter")
    page.wait_for_url("**sort=-net_counts**")
    expect(page.locator(".rows tbody tr").first).to_contain_text("15\N{NARROW NO-BREAK SPACE}031")
    page.keyboard.press("Enter")
    page.wait_for_url("**sort=net_counts**")

    # filters and columns that are not there at first, and an address that knows them
    page.get_by_role("button", name="More", exact=True).click()
    expect(page.get_by_role("button", name="Less", exact=True)).to_be_visible()  # nobody types faster than that
    watched.type_into("GOES class", "≥ C1")
    expect(page.get_by_text("1–20 of 20 images")).to_be_visible()
    watched.type_into("Solar X [″]", "-500..-441")
    expect(page.get_by_text("1–4 of 4 images")).to_be_visible()
    watched.type_into("Min. counts", "many")
    expect(page.get_by_text("“many” is not a number")).to_be_visible()
    page.get_by_label("Columns").click()
    page.get_by_role("menuitem", name="Recipe").click()
    expect(page.locator(".rows tbody tr").first).to_contain_text(small.images[0].recipe_id)
    page.keyboard.press("Escape")
    page.wait_for_url("**columns=**")
    assert "recipe" in watched.query["columns"][0]
    assert (watched.query["goes"], watched.query["x"]) == (["≥ C1"], ["-500..-441"])
    page.reload()
    expect(page.locator(".rows th button", has_text="Recipe")).to_be_visible()
    expect(page.get_by_label("GOES class")).to_have_value("≥ C1")


def test_the_address_opens_an_image_with_numbers_and_methods(
    watched: Any, small: Any, axe: Callable[..., None]
) -> None:
    by_uid = sorted(
        (i for i in small.newest_first if image_of(small, i).e_low == 4), key=lambda i: (image_of(small, i).uid, i)
    )
    opened, shown = by_uid[28], by_uid[25:]
    page = watched.visit(f"image_archive?tab=images&energy=4-10&sort=uid&page=2&image={opened}")
    expect_ids(page, shown)
    dialog = page.get_by_role("dialog")
    picture = dialog.locator("img.large")
    expect(picture).to_have_attribute("src", f"archive/png/{opened}")
    axe(dialog)
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    page.wait_for_url(lambda url: "image=" not in url)
    expect(page.get_by_label("Energy", exact=True)).to_contain_text("4–10 keV")
    expect(page.get_by_text("26–30 of 30 images")).to_be_visible()

    page.locator(".rows tbody tr").nth(2).click()
    expect(picture).to_have_attribute("src", f"archive/png/{shown[2]}")
    page.wait_for_function("image => image.complete && image.naturalWidth === 96", arg=picture.element_handle())
    image = image_of(small, shown[2])
    for text in (
        f"uid {image.uid}",
        "including 5\N{NARROW NO-BREAK SPACE}000 background",
        "roll −1.57°",
        "[arcsec]",
        "keV",
    ):
        expect(dialog).to_contain_text(text)
    expect(dialog.locator("table.methods tbody tr")).to_have_count(2)
    page.wait_for_url(f"**image={shown[2]}*")

    dialog.get_by_role("button", name="Back projection").click()
    expect(picture).to_have_attribute("src", f"archive/png/{shown[2].replace('-clean', '-bp')}")
    dialog.get_by_role("button", name="CLEAN", exact=True).click()
    expect(picture).to_have_attribute("src", f"archive/png/{shown[2]}")
    dialog.get_by_role("button", name="Next").click()
    expect(picture).to_have_attribute("src", f"archive/png/{shown[3]}")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    page.wait_for_url(lambda url: "image=" not in url)

    page.locator(".rows tbody tr .thumb").nth(1).focus()
    page.keyboard.press("Enter")
    expect(picture).to_have_attribute("src", f"archive/png/{shown[1]}")


LIGHT, DARK = "rgb(255, 255, 255)", "rgb(19, 27, 36)"


def test_dark_and_light_and_signing_in_on_a_telephone(
    watch: Callable[..., Any], browser: Browser, server: Any, users: dict[str, str]
) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, color_scheme="dark")
    phone = watch(context, server.url)
    page = phone.visit("image_archive?tab=images")
    expect(page.locator("main")).to_have_css("background-color", DARK)  # as the system wants it
    first = page.locator(".rows tbody tr").first
    for text in ("2022-11-11 07:00:00", "CLEAN, 16–28 keV", "sim", "FITS"):
        expect(first.get_by_text(text).first).to_be_visible()
    phone.expect_no_sideways_scrolling()
    too_high = (
        "cells => cells.filter(cell => cell.firstChild.offsetHeight > cell.clientHeight).map(cell => cell.innerText)"
    )
    assert page.locator(".rows tbody td:nth-child(3)").evaluate_all(too_high) == []
    first.get_by_role("button").first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("All methods on the same data")).to_be_visible()
    last, below = dialog.locator("dl").last.bounding_box(), dialog.locator("h3").last.bounding_box()
    assert last["y"] + last["height"] <= below["y"]  # nothing lies on something else
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    first.get_by_role("checkbox").check()
    expect(page.get_by_text("1 selected")).to_be_visible()
    expect(page.get_by_label("From (UTC)")).to_be_hidden()  # the filter is folded away
    page.get_by_role("button", name="Filter").click()
    expect(page.get_by_label("From (UTC)")).to_be_visible()
    page.get_by_role("button", name="Toggle theme").click()
    expect(page.locator("main")).to_have_css("background-color", LIGHT)

    page.wait_for_url("**picked=**")
    address = page.url
    page.get_by_label("Menu").first.click()
    page.get_by_role("link", name="Sign in", exact=True).click()
    page.get_by_label("Name").fill("alice")
    page.get_by_label("Password").fill(users["alice"])
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(address)
    expect(page.get_by_text("1 selected")).to_be_visible()
    expect(page.locator("main")).to_have_css("background-color", LIGHT)  # the choice is remembered
    page.get_by_label("Menu").first.click()
    expect(page.get_by_role("link", name="Sign out", exact=True)).to_be_visible()
    page.get_by_role("link", name="alice", exact=True).click()
    expect(page.get_by_text("You are signed in as alice")).to_be_visible()
    phone.expect_no_sideways_scrolling()
    context.close()
