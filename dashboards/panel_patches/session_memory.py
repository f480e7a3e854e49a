"""Free the memory of ended sessions at suitable times.

A Bokeh session is some ten thousand objects in reference cycles, so only Python's cycle collector frees it. By default
that collector searches all sessions whenever the number of objects has grown by a quarter: 0.3 to 1.7 s in which the
server does not respond, six times while forty visitors arrive. The smallest program that shows it::

    session = weakref.ref(server.get_sessions()[0])
    server.get_sessions()[0].destroy()
    assert session() is not None  # until gc.collect()

Panel 1.10, Bokeh 3.10, Python 3.12 to 3.13. Here the collector runs rarely, and when it is worthwhile: after many
sessions have ended, or when no visitor is left who would wait for it.
"""

from __future__ import annotations

import gc
from collections.abc import Callable

import panel as pn
from tornado.ioloop import IOLoop, PeriodicCallback

#: Thresholds of `gc.set_threshold`: new objects per collection, and collections per older generation.
THRESHOLDS = 5_000, 10, 40
#: Number of ended sessions that justifies a pause of all others, and interval of the checks, ms.
ENOUGH, COUNT_MS = 25, 5_000


class EndedSessions:
    """Open sessions, and ended sessions whose memory is not freed yet.

    Parameters
    ----------
    collect : callable
        Frees the memory.
    """

    def __init__(self, collect: Callable[[], object] = gc.collect) -> None:
        self._collect = collect
        self._open: set[str] = set()
        self._ended: set[str] = set()

    def begin(self, session: str) -> None:
        """Record a new session."""
        self._open.add(session)

    def end(self, session: str) -> None:
        """Record the end of a session."""
        self._open.discard(session)
        self._ended.add(session)

    def look(self) -> bool:
        """Free memory if it is due; return whether it was."""
        due = len(self._ended) >= ENOUGH or bool(self._ended and not self._open)
        if due:
            self._ended.clear()
            self._collect()
        return due


_sessions = EndedSessions()


def count_session() -> None:
    """Count the session being created until it ends."""
    document = pn.state.curdoc
    context = None if document is None else document.session_context
    if context is not None:
        _sessions.begin(str(context.id))
        pn.state.on_session_destroyed(lambda ended: _sessions.end(str(ended.id)))


def install() -> None:
    """Apply this schedule in this process, as soon as it serves."""
    gc.set_threshold(*THRESHOLDS)
    # imported modules stay in memory: searching them each time takes 0.1 s
    IOLoop.current().add_callback(gc.freeze)
    PeriodicCallback(_look, COUNT_MS).start()


def _look() -> None:
    _sessions.look()
