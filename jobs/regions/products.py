"""Files of region spectra, and their description as JSON values."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from archive.atomic import atomic_path, make_folder, write_bytes
from archive.exports import parquet_pieces
from archive.layout import REGIONS_RECORD, RESPONSE_FILE
from jobs.imaging.figures import png
from jobs.regions.figure import draw_regions
from jobs.spectra.products import UNITS, describe_fit, describe_response, finite_numbers
from stixcore.imaging_spectroscopy.measure_regions import MeasuredRegions, RegionSpectrum
from stixcore.imaging_spectroscopy.region_recipe import region_document
from stixcore.spectra.counts import CountSpectrum
from stixcore.spectra.files.ospex import OspexPair, write_ospex_response, write_ospex_spectra
from stixcore.times import format_time

Floats = NDArray[np.float64]

TABLE, PICTURE = "regions.parquet", "regions.png"
_FLUX = "ct / (s cm2 keV)"
#: Units, in FITS notation, of numbers of `describe_regions` whose key does not name one.
REGION_UNITS = UNITS | {"flux": _FLUX, "flux_sigma": _FLUX}
_COLUMNS: dict[str, tuple[pa.DataType, str]] = {
    "region": (pa.string(), ""),
    "e_low": (pa.float64(), "keV"),
    "e_high": (pa.float64(), "keV"),
    "flux": (pa.float64(), _FLUX),
    "flux_sigma": (pa.float64(), _FLUX),
    "fraction": (pa.float64(), ""),
    "fraction_sigma": (pa.float64(), ""),
    "counts": (pa.float64(), "ct"),
    "sigma": (pa.float64(), "ct"),
    "scale": (pa.float64(), ""),
}


def save_regions(measured: MeasuredRegions, folder: Path, created: np.datetime64) -> dict[str, Path]:
    """Write the files of region spectra, each atomically, and their description `REGIONS_RECORD` last.

    Parameters
    ----------
    measured : MeasuredRegions
    folder : Path
        Created if needed.
    created : datetime64
        Creation time in the headers.

    Returns
    -------
    dict of str to Path
        Those of `save_region_files`, and ``record``.
    """
    files = save_region_files(measured, folder, created) | {"record": folder / REGIONS_RECORD}
    names = {key: Path(path.name) for key, path in files.items()}  # the folder can be moved
    document = {**describe_regions(measured, names), "recipe": measured.recipe.to_dict()}
    write_bytes(files["record"], json.dumps(document, allow_nan=False).encode())
    return files


def save_region_files(measured: MeasuredRegions, folder: Path, created: np.datetime64) -> dict[str, Path]:
    """Write the files of region spectra without a description; arguments as `save_regions`.

    Returns
    -------
    dict of str to Path
        ``spectrum <region>`` of each region and ``response``, for OSPEX; ``table`` and ``picture``.
    """
    make_folder(folder)
    files = _save_ospex(measured, folder, created) | {"table": folder / TABLE, "picture": folder / PICTURE}
    table = region_table(measured)
    write_bytes(files["table"], b"".join(parquet_pieces(table.schema, [table])))
    write_bytes(files["picture"], png(draw_regions(measured)))
    return files


def describe_regions(measured: MeasuredRegions, files: dict[str, Path]) -> dict[str, Any]:
    """Describe region spectra with JSON values, as printed by ``stix-jobs regions --json``.

    Parameters
    ----------
    measured : MeasuredRegions
    files : dict of str to Path
        By kind, as `save_regions` returns them.
    """
    whole, recipe = measured.whole, measured.recipe
    spectrum, response = whole.spectrum, whole.response
    background_sigma = np.broadcast_to(spectrum.background_sigma, spectrum.counts.shape)
    return {
        "region_id": recipe.region_id,
        "simulated": measured.simulated,
        "time_range": [format_time(spectrum.t_start), format_time(spectrum.t_end)],
        "requested": {"start": format_time(whole.request.start), "end": format_time(whole.request.end)},
        "method": str(recipe.method),
        "energy_kev": np.column_stack([spectrum.e_low, spectrum.e_high]).tolist(),
        "imaged": measured.imaged.tolist(),
        "not_imaged": [reason or None for reason in measured.reasons],
        "least_counts": recipe.least_counts,
        "copies": recipe.images.ensemble,
        "whole": {
            "counts": spectrum.counts.tolist(),
            "sigma": spectrum.sigma.tolist(),
            "background": spectrum.background.tolist(),
            "background_sigma": background_sigma.tolist(),
            "rate": spectrum.rate.tolist(),
            "fit": None if whole.fit is None else describe_fit(whole.fit),
            "no_fit": whole.no_fit or None,
        },
        "scale": finite_numbers(measured.scale),
        "regions": [_describe(region) for region in measured.regions],
        "outside": None if measured.outside is None else _describe(measured.outside),
        "doubts": list(measured.doubts),
        "livetime_s": spectrum.livetime,
        "area_cm2": response.area,
        "distance_au": measured.distance,
        "location": {"hpc_x": recipe.images.location.x, "hpc_y": recipe.images.location.y},
        "response": describe_response(response),
        "units": REGION_UNITS,
        "files": {key: str(path) for key, path in files.items()},
    }


def region_table(measured: MeasuredRegions) -> pa.Table:
    """A row for each region, what is outside them included, and imaged channel; the scale is that of the channel."""
    rows: dict[str, list[Any]] = {name: [] for name in _COLUMNS}
    channels = np.flatnonzero(measured.imaged)
    spectrum = measured.whole.spectrum
    for part in all_parts(measured):
        rows["region"] += [part.name] * channels.size
        columns = {name: getattr(part, name) for name in ("flux", "flux_sigma", "fraction", "fraction_sigma")}
        columns |= {"counts": part.spectrum.counts, "sigma": part.spectrum.sigma, "scale": measured.scale}
        columns |= {"e_low": spectrum.e_low, "e_high": spectrum.e_high}
        for name, values in columns.items():
            rows[name] += finite_numbers(values[channels])
    schema = [
        pa.field(name, kind, metadata={"unit": unit} if unit else None) for name, (kind, unit) in _COLUMNS.items()
    ]
    return pa.table([pa.array(rows[one.name], one.type) for one in schema], schema=pa.schema(schema))


def all_parts(measured: MeasuredRegions) -> tuple[RegionSpectrum, ...]:
    """Regions and what is outside them."""
    return measured.regions if measured.outside is None else (*measured.regions, measured.outside)


def file_stems(names: Sequence[str]) -> dict[str, str]:
    """Parts of file names for regions, different for each: letters and digits of the name, numbered."""
    plain = (re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")[:40] for name in names)
    return {
        name: f"{number}_{part}".rstrip("_") for number, (name, part) in enumerate(zip(names, plain, strict=True), 1)
    }


def _save_ospex(measured: MeasuredRegions, folder: Path, created: np.datetime64) -> dict[str, Path]:
    """A spectrum for each region, and the response that all share."""
    whole = measured.whole
    responses = {whole.spectrum.rcr: whole.response}
    stems = file_stems([region.name for region in measured.regions])
    files = {f"spectrum {name}": folder / f"stx_spectrum_{stem}.fits" for name, stem in stems.items()}

    def pair(spectrum_file: str) -> OspexPair:
        return OspexPair(
            spectrum_file=spectrum_file, response_file=RESPONSE_FILE, distance=measured.distance, created=created
        )

    for region in measured.regions:
        path = files[f"spectrum {region.name}"]
        with atomic_path(path) as temporary:
            spectrum = without_gaps(region.spectrum, whole.spectrum, measured.imaged)
            write_ospex_spectra(temporary, [spectrum], responses, pair(path.name))
    files["response"] = folder / RESPONSE_FILE
    first = next(iter(files.values())).name
    with atomic_path(files["response"]) as temporary:
        write_ospex_response(temporary, [whole.spectrum], responses, pair(first))
    return files


def without_gaps(spectrum: CountSpectrum, whole: CountSpectrum, imaged: NDArray[np.bool_]) -> CountSpectrum:
    """The spectrum of a region with a number in every channel, for files: 0 where not imaged.

    The error there is so large, the counts of the whole flare, that a fit does not notice them.
    """
    return replace(
        spectrum,
        counts=np.where(imaged, spectrum.counts, 0.0),
        sigma=np.where(imaged, spectrum.sigma, np.abs(whole.counts) + whole.sigma),
        doubts=(*spectrum.doubts, "channels without an image have 0 counts and the counts of the flare as error"),
    )


def _describe(region: RegionSpectrum) -> dict[str, Any]:
    return {
        "name": region.name,
        "shape": None if region.region is None else region_document(region.region),
        "area_arcsec2": region.area,
        "flux": finite_numbers(region.flux),
        "flux_sigma": finite_numbers(region.flux_sigma),
        "fraction": finite_numbers(region.fraction),
        "fraction_sigma": finite_numbers(region.fraction_sigma),
        "counts": finite_numbers(region.spectrum.counts),
        "sigma": finite_numbers(region.spectrum.sigma),
        "background": finite_numbers(region.spectrum.background),
        "fit": None if region.fit is None else describe_fit(region.fit),
        "no_fit": region.no_fit or None,
        "doubts": list(region.doubts),
    }
