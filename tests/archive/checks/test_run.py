"""Damage of every kind to files and index is found and repaired, and nothing is left. Images: jobs/cli/test_repair."""

import json
import os
import shutil
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from astropy.io import fits

from archive import Archive, Flare
from archive.checks.findings import (
    KINDS,
    Code,
    Finding,
    Level,
    codes_markdown,
    is_sound,
    keep_findings,
    last_findings,
)
from archive.checks.run import check
from archive.index.schema import FILE_TABLES, TABLES, table_named
from archive.ingest.ingest import ingest
from archive.ingest.refile import describe_filed
from stixcore.simulation.campaign import simulate_campaign

CODES = {str(code): code for code in Code}


def later(hours=2.0):
    """Some time after everything that this test wrote."""
    return np.datetime64(time.time_ns() // 1000, "us") + np.timedelta64(round(hours * 3600), "s")


def rows_of(archive, *, apart=("ingested_at",)):
    """All rows of all tables, some columns apart."""
    found = {}
    for name, table in TABLES.items():
        rows = archive.query(f"SELECT * FROM {name} ORDER BY {table.key}").to_pylist()
        found[name] = [{key: value for key, value in row.items() if key not in apart} for row in rows]
    curves = archive.query("SELECT * FROM lightcurves ORDER BY simulated, time").to_pylist()
    return found | {"lightcurves": curves}


def codes(findings, *, info=False):
    return {str(one.code) for one in findings if info or one.level is not Level.INFO}


@pytest.fixture(scope="module")
def template(make, tmp_path_factory):
    """Build an archive: two versions of an observation, files of two months, light curves, auxiliary file, flares."""
    source = tmp_path_factory.mktemp("source")
    for file in (
        make.pixel_file(version="01"),
        make.pixel_file(version="02"),
        make.pixel_file(start="2022-11-20T03:00:00.000", uid="2211200001", counts=5),
        make.pixel_file(start="2022-12-01T03:00:00.000", uid="2212010001", purpose="BKG quiet, Background, CL1"),
    ):
        file.write(source)
    simulate_campaign(source, 1, np.datetime64("2026-03-14T06:00:00", "us"), 0.1, 0.0, science=False)
    archive = Archive(tmp_path_factory.mktemp("template") / "archive", create=True)
    outcomes = ingest(archive, [source], make.now)
    assert {outcome.status for outcome in outcomes} == {"ingested"}
    archive.upsert(
        "flares",
        [
            Flare(
                flare_id=f"22111{day}1200",
                t_peak=np.datetime64(f"2022-11-1{day}T12:00", "us"),
                source="list.csv",
                updated_at=make.now,
            )
            for day in (1, 2)
        ],
    )
    archive.build_read_model()
    archive.close()
    return archive


@pytest.fixture
def own(template, tmp_path, described_once, monkeypatch):
    """A copy of it that a test may damage."""
    monkeypatch.setattr("archive.checks.files.describe_filed", described_once)
    root = tmp_path / "archive"
    shutil.copytree(template.root, root)
    return Archive(root)


@pytest.fixture(scope="module")
def sound(template):
    """All rows of the template: those of every copy before its damage."""
    rows = rows_of(template, apart=())
    template.close()
    return rows


@pytest.fixture
def before(sound):
    """The same without the times at which files came, which a repair may change."""
    return {
        name: [{k: v for k, v in row.items() if k != "ingested_at"} for row in rows] for name, rows in sound.items()
    }


def science(archive, text="2211200001"):
    """The science file whose name holds a text."""
    (path,) = archive.root.glob(f"fits/*/*/*/*/SCI/*{text}*")
    return path


def relative(archive, path):
    return str(path.relative_to(archive.root))


def flip(path, place=-3000):
    content = bytearray(path.read_bytes())
    content[place] ^= 0x40
    path.write_bytes(content)


def month(archive, table="science_files", name="2022-11"):
    return archive.index / table / f"{name}.parquet"


def without_model(archive):
    archive.close()
    shutil.rmtree(archive.index / "read")


def mended(archive):
    """Repair, and see that nothing is left to find; returns what was found."""
    found = check(archive, later(), repair=True)
    assert is_sound(found), [one.message for one in found]
    again = check(archive, later())
    assert codes(again) == set(), [one.message for one in again]
    return found


# Sound ----------------------------------------------------------------------------------------------------------------


def test_sound_archive_shows_nothing_and_stays_as_it_is(own, make):
    before = make.tree(own.root)
    for deep in (False, True):
        for repair in (False, True):
            assert check(own, later(), deep=deep, repair=repair) == ()
            assert make.tree(own.root) == before


def test_empty_archive_is_sound(archive):
    assert check(archive, later(), repair=True) == ()


def test_progress_is_told(own):
    told = []
    check(own, later(), progress=lambda *step: told.append(step))
    files = [step for step in told if step[0] == "files"]
    assert [done for _, done, _ in files] == list(range(7))
    assert {total for *_, total in files} == {6}


# Files ----------------------------------------------------------------------------------------------------------------


def gone(archive, make):
    science(archive).unlink()


def damaged(archive, make):
    flip(science(archive))


def truncated(archive, make):
    path = science(archive)
    path.write_bytes(path.read_bytes()[:-2880])


def emptied(archive, make):
    science(archive).write_bytes(b"")


def without_row(archive, make):
    archive.delete("science_files", [science(archive).name])


def exchanged(archive, make):
    path = science(archive)
    path.unlink()
    make.pixel_file(start="2022-11-20T03:00:00.000", uid="2211200001", counts=55, name=path.name).write(path.parent)


def exchanged_without_proof(archive, make):
    exchanged(archive, make)
    path = science(archive)
    with fits.open(path) as hdus:
        for hdu in hdus:
            for key in ("CHECKSUM", "DATASUM"):
                hdu.header.remove(key)
        hdus.writeto(path.with_name("x"))
    path.with_name("x").replace(path)


def false_row(archive, make):
    row = archive.science_file(science(archive).name)
    archive.upsert("science_files", [replace(row, counts=row.counts + 1000, n_bins=7)])


def unmarked(archive, make):
    row = archive.science_file(science(archive, "V01_2211116471").name)
    assert row.superseded_by == science(archive, "V02_2211116471").name
    archive.upsert("science_files", [replace(row, superseded_by=None)])


def wrongly_marked(archive, make):
    row = archive.science_file(science(archive).name)
    archive.upsert("science_files", [replace(row, superseded_by="solo_L1_something.fits")])


def row_under_a_wrong_name(archive, make):
    row = archive.science_file(science(archive).name)
    archive.delete("science_files", [row.name])
    archive.upsert("science_files", [replace(row, name="wrong.fits", path="../../etc/passwd")])


@pytest.mark.parametrize(
    ("damage", "shallow", "deep", "stays"),
    [
        (gone, "file-missing", "file-missing", False),
        (damaged, "", "file-unreadable", False),
        (truncated, "file-changed", "file-unreadable", False),
        (emptied, "file-changed", "file-unreadable", False),
        (without_row, "file-unindexed", "file-unindexed", True),
        (exchanged, "", "file-changed", True),
        (exchanged_without_proof, "", "file-changed", False),
        (false_row, "", "row-contradicts", True),
        (unmarked, "version-unmarked", "version-unmarked", True),
        (wrongly_marked, "version-unmarked", "version-unmarked", True),
        (row_under_a_wrong_name, "file-missing file-unindexed", "file-missing file-unindexed", True),
    ],
)
def test_damage_to_a_file_or_its_row(own, before, make, damage, shallow, deep, stays):
    name = science(own).name
    damage(own, make)
    size = science(own).stat().st_size if damage is not gone else 0
    found = {one.code for one in check(own, later(), deep=False)}
    # a file of the same length looks the same from outside
    if damage in (exchanged, exchanged_without_proof) and size != own.science_file(name).size:
        shallow = "file-changed"
    assert found == {CODES[word] for word in shallow.split()}
    assert codes(mended(own)) == set(deep.split())
    after = rows_of(own)
    if damage is exchanged:
        row = own.science_file(name)
        assert row.counts == 55 * 3 * 32 * 12 * 5
        assert (row.sha256, row.size) == (make.tree(own.root)[row.path], size)
    elif stays:
        assert after == before
    else:
        assert name not in {row["name"] for row in after["science_files"]}
        assert len(after["science_files"]) == 3
        kept = list(own.root.glob(f"quarantine/*/{name}"))
        assert len(kept) == (damage is not gone)
        assert not list(own.root.glob(f"fits/*/*/*/*/SCI/{name}"))


def test_older_version_counts_again_when_the_newer_one_is_gone(own):
    science(own, "V02_2211116471").unlink()
    mended(own)
    assert own.science_file(science(own, "V01_2211116471").name).superseded_by is None


def test_rows_of_files_keep_the_time_of_their_coming_as_the_disk_has_it(own):
    path = science(own)
    os.utime(path, (1_700_000_000, 1_700_000_000))
    own.delete("science_files", [path.name])
    mended(own)
    assert own.science_file(path.name).ingested_at == np.datetime64(1_700_000_000, "s")


def test_same_content_under_two_names_is_kept_once(own):
    path = science(own)
    twin = path.with_name(path.name.replace("-50000", "-50001"))
    shutil.copy2(path, twin)
    row = own.science_file(path.name)
    own.upsert("science_files", [replace(row, name=twin.name, path=relative(own, twin))])
    assert "file-duplicate" in codes(check(own, later(), deep=False))
    mended(own)
    assert path.is_file()
    assert not twin.exists()
    assert len(list(own.root.glob(f"quarantine/*/{twin.name}"))) == 1


@pytest.mark.parametrize("what", ["garbage", "pipe", "link", "no product"])
def test_strangers_among_the_files_go_into_quarantine(own, tmp_path, what):
    place = own.root / "fits/L1/2022/11/20/SCI"
    stranger = place / science(own).name.replace("2211200001", "2211200009")
    if what == "garbage":
        stranger.write_bytes(b"SIMPLE  =                    T" + b"x" * 9000)
    elif what == "pipe":
        os.mkfifo(stranger)
    elif what == "link":
        stranger.symlink_to(science(own))
    else:
        stranger = place / "notes.txt"
        stranger.write_text("to do")
    assert codes(mended(own)) >= {"file-unreadable"}
    assert not os.path.lexists(stranger)
    (note,) = own.root.glob(f"quarantine/*/{stranger.name}.reason.json")
    assert json.loads(note.read_text())["reason"]
    assert (note.with_name(stranger.name)).is_file() == (what in ("garbage", "no product"))


def test_file_in_a_wrong_folder_goes_back_to_its_own(own, before):
    place = science(own, "2212010001")
    elsewhere = own.root / "fits/L1/2022/11/21/SCI" / place.name
    elsewhere.parent.mkdir(parents=True)
    place.rename(elsewhere)
    assert codes(mended(own)) == {"file-missing", "file-misplaced"}
    assert rows_of(own) == before
    assert (place.is_file(), elsewhere.exists()) == (True, False)


def test_file_refused_by_current_rules_is_reported_and_kept(own, monkeypatch):
    from archive.ingest import describe as rules

    monkeypatch.setattr("archive.checks.files.describe_filed", describe_filed)  # by the changed rules
    monkeypatch.setattr(rules, "BEYOND", np.datetime64("2022-11-30"))
    found = check(own, later(), repair=True)
    assert {one.code for one in found} == {Code.FILE_REFUSED}
    assert is_sound(found)
    assert science(own, "2212010001").is_file()


def test_file_that_changes_while_it_is_looked_into_is_left_to_the_next_check(own, make, monkeypatch):
    import archive.checks.files as module

    def look(inspection, path, entry, known):
        verdict = original(inspection, path, entry, known)
        if "2211200001" in path:
            exchanged(own, make)  # another process brings a new one
        return verdict

    original = module._look_into
    damaged(own, make)
    monkeypatch.setattr(module, "_look_into", look)
    assert check(own, later()) == ()


# Index ----------------------------------------------------------------------------------------------------------------


def unreadable(path):
    path.write_bytes(b"PAR1" + bytes(range(256)) * 4)


def half(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flipped_inside(path):
    content = bytearray(path.read_bytes())
    content[-400:-200] = bytes(200)
    path.write_bytes(content)


def other_columns(path):
    table = pq.read_table(path, partitioning=None)
    pq.write_table(table.drop_columns([table.column_names[3]]), path)


def emptied_month(path):
    path.write_bytes(b"")


@pytest.mark.parametrize(
    ("table", "damage"),
    [
        ("science_files", unreadable),
        ("science_files", Path.unlink),
        ("quicklook_files", flipped_inside),
        ("aux_files", other_columns),
        ("flares", half),
        ("flares", emptied_month),
        ("flares", Path.unlink),
    ],
)
def test_damaged_month_comes_back_as_it_was_from_the_read_model(own, sound, make, table, damage):
    path = month(own, table, "2026-03" if table in ("quicklook_files", "aux_files") else "2022-11")
    content = path.read_bytes()
    damage(path)
    expected = "month-missing" if damage is Path.unlink else "month-unreadable"
    assert codes(mended(own)) == {expected}
    assert rows_of(own, apart=()) == sound
    assert path.read_bytes() == content
    assert len(list(own.root.glob("quarantine/*/*.parquet"))) == (damage is not Path.unlink)


@pytest.mark.parametrize(
    ("table", "damage"), [("science_files", unreadable), ("quicklook_files", Path.unlink), ("aux_files", unreadable)]
)
def test_damaged_month_comes_back_from_the_files_without_a_read_model(own, before, table, damage):
    without_model(own)
    damage(month(own, table, "2022-11" if table == "science_files" else "2026-03"))
    mended(own)
    assert rows_of(own) == before


def test_month_that_was_written_after_the_read_model_is_not_taken_from_it(own):
    row = own.science_file(science(own).name)
    own.upsert("science_files", [replace(row, purpose="something new")])
    unreadable(month(own))
    mended(own)
    # the file is the evidence: neither the row of the model, nor the lost one
    assert own.science_file(row.name).purpose == row.purpose
    assert len(own.science_files()) == 3


def test_flares_that_no_file_holds_are_told_to_be_lost(own):
    without_model(own)
    unreadable(month(own, "flares"))
    found = check(own, later(), repair=True)
    (lost,) = (one for one in found if one.code is Code.ROWS_LOST)
    assert "import-flares" in lost.message
    assert not is_sound(found)
    assert codes(check(own, later())) == set()
    assert own.flares() == []


@pytest.mark.parametrize("deep", [True, False])
def test_whole_index_is_rebuilt(own, before, deep):
    own.close()
    shutil.rmtree(own.index)
    new = Archive(own.root, create=True)
    found = check(new, later(), repair=True, deep=deep)
    assert codes(found) == {"file-unindexed", "light-curve-stale"}
    assert rows_of(new) == before | {"flares": []}
    assert codes(check(new, later())) == set()


def test_parquet_files_alone_deleted_come_back_whole(own, sound, make):
    for folder in own.index.iterdir():
        if folder.is_dir() and folder.name != "read":
            shutil.rmtree(folder)
    assert "month-missing" in codes(mended(own))
    assert rows_of(own, apart=()) == sound


def rewritten(path, change):
    table = table_named(path.parent.name)
    rows = change(table.to_rows(pq.read_table(path, partitioning=None).select(table.arrow.names)))
    pq.write_table(table.to_arrow(rows), path)


def test_row_in_the_wrong_month_is_moved(own, before):
    without_model(own)
    month(own).rename(month(own, name="2021-05"))
    assert codes(check(own, later(), deep=False)) == {"row-misplaced"}
    mended(own)
    assert rows_of(own) == before
    assert not month(own, name="2021-05").exists()


def test_key_that_stands_twice_keeps_its_newest_row(own, before):
    without_model(own)
    shutil.copy(month(own, "flares"), month(own, "flares", "2021-05"))
    rewritten(
        month(own, "flares", "2021-05"),
        lambda rows: [replace(row, updated_at=np.datetime64("2020-01-01", "us"), source="old") for row in rows],
    )
    assert codes(check(own, later(), deep=False)) == {"row-duplicate"}
    mended(own)
    assert rows_of(own) == before


def test_move_that_a_killed_writer_began_is_finished(own, before):
    without_model(own)
    shutil.copy(month(own, "flares"), month(own, "flares", "2021-05"))
    moves = dict.fromkeys([row["flare_id"] for row in before["flares"]], "2022-11")
    (own.index / "flares/moves.json").write_text(json.dumps(moves))
    assert codes(check(own, later())) == {"move-unfinished", "row-misplaced"}
    assert "move-unfinished" in codes(mended(own))
    assert rows_of(own) == before


def test_journal_of_moves_that_cannot_be_read_is_removed(own):
    (own.index / "flares/moves.json").write_text("{")
    assert codes(mended(own)) == {"move-unfinished"}


def no_database(archive):
    for path in (archive.index / "read").glob("*.duckdb"):
        path.unlink()


def broken_database(archive):
    for path in (archive.index / "read").glob("*.duckdb"):
        path.write_bytes(b"no database" * 1000)


def broken_pointer(archive):
    (archive.index / "read/current.json").write_text("{]")


def index_changed_by_hand(archive):
    rewritten(month(archive, "flares"), lambda rows: [replace(row, source="by hand") for row in rows])


def index_shortened_by_hand(archive):
    rewritten(month(archive, "flares"), lambda rows: rows[:1])


@pytest.mark.parametrize(
    ("damage", "deep"),
    [
        (no_database, False),
        (broken_database, False),
        (broken_pointer, False),
        (index_shortened_by_hand, False),
        (index_changed_by_hand, True),
    ],
)
def test_stale_read_model_is_built_anew(own, damage, deep):
    own.close()
    damage(own)
    assert codes(check(own, later(), deep=deep)) == {"read-model-stale"}
    assert codes(mended(own)) == {"read-model-stale"}
    assert (own.index / "read/current.json").is_file()
    if damage is index_changed_by_hand:
        assert {flare.source for flare in own.flares()} == {"by hand"}


def test_deleted_read_model_is_no_finding_and_comes_back(own):
    without_model(own)
    assert check(own, later()) == ()
    check(own, later(), repair=True)
    assert (own.index / "read/current.json").is_file()


# Light curves ---------------------------------------------------------------------------------------------------------


def a_day(archive):
    return next((archive.index / "lightcurves").glob("*.parquet"))


def minutes(archive):
    return next((archive.index / "lightcurve_minutes").glob("*.parquet"))


def altered(path):
    table = pq.read_table(path, partitioning=None)
    pq.write_table(table.slice(0, table.num_rows - 5), path)


@pytest.mark.parametrize(
    ("which", "damage", "expected"),
    [
        (a_day, unreadable, "light-curve-unreadable"),
        (a_day, half, "light-curve-unreadable"),
        (a_day, Path.unlink, "light-curve-stale"),
        (a_day, altered, "light-curve-stale"),
        (minutes, unreadable, "light-curve-unreadable"),
        (minutes, Path.unlink, "light-curve-stale"),
        (minutes, altered, "light-curve-stale"),
    ],
)
def test_light_curves_are_made_anew_from_the_files(own, make, which, damage, expected):
    before = make.tree(own.index)
    damage(which(own))
    assert codes(mended(own)) == {expected}
    assert make.tree(own.index) == before


def test_light_curve_of_a_file_that_is_gone_goes(own):
    next(own.root.glob("fits/*/*/*/*/QL/*")).unlink()
    assert codes(mended(own)) == {"file-missing", "light-curve-stale"}
    assert rows_of(own)["lightcurves"] == []


# What lies about ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["fits/L1", "index/images", "incoming"])
def test_leftovers_of_killed_writers_go_after_an_hour(own, place):
    path = own.root / place / ".part-0123456789abcdef.fits"
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_bytes(b"x")
    hours = 24 * 8 if place == "incoming" else 1.1
    assert check(own, later(0.9), deep=False) == ()
    (found,) = check(own, later(hours), deep=False)
    assert (found.code, found.file) == (Code.LEFTOVER, relative(own, path))
    check(own, later(hours), repair=True)
    assert not path.exists()
    assert check(own, later(hours), deep=False) == ()


def test_unfinished_download_is_kept_for_a_week(own):
    part = own.root / "incoming/.fetch-solo_L1_stix-ql-lightcurve_20221111_V01.fits"
    part.write_bytes(b"x")
    assert check(own, later(24 * 6), repair=True) == ()
    assert [one.code for one in check(own, later(24 * 8), repair=True)] == [Code.LEFTOVER]


def test_quarantined_and_waiting_files_are_information_only(own, make):
    folder = own.root / "quarantine/2022-11-11"
    folder.mkdir(parents=True)
    (folder / "x.fits.reason.json").write_text("{}")
    (own.root / "incoming/x.fits").write_bytes(b"x")
    found = check(own, later(25), repair=True)
    assert [one.code for one in found] == [Code.QUARANTINE, Code.INCOMING]
    assert is_sound(found)
    assert "1 rejected file" in found[0].message


# Faults while checking ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [1, 9, 20, 33, 50])
def test_repair_that_is_killed_anywhere_is_finished_by_the_next(own, before, monkeypatch, number):
    own.close()
    shutil.rmtree(own.index)
    broken = Archive(own.root, create=True)
    left = number

    class Killed(BaseException):
        """As if by SIGKILL: nobody catches it."""

    def fsync(descriptor):
        nonlocal left
        left -= 1
        if left == 0:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        with suppress(Killed):
            check(broken, later(), repair=True)
    new = Archive(own.root, create=True)
    mended(new)
    assert rows_of(new) == before | {"flares": []}


def test_archive_that_nobody_can_write_to_is_checked_all_the_same(own, make, monkeypatch):
    damaged(own, make)

    def refused():
        raise PermissionError(30, "Read-only file system")

    monkeypatch.setattr(own, "write_lock", refused)
    assert codes(check(own, later())) == {"file-unreadable"}
    with pytest.raises(PermissionError):
        check(own, later(), repair=True)
    assert science(own).is_file()


def test_disk_full_during_repair_loses_nothing(own, make, monkeypatch):
    damaged(own, make)
    before = make.tree(own.root / "fits")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            check(own, later(), repair=True)
    assert make.tree(own.root / "fits") == before
    mended(own)


def test_clock_that_was_set_back_does_no_harm(own):
    assert check(own, np.datetime64("2001-01-01T00:00:00", "us"), repair=True) == ()


# Many files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [2_000, pytest.param(10_000, marks=pytest.mark.thorough)])
def test_many_files_are_looked_at_in_seconds(own, make, count):
    model = own.science_file(science(own).name)
    rows = []
    for number in range(count):
        day = np.datetime64("2022-01-01") + np.timedelta64(number // 100, "D")
        folder = f"fits/L1/{str(day).replace('-', '/')}/SCI"
        if number % 100 == 0:
            (own.root / folder).mkdir(parents=True)
        name = f"solo_L1_stix-sci-xray-cpd_file-{number}.fits"
        (own.root / folder / name).write_bytes(b"x")
        start = day.astype("datetime64[us]") + np.timedelta64(number % 100 * 800, "s")
        rows.append(
            replace(
                model, name=name, path=f"{folder}/{name}", sha256=f"{number:064x}", size=1, uid=str(number),
                t_start=start, t_end=start + np.timedelta64(600, "s"),
            )
        )  # fmt: skip
    own.upsert("science_files", rows)
    (own.root / rows[1471].path).unlink()
    begin = time.process_time()
    assert [one.file for one in check(own, later(), deep=False)] == [rows[1471].path]
    assert time.process_time() - begin < 15.0 * count / 10_000


# What is said of findings ---------------------------------------------------------------------------------------------


def test_every_code_is_explained():
    assert set(KINDS) == set(Code)
    assert all(kind.meaning and kind.repair for kind in KINDS.values())
    assert codes_markdown().count("\n") == len(Code) + 2


def test_only_what_was_mended_or_informs_is_sound():
    def finding(code, repaired=False):
        return Finding(KINDS[code].level, code, "", "", "", repaired)

    assert is_sound(())
    assert is_sound((finding(Code.QUARANTINE), finding(Code.FILE_MISSING, repaired=True)))
    assert not is_sound((finding(Code.FILE_MISSING),))
    assert not is_sound((finding(Code.LEFTOVER),))


def test_last_findings_are_kept_for_pages(own, make):
    assert last_findings(own.root) is None
    gone(own, make)
    findings = check(own, later(), deep=False)
    keep_findings(own.root, findings, make.now)
    assert last_findings(own.root) == (make.now, findings)
    (own.root / "findings.json").write_text('{"findings": 5}')
    assert last_findings(own.root) is None


def test_tables_of_files_are_all_those_with_a_hash_and_a_path():
    named = {table.name for table in TABLES.values() if {"sha256", "path"} <= table.names}
    assert {table.name for table in FILE_TABLES} == named
