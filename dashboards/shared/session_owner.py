"""The visitor that a Bokeh session was created for.

The handlers in `dashboards.server.live_pages` read the visitor from the signed cookie of a request and pass it to the
session that is created in that request; neither the cookie nor its token is in the page.
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
    """The visitor that a session was created for.

    Attributes
    ----------
    cookie : str
        Signed cookie of the request that created the session. It identifies the current visitor, who may have
        signed out since.
    visitor : Visitor
        The visitor at that time.
    address : str
        Network address of the request; of IPv6 the first 64 bits.
    """

    cookie: str = ""
    visitor: Visitor = GUEST
    address: str = ""


NOBODY = SessionOwner()


@dataclass
class _Making:
    """Owner of the sessions that a request creates, while it creates them."""

    owner: SessionOwner
    present: bool = True


_PRESENT: ContextVar[_Making | None] = ContextVar("owner", default=None)
#: By session context; entries are removed with their session.
_owners: WeakKeyDictionary[Any, SessionOwner] = WeakKeyDictionary()


@contextmanager
def making_sessions_for(owner: SessionOwner) -> Iterator[None]:
    """Make ``owner`` the owner of sessions that are created inside this block.

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
    """Owner of the session being created; None outside `making_sessions_for`."""
    making = _PRESENT.get()
    return making.owner if making is not None and making.present else None


def record_owner(session_context: Any) -> None:
    """Record the owner of a session being created. Called by Bokeh's hook ``on_session_created``."""
    _owners[session_context] = present_owner() or NOBODY


def owner_of(session_context: Any) -> SessionOwner:
    """Owner of a session; `NOBODY` if it was not created by our handlers (a plain ``panel serve``)."""
    return _owners.get(session_context, NOBODY)
