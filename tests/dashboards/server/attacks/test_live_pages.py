"""A live page serves the visitor it was made for, and nobody else."""

from __future__ import annotations

import asyncio
import base64
import copy
import json
import re
import shutil
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from bokeh.protocol import Protocol
from bokeh.protocol.receiver import Receiver
from bokeh.util.token import generate_jwt_token, generate_session_id, get_session_id, get_token_payload
from tornado.httpclient import HTTPClientError

from archive.accounts import web_secrets
from dashboards.shared.limits import WebLimits
from jobs.queue.journal import Journal, RequestState

NOW = np.datetime64("2026-11-28T12:00:00", "us")
PAGES = ("flares", "image_archive", "lightcurves", "science_data", "operations", "flare")


def waiting_request(target: Any, user: str) -> int:
    """A request of a user in the queue."""
    body = json.dumps({"hidden": False, "for": user, "number": Journal(target.root).counts()[RequestState.QUEUED]})
    return Journal(target.root).submit(user, body, NOW, uid="1", task_count=1)[0].request_id


def refused(tab: Any, **headers: str | None) -> int:
    """Status with which the server refuses to open the web socket of a tab."""
    with pytest.raises(HTTPClientError) as error:
        asyncio.run(tab.connect(**headers))
    return int(error.value.code)


def open_as(tab: Any, client: Any) -> Any:
    """The same page token in another visitor's browser."""
    tab._client = client
    return tab


# -- session ids are the server's alone -------------------------------------------------------------------------------


@pytest.mark.parametrize("page", ["", *PAGES])
def test_a_session_id_in_an_address_is_refused(target: Any, attacker: Any, open_tab: Any, page: str) -> None:
    """No page takes a session id or a token from the address or a header."""
    tab = open_tab(attacker, "operations")
    session = quote(get_session_id(tab.token))
    ways: list[tuple[str, dict[str, str]]] = [
        (f"/{page}?bokeh-session-id={session}", {}),
        (f"/{page}?bokeh-session-id=", {}),
        (f"/{page}?bokeh-token={quote(tab.token)}", {}),
        (f"/{page}", {"Bokeh_Session_Id": get_session_id(tab.token)}),
    ]
    answers = [attacker.get(address, **headers) for address, headers in ways]
    assert [answer.status for answer in answers] == [400] * len(ways)
    assert all("token" not in answer.text.partition("bokeh-token")[2] for answer in answers)


@pytest.mark.parametrize("way", ["bokeh-session-id", "bokeh-token", "header"])
def test_a_session_id_beside_a_socket_is_refused(target: Any, attacker: Any, open_tab: Any, way: str) -> None:
    """No web socket takes a session id from the address or a header."""
    tab = open_tab(attacker, "operations")
    headers = {"Bokeh-Session-Id": get_session_id(tab.token)} if way == "header" else {}
    if not headers:
        tab._page = "operations/ws?" + f"{way}={quote(tab.token)}&x="
    assert refused(tab, **headers) == 400


def test_a_guest_cannot_press_the_buttons_of_an_operator(
    target: Any, attacker: Any, enter: Callable[[str], Any], open_tab: Any
) -> None:
    """A guest who prepares an operator's session cannot cancel other people's requests in it."""
    request = waiting_request(target, "bob")
    operator, guests = enter("olga"), open_tab(attacker, "operations")
    session = quote(get_session_id(guests.token))

    async def cancel(tab: Any) -> bool:
        """Press the button if the page has one."""
        async with tab:
            button = await tab.button(f"Cancel request {request}")
            if button is not None:
                await tab.press(button)
            return button is not None

    followed = operator.get(f"/operations?bokeh-session-id={session}")  # the operator opens the guest's link
    assert not asyncio.run(cancel(guests))
    assert Journal(target.root).get(request).state is RequestState.QUEUED
    assert followed.status == 400
    assert asyncio.run(cancel(open_tab(operator, "operations")))  # the operator's own page has the button
    assert Journal(target.root).get(request).state is RequestState.CANCELLED


# -- a socket is compared with the owner of its session ---------------------------------------------------------------


@pytest.mark.parametrize("thief", ["guest", "bob"])
def test_a_stolen_token_opens_nothing(
    target: Any, attacker: Any, enter: Callable[[str], Any], open_tab: Any, thief: str
) -> None:
    """The token of a signed-in visitor's page opens no socket for anybody else."""
    victim = open_tab(enter("olga"), "operations")
    assert refused(open_as(victim, attacker if thief == "guest" else enter("bob"))) == 403


def test_a_signed_in_visitor_is_not_led_into_a_guests_page(
    target: Any, attacker: Any, enter: Callable[[str], Any], open_tab: Any
) -> None:
    """A guest's token opens no socket in the browser of a user."""
    assert refused(open_as(open_tab(attacker, "operations"), enter("olga"))) == 403


def test_a_page_of_before_sign_out_comes_back_for_nobody(
    target: Any, enter: Callable[[str], Any], open_tab: Any
) -> None:
    """After sign-out, the token of an open page opens no further socket."""
    browser = enter("alice")
    tab = open_tab(browser, "operations")
    browser.submit("/logout", {}, page="/logout")
    assert refused(tab) == 403


def test_the_owner_opens_the_page(target: Any, attacker: Any, enter: Callable[[str], Any], open_tab: Any) -> None:
    """A visitor's own page opens, for a guest, a user and an operator; also twice, as after a lost connection."""

    async def look(tab: Any) -> int:
        async with tab:
            return len(json.dumps(await tab.document()))

    for browser in (attacker, enter("alice"), enter("olga")):
        tab = open_tab(browser, "operations")
        assert asyncio.run(look(tab)) > 10_000
        assert asyncio.run(look(tab)) > 10_000


def test_a_worthless_cookie_makes_a_guest(target: Any, enter: Callable[[str], Any], open_tab: Any) -> None:
    """A browser that still holds the cookie of a session that was ended gets a guest's page, which lives."""
    browser, other = enter("bob"), enter("bob")
    kept = dict(browser.cookies)
    browser.submit("/logout", {}, page="/logout")
    browser.cookies.update(kept)

    async def look() -> str:
        async with open_tab(browser, "operations") as tab:
            return json.dumps(await tab.document())

    assert "Account of" not in asyncio.run(look())
    assert other.get("/account").status == 200


def test_a_socket_without_origin_is_refused(target: Any, attacker: Any, open_tab: Any) -> None:
    """A web socket needs an Origin, and it must be ours."""
    tab = open_tab(attacker, "image_archive")
    assert refused(tab, Origin=None) == 403
    assert refused(tab, Origin="") == 403
    assert refused(tab, Origin="https://evil.example") == 403
    assert refused(tab, Origin="null") == 403


def test_no_token_that_was_made_up_reaches_the_log_as_a_fault(target: Any, attacker: Any, open_tab: Any) -> None:
    """Whatever stands where a token belongs is refused before the socket opens, without a traceback."""
    tab = open_tab(attacker, "operations")
    key = web_secrets(target.root).session.encode()
    session = generate_session_id(key, signed=True)
    deep = base64.urlsafe_b64encode(b"[" * 20_000).decode().rstrip("=")
    number = base64.urlsafe_b64encode(b'{"session_id": 7, "session_expiry": 9e9}').decode().rstrip("=")
    tokens = ["", "x", ".", "a.b", "ü", deep, f"{deep}.{deep}", number, f"{number}.x",
              tab.token[:-2] + "xx", generate_jwt_token(session, key, signed=True, expiration=-1)]  # fmt: skip
    statuses = []
    for token in tokens:
        tab.token = token
        try:
            asyncio.run(tab.connect())
            statuses.append(101)
        except HTTPClientError as error:
            statuses.append(error.code)
        except (ValueError, AssertionError):  # a client refuses to send it, or is refused without a status
            statuses.append(403)
    assert statuses == [403] * len(tokens)
    assert "Traceback" not in target.server.log_text()


@pytest.mark.slow_attack
def test_two_visitors_never_make_the_same_page_again(
    tmp_path: Path, small: Any, users: dict[str, str], serve: Callable[..., Any], new_client: type[Any], open_tab: Any
) -> None:
    """After a restart, a stolen token and its owner's browser that come at the same moment never share a page."""
    root = tmp_path / "archive"
    shutil.copytree(small.archive.root, root)

    async def opens(tab: Any) -> bool:
        try:
            async with tab:
                await tab.document()
        except (HTTPClientError, AssertionError):
            return False
        return True

    async def both(tab: Any, stolen: Any) -> tuple[bool, bool]:
        return await asyncio.gather(opens(tab), opens(stolen))

    with serve(root) as server:
        olga = new_client(server.url)
        assert olga.sign_in("olga", users["olga"]).status == 303
        tabs = [open_tab(olga, "operations") for _ in range(3)]
    with serve(root) as server:
        opened = []
        for tab in tabs:
            again = new_client(server.url)
            again.cookies.update(olga.cookies)
            thief = copy.copy(tab)
            thief._client = new_client(server.url)
            thief._protocol, thief._receiver = Protocol(), Receiver(Protocol())
            opened.append(asyncio.run(both(open_as(tab, again), thief)))
    assert [sum(pair) for pair in opened] == [1] * len(tabs)


def test_a_page_has_few_sockets(target: Any, attacker: Any, open_tab: Any) -> None:
    """One page cannot hold more than a few web sockets."""
    tab = open_tab(attacker, "image_archive")

    async def connect() -> int:
        opened = []
        for _ in range(WebLimits().sockets_page + 5):
            other = copy.copy(tab)
            other._protocol, other._receiver = Protocol(), Receiver(Protocol())
            with suppress(AssertionError):
                await other.connect()
                opened.append(other)
        for other in opened:
            await other.__aexit__()
        return len(opened)

    assert asyncio.run(connect()) == WebLimits().sockets_page


# -- the token gives nothing away -------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES)
def test_a_page_holds_no_cookie(target: Any, enter: Callable[[str], Any], open_tab: Any, page: str) -> None:
    """A page that somebody saves or sends on holds neither the sign-in cookie nor what a proxy was sent."""
    browser = enter("alice")
    text = browser.get(f"/{page}", Authorization="Basic c2VjcmV0OnNlY3JldA==", X_Secret="shibboleth").text
    token = re.search(r'"token":\s*"([^"]+)"', text)
    assert token is not None
    handed_out = text + json.dumps(get_token_payload(token[1]), default=str)
    assert browser.cookies["user"] not in handed_out
    assert browser.cookies["user"].split("|")[-1] not in handed_out
    assert "c2VjcmV0OnNlY3JldA" not in handed_out
    assert "shibboleth" not in handed_out


def test_a_bomb_in_a_token_is_not_unpacked(target: Any, attacker: Any, open_tab: Any) -> None:
    """A token whose content unpacks to 200 MB is refused by its signature."""
    tab = open_tab(attacker, "operations")
    content = base64.urlsafe_b64encode(zlib.compress(b" " * 200_000_000, 9)[:45_000]).decode()
    payload = json.dumps({"session_id": "x.y", "session_expiry": 9e9, "__bk__zlib_": content})
    tab.token = base64.urlsafe_b64encode(payload.encode()).decode().rstrip("=") + ".x"
    with suppress(ValueError):  # longer than a header may be
        assert refused(tab) in {400, 403, 431, 599}
