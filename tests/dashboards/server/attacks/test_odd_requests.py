"""Requests that nobody sends by accident: forms of other hosts, odd dates, names and parameters, floods of messages."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from tornado.httpclient import HTTPClientError
from tornado.websocket import WebSocketClosedError

from dashboards.shared.limits import WebLimits

OTHER_HOSTS = (
    {"Origin": "http://evil.localhost:9999"},
    {"Origin": "null"},
    {"Sec_Fetch_Site": "same-site"},
    {"Sec_Fetch_Site": "cross-site"},
)


@pytest.mark.parametrize("headers", OTHER_HOSTS)
@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/account", {"action": "token", "label": "x"}),
        ("/account", {"action": "everywhere"}),
        ("/login", {"username": "bob", "password": "bob's long password"}),
        ("/logout", {}),
    ],
)
def test_a_form_of_another_host_is_refused(
    enter: Callable[[str], Any], path: str, form: dict[str, str], headers: dict[str, str]
) -> None:
    """A form of another host of this site is refused, though such a host can set the cookie that protects forms."""
    browser = enter("alice")
    browser.cookies["_xsrf"] = "deadbeef"
    assert browser.post(path, {"_xsrf": "deadbeef", **form}, **headers).status == 403
    assert browser.get("/account").status == 200


def test_our_own_form_is_taken(target: Any, enter: Callable[[str], Any]) -> None:
    """A form of this server is taken, with the headers that browsers send."""
    browser = enter("alice")
    browser.get("/account")
    form = {"_xsrf": browser.cookies["_xsrf"], "action": "token", "label": "mine"}
    assert browser.post("/account", form, Origin=target.url, Sec_Fetch_Site="same-origin").status == 200


@pytest.mark.parametrize("name", ["If_Modified_Since", "If_Unmodified_Since", "If_Range"])
@pytest.mark.parametrize(
    "date",
    [
        "Fri, 31 Dec 9999 23:59:59 -0100",
        "Fri, 31 Dec 99999999999 23:59:59 GMT",
        "Fri, 31 Dec 2021 23:59:59 +99999999999999999999999",
    ],
)
def test_a_date_beyond_all_dates_is_ignored(target: Any, attacker: Any, small: Any, name: str, date: str) -> None:
    """A date that no clock shows is ignored, without a traceback."""
    for address in (f"/archive/fits/{small.images[0].image_id}", "/static/js/bokeh.min.js"):
        assert attacker.get(address, **{name: date, "Range": "bytes=0-9"}).status in {200, 206}
    assert "Traceback" not in target.server.log_text()


def test_odd_names_and_parameters(target: Any, attacker: Any, small: Any) -> None:
    """A name with a NUL is 404, and what is no parameter is 400."""
    image = small.images[0].image_id
    for address, status in {
        "/static/%00": 404,
        "/static/extensions/panel/%00": 404,
        f"/archive/selection/overlay.py?images={image}&__class__=x": 400,
        f"/archive/selection/animation.py?images={image}&__doc__=1": 400,
    }.items():
        assert attacker.get(address).status == status, address
    assert "Traceback" not in target.server.log_text()


#: More digits than Python converts to a number.
DIGITS = 5000 * "1"


@pytest.mark.parametrize(
    ("address", "statuses"),
    [
        (f"/flares?page={DIGITS}", {200}),
        (f"/image_archive?page=-{DIGITS}&tab=images", {200}),
        (f"/lightcurves?start={DIGITS}&span={DIGITS}", {200}),
        (f"/operations?unknown={DIGITS}", {200}),
        (f"/science_data?tab=analysis&map={DIGITS},{DIGITS}&window=[{DIGITS}", {200}),
        (f"/science_data?tab=analysis&uid={{uid}}&map={DIGITS},2", {200}),
        (f"/flare?id={DIGITS}", {404}),
        (f"/account?page={DIGITS}", {303, 302}),
        (f"/api/v1/flares?limit={DIGITS}", {400}),
        (f"/api/v1/flares?goes_min={DIGITS}", {400}),
        (f"/api/v1/requests/{DIGITS}", {401, 404}),
        (f"/archive/rendering/{DIGITS}/movie.mp4", {404}),
        (f"/archive/lightcurve.csv?start={DIGITS}&span=60", {400}),
        (f"/archive/selection/animation.py?images={{image}}&common_scale={DIGITS}", {400}),
    ],
)
def test_a_number_of_thousands_of_digits(
    target: Any, attacker: Any, small: Any, address: str, statuses: set[int]
) -> None:
    """A page ignores a value with too many digits as any other bad value; other addresses refuse it."""
    path = address.format(uid=small.images[0].uid, image=small.images[0].image_id)
    assert attacker.get(path).status in statuses
    assert "Traceback" not in target.server.log_text()


@pytest.mark.parametrize(
    ("header", "value", "status"),
    [("Content_Length", 5000 * "0", 413), ("Content_Length", DIGITS, 413), ("Range", f"bytes=0-{DIGITS}", 200)],
)
def test_a_header_of_thousands_of_digits(target: Any, attacker: Any, header: str, value: str, status: int) -> None:
    """A length with too many digits is refused, a range is ignored, without a traceback."""
    assert attacker.get("/static/js/bokeh.min.js", **{header: value}).status == status
    assert "Traceback" not in target.server.log_text()


def test_another_protocol_is_refused(target: Any, attacker: Any, open_tab: Any) -> None:
    """A web socket that offers another protocol beside a valid token is refused without a traceback."""
    tab = open_tab(attacker, "operations")
    with pytest.raises(HTTPClientError) as refused:
        asyncio.run(tab.connect(protocol="x"))
    assert refused.value.code == 403
    assert "Traceback" not in target.server.log_text()


def test_the_whole_page_is_not_sent_without_end(attacker: Any, open_tab: Any) -> None:
    """A web socket that asks for the whole page again and again is closed."""
    tab = open_tab(attacker, "operations")

    async def ask() -> int:
        async with tab:
            for number in range(WebLimits().pulls + 20):
                try:
                    await tab.document()
                except (AssertionError, WebSocketClosedError):
                    return number
        return -1

    assert asyncio.run(ask()) == WebLimits().pulls
