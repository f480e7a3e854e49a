"""``stix-jobs publish``: files that any web server can serve, with nothing that is not public."""

import hashlib
import json
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import duckdb
import pyarrow.parquet as pq
import pytest

from archive import Archive, ImageFilter
from archive.publishing import publish as publishing
from jobs.cli.parser import main


def publish(archive, out, *words):
    return main(["publish", "--archive", str(archive.root), "--out", str(out), *words])


def contents(out: Path) -> dict[str, bytes]:
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def manifest(out: Path) -> dict:
    return json.loads((out / "archive.json").read_text())


def rows(out: Path, table: str) -> list[dict]:
    return [row for file in manifest(out)["tables"][table] for row in pq.read_table(out / file["path"]).to_pylist()]


class Links(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found, self.scripts = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        named = dict(attributes)
        self.found += [named[key] for key in ("href", "src") if named.get(key) and named.get("rel") != "canonical"]
        if tag == "script":
            self.scripts.append(named.get("type"))


@pytest.fixture(scope="module")
def published_archive(finished_archive, tmp_path_factory):
    root = tmp_path_factory.mktemp("source") / "archive"
    shutil.copytree(finished_archive.root, root)
    assert main(["flares", "--archive", str(root)]) == 0
    return Archive(root)


@pytest.fixture(scope="module")
def site(published_archive, tmp_path_factory):
    out = tmp_path_factory.mktemp("published") / "site"
    assert publish(published_archive, out) == 0
    return out


def test_the_manifest_names_files_with_their_size_and_sha256(site, published_archive):
    named = [file for files in manifest(site)["tables"].values() for file in files]
    assert len(named) >= 6
    for file in [*named, *manifest(site)["keys"].values()]:
        content = (site / file["path"]).read_bytes()
        assert (file["bytes"], file["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
    published = {row["path"]: row for row in rows(site, "files")}
    for image in published_archive.images(limit=1000):
        content = (site / image.file).read_bytes()
        assert hashlib.sha256(content).hexdigest() == image.sha256 == published[image.file]["sha256"]
        assert {image.thumbnail, image.png} <= set(published)
    assert set(contents(site)) >= set(published)


def test_tables_are_equal_sorted_and_have_bloom_filters(site, published_archive):
    for name in ("images", "runs", "flares", "science_files", "aux_files"):
        ours = published_archive.rows(f"SELECT * FROM {name}")
        key = next(iter(ours[0]))
        assert sorted(rows(site, name), key=lambda row: row[key]) == sorted(ours, key=lambda row: row[key])
    (file,) = manifest(site)["tables"]["images"]
    times = [row["t_start"] for row in rows(site, "images")]
    assert times == sorted(times, reverse=True)
    found = duckdb.execute(
        "SELECT bloom_filter_length, compression FROM parquet_metadata(?) WHERE path_in_schema = 'image_id'",
        [str(site / file["path"])],
    ).fetchall()
    assert all(length > 0 and compression == "ZSTD" for length, compression in found)


def test_every_link_of_every_page_leads_to_a_file_and_needs_no_script(site):
    pages = sorted(site.rglob("*.html"))
    assert {page.parent.name for page in pages} == {"site", "flare", "image", "month"}
    for page in pages:
        links = Links(page.read_text())
        assert set(links.scripts) <= {"application/ld+json"}
        for link in links.found:
            parts = urlsplit(link)
            if parts.scheme:
                assert parts.scheme in {"https", "data"}, (page, link)
                continue
            assert not link.startswith("/"), (page, link)
            target = (page.parent / unquote(parts.path)).resolve()
            assert target.is_file(), (page, link)
            assert target.is_relative_to(site)
        assert "These are simulated data" in page.read_text()


def test_a_second_publication_writes_nothing(site, published_archive, capsys):
    before = {path: path.stat().st_mtime_ns for path in site.rglob("*") if path.is_file()}
    assert publish(published_archive, site) == 0
    assert "0 files written, 0 removed" in capsys.readouterr().out
    after = {path: path.stat().st_mtime_ns for path in site.rglob("*") if path.is_file()}
    before.pop(site / ".publish.lock"), after.pop(site / ".publish.lock")
    assert after == before


def hide(archive, *, run: bool, images: bool):
    chosen = next(one for one in archive.runs() if one.folder)
    own = archive.images(ImageFilter(recipe_id=chosen.run_id), limit=100)
    if run:
        archive.upsert("runs", [replace(chosen, hidden=True, author="mallory")])
    if images:
        archive.upsert("images", [replace(one, hidden=True, author="mallory") for one in own])
    return chosen, own


@pytest.mark.parametrize(("run", "images"), [(True, True), (True, False), (False, True)])
def test_hidden_image_sets_vanish_and_leave_no_trace(own_archive, tmp_path, run, images):
    out = tmp_path / "site"
    assert publish(own_archive, out) == 0
    chosen, own = hide(own_archive, run=run, images=images)
    assert publish(own_archive, out) == 0
    left = contents(out)
    assert not [path for path in left if chosen.run_id in path]
    for path, content in left.items():
        if path.endswith((".html", ".json", ".jsonld", ".bib")):
            assert chosen.run_id.encode() not in content, path
            assert b"mallory" not in content, path
    for table in manifest(out)["tables"]:
        assert chosen.run_id not in str(rows(out, table)), table
    assert {one.image_id for one in own}.isdisjoint(row["image_id"] for row in rows(out, "images"))
    keys = manifest(out)["keys"]["images"]["path"]
    assert {one.image_id for one in own}.isdisjoint(pq.read_table(out / keys)["image_id"].to_pylist())


def test_hidden_spectra_are_not_published(own_archive, tmp_path):
    out = tmp_path / "site"
    spectrum = own_archive.spectra()[0]
    own_archive.upsert("spectra", [replace(spectrum, hidden=True)])
    assert publish(own_archive, out) == 0
    assert not [path for path in contents(out) if spectrum.spectrum_id in path]
    assert all(spectrum.spectrum_id not in str(rows(out, table)) for table in manifest(out)["tables"])


def test_what_is_private_in_the_archive_stays_there(own_archive, tmp_path):
    secret = b"a secret of 0123456789abcdef"
    for place in (
        *("users.json", "web-secrets.json", "signed-out.json", "journal.sqlite", "incoming/new.fits"),
        "quarantine/2026-03-14/bad.fits",
    ):
        (own_archive.root / place).parent.mkdir(exist_ok=True)
        (own_archive.root / place).write_bytes(secret)
    image = own_archive.images(limit=1)[0]
    picture = own_archive.path_of(image.thumbnail)
    picture.unlink()
    picture.symlink_to(own_archive.root / "users.json")
    assert publish(own_archive, tmp_path / "site", "--inputs") == 1  # the picture is lost
    assert all(secret not in content for content in contents(tmp_path / "site").values())


def test_options_leave_files_out(finished_archive, tmp_path):
    out = tmp_path / "site"
    assert publish(finished_archive, out, "--no-fits", "--month", "2026-03") == 0
    assert not list(out.rglob("*.fits"))
    assert list(out.rglob("image/*.html"))
    assert publish(finished_archive, out, "--inputs", "--copy", "--no-pages") == 0
    inputs = {path.relative_to(out).as_posix() for path in (out / "fits").rglob("*.fits")}
    assert inputs == {row["path"] for table in manifest(out)["tables"] for row in rows(out, table) if "level" in row}
    assert not list(out.rglob("*.html"))
    for path in inputs:
        assert not (out / path).samefile(finished_archive.root / path)
    assert publish(finished_archive, out, "--since", "2026-04") == 0
    assert rows(out, "images") == []
    assert not list(out.rglob("*.fits"))


def test_a_publisher_that_dies_leaves_the_last_publication_valid(own_archive, tmp_path, monkeypatch):
    out = tmp_path / "site"
    assert publish(own_archive, out) == 0
    before, old = rows(out, "images"), manifest(out)
    hide(own_archive, run=True, images=True)

    class Killed(BaseException):
        pass

    def die(*_):
        raise Killed

    monkeypatch.setattr(publishing._Publication, "_remove", die)
    monkeypatch.setattr(publishing.Manifest, "to_json", die)
    with pytest.raises(Killed):
        publish(own_archive, out)
    assert (rows(out, "images"), manifest(out)) == (before, old)
    monkeypatch.undo()
    assert publish(own_archive, out) == 0
    assert len(rows(out, "images")) < len(before)
    named = {file["path"] for files in manifest(out)["tables"].values() for file in files}
    named |= {file["path"] for file in manifest(out)["keys"].values()}
    assert {path for path in contents(out) if path.startswith("index/")} == named


@pytest.mark.parametrize(
    ("place", "sentence"), [("archive/site", "contain each other"), ("other", "contains something else")]
)
def test_folders_of_others_are_left_alone(own_archive, tmp_path, capsys, place, sentence):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("important")
    assert publish(own_archive, tmp_path / place) == 1
    assert sentence in capsys.readouterr().err
    assert (tmp_path / "other" / "thesis.tex").read_text() == "important"
