"""State of the operations page: workers, queue, failures, findings and throughput."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import param

from archive import Archive, Run, RunFilter, RunStatus
from archive.checks.findings import Code, Finding, Level, last_findings
from archive.index.schema import FILE_KINDS, IMAGES, REGION_SPECTRA, SPECTRA, AnyTable
from archive.index.sql import select
from dashboards.shared.access import GUEST, Visitor
from dashboards.shared.source import ArchiveSource, in_plain_words, journal_of
from jobs.queue.journal import Journal, Request, RequestState, WorkerSign
from jobs.shared.errors import NotAllowed
from stixcore.errors import StixError, public_sentence
from stixcore.printable import without_folders

#: Maximum number of requests or runs in a list.
SHOWN = 25
_HOUR, _DAY, _WEEK = np.timedelta64(1, "h"), np.timedelta64(1, "D"), np.timedelta64(7, "D")
#: Files in a folder are counted up to this number, so that a full folder does not slow the page down.
_MANY = 10_000

_THROUGHPUT = (
    "SELECT date_trunc('hour', started_at) AS hour, count(*) FILTER (kind = 'auto') AS previews, "
    "count(*) FILTER (kind != 'auto') AS requested FROM runs "
    "WHERE status = 'done' AND started_at >= ? AND started_at <= ? GROUP BY 1 ORDER BY 1"
)
_WORDS = {"science": "science files", "quicklook": "light curves", "aux": "auxiliary files", "other": "other files"}
_RESULTS: tuple[tuple[str, AnyTable], ...] = (
    ("images", IMAGES),
    ("spectra", SPECTRA),
    ("spectra of regions", REGION_SPECTRA),
)
_DISK_USAGE = " UNION ALL ".join(
    select(f"'{words}' AS what, count(*) AS files, CAST(coalesce(sum(size), 0) AS BIGINT) AS bytes", table.name)
    for words, table in (*_RESULTS, *((_WORDS[kind], table) for kind, table in FILE_KINDS.items()))
)


@dataclass(frozen=True)
class Work:
    """Content of the journal.

    Attributes
    ----------
    now : datetime64
        UTC.
    workers : tuple of WorkerSign
    counts : dict
        Requests by state, including those that are not listed.
    running : tuple of Request
    waiting : tuple of (int, Request)
        The first waiting requests, with the number of requests before each.
    failures : tuple of Request
        Failures of the last week.
    ended : dict
        Number of requests of the last day, by final state.
    unlisted : int
        Running, waiting or failed requests of other users that are hidden.
    """

    now: np.datetime64
    workers: tuple[WorkerSign, ...] = ()
    counts: dict[RequestState, int] | None = None
    running: tuple[Request, ...] = ()
    waiting: tuple[tuple[int, Request], ...] = ()
    failures: tuple[Request, ...] = ()
    ended: dict[RequestState, int] | None = None
    unlisted: int = 0

    @property
    def alive(self) -> tuple[WorkerSign, ...]:
        """Workers with a recent heartbeat."""
        return tuple(worker for worker in self.workers if worker.is_alive(self.now))

    def number(self, state: RequestState) -> int:
        """Number of requests in a state."""
        return (self.counts or {}).get(state, 0)


@dataclass(frozen=True)
class Throughput:
    """Image sets made in an hour or a day from ``start``: previews, and those of requests."""

    start: np.datetime64
    previews: int
    requested: int

    @property
    def total(self) -> int:
        """Total number of image sets."""
        return self.previews + self.requested


@dataclass(frozen=True)
class DiskUsage:
    """Files, spectra or sets of region spectra of one kind: number and total size [byte]."""

    what: str
    files: int
    bytes: int


@dataclass(frozen=True)
class Condition:
    """Condition of archive and disk; queried less often.

    Attributes
    ----------
    checked : datetime64 or None
        Time of the last check, UTC.
    found : dict
        Number of findings by kind, including repaired ones.
    unrepaired : int
        Number of errors and warnings that were not repaired.
    findings : tuple of Finding
        Findings, for operators only: they may name hidden files.
    hours, days : tuple of Throughput
        The last 24 hours and the last seven days, each in ascending order including the current one.
    failed_runs : tuple of Run
        Failed previews, latest first.
    usage : tuple of DiskUsage
    disk_free, disk_total : int, byte
    incoming, quarantined : int
        Number of files waiting for ingestion; number of rejected files.
    energy_table, energy_table_doubt : str
        The newest energy table with its date; why it may be outdated, or empty.
    cal_files : int
        Number of daily energy calibrations.
    """

    checked: np.datetime64 | None = None
    found: dict[Code, int] | None = None
    unrepaired: int = 0
    findings: tuple[Finding, ...] = ()
    hours: tuple[Throughput, ...] = ()
    days: tuple[Throughput, ...] = ()
    failed_runs: tuple[Run, ...] = ()
    usage: tuple[DiskUsage, ...] = ()
    disk_free: int = 0
    disk_total: int = 0
    incoming: int = 0
    quarantined: int = 0
    energy_table: str = ""
    energy_table_doubt: str = ""
    cal_files: int = 0


class OperationsState(param.Parameterized):
    """State of the operations page, and the actions of operators.

    The visitor is an argument of every call, because a user who has signed out elsewhere is a guest from then on.

    Parameters
    ----------
    source : ArchiveSource
    clock : callable
        Returns the current time, UTC.
    """

    work = param.ClassSelector(class_=Work, default=None, allow_None=True, doc="What the journal says")
    condition = param.ClassSelector(class_=Condition, default=None, allow_None=True, doc="What archive and disk say")
    problem = param.String("", doc="Why nothing can be shown; empty when it can")
    answer = param.String("", doc="Result of the visitor's last action")
    refused = param.Boolean(default=False, doc="Whether it was refused")

    def __init__(self, source: ArchiveSource, clock: Callable[[], np.datetime64]) -> None:
        super().__init__()
        self._source, self._clock = source, clock

    def load(self, visitor: Visitor = GUEST) -> None:
        """Load everything."""
        self.refresh_work(visitor)
        self.refresh_condition(visitor)

    def refresh_work(self, visitor: Visitor = GUEST) -> None:
        """Query the journal."""
        try:
            archive = self._source.archive()
            with in_plain_words():
                work = look_at_work(journal_of(archive), visitor, self._clock())
        except StixError as error:
            self.problem = str(error)
        else:
            self.param.update(work=work, problem="")

    def refresh_condition(self, visitor: Visitor = GUEST) -> None:
        """Query archive and disk."""
        try:
            condition = self._source.ask(lambda archive: look_at_condition(archive, visitor, self._clock()))
        except StixError as error:
            self.problem = str(error)
        else:
            self.condition = condition

    def cancel(self, request_id: int, visitor: Visitor) -> None:
        """Cancel a request: any for operators, their own for users."""
        self._act(visitor, lambda journal, user: _cancelled(journal.cancel(request_id, self._clock(), user=user)))

    def retry(self, request_id: int, visitor: Visitor) -> None:
        """Put a failed request back into the queue: any for operators, their own for users."""
        self._act(visitor, lambda journal, user: _queued(journal.retry(request_id, self._clock(), user=user)))

    def _act(self, visitor: Visitor, action: Callable[[Journal, str | None], str]) -> None:
        try:
            if visitor.name is None and not visitor.operator:
                message = "sign in to change your requests"
                raise NotAllowed(message)
            with in_plain_words():
                answer = action(journal_of(self._source.archive()), None if visitor.operator else visitor.name)
            self.param.update(answer=answer, refused=False)
        except StixError as error:
            sentence = public_sentence(error)
            self.param.update(answer=sentence[0].upper() + sentence[1:].removesuffix(".") + ".", refused=True)
        self.refresh_work(visitor)


def look_at_work(journal: Journal, visitor: Visitor, now: np.datetime64) -> Work:
    """The visible part of the journal for a visitor."""
    running = journal.requests(states=[RequestState.RUNNING], limit=SHOWN)
    waiting = journal.queue(SHOWN)
    failures = journal.failures(now - _WEEK, SHOWN)
    listed = [*running, *(request for _, request in waiting), *failures]
    return Work(
        now=now,
        workers=tuple(journal.workers()),
        counts=journal.counts(),
        running=tuple(request for request in running if visitor.may_see_request(request)),
        waiting=tuple(pair for pair in waiting if visitor.may_see_request(pair[1])),
        failures=tuple(request for request in failures if visitor.may_see_request(request)),
        ended=journal.finished_since(now - _DAY),
        unlisted=sum(not visitor.may_see_request(request) for request in listed),
    )


def look_at_condition(archive: Archive, visitor: Visitor, now: np.datetime64) -> Condition:
    """The visible condition of archive and disk for a visitor."""
    made = [
        Throughput(np.datetime64(row["hour"], "us"), int(row["previews"]), int(row["requested"]))
        for row in archive.rows(_THROUGHPUT, [now - _WEEK - _DAY, now])
    ]
    checked, findings = last_findings(archive.root) or (None, ())
    disk = shutil.disk_usage(archive.root)
    calibration = archive.calibration
    damage = "; ".join(without_folders(text) for text in calibration.faults.sentences)
    table = calibration.validity[-1]
    failed = RunFilter(statuses=(RunStatus.FAILED,), viewer=visitor.name, all_hidden=visitor.operator)
    return Condition(
        checked=checked,
        found=dict(Counter(finding.code for finding in findings)),
        unrepaired=sum(finding.level is not Level.INFO and not finding.repaired for finding in findings),
        findings=findings if visitor.operator else (),
        hours=_summed(made, now.astype("datetime64[h]").astype("datetime64[us]"), _HOUR, 24),
        days=_summed(made, now.astype("datetime64[D]").astype("datetime64[us]"), _DAY, 7),
        failed_runs=tuple(archive.runs(failed, sort=("-started_at",), limit=SHOWN)),
        usage=tuple(DiskUsage(row["what"], int(row["files"]), int(row["bytes"])) for row in archive.rows(_DISK_USAGE)),
        disk_free=disk.free,
        disk_total=disk.total,
        incoming=_count(archive.root / "incoming", lambda path: not path.name.startswith(".")),
        quarantined=_count(archive.root / "quarantine", lambda path: path.name.endswith(".reason.json")),
        energy_table=f"{table.name} since {str(table.start)[:10]}",
        energy_table_doubt=damage or calibration.doubt_about(now),
        cal_files=len(calibration.cal_files),
    )


def _summed(made: list[Throughput], last: np.datetime64, step: np.timedelta64, number: int) -> tuple[Throughput, ...]:
    """Sums over ``number`` intervals, the last of which begins at ``last``."""
    found = []
    for start in (last - step * back for back in reversed(range(number))):
        inside = [one for one in made if start <= one.start < start + step]
        found.append(Throughput(start, sum(one.previews for one in inside), sum(one.requested for one in inside)))
    return tuple(found)


def _count(folder: Path, counts: Callable[[Path], bool]) -> int:
    """Number of files below a folder, up to `_MANY`."""
    number = 0
    for path in folder.rglob("*"):
        number += path.is_file() and counts(path)
        if number >= _MANY:
            break
    return number


def _cancelled(request: Request) -> str:
    number = request.request_id
    if request.state == RequestState.CANCELLED:
        return f"Request {number} is cancelled."
    if request.cancelling:
        return f"Request {number} is being cancelled; this takes a second or two."
    return f"Request {number} had already finished."


def _queued(request: Request) -> str:
    if request.state == RequestState.QUEUED:
        return f"Request {request.request_id} is back in the queue."
    return f"Request {request.request_id} is {request.state} and cannot be retried."
