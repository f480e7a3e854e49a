"""Work of all sessions in threads: the first runs, the next waits, the last is refused; clients take turns."""

import threading

import pytest

from dashboards.pages.science_data.limited_threads import LimitedThreads
from jobs.shared.errors import LimitReached

REFUSAL = "the server is busy with other fits"


class Work:
    """Work that takes until it is told to end; says whose has begun."""

    def __init__(self) -> None:
        self.order: list[str] = []
        self._began, self._go_on = threading.Semaphore(0), threading.Semaphore(0)

    def __call__(self, whose: str) -> None:
        self.order.append(whose)
        self._began.release()
        assert self._go_on.acquire(timeout=60)

    def wait_for_next(self) -> None:
        assert self._began.acquire(timeout=60)

    def end_one(self) -> None:
        self._go_on.release()


def test_what_is_too_much_is_refused_and_what_waits_runs_later() -> None:
    threads, work = LimitedThreads("fit", running=1, waiting=1, refusal=REFUSAL), Work()
    threads.run(lambda: work("first"), "first")
    work.wait_for_next()
    threads.run(lambda: work("second"), "second")
    with pytest.raises(LimitReached, match=REFUSAL):
        threads.run(lambda: work("third"), "third")
    assert work.order == ["first"]
    work.end_one()
    work.wait_for_next()
    assert work.order == ["first", "second"]
    work.end_one()


def test_one_client_has_half_of_the_places_and_others_come_between() -> None:
    threads, work = LimitedThreads("fit", running=1, waiting=5, refusal=REFUSAL), Work()
    for _ in range(3):
        threads.run(lambda: work("greedy"), "greedy")
    with pytest.raises(LimitReached, match="3 of yours or of your network run or wait"):
        threads.run(lambda: work("greedy"), "greedy")
    threads.run(lambda: work("other"), "other")
    for _ in range(4):
        work.wait_for_next()
        work.end_one()
    assert work.order == ["greedy", "other", "greedy", "greedy"]


def test_places_are_given_back_also_by_work_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    threads, work = LimitedThreads("fit", running=1, waiting=1, refusal=REFUSAL), Work()

    def fail() -> None:
        work("failed")
        raise ValueError

    for _ in range(3):
        threads.run(fail, "one")
        work.wait_for_next()
        threads.run(lambda: work("after"), "two")
        work.end_one()
        work.wait_for_next()
        work.end_one()
        for thread in [thread for thread in threading.enumerate() if thread.name == "fit"]:
            thread.join(60)
    assert work.order == ["failed", "after"] * 3
