"""Headers that only a proxy may send, sent by a visitor."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

VISITOR, FORGED = "198.51.100.7", "203.0.113.66"
#: What a visitor sends to be taken for somebody else; the proxy passes it on and appends the visitor's address.
FORGERIES = {
    "X-Real-Ip": FORGED,
    "X-Client-Ip": FORGED,
    "Forwarded": f"for={FORGED};proto=https",
    "X-Scheme": "https",
    "X-Forwarded-Ssl": "on",
    "X-Forwarded-Host": "elsewhere.example",
}


@pytest.fixture(scope="module")
def proxied(small: Any, serve: Callable[..., Any]) -> Iterator[Any]:
    """A server behind one proxy, whose log has a line for each request."""
    with serve(small.archive.root, "dashboards", "--behind-proxy", "--log-level", "debug") as server:
        yield server


async def ask(url: str, path: str, headers: list[tuple[str, str]]) -> str:
    """Head of the answer to a request with exactly these headers, which may be there twice."""
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n{lines}\r\n".encode())
    answer = (await asyncio.wait_for(reader.read(), 60)).decode()
    writer.close()
    return answer.partition("\r\n\r\n")[0]


def seen(server: Any, name: str, headers: list[tuple[str, str]]) -> tuple[str, bool]:
    """The address that a server counts and logs for a request, and whether it takes it for HTTPS."""
    asyncio.run(ask(server.url, f"/archive/{name}", headers))
    deadline = time.monotonic() + 60  # the line is written after the answer
    while not (found := re.findall(rf"/archive/{name} \(([^)]+)\)", server.log_text())):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found[0], is_secure(server.url, headers)


def is_secure(url: str, headers: list[tuple[str, str]]) -> bool:
    """Whether the server takes a request for HTTPS, and marks its cookies so."""
    head = asyncio.run(ask(url, "/login", headers))
    return "; Secure" in next(line for line in head.splitlines() if "_xsrf" in line)


def test_forged_headers_behind_a_proxy(proxied: Any) -> None:
    """Behind a proxy, headers that a visitor sends change neither the counted address nor whether it is HTTPS."""
    honest = [("X-Forwarded-For", VISITOR), ("X-Forwarded-Proto", "http")]
    assert seen(proxied, "honest", honest) == (VISITOR, False)
    for number, forged in enumerate(FORGERIES.items()):
        assert seen(proxied, f"one-{number}", [forged, *honest]) == (VISITOR, False), forged
    assert seen(proxied, "all", [*FORGERIES.items(), *honest]) == (VISITOR, False)
    longer = [("X-Forwarded-For", f"{FORGED}, {VISITOR}"), ("X-Forwarded-Proto", "http")]
    assert seen(proxied, "longer", longer) == (VISITOR, False)
    twice = [("X-Forwarded-For", FORGED), *honest]
    assert seen(proxied, "twice", twice) == (VISITOR, False)
    assert seen(proxied, "https", [("X-Forwarded-For", VISITOR), ("X-Forwarded-Proto", "https")]) == (VISITOR, True)
    assert seen(proxied, "nobody", [("X-Forwarded-For", "; drop")]) == ("127.0.0.1", False)


def test_forged_headers_without_a_proxy(target: Any) -> None:
    """Without a proxy no header of a visitor makes the server take a request for HTTPS."""
    assert not is_secure(target.url, [*FORGERIES.items(), ("X-Forwarded-For", FORGED), ("X-Forwarded-Proto", "https")])
