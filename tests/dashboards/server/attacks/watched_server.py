"""``python -m dashboards``, with a line on standard error for whatever could make its event loop wait.

Python reports to an audit hook what opens a file, lists a folder, takes a lock, sleeps or connects to SQLite. Whatever
of that concerns the archive must happen in another thread than the one that serves everybody.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import traceback
from pathlib import Path
from typing import Any

import argon2

#: Begins every line.
MARK = "IN-THE-LOOP"
_ROOT = str(Path(os.environ["STIX_ARCHIVE"]).resolve())
_PROJECT = Path(__file__).resolve().parents[4]
#: Events that wait for others wherever their file is, and those that count for files of the archive.
_WAITS, _FILES = {"fcntl.flock", "time.sleep"}, {"open", "os.scandir", "os.listdir", "sqlite3.connect"}


def report(event: str, about: object) -> None:
    """Write the line, when this is the thread of the running loop."""
    if threading.current_thread() is not threading.main_thread() or asyncio._get_running_loop() is None:
        return
    frames = [frame for frame in traceback.extract_stack() if Path(frame.filename).is_relative_to(_PROJECT)]
    ours = [f"{Path(f.filename).relative_to(_PROJECT)}:{f.lineno}" for f in frames if ".venv" not in f.filename]
    sys.stderr.write(f"{MARK} {event} {about} by {' > '.join(ours[-6:-2])}\n")


def hook(event: str, arguments: tuple[Any, ...]) -> None:
    """Called by Python for every event of the audit table."""
    if event in _WAITS:
        report(event, arguments)
    elif event in _FILES and isinstance(arguments[0], str | os.PathLike) and _ROOT in str(arguments[0]):
        report(event, arguments[0])


def watch_hashing() -> None:
    """Argon2 is C code that no audit event tells of."""
    for name in ("hash", "verify"):
        real = getattr(argon2.PasswordHasher, name)

        def reported(self: Any, *arguments: Any, _real: Any = real, _name: str = name) -> Any:
            report(f"argon2.{_name}", "")
            return _real(self, *arguments)

        setattr(argon2.PasswordHasher, name, reported)


def watch_stat() -> None:
    """To ask for the size and time of a file waits for the disk, too."""
    real = os.stat

    def reported(path: Any, **options: Any) -> os.stat_result:
        if isinstance(path, str | os.PathLike) and str(path).startswith(_ROOT):
            report("os.stat", path)
        return real(path, **options)

    os.stat = reported


if __name__ == "__main__":
    from dashboards.server.serve import main

    watch_hashing()
    watch_stat()
    run_forever = asyncio.BaseEventLoop.run_forever

    def run_watched(loop: asyncio.BaseEventLoop) -> None:
        sys.addaudithook(hook)  # not before: imports raise events by the million
        run_forever(loop)

    asyncio.BaseEventLoop.run_forever = run_watched
    main()
