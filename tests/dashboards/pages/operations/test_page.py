"""The operations page, tied to its state; in a real browser it is in test_new_archive.py."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from archive import Archive
from archive.checks.findings import Code, Finding, Level, keep_findings
from dashboards.pages.operations.board import _calibration_tile
from dashboards.pages.operations.state import Condition, OperationsState
from dashboards.pages.operations.view import OperationsPage
from dashboards.shared.access import GUEST, Visitor
from dashboards.shared.clock import now
from dashboards.shared.source import ArchiveSource
from jobs.queue.journal import Journal, RequestState
from jobs.queue.leases import Leases

OPERATOR = Visitor("oscar", operator=True)


def submit(root: Path, user: str, uid: str) -> int:
    body = json.dumps({"uid": uid, "hidden": False})
    return Journal(root).submit(user, body, now(), uid=uid, task_count=1)[0].request_id


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    made = Archive(tmp_path / "archive", create=True)
    yield made
    made.close()


def page_of(archive: Archive, visitor: Callable[[], Visitor]) -> OperationsPage:
    page = OperationsPage(OperationsState(ArchiveSource(archive.root), now), visitor)
    page.state.load(visitor())
    page.view()
    return page


def buttons(page: OperationsPage) -> list[Any]:
    lists = (page._running, page._waiting, page._failures)
    return [row[1] for one in lists for row in one.view.objects[1:] if len(row) > 1]


def test_buttons_are_for_those_who_may_press_them(archive: Archive) -> None:
    number = submit(archive.root, "anna", "2211116471")
    assert buttons(page_of(archive, lambda: GUEST)) == []
    assert buttons(page_of(archive, lambda: Visitor("bert"))) == []
    assert len(buttons(page_of(archive, lambda: Visitor("anna")))) == 1
    page = page_of(archive, lambda: OPERATOR)
    (button,) = buttons(page)
    page.state.refresh_work(OPERATOR)
    assert buttons(page) == [button]  # stays what it is while it is looked at
    button.clicks += 1
    assert Journal(archive.root).get(number).state == RequestState.CANCELLED
    assert buttons(page) == []
    assert f"Request {number} is cancelled" in page._notices.pane.object


def test_who_has_signed_out_meanwhile_can_press_nothing(archive: Archive) -> None:
    number = submit(archive.root, "anna", "2211116471")
    now = [OPERATOR]
    page = page_of(archive, lambda: now[0])
    (button,) = buttons(page)
    now[0] = GUEST
    button.clicks += 1
    assert Journal(archive.root).get(number).state == RequestState.QUEUED
    assert "Sign in to change your requests" in page._notices.pane.object
    assert buttons(page) == []


def test_everything_from_outside_is_text(archive: Archive) -> None:
    submit(archive.root, "anna", "<img src=x onerror=alert(1)>")
    request = Leases(archive.root).claim("w", now(), 30.0)
    Leases(archive.root).progress(request.request_id, "w", "<script>", 1, 2)
    keep_findings(archive.root, [Finding(Level.ERROR, Code.FILE_MISSING, "", "<b>", "<i>gone")], now())
    page = page_of(archive, lambda: OPERATOR)
    shown = page._running.view.objects[1][0].object + page._findings.object
    assert "&lt;img" in shown
    assert "&lt;i&gt;gone" in shown
    for piece in ("<img", "<script", "<i>gone"):
        assert piece not in shown


@pytest.mark.parametrize(("doubt", "word"), [("", "up to date"), ("older than a year", "may be out of date")])
def test_the_energy_table_has_a_short_word(doubt: str, word: str) -> None:
    shown = _calibration_tile(replace(Condition(), energy_table="elut_table_20260529", energy_table_doubt=doubt))
    assert f"<b>{word}</b>" in shown
    assert shown.count("elut_table_20260529") == (0 if doubt else 1)
