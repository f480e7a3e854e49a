"""Changes of figures at moments when the document may not be locked."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

import panel as pn


def redraws[**P, T](change: Callable[P, T]) -> Callable[P, T]:
    """Let a method change models of Bokeh whenever it is called.

    Panel handles a click without the document's lock when it comes within 50 ms of another change, and Bokeh refuses
    changes of a model then ("_pending_writes should be non-None"). What Panel's own parts change it sends by itself;
    what we change directly goes the same way with this.
    """

    @wraps(change)
    def changed(*args: P.args, **kwargs: P.kwargs) -> T:
        with pn.io.unlocked():
            return change(*args, **kwargs)

    return changed
