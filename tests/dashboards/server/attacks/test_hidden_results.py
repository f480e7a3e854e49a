"""Hidden spectra and region spectra: no address tells a stranger more about them than about ids that do not exist."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from archive.layout import REGIONS_RECORD, SPECTRUM_RECORD

NOBODY = "0123456789abcdef"
#: Ways to write an address that servers, proxies and file systems read differently.
FORMS = (
    "{kind}/{id}/{name}",
    "{kind}//{id}/{name}",
    "{kind}/./{id}/{name}",
    "{kind}/x/../{id}/{name}",
    "{kind}/%2e/{id}/{name}",
    "{kind}/x/%2e%2e/{id}/{name}",
    "{kind}%2f{id}%2f{name}",
    "{kind}%252f{id}/{name}",
    "{kind}/..;/{kind}/{id}/{name}",
    "{kind}/{id};a=b/{name}",
    "{kind}/{id}./{name}",
    "{kind}/{id}%20/{name}",
    "{kind}/{id}%00/{name}",
    "{kind}/{id}/{name}%00",
    "{kind}/{id}/{name}.",
    "{kind}/{id}/{name}/",
    "{kind}/{id}/{name}%0a",
    "{kind}/{id}/..%2f{id}%2f{name}",
    "{kind}/{id}\\{name}",
    "{kind}/{wide}/{name}",
    "{kind}/{upper}/{name}",
    "{kind}/{escaped}/{name}",
    "{kind}/%EF%BB%BF{id}/{name}",
    "{kind}/{id}/{name}?viewer=alice&all_hidden=1",
    "{kind}/{id}/{name}#",
    "{upper_kind}/{id}/{name}",
)


def addresses(kind: str, key: str, name: str) -> Iterator[str]:
    """Addresses of a file, and of a row by its id."""
    words = {
        "kind": kind,
        "id": key,
        "name": name,
        "upper": key.upper(),
        "wide": "".join(f"%EF%BC%{0x90 + int(c):02X}" if c.isdigit() else c for c in key),
        "escaped": "".join(f"%{ord(c):02x}" for c in key),
        "upper_kind": kind.upper(),
    }
    yield from (f"/archive/{form.format(**words)}" for form in FORMS)
    listed = {"spectrum": "spectra", "regions": "region-spectra"}[kind]
    for form in ("{id}", "{upper}", "{wide}", "{escaped}", "{id}%00", "{id}.", "{id}%20", "{id}/", "./{id}", "{id};x"):
        yield f"/api/v1/{listed}/{form.format(**words)}"
    yield f"/archive/selection/bundle.zip?images={key}"
    yield f"/archive/script/{key}.py"


def told(answer: Any, key: str) -> tuple[Any, ...]:
    """What an answer tells, without the id that was asked for, time and cookies."""
    unlike = {"date", "set-cookie", "etag", "content-length", "x-request-id", "server-timing"}
    headers = sorted((name.lower(), text) for name, text in answer.headers.items() if name.lower() not in unlike)
    body = answer.body
    for form in (key, key.upper()):
        body = body.replace(form.encode(), b"ID")
    return answer.status, headers, body if b"<html" not in body else len(body)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("visitor", ["a guest", "bob"])
@pytest.mark.parametrize(("kind", "name"), [("spectrum", SPECTRUM_RECORD), ("regions", REGIONS_RECORD)])
def test_a_hidden_result_is_answered_like_one_that_does_not_exist(
    attacker: Any, enter: Any, small: Any, target: Any, kind: str, name: str, visitor: str, method: str
) -> None:
    browser = attacker if visitor == "a guest" else enter(visitor)
    row = small.spectra[-1] if kind == "spectrum" else small.regions[-1]
    key = row.spectrum_id if kind == "spectrum" else row.region_id
    assert row.hidden
    conditions = {"If_None_Match": "*", "Range": "bytes=0-9", "If_Modified_Since": "Fri, 01 Jan 2100 00:00:00 GMT"}
    for hidden, unknown in zip(addresses(kind, key, name), addresses(kind, NOBODY, name), strict=True):
        for headers in ({}, conditions):
            answers = [browser.send(method, address, None, **headers) for address in (hidden, unknown)]
            assert told(answers[0], key) == told(answers[1], NOBODY), (hidden, headers)
            assert answers[0].status not in {200, 206, 304, 412}, hidden
    assert "Traceback" not in target.server.log_text()


@pytest.mark.parametrize("listed", ["spectra", "region-spectra"])
def test_lists_counts_and_search_leave_hidden_results_out(attacker: Any, small: Any, target: Any, listed: str) -> None:
    row = small.spectra[-1] if listed == "spectra" else small.regions[-1]
    key = row.spectrum_id if listed == "spectra" else row.region_id
    shown = sum(not one.hidden for one in (small.spectra if listed == "spectra" else small.regions))
    fields = attacker.get(f"/api/v1/{listed}").json["items"][0]
    for sort in fields:
        for sign in ("", "-"):
            answer = attacker.get(f"/api/v1/{listed}?sort={sign}{sort}&limit=100")
            assert key not in answer.text
            assert answer.status != 200 or len(answer.json["items"]) == shown
    queries = (
        f"text={key}",
        f"text={key[:6]}",
        "text=%25",
        "text=_",
        f"uid={row.uid}",
        f"flare_id={row.flare_id}",
        "author=alice",
        "viewer=alice",
        "all_hidden=true",
        "hidden=true",
        f"start={row.t_start}&end={row.t_end}",
        f"limit=1&offset={shown}",
    )
    for query in queries:
        answer = attacker.get(f"/api/v1/{listed}?{query}")
        if answer.status != 400:
            assert answer.json["total"] in {0, shown}, query
            assert key not in str(answer.json["items"]), query
    for place in ("sitemap.xml", "robots.txt", "api/v1/openapi.json", "api/v1", f"flare?flare_id={row.flare_id}"):
        assert key not in attacker.get(f"/{place}").text, place
    assert "Traceback" not in target.server.log_text()
