"""Polite HTTP: one request at a time, a pause between them, patience with a server that stumbles, bounds on everything.

Standard library only. A request that fails for a passing reason (no answer, connection broken, 429, 5xx) is made again
after a growing pause, or after as long as the server asks for.
"""

from __future__ import annotations

import http.client
import io
import logging
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from email.utils import parsedate_to_datetime
from ssl import SSLError
from time import monotonic, sleep
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.response import addinfourl

from stixcore.errors import StixError
from stixcore.software import CREATOR, software_version

log = logging.getLogger(__name__)

#: Answers that another try may turn into a better one.
TRANSIENT_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})
#: What breaks on the way.
BROKEN = (URLError, http.client.HTTPException, ConnectionError, TimeoutError, SSLError)
#: The longest pause that a server may ask for, s.
LONGEST_PAUSE_S = 600.0
#: A page that lists a folder is smaller, byte.
_LARGEST_PAGE = 1 << 25


class RemoteFault(StixError):
    """A server that does not answer, or not as it should, however often it was asked."""


class NotThere(RemoteFault):
    """The server has no such file, or does not give it; its HTTP status as ``status``."""

    def __init__(self, message: str, status: int = 404) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Manners:
    """How a server is treated.

    Attributes
    ----------
    pause_s : float
        Between the end of one request and the begin of the next.
    timeout_s : float
        How long to wait for a connection, or for the next byte.
    tries : int
        How often a request is made before it is given up.
    backoff_s : float
        Pause after the first failure; doubled after each further one, up to `LONGEST_PAUSE_S`.
    slowest : float, byte/s
        A transfer that is slower on average is broken off (and taken up again).
    patience_s : float
        How long it may be slower at first.
    """

    pause_s: float = 0.5
    timeout_s: float = 30.0
    tries: int = 5
    backoff_s: float = 2.0
    slowest: float = 1000.0
    patience_s: float = 60.0

    @property
    def user_agent(self) -> str:
        """Who asks."""
        return f"{CREATOR}/{software_version()} (Python-urllib)"


@dataclass
class Transport:
    """Requests to a server, one after the other.

    Attributes
    ----------
    manners : Manners
    wait : function
        Sleeps, for tests that do not want to.
    clock : function
        Seconds of a clock that never steps back.
    """

    manners: Manners = field(default_factory=Manners)
    wait: Callable[[float], None] = sleep
    clock: Callable[[], float] = monotonic
    _last: float = float("-inf")
    _opener: urllib.request.OpenerDirector = field(default_factory=urllib.request.build_opener, repr=False)

    @contextmanager
    def request(
        self, url: str, headers: Mapping[str, str] | None = None, method: str = "GET"
    ) -> Iterator[http.client.HTTPResponse]:
        """Make one request; what goes wrong is the caller's affair."""
        require_http(url)
        self.wait(max(0.0, self._last + self.manners.pause_s - self.clock()))
        identified = {"User-Agent": self.manners.user_agent, "Accept-Encoding": "identity"} | dict(headers or {})
        request = urllib.request.Request(url, headers=identified, method=method)  # noqa: S310 (checked above)
        try:
            with self._opener.open(request, timeout=self.manners.timeout_s) as response:
                yield response
        finally:
            self._last = self.clock()

    def patiently[Answer](self, url: str, attempt: Callable[[], Answer]) -> Answer:
        """Try until it works, as often as manners allow.

        Raises
        ------
        NotThere
            When the server says so.
        RemoteFault
            When nothing helps.
        """
        fault = ""
        for number in range(self.manners.tries):
            pause = min(self.manners.backoff_s * 2.0**number, LONGEST_PAUSE_S)
            try:
                return attempt()
            except HTTPError as error:
                with error:
                    fault = f"HTTP status {error.code} {error.reason}"
                    if error.code not in TRANSIENT_STATUS:
                        message = f"{url}: {fault}"
                        raise NotThere(message, error.code) from None
                    pause = _asked_pause(error.headers, pause)
            except BROKEN as error:
                fault = str(getattr(error, "reason", "") or error) or type(error).__name__
            if number + 1 < self.manners.tries:
                log.info("%s: %s; next try in %.1f s", url, fault, pause)
                self.wait(pause)
        message = f"{url}: gave up after {self.manners.tries} tries: {fault}"
        raise RemoteFault(message)

    def page(self, url: str) -> tuple[bytes, Message]:
        """Content and headers of a small page."""

        def attempt() -> tuple[bytes, Message]:
            with self.request(url) as response:
                content = response.read(_LARGEST_PAGE)
                expected = response.headers.get("Content-Length")
                if expected is not None and len(content) != int(expected):
                    message = f"{len(content)} of {expected} bytes came"
                    raise ConnectionError(message)
                return content, response.headers

        return self.patiently(url, attempt)

    def headers(self, url: str) -> Message:
        """What the server says of a file, without the file."""

        def attempt() -> Message:
            with self.request(url, method="HEAD") as response:
                return response.headers

        return self.patiently(url, attempt)

    @contextmanager
    def behind_urlopen(self) -> Iterator[None]:
        """Let ``urllib.request.urlopen``, wherever it is called, go through this transport.

        For libraries that look up pages by themselves, without a time limit. A page that is missing stays a 404 for
        them; any other failure ends them, where some would take it for an empty folder.
        """
        urllib.request.install_opener(urllib.request.build_opener(_Relay(self)))
        try:
            yield
        finally:
            urllib.request.install_opener(None)  # the state before the first urlopen


class _Relay(urllib.request.BaseHandler):
    """Answers requests of other code with pages of a transport."""

    handler_order = 100  # before the handlers that would open a connection

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def http_open(self, req: urllib.request.Request) -> addinfourl:
        """See `urllib.request.HTTPHandler`."""
        try:
            content, headers = self._transport.page(req.full_url)
        except RemoteFault as error:
            if not (isinstance(error, NotThere) and error.status == http.HTTPStatus.NOT_FOUND):
                raise URLError(str(error)) from error
            raise HTTPError(req.full_url, error.status, str(error), Message(), None) from error
        answer = addinfourl(io.BytesIO(content), headers, req.full_url, 200)
        answer.msg = "OK"  # type: ignore[attr-defined] # what urllib itself adds to an answer, and asks for
        return answer

    https_open = http_open


def require_http(url: str) -> None:
    """Refuse addresses that are no web addresses: ``file:`` would read this machine.

    Raises
    ------
    RemoteFault
        When it is none.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        message = f"{url!r} is no address of the form http://host/… or https://host/…"
        raise RemoteFault(message)


def _asked_pause(headers: Message, otherwise: float) -> float:
    """Seconds of Retry-After, within reason."""
    text = headers.get("Retry-After", "")
    return min(float(text), LONGEST_PAUSE_S) if text.isdigit() else otherwise


def last_modified(headers: Message) -> float | None:
    """Last-Modified as Unix time, s; None where the server does not tell."""
    try:
        return parsedate_to_datetime(headers["Last-Modified"]).timestamp()
    except (TypeError, ValueError):
        return None
