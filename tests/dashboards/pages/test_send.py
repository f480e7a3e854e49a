"""Images go to programs over SAMP: a browser, a hub with the Web Profile, and clients that record what they get."""

from __future__ import annotations

import hashlib
import tempfile
import threading
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, expect
from pyvo.samp import SAMPHubServer, SAMPIntegratedClient
from pyvo.samp.hub import WebProfileDialog

from archive import NotInArchive
from archive.index.filters import ImageFilter
from dashboards.server.send_page import flare_offers, image_offers

PATIENCE_S = 60


class Consent(WebProfileDialog):
    """Answers the hub's question whether a page may connect."""

    def __init__(self) -> None:
        self.answer, self.asked, self.over = True, [], threading.Event()

    def show_dialog(self, name: str, details: Any, client: Any, origin: str) -> None:
        del details, client
        self.asked.append((name, origin))
        (self.consent if self.answer else self.reject)()

    def watch(self) -> None:
        while not self.over.wait(0.05):
            self.handle_queue()


@dataclass
class Program:
    """A client of the hub that records messages."""

    name: str
    heard: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    came: threading.Event = field(default_factory=threading.Event)

    def receive(self, key: str, sender: str, mtype: str, params: dict[str, Any], extra: Any) -> None:
        del key, sender, extra
        self.heard.append((mtype, params))
        self.came.set()

    def next(self) -> tuple[str, dict[str, Any]]:
        assert self.came.wait(PATIENCE_S)
        self.came.clear()
        return self.heard[-1]


@dataclass
class Hub:
    consent: Consent
    programs: dict[str, Program]


@pytest.fixture
def port() -> Iterator[None]:
    """The port of the hub, which the standard fixes: one test of one worker at a time."""
    with FileLock(Path(tempfile.gettempdir()) / "stix-test-samp.lock"):
        yield


@pytest.fixture
def hub(port: None, tmp_path: Path) -> Iterator[Hub]:
    """A hub with JHelioviewer, DS9 and TOPCAT, as far as their subscriptions go."""
    consent = Consent()
    server = SAMPHubServer(
        addr="127.0.0.1", lockfile=str(tmp_path / "samp"), web_profile=True, web_profile_dialog=consent
    )
    server.start()
    watching = threading.Thread(target=consent.watch, daemon=True)
    watching.start()
    programs, clients = {}, []
    takes = {
        "JHelioviewer": ("image.load.fits", "jhv.load.image"),
        "DS9": ("image.load.fits",),
        "TOPCAT": ("table.load.votable",),
    }
    for name, mtypes in takes.items():
        programs[name] = Program(name)
        client = SAMPIntegratedClient(name=name, addr="127.0.0.1")
        client.connect(hub=server)
        for mtype in mtypes:
            client.bind_receive_notification(mtype, programs[name].receive)
        clients.append(client)
    yield Hub(consent, programs)
    for client in clients:
        client.disconnect()
    consent.over.set()
    watching.join()
    server.stop()


@pytest.fixture
def open_page(desktop: BrowserContext) -> Iterator[Callable[[str], tuple[Page, list[str]]]]:
    """Open a page; what its console says as errors is recorded."""
    pages: list[Page] = []

    def visit(address: str) -> tuple[Page, list[str]]:
        page, errors = desktop.new_page(), []

        def said(message: ConsoleMessage) -> None:
            if message.type == "error":
                errors.append(message.text)

        page.on("console", said)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(address)
        pages.append(page)
        return page, errors

    yield visit
    for page in pages:
        page.close()


def test_an_image_goes_to_the_program_that_is_chosen(
    hub: Hub, open_page: Any, imaged_server: Any, imaged: Any, axe: Callable[..., None]
) -> None:
    image = imaged.images(ImageFilter(methods=("clean",)), limit=1)[0]
    page, errors = open_page(f"{imaged_server.url}/send?image={image.image_id}")
    page.get_by_role("button", name="Look for programs").click()
    programs = page.locator("#programs").get_by_role("button")
    expect(programs).to_have_count(2)
    assert sorted(programs.all_inner_texts()) == ["DS9", "JHelioviewer"]
    axe(page)
    page.get_by_role("button", name="to DS9").press("Enter")
    expect(page.locator("#status")).to_contain_text("Sent to DS9")
    mtype, params = hub.programs["DS9"].next()
    assert (mtype, params["image-id"]) == ("image.load.fits", image.image_id)
    with urllib.request.urlopen(params["url"], timeout=PATIENCE_S) as answer:
        assert hashlib.sha256(answer.read()).hexdigest() == image.sha256
    assert "STIX CLEAN image" in params["name"]
    assert hub.programs["JHelioviewer"].heard == []
    assert hub.consent.asked == [("STIX flare images", imaged_server.url)]
    assert errors == []


@pytest.fixture(scope="module")
def flare_server(serve: Any, flared: Any) -> Iterator[Any]:
    with serve(flared.archive.root) as started:
        yield started


def test_jhelioviewer_gets_the_images_of_a_flare_and_topcat_the_table(
    hub: Hub, open_page: Any, flare_server: Any, flared: Any
) -> None:
    page, errors = open_page(f"{flare_server.url}/send?flare={flared.flare.flare_id}")
    page.get_by_role("button", name="Look for programs").click()
    lowest = min(image.e_low for image in flared.images)
    clean = [image.image_id for image in flared.images if image.method == "clean" and image.e_low == lowest]
    page.locator("#programs").get_by_role("button", name="to JHelioviewer").first.click()
    message = hub.programs["JHelioviewer"].next()
    # the form that JHelioviewer documents: one parameter, a list of addresses
    assert message == ("jhv.load.image", {"url": [f"{flare_server.url}/archive/fits/{one}" for one in clean]})
    page.get_by_role("button", name="to TOPCAT").click()
    mtype, params = hub.programs["TOPCAT"].next()
    assert mtype == "table.load.votable"
    with urllib.request.urlopen(params["url"], timeout=PATIENCE_S) as answer:
        body = answer.read()
    assert all(image.image_id.encode() in body for image in flared.images)
    assert flared.hidden.image_id.encode() not in body
    assert errors == []


def test_without_a_hub_the_page_says_what_to_start(port: None, open_page: Any, imaged_server: Any, imaged: Any) -> None:
    image = imaged.images(limit=1)[0]
    page, errors = open_page(f"{imaged_server.url}/send?image={image.image_id}")
    expect(page.locator("#status")).to_have_text("Start the program first.")
    assert errors == []  # nothing is asked before the click
    page.get_by_role("button", name="Look for programs").click()
    expect(page.locator("#status")).to_contain_text("Start JHelioviewer, Aladin, TOPCAT or DS9")
    expect(page.get_by_role("button", name="Look for programs")).to_be_enabled()


def test_a_refusal_of_the_hub_is_said(hub: Hub, open_page: Any, imaged_server: Any, imaged: Any) -> None:
    hub.consent.answer = False
    page, _ = open_page(f"{imaged_server.url}/send?image={imaged.images(limit=1)[0].image_id}")
    page.get_by_role("button", name="Look for programs").click()
    expect(page.locator("#status")).to_contain_text("The hub refused")


def test_image_dialog_and_flare_page_lead_there(open_page: Any, flare_server: Any, flared: Any) -> None:
    image, flare_id = flared.images[1], flared.flare.flare_id
    for address, href in (
        (f"image_archive?image={image.image_id}", f"send?image={image.image_id}"),
        (f"flare?id={flare_id}", f"send?flare={flare_id}"),
    ):
        page, _ = open_page(f"{flare_server.url}/{address}")
        expect(page.locator("#opening")).to_have_count(0)
        page.locator(f'a[href="{href}"]').first.click(timeout=1000 * PATIENCE_S)
        expect(page.get_by_role("heading", name="Send to a program")).to_be_visible()


def test_only_public_images_are_offered(small: Any) -> None:
    for offers, one in ((image_offers, small.hidden.image_id), (image_offers, ""), (flare_offers, "no flare")):
        with pytest.raises(NotInArchive):
            offers(small.archive, one)


def test_only_this_page_may_reach_the_hub(server: Any, small: Any) -> None:
    def policy(path: str) -> str:
        with urllib.request.urlopen(f"{server.url}/{path}", timeout=PATIENCE_S) as answer:
            return str(answer.headers["Content-Security-Policy"])

    assert "connect-src http://localhost:21012;" in policy(f"send?image={small.images[0].image_id}")
    for path in ("flares", "login", f"archive/fits/{small.images[0].image_id}"):
        assert "21012" not in policy(path)
