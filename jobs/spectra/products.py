"""Files of a spectrum for OSPEX, sunkit-spex, XSPEC, Sherpa and Gammapy, and its description as JSON values."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archive.atomic import atomic_path
from stixcore.measure_spectrum import MeasuredSpectrum
from stixcore.spectra.files import write_arf, write_pha, write_rmf
from stixcore.spectra.files.ogip import PhaContent
from stixcore.spectra.files.ospex import OspexPair, write_ospex_response, write_ospex_spectra
from stixcore.spectra.fit.parameters import Value
from stixcore.spectra.fit.result import CorrelatedPair, SpectrumFit
from stixcore.spectra.response import Response
from stixcore.times import format_time


class FileFormat(StrEnum):
    """Formats of spectrum files."""

    OSPEX = "ospex"
    OGIP = "ogip"
    ALL = "all"


#: Units, in FITS notation, of numbers of `describe_spectrum` whose key does not name one.
UNITS = {
    "counts": "ct",
    "rate": "ct / s",
    "sigma": "ct",
    "background": "ct",
    "background_sigma": "ct",
    "error": "ct",
    "distance_au": "AU",
}


def save_spectrum(
    measured: MeasuredSpectrum, folder: Path, created: np.datetime64, file_format: FileFormat = FileFormat.ALL
) -> dict[str, Path]:
    """Write the files of a spectrum, each atomically.

    Parameters
    ----------
    measured : MeasuredSpectrum
    folder : Path
        Created if needed.
    created : datetime64
        Creation time in the headers.
    file_format : FileFormat

    Returns
    -------
    dict of str to Path
        ``spectrum`` and ``response``: the pair for OSPEX, or PHA and RMF where only OGIP is wanted; ``pha``,
        ``background``, ``rmf`` and ``arf``: the OGIP files.
    """
    stem = _stem(measured)
    files: dict[str, Path] = {}
    if file_format is not FileFormat.OGIP:
        files |= save_ospex_pair(
            measured, folder / f"stx_spectrum_{stem}.fits", folder / f"stx_srm_{stem}.fits", created
        )
    if file_format is not FileFormat.OSPEX:
        ogip = _save_ogip(measured, folder, stem, created)
        files = {"spectrum": ogip["pha"], "response": ogip["rmf"]} | files | ogip
    return files


def _stem(measured: MeasuredSpectrum) -> str:
    """Request and time range, for the names of the files."""
    spectrum = measured.spectrum
    start, end = (
        format_time(time)[:19].replace("-", "").replace(":", "") for time in (spectrum.t_start, spectrum.t_end)
    )
    return "_".join(part for part in (spectrum.request_id, f"{start}-{end}") if part)


def save_ospex_pair(
    measured: MeasuredSpectrum, spectrum_file: Path, response_file: Path, created: np.datetime64
) -> dict[str, Path]:
    """Write the pair of files that OSPEX reads, each atomically; ``created`` is the time in their headers."""
    spectrum, responses = [measured.spectrum], {measured.spectrum.rcr: measured.response}
    pair = OspexPair(
        spectrum_file=spectrum_file.name,
        response_file=response_file.name,
        distance=measured.distance,
        created=created,
    )
    _write(spectrum_file, lambda path: write_ospex_spectra(path, spectrum, responses, pair))
    _write(response_file, lambda path: write_ospex_response(path, spectrum, responses, pair))
    return {"spectrum": spectrum_file, "response": response_file}


def _save_ogip(measured: MeasuredSpectrum, folder: Path, stem: str, created: np.datetime64) -> dict[str, Path]:
    names = {"pha": "pha", "background": "bkg", "rmf": "rmf", "arf": "arf"}
    paths = {key: folder / f"stx_{stem}_{suffix}.fits" for key, suffix in names.items()}
    spectrum, response = measured.spectrum, measured.response
    _write(paths["rmf"], lambda path: write_rmf(path, response, created=created))
    _write(paths["arf"], lambda path: write_arf(path, response, created=created))
    with_background = bool(spectrum.background_source)
    if with_background:
        _write(
            paths["background"],
            lambda path: write_pha(path, spectrum, created=created, content=PhaContent.BACKGROUND),
        )
    else:
        del paths["background"]
    _write(
        paths["pha"],
        lambda path: write_pha(
            path,
            spectrum,
            created=created,
            content=PhaContent.TOTAL,
            response_file=paths["rmf"].name,
            area_file=paths["arf"].name,
            background_file=paths["background"].name if with_background else "none",
            good=None if measured.fit is None else measured.fit.energy.used,
        ),
    )
    return paths


def _write(path: Path, write: Callable[[Path], None]) -> None:
    with atomic_path(path) as temporary:
        write(temporary)


def describe_spectrum(measured: MeasuredSpectrum, files: dict[str, Path]) -> dict[str, Any]:
    """Describe a spectrum with JSON values, as printed by ``stix-jobs spectrum --json``.

    Parameters
    ----------
    measured : MeasuredSpectrum
    files : dict of str to Path
        Its files by kind, as `save_spectrum` returns them.
    """
    spectrum, response = measured.spectrum, measured.response
    location = measured.location
    return {
        "spectrum_id": measured.recipe.spectrum_id,
        "simulated": measured.simulated,
        "time_range": [format_time(spectrum.t_start), format_time(spectrum.t_end)],
        "requested": {"start": format_time(measured.request.start), "end": format_time(measured.request.end)},
        "energy_kev": np.column_stack([spectrum.e_low, spectrum.e_high]).tolist(),
        "counts": spectrum.counts.tolist(),
        "rate": spectrum.rate.tolist(),
        "sigma": spectrum.sigma.tolist(),
        "systematic": spectrum.systematic.tolist(),
        "background": spectrum.background.tolist(),
        "background_sigma": np.broadcast_to(spectrum.background_sigma, spectrum.counts.shape).tolist(),
        "livetime_s": spectrum.livetime,
        "area_cm2": response.area,
        "distance_au": measured.distance,
        "detectors": list(spectrum.detectors),
        "pixels": list(spectrum.pixels),
        "location": None
        if location is None
        else {"hpc_x": location.x, "hpc_y": location.y, "method": location.found_by},
        "response": describe_response(response),
        "calibration": {"energy_table": spectrum.energy_table, "cal_file": spectrum.cal_file or None},
        "fit": None if measured.fit is None else describe_fit(measured.fit),
        "no_fit": measured.no_fit or None,
        "doubts": list(measured.doubts),
        "files": {key: str(path) for key, path in files.items()},
        "units": UNITS,
    }


def describe_response(response: Response) -> dict[str, Any]:
    """A response as JSON values: edges of the photon bins and of the channels (keV), options, place (arcsec)."""
    return {
        "photon_kev": response.photon_edges.tolist(),
        "counts_kev": response.channel_edges.tolist(),
        "attenuator": response.attenuator,
        "scheme": response.scheme,
        "tailing": response.tailing,
        "stix_x": response.place[0],
        "stix_y": response.place[1],
    }


def describe_fit(fit: SpectrumFit) -> dict[str, Any]:
    """A fit as JSON values. ``chi2`` is the sum over the channels, not divided by ``ndof``."""
    return {
        "model": fit.model,
        "chi2": fit.chi2,
        "ndof": fit.ndof,
        "statistic": str(fit.statistic),
        "energy_range_kev": [fit.energy.low, fit.energy.high],
        "energy_reason": fit.energy.reason,
        "parameters": {name: _parameter(value) for name, value in fit.parameters.items()},
        "counts": fit.counts.tolist(),
        "components": {name: counts.tolist() for name, counts in fit.components.items()},
        "error": finite_numbers(fit.error),
        "residuals": finite_numbers(fit.residuals),
        "used": fit.energy.used.tolist(),
        "pair": None if fit.pair is None else _pair(fit.pair),
        "aic": fit.aic,
        "bic": fit.bic,
        "compared": [
            {"model": one.model, "value": one.value, "free": one.n_parameters, "aic": one.aic, "bic": one.bic}
            for one in fit.alternatives
        ],
        "converged": fit.converged,
        "stopped_by": fit.stop_reason,
        "thermal_table": fit.thermal_table or None,
        "albedo_angle_deg": fit.albedo_angle,
        "verdict": fit.verdict,
        "doubts": describe_doubts(fit),
    }


def describe_doubts(fit: SpectrumFit) -> list[dict[str, Any]]:
    """Doubts about a fit as JSON values."""
    return [{"code": doubt.code, "text": doubt.text, "serious": doubt.serious} for doubt in fit.doubts]


def _parameter(value: Value) -> dict[str, Any]:
    return {
        "value": value.value,
        "sigma_minus": value.sigma_minus,
        "sigma_plus": value.sigma_plus,
        "fixed": value.fixed,
        "at_bound": value.at_bound,
        "unit": value.unit,
    }


def _pair(pair: CorrelatedPair) -> dict[str, Any]:
    return {
        "names": list(pair.names),
        "correlation": pair.correlation,
        "covariance_of_logarithms": pair.covariance.tolist(),
    }


def finite_numbers(values: NDArray[np.float64]) -> list[float | None]:
    """Numbers, with None where there is none, because JSON has no NaN."""
    return [float(value) if np.isfinite(value) else None for value in values]
