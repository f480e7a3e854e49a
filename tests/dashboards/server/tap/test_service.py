"""The running service, asked by pyvo and astropy as people ask it."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import astropy.io.votable
import numpy as np
import pyarrow.parquet as pq
import pytest
import pyvo
from astropy.io import votable
from astropy.io.votable.ucd import check_ucd
from astropy.table import Table
from astropy.units import Unit
from lxml import etree

from dashboards.server.allowed_routes import SERVED
from dashboards.server.tap.documents import EXAMPLES
from dashboards.server.tap.handlers import TAP_ROUTES
from dashboards.server.tap.tables import TABLES
from dashboards.shared.limits import WebLimits
from tests.dashboards.conftest import ROOT

from .conftest import SECRETS

pytestmark = pytest.mark.system
SCHEMA = Path(astropy.io.votable.__file__).parent / "data" / "VOTable.v1.4.xsd"


@pytest.fixture(scope="module")
def service(sky_server: Any) -> Iterator[Any]:
    found = pyvo.dal.TAPService(f"{sky_server.url}/tap")
    yield found
    found._session.close()


@pytest.fixture
def visitor(sky_server: Any, new_client: Any) -> Any:
    return new_client(sky_server.url)


def sync(visitor: Any, query: str, **parameters: Any) -> Any:
    given = {"REQUEST": "doQuery", "LANG": "ADQL", "QUERY": query, **parameters}
    return visitor.get(f"/tap/sync?{urlencode(given)}")


def test_pyvo_finds_out_what_there_is(service: Any) -> None:
    limits = WebLimits()
    assert (service.maxrec, service.hardlimit) == (limits.tap_rows, limits.tap_rows_most)
    assert [table.name for table in service.tables] == [table.name for table in TABLES.values()]
    for table in TABLES.values():
        described = {column.name: column for column in service.tables[table.name].columns}
        assert list(described) == [column.name for column in table.columns]
        for column in table.columns:
            assert (described[column.name].ucd or "") == column.ucd
            assert (described[column.name].unit or "") == column.unit
            assert described[column.name].description == column.description
    assert [one["QUERY"] for one in service.examples] == list(EXAMPLES.values())
    language = service.get_tap_capability().get_adql()
    assert language.name == "ADQL"
    assert service.get_tap_capability().interfaces[0].accessurls[0].content == service.baseurl


def test_a_search_is_a_table_with_units(service: Any, sky: Any) -> None:
    rows = service.search(
        "SELECT flare_id, t_peak, hpc_x, goes_flux, earth_visible FROM stix.flares WHERE hpc_x IS NOT NULL ORDER BY 1"
    ).to_table()
    flares = sorted((f for f in sky.flares if f.hpc_x is not None), key=lambda f: f.flare_id)
    assert list(rows["flare_id"]) == [flare.flare_id for flare in flares]
    assert rows["hpc_x"].quantity.to_value("arcsec").tolist() == [flare.hpc_x for flare in flares]
    assert rows["goes_flux"].unit == Unit("W m-2")
    assert list(rows["earth_visible"]) == [flare.earth_visible for flare in flares]
    times = np.array([text.removesuffix("Z") for text in rows["t_peak"]], "datetime64[us]")
    assert list(times) == [flare.t_peak for flare in flares]


def test_tap_schema_and_documents_agree(service: Any) -> None:
    rows = service.search("SELECT * FROM TAP_SCHEMA.columns", maxrec=5000).to_table()
    listed = {(row["table_name"], row["column_name"]): (row["datatype"], row["unit"], row["ucd"]) for row in rows}
    described = {
        (table.name, column.name): (column.datatype.content, column.unit or "", column.ucd or "")
        for table in service.tables
        for column in table.columns
    }
    assert listed == described
    keys = service.search(
        "SELECT k.from_table, c.from_column, k.target_table, c.target_column FROM TAP_SCHEMA.keys k "
        "JOIN TAP_SCHEMA.key_columns c ON k.key_id = c.key_id"
    ).to_table()
    assert [tuple(row) for row in keys] == [
        (f"stix.{name}", "flare_id", "stix.flares", "flare_id") for name in ("images", "spectra")
    ]


def test_more_rows_than_asked_for_are_said(service: Any, visitor: Any, sky: Any) -> None:
    cut = service.search("SELECT * FROM stix.images", maxrec=3)
    assert (len(cut), cut.query_status) == (3, "OVERFLOW")
    whole = service.search("SELECT * FROM stix.images", maxrec=len(sky.images))
    assert (len(whole), whole.query_status) == (len(sky.images), "OK")
    assert len(service.search("SELECT TOP 3 * FROM stix.images", maxrec=3)) == 3
    nothing = sync(visitor, "SELECT * FROM stix.images", MAXREC=0).text  # the description of the columns
    assert (nothing.count("<TR>"), nothing.count('"OVERFLOW"')) == (0, 1)


def test_files_are_where_the_table_says(service: Any, sky: Any, new_client: Any, sky_server: Any) -> None:
    client = new_client(sky_server.url)
    rows = service.search(
        "SELECT access_url, thumbnail_url, access_format FROM stix.epn_core WHERE access_url IS NOT NULL"
    ).to_table()
    seen = 0
    for row in rows[::3]:
        assert row["access_url"].startswith(sky_server.url)
        if "/quicklook/" not in row["access_url"]:  # made without its file
            found = client.get(row["access_url"].removeprefix(sky_server.url))
            assert (found.status, found.headers["Content-Type"]) == (200, row["access_format"])
            seen += 1
        if row["thumbnail_url"]:
            assert client.get(row["thumbnail_url"].removeprefix(sky_server.url)).status == 200
    assert seen > 3


@pytest.mark.parametrize("table", TABLES)
def test_votables_are_valid(visitor: Any, tmp_path: Path, table: str) -> None:
    answer = sync(visitor, f"SELECT * FROM {table}")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/x-votable+xml")
    assert_valid(answer.body, tmp_path, rows=None)


def assert_valid(content: bytes, folder: Path, rows: int | None) -> None:
    """No complaint of the standard's schema, of astropy, or of the vocabularies of UCDs and units."""
    path = folder / "answer.vot"
    path.write_bytes(content)
    assert votable.validate(path, output=None, xmllint=False)
    schema = etree.XMLSchema(etree.parse(SCHEMA))
    schema.assertValid(etree.fromstring(content))
    table = votable.parse(path, verify="exception").get_first_table()
    assert rows is None or len(table.array) == rows
    for field in table.fields:
        assert check_ucd(field.ucd, check_controlled_vocabulary=True), field.ucd
        assert field.unit is None or Unit(str(field.unit), format="vounit")


def test_odd_names_and_values_are_valid(visitor: Any, tmp_path: Path) -> None:
    query = "SELECT SQRT(-1) AS Utc, LOG(0) AS utc, -1 / 0, COUNT(*), '<&\"]]>é' AS x FROM stix.flares GROUP BY 1"
    answer = sync(visitor, query)
    assert_valid(answer.body, tmp_path, rows=1)
    row = votable.parse_single_table(io.BytesIO(answer.body)).to_table()[0]
    assert row["x"] == '<&"]]>é'
    assert np.isneginf(row["utc_2"])


def test_every_format(visitor: Any, sky: Any) -> None:
    query = "SELECT image_id, nx, trusted FROM stix.images ORDER BY image_id"
    ids = sorted(image.image_id for image in sky.images)
    for name in ("csv", "text/csv", "ecsv"):
        rows = Table.read(
            sync(visitor, query, RESPONSEFORMAT=name).text, format="ascii.ecsv" if name == "ecsv" else "csv"
        )
        assert list(rows["image_id"]) == ids
    assert [row["image_id"] for row in json.loads(sync(visitor, query, FORMAT="json").body)["items"]] == ids
    assert list(Table.read(io.BytesIO(sync(visitor, query, format="fits").body), format="fits")["image_id"]) == ids
    whole = pq.read_table(io.BytesIO(sync(visitor, query, responseformat="parquet").body))
    assert whole["image_id"].to_pylist() == ids
    assert sync(visitor, query, FORMAT="votable/td").headers["Content-Type"] == "application/x-votable+xml"


def test_get_and_post_and_any_case(visitor: Any) -> None:
    form = {"request": "doQuery", "Lang": "adql", "query": "SELECT COUNT(*) AS n FROM stix.images", "FORMAT": "csv"}
    answers = [visitor.get(f"/tap/sync?{urlencode(form)}"), visitor.post("/tap/sync", form)]
    answers.append(visitor.post("/tap/sync?RUNID=a", form, Origin="https://elsewhere.example"))  # it changes nothing
    assert [answer.status for answer in answers] == [200, 200, 200]
    assert len({answer.body for answer in answers}) == 1
    assert answers[0].headers["Access-Control-Allow-Origin"] == "*"
    head = visitor.send("HEAD", f"/tap/sync?{urlencode(form)}", None)
    assert (head.status, head.body, head.headers["Content-Type"]) == (200, b"", "text/csv; charset=utf-8")


@pytest.mark.parametrize(
    ("parameters", "word"),
    [
        ({"LANG": "SQL"}, "LANG"),
        ({"REQUEST": "getCapabilities"}, "REQUEST"),
        ({"QUERY": " "}, "QUERY"),
        ({"QUERY": "SELECT x FROM stix.flares"}, "no column"),
        ({"QUERY": "SELECT SUM(size * 999999999999999999) FROM stix.images"}, "cannot be answered"),
        ({"MAXREC": "-1"}, "MAXREC"),
        ({"MAXREC": "many"}, "MAXREC"),
        ({"RESPONSEFORMAT": "text/html"}, "RESPONSEFORMAT"),
        ({"UPLOAD": "mine,http://example.org/x.vot"}, "UPLOAD"),
        ({"maxrec": "1", "MAXREC": "2"}, "more than once"),
    ],
)
def test_refusals_are_votables(visitor: Any, tmp_path: Path, parameters: dict[str, str], word: str) -> None:
    given = {"REQUEST": "doQuery", "LANG": "ADQL", "QUERY": "SELECT * FROM stix.flares", "FORMAT": "csv", **parameters}
    answer = visitor.get(f"/tap/sync?{urlencode(given)}")
    assert (answer.status, answer.headers["Content-Type"]) == (400, "application/x-votable+xml")
    path = tmp_path / "refusal.vot"
    path.write_bytes(answer.body)
    (info,) = votable.parse(path, verify="exception").resources[0].infos
    assert (info.name, info.value) == ("QUERY_STATUS", "ERROR")
    assert word in info.content
    assert b"Traceback" not in answer.body


def test_what_is_not_offered_says_so(visitor: Any, service: Any) -> None:
    for path in ("/tap/async", "/tap/async/1/phase", "/tap/tables/stix.runs", "/tap/nothing"):
        answer = visitor.get(path)
        assert (answer.status, answer.headers["Content-Type"]) == (404, "application/x-votable+xml"), path
        assert b'value="ERROR"' in answer.body
    assert visitor.send("PUT", "/tap/sync", b"").status == 405
    with pytest.raises(pyvo.dal.DALQueryError, match=r"no table 'stix\.runs'"):
        service.search("SELECT * FROM stix.runs")
    assert all(f"{pattern}$" in SERVED for pattern, _ in TAP_ROUTES)


def test_everybody_sees_the_same(visitor: Any, new_client: Any, sky_server: Any, sky: Any) -> None:
    """Hidden results are not in an answer, whoever asks."""
    from archive.accounts import Accounts, Role

    accounts = Accounts(sky.archive.root)
    accounts.add("alice", "alice's long password", np.datetime64("2026-11-23"), Role.OPERATOR)
    alice = new_client(sky_server.url)
    assert alice.sign_in("alice", "alice's long password").status in {200, 302, 303}
    for name in (table for table in TABLES if table.startswith("stix.")):
        bodies = {sync(who, f"SELECT * FROM {name}", FORMAT="csv").body for who in (visitor, alice)}
        assert len(bodies) == 1
        assert not [secret for secret in SECRETS if secret.encode() in bodies.copy().pop()]


def test_pages_and_documents(visitor: Any) -> None:
    for path in ("/tap", "/tap/"):
        page = visitor.get(path)
        assert page.status == 200
        assert all(table.name in page.text for table in TABLES.values())
    assert b"<vosi:available>true" in visitor.get("/tap/availability").body
    for path in (
        "capabilities",
        "tables",
        "examples",
        "availability",
        "tables/stix.flares",
        "tables/TAP_SCHEMA.columns",
    ):
        etree.fromstring(visitor.get(f"/tap/{path}").body)
    assert "https" not in visitor.get("/tap").text.replace("https://www.", "")
    assert "http://stix.example/tap" in visitor.get("/tap", Host="stix.example").text


def test_the_example_of_the_documentation_runs(sky_server: Any, sky: Any) -> None:
    page = (ROOT / "docs" / "how-to" / "tap.md").read_text()
    (block,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert "https://stix.example.org/tap" in block
    namespace: dict[str, Any] = {}
    exec(block.replace("https://stix.example.org/tap", f"{sky_server.url}/tap"), namespace)
    expected = sorted((f for f in sky.flares if f.goes_flux is not None), key=lambda f: -f.goes_flux)
    assert list(namespace["flares"]["flare_id"]) == [flare.flare_id for flare in expected]
    namespace["service"]._session.close()


def test_the_queries_of_the_documentation_are_answered(visitor: Any) -> None:
    page = (ROOT / "docs" / "how-to" / "tap.md").read_text()
    queries = re.findall(r"```sql\n(.*?)```", page, re.DOTALL)
    assert queries
    assert all(sync(visitor, query).status == 200 for query in queries)
