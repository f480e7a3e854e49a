"""A published archive over HTTP, below a prefix, from a server that only has files."""

import json
import pickle
import shutil
from dataclasses import replace
from datetime import UTC, datetime

import duckdb
import pytest
import requests
from fsspec.implementations.http import HTTPFileSystem

from archive import Archive, ImageFilter, NotAnArchive, NotInArchive, QueryRefused
from archive.errors import PublicationChanged, ReadOnlyArchive, Unreachable
from archive.published.blocks import Blocks
from archive.published.transport import Transport, base_address
from benchmarks.range_server import serving
from jobs.cli.parser import main


@pytest.fixture
def source(own_archive):
    assert main(["flares", "--archive", str(own_archive.root)]) == 0
    return own_archive


@pytest.fixture
def site(source, tmp_path):
    out = tmp_path / "site"
    assert main(["publish", "--archive", str(source.root), "--out", str(out)]) == 0
    with serving(out) as served:
        yield served


@pytest.fixture
def published(site, tmp_path, monkeypatch):
    monkeypatch.setenv("STIX_CACHE", str(tmp_path / "cache"))
    return Archive(site.address)


def test_answers_are_those_of_the_archive(source, published):
    for which in (None, ImageFilter(methods=("clean",)), ImageFilter(trusted=True), ImageFilter(text="clean")):
        assert published.images(which) == source.images(which)
        assert published.count_images(which) == source.count_images(which)
    assert published.image_page(ImageFilter(), size=5, page=3) == source.image_page(ImageFilter(), size=5, page=3)
    assert published.flares() == source.flares()
    for image in source.images():
        assert published.image(image.image_id) == image
        assert published.run(image.recipe_id) == source.run(image.recipe_id)
    sql = "SELECT method, count(*) AS n, max(t_start) AS t FROM images WHERE chi2 < ? GROUP BY method ORDER BY method"
    assert published.query(sql, [2.0]) == source.query(sql, [2.0])
    with pytest.raises(NotInArchive):
        published.image("0123456789abcdef-clean")


def test_images_of_a_flare_are_found_by_its_other_ids(source, site):
    flare, image = source.flares()[0], source.images(limit=1)[0]
    source.upsert("flares", [replace(flare, other_ids="1111111111 2222222222")])
    source.upsert("images", [replace(image, flare_id=flare.flare_id)])
    assert main(["publish", "--archive", str(source.root), "--out", str(site.folder)]) == 0
    published = Archive(site.address)
    for flare_id in (flare.flare_id, "2222222222", "3333333333"):
        which = ImageFilter(flare_id=flare_id, methods=(image.method,))
        assert published.images(which) == source.images(which)
    assert published.count_images(ImageFilter(flare_id="2222222222")) > 0


def test_files_are_downloaded_once_and_checked(source, published, site):
    image = source.images(limit=1)[0]
    path = published.path_of(image.file)
    assert path.read_bytes() == source.path_of(image.file).read_bytes()
    asked = len(site.asked)
    assert published.path_of(image.file) == path
    assert len(site.asked) == asked
    path.write_bytes(b"damaged")
    assert published.path_of(image.file).read_bytes() == source.path_of(image.file).read_bytes()
    assert requests.get(published.url_of(image.file), timeout=10).content == path.read_bytes()
    for other in ("archive.json", "../site/archive.json", "/etc/passwd", "images/none.fits"):
        with pytest.raises(NotInArchive):
            published.path_of(other)
    path.unlink()
    target = site.folder / image.file
    content = target.read_bytes()
    target.unlink()
    target.write_bytes(content[:-1] + b"x")
    with pytest.raises(PublicationChanged, match="another SHA-256"):
        published.path_of(image.file)


def test_it_cannot_be_written_or_left(published):
    for write in (
        lambda: published.upsert("images", []),
        lambda: published.delete("images", []),
        lambda: published.write_runs([], []),
        published.write_lock,
        published.build_read_model,
    ):
        with pytest.raises(ReadOnlyArchive, match="can only be read"):
            write()
    for sql in ("SELECT * FROM read_text('/etc/passwd')", "SELECT * FROM '/etc/passwd'", "DROP TABLE images"):
        with pytest.raises(QueryRefused):
            published.query(sql)
    with pytest.raises(NotInArchive, match="has no light curves"):
        published.light_curve(None, None)
    assert pickle.loads(pickle.dumps(published)).count_images() == published.count_images()


def test_a_reader_follows_a_new_publication(source, published, site):
    before = published.count_images()
    image = source.images(limit=1)[0]
    hidden = [replace(one, hidden=True) for one in source.images(ImageFilter(recipe_id=image.recipe_id))]
    source.upsert("images", hidden)
    assert main(["publish", "--archive", str(source.root), "--out", str(site.folder)]) == 0
    published.close()  # nothing is in memory: the files of the old manifest are gone
    assert image not in published.images()
    assert published.count_images() == before - len(hidden)
    source.upsert("images", [replace(one, hidden=False) for one in hidden])
    assert main(["publish", "--archive", str(source.root), "--out", str(site.folder)]) == 0
    published.refresh()
    assert published.count_images() == before
    source.upsert("images", hidden)
    assert main(["publish", "--archive", str(source.root), "--out", str(site.folder)]) == 0
    published.refresh()
    with pytest.raises(NotInArchive):
        published.image(image.image_id)


def test_problems_of_the_server_are_sentences(published, site, tmp_path):
    site.ranges = False
    with pytest.raises(Unreachable, match="does not support range requests"):
        published.count_images()
    site.ranges = True
    assert published.count_images() > 0
    published.close()
    (file, *_) = published.manifest.tables["images"]
    (site.folder / file.path).write_bytes(b"short")
    with pytest.raises(PublicationChanged, match="has 5 bytes, and the manifest says"):
        published.images()
    (site.folder / file.path).unlink()
    published.close()
    with pytest.raises(PublicationChanged, match="is not there"):
        published.images()
    site.redirect = "file:///etc/passwd"
    with pytest.raises(Unreachable, match="not followed"):
        Archive(site.address)
    site.redirect = ""
    with pytest.raises(Unreachable, match="is not there"):
        Archive(site.address + "/nothing")
    (site.folder / "archive.json").write_text(json.dumps({"version": 99}))
    with pytest.raises(NotAnArchive, match="layout version 99"):
        Archive(site.address)
    with serving(tmp_path) as other:
        address = other.address
    with pytest.raises(Unreachable, match="cannot be read"):
        Archive(address)


@pytest.mark.parametrize("address", ["ftp://example.org/a", "https://", "https://example.org/?a=b", "/data"])
def test_only_addresses_of_http(address):
    with pytest.raises(Unreachable, match="is not the address"):
        base_address(address)


def test_duckdb_reads_the_tables_without_this_software(source, site):
    class Http(HTTPFileSystem):
        def modified(self, path):
            return datetime(2020, 1, 1, tzinfo=UTC)

    connection = duckdb.connect()
    connection.register_filesystem(Http(block_size=1 << 17))
    manifest = requests.get(f"{site.address}/archive.json", timeout=10).json()
    files = [f"{site.address}/{file['path']}" for file in manifest["tables"]["images"]]
    found = connection.execute("SELECT image_id FROM read_parquet(?) WHERE method = 'clean'", [files]).fetchall()
    assert {image_id for (image_id,) in found} == {
        one.image_id for one in source.images(ImageFilter(methods=("clean",)))
    }


def test_blocks_are_read_once_and_together():
    content, asked = bytes(range(256)) * 4, []

    def fetch(name, start, end, size):
        asked.append((start, end))
        return content[start:end]

    blocks = Blocks(fetch, block=100, kept=5)
    assert blocks.read("a", 150, 160, 1024) == content[150:160]
    assert blocks.read("a", 50, 450, 1024) == content[50:450]
    assert asked == [(100, 200), (0, 100), (200, 500)]
    assert blocks.read("a", 1000, 1024, 1024) == content[1000:]
    assert blocks.read("a", 0, 1024, 1024) == content
    assert blocks.read("a", 5, 5, 1024) == b""


def test_a_file_that_changes_between_two_ranges_is_noticed(tmp_path):
    (tmp_path / "file").write_bytes(b"a" * 1000)
    with serving(tmp_path) as served:
        transport = Transport(base_address(served.address))
        assert transport.part("file", 0, 10, 1000) == b"a" * 10
        shutil.copy(tmp_path / "file", tmp_path / "other")
        (tmp_path / "file").write_bytes(b"b" * 1000)
        with pytest.raises(PublicationChanged, match="was replaced"):
            transport.part("file", 10, 20, 1000)
