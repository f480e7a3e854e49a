"""One pass: record what is new, then send what is due, to all receivers at the same time."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock, Thread
from time import monotonic
from typing import Protocol

import numpy as np

from archive import Archive
from jobs.notices.journal import MOST_IN_DIGEST, Delivery, NoticeJournal, NoticesDamaged
from jobs.notices.look import look
from jobs.notices.send import NotSent, Sender
from jobs.notices.settings import DAILY, NoticeSettings, Receiver

log = logging.getLogger(__name__)

#: Pauses after the first, second, … failure of a delivery, s; the last one also after all later ones.
BACKOFF_S = (60.0, 300.0, 1800.0, 7200.0, 21_600.0)
#: After so many failures in a row, a receiver is left alone until the next pass.
MOST_FAILURES = 3
#: Time for one receiver in one pass, s: the rest waits for the next pass.
BUDGET_S = 60.0
#: How long a pass waits for its slowest receiver, s.
LONGEST_PASS_S = 120.0


class Sends(Protocol):
    """Sends a delivery, as `Sender` does."""

    def send(self, receiver: Receiver, delivery: Delivery, now: np.datetime64) -> None:
        """Send it; raises NotSent."""


@dataclass
class Pass:
    """Result of a pass: events recorded; deliveries sent, put off and given up, with the reasons."""

    events: int = 0
    sent: int = 0
    put_off: int = 0
    given_up: int = 0
    problems: tuple[str, ...] = ()


def new_id() -> str:
    """A new id of a delivery."""
    return f"msg_{secrets.token_hex(16)}"


def notify(
    archive: Archive,
    settings: NoticeSettings,
    clock: Callable[[], np.datetime64],
    *,
    since: np.datetime64 | None = None,
    sender: Sends | None = None,
    make_id: Callable[[], str] = new_id,
    at_once: bool = True,
    patience_s: float = LONGEST_PASS_S,
) -> Pass:
    """Record what is new and send what is due. Only one process may do this at a time.

    Parameters
    ----------
    archive : Archive
    settings : NoticeSettings
    clock : callable
        Returns the current time, UTC.
    since : datetime64, optional
        See `jobs.notices.look.look`.
    sender : Sends, optional
    make_id : callable
        Returns a new id of a delivery.
    at_once : bool
        A thread for each receiver, so that a slow one delays no other; else one after the other.
    patience_s : float, s
        How long to wait for the threads; what is not acknowledged by then is sent again later, with the same id.

    Raises
    ------
    NoticesDamaged
        If the journal cannot be used. Nothing is sent.
    """
    journal, result, lock = NoticeJournal(archive.root), Pass(), Lock()
    looked = look(archive, journal, settings, clock(), since)
    journal.record(looked, clock(), make_id)
    result.events = len(looked.events)
    enabled = [one for one in settings.receivers if one.enabled]
    tasks = [_Task(journal, one, settings.give_up_days, clock, sender or Sender(), make_id) for one in enabled]
    if not at_once:
        for task in tasks:
            task.run(result, lock)
        return result
    # daemons: a receiver that never ends its answer must not keep the process alive
    threads = [Thread(target=task.run, args=(result, lock), daemon=True) for task in tasks]
    _run(threads, patience_s)
    return result


def _run(threads: Sequence[Thread], patience_s: float) -> None:
    for thread in threads:
        thread.start()
    end = monotonic() + patience_s
    for thread in threads:
        thread.join(max(0.0, end - monotonic()))


@dataclass(frozen=True)
class _Task:
    """The deliveries of one receiver in one pass."""

    journal: NoticeJournal
    receiver: Receiver
    give_up_days: float
    clock: Callable[[], np.datetime64]
    sender: Sends
    make_id: Callable[[], str]

    def run(self, result: Pass, lock: Lock) -> None:
        """Send what is due; add to the result under the lock."""
        try:
            self._run(result, lock)
        except NoticesDamaged as error:
            with lock:
                result.problems = (*result.problems, str(error))

    def _run(self, result: Pass, lock: Lock) -> None:
        name = self.receiver.name
        # also for a receiver that had digests before: nothing that waits is forgotten
        most = MOST_IN_DIGEST if self.receiver.digest == DAILY else 1
        self.journal.make_digests(name, self.clock(), self.make_id, most)
        begin, failures = monotonic(), 0
        for delivery in self.journal.due(name, self.clock()):
            if failures >= MOST_FAILURES or monotonic() - begin > BUDGET_S:
                break
            try:
                self.sender.send(self.receiver, delivery, self.clock())
            except NotSent as fault:
                failures += 1
                gave_up = self._fail(delivery, fault)
                log.warning("%s: %s", name, fault)
                with lock:
                    result.given_up += gave_up
                    result.put_off += not gave_up
                    result.problems = (*result.problems, f"{name}: {fault}")
                continue
            self.journal.sent(delivery.delivery_id, self.clock())
            failures = 0
            with lock:
                result.sent += 1

    def _fail(self, delivery: Delivery, fault: NotSent) -> bool:
        """Put a delivery off, or give it up; returns whether it was given up."""
        now = self.clock()
        age = (now - delivery.created_at) / np.timedelta64(1, "D")
        if fault.gone or age >= self.give_up_days:
            self.journal.give_up(delivery.delivery_id, now, str(fault))
            return True
        pause = max(BACKOFF_S[min(delivery.attempts, len(BACKOFF_S) - 1)], fault.pause_s)
        self.journal.put_off(delivery.delivery_id, now + np.timedelta64(round(pause), "s"), str(fault))
        return False
