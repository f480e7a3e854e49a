"""An executor of child processes, which are kept running, watched, and replaced when they die.

`concurrent.futures` breaks the whole pool when one process is killed, cannot stop a running task and reports no
progress. Children of `multiprocessing` inherit the whole environment, and the server's contains secrets.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import pickle
import signal
import subprocess
import sys
import threading
import traceback
import weakref
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from typing import Any

from jobs.executors.base import TRIES, Event, Executor, Finished, Progress, Started, reporting_to
from jobs.executors.child_environment import child_environment
from jobs.executors.memory import limit_memory
from jobs.shared.errors import WorkerCrashed, WorkerDied

log = logging.getLogger(__name__)

#: A child that does not exit within this time is killed, s.
_PATIENCE_S = 1.0
#: The program of a child, with the module search path of its parent, which is not only in environment variables.
_PROGRAM = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from jobs.executors.processes import serve; serve()"
)


@dataclass
class _Work:
    """A task and the number of times it was started."""

    ticket: int
    message: bytes
    tries: int = 0


@dataclass(eq=False)
class _Child:
    """A process and its current task."""

    process: subprocess.Popen[bytes]
    pipe: Connection
    work: _Work | None = None
    ready: bool = False


class ChildExecutor(Executor):
    """A fixed number of child processes.

    Each is a new interpreter, because a forked copy of a process with threads (DuckDB, BLAS) may hang. Children inherit
    the variables of `child_environment`, ignore Ctrl-C and SIGTERM, which the parent handles, and exit at once when
    the parent ends in any way.

    Parameters
    ----------
    workers : int
        Number of processes.
    preload : tuple of str
        Modules to import before the first task.
    memory_bytes : int, optional
        Memory that a child may use beyond what it has after importing ``preload``. A task that needs more ends with a
        MemoryError, and its process is replaced. Linux only.
    """

    def __init__(self, workers: int, *, preload: tuple[str, ...] = (), memory_bytes: int | None = None) -> None:
        super().__init__()
        self._arguments = (preload, memory_bytes)
        self._waiting: deque[_Work] = deque()
        self._events: list[Event] = []
        self._stillborn = 0
        self._children: list[_Child] = []
        self._finalizer = weakref.finalize(self, _kill_all, self._children)
        self._children.extend(self._spawn() for _ in range(workers))

    @property
    def free(self) -> int:
        """Number of idle children."""
        return sum(child.work is None for child in self._children) - len(self._waiting)

    @property
    def pids(self) -> list[int]:
        """Process ids of the children."""
        return [child.process.pid for child in self._children]

    def submit(self, function: Callable[[Any], Any], task: Any) -> int:
        """See `Executor.submit`."""
        ticket = next(self._tickets)
        self._waiting.append(_Work(ticket, pickle.dumps((function, task))))
        self._hand_out()
        return ticket

    def events(self, timeout_s: float) -> list[Event]:
        """See `Executor.events`.

        Raises
        ------
        WorkerDied
            When processes die before they can take a task.
        """
        self._hand_out()
        # the pipe closes when the process ends
        sources: dict[Any, _Child] = {child.pipe: child for child in self._children if not child.pipe.closed}
        for source in wait(list(sources), 0.0 if self._events else timeout_s):
            child = sources[source]
            self._listen(child)
        self._hand_out()
        events, self._events = self._events, []
        return events

    def cancel(self, ticket: int) -> None:
        """See `Executor.cancel`."""
        self._waiting = deque(work for work in self._waiting if work.ticket != ticket)
        self._events = [event for event in self._events if event.ticket != ticket]
        for child in self._children:
            if child.work is not None and child.work.ticket == ticket:
                child.work = None
                self._replace(child)

    def close(self) -> None:
        """Stop every child: idle ones exit, busy ones are killed."""
        self._waiting.clear()
        for child in self._children:
            if child.work is not None or not child.ready:
                child.process.kill()
            child.pipe.close()
        for child in self._children:
            _wait(child.process)
        self._finalizer()

    def _spawn(self) -> _Child:
        ours, theirs = Pipe()
        words = [json.dumps(sys.path), str(theirs.fileno()), json.dumps(self._arguments)]
        process = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-P", "-c", _PROGRAM, *words],
            stdin=subprocess.PIPE,  # closed when this process ends in any way
            pass_fds=[theirs.fileno()],
            env=child_environment(),
        )
        theirs.close()  # so that the pipe closes when the process ends
        return _Child(process, ours)

    def _hand_out(self) -> None:
        """Send waiting tasks to idle children."""
        for child in [child for child in self._children if child.work is None and child.ready]:
            if not self._waiting:
                break
            work = self._waiting.popleft()
            try:
                child.pipe.send_bytes(work.message)
            except OSError:  # it died while it was idle
                self._waiting.appendleft(work)
                self._replace(child)
                continue
            child.work, work.tries = work, work.tries + 1
            self._events.append(Started(work.ticket))

    def _listen(self, child: _Child) -> None:
        """Read all messages of a child, including those sent before it died."""
        while True:
            try:
                if not child.pipe.poll():
                    break
                kind, *content = child.pipe.recv()
            except (EOFError, OSError, pickle.UnpicklingError):
                self._replace_dead(child)
                return
            if kind == "ready":
                child.ready, self._stillborn = True, 0
            elif child.work is not None and kind == "progress":
                self._events.append(Progress(child.work.ticket, *content))
            elif child.work is not None:
                result, error = content
                self._events.append(Finished(child.work.ticket, result, error))
                child.work = None
                if isinstance(error, MemoryError):  # its remaining memory is fragmented
                    self._replace(child)
                    return
        if child.process.poll() is not None:
            self._replace_dead(child)

    def _replace_dead(self, child: _Child) -> None:
        """Replace a dead child; its task is started again or fails."""
        _wait(child.process)
        how, work, child.work = _exit_reason(child.process.returncode), child.work, None
        if work is not None:
            log.warning("a worker process %s, try %d of %d of its task", how, work.tries, TRIES)
            if work.tries < TRIES:
                self._waiting.appendleft(work)
            else:
                self._events.append(Finished(work.ticket, error=self._fault(child.process.returncode)))
        self._stillborn += not child.ready
        self._replace(child)
        if self._stillborn >= TRIES * len(self._children):
            self._stillborn = 0
            message = f"worker processes end before they begin (the last one {how})"
            raise WorkerDied(message)

    def _fault(self, code: int | None) -> WorkerDied:
        """The final error of a task; ``code`` is the exit code of its last try."""
        how = f"the process that worked on it {_exit_reason(code)}, {TRIES} times"
        if code == -signal.SIGKILL:  # not by us; the system does this when it runs out of memory
            return WorkerDied(how)
        memory = self._arguments[1]
        maybe = "" if memory is None else f"; it may need more than the {memory >> 20} MiB of memory it may take"
        return WorkerCrashed(how + maybe)

    def _replace(self, child: _Child) -> None:
        child.pipe.close()
        _kill_all([child])
        self._children[self._children.index(child)] = self._spawn()


def _kill_all(children: list[_Child]) -> None:
    for child in children:
        child.process.kill()
    for child in children:
        _wait(child.process)
        if child.process.stdin is not None:
            child.process.stdin.close()


def _wait(process: subprocess.Popen[bytes]) -> None:
    with suppress(subprocess.TimeoutExpired):
        process.wait(_PATIENCE_S)


def _exit_reason(code: int | None) -> str:
    if code is not None and code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended with exit status {code}"


def serve() -> None:
    """Run tasks in a child, one after the other, until the pipe is closed; arguments are read from `sys.argv`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    descriptor = int(sys.argv[2])
    os.set_inheritable(descriptor, False)  # programs started by a task must not keep the pipe open
    parent, nothing = os.dup(0), os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    threading.Thread(target=_leave_with_parent, args=(parent,), daemon=True).start()
    preload, memory_bytes = json.loads(sys.argv[3])
    del sys.argv[1:]
    pipe = Connection(descriptor)
    for name in preload:
        importlib.import_module(name)
    if memory_bytes is not None:
        limit_memory(memory_bytes)
    with suppress(OSError):  # the parent has ended or closed the pipe
        pipe.send(("ready",))
        while True:
            try:
                message = pipe.recv_bytes()
            except EOFError:
                return
            with reporting_to(lambda *said: pipe.send(("progress", *said))):
                answer = _run(message)
            pipe.send_bytes(answer)


def _run(message: bytes) -> bytes:
    """The pickled answer to a pickled task."""
    try:
        function, task = pickle.loads(message)  # noqa: S301 - the parent made it
        return pickle.dumps(("finished", function(task), None))
    except Exception as error:  # noqa: BLE001 - the parent handles it
        return _pickled_error(error)


def _pickled_error(error: Exception) -> bytes:
    error.add_note("".join(traceback.format_exception(error)))
    try:
        answer = pickle.dumps(("finished", None, error))
        pickle.loads(answer)  # noqa: S301 - some exceptions can be pickled but not unpickled
    except Exception:  # noqa: BLE001 - methods of an exception may raise anything
        return pickle.dumps(("finished", None, RuntimeError(f"{type(error).__name__}: {error}")))
    return answer


def _leave_with_parent(parent: int) -> None:
    """Exit when the parent ends: read from a pipe that nobody writes to and that closes with the parent."""
    os.read(parent, 1)
    os._exit(1)
