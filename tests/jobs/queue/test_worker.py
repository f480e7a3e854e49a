"""The worker: what it was asked is done once, whoever is killed, cancelled, late or out of memory."""

import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from archive import Archive, Flare, ImageFilter, RunFilter
from archive.errors import ArchiveBusy
from archive.ingest.ingest import ingest
from jobs.executors.base import Executor, Finished, Started
from jobs.executors.make import make_executor
from jobs.executors.serial import SerialExecutor
from jobs.flares.refresh import refresh_after_images
from jobs.flares.rows import Layer
from jobs.imaging.task import ImagingResult, run_preview
from jobs.previews.run import index_previews
from jobs.queue.claimed import sentence_of
from jobs.queue.journal import Journal
from jobs.queue.make_once import index_results, is_finished
from jobs.queue.planning import plan_request
from jobs.queue.region_requests import RegionsRequest
from jobs.queue.requests import ImagingRequest
from jobs.queue.submit import submit
from jobs.queue.worker import Worker, WorkerSettings
from jobs.renderings.planner import RequestPlanner
from jobs.shared.errors import SchedulerLost, WorkerCrashed, WorkerDied
from jobs.shared.limits import Limits
from jobs.shared.lock import single_instance
from stixcore.errors import SelectionError
from stixcore.imaging.back_projection import BackProjectionParameters
from stixcore.imaging.clean import CleanParameters
from stixcore.imaging.ms_clean import MultiScaleCleanParameters
from stixcore.imaging.reconstruction import Method
from stixcore.spectra.regions import Circle

pytestmark = pytest.mark.system

NOW = np.datetime64("2026-03-21T00:00:00", "us")
SECOND = np.timedelta64(1_000_000, "us")
QUICK = WorkerSettings(poll=0.02, beat=0.1, sweep=0.1, backoff=(0.0,))
BP = {Method.BP: BackProjectionParameters()}


@pytest.fixture(scope="session")
def ingested(campaign, tmp_path_factory):
    """Archive with the first flare's files and no images; tests must not change it."""
    folder, truth = campaign
    archive = Archive(tmp_path_factory.mktemp("ingested"), create=True)
    ingest(archive, [folder / truth[0][key] for key in ("file", "background", "auxiliary")], NOW)
    return archive


@pytest.fixture
def archive(ingested, tmp_path):
    """A copy of it that a test may change."""
    root = tmp_path / "archive"
    shutil.copytree(ingested.root, root)
    return Archive(root)


@pytest.fixture
def journal(archive):
    return Journal(archive.root)


@pytest.fixture
def asked(campaign):
    """Build requests for quick images of the first flare."""
    record = campaign[1][0]
    peak = np.datetime64(record["peak_utc"], "us")

    def build(number=1, **changes):
        ranges = tuple((peak + n * 30 * SECOND, peak + (n + 1) * 30 * SECOND) for n in range(number))
        choices = {"uid": record["uid"], "time_ranges": ranges, "energy_ranges": ((4.0, 10.0),), "methods": BP}
        return ImagingRequest(**choices | changes)

    return build


class Clock:
    """A clock that a test sets."""

    def __init__(self):
        self.now = NOW

    def __call__(self):
        return self.now

    def step(self, seconds):
        self.now += np.timedelta64(round(seconds * 1e6), "us")


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def worker(archive, clock):
    """Build workers, in this process unless another executor is given; they are let go in the end."""
    made = []

    def build(executor=None, settings=QUICK, **options):
        made.append(Worker(archive.root, RequestPlanner(), executor or SerialExecutor(), clock, settings, **options))
        return made[-1]

    yield build
    for one in made:
        one._executor.close()
        one._owner.release()


class Scripted(Executor):
    """Runs what it is given in this process, but for tasks that the script lets fail or hang."""

    def __init__(self, *script):
        super().__init__()
        self.script, self.waiting, self.hanging, self.stopped = list(script), {}, set(), []

    @property
    def free(self):
        return 2 - len(self.waiting) - len(self.hanging)

    def submit(self, function, task):
        ticket = next(self._tickets)
        self.waiting[ticket] = (function, task)
        return ticket

    def events(self, timeout_s):
        if not self.waiting:
            time.sleep(min(timeout_s, 0.01))
            return []
        ticket, (function, task) = next(iter(self.waiting.items()))
        del self.waiting[ticket]
        fault = self.script.pop(0) if self.script else None
        if fault == "hang":
            self.hanging.add(ticket)
            return [Started(ticket)]
        if fault is not None:
            return [Started(ticket), Finished(ticket, error=fault)]
        return [Started(ticket), Finished(ticket, function(task))]

    def cancel(self, ticket):
        self.stopped.append(ticket)
        self.waiting.pop(ticket, None)
        self.hanging.discard(ticket)

    def close(self):
        self.waiting.clear()


def ask(archive, journal, request, user="anna"):
    return submit(archive, journal, request, user, NOW)[0].request_id


def contents(root):
    """Everything the archive shows: rows but for computing times, files byte for byte."""
    archive = Archive(root)
    rows = [
        {key: str(value) for key, value in asdict(row).items() if key != "elapsed_s"}
        for row in (*archive.runs(RunFilter(all_hidden=True)), *archive.images(ImageFilter(all_hidden=True), limit=999))
    ]
    archive.close()
    files = {str(path.relative_to(root)): _digest(path) for path in (root / "images").rglob("*") if path.is_file()}
    return sorted(rows, key=str), files


def _digest(path):
    content = path.read_bytes()
    if path.name == "run.json":
        content = re.sub(rb'"elapsed_s": [^,\n]*', b"", content)
    return hashlib.sha256(content).hexdigest()


def wait_for(condition, seconds=120.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


# What becomes of a request


def test_a_request_becomes_images_of_its_user(archive, journal, asked, worker):
    request = ask(archive, journal, asked(2))
    assert worker().run(until_idle=True) == 1
    done = journal.get(request)
    assert (done.state, done.reason, done.attempts, done.finished_at) == ("done", "", 1, NOW)
    assert done.elapsed_s > 0
    parts = journal.parts(request)
    for part in parts:
        run = archive.run(part.run_id)
        assert (run.kind, run.author, run.status, run.hidden, run.started_at) == ("user", "anna", "done", False, NOW)
        assert is_finished(archive, part.run_id)
    assert [archive.run(part.run_id).t_start for part in parts] == sorted(
        archive.run(part.run_id).t_start for part in parts
    )


def test_hidden_images_are_seen_by_their_user_only(archive, journal, asked, worker):
    ask(archive, journal, asked(hidden=True))
    worker().run(until_idle=True)
    assert archive.images() == []
    assert [image.author for image in archive.images(ImageFilter(viewer="anna"))] == ["anna"]
    assert archive.images(ImageFilter(viewer="bert")) == []


def test_what_another_user_does_not_hide_is_shown(archive, journal, asked, worker):
    ask(archive, journal, asked(hidden=True), "anna")
    ask(archive, journal, asked(), "bert")
    worker().run(until_idle=True)
    (image,) = archive.images()
    assert (image.author, image.hidden) == ("anna", False)  # made once, by who asked first


def test_bad_input_fails_with_its_reason_and_is_not_tried_again(archive, journal, asked, worker):
    request = ask(archive, journal, asked(2))
    worker(Scripted(SelectionError("too few counts"), SelectionError("too few counts"))).run(until_idle=True)
    failed = journal.get(request)
    assert (failed.state, failed.attempts) == ("failed", 1)
    assert failed.reason == "2 of 2 image sets could not be made; the first: too few counts"


def test_a_part_that_fails_leaves_the_others(archive, journal, asked, worker):
    request = ask(archive, journal, asked(3))
    worker(Scripted(None, SelectionError("too few counts"))).run(until_idle=True)
    done = journal.get(request)
    assert (done.state, done.reason) == (
        "done",
        "1 of 3 image sets could not be made; the first: too few counts",
    )
    assert [part.run_id is not None for part in journal.parts(request)] == [True, False, True]
    assert archive.count_runs() == 2
    journal.retry(request, NOW)
    worker().run(until_idle=True)
    assert (journal.get(request).state, journal.get(request).reason) == ("done", "")
    assert archive.count_runs() == 3


@pytest.mark.parametrize(
    "fault", [OSError(28, "No space left on device"), SchedulerLost("gone"), WorkerDied("killed"), ArchiveBusy("busy")]
)
def test_a_fault_that_may_pass_is_tried_again(archive, journal, asked, worker, fault):
    request = ask(archive, journal, asked(3))
    worker(Scripted(None, fault, fault, fault)).run(until_idle=True)
    done = journal.get(request)
    assert (done.state, done.reason) == ("done", "")
    assert done.attempts == done.faults + 1 > 1
    assert archive.count_runs() == 3


def test_a_lost_scheduler_is_told_once(archive, journal, asked, worker, caplog):
    ask(archive, journal, asked(3))
    worker(Scripted(*[SchedulerLost("gone")] * 3)).run(until_idle=True)
    told = [record.message for record in caplog.records if "gone" in record.message]
    assert told
    assert all("waits" in message for message in told)  # of the request, and not of each of its image sets


def test_a_fault_that_does_not_pass_is_told_in_the_end(archive, journal, asked, worker):
    request = ask(archive, journal, asked(1))
    full = OSError(28, "No space left on device")
    worker(Scripted(*[full] * 99), limits=Limits(retries=3)).run(until_idle=True)
    failed = journal.get(request)
    assert (failed.state, failed.attempts) == ("failed", 3)
    assert failed.reason == "the machine could not do it (No space left on device)"


def test_what_crashes_its_process_every_time_is_not_tried_again(archive, journal, asked, worker):
    request = ask(archive, journal, asked(2))
    worker(Scripted(WorkerCrashed("the process that worked on it was ended by SIGSEGV, 3 times"))).run(until_idle=True)
    done = journal.get(request)
    assert (done.state, done.attempts) == ("done", 1)
    assert done.reason.endswith("the process that worked on it was ended by SIGSEGV, 3 times")


def test_attempts_are_further_and_further_apart(archive, journal, asked, worker, clock):
    request = ask(archive, journal, asked(1))
    slow = worker(Scripted(*[OSError("x")] * 99), WorkerSettings(poll=0.0, backoff=(2.0, 10.0)))
    for wait in (2.0, 10.0, 10.0):
        for _ in range(4):
            slow.turn()
        assert journal.get(request).state == "queued"
        attempts = journal.get(request).attempts
        clock.step(wait - 0.1)
        slow.turn()
        assert journal.get(request).attempts == attempts
        clock.step(0.2)


def test_a_mistake_of_ours_fails_the_request_and_not_the_worker(archive, journal, asked, worker):
    first, second = ask(archive, journal, asked(1)), ask(archive, journal, asked(2))
    worker(Scripted(ZeroDivisionError("oh"))).run(until_idle=True)
    assert journal.get(first).reason == "internal error: ZeroDivisionError: oh"
    assert journal.get(second).state == "done"


def test_reasons_are_sentences():
    assert sentence_of(MemoryError()) == "it needs more memory than an image set may take"
    assert sentence_of(SelectionError("no counts")) == "no counts"


def test_rows_that_nobody_checked_are_refused(archive, journal, asked, worker):
    body = asked(1).to_json()
    bad = {
        "no_json": "{",
        "too_big": body.replace('"shape":[129,129]', '"shape":[129,2000]'),
        "no_file": body.replace(asked(1).uid, "1234567890"),
    }
    ids = {user: journal.submit(user, text, NOW, uid="", task_count=1)[0].request_id for user, text in bad.items()}
    ids["stranger"] = journal.submit("stranger", body, NOW, uid="", task_count=1)[0].request_id
    worker(accepts=lambda user: user != "stranger").run(until_idle=True)
    reasons = {user: journal.get(request).reason for user, request in ids.items()}
    assert {journal.get(request).state for request in ids.values()} == {"failed"}
    assert reasons["no_json"] == "a request is a JSON object"
    assert "2000 pixels a side" in reasons["too_big"]
    assert "no science file" in reasons["no_file"]
    assert reasons["stranger"] == "stranger is not a registered user"
    assert archive.count_runs() == 0


def test_progress_is_told(archive, journal, asked, worker):
    request = ask(archive, journal, asked(2))
    told = set()

    class Telling(SerialExecutor):
        def submit(self, function, task):
            now = journal.get(request)
            told.add((now.state, now.step, now.step_number, now.step_count))
            return super().submit(function, task)

    worker(Telling(), WorkerSettings(poll=0.0)).run(until_idle=True)
    assert told == {("running", "", 0, 0), ("running", "image set 1 of 2: writing files", 3, 6)}


# Once only


def test_a_finished_recipe_is_found_and_not_made_again(archive, journal, asked, worker):
    (task,) = plan_request(archive, asked(1), "auto", NOW)
    made = run_preview(task)
    index_previews(archive, [made])
    before = contents(archive.root)
    request = ask(archive, journal, asked(1))
    worker().run(until_idle=True)
    assert [part.run_id for part in journal.parts(request)] == [made.run.run_id]
    assert contents(archive.root) == before


def test_a_finished_recipe_whose_file_was_damaged_is_made_again(archive, journal, asked, worker):
    ask(archive, journal, asked(1))
    worker().run(until_idle=True)
    before = contents(archive.root)
    archive.path_of(archive.images()[0].file).write_bytes(b"ruined")
    request = ask(archive, journal, asked(1), "bert")
    with journal.writing() as db:  # as if the answer had not been known
        db.execute("UPDATE requests SET state = 'queued' WHERE request_id = ?", (request,))
        db.execute("DELETE FROM parts WHERE request_id = ?", (request,))
    worker().run(until_idle=True)
    assert contents(archive.root) == before


def test_filing_twice_is_filing_once(archive, asked):
    (task,) = plan_request(archive, asked(1), "anna", NOW)
    made = run_preview(task)
    result = ImagingResult(made.run.run_id, False, made)
    index_results(archive, [result])
    before = contents(archive.root)
    index_results(archive, [result, ImagingResult(made.run.run_id, True, None)])
    assert contents(archive.root) == before


def test_rows_follow_the_files_when_a_recipe_was_run_twice_at_a_time(archive, asked):
    first, again = (
        plan_request(archive, asked(1), user, now)[0] for user, now in (("anna", NOW), ("bert", NOW + SECOND))
    )
    outcomes = [run_preview(first), run_preview(again)]  # the second overwrote the files of the first
    for made in outcomes:
        index_results(archive, [ImagingResult(made.run.run_id, False, made)])
    assert is_finished(archive, outcomes[0].run.run_id)
    assert [run.author for run in archive.runs()] == ["anna"]


def test_two_workers_share_the_queue(archive, journal, asked, worker):
    ids = [ask(archive, journal, asked(1, hidden=bool(n % 2), pixel=1.0 + n)) for n in range(6)]
    threads = [threading.Thread(target=worker().run, kwargs={"until_idle": True}) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {(journal.get(request).state, journal.get(request).attempts) for request in ids} == {("done", 1)}
    assert archive.count_runs(RunFilter(all_hidden=True)) == 6


def test_a_small_request_need_not_wait_for_a_big_one(archive, journal, asked, worker, clock):
    big = ask(archive, journal, asked(6))
    busy = worker(settings=WorkerSettings(poll=0.0, beat=0.0))
    for _ in range(3):
        busy.turn()
    small = ask(archive, journal, asked(1, hidden=True), "bert")
    for _ in range(3):
        busy.turn()
    assert journal.get(small).state == "done"
    assert journal.get(big).state == "running"
    busy.run(until_idle=True)
    assert journal.get(big).state == "done"


# Cancelling, stopping, time limits


def test_a_cancelled_request_stops_at_work(archive, journal, asked, worker):
    request = ask(archive, journal, asked(3))
    executor = Scripted(None, "hang", "hang")
    slow = worker(executor, WorkerSettings(poll=0.0, beat=0.0))
    wait_for(lambda: slow.turn() or len(executor.hanging) == 2)
    journal.cancel(request, NOW, user="anna")
    for _ in range(3):
        slow.turn()
    assert executor.hanging == set()
    ended = journal.get(request)
    assert (ended.state, ended.reason) == ("cancelled", "cancelled after 1 of 3 image sets")
    assert archive.count_runs() == 1


def test_an_image_set_that_takes_too_long_is_stopped(archive, journal, asked, worker):
    request = ask(archive, journal, asked(2))
    executor, seconds = Scripted("hang"), [0.0]
    slow = worker(executor, WorkerSettings(poll=0.0), limits=Limits(task=300.0), timer=lambda: seconds[0])
    for _ in range(4):
        slow.turn()
    assert len(executor.hanging) == 1
    seconds[0] = 301.0
    slow.run(until_idle=True)
    assert executor.stopped == [1]
    reason = "stopped after 300 s, the most an image set may take"
    assert journal.get(request).reason == f"1 of 2 image sets could not be made; the first: {reason}"
    assert journal.get(request).elapsed_s >= 301.0


def test_spectra_of_regions_may_take_as_long_as_many_image_sets(archive, journal, asked, worker):
    imaging = asked(methods={Method.CLEAN: CleanParameters()}, ensemble=2)
    north = Circle("north", 0.0, 0.0, 20.0)
    request, _ = submit(archive, journal, RegionsRequest(imaging=imaging, regions=(north,)), "anna", NOW)
    executor, seconds = Scripted("hang"), [0.0]
    limits = Limits(task=300.0, request=4000.0)
    slow = worker(executor, WorkerSettings(poll=0.0), limits=limits, timer=lambda: seconds[0])
    for seconds[0] in (0.0, 301.0, 3900.0):
        slow.turn()
        assert len(executor.hanging) == 1
    seconds[0] = 4010.0
    slow.run(until_idle=True)
    reason = "stopped after 4000 s, the most spectra of regions may take"  # not 15 times 300 s
    assert journal.get(request.request_id).reason == reason


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (
            {"kind": "polarisation"},
            "kind: this version of the software knows spectrum, regions, animation, .*, found 'pol",
        ),
        ({"kind": ["spectrum"]}, "kind: this version of the software knows"),
        ({"kind": "spectrum", "polarised": True}, "unknown key 'polarised'"),
    ],
)
def test_a_request_of_newer_software_fails_with_a_sentence_and_can_be_retried(journal, worker, body, reason):
    made, _ = journal.submit("anna", json.dumps(body), NOW, uid="1", task_count=1)
    worker().run(until_idle=True)
    ended = journal.get(made.request_id)
    assert ended.state == "failed"
    assert re.match(reason, ended.reason)
    assert journal.retry(made.request_id, NOW, user="anna").state == "queued"
    assert journal.get(made.request_id).body == json.dumps(body)


def test_a_request_that_takes_too_long_is_ended(archive, journal, asked, worker):
    request = ask(archive, journal, asked(5))
    worker(limits=Limits(request=0.0)).run(until_idle=True)
    ended = journal.get(request)
    assert ended.state == "done"
    assert ended.reason.endswith("the request took 0 s of computing, the most it may take")
    assert 0 < archive.count_runs() < 5


def test_stopping_ends_what_was_begun_and_gives_back_the_rest(archive, journal, asked, worker):
    request = ask(archive, journal, asked(5))
    leaving = worker()

    class StopAtSecond(SerialExecutor):
        def submit(self, function, task):
            if self._waiting or journal.parts(request):
                leaving.stop()
            return super().submit(function, task)

    leaving._executor = StopAtSecond()
    assert leaving.run() == 0
    left = journal.get(request)
    assert (left.state, left.attempts, left.owner) == ("queued", 0, None)
    made = len(journal.parts(request))
    assert 0 < made == archive.count_runs() < 5
    assert journal.workers() == []
    assert list((archive.root / "locks").glob("worker-*")) == []
    worker().run(until_idle=True)
    assert journal.get(request).state == "done"
    assert archive.count_runs() == 5


# Leases and clocks


def test_a_stalled_worker_loses_its_request_and_writes_no_more(archive, journal, asked, worker, clock):
    request = ask(archive, journal, asked(1))
    executor = Scripted("hang")
    stalled = worker(executor, WorkerSettings(poll=0.0, beat=0.0))
    wait_for(lambda: stalled.turn() or executor.hanging)
    clock.step(29)
    quick = worker(settings=WorkerSettings(poll=0.0, sweep=0.0))
    quick.turn()
    assert journal.get(request).owner == stalled.name
    clock.step(2)
    quick.run(until_idle=True)
    assert (journal.get(request).state, journal.get(request).attempts) == ("done", 2)
    stalled.turn()
    assert executor.hanging == set()
    assert journal.get(request).state == "done"


def test_a_clock_set_back_disturbs_nobody(archive, journal, asked, worker, clock):
    request = ask(archive, journal, asked(1))
    executor = Scripted("hang")
    first = worker(executor, WorkerSettings(poll=0.0, beat=0.0))
    wait_for(lambda: first.turn() or executor.hanging)
    second = worker(settings=WorkerSettings(poll=0.0, sweep=0.0))
    second.turn()
    clock.step(-86400)
    second.turn()  # gives the others time to renew their leases
    assert journal.get(request).owner == first.name
    first.turn()
    second._due["sweep"] = 0.0
    second.turn()
    assert journal.get(request).owner == first.name
    executor.hanging.clear()
    journal.cancel(request, clock())
    first.turn()
    assert journal.get(request).state == "cancelled"


def test_a_fault_of_the_journal_or_the_lock_is_waited_for(archive, journal, asked, worker):
    request = ask(archive, journal, asked(1))
    patient = worker(settings=WorkerSettings(poll=0.0, lock_wait=0.05))
    with archive.write_lock():
        thread = threading.Thread(target=patient.run, kwargs={"until_idle": True})
        thread.start()
        wait_for(lambda: list((archive.root / "images").rglob("*.fits")))
        time.sleep(0.2)
        assert journal.get(request).state == "running"
    thread.join()
    assert journal.get(request).state == "done"
    assert archive.count_runs() == 1


# Real processes, really killed


def test_too_much_memory_fails_the_request_and_not_the_worker(archive, journal, asked):
    # the small one needs 125 to 150 MiB, which depend on how many threads DuckDB and its allocator keep busy
    limited = make_executor(1, preload=RequestPlanner.preload, memory_bytes=250 << 20, isolated=True)
    wide = MultiScaleCleanParameters(max_iterations=10, scales=(0.0, 5.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0))
    big = ask(archive, journal, asked(1, methods={Method.MS_CLEAN: wide}, shape=(1024, 1024)))
    small = ask(archive, journal, asked(1))
    Worker(archive.root, RequestPlanner(), limited, lambda: NOW, QUICK).run(until_idle=True)
    assert (journal.get(big).state, journal.get(big).attempts) == ("failed", 1)
    assert "more memory" in journal.get(big).reason
    assert journal.get(small).state == "done"


SCRIPT = """
import sys
from pathlib import Path
import numpy as np
from jobs.queue.worker import WorkerSettings, run_worker
from jobs.renderings.planner import RequestPlanner
if __name__ == "__main__":
    run_worker(Path(sys.argv[1]), RequestPlanner(), lambda: np.datetime64("2026-03-21T00:00:00", "us"), until_idle=True,
               settings=WorkerSettings(poll=0.02, beat=0.1, sweep=0.1, backoff=(0.0,)))
"""


def start_worker(root):
    return subprocess.Popen([sys.executable, "-c", SCRIPT, str(root)], stderr=subprocess.DEVNULL)


@pytest.fixture
def undisturbed(archive, journal, asked, worker, tmp_path):
    """What two requests make of an archive when nobody is killed; the archive of the test has the requests as well."""
    ids = [ask(archive, journal, asked(3)), ask(archive, journal, asked(2, pixel=3.0), "bert")]
    other = tmp_path / "undisturbed"
    shutil.copytree(archive.root, other)
    Worker(other, RequestPlanner(), SerialExecutor(), lambda: NOW, QUICK).run(until_idle=True)
    return ids, contents(other)


def test_sigterm_lets_a_worker_end_what_it_began(archive, journal, asked, worker):
    request = ask(archive, journal, asked(6))
    process = start_worker(archive.root)
    wait_for(lambda: has_work(journal, process))
    process.terminate()
    assert process.wait(30) == 0
    left = journal.get(request)
    assert left.owner is None
    assert (left.state, left.attempts) in (("queued", 0), ("done", 1))
    assert archive.count_runs() == len(journal.parts(request))
    assert journal.workers() == []
    worker().run(until_idle=True)
    assert journal.get(request).state == "done"
    assert archive.count_runs() == 6


@pytest.mark.parametrize("number", [4, pytest.param(10, marks=pytest.mark.thorough)])
def test_killing_worker_and_children_at_any_moment_loses_nothing(archive, journal, undisturbed, number):
    ids, expected = undisturbed
    rng = random.Random(20260321)
    kills = {"worker": 0, "child": 0}
    process = start_worker(archive.root)
    while sum(kills.values()) < number:
        while process.poll() is None and not has_work(journal, process):
            time.sleep(0.01)
        if process.poll() is not None:
            break
        time.sleep(rng.uniform(0.0, 0.8))
        victim = "child" if kills["child"] <= kills["worker"] else "worker"
        if victim == "worker":
            process.kill()
            process.wait()
            process = start_worker(archive.root)
            kills["worker"] += 1
        elif children := children_of(process.pid):
            os.kill(children[0], signal.SIGKILL)
            kills["child"] += 1
    wait_for(lambda: process.poll() is not None)
    assert kills["worker"] >= 2
    assert kills["child"] >= 2
    assert {journal.get(request).state for request in ids} == {"done"}
    assert [len(journal.parts(request)) for request in ids] == [3, 2]
    assert contents(archive.root) == expected


def has_work(journal, process):
    return any(f"-{process.pid}-" in str(request.owner) for request in journal.requests(states=["running"]))


def children_of(pid):
    """Process ids of a worker's children that make images."""
    parents = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # gone meanwhile
            if "jobs.executors.processes" in (entry / "cmdline").read_text():
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    return [child for child, parent in parents.items() if parent == pid]


def listed(archive, request):
    """Put the flare of a request into the list, and return its id."""
    begin, end = request.time_ranges[0]
    values = {
        "flare_id": "2403140600",
        "t_peak": begin,
        "t_start": begin - 300 * SECOND,
        "t_end": end + 300 * SECOND,
        "peak_counts": 1e4,
    }
    detected = Layer("detected", values).to_json()
    row = Flare(**values, source="detected", simulated=True, updated_at=NOW, detected=detected)
    archive.upsert("flares", [row])
    return row.flare_id


def test_an_idle_worker_locates_the_flares_of_the_images_it_filed(archive, asked, worker):
    request = asked()
    flare_id = listed(archive, request)
    ask(archive, Journal(archive.root), request)
    seconds = [0.0]
    quick = WorkerSettings(poll=0.0, beat=0.1, tidy=30.0)
    own = worker(settings=quick, timer=lambda: seconds[0], refresh=refresh_after_images)
    while not archive.images():
        own.turn()
    assert archive.flare(flare_id).hpc_x is None  # it waits until nothing else is asked for
    seconds[0] = 31.0
    own.turn()
    own._tidying.join()
    located = archive.flare(flare_id)
    assert located.hpc_x is not None
    assert located.location_source == "imaging"
    assert refresh_after_images(archive, NOW + SECOND) == set()
    assert archive.flare(flare_id).updated_at == located.updated_at


def test_a_worker_that_leaves_an_empty_queue_refreshes_flares_first(archive, asked, worker):
    calls = []
    own = worker(refresh=lambda archive, now: calls.append((archive.root, now)))
    own.run(until_idle=True)
    assert calls == []
    ask(archive, Journal(archive.root), asked())
    worker(refresh=lambda archive, now: calls.append((archive.root, now))).run(until_idle=True)
    assert calls == [(archive.root, NOW)]


def test_a_refresh_that_fails_ends_no_worker(archive, journal, asked, worker, caplog):
    def fail(archive, now):
        message = "the index is busy"
        raise ArchiveBusy(message)

    request = ask(archive, journal, asked())
    assert worker(refresh=fail).run(until_idle=True) == 1
    assert journal.get(request).state == "done"
    assert "the index is busy" in caplog.text


def test_workers_refresh_flares_one_after_another(archive, monkeypatch):
    monkeypatch.setattr("jobs.flares.refresh.WAIT_S", 0.0)
    with single_instance(archive.root, "refresh"):
        assert refresh_after_images(archive, NOW) == set()
