"""How much memory this process has and had; ``ru_maxrss`` also remembers the process that started it."""

from __future__ import annotations

import re
from pathlib import Path


def memory_kib(what: str) -> int:
    """Of the status of this process: "VmHWM" is the most that was resident, "VmData" what it may write to."""
    (found,) = re.findall(rf"^{what}:\s*(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    return int(found)
