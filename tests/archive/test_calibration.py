"""What an archive adds to the shipped calibration: added whole, refused with a sentence, listed."""

import hashlib
import json
import os
import pickle
import shutil
from contextlib import contextmanager, nullcontext

import numpy as np
import pytest
from astropy.io import fits

from archive import Archive
from archive.calibration import calibration_catalog, list_calibration
from archive.checks.findings import Code
from archive.checks.run import check
from archive.ingest.added_files import AddStatus
from archive.ingest.calibration import add_calibration
from jobs.cli.doctor import Verdict, examine
from stixcore.calibration.catalog import SHIPPED
from stixcore.errors import CalibrationError

NOW = np.datetime64("2027-06-01", "us")
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
        ("elut_index.csv", NEW, "elut_table_20270106.csv", "neither in the archive nor among the files"),
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
    assert "elut_index.csv must be added together with the table" in one.reason


def test_other_numbers_under_a_known_name_are_refused(tmp_path, published):
    path = (published / NEW).rename(published / "elut_table_20260529.csv")
    (one,) = add(tmp_path, path).values()
    assert "other numbers" in one.reason


def test_a_table_that_its_list_does_not_name_is_refused(tmp_path, published):
    text = (published / NEW).read_text()
    (published / "elut_table_20270106.csv").write_text(text)
    outcome = add(tmp_path, published)
    assert {one.status for one in outcome.values()} == {AddStatus.REFUSED}
    assert "has no period of validity for elut_table_20270106" in outcome["elut_table_20270106.csv"].reason
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


TABLE = NEW.removesuffix(".csv")
BEFORE, AFTER = np.datetime64("2026-06-01", "us"), np.datetime64("2027-03-01", "us")


@pytest.fixture
def own(tmp_path, published, shared_data):
    """An archive with a table and a CAL file of its own, and its folder of calibration."""
    archive = Archive(tmp_path / "archive", create=True)
    outcome = add(archive.root, published, shared_data / "products" / CAL_NAME)
    assert {one.status for one in outcome.values()} == {AddStatus.ADDED}
    return archive, archive.root / "calibration"


def edited(name, old, new):
    def edit(folder):
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new, 1))

    return edit


def replaced(name, make):
    def edit(folder):
        (folder / name).unlink()
        make(folder / name)

    return edit


@pytest.mark.parametrize(
    ("damage", "word"),
    [
        (edited(NEW, "895.13635", "895.2"), f"calibration/{NEW} was changed after it was added"),
        (edited(NEW, "895.13635", ""), f"calibration/{NEW} was changed after it was added"),
        (replaced(NEW, lambda path: None), f"{NEW} cannot be read: No such file"),
        (replaced(NEW, lambda path: path.symlink_to("/dev/zero")), f"{NEW} is not a regular file but a symbolic link"),
        (replaced(NEW, os.mkfifo), f"{NEW} is not a regular file but a pipe"),
        (edited("elut_index.csv", "2027-02-01", "2027-02-02"), "elut_index.csv was changed after it was added"),
        (replaced("elut_index.csv", lambda path: None), "elut_index.csv cannot be read"),
        (replaced("elut_index.csv", lambda path: path.write_bytes(b"\xff\0")), "elut_index.csv was changed"),
        (edited("SHA256SUMS", "  ", " is "), "SHA256SUMS, line 1: "),
    ],
)
def test_damage_stops_those_who_need_it_is_found_and_restored(own, published, shared_data, damage, word):
    archive, folder = own
    whole = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    damage(folder)
    assert archive.calibration.energy_table_at(BEFORE).name == "elut_table_20251120"
    with pytest.raises(CalibrationError, match=word):
        archive.calibration.energy_table_at(AFTER)
    assert any(word in text for text in archive.calibration.faults.sentences)
    (found,) = [one for one in check(archive, NOW) if one.code is Code.CALIBRATION_DAMAGED]
    assert word in found.message
    answers = {one.subject: one for one in examine(archive.root, NOW, pages="")}
    assert answers["energy tables"].verdict is Verdict.WRONG
    outcome = add(archive.root, published, shared_data / "products" / CAL_NAME)
    assert AddStatus.REFUSED not in {one.status for one in outcome.values()}, outcome
    assert AddStatus.RESTORED in {one.status for one in outcome.values()}
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == whole
    assert archive.calibration.energy_table_at(AFTER).name == TABLE
    assert not [one for one in check(archive, NOW) if one.code.startswith("calibration-")]


def test_an_unusable_list_of_tables_is_refused(tmp_path, published):
    path = published / "elut_index.csv"
    good = path.read_text()
    path.write_text(f"{good.replace('none', '2027-03-01T00:00:00')}\n19, 2027-03-01T00:00:00, none, {NEW}")
    outcome = add(tmp_path, published)
    assert "lines 21 and 22: elut_table_20270105 is said to start both at" in outcome["elut_index.csv"].reason
    assert not (tmp_path / "calibration").exists()
    path.write_text(good)
    assert add(tmp_path, published)["elut_index.csv"].status is AddStatus.ADDED


def test_a_cal_file_that_was_truncated_is_restored(own, shared_data):
    archive, folder = own
    stored = folder / "cal" / CAL_NAME
    whole = stored.read_bytes()
    for damage in (lambda: stored.write_bytes(whole[:5000]), stored.unlink):
        damage()
        assert add(archive.root, shared_data / "products" / CAL_NAME)[CAL_NAME].status is AddStatus.RESTORED
        assert stored.read_bytes() == whole
    stored.unlink()
    start = np.datetime64("2025-03-03T12:00", "us")
    with pytest.raises(CalibrationError, match=r"CAL file .* is not there"):
        archive.calibration.choose(start, start + np.timedelta64(60, "s"))
    far = start + np.timedelta64(60, "D")
    assert archive.calibration.choose(far, far + np.timedelta64(60, "s")).cal_file is None


ROW_DAMAGE = [
    ("[" * 100_000, "is not JSON"),
    ("{}", "must list the CAL files, and holds"),
    ("[null]", "row 1: 'None' is not an object"),
    (b"\xff", "is not text"),
    ({"name": "../../../etc/passwd"}, "name: '../../../etc/passwd' is invalid"),
    ({"name": 5}, "name must be str, found '5'"),
    ({"sha256": "0"}, "sha256: '0' is invalid"),
    ({"t_start": "today"}, "is not a time"),
    ({"t_start": None}, "t_start must be str, found 'None'"),
    ({"t_end": "2025-01-01"}, "t_end: '2025-01-01' is invalid"),
    ({"livetime_s": float("inf")}, "livetime_s: 'inf' is invalid"),
    ({"duration_s": None}, "duration_s must be float, found 'None'"),
    ({"version": [float("inf"), True]}, "version: .* is invalid"),
    ({"version": {}}, "version must be list, found '{}'"),
    ({"energy_table": "x" * 100_000}, "energy_table: 'x{79}…' is invalid"),
]


@pytest.mark.parametrize(("damage", "word"), ROW_DAMAGE, ids=range(len(ROW_DAMAGE)))
def test_a_damaged_list_of_cal_files_is_a_sentence(own, shared_data, damage, word):
    archive, folder = own
    path = folder / "cal_files.json"
    if isinstance(damage, dict):
        damage = json.dumps([json.loads(path.read_text())[0] | damage])
    path.write_bytes(damage if isinstance(damage, bytes) else damage.encode())
    with pytest.raises(CalibrationError, match=word) as error:
        archive.calibration.reference_at(AFTER, AFTER)
    assert len(str(error.value)) < 300
    assert archive.calibration.energy_table_at(AFTER).name == TABLE
    assert add(archive.root, shared_data / "products" / CAL_NAME)[CAL_NAME].status is AddStatus.KNOWN
    assert archive.calibration.cal_files


def test_a_file_in_place_of_the_folder_is_a_sentence(tmp_path, published):
    archive = Archive(tmp_path / "archive", create=True)
    (archive.root / "calibration").write_text("")
    assert archive.calibration.energy_table_at(BEFORE).name == "elut_table_20251120"
    with pytest.raises(CalibrationError, match="the folder calibration of the archive cannot be read"):
        archive.calibration.energy_table_at(AFTER)
    assert "cannot be written" in add(archive.root, published)[NEW].reason


def test_one_refused_file_does_not_stop_the_others(tmp_path, published, shared_data):
    source = shared_data / "products" / CAL_NAME
    link, pipe = tmp_path / CAL_NAME.replace("_V02", "_V03"), tmp_path / CAL_NAME.replace("_V02", "_V01")
    link.symlink_to(source)
    os.mkfifo(pipe)
    outcome = add(tmp_path, pipe, link, source, published)
    assert outcome[CAL_NAME].status is outcome[NEW].status is AddStatus.ADDED
    assert "is not a regular file but a pipe" in outcome[pipe.name].reason
    assert "is not a regular file but a symbolic link" in outcome[link.name].reason
    assert [file.name for file in calibration_catalog(tmp_path).cal_files] == [CAL_NAME]


def test_the_lock_is_not_held_while_files_are_read(tmp_path, published):
    held = []

    @contextmanager
    def lock():
        for path in published.iterdir():
            path.write_text("changed once the lock was taken")
        held.append(True)
        yield

    outcome = {one.name: one.status for one in add_calibration(tmp_path, [published], lock())}
    assert set(outcome.values()) == {AddStatus.ADDED}
    assert held
    assert calibration_catalog(tmp_path).energy_table_at(AFTER).name == TABLE


def test_two_folders_with_a_list_each(tmp_path, published):
    other = shutil.copytree(published, tmp_path / "other")
    assert {one.status for one in add(tmp_path, published, other).values()} == {AddStatus.ADDED}
    shutil.rmtree(tmp_path / "calibration")
    path = other / NEW
    path.write_text(path.read_text().replace("895.13635", "895.2"))
    outcome = add(tmp_path, published, other)
    assert {one.status for one in outcome.values()} == {AddStatus.REFUSED}
    assert not (tmp_path / "calibration").exists()


def test_tables_without_a_record_get_one(own):
    archive, folder = own
    record = (folder / "SHA256SUMS").read_text()
    (folder / "SHA256SUMS").unlink()
    (found,) = [one for one in check(archive, NOW, repair=True) if one.code is Code.CALIBRATION_UNRECORDED]
    assert found.repaired
    assert (folder / "SHA256SUMS").read_text() == record
    names = {line.split("  ")[1]: line.split("  ")[0] for line in record.splitlines()}
    assert names == {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in (NEW, "elut_index.csv")}


def changed_cal(shared_data, folder, change):
    path = folder / CAL_NAME
    with fits.open(shared_data / "products" / CAL_NAME) as hdus:
        change(hdus)
        hdus.writeto(path, checksum=True)
    return path


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda hdus: hdus["DATA"].data["gain"].fill(np.nan), "expected gains of"),
        (lambda hdus: hdus["DATA"].data["gain"].__imul__(1.9), "expected gains of"),
        (lambda hdus: hdus["DATA"].data["offset"].fill(np.nan), "expected offsets of"),
        (lambda hdus: hdus["DATA"].data["e_edges_actual"].__imul__(1.5), "expected edges of"),
        (lambda hdus: hdus[0].header.set("LIVETIME", 1e300), "expected a LIVETIME of 0 to the 86400 s"),
        (lambda hdus: hdus[0].header.set("DATE-BEG", "today"), "DATE-BEG"),
        (lambda hdus: hdus[0].header.set("DATE-BEG", 20250302), "DATE-BEG"),
    ],
)
def test_a_cal_file_with_impossible_numbers_is_refused(tmp_path, shared_data, change, word):
    assert word in add(tmp_path, changed_cal(shared_data, tmp_path, change))[CAL_NAME].reason


def test_a_cal_file_whose_gains_are_marked_is_noted(tmp_path, shared_data):
    path = changed_cal(shared_data, tmp_path, lambda hdus: hdus["DATA"].data["gain_range_ok"].fill(False))
    (one,) = add(tmp_path, path).values()
    assert one.status is AddStatus.ADDED
    assert "marks its gains as out of range" in one.reason


def test_a_cal_file_whose_checksum_does_not_fit_is_refused(tmp_path, shared_data):
    path = tmp_path / CAL_NAME
    content = (shared_data / "products" / CAL_NAME).read_bytes()
    path.write_bytes(content.replace(b"LIVETIME=   44224", b"LIVETIME=   44225", 1))
    assert path.read_bytes() != content
    assert "CHECKSUM" in add(tmp_path, path)[CAL_NAME].reason


def test_the_command(tmp_path, published, capsys):
    from jobs.cli.parser import main

    root = str(tmp_path / "archive")
    assert main(["calibration", "add", str(published), "--archive", root]) == 0
    again = "the next stix-jobs previews makes affected previews and spectra again"
    assert again in capsys.readouterr().err
    assert main(["calibration", "add", str(published), "--archive", root]) == 0
    assert again not in capsys.readouterr().err  # the archive had them
    assert main(["calibration", "add", str(published / "nothing.csv"), "--archive", root]) == 1
    assert main(["calibration", "add", "--archive", root]) == 2
    assert main(["calibration", "add", "--archive", root, str(published)]) == 0
    assert main(["calibration", "--archive", root, "add", str(published)]) == 0
    assert not (tmp_path / "stix-archive").exists()
    capsys.readouterr()
    assert main(["calibration", "list", "--json", "--archive", root]) == 0
    listed = json.loads(capsys.readouterr().out)
    (new,) = [one for one in listed if one["name"] == "elut_table_20270105"]
    assert (new["kind"], new["start"][:10], new["end"]) == ("energy table", "2027-02-01", None)
    assert new["source"] == "archive"
    assert len(new["sha256"]) == 64
    assert sum(one["kind"] == "energy table" for one in listed) == 20
