"""A page's token opens the session of that page and no other, to nobody who made it up; and not from another site."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from bokeh.util.token import generate_jwt_token, generate_session_id, get_session_id
from tornado.httpclient import HTTPClientError

from archive.accounts import web_secrets

PAGE = "operations"


def later(body: str) -> str:
    """The content of a token with another expiry."""
    content = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    content["session_expiry"] += 10**6
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


def forgeries(token: str, another: str, key: bytes) -> dict[str, str]:
    """Tokens that the server did not hand out, made of two that it did."""
    session, (body, signature) = get_session_id(token), token.split(".")
    his_body, his_signature = another.split(".")
    return {
        "no signature": body,
        "another's signature": f"{body}.{his_signature}",
        "another's content": f"{his_body}.{signature}",  # his cookies stand in it
        "later expiry": f"{later(body)}.{signature}",
        "another key": generate_jwt_token(session, b"another key", signed=True),
        "unsigned session": generate_jwt_token(type(session)("mine"), key, signed=True),
        "expired": generate_jwt_token(session, key, signed=True, expiration=-1),
        "no token": "bm90aGluZw",
        "nonsense": "x.y",
    }


def test_a_token_that_was_made_up_opens_nothing(
    server: Any, client: Any, signed_in: Callable[[str], Any], open_tab: Any, small: Any
) -> None:
    tab, his = open_tab(client, PAGE), open_tab(signed_in("alice"), PAGE)
    key = web_secrets(small.archive.root).session.encode()
    opened = []
    for kind, token in forgeries(tab.token, his.token, key).items():
        tab.token = token
        with suppress(AssertionError, HTTPClientError):  # closed at once, or not even opened
            asyncio.run(tab.connect())
            opened.append(kind)
    assert opened == []


def test_the_token_of_the_page_opens_its_session(client: Any, open_tab: Any, small: Any) -> None:
    """So it is the changes that are refused above; and who knows the key could sign."""
    tab = open_tab(client, PAGE)
    key = web_secrets(small.archive.root).session.encode()
    made = generate_jwt_token(generate_session_id(key, signed=True), key, signed=True)

    async def look(token: str) -> int:
        tab.token = token
        async with tab:
            return len(json.dumps(await tab.document()))

    assert asyncio.run(look(tab.token)) > 10_000
    assert asyncio.run(look(made)) > 10_000


@pytest.mark.parametrize("page", ["flares", "image_archive", "science_data", "lightcurves"])
@pytest.mark.parametrize("origin", ["https://evil.example", "null", "file://"])
def test_no_page_of_another_site_gets_a_socket(client: Any, open_tab: Any, page: str, origin: str) -> None:
    tab = open_tab(client, page)
    with pytest.raises(HTTPClientError) as refused:
        asyncio.run(tab.connect(Origin=origin))
    assert refused.value.code == 403
