"""One of a kind at a time: cron may start a command while the one before is still at work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from stixcore.errors import StixError


class AlreadyRunning(StixError):
    """The same command is at work on the same archive: leave quietly, it does what is to be done."""


@contextmanager
def single_instance(archive: Path, name: str, *, wait_s: float = 0.0) -> Iterator[None]:
    """Be the only one that does ``name`` on an archive; inside, nobody else is.

    An operating-system lock on ``locks/<name>.lock``: it goes with the process that held it, however that ended.

    Parameters
    ----------
    archive : Path
        Folder of the archive.
    name : str
        What is done: "ingest", "previews", "fetch", …
    wait_s : float
        How long to wait for the other one; 0: not at all, infinity: for ever.

    Raises
    ------
    AlreadyRunning
        When somebody else does it, and still does after that time.
    """
    folder = archive / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / f"{name}.lock")
    try:
        lock.acquire(timeout=-1 if wait_s == float("inf") else wait_s)
    except Timeout:
        message = f"stix-jobs {name} is already at work on {archive}"
        raise AlreadyRunning(message) from None
    try:
        (folder / f"{name}.lock").touch()  # when it ran last, for `jobs.cli.doctor`
        yield
    finally:
        lock.release()
