"""How much one visitor or one network address may take from the web server: every bound in one place.

What one *request for images* may take is in `jobs.limits`. The table in ``docs/security.md`` shows both; a test
compares it with these numbers.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class WebLimits:
    """Bounds of the web server; the defaults suit an institute's server with a few cores.

    Attributes
    ----------
    body : int, byte
        Largest body of an HTTP request. Larger data (a dropped file) comes through the page's web socket.
    body_time : float, s
        Time in which a body must arrive.
    header : int, byte
        Largest header of an HTTP request.
    header_time : float, s
        Time in which the header of a request must arrive.
    idle_time : float, s
        Time after which a kept connection that sends no further request is closed.
    """

    body: int = 1 << 20
    body_time: float = 30.0
    header: int = 64 << 10
    header_time: float = 10.0
    idle_time: float = 75.0
