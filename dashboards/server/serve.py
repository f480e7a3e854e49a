"""Command line of the pages: ``panel serve`` with all options.

Also configures sign-in: by default with a password of the archive, else with one of Panel's providers.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path
from socket import gethostname
from typing import Any

from dashboards.panel_patches.disconnects import hide_disconnects
from dashboards.server.proxy import ADDRESS_HEADER
from dashboards.server.proxy import install as install_proxy
from dashboards.shared.keys import OWN_PROVIDER, set_keys
from dashboards.shared.limits import WebLimits
from dashboards.shared.links import ROUTES_MODULE
from dashboards.shared.source import ARCHIVE_VARIABLE, archive_source
from jobs.executors.child_environment import forbid_inspection
from jobs.shared.logs import escape_records

LOOPBACK, PORT = "127.0.0.1", 5006
#: Largest plausible number of proxies; a larger one is a mistake.
MOST_PROXIES = 9


def main(argv: Sequence[str] | None = None) -> None:
    """Serve the pages until SIGTERM or Ctrl-C."""
    arguments, of_provider = build_parser().parse_known_args(argv)
    if arguments.archive is not None:
        os.environ[ARCHIVE_VARIABLE] = str(arguments.archive.resolve())
    os.environ["BOKEH_RESOURCES"] = "server"  # never from another host
    set_keys(archive_source().folder)
    hide_disconnects()
    forbid_inspection()
    escape_records()
    from dashboards.server.server import serve  # imports Bokeh, which needs its keys first

    if arguments.behind_proxy:
        try:
            install_proxy(arguments.behind_proxy, arguments.proxy_header)
        except ValueError as error:
            sys.exit(f"python -m dashboards: {error}")
    prepare_provider(arguments.oauth_provider)
    serve(
        [
            *panel_arguments(arguments.port, arguments.address, arguments.host),
            *sign_in_arguments(arguments.oauth_provider, behind_proxy=arguments.behind_proxy > 0),
            *of_provider,
        ]
    )


def build_parser() -> argparse.ArgumentParser:
    """Parser of ``python -m dashboards``."""
    parser = argparse.ArgumentParser(
        prog="python -m dashboards",
        description="Serve the pages of the STIX flare-imaging archive. The archive is the folder named by "
        f"${ARCHIVE_VARIABLE}, else ./stix-archive.",
    )
    parser.add_argument("--port", type=_port, default=PORT, help="default %(default)s")
    parser.add_argument(
        "--address", default=LOOPBACK, help="address to listen on; 0.0.0.0 for all (default %(default)s)"
    )
    parser.add_argument(
        "--archive", type=Path, metavar="DIR", help=f"folder of the archive (default ${ARCHIVE_VARIABLE})"
    )
    parser.add_argument(
        "--host",
        action="append",
        default=[],
        metavar="NAME[:PORT]",
        help="host name of the pages in browsers, if it differs from this machine's name (may be repeated)",
    )
    parser.add_argument(
        "--behind-proxy",
        nargs="?",
        type=_proxies,
        const=1,
        default=0,
        metavar="N",
        help="read the visitor's address and HTTPS from the headers of N chained proxies (default 1 without a number)",
    )
    parser.add_argument(
        "--proxy-header",
        default=ADDRESS_HEADER,
        metavar="NAME",
        help="header to which each proxy appends the client address (default %(default)s)",
    )
    parser.add_argument(
        "--oauth-provider",
        default=OWN_PROVIDER,
        metavar="NAME",
        help="who authenticates users: the archive with its passwords (default %(default)s), or a provider of Panel's "
        "(generic, azure, google, …); its --oauth-… options are passed on",
    )
    return parser


def panel_arguments(port: int, address: str, hosts: Sequence[str] = ()) -> list[str]:
    """Arguments of ``panel``: pages, address, and allowed host names."""
    from dashboards.shared.frame import THEME_COOKIE  # imports Bokeh, which needs its keys first
    from dashboards.shared.map_colors import COLORS_COOKIE
    from dashboards.shared.navigation import LINKED_PAGES, PAGES

    folder, limits = Path(__file__).resolve().parents[1], WebLimits()
    origins = [*_own_names(port, address), *(host if ":" in host else f"{host}:{port}" for host in hosts)]
    return [
        *(str(folder / f"{page}.py") for page in (*PAGES, *LINKED_PAGES)),
        *("--port", str(port), "--address", address),
        *("--plugins", ROUTES_MODULE),
        *("--index", next(iter(PAGES))),
        "--warm",
        # the token in a page contains neither the user nor headers of a proxy
        *("--include-cookies", THEME_COOKIE, COLORS_COOKIE, "--include-headers", "User-Agent"),
        *("--check-unused-sessions", str(round(limits.unused_look * 1000))),
        *("--unused-session-lifetime", str(round(limits.unused_time * 1000))),
        *(part for origin in dict.fromkeys(origins) for part in ("--allow-websocket-origin", origin)),
    ]


def sign_in_arguments(provider: str = OWN_PROVIDER, *, behind_proxy: bool = False) -> list[str]:
    """Arguments of ``panel`` for sign-in: guests browse, users sign in, forms have an XSRF token."""
    return [
        *("--oauth-provider", provider, "--oauth-optional"),
        "--enable-xsrf-cookies",
        *(["--use-xheaders"] if behind_proxy else []),
    ]


def prepare_provider(provider: str) -> None:
    """Make a Panel provider keep its cookies on this site and show short messages.

    Raises
    ------
    SystemExit
        If there is no such provider.
    """
    from panel.auth import AUTH_PROVIDERS

    known: Any = AUTH_PROVIDERS.get(provider)
    if known is None:
        message = f"python -m dashboards: unknown sign-in provider {provider!r}; available: "
        again = "" if OWN_PROVIDER in AUTH_PROVIDERS else f" ({OWN_PROVIDER} comes with “make test”)"
        sys.exit(message + ", ".join(sorted(AUTH_PROVIDERS)) + again)
    if provider == OWN_PROVIDER:
        return
    from dashboards.server.provider import guarded

    AUTH_PROVIDERS[provider] = guarded(known)


def _own_names(port: int, address: str) -> list[str]:
    """Host names of this machine for an address; a page opened under another name would not become live."""
    names = ["localhost", LOOPBACK]
    try:
        everywhere = ip_address(address).is_unspecified
    except ValueError:
        everywhere = False
    names.append(gethostname() if everywhere else address)
    return [f"{f'[{name}]' if ':' in name else name}:{port}" for name in names]


def _proxies(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= MOST_PROXIES:
        message = f"{text!r} is not a number of proxies (1 to {MOST_PROXIES})"
        raise argparse.ArgumentTypeError(message)
    return int(text)


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        message = f"{text!r} is not a port (1 to 65535)"
        raise argparse.ArgumentTypeError(message)
    return int(text)
