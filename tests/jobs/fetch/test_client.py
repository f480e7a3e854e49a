"""Fetching from a server on loopback that looks like the public archive: folders as Apache lists them, and faults."""

import base64
import hashlib
import io
import itertools
import logging
import threading
import time
import urllib.request
from contextlib import suppress
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from astropy.io import fits

from archive import Archive, parse_file_name
from archive.ingest.ingest import ingest
from jobs.fetch.client import FetchStatus, RemoteFile, fetch, newest, search
from jobs.fetch.companions import missing_days
from jobs.fetch.download import download
from jobs.fetch.transport import BadStatus, RemoteFault, RetryPolicy, Transport
from jobs.shared.lock import AlreadyRunning, single_instance

START, END = np.datetime64("2026-03-14T00:00"), np.datetime64("2026-03-14T23:59")
NOW = np.datetime64("2026-03-20T00:00:00", "us")
FOLDERS = {"cpd": "L1/{}/SCI", "lightcurve": "L1/{}/QL", "ephemeris": "ANC/{}/ASP"}
#: A file that was last written to in 2026-03-15, as the server tells.
MODIFIED = 1773532800.0


class Site:
    """Files and faults of a server, and what was asked of it."""

    def __init__(self):
        self.files: dict[str, bytes] = {}
        self.modified: dict[str, float] = {}
        self.faults: dict[str, list] = {}
        self.requests: list[SimpleNamespace] = []
        self.tags = True
        self.digest = None
        self.released = threading.Event()
        self.together = self.most_together = 0
        self.lock = threading.Lock()

    def add(self, name: str, content: bytes) -> str:
        """Put a file where the public archive has files of its kind; returns its path."""
        file = parse_file_name(name)
        day = str(file.start.astype("datetime64[D]")).replace("-", "/")
        folder = next(place for kind, place in FOLDERS.items() if kind in file.product)
        path = f"/data/fits/{folder.format(day)}/{name}"
        self.files[path] = content
        return path

    def got(self, ending: str, method: str = "GET") -> list[SimpleNamespace]:
        return [r for r in self.requests if r.path.endswith(ending) and r.method == method]

    def tag(self, content: bytes) -> str:
        return f'"{hashlib.md5(content).hexdigest()}"'

    def listing(self, folder: str) -> bytes | None:
        names = sorted({path.removeprefix(folder).partition("/")[0] for path in self.files if path.startswith(folder)})
        if not names:
            return None
        rows = "".join(
            f'<tr><td><img src="/icons/unknown.gif" alt="[   ]"></td><td><a href="{n}">{n[:40]}..&gt;</a></td></tr>\n'
            for n in names
        )
        return (
            f'<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 3.2 Final//EN">\n<html><head><title>Index of {folder}</title>'
            f'</head><body><h1>Index of {folder}</h1><table><tr><th><a href="?C=N;O=D">Name</a></th></tr>'
            f'<tr><td><a href="/data/">Parent Directory</a></td></tr>\n{rows}</table></body></html>'
        ).encode()


class Handler(BaseHTTPRequestHandler):
    """GET and HEAD with ranges, as Apache answers them, after the fault that waits for a path, if one does."""

    protocol_version = "HTTP/1.1"
    site: Site

    def do_HEAD(self):
        self.answer(body=False)

    def do_GET(self):
        self.answer(body=True)

    def answer(self, *, body):
        site = self.site
        with site.lock:
            site.together += 1
            site.most_together = max(site.most_together, site.together)
        self.counted = True
        try:
            site.requests.append(SimpleNamespace(path=self.path, method=self.command, headers=self.headers))
            waiting = site.faults.get(self.path, [])
            self.serve(waiting.pop(0) if waiting else None, body)
        finally:
            self.leave()

    def leave(self):
        """Be no request at work any more: the last byte, after which the next one may come, is not out yet."""
        with self.site.lock:
            self.site.together -= self.counted
            self.counted = False

    def serve(self, fault, body):
        site, headers = self.site, {}
        content = site.listing(self.path) if self.path.endswith("/") else site.files.get(self.path)
        status = 404 if content is None else 200
        if isinstance(fault, tuple):
            status, headers = fault
        if status != 200:
            content = b"<html>sorry</html>"
        elif not self.path.endswith("/"):
            headers = self.file_headers(content)
            have = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))
            if have and self.headers.get("If-Range") in (headers.get("ETag"), headers.get("Last-Modified")):
                status, whole = 206, len(content)
                if have >= whole:
                    status, content, headers = 416, b"", {"Content-Range": f"bytes */{whole}"}
                else:
                    content = content[have:]
                    headers["Content-Range"] = f"bytes {have}-{whole - 1}/{whole}"
        if fault == "silent":
            site.released.wait(20)
            self.close_connection = True
            return
        self.send_response(status)
        for key, value in ({"Content-Length": str(len(content)), "Connection": "close"} | headers).items():
            self.send_header(key, value)
        self.close_connection = True
        if not body or status >= 400:  # a client does not read the page of an error before it goes on
            self.leave()
        self.end_headers()
        if body:
            if isinstance(fault, int):  # the connection breaks after so many bytes
                content = content[:fault]
            elif fault == "flipped":
                content = content[:-5000] + b"\x55" + content[-4999:]
            with suppress(ConnectionError):  # the other side may hang up
                self.wfile.write(content[:-1])
                self.leave()
                self.wfile.write(content[-1:])

    def file_headers(self, content):
        headers = {"Accept-Ranges": "bytes"}
        if self.site.tags:
            headers["ETag"] = self.site.tag(content)
            headers["Last-Modified"] = formatdate(self.site.modified.get(self.path, MODIFIED), usegmt=True)
        if self.site.digest == "sha-256":
            digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
            headers["Repr-Digest"] = f"sha-256=:{digest}:"
        elif self.site.digest == "md5":
            headers["Content-MD5"] = base64.b64encode(hashlib.md5(content).digest()).decode()
        return headers

    def log_message(self, *words):
        pass


@pytest.fixture
def site(campaign):
    """Start a server that offers the simulated campaign; it stops by itself."""
    site = Site()
    for path in sorted(campaign[0].iterdir()):
        site.add(path.name, path.read_bytes())
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("OwnHandler", (Handler,), {"site": site}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    site.base_url = f"http://127.0.0.1:{server.server_port}/data/fits"
    site.url = f"http://127.0.0.1:{server.server_port}"
    yield site
    site.released.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def waits():
    return []


@pytest.fixture
def transport(waits):
    """Retry policy of a test: no real pause, and little patience."""
    return Transport(RetryPolicy(timeout_s=5.0, tries=3), wait=waits.append)


@pytest.fixture
def archive(tmp_path):
    return Archive(tmp_path / "archive", create=True)


@pytest.fixture
def fetched(site, archive, transport):
    """Run a fetch of the campaign's day; statuses by name."""

    def run(**changes):
        report = fetch(archive, START, END, NOW, base_url=site.base_url, **({"transport": transport} | changes))
        return report, {file.name: file for file in report.files}

    return run


def science_path(site):
    return max((path for path in site.files if "cpd" in path), key=lambda path: len(site.files[path]))


def only(site, path):
    """Let the server offer one file alone."""
    site.files = {path: site.files[path]}
    return Path(path).name


def content_of(archive, name):
    return archive.locate(name).read_bytes()


def litter(archive):
    return [path.name for path in (archive.root / "incoming").iterdir()]


def test_everything_of_a_day_comes_into_the_archive_once(site, archive, fetched):
    report, files = fetched()
    assert {file.status for file in files.values()} == {FetchStatus.FETCHED}
    assert sorted(files) == sorted(Path(path).name for path in site.files)
    assert all(content_of(archive, Path(path).name) == content for path, content in site.files.items())
    assert {outcome.status for outcome in report.ingested} == {"ingested"}
    assert litter(archive) == []
    # the pointing comes before what needs it
    assert ["cpd" in file.name for file in report.files] == sorted("cpd" in file.name for file in report.files)
    asked = len(site.got(".fits"))
    report, files = fetched()
    assert {file.status for file in files.values()} == {FetchStatus.KNOWN}
    assert len(site.got(".fits")) == asked


def test_requests_are_polite(site, fetched, waits):
    only(site, next(path for path in site.files if "ephemeris" in path))
    # a clock that only waiting moves on
    fetched(transport=Transport(RetryPolicy(timeout_s=5.0, tries=3), wait=waits.append, clock=lambda: sum(waits)))
    assert site.most_together == 1
    assert {r.headers["User-Agent"].split("/")[0] for r in site.requests} == {"stix-flare-archive"}
    # half a second less what passed since the last answer; the first request waits for nothing
    assert waits == [0.0] + [0.5] * (len(site.requests) - 1)


@pytest.mark.parametrize("tags", [True, False])
def test_broken_connection_is_taken_up_where_it_broke(site, archive, fetched, tags):
    path = science_path(site)
    name = only(site, path)
    site.tags = tags
    site.faults[path] = [1_000_000]
    _, files = fetched()
    assert files[name].status is FetchStatus.FETCHED
    assert content_of(archive, name) == site.files[path]
    second = site.got(name)[1]
    if tags:
        assert second.headers["Range"] == "bytes=1000000-"
        assert second.headers["If-Range"] == site.tag(site.files[path])
    else:  # nothing says that it is the same file: from the beginning
        assert second.headers["Range"] is None
    assert litter(archive) == []


def test_next_call_goes_on_with_what_a_killed_one_left(site, archive, fetched):
    path = science_path(site)
    name = only(site, path)
    site.faults[path] = [700_000, (503, {}), (503, {})]
    report, files = fetched()
    assert files[name].status is FetchStatus.FAILED
    assert "503" in files[name].reason
    assert report.ingested == ()
    assert (archive.root / "incoming" / f".fetch-{name}").stat().st_size == 700_000
    _, files = fetched()
    assert files[name].status is FetchStatus.FETCHED
    assert site.got(name)[-1].headers["Range"] == "bytes=700000-"
    assert content_of(archive, name) == site.files[path]


def test_file_that_changed_meanwhile_is_not_sewn_together(site, archive, fetched):
    path = science_path(site)
    name = only(site, path)
    right = site.files[path]
    site.files[path] = right[:-2880]
    site.faults[path] = [700_000, (503, {}), (503, {})]
    fetched()
    site.files[path] = right
    fetched()
    assert content_of(archive, name) == right


def test_all_bytes_had_come_when_it_was_killed(site, archive, transport):
    path = science_path(site)
    target = archive.root / "incoming" / Path(path).name
    site.faults[path] = [len(site.files[path]) - 1]
    with pytest.raises(RemoteFault):
        download(site.url + path, target, Transport(RetryPolicy(tries=1), wait=transport.wait))
    partial = target.with_name(f".fetch-{target.name}")
    partial.write_bytes(site.files[path])
    assert download(site.url + path, target, transport) == len(site.files[path])
    assert target.read_bytes() == site.files[path]
    assert not partial.exists()


@pytest.mark.parametrize("surplus", [b"more", b""])
def test_partial_of_another_length_starts_anew(site, archive, transport, surplus):
    path = science_path(site)
    target = archive.root / "incoming" / Path(path).name
    site.faults[path] = [1000]
    with pytest.raises(RemoteFault):
        download(site.url + path, target, Transport(RetryPolicy(tries=1), wait=transport.wait))
    target.with_name(f".fetch-{target.name}").write_bytes(site.files[path] + surplus if surplus else b"")
    download(site.url + path, target, transport)
    assert target.read_bytes() == site.files[path]


def test_half_file_on_the_server_is_kept_apart_and_not_fetched_again(site, archive, fetched):
    path = science_path(site)
    name = only(site, path)
    site.files[path] = site.files[path][: len(site.files[path]) // 2]
    report, files = fetched()
    assert files[name].status is FetchStatus.FETCHED
    assert len(site.got(name)) == 2  # once more, in case the transfer was to blame
    assert [outcome.status for outcome in report.ingested] == ["quarantined"]
    report, files = fetched()
    assert files[name].status is FetchStatus.REFUSED
    assert "refused before" in files[name].reason
    assert len(site.got(name)) == 2
    assert litter(archive) == []


def test_half_file_that_was_completed_on_the_server_is_fetched(site, archive, fetched):
    path = science_path(site)
    name = only(site, path)
    right = site.files[path]
    site.files[path] = right[: len(right) // 2]
    fetched()
    site.files[path] = right
    _, files = fetched()
    assert files[name].status is FetchStatus.FETCHED
    assert content_of(archive, name) == right


@pytest.mark.parametrize("digest", ["sha-256", "md5", None])
def test_bytes_that_were_changed_on_the_way_are_fetched_again(site, archive, fetched, digest):
    path = science_path(site)
    name = only(site, path)
    site.digest = digest
    site.faults[path] = ["flipped"]
    _, files = fetched()
    assert files[name].status is FetchStatus.FETCHED
    assert content_of(archive, name) == site.files[path]
    assert len(site.got(name)) == 2


def test_missing_file_does_not_keep_the_others(site, archive, fetched):
    path = science_path(site)
    site.files = {one: content for one, content in site.files.items() if one == path or "cpd" not in one}
    site.faults[path] = [(404, {})] * 9
    _, files = fetched()
    failed = [file for file in files.values() if file.status is not FetchStatus.FETCHED]
    assert [file.name for file in failed] == [Path(path).name]
    assert failed[0].status is FetchStatus.FAILED
    assert "404" in failed[0].reason
    assert len(site.got(Path(path).name)) == 1  # no use in asking again


def test_server_that_asks_for_a_pause_gets_it(site, fetched, waits):
    path = science_path(site)
    only(site, path)
    site.faults[path] = [(503, {"Retry-After": "77"}), (429, {})]
    report, _ = fetched()
    assert [file.status for file in report.files] == [FetchStatus.FETCHED]
    assert 77.0 in waits
    assert 4.0 in waits  # second failure: twice the first pause


def test_silent_server_is_given_up_after_the_time_limit(site, archive, fetched, waits):
    path = science_path(site)
    name = only(site, path)
    site.faults[path] = ["silent"]
    hasty = Transport(RetryPolicy(timeout_s=0.2, tries=2), wait=waits.append)
    _, files = fetched(transport=hasty)
    assert files[name].status is FetchStatus.FETCHED
    site.faults[path] = ["silent"] * 2
    archive.delete("science_files", [name])
    _, files = fetched(transport=hasty)
    assert files[name].status is FetchStatus.FAILED
    assert "timed out" in files[name].reason


def test_trickle_is_broken_off_and_what_came_is_kept(site, archive):
    path = science_path(site)
    target = archive.root / "incoming" / Path(path).name
    minutes = itertools.count(0.0, 3600.0)
    slow = Transport(RetryPolicy(tries=2, slowest=1e6), wait=lambda _: None, clock=lambda: next(minutes))
    with pytest.raises(RemoteFault, match="too slow"):
        download(site.url + path, target, slow)
    assert 0 < target.with_name(f".fetch-{target.name}").stat().st_size < len(site.files[path])
    assert not target.exists()


def test_dead_server_is_not_asked_for_every_file(site, archive, fetched, caplog):
    for path in site.files:
        site.faults[path] = [(500, {})] * 9
    last = max(path for path in site.files if "cpd" in path)  # the server fails five times before these
    for number in range(3):
        site.files[last.replace("V02_26", f"V02_{27 + number}")] = b""
    with caplog.at_level(logging.WARNING):
        _, files = fetched(transport=Transport(RetryPolicy(tries=1), wait=lambda _: None))
    assert {file.status for file in files.values()} == {FetchStatus.FAILED}
    assert sum("does not answer" in file.reason for file in files.values()) == len(files) - 5
    assert len(caplog.records) >= len(files)


@pytest.mark.parametrize("status", [500, 503, 403])
def test_folder_that_cannot_be_listed_is_no_empty_folder(site, fetched, status):
    folder = "/data/fits/L1/2026/03/14/SCI/"
    site.faults[folder] = [(status, {})] * 9
    with pytest.raises(RemoteFault, match=f"cannot be searched for L1 SCI.*{status}"):
        fetched()


def test_stumble_while_listing_is_forgiven(site, transport):
    folder = "/data/fits/L1/2026/03/14/SCI/"
    site.faults[folder] = [(502, {}), 100]
    assert len(search(START, END, site.base_url, transport)) == len(site.files)
    assert len(site.got(folder)) == 3


def test_days_without_data_are_passed_over(site, archive, transport):
    report = fetch(
        archive, START - np.timedelta64(20, "D"), START - np.timedelta64(18, "D"), NOW,
        base_url=site.base_url, transport=transport,
    )  # fmt: skip
    assert report.files == ()
    assert len(site.requests) > 5


def test_file_that_may_change_is_compared_with_the_server(site, archive, fetched):
    final = science_path(site)
    content = site.files[final]
    path = site.add(Path(final).name.replace("_V02_", "_V02U_"), content)
    name = only(site, path)
    fetched()
    _, files = fetched()
    assert (files[name].status, files[name].reason) == (FetchStatus.KNOWN, "not changed")
    assert (len(site.got(name)), len(site.got(name, "HEAD"))) == (1, 1)
    site.modified[path] = MODIFIED + 30 * 86400.0
    _, files = fetched()
    assert files[name].status is FetchStatus.FETCHED
    assert len(site.got(name)) == 2


def test_file_that_waits_in_incoming_is_not_fetched(site, archive, fetched):
    path = science_path(site)
    name = only(site, path)
    (archive.root / "incoming" / name).write_bytes(site.files[path])
    report, files = fetched()
    assert files[name].status is FetchStatus.KNOWN
    assert site.got(name) == []
    assert [outcome.status for outcome in report.ingested] == ["ingested"]


def test_of_several_versions_the_last_is_fetched():
    names = [f"solo_L1_stix-ql-lightcurve_20260314_V{version}.fits" for version in ("01", "02U", "02", "01U")]
    names += [f"solo_L1_stix-sci-xray-cpd_20260314T1{i}0000-20260314T1{i}1000_V01_26031400{i}0-5.fits" for i in (2, 1)]
    chosen = newest([RemoteFile(parse_file_name(name), f"http://x/{name}") for name in names])
    assert [file.name.name for file in chosen] == [names[2], names[5], names[4]]


def test_products_that_are_not_kept_are_not_asked_for(site, transport):
    day = "/data/fits/L1/2026/03/14/"
    kept = [
        f"QL/solo_L1_stix-ql-{name}_20260314_V02.fits" for name in ("background", "flareflag", "variance", "spectra")
    ]
    when = "20260314T100000-20260314T110000_V02_2603140001-5.fits"
    kept += [f"SCI/solo_L1_stix-sci-xray-{name}_{when}" for name in ("rpd", "scpd", "vis")]
    others = ["QL/solo_L1_stix-ql-foo_20260314_V02.fits", f"SCI/solo_L1_stix-sci-xray-foo_{when}"]
    for name in (*kept, *others, "SCI/../../../../../etc/passwd"):
        site.files[f"{day}{name}"] = b""
    found = {file.name.name for file in search(START, END, site.base_url, transport)}
    usual = {Path(path).name for path in site.files if "stix-sci-xray-cpd" in path or "lightc" in path or "eph" in path}
    assert found == usual | {Path(name).name for name in kept}


@pytest.mark.parametrize("address", ["file:///etc", "ftp://host/x", "/data/fits", "http:///x"])
def test_address_must_be_a_web_address(archive, transport, address):
    with pytest.raises(RemoteFault, match="not an address of the form"):
        fetch(archive, START, END, NOW, base_url=address, transport=transport)


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x"])
def test_redirect_that_leaves_the_web_is_refused(site, archive, transport, target):
    path = science_path(site)
    site.faults[path] = [(302, {"Location": target})] * 9
    with pytest.raises(RemoteFault, match="No connection adapters"):
        download(site.url + path, archive.root / "incoming" / Path(path).name, transport)


def test_redirect_on_the_web_is_followed(site, archive, transport):
    path = science_path(site)
    site.faults["/old.fits"] = [(301, {"Location": path})]
    assert download(f"{site.url}/old.fits", archive.root / "incoming" / Path(path).name, transport) > 0


def test_pause_until_a_date(site, transport, waits):
    site.faults["/data/fits/"] = [
        (503, {"Retry-After": formatdate(time.time() + 300, usegmt=True)}),
        (503, {"Retry-After": "soon"}),
    ]
    transport.page(f"{site.url}/data/fits/")
    assert 290 < max(waits) <= 300


def test_urlopen_is_what_it_was_afterwards(site, transport):
    search(START, END, site.base_url, transport)
    asked = len(site.requests)
    with urllib.request.urlopen(f"{site.url}/data/fits/L1/2026/03/14/SCI/") as answer:
        assert answer.status == 200
    assert len(site.requests) == asked + 1
    assert "Python-urllib" in site.requests[-1].headers["User-Agent"]
    assert "stix" not in site.requests[-1].headers["User-Agent"]


def test_two_fetches_at_a_time_are_one_too_many(site, archive, fetched):
    with single_instance(archive.root, "fetch"), pytest.raises(AlreadyRunning, match="already running"):
        fetched()


def test_status_tells_what_is_not_there(site, transport):
    with pytest.raises(BadStatus) as caught:
        transport.page(f"{site.url}/nowhere")
    assert caught.value.status == 404


def background_path(site, archive, campaign):
    """The campaign's background among the files of the server."""
    known = Archive(archive.root.parent / "known", create=True)
    ingest(known, [campaign[0]], NOW)
    (row,) = known.rows("SELECT name FROM science_files WHERE is_background")
    return next(path for path in site.files if path.endswith(row["name"]))


def moved(site, path, days):
    """Put a file of the server where it would be if it were that many days older: name, folder and dates in it."""
    content, name, out = site.files.pop(path), Path(path).name, io.BytesIO()
    then = (np.datetime64("2026-03-14") - np.timedelta64(days, "D")).astype("datetime64[D]")
    with fits.open(io.BytesIO(content)) as hdus:
        header = hdus[0].header
        for key in [key for key in header if "2026-03-14T" in str(header[key])]:
            header[key] = header[key].replace("2026-03-14", str(then))
        header["FILENAME"] = name.replace("20260314", str(then).replace("-", ""))
        hdus.writeto(out, checksum=True)
    return site.add(header["FILENAME"], out.getvalue())


def test_days_that_a_science_file_touches_outside_the_range(site):
    name = parse_file_name(Path(science_path(site)).name)
    days = missing_days([name], (START + np.timedelta64(1, "D"), END + np.timedelta64(1, "D")))
    assert days == [(np.datetime64("2026-03-14T00:00:00"), np.datetime64("2026-03-14T23:59:59"))]
    over = parse_file_name("solo_L1_stix-sci-xray-cpd_20260313T235000-20260315T000200_V02_2603130001-5.fits")
    assert missing_days([over], (START, END)) == [
        (np.datetime64("2026-03-13T00:00:00"), np.datetime64("2026-03-13T23:59:59")),
        (np.datetime64("2026-03-15T00:00:00"), np.datetime64("2026-03-15T23:59:59")),
    ]


def test_aspect_of_the_day_on_which_a_science_file_ends_is_fetched(site, archive, transport):
    aspect = next(path for path in site.files if "ephemeris" in path)
    science = science_path(site)
    site.files = {science: site.files[science], aspect: site.files[aspect]}
    late = site.add("solo_ANC_stix-asp-ephemeris_20260315_V02.fits", b"of the next day")
    name = Path(science).name
    long = site.add(name.replace(name[26:57], "20260314T100000-20260315T010000"), site.files.pop(science))
    report = fetch(archive, START, END, NOW, base_url=site.base_url, transport=transport)
    assert {Path(path).name for path in (aspect, late, long)} <= {file.name for file in report.files}


def test_a_background_days_away_is_fetched_where_the_archive_has_none(site, archive, fetched, campaign):
    quiet = moved(site, background_path(site, archive, campaign), 5)
    large = site.add(Path(quiet).name.replace("_V02_26", "_V02_27"), bytes(500_000))
    report, files = fetched()
    assert files[Path(quiet).name].status is FetchStatus.FETCHED
    assert Path(large).name not in files  # no background is as large as that
    assert archive.science_file(Path(quiet).name).is_background
    asked = len(site.requests)
    _, files = fetched()
    assert Path(quiet).name not in files  # the archive has it: nobody looks for another
    assert len(site.requests) - asked < 10
    assert {outcome.status for outcome in report.ingested} == {"ingested"}
