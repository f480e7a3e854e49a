"""Processor time of running processes, which a busy machine changes less than elapsed time."""

from __future__ import annotations

import os
from pathlib import Path


def descendants(pids: list[int]) -> list[int]:
    """Processes and all their descendants."""
    found, waiting = [], list(pids)
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        for path in Path(f"/proc/{pid}/task").glob("*/children"):
            try:
                waiting += map(int, path.read_text().split())
            except OSError:  # it has ended
                continue
    return found


def cpu_seconds(pid: int) -> float:
    """Processor time of a process, s; 0 if it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
