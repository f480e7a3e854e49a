"""What the operations page knows, and what who may do there."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archive import Archive, RunKind
from archive.checks.findings import Code, Finding, Level, keep_findings
from dashboards.pages.operations.state import OperationsState, look_at_condition, look_at_work
from dashboards.shared.access import GUEST, Visitor
from dashboards.shared.source import ArchiveSource
from jobs.queue.journal import Journal, RequestState
from jobs.queue.leases import Leases

NOW = np.datetime64("2026-11-25T12:30:00", "us")
ANNA, BERT, OPERATOR = Visitor("anna"), Visitor("bert"), Visitor("oscar", operator=True)
HOUR = np.timedelta64(1, "h")


def submit(root: Path, user: str, name: str, *, hidden: bool = False) -> int:
    body = json.dumps({"uid": name, "hidden": hidden})
    return Journal(root).submit(user, body, NOW, uid=name, task_count=2)[0].request_id


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path / "archive", create=True)


@pytest.fixture
def state(archive: Archive) -> OperationsState:
    return OperationsState(ArchiveSource(archive.root), lambda: NOW)


def lists(state: OperationsState) -> tuple[list[str], list[str], list[str]]:
    work = state.work
    return [r.uid for r in work.running], [r.uid for _, r in work.waiting], [r.uid for r in work.failures]


def test_an_empty_archive_has_nothing_to_show_and_no_fault(state: OperationsState) -> None:
    state.load()
    assert lists(state) == ([], [], [])
    assert (state.problem, state.work.alive, state.condition.checked) == ("", (), None)
    assert state.condition.disk_total > state.condition.disk_free > 0
    assert [one.total for one in state.condition.hours] == [0] * 24


def test_work_is_listed_by_state(archive: Archive, state: OperationsState) -> None:
    for name in ("fails", "runs", "waits", "waits too"):
        submit(archive.root, "anna", name)
    leases = Leases(archive.root)
    leases.sign_in("w", "2 processes", NOW)
    failing = leases.claim("w", NOW, 30.0)
    leases.finish(failing.request_id, "w", NOW, RequestState.FAILED, "no detector is on")
    running = leases.claim("w", NOW, 30.0)
    leases.progress(running.request_id, "w", "CLEAN", 3, 8)
    state.load()
    assert lists(state) == (["runs"], ["waits", "waits too"], ["fails"])
    (listed,) = state.work.running
    assert (listed.step, listed.step_number, listed.step_count) == ("CLEAN", 3, 8)
    assert [place for place, _ in state.work.waiting] == [0, 1]
    assert (state.work.number(RequestState.QUEUED), state.work.ended) == (2, {RequestState.FAILED: 1})
    assert [worker.engine for worker in state.work.alive] == ["2 processes"]
    assert look_at_work(Journal(archive.root), GUEST, NOW + HOUR).alive == ()


@pytest.mark.parametrize(
    ("visitor", "seen"),
    [(GUEST, ["open"]), (BERT, ["open"]), (ANNA, ["open", "private"]), (OPERATOR, ["open", "private"])],
)
def test_hidden_requests_are_for_their_author_and_operators(
    archive: Archive, state: OperationsState, visitor: Visitor, seen: list[str]
) -> None:
    submit(archive.root, "anna", "open")
    submit(archive.root, "anna", "private", hidden=True)
    state.load(visitor)
    assert lists(state)[1] == seen
    assert state.work.unlisted == 2 - len(seen)


def test_a_body_that_cannot_be_understood_is_private(archive: Archive, state: OperationsState) -> None:
    for body in ("nonsense", "[]", "{}"):
        Journal(archive.root).submit("anna", body, NOW, uid="x", task_count=1)
    state.load(GUEST)
    assert lists(state)[1] == []
    assert state.work.unlisted == 3


def test_an_operator_cancels_and_retries_what_is_anybodys(archive: Archive, state: OperationsState) -> None:
    number = submit(archive.root, "anna", "waits")
    state.cancel(number, OPERATOR)
    assert Journal(archive.root).get(number).state == RequestState.CANCELLED
    assert (state.answer, state.refused) == (f"Request {number} is cancelled.", False)
    assert lists(state) == ([], [], [])
    state.retry(number, OPERATOR)
    assert state.answer == f"Request {number} is back in the queue."
    assert lists(state)[1] == ["waits"]
    Leases(archive.root).claim("w", NOW, 30.0)
    state.cancel(number, OPERATOR)
    assert "is being cancelled" in state.answer
    assert state.work.running[0].cancelling


@pytest.mark.parametrize("act", [OperationsState.cancel, OperationsState.retry])
@pytest.mark.parametrize(
    ("visitor", "sentence"),
    [(GUEST, "Sign in to change your requests"), (Visitor("guest"), "another user's"), (BERT, "another user's")],
)
def test_others_change_nothing(
    archive: Archive, state: OperationsState, act: Any, visitor: Visitor, sentence: str
) -> None:
    number = submit(archive.root, "anna", "waits")
    before = Journal(archive.root).get(number)
    act(state, number, visitor)
    assert sentence in state.answer
    assert state.refused
    assert Journal(archive.root).get(number) == before


def test_users_cancel_their_own(archive: Archive, state: OperationsState) -> None:
    number = submit(archive.root, "anna", "waits")
    state.cancel(number, ANNA)
    assert Journal(archive.root).get(number).state == RequestState.CANCELLED


def test_a_request_that_is_not_there_is_one_sentence(state: OperationsState) -> None:
    state.cancel(77, OPERATOR)
    assert state.answer == "There is no request 77."
    assert state.refused


def test_a_damaged_journal_is_one_sentence(archive: Archive, state: OperationsState) -> None:
    Journal(archive.root).path.write_bytes(b"no database at all" * 100)
    state.load(OPERATOR)
    assert "The request queue is not available" in state.problem
    assert state.condition is not None
    state.cancel(1, OPERATOR)
    assert state.refused


def test_findings_by_sort_for_everybody_and_by_name_for_operators(archive: Archive) -> None:
    found = (
        Finding(Level.ERROR, Code.IMAGE_MISSING, "images", "images/secret.fits", "images/secret.fits is gone"),
        Finding(Level.WARNING, Code.LEFTOVER, "", "x", "x was left behind", repaired=True),
        Finding(Level.INFO, Code.QUARANTINE, "", "quarantine", "2 rejected files in quarantine"),
    )
    keep_findings(archive.root, found, NOW)
    for visitor, listed in ((GUEST, ()), (ANNA, ()), (OPERATOR, found)):
        condition = look_at_condition(archive, visitor, NOW)
        assert (condition.checked, condition.unrepaired, condition.findings) == (NOW, 1, listed)
        assert condition.found == {Code.IMAGE_MISSING: 1, Code.LEFTOVER: 1, Code.QUARANTINE: 1}


def test_throughput_counts_image_sets_by_hour_and_by_day(archive: Archive, small: Any) -> None:
    pattern = small.archive.runs(limit=1)[0]
    times = [NOW, NOW - HOUR, NOW - HOUR, NOW - 30 * HOUR, NOW - 400 * HOUR]
    runs = [replace(pattern, run_id=f"{number:016x}", started_at=time) for number, time in enumerate(times)]
    asked = replace(pattern, run_id="f" * 16, started_at=NOW, kind=RunKind.USER, author="anna", hidden=True)
    archive.upsert("runs", [*runs, asked])
    condition = look_at_condition(archive, GUEST, NOW)
    assert [(one.previews, one.requested) for one in condition.hours[-3:]] == [(0, 0), (2, 0), (1, 1)]
    assert str(condition.hours[-1].start) == "2026-11-25T12:00:00.000000"
    assert [one.total for one in condition.days] == [0, 0, 0, 0, 0, 1, 4]


def test_what_is_on_disk_and_what_waits(archive: Archive) -> None:
    (archive.root / "incoming/sub").mkdir()
    for name in ("incoming/a.fits", "incoming/sub/b.fits", "incoming/.half.fits"):
        (archive.root / name).touch()
    (archive.root / "quarantine/2026-11-25").mkdir()
    for name in ("x.fits", "x.fits.reason.json"):
        (archive.root / "quarantine/2026-11-25" / name).touch()
    condition = look_at_condition(archive, GUEST, NOW)
    assert (condition.incoming, condition.quarantined) == (2, 1)
    assert [(one.what, one.files, one.bytes) for one in condition.usage] == [
        (what, 0, 0)
        for what in (
            "images",
            "spectra",
            "spectra of regions",
            "science files",
            "light curves",
            "auxiliary files",
            "other files",
        )
    ]
