"""Files of a published archive over HTTP: whole, or in ranges. Connections are kept and shared between threads."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from urllib.parse import quote, urljoin, urlsplit

import urllib3

from archive.errors import PublicationChanged, Unreachable

_SCHEMES = ("http", "https")
#: Redirects that are followed.
_REDIRECTS = 5
_MOVED = frozenset({301, 302, 303, 307, 308})
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)", re.ASCII)
_TIMEOUT = urllib3.Timeout(connect=15.0, read=60.0)


def _connections() -> urllib3.PoolManager:
    return urllib3.PoolManager(maxsize=16, retries=urllib3.Retry(2, redirect=False), timeout=_TIMEOUT)


@dataclass
class Transport:
    """Requests below one address.

    Attributes
    ----------
    base : str
        Address of the published archive, with a slash at the end.
    requests, received : int
        Number of requests, and bytes of their answers.
    """

    base: str
    requests: int = 0
    received: int = 0
    _pool: urllib3.PoolManager = field(default_factory=_connections, repr=False)
    _tags: dict[str, str] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def whole(self, path: str, *, most: int) -> bytes:
        """A file of at most ``most`` bytes.

        Raises
        ------
        Unreachable
            When the server gives no file, or a larger one.
        """
        response, _ = self._get(path, {"Cache-Control": "no-cache"}, most)
        return response

    def part(self, path: str, start: int, end: int, size: int) -> bytes:
        """Bytes ``start`` to ``end`` (excluded) of a file.

        Raises
        ------
        PublicationChanged
            When the file is gone, or another than before, or has not ``size`` bytes.
        Unreachable
            When the server does not answer, or not with the range.
        """
        answer, headers = self._get(path, {"Range": f"bytes={start}-{end - 1}"}, end - start, ranged=True)
        match = _RANGE.fullmatch(headers.get("Content-Range", ""))
        if match is None:
            message = f"{self.base}{path}: the server does not state the range of its answer"
            raise Unreachable(message)
        if int(match[3]) != size:
            message = f"{self.base}{path} has {match[3]} bytes, and the manifest says {size}"
            raise PublicationChanged(message)
        if (int(match[1]), int(match[2])) != (start, end - 1) or len(answer) != end - start:
            message = f"{self.base}{path}: the server answered with another range"
            raise Unreachable(message)
        tag = headers.get("ETag", "")
        with self._lock:
            first = self._tags.setdefault(path, tag)
        if first != tag:
            message = f"{self.base}{path} was replaced while it was read"
            raise PublicationChanged(message)
        return answer

    def forget(self) -> None:
        """Forget what is known about files, after the manifest changed."""
        with self._lock:
            self._tags.clear()

    def close(self) -> None:
        """Close all connections."""
        self._pool.clear()

    def _get(
        self, path: str, headers: dict[str, str], most: int, *, ranged: bool = False
    ) -> tuple[bytes, urllib3.HTTPHeaderDict]:
        address = urljoin(self.base, quote(path))
        for _ in range(_REDIRECTS + 1):
            try:
                response = self._pool.request(
                    "GET",
                    address,
                    headers={"Accept-Encoding": "identity", **headers},
                    redirect=False,
                    preload_content=False,
                )
                if response.status in _MOVED:
                    response.drain_conn()
                    address = _next(address, response.headers.get("Location", ""))
                    continue
                return self._content(response, address, most, ranged=ranged), response.headers
            except (urllib3.exceptions.HTTPError, OSError) as error:
                message = f"{address} cannot be read: {_cause(error)}"
                raise Unreachable(message) from error
        message = f"{self.base}{path} is redirected too often"
        raise Unreachable(message)

    def _content(self, response: urllib3.BaseHTTPResponse, address: str, most: int, *, ranged: bool) -> bytes:
        with self._lock:
            self.requests += 1
        if response.status != (206 if ranged else 200):
            response.close()
            raise _refusal(response.status, address)
        content = response.read(most + 1)
        with self._lock:
            self.received += len(content)
        if len(content) > most:
            response.close()
            message = f"{address} has more than {most} bytes"
            raise Unreachable(message)
        response.release_conn()
        return content


def base_address(address: str) -> str:
    """The address of a published archive, with a slash at the end.

    Raises
    ------
    Unreachable
        When it is not an address of HTTP, or has a query.
    """
    address = address.removesuffix("archive.json")
    parts = urlsplit(address)
    if parts.scheme not in _SCHEMES or not parts.netloc or parts.query or parts.fragment:
        message = f"{address!r} is not the address of a published archive (example: https://www.example.org/stix)"
        raise Unreachable(message)
    return address.rstrip("/") + "/"


def _next(address: str, location: str) -> str:
    """Where a redirect leads: to HTTP, and not from a secure to an insecure address."""
    target = urljoin(address, location)
    scheme, before = urlsplit(target).scheme, urlsplit(address).scheme
    if not location or scheme not in _SCHEMES or (before == "https" and scheme != "https"):
        message = f"{address} is redirected to {target!r}, which is not followed"
        raise Unreachable(message)
    return target


def _refusal(status: int, address: str) -> Unreachable:
    if status in {404, 410, 416}:
        return PublicationChanged(f"{address} is not there (status {status})")
    if status == 200:
        return Unreachable(f"the server of {address} does not support range requests; copy the archive, or use another")
    return Unreachable(f"{address}: the server answers with status {status}")


def _cause(error: BaseException) -> str:
    reason = getattr(error, "reason", None)
    return str(reason if isinstance(reason, BaseException) else error)
