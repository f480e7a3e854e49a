"""Whose live page it is: the visitor that a Bokeh session was made for.

The handlers in `dashboards.server.live_pages` know the visitor from the signed cookie of a request. They hand it to the
session that is made inside that request; the cookie itself never enters the page, nor the token in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from dashboards.shared.access import GUEST, Visitor


@dataclass(frozen=True)
class SessionOwner:
    """The visitor that a session was made for.

    Attributes
    ----------
    cookie : str
        The signed cookie of the request that made the session. It says who the visitor is *now*: the visitor may have
        signed out since.
    visitor : Visitor
        Who it was at that time.
    """

    cookie: str = ""
    visitor: Visitor = GUEST


NOBODY = SessionOwner()


@dataclass
class _Making:
    """The owner of the sessions that a request makes, for as long as it makes them."""

    owner: SessionOwner
    present: bool = True


_PRESENT: ContextVar[_Making | None] = ContextVar("owner", default=None)
#: By session context; an entry ends with its session.
_owners: WeakKeyDictionary[Any, SessionOwner] = WeakKeyDictionary()


@contextmanager
def making_sessions_for(owner: SessionOwner) -> Iterator[None]:
    """Make sessions inside this block belong to ``owner``.

    Callbacks that a session leaves behind inherit the context; after the block they find no owner in it.
    """
    making = _Making(owner)
    token = _PRESENT.set(making)
    try:
        yield
    finally:
        making.present = False
        _PRESENT.reset(token)


def present_owner() -> SessionOwner | None:
    """The owner of the session that is being made now; None outside of `making_sessions_for`."""
    making = _PRESENT.get()
    return making.owner if making is not None and making.present else None


def record_owner(session_context: Any) -> None:
    """Record the owner of a session that is being made. Bokeh's hook ``on_session_created`` calls this."""
    _owners[session_context] = present_owner() or NOBODY


def owner_of(session_context: Any) -> SessionOwner:
    """The owner of a session; `NOBODY` for one that was made without our handlers (a plain ``panel serve``)."""
    return _owners.get(session_context, NOBODY)
