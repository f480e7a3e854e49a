"""Files of component images, and their description as JSON values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jobs.components.figure import draw_components
from jobs.imaging.products import UNITS as IMAGE_UNITS
from jobs.imaging.products import findings_as_json, finite
from jobs.imaging.visibility_images import (
    describe_channels,
    describe_image,
    describe_labels,
    describe_measurement,
    file_stem,
    save_images,
)
from jobs.spectra.products import describe_fit
from stixcore.image_files.components import write_component_image
from stixcore.imaging_spectroscopy.component_images import ComponentImages

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
        write=lambda path, label, method, name: write_component_image(
            path, made, components[label], method, created, name=name
        ),
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
    separated = made.separated
    return {
        "component_id": made.recipe.component_id,
        **describe_measurement(made),
        "energy_range_kev": list(made.channels.energy),
        "condition": separated.condition,
        "chi2": separated.chi2,
        "ndof": separated.ndof,
        "subcollimators": describe_labels(made.labels, separated.chi2_of_labels, separated.ndof_of_label),
        "channels": _channels(made),
        "fit": None if made.spectrum.fit is None else describe_fit(made.spectrum.fit),
        "components": [_component(made, number, files) for number in range(len(made.components))],
        "files": {key: str(path) for key, path in files.items()},
        "units": UNITS,
    }


def _channels(made: ComponentImages) -> list[dict[str, Any]]:
    """Every channel of the spectrum; those that are used have shares of the components and χ²."""
    separated, described = made.separated, describe_channels(made.channels)
    for number, row in enumerate(row for row in described if row["used"]):
        row |= {
            "weights": made.channels.weights[number].tolist(),
            "chi2": float(separated.chi2_of_channels[number]),
            "ndof": float(separated.ndof_of_channels[number]),
        }
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
