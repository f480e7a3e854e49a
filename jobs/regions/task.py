"""Measure the spectra of the regions of one image for a request: files, record and row. The caller writes the index."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any, ClassVar

import numpy as np

from archive import Archive
from archive.chianti import thermal_table
from archive.index.recorded import REGION_RECORDS
from archive.index.schema import RegionSpectra
from archive.layout import regions_folder
from jobs.executors.base import report_progress
from jobs.regions.products import describe_regions, save_region_files
from jobs.spectra.columns import parameter_columns
from jobs.spectra.task import MeasurementTask, SpectrumContext, files_of
from stixcore.calibration.catalog import CalibrationCatalog
from stixcore.imaging_spectroscopy.measure_regions import MeasuredRegions, RegionSpectrum, measure_regions
from stixcore.imaging_spectroscopy.prepare_regions import prepare_region_recipe
from stixcore.imaging_spectroscopy.recipe_pair import LEAST_COUNTS
from stixcore.imaging_spectroscopy.region_recipe import RegionRecipe
from stixcore.options import ImageRequest
from stixcore.references import FileReference
from stixcore.spectra.models.thermal import ThermalTable
from stixcore.spectra.regions import Region
from stixcore.spectrum_recipe import SpectrumRequest


@dataclass(frozen=True, kw_only=True)
class RegionChoice:
    """What a user chose; with the files it gives a `RegionRecipe`.

    Attributes
    ----------
    image : ImageRequest
        Time range, energies to image, one method, map, and number and seed of the simulated copies.
    regions : tuple of Region
    spectrum : SpectrumRequest
        Of the whole flare.
    models : mapping of str to str
        Model of a region by its name.
    least_counts : float, ct
    """

    image: ImageRequest
    regions: tuple[Region, ...]
    spectrum: SpectrumRequest
    models: Mapping[str, str] = field(default_factory=dict)
    least_counts: float = LEAST_COUNTS

    def recipe(
        self,
        science: Path,
        background: Path | None,
        aspect: Sequence[Path],
        calibration: CalibrationCatalog,
        table: ThermalTable | None,
    ) -> tuple[RegionRecipe, Callable[[FileReference], Path]]:
        """The recipe for these files; returns and raises as `prepare_region_recipe`."""
        report_progress("finding the flare", 0, 1)
        return prepare_region_recipe(
            self.image,
            self.regions,
            science,
            background,
            aspect,
            models=self.models,
            request=self.spectrum,
            least_counts=self.least_counts,
            catalog=calibration,
            table=table,
        )


@dataclass(frozen=True, kw_only=True)
class RegionTask(MeasurementTask):
    """A task that measures the spectra of regions. It can be pickled and sent to another process or machine.

    Attributes as `MeasurementTask`, and:

    Attributes
    ----------
    wanted : RegionRecipe or RegionChoice
        With a choice, the task looks up calibration and pointing, and the location if none is given.
    """

    #: Computing time, in image sets: about one for each channel.
    image_sets: ClassVar[int] = 15

    wanted: RegionRecipe | RegionChoice

    @classmethod
    def of_recipe(
        cls,
        archive: Archive,
        recipe: RegionRecipe,
        context: SpectrumContext,
        *,
        created: np.datetime64,
        calibration: CalibrationCatalog,
    ) -> RegionTask:
        """The task of a recipe, with the files that the archive has now.

        Raises
        ------
        NotInArchive
            If a file of the recipe is missing.
        """
        files = files_of(archive, recipe.spectrum)
        return cls(wanted=recipe, context=context, created=created, calibration=calibration, **files)


def run_regions(task: RegionTask) -> RegionSpectra:
    """Measure the spectra of a task and write their files and their record. The index is not changed.

    Parameters
    ----------
    task : RegionTask

    Raises
    ------
    StixError
        If the files and the selection do not give images and spectra.
    """
    begin = perf_counter()
    return measure_and_write(task, recipe_of(task), begin)


def recipe_of(task: RegionTask) -> RegionRecipe:
    """The recipe of a task, which determines the id of its result; errors as `run_regions`."""
    wanted = task.wanted
    if isinstance(wanted, RegionRecipe):
        return wanted
    table = thermal_table(task.root)
    recipe, _ = wanted.recipe(task.science, task.background, task.aspect, task.calibration, table)
    return recipe


def measure_and_write(task: RegionTask, recipe: RegionRecipe, begin: float) -> RegionSpectra:
    """Measure, then write the files and the record; returns the row.

    ``begin`` is the start of the task by `perf_counter`; errors as `run_regions`.
    """
    measured = measure_regions(
        recipe, task.locate, catalog=task.calibration, table=thermal_table(task.root), progress=report_channel
    )
    return task.file_result(
        REGION_RECORDS,
        regions_folder(measured.whole.spectrum.t_start, recipe.region_id),
        save=lambda folder: save_region_files(measured, folder, task.created),
        make_row=lambda columns: _row(measured, task.context.background_uid, columns),
        describe=lambda names: describe_regions(measured, names),
        begin=begin,
    )


def _row(measured: MeasuredRegions, background_uid: str | None, columns: Mapping[str, Any]) -> RegionSpectra:
    """Row for the index; ``columns`` are those of `MeasurementTask.file_result`."""
    recipe, spectrum, imaged = measured.recipe, measured.whole.spectrum, measured.imaged
    images, location = recipe.images, recipe.images.location
    background_uid = background_uid or (images.background.uid if images.background else None)
    return RegionSpectra(
        region_id=recipe.region_id,
        t_start=spectrum.t_start,
        t_end=spectrum.t_end,
        method=str(recipe.method),
        n_regions=len(measured.regions),
        names=_json([region.name for region in measured.regions]),
        e_low=float(spectrum.e_low[imaged].min()) if imaged.any() else None,
        e_high=float(spectrum.e_high[imaged].max()) if imaged.any() else None,
        n_channels=int(imaged.sum()),
        copies=images.ensemble,
        verdict=_verdict(measured),
        doubts=_json(_doubts(measured)),
        fits=_json([_fit(region) for region in measured.regions]),
        background_uid=background_uid if images.background else None,
        hpc_x=location.x,
        hpc_y=location.y,
        distance_au=measured.distance,
        recipe=recipe.to_json(),
        simulated=measured.simulated,
        **columns,
    )


def _doubts(measured: MeasuredRegions) -> list[dict[str, Any]]:
    """Doubts about counts and response, about the images, then about each region; those about fits are with the fits.

    As for spectra, those about counts and response do not decide the verdict.
    """
    known = measured.whole.doubts
    found: list[dict[str, Any]] = [
        {"region": None, "text": text, "serious": text not in known} for text in measured.doubts
    ]
    return found + [
        {"region": one.name, "text": text, "serious": True} for one in measured.regions for text in one.doubts
    ]


def _verdict(measured: MeasuredRegions) -> str | None:
    fits = [region.fit for region in measured.regions if region.fit is not None]
    if not fits:
        return None
    trusted = all(fit.verdict == "trusted" for fit in fits) and not any(one["serious"] for one in _doubts(measured))
    return "trusted" if trusted else "doubtful"


def _fit(region: RegionSpectrum) -> dict[str, Any]:
    """Values of the fit of a region, named as the columns of spectra; without a fit the reason."""
    if region.fit is None:
        return {"name": region.name, "no_fit": region.no_fit}
    fit = region.fit
    values = {"model": fit.model, "verdict": fit.verdict, "chi2": fit.chi2, "ndof": fit.ndof}
    return {"name": region.name, "no_fit": "", **values, **parameter_columns(fit)}


def _json(values: list[Any]) -> str:
    return json.dumps(values, ensure_ascii=False, allow_nan=False)


def report_channel(imaged: int, channels: int) -> None:
    """Report that one more channel is imaged; ``progress`` of `measure_regions`."""
    report_progress(f"channel {imaged + 1} of {channels}", imaged, channels)
