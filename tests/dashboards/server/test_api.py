"""The JSON API on a really running server: what it gives out, and what it says when it cannot."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import numpy as np
import pytest
from openapi_spec_validator import validate

from archive import Archive, Flare
from archive.index.schema import FLARES, IMAGES, REGION_SPECTRA, SCIENCE_FILES, SPECTRA
from dashboards.server.api.call import Call
from dashboards.server.api.endpoints import ENDPOINTS, ROOT
from dashboards.server.api.openapi import openapi_document
from dashboards.server.api.parameters import PAGE, next_page, read_parameters
from dashboards.server.api.requesting import REQUEST_SCHEMAS
from dashboards.server.api.rows import row_document, row_schema
from dashboards.shared.access import GUEST
from jobs.queue.requests import ImagingRequest, parse_request
from jobs.shared.limits import Limits

IMAGES_ADDRESS = f"{ROOT}/images"
SPECTRA_ADDRESS = f"{ROOT}/spectra"
REGIONS_ADDRESS = f"{ROOT}/region-spectra"
NOW = np.datetime64("2026-11-30T12:00:00", "us")
WHOLE = "0123456789abcdef-clean"
REQUEST = {
    "uid": "2211116471",
    "time_ranges": [["2022-11-11T11:36:00Z", "2022-11-11T11:37:00Z"]],
    "energy_ranges_kev": [[6, 10]],
}


def test_pages_follow_one_another_and_hold_everything_once(client: Any, small: Any) -> None:
    address, seen = f"{IMAGES_ADDRESS}?limit=25&sort=max,-image_id", []
    while address:
        page = client.get(address).json
        assert page["total"] == 61
        assert "UTC at Solar Orbiter" in page["clock"]
        seen += [item["image_id"] for item in page["items"]]
        address = urljoin(IMAGES_ADDRESS, page["next"]) if page["next"] else ""
    assert len(seen) == 61
    assert set(seen) == {image.image_id for image in small.images} - {small.hidden.image_id}


def test_an_image_says_what_the_index_says_with_units_and_zone(client: Any, small: Any) -> None:
    image = small.images[5]
    answer = client.get(f"{IMAGES_ADDRESS}/{image.image_id}")
    document = answer.json
    assert document["t_start"] == f"{np.datetime_as_string(image.t_start, unit='ms')}Z"
    assert (document["e_low"], document["chi2"], document["sha256"]) == (image.e_low, image.chi2, image.sha256)
    assert document["units"]["e_low"] == "keV"
    assert document["units"]["peak_hpc_x"] == "arcsec"
    assert document["run"]["run_id"] == image.recipe_id
    assert document["run"]["counts_total"] > 0
    assert "file" not in document  # places on the server's disk are nobody's business
    assert str(small.archive.root) not in answer.text
    fits = client.get(urljoin(f"{IMAGES_ADDRESS}/{image.image_id}", document["links"]["fits"]))
    assert len(fits.body) == image.size
    listed = next(i for i in client.get(f"{IMAGES_ADDRESS}?uid={image.uid}").json["items"] if i["method"] == "clean")
    for link in ("self", "fits", "png", "thumbnail"):
        assert client.get(urljoin(IMAGES_ADDRESS, listed["links"][link])).status == 200


def test_filters(client: Any, small: Any) -> None:
    def total(query: str) -> int:
        return int(client.get(f"{IMAGES_ADDRESS}?{query}").json["total"])

    shown = [image for image in small.images if not image.hidden]
    assert total("method=clean") == sum(image.method == "clean" for image in shown)
    assert total("method=clean,bp&trusted=false") == sum(not image.trusted for image in shown)
    assert total("verdict_flux=doubtful") == sum(image.verdict_flux == "doubtful" for image in shown) > 0
    assert total("verdict_position=trusted&verdict_flux=trusted") == sum(image.trusted for image in shown)
    assert total("verdict_shape=trusted") == 0
    assert total("start=2022-11-10T05:00:30Z&end=2022-11-10T07:00:00") == 4
    assert total("energy_low=12&energy_high=20") == sum(image.e_low == 16.0 for image in shown)
    assert total("goes_min=1e-5") == sum((image.goes_flux or 0) >= 1e-5 for image in shown)
    assert total("simulated=true") == 1
    assert total("author=alice") == 0  # hers is hidden


def test_hidden_images_are_in_the_answers_of_their_author_and_operators(
    signed_in: Callable[[str], Any], small: Any
) -> None:
    for name, count in (("alice", 1), ("bob", 0), ("olga", 1)):
        browser = signed_in(name)
        assert browser.get(f"{IMAGES_ADDRESS}?author=alice").json["total"] == count
        assert browser.get(f"{IMAGES_ADDRESS}/{small.hidden.image_id}").status == (200 if count else 404)


def test_a_spectrum_says_what_index_and_record_say(client: Any, small: Any) -> None:
    row = small.spectra[3]
    address = f"{SPECTRA_ADDRESS}/{row.spectrum_id}"
    document = client.get(address).json
    assert document["t_start"] == f"{np.datetime_as_string(row.t_start, unit='ms')}Z"
    assert (document["temperature"], document["verdict"], document["doubts"]) == (row.temperature, "trusted", [])
    assert (document["units"]["temperature"], document["units"]["emission_measure"]) == ("MK", "10⁴⁹ cm⁻³")
    assert document["spectrum"]["counts"] == [100.0, 25.5]
    assert "folder" not in document
    listed = client.get(f"{SPECTRA_ADDRESS}?uid={row.uid}").json["items"]
    assert [item["spectrum_id"] for item in listed] == [row.spectrum_id]
    assert set(listed[0]) == {*row_schema(SPECTRA)["properties"], "links"}
    for name, link in (("stx_spectrum.fits", "spectrum"), ("stx_srm.fits", "response"), ("spectrum.json", "record")):
        content = (small.archive.root / row.folder / name).read_bytes()
        for place, links in ((address, document["links"]), (SPECTRA_ADDRESS, listed[0]["links"])):
            assert client.get(urljoin(place, links[link])).body == content
        if name in document["sha256"]:
            assert document["sha256"][name] == hashlib.sha256(content).hexdigest()
    assert set(document["sha256"]) == {"stx_spectrum.fits", "stx_srm.fits"}
    for place, links in ((address, document["links"]), (SPECTRA_ADDRESS, listed[0]["links"])):
        assert client.get(urljoin(place, links["self"])).json == document


def test_filters_and_order_of_spectra(client: Any, small: Any) -> None:
    def found(query: str) -> list[str]:
        page = client.get(f"{SPECTRA_ADDRESS}?{query}").json
        assert page["total"] == len(page["items"])
        return [item["spectrum_id"] for item in page["items"]]

    shown = [row for row in small.spectra if not row.hidden]
    newest = shown[::-1]
    hot = [row.spectrum_id for row in sorted(newest, key=lambda row: -(row.temperature or 0))]
    assert found("sort=-temperature") == hot  # those without a fit last
    assert [row.temperature for row in shown].count(None) == 2
    assert found("temperature_min=13&temperature_max=14&sort=temperature") == [
        row.spectrum_id for row in shown if row.temperature in {13.0, 14.0}
    ]
    assert found("delta_max=5") == [row.spectrum_id for row in newest if row.delta and row.delta <= 5]
    assert found("verdict=trusted&model=vth%2Bthick2") == [
        row.spectrum_id for row in newest if row.verdict == "trusted"
    ]
    assert found(f"flare_id={shown[0].flare_id}") == [shown[0].spectrum_id]
    assert found(f"text={shown[2].spectrum_id[3:9]}") == [shown[2].spectrum_id]
    assert found("kind=user") == found("author=alice") == found("simulated=true") == []
    start, end = (str(time.astype("datetime64[s]")) for time in (shown[1].t_start, shown[2].t_end))
    assert found(f"start={start}&end={end}") == [shown[2].spectrum_id, shown[1].spectrum_id]
    page = client.get(f"{SPECTRA_ADDRESS}?limit=4").json
    assert len(client.get(urljoin(SPECTRA_ADDRESS, page["next"])).json["items"]) == len(shown) - 4


def test_region_spectra_say_what_index_and_record_say(client: Any, small: Any) -> None:
    row = small.regions[1]
    address = f"{REGIONS_ADDRESS}/{row.region_id}"
    document = client.get(address).json
    assert document["fits"] == [{"name": "north", "no_fit": "", "model": "vth", "temperature": 15.0}]
    assert (document["names"], document["n_channels"], document["units"]["e_low"]) == (["north"], 4, "keV")
    assert document["regions"]["regions"][0]["counts"] == [100.0, None]
    assert "folder" not in document
    listed = client.get(f"{REGIONS_ADDRESS}?uid={row.uid}").json["items"]
    assert [item["region_id"] for item in listed] == [row.region_id]
    assert set(listed[0]) == {*row_schema(REGION_SPECTRA)["properties"], "links"}
    assert set(document["files"]) == {*document["sha256"], "regions.json"}
    for name, link in document["files"].items():
        content = (small.archive.root / row.folder / name).read_bytes()
        assert client.get(urljoin(address, link)).body == content
        assert document["sha256"].get(name, hashlib.sha256(content).hexdigest()) == hashlib.sha256(content).hexdigest()
    for place, links in ((address, document["links"]), (REGIONS_ADDRESS, listed[0]["links"])):
        assert client.get(urljoin(place, links["self"])).json == document
        assert client.get(urljoin(place, links["record"])).json["row"]["region_id"] == row.region_id


def test_filters_of_region_spectra_and_who_sees_hidden_ones(
    client: Any, signed_in: Callable[[str], Any], small: Any
) -> None:
    def found(query: str, browser: Any = client) -> list[str]:
        return [item["region_id"] for item in browser.get(f"{REGIONS_ADDRESS}?{query}").json["items"]]

    ids = [row.region_id for row in small.regions]
    hidden = small.regions[3]
    assert found("") == ids[2::-1]
    assert found("method=clean") == found("verdict=trusted") == [ids[1]]
    assert found("text=north&sort=t_start") == ids[:3]
    assert found("kind=auto") == found("author=alice") == found(f"uid={hidden.uid}") == []
    files = f"/archive/regions/{hidden.region_id}"
    for name, status in (("alice", 200), ("bob", 404), ("olga", 200)):
        browser = signed_in(name)
        assert found("author=alice", browser) == ([ids[3]] if status == 200 else [])
        assert browser.get(f"{REGIONS_ADDRESS}/{hidden.region_id}").status == status
        for file in ("regions.json", "regions.png", "stx_srm.fits"):
            answer = browser.get(f"{files}/{file}")
            assert answer.status == status, (name, file)
            assert status == 404 or answer.headers["Cache-Control"] == "no-store"
    unknown = client.get(f"{REGIONS_ADDRESS}/{'0' * 16}")
    known = client.get(f"{REGIONS_ADDRESS}/{hidden.region_id}")
    assert known.status == unknown.status == 404
    assert known.json["error"].replace(hidden.region_id, "0" * 16) == unknown.json["error"]


def test_region_spectra_with_a_damaged_record_have_their_row(small: Any) -> None:
    row = small.regions[0]
    path = small.archive.root / row.folder / "regions.json"
    content = path.read_bytes()
    endpoint = next(one for one in ENDPOINTS if one.path == "/region-spectra/{region_id}")
    try:
        path.write_bytes(content[: len(content) // 2])
        call = Call(GUEST, {}, {}, {"region_id": row.region_id}, b"", NOW, Limits())
        document = endpoint.answer(small.archive, call).document
    finally:
        path.write_bytes(content)
    assert (document["regions"], document["sha256"], list(document["files"])) == (None, {}, ["regions.json"])
    assert document["uid"] == row.uid


def test_flares_by_the_fit_of_their_spectra(tmp_path: Path) -> None:
    """A flare says where its spectrum is; those without a fit match no limit and are last in every order."""
    archive = Archive(tmp_path / "archive", create=True)
    common: dict[str, Any] = {"source": "detected", "updated_at": NOW}
    fits = ((12.0, 4.0), (20.0, None), (None, 7.5), (None, None))
    flares = [
        Flare(
            flare_id=f"221111120{n}",
            t_peak=np.datetime64(f"2022-11-11T12:0{n}", "us"),
            temperature=temperature,
            delta=delta,
            spectrum_id="0123456789abcdef" if temperature else None,
            fitted='{"temperature": 12.0}' if temperature else None,
            **common,
        )
        for n, (temperature, delta) in enumerate(fits)
    ]
    archive.upsert("flares", flares)
    endpoints = {endpoint.path: endpoint for endpoint in ENDPOINTS if endpoint.method == "GET"}

    def answer(path: str, place: str = "", **given: str) -> Any:
        endpoint = endpoints[path]
        values = read_parameters(endpoint.parameters, {name: [text.encode()] for name, text in given.items()})
        return endpoint.answer(archive, Call(GUEST, values, {}, {"flare_id": place}, b"", NOW, Limits())).document

    def found(**given: str) -> str:
        page = answer("/flares", **given)
        assert page["total"] == len(page["items"])
        assert "fitted" not in page["items"][0]
        return "".join(item["flare_id"][-1] for item in page["items"])

    assert found(temperature_min="12", sort="temperature") == "01"
    assert found(temperature_max="15") == "0"
    assert found(delta_min="4.5") == "2"
    assert found(delta_max="7.5", sort="-delta") == "20"
    assert found(sort="-temperature") == "1032"
    assert answer("/flares", limit="1")["units"]["emission_measure_sigma"] == "10⁴⁹ cm⁻³"
    assert answer("/flares/{flare_id}", "2211111200")["links"]["spectrum"] == "../spectra/0123456789abcdef"
    assert answer("/flares/{flare_id}", "2211111203")["links"]["spectrum"] is None


def test_hidden_spectra_are_their_authors_and_operators(
    signed_in: Callable[[str], Any], client: Any, small: Any
) -> None:
    hidden = small.spectra[-1]
    for browser, count in ((signed_in("alice"), 1), (signed_in("bob"), 0), (signed_in("olga"), 1), (client, 0)):
        assert browser.get(f"{SPECTRA_ADDRESS}?author=alice").json["total"] == count
        assert browser.get(f"{SPECTRA_ADDRESS}/{hidden.spectrum_id}").status == (200 if count else 404)
        for name in ("stx_spectrum.fits", "spectrum.json"):
            answer = browser.get(f"/archive/spectrum/{hidden.spectrum_id}/{name}")
            assert answer.status == (200 if count else 404)
            assert not count or answer.headers["Cache-Control"] == "no-store"


def test_a_spectrum_without_a_valid_record_has_its_row(client: Any, small: Any) -> None:
    row = small.spectra[3]
    record = small.archive.root / row.folder / "spectrum.json"
    content = record.read_bytes()
    try:
        record.write_bytes(content[:-40])
        document = client.get(f"{SPECTRA_ADDRESS}/{row.spectrum_id}").json
    finally:
        record.write_bytes(content)
    assert (document["spectrum"], document["sha256"]) == (None, {})
    assert document["uid"] == row.uid


@pytest.mark.parametrize(
    ("path", "status", "field", "sentence"),
    [
        ("/images?limit=ten", 400, "limit", "limit: expected a whole number from 1 to 1000"),
        ("/images?limit=1001", 400, "limit", "from 1 to 1000"),
        ("/images?offset=-1", 400, "offset", "expected a whole number"),
        ("/images?foo=1", 400, "foo", "unknown parameter 'foo'; expected start, end"),
        ("/images?limit=1&limit=2", 400, "limit", "given more than once"),
        ("/images?method=magic", 400, "method", "expected a comma-separated list of full_disk_bp, bp, clean"),
        ("/images?trusted=perhaps", 400, "trusted", "expected true or false"),
        ("/images?verdict_flux=perhaps", 400, "verdict_flux", "expected trusted or doubtful"),
        ("/images?energy_low=nan", 400, "energy_low", "expected a number"),
        ("/images?start=yesterday", 400, "start", "'yesterday' is not a time"),
        ("/images?start=0001-01-01", 400, "start", "from 1970 to 2199"),
        ("/images?sort=file", 400, "sort", "expected up to 5 of author,"),
        ("/images?text=" + "x" * 201, 400, "text", "up to 200 printable characters"),
        ("/images?text=%ff%00", 400, "text", "printable"),
        ("/lightcurve?start=2022-11-11", 400, "end", "the parameter end is missing"),
        ("/lightcurve?start=2022-11-12&end=2022-11-11", 400, "end", "expected a time after start"),
        ("/lightcurve?start=2022-11-11&end=2022-11-12&resolution=0.1", 400, "resolution", "more than 20000 points"),
        ("/spectra?verdict=perhaps", 400, "verdict", "expected trusted or doubtful"),
        ("/spectra?kind=any", 400, "kind", "expected auto or user"),
        ("/spectra?sort=folder", 400, "sort", "expected up to 5 of albedo_angle,"),
        ("/flares?temperature_min=hot", 400, "temperature_min", "expected a number"),
        ("/spectra/0123456789abcdef", 404, "spectrum_id", "there is no spectrum '0123456789abcdef'"),
        ("/spectra/../users.json", 404, "", "not found"),
        ("/region-spectra?method=bp", 400, "method", "expected clean, mem_ge, em or vis_fwdfit"),
        ("/region-spectra/0123456789abcdef", 404, "region_id", "there are no spectra of regions '0123456789abcdef'"),
        ("/region-spectra/..%2fusers", 404, "", "not found"),
        (f"/images/{WHOLE}", 404, "image_id", f"there is no image '{WHOLE}'"),
        ("/images/..%2f..%2fusers.json", 404, "", "not found"),
        ("/nothing", 404, "", "not found"),
        ("/requests", 401, "Authorization", "sign-in required"),
    ],
)
def test_errors_are_json_with_a_sentence_and_the_field(
    client: Any, path: str, status: int, field: str, sentence: str
) -> None:
    answer = client.get(ROOT + path)
    assert answer.status == status
    assert answer.headers["Content-Type"].startswith("application/json")
    assert answer.json["status"] == status
    assert sentence in answer.json["error"]
    assert answer.json.get("field", "") == field


def test_methods_that_an_address_has_not(client: Any) -> None:
    for method, path, allowed in (
        ("DELETE", "/images", "GET"),
        ("POST", "/images", "GET"),
        ("PUT", "/requests", "GET, POST"),
    ):
        answer = client.send(method, ROOT + path, b"")
        assert answer.status == 405
        assert answer.json["error"] == f"method {method} is not allowed here"
        assert answer.headers["Allow"] == allowed


def test_etag_head_and_headers(client: Any) -> None:
    answer = client.get(f"{IMAGES_ADDRESS}?limit=3")
    again = client.get(f"{IMAGES_ADDRESS}?limit=3", If_None_Match=answer.headers["Etag"])
    assert (again.status, again.body) == (304, b"")
    head = client.send("HEAD", f"{IMAGES_ADDRESS}?limit=3", None)
    assert (head.status, head.body) == (200, b"")
    assert head.headers["Content-Length"] == answer.headers["Content-Length"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_light_curve_of_a_simulated_campaign(imaged_client: Any, imaged: Any) -> None:
    from_file = imaged.rows("SELECT t_start, t_end FROM quicklook_files WHERE simulated ORDER BY t_start")[0]
    start, end = (str(np.datetime64(from_file[name], "s")) for name in ("t_start", "t_end"))
    curve = imaged_client.get(f"{ROOT}/lightcurve?start={start}&end={end}&resolution=300&simulated=true").json
    view = imaged.light_curve(np.datetime64(start), np.datetime64(end), _points(start, end, 300), simulated=True)
    assert curve["bucket"] == view.bucket_s
    assert 0 < curve["bucket"] <= 300
    assert curve["units"]["mean"] == "ct s⁻¹"
    assert curve["bands"]["4_10_kev"] == [4.0, 10.0]
    assert curve["time"][0].endswith("Z")
    got = np.array(curve["mean"]["4_10_kev"], float)
    np.testing.assert_allclose(got, view.mean[:, 0])
    assert np.nanmax(got) > 0


def _points(start: str, end: str, resolution: float) -> int:
    span = (np.datetime64(end) - np.datetime64(start)) / np.timedelta64(1, "s")
    return int(-(-span // resolution)) + 1


# -- the description ---------------------------------------------------------------------------------------------------


def test_openapi_file_is_valid_and_served(client: Any) -> None:
    document = client.get(f"{ROOT}/openapi.json").json
    validate(document)
    assert document == json.loads(json.dumps(openapi_document()))
    assert {(method.upper(), path) for path, item in document["paths"].items() for method in item} == {
        (endpoint.method, endpoint.path) for endpoint in ENDPOINTS
    }
    ids = [operation["operationId"] for item in document["paths"].values() for operation in item.values()]
    assert len(set(ids)) == len(ids)


def test_answers_have_the_keys_that_the_description_promises(client: Any, small: Any) -> None:
    item = client.get(f"{IMAGES_ADDRESS}?limit=1").json["items"][0]
    assert set(item) == {*row_schema(IMAGES)["properties"], "links"}
    assert set(row_document(IMAGES, small.images[0])) == set(row_schema(IMAGES)["properties"])
    for table in (IMAGES, FLARES, SCIENCE_FILES, SPECTRA, REGION_SPECTRA):
        for name, schema in row_schema(table)["properties"].items():
            assert schema["description"], name


def test_the_body_of_a_request_is_described_as_it_is_read() -> None:
    request = parse_request(json.dumps(REQUEST))
    assert isinstance(request, ImagingRequest)
    assert set(json.loads(request.to_json())) == set(REQUEST_SCHEMAS[""]["properties"])
    for key, schema in REQUEST_SCHEMAS[""]["properties"].items():
        if "default" in schema:
            assert parse_request(json.dumps({**REQUEST, key: schema["default"]})) == request
        for word in schema.get("enum", ()):
            parse_request(json.dumps({**REQUEST, key: word}))


def test_next_page_keeps_what_was_asked() -> None:
    given = {"limit": [b"10"], "text": [b"a&b=c"], "offset": [b"20"]}
    values = {"limit": 10, "offset": 20}
    assert next_page(values, given, 31) == "?limit=10&text=a%26b%3Dc&offset=30"
    assert next_page(values, given, 30) is None
    assert read_parameters(PAGE, {}) == {"limit": 100, "offset": 0}


def test_no_address_names_its_disk(client: Any, small: Any) -> None:
    spectra = ("/spectra", f"/spectra/{small.spectra[0].spectrum_id}")
    for path in (
        *spectra,
        "/flares",
        "/images",
        "/science-files",
        f"/images/{small.images[0].image_id}",
        "/openapi.json",
    ):
        assert not re.search(rf"{small.archive.root}|/tmp/|\.parquet", client.get(ROOT + path).text)
