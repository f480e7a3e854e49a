"""Make one spectrum, for previews and for requests: files, record and row. The caller writes the index."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from time import perf_counter
from typing import Any, ClassVar

import numpy as np

from archive import Archive
from archive.atomic import leftovers
from archive.chianti import thermal_table
from archive.index.recorded import SPECTRUM_RECORDS, Recorded, RecordedRow
from archive.index.schema import RunKind, Spectrum
from archive.layout import RESPONSE_FILE, SPECTRUM_FILE, spectrum_folder
from jobs.spectra.columns import parameter_columns
from jobs.spectra.products import describe_doubts, describe_spectrum, save_ospex_pair
from stixcore.calibration.catalog import SHIPPED, CalibrationCatalog
from stixcore.measure_spectrum import MeasuredSpectrum, measure_recipe, measure_spectrum
from stixcore.references import FileReference
from stixcore.software import software_version
from stixcore.spectra.fit.result import SpectrumFit
from stixcore.spectrum_recipe import SpectrumRecipe, SpectrumRequest


@dataclass(frozen=True, kw_only=True)
class SpectrumContext:
    """Information for the index about a spectrum that is not in its recipe.

    Attributes
    ----------
    kind : RunKind
    author : str
        User who requested it, "auto" for previews.
    uid, science_name : str
        Of the science file.
    flare_id : str or None
    background_uid : str or None
    hidden : bool
        Only its author and operators can see it.
    """

    kind: RunKind
    author: str
    uid: str
    science_name: str
    flare_id: str | None = None
    background_uid: str | None = None
    hidden: bool = False


@dataclass(frozen=True, kw_only=True)
class MeasurementTask:
    """What tasks for spectra have in common.

    Attributes
    ----------
    root : Path
        Folder of the archive.
    science : Path
    background : Path or None
    aspect : tuple of Path
    context : SpectrumContext
    created : datetime64
        Creation time that is written to files and rows; workers do not use their clock for it.
    calibration : CalibrationCatalog
        Calibration of the archive, so that every process uses the same tables.
    """

    #: It does not depend on other tasks.
    waits_for_others: ClassVar[bool] = False
    #: Computing time, in image sets.
    image_sets: ClassVar[int] = 1

    root: Path
    science: Path
    background: Path | None
    aspect: tuple[Path, ...]
    context: SpectrumContext
    created: np.datetime64
    calibration: CalibrationCatalog = SHIPPED

    def locate(self, reference: FileReference) -> Path:
        """Path of a file of the recipe."""
        paths = (path for path in (self.science, self.background, *self.aspect) if path is not None)
        return {path.name: path for path in paths}[reference.name]

    def file_result[Row: RecordedRow](
        self,
        kind: Recorded[Row],
        place: PurePath,
        *,
        save: Callable[[Path], dict[str, Path]],
        make_row: Callable[[Mapping[str, Any]], Row],
        describe: Callable[[dict[str, Path]], dict[str, Any]],
        begin: float,
    ) -> Row:
        """Write the files of a result, then its record, which shows that the folder is complete; returns the row.

        Parameters
        ----------
        kind : Recorded
        place : path
            Folder, relative to the archive.
        save : callable
            Writes the files into a folder and returns their paths by kind.
        make_row : callable
            The row, from the columns that do not depend on what was measured.
        describe : callable
            The result as JSON values, from the names of its files by kind.
        begin : float, s
            Start of the task by `perf_counter`.
        """
        folder = self.root / place
        unfinished = leftovers(folder)  # of a killed process
        files = save(folder)
        row = make_row(
            {
                "kind": str(self.context.kind),
                "uid": self.context.uid,
                "science_name": self.context.science_name,
                "flare_id": self.context.flare_id,
                "author": self.context.author,
                "hidden": self.context.hidden,
                "folder": str(place),
                "size": sum(path.stat().st_size for path in files.values()),  # bytes
                "version": software_version(),
                "created_at": self.created,
                "elapsed_s": perf_counter() - begin,
            }
        )
        names = {key: Path(path.name) for key, path in files.items()}
        kind.write(folder, row, describe(names), map(str, names.values()))
        for path in unfinished:
            path.unlink(missing_ok=True)
        return row


@dataclass(frozen=True, kw_only=True)
class SpectrumTask(MeasurementTask):
    """A task that makes one spectrum. It can be pickled and sent to another process or machine.

    Attributes as `MeasurementTask`, and:

    Attributes
    ----------
    wanted : SpectrumRecipe or SpectrumRequest
        With a request, the task looks up the calibration, and the location if the request has none.
    """

    wanted: SpectrumRecipe | SpectrumRequest

    @classmethod
    def of_recipe(
        cls,
        archive: Archive,
        recipe: SpectrumRecipe,
        context: SpectrumContext,
        *,
        created: np.datetime64,
        calibration: CalibrationCatalog,
    ) -> SpectrumTask:
        """The task of a recipe, with the files that the archive has now.

        Raises
        ------
        NotInArchive
            If a file of the recipe is missing.
        """
        files = files_of(archive, recipe)
        return cls(wanted=recipe, context=context, created=created, calibration=calibration, **files)


def files_of(archive: Archive, recipe: SpectrumRecipe) -> dict[str, Any]:
    """The files of a recipe in an archive, as arguments of a task.

    Raises
    ------
    NotInArchive
        If one is missing.
    """
    return {
        "root": archive.root,
        "science": archive.locate(recipe.science.name),
        "background": None if recipe.background is None else archive.locate(recipe.background.name),
        "aspect": tuple(archive.locate(reference.name) for reference in recipe.aspect),
    }


def run_spectrum(task: SpectrumTask) -> Spectrum:
    """Measure the spectrum of a task and write its files and its record. The index is not changed.

    A spectrum that cannot be fitted is a row with the reason (``no_fit``).

    Parameters
    ----------
    task : SpectrumTask

    Raises
    ------
    StixError
        If the files and the selection do not give a spectrum.
    """
    begin = perf_counter()
    return write_spectrum(task, measure_task(task), begin)


def measure_task(task: SpectrumTask) -> MeasuredSpectrum:
    """Measure the spectrum of a task; errors as `run_spectrum`."""
    table = thermal_table(task.root)
    if isinstance(task.wanted, SpectrumRecipe):
        return measure_recipe(task.wanted, task.locate, task.calibration, table)
    return measure_spectrum(
        task.wanted, task.science, task.background, task.aspect, catalog=task.calibration, table=table
    )


def write_spectrum(task: SpectrumTask, measured: MeasuredSpectrum, begin: float) -> Spectrum:
    """Write the pair of files of a spectrum, and its record; returns its row.

    ``begin`` is the start of the task by `perf_counter`.
    """
    return task.file_result(
        SPECTRUM_RECORDS,
        spectrum_folder(measured.spectrum.t_start, measured.recipe.spectrum_id),
        save=lambda folder: save_ospex_pair(measured, folder / SPECTRUM_FILE, folder / RESPONSE_FILE, task.created),
        make_row=lambda columns: _row(measured, task.context.background_uid, columns),
        describe=lambda names: describe_spectrum(measured, names),
        begin=begin,
    )


def _row(measured: MeasuredSpectrum, background_uid: str | None, columns: Mapping[str, Any]) -> Spectrum:
    """Row of a spectrum for the index; ``columns`` are those of `MeasurementTask.file_result`."""
    spectrum, recipe, location = measured.spectrum, measured.recipe, measured.location
    background_uid = background_uid or (recipe.background.uid if recipe.background else None)
    return Spectrum(
        spectrum_id=recipe.spectrum_id,
        t_start=spectrum.t_start,
        t_end=spectrum.t_end,
        no_fit=measured.no_fit,
        doubts=json.dumps(_doubts(measured), ensure_ascii=False),
        **({} if measured.fit is None else _fit_columns(measured.fit)),
        counts=None if measured.fit is None else float(spectrum.counts[measured.fit.energy.used].sum()),
        livetime_s=spectrum.livetime,
        attenuator_in=measured.response.attenuator,
        scheme=measured.response.scheme,
        tailing=measured.response.tailing,
        background_uid=background_uid if spectrum.background_source else None,
        energy_table=spectrum.energy_table,
        cal_file=spectrum.cal_file or None,
        hpc_x=None if location is None else location.x,
        hpc_y=None if location is None else location.y,
        distance_au=measured.distance,
        recipe=recipe.to_json(),
        simulated=measured.simulated,
        **columns,
    )


def _doubts(measured: MeasuredSpectrum) -> list[dict[str, Any]]:
    """Doubts about counts and response, then those about the fit; only the latter decide its verdict."""
    found: list[dict[str, Any]] = [{"text": text, "serious": False} for text in measured.doubts]
    return found if measured.fit is None else found + describe_doubts(measured.fit)


def _fit_columns(fit: SpectrumFit) -> dict[str, Any]:
    """Values of a fit for the columns of `Spectrum`."""
    return {
        "model": fit.model,
        "statistic": str(fit.statistic),
        "fit_low": fit.energy.low,
        "fit_high": fit.energy.high,
        "chi2": fit.chi2,
        "ndof": fit.ndof,
        "verdict": fit.verdict,
        "thermal_table": fit.thermal_table or None,
        "albedo_angle": fit.albedo_angle,
        **parameter_columns(fit),
    }
