"""How much private memory a process may take: beyond it, an allocation fails instead of the machine."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def limit_memory(extra: int) -> None:
    """Let private memory grow by ``extra`` bytes at most; where the system cannot (other than Linux), do nothing.

    The address space (RLIMIT_AS) would be the wrong thing to limit: threads reserve much more of it than they use.
    """
    status = Path("/proc/self/status")
    if not status.is_file():
        return
    import resource

    (present,) = re.findall(r"^VmData:\s*(\d+) kB$", status.read_text(), re.MULTILINE)
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = int(present) * 1024 + extra
    resource.setrlimit(resource.RLIMIT_DATA, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))


@contextmanager
def limited_memory(extra: int) -> Iterator[None]:
    """`limit_memory` for a while."""
    try:
        import resource
    except ImportError:  # not a Unix
        yield
        return
    before = resource.getrlimit(resource.RLIMIT_DATA)
    limit_memory(extra)
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)
