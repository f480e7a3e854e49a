"""Make image sets of requests once and put them into the index once, even if a worker is killed in between."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache

from archive import Archive
from archive.errors import NotInArchive
from archive.index.filters import ImageFilter
from archive.index.schema import Image, Run, RunStatus
from jobs.imaging.task import ImagingResult, ImagingTask, run_task
from stixcore.image_files.layout import UNCERTAINTY_EXTENSION
from stixcore.image_files.read import has_extension
from stixcore.imaging.reconstruction import Method
from stixcore.recipe import sha256_of


def make_once(task: ImagingTask) -> ImagingResult:
    """Run a task, unless the archive already has its images, with error bars if the task asks for them.

    Raises
    ------
    StixError
        When the files or the selection allow no image.
    """
    archive = _archive(str(task.root))

    def is_made(recipe_id: str) -> bool:
        return is_finished(archive, recipe_id) and (not task.ensemble or _has_error_bars(archive, recipe_id))

    return run_task(task, is_made=is_made)


def is_finished(archive: Archive, recipe_id: str) -> bool:
    """Whether the run of a recipe is done and in the index, and its files match its rows."""
    run = _run(archive, recipe_id)
    if run is None or run.status != RunStatus.DONE:
        return False
    images = _images(archive, recipe_id)  # complete, because images are written before their run
    return bool(images) and all(_is_there(archive, image) for image in images)


def index_results(archive: Archive, results: Iterable[ImagingResult]) -> set[str]:
    """Put image sets into the index, images first. Existing rows stay, and become visible if one author wants it.

    Two processes may have run the same recipe at once, for instance one whose worker has died. Its files then
    have the same pixels and another date, and its rows and record are updated to match.

    Returns
    -------
    set of str
        Runs that existed when their task ran and have been removed since.
    """
    with archive.write_lock():
        runs: dict[str, Run] = {}
        images: dict[str, Image] = {}
        gone: set[str] = set()
        for result in results:
            known = runs.get(result.run_id) or _run(archive, result.run_id)
            if known is not None and known.status == RunStatus.DONE:
                hidden = known.hidden and result.hidden
                known, present = replace(known, hidden=hidden), _images(archive, result.run_id)
            elif result.rows is not None:
                known, hidden, present = result.rows.run, result.hidden, []
            else:
                gone.add(result.run_id)
                continue
            runs[result.run_id] = known
            made = result.rows.images if result.rows is not None else ()
            rows = {image.image_id: image for image in (*made, *present)}
            images |= {key: replace(_as_on_disk(archive, image), hidden=hidden) for key, image in rows.items()}
        archive.write_runs(runs.values(), images.values())
    return gone


@lru_cache(maxsize=4)
def _archive(root: str) -> Archive:
    return Archive(root)


def _run(archive: Archive, run_id: str) -> Run | None:
    try:
        return archive.run(run_id)
    except NotInArchive:
        return None


def _images(archive: Archive, recipe_id: str) -> list[Image]:
    return archive.images(ImageFilter(recipe_id=recipe_id, all_hidden=True))


def _is_there(archive: Archive, image: Image) -> bool:
    path = archive.path_of(image.file)
    pictures = [archive.path_of(picture) for picture in (image.png, image.thumbnail) if picture]
    return path.is_file() and all(p.is_file() for p in pictures) and sha256_of(path) == image.sha256


def _has_error_bars(archive: Archive, recipe_id: str) -> bool:
    """Whether every image except the full-disk map has an uncertainty map."""
    images = [image for image in _images(archive, recipe_id) if image.method != Method.FULL_DISK_BP]
    return all(has_extension(archive.path_of(image.file), UNCERTAINTY_EXTENSION) for image in images)


def _as_on_disk(archive: Archive, image: Image) -> Image:
    path = archive.path_of(image.file)
    return replace(image, sha256=sha256_of(path), size=path.stat().st_size)
