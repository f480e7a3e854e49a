"""The client in Fido without a real server: which queries it takes, what it asks, and how it meets bad answers."""

import gc
import hashlib
import json
import subprocess
import sys
import threading
import warnings
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import astropy.units as u
import pytest
import stixpy.net.client
from sunpy.net import Fido
from sunpy.net import attrs as a
from sunpy.net.base_client import BaseClient, QueryResponseTable
from sunpy.net.fido_factory import NoMatchError

import archive.fido
from archive.client import ApiError
from archive.fido import ADDRESS_VARIABLE, NoServer, StixArchiveClient
from archive.fido import client as fido_client
from archive.layout import METHODS

OURS = a.Provider("stix-archive")
HOUR = a.Time("2022-11-11T11:00", "2022-11-11T12:00")
CONTENT = b"SIMPLE  =                    T" + bytes(range(256)) * 100
CURVE = {
    "time": ["2022-11-10T23:30:00.000Z", "2022-11-11T12:30:00.000Z", "2022-11-12T12:30:00.000Z"],
    "mean": {"4-10 keV": [None, 3.0, None], "10-15 keV": [None, None, None]},
}


def a_row(number=1, **changes):
    start, end = f"2022-11-11T11:{number:02d}:00.000Z", f"2022-11-11T11:{number:02d}:30.000Z"
    return {
        "image_id": f"{number:016x}-clean", "method": "clean", "uid": "2211116471", "flare_id": "2211111136",
        "t_start": start, "t_end": end, "e_low": 6.0, "e_high": 10.0, "peak_hpc_x": 826.1, "peak_hpc_y": None,
        "total_flux": 1226.07, "flux_sigma": 12.5, "sigma_source": "ensemble", "trusted": True, "goes_class": None,
        "goes_estimated": "M1.2", "simulated": False, "sha256": hashlib.sha256(CONTENT).hexdigest(),
        "size": len(CONTENT),
    } | changes  # fmt: skip


class Site:
    """What a server answers, and what it was asked."""

    def __init__(self):
        self.rows = [a_row()]
        self.curve = CURVE
        self.content = CONTENT
        self.name = 'attachment; filename="stix_L3_x_clean.fits"'
        self.status = 200
        self.asked = []
        self.tokens = set()

    def queries(self):
        return [{name: values[0] for name, values in parse_qs(urlsplit(path).query).items()} for path in self.asked]


class Handler(BaseHTTPRequestHandler):
    site: Site

    def do_GET(self):
        site, path = self.site, urlsplit(self.path).path
        site.asked.append(self.path)
        site.tokens.add(self.headers["Authorization"])
        if site.status != 200:
            body = json.dumps({"status": site.status, "error": "method: expected bp or clean", "field": "method"})
            self.reply(site.status, body.encode())
        elif path == "/api/v1/images":
            self.reply(200, json.dumps({"items": site.rows, "next": None}).encode())
        elif path == "/api/v1/lightcurve":
            self.reply(200, json.dumps(site.curve).encode())
        else:
            self.reply(200, site.content)

    def do_HEAD(self):
        self.reply(200, self.site.content, body=False)

    def reply(self, status, content, *, body=True):
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Content-Disposition", self.site.name)
        self.end_headers()
        if body:
            self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture
def site(monkeypatch):
    """A server that `archive.fido` uses."""
    made = Site()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("OwnHandler", (Handler,), {"site": made}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    made.url = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(fido_client, "_address", "")
    archive.fido.use(f"{made.url}/")
    yield made
    server.shutdown()
    server.server_close()
    thread.join()


def search(*query):
    """Search with the client itself, so that its errors are raised."""
    return StixArchiveClient().search(*query)


def fetched(found, folder):
    """Fetch with Fido; parfive does not close its event loop, which Python says when it is collected."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        result = Fido.fetch(found, path=folder, progress=False)
        gc.collect()
    return result


def answering(*query):
    """Names of the clients that Fido asks."""
    return {one.__name__ for one in Fido._check_registered_widgets(*query)}


def test_only_this_client_is_asked_and_only_with_its_provider():
    method = a.stix_archive.Method.clean
    assert answering(HOUR, a.Instrument.stix, OURS, a.Level("L3"), method) == {"StixArchiveClient"}
    assert answering(a.stix_archive.FlareId("2211111136"), OURS) == {"StixArchiveClient"}
    # sunpy's client of the Virtual Solar Observatory takes every query of sunpy's own attributes
    assert answering(HOUR, a.Instrument.stix, OURS, a.Level("L3")) == {"StixArchiveClient", "VSOClient"}
    assert stixpy.net.client.STIXClient.__name__ in answering(HOUR, a.Instrument.stix)
    for others in (
        (HOUR, a.Instrument.stix),
        (HOUR, a.Instrument.stix, a.Level("L1"), a.stix.DataProduct.ql_lightcurve),
        (HOUR, a.Instrument.stix, a.Provider("SOAR"), a.soar.Product.stix_ql_lightcurve),
    ):
        assert "StixArchiveClient" not in answering(*others)


def test_one_attribute_of_ours_makes_a_query_work_where_the_vso_cannot_be_reached(site, monkeypatch):
    monkeypatch.setattr("sunpy.net.vso.vso.get_online_vso_url", lambda: None)
    with pytest.raises(ConnectionError, match="No online VSO mirrors could be found"):
        Fido.search(HOUR, a.Instrument.stix, OURS, a.Level("L3"))
    (found,) = Fido.search(HOUR, a.Instrument.stix, OURS, a.Level("L3"), a.stix_archive.Product.image)
    assert len(found) == 1


@pytest.mark.parametrize(
    "query",
    [
        (HOUR, OURS, a.Instrument.eui, "method"),
        (HOUR, OURS, a.Level("L2"), "method"),
        (HOUR, OURS, "product"),
        (OURS, "method"),
        (HOUR, "method"),
    ],
    ids=["instrument", "level", "product", "no time", "no provider"],
)
def test_a_query_of_other_values_is_not_for_this_archive(query):
    own = {"method": a.stix_archive.Method.clean, "product": a.stix_archive.Product("spectrum")}[query[-1]]
    with pytest.raises(NoMatchError):
        answering(*query[:-1], own)


def test_the_import_needs_no_package_of_the_service():
    """With those of the extra alone: each import of another one fails."""
    absent = ["bokeh", "dask", "distributed", "panel", "stixpy", "tornado", "xrayvisim", "jobs", "dashboards"]
    code = f"import sys; sys.modules.update(dict.fromkeys({absent}))\nimport archive.fido"
    root = Path(__file__).resolve().parents[3]
    words = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(words, cwd=root, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_values_are_listed_and_completed():
    assert {"stix_archive"} <= set(dir(a.Provider))
    assert set(METHODS) <= set(dir(a.stix_archive.Method))
    assert (a.stix_archive.Method.mem_ge.value, a.stix_archive.Product.lightcurve.value) == ("mem_ge", "lightcurve")
    assert (a.stix_archive.Trusted.yes.value, a.stix_archive.Trusted.no.value) == (True, False)
    assert "Forward fit of visibilities" in str(a.stix_archive.Method)
    assert "StixArchiveClient" in str(Fido)
    assert a.stix_archive.Method("CLEAN") == a.stix_archive.Method.clean
    assert repr(a.stix_archive.Band("6-10 keV")) == "<archive.fido.attrs.Band(6 keV to 10 keV)>"


def test_attributes_become_parameters_of_the_api(site):
    own = a.stix_archive
    found = search(
        HOUR, OURS, a.Instrument.stix, a.Level(3), own.Method.clean, own.Band("6-10 keV"), own.Trusted(), own.Uid("22")
    )
    assert site.queries() == [
        {
            "start": "2022-11-11T11:00:00.000", "end": "2022-11-11T12:00:00.000", "method": "clean",
            "energy_low": "6.0", "energy_high": "10.0", "trusted": "true", "uid": "22", "simulated": "false",
            "sort": "t_start", "limit": "500",
        }
    ]  # fmt: skip
    assert len(found) == 1
    site.asked.clear()
    search(HOUR, OURS, a.Wavelength(10 * u.keV, 6 * u.keV), own.Simulated(True), own.Trusted("no"))
    (asked,) = site.queries()
    assert (asked["energy_low"], asked["energy_high"]) == ("6.0", "10.0")
    assert (asked["simulated"], asked["trusted"]) == ("true", "false")


def test_a_result_has_times_units_and_a_size(site):
    site.rows = [a_row(1), a_row(2, e_high=None, flux_sigma=None, sigma_source=None, trusted=False, flare_id=None)]
    found = Fido.search(HOUR, OURS, a.stix_archive.Method.clean)[0]
    assert found["Start Time"].isot.tolist() == ["2022-11-11T11:01:00.000", "2022-11-11T11:02:00.000"]
    assert (found["End Time"] - found["Start Time"]).sec == pytest.approx(30.0)
    assert found["Energy Band"].unit == u.keV
    assert found["Energy Band"].value.tolist() == [[6.0, 10.0], [6.0, float("inf")]]
    assert (found["Peak HPC x"].unit, found["Peak HPC x"][0]) == (u.arcsec, 826.1 * u.arcsec)
    assert found["Total Flux"].unit == u.ct / u.s / u.cm**2 / u.keV
    assert found["Verdict"].tolist() == ["trusted", "doubtful"]
    assert found["Errors"].tolist() == ["ensemble", ""]
    assert found["GOES Class"].tolist() == ["M1.2", "M1.2"]
    assert found.total_size().to_value(u.byte) == pytest.approx(2 * len(CONTENT), rel=1e-3)
    shown = str(found)
    assert "826.1" in shown
    assert site.url not in shown
    assert site.url in str(found.show("URL"))


def test_queries_are_combined_with_or(site):
    site.rows = [a_row(1), a_row(2)]
    both = a.stix_archive.Method("clean") | a.stix_archive.Method("bp")
    assert [len(block) for block in Fido.search(HOUR, OURS, both)] == [2, 2]
    assert len(search(HOUR, OURS, both)) == 2  # the same images once
    assert [query["method"] for query in site.queries()] == ["clean", "bp"] * 2


def test_near_gives_the_image_whose_middle_is_nearest(site):
    site.rows = [a_row(1), a_row(2), a_row(3)]
    near = a.Time("2022-11-11T11:00", "2022-11-11T12:00", near="2022-11-11T11:02:30")
    (row,) = search(near, OURS)
    assert row["Start Time"].isot == "2022-11-11T11:02:00.000"


def test_nothing_found_is_an_empty_table(site, tmp_path):
    site.rows, site.curve = [], {"time": [], "mean": {"4-10 keV": [], "10-15 keV": []}}
    for product in ("image", "lightcurve"):
        found = Fido.search(HOUR, OURS, a.stix_archive.Product(product))
        assert (len(found[0]), found[0].errors) == (0, [])
        assert list(fetched(found, tmp_path)) == []


def test_light_curves_are_files_of_days_with_data(site, tmp_path):
    days = a.Time("2022-11-10T12:00", "2022-11-13T00:00")
    site.name = 'attachment; filename="stix_ql-lightcurve_bins_x.csv"'
    for query in ((a.Level("L1"),), (a.stix_archive.Product.lightcurve,)):
        (row,) = search(days, OURS, *query)
        assert (row["Level"], row["Product"]) == ("L1", "lightcurve")
        assert (row["Start Time"].isot, row["End Time"].isot) == ("2022-11-11T00:00:00.000", "2022-11-12T00:00:00.000")
        assert row["URL"] == f"{site.url}/archive/lightcurve.csv?start=1668124800&span=86400"
    assert {(query["start"], query["end"]) for query in site.queries()} == {("2022-11-10", "2022-11-13")}
    (file,) = fetched(search(days, OURS, a.Level("L1")), tmp_path)
    assert file.endswith("/stix_ql-lightcurve_bins_x.csv")


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ((a.stix_archive.Product.image, a.Level("L1")), r'Product\("image"\) is of level L3, not L1'),
        ((a.stix_archive.Band("6-10"), a.Wavelength(6 * u.keV)), "the same energy range"),
        ((a.Level("L1"), a.stix_archive.Method.clean), "light curves cannot be searched by method"),
        ((a.Level("L1"), a.Time("2020-01-01", "2022-01-01")), "366 days at most, found 731"),
    ],
)
def test_contradictions_are_refused(site, query, sentence):
    time = () if any(isinstance(one, a.Time) for one in query) else (HOUR,)
    with pytest.raises(ValueError, match=sentence):
        search(*time, OURS, *query)
    assert site.asked == []


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: a.stix_archive.Band("six"), "'six' is not an energy range"),
        (lambda: a.stix_archive.Band("10-6 keV"), "the lower edge must be below"),
        (lambda: a.stix_archive.Band(6, 10), "are not two energies"),
        (lambda: a.stix_archive.Band(6 * u.keV, 10 * u.s), "are not two energies"),
        (lambda: a.stix_archive.Trusted("maybe"), "Trusted: expected True or False, found 'maybe'"),
    ],
)
def test_values_that_are_none_are_refused_at_once(make, sentence):
    with pytest.raises((TypeError, ValueError), match=sentence):
        make()


def test_the_server_is_named_or_the_error_says_how(monkeypatch):
    monkeypatch.setattr(fido_client, "_address", "")
    monkeypatch.delenv(ADDRESS_VARIABLE, raising=False)
    with pytest.raises(NoServer, match=rf"archive\.fido\.use\(.*\) or set {ADDRESS_VARIABLE}"):
        search(HOUR, OURS)
    assert StixArchiveClient().info_url == ""
    monkeypatch.setenv(ADDRESS_VARIABLE, "http://127.0.0.1:9/")
    assert StixArchiveClient().info_url == "http://127.0.0.1:9"
    archive.fido.use("https://stix.example.org/stix/")
    assert StixArchiveClient().info_url == "https://stix.example.org/stix"
    with pytest.raises(ValueError, match="not the address of a server"):
        archive.fido.use("file:///etc/passwd")
    assert StixArchiveClient().info_url == "https://stix.example.org/stix"


@pytest.fixture
def neighbour():
    """Another provider, which finds one row."""

    class NeighbourClient(BaseClient):
        """Finds one row."""

        def search(self, *_, **__):
            return QueryResponseTable([{"Provider": "neighbour"}], client=self)

        def fetch(self, *_, **__):
            pass

        @classmethod
        def register_values(cls):
            return {}

        @classmethod
        def _can_handle_query(cls, *query):
            return any(isinstance(one, a.Provider) and one.value == "neighbour" for one in query)

    yield NeighbourClient
    BaseClient._registry.pop(NeighbourClient)


def test_results_of_others_survive_a_server_that_fails(site, neighbour, monkeypatch):
    query = a.stix_archive.Method.clean & (OURS | a.Provider("neighbour"))
    site.status = 400
    failed, other = Fido.search(HOUR, query)
    assert (len(failed), len(other)) == (0, 1)
    assert str(failed.errors) == "method: expected bp or clean"
    monkeypatch.setattr(fido_client, "_address", "http://127.0.0.1:9")
    failed, other = Fido.search(HOUR, query)
    assert "http://127.0.0.1:9/api/v1/ cannot be reached" in str(failed.errors)
    assert len(other) == 1


def test_the_token_of_the_environment_is_not_sent(site, monkeypatch):
    monkeypatch.setenv("STIX_TOKEN", "stix_secret")
    search(HOUR, OURS)
    assert site.tokens == {None}


@pytest.mark.parametrize(
    "changes",
    [
        {"image_id": "../../evil"},
        {"image_id": "x?y=1"},
        {"flare_id": "../../evil"},
        {"method": "a/b"},
        {"sha256": "none"},
        {"sha256": ""},
        {"t_start": "yesterday"},
        {"e_low": "six"},
        {"size": [1]},
        {"goes_class": "<script>"},
    ],
    ids=lambda changes: next(iter(changes.items()))[0],
)
def test_an_answer_that_means_harm_is_refused(site, changes):
    site.rows = [a_row(1), a_row(2, **changes)]
    with pytest.raises(ApiError, match="does not answer as this archive's API does"):
        search(HOUR, OURS)


@pytest.mark.parametrize("curve", [{}, {"time": ["x"], "mean": {"a": [1]}}, {"time": [], "mean": []}, {"time": 3}])
def test_an_answer_that_is_no_light_curve_is_refused(site, curve):
    site.curve = curve
    with pytest.raises(ApiError, match="does not answer as this archive's API does"):
        search(HOUR, OURS, a.Level("L1"))


def test_files_get_the_name_of_the_archive_in_the_folder_of_the_caller(site, tmp_path):
    found = search(HOUR, OURS)
    (file,) = fetched(found, tmp_path / "{flare_id}" / "{method}")
    assert file == str(tmp_path / "2211111136" / "clean" / "stix_L3_x_clean.fits")
    for name in ('attachment; filename="../../evil.fits"', "attachment", 'attachment; filename=".hidden"'):
        site.name = name
        (file,) = fetched(found, tmp_path)
        assert file == str(tmp_path / f"{1:016x}-clean.fits")


def test_a_damaged_file_is_an_error_and_does_not_stay(site, tmp_path):
    found = search(HOUR, OURS)
    site.content = CONTENT[:-1] + b"x"
    result = fetched(found, tmp_path)
    assert list(result) == []
    assert "Downloaded checksum doesn't match" in str(result.errors[0].exception)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    site.content = CONTENT
    (file,) = fetched(result, tmp_path)
    # one that is there is downloaded again if it is damaged
    for path in tmp_path.rglob("*.fits"):
        path.write_bytes(b"damaged")
    (again,) = fetched(found, tmp_path)
    assert again == file
    assert (tmp_path / "stix_L3_x_clean.fits").read_bytes() == CONTENT
    before = len(site.asked)
    fetched(found, tmp_path)
    assert len(site.asked) == before  # only its headers
