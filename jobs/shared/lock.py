"""Run a command only once at a time, because cron may start it again before it has ended."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from stixcore.errors import StixError


class AlreadyRunning(StixError):
    """The same command is already running on the same archive."""


@contextmanager
def single_instance(archive: Path, name: str, *, wait_s: float = 0.0) -> Iterator[None]:
    """Hold the lock of a command on an archive within this context.

    It is an operating-system lock on ``locks/<name>.lock``, released in any case when the process ends.

    Parameters
    ----------
    archive : Path
        Folder of the archive.
    name : str
        Name of the command: "ingest", "previews", "fetch", …
    wait_s : float
        How long to wait for the other process; 0 does not wait, infinity waits forever.

    Raises
    ------
    AlreadyRunning
        When another process holds the lock, and still does after that time.
    """
    folder = archive / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / f"{name}.lock")
    try:
        lock.acquire(timeout=-1 if wait_s == float("inf") else wait_s)
    except Timeout:
        message = f"stix-jobs {name} is already running on {archive}"
        raise AlreadyRunning(message) from None
    try:
        (folder / f"{name}.lock").touch()  # `jobs.cli.doctor` reads when the command last ran
        yield
    finally:
        lock.release()
