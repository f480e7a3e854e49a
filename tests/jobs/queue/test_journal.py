"""The journal: what it acknowledged stays, who comes next, and who may write what."""

import sqlite3
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from jobs.queue.journal import Journal, RequestState, TaskResult, hash_of
from jobs.queue.leases import Leases
from jobs.shared.errors import JournalVersion, LimitReached, NoSuchRequest, NotAllowed
from jobs.shared.limits import Limits

NOW = np.datetime64("2026-03-20T00:00:00", "us")
LEASE = 30.0


def after(seconds):
    return NOW + np.timedelta64(round(seconds * 1e6), "us")


@pytest.fixture
def journal(tmp_path):
    return Journal(tmp_path)


@pytest.fixture
def leases(tmp_path):
    return Leases(tmp_path)


def put(journal, user, body="{}", now=NOW, **options):
    request, _ = journal.submit(user, body, now, uid="2603141000", task_count=1, **options)
    return request.request_id


def end(leases, owner, request_id, now=NOW, state=RequestState.DONE):
    assert leases.finish(request_id, owner, now, state)


def test_reading_makes_no_file(journal):
    assert journal.requests() == []
    assert set(journal.counts().values()) == {0}
    with pytest.raises(NoSuchRequest, match=r"no request 1$"):
        journal.get(1)
    assert not journal.path.exists()


def test_a_submitted_request_waits(journal):
    request, new = journal.submit("anna", '{"a":1}', NOW, uid="2603141000", task_count=3)
    assert new
    assert journal.get(request.request_id) == request
    assert (request.state, request.user, request.body, request.task_count) == ("queued", "anna", '{"a":1}', 3)
    assert request.submitted_at == NOW
    assert journal.position(request.request_id) == 0


def test_a_request_taken_while_its_place_is_counted(journal, leases, monkeypatch):
    number = put(journal, "anna")
    read = journal.read

    def and_then_claim(sql, values=()):
        rows = read(sql, values)
        leases.claim("w", NOW, LEASE)
        return rows

    monkeypatch.setattr(journal, "read", and_then_claim)
    assert journal.position(number) is None


def test_the_same_request_is_one_while_it_is_open(journal, leases):
    first = put(journal, "anna")
    assert journal.submit("anna", "{}", after(1), uid="x", task_count=1) == (journal.get(first), False)
    assert put(journal, "bert") != first
    leases.claim("w", NOW, LEASE)
    assert put(journal, "anna") == first
    end(leases, "w", first)
    assert put(journal, "anna") != first


@pytest.mark.parametrize("user", ["", "guest", "auto", "x" * 65])
def test_guests_cannot_submit(journal, user):
    with pytest.raises(NotAllowed, match="sign in to submit requests"):
        put(journal, user)
    assert journal.requests() == []


def test_not_even_by_writing_a_row(journal):
    put(journal, "anna")
    with pytest.raises(sqlite3.IntegrityError), journal.writing() as db:
        db.execute(
            "INSERT INTO requests (user, body, body_hash, uid, recipes, state, submitted_at, queued_at, not_before) "
            "VALUES ('guest', '{}', 'x', '', 1, 'queued', 0, 0, 0)"
        )
    assert len(journal.requests()) == 1


def test_a_user_has_a_limited_number_of_open_requests(journal, leases):
    limits = Limits(open_requests=3)
    ids = [put(journal, "anna", str(n), limits=limits) for n in range(3)]
    with pytest.raises(LimitReached, match="you have 3 requests that wait or run, and 3 is the most"):
        put(journal, "anna", "one more", limits=limits)
    assert put(journal, "anna", "0", limits=limits) == ids[0]  # the same is no further one
    put(journal, "bert", "one more", limits=limits)
    journal.cancel(ids[1], NOW)
    put(journal, "anna", "one more", limits=limits)


def test_a_user_has_a_limited_computing_time(journal, leases):
    limits = Limits(compute=100.0, compute_window=3600.0)
    request = put(journal, "anna", "long", limits=limits)
    leases.claim("w", NOW, LEASE)
    leases.record(request, "w", [], 120.0)
    with pytest.raises(LimitReached, match="last 1 hours took 2 minutes of computing"):
        put(journal, "anna", "next", limits=limits)
    put(journal, "bert", "next", limits=limits)
    put(journal, "anna", "next", after(3601), limits=limits)


def test_users_take_turns_and_each_users_oldest_comes_first(journal, leases):
    for name in ("a1", "a2", "a3", "b1", "c1", "c2"):
        put(journal, name[0], name)
    order = []
    while request := leases.claim("w", NOW, LEASE):
        order.append(request.body)
        end(leases, "w", request.request_id)
    assert order == ["a1", "b1", "c1", "a2", "c2", "a3"]


def test_who_has_less_running_comes_first(journal, leases):
    for name in ("a1", "a2", "a3", "b1", "b2"):
        put(journal, name[0], name)
    claimed = [leases.claim("w", NOW, LEASE) for _ in range(3)]
    assert [request.body for request in claimed] == ["a1", "b1", "a2"]
    end(leases, "w", claimed[1].request_id)
    assert leases.claim("w", NOW, LEASE).body == "b2"  # a has two running


def test_position_counts_turns(journal, leases):
    ids = {name: put(journal, name[0], name) for name in ("a1", "a2", "a3", "b1", "c1", "c2")}
    expected = ["a1", "b1", "c1", "a2", "c2", "a3"]
    for step in range(len(expected)):
        found = sorted(expected[step:], key=lambda name: journal.position(ids[name]))
        assert found == expected[step:]
        assert [journal.position(ids[name]) for name in found] == list(range(len(found)))
        end(leases, "w", leases.claim("w", NOW, LEASE).request_id)
    assert journal.position(ids["a1"]) is None


def test_queue_is_listed_in_the_order_of_serving(journal, leases):
    for name in ("a1", "a2", "a3", "b1", "c1", "c2"):
        put(journal, name[0], name)
    expected = ["a1", "b1", "c1", "a2", "c2", "a3"]
    for step in range(len(expected)):
        assert [(place, request.body) for place, request in journal.queue()] == list(enumerate(expected[step:]))
        assert [request.body for _, request in journal.queue(2)] == expected[step : step + 2]
        assert [journal.position(request.request_id) for _, request in journal.queue()] == list(range(6 - step))
        end(leases, "w", leases.claim("w", NOW, LEASE).request_id)
    assert journal.queue() == []


def test_failures_are_those_of_late_whole_or_in_part(journal, leases):
    for name in ("old", "failed", "in part", "done", "cancelled"):
        put(journal, "anna", name)
    ends = {"old": RequestState.FAILED, "failed": RequestState.FAILED, "cancelled": RequestState.CANCELLED}
    for number in range(5):
        request = leases.claim("w", NOW, LEASE)
        reason = "" if request.body == "done" else f"why {request.body}"
        time = after(60.0 * number)
        leases.finish(request.request_id, "w", time, ends.get(request.body, RequestState.DONE), reason)
    assert [request.reason for request in journal.failures(after(30.0))] == ["why in part", "why failed"]
    assert [request.body for request in journal.failures(NOW, limit=1)] == ["in part"]


def test_the_same_body_of_two_users_is_not_run_twice_at_a_time(journal, leases):
    first, second = put(journal, "anna", "same"), put(journal, "bert", "same")
    assert leases.claim("w1", NOW, LEASE).request_id == first
    assert leases.claim("w2", NOW, LEASE) is None
    end(leases, "w1", first)
    assert leases.claim("w2", NOW, LEASE).request_id == second


def test_simultaneous_claims_give_every_request_once(journal, leases):
    for number in range(30):
        put(journal, f"user{number % 7}", str(number))
    claimed, lock = [], threading.Lock()

    def work(name):
        while request := leases.claim(name, NOW, LEASE):
            with lock:
                claimed.append(request.request_id)

    threads = [threading.Thread(target=work, args=(f"w{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(claimed) == list(range(1, 31))


def test_an_expired_lease_is_taken_up_by_another_and_the_first_writes_no_more(journal, leases):
    request = put(journal, "anna")
    leases.claim("slow", NOW, LEASE)
    assert leases.requeue(after(29), LEASE) == []
    assert leases.beat("slow", after(29), LEASE) == {request: False}
    assert leases.requeue(after(58), LEASE) == []
    assert leases.requeue(after(60), LEASE) == [request]
    assert leases.claim("quick", after(60), LEASE).attempts == 2
    assert leases.beat("slow", after(61), LEASE) == {}
    assert not leases.record(request, "slow", [TaskResult(0, "f" * 16, "")], 1.0)
    assert not leases.finish(request, "slow", after(61), RequestState.FAILED, "late")
    assert not leases.release(request, "slow", after(61))
    leases.progress(request, "slow", "late", 1, 2)
    assert journal.parts(request) == ()
    assert (journal.get(request).owner, journal.get(request).step) == ("quick", "")
    end(leases, "quick", request)


def test_the_requests_of_a_dead_worker_need_not_wait(journal, leases):
    put(journal, "anna", "1")
    put(journal, "bert", "2")
    first, second = leases.claim("dead", NOW, LEASE), leases.claim("alive", NOW, LEASE)
    assert leases.requeue(NOW, LEASE, is_dead=lambda owner: owner == "dead") == [first.request_id]
    assert journal.get(second.request_id).owner == "alive"


def test_a_request_that_kills_every_worker_is_given_up(journal, leases):
    request = put(journal, "anna")
    for _ in range(3):
        assert leases.claim("w", NOW, LEASE)
        leases.requeue(after(60), LEASE, deaths=2)
    assert journal.get(request).state == "failed"
    assert journal.get(request).reason == "the worker that had it died, 3 times"


def test_deaths_are_forgiven_when_something_gets_done(journal, leases):
    request = put(journal, "anna")
    for part in range(5):
        assert leases.claim("w", NOW, LEASE)
        leases.record(request, "w", [TaskResult(part, "f" * 16, "")], 1.0)
        assert leases.requeue(after(60), LEASE, deaths=1) == [request]


def test_a_clock_that_was_set_back_keeps_nobody_waiting(journal, leases):
    request = put(journal, "anna")
    leases.claim("w", after(86400), LEASE)
    assert leases.requeue(NOW, LEASE) == [request]
    leases.claim("w", after(86400), LEASE)
    leases.release(request, "w", after(86400), delay_s=10.0, fault="disk full")
    assert leases.claim("w", NOW, LEASE).request_id == request


def test_a_fault_waits_for_its_next_attempt(journal, leases):
    request = put(journal, "anna")
    leases.claim("w", NOW, LEASE)
    assert leases.release(request, "w", NOW, delay_s=10.0, fault="disk full")
    assert journal.get(request).reason == "disk full"
    assert leases.claim("w", after(9), LEASE) is None
    assert not leases.waits(after(9))
    again = leases.claim("w", after(10), LEASE)
    assert (again.attempts, again.faults, again.reason) == (2, 1, "")
    assert again.started_at == NOW  # the first claim, so that the same files come out


def test_a_request_given_back_in_peace_has_not_been_tried(journal, leases):
    request = put(journal, "anna")
    leases.claim("w", NOW, LEASE)
    leases.release(request, "w", NOW)
    assert (journal.get(request).attempts, journal.get(request).faults) == (0, 0)


def test_cancelling_what_waits_is_immediate(journal, leases):
    request = put(journal, "anna")
    cancelled = journal.cancel(request, after(1), user="anna")
    assert (cancelled.state, cancelled.finished_at) == ("cancelled", after(1))
    assert leases.claim("w", NOW, LEASE) is None
    assert journal.cancel(request, after(2)).finished_at == after(1)


def test_cancelling_what_runs_is_up_to_the_worker(journal, leases):
    request = put(journal, "anna")
    leases.claim("w", NOW, LEASE)
    asked = journal.cancel(request, NOW, user="anna")
    assert (asked.state, asked.cancelling) == ("running", True)
    assert leases.beat("w", NOW, LEASE) == {request: True}
    end(leases, "w", request, state=RequestState.CANCELLED)
    assert not journal.get(request).cancelling


def test_a_cancelled_request_of_a_dead_worker_is_cancelled(journal, leases):
    request = put(journal, "anna")
    leases.claim("w", NOW, LEASE)
    journal.cancel(request, NOW)
    assert leases.requeue(after(60), LEASE) == []
    assert journal.get(request).state == "cancelled"


def test_nobody_touches_what_is_anothers(journal):
    request = put(journal, "anna")
    for change in (journal.cancel, journal.retry):
        with pytest.raises(NotAllowed, match="another user's"):
            change(request, NOW, user="bert")
        with pytest.raises(NoSuchRequest):
            change(99, NOW)
    assert journal.get(request).state == "queued"


def test_retry_starts_afresh_and_keeps_what_was_made(journal, leases):
    request = put(journal, "anna")
    leases.claim("w", NOW, LEASE)
    leases.record(request, "w", [TaskResult(0, "f" * 16, ""), TaskResult(1, None, "no counts")], 1.0)
    end(leases, "w", request, state=RequestState.FAILED)
    again = journal.retry(request, after(5), user="anna")
    assert (again.state, again.attempts, again.reason, again.finished_at) == ("queued", 0, "", None)
    assert journal.parts(request) == (TaskResult(0, "f" * 16, ""),)
    assert journal.retry(request, after(6)) == again
    assert leases.claim("w", after(5), LEASE).request_id == request


def test_retrying_what_is_asked_again_already_gives_that(journal):
    first = put(journal, "anna")
    journal.cancel(first, NOW)
    second = put(journal, "anna")
    assert journal.retry(first, NOW).request_id == second
    assert journal.get(first).state == "cancelled"


def test_an_answer_that_is_there_is_given_at_once(journal, leases):
    first = put(journal, "anna")
    leases.claim("w", NOW, LEASE)
    leases.record(first, "w", [TaskResult(0, "f" * 16, "")], 1.0)
    assert journal.last_done("{}", "bert") is None
    end(leases, "w", first)
    assert journal.last_done("{}", "bert").request_id == first
    answered, _ = journal.submit("bert", "{}", after(9), uid="x", task_count=1, answer=first)
    assert (answered.state, answered.answered_by, answered.finished_at) == ("done", first, after(9))
    assert journal.parts(answered.request_id) == journal.parts(first)
    assert journal.last_done("{}", "anna").request_id == first  # one's own comes first
    assert leases.claim("w", NOW, LEASE) is None


def test_lists_and_counts(journal, leases):
    ids = [put(journal, user, str(n)) for n, user in enumerate(["anna", "bert", "anna"])]
    leases.claim("w", NOW, LEASE)
    end(leases, "w", ids[0], after(5))
    assert [request.request_id for request in journal.requests()] == ids[::-1]
    assert [request.request_id for request in journal.requests("anna")] == [ids[2], ids[0]]
    assert [request.request_id for request in journal.requests(states=["queued"], limit=1)] == [ids[2]]
    assert journal.requests(uid="nothing") == []
    assert journal.counts() == {"queued": 2, "running": 0, "done": 1, "failed": 0, "cancelled": 0}
    assert journal.finished_since(after(5)) == {RequestState.DONE: 1}
    assert journal.finished_since(after(6)) == {}


def test_workers_leave_a_sign(journal, leases):
    leases.sign_in("w", "2 processes", NOW)
    leases.sign_in("w", "2 processes", after(10))
    (sign,) = journal.workers()
    assert (sign.owner, sign.engine, sign.started_at, sign.beat_at) == ("w", "2 processes", NOW, after(10))
    assert sign.is_alive(after(60))
    assert not sign.is_alive(after(80))
    leases.sign_out("w")
    assert journal.workers() == []


def test_old_requests_are_forgotten_and_open_ones_never(journal, leases):
    old, waiting = put(journal, "anna", "1"), put(journal, "anna", "2")
    leases.claim("w", NOW, LEASE)
    leases.record(old, "w", [TaskResult(0, None, "x")], 0.0)
    end(leases, "w", old)
    assert journal.purge(after(86400 * 364)) == 0
    assert journal.purge(after(86400 * 366)) == 1
    assert [request.request_id for request in journal.requests()] == [waiting]
    assert journal.parts(old) == ()


def test_ten_thousand_requests_delay_nobody(journal, leases):
    put(journal, "anna")
    rows = [(f"user{n % 40}", "{}" * 400, hash_of(str(n)), n) for n in range(10_000)]
    with journal.writing() as db:
        for state, served in (("queued", "NULL"), ("done", "1")):
            db.executemany(
                "INSERT INTO requests "
                "(user, body, body_hash, uid, recipes, state, submitted_at, queued_at, not_before, served) "
                f"VALUES (?, ?, ?, ?, 1, '{state}', 0, 0, 0, {served})",
                rows,
            )
    last = journal.requests(states=["queued"], limit=1)[0].request_id
    times = {"claim": [], "position": [], "requeue": []}
    for _ in range(9):
        for name, call in {
            "claim": lambda: leases.claim("w", NOW, LEASE),
            "position": lambda: journal.position(last),
            "requeue": lambda: leases.requeue(NOW, LEASE),
        }.items():
            begin = time.thread_time()  # what the disk and the neighbours take is not ours
            call()
            times[name].append(time.thread_time() - begin)
    assert {name: np.median(spent) < 0.05 for name, spent in times.items()} == dict.fromkeys(times, True), times


def test_what_was_acknowledged_survives_a_kill(journal):
    put(journal, "anna", "first")
    script = (
        "import sys, numpy as np\n"
        "from jobs.queue.journal import Journal\n"
        "from jobs.shared.limits import Limits\n"
        "for n in range(10_000):\n"
        "    r, _ = Journal(sys.argv[1]).submit('bert', str(n), np.datetime64(n, 'us'), uid='', task_count=1,\n"
        "                                       limits=Limits(open_requests=10**6))\n"
        "    print(r.request_id, flush=True)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(journal.path.parent)], stdout=subprocess.PIPE, text=True
    )
    seen = [int(process.stdout.readline()) for _ in range(20)]
    process.kill()
    seen += [int(line) for line in process.stdout.read().splitlines() if line.strip()]
    process.stdout.close()
    process.wait()
    stored = {request.request_id for request in journal.requests("bert", limit=100_000)}
    assert set(seen) <= stored
    assert len(stored) <= len(seen) + 1  # the one that was under way


def test_a_journal_of_newer_software_is_refused(journal):
    put(journal, "anna")
    with journal.writing() as db:
        db.execute("COMMIT")
        db.execute("PRAGMA user_version = 99")
        db.execute("BEGIN")
    with pytest.raises(JournalVersion, match="newer software"):
        put(journal, "bert")
    with pytest.raises(JournalVersion, match="newer software"):
        journal.requests()


def test_several_processes_may_make_the_file_at_once(tmp_path):
    faults = []

    def first(name):
        try:
            put(Journal(tmp_path), name)
        except sqlite3.Error as fault:
            faults.append(fault)

    threads = [threading.Thread(target=first, args=(f"user{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert len(Journal(tmp_path).requests()) == 8
