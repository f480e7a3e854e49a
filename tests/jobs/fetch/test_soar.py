"""Fetching from a server on loopback that answers as SOAR does: TAP with ADQL, files by id, no ranges, no HEAD."""

import json
import re
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest

from archive import Archive, parse_file_name
from jobs.fetch import soar
from jobs.fetch.client import FetchStatus, fetch
from jobs.fetch.transport import RemoteFault, RetryPolicy, Transport

START, END = np.datetime64("2026-03-14T00:00"), np.datetime64("2026-03-14T23:59")
NOW = np.datetime64("2026-03-20T00:00:00", "us")
COLUMNS = ("filename", "data_item_id", "filesize")


class Service:
    """Files by id, rows that are offered beside them, faults by id, and what was asked."""

    def __init__(self):
        self.files: dict[str, tuple[str, bytes]] = {}
        self.rows: list[list] = []
        self.faults: dict[str, list] = {}
        self.queries: list[str] = []
        self.answer: bytes | None = None
        self.head = 405
        self.requested: list[tuple[str, str]] = []

    def add(self, name: str, content: bytes) -> str:
        """Offer a file; returns its id, which is its name without version."""
        item = re.sub(r"_V\d+U?", "", name).removesuffix(".fits")
        self.files[item] = name, content
        return item

    def table(self, query: str) -> bytes:
        """Answer one query of the only form that fetch may send."""
        self.queries.append(query)
        found = re.fullmatch(
            r"SELECT filename, data_item_id, filesize FROM v_sc_data_item WHERE instrument='STIX' AND level='(\w+)' "
            r"AND begin_time<='([\d .:-]+)' AND end_time>='([\d .:-]+)'",
            query,
        )
        level, last, first = found.groups()
        rows = list(self.rows)
        for item, (name, content) in self.files.items():
            known = parse_file_name(name.replace("-sup1", ""))
            if known.level == level and known.start <= np.datetime64(last) and known.end >= np.datetime64(first):
                rows.append([name, item, len(content)])
        return json.dumps({"metadata": [{"name": name} for name in COLUMNS], "data": rows}).encode()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    service: Service

    def do_HEAD(self):
        self.service.requested.append(("HEAD", self.path))
        self.send(self.service.head, b"", body=False)

    def do_GET(self):
        service, parts = self.service, urlsplit(self.path)
        service.requested.append(("GET", self.path))
        words = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path == "/soar-sl-tap/tap/sync":
            assert (words["REQUEST"], words["LANG"], words["FORMAT"]) == ("doQuery", "ADQL", "json")
            self.send(200, service.table(words["QUERY"]) if service.answer is None else service.answer)
            return
        item = words.get("data_item_id", "")
        fault = service.faults[item].pop(0) if service.faults.get(item) else None
        known = (words.get("retrieval_type"), words.get("product_type")) == ("LAST_PRODUCT", "SCIENCE")
        if parts.path != "/soar-sl-tap/data" or not known or item not in service.files:
            self.send(404, b"no such product")
        elif fault == "busy":
            self.send(503, b"later")
        else:
            self.send(200, service.files[item][1], cut=fault)

    def send(self, status, content, *, body=True, cut=None):
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        if body:
            with suppress(ConnectionError):
                self.wfile.write(content[:cut])

    def log_message(self, *_):
        pass


@pytest.fixture
def service():
    made = Service()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("OwnHandler", (Handler,), {"service": made}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    made.url = f"http://127.0.0.1:{server.server_port}"
    yield made
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def simulated(service, campaign):
    """The service with the simulated campaign."""
    for path in sorted(campaign[0].iterdir()):
        service.add(path.name, path.read_bytes())
    return service


@pytest.fixture
def transport():
    return Transport(RetryPolicy(timeout_s=5.0, tries=3), wait=lambda _: None)


@pytest.fixture
def archive(tmp_path):
    return Archive(tmp_path / "archive", create=True)


@pytest.fixture
def fetched(service, archive, transport):
    def run(start=START, end=END):
        report = fetch(archive, start, end, NOW, base_url=service.url, find=soar.search, transport=transport)
        return report, {file.name: file for file in report.files}

    return run


def test_everything_of_a_day_comes_into_the_archive_once(simulated, archive, fetched):
    report, files = fetched()
    assert {name: file.status for name, file in files.items()} == {
        name: FetchStatus.FETCHED for name, _ in simulated.files.values()
    }
    assert {outcome.status for outcome in report.ingested} == {"ingested"}
    for name, content in simulated.files.values():
        assert archive.locate(name).read_bytes() == content
    downloads = [path for _, path in simulated.requested if "/data?" in path]
    assert {file.status for file in fetched()[1].values()} == {FetchStatus.KNOWN}
    assert [path for _, path in simulated.requested if "/data?" in path] == downloads


def test_real_files_come_with_the_ephemeris_of_their_day_and_a_background(service, archive, fetched, shared_data):
    folder = shared_data / "nov2022"
    wanted = "*_2211116471-*.fits", "*_20221111_V01.fits", "*_2211098157-*.fits"
    (flare,), (ephemeris,), (background,) = (
        [path for path in folder.rglob(pattern) if path.name.startswith("solo")] for pattern in wanted
    )
    renamed = ephemeris.name.replace("solo_L2_stix-aux-ephemeris", "solo_ANC_stix-asp-ephemeris")
    for path, name in ((flare, flare.name), (background, background.name), (ephemeris, renamed)):
        service.add(name, path.read_bytes())
    report, files = fetched(np.datetime64("2022-11-11T11:30"), np.datetime64("2022-11-11T11:40"))
    assert {name: file.status for name, file in files.items()} == dict.fromkeys(
        (flare.name, background.name, renamed), FetchStatus.FETCHED
    )
    assert sorted(outcome.status for outcome in report.ingested) == ["ingested"] * 3
    assert archive.locate(flare.name).read_bytes() == flare.read_bytes()
    assert [row.name for row in archive.science_files() if row.is_background] == [background.name]


@pytest.mark.parametrize("fault", [0, 1000, 100_000, "busy"])
def test_a_broken_transfer_is_repeated(simulated, archive, fetched, fault):
    name, item = max((len(content), name, item) for item, (name, content) in simulated.files.items())[1:]
    simulated.files = {item: simulated.files[item]}
    simulated.faults[item] = [fault]
    assert fetched()[1][name].status is FetchStatus.FETCHED
    assert archive.locate(name).read_bytes() == simulated.files[item][1]
    assert simulated.faults[item] == []


def test_a_transfer_that_never_ends_well_leaves_nothing_in_the_archive(simulated, archive, fetched):
    item, (name, _) = next(iter(simulated.files.items()))
    simulated.files = {item: simulated.files[item]}
    simulated.faults[item] = [1000] * 20
    file = fetched()[1][name]
    assert file.status is FetchStatus.FAILED
    assert "gave up after 3 tries" in file.reason
    assert archive.rows("SELECT count(*) AS n FROM science_files")[0]["n"] == 0


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (b"<html>down for maintenance</html>", "the answer is not a table in JSON"),
        (b"[]", "the answer is not a table in JSON"),
        (b'{"metadata": [{"name": "filename"}], "data": [["a", "b"]]}', "the answer is not a table in JSON"),
        (b'{"metadata": [{"name": "filename"}], "data": [["a"]]}', "the column 'data_item_id' is missing"),
        (b"[" * 100_000, "the answer is not a table in JSON"),
    ],
)
def test_an_answer_that_is_no_table_is_an_error_of_one_sentence(service, transport, answer, sentence):
    service.answer = answer
    with pytest.raises(RemoteFault, match=sentence):
        soar.search(START, END, service.url, transport)


@pytest.mark.parametrize(
    "row",
    [
        ["../../../etc/passwd", "solo_L1_stix-ql-lightcurve_20260314", 10],
        ["solo_L1_stix-ql-lightcurve_20260314_V01.fits/../../x", "a", 10],
        ["solo_L1_stix-ql-lightcurve_20260314_V01.fits\n", "a", 10],
        ["solo_L1_stix-ql-lightcurve_20261399_V01.fits", "a", 10],
        ["solo_L2_eui-fsi174-image_20260314T000000_V01.fits", "a", 10],
        ["solo_L1_stix-ql-lightcurve_20260314_V01.fits", "x&retrieval_type=ALL", 10],
        ["solo_L1_stix-ql-lightcurve_20260314_V01.fits", "../../x", 10],
        [None, None, None],
        [{"a": 1}, [], "10"],
    ],
)
def test_names_and_ids_that_are_not_of_stix_are_refused(service, transport, caplog, row):
    service.rows = [row]
    assert soar.search(START, END, service.url, transport) == []
    assert "refused the" in caplog.text
    assert len(caplog.text) < 2000


def test_products_that_the_archive_does_not_fetch_are_left_out(service, transport, caplog):
    service.add("solo_L1_stix-hk-maxi_20260314_V01.fits", b"")
    service.add("solo_L1_stix-ql-lightcurve_20260314_V01.fits", b"1234")
    service.add("solo_L1_stix-sci-xray-cpd-sup1_20260314T060000-20260314T070000_V02_2603140001-50882.fits", b"")
    found = soar.search(START, END, service.url, transport)
    assert [(file.name.name, file.size) for file in found] == [
        ("solo_L1_stix-ql-lightcurve_20260314_V01.fits", 4),
        ("solo_L1_stix-sci-xray-cpd_20260314T060000-20260314T070000_V02_2603140001-50882.fits", 0),
    ]
    assert "cpd-sup1" in found[1].url
    assert caplog.text == ""


def test_two_files_of_one_name_are_reported(service, transport, caplog):
    name = "solo_L1_stix-sci-xray-cpd{}_20260314T060000-20260314T070000_V02_2603140001-50882.fits"
    service.add(name.format(""), b"")
    service.add(name.format("-sup1"), b"")
    (found,) = soar.search(START, END, service.url, transport)
    assert "sup1" not in found.url
    assert "has the same name as" in caplog.text


def test_long_ranges_are_asked_in_pieces_that_leave_nothing_out(service, transport):
    for day in range(1, 29):
        service.add(f"solo_L1_stix-ql-lightcurve_202602{day:02d}_V01.fits", b"")
    found = soar.search(np.datetime64("2026-01-30"), np.datetime64("2026-03-01"), service.url, transport)
    assert [int(str(file.name.start)[8:10]) for file in found] == list(range(1, 29))
    assert len(service.queries) == 2 * 3  # levels L1 and ANC, ten days at a time


@pytest.mark.parametrize(("head", "changed"), [(405, True), (405, False), (500, False)])
def test_a_version_that_may_change_is_compared_by_the_size_in_the_list(
    service, archive, fetched, campaign, head, changed
):
    path = next(path for path in campaign[0].iterdir() if "lightcurve" in path.name)
    name = re.sub(r"_V(\d+)U?", r"_V\1U", path.name)
    item = service.add(name, path.read_bytes())
    service.head = head
    assert fetched()[1][name].status is FetchStatus.FETCHED
    if changed:
        service.files[item] = name, path.read_bytes() + bytes(2880)
    again = fetched()[1][name]
    expected = FetchStatus.FAILED if head == 500 else FetchStatus.FETCHED if changed else FetchStatus.KNOWN
    assert again.status is expected


def test_the_command_takes_the_source_by_name(simulated, tmp_path, stix_jobs):
    root = tmp_path / "archive"
    only = next(item for item, (name, _) in simulated.files.items() if "ephemeris" in name)
    simulated.files = {only: simulated.files[only]}
    words = ("--archive", root, "--start", str(START), "--end", str(END), "--base-url", simulated.url)
    status, output, errors = stix_jobs("fetch", "--source", "soar", *words)
    assert (status, "1 files on the server, 1 fetched" in output) == (0, True), (output, errors)
    status, _, errors = stix_jobs("fetch", "--source", "soar", *words[:-1], "file:///etc")
    assert status == 1
    assert "is not an address of the form http://host" in errors
    assert not Path(root, "incoming", "etc").exists()
