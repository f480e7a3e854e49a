"""Scripts for several images: an animation, an overlay on the map of another instrument."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from archive.scripts.literals import python_literal
from archive.scripts.sources import ImageSource, InputFile
from archive.scripts.templates import fill, part

LINEAR, LOG = "linear", "log"


@dataclass(frozen=True)
class AnimationLooks:
    """Appearance of an animation.

    Attributes
    ----------
    frame_time : float, s
    scale : str
        Color scale: "linear" or "log".
    common_scale : bool
        Use one color scale for all frames of a band and method, not one per frame.
    field : float or None, arcsec
        Side of the field of view; None: all images.
    size : int, pixel
        Side of a frame.
    """

    frame_time: float = 0.25
    scale: str = LINEAR
    common_scale: bool = True
    field: float | None = None
    size: int = 640


def animation_script(sources: Sequence[ImageSource], looks: AnimationLooks) -> str:
    """Download the images, resample them to a common grid in order of time, write MP4 and GIF."""
    first = min(sources, key=lambda source: source.image.t_start)
    science = {source.science.name: source.science for source in sources}
    return fill(
        "animation.py.txt",
        {
            "script_name": "stix_animation.py",
            **_parts("files", "animation"),
            "frame_time": python_literal(looks.frame_time),
            "scale": python_literal(looks.scale),
            "common_scale": python_literal(looks.common_scale),
            "field": python_literal(looks.field),
            "size": python_literal(looks.size),
            "curve_energy": python_literal([first.image.e_low, first.image.e_high]),
            "images": _files([source.fits for source in sources]),
            "science": _files(list(science.values())),
        },
    )


@dataclass(frozen=True)
class OverlayLooks:
    """Content of an overlay.

    Attributes
    ----------
    map_file : str or None
        File name of the other map; None: the script downloads a map.
    instrument, wavelength : str, int (Angstrom)
        Map that the script downloads: "aia" or "eui".
    view : str
        "other": view of the other instrument; "stix": the map reprojected to the view of Solar Orbiter.
    assumption : str
        "surface", "spherical" or "planar"; see ``parts/overlay.py``.
    levels : tuple of float
        Contour levels, as fractions of the brightest pixel.
    field : float or None, arcsec
        Side of the field of view; None: around the sources.
    """

    map_file: str | None = None
    instrument: str = "aia"
    wavelength: int = 171
    view: str = "other"
    assumption: str = "surface"
    levels: tuple[float, ...] = (0.5, 0.6, 0.7, 0.8, 0.9)
    field: float | None = None


def overlay_script(sources: Sequence[ImageSource], looks: OverlayLooks) -> str:
    """Draw contours of the images on a map of another instrument, downloaded with light travel time or given."""
    return fill(
        "overlay.py.txt",
        {
            "script_name": "stix_overlay.py",
            **_parts("files", "overlay", extra=("import sys",)),
            "map_file": python_literal(looks.map_file),
            "instrument": python_literal(looks.instrument),
            "wavelength": python_literal(looks.wavelength),
            "view": python_literal(looks.view),
            "assumption": python_literal(looks.assumption),
            "levels": python_literal(looks.levels),
            "field": python_literal(looks.field),
            "images": _files([source.fits for source in sources]),
        },
    )


def _parts(*names: str, extra: Sequence[str] = ()) -> dict[str, str]:
    """Template values from several parts: sorted imports, constants and functions."""
    lines, constants, functions = {"from pathlib import Path", *extra}, list[str](), list[str]()
    for opening, body in map(part, names):
        for line in opening.splitlines():
            if line.startswith(("import ", "from ")):
                lines.add(line)
            else:
                constants.append(line)
        functions.append(body)
    standard = {line for line in lines if line.split()[1].partition(".")[0] in sys.stdlib_module_names}
    groups = ["\n".join(sorted(group, key=_import_order)) for group in (standard, lines - standard)]
    return {
        "imports": "\n\n".join(group for group in groups if group),
        "constants": "\n".join(constants).strip("\n"),
        "functions": "\n\n\n".join(functions),
    }


def _import_order(line: str) -> tuple[bool, str]:
    return line.startswith("from"), line


def _files(files: Sequence[InputFile]) -> str:
    return python_literal([file.as_document() for file in files])
