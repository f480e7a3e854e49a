"""Everything that changes a page is done in turn, under the lock of its document.

Panel 1.10 handles a click, or Enter in a field, that comes within 50 ms of another change outside of that lock. Then
Bokeh refuses direct changes of figures ("_pending_writes should be non-None"), and the next change from the browser,
taken by another thread at that moment, can be put where nobody looks: a field that lost one stays deaf from then on.

What another thread has found out must not be handed over by ``document.add_next_tick_callback``, which is meant for
that: Panel puts back the events that it knew when it has patched the style sheets of a new component
(``panel.io.resources.patch_model_css``), and a callback that was added meanwhile is never called.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from bokeh.document import Document
from bokeh.document.callbacks import invoke_with_curdoc
from panel.io import with_lock
from panel.reactive import Syncable

log = logging.getLogger(__name__)

#: A page is alive soon after it was made, or never, s.
_SOON, _TRIES = 0.05, 200
#: Keeps what runs from being collected.
_running: set[asyncio.Task[Any]] = set()


def handle_in_turn() -> None:
    """Let Panel keep the lock while it handles events and changes; again is harmless."""
    for name in ("_event_coroutine", "_change_coroutine"):
        handler = getattr(Syncable, name)
        if not getattr(handler, "lock", False):
            setattr(Syncable, name, with_lock(handler))


def in_turn(document: Document | None, change: Callable[[], Any]) -> None:
    """Have a page changed, from any thread; at once where there is no session, and never after its end."""
    if document is None or document.session_context is None:
        change()
        return
    context: Any = document.session_context
    loop = context.server_context.application_context.io_loop.asyncio_loop
    loop.call_soon_threadsafe(_begin, loop, context, partial(invoke_with_curdoc, document, change), _TRIES)


def _begin(loop: asyncio.AbstractEventLoop, context: Any, change: Callable[[], Any], tries: int) -> None:
    """On the loop of the server: change the page as soon as its session is made."""
    session = context.session
    if session is None:
        if tries and not context.destroyed:
            loop.call_later(_SOON, _begin, loop, context, change, tries - 1)
        return
    task = loop.create_task(session.with_document_locked(change))
    _running.add(task)
    task.add_done_callback(_end)


def _end(task: asyncio.Task[Any]) -> None:
    _running.discard(task)
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("a page could not be changed", exc_info=error)
