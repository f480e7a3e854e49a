"""Pages and worker of the demonstration as two child processes that end together."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import FrameType

from stixcore.errors import StixError

#: Signals that end the demonstration. A terminal sends the first and the last to the children, too.
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
#: How long the children may take to end, s; a worker first finishes its image sets.
PATIENCE = 30.0
LOOK = 0.2  # s
#: How long the pages may take to answer that they are there, s; then they are asked again.
ANSWER = 2.0


class PortTaken(StixError):
    """Another program listens on the port of the pages."""


def require_free_port(port: int) -> None:
    """Check that the pages can listen on a port, before minutes of work.

    Raises
    ------
    PortTaken
        When another program does.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            message = (
                f"port {port} cannot be used ({error.strerror}); choose another one: make demo PORT={_next(port)}, "
                f"or stix-jobs demo --port {_next(port)}"
            )
            raise PortTaken(message) from error


def _next(port: int) -> int:
    return port + 1 if port < 65535 else port - 1


def answers(port: int) -> bool:
    """Whether the pages answer on a port of this machine."""
    connection = HTTPConnection("127.0.0.1", port, timeout=ANSWER)
    try:
        connection.request("GET", "/liveness")
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, HTTPException):  # not yet
        return False
    finally:
        connection.close()


def serve(
    commands: dict[str, list[str]],
    tell: Callable[[str], None],
    is_ready: Callable[[], bool],
    announce: Callable[[], None],
) -> bool:
    """Run programs until a signal of `ENDING` arrives or one of them ends, then end them all.

    Parameters
    ----------
    commands : dict of str to list of str
        What each program is called in messages, and its command.
    tell : callable
        Receives messages.
    is_ready : callable
        Whether the pages can be opened.
    announce : callable
        Called once, when they can.

    Returns
    -------
    bool
        Whether they ended because of a signal; otherwise a message names the program that ended.
    """
    stopping, announced = threading.Event(), False
    with _on_signals(stopping):
        children = {name: subprocess.Popen(command) for name, command in commands.items()}  # noqa: S603 - ours
        try:
            while not stopping.wait(LOOK):
                for name, child in children.items():
                    if child.poll() is not None:
                        tell(f"the {name} ended with exit status {child.returncode}")
                        return False
                if not announced and is_ready():
                    announced = True
                    announce()
            return True
        finally:
            _end(children.values())


@contextmanager
def _on_signals(stopping: threading.Event) -> Iterator[None]:
    """Set an event on a signal instead of ending this process."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopping.set()

    before = {number: signal.signal(number, stop) for number in ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(children: Collection[subprocess.Popen[bytes]]) -> None:
    """Ask processes to end, and kill those that do not."""
    for child in children:
        child.terminate()
    deadline = time.monotonic() + PATIENCE
    for child in children:
        try:
            child.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def commands_of(root: Path, port: int) -> dict[str, list[str]]:
    """The worker and the pages; these are another program because jobs must not import dashboards."""
    return {
        "worker": [sys.executable, "-m", "jobs.cli", "worker", "--archive", str(root)],
        "pages": [sys.executable, "-m", "dashboards", "--port", str(port), "--archive", str(root)],
    }
