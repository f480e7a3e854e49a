"""Files of one recipe: FITS images, pictures and the values that describe them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Picture

from archive.atomic import atomic_path, write_bytes
from archive.image_errors import error_columns
from archive.layout import image_name, mission_image_name
from jobs.imaging.disk_marks import marks_of_images
from jobs.imaging.figures import draw_map, png, thumbnail
from jobs.imaging.full_disk import draw_full_disk, full_disk_thumbnail
from jobs.imaging.report import draw_report
from stixcore.fits.read import read_pixel_data
from stixcore.image_files.layout import SOURCE_COLUMNS
from stixcore.image_files.write import write_image
from stixcore.imaging.clean import CleanParameters
from stixcore.imaging.metrics import measure_source
from stixcore.imaging.ms_clean import MultiScaleCleanParameters
from stixcore.imaging.reconstruction import Method, Reconstruction, method_name
from stixcore.imaging.trust import Aspect, Finding, Severity, Verdict, verdict
from stixcore.pointings import pointing_choices
from stixcore.recipe import sha256_of
from stixcore.reconstruct import ImageSet
from stixcore.times import format_time

_FLUX = SOURCE_COLUMNS["flux"]
#: Units, in FITS notation, of numbers of `describe` whose key does not name one. ``max`` has the ``unit`` of its image.
UNITS: dict[str, dict[str, Any]] = {
    "location": dict.fromkeys(("hpc_x", "hpc_y", "stix_x", "stix_y", "sigma_x", "sigma_y"), "arcsec"),
    "locator": dict.fromkeys(("hpc_x", "hpc_y", "stix_x", "stix_y", "radius"), "arcsec") | {"counts": "ct"},
    "pointings": dict.fromkeys(("hpc_x", "hpc_y"), "arcsec"),
    "counts": dict.fromkeys(("total", "background"), "ct"),
    "visibilities": {"u": "arcsec-1", "v": "arcsec-1", "re": _FLUX, "im": _FLUX, "sigma": _FLUX},
    "images": {
        **dict.fromkeys(("peak_hpc_x", "peak_hpc_y", "centroid_hpc_x", "centroid_hpc_y"), "arcsec"),
        "total_flux": _FLUX,
        "missing_flux": _FLUX,
        "sigma": {"x": "arcsec", "y": "arcsec", "flux": _FLUX, "fwhm": "arcsec"},
        "sources": dict(SOURCE_COLUMNS),
    },
}


class NamingScheme(StrEnum):
    """How image files are called: as in an archive, or as Solar Orbiter's metadata standard forms names."""

    ARCHIVE = "archive"
    MISSION = "solo"


@dataclass(frozen=True)
class SavedImage:
    """Files of one image: FITS file, picture (if made) and thumbnail; SHA-256 and size [byte] of the FITS file."""

    fits: Path
    picture: Path | None
    thumbnail: Path
    sha256: str
    size: int


def save_images(
    images: ImageSet,
    folder: Path,
    created: np.datetime64,
    *,
    pictures: bool = True,
    naming: NamingScheme = NamingScheme.ARCHIVE,
) -> dict[Method, SavedImage]:
    """Write FITS file, PNG and thumbnail of every image, each atomically.

    Parameters
    ----------
    images : ImageSet
    folder : Path
        Created if needed.
    created : datetime64
        Creation time in the headers.
    pictures : bool
        Write PNG files; thumbnails are always written.
    naming : NamingScheme
        How files are called; an archive reads only its own names.
    """
    saved = {}
    for method, image in images.images.items():
        path = folder / file_name(images, method, naming)
        with atomic_path(path) as temporary:
            write_image(temporary, images, method, created, name=path.name)
        picture, small = path.with_suffix(".png") if pictures else None, path.with_suffix(".thumb.png")
        if picture is not None:
            write_bytes(picture, png(_picture(images, method, image)))
        write_bytes(small, _thumbnail(images, method, image))
        saved[method] = SavedImage(path, picture, small, sha256_of(path), path.stat().st_size)
    return saved


def save_report(path: Path, images: ImageSet, science: Path) -> None:
    """Write the report of an image set; the light curve is read from its science file ``science``."""
    data = read_pixel_data(science)
    rate = data.summed(images.pixels.e_low, images.pixels.e_high) / data.duration
    write_bytes(path, png(draw_report(images, data.t_start, data.duration, rate)))


def file_name(images: ImageSet, method: Method, naming: NamingScheme = NamingScheme.ARCHIVE) -> str:
    """Name of an image's FITS file in the archive, or as the mission names files."""
    recipe = images.recipe
    name = image_name(
        images.pixels.t_start,
        images.pixels.t_end,
        energy_of(images, method),
        recipe.science.uid,
        recipe.recipe_id,
        method,
    )
    return mission_image_name(name) if naming is NamingScheme.MISSION else name


def energy_of(images: ImageSet, method: Method) -> tuple[float, float]:
    """Energy band of an image, keV; the full-disk map has its own."""
    if method is Method.FULL_DISK_BP:
        return images.recipe.location_energy
    return images.pixels.e_low, images.pixels.e_high


def _picture(images: ImageSet, method: Method, image: Reconstruction) -> Picture.Image:
    pixels, recipe = images.pixels, images.recipe
    low, high = energy_of(images, method)
    parameters = recipe.methods.get(method)
    # the counts are those of the image set's band, which differs from that of the full-disk map
    counts = "" if method is Method.FULL_DISK_BP else f"{images.counts[0]:.0f} counts; "
    simulated = "  SIMULATED" if pixels.header.simulated else ""
    title = f"{method_name(method)}   {format_time(pixels.t_start)[:19]} UTC   {low:g}-{high:g} keV{simulated}"
    caption = (
        f"{pixels.duration:.0f} s, seen and timed at Solar Orbiter; pointing: {recipe.pointing.source}; "
        f"{counts}uid {recipe.science.uid}"
    )
    if method is Method.FULL_DISK_BP:
        rsun, b0 = recipe.pointing.rsun, recipe.pointing.b0
        marks = marks_of_images(images)
        return draw_full_disk(image.image, image.grid, marks, title=title, caption=caption, rsun=rsun, b0=b0)
    return draw_map(
        image.image,
        image.grid,
        title=title,
        caption=caption,
        rsun=recipe.pointing.rsun,
        b0=recipe.pointing.b0,
        beam_fwhm=parameters.beam_fwhm if isinstance(parameters, CleanParameters | MultiScaleCleanParameters) else None,
    )


def _thumbnail(images: ImageSet, method: Method, image: Reconstruction) -> bytes:
    if method is Method.FULL_DISK_BP:
        return full_disk_thumbnail(image.image, image.grid, marks_of_images(images), images.recipe.pointing.rsun)
    return thumbnail(image.image)


def describe(images: ImageSet, saved: Mapping[Method, SavedImage]) -> dict[str, Any]:
    """An image set as JSON values, as printed by ``stix-jobs image --json``."""
    recipe, vis, location = images.recipe, images.vis, images.location
    total, background = images.counts
    findings = images.findings
    return {
        "recipe_id": recipe.recipe_id,
        "simulated": images.pixels.header.simulated,
        "time_range": [format_time(images.pixels.t_start), format_time(images.pixels.t_end)],
        "requested": {
            "start": recipe.time_range[0],
            "end": recipe.time_range[1],
            "energy_range_kev": list(recipe.energy_range),
        },
        "energy_range_kev": [images.pixels.e_low, images.pixels.e_high],
        "location": {
            "hpc_x": recipe.location.x,
            "hpc_y": recipe.location.y,
            "stix_x": images.map_center_stix[0],
            "stix_y": images.map_center_stix[1],
            "sigma_x": images.location_sigma[0],
            "sigma_y": images.location_sigma[1],
            "sidelobe_ratio": None if location is None else location.sidelobe_ratio,
            "method": recipe.location.found_by,
            "candidates": [] if location is None else [asdict(candidate) for candidate in location.candidates],
        },
        "locator": _locator(images),
        "pointing": {
            "source": str(recipe.pointing.source),
            "roll_deg": recipe.pointing.roll,
            "x_arcsec": recipe.pointing.x,
            "y_arcsec": recipe.pointing.y,
        },
        "pointing_scatter": {
            "rms_x_arcsec": recipe.pointing.rms_x,
            "rms_y_arcsec": recipe.pointing.rms_y,
            "peak_to_peak_arcsec": recipe.pointing.peak_to_peak,
            "rms_roll_deg": recipe.pointing.rms_roll,
            "sigma_arcsec": finite(recipe.pointing.sigma),
            "records": recipe.pointing.records,
            "rejected": recipe.pointing.rejected,
            "interpolated": recipe.pointing.interpolated,
        },
        "pointings": [choice.to_dict() for choice in pointing_choices(recipe, images.pointings)],
        "background_range": _background_range(images),
        "background_check": background_check(images),
        "counts": {"total": total, "background": background},
        "calibration": _calibration(images),
        # u and v are along helioprojective axes; the phase centre is the map centre
        "visibilities": [
            {"label": label, "u": float(u), "v": float(v), "re": value.real, "im": value.imag, "sigma": float(sigma)}
            for label, u, v, value, sigma in zip(vis.labels, vis.u, vis.v, vis.vis.tolist(), vis.sigma, strict=True)
        ],
        "images": [
            _describe_image(method, image, saved)
            | {"verdict": verdict_as_json(verdict(findings, method))}
            | _uncertainty(images, method)
            for method, image in images.images.items()
        ],
        "failures": {str(method): reason for method, reason in images.failures.items()},
        "warnings": findings_as_json(findings),
        "units": UNITS,
        "elapsed_s": images.elapsed,
    }


def _locator(images: ImageSet) -> dict[str, Any]:
    """Result of the coarse flare locator, or the reason why there is none."""
    if images.locator is None:
        return {"reason": images.no_locator}
    return images.locator.summary() | {"level": images.locator_level}


def _calibration(images: ImageSet) -> dict[str, str | None]:
    """Names of the calibration tables and of the CAL file, and the amplitude scheme."""
    named: dict[str, str | None] = {"amplitude_scheme": str(images.recipe.amplitude_scheme)}
    if images.calibration is not None:
        used = images.calibration.reference
        named |= {
            "energy_table": used.energy_table.name,
            "energy_table_sha256": used.energy_table.sha256,
            "cal_file": used.cal_file.name if used.cal_file else None,
            "cal_file_sha256": used.cal_file.sha256 if used.cal_file else None,
            "cal_file_reason": images.calibration.reason or None,
            "phase_table": used.phase_table.name,
            "phase_table_sha256": used.phase_table.sha256,
        }
    return named


def _uncertainty(images: ImageSet, method: Method) -> dict[str, Any]:
    """Errors of position, flux and size, and the numbers they are made of, if an ensemble was made."""
    if method not in images.ensembles:
        return {}
    ensemble = images.ensembles[method]
    return {"sigma": ensemble.errors(), "uncertainty": ensemble.numbers()}


def errors_of(images: ImageSet, method: Method) -> dict[str, Any]:
    """Columns of the index with the errors of an image, see `archive.image_errors.error_columns`."""
    ensemble = images.ensembles[method].errors() if method in images.ensembles else {}
    return error_columns(ensemble, images.images[method].sources)


def verdict_as_json(judged: Verdict) -> dict[str, Any]:
    """A verdict as JSON values: "trusted" or "doubtful" for each aspect, and the reasons."""
    return {
        **{str(aspect): judged.word(aspect) for aspect in Aspect},
        "reasons": {str(aspect): list(reasons) for aspect, reasons in judged.reasons.items()},
    }


def findings_as_json(findings: tuple[Finding, ...]) -> list[dict[str, Any]]:
    """Findings as JSON values; ``"doubts": ["position", "shape"]`` names the doubtful aspects."""
    return [
        {"code": found.code, "severity": str(found.severity), "text": found.text}
        | ({} if found.method is None else {"method": str(found.method)})
        | ({"doubts": [str(a) for a in Aspect if a in found.doubts]} if found.severity is Severity.DOUBT else {})
        for found in findings
    ]


def _describe_image(method: Method, image: Reconstruction, saved: Mapping[Method, SavedImage]) -> dict[str, Any]:
    source = measure_source(image.image, image.grid, image.sources)
    return {
        "method": str(method),
        "file": str(saved[method].fits) if method in saved else None,
        "peak_hpc_x": image.peak[0],
        "peak_hpc_y": image.peak[1],
        "centroid_hpc_x": source.x,
        "centroid_hpc_y": source.y,
        "fwhm_arcsec": source.fwhm,
        "total_flux": finite(image.total_flux),
        # MEM_GE: the flux estimate that it used
        "flux_estimate": image.flux_estimate or None,
        "certificate": {name: finite(value) for name, value in image.certificate.items()},
        # the counted flux that is not in the image
        "missing_flux": finite(image.certificate.get("missing_flux", float("nan"))),
        "max": float(image.image.max()),
        "unit": image.unit,
        "chi2": finite(image.chi2),
        "n_iter": image.n_iter,
        "stopped_by": str(image.stopped_by),
        "elapsed_s": image.elapsed,
        "sources": [dict(source) for source in image.sources],
    }


def background_check(images: ImageSet) -> dict[str, Any] | None:
    """The background compared with the quietest part of the science file; None where that is unknown."""
    check = images.background_check
    if check is None:
        return None
    return {
        "start": format_time(check.start),
        "end": format_time(check.end),
        "observed": check.observed,
        "expected": check.expected,
        "ratio": check.ratio,
        "sigma": check.sigma,
    }


def _background_range(images: ImageSet) -> dict[str, Any] | None:
    """The requested part of the background file and its whole bins; None when the whole file is used."""
    part = images.background_asked
    if part is None:
        return None
    return {
        "requested": {"start": format_time(part.start), "end": format_time(part.end)},
        "time_range": [format_time(part.t_start), format_time(part.t_end)],
        "seconds": part.seconds,
    }


def finite(value: float) -> float | None:
    """A number, or None if it is not finite, because JSON has no NaN."""
    return float(value) if np.isfinite(value) else None


def warnings_text(findings: tuple[Finding, ...]) -> str:
    """Findings as JSON text, for a column of the index."""
    return json.dumps(findings_as_json(findings), ensure_ascii=False)
