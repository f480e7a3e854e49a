"""A static server with ranges, for published archives: counts requests and bytes, and can misbehave."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote


@dataclass
class Served:
    """What is served, how, and what was asked."""

    folder: Path
    address: str = ""
    ranges: bool = True
    redirect: str = ""
    asked: list[tuple[str, str, int]] = field(default_factory=list)


@contextmanager
def serving(folder: Path) -> Iterator[Served]:
    """Serve a folder below ``/some/prefix/`` on a free port of loopback."""
    served = Served(folder)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            path = unquote(self.path).removeprefix("/some/prefix/")
            file = (served.folder / path).resolve()
            if served.redirect:
                self._answer(302, b"", {"Location": served.redirect})
            elif not file.is_relative_to(served.folder) or not file.is_file():
                self._answer(404, b"nothing", {})
            else:
                self._send(path, file)

        def _send(self, path: str, file: Path) -> None:
            size = file.stat().st_size
            head = {"ETag": f'"{hashlib.sha256(f"{size}{file.stat().st_mtime_ns}".encode()).hexdigest()[:8]}"'}
            match = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
            if match is None or not served.ranges:
                content = file.read_bytes()
                served.asked.append((path, "", len(content) if self.command == "GET" else 0))
                self._answer(200, content, head | ({"Accept-Ranges": "bytes"} if served.ranges else {}))
                return
            start, end = int(match[1]), min(int(match[2] or size - 1), size - 1)
            with file.open("rb") as reader:
                reader.seek(start)
                content = reader.read(end - start + 1)
            served.asked.append((path, match[0], len(content)))
            self._answer(206, content, head | {"Content-Range": f"bytes {start}-{end}/{size}"})

        def _answer(self, status: int, content: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                with suppress(ConnectionError):  # the reader may leave
                    self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Keep the output of tests clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.address = f"http://127.0.0.1:{server.server_port}/some/prefix"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
