"""Pages that are open, and those that nobody opens."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest
from bokeh.server.session import ServerSession
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine

from dashboards.server.fair_queue import Busy, Client
from dashboards.server.fair_use import FairUse, client_of
from dashboards.shared.limits import WebLimits

HERE, THERE = Client("127.0.0.1"), Client("127.0.0.2")


class Session:
    """As much of Bokeh's as is asked."""

    def __init__(self, *, connections: int = 0, unused_ms: float = 60_000.0) -> None:
        self.connection_count, self.milliseconds_since_last_unsubscribe = connections, unused_ms
        self.destroyed = self.expired = False

    def request_expiration(self) -> None:
        self.expired = True


def opened(fair: FairUse, client: Client, number: int, **having: Any) -> list[Session]:
    made = [Session(**having) for _ in range(number)]
    for session in made:
        fair.made(cast("ServerSession", session), client, 1.0)
    return made


def request(remote_ip: str = "127.0.0.1", **headers: str) -> HTTPServerRequest:
    line = RequestStartLine("GET", "/", "HTTP/1.0")
    made = HTTPServerRequest(start_line=line, headers=HTTPHeaders(headers), connection=cast("Any", SimpleNamespace()))
    made.remote_ip = remote_ip
    return made


def test_the_oldest_pages_that_nobody_opens_are_given_up() -> None:
    limits = WebLimits(pages_unused=3)
    fair = FairUse(limits)
    used = opened(fair, HERE, 5, connections=1)
    elsewhere = opened(fair, THERE, 3)
    unused = opened(fair, HERE, 5)
    fresh = opened(fair, HERE, 4, unused_ms=100.0)
    assert [session.expired for session in unused] == [True] * 5
    assert not any(session.expired for session in (*used, *elsewhere, *fresh))


def test_pages_of_an_address_and_of_a_browser_are_bounded() -> None:
    fair = FairUse(WebLimits(pages_address=4, pages_client=2))

    async def ask(remote_ip: str) -> None:
        async with fair.making_page(request(remote_ip)):
            pass

    sessions = opened(fair, HERE, 4, connections=1)
    with pytest.raises(Busy, match=r"4 pages are open from your network address.* try again in 15 s"):
        asyncio.run(ask("127.0.0.1"))
    asyncio.run(ask("127.0.0.2"))
    sessions[0].destroyed = True
    asyncio.run(ask("127.0.0.1"))
    assert fair.open_pages == 3


def test_a_page_whose_socket_was_opened_costs_less() -> None:
    fair = FairUse(WebLimits(page_returned=0.5), clock=lambda: 0.0)
    for client in (HERE, THERE):
        for _ in range(10):
            fair.pages.charge(client, 1.0)
    opened(fair, HERE, 4, connections=1)
    opened(fair, THERE, 4, unused_ms=1e6)
    for _ in range(2):
        assert fair.others_than(THERE)
    assert fair.pages.left(HERE) - fair.pages.left(THERE) == 2.0


def test_who_is_there() -> None:
    now = 0.0
    fair = FairUse(WebLimits(seen=3.0), clock=lambda: now)
    assert not fair.others_than(HERE)
    fair.saw(HERE)
    assert not fair.others_than(HERE)
    assert fair.others_than(THERE)
    now = 10.0
    assert not fair.others_than(THERE)
    (page,) = opened(fair, HERE, 1, connections=1)
    assert fair.others_than(THERE)
    page.destroyed = True
    assert not fair.others_than(THERE)


def test_an_address_of_ipv6_is_its_network_and_a_forged_cookie_is_nobody() -> None:
    assert client_of(request("2001:db8:1:2:3:4:5:6")) == Client("2001:db8:1:2::")
    assert client_of(request("2001:db8:1:2:3:4:5:6"), "alice") == Client("2001:db8:1:2::", "user alice")
    assert client_of(request("127.0.0.1", Cookie="stix_browser=abc; user=alice")) == Client("127.0.0.1")
