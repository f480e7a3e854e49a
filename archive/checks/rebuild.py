"""Rebuild rows of images and runs from image files.

The record beside the images has values that are not in the FITS files: author, flare, GOES class. Without it, a row
belongs to an unknown user and is hidden, because the run may have been private. The next preview with the same recipe
replaces it.
"""

from __future__ import annotations

import hashlib
import json
import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning
from numpy.typing import NDArray

from archive.errors import InvalidName
from archive.image_errors import error_columns
from archive.index.old_chi2 import chi2_in_header
from archive.index.schema import Image, Run, RunKind, RunStatus
from archive.ingest.describe import check_sums
from archive.layout import image_id, parse_image_name
from stixcore.errors import InvalidProduct
from stixcore.image_files.read import ensemble_errors, fitted_sources
from stixcore.imaging.grid import ImageGrid
from stixcore.imaging.metrics import measure_source
from stixcore.imaging.reconstruction import Method, method_name
from stixcore.imaging.registry import place_in_order
from stixcore.recipe import sha256_of
from stixcore.times import parse_time

#: Author of a row that was rebuilt without a record.
UNKNOWN = "unknown"
_REBUILT = {
    "code": "rebuilt",
    "severity": "doubt",
    "text": "the record of this run was lost; this row was rebuilt from the image, and its warnings are unknown",
}

#: Columns that an image file determines, with the relative difference allowed for rounding.
IMAGE_FACTS: dict[str, float] = {
    "recipe_id": 0.0,
    "method": 0.0,
    "uid": 0.0,
    "t_start": 0.0,
    "t_end": 0.0,
    "e_low": 0.0,
    "e_high": 0.0,
    "total_flux": 1e-9,
    "max": 1e-6,
    "chi2": 1e-9,
    "n_iter": 0.0,
    "stopped_by": 0.0,
    "nx": 0.0,
    "ny": 0.0,
    "pixel_arcsec": 1e-9,
    "center_hpc_x": 1e-6,
    "center_hpc_y": 1e-6,
    "sidelobe_ratio": 1e-9,
    "simulated": 0.0,
}
RUN_FACTS: dict[str, float] = {
    "uid": 0.0,
    "science_name": 0.0,
    "t_start": 0.0,
    "t_end": 0.0,
    "e_low": 0.0,
    "e_high": 0.0,
    "counts_total": 1e-9,
    "counts_background": 1e-9,
    "hpc_x": 1e-9,
    "hpc_y": 1e-9,
    "sidelobe_ratio": 1e-9,
    "location_method": 0.0,
    "pointing_source": 0.0,
    "roll_deg": 1e-9,
    "pointing_x": 1e-9,
    "pointing_y": 1e-9,
    "simulated": 0.0,
    "recipe": 0.0,
    "folder": 0.0,
}
#: Headers carry milliseconds, the index microseconds.
_TIME_TOLERANCE = np.timedelta64(1, "ms")


@dataclass(frozen=True)
class ImageFacts:
    """Rows from an image file: that of the image, and that of its run as far as one image determines it."""

    image: Image
    run: Run

    @property
    def methods(self) -> tuple[str, ...]:
        """Methods that the recipe asks for."""
        return recipe_methods(self.run)


def read_image(root: Path, relative: str) -> ImageFacts:
    """Read and check an image of this archive.

    Parameters
    ----------
    root : Path
        Folder of the archive.
    relative : str
        Path of the image inside it.

    Raises
    ------
    InvalidProduct
        When it is damaged (invalid CHECKSUM, pixels that are not finite), was not made by this software, or
        contradicts its name or its recipe.
    """
    path = root / relative
    try:
        with warnings.catch_warnings(), path.open("rb") as stream:
            warnings.simplefilter("ignore", AstropyWarning)
            with fits.open(stream, memmap=False) as hdus:
                if not all("DATASUM" in hdu.header and "CHECKSUM" in hdu.header for hdu in hdus):
                    raise InvalidProduct(path, "CHECKSUM and DATASUM in every extension", "an extension without them")
                check_sums(path, hdus)
                header, pixels = hdus[0].header.copy(), np.asarray(hdus[0].data, dtype=float)
                recipe = str(hdus["RECIPE"].data["recipe"][0])
                return _facts(root, relative, header, pixels, recipe, fitted_sources(hdus), ensemble_errors(hdus))
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError, fits.VerifyError) as error:
        raise InvalidProduct(path, "an image of this software", f"{type(error).__name__}: {error}") from error


def _facts(
    root: Path,
    relative: str,
    header: fits.Header,
    pixels: NDArray[np.float64],
    recipe: str,
    sources: Sequence[Mapping[str, Any]],
    errors: Mapping[str, float],
) -> ImageFacts:
    path = root / relative
    recipe_id = hashlib.sha256(recipe.encode()).hexdigest()[:16]
    try:
        name = parse_image_name(path.name)
    except InvalidName as error:
        raise InvalidProduct(path, "the name of an image", path.name) from error
    for what, expected, found in (
        ("RECIPEID", recipe_id, header["RECIPEID"]),
        ("recipe in the name", recipe_id, name.recipe_id),
        ("method in the name", header["ALG_USED"], name.method),
        ("folder", recipe_id, path.parent.name),
    ):
        if expected != found:
            raise InvalidProduct(path, f"{what} {expected}", str(found))
    content = json.loads(recipe)
    _require_own(path, header, pixels, content, name.method)
    ny, nx = pixels.shape
    scale = float(header["CDELT1"])
    # CRPIX = (n + 1)/2 - centre/Δ, as in stixcore.image_files.header
    center = (
        ((nx + 1) / 2.0 - float(header["CRPIX1"])) * scale,
        ((ny + 1) / 2.0 - float(header["CRPIX2"])) * scale,
    )
    t_start, t_end = parse_time(header["DATE-BEG"]), parse_time(header["DATE-END"])
    created = parse_time(header["DATE"])
    simulated = header.get("OBS_MODE") == "SIMULATED"
    sidelobe = header.get("SIDELOBE")
    grid = ImageGrid((ny, nx), scale, center)
    source = measure_source(pixels, grid, sources)
    peak = (source.x, source.y) if sources else grid.peak(pixels)
    picture, small = path.with_suffix(".png"), path.with_suffix(".thumb.png")
    image = Image(
        image_id=image_id(recipe_id, name.method),
        recipe_id=recipe_id,
        method=name.method,
        uid=str(header["UID"]),
        t_start=t_start,
        t_end=t_end,
        e_low=float(header["ENERGY_L"]),
        e_high=float(header["ENERGY_H"]),
        peak_hpc_x=peak[0],
        peak_hpc_y=peak[1],
        centroid_hpc_x=source.x,
        centroid_hpc_y=source.y,
        fwhm=source.fwhm if np.isfinite(source.fwhm) else None,
        **error_columns(errors, sources),
        total_flux=header.get("TOTFLUX"),
        max=float(pixels.max()),
        unit=str(header["BUNIT"]),
        chi2=chi2_in_header(header, content, [source["shape"] for source in sources]),
        n_iter=int(header["NITER"]),
        stopped_by=str(header["STOPPED"]),
        nx=nx,
        ny=ny,
        pixel_arcsec=scale,
        center_hpc_x=center[0],
        center_hpc_y=center[1],
        sidelobe_ratio=sidelobe,
        trusted=False,
        verdict_position=header.get("TRUSTPOS"),
        verdict_flux=header.get("TRUSTFLX"),
        verdict_shape=header.get("TRUSTSHP"),
        warnings=json.dumps([_REBUILT]),
        simulated=simulated,
        file=relative,
        png=str(picture.relative_to(root)) if picture.is_file() else None,
        thumbnail=str(small.relative_to(root)) if small.is_file() else None,
        sha256=sha256_of(path),
        size=path.stat().st_size,
        author=UNKNOWN,
        hidden=True,
        created_at=created,
    )
    low, high = content["energy_range_kev"]
    # pixels may cover other energies than requested; only the full-disk map has its own band
    covered = (low, high) if name.method == Method.FULL_DISK_BP else (image.e_low, image.e_high)
    pointing, location = content["pointing"], content["location"]
    cal_file = header.get("FLNM_CAL", "none")
    run = Run(
        run_id=recipe_id,
        kind=str(RunKind.USER),
        status=str(RunStatus.DONE),
        uid=content["science"]["uid"],
        science_name=content["science"]["name"],
        band=f"{low:g}-{high:g} keV",
        t_start=t_start,
        t_end=t_end,
        e_low=float(covered[0]),
        e_high=float(covered[1]),
        counts_total=float(header["CNTS_TOT"]),
        counts_background=float(header["CNTS_BKG"]),
        background_ratio=header.get("BKGRATIO"),
        background_uid=(content["background"] or {}).get("uid"),
        energy_table=header.get("ELUT"),
        energy_table_sha256=header.get("ELUTHASH"),
        cal_file=None if cal_file == "none" else cal_file,
        phase_table=header.get("PHASTAB"),
        phase_table_sha256=header.get("PHASHASH"),
        hpc_x=location["x_arcsec"],
        hpc_y=location["y_arcsec"],
        hpc_sigma_x=header.get("POS_SIGX"),
        hpc_sigma_y=header.get("POS_SIGY"),
        sidelobe_ratio=sidelobe,
        location_method=location["found_by"],
        locator_x=header.get("CFL_HPX"),
        locator_y=header.get("CFL_HPY"),
        locator_radius=header.get("CFL_RAD"),
        locator_counts=header.get("CFL_CNTS"),
        locator_chi2=header.get("CFL_CHI2"),
        locator_level=header.get("CFL_LEV"),
        pointing_source=pointing["source"],
        roll_deg=pointing["roll_deg"],
        pointing_x=pointing["x_arcsec"],
        pointing_y=pointing["y_arcsec"],
        pointing_rms_x=pointing.get("rms_x_arcsec"),
        pointing_rms_y=pointing.get("rms_y_arcsec"),
        pointing_peak_to_peak=pointing.get("peak_to_peak_arcsec"),
        author=UNKNOWN,
        hidden=True,
        simulated=simulated,
        warnings=json.dumps([_REBUILT]),
        recipe=recipe,
        started_at=created,
        version=str(header.get("VERS_SW", UNKNOWN)),
        folder=str(Path(relative).parent),
    )
    return ImageFacts(image, run)


def _require_own(
    path: Path, header: fits.Header, pixels: NDArray[np.float64], recipe: dict[str, Any], method: str
) -> None:
    """Check that an image can come from this recipe.

    Raises
    ------
    InvalidProduct
    """
    if not np.isfinite(pixels).all():
        raise InvalidProduct(path, "finite pixels", f"{int((~np.isfinite(pixels)).sum())} that are not")
    pointing, location = recipe["pointing"], recipe["location"]
    background = recipe["background"]
    decided = [
        ("UID", recipe["science"]["uid"]),
        ("FLNM_SCI", recipe["science"]["name"]),
        ("FLNM_BKG", background["name"] if background else "none"),
        ("STX_ROLL", pointing["roll_deg"]),
        ("STX_X", pointing["x_arcsec"]),
        ("STX_Y", pointing["y_arcsec"]),
        ("MAPC_HPX", location["x_arcsec"]),
        ("MAPC_HPY", location["y_arcsec"]),
    ]
    if method != Method.FULL_DISK_BP:  # which has its own grid
        (ny, nx), scale = recipe["shape"], recipe["pixel_arcsec"]
        decided += [
            ("NAXIS1", nx),
            ("NAXIS2", ny),
            ("CDELT1", scale),
            ("CDELT2", scale),
            # CRPIX = (n + 1)/2 - centre/Δ, as in stixcore.image_files.header
            ("CRPIX1", (nx + 1) / 2.0 - location["x_arcsec"] / scale),
            ("CRPIX2", (ny + 1) / 2.0 - location["y_arcsec"] / scale),
        ]
    for key, value in decided:
        if key in header and not _same(header[key], value, 0.0 if isinstance(value, str) else 1e-6):
            raise InvalidProduct(path, f"{key} = {value} (from its recipe)", str(header[key]))


def contradictions(row: Any, truth: Any, facts: dict[str, float]) -> list[str]:
    """Columns in which a row differs from the file by more than rounding."""
    return [name for name, relative in facts.items() if not _same(getattr(row, name), getattr(truth, name), relative)]


def corrected[Row: (Image, Run)](row: Row, truth: Row, columns: Iterable[str]) -> Row:
    """A row with some columns replaced by those of the file."""
    return replace(row, **{name: getattr(truth, name) for name in columns})


def _same(value: Any, truth: Any, relative: float) -> bool:
    if isinstance(value, float) and math.isnan(value):
        value = None
    if isinstance(truth, float) and math.isnan(truth):
        truth = None
    if value is None or truth is None:
        return value is truth
    if isinstance(truth, np.datetime64):
        return bool(abs(value - truth) <= _TIME_TOLERANCE)
    if relative and isinstance(value, (int, float)):
        return math.isclose(value, truth, rel_tol=relative, abs_tol=relative)
    return bool(value == truth)


#: Follows the name of a method in the finding ``method_failed``.
_MADE_NO_IMAGE = " made no image"


def recipe_methods(run: Run) -> tuple[str, ...]:
    """Methods in the recipe of a run, in the order of `known_names`; empty when the recipe cannot be read."""
    try:
        asked = json.loads(run.recipe or "{}").get("methods", {})
    except (ValueError, AttributeError):
        return ()
    return tuple(sorted(map(str, asked), key=place_in_order))


def expected_methods(run: Run) -> tuple[str, ...]:
    """Methods of which a finished run has an image: those of the recipe, without those that failed."""
    return tuple(method for method in recipe_methods(run) if method not in _failed_methods(run))


def _failed_methods(run: Run) -> set[str]:
    """Methods that failed: ``{"code": "method_failed", "text": "MEM_GE made no image: …"}`` in the run's warnings.

    Until November 2026 the text began with the method's value, ``mem_ge``.
    """
    try:
        said = json.loads(run.warnings)
        named = {entry["text"].split(_MADE_NO_IMAGE, 1)[0] for entry in said if entry["code"] == "method_failed"}
    except (ValueError, KeyError, TypeError, AttributeError):
        return set()
    return {method for method in recipe_methods(run) if named & {method, method_name(method)}}


def warnings_about(run: Run, method: str) -> str:
    """Warnings of a run about the image of a method, including those about all methods (without ``"method"``), JSON."""
    try:
        said = json.loads(run.warnings)
        return json.dumps([entry for entry in said if entry.get("method", method) == method], ensure_ascii=False)
    except (ValueError, TypeError, AttributeError):
        return run.warnings


def run_without_record(images: Iterable[ImageFacts]) -> Run:
    """Run of a folder without a record. Methods without an image are taken as failed."""
    images = list(images)
    first = min(images, key=lambda facts: (facts.image.method == Method.FULL_DISK_BP, facts.image.image_id))
    present = {facts.image.method for facts in images}
    failed = [
        {"code": "method_failed", "severity": "note", "text": f"{method_name(method)}{_MADE_NO_IMAGE}: none was found"}
        for method in first.methods
        if method not in present
    ]
    return replace(first.run, warnings=json.dumps([_REBUILT, *failed]))


def same_content(row: Any, other: Any, columns: Iterable[str], *, apart: frozenset[str] = frozenset()) -> bool:
    """Whether two rows are equal in some columns, except those in ``apart``; NaN equals empty."""
    return all(_same(getattr(row, name), getattr(other, name), 0.0) for name in columns if name not in apart)
