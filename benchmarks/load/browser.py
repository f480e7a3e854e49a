"""A browser without a window: it gets a page, opens its websocket, takes the document, works a control, goes away.

Speaks Bokeh's protocol as BokehJS does, so the server does everything it does for a person; only drawing is left out.
"""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from time import perf_counter
from typing import Any
from uuid import uuid4

from tornado.httpclient import AsyncHTTPClient, HTTPRequest, HTTPResponse
from tornado.websocket import WebSocketClientConnection, websocket_connect

_TOKEN = re.compile(r'"token":\s*"([^"]+)"')
#: A server that says nothing for this long has failed, s.
PATIENCE = 60.0
#: A visitor who has been told for this long that the server is busy gives up, s.
GIVE_UP = 300.0
#: A server that has not begun to change the page by then has nothing to change, s.
SOON = 1.0
#: Connections at a time: everybody has a browser of their own, and waits for the server and for nobody else.
AsyncHTTPClient.configure(None, max_clients=1000)


class PageFailed(Exception):
    """The page did not come, or its server fell silent."""


@dataclass
class Visit:
    """One open page.

    Attributes
    ----------
    url : str
        Address of the page.
    document : dict
        What the server sent, as JSON.
    ready_s : float
        From the first request to the whole document.
    refused : int
        How often the server was too busy, and the browser asked again by itself.
    """

    url: str
    document: dict[str, Any] = field(default_factory=dict)
    ready_s: float = 0.0
    refused: int = 0
    _socket: WebSocketClientConnection | None = None
    _inbox: asyncio.Queue[tuple[dict[str, Any], dict[str, Any]] | None] = field(default_factory=asyncio.Queue)
    _reader: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, url: str, source: str = "") -> Visit:
        """Get a page and its document, from a network address of this machine."""
        begin, refused = perf_counter(), 0
        async with asyncio.timeout(GIVE_UP):
            while (page := await get(url, source)).code == HTTPStatus.TOO_MANY_REQUESTS:
                refused += 1
                await asyncio.sleep(float(page.headers["Refresh"]))
        page.rethrow()
        found = _TOKEN.search(page.body.decode())
        if found is None:
            message = f"{url}: no session in the page"
            raise PageFailed(message)
        path, _, query = url.partition("?")
        address = f"{path.replace('http', 'ws', 1)}/ws" + (f"?{query}" if query else "")
        request = HTTPRequest(
            address,
            headers={"Origin": "/".join(url.split("/")[:3])},
            request_timeout=PATIENCE,
            connect_timeout=PATIENCE,
            network_interface=source or None,
        )
        socket = await websocket_connect(request, subprotocols=["bokeh", found[1]], max_message_size=64 << 20)
        visit = cls(url, refused=refused, _socket=socket)
        visit._reader = asyncio.create_task(visit._read())
        await visit._receive("ACK")
        visit.document = await visit.pull()
        visit.ready_s = perf_counter() - begin
        return visit

    def models(self, **having: Any) -> list[dict[str, Any]]:
        """Models of the document with some attributes, anywhere in it."""
        found: list[dict[str, Any]] = []

        def look(part: Any) -> None:
            if isinstance(part, dict):
                attributes = part.get("attributes")
                if isinstance(attributes, dict) and "id" in part and having.items() <= _plain(attributes).items():
                    found.append(part)
                for value in part.values():
                    look(value)
            elif isinstance(part, list):
                for value in part:
                    look(value)

        look(self.document)
        return found

    async def change(self, label: str, value: Any, answer: str) -> float:
        """Give the control with a label a value, as a person does.

        Returns
        -------
        float
            Time [s] until the server has changed an attribute called ``answer`` of anything.
        """
        begin = perf_counter()
        (control, *_) = self.models(label=label)
        event = {"kind": "ModelChanged", "model": {"id": control["id"]}, "attr": "value", "new": value}
        await self._send("PATCH-DOC", {"events": [event]})
        while True:
            patch = await self._receive("PATCH-DOC")
            if any(event.get("attr") == answer for event in patch["events"]):
                return perf_counter() - begin

    async def type_into(self, label: str, text: str) -> dict[str, Any]:
        """Type into a field; the whole document afterwards."""
        (control, *_) = self.models(label=label)
        event = {"kind": "ModelChanged", "model": {"id": control["id"]}, "attr": "value", "new": text}
        await self._send("PATCH-DOC", {"events": [event]})
        await self._receive("OK")  # it is written down, and will be handled
        with suppress(TimeoutError):
            await asyncio.wait_for(self._receive("PATCH-DOC"), SOON)
        return await self.pull()

    async def pull(self) -> dict[str, Any]:
        """The whole document, after what is being done to it."""
        await self._send("PULL-DOC-REQ", {})
        document: dict[str, Any] = (await self._receive("PULL-DOC-REPLY"))["doc"]
        return document

    async def drain(self, seconds: float) -> None:
        """Read for a while what the server says of itself, as a browser does while its person looks."""
        end = perf_counter() + seconds
        while (left := end - perf_counter()) > 0:
            try:
                await asyncio.wait_for(self._message(), left)
            except TimeoutError:
                return

    def close(self) -> None:
        """Go, as a browser does whose tab is closed: without a word."""
        if self._reader is not None:
            self._reader.cancel()
        if self._socket is not None:
            self._socket.close()
            if self._socket.stream is not None:
                self._socket.stream.close()

    async def _send(self, kind: str, content: dict[str, Any]) -> None:
        assert self._socket is not None
        for part in (json.dumps({"msgid": uuid4().hex, "msgtype": kind}), "{}", json.dumps(content)):
            await self._socket.write_message(part)

    async def _receive(self, kind: str) -> Any:
        while True:
            header, content = await asyncio.wait_for(self._message(), PATIENCE)
            if header["msgtype"] == "ERROR":
                message = f"{self.url}: {content.get('text')}"
                raise PageFailed(message)
            if header["msgtype"] == kind:
                return content

    async def _message(self) -> tuple[dict[str, Any], dict[str, Any]]:
        message = await self._inbox.get()
        if message is None:
            complaint = f"{self.url}: the server closed the connection"
            raise PageFailed(complaint)
        return message

    async def _read(self) -> None:
        """Take messages as they come: header, metadata, content, and as many buffers as the header says."""
        assert self._socket is not None
        parts: list[str | bytes] = []
        while (part := await self._socket.read_message()) is not None:
            parts.append(part)
            header = json.loads(parts[0])
            if len(parts) == 3 + 2 * header.get("num_buffers", 0):
                self._inbox.put_nowait((header, json.loads(parts[2])))
                parts = []
        self._inbox.put_nowait(None)


async def get(url: str, source: str = "") -> HTTPResponse:
    """One GET, from a network address of this machine; the answer, whatever its status."""
    return await AsyncHTTPClient().fetch(
        url,
        raise_error=False,
        request_timeout=PATIENCE,
        connect_timeout=PATIENCE,
        network_interface=source or None,
    )


def _plain(attributes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if isinstance(value, (str, int, float, bool))}
