"""Sign-in with a password, and sign-out for all open tabs.

Panel finds `SignInPage` as the provider ``stix`` (entry point group ``panel.auth``) and serves it at ``/login``.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from functools import cache
from typing import Any

import numpy as np
import panel as pn

from archive.accounts import User
from archive.errors import ArchiveBusy, ArchiveError
from dashboards.server.bounded_threads import ServerBusy, account_threads, password_threads
from dashboards.server.plain_page import PlainPage
from dashboards.server.rate_limits import Attempts, SessionCounts
from dashboards.server.responses import too_many_requests
from dashboards.shared.clock import now
from dashboards.shared.limits import WebLimits
from dashboards.shared.source import disk_sentence
from dashboards.shared.visitors import COOKIE, accounts, may_be_valid, sessions, signed_text, ticket, visitor_asking

#: All cookies that Panel or a provider may have set.
SIGN_IN_COOKIES = (COOKIE, "id_token", "access_token", "refresh_token", "oauth_expiry", "is_guest")
#: Message when the list of users cannot be read.
NOBODY_CAN = "Sign-in is unavailable: the list of users cannot be read. Please contact the operator."
#: Longest name and password that are checked; longer ones are wrong.
_LONGEST = 300

log = logging.getLogger(__name__)


class SignInPage(PlainPage):
    """``/login``: shows a form and processes it."""

    #: Panel sets these on the handler of any provider.
    _login_endpoint = "/login"
    _login_template: Any = None
    _error_template: Any = None

    def get(self) -> None:
        """Show the form."""
        self._show_form()

    async def post(self) -> None:
        """Check name and password; begin a session."""
        name = self.get_body_argument("username", "").strip().lower()
        password = self.get_body_argument("password", "", strip=False)
        address = self.request.remote_ip or ""
        target = self.next_address()
        tried, begun = name[:_LONGEST], time.monotonic()
        wait = attempts().begin(tried, address, begun)
        if wait:
            self._refuse(wait, "Too many attempts.", name)
            return
        await asyncio.sleep(attempts().delay(tried, begun))
        fits = max(len(name), len(password)) <= _LONGEST
        try:
            user = await password_threads().run(accounts().verify, name if fits else "", password if fits else "")
        except ServerBusy as error:
            self.try_again_later(error)
            self._show_form(sentence_of(error), name)
            return
        except ArchiveError as error:
            log.error("sign-in is not available: %s", error)  # noqa: TRY400 (a fault of files)
            self.set_status(503)
            self._show_form(NOBODY_CAN, name)
            return
        if user is None:
            self.set_status(401)
            self._show_form("Incorrect name or password.", name)
            return
        attempts().succeeded(tried, address, begun)
        wait = session_counts().begin("begin", user.name, time.monotonic())
        if wait:
            self._refuse(wait, "Too many sign-ins.", name)
            return
        begin_session(self, user)
        self.go(target)

    def _refuse(self, wait: float, problem: str, name: str) -> None:
        too_many_requests(self, wait)
        self._show_form(f"{problem} Try again in {in_minutes(wait)}.", name)

    def _show_form(self, problem: str = "", name: str = "") -> None:
        self.render_page("sign_in", problem=problem, name=name[:_LONGEST], next=self.next_address())


class SignOutPage(PlainPage):
    """``/logout``: ends the session of this browser in all its open tabs.

    A link on our own pages does so immediately; a visitor from another site is asked first.
    """

    async def get(self) -> None:
        """Sign out, or ask."""
        if self.request.headers.get("Sec-Fetch-Site") in {"same-origin", "none"}:
            await self._sign_out()
        else:
            self.render_page("sign_out", visitor=await visitor_asking(self), next=self.next_address())

    async def post(self) -> None:
        """Sign out."""
        await self._sign_out()

    async def _sign_out(self) -> None:
        target = self.next_address()
        cookie = self.get_cookie(COOKIE) or ""
        for name in SIGN_IN_COOKIES:  # even if the ended session cannot be recorded
            self.clear_cookie(name, path=pn.config.cookie_path)
        user = signed_text(cookie).partition(":")[0]
        present = now()
        expires = present + np.timedelta64(round(pn.config.oauth_expiry * 86400), "s")
        try:
            if bool(user) and await may_be_valid(cookie):
                sessions().end_here(cookie, present, expires)
                wait = session_counts().begin("end", user, time.monotonic())
                if wait:
                    too_many_requests(self, wait)
                    self._show_unrecorded("Too many sign-outs.", expires, target)
                    return
                await account_threads().run(sessions().end, cookie, present, expires)
        except (ArchiveError, ServerBusy, OSError) as error:
            log.error("the end of a session cannot be recorded: %s", error)  # noqa: TRY400 (a fault of files)
            self.try_again_later(error)
            self._show_unrecorded(sentence_of(error), expires, target)
            return
        self.go(target)

    def _show_unrecorded(self, problem: str, expires: np.datetime64, target: str) -> None:
        until = str(expires.astype("datetime64[m]")).replace("T", " ")
        self.render_page("signed_out", problem=problem, until=until, next=target)


def begin_session(page: PlainPage, user: User) -> None:
    """Set the cookie of a new session."""
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


def sentence_of(error: Exception) -> str:
    """Message about a failed account change, for the visitor; the log has the details."""
    if isinstance(error, (ArchiveBusy, ServerBusy)):
        return "Another change is being saved. Try again in a moment."
    if isinstance(error, OSError):
        return disk_sentence(error)
    return "The user accounts cannot be read. Please contact the operator."


def in_minutes(seconds: float) -> str:
    """A waiting time as text."""
    minutes = math.ceil(seconds / 60)
    return "a minute" if minutes == 1 else f"{minutes} minutes"


@cache
def attempts() -> Attempts:
    """Failed attempts in this process."""
    return Attempts(WebLimits())


@cache
def session_counts() -> SessionCounts:
    """Session and account changes in this process."""
    return SessionCounts(WebLimits())
