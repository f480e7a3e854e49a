"""Write images to FITS files, with WCS, times, observer, counts, pointing, algorithm and the recipe.

Each file contains one image, which ``sunpy.map.Map(file)`` opens. The rest of the reconstruction (additional planes,
visibilities, the recipe, fitted sources, candidate locations) is in tables, which sunpy ignores.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from stixcore.coordinates import Pointing
from stixcore.image_files.header import card_text, image_header
from stixcore.image_files.layout import (
    CANDIDATES_EXTENSION,
    LOCATOR_EXTENSION,
    PLANES_EXTENSION,
    POINTINGS_EXTENSION,
    RECIPE_EXTENSION,
    SOURCE_COLUMNS,
    SOURCES_EXTENSION,
    UNCERTAINTY_EXTENSION,
    VISIBILITY_EXTENSION,
)
from stixcore.imaging.coarse_locator import LEVELS, CoarseLocation
from stixcore.imaging.ensemble import Ensemble
from stixcore.imaging.fourier import FourierOperator
from stixcore.imaging.location import Candidate
from stixcore.imaging.reconstruction import Method, Reconstruction
from stixcore.imaging.registry import is_deconvolved
from stixcore.imaging.threads import single_threaded
from stixcore.reconstruct import ImageSet
from stixcore.times import format_time

FITS_BLOCK = 2880  # bytes


def _as_stored(table: fits.BinTableHDU) -> bytes:
    """Bytes of a table in a file, after the block of the empty primary header."""
    file = io.BytesIO()
    table.writeto(file)
    return file.getvalue()[FITS_BLOCK:]


@lru_cache(maxsize=2)  # all images of a set have the same recipe, and astropy checks its text character by character
def _recipe_table(text: str) -> bytes:
    return _as_stored(text_table(text, RECIPE_EXTENSION))


def text_table(text: str, name: str) -> fits.BinTableHDU:
    """Table of one row with the JSON text of a recipe."""
    column = fits.Column("recipe", f"{len(text)}A", array=np.array([text]))
    return fits.BinTableHDU.from_columns([column], name=name)


def _visibility_table(images: ImageSet, image: Reconstruction, method: Method) -> fits.BinTableHDU:
    vis = images.vis
    columns = [
        fits.Column("label", "3A", array=np.array(vis.labels)),
        fits.Column("u", "D", unit="arcsec-1", array=vis.u),
        fits.Column("v", "D", unit="arcsec-1", array=vis.v),
        fits.Column("real", "D", unit="ct s-1 cm-2 keV-1", array=vis.vis.real),
        fits.Column("imag", "D", unit="ct s-1 cm-2 keV-1", array=vis.vis.imag),
        fits.Column("sigma", "D", unit="ct s-1 cm-2 keV-1", array=vis.sigma),
    ]
    if is_deconvolved(method):  # a dirty map is not a model of the source
        model = image.planes.get("components", image.image)
        with single_threaded():  # the order of summation, and so the last digits, would vary with several threads
            predicted = FourierOperator(vis.u, vis.v, image.grid).forward(model)
        columns += [
            fits.Column("model_real", "D", unit="ct s-1 cm-2 keV-1", array=predicted.real),
            fits.Column("model_imag", "D", unit="ct s-1 cm-2 keV-1", array=predicted.imag),
        ]
    return fits.BinTableHDU.from_columns(columns, name=VISIBILITY_EXTENSION)


def _image_table(name: str, planes: Mapping[str, NDArray[np.float64]], units: Mapping[str, str]) -> fits.BinTableHDU:
    """Additional images on the same grid, one column each and one row per image row, so that columns are (ny, nx)."""
    columns = [
        fits.Column(key, f"{plane.shape[1]}E", unit=units[key], array=plane.astype(np.float32))
        for key, plane in planes.items()
    ]
    return fits.BinTableHDU.from_columns(columns, name=name)


#: Descriptions of the columns, for readers who have only the file.
UNCERTAINTY_MEANING = (
    "Parametric bootstrap: data simulated from this image, noise and 5 % calibration",
    "error included, imaged in the same way. mean, sigma: of those copies. bias: mean",
    "minus what they were made of. error: half-width of the interval around the",
    "image that holds the truth in 60-76 % of pixels with signal (CLEAN: the truth",
    "seen with the clean beam; back projection: with the dirty beam).",
)


def _uncertainty_table(ensemble: Ensemble, unit: str) -> fits.BinTableHDU:
    """Table of mean, sigma, significance, bias and error of an ensemble; errors of its measures are in the header."""
    planes = {
        "mean": ensemble.mean,
        "sigma": ensemble.sigma,
        "significance": ensemble.significance,
        "bias": ensemble.bias,
        "error": ensemble.error,
    }
    table = _image_table(UNCERTAINTY_EXTENSION, planes, dict.fromkeys(planes, unit) | {"significance": ""})
    for sentence in UNCERTAINTY_MEANING:
        table.header.add_comment(sentence)
    table.header["ENS_N"] = (ensemble.n, "simulated copies of the data")
    table.header["ENS_SEED"] = (ensemble.seed, "seed of the perturbations")
    for key, measured, meaning in (
        ("PEAK_X", ensemble.peak_x, "[arcsec] brightest pixel, solar west"),
        ("PEAK_Y", ensemble.peak_y, "[arcsec] brightest pixel, solar north"),
        ("CENT_X", ensemble.centroid_x, "[arcsec] brightest source, solar west"),
        ("CENT_Y", ensemble.centroid_y, "[arcsec] brightest source, solar north"),
        ("FLUX", ensemble.flux, "[ct s-1 cm-2 keV-1] flux of the sources"),
        ("FWHM", ensemble.fwhm, "[arcsec] of the area above half maximum"),
    ):
        if np.isfinite(measured.mean):
            table.header[f"E{key}"] = (measured.mean, meaning)
            table.header[f"S{key}"] = (measured.sigma, "standard deviation of it")
            table.header[f"I{key}"] = (measured.error, "error of it, bias included (68 %)")
    return table


def _sources_table(sources: Sequence[Mapping[str, Any]]) -> fits.BinTableHDU:
    """Table of parametric sources, one row each, helioprojective; every value has a standard deviation."""
    columns = [fits.Column("shape", "8A", array=np.array([str(source["shape"]) for source in sources]))]
    for key, unit in SOURCE_COLUMNS.items():
        for name in (key, f"{key}_sigma"):
            values = np.array([float(source.get(name, np.nan)) for source in sources])
            columns.append(fits.Column(name, "D", unit=unit, array=values))
    return fits.BinTableHDU.from_columns(columns, name=SOURCES_EXTENSION)


@lru_cache(maxsize=2)  # the same in all images of a set
def _candidates_table(candidates: tuple[Candidate, ...]) -> bytes:
    """Table of the highest peaks of the full-disk map, which are candidates for the flare position."""
    columns = [
        fits.Column("x", "D", unit="arcsec", array=np.array([one.x for one in candidates])),
        fits.Column("y", "D", unit="arcsec", array=np.array([one.y for one in candidates])),
        fits.Column("relative_height", "D", array=np.array([one.relative_height for one in candidates])),
    ]
    return _as_stored(fits.BinTableHDU.from_columns(columns, name=CANDIDATES_EXTENSION))


def _locator_table(found: CoarseLocation) -> fits.BinTableHDU:
    """Outlines of the coarse locator's regions: one row per corner, numbered by polygon."""
    lines = [(level, line) for level in LEVELS for line in found.contours(level)]
    corners = [len(line) for _, line in lines]
    x, y = np.concatenate([line for _, line in lines]).T
    columns = [
        fits.Column("level", "D", array=np.repeat([level for level, _ in lines], corners)),
        fits.Column("polygon", "J", array=np.repeat(np.arange(len(lines)), corners)),
        fits.Column("x", "D", unit="arcsec", array=x),
        fits.Column("y", "D", unit="arcsec", array=y),
    ]
    return fits.BinTableHDU.from_columns(columns, name=LOCATOR_EXTENSION)


@lru_cache(maxsize=2)  # the same in all images of a set
def _pointings_table(pointings: tuple[Pointing, ...]) -> bytes:
    """Table of every pointing that the auxiliary files give for the window; NaN where a value is unknown."""

    def numbers(name: str, unit: str) -> fits.Column:
        values = [getattr(one, name) for one in pointings]
        return fits.Column(name, "D", unit=unit, array=np.array([np.nan if v is None else v for v in values], float))

    columns = [
        fits.Column("source", "10A", array=np.array([str(one.source) for one in pointings])),
        numbers("roll", "deg"),
        *(numbers(name, "arcsec") for name in ("x", "y", "sigma", "rms_x", "rms_y", "peak_to_peak")),
        fits.Column("records", "J", array=np.array([one.records for one in pointings])),
        fits.Column("rejected", "J", array=np.array([one.rejected for one in pointings])),
        fits.Column("interpolated", "L", array=np.array([one.interpolated for one in pointings])),
    ]
    table = fits.BinTableHDU.from_columns(columns, name=POINTINGS_EXTENSION)
    table.header.add_comment("x, y: STIX pointing in the rolled frame, as STX_X and STX_Y; sigma: per axis.")
    return _as_stored(table)


def image_hdus(images: ImageSet, method: Method, created: np.datetime64) -> fits.HDUList:
    """One image with its tables, still without checksums."""
    image = images.images[method]
    hdus = fits.HDUList(
        [
            fits.PrimaryHDU(image.image.astype(np.float32), header=image_header(images, method, created)),
            _visibility_table(images, image, method),
            fits.BinTableHDU.fromstring(_recipe_table(images.recipe.to_json())),
        ]
    )
    if image.planes:
        hdus.append(_image_table(PLANES_EXTENSION, image.planes, dict.fromkeys(image.planes, image.unit)))
    if image.sources:
        hdus.append(_sources_table(image.sources))
    if images.location is not None:
        hdus.append(fits.BinTableHDU.fromstring(_candidates_table(images.location.candidates)))
    if images.locator is not None and method is Method.FULL_DISK_BP:
        hdus.append(_locator_table(images.locator))
    if images.pointings:
        hdus.append(fits.BinTableHDU.fromstring(_pointings_table(images.pointings)))
    if method in images.ensembles:
        hdus.append(_uncertainty_table(images.ensembles[method], image.unit))
    return hdus


def write_image(
    path: Path, images: ImageSet, method: Method, created: np.datetime64, *, name: str | None = None
) -> None:
    """Write one image with CHECKSUM and DATASUM.

    The file is not written atomically; to avoid partial files, write to a temporary name and rename.

    Parameters
    ----------
    path : Path
        Overwritten if it exists.
    images : ImageSet
    method : Method
    created : datetime64
        Creation time, written as DATE.
    name : str, optional
        Name that the file gets at last, written as FILENAME; without it that of ``path``.
    """
    write_hdus(path, image_hdus(images, method, created), created, name=name)


def write_hdus(path: Path, hdus: fits.HDUList, created: np.datetime64, *, name: str | None = None) -> None:
    """Write tables and image with FILENAME, CHECKSUM and DATASUM; an existing file is replaced."""
    hdus[0].header.set("FILENAME", card_text(name or path.name), "", after="LONGSTRN")
    hdus.update_extend()  # all keywords must be set before the checksum
    for hdu in hdus:
        hdu.add_checksum(when=f"on {format_time(created)}")  # the default comment is the current time
    hdus.writeto(path, overwrite=True)
