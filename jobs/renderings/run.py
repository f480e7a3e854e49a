"""Submit, make, find and remove animations, overlays and cubes.

``<archive>/renderings/<rendering_id>/`` holds the files of one rendering and ``rendering.json``, which describes them.
The folder is created in one step, so it needs no row in the index. Pages import this module, so it must import fast.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from archive import Archive, Image
from archive.atomic import PART
from archive.errors import NotInArchive
from jobs.executors.base import report_progress
from jobs.queue.journal import Journal, Request
from jobs.queue.submit import science_file_of
from jobs.renderings.overlay_maps import check_map, map_path
from jobs.renderings.requests import CubeRequest, OverlayRequest, RenderingRequest
from jobs.shared.errors import BadRequest
from jobs.shared.limits import Limits
from stixcore.recipe import sha256_of
from stixcore.times import format_time

FOLDER, RECORD = "renderings", "rendering.json"
#: How long a rendering is kept; after that a new request makes it again.
KEPT = np.timedelta64(30, "D")
#: Allowed names of files of a rendering, with their media types.
MEDIA_TYPES = {
    ".mp4": "video/mp4",
    ".gif": "image/gif",
    ".png": "image/png",
    ".zip": "application/zip",
    ".csv": "text/csv",
    ".fits": "application/fits",
    ".json": "application/json",
}


@dataclass(frozen=True)
class RenderTask:
    """A rendering to be made. It can be pickled.

    Attributes
    ----------
    root : Path
        Folder of the archive.
    request_id : int
    request : RenderingRequest
    user : str
    created : datetime64
    """

    #: A cube needs the images of the other tasks.
    waits_for_others: ClassVar[bool] = True
    #: Computing time, in image sets.
    image_sets: ClassVar[int] = 1

    root: Path
    request_id: int
    request: RenderingRequest
    user: str
    created: np.datetime64


@dataclass(frozen=True)
class RenderResult:
    """A rendering that was made or already existed."""

    run_id: str


@dataclass(frozen=True)
class Rendering:
    """A rendering in the archive: folder, names of its files, and notes about it."""

    folder: Path
    files: tuple[str, ...]
    notes: tuple[str, ...]


def submit_rendering(
    archive: Archive,
    journal: Journal,
    request: RenderingRequest,
    user: str,
    now: np.datetime64,
    limits: Limits | None = None,
    *,
    operator: bool = False,
) -> tuple[Request, bool]:
    """Put a request into the queue. If the same user has submitted it before, the earlier one is returned.

    Operators may use maps that others have uploaded.

    Raises
    ------
    BadRequest
        When an image or a map is missing or hidden from this user, or the file of a cube lacks the data.
    LimitReached, NotAllowed
        When a limit is exceeded; when the user is a guest.
    """
    if isinstance(request, CubeRequest):
        if request.imaging.seed:
            message = "imaging.seed: has no effect on a cube, whose copies have the seed 0; leave it out"
            raise BadRequest(message)
        request.imaging.check_limits(limits or Limits())
        file = science_file_of(archive, request.imaging.uid)
        request.imaging.check_file(file)
        uid = file.uid
    else:
        uid = images_of(archive, request.images, user)[0].uid
    if isinstance(request, OverlayRequest):
        check_map(archive, request.looks.map_file or "", user, operator=operator)
    body = request.to_json()
    earlier = journal.last_done(body, user)
    if earlier is not None and earlier.user == user and find_rendering(archive, journal, earlier) is not None:
        return earlier, False
    return journal.submit(user, body, now, uid=uid, task_count=request.task_count, limits=limits)


def images_of(archive: Archive, ids: Sequence[str], user: str) -> list[Image]:
    """Images by id, in that order.

    Raises
    ------
    BadRequest
        When one of them is missing or hidden from this user.
    """
    images = []
    for image_id in ids:
        try:
            image = archive.image(image_id)
        except NotInArchive:
            image = None
        if image is None or (image.hidden and image.author != user):
            message = f"there is no image {image_id!r}"
            raise BadRequest(message)
        images.append(image)
    return images


def find_rendering(archive: Archive, journal: Journal, request: Request) -> Rendering | None:
    """The rendering of a request; None when there is none yet, or no longer."""
    for part in reversed(journal.parts(request.request_id)):
        if part.run_id:
            folder = archive.root / FOLDER / part.run_id
            try:
                record = json.loads((folder / RECORD).read_text("utf-8"))
            except (OSError, ValueError):
                continue
            return Rendering(folder, tuple(record["files"]), tuple(record["notes"]))
    return None


def purge_renderings(archive: Archive, now: np.datetime64, kept: np.timedelta64 = KEPT) -> int:
    """Remove renderings older than ``kept`` and folders left by killed workers; returns how many.

    Nothing is lost, because a new request makes them again.
    """
    folder, removed = archive.root / FOLDER, 0
    for one in folder.iterdir() if folder.is_dir() else ():
        if one.name.startswith(PART):
            _remove_unfinished(one, now)
        elif _changed(one / RECORD if (one / RECORD).is_file() else one) < now - kept:
            gone = one.with_name(f"{PART}{secrets.token_hex(8)}")
            one.rename(gone)  # removed in one step, as it was created
            shutil.rmtree(gone, ignore_errors=True)
            removed += 1
    return removed


def run_rendering(task: RenderTask) -> RenderResult:
    """Make a rendering, unless it exists.

    Raises
    ------
    StixError
        When there is nothing to draw, or a map cannot be read.
    """
    from jobs.renderings.work import animate, assemble_cube, overlay

    archive, request = Archive(task.root), task.request
    if isinstance(request, CubeRequest):
        images = _images_of_parts(archive, task)
    else:
        images = images_of(archive, request.images, task.user)
    rendering_id = _identity(archive, request, images)
    folder = archive.root / FOLDER / rendering_id
    if (folder / RECORD).is_file():
        return RenderResult(rendering_id)
    with _whole_folder(folder, task.created) as part:
        report_progress("reading images", 1, len(images) + 2)
        if isinstance(request, CubeRequest):
            notes = assemble_cube(archive, images, request.looks, part)
        elif isinstance(request, OverlayRequest):
            notes = overlay(archive, images, map_path(archive, request.looks.map_file or ""), request.looks, part)
        else:
            notes = animate(archive, images, request.looks, part)
        record = {
            "request": json.loads(request.to_json()),
            "user": task.user,
            "created": format_time(task.created),
            "images": [image.image_id for image in images],
            "files": sorted(path.name for path in part.iterdir()),
            "notes": notes,
        }
        (part / RECORD).write_text(json.dumps(record, indent=1, ensure_ascii=False), "utf-8")
    return RenderResult(rendering_id)


@contextmanager
def _whole_folder(folder: Path, now: np.datetime64) -> Iterator[Path]:
    """A hidden folder that gets its name when the block ends without an error."""
    for left in folder.parent.glob(f"{PART}*"):
        _remove_unfinished(left, now)
    part = folder.parent / f"{PART}{secrets.token_hex(8)}"
    part.mkdir(parents=True)
    try:
        yield part
        if not folder.is_dir():  # otherwise an orphaned task of a dead worker has made the same
            part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _remove_unfinished(part: Path, now: np.datetime64) -> None:
    """Remove the unfinished folder of a worker that was killed long ago."""
    if _changed(part) < now - np.timedelta64(1, "D"):
        shutil.rmtree(part, ignore_errors=True)


def _changed(path: Path) -> np.datetime64:
    """Time of the last modification, UTC."""
    return np.datetime64(round(path.stat().st_mtime), "s")


def _images_of_parts(archive: Archive, task: RenderTask) -> list[Image]:
    """Images for a cube, made by the other tasks of its request."""
    runs = [part.run_id for part in Journal(task.root).parts(task.request_id) if part.run_id]
    images = [image for run in runs for image in _of_run(archive, run) if not image.hidden or image.author == task.user]
    if not images:
        message = "none of the image sets could be made"
        raise BadRequest(message)
    return images


def _of_run(archive: Archive, run_id: str) -> list[Image]:
    from archive.index.filters import ImageFilter

    return archive.images(ImageFilter(recipe_id=run_id, all_hidden=True), limit=20)


def _identity(archive: Archive, request: RenderingRequest, images: Sequence[Image]) -> str:
    """16 hex digits of a hash of the request and of the contents of all files it uses."""
    digest = hashlib.sha256(request.to_json().encode())
    for image in images:
        digest.update(image.sha256.encode())
    if isinstance(request, OverlayRequest):
        digest.update(sha256_of(map_path(archive, request.looks.map_file or "")).encode())
    return digest.hexdigest()[:16]
