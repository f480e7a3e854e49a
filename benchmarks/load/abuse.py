"""An abusive client: it requests pages and bundles at full speed and keeps connections with endless requests open.

It has its own loopback address, keeps no cookies, opens no web socket and repeats every request immediately.
``python -m benchmarks.load.abuse URL SECONDS [--bundle PATH]`` prints the numbers of responses as JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[2]
#: Address of the abusive client; visitors have others.
ADDRESS = "127.0.0.2"
#: Connections for each kind of request.
PAGES, BUNDLES, HALF_OPEN = 8, 6, 100
#: A request without the final empty line.
_BEGUN = "GET /image_archive HTTP/1.1\r\nHost: {host}\r\nX-Slow: "
_READ = 1 << 16


@dataclass
class Abuser:
    """The abusive client and the responses it got.

    Parameters
    ----------
    url : str
        Server on loopback.
    bundle : str
        Path of a bundle.
    address : str
        Source address of its connections.
    """

    url: str
    bundle: str = ""
    address: str = ADDRESS
    answers: Counter[str] = field(default_factory=Counter)

    async def run(
        self, until: float, pages: int = PAGES, bundles: int = BUNDLES, half_open: int = HALF_OPEN
    ) -> Counter[str]:
        """Send requests until a time of `monotonic`; returns the number of responses by kind and status."""
        kinds: Sequence[tuple[int, Callable[[], Awaitable[None]]]] = (
            (pages, lambda: self._ask("page", "/image_archive")),
            (bundles if self.bundle else 0, lambda: self._ask("bundle", self.bundle)),
            (half_open, self._half_open),
        )
        await asyncio.gather(*(self._again(until, once) for number, once in kinds for _ in range(number)))
        return self.answers

    async def _again(self, until: float, once: Callable[[], Awaitable[None]]) -> None:
        while (left := until - monotonic()) > 0:
            try:
                async with asyncio.timeout(left):
                    await once()
            except TimeoutError:
                return
            except (OSError, asyncio.IncompleteReadError):
                self.answers["disconnected"] += 1
                await asyncio.sleep(0.05)

    async def _ask(self, kind: str, path: str) -> None:
        async with _Connection(self.url, self.address) as (reader, writer):
            head = f"GET {path} HTTP/1.1\r\nHost: {urlsplit(self.url).netloc}\r\nConnection: close\r\n\r\n"
            writer.write(head.encode())
            status = (await reader.readline()).split()
            while await reader.read(_READ):
                pass
            self.answers[f"{kind} {status[1].decode() if len(status) > 1 else 'disconnected'}"] += 1

    async def _half_open(self) -> None:
        """Send an endless header, one letter at a time, until the server closes the connection."""
        async with _Connection(self.url, self.address) as (reader, writer):
            writer.write(_BEGUN.format(host=urlsplit(self.url).netloc).encode())
            while not reader.at_eof():
                writer.write(b"x")
                await writer.drain()
                with suppress(TimeoutError):
                    await asyncio.wait_for(reader.read(_READ), 1.0)
            self.answers["half-open closed"] += 1


class _Connection:
    """A connection from an address, closed on exit."""

    def __init__(self, url: str, address: str) -> None:
        self._place, self._address = urlsplit(url), address

    async def __aenter__(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, self._writer = await asyncio.open_connection(
            self._place.hostname, self._place.port, local_addr=(self._address, 0)
        )
        return reader, self._writer

    async def __aexit__(self, *_: object) -> None:
        self._writer.transport.abort()
        with suppress(OSError):
            await self._writer.wait_closed()


@contextmanager
def abused(url: str, bundle: str, seconds: float) -> Iterator[Counter[str]]:
    """Run an abusive client in a child process; on exit the counter contains its responses."""
    command = [sys.executable, "-m", "benchmarks.load.abuse", url, str(seconds), "--bundle", bundle]
    answers: Counter[str] = Counter()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    try:
        yield answers
        said, _ = process.communicate(timeout=seconds + 60)
        answers.update(json.loads(said))
    finally:
        process.kill()
        process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load.abuse", description=__doc__)
    parser.add_argument("url")
    parser.add_argument("seconds", type=float)
    parser.add_argument("--bundle", default="", help="path of a bundle")
    given = parser.parse_args()
    print(json.dumps(asyncio.run(Abuser(given.url, given.bundle).run(monotonic() + given.seconds))))


if __name__ == "__main__":
    main()
