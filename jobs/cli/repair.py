"""Repairs of ``stix-jobs check --repair`` that compute: images and spectra from their recipes, and the flare list.

An image or a spectrum is made again with the same recipe, context and creation time, so the same software writes the
same file.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np

from archive import Archive, Image, Run, RunKind, Spectrum
from archive.atomic import copy_file
from archive.checks.findings import Code, Finding
from archive.errors import NotInArchive
from archive.index.recorded import RECORDED, RecordedRow
from archive.index.records import read_record
from archive.layout import parse_image_name
from jobs.imaging.task import RunContext, RunRows, write_products
from jobs.inputs import classes_of
from jobs.previews.run import index_previews, notes_of
from jobs.regions.task import RegionTask, run_regions
from jobs.spectra.task import SpectrumContext, SpectrumTask, run_spectrum
from stixcore.errors import ReconstructionError, StixError
from stixcore.imaging.declaration import StoredParameters
from stixcore.imaging.methods import missing_package
from stixcore.imaging.reconstruction import method_name
from stixcore.imaging_spectroscopy.region_recipe import RegionRecipe
from stixcore.pointings import with_solutions
from stixcore.recipe import FileReference, Recipe, sha256_of
from stixcore.reconstruct import reconstruct
from stixcore.spectrum_recipe import SpectrumRecipe

log = logging.getLogger(__name__)

#: Folder of the archive with the imported flare lists, in the order of import.
FLARE_LISTS = "flare_lists"


@dataclass(frozen=True)
class Remaker:
    """Makes the images of a run again from its recipe; the argument ``remake`` of `archive.checks.run.check`.

    User, time and flare of the run are taken from the index. Uncertainty maps that were added to an image are not made
    again, because they are not part of the recipe.

    Attributes
    ----------
    archive : Archive
        Holds the science, background and auxiliary files of the recipe, unchanged.
    """

    archive: Archive

    def __call__(self, run: Run, images: Sequence[Image]) -> bool:
        """Make the images of a run again; returns whether its files and rows are complete."""
        begin = perf_counter()
        try:
            recipe = Recipe.from_json(run.recipe or "")
            _require_packages(recipe)
            made = reconstruct(recipe, self._locate, catalog=self.archive.calibration)
            made = with_solutions(made, map(self._locate, recipe.aspect))
            science = self._locate(recipe.science)
            context = self._context(run, images)
            outcome = write_products(self.archive.root, made, science, context, run.started_at, begin=begin)
        except StixError as error:
            log.warning("run %s cannot be made again: %s", run.run_id, error)
            return False
        self._clear(outcome)
        kept = {image.image_id for image in outcome.images}
        with self.archive.write_lock():
            index_previews(self.archive, [outcome])
            self.archive.delete("images", [image.image_id for image in images if image.image_id not in kept])
        log.info("run %s was made again", run.run_id)
        return True

    def _locate(self, reference: FileReference) -> Path:
        return self.archive.locate(reference.name)

    def _context(self, run: Run, images: Sequence[Image]) -> RunContext:
        """Properties of a run that are not in its recipe; the GOES class is from an image, the record or the flare."""
        record = read_record(self.archive.root / run.folder) if run.folder else None
        known = [*images, *(record.images if record else ())]
        classes = classes_of(known[0] if known else None)
        if not known and run.flare_id:
            with suppress(NotInArchive):
                classes = classes_of(self.archive.flare(run.flare_id))
        return RunContext(
            kind=RunKind(run.kind),
            author=run.author,
            uid=run.uid,
            science_name=run.science_name,
            band=run.band,
            flare_id=run.flare_id,
            **classes,
            background_uid=run.background_uid,
            background_reason=run.background_reason,
            background_candidates=run.background_candidates,
            simulated=run.simulated,
            hidden=run.hidden,
            group_id=run.group_id,
            window_reason=run.window_reason,
            notes=notes_of(run),
        )

    def _clear(self, outcome: RunRows) -> None:
        """Remove images that the recipe no longer makes, for instance because a method now fails."""
        if outcome.run.folder is None:
            return
        kept = {Path(image.file).name for image in outcome.images}
        for path in (self.archive.root / outcome.run.folder).glob("stix_L3_*.fits"):
            if path.name not in kept and parse_image_name(path.name).recipe_id == outcome.run.run_id:
                path.unlink()


def _require_packages(recipe: Recipe) -> None:
    """Refuse a recipe with a method that is not installed: its images, which may be sound, would be removed."""
    for method, parameters in recipe.methods.items():
        if isinstance(parameters, StoredParameters):
            message = f"{method_name(method)} cannot be made: {missing_package(method, recipe.packages[method])}"
            raise ReconstructionError(message)


@dataclass(frozen=True)
class SpectrumRemaker:
    """Makes spectra again from their recipes; the argument ``remeasure`` of `archive.checks.run.check`.

    Author, flare and creation time are taken from its row.

    Attributes
    ----------
    archive : Archive
        Holds the science, background and auxiliary files of the recipe, unchanged.
    """

    archive: Archive

    def __call__(self, row: RecordedRow) -> bool:
        """Make it again; returns whether its files, record and row are complete."""
        kind = RECORDED["spectra" if isinstance(row, Spectrum) else "region_spectra"]
        named = f"{kind.noun} {kind.key(row)}"
        try:
            made = self._make(row)
        except StixError as error:
            log.warning("%s cannot be made again: %s", named, error)
            return False
        self.archive.write_recorded(kind, [made])
        log.info("%s made again", named)
        return True

    def _make(self, row: RecordedRow) -> RecordedRow:
        archive, calibration = self.archive, self.archive.calibration
        if isinstance(row, Spectrum):
            recipe = SpectrumRecipe.from_json(row.recipe)
            _require_same(recipe.spectrum_id, row.spectrum_id)
            return run_spectrum(
                SpectrumTask.of_recipe(
                    archive, recipe, self._context(row), created=row.created_at, calibration=calibration
                )
            )
        regions = RegionRecipe.from_json(row.recipe)
        _require_same(regions.region_id, row.region_id)
        return run_regions(
            RegionTask.of_recipe(archive, regions, self._context(row), created=row.created_at, calibration=calibration)
        )

    def _context(self, row: RecordedRow) -> SpectrumContext:
        return SpectrumContext(
            kind=RunKind(row.kind),
            author=row.author,
            uid=row.uid,
            science_name=row.science_name,
            flare_id=row.flare_id,
            background_uid=row.background_uid,
            hidden=row.hidden,
        )


def _require_same(found: str, key: str) -> None:
    if found != key:
        message = f"its recipe is that of {found}"
        raise StixError(message)


def keep_flare_list(archive: Archive, csv_path: Path) -> Path:
    """Store an imported flare list, so that its flares can be restored. The same list is stored once.

    Returns
    -------
    Path
        ``flare_lists/<number>/<name>`` in the archive; rows have the name of their list.
    """
    folder, sha256 = archive.root / FLARE_LISTS, sha256_of(csv_path)
    with archive.write_lock():
        kept = _flare_lists(archive)
        for path in kept:
            if sha256_of(path) == sha256:
                return path
        number = int(kept[-1].parent.name) + 1 if kept else 1
        place = folder / f"{number:04d}" / csv_path.name
        copy_file(csv_path, place, sha256)
    return place


def lost_flares(archive: Archive, findings: Iterable[Finding]) -> bool:
    """Whether a check has found that flares are lost: a month of them, or the whole index."""
    codes = {finding.code for finding in findings}
    return Code.ROWS_LOST in codes or (
        Code.FILE_UNINDEXED in codes and archive.query("SELECT 1 FROM flares LIMIT 1").num_rows == 0
    )


def restore_flares(archive: Archive, now: np.datetime64) -> int:
    """Restore the flare list: detect flares in all light curves and import every stored list again.

    Rows that are not lost do not change.

    Returns
    -------
    int
        Number of rows written.
    """
    from jobs.flares.detect import detect_flares
    from jobs.flares.lists import import_flares
    from jobs.flares.refresh import refresh_flares

    written = {*detect_flares(archive, None, None, now).written}
    for path in _flare_lists(archive):
        written |= {*import_flares(archive, path, now).written}
    return len(written | refresh_flares(archive, now, everything=True))


def _flare_lists(archive: Archive) -> list[Path]:
    """Stored lists, in the order of import."""
    return sorted(path for path in (archive.root / FLARE_LISTS).glob("[0-9]*/[!.]*") if path.parent.name.isdigit())
