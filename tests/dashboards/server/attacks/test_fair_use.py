"""One client asks for as much as it can get; another one just looks at a page."""

from __future__ import annotations

import asyncio
import json
import re
import time
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import pytest

from benchmarks.load.abuse import ADDRESS, Abuser
from dashboards.shared.limits import WebLimits

from .conftest import LONG

LIMITS = WebLimits()
PAGE = "/image_archive"
#: Connections of the abuser, and pages that the visitor opens meanwhile.
CONNECTIONS, OPENED = (32, 20) if LONG else (8, 2)


async def open_page(url: str, address: str = "127.0.0.1", path: str = PAGE, cookie: str = "") -> tuple[int, str, bytes]:
    """Status, head and body of an answer to a client at an address."""
    place = urlsplit(url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port, local_addr=(address, 0))
    head = f"GET {path} HTTP/1.1\r\nHost: {place.netloc}\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n"
    try:
        writer.write(head.encode())
        answer = await asyncio.wait_for(reader.read(), 120)
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
    status, _, body = answer.partition(b"\r\n\r\n")
    return int(status.split()[1]), status.decode(), body


@pytest.fixture
def known(target: Any) -> str:
    """Cookie of a browser that was here before."""
    _, head, _ = asyncio.run(open_page(target.url))
    found = re.search(r"stix_browser=[^;]+", head)
    return found[0] if found else ""


@pytest.mark.slow_attack
@pytest.mark.parametrize("address", [ADDRESS, "127.0.0.1"], ids=["another address", "the same address"])
def test_pages_at_full_speed(target: Any, known: str, address: str) -> None:
    """While one client opens pages at full speed, another one waits for two or three of its pages and not for all."""

    async def attack() -> int:
        abuser = Abuser(target.url, address=address)
        flood = asyncio.create_task(abuser.run(time.monotonic() + 300, CONNECTIONS, 0, 0))
        while abuser.answers["page 200"] < 1:
            await asyncio.sleep(0.05)
        before = abuser.answers["page 200"]
        for _ in range(OPENED):
            status, _, body = await open_page(target.url, cookie=known)
            assert status == 200
            assert b"</html>" in body
        served = abuser.answers["page 200"] - before
        flood.cancel()
        await asyncio.wait([flood])
        return served

    # without turns, the visitor waits for a page of each of the abuser's connections every time
    assert asyncio.run(attack()) <= 3 * OPENED + LIMITS.pages.places


def test_a_browser_that_asks_for_too_many_pages(target: Any, known: str) -> None:
    """A browser that lets too many pages wait gets 429 with a time and one sentence, and others get their page."""
    number = LIMITS.pages.waiting + LIMITS.pages.places + 8

    async def attack() -> list[tuple[int, str, bytes]]:
        tasks = [asyncio.create_task(open_page(target.url, ADDRESS, cookie=known)) for _ in range(number)]
        refused: list[tuple[int, str, bytes]] = []
        for answer in asyncio.as_completed(tasks):
            found = await answer
            if found[0] != 200:
                refused.append(found)
                break
        assert (await open_page(target.url))[0] == 200
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        return refused

    ((status, head, body),) = asyncio.run(attack())
    assert status == 429
    again = re.search(r"^retry-after: ([1-9]\d*)\r$", head, re.MULTILINE | re.IGNORECASE)
    assert again is not None
    assert f"refresh: {again[1]}\r\n" in head.lower()  # a browser asks again by itself
    assert b"Too many pages at once from you. Try again in" in body
    assert b"<script" not in body


@pytest.mark.slow_attack
def test_many_downloads(imaged_server: Any, imaged: Any) -> None:
    """Of many bundles and light curves that one client wants at once the last get 429, and another is served."""
    path = "/archive/lightcurve.csv?start=1668038400&span=86400&bins=recorded"
    url = imaged_server.url
    ids = ",".join(image.image_id for image in imaged.images(limit=40))
    bundle = f"/archive/selection/bundle.zip?images={ids}"

    async def attack() -> list[tuple[int, str, bytes]]:
        tasks = [
            asyncio.create_task(open_page(url, ADDRESS, bundle if turn % 4 else path))
            for turn in range(LIMITS.downloads_address * 3)
        ]
        answers = await asyncio.gather(*tasks, open_page(url, path=f"/archive/png/{ids.split(',')[0]}"))
        assert answers.pop()[0] == 200
        return answers

    answers = asyncio.run(attack())
    refused = [answer for answer in answers if answer[0] == 429]
    assert 0 < len(refused) < len(answers)
    assert {answer[0] for answer in answers} == {200, 429}
    for _, head, body in refused:
        assert re.search(r"^retry-after: [1-9]\d*\r$", head, re.MULTILINE | re.IGNORECASE)
        assert "at once for your network address is reached" in json.loads(body)["error"]
