"""The visitor's address is read from proxy headers by a rule of this project.

With ``xheaders=True`` Tornado takes the last entry of ``X-Forwarded-For`` that is not a listed proxy, from two headers
with fixed names, and has no setting for the number of proxies. The smallest program that shows it::

    curl -H "X-Forwarded-For: 198.51.100.7, 10.0.0.1" http://localhost:5006/  # remote_ip is that of the inner proxy

Tornado 6.5 and 6.6.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tornado import httpserver
from tornado.httputil import HTTPHeaders


def read_forwarded_headers(apply: Callable[[Any, HTTPHeaders], None]) -> None:
    """Call ``apply(context, headers)`` in this process, which sets ``remote_ip`` and ``protocol`` of a context."""
    context: Any = httpserver._HTTPRequestContext  # the only place where Tornado reads these headers
    context._apply_xheaders = apply
