"""Programs of the field against a running server, with bytes and times: ``python -m benchmarks clients``.

The archive is ``$STIX_ARCHIVE``, such as that of ``make demo``. A relay between client and server counts the bytes.
"""

from __future__ import annotations

import io
import logging
import os
import selectors
import socket
import tempfile
import threading
import urllib.request
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from archive import Archive, ImageFilter
from archive.client import ArchiveClient
from benchmarks.chromium import serving
from benchmarks.timing import print_table

REPEAT = 3
_BLOCK = 1 << 16


class Relay:
    """Passes connections on to a server and counts what comes back."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._target = (parts.hostname or "127.0.0.1", parts.port or 80)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.received = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return  # closed
            threading.Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def _pass_on(self, client: socket.socket) -> None:
        with client, socket.create_connection(self._target) as server, selectors.DefaultSelector() as selector:
            selector.register(client, selectors.EVENT_READ, server)
            selector.register(server, selectors.EVENT_READ, client)
            while True:
                for key, _ in selector.select():
                    block = key.fileobj.recv(_BLOCK)  # type: ignore[union-attr]
                    if not block:
                        return
                    if key.fileobj is server:
                        self.received += len(block)
                    key.data.sendall(block)


def run() -> None:
    """Print the table."""
    logging.disable(logging.INFO)
    warnings.simplefilter("ignore")
    archive = Archive(os.environ["STIX_ARCHIVE"])
    content = f"{archive.count_flares()} flares, {archive.count_images()} images"
    with tempfile.TemporaryDirectory(prefix="stix-clients-") as scratch, _relay(archive.root, Path(scratch)) as relay:
        rows = [
            _measured(relay, client, what, step)
            for client, what, step in (
                *_fido(relay.url, archive, Path(scratch)),
                *_hapi(relay.url, archive),
                *_tap(relay.url),
                *_plain(relay.url, archive, Path(scratch)),
            )
        ]
    title = f"Clients on the same machine, {content}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}"
    print_table(title, ["client", "step", "answer", "received", "time"], rows)


type Step = tuple[str, str, Callable[[], object]]


@contextmanager
def _relay(root: Path, scratch: Path) -> Iterator[Relay]:
    with serving(root, scratch / "log.txt") as url:
        relay = Relay(url)
        yield relay
        relay.close()


def _measured(relay: Relay, client: str, what: str, step: Callable[[], object]) -> list[object]:
    """One row: the shortest of some runs, the first of which warms up."""
    times, sizes, answer = [], [], None
    for _ in range(REPEAT):
        before, begin = relay.received, perf_counter()
        answer = step()
        times.append(perf_counter() - begin)
        sizes.append(relay.received - before)
    return [client, what, answer, f"{max(sizes) / 1e3:,.0f} kB", f"{min(times):.2f} s"]


def _fido(url: str, archive: Archive, scratch: Path) -> Iterator[Step]:
    from sunpy.net import Fido
    from sunpy.net import attrs as a

    import archive.fido as ours

    ours.use(url)
    first, last = _range(archive)
    simulated = () if archive.count_images(ImageFilter(simulated=False)) else (a.stix_archive.Simulated(),)
    what = (a.Time(first, last), a.Provider("stix-archive"), a.Level("L3"), a.stix_archive.Method.clean, *simulated)
    found = Fido.search(*what)
    yield "sunpy Fido", "search CLEAN images", lambda: f"{len(Fido.search(*what)[0])} images"
    yield (
        "sunpy Fido",
        "fetch one, check its SHA-256",
        lambda: _size(Fido.fetch(found[0, 0], path=tempfile.mkdtemp(dir=scratch), progress=False)[0]),
    )


def _hapi(url: str, archive: Archive) -> Iterator[Step]:
    from hapiclient import hapi

    day = archive.query("SELECT t_start AS t FROM quicklook_files ORDER BY t_end - t_start DESC LIMIT 1").to_pydict()[
        "t"
    ][0]
    first = (np.datetime64(day, "s") + np.timedelta64(12, "h")).astype("datetime64[D]")
    names = [one["id"] for one in hapi(f"{url}/hapi")["catalog"]]
    dataset = next(name for name in ("lightcurve", "simulated_lightcurve") if name in names)

    def day_of(form: str) -> str:
        data, _ = hapi(f"{url}/hapi", dataset, "", f"{first}T00:00:00Z", f"{first + 1}T00:00:00Z", format=form)
        return f"{len(data)} bins"

    for form in ("binary", "csv"):
        yield "hapiclient", f"a day of light curves, {form}", lambda form=form: day_of(form)


def _tap(url: str) -> Iterator[Step]:
    import pyvo

    service = pyvo.dal.TAPService(f"{url}/tap")
    for table in ("flares", "images", "epn_core"):
        query = f"SELECT * FROM stix.{table}"
        yield "pyvo", f"all of stix.{table}", lambda query=query: f"{len(service.search(query))} rows"


def _plain(url: str, archive: Archive, scratch: Path) -> Iterator[Step]:
    import feedparser
    from astropy.io.votable import parse_single_table

    def read(path: str) -> bytes:
        with urllib.request.urlopen(f"{url}/{path}", timeout=60) as answer:
            return bytes(answer.read())

    client = ArchiveClient(url, cache=scratch / "cache")
    recipe_id = archive.images(limit=1)[0].recipe_id
    yield "archive.client", "flares as a table", lambda: f"{len(client.flares().to_table())} rows"
    yield "archive.client", "images as a data frame", lambda: f"{len(client.images().to_pandas())} rows"
    images = "api/v1/images?format=votable"
    yield "astropy VOTable", "all images", lambda: f"{len(parse_single_table(io.BytesIO(read(images))).array)} rows"
    yield "feedparser", "feed of flares", lambda: f"{len(feedparser.parse(read('feed.xml')).entries)} entries"
    yield "browser", "landing page", lambda: f"{len(read(f'image/{recipe_id}')) / 1e3:.0f} kB of HTML"


def _range(archive: Archive) -> tuple[str, str]:
    row: dict[str, Any] = archive.rows("SELECT min(t_start) AS first, max(t_end) AS last FROM images")[0]
    return str(row["first"]), str(row["last"])


def _size(path: str) -> str:
    return f"{Path(path).stat().st_size / 1e3:.0f} kB"
