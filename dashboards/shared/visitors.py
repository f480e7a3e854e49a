"""Who is looking at a page, or asking an address."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import panel as pn
from tornado.web import RequestHandler, decode_signed_value

from archive.accounts import Accounts, Person, Sessions
from archive.errors import ArchiveError
from dashboards.shared.access import GUEST, Visitor
from dashboards.shared.keys import OWN_PROVIDER
from dashboards.shared.limits import WebLimits
from dashboards.shared.session_owner import owner_of, present_owner
from dashboards.shared.source import archive_source

#: Panel's cookie with the name of who has signed in, signed with the key of this archive's servers.
COOKIE = "user"

_BEARER = "bearer "

log = logging.getLogger(__name__)


def session_visitor() -> Visitor:
    """Who looks at the page of this session, now.

    Ask again in every callback that submits, cancels or shows what is hidden: who has signed out elsewhere, was removed
    or whose time is over is a guest from then on.
    """
    making = present_owner()
    if making is not None:  # the session is made in the event loop, where no file is read
        return making.visitor
    document = pn.state.curdoc
    context = None if document is None else document.session_context
    return GUEST if context is None else visitor_of_cookie(owner_of(context).cookie)


async def reading[Answer](function: Callable[..., Answer], *arguments: Any) -> Answer:
    """Call a function that reads the lists of users and sessions, in a thread: they are files."""
    return await asyncio.get_running_loop().run_in_executor(_reading_threads(), function, *arguments)


async def visitor_asking(handler: RequestHandler) -> Visitor:
    """`request_visitor`, asked in a thread: the lists of users and sessions are files."""
    return await reading(request_visitor, handler)


async def visitor_with_cookie(handler: RequestHandler) -> Visitor:
    """Who asks an address where no token counts; asked in a thread."""
    cookie = handler.get_cookie(COOKIE) or ""
    return await reading(visitor_of_cookie, cookie)


async def may_be_valid(cookie: str) -> bool:
    """Whether the session of a cookie is one, or nobody can know it now; asked in a thread."""

    def ask() -> bool:
        try:
            return visitor_of_session(cookie).name is not None
        except ArchiveError:
            return True

    return await reading(ask)


def request_visitor(handler: RequestHandler) -> Visitor:
    """Who asks an address: by a token (``Authorization: Bearer …``) if one is sent, else by the cookie.

    Reads files: handlers of the loop ask `visitor_asking`.
    """
    authorization = handler.request.headers.get("Authorization")
    if authorization is not None:
        return visitor_of_authorization(authorization)
    return visitor_of_cookie(handler.get_cookie(COOKIE) or "")


def visitor_of_cookie(cookie: str) -> Visitor:
    """Who the cookie of a session belongs to; a guest when it is forged, too old, or its session has ended."""
    try:
        return visitor_of_session(cookie)
    except ArchiveError as error:
        log.error("nobody can be signed in: %s", error)  # noqa: TRY400 (a fault of files)
        return GUEST


def visitor_of_session(cookie: str) -> Visitor:
    """As `visitor_of_cookie`.

    Raises
    ------
    AccountsDamaged
        When the list of users, or that of ended sessions, cannot be read.
    """
    signed = signed_text(cookie)
    if not signed or sessions().has_ended(cookie):
        return GUEST
    return _visitor(_person_of(signed))


def signed_text(cookie: str) -> str:
    """What this server has signed in a cookie of a session; empty when it is forged or too old. Reads no file."""
    if not (cookie and can_sign_in()):
        return ""
    signed = decode_signed_value(pn.config.cookie_secret, COOKIE, cookie, max_age_days=pn.config.oauth_expiry)
    try:
        return (signed or b"").decode()
    except UnicodeDecodeError:
        return ""


def visitor_of_authorization(authorization: str) -> Visitor:
    """Who the header ``Authorization`` belongs to; a guest when the token is nobody's."""
    if not (authorization.lower().startswith(_BEARER) and can_sign_in()):
        return GUEST
    try:
        return _visitor(accounts().of_token(authorization[len(_BEARER) :].strip()))
    except ArchiveError as error:
        log.error("nobody can be signed in: %s", error)  # noqa: TRY400 (a fault of files)
        return GUEST


def can_sign_in() -> bool:
    """Whether this server was started with a way to sign in; a plain ``panel serve`` has none."""
    return bool(pn.config.oauth_provider and pn.config.cookie_secret)


def ticket(name: str, generation: str) -> str:
    """What the cookie of a new session says: the user, the password it was begun with, and something of its own.

    The last part makes two sessions of the same second two sessions, so that one can be ended without the other.
    """
    return f"{name}:{generation}:{secrets.token_hex(8)}"


def accounts() -> Accounts:
    """The users of this server's archive."""
    return _accounts(archive_source().folder)


def sessions() -> Sessions:
    """The sessions of this server's archive that were ended."""
    return _sessions(archive_source().folder)


def _person_of(signed: str) -> Person | None:
    if pn.config.oauth_provider != OWN_PROVIDER:
        return accounts().from_provider(signed)
    name, generation, _ = (*signed.split(":"), "", "")[:3]
    return accounts().of_session(name, generation)


def _visitor(person: Person | None) -> Visitor:
    return GUEST if person is None else Visitor(person.name, person.operator)


@cache
def _accounts(folder: Path) -> Accounts:
    return Accounts(folder, WebLimits().lock_time)


@cache
def _sessions(folder: Path) -> Sessions:
    return Sessions(folder, WebLimits().lock_time)


@cache
def _reading_threads() -> ThreadPoolExecutor:
    """Threads of their own: somebody is recognized also while others wait for the index."""
    return ThreadPoolExecutor(2, thread_name_prefix="visitor")
