"""The running service: asked by hapiclient as people ask it, and by the rules of the standard."""

from __future__ import annotations

import asyncio
import csv
import io
import itertools
import json
import re
import socket
import warnings
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest
from astropy.units import Unit
from hapiclient import hapi, hapitime2datetime
from tornado.web import Application

from archive import Archive
from archive.index.series import COUNTS
from archive.ingest.ingest import ingest
from archive.lightcurves.corrections import live_fraction
from benchmarks.load.words import WORDS
from dashboards.server.allowed_routes import SERVED
from dashboards.server.hapi import handlers, light_curve_records
from dashboards.server.hapi.datasets import present_datasets
from dashboards.server.hapi.handlers import HAPI_ROUTES
from dashboards.server.hapi.standard import FILL, STATUS
from dashboards.shared.source import ArchiveSource
from tests.dashboards.conftest import DAY, FIRST, ROOT, make_flare

pytestmark = pytest.mark.system

LISTED = [
    "lightcurve", "lightcurve_minutes", "flares", "flare_rate", "source_track_4-10", "source_track_16-28",
    "spectrum_track", "simulated_flares", "simulated_flare_rate",
]  # fmt: skip
MORNING = {"dataset": "lightcurve", "start": "2022-11-10T07:30", "stop": "2022-11-10T09:30"}


def ask(visitor: Any, path: str, **query: Any) -> Any:
    return visitor.get(f"/hapi/{path}?{urlencode(query)}" if query else f"/hapi/{path}")


def rows_of(answer: Any) -> list[list[str]]:
    return list(csv.reader(io.StringIO(answer.text)))


@pytest.mark.parametrize("form", ["csv", "binary"])
def test_hapiclient_reads_what_the_archive_has(rich: Archive, rich_server: Any, tmp_path: Path, form: str) -> None:
    base = f"{rich_server.url}/hapi"
    options = {"format": form, "cachedir": str(tmp_path), "usecache": False, "cache": False}
    assert [one["id"] for one in hapi(base, **options)["catalog"]] == LISTED
    data, meta = hapi(base, "lightcurve", "", "2022-11-10T07:30", "2022-11-11T00:30", **options)
    (first, second) = rich.light_curve_rows(FIRST + np.timedelta64(27000, "s"), FIRST + np.timedelta64(88200, "s"))
    wanted: dict[str, Any] = {
        "Time": [*first["time"].to_pylist(), *second["time"].to_pylist()],
        "rate": np.stack([[*first[name], *second[name]] for name in COUNTS], axis=1).astype(float) / 4.0,
        "live_fraction": live_fraction(np.array([*first["triggers"], *second["triggers"]], float), np.array(4.0)),
        "attenuator_in": [*first["rcr"].to_pylist(), *second["rcr"].to_pylist()],
    }
    for name, expected in wanted.items():
        if name == "Time":
            found = [moment.replace(tzinfo=None) for moment in hapitime2datetime(data["Time"])]
            assert found == [moment.replace(tzinfo=None) for moment in expected]
        else:
            assert np.array_equal(data[name], expected)
    assert meta["parameters"][2]["bins"][0]["ranges"][0] == [4.0, 10.0]
    flares, _ = hapi(base, "flares", "flare_id,goes_class,hpc_x,temperature", "2022-11-10", "2022-11-13", **options)
    known = rich.flares(FIRST, FIRST + 3 * DAY)
    real = [flare for flare in known if not flare.simulated]
    assert flares["flare_id"].tolist() == [flare.flare_id for flare in real]
    assert [text or None for text in flares["goes_class"].tolist()] == [flare.goes_class for flare in real]
    assert flares["hpc_x"].tolist() == [FILL if flare.hpc_x is None else flare.hpc_x for flare in real]
    assert len(real) == len(known) - 1 == 3


def test_hapiclient_asks_for_whole_days_in_parts(rich_server: Any, tmp_path: Path) -> None:
    options = {"cachedir": str(tmp_path), "usecache": False, "cache": False, "dt_chunk": "P1D", "n_parallel": 2}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # hapiclient's own
        data, _ = hapi(
            f"{rich_server.url}/hapi", "lightcurve", "rate", "2022-11-10T06:00:00", "2022-11-11T18:00:00", **options
        )
    assert data["Time"].size == 900 * (18 - 1 + 18 - 1)  # an hour of each day is missing
    assert data["Time"].tolist() == sorted(set(data["Time"].tolist()))


@pytest.mark.parametrize("name", LISTED)
def test_documents_have_what_the_standard_requires(visitor: Any, name: str) -> None:
    answer = ask(visitor, "info", dataset=name)
    assert_served(answer)
    info = answer.json
    assert {"startDate", "stopDate", "parameters"} <= info.keys()
    assert info["startDate"] < info["stopDate"]
    assert info["timeStampLocation"] in {"begin", "center", "end", "other"}
    assert ("sampleStartDate" in info) == ("sampleStopDate" in info)
    assert re.fullmatch(r"P\d+D|PT\d+[SM]", info.get("cadence", "P1D"))
    assert re.fullmatch(r"P\d+D", info.get("maxRequestDuration", "P1D"))
    names = [parameter["name"] for parameter in info["parameters"]]
    assert len(names) == len(set(names)) > 1
    time, *others = info["parameters"]
    assert (time["type"], time["fill"], time["units"], time["length"]) == ("isotime", None, "UTC", 27)
    for parameter in others:
        assert parameter["type"] in {"string", "isotime", "double", "integer"}
        assert ("length" in parameter) == (parameter["type"] in {"string", "isotime"})
        assert isinstance(parameter["fill"], str)
        assert parameter["description"]
        assert parameter["units"] is None or parameter["units"] == "UTC" or Unit(parameter["units"])
        assert info["unitsSchema"] == "astropy3"
        if "size" in parameter:
            (bins,) = parameter["bins"]
            assert parameter["size"] == [len(bins["ranges"])]
            assert bins["units"] == "keV"
            assert bins["name"]


def test_other_documents(visitor: Any, rich: Archive) -> None:
    for path in ("about", "capabilities", "catalog", "catalog?depth=dataset&resolve_references=false"):
        assert_served(visitor.get(f"/hapi/{path}"))
    assert {"id", "title", "contact"} <= ask(visitor, "about").json.keys()
    assert set(ask(visitor, "capabilities").json["outputFormats"]) == {"csv", "binary", "json"}
    catalog = ask(visitor, "catalog").json["catalog"]
    assert [(one["id"], one["title"]) for one in catalog] == [
        (dataset.id, dataset.title) for dataset, _ in present_datasets(rich)
    ]
    assert all(f"{pattern}$" in SERVED for pattern, _ in HAPI_ROUTES)


def assert_served(answer: Any) -> None:
    assert (answer.status, answer.json["status"]) == (200, {"code": 1200, "message": "OK"})
    assert answer.json["HAPI"] == "3.2"
    assert answer.headers["Content-Type"].startswith("application/json")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


REFUSED = {
    1400: ("data", {"start": "2022Z", "stop": "2023Z"}),
    1401: ("data", {**MORNING, "limit": "5"}),
    1402: ("data", {**MORNING, "start": "yesterday"}),
    1403: ("data", {**MORNING, "stop": "2022-11-31"}),
    1404: ("data", {**MORNING, "start": "2022-314T09:30"}),
    1405: ("data", {**MORNING, "start": "2001", "stop": "2002"}),
    1406: ("info", {"dataset": "lightcurves"}),
    1407: ("info", {"dataset": "lightcurve", "parameters": "rate,nonsense"}),
    1409: ("data", {**MORNING, "format": "fits"}),
    1410: ("data", {**MORNING, "include": "footer"}),
    1411: ("data", {**MORNING, "parameters": "rate,duration"}),
    1412: ("info", {"dataset": "lightcurve", "resolve_references": "maybe"}),
    1413: ("catalog", {"depth": "all"}),
}


@pytest.mark.parametrize("code", REFUSED)
def test_every_refusal_has_its_code(visitor: Any, code: int) -> None:
    path, query = REFUSED[code]
    answer = ask(visitor, path, **query)
    assert (answer.status, answer.json["status"]["code"]) == (STATUS[code][0], code)
    assert answer.json["status"]["message"].startswith(f"HAPI error {code}: ")
    assert answer.headers["Content-Type"].startswith("application/json")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_what_else_is_refused(visitor: Any) -> None:
    for given in ("rate,rate", "Time,Time"):
        assert ask(visitor, "data", **MORNING, parameters=given).json["status"]["code"] == 1411
    assert visitor.get("/hapi/about?x=1").json["status"]["code"] == 1401
    assert visitor.get("/hapi/info?dataset=flares&dataset=lightcurve").json["status"]["code"] == 1400
    assert visitor.get("/hapi/info?dataset=%ff").json["status"]["code"] == 1400
    assert visitor.get("/hapi/nothing").status == 404
    assert visitor.send("POST", "/hapi/data", b"").status == 405
    assert visitor.send("POST", "/hapi/data", b"").json["status"]["code"] == 1400


def test_no_data_is_an_answer(visitor: Any) -> None:
    gap = MORNING | {"start": "2022-11-10T08:10Z", "stop": "2022-11-10T08:20Z"}
    for form, empty in {"csv": b"", "binary": b""}.items():
        answer = ask(visitor, "data", **gap, format=form)
        assert (answer.status, answer.body) == (200, empty)
    found = ask(visitor, "data", **gap, format="json").json
    assert (found["status"]["code"], found["data"]) == (1201, [])
    assert '"code": 1201' in ask(visitor, "data", **gap, include="header").text


@pytest.mark.parametrize("name", LISTED)
def test_formats_agree(visitor: Any, name: str) -> None:
    info = ask(visitor, "info", dataset=name).json
    query = {"dataset": name, "start": info["startDate"], "stop": info["stopDate"]}
    if name == "lightcurve":
        query["stop"] = "2022-11-10T12:00:00Z"
    answers = {form: ask(visitor, "data", **query, format=form) for form in ("csv", "binary", "json")}
    types = {form: answer.headers["Content-Type"].partition(";")[0] for form, answer in answers.items()}
    assert types == {"csv": "text/csv", "binary": "application/octet-stream", "json": "application/json"}
    rows, document = rows_of(answers["csv"]), answers["json"].json
    assert document["parameters"] == info["parameters"]
    assert document["format"] == "json"
    kinds = {"double": "<f8", "integer": "<i4"}
    dtype = np.dtype([
        (one["name"], kinds.get(one["type"], f"S{one.get('length')}"), tuple(one.get("size", ())))
        for one in info["parameters"]
    ])  # fmt: skip
    records = np.frombuffer(answers["binary"].body, dtype)
    assert len(rows) == len(records) == len(document["data"]) > 0
    for row, record, values in zip(rows, records.tolist(), document["data"], strict=True):
        flat = list(itertools.chain(*(value if isinstance(value, list) else [value] for value in values)))
        plain = [item.tolist() if hasattr(item, "tolist") else item for item in record]
        assert [item.decode() if isinstance(item, bytes) else item for item in plain] == values
        assert [type(value)(text) for text, value in zip(row, flat, strict=True)] == flat
    times = [row[0] for row in rows]
    assert times == sorted(set(times))
    assert info["startDate"] <= times[0]
    assert times[-1] < info["stopDate"]
    with_header = ask(visitor, "data", **query, include="header").text
    lines = with_header.splitlines(keepends=True)
    header = json.loads("".join(line[1:] for line in lines if line.startswith("#")))
    assert header == info | {"format": "csv"}
    assert "".join(line for line in lines if not line.startswith("#")) == answers["csv"].text


def test_adjacent_ranges_join_without_repetition(visitor: Any) -> None:
    whole = rows_of(ask(visitor, "data", **MORNING))
    middle = whole[333][0]
    for cut in ("2022-11-10T08:00:00.0000001Z", middle, middle.replace("2022-11-10", "2022-314"), "2022-11-10T08"):
        parts = [ask(visitor, "data", **MORNING | limit) for limit in ({"stop": cut}, {"start": cut})]
        assert [row for part in parts for row in rows_of(part)] == whole


def test_a_subset_has_the_time_and_old_names_are_known(visitor: Any) -> None:
    whole, info = rows_of(ask(visitor, "data", **MORNING)), ask(visitor, "info", dataset="lightcurve").json
    old = {"id": "lightcurve", "time.min": MORNING["start"], "time.max": MORNING["stop"]}
    part = rows_of(ask(visitor, "data", **old, parameters="duration,attenuator_in"))
    assert part == [[row[0], row[1], row[-1]] for row in whole]
    found = ask(visitor, "info", dataset="lightcurve", parameters="rate").json["parameters"]
    assert found == [info["parameters"][0], info["parameters"][2]]


def test_head_has_the_headers_only(visitor: Any) -> None:
    for path in ("catalog", "info?dataset=flares", f"data?{urlencode(MORNING)}"):
        answer = visitor.send("HEAD", f"/hapi/{path}", None)
        assert (answer.status, answer.body) == (200, b"")
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert visitor.send("HEAD", "/hapi/info?dataset=x", None).status == 404


def test_tracks_are_in_order_and_doubts_are_said(visitor: Any) -> None:
    query = {"dataset": "source_track_16-28", "start": "2022-11-10", "stop": "2022-11-11", "format": "json"}
    steps = ask(visitor, "data", **query).json["data"]
    flare = make_flare(FIRST, 3).flare_id
    assert [(row[2], row[3], row[4], row[12]) for row in steps] == [
        (flare, "2211100002", 100.0 + step, 800.0) for step in range(3)
    ]  # of two requests with the same times, that with more counts
    assert {(row[5], row[13]) for row in steps} == {(FILL, "flux,position")}
    query |= {"dataset": "spectrum_track", "parameters": "temperature,temperature_minus,temperature_plus,delta"}
    fits = ask(visitor, "data", **query).json["data"]
    assert [row[1:] for row in fits] == [[15.5, 0.5, FILL, 5.25], [15.7, 0.5, FILL, 5.25]]


def test_rates_count_every_flare_once(visitor: Any, rich: Archive) -> None:
    query = {"dataset": "flare_rate", "start": "2022-11-10", "stop": "2022-11-13", "format": "json"}
    days = ask(visitor, "data", **query).json["data"]
    assert [row[0][:10] for row in days] == ["2022-11-10", "2022-11-11", "2022-11-12"]
    assert [row[1:] for row in days] == [[2, 1, 0, 0, 0, 1, 0], [0] * 7, [1, 0, 0, 0, 1, 0, 0]]


def test_the_first_page_leads_to_data(visitor: Any) -> None:
    for path in ("/hapi", "/hapi/"):
        page = visitor.get(path)
        assert page.headers["Content-Type"].startswith("text/html")
        links = re.findall(r'href="([^"]+)"', page.text)
        assert len(links) > 2 * len(LISTED)
        for link in links[:4]:
            found = visitor.get(link.replace("&amp;", "&").removeprefix(visitor.url))
            assert found.status == 200
            assert found.body


def test_the_contact_is_that_of_the_configuration(visitor: Any, rich: Archive) -> None:
    path = rich.root / "config.toml"
    assert ask(visitor, "about").json["contact"].startswith("the operator of http://")
    path.write_text('[about]\nname = "Our archive"\ncontact = "stix@example.org"\n')
    try:
        about = ask(visitor, "about").json
        assert (about["contact"], about["title"].partition(":")[0]) == ("stix@example.org", "Our archive")
        path.write_text("[about")
        assert_served(ask(visitor, "about"))
    finally:
        path.unlink()


def test_words_are_words_in_every_parameter(visitor: Any) -> None:
    keys = ("dataset", "start", "stop", "parameters", "include", "format", "a strange one")
    for number, word in enumerate(WORDS[::12]):
        key = keys[number % len(keys)]
        answer = ask(visitor, "data", **{**MORNING, key: word})
        assert 400 <= answer.status < 405, (key, word)
        assert answer.json["status"]["code"] in REFUSED
        assert answer.headers["Content-Type"].startswith("application/json")


def test_nobody_reads_for_a_client_that_left(rich: Archive, monkeypatch: Any) -> None:
    made: list[int] = []

    def columns(*_: Any, **__: Any) -> Any:
        for number in itertools.count():
            made.append(number)
            time = FIRST + (number * 4000 + np.arange(4000)) * np.timedelta64(1, "s")
            yield {"Time": time, "duration": np.ones(4000)}

    async def leave() -> None:
        with socket.socket() as own:
            own.bind(("127.0.0.1", 0))
            own.listen()
            port = own.getsockname()[1]
        server = Application(HAPI_ROUTES).listen(port, "127.0.0.1")
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        query = urlencode(MORNING | {"parameters": "duration", "stop": "2022-11-11"})
        writer.write(f"GET /hapi/data?{query} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        await reader.readexactly(200_000)
        writer.transport.abort()
        async with asyncio.timeout(60):
            count = -1
            while count != len(made):  # until no more are made
                count = len(made)
                await asyncio.sleep(1.0)
        server.stop()

    monkeypatch.setattr(light_curve_records, "read_bins", columns)
    monkeypatch.setattr(handlers, "archive_source", lambda: ArchiveSource(rich.root))
    asyncio.run(leave())
    assert made


def test_an_empty_archive_has_an_empty_catalog(serve: Any, new_client: Any, tmp_path: Path) -> None:
    Archive(tmp_path / "empty", create=True).close()
    with serve(tmp_path / "empty") as server:
        visitor = new_client(server.url)
        assert ask(visitor, "catalog").json["catalog"] == []
        assert ask(visitor, "info", dataset="lightcurve").json["status"]["code"] == 1406
        assert "yet" in visitor.get("/hapi").text


def test_the_example_of_the_documentation_runs(rich_server: Any, tmp_path: Path) -> None:
    text = (ROOT / "docs/how-to/hapi.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert "https://stix.example.org" in code
    code = code.replace("https://stix.example.org", rich_server.url)
    names: dict[str, Any] = {}
    code = code.replace('"2022-11-11")', f'"2022-11-11", cachedir={str(tmp_path)!r}, usecache=False)')
    exec(compile(code, "docs/how-to/hapi.md", "exec"), names)
    assert len(names["times"]) == names["rates"].shape[0] == 23 * 900
    assert names["rates"].shape[1] == 5


def test_the_background_detector_of_a_real_day(serve: Any, shared_data: Path, tmp_path: Path) -> None:
    names = ("solo_L1_stix-ql-lightcurve_20200506_V01.fits", "solo_L1_stix-ql-background_20200506_V01.fits")
    archive = Archive(tmp_path / "archive", create=True)
    list(ingest(archive, [shared_data / "products" / name for name in names], np.datetime64("2026-12-01", "us")))
    begin, end = (np.datetime64(day, "us") for day in ("2020-05-06T00:10", "2020-05-07"))
    view = archive.detector_curve(begin, end, 100_000).view
    expected = view.mean[(view.rcr >= 0) & (view.time >= begin)]
    archive.close()
    options = {"cachedir": str(tmp_path / "cache"), "usecache": False, "cache": False}
    with serve(archive.root) as server:
        base = f"{server.url}/hapi"
        data, meta = hapi(base, "background_detector", "rate", "2020-05-06T00:10", "2020-05-07", **options)
        assert np.array_equal(data["rate"], expected)
        assert meta["cadence"] == "PT8S"
        assert meta["maxRequestDuration"] == "P8D"
        curves, _ = hapi(base, "lightcurve", "duration", "2020-05-06", "2020-05-07", **options)
        assert curves.size > 20_000
