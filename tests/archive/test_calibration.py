"""What an archive adds to the shipped calibration: added whole, refused with a sentence, listed."""

import json
import pickle
import shutil
from contextlib import nullcontext

import numpy as np
import pytest

from archive import Archive
from archive.calibration import AddStatus, add_calibration, calibration_catalog, list_calibration
from stixcore.calibration.catalog import SHIPPED
from stixcore.errors import CalibrationError

CAL_NAME = "solo_CAL_stix-cal-energy_20250302T230511-20250303T230512_V02.fits"
NEW = "elut_table_20270105.csv"


@pytest.fixture
def published(shared_data, tmp_path):
    """A folder as STIX-CONF might publish it later: one table more."""
    folder = tmp_path / "published"
    folder.mkdir()
    source = shared_data / "tables" / "elut"
    text = (source / "elut_table_20260529.csv").read_text()
    (folder / NEW).write_text(text.replace(",931,940,", ",932,941,", 1))
    index = (source / "elut_index.csv").read_text().replace("none", "2027-02-01T00:00:00")
    (folder / "elut_index.csv").write_text(f"{index}\n18, 2027-02-01T00:00:00, none, {NEW}")
    return folder


def add(root, *paths):
    return {one.name: one for one in add_calibration(root, paths, nullcontext())}


def test_without_a_folder_it_is_the_shipped_one(tmp_path):
    assert calibration_catalog(tmp_path) is SHIPPED


def test_a_newer_table_is_added_without_a_release(tmp_path, published):
    outcome = add(tmp_path, published)
    assert {one.status for one in outcome.values()} == {AddStatus.ADDED}
    catalog = calibration_catalog(tmp_path)
    assert catalog.energy_table_at(np.datetime64("2027-03-01")).name == "elut_table_20270105"
    assert catalog.energy_table_at(np.datetime64("2027-01-31")).name == "elut_table_20260529"
    assert catalog.doubt_about(np.datetime64("2027-09-01")) == ""
    assert SHIPPED.doubt_about(np.datetime64("2027-09-01"))
    again = pickle.loads(pickle.dumps(catalog))  # on the way to a worker
    assert again.validity == catalog.validity
    assert again.tables["elut_table_20270105"].agrees_with(catalog.tables["elut_table_20270105"])
    assert {one.status for one in add(tmp_path, published).values()} == {AddStatus.KNOWN}


def test_the_shipped_tables_are_known(tmp_path, shared_data):
    outcome = add(tmp_path, shared_data / "tables" / "elut")
    assert {one.status for one in outcome.values()} == {AddStatus.KNOWN}
    assert len(outcome) == 26
    assert calibration_catalog(tmp_path) is SHIPPED


@pytest.mark.parametrize(
    ("name", "old", "new", "word"),
    [
        (NEW, ",932,941,", ",999,941,", "941 is not above the edge before it"),
        ("elut_index.csv", "2027-02-01T00:00:00, none", "2026-02-01T00:00:00, none", "both in force"),
        ("elut_index.csv", NEW, "elut_table_20270106.csv", "neither here nor given"),
        (
            "elut_index.csv",
            "2025-06-09T00:05:18",
            "2025-06-10T00:05:18",
            "the known list: elut_table_20250523",
        ),
    ],
)
def test_damaged_and_contradictory_tables_are_refused_together(tmp_path, published, name, old, new, word):
    path = published / name
    path.write_text(path.read_text().replace(old, new))
    outcome = add(tmp_path, published)
    assert {one.status for one in outcome.values()} == {AddStatus.REFUSED}
    assert word in " ".join(one.reason for one in outcome.values())
    assert not (tmp_path / "calibration").exists()


def test_a_table_without_its_list_is_refused(tmp_path, published):
    (one,) = add(tmp_path, published / NEW).values()
    assert "elut_index.csv must be added with it" in one.reason


def test_other_numbers_under_a_known_name_are_refused(tmp_path, published):
    path = (published / NEW).rename(published / "elut_table_20260529.csv")
    (one,) = add(tmp_path, path).values()
    assert "other numbers" in one.reason


def test_a_table_that_its_list_does_not_name_is_refused(tmp_path, published):
    text = (published / NEW).read_text()
    (published / "elut_table_20270106.csv").write_text(text)
    outcome = add(tmp_path, published)
    assert {one.status for one in outcome.values()} == {AddStatus.REFUSED}
    assert "does not say when elut_table_20270106 is in force" in outcome["elut_table_20270106.csv"].reason
    assert not (tmp_path / "calibration").exists()


@pytest.mark.parametrize(
    ("pattern", "edit"),
    [
        ("science_echan_index.csv", lambda text: text.replace("2023-01-30", "2023-01-29")),
        ("PhaseCorrFactors.csv", lambda text: text.replace("1", "2", 1)),
    ],
)
def test_other_channels_or_phases_than_the_shipped_ones_are_refused(tmp_path, shared_data, pattern, edit):
    folder = shutil.copytree(shared_data / "tables" / "elut", tmp_path / "tables", copy_function=shutil.copyfile)
    folder.chmod(0o755)
    (path,) = folder.glob(pattern)
    text = path.read_text()
    assert edit(text) != text
    path.write_text(edit(text))
    (one,) = add(tmp_path, path).values()
    assert one.status is AddStatus.REFUSED
    assert "differs from what this software ships" in one.reason


def test_another_cal_file_of_a_known_name_is_refused(tmp_path, shared_data):
    path = shared_data / "products" / CAL_NAME
    add(tmp_path, path)
    other = tmp_path / "other" / CAL_NAME
    other.parent.mkdir()
    other.write_bytes(path.read_bytes() + bytes(2880))
    one = add(tmp_path, other)[CAL_NAME]
    assert (one.status, "another file of that name" in one.reason) == (AddStatus.REFUSED, True)
    kept = tmp_path / "calibration" / "cal" / CAL_NAME
    assert kept.read_bytes() == path.read_bytes()


def test_files_that_are_no_calibration_are_refused(tmp_path):
    path = tmp_path / "measures.csv"
    path.write_text("a,b\n")
    outcome = add(tmp_path, path, tmp_path / "missing.csv")
    assert "is not a calibration file" in outcome["measures.csv"].reason
    assert outcome["missing.csv"].status is AddStatus.REFUSED


def test_a_cal_file_is_added_and_chosen(tmp_path, shared_data):
    path = shared_data / "products" / CAL_NAME
    assert add(tmp_path, path)[CAL_NAME].status is AddStatus.ADDED
    assert add(tmp_path, path)[CAL_NAME].status is AddStatus.KNOWN
    start = np.datetime64("2025-03-03T12:00", "us")
    chosen = calibration_catalog(tmp_path).choose(start, start + np.timedelta64(60, "s"))
    assert chosen.cal_file.name == CAL_NAME
    (listed,) = [entry for entry in list_calibration(tmp_path) if entry.kind == "CAL file"]
    assert (listed.name, listed.sha256, listed.source) == (CAL_NAME, chosen.cal_file.sha256, "archive")


def test_a_cal_file_that_contradicts_itself_is_refused(tmp_path, shared_data):
    from astropy.io import fits

    path = tmp_path / CAL_NAME
    shutil.copyfile(shared_data / "products" / CAL_NAME, path)
    with fits.open(path, mode="update") as hdus:
        hdus["DATA"].data["offset"][0, 3, 5] += 1.0
    assert "its edges differ by 0.1" in add(tmp_path, path)[CAL_NAME].reason
    assert not (tmp_path / "calibration").exists()


def test_a_truncated_cal_file_is_refused(tmp_path, shared_data):
    path = tmp_path / CAL_NAME
    path.write_bytes((shared_data / "products" / CAL_NAME).read_bytes()[:40_000])
    assert add(tmp_path, path)[CAL_NAME].status is AddStatus.REFUSED


def test_a_damaged_folder_is_a_sentence(tmp_path, published):
    archive = Archive(tmp_path / "archive", create=True)
    add(archive.root, published)
    assert archive.calibration.added
    (archive.root / "calibration" / "cal_files.json").write_text("{}]")
    with pytest.raises(CalibrationError, match=r"calibration/cal_files\.json must list"):
        _ = archive.calibration
    (archive.root / "calibration" / "cal_files.json").write_text("[]")
    (archive.root / "calibration" / NEW).unlink()
    (archive.root / "calibration" / "elut_index.csv").touch()
    with pytest.raises(CalibrationError, match=rf"calibration/{NEW} cannot be read"):
        _ = archive.calibration


def test_the_command(tmp_path, published, capsys):
    from jobs.cli import main

    root = str(tmp_path / "archive")
    assert main(["calibration", "add", str(published), "--archive", root]) == 0
    assert main(["calibration", "add", str(published / "nothing.csv"), "--archive", root]) == 1
    assert main(["calibration", "add", "--archive", root]) == 2
    capsys.readouterr()
    assert main(["calibration", "list", "--json", "--archive", root]) == 0
    listed = json.loads(capsys.readouterr().out)
    (new,) = [one for one in listed if one["name"] == "elut_table_20270105"]
    assert (new["kind"], new["start"][:10], new["end"]) == ("energy table", "2027-02-01", None)
    assert new["source"] == "archive"
    assert len(new["sha256"]) == 64
    assert sum(one["kind"] == "energy table" for one in listed) == 20
