"""Taking files in: every one ends in the archive, in quarantine with a reason, or where it was."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archive import Archive, NotInArchive, Outcome, OutcomeStatus
from archive.ingest.ingest import ingest

MODULE = import_module("archive.ingest.ingest")  # the package shows the function of that name
INGESTED, KNOWN, QUARANTINED, IGNORED = OutcomeStatus


def statuses(outcomes: list[Outcome]) -> Counter[OutcomeStatus]:
    return Counter(outcome.status for outcome in outcomes)


def without_clock(archive: Archive) -> list[dict]:
    tables = ("science_files", "quicklook_files", "aux_files")
    return [row for table in tables for row in archive.rows(f"SELECT * EXCLUDE ingested_at FROM {table} ORDER BY name")]


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "inbox"
    folder.mkdir()
    return folder


def test_a_file_is_copied_and_indexed(archive: Archive, inbox: Path, make) -> None:
    path = make.pixel_file().write(inbox)
    assert ingest(archive, [path], make.now) == [Outcome(path, INGESTED, name=path.name)]
    assert path.exists()
    row = archive.science_file("2211116471")
    assert archive.locate(path.name).read_bytes() == path.read_bytes()
    assert row.ingested_at == make.now


def test_again_changes_nothing(archive: Archive, inbox: Path, make) -> None:
    make.pixel_file().write(inbox)
    (inbox / "bad.fits").write_text("SIMPLE")
    ingest(archive, [inbox], make.now)
    before = make.tree(archive.root)
    outcomes = ingest(archive, [inbox], make.now + np.timedelta64(3, "D"))
    assert statuses(outcomes) == {KNOWN: 1, QUARANTINED: 1}
    assert make.tree(archive.root) == before


def test_a_bad_file_is_kept_with_the_reason(archive: Archive, inbox: Path, make) -> None:
    path = make.pixel_file(header={"TELESCOP": "SDO"}).write(inbox)
    (outcome,) = ingest(archive, [inbox], make.now)
    assert outcome.status is QUARANTINED
    assert "TELESCOP = 'SDO'" in outcome.reason
    kept = archive.root / "quarantine" / "2026-11-22" / path.name
    assert kept.read_bytes() == path.read_bytes()
    assert json.loads(kept.with_name(path.name + ".reason.json").read_text())["reason"] == outcome.reason
    assert archive.science_files() == []


def test_folders_are_searched_and_other_files_left_alone(archive: Archive, inbox: Path, make) -> None:
    deep = inbox / "a" / "b.fits" / "c"
    deep.mkdir(parents=True)
    make.pixel_file().write(deep)
    for name in ("README.md", "list.csv", "LICENSE", ".hidden.fits", ".solo_L1_stix.fits.Xy12"):
        (inbox / name).write_text("x")
    (inbox / ".rsync").mkdir()
    (inbox / ".rsync" / "x.fits").write_text("x")
    (inbox / "solo_L0_stix-ql-background_20200506_V01.fits").write_text("x")
    outcomes = ingest(archive, [inbox], make.now)
    assert statuses(outcomes) == {INGESTED: 1, IGNORED: 4}
    reasons = {outcome.path.name: outcome.reason for outcome in outcomes}
    assert reasons["README.md"] == "not a FITS file"
    ignored = reasons["solo_L0_stix-ql-background_20200506_V01.fits"]
    assert ignored == "product ql-background of level L0 is not kept here"


def test_files_named_by_hand(archive: Archive, inbox: Path, make) -> None:
    good = make.pixel_file().write(inbox)
    good = good.rename(inbox / "download(1)")
    readme = inbox / "README"
    readme.write_text("x")
    assert statuses(ingest(archive, [good, readme], make.now)) == {INGESTED: 1, IGNORED: 1}
    assert archive.science_file("2211116471").name.startswith("solo_L1_stix-sci-xray-cpd_20221111T120000")


def test_a_path_that_does_not_exist_stops_everything(archive: Archive, inbox: Path, make) -> None:
    make.pixel_file().write(inbox)
    with pytest.raises(NotInArchive, match=r"no such file or folder: .*nowhere"):
        ingest(archive, [inbox, inbox / "nowhere"], make.now)
    assert archive.science_files() == []


def test_links_and_special_files_are_refused(archive: Archive, inbox: Path, tmp_path: Path, make) -> None:
    target = make.pixel_file().write(tmp_path)
    (inbox / "link.fits").symlink_to(target)
    (inbox / "broken.fits").symlink_to(tmp_path / "nowhere")
    (inbox / "loop").symlink_to(inbox)
    os.mkfifo(inbox / "pipe.fits")
    os.mkfifo(inbox / "pipe")
    outcomes = ingest(archive, [inbox], make.now)
    assert statuses(outcomes) == {QUARANTINED: 3, IGNORED: 2}
    reasons = {outcome.path.name: outcome.reason for outcome in outcomes}
    assert reasons["link.fits"] == "link.fits: expected a regular file, found a symbolic link, which is not followed."
    assert reasons["pipe.fits"] == "pipe.fits: expected a regular file, found a pipe."
    assert {path.suffix for path in (archive.root / "quarantine").rglob("*.*")} == {".json"}
    assert statuses(ingest(archive, [inbox / "link.fits", inbox / "pipe.fits"], make.now)) == {QUARANTINED: 2}


def test_a_file_that_cannot_be_read(archive: Archive, inbox: Path, make, monkeypatch) -> None:
    path = make.pixel_file().write(inbox)

    def forbidden(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(MODULE, "open_regular", forbidden)
    (outcome,) = ingest(archive, [path], make.now)
    assert outcome.status is QUARANTINED
    assert outcome.reason.endswith("expected a file that can be read, found Permission denied.")


def test_what_cannot_be_read_stays_in_incoming(archive: Archive, make, monkeypatch) -> None:
    path = make.pixel_file().write(archive.root / "incoming")
    os.utime(path, (1e9, 1e9))
    with monkeypatch.context() as patched:
        patched.setattr(MODULE, "MAX_BYTES", 100)
        (outcome,) = ingest(archive, [], make.now, incoming=archive.root / "incoming")
    assert outcome.status is QUARANTINED
    assert path.exists(), "only its note is in quarantine: to remove it would be to lose it"
    assert statuses(ingest(archive, [], make.now, incoming=archive.root / "incoming")) == {INGESTED: 1}


def test_too_few_descriptors_are_not_the_files_fault(archive: Archive, make, monkeypatch) -> None:
    path = make.pixel_file().write(archive.root / "incoming")
    os.utime(path, (1e9, 1e9))

    def short(*_: object, **__: object) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(MODULE, "open_regular", short)
    with pytest.raises(OSError, match="Too many open files"):
        ingest(archive, [], make.now, incoming=archive.root / "incoming")
    assert path.exists()
    assert list((archive.root / "quarantine").iterdir()) == []


def test_a_reader_that_stumbles_does_not_stop_the_others(archive: Archive, inbox: Path, make, monkeypatch) -> None:
    for uid in ("2211110001", "2211110002"):
        make.pixel_file(uid=uid).write(inbox)

    def stumbles(path: Path, *arguments: object) -> float:
        return len(arguments) / 0

    monkeypatch.setattr(MODULE, "describe", stumbles)
    outcomes = ingest(archive, [inbox], make.now)
    assert statuses(outcomes) == {QUARANTINED: 2}
    assert "ZeroDivisionError: division by zero" in outcomes[0].reason


def test_the_archive_itself_is_no_input(archive: Archive, make, tmp_path: Path) -> None:
    ingest(archive, [make.pixel_file().write(tmp_path)], make.now)
    outcomes = ingest(archive, [tmp_path], make.now)
    assert statuses(outcomes) == {KNOWN: 1}


def test_the_same_file_twice_in_one_run(archive: Archive, inbox: Path, make) -> None:
    path = make.pixel_file().write(inbox)
    shutil.copy(path, inbox / "a copy.fits")
    outcomes = ingest(archive, [inbox], make.now)
    assert statuses(outcomes) == {INGESTED: 1, KNOWN: 1}
    assert len(archive.science_files()) == 1


def test_outcomes_are_told_one_by_one(archive: Archive, inbox: Path, make, monkeypatch) -> None:
    monkeypatch.setattr(MODULE, "BATCH", 2)
    for n in range(5):
        make.pixel_file(uid=f"221111000{n}").write(inbox)
    told: list[tuple[Outcome, int]] = []
    outcomes = ingest(
        archive, [inbox], make.now, report=lambda outcome: told.append((outcome, archive.count_science_files()))
    )
    assert [outcome for outcome, _ in told] == outcomes
    assert [rows for _, rows in told] == [2, 2, 4, 4, 5], "what was told was not in the index yet"


# incoming ------------------------------------------------------------------------------------------------------------


def test_incoming_is_emptied(archive: Archive, make) -> None:
    incoming = archive.root / "incoming"
    path = make.pixel_file().write(incoming)
    content = path.read_bytes()
    bad = incoming / "bad.fits"
    bad.write_text("rubbish")
    os.utime(bad, (1e9, 1e9))
    (incoming / "link.fits").symlink_to(bad)
    os.utime(incoming / "link.fits", (1e9, 1e9), follow_symlinks=False)
    (incoming / "README").write_text("x")
    outcomes = ingest(archive, [], make.now, incoming=incoming)
    assert statuses(outcomes) == {INGESTED: 1, QUARANTINED: 2, IGNORED: 1}
    assert [left.name for left in incoming.iterdir()] == ["README"]
    assert archive.locate(path.name).read_bytes() == content
    path.write_bytes(content)
    assert statuses(ingest(archive, [], make.now, incoming=incoming)) == {KNOWN: 1, IGNORED: 1}
    assert not path.exists()


@pytest.mark.parametrize("seconds", [0, 59])
def test_a_half_file_may_still_be_arriving(archive: Archive, make, seconds: int) -> None:
    incoming = archive.root / "incoming"
    path = make.pixel_file().write(incoming)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    now = np.datetime64(path.stat().st_mtime_ns // 1000, "us")
    (outcome,) = ingest(archive, [], now + np.timedelta64(seconds, "s"), incoming=incoming)
    assert outcome.status is IGNORED
    assert outcome.reason.startswith("left for the next run, it may still be arriving")
    assert path.exists()
    path.write_bytes(content)
    assert statuses(ingest(archive, [], now, incoming=incoming)) == {INGESTED: 1}


@pytest.mark.parametrize("seconds", [60, -1])
def test_a_broken_file_is_refused_despite_a_wrong_clock(archive: Archive, make, seconds: int) -> None:
    path = archive.root / "incoming" / "bad.fits"
    path.write_text("rubbish")
    now = np.datetime64(path.stat().st_mtime_ns // 1000, "us") + np.timedelta64(seconds, "s")
    assert statuses(ingest(archive, [], now, incoming=path.parent)) == {QUARANTINED: 1}


@pytest.mark.parametrize("place", ["fits", "fits/L1", ".", ".."])
def test_incoming_may_not_be_the_archive(archive: Archive, make, place: str) -> None:
    (archive.root / "fits" / "L1").mkdir()
    with pytest.raises(NotInArchive, match="contains files of the archive"):
        ingest(archive, [], make.now, incoming=archive.root / place)


# versions ------------------------------------------------------------------------------------------------------------


def test_a_newer_version_takes_over_and_the_older_one_stays(archive: Archive, inbox: Path, make) -> None:
    old = make.pixel_file().write(inbox)
    new = make.pixel_file(version="02", start="2022-11-11T12:00:01.000").write(inbox)
    ingest(archive, [new, old], make.now)
    assert archive.science_file("2211116471").name == new.name
    assert [row.name for row in archive.science_files()] == [new.name]
    assert archive.science_file(old.name).superseded_by == new.name
    assert archive.locate(old.name).read_bytes() == old.read_bytes()


def test_requests_that_only_share_a_uid_are_kept_apart(archive: Archive, inbox: Path, make) -> None:
    make.pixel_file().write(inbox)
    make.pixel_file(version="02", start="2022-11-11T12:10:00.000").write(inbox)
    ingest(archive, [inbox], make.now)
    assert len(archive.science_files()) == 2


@pytest.mark.parametrize("newer_first", [False, True])
def test_two_files_of_one_name(archive: Archive, inbox: Path, tmp_path: Path, make, newer_first: bool) -> None:
    other = tmp_path / "other"
    other.mkdir()
    early = make.pixel_file(created="2023-01-01T00:00:00", counts=1).write(inbox)
    late = make.pixel_file(created="2023-02-01T00:00:00", counts=2).write(other)
    order = [late, early] if newer_first else [early, late]
    outcomes = [ingest(archive, [path], make.now)[0] for path in order]
    assert archive.locate(late.name).read_bytes() == late.read_bytes()
    assert archive.science_file(late.name).counts == 2 * 3 * 32 * 12 * 5
    assert (archive.root / "quarantine" / "2026-11-22" / early.name).read_bytes() == early.read_bytes()
    if newer_first:
        assert outcomes[1].status is QUARANTINED
        assert "expected a newer DATE than 2023-02-01" in outcomes[1].reason
    else:
        assert outcomes[1].status is INGESTED
        assert "replaced an earlier file of the same name" in outcomes[1].reason


def test_two_files_of_one_name_and_date(archive: Archive, inbox: Path, tmp_path: Path, make) -> None:
    (tmp_path / "other").mkdir()
    first, second = make.pixel_file(counts=1).write(inbox), make.pixel_file(counts=2).write(tmp_path / "other")
    ingest(archive, [first], make.now)
    assert ingest(archive, [second], make.now)[0].status is QUARANTINED
    assert archive.locate(first.name).read_bytes() == first.read_bytes()


@pytest.mark.parametrize(("dates", "replaced"), [(("", "2023-01-01"), True), (("2023-01-01", ""), False)])
def test_a_file_with_a_date_comes_before_one_without(
    archive: Archive, inbox: Path, make, dates: tuple[str, str], replaced: bool
) -> None:
    for number, date in enumerate(dates, start=1):
        path = make.pixel_file(created=date, counts=number).write(inbox)
        ingest(archive, [path], make.now)
        path.unlink()
    assert archive.science_file("2211116471").counts == (2 if replaced else 1) * 3 * 32 * 12 * 5


def test_a_file_that_went_missing_or_rotted_is_replaced(archive: Archive, inbox: Path, make) -> None:
    path = make.pixel_file().write(inbox)
    ingest(archive, [path], make.now)
    place = archive.locate(path.name)
    place.unlink()
    assert statuses(ingest(archive, [path], make.now)) == {INGESTED: 1}
    place.write_bytes(b"rot")
    assert statuses(ingest(archive, [path], make.now)) == {INGESTED: 1}
    assert place.read_bytes() == path.read_bytes()


# interruption --------------------------------------------------------------------------------------------------------


class PowerCut(Exception):
    """Stands for the moment the process is killed."""


@pytest.mark.parametrize("steps", range(14))
def test_killed_at_any_step_the_next_run_ends_in_the_same_archive(
    tmp_path: Path, make, monkeypatch, steps: int
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for uid, version in (("2211110001", "01"), ("2211110002", "01"), ("2211110001", "02")):
        make.pixel_file(uid=uid, version=version).write(source)
    (source / "bad.fits").write_text("rubbish")
    os.utime(source / "bad.fits", (1e9, 1e9))

    def prepared(name: str) -> Archive:
        archive = Archive(tmp_path / name, create=True)
        shutil.copytree(source, archive.root / "incoming", dirs_exist_ok=True)
        return archive

    undisturbed, subject = prepared("undisturbed"), prepared("subject")
    ingest(undisturbed, [], make.now, incoming=undisturbed.root / "incoming")
    left = [steps]
    with monkeypatch.context() as patched, suppress(PowerCut):
        for name in ("replace", "unlink"):
            original = getattr(Path, name)

            def cut(self: Path, *arguments, original=original, **keywords):
                if left[0] == 0:
                    raise PowerCut
                left[0] -= 1
                return original(self, *arguments, **keywords)

            patched.setattr(Path, name, cut)
        ingest(subject, [], make.now, incoming=subject.root / "incoming")
    for row in subject.science_files():
        assert subject.locate(row.name).is_file(), "a row without its file"
    ingest(subject, [], make.now, incoming=subject.root / "incoming")
    assert without_clock(subject) == without_clock(undisturbed)
    assert list((subject.root / "incoming").iterdir()) == []

    def names(archive: Archive) -> set[str]:
        files = (path.relative_to(archive.root) for path in archive.root.rglob("*.fits*"))
        return {str(path) for path in files if not path.name.startswith(".part-")}

    assert names(subject) == names(undisturbed)


@pytest.mark.parametrize("step", ["copy_stream", "move_file"])
def test_a_full_disk_is_not_the_files_fault(archive: Archive, inbox: Path, make, monkeypatch, step: str) -> None:
    path = make.pixel_file().write(inbox)

    def full(*_: object) -> str:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(MODULE, step, full)
        with pytest.raises(OSError, match="No space left"):
            ingest(archive, [path], make.now)
    assert list((archive.root / "quarantine").iterdir()) == []
    assert statuses(ingest(archive, [path], make.now)) == {INGESTED: 1}


def test_a_file_that_changes_under_our_hands_waits(archive: Archive, inbox: Path, make, monkeypatch) -> None:
    path = make.pixel_file().write(inbox)
    known = MODULE._known

    def written_to(*arguments: object) -> object:
        with path.open("ab") as stream:
            stream.write(b"more")
        return known(*arguments)

    monkeypatch.setattr(MODULE, "_known", written_to)
    (outcome,) = ingest(archive, [path], make.now)
    assert outcome.status is IGNORED
    assert "changed while it was copied" in outcome.reason
    assert archive.science_files() == []


RUN = """
import sys
from pathlib import Path
import numpy as np
from archive import Archive
from archive.ingest.ingest import ingest
archive = Archive(sys.argv[1], create=True)
for outcome in ingest(archive, [], np.datetime64("2026-11-22T12:00:00", "us"), incoming=Path(sys.argv[2])):
    assert outcome.status in ("ingested", "known", "ignored"), outcome
"""


def test_what_another_run_took_meanwhile_is_left_alone(archive: Archive, make, monkeypatch) -> None:
    path = make.pixel_file().write(archive.root / "incoming")

    def taken(*_: object, **__: object) -> None:
        path.unlink(missing_ok=True)
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(MODULE, "open_regular", taken)
    (outcome,) = ingest(archive, [], make.now, incoming=archive.root / "incoming")
    assert outcome.status is IGNORED
    assert "another run has ingested it" in outcome.reason
    assert list((archive.root / "quarantine").iterdir()) == []


def test_two_runs_at_once_share_the_work(archive: Archive, tmp_path: Path, make) -> None:
    incoming = archive.root / "incoming"
    for n in range(12):
        make.pixel_file(uid=f"22111100{n:02d}").write(incoming)
    command = [sys.executable, "-c", RUN, str(archive.root), str(incoming)]
    runs = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    errors = [run.communicate()[1] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], errors
    assert archive.count_science_files() == 12
    assert list(incoming.iterdir()) == []


# mutations -----------------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=5000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_mutated_files_end_in_the_index_or_in_quarantine(archive: Archive, inbox: Path, make, data) -> None:
    shutil.rmtree(inbox)
    inbox.mkdir()
    path = make.pixel_file().write(inbox)
    content = bytearray(path.read_bytes())
    kind = data.draw(st.sampled_from(["cut", "flip", "card", "fill"]))
    place = data.draw(st.integers(0, len(content) - 1))
    if kind == "cut":
        del content[place:]
    elif kind == "flip":
        content[place] ^= data.draw(st.integers(1, 255))
    elif kind == "card":
        start = place // 80 * 80
        content[start : start + 80] = data.draw(st.binary(min_size=80, max_size=80))
    else:
        content[place : place + 2880] = bytes([data.draw(st.integers(0, 255))]) * 2880
    path.write_bytes(content)
    (outcome,) = ingest(archive, [path], make.now)
    assert outcome.status in {INGESTED, KNOWN, QUARANTINED}
    assert bool(outcome.reason) is (outcome.status is QUARANTINED)
    assert not list(archive.root.rglob(".part-*"))


# real files ----------------------------------------------------------------------------------------------------------


@pytest.mark.needs_shared_data
def test_the_november_files_twice(archive: Archive, shared_data: Path, make) -> None:
    paths = [shared_data / "nov2022/l1", shared_data / "nov2022/aux"]
    assert statuses(ingest(archive, paths, make.now)) == {INGESTED: 72}
    before = make.tree(archive.root)
    assert statuses(ingest(archive, paths, make.now + np.timedelta64(1, "D"))) == {KNOWN: 72}
    assert make.tree(archive.root) == before
    assert archive.count_science_files() == 69
    (background,) = archive.backgrounds(np.datetime64("2022-11-10T12:00"), e_low=4, e_high=50)
    assert background.uid == "2211098157"
    assert sum(row.is_background for row in archive.science_files()) == 1
    for path in paths[0].iterdir():
        assert archive.locate(path.name).read_bytes() == path.read_bytes()
    assert [row.name[-17:] for row in archive.aux_for(np.datetime64("2022-11-10T00:00:20"))] == [
        "20221110_V01.fits",
        "20221109_V01.fits",
    ]


@pytest.mark.needs_shared_data
def test_in_batches_and_any_order_the_index_is_the_same(tmp_path: Path, shared_data: Path, make) -> None:
    files = sorted(shared_data.glob("nov2022/l1/*.fits"))[::3]
    at_once = Archive(tmp_path / "at once", create=True)
    ingest(at_once, files, make.now)
    in_batches = Archive(tmp_path / "in batches", create=True)
    random.Random(1).shuffle(files)
    for batch in (files[:8], files[8:9], files[9:]):
        for path in batch:
            shutil.copy(path, in_batches.root / "incoming")
        ingest(in_batches, [], make.now, incoming=in_batches.root / "incoming")
    assert make.tree(in_batches.root) == make.tree(at_once.root)


@pytest.mark.needs_shared_data
def test_whole_folders_of_real_data(archive: Archive, shared_data: Path, make) -> None:
    folders = [shared_data / name for name in ("nov2022", "demo20200607", "formats", "tables")]
    outcomes = ingest(archive, folders, make.now)
    refused = {outcome.path.name for outcome in outcomes if outcome.status is QUARANTINED}
    assert statuses(outcomes)[INGESTED] == 80
    assert all(not name.startswith("solo_") for name in refused)
    assert {name.split("_")[0] for name in refused} == {"AIA20220402", "sci", "bp"}
    assert {outcome.path.suffix for outcome in outcomes if outcome.status is IGNORED} == {".md", ".csv", ""}


@pytest.mark.needs_shared_data
def test_later_versions_of_two_days_in_one_batch_take_over(
    archive: Archive, inbox: Path, shared_data: Path, make
) -> None:
    names = [f"solo_L2_stix-aux-ephemeris_202211{day}_V01.fits" for day in (10, 11)]
    for name in names:
        with fits.open(shared_data / "nov2022" / "aux" / name) as hdus:
            hdus[0].header["VERSION"] = "02"
            hdus.writeto(inbox / name.replace("V01", "V02"), checksum=True)
    ingest(archive, [shared_data / "nov2022" / "aux" / name for name in names], make.now)
    ingest(archive, [inbox], make.now)
    found = archive.rows(
        "SELECT name, superseded_by AS by FROM aux_files WHERE superseded_by IS NOT NULL ORDER BY name"
    )
    assert found == [{"name": name, "by": name.replace("V01", "V02")} for name in names]
