"""One image set of a request: made once, filed once, however often somebody is killed on the way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from time import perf_counter

from archive import Archive
from archive.atomic import leftovers
from archive.errors import NotInArchive
from archive.index.filters import ImageFilter
from archive.index.records import keep_records
from archive.index.schema import Image, Run, RunStatus
from jobs.executors.base import report_progress
from jobs.imaging.task import ImagingOutcome, ImagingTask, Locator, write_products
from stixcore.image_files.layout import UNCERTAINTY_EXTENSION
from stixcore.image_files.read import has_extension
from stixcore.imaging.methods import PARAMETERS
from stixcore.imaging.reconstruction import METHOD_NAMES, Method
from stixcore.recipe import sha256_of
from stixcore.reconstruct import prepare_recipe, reconstruct


@dataclass(frozen=True)
class PartResult:
    """An image set that was made: its run and rows, or (``outcome`` None) the run that had been there."""

    run_id: str
    hidden: bool
    outcome: ImagingOutcome | None


def run_part(task: ImagingTask) -> PartResult:
    """Make an image set, unless the archive has it already: recipe, images, files. The index is not touched.

    It reports one step per method, one before and one after.

    Raises
    ------
    StixError
        When the files or the selection allow no image.
    """
    begin, hidden, steps = perf_counter(), task.context.hidden, len(task.request.methods or PARAMETERS) + 2
    report_progress("finding the flare", 1, steps)
    recipe = prepare_recipe(task.request, task.science, task.background, task.aspect, catalog=task.calibration)
    archive = _archive(str(task.root))
    if is_finished(archive, recipe.recipe_id) and (not task.ensemble or _has_error_bars(archive, recipe.recipe_id)):
        return PartResult(recipe.recipe_id, hidden, None)
    images = reconstruct(
        recipe,
        Locator.of(task.science, task.background, *task.aspect),
        progress=lambda method, number, _: report_progress(METHOD_NAMES[method], number + 2, steps),
        ensemble=task.ensemble,
        catalog=task.calibration,
    )
    report_progress("writing files", steps, steps)
    made = write_products(task.root, images, task.science, task.context, task.created, begin=begin)
    _sweep(task.root, made)
    return PartResult(recipe.recipe_id, hidden, made)


def is_finished(archive: Archive, recipe_id: str) -> bool:
    """Whether a recipe was run, its rows are in the index and its files are those the rows describe."""
    run = _run(archive, recipe_id)
    if run is None or run.status != RunStatus.DONE:
        return False
    images = _images(archive, recipe_id)  # all there were: they come before their run
    return bool(images) and all(_is_there(archive, image) for image in images)


def file_results(archive: Archive, results: Iterable[PartResult]) -> set[str]:
    """Put image sets into the index, images first. What is there already stays, and shows if one asker wants it to.

    The same recipe may have been run twice at a time, by a preview or by the orphan of a dead worker. Its files then
    hold the same images under another date; rows and record follow the files.

    Returns
    -------
    set of str
        Runs that had been there when they were asked for, and are gone.
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
            elif result.outcome is not None:
                known, hidden, present = result.outcome.run, result.hidden, []
            else:
                gone.add(result.run_id)
                continue
            runs[result.run_id] = known
            made = result.outcome.images if result.outcome is not None else ()
            rows = {image.image_id: image for image in (*made, *present)}
            images |= {key: replace(_as_on_disk(archive, image), hidden=hidden) for key, image in rows.items()}
        keep_records(archive.root, runs.values(), images.values())
        archive.upsert("images", images.values())
        archive.upsert("runs", runs.values())
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
    """Whether every image but the full disk has its uncertainty map."""
    images = [image for image in _images(archive, recipe_id) if image.method != Method.FULL_DISK_BP]
    return all(has_extension(archive.path_of(image.file), UNCERTAINTY_EXTENSION) for image in images)


def _as_on_disk(archive: Archive, image: Image) -> Image:
    path = archive.path_of(image.file)
    return replace(image, sha256=sha256_of(path), size=path.stat().st_size)


def _sweep(root: Path, made: ImagingOutcome) -> None:
    """Remove what a killed process left half-written in the folder of this recipe."""
    first = min((root / image.file).stat().st_mtime for image in made.images)
    for path in leftovers((root / made.images[0].file).parent):
        if path.stat().st_mtime < first:
            path.unlink(missing_ok=True)
