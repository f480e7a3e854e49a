"""All changes of a page run one after another, under the lock of its document.

Panel handles a click, or Enter in a field, that comes within 50 ms of another change without that lock. Bokeh then
refuses direct changes of figures ("_pending_writes should be non-None"), and a change from the browser can be lost in a
race of two threads; its field then ignores all input. The smallest program that shows it::

    button._server_event(document, "a click")  # while a change waits
    document.session_callbacks[0].callback.nolock  # True

Panel also runs scheduled changes on the event loop; here they run in a thread, like clicks, while the coroutine holds
the lock.

Results of other threads must not be passed with ``document.add_next_tick_callback``, although it is made for that:
``panel.io.resources.patch_model_css`` restores the list of events from before its start, so that a callback added
meanwhile is never called. `locked_updates` replaces it.

Panel 1.10, Bokeh 3.10.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import cache, partial
from typing import Any

from bokeh.document import Document
from bokeh.document.callbacks import invoke_with_curdoc
from panel.io import with_lock
from panel.io.state import set_curdoc, state
from panel.reactive import Syncable

log = logging.getLogger(__name__)

#: Interval of the checks whether a session exists [s], and their number: one minute in total.
_SOON_S, _MOST = 0.05, 1200


def handle_under_lock() -> None:
    """Let Panel handle events and changes in threads, under the lock. May be called more than once."""
    setattr(Syncable, "_change_coroutine", _change)  # noqa: B010 - replaces a method of Panel
    setattr(Syncable, "_event_coroutine", _event)  # noqa: B010 - as above


def in_a_thread(callback: Callable[[], object]) -> Any:
    """A periodic callback that Panel runs in a thread instead of the event loop."""

    async def run() -> None:
        await asyncio.get_running_loop().run_in_executor(_periodic_threads(), copy_context().run, callback)

    return run


@cache
def _periodic_threads() -> ThreadPoolExecutor:
    """Separate threads: callbacks that wait in them, for example for a lock, delay no click."""
    return ThreadPoolExecutor(4, thread_name_prefix="periodic")


@with_lock
async def _change(component: Any, document: Document, event_id: str | None = None) -> None:
    """Like `Syncable._change_coroutine`: handle changed values, unless an event has already done so."""
    if event_id is not None:
        waiting = state._change_callbacks.get(document, {})
        if waiting.pop(event_id, None) is None:
            return
        if not waiting:
            state._change_callbacks.pop(document, None)
    await _handle(document, partial(component._change_event, document))


@with_lock
async def _event(component: Any, document: Document, event: Any) -> None:
    """Like `Syncable._event_coroutine`: handle the changes that came before an event, then the event."""
    for change in list(state._change_callbacks.get(document, {}).values()):
        await change()
    await _handle(document, partial(component._process_bokeh_event, document, event))


async def _handle(document: Document, work: Callable[[], None]) -> None:
    with set_curdoc(document):
        # Panel starts this with the first change; in a thread it would keep asking the loop to start it there
        state._schedule_busy_cleanup()
        try:
            await asyncio.to_thread(work)
        except Exception as error:  # noqa: BLE001 - Panel handles it, as in its own coroutines
            state._handle_exception(error)


def locked_updates(document: Document | None) -> Callable[[Callable[[], Any]], None]:
    """Return a function with which other threads change a page: ``locked_updates(document)(change)``.

    Changes are made one after the other, in the order of the calls; only after the session of the page is created, and
    not after its end. Without a session they are made immediately. Call this while the page is created.
    """
    context = None if document is None else document.session_context
    return _Turn(document, context) if document is not None and context is not None else lambda change: change()


class _Turn:
    """Changes that wait for the lock of a document."""

    def __init__(self, document: Document, context: Any) -> None:
        self._document, self._context = document, context
        self._loop: asyncio.AbstractEventLoop = context.server_context.application_context.io_loop.asyncio_loop
        self._waiting: deque[Callable[[], Any]] = deque()
        self._running: set[asyncio.Task[Any]] = set()  # otherwise they could be garbage-collected

    def __call__(self, change: Callable[[], Any]) -> None:
        self._waiting.append(change)
        self._loop.call_soon_threadsafe(self._begin, _MOST)

    def _begin(self, tries: int) -> None:
        """Start on the event loop of the server."""
        session = self._context.session
        if session is None and tries:
            self._loop.call_later(_SOON_S, self._begin, tries - 1)
            return
        while self._waiting:
            change = self._waiting.popleft()
            if session is None:
                log.error("a page was never made; what was to be shown on it is dropped")
                continue
            task = self._loop.create_task(
                session.with_document_locked(partial(invoke_with_curdoc, self._document, change))
            )
            self._running.add(task)
            task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a page could not be changed", exc_info=error)
