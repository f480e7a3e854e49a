"""Signing in with a password, and signing out for all open tabs.

Panel finds `SignInPage` as the provider ``stix`` (entry point group ``panel.auth``) and serves it at ``/login``.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
import panel as pn

from archive.accounts import User
from archive.errors import ArchiveError
from dashboards.web.attempts import Attempts
from dashboards.web.clock import now
from dashboards.web.plain_page import PlainPage
from dashboards.web.visitors import COOKIE, accounts, request_visitor, sessions, ticket, visitor_of_cookie

#: Everything that Panel or a provider may have left in the browser.
SIGN_IN_COOKIES = (COOKIE, "id_token", "access_token", "refresh_token", "oauth_expiry", "is_guest")
#: When the list of users cannot be read.
NOBODY_CAN = "Nobody can sign in now: the list of users cannot be read. Please tell the keeper."
#: Longest name and password that are looked at; longer ones are wrong.
_LONGEST = 300

log = logging.getLogger(__name__)


class SignInPage(PlainPage):
    """``/login``: a form, and what comes of it."""

    #: Panel sets these on the handler of any provider.
    _login_endpoint = "/login"
    _login_template: Any = None
    _error_template: Any = None

    def get(self) -> None:
        """The form."""
        self._show_form()

    async def post(self) -> None:
        """Check name and password; begin a session."""
        name = self.get_body_argument("username", "").strip().lower()
        password = self.get_body_argument("password", "", strip=False)
        address = self.request.remote_ip or ""
        target = self.next_address()
        wait = attempts().begin(name[:_LONGEST], address, time.monotonic())
        if wait:
            self.set_status(429)
            self.set_header("Retry-After", str(math.ceil(wait)))
            self._show_form(f"Too many attempts. Try again in {in_minutes(wait)}.", name)
            return
        fits = max(len(name), len(password)) <= _LONGEST
        try:
            verify = accounts().verify
            user = await hashing(verify, name if fits else "", password if fits else "")
        except ArchiveError as error:
            log.error("nobody can sign in: %s", error)  # noqa: TRY400 (a fault of files)
            self.set_status(503)
            self._show_form(NOBODY_CAN, name)
            return
        if user is None:
            self.set_status(401)
            self._show_form("This name and password do not belong together.", name)
            return
        attempts().succeeded(name, address)
        begin_session(self, user)
        self.go(target)

    def _show_form(self, problem: str = "", name: str = "") -> None:
        self.render_page("sign_in", problem=problem, name=name[:_LONGEST], next=self.next_address())


class SignOutPage(PlainPage):
    """``/logout``: ends the session of this browser, with all its open tabs.

    A link on our own pages does it at once; a visitor who comes from elsewhere is asked first.
    """

    def get(self) -> None:
        """Sign out, or ask."""
        if self.request.headers.get("Sec-Fetch-Site") in {"same-origin", "none"}:
            self._sign_out()
        else:
            self.render_page("sign_out", visitor=request_visitor(self), next=self.next_address())

    def post(self) -> None:
        """Sign out."""
        self._sign_out()

    def _sign_out(self) -> None:
        target = self.next_address()
        cookie = self.get_cookie(COOKIE) or ""
        if visitor_of_cookie(cookie).name is not None:  # what is worth nothing need not be remembered
            present = now()
            sessions().end(cookie, present, present + np.timedelta64(round(pn.config.oauth_expiry * 86400), "s"))
        for name in SIGN_IN_COOKIES:
            self.clear_cookie(name, path=pn.config.cookie_path)
        self.go(target)


def begin_session(page: PlainPage, user: User) -> None:
    """Give the browser the cookie of a new session."""
    page.clear_cookie("is_guest")
    page.set_secure_cookie(
        COOKIE,
        ticket(user.name, user.generation),
        expires_days=pn.config.oauth_expiry,
        path=pn.config.cookie_path,
        httponly=True,
        samesite="Lax",
        secure=page.is_secure,
    )


async def hashing[Answer](function: Callable[..., Answer], *arguments: Any) -> Answer:
    """Do something with a password, beside the loop that serves everybody."""
    return await asyncio.get_running_loop().run_in_executor(_hashing_threads(), function, *arguments)


def in_minutes(seconds: float) -> str:
    """A time to wait, for people."""
    minutes = math.ceil(seconds / 60)
    return "a minute" if minutes == 1 else f"{minutes} minutes"


@cache
def attempts() -> Attempts:
    """Attempts of this process."""
    return Attempts()


@cache
def _hashing_threads() -> ThreadPoolExecutor:
    """Two passwords at a time: each takes 64 MiB and a tenth of a second of a core."""
    return ThreadPoolExecutor(2, thread_name_prefix="password")
