"""A guest cannot submit, by any road: address, form, web socket, journal, another's key, a tab that was left open."""

from __future__ import annotations

import asyncio
import http.client
import json
import re
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from tornado.httpclient import HTTPClientError
from tornado.web import create_signed_value

from archive import Archive, ScienceFilter
from archive.accounts import Accounts, Role, web_secrets
from dashboards.pages.operations.state import OperationsState
from dashboards.pages.science_data.tracking import Tracking
from dashboards.server.api.call import Call
from dashboards.server.api.endpoints import ROOT
from dashboards.server.api.requesting import cancel, post, retry
from dashboards.shared.access import GUEST, Visitor
from dashboards.shared.source import ArchiveSource
from jobs.queue.journal import Journal, RequestState
from jobs.queue.requests import parse_request
from jobs.shared.errors import NoSuchRequest, NotAllowed
from jobs.shared.limits import Limits

NOW = np.datetime64("2026-11-25T12:00:00", "us")
REQUESTS = f"{ROOT}/requests"


@dataclass(frozen=True)
class Members:
    """Users of the archive with real files, and what they could ask for."""

    archive: Archive
    accounts: Accounts
    journal: Journal

    def body(self, second: int = 0, **changes: Any) -> dict[str, Any]:
        """A request that can be satisfied; another one for every second."""
        file = self.archive.science_files(ScienceFilter(product="sci-xray-cpd", is_background=False))[0]
        start = file.t_start + np.timedelta64(second, "s")
        return {
            "uid": file.uid,
            "time_ranges": [[str(start), str(start + np.timedelta64(60, "s"))]],
            "energy_ranges_kev": [[6, 10]],
            **changes,
        }

    def submit(self, user: str, second: int) -> int:
        """Put a request into the queue, by the back door."""
        text = parse_request(json.dumps(self.body(second))).to_json()
        return self.journal.submit(user, text, NOW, uid="1", task_count=1)[0].request_id

    @property
    def queued(self) -> int:
        return self.journal.counts()[RequestState.QUEUED]


@pytest.fixture(scope="session")  # as the archive: xdist may come back to a module
def members(imaged: Archive) -> Members:
    accounts = Accounts(imaged.root)
    for name in ("alice", "bob", "olga"):
        accounts.add(name, f"{name}'s long password", NOW, Role.OPERATOR if name == "olga" else Role.USER)
    return Members(imaged, accounts, Journal(imaged.root))


@pytest.fixture
def tokens(members: Members) -> Iterator[Callable[[str], str]]:
    made: list[str] = []

    def make(name: str) -> str:
        made.append(members.accounts.make_token(name, "", NOW))
        return f"Bearer {made[-1]}"

    yield make
    for name in ("alice", "bob", "olga"):
        for token in members.accounts.user(name).tokens:
            members.accounts.revoke_token(name, token.token_id)


def send(client: Any, path: str, body: Any = None, **headers: str) -> Any:
    """A POST with JSON."""
    return client.send("POST", path, json.dumps(body or {}).encode(), Content_Type="application/json", **headers)


# -- the front door ---------------------------------------------------------------------------------------------------


def test_a_user_can_submit_with_a_token_and_with_a_session(
    imaged_client: Any, members: Members, tokens: Callable[[str], str]
) -> None:
    before = members.queued
    answer = send(imaged_client, REQUESTS, members.body(1), Authorization=tokens("alice"))
    assert (answer.status, answer.json["user"], answer.json["state"]) == (201, "alice", "queued")
    assert answer.headers["Location"] == f"requests/{answer.json['request_id']}"
    (bins,) = answer.json["whole_bins"]
    assert bins["requested"] == answer.json["request"]["time_ranges"][0]
    assert bins["time_range"][0] < bins["time_range"][1]
    assert bins["seconds"] > 0
    again = send(imaged_client, REQUESTS, members.body(1), Authorization=tokens("alice"))
    assert (again.status, again.json["request_id"]) == (200, answer.json["request_id"])

    imaged_client.sign_in("bob", "bob's long password")
    forged = send(imaged_client, REQUESTS, members.body(2))
    assert forged.status == 403  # any page could send that
    assert "Authorization: Bearer" in forged.json["error"]
    xsrf = imaged_client.cookies["_xsrf"]
    assert send(imaged_client, REQUESTS, members.body(2), X_XSRFToken=xsrf).status == 201
    assert members.queued == before + 2


def test_spectra_are_requested_at_the_same_address(
    imaged_client: Any, members: Members, tokens: Callable[[str], str]
) -> None:
    imaging = members.body(5, methods=["clean"], hidden=True)
    ((start, end),) = imaging["time_ranges"]
    spectrum = {"kind": "spectrum", "uid": imaging["uid"], "start": start, "end": end, "model": "vth"}
    region = {"name": "north", "shape": "circle", "x": 830, "y": 165, "radius": 20}
    regions = {"kind": "regions", "imaging": imaging, "regions": [region]}
    before = members.queued
    for body in (spectrum, regions):
        assert send(imaged_client, REQUESTS, body).status == 401
        answer = send(imaged_client, REQUESTS, body, Authorization=tokens("alice"))
        assert (answer.status, answer.json["kind"], answer.json["recipes"]) == (201, body["kind"], 0)
        assert (answer.json["whole_bins"], answer.json["parts"]) == (None, [])
        other = imaged_client.get(f"{REQUESTS}/{answer.json['request_id']}", Authorization=tokens("bob"))
        assert other.status == 404
        visible = GUEST.may_see_request(members.journal.get(answer.json["request_id"]))
        assert visible == (body is spectrum)  # those for hidden results are not listed for others
    assert members.queued == before + 2
    for body, field in (
        ({**spectrum, "kind": "magic"}, "kind"),
        ({**spectrum, "model": "magic"}, "body"),
        ({**spectrum, "detectors": [99]}, "detectors"),
        ({**regions, "imaging": {**imaging, "shape": 4000}}, "body"),
    ):
        answer = send(imaged_client, REQUESTS, body, Authorization=tokens("alice"))
        assert (answer.status, answer.json.get("field")) == (400 if field != "limit" else 429, field), answer.json
    assert members.queued == before + 2


# -- addresses --------------------------------------------------------------------------------------------------------


def test_no_address_takes_a_request_from_a_guest(
    imaged_client: Any, members: Members, tokens: Callable[[str], str]
) -> None:
    key, alice = web_secrets(members.archive.root).cookie, members.accounts.user("alice")
    value = f"alice:{alice.generation}:0123456789abcdef"
    members.accounts.add("carol", "carol's long password", NOW)
    removed = f"Bearer {members.accounts.make_token('carol', '', NOW)}"
    members.accounts.remove("carol")
    revoked = tokens("alice")
    members.accounts.revoke_token("alice", members.accounts.user("alice").tokens[-1].token_id)
    credentials: list[tuple[dict[str, str], dict[str, str]]] = [
        ({}, {}),
        ({"user": "alice"}, {}),
        ({"user": value}, {}),
        ({"user": create_signed_value("another key", "user", value).decode()}, {}),
        ({"user": create_signed_value(key, "user", "alice").decode()}, {}),
        ({"user": create_signed_value(key, "user", f"alice:{'0' * 16}:00").decode()}, {}),
        ({"user": create_signed_value(key, "is_guest", value).decode()}, {}),
        ({"is_guest": "", "user": "guest"}, {}),
        ({}, {"Authorization": removed}),
        ({}, {"Authorization": revoked}),
        ({}, {"Authorization": "Bearer stix_00000000_" + "A" * 43}),
        ({}, {"Authorization": "Bearer "}),
        ({}, {"Authorization": "Basic YWxpY2U6YWxpY2UncyBsb25nIHBhc3N3b3Jk"}),
        ({}, {"Authorization": alice.password or ""}),
        ({}, {"X-User": "alice", "X-Forwarded-User": "alice", "Remote-User": "alice"}),
    ]
    waiting = members.submit("alice", 900)
    before = members.queued
    imaged_client.get("/login")
    xsrf = imaged_client.cookies["_xsrf"]
    for cookies, headers in credentials:
        imaged_client.cookies = {"_xsrf": xsrf, **cookies}
        for path in (REQUESTS, f"{REQUESTS}/{waiting}/cancel", f"{REQUESTS}/{waiting}/retry"):
            for more in ({}, {"X-XSRFToken": xsrf}):
                answer = send(imaged_client, path, members.body(3), **headers, **more)
                assert answer.status in {401, 403}, (cookies, headers, path)
                assert answer.json["error"]
        assert imaged_client.get(REQUESTS, **headers).status == 401
    assert members.queued == before
    members.journal.cancel(waiting, NOW)


def test_a_good_cookie_does_not_help_a_bad_token(
    imaged_client: Any, members: Members, tokens: Callable[[str], str]
) -> None:
    imaged_client.sign_in("alice", "alice's long password")
    answer = send(imaged_client, REQUESTS, members.body(4), Authorization="Bearer stix_0")
    assert answer.status == 401
    who = send(imaged_client, REQUESTS, members.body(4), Authorization=tokens("bob"))
    assert who.json["user"] == "bob"


def test_what_is_anothers_does_not_exist(imaged_client: Any, members: Members, tokens: Callable[[str], str]) -> None:
    request_id = members.submit("alice", 901)
    bob, olga = tokens("bob"), tokens("olga")
    unknown = imaged_client.get(f"{REQUESTS}/999999", Authorization=bob)
    answers = [imaged_client.get(f"{REQUESTS}/{request_id}", Authorization=bob)]
    answers += [
        send(imaged_client, f"{REQUESTS}/{request_id}/{verb}", Authorization=bob) for verb in ("cancel", "retry")
    ]
    for answer in answers:
        assert answer.status == 404
        assert answer.json["error"] == unknown.json["error"].replace("999999", str(request_id))
    listed = imaged_client.get(REQUESTS, Authorization=bob).json["items"]
    assert {item["user"] for item in listed} <= {"bob"}
    assert imaged_client.get(f"{REQUESTS}?user=alice", Authorization=bob).status == 403
    assert members.journal.get(request_id).state is RequestState.QUEUED

    assert request_id in {
        item["request_id"] for item in imaged_client.get(f"{REQUESTS}?user=alice", Authorization=olga).json["items"]
    }
    assert send(imaged_client, f"{REQUESTS}/{request_id}/cancel", Authorization=olga).json["state"] == "cancelled"
    assert send(imaged_client, f"{REQUESTS}/{request_id}/retry", Authorization=olga).json["state"] == "queued"
    members.journal.cancel(request_id, NOW)


def test_behind_every_address_stands_another_door(members: Members) -> None:
    request_id = members.submit("alice", 902)

    def call(visitor: Visitor) -> Call:
        body = json.dumps(members.body(5)).encode()
        return Call(visitor, {}, {}, {"request_id": str(request_id)}, body, NOW, Limits())

    before = members.queued
    with pytest.raises(NotAllowed, match="sign in to submit requests"):
        post(members.archive, call(GUEST))
    for change in (cancel, retry):
        for visitor in (GUEST, Visitor("bob"), Visitor("")):
            with pytest.raises(NoSuchRequest):
                change(members.archive, call(visitor))
    assert members.queued == before
    members.journal.cancel(request_id, NOW)


# -- the journal ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", "guest", "auto", "x" * 65])
def test_the_journal_takes_nothing_from_a_guest(members: Members, name: str) -> None:
    with pytest.raises(NotAllowed, match="sign in to submit requests"):
        members.journal.submit(name, "{}", NOW, uid="1", task_count=1)


@pytest.mark.parametrize("name", ["", "guest", "auto"])
def test_the_journal_holds_no_row_of_a_guest(members: Members, name: str) -> None:
    members.submit("alice", 903)
    with members.journal.writing() as db, pytest.raises(sqlite3.IntegrityError, match="CHECK constraint"):
        db.execute("UPDATE requests SET user = ? WHERE user = 'alice'", (name,))


# -- pages ------------------------------------------------------------------------------------------------------------


async def in_a_tab(tab: Any, story: Callable[[Any], Any]) -> None:
    async with tab:
        await story(tab)


def test_a_page_asks_who_it_is_when_something_is_pressed(members: Members) -> None:
    request_id = members.submit("alice", 904)
    state = OperationsState(ArchiveSource(members.archive.root), lambda: NOW)
    for visitor in (GUEST, Visitor("bob")):
        state.cancel(request_id, visitor)
        assert state.refused
        assert members.journal.get(request_id).state is RequestState.QUEUED
    state.cancel(request_id, Visitor("alice"))
    assert members.journal.get(request_id).state is RequestState.CANCELLED


def test_the_form_asks_who_it_is_when_it_is_sent(members: Members) -> None:
    looking = [Visitor("alice")]
    tracking = Tracking(ArchiveSource(members.archive.root), lambda: looking[-1], lambda: NOW, "1")
    before = members.queued
    looking.append(GUEST)  # signed out elsewhere
    tracking.submit(lambda: parse_request(json.dumps(members.body(8))))
    assert "sign in to" in tracking.problem
    assert (tracking.request_id, members.queued) == (0, before)
    tracking.request_id = members.submit("alice", 908)
    for act in (tracking.cancel, tracking.retry):
        act()
        assert "sign in to" in tracking.problem
        assert members.journal.get(tracking.request_id).state is RequestState.QUEUED
    looking.append(Visitor("bob"))
    tracking.cancel()
    assert "another user's" in tracking.problem
    members.journal.cancel(tracking.request_id, NOW)


def test_a_tab_that_was_left_open_can_do_nothing_after_signing_out(
    imaged_client: Any, members: Members, open_tab: Any
) -> None:
    first, second = members.submit("alice", 905), members.submit("alice", 906)
    imaged_client.sign_in("alice", "alice's long password")

    async def story(tab: Any) -> None:
        buttons = [await tab.button(f"Cancel request {number}") for number in (first, second)]
        assert None not in buttons
        await tab.press(str(buttons[0]))
        assert members.journal.get(first).state is RequestState.CANCELLED  # so the press is what a browser sends

        imaged_client.submit("/logout", {})  # in another tab
        await tab.press(str(buttons[1]))
        assert members.journal.get(second).state is RequestState.QUEUED

    asyncio.run(in_a_tab(open_tab(imaged_client, "operations"), story))
    members.journal.cancel(second, NOW)


def test_a_guests_socket_reaches_no_button(imaged_client: Any, members: Members, open_tab: Any) -> None:
    request_id = members.submit("alice", 907)

    async def story(tab: Any) -> None:
        text = json.dumps(await tab.document())
        assert f"Cancel request {request_id}" not in text
        components = re.findall(r'"name": "panel\.models\.esm\.ReactComponent", "id": "(p[0-9]+)"', text)
        assert components
        for model in components:
            await tab.press(model)  # whatever there is, pressed
        assert await tab.patch({"kind": "TitleChanged", "title": "his own page is his own"}) == "OK"

    asyncio.run(in_a_tab(open_tab(imaged_client, "operations"), story))
    assert members.journal.get(request_id).state is RequestState.QUEUED
    members.journal.cancel(request_id, NOW)


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "http://127.0.0.1:1", "null", "http://localhost.evil.example"]
)
def test_pages_of_other_sites_get_no_socket(imaged_client: Any, open_tab: Any, origin: str) -> None:
    tab = open_tab(imaged_client, "operations")
    with pytest.raises(HTTPClientError) as refused:
        asyncio.run(tab.connect(Origin=origin))
    assert refused.value.code == 403


# -- limits -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "status", "sentence"),
    [
        ({"shape": 1025}, 400, "images of 1025 pixels a side, 16 to 1024 are possible"),
        ({"shape": [129, 15]}, 400, "images of 15 pixels a side"),
        ({"pixel_arcsec": 0.01}, 400, "pixels of 0.01 arcsec"),
        ({"energy_ranges_kev": [[4 + n / 100, 10] for n in range(501)]}, 400, "501 image sets, 500 at most"),
        ({"uid": "0000000000"}, 400, "no science file has the name or uid"),
        ({"uid": "../../users.json"}, 400, "neither the uid nor the name of a file"),
        ({"methods": ["magic"]}, 400, "methods: "),
        ({"methods": {"clean": {"gain": "high"}}}, 400, "methods: "),
        ({"unknown": 1}, 400, "unknown key 'unknown'"),
        ({"energy_ranges_kev": [[6, 1e300]]}, 400, "energy_ranges_kev: expected a number"),
        ({"time_ranges": []}, 400, "at least one time range"),
        ({"uid": "x" * 300_000}, 413, "the limit is 262144"),
    ],
)
def test_too_much_and_too_odd(
    imaged_client: Any,
    members: Members,
    tokens: Callable[[str], str],
    changes: dict[str, Any],
    status: int,
    sentence: str,
) -> None:
    before = members.queued
    answer = send(imaged_client, REQUESTS, members.body(6, **changes), Authorization=tokens("alice"))
    assert (answer.status, answer.json["status"]) == (status, status)
    assert sentence in answer.json["error"]
    assert members.queued == before


def test_a_body_without_its_length_is_not_endless(
    imaged_client: Any, members: Members, tokens: Callable[[str], str]
) -> None:
    connection = http.client.HTTPConnection(urlsplit(imaged_client.url).netloc, timeout=60)
    headers = {"Authorization": tokens("alice"), "Content-Type": "application/json"}
    blocks = (b" " * 65536 for _ in range(8))
    connection.request("POST", REQUESTS, blocks, headers, encode_chunked=True)
    answer = connection.getresponse()
    assert answer.status == 413
    assert "262144 bytes" in json.loads(answer.read())["error"]
    connection.close()


def test_shares_of_the_queue(imaged_client: Any, members: Members, tokens: Callable[[str], str]) -> None:
    token, made = tokens("bob"), []
    while members.journal.count("bob", ["queued", "running"]) < Limits().open_requests:
        made.append(members.submit("bob", 1000 + len(made)))
    answer = send(imaged_client, REQUESTS, members.body(7), Authorization=token)
    assert answer.status == 429
    assert "50 is the most a user may have" in answer.json["error"]
    for request_id in made:
        members.journal.cancel(request_id, NOW)
    with members.journal.writing() as db:
        db.execute("UPDATE requests SET elapsed_s = 15000, submitted_at = ? WHERE request_id = ?", (_soon(), made[0]))
    answer = send(imaged_client, REQUESTS, members.body(7), Authorization=token)
    assert answer.status == 429
    assert "minutes of computing" in answer.json["error"]
    with members.journal.writing() as db:
        db.execute("UPDATE requests SET elapsed_s = 0 WHERE user = 'bob'")
    assert send(imaged_client, REQUESTS, members.body(7), Authorization=token).status == 201


def _soon() -> int:
    return int(np.datetime64("now", "us").astype(np.int64))
