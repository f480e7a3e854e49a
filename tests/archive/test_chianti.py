"""The CHIANTI tables of SolarSoft in an archive: added together, checked, used, listed."""

from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest

from archive import Archive
from archive import chianti as present
from archive.checks.findings import Code
from archive.checks.run import check
from archive.chianti import CHIANTI_FOLDER, is_present_table, list_chianti, thermal_table
from archive.ingest import chianti as adding
from archive.ingest.added_files import AddStatus
from archive.ingest.calibration import add_calibration
from stixcore.errors import CalibrationError, InvalidProduct
from stixcore.references import TableReference
from stixcore.spectra.models.thermal import built_in_table

NAMES = ("chianti_cont_1_250_v71.sav", "chianti_lines_1_10_v71.sav", "xray_abun_file.genx")
NOW = np.datetime64("2027-06-01", "us")


@pytest.fixture
def published(tmp_path):
    """A folder with files of the right names."""
    folder = tmp_path / "published"
    folder.mkdir()
    for name in NAMES:
        (folder / name).write_bytes(name.encode() * 100)
    return folder


@pytest.fixture
def readable(monkeypatch):
    """The built-in table as the content of any three files; what is read of real ones is tested with their reader."""
    for module in (adding, present):
        monkeypatch.setattr(module, "read_chianti_files", lambda *_: built_in_table())


def add(root, *paths):
    return {one.name: one for one in add_calibration(root, paths, nullcontext())}


def test_without_files_the_built_in_table_is_listed(tmp_path):
    assert thermal_table(tmp_path) is None
    (entry,) = list_chianti(tmp_path)
    assert (entry.kind, entry.name) == ("thermal emission", "CHIANTI 10.1 (built in)")


@pytest.mark.usefixtures("readable")
def test_three_files_are_added_used_and_listed(tmp_path, published):
    root = tmp_path / "archive"
    outcome = add(root, published)
    assert {name: one.status for name, one in outcome.items()} == dict.fromkeys(NAMES, AddStatus.ADDED)
    assert thermal_table(root) is not None
    assert [entry.name for entry in list_chianti(root)] == list(NAMES)
    assert {one.status for one in add(root, published).values()} == {AddStatus.KNOWN}


@pytest.mark.usefixtures("readable")
def test_a_recipe_has_the_present_table_by_its_name(tmp_path, published):
    root = tmp_path / "archive"
    built_in = built_in_table().reference
    added = TableReference(f"CHIANTI 7.1.3 ({NAMES[1]}, {NAMES[0]})", "0" * 64)
    assert (is_present_table(root, built_in), is_present_table(root, added)) == (True, False)
    assert not is_present_table(root, replace(built_in, sha256="0" * 64))  # of another version of the software
    add(root, published)
    assert (is_present_table(root, built_in), is_present_table(root, added)) == (False, True)
    (root / CHIANTI_FOLDER / NAMES[2]).unlink()
    with pytest.raises(CalibrationError, match="no file of abundances"):
        is_present_table(root, added)


@pytest.mark.usefixtures("readable")
def test_a_newer_set_replaces_the_old_one(tmp_path, published):
    root = tmp_path / "archive"
    add(root, published)
    for name in NAMES[:2]:
        (published / name).rename(published / name.replace("v71", "v901"))
    assert {one.status for one in add(root, published).values()} == {AddStatus.ADDED}
    found = sorted(path.name for path in (root / CHIANTI_FOLDER).iterdir())
    assert found == ["SHA256SUMS", *sorted(name.replace("v71", "v901") for name in NAMES)]


@pytest.mark.usefixtures("readable")
@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda folder: (folder / NAMES[1]).unlink(), "the CHIANTI file of lines is missing"),
        (lambda folder: (folder / "chianti_lines_2_v9.sav").write_bytes(b"x"), "there is another file of lines"),
    ],
)
def test_two_of_a_kind_and_an_incomplete_set_are_refused(tmp_path, published, change, sentence):
    change(published)
    outcome = add(tmp_path / "archive", published)
    assert {one.status for one in outcome.values()} == {AddStatus.REFUSED}
    assert all(sentence in one.reason for one in outcome.values())
    assert not (tmp_path / "archive" / CHIANTI_FOLDER).exists()


def test_files_that_are_no_tables_are_refused_with_the_reason(tmp_path, published, monkeypatch):
    outcome = add(tmp_path / "archive", published)
    assert all("expected abundances named sun_coronal_ext" in one.reason for one in outcome.values())
    monkeypatch.setattr(adding, "MAX_CHIANTI_BYTES", 100)
    outcome = add(tmp_path / "archive", published)
    assert all("has more than the 100 bytes" in one.reason for one in outcome.values())


@pytest.mark.usefixtures("readable")
def test_damage_is_found_and_repaired_by_adding_again(tmp_path, published):
    archive = Archive(tmp_path / "archive", create=True)
    add(archive.root, published)
    assert not check(archive, NOW)
    damaged = archive.root / CHIANTI_FOLDER / NAMES[0]
    damaged.write_bytes(b"other")
    with pytest.raises(CalibrationError, match="is not as it was added"):
        thermal_table(archive.root)
    damaged.unlink()
    with pytest.raises(CalibrationError, match="has no file of continuum"):
        thermal_table(archive.root)
    (finding,) = check(archive, NOW)
    assert finding.code is Code.CALIBRATION_DAMAGED
    assert {one.status for one in add(archive.root, published).values()} == {AddStatus.ADDED}
    assert not check(archive, NOW)


def test_a_deep_check_reads_the_files(tmp_path, published, readable, monkeypatch):
    archive = Archive(tmp_path / "archive", create=True)
    add(archive.root, published)

    def unreadable(*_):
        raise InvalidProduct(NAMES[0], "an IDL save file", "nothing")

    monkeypatch.setattr(present, "read_chianti_files", unreadable)
    assert [finding.code for finding in check(archive, NOW, deep=True)] == [Code.CALIBRATION_DAMAGED]
