"""Polite HTTP: one request at a time, a pause between requests, retries, and limits on time and size.

A request that fails for a temporary reason (no answer, broken connection, 429, 5xx) is repeated after a growing pause,
or after the pause that the server requests.
"""

from __future__ import annotations

import io
import logging
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.message import Message
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from time import monotonic, sleep
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.response import addinfourl

import requests
import urllib3

from stixcore.errors import StixError
from stixcore.software import CREATOR, software_version

log = logging.getLogger(__name__)

#: HTTP status codes of temporary failures.
TRANSIENT_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})
#: Failures of the connection; a transfer is read from urllib3, which has its own.
BROKEN = (requests.RequestException, urllib3.exceptions.HTTPError, ConnectionError, TimeoutError)
#: The longest pause that a server can request, s.
LONGEST_PAUSE_S = 600.0
#: Limit for a page that lists a folder, byte.
_LARGEST_PAGE = 1 << 25

type Headers = Mapping[str, str]


class RemoteFault(StixError):
    """The server does not answer, or its answer is unusable, after all retries."""


class BadStatus(RemoteFault):
    """The server answers a request with an error status."""

    def __init__(self, url: str, response: requests.Response) -> None:
        super().__init__(f"{url}: HTTP status {response.status_code} {response.reason}")
        self.response = response
        self.status = response.status_code


@dataclass(frozen=True)
class RetryPolicy:
    """Pauses, retries and time limits.

    Attributes
    ----------
    pause_s : float
        Between the end of one request and the start of the next.
    timeout_s : float
        How long to wait for a connection, or for the next byte.
    tries : int
        How often a request is made before it fails.
    backoff_s : float
        Pause after the first failure; doubled after each further one, up to `LONGEST_PAUSE_S`.
    slowest : float, byte/s
        A transfer with a lower mean rate is interrupted, and resumed by the next try.
    patience_s : float
        How long a transfer may be slower at first.
    """

    pause_s: float = 0.5
    timeout_s: float = 30.0
    tries: int = 5
    backoff_s: float = 2.0
    slowest: float = 1000.0
    patience_s: float = 60.0


def _session() -> requests.Session:
    session = requests.Session()
    session.headers.update(
        {"User-Agent": f"{CREATOR}/{software_version()} (python-requests)", "Accept-Encoding": "identity"}
    )
    return session


@dataclass
class Transport:
    """Requests to a server, one at a time.

    Attributes
    ----------
    policy : RetryPolicy
    wait : function
        Sleeps; tests replace it.
    clock : function
        Monotonic clock, s.
    """

    policy: RetryPolicy = field(default_factory=RetryPolicy)
    wait: Callable[[float], None] = sleep
    clock: Callable[[], float] = monotonic
    _last: float = float("-inf")
    _session: requests.Session = field(default_factory=_session, repr=False)

    @contextmanager
    def request(self, url: str, headers: Headers | None = None, method: str = "GET") -> Iterator[requests.Response]:
        """Make one request, without retries; its body is not read yet.

        Raises
        ------
        BadStatus
        BROKEN
            One of them.
        """
        require_http(url)
        self.wait(max(0.0, self._last + self.policy.pause_s - self.clock()))
        try:
            with self._session.request(
                method, url, headers=headers, timeout=self.policy.timeout_s, stream=True
            ) as response:
                if not response.ok:
                    raise BadStatus(url, response)
                yield response
        finally:
            self._last = self.clock()

    def with_retries[Answer](self, url: str, attempt: Callable[[], Answer]) -> Answer:
        """Call ``attempt`` until it succeeds, at most as often as the policy allows.

        Raises
        ------
        BadStatus
            When a retry would not help.
        RemoteFault
            When the last try fails.
        """
        fault, retry = "", urllib3.Retry(retry_after_max=int(LONGEST_PAUSE_S))
        for number in range(self.policy.tries):
            pause = min(self.policy.backoff_s * 2.0**number, LONGEST_PAUSE_S)
            try:
                return attempt()
            except BadStatus as error:
                if error.status not in TRANSIENT_STATUS:
                    raise
                fault = str(error)
                with suppress(urllib3.exceptions.InvalidHeader):
                    pause = retry.get_retry_after(error.response.raw) or pause
            except BROKEN as error:
                fault = f"{url}: {str(error) or type(error).__name__}"
            if number + 1 < self.policy.tries:
                log.info("%s; next try in %.1f s", fault, pause)
                self.wait(pause)
        message = f"gave up after {self.policy.tries} tries: {fault}"
        raise RemoteFault(message)

    def page(self, url: str) -> bytes:
        """Content of a small page."""

        def attempt() -> bytes:
            with self.request(url) as response:
                content: bytes = response.raw.read(_LARGEST_PAGE)
                if response.raw.read(1):  # urllib3 raises here if the page is incomplete
                    message = f"{url} is larger than {_LARGEST_PAGE >> 20} MiB"
                    raise RemoteFault(message)
                return content

        return self.with_retries(url, attempt)

    def headers(self, url: str) -> Headers:
        """Headers of a file, without its content."""

        def attempt() -> Headers:
            with self.request(url, method="HEAD") as response:
                return response.headers

        return self.with_retries(url, attempt)

    @contextmanager
    def behind_urlopen(self) -> Iterator[None]:
        """Send every call of ``urllib.request.urlopen``, in any library, through this transport.

        For libraries that read pages without a time limit. A missing page stays a 404 for them; any other failure
        raises, as some would take it for an empty folder.
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
            content = self._transport.page(req.full_url)
        except RemoteFault as error:
            if isinstance(error, BadStatus) and error.status == HTTPStatus.NOT_FOUND:
                raise HTTPError(req.full_url, error.status, str(error), Message(), None) from error
            raise URLError(str(error)) from error
        answer = addinfourl(io.BytesIO(content), Message(), req.full_url, 200)
        answer.msg = "OK"  # type: ignore[attr-defined] # urllib itself sets and reads it
        return answer

    https_open = http_open


def require_http(url: str) -> None:
    """Refuse any address that is not http or https: ``file:`` would read this machine.

    Raises
    ------
    RemoteFault
        When it is another address.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        message = f"{url!r} is not an address of the form http://host/… or https://host/…"
        raise RemoteFault(message)


def last_modified(headers: Headers) -> float | None:
    """Last-Modified as Unix time, s; None where the server does not send it."""
    try:
        return parsedate_to_datetime(headers["Last-Modified"]).timestamp()
    except (KeyError, TypeError, ValueError):
        return None
