"""Blocks of remote files, kept in memory: small reads beside each other cost one request."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

#: Size of a block, byte. Larger ones make fewer requests for more bytes.
BLOCK = 128 << 10
#: Blocks that are kept.
KEPT = 1024

type Fetch = Callable[[str, int, int, int], bytes]


class Blocks:
    """The last blocks that were read; can be shared between threads.

    Parameters
    ----------
    fetch : function
        Bytes of a file: name, start, end and size of the file.
    block : int
        Size of a block, byte.
    kept : int
        Number of blocks in memory.
    """

    def __init__(self, fetch: Fetch, block: int = BLOCK, kept: int = KEPT) -> None:
        self._fetch, self._block, self._kept = fetch, block, kept
        self._blocks: OrderedDict[tuple[str, int], bytes] = OrderedDict()
        self._lock = threading.Lock()
        self._reading: dict[str, threading.Lock] = {}

    def read(self, name: str, start: int, end: int, size: int) -> bytes:
        """Bytes ``start`` to ``end`` (excluded) of a file of ``size`` bytes."""
        if end <= start:
            return b""
        numbers = range(start // self._block, -(-end // self._block))
        with self._lock:
            of_file = self._reading.setdefault(name, threading.Lock())
        with of_file:  # two readers of the same block make one request
            have = {number: self._known(name, number) for number in numbers}
            missing = [number for number, content in have.items() if content is None]
            for first, last in _runs(missing):
                begin, stop = first * self._block, min((last + 1) * self._block, size)
                content = self._fetch(name, begin, stop, size)
                for number in range(first, last + 1):
                    offset = (number - first) * self._block
                    have[number] = content[offset : offset + self._block]
                    self._keep(name, number, content[offset : offset + self._block])
        whole = b"".join(part for part in have.values() if part is not None)
        begin = start - numbers[0] * self._block
        return whole[begin : begin + end - start]

    def clear(self) -> None:
        """Forget all blocks."""
        with self._lock:
            self._blocks.clear()

    def _known(self, name: str, number: int) -> bytes | None:
        with self._lock:
            content = self._blocks.get((name, number))
            if content is not None:
                self._blocks.move_to_end((name, number))
            return content

    def _keep(self, name: str, number: int, content: bytes) -> None:
        with self._lock:
            self._blocks[name, number] = content
            while len(self._blocks) > self._kept:
                self._blocks.popitem(last=False)


def _runs(numbers: list[int]) -> list[tuple[int, int]]:
    """First and last of consecutive numbers."""
    runs: list[tuple[int, int]] = []
    for number in numbers:
        if runs and runs[-1][1] == number - 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return runs
