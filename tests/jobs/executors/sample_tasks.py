"""Tasks for the contract tests, importable by name in child processes and on Dask workers."""

import os
import signal
import time

from jobs.executors.base import report_progress


def square(number):
    return number * number


def slow_square(number):
    time.sleep(0.05 * (number % 3))
    return number * number


def refuse_every_third(number):
    if number % 3 == 0:
        from stixcore.errors import InvalidProduct

        name = f"{number}.fits"
        raise InvalidProduct(name, "a number", "a multiple of three")
    return number


class Unpicklable(Exception):
    def __init__(self, one, two):  # a pickle keeps the message alone, and cannot call this with it
        super().__init__(f"{one} and {two}")


def raise_unpicklable(number):
    raise Unpicklable(number, number)


def steps(number):
    for step in range(number):
        report_progress(f"step {step}", step + 1, number)
    return number


def mark_and_wait(task):
    """Leave the process id where the test finds it, linger, then write a file; on every later try finish at once."""
    folder, name = task
    marker = folder / f"{name}.pid"
    first = not marker.exists()
    if first:
        marker.with_suffix(".new").write_text(str(os.getpid()))
        marker.with_suffix(".new").rename(marker)
        time.sleep(20.0)
    unfinished = folder / f"{name}.part-{os.getpid()}"
    unfinished.write_bytes(name.encode() * 1000)
    unfinished.rename(folder / f"{name}.dat")
    return name


def count_and_die(task):
    """Append a letter to a file and be killed."""
    folder, name = task
    with (folder / name).open("a") as stream:
        stream.write("x")
    os.kill(os.getpid(), signal.SIGKILL)


def sleep_forever(task):
    folder, name = task
    (folder / name).touch()
    time.sleep(60.0)


def take_memory(mebibytes):
    block = bytearray(mebibytes << 20)
    return len(block)


def process_id(_):
    return os.getpid()
