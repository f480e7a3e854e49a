"""Links of the STIX data center lead to our pages with their state."""

from __future__ import annotations

import http.client
import string
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.server.old_addresses import NotHere, our_address
from dashboards.shared.errors import NotUnderstood
from dashboards.shared.navigation import LINKED_PAGES, PAGES


def request(server: Any, path: str, method: str = "GET") -> tuple[int, http.client.HTTPMessage, bytes]:
    """One request; redirects are not followed."""
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=20)
    try:
        connection.request(method, path)
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("path", "query", "expected"),
    [
        # of the slides with which the project began: 2022-03-24 23:10:10 UTC
        ("plot/lightcurves", {"start": "1648163410", "span": "2340"}, "lightcurves?start=1648163410&span=2340"),
        ("ql/lightcurves", {"start": "1648163410", "span": "2340"}, "lightcurves?start=1648163410&span=2340"),
        ("plot/lightcurves", {"start": "2022-03-24T23:10:10", "span": "60"}, "lightcurves?start=1648163410&span=60"),
        ("plot/lightcurves", {}, "lightcurves"),
        ("image-archive", {}, "image_archive"),
        ("image-archive/", {"flare_id": "2211111134"}, "image_archive?flare=2211111134"),
        ("image-archive", {"start": "1648163410", "span": "2340"},
         "image_archive?start=2022-03-24T23%3A10%3A10&end=2022-03-24T23%3A49%3A10"),
        ("flares/list", {}, "flares"),
        ("flares/list", {"start": "2022-11-11", "end": "2022-11-12"},
         "flares?start=2022-11-11T00%3A00%3A00&end=2022-11-12T00%3A00%3A00"),
        ("list/bsd", {}, "science_data"),
        ("list/bsd/uid/2211116471", {}, "science_data?uid=2211116471"),
        ("list/fits/1668124800/86400", {}, "science_data?start=2022-11-11T00%3A00%3A00&end=2022-11-12T00%3A00%3A00"),
    ],
)  # fmt: skip
def test_address_has_a_page(path: str, query: dict[str, str], expected: str) -> None:
    assert our_address(path, query) == expected


@pytest.mark.parametrize(
    ("path", "query", "value"),
    [
        ("plot/lightcurves", {"start": "abc", "span": "60"}, "start = 'abc'"),
        ("plot/lightcurves", {"start": "1648163410", "span": "-5"}, "span = '-5'"),
        ("plot/lightcurves", {"start": "1648163410", "span": "1"}, "span = '1'"),
        ("plot/lightcurves", {"start": "1e400", "span": "60"}, "start = '1e400'"),
        ("plot/lightcurves", {"start": "999999999999"}, "start = '999999999999'"),
        ("plot/lightcurves", {"start": "12"}, "start = '12'"),
        ("list/bsd/uid/x", {}, "uid = 'x'"),
        ("flares/list", {"id": "9"}, "'9' is not a flare id"),
        ("list/fits/a/b", {}, "start = 'a'"),
    ],
)
def test_value_that_cannot_be_read_is_named(path: str, query: dict[str, str], value: str) -> None:
    with pytest.raises(NotUnderstood, match=value.replace("(", r"\(")):
        our_address(path, query)


@pytest.mark.parametrize(
    ("path", "query", "words"),
    [
        ("list/bsd/id/9925", {}, "9925"),
        ("list/bsd/file/7", {}, "database"),
        ("list/fits/file/7", {}, "database"),
        ("plot/lightcurves", {"run": "1234"}, "Run 1234"),
        ("packet/id/55", {}, "telemetry"),
        ("datareq/form", {}, "data center"),
        ("ancillary", {}, "Auxiliary"),
        ("calendar", {}, "/view/calendar"),
        ("", {}, "/view/"),
    ],
)
def test_what_only_the_data_center_has_is_explained(path: str, query: dict[str, str], words: str) -> None:
    with pytest.raises(NotHere, match=words):
        our_address(path, query)


_TEXT = st.text(st.characters(codec="utf-8"), max_size=30) | st.text(string.printable, max_size=60)


@given(
    st.sampled_from(
        ["plot/lightcurves", "image-archive", "flares/list", "list/bsd", "list/bsd/uid/{}", "list/fits/{}/{}"]
    )
    | _TEXT,
    st.dictionaries(st.sampled_from(["start", "end", "span", "uid", "flare", "run", "id"]) | _TEXT, _TEXT),
    _TEXT,
)
def test_no_address_leads_to_another_site(path: str, query: dict[str, str], value: str) -> None:
    """Whatever the address: one of our pages with a query, or a sentence."""
    try:
        found = our_address(path.replace("{}", value), query)
    except (NotHere, NotUnderstood):
        return
    parts = urlsplit(found)
    assert not parts.scheme
    assert not parts.netloc
    assert parts.path in {*PAGES, *LINKED_PAGES}
    assert found.isascii()
    assert found.isprintable()


@given(st.integers(1_577_836_800, 2_840_140_799), st.integers(20, 86_400))
def test_lists_get_the_same_times_as_light_curves(start: int, span: int) -> None:
    window = {"start": str(start), "span": str(span)}
    query = parse_qs(urlsplit(our_address("image-archive", window)).query)
    first, last = (np.datetime64(query[name][0]).astype(int) for name in ("start", "end"))
    assert (first, last) == (start, start + span)


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("prefix", ["", "/stix"])
def test_redirect_is_relative_so_that_a_proxy_may_add_a_path(server: Any, slash: str, prefix: str) -> None:
    status, headers, body = request(server, f"/view/plot/lightcurves{slash}?start=1648163410&span=2340")
    assert (status, body) == (302, b"")
    at = urljoin(f"https://stix.example.org{prefix}/view/plot/lightcurves{slash}", headers["Location"])
    assert at == f"https://stix.example.org{prefix}/lightcurves?start=1648163410&span=2340"


def test_page_that_explains_links_to_ours(server: Any) -> None:
    status, headers, body = request(server, "/view/list/bsd/id/9925")
    text = body.decode()
    assert (status, headers["Content-Type"]) == (404, "text/html; charset=UTF-8")
    assert "9925" in text
    for page in ("flares", "image_archive", "lightcurves", "science_data"):
        assert f'href="../../../../{page}"' in text


def test_hostile_value_is_escaped(server: Any) -> None:
    status, _, body = request(server, "/view/plot/lightcurves?start=%3Cscript%3Ealert(1)%3C/script%3E&span=60")
    assert status == 400
    assert b"<script>alert" not in body
    assert b"&lt;script&gt;" in body


def test_unknown_uid_is_not_found(server: Any) -> None:
    status, _, body = request(server, "/view/list/bsd/uid/1234567890")
    assert status == 404
    assert b"1234567890" in body


def test_head_has_no_body(server: Any) -> None:
    assert request(server, "/view/image-archive", method="HEAD")[0] == 302
    status, _, body = request(server, "/view/nothing", method="HEAD")
    assert (status, body) == (404, b"")
