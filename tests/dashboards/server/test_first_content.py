"""Documents are sent in parts: what is seen first, and what needs a session."""

import asyncio
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application

from dashboards.pages.image_archive.view import ImageArchivePage
from dashboards.server.first_content import BROKEN, FirstContentHandler
from dashboards.shared.access import GUEST
from dashboards.shared.frame import LIVE, RESOURCES
from dashboards.shared.preloaded import preloaded_or, session_from_preloaded

PATIENCE_S = 60
ONCE = (
    "<!DOCTYPE html>", "<title>", '<div id="opening"', '"token"', 'id="template-styles"', "bokeh.min.js",
    "set_log_level", "theme/default.css", "</html>",
)  # fmt: skip


def parts(url: str, path: str, cookies: dict[str, str] | None = None) -> list[str]:
    """The parts of an answer, as they were sent one after the other."""

    async def read() -> list[str]:
        place = urlsplit(url)
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
        cookie = "; ".join(f'{name}="{value}"' for name, value in (cookies or {}).items())
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {place.netloc}\r\nCookie: {cookie}\r\n\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        assert head.startswith(b"http/1.1 200")
        assert b"cache-control: no-store" in head
        found = []
        while size := int(await reader.readline(), 16):
            found.append((await reader.readexactly(size + 2))[:-2].decode())
        writer.close()
        return found

    return asyncio.run(asyncio.wait_for(read(), PATIENCE_S))


def test_a_slash_too_much_leads_to_the_page(server: Any) -> None:
    with urlopen(f"{server.url}/image_archive/?tab=images&text=2211100007&columns=") as answer:
        assert answer.url == f"{server.url}/image_archive?tab=images&text=2211100007&columns="
        assert b"1\xe2\x80\x932 of 2 images" in answer.read()


@pytest.mark.parametrize(
    ("page", "says"),
    [
        ("/image_archive?tab=images", "1–25 of 61 images"),
        ("/image_archive?tab=images&text=2211100007", "1–2 of 2 images"),
        ("/", "<span>Flares</span>"),
        ("/flares", "<span>Flares</span>"),
        ("/lightcurves", "UTC at Solar Orbiter"),
        ("/science_data", "<span>Science data</span>"),
    ],
)
def test_what_is_seen_first_needs_no_session(server: Any, page: str, says: str) -> None:
    for _ in range(2):  # the second time, scripts are known and run while the session is made
        first, *rest = parts(server.url, page)
        assert says in first
        assert '<div id="opening"' in first
        assert '"token"' not in first
        document = first + "".join(rest)
        for once in ONCE:
            assert document.count(once) == 1, once
        assert LIVE not in document
        assert RESOURCES not in document
        # a script that is at hand would run before anything is drawn
        at_once = re.sub(r"<template .*?</template>", "", document, flags=re.DOTALL)
        assert not re.search(r"<script[^>]* src=|<link[^>]* rel=.(stylesheet|modulepreload)", at_once)
    opening, resources = re.split(r"<script [^>]*type=", first, maxsplit=1)
    assert says in opening
    assert "panel.min.js" in resources
    assert "<link" not in opening.partition("<body>")[2].partition("<div")[0]


def test_both_parts_know_who_is_looking(signed_in: Callable[[str], Any], client: Any, small: Any) -> None:
    page = f"/image_archive?tab=images&author=anyone&text={small.hidden.image_id}"
    assert small.hidden.image_id not in "".join(re.findall("<tr>.*</tr>", parts(client.url, page)[0]))
    alice = signed_in("alice")
    assert f"archive/thumbnail/{small.hidden.image_id}" in parts(alice.url, page, alice.cookies)[0]


@pytest.mark.parametrize(
    ("address", "cookies", "theme"),
    [
        ("", {}, "light"),
        ("", {"stix_theme": "dark"}, "dark"),
        ("?theme=dark", {}, "dark"),
        ("?theme=default", {"stix_theme": "dark"}, "light"),
    ],
)
def test_light_or_dark_from_the_first_part_on(server: Any, address: str, cookies: dict[str, str], theme: str) -> None:
    first = parts(server.url, f"/image_archive{address}", cookies)[0]
    assert f'id="opening" class="{theme}"' in first
    assert ("background-color: #121212" in first) == (theme == "dark")


def test_an_address_is_text(server: Any) -> None:
    first = parts(server.url, "/science_data?uid=%3Cscript%3Ealert(1)%3C/script%3E")[0]
    assert "<script>alert" not in first
    assert "&lt;script&gt;alert(1)" in first


def test_the_session_goes_on_with_what_was_loaded(small: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STIX_ARCHIVE", str(small.archive.root))
    preloaded = ImageArchivePage.preload(lambda: GUEST, "?tab=images&page=2&rows=many")
    with session_from_preloaded(preloaded):
        page = ImageArchivePage.from_session()
        assert page.state is preloaded.state
    page.view()
    assert "26–50 of 61 images" in page._paging.total.object
    assert (page._paging.pager.count, page._paging.pager.value) == (3, 1)
    assert page._table.widget.body.count("<tr") == 25
    assert "rows=many" in page._notices.pane.object
    again = preloaded_or(lambda: ImageArchivePage.preload(lambda: GUEST, ""))
    assert again.state is not preloaded.state


def test_what_breaks_in_between_is_said() -> None:
    class Place:
        """As much of Bokeh's as a handler asks for when it is made."""

        class Application:
            """Of pages."""

        application = Application()

    class Breaking(FirstContentHandler):
        def prepare(self) -> None:
            """Nobody to ask who it is."""

        async def get(self, *_: Any, **__: Any) -> None:
            self.set_header("Cache-Control", "no-store")
            self.write("first content")
            await self.flush()
            self._sent = True
            raise RuntimeError

    async def answer() -> list[str]:
        socket, port = bind_unused_port()
        server = HTTPServer(Application([("/", Breaking, {"application_context": Place, "bokeh_websocket_path": ""})]))
        server.add_socket(socket)
        found = await asyncio.to_thread(parts, f"http://127.0.0.1:{port}", "/")
        server.stop()
        return found

    assert asyncio.run(asyncio.wait_for(answer(), PATIENCE_S)) == ["first content", BROKEN]
