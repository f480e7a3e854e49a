"""Connections that send too much, too slowly, or are too many; and honest ones beside them."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import os
import re
import resource
import socket
import struct
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any
from urllib.parse import urlsplit

import pytest
from tornado.iostream import StreamClosedError
from tornado.websocket import WebSocketClosedError

LONG = os.environ.get("STIX_ATTACK", "") == "long"
MIB = 1 << 20
#: Generous: other tests may use both cores.
PATIENCE_S = 40.0
#: What the memory of the server may grow by, MiB: what an ordinary page takes is in it.
ROOM_MIB = 40


@pytest.fixture(scope="module")
def quick_server(small: Any, users: dict[str, str], serve: Callable[..., Any]) -> Iterator[Any]:
    """A server with short time-outs (2 to 4 s) and 300 file descriptors."""
    name = "tests.dashboards.server.attacks.server_with_short_timeouts"
    # its memory is measured, and what a forked server shares counts only from when it is touched
    with serve(small.archive.root, name, fresh=True) as server:
        yield server


@contextmanager
def sockets(server: Any, count: int) -> Iterator[list[socket.socket]]:
    """Open connections, closed at the end."""
    place = urlsplit(server.url)
    with ExitStack() as opened:
        yield [
            opened.enter_context(socket.create_connection((place.hostname, place.port), PATIENCE_S))
            for _ in range(count)
        ]


def memory(server: Any, kind: str = "VmRSS") -> float:
    """Memory of the server, resident or as named in /proc, MiB."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    found = re.search(rf"{kind}:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) / 1024


def alive(new_client: type[Any], server: Any) -> float:
    """Time that /liveness takes, s."""
    begun = time.monotonic()
    answer = new_client(server.url).get("/liveness")
    assert answer.status == 200
    return time.monotonic() - begun


def send_all(opened: list[socket.socket], content: Callable[[], Iterator[bytes]]) -> None:
    """Send the same on all of them, as far as the server takes it."""

    def send(one: socket.socket) -> None:
        with suppress(OSError):  # the server has closed it
            for piece in content():
                one.sendall(piece)

    with ThreadPoolExecutor(len(opened)) as threads:
        list(threads.map(send, opened))


def status_of(one: socket.socket) -> int | None:
    """Status of the answer; None when the connection was closed without one, 0 when nothing comes."""
    try:
        head = one.recv(4096)
    except TimeoutError:
        return 0
    except OSError:
        return None
    return int(head.split()[1]) if head else None


def close_time(one: socket.socket, drip: bytes = b"", patience: float = PATIENCE_S) -> float | None:
    """Time until the server closes a connection on which a byte is sent now and then, s; None: it does not."""
    begun = time.monotonic()
    one.settimeout(0.3)
    while time.monotonic() < begun + patience:
        try:
            if drip:
                one.sendall(drip)
            if not one.recv(4096):
                return time.monotonic() - begun
        except TimeoutError:
            continue
        except OSError:
            return time.monotonic() - begun
    return None


# -- bodies -----------------------------------------------------------------------------------------------------------


@pytest.mark.slow_attack
def test_many_bodies_below_the_limit(quick_server: Any, new_client: type[Any]) -> None:
    """Incomplete bodies below the limit take no more memory together than the server allows for all of them."""
    count = 90
    before = memory(quick_server)

    def content() -> Iterator[bytes]:
        yield b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"
        yield bytes(950_000)

    with sockets(quick_server, count) as opened:
        send_all(opened, content)
        alive(new_client, quick_server)
        for one in opened:
            one.settimeout(15.0)
        with ThreadPoolExecutor(count) as threads:
            answers = list(threads.map(status_of, opened))
    assert answers.count(408) <= 10  # some 8 MiB in all were kept until their time was over
    assert answers.count(None) == count - answers.count(408)  # the others were closed at once
    assert memory(quick_server) - before < ROOM_MIB


def test_announced_bodies(quick_server: Any, new_client: type[Any]) -> None:
    """A body over the limit is refused with 413 as soon as it is announced, and nothing of it is kept in memory."""
    count, size = (20, 95 * MIB) if LONG else (6, 40 * MIB)
    before = memory(quick_server)

    def content() -> Iterator[bytes]:
        yield b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % size
        for _ in range(size // MIB - 1):
            yield bytes(MIB)

    with sockets(quick_server, count) as opened:
        send_all(opened, content)
        assert memory(quick_server) - before < ROOM_MIB
        assert {status_of(one) for one in opened} == {413}
        alive(new_client, quick_server)


def test_bodies_without_a_length(quick_server: Any) -> None:
    """A body without a length that becomes too long is refused with 413 and not kept in memory."""
    count, pieces = (20, 94) if LONG else (6, 39)
    before = memory(quick_server)

    def content() -> Iterator[bytes]:
        yield b"POST /account HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        for _ in range(pieces):
            yield b"%x\r\n%s\r\n" % (MIB, bytes(MIB))

    with sockets(quick_server, count) as opened:
        send_all(opened, content)
        assert memory(quick_server) - before < ROOM_MIB
        assert {status_of(one) for one in opened} == {413}


def test_length_of_thousands_of_digits(quick_server: Any) -> None:
    """A length that Python refuses to read is refused with 413, on every route."""
    for path in (b"/login", b"/api/v1/requests", b"/archive/fits/x"):
        with sockets(quick_server, 1) as (one,):
            one.sendall(b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %s\r\n\r\n" % (path, b"9" * 5000))
            assert status_of(one) == 413


def test_answer_reaches_a_client_that_sends_first(quick_server: Any, new_client: type[Any]) -> None:
    """A client that sends its whole body before it reads sees the 413 and the sentence."""
    answer = new_client(quick_server.url).send("POST", "/login", bytes(8 * MIB))
    assert answer.status == 413
    assert "1048576 bytes" in answer.json["error"]


# -- time-outs --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def close_times(quick_server: Any) -> dict[str, float | None]:
    """How long the server waits for each kind of slow connection, s; all of them run at the same time."""

    def header(one: socket.socket) -> float | None:
        one.sendall(b"GET /liveness HTTP/1.1\r\nX: ")
        return close_time(one, b"x")

    def second_header(one: socket.socket) -> float | None:
        one.sendall(b"GET /liveness HTTP/1.1\r\nHost: x\r\n\r\n")
        assert status_of(one) == 200
        one.sendall(b"GET /liveness HTTP/1.1\r\nX: ")
        return close_time(one, b"x")

    def idle(one: socket.socket) -> float | None:
        one.sendall(b"GET /liveness HTTP/1.1\r\nHost: x\r\n\r\n")
        return close_time(one)

    def body(one: socket.socket) -> float | None:
        one.sendall(b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
        return close_time(one, b"x")

    def streamed_body(one: socket.socket) -> float | None:
        one.sendall(b"POST /api/v1/requests HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        return close_time(one, b"1\r\nx\r\n")

    def untaken_answers(one: socket.socket) -> float | None:
        before = len(quick_server.log_text())
        # all at once, so that the server has read them: what it had not read would reset the connection
        one.sendall(200 * b"GET /static/js/bokeh.min.js HTTP/1.1\r\nHost: x\r\n\r\n")
        # reading would be taking, and behind what is not read no end of a connection is seen: the server has to tell
        begun = time.monotonic()
        while "connections closed: the client read nothing" not in quick_server.log_text()[before:]:
            if time.monotonic() > begun + PATIENCE_S:
                return None
            time.sleep(0.2)
        return close_time(one)

    attacks = [header, second_header, idle, body, streamed_body, untaken_answers]
    with sockets(quick_server, len(attacks)) as opened, ThreadPoolExecutor(len(attacks)) as threads:
        opened[-1].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        waits = [threads.submit(attack, one) for attack, one in zip(attacks, opened, strict=True)]
        return {attack.__name__: wait.result() for attack, wait in zip(attacks, waits, strict=True)}


@pytest.mark.parametrize(
    "kind",
    ["header", "second_header", "idle", "body", "streamed_body", "untaken_answers"],
)
def test_slow_connections(close_times: dict[str, float | None], kind: str) -> None:
    """A header, a body or the taking of an answer that drips along ends with a closed connection."""
    assert close_times[kind] is not None


# -- many connections -------------------------------------------------------------------------------------------------


def test_half_sent_headers(quick_server: Any, new_client: type[Any]) -> None:
    """More half-sent headers than the process may open files leave /liveness and pages answering, and the log short."""
    before = len(quick_server.log_text())
    with ExitStack() as opened:
        for _ in range(15 if LONG else 4):
            for one in opened.enter_context(sockets(quick_server, 100)):
                with suppress(OSError):
                    one.sendall(b"GET /liveness HTTP/1.1\r\nX: ")
            alive(new_client, quick_server)
        assert new_client(quick_server.url).get("/image_archive").status == 200
        time.sleep(3.0)  # a burst is reported at its end
    written = quick_server.log_text()[before:]
    lines = [line for line in written.splitlines() if "to make room" in line]
    assert 1 <= len(lines) <= (60 if LONG else 15)  # one per 2 s
    assert len(written) < 20_000
    assert "Traceback" not in written


def test_no_descriptor_left(quick_server: Any, new_client: type[Any]) -> None:
    """When files use up the descriptors, connections that wait are closed, and the log has one line per burst."""
    before = len(quick_server.log_text())
    used = max(int(path.name) for path in Path(f"/proc/{quick_server.process.pid}/fd").iterdir())
    allowed = resource.prlimit(quick_server.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(quick_server.process.pid, resource.RLIMIT_NOFILE, (used + 8, allowed[1]))
    try:
        with sockets(quick_server, 60) as opened:
            for one in opened:
                with suppress(OSError):
                    one.sendall(b"GET /liveness HTTP/1.1\r\nX: ")
            alive(new_client, quick_server)
            time.sleep(3.0)
            alive(new_client, quick_server)
    finally:
        resource.prlimit(quick_server.process.pid, resource.RLIMIT_NOFILE, allowed)
    written = quick_server.log_text()[before:]
    assert 1 <= len([line for line in written.splitlines() if "no file descriptor" in line]) <= 10
    assert len(written) < 10_000
    assert "Traceback" not in written


# -- web sockets ------------------------------------------------------------------------------------------------------


def frame(opcode: int, length: int, content: bytes, *, final: bool = True) -> bytes:
    """Beginning of a frame that announces a length; the mask is zero."""
    return struct.pack("!BBQ4x", (0x80 if final else 0) | opcode, 0x80 | 127, length) + content


def raw_socket(client: Any, open_tab: type[Any], page: str = "science_data") -> socket.socket:
    """The plain connection of a page's web socket, after the handshake, in a guest's hands."""
    token = open_tab(client, page).token
    place = urlsplit(client.url)
    one = socket.create_connection((place.hostname, place.port), PATIENCE_S)
    cookies = "; ".join(f'{name}="{value}"' for name, value in client.cookies.items())
    one.sendall(
        f"GET /{page}/ws HTTP/1.1\r\nHost: {place.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Version: 13\r\nOrigin: {client.url}\r\n"
        f"Sec-WebSocket-Protocol: bokeh, {token}\r\nCookie: {cookies}\r\n\r\n".encode()
    )
    assert status_of(one) == 101
    return one


def test_half_sent_messages(quick_server: Any, new_client: type[Any], open_tab: type[Any]) -> None:
    """Half-sent messages of web sockets are bounded in size, time and number, without signing in."""
    client = new_client(quick_server.url)
    count, size = (20, 19 * MIB) if LONG else (5, 19 * MIB)
    with ExitStack() as opened:
        sockets = [opened.enter_context(raw_socket(client, open_tab)) for _ in range(count)]
        before = memory(quick_server)
        for length in (size, 2 * MIB):  # more than a message may have, and not more
            send_all(sockets[: count // 2] if length == size else sockets[count // 2 :], lambda n=length: iter([
                frame(1, n, b" " * (n - 1000))
            ]))  # fmt: skip
        assert memory(quick_server) - before < ROOM_MIB
        assert all(close_time(one) is not None for one in sockets)


def test_message_that_pings_keep_alive(quick_server: Any, new_client: type[Any], open_tab: type[Any]) -> None:
    """A message in fragments that never ends is not kept alive by pongs between them."""
    with raw_socket(new_client(quick_server.url), open_tab) as one:
        one.sendall(frame(1, 100_000, b" " * 100_000, final=False))
        assert close_time(one, frame(0, 1, b" ", final=False) + b"\x8a\x80\0\0\0\0") is not None


def test_parts_of_one_message(quick_server: Any, new_client: type[Any], open_tab: type[Any]) -> None:
    """The parts of one message of a web socket have a bound together, however many of them are announced."""
    client = new_client(quick_server.url)
    before = memory(quick_server)

    async def flood() -> int:
        tab = open_tab(client, "science_data")
        await tab.connect()
        socket, sent = tab._socket, 0
        header = {"msgid": "1", "msgtype": "PATCH-DOC", "num_buffers": 10_000}
        for part in (json.dumps(header), "{}", json.dumps({"events": []})):
            await socket.write_message(part)
        with suppress(WebSocketClosedError, StreamClosedError):
            while sent < 100 * MIB and socket.close_code is None:
                await socket.write_message(json.dumps({"id": str(sent)}))
                await socket.write_message(bytes(MIB), binary=True)
                sent += MIB
                await asyncio.sleep(0.01)
        socket.close()
        return sent

    assert asyncio.run(flood()) < 100 * MIB
    assert memory(quick_server) - before < ROOM_MIB


def test_honest_page_stays_open(quick_server: Any, new_client: type[Any], open_tab: type[Any]) -> None:
    """A page that is open and silent for longer than all time-outs stays alive."""

    async def stay() -> None:
        async with open_tab(new_client(quick_server.url), "science_data") as tab:
            await asyncio.sleep(5.0)
            assert await tab.document()

    asyncio.run(stay())


# -- dropped files ----------------------------------------------------------------------------------------------------


def file_field(document: Any) -> str | None:
    """Id of the field for a file."""
    if isinstance(document, list):
        return next((found for item in document if (found := file_field(item))), None)
    if not isinstance(document, dict):
        return None
    if (document.get("attributes") or {}).get("class_name") == "FileInput":
        return str(document["id"])
    return next((found for item in document.values() if (found := file_field(item))), None)


def piece(model_id: str, data: Any, number: int = 1, total: int = 1000) -> dict[str, Any]:
    """What the page sends for one piece of a dropped file."""
    told = {"status": "upload_event", "chunk": number, "total_chunks": total, "name": "a.fits", "mime_type": ""}
    entries = [*told.items(), ("data", data)]
    values = [["model", {"id": model_id}], ["data", {"type": "map", "entries": [list(entry) for entry in entries]}]]
    event = {"type": "event", "name": "data_event", "values": {"type": "map", "entries": values}}
    return {"kind": "MessageSent", "msg_type": "bokeh_event", "msg_data": event}


def packed(content: bytes) -> str:
    """Bytes as Bokeh writes them in JSON."""
    return base64.b64encode(gzip.compress(content, 1)).decode()


def test_packed_zeros(quick_server: Any, new_client: type[Any], open_tab: type[Any]) -> None:
    """Data that is small while packed does not fill the memory when it is unpacked."""
    data = {"type": "bytes", "data": packed(bytes((1000 if LONG else 300) * MIB))}
    most = 0.0

    async def drop() -> None:
        async with open_tab(new_client(quick_server.url), "science_data") as tab:
            field = file_field(await tab.document())
            assert field is not None
            await tab.patch(piece(field, data))

    def watch(done: Event) -> None:
        nonlocal most
        while not done.wait(0.02):
            most = max(most, memory(quick_server))

    before, done = memory(quick_server), Event()
    watcher = Thread(target=watch, args=(done,))
    watcher.start()
    try:
        asyncio.run(drop())
    finally:
        done.set()
        watcher.join()
    assert most - before < ROOM_MIB


def test_messages_that_fail(quick_server: Any, new_client: type[Any], open_tab: type[Any]) -> None:
    """Messages that fail leave a few short lines in the log, whatever they hold and however many come."""
    before = len(quick_server.log_text())

    async def fail() -> None:
        async with open_tab(new_client(quick_server.url), "science_data") as tab:
            for _ in range(20):
                await tab.patch({"kind": "ModelChanged", "model": {"id": "none"}, "attr": "x" * 100_000, "new": 1})

    asyncio.run(fail())
    assert len(quick_server.log_text()) - before < 60_000


@pytest.mark.slow_attack
def test_file_without_an_end(quick_server: Any, new_client: type[Any], open_tab: type[Any]) -> None:
    """A dropped file that never ends is let go of at the size that a file may have."""
    count = 200 if LONG else 90  # of 2 MiB each
    data = {"type": "bytes", "data": packed(bytes(2 * MIB))}

    async def drop() -> float:
        async with open_tab(new_client(quick_server.url), "science_data") as tab:
            field = file_field(await tab.document())
            assert field is not None
            before, most = memory(quick_server), 0.0
            for number in range(count):
                await tab._send("PATCH-DOC", {"events": [piece(field, data, number, 10_000)]})
                await tab._receive("OK", "ERROR")
                most = max(most, memory(quick_server) - before)
            return most

    assert asyncio.run(drop()) < 64 + 16  # MiB: a file, and what a server at work takes besides


def test_number_instead_of_a_file(quick_server: Any, new_client: type[Any], open_tab: type[Any]) -> None:
    """A number where the bytes of a dropped file belong does not become that many bytes."""

    async def drop() -> float:
        async with open_tab(new_client(quick_server.url), "science_data") as tab:
            field = file_field(await tab.document())
            assert field is not None
            before = memory(quick_server, "VmSize")  # pages of zeros are not resident
            await tab.patch(piece(field, 800 * MIB, 1, 1))
            return memory(quick_server, "VmSize") - before

    assert asyncio.run(drop()) < 300


def test_honest_file_arrives(quick_server: Any, new_client: type[Any], open_tab: type[Any]) -> None:
    """A file larger than a message arrives in pieces and is looked at."""
    content = bytes(3 * MIB)

    async def drop() -> str:
        async with open_tab(new_client(quick_server.url), "science_data") as tab:
            field = file_field(await tab.document())
            assert field is not None
            for number in range(3):
                data = packed(content[number * MIB : (number + 1) * MIB])
                await tab.patch(piece(field, {"type": "bytes", "data": data}, number + 1, 3))
            finished = {"type": "map", "entries": [["status", "finished"]]}
            values = {"type": "map", "entries": [["model", {"id": field}], ["data", finished]]}
            event = {"type": "event", "name": "data_event", "values": values}
            await tab.patch({"kind": "MessageSent", "msg_type": "bokeh_event", "msg_data": event})
            return json.dumps(await tab.document())

    assert "a.fits" in asyncio.run(drop())
