"""Whose work it is: the bar on top of a page moves while the server works for the visitor of that page.

Panel knows only whether it works for anybody. A page tied to that got a message for each click of each visitor, and the
click of one failed when the session of another ended at that moment.
"""

from __future__ import annotations

from typing import Any

import panel as pn
import param
from bokeh.document import Document
from panel.io.state import state

#: Page of a session → whether there is work for it.
_signs: dict[Document, Any] = {}
#: Piece of work → whose it is.
_owners: dict[str, Document | None] = {}


def busy_sign() -> Any:
    """A reactive truth for the page of the session that is being made."""
    sign, document = param.rx(False), pn.state.curdoc
    if document is not None:
        _signs[document] = sign
        pn.state.on_session_destroyed(lambda _: _signs.pop(document, None))
    return sign


def _follow(event: param.parameterized.Event) -> None:
    """Panel has begun or ended pieces of work, in the thread and with the document of who asked for them."""
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
