"""``/account``: what users have asked for, and what they can do about themselves: tokens, password, sessions."""

from __future__ import annotations

import logging
import sqlite3
import time

from tornado.web import HTTPError

from archive.accounts import User
from archive.errors import ArchiveError, InvalidAccount, NoSuchUser
from dashboards.state.access import Visitor
from dashboards.state.own_requests import LISTED, OwnRequest, own_requests
from dashboards.state.source import archive_source
from dashboards.web.clock import now
from dashboards.web.plain_page import PlainPage
from dashboards.web.sign_in import attempts, begin_session, hashing, in_minutes
from dashboards.web.visitors import COOKIE, accounts, visitor_of_cookie
from jobs.journal import Journal
from stixcore.errors import StixError

log = logging.getLogger(__name__)


class AccountPage(PlainPage):
    """The page, and its forms. A token cannot use it: only who signed in with a browser can make another one."""

    def get(self) -> None:
        """The page; guests are asked to sign in."""
        visitor = self._visitor()
        if visitor.name is None:
            self.go("login?next=account")
            return
        self._show(visitor)

    async def post(self) -> None:
        """Do what one of the forms asks for."""
        visitor = self._visitor()
        if visitor.name is None:
            self.go("login?next=account")
            return
        actions = {"token": self._make_token, "revoke": self._revoke, "password": self._change_password}
        action = self.get_body_argument("action", "")
        try:
            if action == "everywhere":
                accounts().end_sessions(visitor.name)
                self.go("login")
            elif action in actions:
                await actions[action](visitor, visitor.name)
            else:
                raise HTTPError(400)
        except (InvalidAccount, NoSuchUser) as error:
            self.set_status(400)
            self._show(visitor, problem=_sentence(error))

    def _visitor(self) -> Visitor:
        return visitor_of_cookie(self.get_cookie(COOKIE) or "")

    def _show(self, visitor: Visitor, *, problem: str = "", done: str = "", token: str = "") -> None:
        user = _user(visitor)
        self.render_page(
            "account",
            visitor=visitor,
            tokens=() if user is None else user.tokens,
            has_password=user is not None and user.password is not None,
            problem=problem,
            done=done,
            token=token,
            requests=_requests(visitor),
            most=LISTED,
        )

    async def _make_token(self, visitor: Visitor, name: str) -> None:
        token = accounts().make_token(name, self.get_body_argument("label", ""), now())
        self._show(visitor, token=token)

    async def _revoke(self, visitor: Visitor, name: str) -> None:
        accounts().revoke_token(name, self.get_body_argument("token_id", ""))
        self._show(visitor, done="The token is revoked: it opens nothing any more.")

    async def _change_password(self, visitor: Visitor, name: str) -> None:
        old, new, again = (self.get_body_argument(key, "", strip=False) for key in ("old", "new", "again"))
        address = self.request.remote_ip or ""
        wait = attempts().begin(name, address, time.monotonic())
        if wait:
            self.set_status(429)
            self._show(visitor, problem=f"Too many attempts. Try again in {in_minutes(wait)}.")
            return
        if await hashing(accounts().verify, name, old) is None:
            self.set_status(400)
            self._show(visitor, problem="The present password is another one.")
            return
        attempts().succeeded(name, address)
        if new != again:
            self.set_status(400)
            self._show(visitor, problem="The two new passwords differ.")
            return
        await hashing(accounts().change_password, name, new)
        begin_session(self, accounts().user(name))
        self._show(visitor, done="The password is changed, and every other browser is signed out.")


def _user(visitor: Visitor) -> User | None:
    """The visitor's entry in the list of users; one whom a provider vouches for may have none."""
    try:
        return accounts().user(visitor.name or "")
    except NoSuchUser:
        return None


def _requests(visitor: Visitor) -> list[OwnRequest] | None:
    """What the visitor has asked for; None when that cannot be read at present."""
    try:
        archive = archive_source().archive()
        return own_requests(archive, Journal(archive.root), visitor.name or "")
    except (StixError, sqlite3.Error, OSError) as error:
        log.warning("requests cannot be listed: %s", error)
        return None


def _sentence(error: ArchiveError) -> str:
    text = str(error)
    return f"{text[0].upper()}{text[1:]}."
