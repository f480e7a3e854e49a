"""One suite for every executor: the same tasks give the same answers, whatever happens to the processes."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import sample_tasks
from clusters import Cluster, free_port

from jobs.executors.base import Finished, Progress, Started
from jobs.executors.dask import DaskExecutor
from jobs.executors.make import make_executor, run_all
from jobs.executors.processes import ChildExecutor
from jobs.imaging.task import run_preview
from jobs.shared.errors import SchedulerLost, WorkerDied
from stixcore.errors import InvalidProduct

pytestmark = pytest.mark.system


def until(condition, seconds=20.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def collect(executor, tickets, seconds=120.0):
    """Events until all tickets are finished."""
    events, left = [], set(tickets)
    end = time.monotonic() + seconds
    while left:
        assert time.monotonic() < end, f"never finished: {left}"
        for event in executor.events(0.2):
            events.append(event)
            left -= {event.ticket} if isinstance(event, Finished) else set()
    return events


def test_every_task_comes_back_once_whatever_the_order(executor):
    answers = dict(run_all(sample_tasks.slow_square, range(20), executor=executor))
    assert answers == {number: number * number for number in range(20)}


def test_no_tasks_no_answers(executor):
    assert list(run_all(sample_tasks.square, [], executor=executor)) == []


def test_a_task_that_raises_comes_back_as_its_exception(executor):
    answers = dict(run_all(sample_tasks.refuse_every_third, range(9), executor=executor))
    assert [answers[number] for number in (1, 2, 4, 5, 7, 8)] == [1, 2, 4, 5, 7, 8]
    for number in (0, 3, 6):
        assert isinstance(answers[number], InvalidProduct)
        assert str(answers[number]) == f"{number}.fits: expected a number, found a multiple of three."


def test_an_exception_that_does_not_travel_still_ends_its_task_alone(executor):
    tasks = [(sample_tasks.raise_unpicklable, 0), (sample_tasks.square, 4)]
    tickets = [executor.submit(function, task) for function, task in tasks]
    finished = {event.ticket: event for event in collect(executor, tickets) if isinstance(event, Finished)}
    assert isinstance(finished[tickets[0]].error, Exception)
    assert finished[tickets[1]].result == 16


def test_tasks_are_taken_as_places_get_free(executor):
    taken = []

    def endless():
        for number in range(10_000):
            taken.append(number)
            yield number

    generator = run_all(sample_tasks.square, endless(), executor=executor)
    for _ in range(3):
        next(generator)
    assert len(taken) < 100
    generator.close()
    assert dict(run_all(sample_tasks.square, [7], executor=executor)) == {7: 49}


def test_progress_arrives_between_start_and_end_in_order(executor):
    ticket = executor.submit(sample_tasks.steps, 4)
    events = collect(executor, [ticket])
    assert isinstance(events[0], Started)
    # on a cluster the last ones may be overtaken by the result
    told = [event for event in events if isinstance(event, Progress)]
    assert told == [Progress(ticket, f"step {n}", n + 1, 4) for n in range(len(told))]
    assert events[-1] == Finished(ticket, 4)


def test_what_was_cancelled_is_heard_of_no_more(executor):
    tickets = [executor.submit(sample_tasks.square, number) for number in range(6)]
    for ticket in tickets[2:]:
        executor.cancel(ticket)
    events = collect(executor, tickets[:2])
    events += executor.events(0.2)
    assert {event.ticket for event in events} == set(tickets[:2])


def test_a_killed_process_costs_time_and_nothing_else(outer_executor, tmp_path):
    names = [f"task{number}" for number in range(4)]
    for name in names[1:]:
        (tmp_path / f"{name}.pid").touch()  # only the first one lingers

    def kill():
        until((tmp_path / "task0.pid").exists)
        os.kill(int((tmp_path / "task0.pid").read_text()), signal.SIGKILL)

    with ThreadPoolExecutor(1) as pool:
        killed = pool.submit(kill)
        tasks = [(tmp_path, name) for name in names]
        answers = dict(run_all(sample_tasks.mark_and_wait, tasks, executor=outer_executor))
        assert killed.result() is None
    assert answers == {(tmp_path, name): name for name in names}
    for name in names:
        assert (tmp_path / f"{name}.dat").read_bytes() == name.encode() * 1000


def test_a_task_that_kills_every_process_is_given_up(outer_executor, tmp_path):
    tickets = [outer_executor.submit(sample_tasks.count_and_die, (tmp_path, "tries"))]
    finished = collect(outer_executor, tickets, seconds=60.0)[-1]
    assert isinstance(finished.error, WorkerDied)
    assert len((tmp_path / "tries").read_text()) in (3, 4)  # Dask allows three deaths and gives up at the fourth
    until(lambda: outer_executor.free > 0)
    assert dict(run_all(sample_tasks.square, range(5), executor=outer_executor)) == {n: n * n for n in range(5)}


def test_a_stopped_task_makes_room(outer_executor, tmp_path):
    tickets = [outer_executor.submit(sample_tasks.sleep_forever, (tmp_path, str(number))) for number in range(2)]
    until(lambda: outer_executor.events(0.05) is not None and len(list(tmp_path.iterdir())) == 2)
    outer_executor.events(0.5)
    for ticket in tickets:
        outer_executor.stop(ticket)
    begin = time.monotonic()
    assert dict(run_all(sample_tasks.square, [3], executor=outer_executor)) == {3: 9}
    assert time.monotonic() - begin < 20.0


def test_images_are_the_same_byte_for_byte(outer_executor, imaging_tasks, tmp_path):
    def images(executor, folder):
        tasks = [replace(task, root=tmp_path / folder) for task in imaging_tasks]
        outcomes = [outcome for _, outcome in run_all(run_preview, tasks, executor=executor)]
        assert [outcome.run.reason for outcome in outcomes] == [""] * 3
        rows = {image.image_id: image.sha256 for outcome in outcomes for image in outcome.images}
        # the record of a run holds how long it took
        files = [path for path in (tmp_path / folder).rglob("*.*") if path.name != "run.json"]
        return rows, {str(path.relative_to(tmp_path / folder)): path.read_bytes() for path in files}

    with make_executor() as serial:
        expected = images(serial, "serial")
    assert len(expected[0]) == 6
    assert images(outer_executor, "outer") == expected


# What only child processes do.


def test_warm_processes_are_used_again(children):
    ids = {answer for _, answer in run_all(sample_tasks.process_id, range(10), executor=children)}
    assert ids <= set(children.pids)
    assert os.getpid() not in ids


def test_memory_is_limited_to_the_task_that_wants_it():
    with ChildExecutor(1, preload=("sample_tasks",), memory_bytes=200 << 20) as executor:
        before = executor.pids
        [(_, fault)] = run_all(sample_tasks.take_memory, [400], executor=executor)
        assert isinstance(fault, MemoryError)
        assert executor.pids != before
        assert dict(run_all(sample_tasks.take_memory, [50], executor=executor)) == {50: 50 << 20}


def test_processes_that_cannot_start_are_reported():
    with ChildExecutor(1, preload=("no_such_module",)) as executor:
        executor.submit(sample_tasks.square, 2)
        with pytest.raises(WorkerDied, match="end before they begin"):
            collect(executor, [1])


def test_a_closed_executor_leaves_no_process(tmp_path):
    executor = make_executor(1, isolated=True)
    executor.submit(sample_tasks.sleep_forever, (tmp_path, "asleep"))
    until(lambda: executor.events(0.05) is not None and (tmp_path / "asleep").exists())
    pids = executor.pids
    executor.close()
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_no_scheduler_is_one_sentence():
    with pytest.raises(SchedulerLost, match=r"^no Dask scheduler answers at tcp://127\.0\.0\.1:9$"):
        DaskExecutor("tcp://127.0.0.1:9", timeout_s=0.5)


def test_a_lost_scheduler_is_a_fault_and_is_found_again(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("jobs.executors.dask.RETRY_S", 2.0)
    port = free_port()
    first = Cluster(tmp_path, workers=1, port=port)
    with make_executor(scheduler=first.address) as executor:
        (tmp_path / "flag").mkdir()
        ticket = executor.submit(sample_tasks.sleep_forever, (tmp_path / "flag", "begun"))
        until((tmp_path / "flag" / "begun").exists)
        first.close()
        *_, lost = collect(executor, [ticket])
        assert isinstance(lost.error, SchedulerLost)
        assert executor.free == 0
        assert isinstance(collect(executor, [executor.submit(sample_tasks.square, 2)])[-1].error, SchedulerLost)
        second = Cluster(tmp_path, workers=1, port=port)
        try:
            assert dict(run_all(sample_tasks.square, [3], executor=executor)) == {3: 9}  # waits until it is found
        finally:
            second.close()
    assert [record.message for record in caplog.records if record.exc_info] == []


def test_one_worker_stays_in_this_process():
    assert [answer for _, answer in run_all(sample_tasks.process_id, range(2))] == [os.getpid()] * 2
