"""Programs forked from one process that has imported the third-party packages, which is most of the work of a start.

``python -m tests.dashboards.forked_programs FD`` is that process: it has no thread of Python's, takes orders from a
socket, and forks for each. What is forked runs a module as ``python -m`` does, or a file, with the arguments,
environment, output and exit status of its order. Only its command line in ``/proc`` is not its own.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import threading
import traceback
import warnings
from contextlib import suppress
from importlib.util import module_from_spec
from pathlib import Path
from types import FunctionType
from typing import IO, Any

ROOT = Path(__file__).resolve().parents[2]
#: What the pages import of others. Not panel.auth and panel.command.serve: they import the sign-in of this project.
PACKAGES = (
    "numpy", "scipy", "pandas", "pyarrow.parquet", "pyarrow.csv", "astropy.io.fits", "duckdb", "tornado.web", "argon2",
    "filelock", "PIL.Image", "pydantic", "bokeh.plotting", "bokeh.server.server", "panel", "panel_material_ui",
)  # fmt: skip


class ForkedProgram:
    """A forked process, with the methods of `subprocess.Popen` that tests use.

    Parameters
    ----------
    answers : socket
        Where the process that forks tells the new process's id and, later, its exit status.
    """

    def __init__(self, answers: socket.socket) -> None:
        self._answers = answers
        self.returncode: int | None = None
        self.pid = 0
        self.pid = self._answer(300.0)  # the imports come first, on a machine that may be busy

    def wait(self, timeout: float) -> int:
        """Exit status, as soon as there is one."""
        if self.returncode is None:
            self.returncode = self._answer(timeout)
            self._answers.close()
        return self.returncode

    def poll(self) -> int | None:
        """Exit status; None while the process runs."""
        with suppress(subprocess.TimeoutExpired):
            return self.wait(0.001)
        return None

    def terminate(self) -> None:
        """Send SIGTERM."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self._send(signal.SIGKILL)

    def _send(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def _answer(self, timeout: float) -> int:
        self._answers.settimeout(timeout)
        try:
            return int(self._answers.recv(32))
        except TimeoutError:
            raise subprocess.TimeoutExpired(str(self.pid), timeout) from None


def start_fresh(
    words: list[str], environment: dict[str, str], output: IO[bytes], errors: IO[bytes]
) -> subprocess.Popen[bytes]:
    """Run a module or a file in a new Python."""
    words = words if words[0].endswith(".py") else ["-m", *words]
    return subprocess.Popen([sys.executable, *words], cwd=ROOT, env=environment, stdout=output, stderr=errors)


class Forker:
    """Starts programs; the process that forks them is started at once and imports meanwhile."""

    def __init__(self) -> None:
        self._orders, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
        words = [sys.executable, "-m", "tests.dashboards.forked_programs", str(theirs.fileno())]
        with theirs:
            self._process = subprocess.Popen(
                words, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()]
            )

    def start(
        self, words: list[str], environment: dict[str, str], output: IO[bytes], errors: IO[bytes]
    ) -> ForkedProgram:
        """Run a module or a file (the first of the words) with arguments (the others)."""
        answers, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        order = json.dumps({"words": words, "environment": environment}).encode()
        with theirs:
            socket.send_fds(self._orders, [order], [theirs.fileno(), output.fileno(), errors.fileno()])
        return ForkedProgram(answers)

    def close(self) -> None:
        """End the process that forks."""
        self._orders.close()
        assert self._process.wait(60) == 0


def take_order(orders: socket.socket) -> dict[str, Any]:
    """Fork for each order; returns in the forked processes alone."""
    running: dict[int, tuple[int, socket.socket]] = {}  # by a descriptor that becomes readable when the process ends
    with selectors.DefaultSelector() as selector:
        selector.register(orders, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fd in running:
                    selector.unregister(key.fd)
                    pid, answers = running.pop(key.fd)
                    os.close(key.fd)
                    with answers, suppress(BrokenPipeError):
                        answers.send(str(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])).encode())
                    continue
                content, descriptors, _, _ = socket.recv_fds(orders, 1 << 20, 3)
                if not content:  # who gives the orders has ended, and needs no program any more
                    for pid, _ in running.values():
                        os.kill(pid, signal.SIGTERM)
                    os._exit(0)
                answers, outputs = socket.socket(fileno=descriptors[0]), descriptors[1:]
                with warnings.catch_warnings():  # the threads of OpenBLAS and jemalloc are prepared for it
                    warnings.simplefilter("ignore", DeprecationWarning)
                    pid = os.fork()
                if pid == 0:
                    for _, opened in running.values():
                        opened.close()
                    for descriptor in running:
                        os.close(descriptor)
                    answers.close()
                    orders.close()
                    for stream, output in enumerate(outputs, 1):
                        os.dup2(output, stream)
                        os.close(output)
                    order: dict[str, Any] = json.loads(content)
                    return order
                for output in outputs:
                    os.close(output)
                try:
                    answers.send(str(pid).encode())
                except BrokenPipeError:  # who ordered it waits no longer
                    os.kill(pid, signal.SIGTERM)
                ended = os.pidfd_open(pid)
                running[ended] = pid, answers
                selector.register(ended, selectors.EVENT_READ)


def read_keys_again() -> None:
    """Give Bokeh the keys that are in the environment now: it keeps those of when it was imported."""
    settings = importlib.import_module("bokeh.settings").settings
    vars(settings).pop("_secret_key_bytes", None)
    token = importlib.import_module("bokeh.util.token")
    assert token.__spec__ is not None
    assert token.__spec__.loader is not None
    now = module_from_spec(token.__spec__)
    token.__spec__.loader.exec_module(now)
    for name, function in vars(now).items():
        if isinstance(function, FunctionType):
            vars(token)[name].__defaults__ = function.__defaults__


def read_keys_when_set() -> None:
    """Let Bokeh read its keys when the server sets them, as it does where it is imported after that."""
    keys = importlib.import_module("dashboards.shared.keys")
    set_keys = keys.set_keys

    def set_and_read_keys(folder: Path) -> None:
        set_keys(folder)
        read_keys_again()

    keys.set_keys = set_and_read_keys


def run(words: list[str], environment: dict[str, str]) -> None:
    """Run a module as ``python -m`` does, or a file as ``python`` does."""
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = words
    if words[0].endswith(".py"):
        runpy.run_path(words[0], run_name="__main__")
    else:
        read_keys_when_set()
        runpy.run_module(words[0], run_name="__main__", alter_sys=True)


def end(order: dict[str, Any]) -> None:
    """Carry an order out, and end without taking everything apart that was imported."""
    status: object = 0
    try:
        run(**order)
    except SystemExit as stop:
        status = stop.code or 0
    except BaseException:  # noqa: BLE001 - as Python does with what nobody has caught
        traceback.print_exc()
        status = 1
    if not isinstance(status, int):
        sys.stderr.write(f"{status}\n")
        status = 1
    threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(status)


if __name__ == "__main__":
    for name in PACKAGES:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # a collection in a forked process would write to, and so copy, the memory of all of this
    end(take_order(socket.socket(fileno=int(sys.argv[1]))))
