"""A Dask cluster of our own processes."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

HERE = Path(__file__).parent


def free_port():
    """A port that the system gives to nobody by itself, so that it is free again after a while."""
    for port in random.sample(range(20_000, 30_000), 100):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return str(port)
    raise AssertionError


class Cluster:
    """A scheduler and some workers on loopback, each a process that a test may kill."""

    def __init__(self, folder, *, workers=2, port="0"):
        self._file = folder / "scheduler.json"
        self._file.unlink(missing_ok=True)
        self._log = (folder / "cluster.log").open("w")
        self._environment = os.environ | {
            "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parents[2])]),
            "DASK_DISTRIBUTED__ADMIN__TICK__LIMIT": "1h",
        }
        self.processes = [self._start("scheduler", "--host", "127.0.0.1", "--port", port)]
        for _ in range(workers):
            self.processes.append(
                self._start("worker", "--nthreads", "1", "--memory-limit", "0", "--local-directory", str(folder))
            )
        until = time.monotonic() + 60.0
        while (address := self._written_address()) is None:
            assert time.monotonic() < until, (folder / "cluster.log").read_text()
            time.sleep(0.02)
        self.address = address

    def _written_address(self):
        """Address in the scheduler's file; None before the file is there, and complete."""
        with suppress(FileNotFoundError, json.JSONDecodeError):
            return json.loads(self._file.read_text())["address"]
        return None

    def _start(self, what, *options):
        command = [sys.executable, "-m", f"distributed.cli.dask_{what}", "--no-dashboard", *options]
        command += ["--scheduler-file", str(self._file)]
        # each leads a group, so that a nanny and its worker go together
        return subprocess.Popen(
            command, env=self._environment, stderr=self._log, stdout=self._log, start_new_session=True
        )

    def close(self):
        for process in self.processes:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self._log.close()
