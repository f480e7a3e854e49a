"""Context maps from a server of static files on loopback, laid out as JSOC and SOAR are."""

import functools
import gzip
import json
import threading
from dataclasses import replace
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from astropy.io import fits

from archive import Archive, Flare
from archive.context_maps import FOLDER as MAPS
from archive.context_maps import LARGEST_UNPACKED, assumption_of, context_maps, map_name
from archive.errors import BadSettings
from jobs.fetch.context import ContextSettings, MapStatus, bring_context
from jobs.fetch.transport import RemoteFault, RetryPolicy, Transport
from jobs.renderings.overlay_maps import maps_of

NOW = np.datetime64("2026-03-20T00:00:00", "us")
PEAK = np.datetime64("2024-05-11T03:47:00", "us")
FLARE = Flare(
    flare_id="2405110347", t_peak=PEAK, source="detected", updated_at=NOW, hpc_x=600.0, hpc_y=-300.0,
    earth_delay_s=200.0, earth_visible=True,
)  # fmt: skip
FOLDER = "aia/synoptic/2024/05/11/H0300"


def a_map(time, wavelength=171, **cards):
    """A small map of the whole Sun, as bytes."""
    header = fits.Header(
        {
            "DATE-OBS": str(time), "WAVELNTH": wavelength, "WAVEUNIT": "Angstrom",
            "CTYPE1": "HPLN-TAN", "CTYPE2": "HPLT-TAN", "CUNIT1": "arcsec", "CUNIT2": "arcsec",
            "CDELT1": 80.0, "CDELT2": 80.0, "CRPIX1": 16.5, "CRPIX2": 16.5, "CRVAL1": 0.0, "CRVAL2": 0.0,
            "HGLN_OBS": 0.0, "HGLT_OBS": -3.0, "DSUN_OBS": 1.51e11, "RSUN_REF": 6.957e8,
        }
    )  # fmt: skip
    picture = fits.PrimaryHDU(np.arange(1024, dtype="int16").reshape(32, 32), header)
    picture.header.update(cards)
    return picture.header.tostring().encode() + picture.data.astype(">i2").tobytes().ljust(2880, b"\0")


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        return

    def do_GET(self):
        self.server.asked.append(self.path)
        super().do_GET()


@pytest.fixture
def site(tmp_path):
    """Folder of the server, its address, and what it was asked for."""
    folder = tmp_path / "site"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=folder))
    server.asked = []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()

    def put(path, content):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)

    yield put, f"http://127.0.0.1:{server.server_port}", server.asked
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def archive(tmp_path):
    made = Archive(tmp_path / "archive", create=True)
    made.upsert("flares", [FLARE])
    return made


@pytest.fixture
def bring(archive, site):
    transport = Transport(RetryPolicy(pause_s=0.0, tries=2), wait=lambda _: None)

    def run(**settings):
        chosen = replace(ContextSettings.of(archive.root, site[1]), **settings)
        return bring_context(archive, chosen, transport=transport)

    return run


def put_aia(put, minute, content=None, wavelength=171):
    put(f"{FOLDER}/AIA20240511_03{minute:02d}_{wavelength:04d}.fits", content or a_map(f"2024-05-11T03:{minute}:09"))


def put_eui(put, *times, content=None):
    names = [{"name": name} for name in ("begin_time", "data_item_id")]
    rows = [[str(time).replace("T", " "), f"solo_L2_eui-fsi174-image_{number}"] for number, time in enumerate(times)]
    put("soar-sl-tap/tap/sync", json.dumps({"metadata": names, "data": rows}).encode())
    put("soar-sl-tap/data", content or a_map(times[0], 174, HGLN_OBS=-20.0, DSUN_OBS=9e10))


def test_the_nearest_map_of_each_instrument_at_its_own_time(archive, site, bring):
    put, _, asked = site
    for minute in (44, 48, 50, 52):
        put_aia(put, minute)
    put_aia(put, 50, a_map("2024-05-11T03:50:09", 304), wavelength=304)
    put_eui(put, np.datetime64("2024-05-11T03:50:00"), np.datetime64("2024-05-11T03:40:00"))
    results = bring()
    assert [(one.instrument, one.status) for one in results] == [("aia", "brought"), ("eui", "brought")], results
    aia, eui = context_maps(archive, FLARE)
    # AIA at 03:47:00 + 200 s of light time, EUI at 03:47:00
    assert (aia.name, aia.wavelength, aia.difference) == ("context_aia_171_20240511T035009.fits", 171, -11.0)
    assert (eui.instrument, eui.wavelength, eui.difference) == ("eui", 174, 180.0)
    assert aia.path.read_bytes() == a_map("2024-05-11T03:50:09")
    assert any("solo_L2_eui-fsi174-image_0" in path for path in asked)
    assert maps_of(archive) == [aia.name, eui.name]  # everybody can use them as bases of overlays
    # again: nothing is asked for
    asked.clear()
    assert {one.status for one in bring()} == {MapStatus.KNOWN}
    assert asked == []


@pytest.mark.parametrize(
    ("changes", "instruments"),
    [
        ({"simulated": True}, set()),
        ({"hpc_x": None}, set()),
        ({"earth_visible": False}, {"eui"}),
        ({"earth_delay_s": None}, {"eui"}),
    ],
)
def test_maps_only_where_they_show_the_flare(archive, site, bring, changes, instruments):
    put_aia(site[0], 50)
    put_eui(site[0], PEAK)
    archive.upsert("flares", [replace(FLARE, **changes)])
    assert {one.instrument for one in bring()} == instruments


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"<html>not found</html>", "cannot be read as a map"),
        (a_map("2024-05-11T03:50:09", 193), "WAVELNTH: expected 171, found 193"),
        (a_map("2024-05-11T05:50:09"), "DATE-OBS: expected within 240 s"),
        (a_map("2024-05-11T03:50:09", NAXIS1=5000), "5000"),
        (a_map("2024-05-11T03:50:09", NAXIS=3, NAXIS1=16, NAXIS2=32, NAXIS3=2), "NAXIS: expected 2 axes, found 3"),
        (gzip.compress(b"SIMPLE  =" + bytes(LARGEST_UNPACKED)), "more than 132 MiB when unpacked"),
        (gzip.compress(b"<html>"), "not a FITS file packed with gzip"),
        (gzip.compress(gzip.compress(a_map("2024-05-11T03:50:09"))), "not a FITS file packed with gzip"),
        (gzip.compress(a_map("2024-05-11T03:50:09"))[:-20], "cannot be unpacked"),
        (a_map("2024-05-11T03:50:09", CTYPE1="RA---TAN"), "CTYPE1"),
        (a_map("2024-05-11T03:50:09", BZERO=-5000), "pixels: expected some above 0"),
    ],
)
def test_a_bad_map_is_refused_and_leaves_nothing(archive, site, bring, content, words):
    put_aia(site[0], 50, content)
    (result,) = bring(eui_url="")
    assert result.status is MapStatus.FAILED
    assert words in result.reason
    assert "AIA20240511_0350_0171.fits" in result.reason
    assert not list((archive.root / "overlays").glob("*"))


def test_a_server_without_a_map_and_one_that_answers_nonsense(archive, site, bring):
    put_aia(site[0], 56)
    site[0]("soar-sl-tap/tap/sync", b"<html>")
    aia, eui = bring()
    assert (aia.status, aia.reason) == (
        MapStatus.MISSING,
        "no map of aia 171 within 240 s of 2024-05-11T03:50:20.000",
    )
    assert (eui.status, "not a table in JSON" in eui.reason) == (MapStatus.FAILED, True)


@pytest.mark.parametrize(
    ("names", "row"),
    [
        (("begin_time", "data_item_id"), ["2024-05-11' OR '1'='1", "a"]),
        (("begin_time", "data_item_id"), [None, "a"]),
        (("begin_time", "filename"), ["2024-05-11 03:47:00", "a"]),
    ],
)
def test_rows_of_soar_that_are_not_as_asked_are_an_error(archive, site, bring, names, row):
    answer = {"metadata": [{"name": name} for name in names], "data": [row]}
    site[0]("soar-sl-tap/tap/sync", json.dumps(answer).encode())
    (result,) = bring(aia_url="")
    assert result.status is MapStatus.FAILED
    assert "begin_time or data_item_id is missing or invalid" in result.reason
    assert not any("/data?" in path for path in site[2])


def test_a_server_that_always_fails_is_left_alone(archive, site, bring):
    times = [PEAK + np.timedelta64(number, "h") for number in range(9)]
    archive.upsert(
        "flares", [replace(FLARE, flare_id=f"24051100{number:02d}", t_peak=t) for number, t in enumerate(times)]
    )
    results = bring(aia_url="")
    assert [one.status for one in results] == [MapStatus.FAILED] * 5
    assert results[0].flare_id == "2405110008"  # the latest first


def test_limits_on_number_and_size(archive, site, bring, monkeypatch):
    put_aia(site[0], 50)
    put_eui(site[0], PEAK)
    monkeypatch.setattr("jobs.fetch.context.LARGEST", 1000)
    aia, eui = bring()
    assert "1000 at most" in aia.reason
    assert aia.status is eui.status is MapStatus.FAILED
    monkeypatch.undo()
    assert [one.instrument for one in bring(maps=1)] == ["aia"]


def test_the_command_says_what_it_did_and_does_nothing_without_a_server(archive, site, stix_jobs):
    status, output, _ = stix_jobs("context", "--archive", archive.root)
    assert (status, "no server of context maps is configured" in output) == (0, True)
    assert site[2] == []
    put_aia(site[0], 50)
    put_eui(site[0], PEAK)
    status, output, _ = stix_jobs("context", "--archive", archive.root, "--base-url", site[1])
    assert (status, output) == (0, "2 maps brought, 0 known, 0 not on the server, 0 failed\n")
    put_aia(site[0], 50, b"nonsense")
    (archive.root / "overlays" / "context_aia_171_20240511T035009.fits").unlink()
    status, output, error = stix_jobs("context", "--archive", archive.root, "--base-url", site[1])
    assert (status, "1 failed" in output, "2405110347 aia: http" in error) == (1, True, True)


def test_the_configuration_is_checked(archive):
    path = archive.root / "config.toml"
    assert ContextSettings.of(archive.root).instruments == ()
    path.write_text(
        '[accounts]\nallowed = []\n[context]\naia_url = "https://example.org/synoptic/"\naia_wavelength = 193\n'
    )
    assert ContextSettings.of(archive.root) == ContextSettings("https://example.org/synoptic", aia_wavelength=193)
    for line, words in (
        ("url = 'x'", "context.url is unknown"),
        ("maps = 'x'", "context.maps: expected a whole number from 1 to 9999, found 'x'"),
        ("maps = true", "found True"),
        ("aia_url = 1", "context.aia_url: expected an address, found 1"),
    ):
        path.write_text(f"[context]\n{line}\n")
        with pytest.raises(BadSettings, match=words):
            ContextSettings.of(archive.root)
    path.write_text("[context]\naia_url = 'file:///etc'\n")
    with pytest.raises(RemoteFault, match="file:///etc"):
        ContextSettings.of(archive.root)
    path.write_text("[context\n")
    with pytest.raises(BadSettings, match="cannot be read"):
        ContextSettings.of(archive.root)


def test_other_files_are_no_context_maps(archive):
    folder = archive.root / MAPS
    folder.mkdir()
    good = map_name("eui", 174, PEAK)
    (folder / map_name("eui", 171, PEAK)).symlink_to("/etc/passwd")
    for name in (
        good,
        "context_eui_174_20241311T034700.fits",
        "context_eui_174_20240511T024700.fits",
        "context_x.fits",
    ):
        (folder / name).write_bytes(b"")
    assert [one.name for one in context_maps(archive, FLARE)] == [good]
    assert assumption_of(FLARE) == "surface"
    assert assumption_of(replace(FLARE, off_limb=True)) == "spherical"
