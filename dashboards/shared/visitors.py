"""Who looks at a page or sends a request."""

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
from dashboards.shared.session_owner import NOBODY, SessionOwner, owner_of, present_owner
from dashboards.shared.source import archive_source

#: Panel's cookie with the name of the user, signed with the key of this archive's servers.
COOKIE = "user"

_BEARER = "bearer "

log = logging.getLogger(__name__)


def session_visitor() -> Visitor:
    """Current visitor of the page of this session.

    Call it again in every callback that submits, cancels or shows hidden images: a user who has signed out elsewhere,
    was removed or whose session has expired is a guest from then on.
    """
    making = present_owner()
    if making is not None:  # the session is being created in the event loop, where no file is read
        return making.visitor
    return visitor_of_cookie(_session_owner().cookie)


def session_client() -> str:
    """Who shares computing time with nobody else: the user of this session, or all guests of its network address."""
    owner = present_owner() or _session_owner()
    return f"user {owner.visitor.name}" if owner.visitor.name else f"address {owner.address}"


def _session_owner() -> SessionOwner:
    document = pn.state.curdoc
    context = None if document is None else document.session_context
    return NOBODY if context is None else owner_of(context)


async def reading[Answer](function: Callable[..., Answer], *arguments: Any) -> Answer:
    """Call a function that reads the files of users and sessions, in a thread."""
    return await asyncio.get_running_loop().run_in_executor(_reading_threads(), function, *arguments)


async def visitor_asking(handler: RequestHandler) -> Visitor:
    """`request_visitor` in a thread, because users and sessions are files."""
    return await reading(request_visitor, handler)


async def visitor_with_cookie(handler: RequestHandler) -> Visitor:
    """Visitor of a request where tokens are not accepted; read in a thread."""
    cookie = handler.get_cookie(COOKIE) or ""
    return await reading(visitor_of_cookie, cookie)


async def may_be_valid(cookie: str) -> bool:
    """Whether the session of a cookie is valid, or cannot be checked now; read in a thread."""

    def ask() -> bool:
        try:
            return visitor_of_session(cookie).name is not None
        except ArchiveError:
            return True

    return await reading(ask)


def request_visitor(handler: RequestHandler) -> Visitor:
    """Visitor of a request: by token (``Authorization: Bearer …``) if there is one, else by cookie.

    Reads files: use `visitor_asking` in the event loop.
    """
    authorization = handler.request.headers.get("Authorization")
    if authorization is not None:
        return visitor_of_authorization(authorization)
    return visitor_of_cookie(handler.get_cookie(COOKIE) or "")


def visitor_of_cookie(cookie: str) -> Visitor:
    """Visitor of a session cookie; a guest if it is forged, expired, or its session has ended."""
    try:
        return visitor_of_session(cookie)
    except ArchiveError as error:
        log.error("sign-in is not available: %s", error)  # noqa: TRY400 (a fault of files)
        return GUEST


def visitor_of_session(cookie: str) -> Visitor:
    """As `visitor_of_cookie`.

    Raises
    ------
    AccountsDamaged
        If the list of users, or of ended sessions, cannot be read.
    """
    signed = signed_text(cookie)
    if not signed or sessions().has_ended(cookie):
        return GUEST
    return _visitor(_person_of(signed))


def signed_text(cookie: str) -> str:
    """Content of a session cookie signed by this server; empty if it is forged or expired. Reads no file."""
    if not (cookie and can_sign_in()):
        return ""
    signed = decode_signed_value(pn.config.cookie_secret, COOKIE, cookie, max_age_days=pn.config.oauth_expiry)
    try:
        return (signed or b"").decode()
    except UnicodeDecodeError:
        return ""


def visitor_of_authorization(authorization: str) -> Visitor:
    """Visitor of an ``Authorization`` header; a guest if the token is unknown."""
    if not (authorization.lower().startswith(_BEARER) and can_sign_in()):
        return GUEST
    try:
        return _visitor(accounts().of_token(authorization[len(_BEARER) :].strip()))
    except ArchiveError as error:
        log.error("sign-in is not available: %s", error)  # noqa: TRY400 (a fault of files)
        return GUEST


def can_sign_in() -> bool:
    """Whether this server has sign-in; a plain ``panel serve`` has none."""
    return bool(pn.config.oauth_provider and pn.config.cookie_secret)


def ticket(name: str, generation: str) -> str:
    """Content of the cookie of a new session: the user, the generation of the password, and a random part.

    The random part distinguishes two sessions of the same second, so that one can be ended without the other.
    """
    return f"{name}:{generation}:{secrets.token_hex(8)}"


def accounts() -> Accounts:
    """Users of this server's archive."""
    return _accounts(archive_source().folder)


def sessions() -> Sessions:
    """Ended sessions of this server's archive."""
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
    """Separate threads, so that visitors are identified even while others wait for the index."""
    return ThreadPoolExecutor(2, thread_name_prefix="visitor")
