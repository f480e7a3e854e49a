"""Signing in with a provider: OpenID Connect against a small one of our own."""

from __future__ import annotations

import json
import re
import threading
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from archive import Archive
from archive.accounts import Accounts

SECRET = "the client's secret"


class Provider:
    """Says that whoever asks is ``name``."""

    def __init__(self) -> None:
        self.name, self.fault = "alice@example.org", ""
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                sent = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                good = sent["client_secret"] == [SECRET] and sent["code"] == ["the code"]
                claim = "sub" if provider.fault == "nameless" else "email"
                claims = urlsafe_b64encode(json.dumps({claim: provider.name}).encode()).decode().rstrip("=")
                tokens = {"access_token": f"e30.{claims}.c2ln", "id_token": f"e30.{claims}.c2ln"}
                good = good and provider.fault != "refuses"
                body = json.dumps(tokens if good else {"error": "invalid_grant"}).encode()
                body = b"<p>Hello</p>" if provider.fault in {"broken", "babbles"} else body
                self.send_response(502 if provider.fault == "broken" else 200 if good else 400)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Answer nobody any more."""
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    made = Provider()
    monkeypatch.setenv("PANEL_OAUTH_KEY", "stix")
    monkeypatch.setenv("PANEL_OAUTH_SECRET", SECRET)
    monkeypatch.setenv("PANEL_OAUTH_AUTHORIZE_URL", f"{made.url}/authorize")
    monkeypatch.setenv("PANEL_OAUTH_TOKEN_URL", f"{made.url}/token")
    yield made
    made.close()


def sign_in(client: Any) -> Any:
    """Go to the provider and come back with a code, as a browser does."""
    there = client.get("/login?next=/operations")
    assert there.status == 302
    asked = parse_qs(urlsplit(there.headers["Location"]).query)
    assert asked["client_id"] == ["stix"]
    assert SECRET not in there.headers["Location"]
    back = f"/login?{urlencode({'code': 'the code', 'state': asked['state'][0]})}"
    return client.get(back)


def who(client: Any) -> str:
    found = re.search(r"signed in as <b>([^<]+)</b>", client.get("/logout").text)
    return found[1] if found else ""


def test_a_provider_says_who_and_the_configuration_who_may(
    provider: Provider, serve: Callable[..., Any], tmp_path: Any, new_client: Callable[[str], Any]
) -> None:
    archive = Archive(tmp_path / "archive", create=True)
    (archive.root / "config.toml").write_text(
        '[accounts]\nallowed = ["*@example.org"]\noperators = ["operator@example.com"]\n'
    )
    accounts = Accounts(archive.root)
    with serve(archive.root, "dashboards", "--oauth-provider", "generic") as server:
        alice = new_client(server.url)
        answer = sign_in(alice)
        assert (answer.status, answer.headers["Location"]) == (302, "/operations")
        for name in ("user", "id_token", "access_token"):
            cookie = alice.set_cookies[name]
            assert (cookie["samesite"], cookie["httponly"]) == ("Lax", True)
        assert who(alice) == "alice@example.org"

        page = alice.submit("/account", {"action": "token", "label": "notebook"}).text
        token = re.search(r'<pre id="token">(stix_[^<]+)</pre>', page)
        assert token is not None
        assert "New password" not in page
        bearer = f"Bearer {token[1]}"
        assert new_client(server.url).get("/api/v1/requests", Authorization=bearer).status == 200

        kept = dict(alice.cookies)
        alice.submit("/logout", {})
        alice.cookies = kept
        assert who(alice) == ""  # for open tabs too

        for name, seen in (("operator@example.com", "operator@example.com"), ("mallory@example.com", ""), ("auto", "")):
            provider.name = name
            somebody = new_client(server.url)
            answer = sign_in(somebody)
            assert who(somebody) == seen
            if not seen:
                assert answer.status == 403
                assert f"You signed in as {name}, which has no account here." in answer.text
                assert not somebody.cookies.get("user")
        forged = new_client(server.url)
        forged.get("/login")
        assert forged.get("/login?code=the+code&state=forged").status == 401

        (archive.root / "config.toml").write_text("[accounts]\nallowed = []\n")
        assert new_client(server.url).get("/api/v1/requests", Authorization=bearer).status == 401
        assert accounts.user("alice@example.org").password is None


def test_what_goes_wrong_is_a_sentence(
    provider: Provider, serve: Callable[..., Any], tmp_path: Any, new_client: Callable[[str], Any]
) -> None:
    archive = Archive(tmp_path / "archive", create=True)
    (archive.root / "config.toml").write_text('[accounts]\nallowed = ["*@example.org"]\n')

    def sentence(answer: Any) -> str:
        assert "://" not in answer.text  # nothing of another host
        found = re.search(r'role="alert">([^<]+)<', answer.text)
        assert found is not None
        return found[1]

    with serve(archive.root, "dashboards", "--oauth-provider", "generic") as server:
        client = new_client(server.url)
        sign_in(client)
        no = client.get("/login?error=access_denied&error_description=words+of+anybody")
        assert (no.status, sentence(no).startswith("The sign-in was cancelled, or refused")) == (401, True)
        odd = client.get("/login?error=a%0d%0ab&error_description=words+of+anybody")
        assert (odd.status, "invalid response" in sentence(odd), "words" in odd.text) == (401, True, False)
        assert sentence(client.get("/login?code=the+code&state=forged")).startswith("This sign-in has expired")
        assert who(client) == "alice@example.org"  # whoever sends such a link signs nobody out

        for fault, status, part in (
            ("nameless", 401, "did not send a user name"),
            ("refuses", 401, "did not confirm"),
            ("broken", 503, "does not respond"),
            ("babbles", 502, "invalid response"),
        ):
            provider.fault = fault
            answer = sign_in(new_client(server.url))
            assert (answer.status, part in sentence(answer)) == (status, True), fault
        provider.fault = ""
        (archive.root / "config.toml").write_text("[accounts]\nallow = []\n")
        answer = sign_in(new_client(server.url))
        assert (answer.status, "list of users cannot be read" in sentence(answer)) == (503, True)
        provider.close()
        answer = sign_in(new_client(server.url))
        assert (answer.status, "does not respond" in sentence(answer)) == (503, True)
