"""Downloads and API of one flare, from the running server: for whom, and with which content."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archive import Archive, Flare, NotInArchive
from dashboards.server.api.browsing import flare as api_flare
from dashboards.server.api.call import Call
from dashboards.server.flare_files import flare_images, report_pdf, report_place
from dashboards.shared.access import GUEST, Visitor
from jobs.shared.errors import LimitReached
from jobs.shared.limits import Limits

NOW = np.datetime64("2026-11-30", "us")
ALICE, BOB = Visitor("alice"), Visitor("bob")


def call(flare_id: str, visitor: Visitor) -> Call:
    return Call(visitor, {}, {}, {"flare_id": flare_id}, b"", NOW, Limits())


@pytest.fixture
def reported(flared: Any) -> Iterator[Any]:
    """Reports beside the first image set and the hidden one."""
    reports = [(flared.archive.root / image.file).parent / "report.png" for image in (flared.images[0], flared.hidden)]
    for report in reports:
        shutil.copy(report.parent / next(report.parent.glob("*_clean.png")).name, report)
    yield flared
    for report in reports:
        report.unlink()


def test_reports_are_for_those_who_see_the_images(reported: Any) -> None:
    place, hidden = report_place(reported.archive, reported.images[0].recipe_id, GUEST)
    assert (place.endswith("/report.png"), hidden) == (True, False)
    assert report_place(reported.archive, reported.hidden.recipe_id, ALICE)[1]
    for visitor in (GUEST, BOB):
        with pytest.raises(NotInArchive):
            report_place(reported.archive, reported.hidden.recipe_id, visitor)
    with pytest.raises(NotInArchive):  # this set has images and no report
        report_place(reported.archive, reported.images[2].recipe_id, GUEST)


def test_a_report_becomes_the_same_pdf_every_time(reported: Any) -> None:
    root = reported.archive.root
    path = root / report_place(reported.archive, reported.images[0].recipe_id, GUEST)[0]
    content = report_pdf(path, root)
    assert content.startswith(b"%PDF-")
    assert content == report_pdf(path, root)
    with pytest.raises(NotInArchive):
        report_pdf(path.with_name("lost.png"), root)


def test_a_bundle_has_no_hidden_images_of_others(flared: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    flare_id = flared.flare.flare_id
    seen = {
        visitor.name: {image.image_id for image in flare_images(flared.archive, flare_id, visitor)}
        for visitor in (GUEST, BOB, ALICE)
    }
    shown = {image.image_id for image in flared.images}
    assert seen == {None: shown, "bob": shown, "alice": {*shown, flared.hidden.image_id}}
    monkeypatch.setattr("dashboards.server.flare_files.MOST_IMAGES", 3)
    with pytest.raises(LimitReached, match="the flare has 4 images, 3 at most"):
        flare_images(flared.archive, flare_id, GUEST)


def test_the_api_gives_a_flare_with_its_images(flared: Any) -> None:
    found = api_flare(flared.archive, call("2211100303", BOB)).document
    assert found["flare_id"] == flared.flare.flare_id
    assert found["n_images"] == 4
    assert {image["image_id"] for image in found["images"]} == {image.image_id for image in flared.images}
    assert found["links"]["page"] == f"../../../flare?id={flared.flare.flare_id}"
    assert api_flare(flared.archive, call("2211100303", ALICE)).document["n_images"] == 5
    with pytest.raises(NotInArchive):
        api_flare(flared.archive, call("9901010000", GUEST))


@pytest.fixture(scope="module")
def flared_server(
    serve: Callable[[Path], Any], imaged: Archive, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Any, Archive]]:
    """A server over images that were really made; the first of them belongs to a flare of the index."""
    root = tmp_path_factory.mktemp("bundled") / "archive"
    shutil.copytree(imaged.root, root)
    archive = Archive(root, create=True)
    run = next(run for run in archive.runs() if run.status == "done")
    images = [image for image in archive.images(limit=1000) if image.recipe_id == run.run_id]
    name = str(run.t_start)[2:16].translate(str.maketrans("", "", "-T:"))
    flare = Flare(flare_id=name, t_peak=run.t_start, simulated=run.simulated, source="detected", updated_at=NOW)
    archive.upsert("flares", [flare])
    archive.upsert("images", [replace(image, flare_id=flare.flare_id) for image in images])
    archive.upsert("runs", [replace(run, flare_id=flare.flare_id)])
    archive.build_read_model()
    with serve(root) as started:
        yield started, archive
    archive.close()


def test_everything_of_a_flare_with_checksums(flared_server: tuple[Any, Archive]) -> None:
    server, archive = flared_server
    flare = archive.flare_page(limit=1)[0]
    images = flare_images(archive, flare.flare_id, GUEST)
    with urllib.request.urlopen(f"{server.url}/archive/flare/{flare.flare_id}.zip", timeout=120) as answer:
        assert answer.headers["Content-Type"] == "application/zip"
        package = zipfile.ZipFile(io.BytesIO(answer.read()))
    folder = f"stix_flare_{flare.flare_id}"
    assert {name.partition("/")[0] for name in package.namelist()} == {folder}
    manifest = json.loads(package.read(f"{folder}/manifest.json"))
    names = {file["name"] for file in manifest["files"]}
    assert {f"flare_{flare.flare_id}.json", f"report_{images[0].recipe_id}.png", "CITATION.txt"} <= names
    assert {image.file.rpartition("/")[2] for image in images} <= names
    assert manifest["missing"] == []
    for file in manifest["files"]:
        content = package.read(f"{folder}/{file['name']}")
        assert hashlib.sha256(content).hexdigest() == file["sha256"]
        assert "problem" not in file
    row = json.loads(package.read(f"{folder}/flare_{flare.flare_id}.json"))
    assert row["flare_id"] == flare.flare_id
    with urllib.request.urlopen(f"{server.url}/archive/report/{images[0].recipe_id}.pdf", timeout=120) as answer:
        assert answer.headers["Content-Type"] == "application/pdf"
        assert answer.read().startswith(b"%PDF-")
    with urllib.request.urlopen(f"{server.url}/archive/report/{images[0].recipe_id}.png", timeout=120) as answer:
        assert answer.read().startswith(b"\x89PNG")
    for lost in ("flare/9901010000.zip", f"report/{'0' * 16}.pdf", f"report/{'0' * 16}.png"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{server.url}/archive/{lost}", timeout=120)
        with refused.value as error:
            assert error.code == 404
    with pytest.raises(urllib.error.HTTPError) as unknown:
        urllib.request.urlopen(f"{server.url}/flare?id=9901010000", timeout=120)
    with unknown.value as error:
        assert error.code == 404
        assert "The archive has no flare “9901010000”." in error.read().decode()
