"""Signing in and out on a really running server."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from tornado.web import create_signed_value

from archive.accounts import Accounts, web_secrets
from dashboards.server.plain_page import local_address
from dashboards.shared.navigation import PAGES


def who(client: Any) -> str:
    """Who this browser is for the server; empty for a guest."""
    found = re.search(r"signed in as <b>([^<]+)</b>", client.get("/logout").text)
    return found[1] if found else ""


def test_everybody_is_a_guest_at_first(client: Any) -> None:
    assert who(client) == ""
    assert client.get("/image_archive").status == 200


def test_sign_in_and_out(client: Any, users: dict[str, str], small: Any) -> None:
    hidden = f"/archive/fits/{small.hidden.image_id}"
    assert client.get(hidden).status == 404
    answer = client.sign_in("alice", users["alice"], "/image_archive?method=clean")
    assert (answer.status, answer.headers["Location"]) == (303, "/image_archive?method=clean")
    cookie = client.set_cookies["user"]
    assert (cookie["httponly"], cookie["samesite"], cookie["secure"], cookie["path"]) == (True, "Lax", "", "/")
    assert who(client) == "alice"
    assert client.get(hidden).status == 200

    kept = dict(client.cookies)
    answer = client.submit("/logout", {}, page="/logout")
    assert (answer.status, answer.headers["Location"]) == (303, "flares")
    assert who(client) == ""
    client.cookies = kept  # as an open tab has them, or who copied them
    assert who(client) == ""
    assert client.get(hidden).status == 404


def test_hidden_images_of_others_are_for_operators(signed_in: Callable[[str], Any], small: Any) -> None:
    for name, status in (("bob", 404), ("olga", 200)):
        browser = signed_in(name)
        for kind in ("fits", "png", "thumbnail"):
            answer = browser.get(f"/archive/{kind}/{small.hidden.image_id}")
            assert answer.status == status
            assert status == 404 or answer.headers["Cache-Control"] == "no-store"


def test_two_sessions_of_one_user_end_by_themselves(signed_in: Callable[[str], Any]) -> None:
    one, other = signed_in("bob"), signed_in("bob")
    one.submit("/logout", {})
    assert (who(one), who(other)) == ("", "bob")


def test_a_link_of_ours_signs_out_at_once_and_one_from_elsewhere_asks(signed_in: Callable[[str], Any]) -> None:
    client = signed_in("bob")
    for site in ("cross-site", "same-site", ""):
        assert "Signing out ends all open tabs" in client.get("/logout", Sec_Fetch_Site=site).text
        assert who(client) == "bob"
    answer = client.get("/logout?next=/image_archive%3Fpage%3D2", Sec_Fetch_Site="same-origin")
    assert (answer.status, answer.headers["Location"]) == (303, "/image_archive?page=2")
    assert who(client) == ""


def test_a_wrong_password_says_so_and_keeps_name_and_target(client: Any, users: dict[str, str]) -> None:
    answer = client.sign_in("bob<script>", users["bob"], "/image_archive?page=2")
    assert answer.status == 401
    assert "Incorrect name or password." in answer.text
    assert 'value="bob&lt;script&gt;"' in answer.text
    assert 'name="next" value="/image_archive?page=2"' in answer.text
    assert "user" not in client.cookies


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example",
        "https://evil.example",
        "\\\\evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "/a\nSet-Cookie: x=1",
        " //evil.example",
        "///evil.example",
        "http:evil",
        "/" * 5000,
        "//[",
        "data:text/html,x",
    ],
)
def test_nobody_is_sent_to_another_site(client: Any, users: dict[str, str], target: str) -> None:
    with pytest.raises(ValueError, match="not on this site"):
        local_address(target)
    answer = client.sign_in("alice", users["alice"], target)
    assert answer.status == 400 or answer.headers["Location"] == "flares"
    assert "evil" not in answer.headers.get("Location", "")


def test_forms_without_their_token_are_refused(client: Any, users: dict[str, str]) -> None:
    form = {"username": "alice", "password": users["alice"]}
    assert client.post("/login", form).status == 403
    client.get("/login")
    for forged in ({}, {"_xsrf": "0" * 32}, {"_xsrf": client.cookies["_xsrf"][:-2] + "zz"}):
        answer = client.post("/login", form | forged)
        assert answer.status == 403
        assert "user" not in client.cookies
    for path in ("/logout", "/account"):
        assert client.post(path, {"action": "everywhere"}).status == 403


def test_guessing_is_limited(client: Any, users: dict[str, str]) -> None:
    for _ in range(8):
        assert client.sign_in("nobody.in.particular", "wrong").status == 401
    answer = client.sign_in("Nobody.In.Particular", "wrong")
    assert answer.status == 429
    assert "Too many attempts. Try again in 5 minutes." in answer.text
    assert 0 < int(answer.headers["Retry-After"]) <= 300
    assert client.sign_in("alice", users["alice"]).status == 303


def test_cookies_that_are_no_sessions(client: Any, users: dict[str, str], small: Any) -> None:
    accounts = Accounts(small.archive.root)
    key, generation = web_secrets(small.archive.root).cookie, accounts.user("alice").generation

    def signed(value: str, secret: str = key, name: str = "user", when: float | None = None) -> str:
        made = create_signed_value(secret, name, value, clock=lambda: when or time.time())
        return made.decode()

    good = f"alice:{generation}:0123456789abcdef"
    forged = {
        "good": signed(good),
        "bare": "alice",
        "unsigned": good,
        "another key": signed(good, "another key"),
        "another cookie": signed(good, name="id_token"),
        "no generation": signed("alice"),
        "another generation": signed("alice:0000000000000000:00"),
        "old": signed(good, when=time.time() - 25 * 3600),
        "cut": signed(good)[:-1],
        "nobody": signed(f"nobody:{generation}:00"),
        "nothing": signed(""),
        "no text": "2|1:0|10:1|4:user|4://///|00",
    }
    seen = {}
    for what, cookie in forged.items():
        client.cookies = {"user": cookie}
        seen[what] = who(client), client.get(f"/archive/fits/{small.hidden.image_id}").status
    assert seen.pop("good") == ("alice", 200)
    assert set(seen.values()) == {("", 404)}


def test_whatever_ends_sessions_ends_them_at_once(client: Any, small: Any) -> None:
    accounts, password = Accounts(small.archive.root), "carol's long password"
    accounts.add("carol", password, small.images[0].created_at)
    for end in (lambda name: accounts.change_password(name, password), accounts.end_sessions, accounts.remove):
        assert client.sign_in("carol", password).status == 303
        assert who(client) == "carol"
        end("carol")
        assert who(client) == ""


def test_account_page(signed_in: Callable[[str], Any], small: Any, client: Any) -> None:
    answer = client.get("/account")
    assert (answer.status, answer.headers["Location"]) == (303, "login?next=account")

    bob, accounts = signed_in("bob"), Accounts(small.archive.root)
    html = bob.get("/account").text
    navigation = html.partition("</nav>")[0]
    assert 'title="Account of bob" aria-current="page"' in html
    sheet = re.search(r'<link rel="stylesheet" href="([^"]+)"', html)
    assert sheet is not None
    assert "font-family:Roboto" in client.get(f"/{sheet[1]}").text  # the typeface of the live pages
    assert all(f'<a href="{address}">{name}</a>' in navigation for address, name in PAGES.items())
    page = bob.submit("/account", {"action": "token", "label": "<i>my</i> notebook"}).text
    token = re.search(r'<pre id="token">(stix_[^<]+)</pre>', page)
    assert token is not None
    assert "&lt;i&gt;my&lt;/i&gt; notebook" in page
    person = accounts.of_token(token[1])
    assert person is not None
    assert person.name == "bob"
    assert token[1] not in bob.get("/account").text  # shown once

    assert bob.get("/account", Authorization=f"Bearer {token[1]}").status == 200
    assert client.get("/account", Authorization=f"Bearer {token[1]}").status == 303  # a token makes no tokens

    (kept,) = accounts.user("bob").tokens
    assert "Token revoked." in bob.submit("/account", {"action": "revoke", "token_id": kept.token_id}).text
    assert accounts.of_token(token[1]) is None
    answer = bob.submit("/account", {"action": "revoke", "token_id": kept.token_id})
    assert answer.status == 400
    assert "has no token" in answer.text


def test_changing_the_own_password(client: Any, small: Any) -> None:
    accounts, old, new = Accounts(small.archive.root), "dora's long password", "dora's other password"
    accounts.add("dora", old, small.images[0].created_at)
    client.sign_in("dora", old)
    for form, sentence in (
        ({"old": "wrong", "new": new, "again": new}, "Current password is incorrect."),
        ({"old": old, "new": new, "again": old}, "The new passwords do not match."),
        ({"old": old, "new": "short", "again": "short"}, "10 to 200 characters"),
    ):
        answer = client.submit("/account", {"action": "password", **form})
        assert answer.status == 400
        assert sentence in answer.text
    elsewhere = type(client)(client.url)
    elsewhere.sign_in("dora", old)
    assert (
        "Password changed"
        in client.submit("/account", {"action": "password", "old": old, "new": new, "again": new}).text
    )
    assert (who(client), who(elsewhere)) == ("dora", "")
    assert accounts.verify("dora", new) is not None


def test_nothing_of_these_pages_is_stored_framed_or_scripted(client: Any) -> None:
    for path in ("/login", "/logout"):
        answer = client.get(path)
        assert answer.headers["Cache-Control"] == "no-store"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        assert "<script" not in answer.text
        assert not re.search(r"(src|href)=.?(https?:)?//", answer.text)
