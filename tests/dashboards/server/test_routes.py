import hashlib
import http.client
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from archive import Archive, NotInArchive
from dashboards.server.routes import find_file
from dashboards.shared.access import GUEST, Visitor
from dashboards.shared.source import ArchiveSource


def request(server: Any, path: str, method: str = "GET", **headers: str) -> tuple[int, http.client.HTTPMessage, bytes]:
    """One request, sent as it is: urllib would tidy paths up."""
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=20)
    try:
        connection.request(method, path, headers={key.replace("_", "-"): value for key, value in headers.items()})
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()


def test_fits_comes_byte_for_byte_under_its_name(server: Any, small: Any) -> None:
    image = small.images[5]
    status, headers, body = request(server, f"/archive/fits/{image.image_id}")
    assert status == 200
    assert hashlib.sha256(body).hexdigest() == image.sha256
    assert headers["Content-Type"] == "application/fits"
    assert headers["Content-Disposition"] == f'attachment; filename="{Path(image.file).name}"'
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Accept-Ranges"] == "bytes"


@pytest.mark.parametrize(("kind", "column"), [("png", "png"), ("thumbnail", "thumbnail")])
def test_pictures(server: Any, small: Any, kind: str, column: str) -> None:
    image = small.images[6]
    status, headers, body = request(server, f"/archive/{kind}/{image.image_id}")
    assert (status, headers["Content-Type"]) == (200, "image/png")
    assert headers["Content-Disposition"].startswith("inline")
    assert body == (small.archive.root / getattr(image, column)).read_bytes()


def test_files_of_a_spectrum(server: Any, small: Any) -> None:
    row = small.spectra[0]
    for name, media_type in (
        ("stx_spectrum.fits", "application/fits"),
        ("stx_srm.fits", "application/fits"),
        ("spectrum.json", "application/json"),
    ):
        status, headers, body = request(server, f"/archive/spectrum/{row.spectrum_id}/{name}")
        assert (status, headers["Content-Type"], headers["Cache-Control"]) == (200, media_type, "no-cache")
        assert headers["Content-Disposition"] == f'attachment; filename="{name}"'
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert body == (small.archive.root / row.folder / name).read_bytes()
    part = request(server, f"/archive/spectrum/{row.spectrum_id}/stx_srm.fits", Range="bytes=0-79")
    assert (part[0], len(part[2])) == (206, 80)


def test_files_of_spectra_of_regions(server: Any, small: Any) -> None:
    """Those that the record names, and the record; nothing else in the folder."""
    row = small.regions[0]
    for name, media_type, shown in (
        ("stx_spectrum_1_north.fits", "application/fits", "attachment"),
        ("regions.json", "application/json", "attachment"),
        ("regions.png", "image/png", "inline"),
    ):
        status, headers, body = request(server, f"/archive/regions/{row.region_id}/{name}")
        assert (status, headers["Content-Type"]) == (200, media_type)
        assert headers["Content-Disposition"] == f'{shown}; filename="{name}"'
        assert body == (small.archive.root / row.folder / name).read_bytes()
    other = small.archive.root / row.folder / "notes.json"
    try:
        other.write_text("{}")
        assert request(server, f"/archive/regions/{row.region_id}/notes.json")[0] == 404
    finally:
        other.unlink()


def test_head_says_everything_but_the_body(server: Any, small: Any) -> None:
    status, headers, body = request(server, f"/archive/fits/{small.images[0].image_id}", "HEAD")
    assert (status, body) == (200, b"")
    assert int(headers["Content-Length"]) == small.images[0].size


def test_range(server: Any, small: Any) -> None:
    image = small.images[1]
    whole = (small.archive.root / image.file).read_bytes()
    status, headers, body = request(server, f"/archive/fits/{image.image_id}", Range="bytes=80-159")
    assert (status, body) == (206, whole[80:160])
    assert headers["Content-Range"] == f"bytes 80-159/{len(whole)}"
    status, headers, _ = request(server, f"/archive/fits/{image.image_id}", Range=f"bytes={len(whole) + 1}-")
    assert (status, headers["Content-Range"]) == (416, f"bytes */{len(whole)}")


def test_etag_saves_a_second_transfer_until_the_file_changes(server: Any, small: Any) -> None:
    image = small.images[2]
    path = small.archive.root / image.file
    _, headers, _ = request(server, f"/archive/fits/{image.image_id}")
    status, _, body = request(server, f"/archive/fits/{image.image_id}", If_None_Match=headers["Etag"])
    assert (status, body) == (304, b"")
    content = path.read_bytes()
    try:
        path.write_bytes(content + b" " * 2880)
        status, changed, _ = request(server, f"/archive/fits/{image.image_id}", If_None_Match=headers["Etag"])
        assert status == 200
        assert changed["Etag"] != headers["Etag"]
    finally:
        path.write_bytes(content)


@pytest.mark.parametrize(
    "path",
    [
        "/archive/fits/0123456789abcdef-clean",
        "/archive/fits/",
        "/archive/fits/../../index/schema.json",
        "/archive/fits/..%2f..%2findex%2fschema.json",
        "/archive/fits/%2e%2e/%2e%2e/etc/passwd",
        "/archive/png//etc/passwd",
        "/archive/exe/0123456789abcdef-clean",
        "/archive/fits/0123456789abcdef-clean' OR 1=1",
        "/archive/thumbnail/0123456789ABCDEF-clean",
        "/archive/spectrum/0123456789abcdef/spectrum.json",
        "/archive/spectrum/0123456789abcdef/users.json",
        "/archive/spectrum/0123456789abcdef/..%2f..%2fusers.json",
        "/archive/spectrum/spectrum.json",
        "/archive/regions/0123456789abcdef/regions.json",
        "/archive/regions/0123456789abcdef/..%2f..%2fusers.json",
        "/archive/regions/regions.json",
    ],
)
def test_everything_else_is_a_404_in_json(server: Any, path: str) -> None:
    status, headers, body = request(server, path.replace(" ", "%20"))
    assert status == 404
    assert headers["Content-Type"].startswith("application/json")
    answer = json.loads(body)
    assert answer["status"] == 404
    assert answer["error"]


def test_hidden_images_do_not_exist_for_strangers(server: Any, small: Any) -> None:
    for kind in ("fits", "png", "thumbnail"):
        hidden = request(server, f"/archive/{kind}/{small.hidden.image_id}")
        unknown = request(server, f"/archive/{kind}/0123456789abcdef-clean")
        assert hidden[0] == 404
        assert hidden[2].replace(small.hidden.image_id.encode(), b"") == unknown[2].replace(
            b"0123456789abcdef-clean", b""
        )


def test_a_missing_file_is_a_404_too(server: Any, small: Any) -> None:
    path = small.archive.root / small.images[3].png
    content = path.read_bytes()
    try:
        path.unlink()
        status, _, body = request(server, f"/archive/png/{small.images[3].image_id}")
        assert (status, json.loads(body)["error"]) == (404, "the image file is missing")
    finally:
        path.write_bytes(content)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_nothing_can_be_written(server: Any, small: Any, method: str) -> None:
    status, _, body = request(server, f"/archive/fits/{small.images[0].image_id}", method)
    assert status == 405
    assert "read-only" in json.loads(body)["error"]


def test_who_may_have_a_hidden_file(small: Any) -> None:
    source = ArchiveSource(small.archive.root)
    assert find_file(source, "fits", small.hidden.image_id, Visitor("alice")).save
    for visitor in (GUEST, Visitor("bob")):
        with pytest.raises(NotInArchive, match="there is no image"):
            find_file(source, "fits", small.hidden.image_id, visitor)


def test_a_row_that_points_out_of_the_archive_is_not_followed(tmp_path: Path, small: Any) -> None:
    archive = Archive(tmp_path / "archive", create=True)
    (tmp_path / "secret.fits").write_bytes(b"secret")
    (archive.root / "images" / "link.fits").symlink_to(tmp_path / "secret.fits")
    for place in ("../secret.fits", str(tmp_path / "secret.fits"), "images/link.fits"):
        archive.upsert("images", [replace(small.images[0], file=place)])
        with pytest.raises(NotInArchive, match="outside the archive"):
            find_file(ArchiveSource(archive.root), "fits", small.images[0].image_id, GUEST)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "spectrum.json").write_text("{}")
    (archive.root / "spectra").symlink_to(tmp_path / "elsewhere")
    spectrum = small.spectra[0]
    for folder in ("../elsewhere", str(tmp_path / "elsewhere"), "spectra"):
        archive.upsert("spectra", [replace(spectrum, folder=folder)])
        with pytest.raises(NotInArchive, match="outside the archive"):
            find_file(ArchiveSource(archive.root), "spectrum", f"{spectrum.spectrum_id}/spectrum.json", GUEST)


def test_without_an_archive_the_answer_is_503(serve: Callable[..., Any], tmp_path: Path, small: Any) -> None:
    with serve(tmp_path / "nowhere") as server:
        path = f"/archive/fits/{small.images[0].image_id}"
        status, _, body = request(server, path)
        assert status == 503
        assert "no archive here yet" in json.loads(body)["error"]
        shutil.copytree(small.archive.root, tmp_path / "nowhere")  # it comes while the server runs
        assert request(server, path)[0] == 200
