"""Guessing passwords, and beginning and ending sessions without end."""

from __future__ import annotations

import http.client
import json
import re
import time
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from tornado.web import create_signed_value

from archive.accounts import Accounts, web_secrets

#: Attempts at one name from one address within five minutes, and at one name before answers are delayed.
PER_PAIR, PER_NAME = 8, 16
#: Sessions that one user may end, and changes of the account, within an hour.
SIGN_OUTS, ACCOUNT_CHANGES = 100, 100


def ended_sessions(target: Any) -> int:
    """Lines in the list of ended sessions."""
    path = target.root / "signed-out.json"
    return len(json.loads(path.read_text())) if path.exists() else 0


def attempt(url: str, address: str, name: str, password: str) -> tuple[int, dict[str, str], float]:
    """Sign in from an address of this machine: status, headers, and how long it took, s."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60, source_address=(address, 0))
    try:
        connection.request("GET", "/login")
        form = connection.getresponse()
        cookie = str(form.getheader("Set-Cookie")).partition(";")[0]
        token = re.findall(r'name="_xsrf" value="([^"]+)"', form.read().decode())[0]
        begun = time.monotonic()
        body = urlencode({"_xsrf": token, "username": name, "password": password})
        headers = {"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded"}
        connection.request("POST", "/login", body, headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status, dict(answer.getheaders()), time.monotonic() - begun
    finally:
        connection.close()


def test_wrong_tries_do_not_lock_the_owner_out(target: Any) -> None:
    """A guesser of a user's password is refused at their own address, and the user still gets in elsewhere."""
    stranger, owner = "127.0.0.21", "127.0.0.22"
    statuses = [attempt(target.url, stranger, "olga", "wrong")[0] for _ in range(PER_PAIR)]
    assert statuses == [401] * PER_PAIR
    status, headers, _ = attempt(target.url, stranger, "olga", target.passwords["olga"])
    assert (status, 0 < int(headers["Retry-After"]) <= 300) == (429, True)
    assert attempt(target.url, owner, "olga", target.passwords["olga"])[0] == 303


def test_a_name_tried_from_many_addresses_is_slowed_down_and_not_locked(target: Any) -> None:
    """Guesses at one name from many addresses are answered ever later, and its owner still gets in."""
    Accounts(target.root).add("carla", "carla's long password", Accounts(target.root).user("bob").added_at)
    took = []
    for number in range(PER_NAME + 3):
        status, _, seconds = attempt(target.url, f"127.0.1.{number // 4 + 1}", "carla", "wrong")
        assert status == 401
        took.append(seconds)
    assert took[-1] >= 1.0  # 0.25, 0.5, 1 s
    status, _, seconds = attempt(target.url, "127.0.2.1", "carla", "carla's long password")
    assert status == 303
    assert seconds >= 2.0
    assert attempt(target.url, "127.0.2.1", "bob", target.passwords["bob"])[0] == 303  # others notice nothing


def test_signing_out_again_and_again_fills_nothing(target: Any, new_client: type[Any]) -> None:
    """One user who ends session after session is refused with 429, and the list of ended sessions stays short."""
    user, key = Accounts(target.root).user("olga"), web_secrets(target.root).cookie
    client = new_client(target.url)
    client.get("/login")
    form = {"_xsrf": client.cookies["_xsrf"]}
    before = ended_sessions(target)
    statuses = []
    for number in range(SIGN_OUTS + 3):
        ticket = f"olga:{user.generation}:{number:016x}"
        cookie = create_signed_value(key, "user", ticket).decode()
        client.cookies["user"] = cookie
        answer = client.post("/logout", form)
        statuses.append(answer.status)
    assert statuses == [303] * SIGN_OUTS + [429] * 3
    assert int(answer.headers["Retry-After"]) > 0
    assert "You are signed out in this browser." in answer.text
    assert "user" not in client.cookies
    client.cookies["user"] = cookie
    assert "You are not signed in." in client.get("/logout").text  # this server knows all the same
    assert ended_sessions(target) <= before + SIGN_OUTS


def test_changes_of_one_account_are_limited(target: Any, new_client: type[Any]) -> None:
    """One user who changes the account again and again is refused with 429, and others are not."""
    client = new_client(target.url)
    client.sign_in("olga", target.passwords["olga"])
    form = {"action": "revoke", "token_id": "none of mine", "_xsrf": client.cookies["_xsrf"]}
    statuses = [client.post("/account", form).status for _ in range(ACCOUNT_CHANGES + 2)]
    assert statuses == [400] * ACCOUNT_CHANGES + [429] * 2
    answer = client.post("/account", form)
    assert int(answer.headers["Retry-After"]) > 0
    assert "Too many changes. Try again in" in answer.text


@pytest.mark.parametrize("path", ["/account", "/logout", "/login"])
def test_a_cookie_of_another_key_changes_nothing(target: Any, new_client: type[Any], path: str) -> None:
    """A cookie that somebody else signed is a guest's at every page about accounts, and is not recorded."""
    client = new_client(target.url)
    client.get("/login")
    generation = Accounts(target.root).user("olga").generation
    client.cookies["user"] = create_signed_value("another key", "user", f"olga:{generation}:00").decode()
    before = ended_sessions(target)
    answer = client.post(path, {"_xsrf": client.cookies["_xsrf"], "action": "everywhere"})
    assert answer.status in {303, 401}
    assert Accounts(target.root).user("olga").generation == generation
    assert ended_sessions(target) == before
