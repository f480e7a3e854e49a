"""Work of all sessions in threads: the first runs, the next waits, the last is refused."""

import threading

import pytest

from dashboards.pages.science_data.limited_threads import LimitedThreads
from jobs.shared.errors import LimitReached


def test_what_is_too_much_is_refused_and_what_waits_runs_later() -> None:
    threads = LimitedThreads("fit", running=1, waiting=1, refusal="the server is busy with other fits")
    began, go_on, done = threading.Event(), threading.Event(), threading.Semaphore(0)

    def first() -> None:
        began.set()
        assert go_on.wait(60)
        done.release()

    threads.run(first)
    assert began.wait(60)
    threads.run(done.release)
    with pytest.raises(LimitReached, match="busy with other fits"):
        threads.run(done.release)
    assert not done.acquire(blocking=False)
    go_on.set()
    assert all(done.acquire(timeout=60) for _ in range(2))
