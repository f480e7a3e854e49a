"""Files of electron maps, and their description as JSON values."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Picture

from jobs.imaging.products import UNITS as IMAGE_UNITS
from jobs.imaging.products import findings_as_json
from jobs.imaging.visibility_images import (
    describe_channels,
    describe_image,
    describe_labels,
    describe_measurement,
    draw_image,
    file_stem,
    picture_title,
    save_images,
    side_by_side,
)
from stixcore.image_files.electrons import write_electron_map
from stixcore.image_files.layout import SOURCE_COLUMNS
from stixcore.imaging.reconstruction import Method
from stixcore.imaging_spectroscopy.electron_maps import FLUX_UNIT, UNIT, ElectronMap, ElectronMaps

_COUNT_FLUX = SOURCE_COLUMNS["flux"]


def _units_of_electrons(units: Mapping[str, Any]) -> dict[str, Any]:
    """Units of images, with those of the electron flux in place of the count flux."""
    return {
        key: _units_of_electrons(unit) if isinstance(unit, Mapping) else FLUX_UNIT if unit == _COUNT_FLUX else unit
        for key, unit in units.items()
    }


#: Units, in FITS notation, of numbers of `describe_electron_maps` whose key does not name one.
UNITS: dict[str, Any] = {
    "channels": {"counts": "ct", "background": "ct", "flux": _COUNT_FLUX},
    "maps": {
        "total": FLUX_UNIT,
        "total_sigma": FLUX_UNIT,
        "images": _units_of_electrons(IMAGE_UNITS["images"]) | {"max": UNIT},
    },
}


def save_electron_maps(made: ElectronMaps, folder: Path, created: np.datetime64) -> dict[str, Path]:
    """Write the files of electron maps, each atomically, and the description last.

    Parameters
    ----------
    made : ElectronMaps
    folder : Path
        Created if needed.
    created : datetime64
        Creation time in the headers.

    Returns
    -------
    dict of str to Path
        ``<energy>keV <method>`` of each map, ``picture <method>`` of each method, and ``record``.
    """
    maps = {_label(one): one for one in made.maps}
    return save_images(
        folder,
        file_stem(made.maps[0].images, made.channels.energy, f"{made.recipe.electron_id}_electrons"),
        {label: one.images for label, one in maps.items()},
        write=lambda path, label, method, name: write_electron_map(path, made, maps[label], method, created, name=name),
        draw=lambda method: draw_electron_maps(made, method),
        describe=lambda files: describe_electron_maps(made, files),
    )


def _label(one: ElectronMap) -> str:
    return f"{one.energy:.10g}keV"


def draw_electron_maps(made: ElectronMaps, method: Method) -> Picture.Image:
    """Draw the maps of one method side by side; energies for which it failed have no panel."""
    shown = [one for one in made.maps if method in one.images.images]
    panels = []
    for one in shown:
        low, _, high = one.resolution
        title = f"electrons of {one.energy:g} keV (68 %: {low:.0f}-{high:.0f} keV)"
        panels.append(draw_image(one.images, method, title))
    low, high = made.channels.energy
    title = picture_title(shown[0].images, method, f"photons {low:g}-{high:g} keV", simulated=made.simulated)
    return side_by_side(panels, title, _quality(made), doubtful=made.verdict == "doubtful")


def _quality(made: ElectronMaps) -> str:
    electrons = made.electrons
    return (
        f"inversion {made.verdict}: {electrons.n_channels} channels, {electrons.dof:.1f} independent energies, "
        f"chi2 {electrons.reduced_chi2:.2f} per degree of freedom"
    )


def describe_electron_maps(made: ElectronMaps, files: dict[str, Path]) -> dict[str, Any]:
    """Describe electron maps with JSON values, as printed by ``stix-jobs electron-maps --json``.

    Parameters
    ----------
    made : ElectronMaps
    files : dict of str to Path
        By kind, as `save_electron_maps` returns them.
    """
    electrons = made.electrons
    return {
        "electron_id": made.recipe.electron_id,
        **describe_measurement(made),
        "photon_range_kev": list(made.channels.energy),
        "independent_energies": electrons.dof,
        "strength": electrons.strength,
        "chi2_per_dof": electrons.reduced_chi2,
        "albedo_angle_deg": made.albedo_angle,
        "subcollimators": describe_labels(made.labels, electrons.chi2_of_labels, electrons.ndof_of_label),
        "channels": describe_channels(made.channels),
        "electron_bins": {
            "energy_kev": electrons.centres.tolist(),
            "reference": electrons.reference.tolist(),
        },
        "maps": [_map(made, number, files) for number in range(len(made.maps))],
        "files": {key: str(path) for key, path in files.items()},
        "units": UNITS,
    }


def _map(made: ElectronMaps, number: int, files: dict[str, Path]) -> dict[str, Any]:
    one, images = made.maps[number], made.maps[number].images
    return {
        "energy_kev": one.energy,
        "total": one.total,
        "total_sigma": one.total_sigma,
        "resolution_kev": list(one.resolution),
        "contrast": one.contrast,
        "slope": one.slope,
        "thermal_share": one.thermal_share,
        "weights": made.electrons.kernel[number].tolist(),
        "images": [describe_image(images, method, files.get(f"{_label(one)} {method}")) for method in images.images],
        "failures": {str(method): reason for method, reason in images.failures.items()},
        "findings": findings_as_json(images.findings),
    }
