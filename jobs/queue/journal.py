"""The journal of requests, for pages, API and command line. Acknowledged requests survive any crash.

    queued ──► running ──► done | failed | cancelled          (retry: back to queued)
       ▲          │
       └──────────┘  lease expired, worker died, temporary fault

These callers submit, read and cancel requests. What workers do is in `jobs.queue.leases`.
"""

from __future__ import annotations

import hashlib
import heapq
import json
import sqlite3
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from jobs.queue.journal_file import (
    REGIONS,
    SPECTRUM,
    JournalFile,
    Request,
    RequestState,
    TaskResult,
    WorkerSign,
    request_of,
    stamp_of,
    time_of,
)
from jobs.shared.errors import LimitReached, NoSuchRequest, NotAllowed
from jobs.shared.limits import NAME_LENGTH, RESERVED_NAMES, Limits

__all__ = ["REGIONS", "SPECTRUM", "Journal", "Request", "RequestState", "TaskResult", "WorkerSign", "hash_of"]


class Journal(JournalFile):
    """The journal of an archive, for everything except workers."""

    def submit(
        self,
        user: str,
        body: str,
        now: np.datetime64,
        *,
        uid: str,
        task_count: int,
        limits: Limits | None = None,
        answer: int | None = None,
    ) -> tuple[Request, bool]:
        """Put a request into the queue.

        Submitting a request again while it is queued or running returns the existing one.

        Parameters
        ----------
        user : str
            A registered user; checking that is the caller's duty.
        body : str
            Canonical JSON.
        now : datetime64
        uid, task_count : str, int
            For lists.
        limits : Limits, optional
        answer : int, optional
            An earlier request with the same body that is done. The new request gets its results and is done at once.

        Returns
        -------
        Request, bool
            The request, and whether it is new.

        Raises
        ------
        NotAllowed
            When the user is a guest.
        LimitReached
            When the user has too many requests open, or has used up the computing time.
        """
        limits = limits or Limits()
        if user in RESERVED_NAMES or len(user) > NAME_LENGTH:
            message = "sign in to submit requests"
            raise NotAllowed(message)
        digest, time = hash_of(body), stamp_of(now)
        with self.writing() as db:
            same = db.execute(
                "SELECT * FROM requests WHERE user = ? AND body_hash = ? AND state IN ('queued', 'running')",
                (user, digest),
            ).fetchone()
            if same is not None:
                return request_of(same), False
            if answer is None:
                _check_share(db, user, time, limits)
            row = db.execute(
                "INSERT INTO requests "
                "(user, body, body_hash, uid, recipes, state, submitted_at, queued_at, not_before) VALUES ("
                "?, ?, ?, ?, ?, 'queued', ?, ?, ?) RETURNING *",
                (user, body, digest, uid, task_count, time, time, time),
            ).fetchone()
            if answer is not None:
                row = _copy_answer(db, row["request_id"], answer, time)
            return request_of(row), True

    def get(self, request_id: int) -> Request:
        """The request with a number.

        Raises
        ------
        NoSuchRequest
            When no request has that number.
        """
        found = self.read("SELECT * FROM requests WHERE request_id = ?", (request_id,))
        if not found:
            raise _unknown(request_id)
        return request_of(found[0])

    def parts(self, request_id: int) -> tuple[TaskResult, ...]:
        """Results of the finished image sets of a request, in the order of the request."""
        found = self.read("SELECT * FROM parts WHERE request_id = ? ORDER BY part", (request_id,))
        return tuple(TaskResult(row["part"], row["run_id"], row["reason"]) for row in found)

    def requests(
        self,
        user: str | None = None,
        states: Sequence[RequestState | str] = (),
        *,
        uid: str | None = None,
        limit: int = 100,
        offset: int = 0,
    ) -> list[Request]:
        """Requests, newest first, optionally of one user, in some states, or for one science file."""
        where, values = _conditions(user, states, uid)
        sql = f"SELECT * FROM requests WHERE {where} ORDER BY request_id DESC LIMIT ? OFFSET ?"  # noqa: S608 - columns are ours
        return [request_of(row) for row in self.read(sql, (*values, limit, offset))]

    def count(
        self, user: str | None = None, states: Sequence[RequestState | str] = (), *, uid: str | None = None
    ) -> int:
        """Number of requests that `requests` finds without a limit."""
        where, values = _conditions(user, states, uid)
        found = self.read(f"SELECT count(*) FROM requests WHERE {where}", values)  # noqa: S608 - columns are ours
        return int(found[0][0]) if found else 0

    def counts(self) -> dict[RequestState, int]:
        """Number of requests in each state."""
        found = dict(map(tuple, self.read("SELECT state, count(*) FROM requests GROUP BY state")))
        return {state: int(found.get(state, 0)) for state in RequestState}

    def position(self, request_id: int) -> int | None:
        """Number of requests that will be claimed before this one as things are; None when it is not queued."""
        found = self.read("SELECT user, state FROM requests WHERE request_id = ?", (request_id,))
        if not found:
            raise _unknown(request_id)
        if found[0]["state"] != RequestState.QUEUED:
            return None
        user = found[0]["user"]
        (own,) = self.read(
            "SELECT count(*) FROM requests INDEXED BY waiting WHERE state = 'queued' AND user = ? AND request_id < ?",
            (user, request_id),
        )
        shares = {row["user"]: row for row in self.read(_SHARES)}
        if user not in shares:  # claimed between these queries, and the last one of its user
            return None
        turn = own[0] + shares[user]["running"]  # users take turns: this is the turn of its user that it waits for
        before: int = own[0]
        for other, share in shares.items():
            if other != user:
                first = (share["served"], share["first"]) < (shares[user]["served"], shares[user]["first"])
                before += min(share["queued"], max(0, turn - share["running"] + first))
        return before

    def queue(self, limit: int = 50) -> list[tuple[int, Request]]:
        """Queued requests in the order in which they will be claimed as things are, each with its `position`."""
        turns = [
            (share["running"], share["served"], share["first"], share["user"], share["queued"])
            for share in self.read(_SHARES)
        ]
        heapq.heapify(turns)
        order: list[str] = []
        while turns and len(order) < limit:
            taken, served, first, user, left = heapq.heappop(turns)
            order.append(user)
            if left > 1:
                heapq.heappush(turns, (taken + 1, served, first, user, left - 1))
        waiting = {user: iter(self._oldest(user, number)) for user, number in Counter(order).items()}
        placed = ((place, next(waiting[user], None)) for place, user in enumerate(order))
        return [(place, request) for place, request in placed if request is not None]

    def _oldest(self, user: str, limit: int) -> list[Request]:
        """Queued requests of a user, oldest first."""
        sql = (
            "SELECT * FROM requests INDEXED BY waiting WHERE state = 'queued' AND user = ? ORDER BY request_id LIMIT ?"
        )
        return [request_of(row) for row in self.read(sql, (user, limit))]

    def failures(self, since: np.datetime64, limit: int = 50) -> list[Request]:
        """Requests that ended after ``since`` and failed, wholly or in part; the most recent first."""
        found = self.read(
            "SELECT * FROM requests WHERE state IN ('failed', 'done') AND finished_at >= ? "
            "AND (state = 'failed' OR reason != '') ORDER BY finished_at DESC, request_id DESC LIMIT ?",
            (stamp_of(since), limit),
        )
        return [request_of(row) for row in found]

    def finished_since(self, time: np.datetime64) -> dict[RequestState, int]:
        """Number of requests that ended after ``time``, by final state."""
        found = self.read(
            "SELECT state, count(*) FROM requests "
            "WHERE state IN ('done', 'failed', 'cancelled') AND finished_at >= ? GROUP BY state",
            (stamp_of(time),),
        )
        return {RequestState(state): number for state, number in map(tuple, found)}

    def last_done(self, body: str, user: str) -> Request | None:
        """The latest request with this body that is done without failures; preferably one of this user."""
        found = self.read(
            "SELECT * FROM requests WHERE body_hash = ? AND state = 'done' AND reason = '' "
            "ORDER BY user = ? DESC, finished_at DESC LIMIT 1",
            (hash_of(body), user),
        )
        return request_of(found[0]) if found else None

    def askers(self, runs: Sequence[str]) -> dict[str, str]:
        """For each of the runs that answered a request, the user who requested it first."""
        found = self.read(
            "SELECT run_id, user FROM parts JOIN requests USING (request_id) "
            "WHERE run_id IN (SELECT value FROM json_each(?)) ORDER BY request_id DESC",
            (json.dumps(list(runs)),),
        )
        return {row["run_id"]: row["user"] for row in found}

    def workers(self) -> list[WorkerSign]:
        """Workers that have not signed out, with their last heartbeat."""
        return [
            WorkerSign(row["owner"], row["engine"], time_of(row["started_at"]), time_of(row["beat_at"]))
            for row in self.read("SELECT * FROM workers ORDER BY started_at")
        ]

    def cancel(self, request_id: int, now: np.datetime64, *, user: str | None = None) -> Request:
        """Cancel a request: at once when it is queued, within about a second when it is running.

        Parameters
        ----------
        user : str, optional
            Who cancels it. Users can cancel only their own requests; None is an operator.

        Raises
        ------
        NoSuchRequest, NotAllowed
        """
        with self.writing() as db:
            self._own(db, request_id, user)
            db.execute("UPDATE requests SET cancelling = 1 WHERE request_id = ? AND state = 'running'", (request_id,))
            db.execute(
                "UPDATE requests SET state = 'cancelled', finished_at = ?, reason = 'cancelled before it began' "
                "WHERE request_id = ? AND state = 'queued'",
                (stamp_of(now), request_id),
            )
            return self._own(db, request_id, user)

    def retry(
        self, request_id: int, now: np.datetime64, *, user: str | None = None, limits: Limits | None = None
    ) -> Request:
        """Requeue a request that was cancelled or that failed, also in part.

        If the user already has the same request open, that one is returned. Parameters and errors are those of
        `cancel`; raises LimitReached as `submit` does.
        """
        with self.writing() as db:
            present = self._own(db, request_id, user)
            if present.state.is_open or (present.state == RequestState.DONE and not present.reason):
                return present
            same = db.execute(
                "SELECT * FROM requests WHERE user = ? AND body_hash = ? AND state IN ('queued', 'running')",
                (present.user, hash_of(present.body)),
            ).fetchone()
            if same is not None:
                return request_of(same)
            if user is not None:
                _check_share(db, user, stamp_of(now), limits or Limits())
            db.execute("DELETE FROM parts WHERE request_id = ? AND run_id IS NULL", (request_id,))
            db.execute(
                "UPDATE requests SET state = 'queued', queued_at = :now, not_before = :now, finished_at = NULL, "
                "attempts = 0, faults = 0, deaths = 0, owner = NULL, cancelling = 0, reason = '', step = '', "
                "step_number = 0, step_count = 0 WHERE request_id = :id",
                {"now": stamp_of(now), "id": request_id},
            )
            return self._own(db, request_id, user)

    def purge(self, now: np.datetime64, *, keep_days: float = 365.0) -> int:
        """Remove requests that ended more than ``keep_days`` ago, and workers without a heartbeat for a day.

        Their runs stay in the archive, with their author. Returns the number of removed requests.
        """
        before = stamp_of(now) - round(keep_days * 86400e6)
        with self.writing() as db:
            db.execute("DELETE FROM workers WHERE beat_at < ?", (stamp_of(now) - round(86400e6),))
            return db.execute(
                "DELETE FROM requests WHERE state IN ('done', 'failed', 'cancelled') AND finished_at < ?", (before,)
            ).rowcount

    def _own(self, db: sqlite3.Connection, request_id: int, user: str | None) -> Request:
        """The request, if ``user`` may change it."""
        row = db.execute("SELECT * FROM requests WHERE request_id = ?", (request_id,)).fetchone()
        if row is None:
            raise _unknown(request_id)
        if user is not None and row["user"] != user:
            message = f"request {request_id} is another user's"
            raise NotAllowed(message)
        return request_of(row)


def _conditions(user: str | None, states: Sequence[RequestState | str], uid: str | None) -> tuple[str, list[Any]]:
    conditions, values = ["1"], list[Any]()
    for column, value in (("user", user), ("uid", uid)):
        if value is not None:
            conditions.append(f"{column} = ?")
            values.append(value)
    if states:
        conditions.append(f"state IN ({', '.join('?' for _ in states)})")
        values.extend(str(state) for state in states)
    return " AND ".join(conditions), values


def hash_of(body: str) -> str:
    """SHA-256 of a request's body, hexadecimal."""
    return hashlib.sha256(body.encode()).hexdigest()


#: Per user with queued requests: how many are queued and running, the number of the last claim, the oldest queued one.
_SHARES = """
SELECT user, count(*) AS queued, min(request_id) AS first,
       (SELECT count(*) FROM requests r INDEXED BY running WHERE r.state = 'running' AND r.user = q.user) AS running,
       coalesce((SELECT max(served) FROM requests r WHERE r.user = q.user), 0) AS served
FROM requests q INDEXED BY waiting WHERE state = 'queued' GROUP BY user
"""


def _check_share(db: sqlite3.Connection, user: str, time: int, limits: Limits) -> None:
    """Refuse a request of a user whose quota is reached.

    Raises
    ------
    LimitReached
    """
    (waiting,) = db.execute(
        "SELECT count(*) FROM requests WHERE user = ? AND state IN ('queued', 'running')", (user,)
    ).fetchone()
    if waiting >= limits.open_requests:
        message = (
            f"you have {waiting} requests that wait or run, and {limits.open_requests} is the most a user may have; "
            "wait for one to end or cancel one"
        )
        raise LimitReached(message)
    since = time - round(limits.compute_window * 1e6)
    (used,) = db.execute(
        "SELECT coalesce(sum(elapsed_s), 0) FROM requests WHERE user = ? AND submitted_at > ?", (user, since)
    ).fetchone()
    if used >= limits.compute:
        message = (
            f"your requests of the last {limits.compute_window / 3600:g} hours took {used / 60:.0f} minutes of "
            f"computing, and {limits.compute / 60:g} is the most a user may have; try again later"
        )
        raise LimitReached(message)


def _copy_answer(db: sqlite3.Connection, request_id: int, answer: int, time: int) -> sqlite3.Row:
    """Copy the results of an older request to a new one."""
    db.execute("INSERT INTO parts SELECT ?, part, run_id, reason FROM parts WHERE request_id = ?", (request_id, answer))
    row: sqlite3.Row = db.execute(
        "UPDATE requests SET state = 'done', started_at = ?, finished_at = ?, answered_by = ? "
        "WHERE request_id = ? RETURNING *",
        (time, time, answer, request_id),
    ).fetchone()
    return row


def _unknown(request_id: int) -> NoSuchRequest:
    return NoSuchRequest(f"there is no request {request_id}")
