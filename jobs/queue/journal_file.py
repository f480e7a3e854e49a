"""The journal's file, ``<archive>/requests.sqlite``: tables, rows and connections.

Every call opens its own connection, so it can come from any thread of any process. The file must be on a local disk:
SQLite's shared memory does not work over a network.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np

from jobs.shared.errors import JournalVersion

FILE_NAME = "requests.sqlite"
#: Kinds of requests for spectra; those for images have none, those for renderings are in `jobs.renderings.requests`.
SPECTRUM, REGIONS = "spectrum", "regions"
VERSION = 1
#: How long a call waits while another one writes, s.
PATIENCE_S = 10.0

SCHEMA = """
CREATE TABLE requests (
    request_id INTEGER PRIMARY KEY AUTOINCREMENT,
    user TEXT NOT NULL CHECK (user NOT IN ('', 'guest', 'auto')),
    body TEXT NOT NULL,               -- canonical JSON, see jobs.queue.requests
    body_hash TEXT NOT NULL,
    uid TEXT NOT NULL,
    recipes INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled')),
    submitted_at INTEGER NOT NULL,    -- every time: UTC, microseconds since 1970
    queued_at INTEGER NOT NULL,       -- when it came into the queue, for the last time
    not_before INTEGER NOT NULL,
    started_at INTEGER,               -- first claim
    finished_at INTEGER,
    served INTEGER,                   -- number of the last claim, over all requests
    attempts INTEGER NOT NULL DEFAULT 0,
    faults INTEGER NOT NULL DEFAULT 0,
    deaths INTEGER NOT NULL DEFAULT 0, -- of workers that had it, since one of them got something done
    owner TEXT,
    beat_at INTEGER,
    lease_until INTEGER,
    cancelling INTEGER NOT NULL DEFAULT 0,
    step TEXT NOT NULL DEFAULT '',
    step_number INTEGER NOT NULL DEFAULT 0,
    step_count INTEGER NOT NULL DEFAULT 0,
    reason TEXT NOT NULL DEFAULT '',
    elapsed_s REAL NOT NULL DEFAULT 0,
    answered_by INTEGER
);
CREATE TABLE parts (
    request_id INTEGER NOT NULL REFERENCES requests ON DELETE CASCADE,
    part INTEGER NOT NULL,
    run_id TEXT,
    reason TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (request_id, part)
) WITHOUT ROWID;
CREATE TABLE workers (
    owner TEXT PRIMARY KEY,
    engine TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    beat_at INTEGER NOT NULL
);
CREATE UNIQUE INDEX open_once ON requests (user, body_hash) WHERE state IN ('queued', 'running');
CREATE INDEX waiting ON requests (user, request_id, not_before, queued_at, body_hash) WHERE state = 'queued';
CREATE INDEX running ON requests (user, owner, body_hash) WHERE state = 'running';
CREATE INDEX turns ON requests (user, served);
CREATE INDEX last_turn ON requests (served);
CREATE INDEX by_user ON requests (user, request_id);
CREATE INDEX answers ON requests (body_hash, state);
CREATE INDEX by_state ON requests (state, request_id);
CREATE INDEX history ON requests (state, finished_at) WHERE finished_at IS NOT NULL;
"""


class RequestState(StrEnum):
    """State of a request."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_open(self) -> bool:
        """Whether it is queued or running."""
        return self in OPEN


OPEN = (RequestState.QUEUED, RequestState.RUNNING)


@dataclass(frozen=True)
class Request:
    """A request in the journal.

    Attributes
    ----------
    request_id : int
        Increases in the order of submission.
    user : str
    body : str
        The request itself, canonical JSON; `jobs.queue.measurement_requests` reads it.
    uid : str
        Science file.
    task_count : int
        Number of tasks: its image sets, and for a rendering one that draws it.
    state : RequestState
    submitted_at, started_at, finished_at : datetime64[us] or None, UTC
    attempts : int
        Number of times a worker claimed it.
    faults : int
        Number of attempts that ended in a temporary fault, such as a full disk.
    owner : str or None
        Worker that holds it.
    cancelling : bool
        It is to be cancelled, and its worker has not yet stopped.
    step, step_number, step_count : str, int, int
        Current step, its number, and the number of steps.
    reason : str
        Why it failed, which part of it failed, or why it is tried again; one sentence.
    elapsed_s : float, s
        Computing time so far.
    answered_by : int or None
        Earlier request with the same results.
    """

    request_id: int
    user: str
    body: str
    uid: str
    task_count: int
    state: RequestState
    submitted_at: np.datetime64
    started_at: np.datetime64 | None
    finished_at: np.datetime64 | None
    attempts: int
    faults: int
    owner: str | None
    cancelling: bool
    step: str
    step_number: int
    step_count: int
    reason: str
    elapsed_s: float
    answered_by: int | None

    @property
    def kind(self) -> str:
        """Kind of a request for a rendering or for spectra, such as "cube"; empty for images."""
        try:
            return str(json.loads(self.body).get("kind", ""))[:LONGEST_KIND]
        except (ValueError, AttributeError):
            return ""

    @property
    def set_count(self) -> int:
        """Number of image sets; tasks that draw a rendering or measure spectra make none."""
        return self.task_count - 1 if self.kind else self.task_count

    @property
    def contents(self) -> str:
        """What it makes, such as "59 image sets and their cube"."""
        sets = f"{self.set_count} image set{'' if self.set_count == 1 else 's'}"
        if not self.kind:
            return sets
        return f"{sets} and their {self.kind}" if self.set_count else _NAMES.get(self.kind, self.kind)

    @property
    def noun(self) -> str:
        """One of its tasks, such as "an image set"."""
        return "an image set" if self.set_count else _NAMES.get(self.kind, self.kind)


#: Most characters of a kind; newer software may have kinds that this one does not know.
LONGEST_KIND = 60
_NAMES = {SPECTRUM: "a spectrum", REGIONS: "spectra of regions"}


@dataclass(frozen=True)
class TaskResult:
    """Result of one image set of a request: a run of the archive, or the reason why there is none."""

    part: int
    run_id: str | None
    reason: str


@dataclass(frozen=True)
class WorkerSign:
    """A worker and the time of its last heartbeat."""

    owner: str
    engine: str
    started_at: np.datetime64
    beat_at: np.datetime64

    def is_alive(self, now: np.datetime64) -> bool:
        """Whether its last heartbeat is less than a minute old; it sends one every ten seconds."""
        return bool(now - self.beat_at < np.timedelta64(60, "s"))


class JournalFile:
    """Connections to the journal of an archive.

    Parameters
    ----------
    root : path
        Folder of the archive. The first write creates the file.
    patience_s : float, s
        How long a call waits while another one writes.
    """

    def __init__(self, root: str | Path, patience_s: float = PATIENCE_S) -> None:
        self.path = Path(root) / FILE_NAME
        self._patience_s = patience_s

    @contextmanager
    def writing(self, *, flushed: bool = True) -> Iterator[sqlite3.Connection]:
        """A write transaction.

        Parameters
        ----------
        flushed : bool
            Wait until it is on disk, so that a power failure cannot undo it. Heartbeats need not wait.
        """
        with closing(self._connect(str(self.path))) as db:
            db.execute(f"PRAGMA synchronous = {'FULL' if flushed else 'NORMAL'}")
            db.execute("PRAGMA foreign_keys = ON")
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version > VERSION:
                raise _newer(self.path)
            if version == 0:
                _prepare(db)
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
            except BaseException:
                db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")

    def read(self, sql: str, values: Any = ()) -> list[sqlite3.Row]:
        """Rows of a SELECT; empty when there is no journal."""
        if not self.path.is_file():
            return []
        with closing(self._connect(f"{self.path.absolute().as_uri()}?mode=ro")) as db:
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                return []
            if version > VERSION:
                raise _newer(self.path)
            return db.execute(sql, values).fetchall()

    def hold(self) -> sqlite3.Connection:
        """Open an idle connection: while one is open, other calls take a third of the time."""
        with self.writing(flushed=False):
            pass
        db = self._connect(str(self.path))
        db.execute("SELECT count(*) FROM workers").fetchone()
        return db

    def _connect(self, name: str) -> sqlite3.Connection:
        db = sqlite3.connect(
            name, timeout=self._patience_s, isolation_level=None, uri=name.startswith("file:"), check_same_thread=False
        )
        db.row_factory = sqlite3.Row
        return db


def _prepare(db: sqlite3.Connection) -> None:
    """Create the tables, unless another process has done so."""
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("BEGIN IMMEDIATE")
    try:
        if db.execute("PRAGMA user_version").fetchone()[0] == 0:
            for statement in SCHEMA.split(";\n"):
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {VERSION}")
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def _newer(path: Path) -> JournalVersion:
    return JournalVersion(f"{path} was written by newer software than this")


def request_of(row: sqlite3.Row) -> Request:
    """A request from its row."""
    return Request(
        request_id=row["request_id"],
        user=row["user"],
        body=row["body"],
        uid=row["uid"],
        task_count=row["recipes"],
        state=RequestState(row["state"]),
        submitted_at=time_of(row["submitted_at"]),
        started_at=None if row["started_at"] is None else time_of(row["started_at"]),
        finished_at=None if row["finished_at"] is None else time_of(row["finished_at"]),
        attempts=row["attempts"],
        faults=row["faults"],
        owner=row["owner"],
        cancelling=bool(row["cancelling"]),
        step=row["step"],
        step_number=row["step_number"],
        step_count=row["step_count"],
        reason=row["reason"],
        elapsed_s=row["elapsed_s"],
        answered_by=row["answered_by"],
    )


def stamp_of(time: np.datetime64) -> int:
    """A time as the journal stores it: microseconds since 1970."""
    return int(time.astype("datetime64[us]").astype(np.int64))


def time_of(stamp: int) -> np.datetime64:
    """Inverse of `stamp_of`."""
    return np.datetime64(stamp, "us")
