"""Make one image set, for previews and for requests: files and rows. The caller writes the index."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any, ClassVar

import numpy as np

from archive.atomic import leftovers
from archive.index.records import write_record
from archive.index.schema import Image, Run, RunKind, RunStatus
from archive.layout import image_folder, image_id, skipped_run_id
from jobs.executors.base import report_progress
from jobs.imaging.products import energy_of, errors_of, finite, save_images, save_report, warnings_text
from stixcore.calibration.catalog import SHIPPED, CalibrationCatalog
from stixcore.errors import StixError, public_sentence
from stixcore.imaging.methods import default_methods
from stixcore.imaging.metrics import measure_source
from stixcore.imaging.reconstruction import Reconstruction, method_name
from stixcore.imaging.registry import is_deconvolved
from stixcore.imaging.threads import single_threaded
from stixcore.imaging.trust import Aspect, Finding, about, flux_at_edge, is_trusted, verdict
from stixcore.options import ImageRequest
from stixcore.pointings import with_solutions
from stixcore.recipe import FileReference, Recipe
from stixcore.reconstruct import ImageSet, prepare_recipe, reconstruct
from stixcore.software import software_version

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunContext:
    """Information for the index about a run that is not in its recipe.

    Attributes
    ----------
    kind : RunKind
    author : str
        User who requested it, "auto" for previews.
    uid, science_name, flare_id, goes_class, goes_flux, goes_estimated, goes_estimated_flux
        Properties of the observation, empty or None where unknown.
    band : str
        Energy band, such as "4-10 keV".
    background_uid, background_reason, background_candidates
        The chosen background, the reason, and the candidates (JSON).
    simulated : bool
    hidden : bool
        Only its author and operators can see it.
    group_id : str or None
        Group of image sets to which it belongs; those of a group have no report.
    window_reason : str or None
        Rule that gave time range and band of a preview.
    notes : tuple of Finding
        Added to the findings about the images.
    """

    kind: RunKind
    author: str
    uid: str
    science_name: str
    band: str
    flare_id: str | None = None
    goes_class: str | None = None
    goes_flux: float | None = None
    goes_estimated: str | None = None
    goes_estimated_flux: float | None = None
    background_uid: str | None = None
    background_reason: str | None = None
    background_candidates: str | None = None
    simulated: bool = False
    hidden: bool = False
    group_id: str | None = None
    window_reason: str | None = None
    notes: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class ImagingTask:
    """A task that makes one image set. It can be pickled and sent to another process or machine.

    Attributes
    ----------
    root : Path
        Folder of the archive.
    request : ImageRequest
    science, background, aspect : paths
    context : RunContext
    created : datetime64
        Creation time that is written to files and rows; workers do not use their clock for it.
    ensemble : int
        Number of simulated copies of the data per method, for error bars, if the request asks for none: for previews
        and cubes, whose ids do not depend on it.
    calibration : CalibrationCatalog
        Calibration of the archive, so that every process uses the same tables.
    """

    #: It does not depend on other tasks.
    waits_for_others: ClassVar[bool] = False
    #: Computing time, in image sets.
    image_sets: ClassVar[int] = 1

    root: Path
    request: ImageRequest
    science: Path
    background: Path | None
    aspect: tuple[Path, ...]
    context: RunContext
    created: np.datetime64
    ensemble: int = 0
    calibration: CalibrationCatalog = SHIPPED


@dataclass(frozen=True)
class RunRows:
    """Rows for the index: the run and, when it succeeded, its images."""

    run: Run
    images: tuple[Image, ...] = ()


@dataclass(frozen=True)
class ImagingResult:
    """Result of a task: its run and its rows; ``rows`` is None when the archive already had the images.

    ``hidden`` is whether the task asked for hidden images.
    """

    run_id: str
    hidden: bool
    rows: RunRows | None


def band_label(band: tuple[float, float]) -> str:
    """Energy band as shown on pages and stored with runs, such as "4-10 keV"."""
    return f"{band[0]:g}-{band[1]:g} keV"


@dataclass(frozen=True)
class Locator:
    """Finds the files of a recipe among given paths. It can be pickled."""

    paths: dict[str, Path] = field(default_factory=dict)

    @classmethod
    def of(cls, *paths: Path | None) -> Locator:
        """Make a locator of some paths; None is ignored."""
        return cls({path.name: path for path in paths if path is not None})

    def __call__(self, reference: FileReference) -> Path:
        """Path of a file in a recipe."""
        return self.paths[reference.name]


def run_task(task: ImagingTask, *, is_made: Callable[[str], bool] | None = None) -> ImagingResult:
    """Make the images of a task: recipe, images, files and rows. The index is not changed.

    Progress is reported in one step per method, one before and one after.

    Parameters
    ----------
    task : ImagingTask
    is_made : callable, optional
        Whether the archive already has the images of a recipe id. If so, nothing is made.

    Raises
    ------
    StixError
        When the files or the selection allow no image.
    """
    begin, hidden = perf_counter(), task.context.hidden
    recipe = _prepare(task)
    if is_made is not None and is_made(recipe.recipe_id):
        return ImagingResult(recipe.recipe_id, hidden, None)
    rows = _run(task, recipe, begin)
    return ImagingResult(rows.run.run_id, hidden, rows)


def run_preview(task: ImagingTask) -> RunRows:
    """Run the task of a preview. If no image is possible, the result is a failed run instead of an exception."""
    begin = perf_counter()
    try:
        return _run(task, _prepare(task), begin)
    except StixError as error:
        log.warning("%s %s: %s", task.context.uid, task.context.band, error)
        return RunRows(failed_run(task, public_sentence(error), perf_counter() - begin))


def _prepare(task: ImagingTask) -> Recipe:
    report_progress("finding the flare", 1, _steps(task))
    return prepare_recipe(task.request, task.science, task.background, task.aspect, catalog=task.calibration)


def _run(task: ImagingTask, recipe: Recipe, begin: float) -> RunRows:
    steps = _steps(task)
    locate = Locator.of(task.science, task.background, *task.aspect)
    run = partial(
        reconstruct,
        locate=locate,
        progress=lambda method, number, _: report_progress(method_name(method), number + 2, steps),
        ensemble=task.ensemble or None,  # those of the recipe
        catalog=task.calibration,
    )
    images = run(recipe)
    if task.context.kind == RunKind.AUTO and any(flux_at_edge(image) for image in _models(images)):
        # Flux from outside the field collects at its edge: repeat with a field twice as wide and as many pixels.
        images = run(replace(recipe, pixel=2.0 * recipe.pixel))
    report_progress("writing files", steps, steps)
    images = with_solutions(images, map(locate, recipe.aspect))
    rows = write_products(task.root, images, task.science, task.context, task.created, begin=begin)
    _remove_leftovers(task.root, rows)
    return rows


def _steps(task: ImagingTask) -> int:
    """Number of steps that a task reports: one per method, one before and one after."""
    return len(task.request.methods or default_methods()) + 2


def _remove_leftovers(root: Path, made: RunRows) -> None:
    """Remove unfinished files of a killed process from the folder of this recipe."""
    first = min((root / image.file).stat().st_mtime for image in made.images)
    for path in leftovers((root / made.images[0].file).parent):
        if path.stat().st_mtime < first:
            path.unlink(missing_ok=True)


def _models(images: ImageSet) -> list[Reconstruction]:
    """The images that are models of the source."""
    return [image for method, image in images.images.items() if is_deconvolved(method)]


def write_products(
    root: Path,
    images: ImageSet,
    science: Path,
    context: RunContext,
    created: np.datetime64,
    *,
    begin: float | None = None,
) -> RunRows:
    """Write the files of an image set to the archive, and return its rows for the index.

    The rows are also written to a record beside the images, from which the index can be rebuilt. It is written last and
    shows that the image set is complete. ``begin`` is the start of the run by `perf_counter`; without it, the run time
    is that of the reconstruction only.
    """
    if context.notes:
        images = replace(images, notes=context.notes)
    recipe = images.recipe
    folder = image_folder(images.pixels.t_start, recipe.recipe_id)
    single = context.group_id is None
    # of a group, only the numbers of an ensemble are kept, in the rows, unless its maps were asked for: they would
    # triple the files; its pictures are the movie
    stored = images if single or recipe.ensemble else replace(images, ensembles={})
    saved = save_images(stored, root / folder, created, pictures=single)
    if single:
        save_report(root / folder / "report.png", images, science)
    findings = images.findings
    with single_threaded():  # so that every process gives the same numbers
        sources = {
            method: measure_source(image.image, image.grid, image.sources) for method, image in images.images.items()
        }
    rows = []
    for method, image in images.images.items():
        files, source = saved[method], sources[method]
        energy = energy_of(images, method)
        rows.append(
            Image(
                image_id=image_id(recipe.recipe_id, method),
                recipe_id=recipe.recipe_id,
                method=str(method),
                uid=context.uid,
                flare_id=context.flare_id,
                group_id=context.group_id,
                t_start=images.pixels.t_start,
                t_end=images.pixels.t_end,
                e_low=energy[0],
                e_high=energy[1],
                goes_class=context.goes_class,
                goes_flux=context.goes_flux,
                goes_estimated=context.goes_estimated,
                goes_estimated_flux=context.goes_estimated_flux,
                peak_hpc_x=image.peak[0],
                peak_hpc_y=image.peak[1],
                centroid_hpc_x=source.x,
                centroid_hpc_y=source.y,
                total_flux=finite(image.total_flux),
                fwhm=finite(source.fwhm),
                **errors_of(images, method),
                max=float(image.image.max()),
                unit=image.unit,
                chi2=finite(image.chi2),
                n_iter=image.n_iter,
                stopped_by=str(image.stopped_by),
                nx=image.grid.shape[1],
                ny=image.grid.shape[0],
                pixel_arcsec=image.grid.pixel,
                center_hpc_x=image.grid.center[0],
                center_hpc_y=image.grid.center[1],
                sidelobe_ratio=_sidelobe_ratio(images),
                trusted=is_trusted(findings, method),
                verdict_position=verdict(findings, method).word(Aspect.POSITION),
                verdict_flux=verdict(findings, method).word(Aspect.FLUX),
                verdict_shape=verdict(findings, method).word(Aspect.SHAPE),
                warnings=warnings_text(about(findings, method)),
                simulated=context.simulated,
                file=str(folder / files.fits.name),
                png=None if files.picture is None else str(folder / files.picture.name),
                thumbnail=str(folder / files.thumbnail.name),
                sha256=files.sha256,
                size=files.size,
                author=context.author,
                hidden=context.hidden,
                created_at=created,
                elapsed_s=image.elapsed,
            )
        )
    run = _done_run(images, context, created, str(folder), warnings_text(findings))
    if begin is not None:
        run = replace(run, elapsed_s=perf_counter() - begin)
    write_record(root / folder, run, rows)
    return RunRows(run, tuple(rows))


def _done_run(images: ImageSet, context: RunContext, created: np.datetime64, folder: str, warnings: str) -> Run:
    recipe, pixels = images.recipe, images.pixels
    total, background = images.counts
    return Run(
        run_id=recipe.recipe_id,
        status=str(RunStatus.DONE),
        t_start=pixels.t_start,
        t_end=pixels.t_end,
        e_low=pixels.e_low,
        e_high=pixels.e_high,
        counts_total=total,
        counts_background=background,
        background_ratio=None if images.background_check is None else images.background_check.ratio,
        hpc_x=recipe.location.x,
        hpc_y=recipe.location.y,
        hpc_sigma_x=images.location_sigma[0],
        hpc_sigma_y=images.location_sigma[1],
        sidelobe_ratio=_sidelobe_ratio(images),
        location_method=recipe.location.found_by,
        **_locator_columns(images),
        pointing_source=str(recipe.pointing.source),
        roll_deg=recipe.pointing.roll,
        pointing_x=recipe.pointing.x,
        pointing_y=recipe.pointing.y,
        pointing_rms_x=recipe.pointing.rms_x,
        pointing_rms_y=recipe.pointing.rms_y,
        pointing_peak_to_peak=recipe.pointing.peak_to_peak,
        warnings=warnings,
        recipe=recipe.to_json(),
        **_calibration_columns(images),
        elapsed_s=images.elapsed,
        folder=folder,
        **_context_columns(context, created),
    )


def _locator_columns(images: ImageSet) -> dict[str, Any]:
    """Columns of `Run` with the result of the coarse flare locator."""
    found = images.locator
    if found is None:
        return {}
    return {
        "locator_x": found.x,
        "locator_y": found.y,
        "locator_radius": found.radius,
        "locator_counts": found.observed.total,
        "locator_chi2": found.chi2,
        "locator_level": images.locator_level,
    }


def _calibration_columns(images: ImageSet) -> dict[str, Any]:
    """Columns of `Run` with the calibration."""
    if images.calibration is None:
        return {}
    used = images.calibration.reference
    return {
        "energy_table": used.energy_table.name,
        "energy_table_sha256": used.energy_table.sha256,
        "cal_file": used.cal_file.name if used.cal_file else None,
        "phase_table": used.phase_table.name,
        "phase_table_sha256": used.phase_table.sha256,
    }


def failed_run(task: ImagingTask, reason: str, elapsed: float) -> Run:
    """Row of a run that failed."""
    request, context = task.request, task.context
    return Run(
        run_id=skipped_run_id(context.uid, context.band, context.flare_id or ""),
        status=str(RunStatus.FAILED),
        reason=reason,
        t_start=request.start,
        t_end=request.end,
        e_low=request.energy[0],
        e_high=request.energy[1],
        elapsed_s=elapsed,
        **_context_columns(context, task.created),
    )


def skipped_run(
    context: RunContext,
    reason: str,
    times: tuple[np.datetime64, np.datetime64],
    created: np.datetime64,
    status: RunStatus = RunStatus.SKIPPED,
) -> Run:
    """Row of a band that is not imaged, with the reason."""
    low, high = (float(edge) for edge in context.band.removesuffix(" keV").split("-"))
    return Run(
        run_id=skipped_run_id(context.uid, context.band, context.flare_id or ""),
        status=str(status),
        reason=reason,
        t_start=times[0],
        t_end=times[1],
        e_low=low,
        e_high=high,
        **_context_columns(context, created),
    )


def _context_columns(context: RunContext, created: np.datetime64) -> dict[str, Any]:
    """Columns of `Run` from the context."""
    return {
        "kind": str(context.kind),
        "author": context.author,
        "uid": context.uid,
        "science_name": context.science_name,
        "flare_id": context.flare_id,
        "band": context.band,
        "group_id": context.group_id,
        "window_reason": context.window_reason,
        "background_uid": context.background_uid,
        "background_reason": context.background_reason,
        "background_candidates": context.background_candidates,
        "simulated": context.simulated,
        "hidden": context.hidden,
        "started_at": created,
        "version": software_version(),
    }


def _sidelobe_ratio(images: ImageSet) -> float | None:
    return None if images.location is None else images.location.sidelobe_ratio
