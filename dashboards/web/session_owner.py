"""Whose live page it is: the visitor that a Bokeh session was made for.

The handlers in `dashboards.web.live_pages` know the visitor from the signed cookie of a request. They hand it to the
session that is made inside that request; the cookie itself never enters the page, nor the token in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary


@dataclass(frozen=True)
class SessionOwner:
    """The visitor that a session was made for.

    Attributes
    ----------
    cookie : str
        The signed cookie of the request that made the session. It says who the visitor is *now*: the visitor may have
        signed out since.
    name : str or None
        The user at that time; None for a guest.
    """

    cookie: str = ""
    name: str | None = None


NOBODY = SessionOwner()

#: The owner of the sessions that the present request makes.
_OWNER: ContextVar[SessionOwner] = ContextVar("owner", default=NOBODY)
#: By session context; an entry ends with its session.
_owners: WeakKeyDictionary[Any, SessionOwner] = WeakKeyDictionary()


@contextmanager
def making_sessions_for(owner: SessionOwner) -> Iterator[None]:
    """Make sessions inside this block belong to ``owner``."""
    token = _OWNER.set(owner)
    try:
        yield
    finally:
        _OWNER.reset(token)


def record_owner(session_context: Any) -> None:
    """Record the owner of a session that is being made. Bokeh's hook ``on_session_created`` calls this."""
    _owners[session_context] = _OWNER.get()


def owner_of(session_context: Any) -> SessionOwner:
    """The owner of a session; `NOBODY` for one that was made without our handlers (a plain ``panel serve``)."""
    return _owners.get(session_context, NOBODY)
