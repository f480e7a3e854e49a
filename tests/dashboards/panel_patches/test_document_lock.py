"""Events and changes of a session are handled under its document's lock, even those that come together."""

import asyncio
import logging
from functools import partial
from threading import Event, Thread
from types import SimpleNamespace
from urllib.request import urlopen

import panel as pn
import pytest
from bokeh.document import Document
from bokeh.server.server import Server
from panel.io.state import set_curdoc, state
from tornado.ioloop import IOLoop

from dashboards.panel_patches.document_lock import handle_under_lock, locked_updates


@pytest.fixture
def document():
    made = Document()
    made._session_context = lambda: SimpleNamespace(session=None, id="one")
    return made


def scheduled(document):
    (callback,) = document.session_callbacks
    return callback.callback


def test_an_event_that_comes_with_a_change_waits_for_the_lock(document):
    handle_under_lock()
    handle_under_lock()  # once is enough, twice is harmless
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
    handle_under_lock()
    field, heard = pn.widgets.TextInput(), []
    field.param.watch(lambda event: heard.append(event.new), "value")
    field._priority_changes = ["value"]
    with set_curdoc(document):
        field._server_change(document, "ref", None, "value", "", "2022")
    handler = scheduled(document)
    assert not getattr(handler, "nolock", False)
    asyncio.run(handler())
    assert heard == ["2022"]


async def answered(make, done):
    """Whether something is done after somebody came to a page."""
    server = Server({"/": make}, port=0, address="127.0.0.1", io_loop=IOLoop.current())
    server.start()
    try:
        await asyncio.to_thread(lambda: urlopen(f"http://127.0.0.1:{server.port}/").read())
        return await asyncio.to_thread(done.wait, 10)
    finally:
        server.stop()


def test_what_another_thread_found_out_is_shown_although_panel_drops_what_it_holds():
    shown, seen = Event(), []

    def make(document):
        def show():
            seen.append((state.curdoc is document, document.session_context.session._lock.locked()))
            shown.set()

        document.hold()
        thread = Thread(target=locked_updates(document), args=(show,))
        thread.start()
        thread.join()
        document.callbacks._held_events = []  # as Panel does with what came while it patched style sheets
        document.unhold()

    assert asyncio.run(answered(make, shown))
    assert seen == [(True, True)]


def test_a_change_that_fails_is_told_and_the_next_one_done(caplog):
    done = Event()

    def make(document):
        turn = locked_updates(document)
        turn(lambda: 1 / 0)
        turn(done.set)

    with caplog.at_level(logging.ERROR):
        assert asyncio.run(answered(make, done))
    assert "ZeroDivisionError" in caplog.text


def test_without_a_session_a_change_is_made_at_once():
    changes = []
    locked_updates(None)(lambda: changes.append(1))
    locked_updates(Document())(lambda: changes.append(2))
    assert changes == [1, 2]


def test_changes_keep_their_order_and_come_to_nobody_after_the_end():
    done, order, turns = Event(), [], []

    def make(document):
        turns.append(locked_updates(document))
        for number in range(5):
            turns[0](partial(order.append, number))
        turns[0](done.set)

    async def visit():
        server = Server({"/": make}, port=0, address="127.0.0.1", io_loop=IOLoop.current())
        server.start()
        await asyncio.to_thread(lambda: urlopen(f"http://127.0.0.1:{server.port}/").read())
        assert await asyncio.to_thread(done.wait, 10)
        (session,) = server.get_sessions()
        session.destroy()
        turns[0](lambda: order.append("after the end"))
        await asyncio.sleep(0.1)
        server._tornado._applications["/"]._sessions.clear()
        server.stop()

    asyncio.run(visit())
    assert order == [0, 1, 2, 3, 4]
