"""The Python client against a really running server, with a worker that makes the images."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.units import Unit
from bs4 import BeautifulSoup

from archive import Archive, ImageFilter, ScienceFilter
from archive.accounts import Accounts
from archive.client import TOKEN_VARIABLE, ApiError, ArchiveClient, RequestFailed
from jobs.queue.measurement_requests import parse_queued
from jobs.queue.region_requests import RegionsRequest
from jobs.queue.spectrum_requests import SpectrumTaskRequest

ROOT = Path(__file__).resolve().parents[3]
NOW = np.datetime64("2026-11-25T12:00:00", "us")


@pytest.fixture(scope="session")  # as the archive: xdist may come back to a module
def token(imaged: Archive) -> str:
    accounts = Accounts(imaged.root)
    accounts.add("dora", "dora's long password", NOW)
    return accounts.make_token("dora", "client", NOW)


@pytest.fixture
def stix(imaged_server: Any, token: str, tmp_path: Path) -> ArchiveClient:
    return ArchiveClient(imaged_server.url, token, cache=tmp_path / "cache")


@pytest.fixture
def answering() -> Iterator[Callable[[Callable[[Any], None]], str]]:
    """A server of our own, for what the real one never does."""
    servers: list[ThreadingHTTPServer] = []

    def start(answer: Callable[[Any], None]) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                answer(self)

            def log_message(self, *_: Any) -> None:
                pass

        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def reply(handler: Any, status: int, body: bytes, **headers: str) -> None:
    handler.send_response(status)
    for name, value in {"Content-Length": str(len(body)), **headers}.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)


def worker_environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT)}


def test_the_file_alone_is_enough(imaged_server: Any, tmp_path: Path) -> None:
    (tmp_path / "client.py").write_bytes((ROOT / "archive" / "client.py").read_bytes())
    code = f"from client import ArchiveClient as C; print(len(C({imaged_server.url!r}).images(limit=2)))"
    # without site-packages
    done = subprocess.run([sys.executable, "-S", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("2\n", "")


def test_rows(stix: ArchiveClient, imaged: Archive) -> None:
    images = stix.images(method=["clean", "bp"], sort="t_start")
    assert len(images) == imaged.rows("SELECT count(*) AS n FROM images WHERE method IN ('clean', 'bp')")[0]["n"]
    assert [row["t_start"] for row in images] == sorted(row["t_start"] for row in images)
    assert len(stix.images(limit=2)) == 2
    assert {row["name"] for row in stix.science_files()} == {row.name for row in imaged.science_files()}
    assert len(stix.flares()) == imaged.count_flares()
    run = stix.image(images[0]["image_id"])["run"]
    assert run["uid"] == images[0]["uid"]
    assert run["recipe"]["methods"]


def test_long_lists_come_in_pages(stix: ArchiveClient, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = [row["image_id"] for row in stix.images()]
    monkeypatch.setattr("archive.client._PAGE", 3)
    assert [row["image_id"] for row in stix.images()] == whole
    assert [row["image_id"] for row in stix.images(limit=4)] == whole[:4]


def test_a_map_has_the_numbers_of_the_index(stix: ArchiveClient) -> None:
    row = stix.images(method="clean", limit=1)[0]
    made = stix.map(row)
    assert made.data.shape == (row["ny"], row["nx"])
    assert float(made.data.max()) == pytest.approx(row["max"], rel=1e-5)
    assert str(made.date_start)[:19].replace(" ", "T") == row["t_start"][:19]


def test_files_are_kept_and_compared(stix: ArchiveClient) -> None:
    row = stix.images(limit=1)[0]
    path = stix.fits(row)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == row["sha256"]
    before = path.stat().st_mtime_ns
    assert stix.fits(row["image_id"]).stat().st_mtime_ns == before  # not again
    path.write_bytes(b"damaged")
    assert hashlib.sha256(stix.fits(row).read_bytes()).hexdigest() == row["sha256"]
    with pytest.raises(ApiError, match="differs from the one in the index"):
        stix.fits({**row, "sha256": "0" * 64})
    assert not (path.parents[1] / ("0" * 16)).exists() or not any((path.parents[1] / ("0" * 16)).iterdir())
    science = stix.science_files(product="sci-xray-cpd", limit=1)[0]
    assert hashlib.sha256(stix.science_fits(science).read_bytes()).hexdigest() == science["sha256"]


def test_submit_and_wait(stix: ArchiveClient, imaged: Archive, start: Callable[..., Any], tmp_path: Path) -> None:
    file = imaged.science_files(ScienceFilter(product="sci-xray-cpd", is_background=False, simulated=True))[0]
    wanted = {
        "uid": file.uid,
        "time_ranges": [[str(file.t_start), str(file.t_end)]],
        "energy_ranges_kev": [[6, 9]],
        "methods": ["bp", "clean"],
    }
    made = stix.submit(wanted)
    assert made["state"] == "queued"
    assert stix.submit(wanted)["request_id"] == made["request_id"]
    steps: list[str] = []
    with (tmp_path / "worker.txt").open("wb") as log:
        worker = start(["jobs.cli", "worker", "--once", "--archive", str(imaged.root)], worker_environment(), log, log)
    done = stix.wait(made["request_id"], progress=lambda row: steps.append(row["state"]), poll_s=0.2, timeout_s=180)
    assert worker.wait(120) == 0
    assert (steps[0], steps[-1]) == ("queued", "done")
    (part,) = done["parts"]
    assert [image.rpartition("-")[2] for image in part["images"]] == ["bp", "clean"]
    row = stix.image(part["images"][1])
    assert (row["author"], row["e_low"], row["e_high"]) == ("dora", 6.0, 9.0)
    assert stix.map(row).data.max() > 0


def test_what_ends_badly_is_said(stix: ArchiveClient, imaged: Archive) -> None:
    file = imaged.science_files(ScienceFilter(product="sci-xray-cpd", is_background=False))[0]
    ends = str(file.t_start), str(file.t_start + np.timedelta64(60, "s"))
    made = stix.submit({"uid": file.uid, "time_ranges": [ends], "energy_ranges_kev": [[5, 7]]})
    with pytest.raises(TimeoutError, match=r"has not ended within 0\.1 s"):
        stix.wait(made["request_id"], poll_s=0.05, timeout_s=0.1)
    assert stix.cancel(made["request_id"])["state"] == "cancelled"
    with pytest.raises(RequestFailed, match="cancelled: cancelled before it began"):
        stix.wait(made["request_id"])
    assert stix.retry(made["request_id"])["state"] == "queued"
    stix.cancel(made["request_id"])
    assert made["request_id"] in [row["request_id"] for row in stix.requests(state="cancelled")]
    for call, status, field in (
        (lambda: stix.submit({"uid": file.uid}), 400, "body"),
        (lambda: stix.images(sort="nonsense"), 400, "sort"),
        (lambda: stix.image("0" * 16 + "-clean"), 404, "image_id"),
        (lambda: stix.request(999_999), 404, "request_id"),
    ):
        with pytest.raises(ApiError) as refused:
            call()
        assert (refused.value.status, refused.value.field) == (status, field)


def test_the_token_comes_from_the_environment(
    imaged_server: Any, token: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    with pytest.raises(ApiError, match="sign-in required") as refused:
        ArchiveClient(imaged_server.url, cache=tmp_path).requests()
    assert refused.value.status == 401
    monkeypatch.setenv(TOKEN_VARIABLE, token)
    assert ArchiveClient(imaged_server.url, cache=tmp_path).requests(limit=1) is not None
    assert token not in repr(ArchiveClient(imaged_server.url))
    with pytest.warns(UserWarning, match="use https"):
        ArchiveClient("http://stix.example.org")
    for address in ("stix.example.org", "ftp://stix.example.org", "file:///etc/passwd"):
        with pytest.raises(ValueError, match="not the address of a server"):
            ArchiveClient(address)


def test_the_token_is_not_taken_elsewhere(answering: Callable[..., str]) -> None:
    heard: list[str | None] = []

    def other(handler: Any) -> None:
        heard.append(handler.headers["Authorization"])
        reply(handler, 200, b"{}")

    elsewhere = answering(other)
    address = answering(lambda handler: reply(handler, 302, b"", Location=f"{elsewhere}/api/v1/images"))
    with pytest.raises(ApiError, match="302"):
        ArchiveClient(address, "secret").images()
    assert heard == []


def test_a_server_that_is_none_or_means_harm(answering: Callable[..., str], tmp_path: Path) -> None:
    client = ArchiveClient(answering(lambda handler: reply(handler, 200, b"<html>")), cache=tmp_path)
    with pytest.raises(ApiError, match="does not answer as this archive's API does"):
        client.images()
    for row in (
        {"image_id": "../../evil", "sha256": "0" * 64},
        {"image_id": "0" * 16 + "-clean", "sha256": "../../evil"},
    ):
        with pytest.raises(ApiError, match="which is not valid"):
            client.fits(row)
    gone = ArchiveClient(answering(lambda handler: reply(handler, 502, b"bad gateway")), sleep=lambda _: None)
    with pytest.raises(ApiError, match="answers 502"):
        gone.wait(1, poll_s=0.01, patience_s=0.1)
    with pytest.raises(ApiError, match="cannot be reached"):
        ArchiveClient("http://127.0.0.1:9", sleep=lambda _: None).images()


def test_waiting_outlives_a_restart_of_the_server(answering: Callable[..., str]) -> None:
    answers = [(502, {}), (200, {"state": "running"}), (503, {"error": "later"}), (200, {"state": "done"})]
    row = {"request_id": 1, "position": None, "step": "", "step_number": 0, "parts": [], "reason": ""}

    def answer(handler: Any) -> None:
        status, changes = answers.pop(0)
        reply(handler, status, json.dumps({**row, **changes}).encode())

    client = ArchiveClient(answering(answer), sleep=lambda _: None)
    assert client.wait(1, poll_s=0.01)["state"] == "done"


def test_calls_that_only_ask_are_repeated(answering: Callable[..., str]) -> None:
    """After the time that the server names, or longer each time; what is refused is refused at once."""
    empty = json.dumps({"items": [], "next": None}).encode()
    answers: list[tuple[int, bytes, dict[str, str]]] = []

    def answer(handler: Any) -> None:
        status, body, headers = answers.pop(0)
        reply(handler, status, body, **headers)

    waits: list[float] = []
    client = ArchiveClient(
        answering(answer),
        sleep=waits.append,
    )
    answers[:] = [(429, b"{}", {"Retry-After": "7"}), (503, b"{}", {}), (504, b"{}", {}), (200, empty, {})]
    assert client.images() == []
    assert waits == [7.0, 2.0, 4.0]
    answers[:] = [(429, b"{}", {"Retry-After": "86400"})] * 4
    with pytest.raises(ApiError, match="429") as busy:
        client.images()
    assert (busy.value.temporary, waits[3:]) == (True, [60.0, 60.0, 60.0])
    for status in (400, 401, 403, 404, 500):
        answers[:] = [(status, b"{}", {})]
        with pytest.raises(ApiError):
            client.images()
    assert len(waits) == 6


def test_a_request_is_submitted_once(answering: Callable[..., str]) -> None:
    """A request that was received and not answered would be made twice."""
    calls = []

    class Once(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            calls.append(self.path)
            reply(self, 503, b"{}")

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Once) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with pytest.raises(ApiError, match="503"):
            ArchiveClient(f"http://127.0.0.1:{server.server_port}", sleep=calls.append).submit({})
        server.shutdown()
    assert calls == ["/api/v1/requests"]


def test_tables_have_units_and_times(stix: ArchiveClient, imaged: Archive) -> None:
    rows = stix.images(method="clean", sort="t_start")
    table = rows.to_table()
    images = imaged.images(ImageFilter(methods=("clean",)), sort=("t_start", "image_id"), limit=1000)
    assert len(table) == len(images) > 0
    assert str(table["peak_hpc_x"].unit) == "arcsec"
    assert table["total_flux"].unit == Unit("ct s-1 cm-2 keV-1")
    order = {image.image_id: image for image in images}
    for row in table:
        image = order[str(row["image_id"])]
        assert row["peak_hpc_x"] == pytest.approx(image.peak_hpc_x)
        assert abs(row["t_start"].datetime64 - image.t_start) < np.timedelta64(1, "ms")
        assert bool(row["trusted"]) == image.trusted
        assert bool(np.ma.is_masked(row["goes_flux"])) == (image.goes_flux is None)
    spectra = stix.spectra().to_table()
    assert spectra["emission_measure"].unit == Unit("1e49 cm-3")
    frame = rows.to_pandas()
    assert str(frame["t_start"].dt.tz) == "UTC"
    assert frame.attrs["units"]["peak_hpc_x"] == "arcsec"
    assert list(frame["image_id"]) == [row["image_id"] for row in rows]
    assert len(stix.images(text="there is none").to_table()) == 0
    assert len(stix.images(text="there is none").to_pandas()) == 0
    table.write(io.StringIO(), format="ascii.ecsv")


def test_rows_show_themselves_in_notebooks(stix: ArchiveClient, imaged_server: Any) -> None:
    rows = stix.images(method="clean")
    rows[0]["method"] = "<script>alert(1)</script>"
    page = BeautifulSoup(rows._repr_html_(), "html.parser")
    assert page.script is None
    assert len(page.tbody.find_all("tr")) == min(len(rows), 20)
    with urllib.request.urlopen(page.find("img")["src"], timeout=60) as answer:
        assert answer.headers["Content-Type"] == "image/png"
    assert "arcsec" in page.thead.get_text()
    assert "flares" in stix.flares()._repr_html_()


def test_the_example_of_the_manual(
    imaged_server: Any,
    imaged: Archive,
    token: str,
    start: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: Any,
) -> None:
    text = (ROOT / "docs/how-to/api.md").read_text(encoding="utf-8")
    example, _, _ = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert "https://stix.example.org" in example
    monkeypatch.setenv(TOKEN_VARIABLE, token)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with (tmp_path / "worker.txt").open("wb") as log:
        worker = start(["jobs.cli", "worker", "--archive", str(imaged.root)], worker_environment(), log, log)
    try:
        exec(compile(example.replace("https://stix.example.org", imaged_server.url), "api.md", "exec"), {})
    finally:
        worker.terminate()
        worker.wait(120)
    said = capfd.readouterr().out
    assert "-clean.fits" in said
    assert "arcsec" in said


def test_the_example_of_the_manual_for_spectra(server: Any, small: Any, tmp_path: Path, capfd: Any) -> None:
    """It prints a spectrum and gets a pair of files with the names that they have in each other."""
    text = (ROOT / "docs/how-to/api.md").read_text(encoding="utf-8")
    _, example, _ = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    stix = ArchiveClient(server.url, cache=tmp_path)
    names: dict[str, Any] = {"stix": stix}
    exec(compile(example, "api.md", "exec"), names)
    row = small.spectra[5]
    assert capfd.readouterr().out == f"{names['row']['t_start']} 15.0 None MK vth+thick2\n"
    assert (names["row"]["spectrum_id"], names["counts"]) == (row.spectrum_id, [100.0, 25.5])
    assert [path.name for path in (names["spectrum"], names["response"])] == ["stx_spectrum.fits", "stx_srm.fits"]
    names["response"].write_bytes(b"damaged")
    for path in stix.spectrum_files(row.spectrum_id):
        assert path.parent == tmp_path / row.spectrum_id
        assert path.read_bytes() == (small.archive.root / row.folder / path.name).read_bytes()
    assert len(stix.spectra()) == sum(not one.hidden for one in small.spectra)
    with pytest.raises(ApiError, match="there is no spectrum"):
        stix.spectrum("0" * 16)


def test_the_example_of_the_manual_for_regions(server: Any, small: Any, tmp_path: Path, capfd: Any) -> None:
    """Its requests are valid, and it gets spectra and files that others requested."""
    text = (ROOT / "docs/how-to/api.md").read_text(encoding="utf-8")
    _, _, example = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    requests: list[Any] = []

    class Client(ArchiveClient):
        def submit(self, request: Any) -> Any:
            requests.append(parse_queued(json.dumps(request)))
            return {"request_id": len(requests)}

        def wait(self, request_id: int, **_: Any) -> Any:
            made = (small.spectra[5].spectrum_id, small.regions[0].region_id)
            return {"parts": [{"run_id": made[request_id - 1]}]}

    names: dict[str, Any] = {"stix": Client(server.url, cache=tmp_path)}
    exec(compile(example, "api.md", "exec"), names)
    assert [type(one) for one in requests] == [SpectrumTaskRequest, RegionsRequest]
    assert requests[1].models == {"north": "vth"}
    assert capfd.readouterr().out == "15.0 MK 8.0\nnorth None\n"
    folder = small.archive.root / small.regions[0].folder
    assert set(names["files"]) == {path.name for path in folder.iterdir()} - {"regions.json"}
    for name, path in names["files"].items():
        assert path.read_bytes() == (folder / name).read_bytes()


def test_a_file_of_a_spectrum_that_its_record_does_not_know(answering: Callable[..., str], tmp_path: Path) -> None:
    address = answering(lambda handler: reply(handler, 200, b'{"sha256": {}}'))
    with pytest.raises(ApiError, match="differs from the one in the index"):
        ArchiveClient(address, cache=tmp_path).spectrum_files("0" * 16)
    with pytest.raises(ApiError, match="which is not valid"):
        ArchiveClient(address, cache=tmp_path).spectrum_files("../../evil")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
