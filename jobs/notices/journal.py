"""Journal of notices, ``<archive>/notices.sqlite``: what was reported to whom.

Events and their deliveries are recorded in one transaction before anything is sent. A delivery is pending until its
receiver has acknowledged it or it is given up. If the sender is killed between acknowledgement and record, it sends the
delivery again, with the same id, by which the receiver recognizes it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np

from archive.atomic import PRIVATE, atomic_path, create
from jobs.notices.settings import DAILY, Receiver
from jobs.queue.journal_file import PATIENCE_S, stamp_of, time_of
from stixcore.errors import StixError

FILE_NAME = "notices.sqlite"
VERSION = 1
#: Notices in one digest; others are in the next message of the same day.
MOST_IN_DIGEST = 100
#: Deliveries that were sent are forgotten after this time; those given up are kept.
KEPT = np.timedelta64(90, "D")
_DAY = np.timedelta64(1, "D")

_SCHEMA = """
CREATE TABLE passes (last_at INTEGER NOT NULL);   -- one row; every time: UTC, microseconds since 1970
CREATE TABLE seen (key TEXT PRIMARY KEY, version TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE events (
    event_id INTEGER PRIMARY KEY AUTOINCREMENT,
    type TEXT NOT NULL,
    recorded_at INTEGER NOT NULL,
    title TEXT NOT NULL,
    text TEXT NOT NULL,
    payload TEXT NOT NULL                         -- JSON, as it is sent
);
CREATE TABLE deliveries (
    delivery_id TEXT PRIMARY KEY,
    receiver TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'sent', 'given up')),
    created_at INTEGER NOT NULL,
    not_before INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    finished_at INTEGER,
    reason TEXT NOT NULL DEFAULT ''
);
CREATE TABLE items (                              -- an event for a receiver; without delivery it waits for a digest
    receiver TEXT NOT NULL,
    event_id INTEGER NOT NULL REFERENCES events,
    delivery_id TEXT REFERENCES deliveries,
    PRIMARY KEY (receiver, event_id)
);
CREATE INDEX waiting ON deliveries (receiver, not_before) WHERE state = 'pending';
CREATE INDEX contents ON items (delivery_id);
"""


class NoticesDamaged(StixError):
    """The journal of notices cannot be used."""


class DeliveryState(StrEnum):
    """State of a delivery."""

    PENDING = "pending"
    SENT = "sent"
    GIVEN_UP = "given up"


@dataclass(frozen=True)
class Event:
    """What is reported.

    Attributes
    ----------
    type : str
        "flare.new", "flare.updated" or "failure".
    title, text : str
        For people.
    payload : str
        JSON, for programs.
    """

    type: str
    title: str
    text: str
    payload: str


@dataclass(frozen=True)
class Delivery:
    """One message to one receiver: an event, or those of a digest."""

    delivery_id: str
    receiver: str
    created_at: np.datetime64
    attempts: int
    events: tuple[Event, ...]


@dataclass(frozen=True)
class Looked:
    """What a pass has looked at: version of each subject, and events with the names of their receivers."""

    versions: dict[str, str]
    events: Sequence[tuple[Event, Sequence[Receiver]]]


class NoticeJournal:
    """Journal of an archive.

    Parameters
    ----------
    root : path
        Folder of the archive. The first write creates the file.
    """

    def __init__(self, root: str | Path) -> None:
        self.path = Path(root) / FILE_NAME

    @property
    def last_pass(self) -> np.datetime64 | None:
        """When the archive was last looked at, UTC; None before the first time."""
        rows = self._read("SELECT last_at FROM passes")
        return time_of(rows[0]["last_at"]) if rows else None

    def seen(self) -> dict[str, str]:
        """Version of each subject that was looked at."""
        return {row["key"]: row["version"] for row in self._read("SELECT key, version FROM seen")}

    def record(self, looked: Looked, now: np.datetime64, new_id: Callable[[], str]) -> None:
        """Record what was looked at, its events and their deliveries: all of it or nothing.

        Parameters
        ----------
        looked : Looked
        now : datetime64, UTC
        new_id : callable
            Returns a new id of a delivery.
        """
        stamp = stamp_of(now)
        with self._writing() as db:
            db.executemany("INSERT OR REPLACE INTO seen VALUES (?, ?)", looked.versions.items())
            for event, receivers in looked.events:
                values = (event.type, stamp, event.title, event.text, event.payload)
                sql = "INSERT INTO events (type, recorded_at, title, text, payload) VALUES (?, ?, ?, ?, ?)"
                event_id = db.execute(sql, values).lastrowid
                for receiver in receivers:
                    delivery = None if receiver.digest == DAILY else _new_delivery(db, receiver.name, stamp, new_id())
                    db.execute("INSERT INTO items VALUES (?, ?, ?)", (receiver.name, event_id, delivery))
            db.execute("DELETE FROM passes")
            db.execute("INSERT INTO passes VALUES (?)", (stamp,))
            _forget(db, stamp_of(now - KEPT))

    def make_digests(
        self, receiver: str, now: np.datetime64, new_id: Callable[[], str], most: int = MOST_IN_DIGEST
    ) -> None:
        """Put the events of past days that wait for a digest into deliveries of at most ``most`` events."""
        midnight, stamp = stamp_of(now.astype("datetime64[D]").astype("datetime64[us]")), stamp_of(now)
        sql = (
            "SELECT event_id FROM items JOIN events USING (event_id) "
            "WHERE receiver = ? AND delivery_id IS NULL AND recorded_at < ? ORDER BY event_id"
        )
        if not self._read(sql, (receiver, midnight)):
            return
        with self._writing() as db:
            waiting = [row["event_id"] for row in db.execute(sql, (receiver, midnight))]
            for begin in range(0, len(waiting), most):
                delivery = _new_delivery(db, receiver, stamp, new_id())
                rows = [(delivery, receiver, event_id) for event_id in waiting[begin : begin + most]]
                db.executemany("UPDATE items SET delivery_id = ? WHERE receiver = ? AND event_id = ?", rows)

    def due(self, receiver: str, now: np.datetime64) -> list[Delivery]:
        """Deliveries to be sent to a receiver now, the oldest first."""
        sql = (
            "SELECT * FROM deliveries WHERE receiver = ? AND state = 'pending' AND not_before <= ? "
            "ORDER BY created_at, rowid"
        )
        return [self._delivery(row) for row in self._read(sql, (receiver, stamp_of(now)))]

    def _delivery(self, row: sqlite3.Row) -> Delivery:
        sql = (
            "SELECT type, title, text, payload FROM items JOIN events USING (event_id) "
            "WHERE delivery_id = ? ORDER BY event_id"
        )
        events = tuple(Event(*each) for each in self._read(sql, (row["delivery_id"],)))
        return Delivery(
            row["delivery_id"], row["receiver"], time_of(row["created_at"]), row["attempts"], events
        )  # fmt: skip

    def sent(self, delivery_id: str, now: np.datetime64) -> None:
        """Record that the receiver has acknowledged a delivery."""
        self._finish(delivery_id, DeliveryState.SENT, now, "")

    def give_up(self, delivery_id: str, now: np.datetime64, reason: str) -> None:
        """Record that a delivery is not tried again."""
        self._finish(delivery_id, DeliveryState.GIVEN_UP, now, reason)

    def _finish(self, delivery_id: str, state: DeliveryState, now: np.datetime64, reason: str) -> None:
        sql = "UPDATE deliveries SET state = ?, finished_at = ?, reason = ?, attempts = attempts + 1 "
        with self._writing() as db:
            db.execute(f"{sql}WHERE delivery_id = ?", (state, stamp_of(now), reason, delivery_id))

    def put_off(self, delivery_id: str, until: np.datetime64, reason: str) -> None:
        """Record that a delivery failed and is tried again at a time."""
        with self._writing() as db:
            db.execute(
                "UPDATE deliveries SET not_before = ?, reason = ?, attempts = attempts + 1 "
                "WHERE delivery_id = ? AND state = 'pending'",
                (stamp_of(until), reason, delivery_id),
            )

    def try_again(self, now: np.datetime64) -> int:
        """Make all deliveries that were given up pending again; returns their number."""
        with self._writing() as db:
            return db.execute(
                "UPDATE deliveries SET state = 'pending', not_before = ?, created_at = ?, finished_at = NULL "
                "WHERE state = 'given up'",
                (stamp_of(now), stamp_of(now)),
            ).rowcount

    def counts(self) -> dict[str, dict[DeliveryState, int]]:
        """Number of deliveries by receiver and state."""
        found: dict[str, dict[DeliveryState, int]] = {}
        sql = "SELECT receiver, state, count(*) AS n FROM deliveries GROUP BY receiver, state ORDER BY receiver"
        for row in self._read(sql):
            found.setdefault(row["receiver"], {})[DeliveryState(row["state"])] = row["n"]
        return found

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """A write transaction that is on disk when the block ends."""
        with self._in_words():
            if not self.path.exists():
                self._create()
            with closing(sqlite3.connect(self.path, timeout=PATIENCE_S, isolation_level=None)) as db:
                db.row_factory = sqlite3.Row
                db.execute("PRAGMA synchronous = FULL")
                db.execute("BEGIN IMMEDIATE")
                try:
                    self._check_version(db)
                    yield db
                except BaseException:
                    db.execute("ROLLBACK")
                    raise
                db.execute("COMMIT")

    def _read(self, sql: str, values: Iterable[object] = ()) -> list[sqlite3.Row]:
        """Rows of a SELECT; empty when there is no journal."""
        with self._in_words():
            if not self.path.exists():
                return []
            name = f"{self.path.absolute().as_uri()}?mode=ro"
            with closing(sqlite3.connect(name, timeout=PATIENCE_S, uri=True)) as db:
                db.row_factory = sqlite3.Row
                self._check_version(db)
                return db.execute(sql, tuple(values)).fetchall()

    def _create(self) -> None:
        """Make the file with its tables, or nothing: an empty file is a damaged one."""
        with atomic_path(self.path) as temporary:
            create(temporary, PRIVATE).close()  # what failed is for the operator alone
            with closing(sqlite3.connect(temporary, isolation_level=None)) as db:
                db.executescript(f"{_SCHEMA}PRAGMA user_version = {VERSION};")

    def _check_version(self, db: sqlite3.Connection) -> None:
        version = int(db.execute("PRAGMA user_version").fetchone()[0])
        if version > VERSION:
            message = f"{self.path} was written by newer software than this"
            raise NoticesDamaged(message)
        if version == 0:
            message = "it has no tables"
            raise sqlite3.DatabaseError(message)

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError, ValueError) as error:
            message = (
                f"{self.path} cannot be used: {error}. Nothing is sent. Restore it from a backup, or move it away and "
                "run stix-jobs notify --since T, which reports again what is newer than T"
            )
            raise NoticesDamaged(message) from error


def _new_delivery(db: sqlite3.Connection, receiver: str, stamp: int, delivery_id: str) -> str:
    sql = "INSERT INTO deliveries (delivery_id, receiver, state, created_at, not_before) VALUES (?, ?, 'pending', ?, ?)"
    db.execute(sql, (delivery_id, receiver, stamp, stamp))
    return delivery_id


def _forget(db: sqlite3.Connection, before: int) -> None:
    """Delete deliveries that were sent long ago, and events that belong to nothing any more."""
    db.execute(
        "DELETE FROM items WHERE delivery_id IN "
        "(SELECT delivery_id FROM deliveries WHERE state = 'sent' AND finished_at < ?)",
        (before,),
    )
    db.execute("DELETE FROM deliveries WHERE state = 'sent' AND finished_at < ?", (before,))
    db.execute("DELETE FROM events WHERE recorded_at < ? AND event_id NOT IN (SELECT event_id FROM items)", (before,))
