"""The progress bar of a page moves only while the server works for the visitor of that page.

`panel.state.busy` is one value for all sessions, and `panel_material_ui.Page` follows it: each click of each visitor
sends a message to all pages, and a click fails if the session of another visitor ends at that moment. The smallest
program that shows it::

    with set_curdoc(one):
        state._add_busy_event("click")
    with set_curdoc(other):
        print(state.busy)  # True

Panel 1.10, panel-material-ui 0.16.
"""

from __future__ import annotations

from typing import Any

import panel as pn
import param
from bokeh.document import Document
from panel.io.state import state

#: Document of a session → whether the server works for it.
_signs: dict[Document, Any] = {}
#: Busy event → its document.
_owners: dict[str, Document | None] = {}


def busy_sign() -> Any:
    """A reactive Boolean for the page of the session being created."""
    sign, document = param.rx(False), pn.state.curdoc
    if document is not None:
        _signs[document] = sign
        pn.state.on_session_destroyed(lambda _: _signs.pop(document, None))
    return sign


def _follow(event: param.parameterized.Event) -> None:
    """Update the documents whose busy events have begun or ended."""
    before, now = ({piece for piece, _ in pieces} for pieces in (event.old, event.new))
    changed = {_owners.pop(piece, None) for piece in before - now}
    for piece in now - before:
        _owners[piece] = pn.state.curdoc
        changed.add(pn.state.curdoc)
    for document in changed:
        sign = _signs.get(document) if document is not None else None
        if sign is not None:
            sign.rx.value = document in _owners.values()


state.param.watch(_follow, "_busy_counter")
