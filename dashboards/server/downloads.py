"""Downloads of several images: bundle, table, and scripts for an animation or an overlay.

``/archive/selection/bundle.zip|table.csv|table.parquet|animation.py|overlay.py?images=<id>,<id>…``
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from tornado.iostream import StreamClosedError
from tornado.web import HTTPError, RequestHandler

from archive import Archive, Image
from archive.layout import stamp
from archive.scripts.bundle import FOLDER, ExtraFile, bundle_members, bundle_paths
from archive.scripts.selections import AnimationLooks, OverlayLooks, animation_script, overlay_script
from archive.scripts.sources import ImageSource, read_sources
from archive.scripts.tables import images_csv, images_parquet
from dashboards.server.conditional import check_conditions, send_content
from dashboards.server.download_pieces import make_piece, send_pieces
from dashboards.server.fair_queue import Busy
from dashboards.server.fair_use import client_of, fair_use, look_up_file, refuse_json
from dashboards.server.responses import write_json_error
from dashboards.server.scripts import server_address
from dashboards.shared.access import Visitor, visible_image
from dashboards.shared.clock import now
from dashboards.shared.source import archive_source
from dashboards.shared.visitors import visitor_asking
from jobs.renderings.requests import AnimationRequest, OverlayRequest
from jobs.shared.errors import BadRequest, LimitReached


class SelectionHandler(RequestHandler):
    """Sends a download of the images named in the URL."""

    async def get(self, what: str) -> None:
        """Send the download."""
        try:
            ids = parse_ids(self.get_query_argument("images", ""))
            make = _SENDERS[what]
            await make(self, ids)
        except Busy as busy:
            refuse_json(self, busy)
        except (BadRequest, LimitReached) as error:
            raise HTTPError(400, reason="Bad Request") from error
        except StreamClosedError:
            return  # the client has disconnected

    async def head(self, what: str) -> None:
        """Send the headers."""
        await self.get(what)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Send one JSON object with one sentence."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        write_json_error(self, status_code, str(error.__cause__) if error is not None and error.__cause__ else "")


def announce(handler: RequestHandler, name: str, media_type: str) -> None:
    """Set the headers of a file that the browser saves."""
    handler.set_header("Content-Type", media_type)
    handler.set_header("Content-Disposition", f'attachment; filename="{name}"')
    handler.set_header("X-Content-Type-Options", "nosniff")
    handler.set_header("Cache-Control", "no-cache")


def parse_ids(text: str) -> tuple[str, ...]:
    """Ids of images from a comma-separated list, without duplicates.

    Raises
    ------
    BadRequest, LimitReached
    """
    return AnimationRequest(tuple(dict.fromkeys(part for part in text.split(",") if part))).images


def visible_images(archive: Archive, ids: Sequence[str], visitor: Visitor) -> list[Image]:
    """Images by id, in the given order.

    Raises
    ------
    NotInArchive
        If one of them does not exist for this visitor.
    """
    return [visible_image(archive, image_id, visitor) for image_id in ids]


async def _send_script(handler: SelectionHandler, ids: Sequence[str], kind: str) -> None:
    write = _script_of(handler, ids, kind)
    visitor, server = await visitor_asking(handler), server_address(handler)

    def script() -> str:
        return write(
            archive_source().ask(lambda archive: read_sources(archive, visible_images(archive, ids, visitor), server))
        )

    text = await look_up_file(handler, script)
    announce(handler, f"stix_{kind}.py", "text/x-python; charset=utf-8")
    send_content(handler, text)


def _script_of(handler: SelectionHandler, ids: Sequence[str], kind: str) -> Callable[[Sequence[ImageSource]], str]:
    given = {name: handler.get_query_argument(name) for name in handler.request.query_arguments if name != "images"}
    if kind == "animation":
        animation = AnimationLooks(**_values(AnimationLooks(), given))
        AnimationRequest(tuple(ids), animation)  # raises an error for invalid options
        return lambda sources: animation_script(sources, animation)
    values = _values(OverlayLooks(), given)
    overlay = OverlayLooks(**values)
    OverlayRequest(tuple(ids), OverlayLooks(**(values | {"map_file": "map.fits"})))
    if overlay.instrument not in ("aia", "eui"):
        message = f"instrument: expected aia or eui, found {overlay.instrument!r}"
        raise BadRequest(message)
    return lambda sources: overlay_script(sources, overlay)


def _values(default: AnimationLooks | OverlayLooks, given: Mapping[str, str]) -> dict[str, Any]:
    """Options from the query string, each with the type of its default."""
    values: dict[str, Any] = {}
    for name, text in given.items():
        if name not in {field.name for field in fields(default)} or name == "map_file":
            message = f"unknown parameter {name[:60]!r}"
            raise BadRequest(message)
        try:
            values[name] = _value(getattr(default, name), text)
        except ValueError as error:
            message = f"{name}: {text[:60]!r} is not a valid value"
            raise BadRequest(message) from error
    return values


def _value(default: Any, text: str) -> Any:
    if isinstance(default, bool):
        return {"true": True, "false": False}[text] if text in ("true", "false") else bool(int(text))
    if isinstance(default, tuple):
        return tuple(float(part) for part in text.split(","))
    if default is None:
        return float(text) if text else None
    return type(default)(text)


async def _send_table(handler: SelectionHandler, ids: Sequence[str], form: str) -> None:
    visitor, is_csv = await visitor_asking(handler), form == "csv"

    def table() -> str | bytes:
        chosen = archive_source().ask(lambda archive: visible_images(archive, ids, visitor))
        return images_csv(chosen) if is_csv else images_parquet(chosen)

    content = await look_up_file(handler, table)
    announce(handler, f"stix_images.{form}", "text/csv; charset=utf-8" if is_csv else "application/vnd.apache.parquet")
    send_content(handler, content)


async def _send_bundle(handler: SelectionHandler, ids: Sequence[str]) -> None:
    """Send a zip file while it is written: no more than one member is in memory.

    File lookups, scripts and compression all run in the threads for downloads.
    """
    inputs = handler.get_query_argument("inputs", "no") == "yes"
    visitor, server = await visitor_asking(handler), server_address(handler)

    def begin() -> tuple[Iterator[bytes], str]:
        def look(archive: Archive) -> tuple[tuple[ImageSource, ...], dict[str, Path]]:
            sources = read_sources(archive, visible_images(archive, ids, visitor), server)
            return sources, bundle_paths(archive, sources, inputs=inputs)

        sources, paths = archive_source().ask(look)
        check_size(paths)
        created = now()
        return bundle_pieces(sources, paths, created, inputs=inputs), f"stix_images_{stamp(created)}.zip"

    await send_bundle(handler, begin)


def check_size(paths: Mapping[str, Path]) -> None:
    """Check the size of a bundle.

    Raises
    ------
    LimitReached
    """
    size = sum(path.stat().st_size for path in paths.values() if path.is_file())
    most = fair_use().limits.bundle
    if size > most:
        message = f"{size >> 20} MiB exceed the limit of {most >> 20} MiB; select fewer images or no input files"
        raise LimitReached(message)


async def send_bundle(handler: RequestHandler, begin: Callable[[], tuple[Iterator[bytes], str]]) -> None:
    """Send a zip file; ``begin`` returns its chunks and its name."""
    end = fair_use().downloads.begin(client_of(handler.request))
    try:
        pieces, name = await make_piece(handler, begin)
        piece = await make_piece(handler, lambda: next(pieces, None))
        announce(handler, name, "application/zip")
        if not check_conditions(handler) or handler.request.method == "HEAD":
            handler.finish()
            return
        await send_pieces(handler, piece, pieces, "a bundle")
    finally:
        end()
    handler.finish()


def bundle_pieces(
    sources: Sequence[ImageSource],
    paths: Mapping[str, Path],
    created: np.datetime64,
    *,
    inputs: bool,
    extra: Sequence[ExtraFile] = (),
    folder: str = FOLDER,
) -> Iterator[bytes]:
    """The zip file of a bundle, one member at a time.

    Parameters
    ----------
    sources : sequence of ImageSource
    paths : mapping of str to Path
        Paths of files, by name.
    created : datetime64
        Time of all members, UTC.
    inputs : bool
        Whether to include the level-1, auxiliary and calibration files.
    extra : sequence of ExtraFile
        Further files.
    folder : str
        Name of the folder in the zip file.
    """
    drain = _Drain()
    with zipfile.ZipFile(drain, "w") as package:
        members = bundle_members(
            sources, lambda file: paths[file.name], created, inputs=inputs, extra=extra, folder=folder
        )
        for member in members:
            entry = zipfile.ZipInfo(member.name, created.item().timetuple()[:6])
            entry.external_attr = 0o644 << 16  # readable for all; the default of zipfile is owner only
            texts = not member.name.endswith((".fits", ".png", ".pdf"))
            package.writestr(entry, member.read(), zipfile.ZIP_DEFLATED if texts else zipfile.ZIP_STORED)
            yield drain.take()
    yield drain.take()


class _Drain(io.RawIOBase):
    """A write-only stream that is emptied while it is written; it cannot seek, and zip files do not require it."""

    def __init__(self) -> None:
        super().__init__()
        self._content = bytearray()

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, content: Any) -> int:
        """Append bytes."""
        self._content += content
        return len(content)

    def take(self) -> bytes:
        """Return the bytes since the last call."""
        taken = bytes(self._content)
        self._content.clear()
        return taken


_SENDERS: Mapping[str, Any] = {
    "bundle.zip": _send_bundle,
    "table.csv": lambda handler, ids: _send_table(handler, ids, "csv"),
    "table.parquet": lambda handler, ids: _send_table(handler, ids, "parquet"),
    "animation.py": lambda handler, ids: _send_script(handler, ids, "animation"),
    "overlay.py": lambda handler, ids: _send_script(handler, ids, "overlay"),
}
SELECTION_PATHS = "|".join(name.replace(".", r"\.") for name in _SENDERS)
