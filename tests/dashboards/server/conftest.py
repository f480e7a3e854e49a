"""A browser without a screen: requests as they are, cookies kept, web sockets over which anybody may send anything."""

from __future__ import annotations

import asyncio
import html
import http.client
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from bokeh.protocol import Protocol
from bokeh.protocol.receiver import Receiver
from tornado.httpclient import HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Client:
    """Sends requests as they are (urllib would tidy paths up) and keeps cookies as a browser does."""

    url: str
    cookies: dict[str, str] = field(default_factory=dict)
    set_cookies: dict[str, Any] = field(default_factory=dict)

    def get(self, path: str, **headers: str) -> Answer:
        return self.send("GET", path, None, **headers)

    def post(self, path: str, form: dict[str, str], **headers: str) -> Answer:
        """Send a form, without what protects forms."""
        kind = {"Content_Type": "application/x-www-form-urlencoded"}
        return self.send("POST", path, urlencode(form).encode(), **(kind | headers))

    def submit(self, path: str, form: dict[str, str], *, page: str | None = None) -> Answer:
        """Open the page with a form and send it, as a person does."""
        found = re.search(r'name="_xsrf" value="([^"]+)"', self.get(page or path).text)
        assert found is not None
        return self.post(path, {"_xsrf": found[1], **form})

    def send(self, method: str, path: str, body: bytes | None, **headers: str) -> Answer:
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=60)
        cookies = "; ".join(f'{name}="{value}"' for name, value in self.cookies.items())
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request(method, path, body, sent | ({"Cookie": cookies} if cookies else {}))
            response = connection.getresponse()
            answer = Answer(response.status, response.headers, response.read())
        finally:
            connection.close()
        for line in answer.headers.get_all("Set-Cookie", []):
            for name, morsel in SimpleCookie(line).items():
                self.set_cookies[name] = morsel
                if morsel.value:
                    self.cookies[name] = morsel.value
                else:
                    self.cookies.pop(name, None)
        return answer

    def sign_in(self, name: str, password: str, target: str = "") -> Answer:
        return self.submit("/login", {"username": name, "password": password, "next": target})


PATIENCE_S = 60


class OpenTab:
    """A page that was opened in a browser, with the session it has on the server.

    Parameters
    ----------
    client : Client
        Its cookies are sent.
    page : str
        Name of the page.
    """

    def __init__(self, client: Any, page: str) -> None:
        self._client, self._page = client, page
        found = re.search(r'"token":\s*"([^"]+)"', html.unescape(client.get(f"/{page}").text))
        assert found is not None
        self.token = found[1]
        self._protocol = Protocol()
        self._receiver = Receiver(self._protocol)
        self._socket: WebSocketClientConnection | None = None
        self._ended = False

    async def connect(self, *, protocol: str = "bokeh", **headers: str | None) -> None:
        """Open the web socket, as the page's script does; a header that is None is left out."""
        cookies = "; ".join(f'{name}="{value}"' for name, value in self._client.cookies.items())
        sent = {"Origin": self._client.url, "Cookie": cookies, **headers}
        request = HTTPRequest(
            f"{self._client.url.replace('http', 'ws')}/{self._page}/ws",
            headers={name: text for name, text in sent.items() if text is not None},
        )
        self._socket = await websocket_connect(request, subprotocols=[protocol, self.token])
        try:
            assert (await self._receive()).msgtype == "ACK"
        except AssertionError:
            self._socket.close()
            raise

    async def document(self) -> dict[str, Any]:
        """The page as the server would draw it."""
        await self._send("PULL-DOC-REQ", {})
        document: dict[str, Any] = (await self._receive("PULL-DOC-REPLY")).content
        return document

    async def __aenter__(self) -> OpenTab:
        await self.connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._socket is not None
        self._socket.close()
        while not self._ended:
            self._ended = await asyncio.wait_for(self._socket.read_message(), PATIENCE_S) is None

    async def button(self, description: str) -> str | None:
        """Id of the button that is described so; None when the page has none."""
        return _button(await self.document(), description)

    async def press(self, model_id: str) -> None:
        """Say that a button was pressed, and wait until the server has heard it."""
        values = [["model", {"id": model_id}], ["node", "click"], ["data", {"type": "map", "entries": []}]]
        event = {"type": "event", "name": "dom_event", "values": {"type": "map", "entries": values}}
        await self.patch({"kind": "MessageSent", "msg_type": "bokeh_event", "msg_data": event})

    async def patch(self, event: dict[str, Any]) -> str:
        """Send a change of the document; returns the kind of message that answers it."""
        await self._send("PATCH-DOC", {"events": [event]})
        answer = await self._receive("OK", "ERROR")
        await self.document()  # events are handled before what is asked after them
        return str(answer.msgtype)

    async def _send(self, kind: str, content: dict[str, Any]) -> None:
        assert self._socket is not None
        header = json.dumps({"msgid": f"{kind}-1", "msgtype": kind})
        for part in (header, "{}", json.dumps(content)):
            await self._socket.write_message(part)

    async def _receive(self, *kinds: str) -> Any:
        assert self._socket is not None
        while True:
            fragment = await asyncio.wait_for(self._socket.read_message(), PATIENCE_S)
            self._ended = fragment is None  # Tornado says so once; a second question would never be answered
            assert fragment is not None, "the server has closed the connection"
            message = await self._receiver.consume(fragment)
            if message is not None and (not kinds or message.msgtype in kinds):
                return message


def _button(document: Any, description: str) -> str | None:
    """Id of the button that is described so."""
    if isinstance(document, list):
        return next((found for item in document if (found := _button(item, description))), None)
    if not isinstance(document, dict):
        return None
    data = (document.get("attributes") or {}).get("data")
    if isinstance(data, dict) and (data.get("attributes") or {}).get("description") == description:
        return str(document["id"])
    return next((found for item in document.values() if (found := _button(item, description))), None)


@pytest.fixture
def client(server: Any) -> Client:
    """Somebody who has just opened a browser."""
    return Client(server.url)


@pytest.fixture(scope="session")
def new_client() -> type[Client]:
    """For those who need several browsers, or one for another server."""
    return Client


@pytest.fixture
def imaged_client(imaged_server: Any) -> Client:
    """Somebody who looks at real files and images of them."""
    return Client(imaged_server.url)


@pytest.fixture(scope="session")
def signed_in(server: Any, users: dict[str, str]) -> Callable[[str], Client]:
    """A new browser in which a user has signed in."""

    def make(name: str) -> Client:
        made = Client(server.url)
        answer = made.sign_in(name, users[name])
        assert answer.status == 303, answer.text
        return made

    return make


@pytest.fixture
def open_tab() -> type[OpenTab]:
    """Opens a page and talks to its session."""
    return OpenTab
