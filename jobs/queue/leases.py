"""The journal of requests, for workers, who claim requests with a lease and write only while they hold it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import numpy as np

from jobs.queue.journal_file import JournalFile, Request, RequestState, TaskResult, request_of, stamp_of
from jobs.shared.limits import Limits

# queued_at in the future means that the clock was set back since.
# The indexes are named because SQLite, without statistics, chooses others and takes a hundred times as long.
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
    """The journal of an archive, for workers."""

    def claim(self, owner: str, now: np.datetime64, lease_s: float) -> Request | None:
        """Claim the next request; None when there is none.

        The user with the fewest running requests comes first, then the one who was served longest ago; of a user, the
        oldest request. A request that is already running for another user waits for that result.
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
        """Renew the leases of a worker.

        Returns
        -------
        dict
            The requests it still holds, each with whether it is to be cancelled.
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
        """Record a heartbeat of a worker, shown to operators; ``engine`` says where its tasks run."""
        with self.writing(flushed=False) as db:
            db.execute(
                "INSERT INTO workers VALUES (:owner, :engine, :now, :now) "
                "ON CONFLICT (owner) DO UPDATE SET beat_at = :now",
                {"owner": owner, "engine": engine, "now": stamp_of(now)},
            )

    def sign_out(self, owner: str) -> None:
        """Remove a worker that leaves."""
        with self.writing() as db:
            db.execute("DELETE FROM workers WHERE owner = ?", (owner,))

    def progress(self, request_id: int, owner: str, step: str, number: int, total: int) -> None:
        """Record the current step of a running request."""
        with self.writing(flushed=False) as db:
            db.execute(
                "UPDATE requests SET step = ?, step_number = ?, step_count = ? "
                "WHERE request_id = ? AND owner = ? AND state = 'running'",
                (step, number, total, request_id, owner),
            )

    def record(self, request_id: int, owner: str, parts: Sequence[TaskResult], elapsed_s: float) -> bool:
        """Record finished image sets and the computing time since the last call; False if the lease was lost."""
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
        """End a running request; False, and nothing changes, if the lease was lost."""
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
        """Put a running request back into the queue for at least ``delay_s``, because of ``fault`` if given."""
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
        """Workers that hold requests."""
        return {row["owner"] for row in self.read("SELECT DISTINCT owner FROM requests WHERE state = 'running'")}

    def requeue(
        self,
        now: np.datetime64,
        lease_s: float,
        *,
        is_dead: Callable[[str], bool] = lambda _: False,
        deaths: int = Limits.deaths,
    ) -> list[int]:
        """Put requests back into the queue whose lease has expired, or whose worker is known to be dead.

        A lease that begins in the future predates a clock change and counts as expired, too: a live worker renews it
        within a second.

        Parameters
        ----------
        now, lease_s
        is_dead : callable
            Whether a worker is known to be dead.
        deaths : int
            A request fails when more workers than this died while they held it and none finished an image set.
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
