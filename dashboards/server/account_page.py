"""``/account``: the user's requests, and forms for tokens, password and sessions."""

from __future__ import annotations

import logging
import time

from tornado.web import HTTPError

from archive.accounts import User
from archive.errors import ArchiveError, InvalidAccount, NoSuchUser
from dashboards.server.bounded_threads import ServerBusy, account_threads, journal_threads, password_threads
from dashboards.server.own_requests import LISTED, OwnRequest, own_requests
from dashboards.server.plain_page import PlainPage
from dashboards.server.responses import too_many_requests
from dashboards.server.sign_in import attempts, begin_session, in_minutes, sentence_of, session_counts
from dashboards.shared.access import Visitor
from dashboards.shared.clock import now
from dashboards.shared.source import archive_source, journal_of
from dashboards.shared.visitors import accounts, reading, visitor_with_cookie
from stixcore.errors import StixError, public_sentence

log = logging.getLogger(__name__)


class AccountPage(PlainPage):
    """The page and its forms. A token gives no access: another one can only be created after sign-in."""

    async def get(self) -> None:
        """Show the page; guests are asked to sign in."""
        visitor = await visitor_with_cookie(self)
        if visitor.name is None:
            self.go("login?next=account")
            return
        await self._show(visitor)

    async def post(self) -> None:
        """Process one of the forms."""
        visitor = await visitor_with_cookie(self)
        if visitor.name is None:
            self.go("login?next=account")
            return
        actions = {
            "everywhere": self._end_sessions,
            "token": self._make_token,
            "revoke": self._revoke,
            "password": self._change_password,
        }
        action = actions.get(self.get_body_argument("action", ""))
        if action is None:
            raise HTTPError(400)
        wait = session_counts().begin("change", visitor.name, time.monotonic())
        if wait:
            await self._refuse(visitor, wait, "Too many changes.")
            return
        try:
            await action(visitor, visitor.name)
        except (InvalidAccount, NoSuchUser) as error:
            self.set_status(400)
            await self._show(visitor, problem=_sentence(error))
        except (ArchiveError, ServerBusy, OSError) as error:
            log.error("an account cannot be changed: %s", error)  # noqa: TRY400 (a fault of files)
            self.try_again_later(error)
            await self._show(visitor, problem=f"{sentence_of(error)} Nothing was changed.")

    async def _refuse(self, visitor: Visitor, wait: float, problem: str) -> None:
        too_many_requests(self, wait)
        await self._show(visitor, problem=f"{problem} Try again in {in_minutes(wait)}.")

    async def _show(self, visitor: Visitor, *, problem: str = "", done: str = "", token: str = "") -> None:
        user = await reading(_user, visitor)
        try:
            requests = await journal_threads().run(_requests, visitor)
        except ServerBusy:
            requests = None
        self.render_page(
            "account",
            visitor=visitor,
            tokens=() if user is None else user.tokens,
            has_password=user is not None and user.password is not None,
            problem=problem,
            done=done,
            token=token,
            requests=requests,
            most=LISTED,
        )

    async def _end_sessions(self, _: Visitor, name: str) -> None:
        await account_threads().run(accounts().end_sessions, name)
        self.go("login")

    async def _make_token(self, visitor: Visitor, name: str) -> None:
        token = await account_threads().run(accounts().make_token, name, self.get_body_argument("label", ""), now())
        await self._show(visitor, token=token)

    async def _revoke(self, visitor: Visitor, name: str) -> None:
        await account_threads().run(accounts().revoke_token, name, self.get_body_argument("token_id", ""))
        await self._show(visitor, done="Token revoked.")

    async def _change_password(self, visitor: Visitor, name: str) -> None:
        old, new, again = (self.get_body_argument(key, "", strip=False) for key in ("old", "new", "again"))
        address, begun = self.request.remote_ip or "", time.monotonic()
        wait = attempts().begin(name, address, begun)
        if wait:
            await self._refuse(visitor, wait, "Too many attempts.")
            return
        if await password_threads().run(accounts().verify, name, old) is None:
            self.set_status(400)
            await self._show(visitor, problem="Current password is incorrect.")
            return
        attempts().succeeded(name, address, begun)
        if new != again:
            self.set_status(400)
            await self._show(visitor, problem="The new passwords do not match.")
            return
        hashed = await password_threads().run(accounts().password_hash, new)
        user = await account_threads().run(accounts().set_password_hash, name, hashed)
        begin_session(self, user)
        await self._show(visitor, done="Password changed. All other browsers are signed out.")


def _user(visitor: Visitor) -> User | None:
    """The visitor's entry in the list of users; None for a user of an external provider without one."""
    try:
        return accounts().user(visitor.name or "")
    except NoSuchUser:
        return None
    except ArchiveError as error:
        log.error("tokens cannot be listed: %s", error)  # noqa: TRY400 (a fault of files)
        return None


def _requests(visitor: Visitor) -> list[OwnRequest] | None:
    """The visitor's requests; None if they cannot be read at present."""
    try:
        return archive_source().ask(lambda archive: own_requests(archive, journal_of(archive), visitor.name or ""))
    except StixError as error:
        log.warning("requests cannot be listed: %s", error)
        return None


def _sentence(error: ArchiveError) -> str:
    text = public_sentence(error)
    return f"{text[0].upper()}{text[1:]}."
