"""The file of the journal, ``<archive>/requests.sqlite``: its tables, its rows as values, its connections.

Every call opens a connection of its own, so any thread of any process may call. The file must be on a local disk:
SQLite's shared memory does not reach across a network.
"""

from __future__ import annotations

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
VERSION = 1
#: How long a call waits for another one that writes, s.
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
    """Where a request stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_open(self) -> bool:
        """Whether something will still happen to it by itself."""
        return self in OPEN


OPEN = (RequestState.QUEUED, RequestState.RUNNING)


@dataclass(frozen=True)
class Request:
    """A request as the journal knows it.

    Attributes
    ----------
    request_id : int
        Ascending in the order of submission.
    user : str
    body : str
        The request itself, canonical JSON (`jobs.queue.requests.ImagingRequest`).
    uid : str
        Science file it is about.
    task_count : int
        Image sets it leads to.
    state : RequestState
    submitted_at, started_at, finished_at : datetime64[us] or None, UTC
    attempts : int
        How often a worker took it up.
    faults : int
        How many of them ended in a fault of the machinery.
    owner : str or None
        Worker that has it.
    cancelling : bool
        Somebody wants it cancelled and the worker has not answered yet.
    step, step_number, step_count : str, int, int
        What is going on, the how-manieth step of how many.
    reason : str
        Why it failed, what part of it failed, or what the next attempt waits for; one sentence.
    elapsed_s : float, s
        Computing time so far.
    answered_by : int or None
        Earlier request that had the answer already.
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


@dataclass(frozen=True)
class TaskResult:
    """What became of one image set of a request: a run of the archive, or the reason why there is none."""

    part: int
    run_id: str | None
    reason: str


@dataclass(frozen=True)
class WorkerSign:
    """A worker that is or was at work, with its last sign of life."""

    owner: str
    engine: str
    started_at: np.datetime64
    beat_at: np.datetime64

    def is_alive(self, now: np.datetime64) -> bool:
        """Whether it gave a sign within the last minute; it does so every ten seconds."""
        return bool(now - self.beat_at < np.timedelta64(60, "s"))


class JournalFile:
    """Connections to the journal of an archive.

    Parameters
    ----------
    root : path
        Folder of the archive. The file is made by the first write; reading makes nothing.
    patience_s : float, s
        How long a call waits for another one that writes.
    """

    def __init__(self, root: str | Path, patience_s: float = PATIENCE_S) -> None:
        self.path = Path(root) / FILE_NAME
        self._patience_s = patience_s

    @contextmanager
    def writing(self, *, flushed: bool = True) -> Iterator[sqlite3.Connection]:
        """A transaction of its own.

        Parameters
        ----------
        flushed : bool
            When the block has ended, a power cut cannot undo it. Signs of life need not wait for the disk.
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
        """Rows of one SELECT; nothing when there is no journal."""
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
        """Open a connection that does nothing: while one is open the others come and go in a third of the time."""
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
    """Make the tables, once, whoever comes first."""
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
    """A row as a value."""
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
    """A time as the journal keeps it: microseconds since 1970."""
    return int(time.astype("datetime64[us]").astype(np.int64))


def time_of(stamp: int) -> np.datetime64:
    """Inverse of `stamp_of`."""
    return np.datetime64(stamp, "us")
