"""Atom feeds: by a public reader, by the rules of RFC 4287, and from a running server."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import feedparser
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

sys.path.insert(0, str(Path(__file__).parent))
from atom_rules import ATOM, faults

from archive import Archive, FlareFilter
from benchmarks.load.words import WORDS
from dashboards.server.atom import Entry, atom_document, tag_uri
from dashboards.server.feeds import failure_feed, flare_feed, flare_filter
from dashboards.shared.errors import NotUnderstood
from jobs.queue.journal import Journal
from jobs.queue.leases import Leases

BASE, HOST = "https://stix.example.org/flares-of-stix", "stix.example.org"
OWN = f"{BASE}/feed.xml"
NOW = np.datetime64("2026-11-28T12:00:00", "us")


def read(document: bytes) -> Any:
    assert faults(document) == []
    found = feedparser.parse(document)
    assert not found.bozo, found.get("bozo_exception")
    return found


def test_a_flare_in_words(flared: Any) -> None:
    found = read(flare_feed(flared.archive, FlareFilter(), BASE, OWN, HOST))
    (entry,) = (one for one in found.entries if one.id.endswith(flared.flare.flare_id))
    assert entry.id == f"tag:stix.example.org,2026:flare/{flared.flare.flare_id}"
    assert entry.title == "M1.2 flare, 2022-11-10 03:01 UTC (SOL2022-11-10T03:04:03L322C078)"
    assert entry.link == f"{BASE}/flare?id={flared.flare.flare_id}"
    for words in (
        "peak at 2022-11-10 03:01:00 UTC at Solar Orbiter",
        "GOES class M1.2, measured (GOES-16)",
        "(823″, 148″) with an error of 4″",
        "N12 W11, on disk as seen from the Earth",
        "The position is doubtful: 2 image sets <b>(16-28 keV) put the flare 186″ away",
    ):
        assert words in entry.summary, words
    assert np.datetime64(entry.updated.removesuffix("Z")) == flared.flare.updated_at.astype("datetime64[ms]")
    html = etree.HTML(entry.content[0].value)
    pictures = [one.get("src") for one in html.iter("img")]
    best = [flared.flare.best_image_nonthermal, flared.flare.best_image_thermal]
    assert pictures == [f"{BASE}/archive/thumbnail/{name}" for name in best]
    assert html.find(".//b") is None  # what a file says is text
    other = next(one for one in found.entries if one is not entry)
    assert other.title.startswith("Flare of about C4, ")
    assert "GOES class about C4 (C2 to C9), estimated from STIX data." in other.summary


def test_a_hidden_picture_is_not_shown(flared: Any, tmp_path: Path) -> None:
    shutil.copytree(flared.archive.root, tmp_path / "archive")
    with closing(Archive(tmp_path / "archive")) as archive:
        archive.upsert("flares", [replace(flared.flare, best_image_thermal=flared.hidden.image_id)])
        document = flare_feed(archive, FlareFilter(), BASE, OWN, HOST)
    assert flared.hidden.image_id.encode() not in document
    assert flared.flare.best_image_nonthermal.encode() in document


def test_filters(flared: Any) -> None:
    def ids(**arguments: str) -> set[str]:
        found = read(flare_feed(flared.archive, flare_filter(arguments), BASE, OWN, HOST))
        return {one.title[:13] for one in found.entries}

    everything = ids()
    assert everything == {"M1.2 flare, 2", "Flare of abou"}
    assert ids(goes_min="M1") == ids(goes_min="M1.2") == {"M1.2 flare, 2"}
    assert ids(goes_min="X1") == ids(trusted="yes") == ids(simulated="yes") == set()
    assert ids(simulated="no") == everything


@pytest.mark.parametrize("name", ["goes_min", "trusted", "simulated", "other"])
def test_words_in_parameters_are_refused(name: str) -> None:
    for word in WORDS[::7]:
        with pytest.raises(NotUnderstood):
            flare_filter({name: word})


def test_the_lower_limit_takes_the_estimate_where_nothing_was_measured(curves: Any, tmp_path: Path) -> None:
    shutil.copytree(curves.archive.root, tmp_path / "archive")
    measured, estimated = curves.archive.flares()
    with closing(Archive(tmp_path / "archive")) as archive:
        # far above what GOES has measured: the measurement counts
        archive.upsert(
            "flares", [replace(measured, goes_estimated_flux=1e-4), replace(estimated, goes_estimated_flux=4e-6)]
        )

        def ids(goes_min: str) -> set[str]:
            return {one.flare_id for one in archive.flare_page(flare_filter({"goes_min": goes_min}))}

        assert ids("C3.9") == {measured.flare_id, estimated.flare_id}
        assert ids("C4.1") == {measured.flare_id}
        assert ids("M1.3") == set()


def test_an_empty_feed_is_valid(tmp_path: Path) -> None:
    with closing(Archive(tmp_path / "archive", create=True)) as archive:
        first = flare_feed(archive, FlareFilter(), BASE, OWN, HOST)
        assert read(first).entries == []
        assert read(failure_feed(archive, NOW, BASE, OWN, HOST)).entries == []
        assert flare_feed(archive, FlareFilter(), BASE, OWN, HOST) == first  # it does not look new


@settings(max_examples=200, deadline=None)
@given(st.text(), st.text(), st.sampled_from([HOST, "127.0.0.1:5006", "[::1]:80", "ü.example", "", "A.B:1", "-x"]))
def test_any_text_makes_a_valid_feed(title: str, text: str, host: str) -> None:
    entry = Entry(
        key="flare/1", title=f"t{title}", summary=text, page=f"{BASE}/flare?id=1", updated=NOW,
        pictures=[(f"{BASE}/archive/thumbnail/x", text)], categories=[title],
    )  # fmt: skip
    document = atom_document(
        [entry], host=host, key="feed.xml", title="t", subtitle=text, author="a", own_url=OWN, page=BASE
    )
    (found,) = read(document).entries
    seen = etree.fromstring(document).findtext(f"{ATOM}entry/{ATOM}summary") or ""
    if text.isprintable():
        assert seen == text
    assert found.id == tag_uri(host, "flare/1")
    assert etree.HTML(found.content[0].value).find(".//script") is None


def test_ids_do_not_depend_on_scheme_port_and_path() -> None:
    assert tag_uri("stix.example.org", "flare/1") == tag_uri("STIX.example.org:8443", "flare/1")


# Failures


@pytest.fixture
def failing(small: Any, tmp_path: Path) -> Iterator[Archive]:
    root = tmp_path / "archive"
    shutil.copytree(small.archive.root, root)
    day = root / "quarantine" / "2026-11-28"
    day.mkdir(parents=True)
    names = ("solo_L1_stix-sci-xray-cpd_20221111T000000-20221111T010000_V01_2211110001-1.fits", "alice's secrets.fits")
    for number, name in enumerate(names):
        note = {"file": name, "source": f"incoming/{name}", "sha256": f"{number:064}",
                "reason": f"no HDU <DATA> in /home/alice/{name}", "quarantined_at": "2026-11-28T11:00:00Z"}  # fmt: skip
        (day / f"{number}.fits.reason.json").write_text(json.dumps(note))
    (day / "damaged.reason.json").write_text('{"file": 1')
    journal, leases = Journal(root), Leases(root)
    for user, body in (("alice", '{"hidden":false}'), ("alice", '{"hidden":true}'), ("bob", "no JSON")):
        journal.submit(user, body, NOW, uid="1", task_count=1)
    assert leases.claim("worker", NOW, 60.0) is not None
    with journal.writing() as db:
        db.execute(
            "UPDATE requests SET state = 'failed', owner = NULL, finished_at = submitted_at, "
            "reason = 'background of /data/alice/x.fits is missing'"
        )
    with closing(Archive(root)) as archive:
        yield archive


def test_failures_name_no_user_no_folder_and_nothing_hidden(failing: Archive) -> None:
    document = failure_feed(failing, NOW, BASE, f"{BASE}/feed/failures.xml", HOST)
    found = read(document)
    titles = {one.title for one in found.entries}
    assert {one for one in titles if one.startswith("Request")} == {"Request 1 failed"}
    assert "File refused: another name" in titles
    assert any(one.startswith("File refused: solo_L1_stix-sci-xray-cpd_20221111T000000") for one in titles)
    text = document.decode()
    for private in ("alice", "bob", "/home", "/data", str(failing.root)):
        assert private not in text, private
    assert "background of x.fits is missing" in text
    later = failure_feed(failing, NOW + np.timedelta64(40, "D"), BASE, OWN, HOST)
    assert not read(later).entries


# A running server


@pytest.mark.system
def test_a_reader_subscribes(server: Any, new_client: Callable[[str], Any]) -> None:
    client = new_client(server.url)
    page = client.get("/flares").text
    links = {one.get("href") for one in etree.HTML(page).iter("link") if one.get("type") == "application/atom+xml"}
    assert links == {"feed.xml", "feed/failures.xml"}
    for link in links:
        first = client.get(f"/{link}")
        assert first.status == 200
        assert first.headers["Content-Type"] == "application/atom+xml; charset=utf-8"
        found = read(first.body)
        assert found.feed.links[0].href == f"{server.url}/{link}"
        again = feedparser.parse(f"{server.url}/{link}", etag=first.headers["Etag"])
        assert again.status == 304
        assert not again.entries
        head = client.send("HEAD", f"/{link}", None)
        assert (head.status, head.body, head.headers["Content-Length"]) == (200, b"", str(len(first.body)))
        assert client.post(f"/{link}", {}).status == 405
    refused = client.get("/feed.xml?goes_min=<b>")
    assert (refused.status, refused.json["status"]) == (400, 400)
    assert "GOES class" in refused.json["error"]
    assert client.get("/feed/failures.xml?x=1").status == 400


@pytest.mark.system
def test_behind_a_proxy_with_a_path(flared: Any, tmp_path: Path, serve: Any, new_client: Callable[[str], Any]) -> None:
    root = tmp_path / "archive"
    shutil.copytree(flared.archive.root, root)
    (root / "config.toml").write_text(f'[about]\nurl = "{BASE}/"\n')
    with serve(root) as server:
        client = new_client(server.url)
        found = read(client.get("/feed.xml?goes_min=M1").body)
        assert found.feed.links[0].href == f"{BASE}/feed.xml?goes_min=M1"
        assert [one.link for one in found.entries] == [f"{BASE}/flare?id={flared.flare.flare_id}"]
        assert found.entries[0].id.startswith("tag:stix.example.org,2026:")
        modified = client.get("/feed.xml").headers.get("Last-Modified")
        if modified is not None:  # the files are settled
            assert client.get("/feed.xml", If_Modified_Since=modified).status == 304
        (root / "config.toml").write_text("[about]\nurl = 7\n")
        damaged = client.get("/feed.xml")
        assert damaged.status == 503
        assert "configuration" in damaged.json["error"]
