"""The read model makes queries quick and never hides a row."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from archive import Archive
from archive.index.read_model import current


@pytest.fixture
def built(archive: Archive, make) -> Archive:
    archive.upsert("images", [make.image(n, f"2022-{n + 1:02d}-01") for n in range(6)])
    archive.build_read_model()
    return archive


def ids(archive: Archive) -> list[str]:
    rows = archive.images(limit=100)
    assert archive.count_images() == len(rows)
    assert sorted(row.image_id for row in archive.images(limit=100)) == sorted(row.image_id for row in rows)
    return [row.image_id for row in rows]


def test_it_answers_alone_when_nothing_changed(built: Archive) -> None:
    expected = ids(built)
    shutil.move(built.index / "images", built.index / "elsewhere")  # only to see where the rows come from
    assert ids(built) == expected


@pytest.mark.parametrize("day", ["2022-01-01", "2022-01-31T23:59:59", "2022-12-01", "2031-01-01"])
def test_what_was_written_since_is_seen_at_once(built: Archive, make, day: str) -> None:
    new = make.image(99, day)
    built.upsert("images", [new])
    assert set(ids(built)) == {make.image(n).image_id for n in range(6)} | {new.image_id}
    assert built.image(new.image_id) == new
    built.upsert("images", [make.image(0, "2022-01-01", size=5)])
    assert built.image(make.image(0).image_id).size == 5


def test_what_was_removed_or_moved_since_is_gone_at_once(built: Archive, make) -> None:
    built.delete("images", [make.image(0).image_id])
    built.upsert("images", [make.image(1, "2023-05-05")])
    assert set(ids(built)) == {make.image(n).image_id for n in range(1, 6)}
    assert str(built.image(make.image(1).image_id).t_start) == "2023-05-05T00:00:00.000000"


def test_only_changed_months_are_listed(built: Archive, make) -> None:
    built.upsert("images", [make.image(0, "2022-01-01", size=9)])
    built.upsert("images", [make.image(0, "2022-01-01", size=9)])
    built.upsert("runs", [make.run("00")])
    model = current(built.index)
    assert model is not None
    assert model.changed == {"images": ("2022-01",), "runs": ("2022-11",)}


def test_building_twice_changes_nothing(built: Archive, make) -> None:
    before = make.tree(built.root)
    built.build_read_model()
    assert make.tree(built.root) == before


def test_older_models_go_and_the_last_one_stays_for_readers(built: Archive, make) -> None:
    for n in range(4):
        built.upsert("images", [make.image(n, "2022-01-01", size=100 + n)])
        built.build_read_model()
    model = current(built.index)
    assert model is not None
    files = {path.name for path in (built.index / "read").iterdir()}
    assert len(files) == 3
    assert {"current.json", model.database.name} < files


def test_a_reader_goes_on_while_models_come_and_go(built: Archive, make) -> None:
    other = Archive(built.root)
    for n in range(8):
        built.upsert("images", [make.image(0, "2022-01-01", n_iter=n)])
        assert other.image(make.image(0).image_id).n_iter == n
        built.build_read_model()
        assert other.image(make.image(0).image_id).n_iter == n


def test_killed_between_the_mark_and_the_month(built: Archive, make, monkeypatch) -> None:
    expected = ids(built)
    with monkeypatch.context() as patched:
        patched.setattr("archive.index.write.atomic_path", lambda path: (_ for _ in ()).throw(OSError("power cut")))
        with pytest.raises(OSError, match="power cut"):
            built.upsert("images", [make.image(9, "2022-02-02")])
    assert ids(built) == expected


def test_killed_while_a_model_was_built(built: Archive, make, monkeypatch) -> None:
    built.upsert("images", [make.image(9, "2022-02-02")])
    expected = ids(built)
    with monkeypatch.context() as patched:
        patched.setattr("archive.index.read_model._point", lambda *_: (_ for _ in ()).throw(OSError("power cut")))
        with pytest.raises(OSError, match="power cut"):
            built.build_read_model()
    assert ids(built) == expected
    built.build_read_model()
    assert ids(built) == expected
    assert len(list((built.index / "read").glob("*.duckdb"))) == 2


@pytest.mark.parametrize("damage", ["folder", "database", "pointer", "pointer elsewhere", "database rubbish"])
def test_it_may_be_damaged_or_deleted_at_any_time(built: Archive, make, damage: str) -> None:
    expected = ids(built)
    model = current(built.index)
    assert model is not None
    pointer = built.index / "read" / "current.json"
    match damage:
        case "folder":
            shutil.rmtree(built.index / "read")
        case "database":
            model.database.unlink()
        case "pointer":
            pointer.write_text("{")
        case "pointer elsewhere":
            pointer.write_text(json.dumps({"database": "../../../etc/passwd", "changed": {}}))
        case "database rubbish":
            model.database.write_bytes(b"rubbish" * 1000)
    for archive in (built, Archive(built.root)):  # one that had it open, and one that did not
        assert ids(archive) == expected
    built.upsert("images", [make.image(9, "2022-02-02")])
    assert len(ids(built)) == 7
    built.build_read_model()
    assert len(ids(built)) == 7
    assert len(ids(Archive(built.root))) == 7


def test_an_empty_archive_has_one_too(archive: Archive) -> None:
    path = archive.build_read_model()
    assert isinstance(path, Path)
    assert ids(archive) == []
