"""A hook for the creation of every session.

Bokeh creates a session for a page, and again for a web socket whose session has ended, and offers no way to refuse or
delay it: `ServerLifecycle.on_session_created` comes after the decision and cannot wait. The smallest program that shows
it: ``N`` web sockets with valid tokens of ended sessions create ``N`` pages at once, on the event loop.

Bokeh 3.10.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial, wraps
from typing import Any

from bokeh.server.contexts import ApplicationContext
from bokeh.server.session import ServerSession

type MakeSession = Callable[[Any, Any, ApplicationContext, Callable[[], Awaitable[ServerSession]]], Awaitable[Any]]


def make_sessions_by(hook: MakeSession) -> None:
    """Call ``hook(session_id, request, context, make)`` for every session of this process; ``make()`` creates it."""
    make = ApplicationContext.create_session_if_needed

    @wraps(make)
    async def hooked(
        context: ApplicationContext, session_id: Any, request: Any = None, token: str | None = None
    ) -> ServerSession:
        making = partial(make, context, session_id, request, token)
        session: ServerSession = await hook(session_id, request, context, making)
        return session

    patched: Any = ApplicationContext
    patched.create_session_if_needed = hooked
