"""What a visitor does is handled in turn, under the lock of the document.

Panel 1.10 handles a click, or Enter in a field, that comes within 50 ms of another change outside of that lock. Then
Bokeh refuses direct changes of figures ("_pending_writes should be non-None"), and the next change from the browser,
taken by another thread at that moment, can be put where nobody looks: a field that lost one stays deaf from then on.
"""

from __future__ import annotations

from panel.io import with_lock
from panel.reactive import Syncable


def handle_in_turn() -> None:
    """Let Panel keep the lock while it handles events and changes; again is harmless."""
    for name in ("_event_coroutine", "_change_coroutine"):
        handler = getattr(Syncable, name)
        if not getattr(handler, "lock", False):
            setattr(Syncable, name, with_lock(handler))
