"""Words that mean something in SQL, HTML, paths or format strings, through every parameter and field of an address.

Nothing may come of them but an answer or a refusal: no fault of the server, no HTML, no other rows.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from dataclasses import replace
from html import escape
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from archive import ImageFilter
from benchmarks.load.browser import PATIENCE, Visit
from benchmarks.load.words import HTML, TAG, WORDS, Target, html_of, in_the_address, in_the_document, targets
from dashboards.pages.image_archive.state import ImageArchiveState
from dashboards.pages.image_archive.view import notices_for
from dashboards.pages.lightcurves.state import LightCurvesState
from dashboards.pages.science_data.state import ScienceState
from dashboards.server.api.call import Call, Who
from dashboards.server.api.endpoints import ENDPOINTS, ROOT
from dashboards.server.api.errors import Refused
from dashboards.server.api.parameters import PAGE, read_parameters
from dashboards.shared.access import GUEST
from dashboards.shared.clock import now
from dashboards.shared.errors import NotUnderstood
from dashboards.shared.image_columns import chosen_columns
from dashboards.shared.links import RouteLinks
from dashboards.shared.notices import Notice, Notices
from dashboards.shared.opening import opening_html, table_html
from dashboards.shared.source import ArchiveSource
from jobs.queue.requests import parse_request
from jobs.shared.errors import BadRequest, LimitReached
from jobs.shared.limits import Limits

#: A word meets one key in so many; every key takes other words. ``--thorough``: all words, every key.
SHARED = [5, pytest.param(1, marks=pytest.mark.thorough)]


def share_of(names: list[str], name: str, every: int) -> list[str]:
    """Words for one of some keys: together, neighbouring keys take all of them."""
    return WORDS[names.index(name) % every :: every]


def test_there_are_enough_of_them() -> None:
    assert len(set(WORDS)) == len(WORDS) >= 500


def test_neighbouring_keys_share_all_words() -> None:
    names = sorted(ImageArchiveState.address_keys.values())
    assert {word for name in names[:5] for word in share_of(names, name, 5)} == set(WORDS)


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda e: f"{e.method} {e.path}")
def test_every_parameter_of_every_address_takes_words_as_words(endpoint: Any) -> None:
    required = {p.name: [b"2022-11-11"] for p in endpoint.parameters if p.required}
    for parameter, payload in itertools.product(endpoint.parameters, WORDS):
        values = read(endpoint, {**required, parameter.name: [payload.encode()]}, parameter.name)
        assert values is None or values[parameter.name] == payload  # refused, or a text as it is


def read(endpoint: Any, given: dict[str, list[bytes]], name: str) -> dict[str, Any] | None:
    """Values of the parameters; None when one is refused, which must then be that one."""
    try:
        return read_parameters(endpoint.parameters, given)
    except Refused as refused:
        error = refused
    assert (error.status, error.field) == (400, name)
    return None


def test_words_in_a_question_find_what_they_say_and_nothing_else(small: Any) -> None:
    everything = small.archive.count_images(ImageFilter())
    for payload in WORDS:
        assert small.archive.count_images(ImageFilter(text=payload)) in {0, everything if payload == "1" else 0}
    lists = [e for e in ENDPOINTS if e.who is Who.EVERYBODY and all(one in e.parameters for one in PAGE)]
    assert {one.path for one in lists} == {"/flares", "/images", "/science-files", "/spectra", "/region-spectra"}
    for endpoint in lists:
        for parameter, payload in itertools.product(endpoint.parameters, WORDS[::60]):
            values = read(endpoint, {parameter.name: [payload.encode()]}, parameter.name)
            if values is not None:
                call = Call(GUEST, values, {}, {}, b"", now(), Limits())
                assert endpoint.answer(small.archive, call).document["total"] == 0, (parameter.name, payload)
    assert small.archive.count_images(ImageFilter()) == everything


@pytest.mark.parametrize("every", SHARED)
@pytest.mark.parametrize("key", sorted(ImageArchiveState.address_keys.values()))
def test_every_field_of_the_address_of_a_page(key: str, every: int, small: Any) -> None:
    """What it does not understand it says, escaped; what it does is a value."""
    state = ImageArchiveState(ArchiveSource(small.archive.root), GUEST, tab="images")
    everything, notices = small.archive.count_images(ImageFilter()), Notices()
    for number, payload in enumerate(share_of(sorted(state.address_keys.values()), key, every)):
        complaints = state.take_address("?" + urlencode({key: payload}))
        if number % 60 == 0:
            state.load()
            assert not state.listing.problem, payload
            assert state.listing.total <= everything
        if number % (5 if every == 1 else 2):
            continue
        notices.show([*(Notice("warning", text) for text in complaints), *notices_for(state)])
        shown = notices.pane.object + opening_html("site", "title", state.listing.range_text("images"), "", dark=False)
        assert not TAG.search(shown), payload


def test_rows_are_escaped_where_they_become_html(small: Any) -> None:
    state = ImageArchiveState(ArchiveSource(small.archive.root), GUEST, tab="images")
    state.load()
    row = state.listing.rows[0]
    for payload in HTML:
        image = replace(row.image, uid=payload, flare_id=payload, goes_class=payload, author=payload)
        html = table_html([replace(row, image=image)], RouteLinks(), chosen_columns(()))
        assert not TAG.search(html), payload


def test_a_request_of_such_words_is_refused_by_name() -> None:
    good = {"uid": "2211116471", "time_ranges": [["2022-11-11", "2022-11-12"]], "energy_ranges_kev": [[6, 10]]}
    keys = ("uid", "background", "methods", "subcollimators", "pixel_set", "amplitude_scheme", "location", "shape", "x")
    for key, payload in itertools.product(keys, WORDS):
        for value in (payload, [payload], {payload: payload}):
            with pytest.raises((BadRequest, LimitReached)):
                parse_request(json.dumps({**good, key: value}))


@pytest.mark.parametrize("every", SHARED)
@pytest.mark.parametrize("kind", [LightCurvesState, ScienceState])
def test_every_field_of_the_addresses_of_other_pages(kind: Any, every: int, small: Any) -> None:
    notices, keys = Notices(), list(kind.address_keys.values())
    for key in keys:
        state = kind(ArchiveSource(small.archive.root))
        for number, payload in enumerate(share_of(keys, key, every)):
            complaints = state.take_address("?" + urlencode({key: payload}))
            if number % 250 == 0:
                state.load()
            if number % 11 == 0:
                said = [*complaints, *(getattr(state, "complaints", None) or {}).values(), state.detail_problem]
                notices.show([Notice("warning", text) for text in said])
                assert not TAG.search(notices.pane.object), (key, payload)


def test_what_is_typed_above_the_light_curves(curves: Any) -> None:
    state = LightCurvesState(ArchiveSource(curves.archive.root))
    for payload in WORDS:
        with pytest.raises(NotUnderstood):
            state.go_to(payload)


@pytest.mark.parametrize(("every", "typed"), [(219, 72), pytest.param(73, 40, marks=pytest.mark.thorough)])
@pytest.mark.parametrize("target", targets(), ids=lambda target: target.page)
def test_pages_take_words_as_words(server: Any, target: Target, every: int, typed: int) -> None:
    """Some words in everything that the address of a page may hold and in its fields; all of them by ``make soak``."""
    words = [*HTML[::typed], WORDS[3]]
    assert len(words) >= len(target.fields)

    async def look() -> list[str]:
        faults = [fault for word in WORDS[7::every] for fault in await in_the_address(server.url, target, word)]
        return faults + await in_the_document(server.url, target, words)

    assert asyncio.run(look()) == []


def test_what_is_typed_arrives(server: Any) -> None:
    async def type_word() -> None:
        visit = await Visit.open(f"{server.url}/image_archive")
        try:
            document = await visit.type_into("To (UTC)", HTML[7])
            async with asyncio.timeout(PATIENCE):
                while not any(escape(HTML[7]) in text for text in html_of(document)):
                    await asyncio.sleep(0.1)
                    document = await visit.pull()
        finally:
            visit.close()

    asyncio.run(type_word())


def test_a_tag_that_came_through_would_be_seen() -> None:
    pane = {"name": "panel.models.markup.HTML", "attributes": {"text": f"&lt;p&gt;{escape(HTML[7])}&lt;/p&gt;"}}
    twice = {"name": "panel.models.markup.HTML", "attributes": {"text": escape(escape(HTML[7]))}}
    assert [bool(TAG.search(text)) for text in html_of({"roots": [pane, {"children": [twice]}]})] == [True, False]
    assert all(TAG.search(word) for word in HTML)


@pytest.mark.parametrize("payload", WORDS[::20])
def test_on_the_wire(client: Any, payload: str) -> None:
    """A sample of them through a running server, also as parts of the path."""
    word = quote(payload, safe="")
    for path in (
        f"{ROOT}/images?text={word}",
        f"{ROOT}/images?{word}=1",
        f"{ROOT}/images/{word}",
        f"{ROOT}/{word}",
        f"/archive/fits/{word}",
        f"/archive/science/{word}.fits",
        f"/archive/script/{word}.py",
        f"/archive/{payload.translate(_LINE)}",
    ):
        answer = client.get(path)
        assert answer.status in {200, 400, 403, 404}, (path, answer.status)
        assert answer.headers["Content-Type"].startswith("application/json"), path
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert b"root:" not in answer.body
        assert b"argon2" not in answer.body
    login = client.get(f"/login?next={word}")
    assert login.status in {200, 400}
    assert not TAG.search(login.text)


#: What no client can send inside a request line as it is.
_LINE = {ord(sign): None for sign in " \t\r\n\0"} | dict.fromkeys(range(128, 8448))


#: Addresses for other programs, and for people who follow a link: a word in the place of {}.
OPEN_ADDRESSES = (
    "tap/sync?LANG=ADQL&REQUEST=doQuery&QUERY={}",
    "tap/sync?LANG=ADQL&QUERY=SELECT+TOP+1+flare_id+FROM+stix.flares+WHERE+flare_id={}",
    "tap/sync?LANG={}&FORMAT={}&MAXREC={}&QUERY=SELECT+TOP+1+*+FROM+stix.images",
    "tap/tables/{}",
    "hapi/info?id={}",
    "hapi/data?id={}&time.min={}&time.max={}&parameters={}&format={}",
    "hapi/data?id=flares&time.min=2022-11-01T00:00:00Z&time.max=2022-12-01T00:00:00Z&parameters={}",
    "feed.xml?goes_min={}&trusted={}",
    "image/{}",
    "send?image={}",
    "send?flare={}",
    "view/{}",
    "view/plot/lightcurves?start={}&span={}",
    "view/list/bsd/uid/{}",
    "view/image-archive?flare_id={}&start={}",
    "archive/script/{}.py",
)


@pytest.mark.parametrize("every", SHARED)
@pytest.mark.parametrize("address", OPEN_ADDRESSES)
def test_addresses_for_other_programs_take_words_as_words(server: Any, client: Any, address: str, every: int) -> None:
    """An answer or a refusal: no fault, no tag, no redirect to another site, nothing of what is hidden or secret."""
    before = server.log_text().count("Traceback")
    for word in WORDS[OPEN_ADDRESSES.index(address) % every :: 4 * every]:
        answer = client.get("/" + address.replace("{}", quote(word, safe="")))
        about = f"{address} {word!r}: {answer.status}"
        assert answer.status < 500, about
        assert not TAG.search(answer.text), about
        assert "root:x:0:0" not in answer.text, about
        place = answer.headers.get("Location", "")
        assert "//" not in place.partition("?")[0] or place.startswith(server.url), about
    assert server.log_text().count("Traceback") == before
