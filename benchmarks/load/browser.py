"""A minimal browser: it gets a page, opens its web socket, pulls the document, uses a control and leaves.

It speaks the Bokeh protocol as BokehJS does, so that the server does everything as for a person; only drawing is
omitted.
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
#: Time without a message after which the server has failed, s.
PATIENCE = 60.0
#: Time after which a visitor gives up on a busy server, s.
GIVE_UP = 300.0
#: Time within which the server begins to change the page, if at all, s.
SOON = 1.0
#: Concurrent connections: every visitor has a browser and waits only for the server.
AsyncHTTPClient.configure(None, max_clients=1000)


class PageFailed(Exception):
    """The page did not load, or its server stopped responding."""


@dataclass
class Visit:
    """One open page.

    Attributes
    ----------
    url : str
        URL of the page.
    document : dict
        Document sent by the server, as JSON.
    ready_s : float
        Time from the first request to the complete document.
    refused : int
        Number of refusals by a busy server after which the page was requested again automatically.
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
        """Get a page and its document from a network address of this machine."""
        begin, refused = perf_counter(), 0
        async with asyncio.timeout(GIVE_UP):
            while (page := await get(url, source)).code == HTTPStatus.TOO_MANY_REQUESTS:
                refused += 1
                await asyncio.sleep(float(page.headers["Refresh"]))
        if page.code != HTTPStatus.NOT_FOUND:  # the page of an unknown flare is a page
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
        """All models of the document with certain attributes."""
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
        """Set the value of the control with a label, as a person does.

        Returns
        -------
        float
            Time [s] until the server has changed an attribute called ``answer`` of any model.
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
        """Type into a field; returns the complete document."""
        (control, *_) = self.models(label=label)
        event = {"kind": "ModelChanged", "model": {"id": control["id"]}, "attr": "value", "new": text}
        await self._send("PATCH-DOC", {"events": [event]})
        await self._receive("OK")  # acknowledged, and will be handled
        with suppress(TimeoutError):
            await asyncio.wait_for(self._receive("PATCH-DOC"), SOON)
        return await self.pull()

    async def pull(self) -> dict[str, Any]:
        """The complete document, after pending changes."""
        await self._send("PULL-DOC-REQ", {})
        document: dict[str, Any] = (await self._receive("PULL-DOC-REPLY"))["doc"]
        return document

    async def drain(self, seconds: float) -> None:
        """Read messages of the server for a while, as a browser does while a person looks at the page."""
        end = perf_counter() + seconds
        while (left := end - perf_counter()) > 0:
            try:
                await asyncio.wait_for(self._message(), left)
            except TimeoutError:
                return

    def close(self) -> None:
        """Leave without notice, as a browser does when its tab is closed."""
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
        """Read messages: header, metadata, content and the buffers announced in the header."""
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
    """One GET from a network address of this machine; returns the response with any status."""
    return await AsyncHTTPClient().fetch(
        url,
        raise_error=False,
        request_timeout=PATIENCE,
        connect_timeout=PATIENCE,
        network_interface=source or None,
    )


def _plain(attributes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if isinstance(value, (str, int, float, bool))}
