"""The journal of requests, for workers: claim with a lease, renew it, write only what is still held."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import numpy as np

from jobs.queue.journal_file import JournalFile, Request, RequestState, TaskResult, request_of, stamp_of
from jobs.shared.limits import Limits

# A request sent back to the queue at a time that has not come yet was sent back before the clock was set back.
# The indexes are named because SQLite, knowing nothing of the numbers, takes others and needs a hundred times as long.
_CLAIM = """
UPDATE requests SET state = 'running', owner = :owner, beat_at = :now, lease_until = :until, attempts = attempts + 1,
    started_at = coalesce(started_at, :now), served = (SELECT coalesce(max(served), 0) + 1 FROM requests), reason = ''
WHERE request_id = (
    SELECT first FROM (
        SELECT user, min(request_id) AS first FROM requests INDEXED BY waiting
        WHERE state = 'queued' AND (not_before <= :now OR queued_at > :now)
          AND body_hash NOT IN (SELECT body_hash FROM requests INDEXED BY running WHERE state = 'running')
        GROUP BY user
    ) AS waiting
    ORDER BY (SELECT count(*) FROM requests r INDEXED BY running
              WHERE r.state = 'running' AND r.user = waiting.user),
             coalesce((SELECT max(served) FROM requests r WHERE r.user = waiting.user), 0), first
    LIMIT 1
)
RETURNING *
"""


_GONE = """
SELECT request_id FROM requests INDEXED BY running
WHERE state = 'running'
  AND (lease_until < :now OR beat_at > :now + :lease OR owner IN (SELECT value FROM json_each(:dead)))
"""


class Leases(JournalFile):
    """The journal of an archive, as workers use it."""

    def claim(self, owner: str, now: np.datetime64, lease_s: float) -> Request | None:
        """Take the next request of the queue; None when there is none.

        The user with the fewest running requests comes first, then the one who was served longest ago; of a user, the
        oldest request. A request that is running already under another user's name waits for that answer.
        """
        values = {"owner": owner, "now": stamp_of(now), "until": stamp_of(now) + round(lease_s * 1e6)}
        if not self.read("SELECT 1 FROM requests WHERE state = 'queued' LIMIT 1"):
            return None
        with self.writing() as db:
            row = db.execute(_CLAIM, values).fetchone()
            return None if row is None else request_of(row)

    def waits(self, now: np.datetime64) -> bool:
        """Whether a request could be claimed now."""
        return bool(self.read("SELECT 1 FROM requests WHERE state = 'queued' AND not_before <= ?", (stamp_of(now),)))

    def beat(self, owner: str, now: np.datetime64, lease_s: float) -> dict[int, bool]:
        """Renew the lease of everything a worker has.

        Returns
        -------
        dict
            The requests it still has, each with whether it is to be cancelled. One that is missing was taken away.
        """
        time = stamp_of(now)
        with self.writing(flushed=False) as db:
            found = db.execute(
                "UPDATE requests SET beat_at = ?, lease_until = ? WHERE state = 'running' AND owner = ? "
                "RETURNING request_id, cancelling",
                (time, time + round(lease_s * 1e6), owner),
            ).fetchall()
        return {row["request_id"]: bool(row["cancelling"]) for row in found}

    def sign_in(self, owner: str, engine: str, now: np.datetime64) -> None:
        """Leave a sign of life of a worker, for people; ``engine`` says on what it runs."""
        with self.writing(flushed=False) as db:
            db.execute(
                "INSERT INTO workers VALUES (:owner, :engine, :now, :now) "
                "ON CONFLICT (owner) DO UPDATE SET beat_at = :now",
                {"owner": owner, "engine": engine, "now": stamp_of(now)},
            )

    def sign_out(self, owner: str) -> None:
        """Say goodbye."""
        with self.writing() as db:
            db.execute("DELETE FROM workers WHERE owner = ?", (owner,))

    def progress(self, request_id: int, owner: str, step: str, number: int, total: int) -> None:
        """Tell what a running request is doing."""
        with self.writing(flushed=False) as db:
            db.execute(
                "UPDATE requests SET step = ?, step_number = ?, step_count = ? "
                "WHERE request_id = ? AND owner = ? AND state = 'running'",
                (step, number, total, request_id, owner),
            )

    def record(self, request_id: int, owner: str, parts: Sequence[TaskResult], elapsed_s: float) -> bool:
        """Note finished parts and the computing time spent since the last call; False when another worker has it."""
        with self.writing() as db:
            held = db.execute(
                "UPDATE requests SET elapsed_s = elapsed_s + ?, deaths = CASE WHEN ? THEN 0 ELSE deaths END "
                "WHERE request_id = ? AND owner = ? AND state = 'running'",
                (elapsed_s, bool(parts), request_id, owner),
            ).rowcount
            if held:
                db.executemany(
                    "INSERT OR REPLACE INTO parts VALUES (?, ?, ?, ?)",
                    [(request_id, part.part, part.run_id, part.reason) for part in parts],
                )
        return bool(held)

    def finish(self, request_id: int, owner: str, now: np.datetime64, state: RequestState, reason: str = "") -> bool:
        """End a running request; False when another worker has it, and nothing was changed."""
        with self.writing() as db:
            return bool(
                db.execute(
                    "UPDATE requests SET state = ?, reason = ?, finished_at = ?, owner = NULL, cancelling = 0, "
                    "step = '' WHERE request_id = ? AND owner = ? AND state = 'running'",
                    (str(state), reason, stamp_of(now), request_id, owner),
                ).rowcount
            )

    def release(
        self, request_id: int, owner: str, now: np.datetime64, *, delay_s: float = 0.0, fault: str = ""
    ) -> bool:
        """Put a running request back into the queue, for at least ``delay_s``; with ``fault``, that was the reason."""
        with self.writing() as db:
            return bool(
                db.execute(
                    "UPDATE requests SET state = 'queued', owner = NULL, queued_at = :now, not_before = :then, "
                    "faults = faults + :fault, attempts = attempts - (:fault = 0), reason = :reason, step = '' "
                    "WHERE request_id = :id AND state = 'running' AND owner = :owner",
                    {
                        "now": stamp_of(now),
                        "then": stamp_of(now) + round(delay_s * 1e6),
                        "fault": bool(fault),
                        "reason": fault,
                        "id": request_id,
                        "owner": owner,
                    },
                ).rowcount
            )

    def owners(self) -> set[str]:
        """Workers that have requests."""
        return {row["owner"] for row in self.read("SELECT DISTINCT owner FROM requests WHERE state = 'running'")}

    def requeue(
        self,
        now: np.datetime64,
        lease_s: float,
        *,
        is_dead: Callable[[str], bool] = lambda _: False,
        deaths: int = Limits.deaths,
    ) -> list[int]:
        """Put requests back into the queue whose lease has run out, or whose worker is known to be dead.

        A lease from the future was given before the clock was set back, and counts as run out too: a worker that lives
        renews it within a second.

        Parameters
        ----------
        now, lease_s
        is_dead : callable
            Whether a worker is known not to live any more.
        deaths : int
            A request is failed when more workers than this died with it and none got anything done.
        """
        dead = [owner for owner in self.owners() if is_dead(owner)]
        values = {"now": stamp_of(now), "lease": round(lease_s * 1e6), "dead": json.dumps(dead), "deaths": deaths}
        if not self.read(_GONE, values):
            return []
        with self.writing() as db:
            values["gone"] = json.dumps([row["request_id"] for row in db.execute(_GONE, values)])
            db.execute(
                "UPDATE requests SET state = 'cancelled', reason = 'cancelled', owner = NULL, finished_at = :now, "
                "step = '' WHERE request_id IN (SELECT value FROM json_each(:gone)) AND cancelling",
                values,
            )
            db.execute(
                "UPDATE requests SET deaths = deaths + 1 WHERE request_id IN (SELECT value FROM json_each(:gone))",
                values,
            )
            db.execute(
                "UPDATE requests SET state = 'failed', owner = NULL, finished_at = :now, step = '', "
                "reason = 'the worker that had it died, ' || deaths || ' times' "
                "WHERE request_id IN (SELECT value FROM json_each(:gone)) AND state = 'running' AND deaths > :deaths",
                values,
            )
            found = db.execute(
                "UPDATE requests SET state = 'queued', owner = NULL, queued_at = :now, not_before = :now, step = '' "
                "WHERE request_id IN (SELECT value FROM json_each(:gone)) AND state = 'running' RETURNING request_id",
                values,
            ).fetchall()
        return [row["request_id"] for row in found]
