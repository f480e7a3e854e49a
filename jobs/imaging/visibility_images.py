"""What images of components and of electrons share: files, description as JSON values, and pictures side by side."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Picture
from PIL import ImageDraw

from archive.atomic import atomic_path, make_folder, write_bytes
from archive.layout import stamp
from jobs.imaging.figures import draw_map, font, png
from jobs.imaging.products import findings_as_json, finite, verdict_as_json
from stixcore.imaging.clean import CleanParameters
from stixcore.imaging.metrics import measure_source
from stixcore.imaging.ms_clean import MultiScaleCleanParameters
from stixcore.imaging.reconstruction import Method, method_name
from stixcore.imaging.trust import Aspect, verdict
from stixcore.imaging_spectroscopy.component_images import ComponentImages
from stixcore.imaging_spectroscopy.electron_maps import ElectronMaps
from stixcore.imaging_spectroscopy.visibility_images import ChannelVisibilities
from stixcore.reconstruct import ImageSet
from stixcore.times import format_time

#: Size of a map in a picture, pixels.
SIDE = 400
BLACK, DOUBT = (0, 0, 0), (176, 0, 32)


def save_images(
    folder: Path,
    stem: str,
    images: Mapping[str, ImageSet],
    *,
    write: Callable[[Path, str, Method, str], None],
    draw: Callable[[Method], Picture.Image],
    describe: Callable[[dict[str, Path]], dict[str, Any]],
) -> dict[str, Path]:
    """Write images, a picture for each method, and last their description, each atomically.

    Parameters
    ----------
    folder : Path
        Created if needed.
    stem : str
        Begins the name of every file.
    images : mapping of str to ImageSet
        By a label that is part of their names.
    write : callable
        Writes a FITS file: path, label, method, and the name that the file gets at last.
    draw : callable
        The picture of a method.
    describe : callable
        The images as JSON values, from the names of the files by kind.

    Returns
    -------
    dict of str to Path
        ``<label> <method>`` of each image, ``picture <method>`` of each method, and ``record``.
    """
    make_folder(folder)
    files = {}
    for label, one in images.items():
        for method in one.images:
            path = files[f"{label} {method}"] = folder / f"{stem}_{label}_{method}.fits"
            with atomic_path(path) as temporary:
                write(temporary, label, method, path.name)
    for method in dict.fromkeys(method for one in images.values() for method in one.images):
        path = files[f"picture {method}"] = folder / f"{stem}_{method}.png"
        write_bytes(path, png(draw(method)))
    record = files["record"] = folder / f"{stem}.json"
    described = describe({key: Path(path.name) for key, path in files.items()})
    write_bytes(record, (json.dumps(described, allow_nan=False, ensure_ascii=False, indent=1) + "\n").encode())
    return files


def file_stem(images: ImageSet, energy: tuple[float, float], recipe_id: str) -> str:
    """Begins the names of files, like those of other images; ``energy`` in keV."""
    times = f"{stamp(images.pixels.t_start)}-{stamp(images.pixels.t_end)}"
    return f"stix_L3_{times}_{energy[0]:.10g}-{energy[1]:.10g}keV_{images.recipe.science.uid}_{recipe_id}"


def describe_measurement(made: ComponentImages | ElectronMaps) -> dict[str, Any]:
    """Describe with JSON values what was measured from which data, without the images.

    Parameters
    ----------
    made : ComponentImages or ElectronMaps
    """
    spectrum, recipe = made.spectrum.spectrum, made.recipe
    return {
        "recipe": recipe.to_dict(),
        "simulated": made.simulated,
        "time_range": [format_time(spectrum.t_start), format_time(spectrum.t_end)],
        "requested": {"start": recipe.images.time_range[0], "end": recipe.images.time_range[1]},
        "energy_gaps_kev": [list(gap) for gap in made.channels.gaps],
        "location": {"hpc_x": recipe.images.location.x, "hpc_y": recipe.images.location.y},
        "verdict": made.verdict,
        "findings": findings_as_json(made.findings),
        "misfit": made.misfit,
        "elapsed_s": made.elapsed,
    }


def describe_channels(channels: ChannelVisibilities) -> list[dict[str, Any]]:
    """Describe every channel of the spectrum with JSON values; only those that are used have a flux."""
    place = np.cumsum(channels.used) - 1
    return [
        {
            "energy_kev": [float(channels.e_low[i]), finite(channels.e_high[i])],
            "used": bool(used),
            "reason": channels.reasons[i] or None,
            "counts": finite(channels.counts[i]),
            "background": finite(channels.background[i]),
            "flux": float(channels.flux[place[i]]) if used else None,
        }
        for i, used in enumerate(channels.used)
    ]


def describe_labels(labels: Sequence[str], chi2: NDArray[np.float64], ndof: float) -> list[dict[str, Any]]:
    """Describe how well the channels of every sub-collimator agree; each has ``ndof`` degrees of freedom."""
    return [{"label": label, "chi2": float(one), "ndof": ndof} for label, one in zip(labels, chi2, strict=True)]


def describe_image(images: ImageSet, method: Method, file: Path | None) -> dict[str, Any]:
    """Describe one image with JSON values.

    Parameters
    ----------
    images : ImageSet
    method : Method
        One of its images.
    file : Path or None
        Where it is.
    """
    image = images.images[method]
    described = {
        "method": str(method),
        "file": None if file is None else str(file),
        "peak_hpc_x": image.peak[0],
        "peak_hpc_y": image.peak[1],
        "total_flux": finite(image.total_flux),
        "max": float(image.image.max()),
        "unit": image.unit,
        "chi2": finite(image.chi2),
        "sources": [dict(source) for source in image.sources],
        "verdict": verdict_as_json(verdict(images.findings, method)),
        "sigma": images.ensembles[method].errors() if method in images.ensembles else None,
    }
    if image.image.max() > 0:
        source = measure_source(image.image, image.grid, image.sources)
        described |= {"centroid_hpc_x": source.x, "centroid_hpc_y": source.y, "fwhm_arcsec": source.fwhm}
    return described


def draw_image(images: ImageSet, method: Method, title: str) -> Picture.Image:
    """Draw a map with its verdict and its maximum."""
    image, recipe = images.images[method], images.recipe
    parameters = recipe.methods[method]
    judged = verdict(images.findings, method)
    doubted = [str(aspect) for aspect in Aspect if judged.reasons[aspect]]
    words = f"doubtful: {', '.join(doubted)}" if doubted else "trusted"
    return draw_map(
        image.image,
        image.grid,
        title=title,
        caption=f"{words}   peak {image.image.max():.3g} {image.unit}",
        rsun=recipe.pointing.rsun,
        b0=recipe.pointing.b0,
        beam_fwhm=parameters.beam_fwhm if isinstance(parameters, CleanParameters | MultiScaleCleanParameters) else None,
        size=SIDE,
    )


def picture_title(images: ImageSet, method: Method, energies: str, *, simulated: bool) -> str:
    """Title of pictures side by side: method, times, energies and uid."""
    times = f"{format_time(images.pixels.t_start)[:19]} to {format_time(images.pixels.t_end)[11:19]} UTC"
    mark = "SIMULATED   " if simulated else ""
    return f"{mark}{method_name(method)}   {times} at Solar Orbiter   {energies}   uid {images.recipe.science.uid}"


def side_by_side(panels: Sequence[Picture.Image], title: str, quality: str, *, doubtful: bool) -> Picture.Image:
    """Pictures in a row below two lines of text; the second is red if it is a doubt."""
    top = 52
    canvas = Picture.new("RGB", (sum(one.width for one in panels), panels[0].height + top), "white")
    draw, left = ImageDraw.Draw(canvas), 0
    draw.text((16, 6), title, fill=BLACK, font=font(15))
    draw.text((16, 28), quality, fill=DOUBT if doubtful else BLACK, font=font(12))
    for panel in panels:
        canvas.paste(panel, (left, top))
        left += panel.width
    return canvas
