"""Files of component images, and their description as JSON values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jobs.components.figure import draw_components
from jobs.imaging.products import UNITS as IMAGE_UNITS
from jobs.imaging.products import findings_as_json, finite
from jobs.imaging.visibility_images import describe_image, file_stem, save_images
from jobs.spectra.products import describe_fit
from stixcore.image_files.components import write_component_image
from stixcore.imaging_spectroscopy.component_images import ComponentImages
from stixcore.times import format_time

Floats = NDArray[np.float64]

_FLUX = "ct / (s cm2 keV)"
#: Units, in FITS notation, of numbers of `describe_components` whose key does not name one.
UNITS = {
    "channels": {"counts": "ct", "background": "ct", "flux": _FLUX},
    "components": {"flux": _FLUX, "counts": "ct", "position_sigma": "arcsec", "images": IMAGE_UNITS["images"]},
}


def save_components(made: ComponentImages, folder: Path, created: np.datetime64) -> dict[str, Path]:
    """Write the files of component images, each atomically, and the description last.

    Parameters
    ----------
    made : ComponentImages
    folder : Path
        Created if needed.
    created : datetime64
        Creation time in the headers.

    Returns
    -------
    dict of str to Path
        ``<component> <method>`` of each image, ``picture <method>`` of each method, and ``record``.
    """
    components = {one.label: one for one in made.components}
    return save_images(
        folder,
        file_stem(made.components[0].images, made.channels.energy, made.recipe.component_id),
        {label: one.images for label, one in components.items()},
        write=lambda path, label, method: write_component_image(path, made, components[label], method, created),
        draw=lambda method: draw_components(made, method),
        describe=lambda files: describe_components(made, files),
    )


def describe_components(made: ComponentImages, files: dict[str, Path]) -> dict[str, Any]:
    """Describe component images with JSON values, as printed by ``stix-jobs component-images --json``.

    Parameters
    ----------
    made : ComponentImages
    files : dict of str to Path
        By kind, as `save_components` returns them.
    """
    spectrum, separated, recipe = made.spectrum.spectrum, made.separated, made.recipe
    return {
        "component_id": recipe.component_id,
        "recipe": recipe.to_dict(),
        "simulated": made.simulated,
        "time_range": [format_time(spectrum.t_start), format_time(spectrum.t_end)],
        "requested": {"start": recipe.images.time_range[0], "end": recipe.images.time_range[1]},
        "energy_range_kev": list(made.channels.energy),
        "energy_gaps_kev": [list(gap) for gap in made.channels.gaps],
        "location": {"hpc_x": recipe.images.location.x, "hpc_y": recipe.images.location.y},
        "verdict": made.verdict,
        "findings": findings_as_json(made.findings),
        "condition": separated.condition,
        "chi2": separated.chi2,
        "ndof": separated.ndof,
        "misfit": made.misfit,
        "subcollimators": [
            {"label": label, "chi2": float(chi2), "ndof": separated.ndof_of_label}
            for label, chi2 in zip(made.labels, separated.chi2_of_labels, strict=True)
        ],
        "channels": _channels(made),
        "fit": None if made.spectrum.fit is None else describe_fit(made.spectrum.fit),
        "components": [_component(made, number, files) for number in range(len(made.components))],
        "files": {key: str(path) for key, path in files.items()},
        "units": UNITS,
        "elapsed_s": made.elapsed,
    }


def _channels(made: ComponentImages) -> list[dict[str, Any]]:
    """Every channel of the spectrum; flux, shares and χ² of those that are used."""
    channels, separated = made.channels, made.separated
    place = np.cumsum(channels.used) - 1
    described = []
    for i, used in enumerate(channels.used):
        row: dict[str, Any] = {
            "energy_kev": [float(channels.e_low[i]), finite(channels.e_high[i])],
            "used": bool(used),
            "reason": channels.reasons[i] or None,
            "counts": finite(channels.counts[i]),
            "background": finite(channels.background[i]),
        }
        if used:
            row |= {
                "flux": float(channels.flux[place[i]]),
                "weights": channels.weights[place[i]].tolist(),
                "chi2": float(separated.chi2_of_channels[place[i]]),
                "ndof": float(separated.ndof_of_channels[place[i]]),
            }
        described.append(row)
    return described


def _component(made: ComponentImages, number: int, files: dict[str, Path]) -> dict[str, Any]:
    component, separated = made.components[number], made.separated
    images = component.images
    total, background = images.counts
    position = images.position
    vis = zip(
        made.labels, images.vis.u, images.vis.v, separated.vis[number].tolist(), separated.sigma[number],
        np.sqrt(separated.covariance[:, number, number]), strict=True,
    )  # fmt: skip
    return {
        "component": component.label,
        "name": component.name,
        "flux": component.flux,
        "share": component.share,
        "counts": total - background,
        "position_sigma": None if position is None else [finite(position.sigma_x), finite(position.sigma_y)],
        # for unit flux; u and v [arcsec-1] are along helioprojective axes, the phase centre is the map centre
        "visibilities": [
            {
                "label": label,
                "u": float(u),
                "v": float(v),
                "re": value.real,
                "im": value.imag,
                "sigma": float(sigma),
                "sigma_counting": float(counting),
            }
            for label, u, v, value, sigma, counting in vis
        ],
        "images": [
            describe_image(images, method, files.get(f"{component.label} {method}")) for method in images.images
        ],
        "failures": {str(method): reason for method, reason in images.failures.items()},
        "findings": findings_as_json(images.findings),
    }
