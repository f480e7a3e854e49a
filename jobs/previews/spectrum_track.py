"""The track of fits of a cube: `stixcore.measure_track` for the steps of its images, and its Parquet file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa

from archive.atomic import make_folder, write_bytes
from archive.calibration import recorded_sums
from archive.chianti import CHIANTI_FOLDER, chianti_files, thermal_table
from archive.exports import parquet_pieces
from archive.spectrum_track import SPECTRA_TRACK, UNITS, SpectrumPoint
from jobs.spectra.columns import parameter_columns
from stixcore.coordinates import Pointing
from stixcore.errors import CalibrationError
from stixcore.measure_track import FittedStep, TrackInputs, measure_track
from stixcore.prepare import PreparedData

_TYPES = {"t_start": pa.timestamp("us"), "t_end": pa.timestamp("us"), "attenuator_in": pa.bool_(), "ndof": pa.int64()}
_TYPES |= {name: pa.string() for name in ("model", "verdict", "doubts")}


def thermal_source(root: Path) -> str:
    """What determines the thermal emission of fits: the files of the archive with their sums, or "built in".

    If files are missing, no fits are made, and this is the sentence that says so. The files are not read, because
    previews ask for this every minute.
    """
    try:
        files = chianti_files(root)
    except CalibrationError as error:
        return str(error)
    sums = recorded_sums(root / CHIANTI_FOLDER)
    return " ".join(f"{path.name}:{','.join(sums.get(path.name, ()))}" for path in files.values()) or "built in"


def fit_steps(
    root: Path,
    data: PreparedData,
    pointing: Callable[[np.datetime64, np.datetime64], Pointing],
    location: tuple[float, float],
    steps: Sequence[tuple[np.datetime64, np.datetime64]],
    least_counts: float,
) -> list[SpectrumPoint]:
    """Fit the spectra of steps; neighbouring steps are joined until they have ``least_counts`` above background.

    Parameters
    ----------
    root : Path
        Folder of the archive, for the table of thermal emission.
    data : PreparedData
    pointing : callable
        Start and end of a step → its `Pointing`.
    location : (float, float), arcsec
        Of the flare, helioprojective.
    steps : sequence of (start, end)
    least_counts : float, ct

    Raises
    ------
    StixError
        If the files do not give a spectrum.
    """
    inputs = TrackInputs(data.science, data.background, pointing, location, data.calibration, thermal_table(root))
    bins = [data.science.time_bins(*step) for step in steps]
    return [_point(one) for one in measure_track(inputs, bins, least_counts)]


def _point(step: FittedStep) -> SpectrumPoint:
    """The values of a fitted step."""
    spectrum, fit = step.spectrum, step.fit
    serious, others = ([one.text for one in fit.doubts if one.serious is flag] for flag in (True, False))
    return SpectrumPoint(
        t_start=spectrum.t_start,
        t_end=spectrum.t_end,
        livetime_s=spectrum.livetime,
        attenuator_in=step.response.attenuator,
        counts=step.counts,
        model=fit.model,
        fit_low=fit.energy.low,
        fit_high=fit.energy.high,
        chi2=fit.chi2,
        ndof=fit.ndof,
        verdict=fit.verdict,
        doubts=tuple(chain(serious, others, spectrum.doubts)),
        **parameter_columns(fit),
    )


def write_spectrum_track(folder: Path, points: Sequence[SpectrumPoint]) -> None:
    """Write ``spectra_track.parquet``: a row per fit, units in the metadata of columns. Without fits, remove it."""
    if not points:
        (folder / SPECTRA_TRACK).unlink(missing_ok=True)
        return
    make_folder(folder)
    names = [field.name for field in fields(SpectrumPoint)]
    columns = [
        pa.field(name, _TYPES.get(name, pa.float64()), metadata={"unit": UNITS[name]} if name in UNITS else None)
        for name in names
    ]
    rows = [point.as_row() for point in points]
    arrays = [pa.array([row[one.name] for row in rows], one.type) for one in columns]
    table = pa.table(arrays, schema=pa.schema(columns))
    write_bytes(folder / SPECTRA_TRACK, b"".join(parquet_pieces(table.schema, [table])))
