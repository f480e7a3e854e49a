"""What each patch corrects is still wrong upstream. A test that fails here says which patch to remove.

The names of the tests are those of the modules in ``dashboards/panel_patches``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

type Run = Callable[[str], str]

#: A server with one page, and a visit to it.
VISIT = """
    import asyncio, gc, weakref
    from urllib.request import urlopen
    from bokeh.application import Application
    from bokeh.application.handlers.function import FunctionHandler
    from bokeh.server.server import Server
    from tornado.ioloop import IOLoop

    async def visit(path, application, look):
        server = Server({"/app": application}, port=0, address="127.0.0.1", io_loop=IOLoop.current())
        server.start()
        await asyncio.to_thread(lambda: urlopen(f"http://127.0.0.1:{server.port}/{path}").read())
        print(look(server))
        server.stop()

    def make(document):
        pass
"""


def test_address_values(run_upstream: Run) -> None:
    program = """
        from panel.io.location import Location
        try:
            Location().param.update(search="?page=" + 5000 * "1")
        except ValueError as error:
            print(error)
    """
    assert "digits" in run_upstream(program)


def test_busy(run_upstream: Run) -> None:
    program = """
        from bokeh.document import Document
        from panel.io.state import set_curdoc, state
        one, other = Document(), Document()
        with set_curdoc(one):
            state._add_busy_event("click")
        with set_curdoc(other):
            print(state.busy)
    """
    assert run_upstream(program) == "True"


def test_document_lock(run_upstream: Run) -> None:
    program = """
        from types import SimpleNamespace
        import panel as pn
        from bokeh.document import Document
        from panel.io.state import set_curdoc, state
        document = Document()
        context = SimpleNamespace(session=None, id="one")
        document._session_context = lambda: context
        button = pn.widgets.Button()
        state._change_callbacks[document] = {}
        with set_curdoc(document):
            button._server_event(document, "a click")
        (callback,) = document.session_callbacks
        print(getattr(callback.callback, "nolock", False))
    """
    assert run_upstream(program) == "True"


def test_document_lock_next_tick_callbacks_are_dropped(run_upstream: Run) -> None:
    program = """
        from bokeh.document import Document
        from bokeh.models import Div, ImportedStyleSheet
        from panel.io import resources
        document, root = Document(), Div(stylesheets=[ImportedStyleSheet(url="a.css")])
        document.add_root(root)
        document.hold()
        resources.patch_stylesheet = lambda *_: document.add_next_tick_callback(print)  # as another thread may
        resources.patch_model_css(root, "dist/")
        print([type(event).__name__ for event in document.callbacks._held_events])
    """
    assert "SessionCallbackAdded" not in run_upstream(program)


def test_session_ids(run_upstream: Run) -> None:
    program = (
        VISIT
        + """
    asyncio.run(visit("app?bokeh-session-id=chosen", make, lambda server: server.get_sessions()[0].id))
    """
    )
    assert run_upstream(program) == "chosen"


def test_session_memory(run_upstream: Run) -> None:
    program = (
        VISIT
        + """
    gc.disable()

    def is_left(server):
        session = weakref.ref(server.get_sessions()[0])
        server._tornado._applications["/app"]._sessions.clear()
        session().destroy()
        return session() is not None

    asyncio.run(visit("app", make, is_left))
    """
    )
    assert run_upstream(program) == "True"


def test_session_making(run_upstream: Run) -> None:
    program = (
        VISIT
        + """
    class Refusing(FunctionHandler):
        async def on_session_created(self, context):
            raise RuntimeError("no room")

    asyncio.run(visit("app", Application(Refusing(make)), lambda server: len(server.get_sessions())))
    """
    )
    assert run_upstream(program) == "1"  # whatever the hook says, the session is made


def test_page_routes(run_upstream: Run) -> None:
    program = (
        VISIT
        + """
    asyncio.run(visit("app/autoload.js?bokeh-autoload-element=x", make, lambda server: "served"))
    """
    )
    assert run_upstream(program) == "served"


def test_socket_messages(run_upstream: Run) -> None:
    program = """
        import asyncio
        from bokeh.protocol import Protocol
        from bokeh.protocol.receiver import Receiver

        async def receive():
            receiver = Receiver(Protocol())
            for text in ('{"msgid": "1", "msgtype": "PATCH-DOC", "num_buffers": 1000000}', "{}", '{"events": []}'):
                await receiver.consume(text)
            for number in range(64):
                await receiver.consume('{"id": "%d"}' % number)
                await receiver.consume(bytes(1 << 20))
            print(sum(len(buffer.data) for buffer in receiver._partial._buffers) >> 20)

        asyncio.run(receive())
    """
    assert run_upstream(program) == "64"


def test_packed_data(run_upstream: Run) -> None:
    program = """
        import base64, gzip
        from bokeh.core.serialization import Deserializer
        packed = base64.b64encode(gzip.compress(bytes(50_000_000))).decode()
        print(len(Deserializer().deserialize({"type": "bytes", "data": packed})))
    """
    assert run_upstream(program) == "50000000"


def test_message_errors(run_upstream: Run) -> None:
    program = """
        import asyncio, io, logging
        from types import SimpleNamespace
        from bokeh.server.protocol_handler import ProtocolHandler
        log = io.StringIO()
        logging.getLogger("bokeh.server.protocol_handler").addHandler(logging.StreamHandler(log))

        class Message(SimpleNamespace):
            msgtype = "PATCH-DOC"

        message = Message(content="x" * 100_000)
        connection = SimpleNamespace(error=lambda *_: None)
        asyncio.run(ProtocolHandler().handle(message, connection))
        print(len(log.getvalue()) > 100_000)
    """
    assert run_upstream(program) == "True"


def test_disconnects(run_upstream: Run) -> None:
    program = """
        import asyncio, io, logging
        from types import SimpleNamespace
        from bokeh.server.connection import ServerConnection
        from bokeh.server.protocol_handler import ProtocolHandler
        log = io.StringIO()
        logging.getLogger("bokeh.server.protocol_handler").addHandler(logging.StreamHandler(log))
        session = SimpleNamespace(subscribe=lambda _: None, unsubscribe=lambda _: None)
        connection = ServerConnection(None, None, None, session)
        connection.detach_session()
        connection.error = lambda *_: None
        asyncio.run(ProtocolHandler().handle(SimpleNamespace(msgtype="PATCH-DOC"), connection))
        print("Traceback" in log.getvalue())
    """
    assert run_upstream(program) == "True"


@pytest.mark.parametrize(("path", "header", "status"), [("page.html", '"another"', 200), ("%00", "*", 500)])
def test_static_files(run_upstream: Run, path: str, header: str, status: int) -> None:
    program = f"""
        import asyncio, logging, tempfile
        from pathlib import Path
        from tornado.httpclient import AsyncHTTPClient
        from tornado.httpserver import HTTPServer
        from tornado.testing import bind_unused_port
        from tornado.web import Application, StaticFileHandler
        logging.disable()

        async def ask():
            folder, (socket, port) = tempfile.mkdtemp(), bind_unused_port()
            Path(folder, "page.html").write_text("text")
            HTTPServer(Application([("/(.*)", StaticFileHandler, dict(path=folder))])).add_socket(socket)
            address = f"http://127.0.0.1:{{port}}/{path}"
            answer = await AsyncHTTPClient().fetch(address, headers={{"If-Match": '{header}'}}, raise_error=False)
            print(answer.code)

        asyncio.run(ask())
    """
    assert run_upstream(program) == str(status)


def test_counted_streams(run_upstream: Run) -> None:
    program = """
        from inspect import signature
        from tornado.httpserver import HTTPServer
        print(*(name for name in sorted(signature(HTTPServer.initialize).parameters) if name != "self"))
    """
    assert run_upstream(program) == (  # nothing that bounds all connections, or chooses their class
        "body_timeout chunk_size decompress_request idle_connection_timeout max_body_size max_buffer_size "
        "max_header_size no_keep_alive protocol request_callback ssl_options trusted_downstream xheaders"
    )


def test_shedding_listener(run_upstream: Run) -> None:
    program = """
        import asyncio, errno, logging, socket
        from tornado.netutil import add_accept_handler
        logging.disable()
        asked = []

        class Full(socket.socket):
            def accept(self):
                asked.append(1)
                raise OSError(errno.EMFILE, "too many open files")

        async def listen():
            with Full() as listener, socket.socket() as visitor:
                listener.bind(("127.0.0.1", 0))
                listener.listen()
                listener.setblocking(False)
                add_accept_handler(listener, print)
                visitor.connect(listener.getsockname())
                await asyncio.sleep(0.5)
            print(len(asked) > 10)

        asyncio.run(listen())
    """
    assert run_upstream(program) == "True"


def test_forwarded_headers(run_upstream: Run) -> None:
    program = """
        from types import SimpleNamespace
        from tornado.httpserver import _HTTPRequestContext
        from tornado.httputil import HTTPHeaders
        stream = SimpleNamespace(socket=None)
        context = _HTTPRequestContext(stream, ("10.0.0.9", 1), "http")
        context._apply_xheaders(HTTPHeaders({"X-Forwarded-For": "198.51.100.7, 10.0.0.1"}))  # two proxies
        print(context.remote_ip)
    """
    assert run_upstream(program) == "10.0.0.1"  # the inner proxy's, with no setting for the number of proxies


def test_stable_defaults(run_upstream: Run) -> None:
    program = """
        from bokeh.core.property.bases import Property
        from bokeh.models import Range1d
        looked = []
        default = Property.themed_default
        Property.themed_default = lambda *given, **more: looked.append(given[2]) or default(*given, **more)
        for _ in range(3):
            Range1d().reset_start
        print(looked.count("reset_start"))
    """
    assert run_upstream(program) == "3"


def test_resource_bundle(run_upstream: Run) -> None:
    program = """
        from bokeh.document import Document
        from bokeh.models import Div
        from panel.io.resources import Resources, bundle_resources
        document, looked = Document(), []
        document.add_root(Div())
        look = Resources.extra_resources
        Resources.extra_resources = lambda self, *given: looked.append(given) or look(self, *given)
        resources = Resources(mode="server")
        bundle_resources(document.roots, resources)
        once = len(looked)
        bundle_resources(document.roots, resources)
        print(len(looked) == 2 * once > 0)
    """
    assert run_upstream(program) == "True"


def test_every_patch_is_guarded() -> None:
    folder = Path(__file__).resolve().parents[3] / "dashboards" / "panel_patches"
    guarded = {name.removeprefix("test_") for name in globals() if name.startswith("test_")}
    ours = {"__init__", "page_scripts", "versions"}  # corrections of nothing
    missing = [path.stem for path in folder.glob("*.py") if not any(name.startswith(path.stem) for name in guarded)]
    assert set(missing) == ours
