"""Two server processes on one archive: who signs in at one is known at the other, and signed out at both at once."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from archive import Archive
from archive.accounts import Accounts
from dashboards.server.api.endpoints import ROOT
from jobs.queue.journal import Journal, RequestState
from jobs.queue.requests import parse_request

NOW = np.datetime64("2026-11-25T12:00:00", "us")
NAME, PASSWORD = "erna", "erna's long password"


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    return Archive(tmp_path_factory.mktemp("shared") / "archive", create=True)


@pytest.fixture(scope="module")
def two(archive: Archive, serve: Callable[..., Any]) -> Iterator[tuple[Any, Any]]:
    """Two servers, both of which were there before the user."""
    with serve(archive.root) as one, serve(archive.root) as other:
        Accounts(archive.root).add(NAME, PASSWORD, NOW)
        yield one, other


def wanted(energy: float) -> dict[str, Any]:
    """A request; of a file that the archive has not, so that a user is told so and a guest is turned away before."""
    times = [["2022-11-11T11:36:00", "2022-11-11T11:37:00"]]
    return {"uid": "2211116471", "time_ranges": times, "energy_ranges_kev": [[energy, 10]]}


def who(client: Any) -> str:
    found = re.search(r"signed in as <b>([^<]+)</b>", client.get("/logout").text)
    return found[1] if found else ""


def submit(client: Any, request: dict[str, Any]) -> int:
    """Submit as the page of this browser would, with everything it has; the status of the answer."""
    client.get("/login")
    headers = {"Content_Type": "application/json", "X_XSRFToken": client.cookies["_xsrf"]}
    return int(client.send("POST", f"{ROOT}/requests", json.dumps(request).encode(), **headers).status)


def test_a_session_is_one_at_both(two: tuple[Any, Any], new_client: Any, open_tab: Any, archive: Archive) -> None:
    journal = Journal(archive.root)
    texts = [parse_request(json.dumps(wanted(energy))).to_json() for energy in (6.0, 7.0)]
    waiting = [journal.submit(NAME, text, NOW, uid="1", task_count=1)[0] for text in texts]
    one, other = (new_client(server.url) for server in two)
    other.cookies = one.cookies  # one browser: cookies know no ports
    assert one.sign_in(NAME, PASSWORD).status == 303
    assert (who(one), who(other)) == (NAME, NAME)
    assert submit(other, wanted(8.0)) == 400

    async def story() -> None:
        async with open_tab(other, "operations") as tab:  # left open at the second server
            buttons = [await tab.button(f"Cancel request {request.request_id}") for request in waiting]
            await tab.press(str(buttons[0]))
            assert journal.get(waiting[0].request_id).state is RequestState.CANCELLED

            kept = dict(other.cookies)
            assert one.submit("/logout", {}).status == 303  # at the first
            await tab.press(str(buttons[1]))
            assert journal.get(waiting[1].request_id).state is RequestState.QUEUED
            other.cookies = kept  # as an open tab has them, or who copied them

    asyncio.run(story())
    assert who(other) == ""
    assert submit(other, wanted(8.0)) in {401, 403}


def test_a_password_changed_at_one_ends_the_sessions_at_the_other(two: tuple[Any, Any], new_client: Any) -> None:
    one, other = (new_client(server.url) for server in two)
    for client in (one, other):
        assert client.sign_in(NAME, PASSWORD).status == 303
    new = "erna's other password"
    one.submit("/account", {"action": "password", "old": PASSWORD, "new": new, "again": new})
    assert (who(one), who(other)) == (NAME, "")
