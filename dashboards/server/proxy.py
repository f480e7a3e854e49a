"""Address and scheme of a visitor behind proxies.

Tornado trusts ``X-Real-Ip``, ``X-Scheme``, ``X-Forwarded-For`` and ``X-Forwarded-Proto`` from any client. Here one
header gives the address and ``X-Forwarded-Proto`` the scheme, and only the entry of the outermost configured proxy is
used: entries to the left of it come from the visitor.
"""

from __future__ import annotations

import re
from typing import Any

from tornado.httputil import HTTPHeaders
from tornado.netutil import is_valid_ip

from dashboards.panel_patches.forwarded_headers import read_forwarded_headers

ADDRESS_HEADER, SCHEME_HEADER = "X-Forwarded-For", "X-Forwarded-Proto"
_NAME = re.compile(r"[A-Za-z0-9-]{1,60}", re.ASCII)


def install(proxies: int, address_header: str = ADDRESS_HEADER) -> None:
    """Read the headers of this number of proxies in this process.

    Parameters
    ----------
    proxies : int
        Number of proxies between visitors and this server, at least 1.
    address_header : str
        Header to which each proxy appends the address of its client.

    Raises
    ------
    ValueError
        If there is no proxy, or the header name is invalid.
    """
    if proxies < 1 or not _NAME.fullmatch(address_header):
        message = f"expected one or more proxies and the name of a header, found {proxies} and {address_header!r}"
        raise ValueError(message)

    def apply(context: Any, headers: HTTPHeaders) -> None:
        context.remote_ip = forwarded_address(headers, context.remote_ip, proxies, address_header)
        context.protocol = forwarded_scheme(headers, context.protocol, proxies)

    read_forwarded_headers(apply)


def forwarded_address(headers: HTTPHeaders, peer: str, proxies: int, header: str = ADDRESS_HEADER) -> str:
    """Address of the visitor: the entry at position ``proxies`` from the right.

    Parameters
    ----------
    headers : HTTPHeaders
    peer : str
        Address of the connection; returned if the header has fewer entries, or the entry is not an address.
    proxies : int
    header : str
    """
    entries = _entries(headers, header)
    found = entries[-proxies] if len(entries) >= proxies else ""
    return found if is_valid_ip(found) else peer


def forwarded_scheme(headers: HTTPHeaders, present: str, proxies: int) -> str:
    """Scheme of the visitor ("http" or "https") according to the outermost proxy that sets it.

    Most proxies set ``X-Forwarded-Proto`` if it is missing and replace it otherwise, so the list may be shorter than
    the number of proxies.
    """
    entries = _entries(headers, SCHEME_HEADER)
    found = entries[-min(proxies, len(entries))] if entries else ""
    return found if found in {"http", "https"} else present


def _entries(headers: HTTPHeaders, name: str) -> list[str]:
    return [part.strip() for line in headers.get_list(name) for part in line.split(",")]
