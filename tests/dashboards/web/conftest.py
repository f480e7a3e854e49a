"""A browser without a screen: requests as they are, cookies kept."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest


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


@pytest.fixture
def client(server: Any) -> Client:
    """Somebody who has just opened a browser."""
    return Client(server.url)


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
