"""Events and changes of a session are handled under its document's lock, even those that come together."""

import asyncio
from types import SimpleNamespace

import panel as pn
import pytest
from bokeh.document import Document
from panel.io.state import set_curdoc, state

from dashboards.components.document_lock import handle_in_turn


@pytest.fixture
def document():
    made = Document()
    made._session_context = lambda: SimpleNamespace(session=None, id="one")
    return made


def scheduled(document):
    (callback,) = document.session_callbacks
    return callback.callback


def test_an_event_that_comes_with_a_change_waits_for_the_lock(document):
    handle_in_turn()
    handle_in_turn()  # once is enough, twice is harmless
    button, pressed = pn.widgets.Button(label="press"), []
    button._process_event = pressed.append
    state._change_callbacks[document] = {}
    with set_curdoc(document):
        button._server_event(document, "a click")
    handler = scheduled(document)
    assert not getattr(handler, "nolock", False)
    asyncio.run(handler())
    assert pressed == ["a click"]


def test_a_change_that_is_urgent_waits_for_the_lock(document):
    handle_in_turn()
    field, heard = pn.widgets.TextInput(), []
    field.param.watch(lambda event: heard.append(event.new), "value")
    field._priority_changes = ["value"]
    with set_curdoc(document):
        field._server_change(document, "ref", None, "value", "", "2022")
    handler = scheduled(document)
    assert not getattr(handler, "nolock", False)
    asyncio.run(handler())
    assert heard == ["2022"]
