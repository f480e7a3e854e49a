"""Read image files: pixels with their grid, header and tables."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from stixcore.coordinates import Pointing, PointingSource
from stixcore.errors import InvalidProduct
from stixcore.image_files.layout import (
    CANDIDATES_EXTENSION,
    POINTINGS_EXTENSION,
    RECIPE_EXTENSION,
    SOURCE_COLUMNS,
    SOURCES_EXTENSION,
    UNCERTAINTY_EXTENSION,
    VISIBILITY_EXTENSION,
)
from stixcore.image_files.locator_table import LocatorRegions, stored_regions
from stixcore.imaging.grid import ImageGrid
from stixcore.imaging.location import Candidate
from stixcore.imaging.reconstruction import Method
from stixcore.recipe import Recipe

Floats = NDArray[np.float64]
Complex = NDArray[np.complex128]


@dataclass(frozen=True, eq=False)
class StoredVisibilities:
    """Visibilities in an image file, with phases relative to the map centre.

    Attributes
    ----------
    labels : tuple of str
        Sub-collimators, "10a" … "3c".
    measured : (n,) complex, ct s⁻¹ cm⁻² keV⁻¹
    sigma : (n,) float
        Standard deviation of the real and of the imaginary part, in the same unit.
    predicted : (n,) complex or None
        Prediction of the image; None for a back projection, which is not a model of the source.
    """

    labels: tuple[str, ...]
    measured: Complex
    sigma: Floats
    predicted: Complex | None = None


@dataclass(frozen=True, eq=False)
class StoredUncertainty:
    """Uncertainty maps in an image file, from simulated copies of its data (`stixcore.imaging.ensemble`).

    All maps have the shape (ny, nx) and the grid of the image.

    Attributes
    ----------
    sigma : float, unit of the image
        Standard deviation of the copies.
    error : float, unit of the image
        Half-width of the interval around the image that contains the truth in 60 to 76 % of pixels with signal: sigma
        and the bias of the method. In files before 2026-12, which lack it, the same as ``sigma``.
    significance : float
        Mean of the copies ÷ sigma; 0 where all copies are equal.
    n : int
        Number of copies.
    seed : int
        Seed of their noise.
    """

    sigma: Floats
    error: Floats
    significance: Floats
    n: int
    seed: int


@dataclass(frozen=True, eq=False)
class ImageFile:
    """The contents of an image file.

    Attributes
    ----------
    pixels : (ny, nx) float, in ``unit``
    grid : ImageGrid
        Helioprojective, north up.
    unit : str
        In FITS notation.
    header : mapping of str to value
        Primary header.
    visibilities : StoredVisibilities or None
        None where the file has no table of them.
    sources : tuple of mappings
        Sources of a forward fit: ``shape``, and ``flux``, ``x``, ``y``, ``fwhm`` … with their ``<name>_sigma``, as far
        as the shape has them. Empty without a table, as in files before 2026-12; so is ``candidates``.
    candidates : tuple of Candidate
        Highest peaks of the full-disk map, best first.
    beam_fwhm : float or None, arcsec
        FWHM of the beam that restores the components of CLEAN; None for other methods.
    errors : mapping of str to float
        Errors from an ensemble, including bias: ``x``, ``y`` of the brightest source, ``fwhm`` (arcsec), ``flux``
        (ct s⁻¹ cm⁻² keV⁻¹). Empty without an ensemble.
    pointings : tuple of Pointing
        Every pointing that the auxiliary files gave for the window, without observer. Empty without a table, as in
        files before 2026-12 and where no auxiliary file was used.
    locator : LocatorRegions or None
        Regions of the coarse flare locator, in files of full-disk maps only.
    """

    pixels: Floats
    grid: ImageGrid
    unit: str
    header: Mapping[str, Any]
    visibilities: StoredVisibilities | None = None
    sources: tuple[Mapping[str, Any], ...] = ()
    candidates: tuple[Candidate, ...] = ()
    beam_fwhm: float | None = None
    errors: Mapping[str, float] = field(default_factory=dict)
    pointings: tuple[Pointing, ...] = ()
    locator: LocatorRegions | None = None

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """Edges of the image, x0, x1, y0, y1, arcsec: east, west, south, north."""
        (ny, nx), pixel, (x, y) = self.grid.shape, self.grid.pixel, self.grid.center
        return x - nx * pixel / 2.0, x + nx * pixel / 2.0, y - ny * pixel / 2.0, y + ny * pixel / 2.0


def read_image_file(path: Path) -> ImageFile:
    """Read an image file.

    Raises
    ------
    InvalidProduct
        When the file is not an image of this software, or is damaged.
    """
    try:
        with fits.open(path, memmap=False) as hdus:
            header = dict(hdus[0].header)
            pixels = np.asarray(hdus[0].data, dtype=np.float64)
            ny, nx = pixels.shape
            scale = float(header["CDELT1"])
            # CRPIX = (n + 1)/2 - centre/Δ, as in stixcore.image_files.header
            center = (
                ((nx + 1) / 2.0 - float(header["CRPIX1"])) * scale,
                ((ny + 1) / 2.0 - float(header["CRPIX2"])) * scale,
            )
            return ImageFile(
                pixels,
                ImageGrid((ny, nx), scale, center),
                str(header.get("BUNIT", "")),
                header,
                _visibilities(hdus),
                fitted_sources(hdus),
                _candidates(hdus),
                _beam_fwhm(hdus),
                ensemble_errors(hdus),
                _pointings(hdus),
                stored_regions(hdus),
            )
    except (OSError, KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise InvalidProduct(path, "an image of this software", f"{type(error).__name__}: {error}") from error


def read_visibilities(path: Path) -> StoredVisibilities | None:
    """Read only the visibilities of an image file, which is faster; None where it has no table of them.

    Raises
    ------
    InvalidProduct
        When the file is damaged.
    """
    try:
        with fits.open(path, memmap=False) as hdus:
            return _visibilities(hdus)
    except (OSError, KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise InvalidProduct(path, "an image of this software", f"{type(error).__name__}: {error}") from error


def read_uncertainty(path: Path) -> StoredUncertainty | None:
    """Read only the uncertainty maps of an image file; None where it has none.

    Raises
    ------
    InvalidProduct
        When the file is missing or damaged.
    """
    try:
        with fits.open(path, memmap=False) as hdus:
            if UNCERTAINTY_EXTENSION not in hdus:
                return None
            table, header = hdus[UNCERTAINTY_EXTENSION].data, hdus[UNCERTAINTY_EXTENSION].header
            error = "error" if "error" in table.names else "sigma"
            return StoredUncertainty(
                sigma=np.array(table["sigma"], np.float64),
                error=np.array(table[error], np.float64),
                significance=np.array(table["significance"], np.float64),
                n=int(header["ENS_N"]),
                seed=int(header["ENS_SEED"]),
            )
    except (OSError, KeyError, IndexError, TypeError, ValueError, AttributeError) as problem:
        raise InvalidProduct(path, "an image of this software", f"{type(problem).__name__}: {problem}") from problem


def read_sources(path: Path) -> tuple[Mapping[str, Any], ...]:
    """Read only the fitted sources of an image file, as in `Reconstruction.sources`; empty where it has none.

    Raises
    ------
    InvalidProduct
        When the file is missing or damaged.
    """
    try:
        with fits.open(path, memmap=False) as hdus:
            return fitted_sources(hdus)
    except (OSError, KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise InvalidProduct(path, "an image of this software", f"{type(error).__name__}: {error}") from error


def _visibilities(hdus: fits.HDUList) -> StoredVisibilities | None:
    if VISIBILITY_EXTENSION not in hdus:
        return None
    table = hdus[VISIBILITY_EXTENSION].data
    predicted = table["model_real"] + 1j * table["model_imag"] if "model_real" in table.names else None
    labels = tuple(str(label).strip() for label in table["label"])
    return StoredVisibilities(
        labels, table["real"] + 1j * table["imag"], np.asarray(table["sigma"], np.float64), predicted
    )


def fitted_sources(hdus: fits.HDUList) -> tuple[Mapping[str, Any], ...]:
    """The table of fitted sources, as in `Reconstruction.sources`; empty where there is none."""
    if SOURCES_EXTENSION not in hdus:
        return ()
    sources = []
    for row in hdus[SOURCES_EXTENSION].data:
        numbers = {name: float(row[name]) for key in SOURCE_COLUMNS for name in (key, f"{key}_sigma")}
        known = {name: value for name, value in numbers.items() if np.isfinite(value)}
        sources.append({"shape": str(row["shape"]).strip(), **known})
    return tuple(sources)


def _candidates(hdus: fits.HDUList) -> tuple[Candidate, ...]:
    if CANDIDATES_EXTENSION not in hdus:
        return ()
    return tuple(
        Candidate(float(row["x"]), float(row["y"]), float(row["relative_height"]))
        for row in hdus[CANDIDATES_EXTENSION].data
    )


def _pointings(hdus: fits.HDUList) -> tuple[Pointing, ...]:
    if POINTINGS_EXTENSION not in hdus:
        return ()

    def known(value: float) -> float | None:
        return float(value) if np.isfinite(value) else None

    return tuple(
        Pointing(
            PointingSource(str(row["source"]).strip()),
            float(row["roll"]),
            float(row["x"]),
            float(row["y"]),
            rms_x=known(row["rms_x"]),
            rms_y=known(row["rms_y"]),
            peak_to_peak=known(row["peak_to_peak"]),
            records=int(row["records"]),
            rejected=int(row["rejected"]),
            interpolated=bool(row["interpolated"]),
        )
        for row in hdus[POINTINGS_EXTENSION].data
    )


def _beam_fwhm(hdus: fits.HDUList) -> float | None:
    method = hdus[0].header.get("ALG_USED")
    if method not in (Method.CLEAN, Method.MS_CLEAN) or RECIPE_EXTENSION not in hdus:
        return None
    beam = json.loads(str(hdus[RECIPE_EXTENSION].data["recipe"][0]))["methods"][method].get("beam_fwhm")
    return None if beam is None else float(beam)


def ensemble_errors(hdus: fits.HDUList) -> Mapping[str, float]:
    """Errors from simulated copies of the data, see `ImageFile.errors`; empty without copies."""
    if UNCERTAINTY_EXTENSION not in hdus:
        return {}
    header = hdus[UNCERTAINTY_EXTENSION].header
    keywords = {"x": "CENT_X", "y": "CENT_Y", "fwhm": "FWHM", "flux": "FLUX"}
    # files before 2026-12 have only the scatter
    return {
        name: float(header[f"I{key}" if f"I{key}" in header else f"S{key}"])
        for name, key in keywords.items()
        if f"S{key}" in header
    }


def has_extension(path: Path, name: str) -> bool:
    """Whether an image file has an extension of this name."""
    with fits.open(path) as hdus:
        return name in hdus


def read_recipe(path: Path) -> Recipe:
    """Read the recipe in an image file.

    Raises
    ------
    InvalidProduct
        When the file is not an image of this software.
    """
    if not path.is_file():
        raise InvalidProduct(path, f"a FITS image with an extension {RECIPE_EXTENSION}", "no such file")
    try:
        with fits.open(path) as hdus:
            text = str(hdus[RECIPE_EXTENSION].data["recipe"][0])
    except (OSError, KeyError, IndexError, TypeError, ValueError) as error:
        raise InvalidProduct(path, f"a FITS image with an extension {RECIPE_EXTENSION}", str(error)) from error
    return Recipe.from_json(text)
