"""Images side by side: on a common scale, as differences, with contours of a reference."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import param
from contourpy import LineType, contour_generator
from numpy.typing import NDArray
from scipy import ndimage

from archive import Archive, Image
from dashboards.shared.address import AddressState
from stixcore.errors import InvalidProduct
from stixcore.image_files.read import ImageFile, read_image_file
from stixcore.imaging.grid import ImageGrid
from stixcore.imaging.location import ripple_level
from stixcore.imaging.reconstruction import Method
from stixcore.imaging.registry import is_deconvolved
from stixcore.solar_grid import Line, clipped, heliographic_grid, limb

Floats = NDArray[np.float64]
Extent = tuple[float, float, float, float]

LEAST_COMPARED, MOST_COMPARED = 2, 8
#: Contour levels, as fractions of the maximum.
CONTOUR_LEVELS = (0.3, 0.5, 0.7, 0.9)
OWN, COMMON = "own", "common"
AUTO, SUN, CENTRE = "auto", "sun", "centre"


@dataclass(frozen=True, eq=False)
class Scene:
    """An image of the index with the content of its file."""

    image: Image
    file: ImageFile


@dataclass(frozen=True, eq=False)
class Panel:
    """One image of a comparison.

    Attributes
    ----------
    image : Image
    values : (ny, nx) float
        Displayed values; NaN outside the other image of a difference.
    extent : (x0, x1, y0, y1), arcsec
        Edges of the displayed map.
    low, high : float
        Limits of the colour scale.
    unit : str
        Unit as in FITS.
    is_reference, is_difference : bool
    contours : mapping of level to lines
        Contours of the reference, by level (fraction of its maximum).
    limb : tuple of lines
        Solar limb.
    sun : tuple of lines
        Heliographic grid, every 10°.
    beam_fwhm : float or None, arcsec
        FWHM of the beam.
    """

    image: Image
    values: Floats
    extent: Extent
    low: float
    high: float
    unit: str
    is_reference: bool
    is_difference: bool
    contours: tuple[tuple[float, tuple[Line, ...]], ...] = ()
    limb: tuple[Line, ...] = ()
    sun: tuple[Line, ...] = ()
    beam_fwhm: float | None = None


@dataclass(frozen=True, eq=False)
class Comparison:
    """Panels in time order, their common field of view, and notes about them.

    Attributes
    ----------
    panels : tuple of Panel
    view : (x0, x1, y0, y1), arcsec
        Field of view, a square; linked panning and zooming start from it.
    about_centres : bool
        Positions are offsets from the centre of each map, because the maps do not overlap.
    notes : tuple of str
    """

    panels: tuple[Panel, ...] = ()
    view: Extent = (-1.0, 1.0, -1.0, 1.0)
    about_centres: bool = False
    notes: tuple[str, ...] = ()


class CompareChoice(AddressState):
    """Options of a comparison."""

    scale: param.Selector[Any] = param.Selector(
        default=OWN, objects=[OWN, COMMON], doc="Colour scale of each or of all"
    )
    place: param.Selector[Any] = param.Selector(
        default=AUTO, objects=[AUTO, SUN, CENTRE], doc="Positions on the Sun, or about the centre of each map"
    )
    reference = param.String("", doc="Id of the image that the others are compared with; empty for the usual")
    contours = param.Boolean(default=False, doc="Contours of the reference on the others")
    difference = param.Boolean(default=False, doc="The others minus the reference")

    choice_names = ("scale", "place", "reference", "contours", "difference")


def read_scenes(archive: Archive, images: Sequence[Image], problems: list[str]) -> Iterator[Scene]:
    """Yield images with their files, one at a time; append a sentence to ``problems`` for each unreadable one."""
    for image in images:
        try:
            yield Scene(image, read_image_file(archive.path_of(image.file)))
        except InvalidProduct:
            problems.append(f"Left out {image.image_id}: its file cannot be read.")


def compare(scenes: Sequence[Scene], choice: CompareChoice) -> Comparison:
    """Compare images.

    Parameters
    ----------
    scenes : sequence of Scene
        At least one.
    choice : CompareChoice
        If the reference is not among the scenes, the first image that is not a back projection is used.
    """
    reference = next(
        (scene for scene in scenes if scene.image.image_id == choice.reference), _default_reference(scenes)
    )
    about_centres = choice.place == CENTRE or (choice.place == AUTO and not _overlap([s.file.extent for s in scenes]))
    notes = []
    if about_centres and choice.place == AUTO:
        notes.append("These maps do not overlap: positions are offsets from the centre of each map.")
    shown = [_values(scene, reference, about_centres) if choice.difference else None for scene in scenes]
    if choice.difference and any(
        values is None for scene, values in zip(scenes, shown, strict=True) if scene is not reference
    ):
        notes.append("Images whose unit differs from the reference are shown without subtraction.")
    units = {scene.file.unit for scene in scenes}
    if choice.scale == COMMON and len(units) > 1:
        notes.append("Each unit has its own colour scale.")
    highest = {unit: max(float(np.nanmax(s.file.pixels)) for s in scenes if s.file.unit == unit) for unit in units}
    panels = []
    for scene, difference in zip(scenes, shown, strict=True):
        is_difference = difference is not None and scene is not reference
        values = difference if is_difference and difference is not None else scene.file.pixels
        if is_difference:
            high = float(np.nanmax(np.abs(values), initial=0.0)) or 1.0
            low = -high
        else:
            low, high = lowest(scene.file), highest[scene.file.unit]
            if choice.scale == OWN:
                high = float(np.nanmax(values))
        shift = scene.file.grid.center if about_centres else (0.0, 0.0)
        extent = _shifted(scene.file.extent, shift)
        lines, grid = sun_of(scene.file, shift)
        panels.append(
            Panel(
                scene.image,
                values,
                extent,
                low,
                high if high > low else low + 1.0,
                scene.file.unit,
                scene is reference,
                is_difference,
                contours_of(reference.file, about_centres=about_centres)
                if choice.contours and scene is not reference
                else (),
                lines,
                grid,
                scene.file.beam_fwhm,
            )
        )
    return Comparison(tuple(panels), _view([panel.extent for panel in panels]), about_centres, tuple(notes))


def lowest(file: ImageFile) -> float:
    """Lower end of the color scale: 0, but for a full-disk map the height of its ripples."""
    return ripple_level(file.pixels) if file.header.get("ALG_USED") == Method.FULL_DISK_BP else 0.0


def _default_reference(scenes: Sequence[Scene]) -> Scene:
    """Default reference: a back projection is avoided, because it is not a model of the source."""
    return next((scene for scene in scenes if is_deconvolved(scene.image.method)), scenes[0])


def resampled(file: ImageFile, onto: ImageGrid, *, about_centres: bool = False) -> Floats:
    """Image resampled to another grid, bilinear; NaN outside the image.

    Parameters
    ----------
    file : ImageFile
    onto : ImageGrid
    about_centres : bool
        Align the centres of the two maps.

    Returns
    -------
    (ny, nx) float, in the unit of the image
    """
    grid = file.grid
    if grid.shape == onto.shape and grid.pixel == onto.pixel and (about_centres or grid.center == onto.center):
        return file.pixels
    shift = (0.0, 0.0) if about_centres else (onto.center[0] - grid.center[0], onto.center[1] - grid.center[1])
    columns = (onto.x + shift[0]) / grid.pixel + (grid.shape[1] - 1) / 2.0
    rows = (onto.y + shift[1]) / grid.pixel + (grid.shape[0] - 1) / 2.0
    places = np.meshgrid(rows, columns, indexing="ij")
    values: Floats = ndimage.map_coordinates(file.pixels, places, order=1, cval=np.nan)
    return values


def _values(scene: Scene, reference: Scene, about_centres: bool) -> Floats | None:
    """Image minus reference on the image's own grid; None if their units differ."""
    if scene.file.unit != reference.file.unit:
        return None
    return scene.file.pixels - resampled(reference.file, scene.file.grid, about_centres=about_centres)


def contours_of(file: ImageFile, *, about_centres: bool = False) -> tuple[tuple[float, tuple[Line, ...]], ...]:
    """Contours of an image: level (fraction of its maximum) and lines, for each of `CONTOUR_LEVELS`."""
    grid = file.grid
    center = (0.0, 0.0) if about_centres else grid.center
    found = contour_generator(grid.x + center[0], grid.y + center[1], file.pixels, line_type=LineType.Separate)
    top = float(file.pixels.max())
    contours = []
    for level in CONTOUR_LEVELS:
        lines = cast("list[Floats]", found.lines(level * top))
        contours.append((level, tuple((line[:, 0], line[:, 1]) for line in lines)))
    return tuple(contours)


def sun_of(file: ImageFile, shift: tuple[float, float] = (0.0, 0.0)) -> tuple[tuple[Line, ...], tuple[Line, ...]]:
    """Limb and heliographic grid near an image, minus ``shift`` (arcsec)."""
    rsun, b0 = float(file.header.get("RSUN_OBS", np.nan)), float(file.header.get("HGLT_OBS", 0.0))
    if not (np.isfinite(rsun) and rsun > 0):
        return (), ()
    near = [
        tuple((x - shift[0], y - shift[1]) for line in lines for x, y in clipped(line, file.extent))
        for lines in ([limb(rsun)], heliographic_grid(rsun, b0))
    ]
    return near[0], near[1]


def _shifted(extent: Extent, shift: tuple[float, float]) -> Extent:
    x0, x1, y0, y1 = extent
    return x0 - shift[0], x1 - shift[0], y0 - shift[1], y1 - shift[1]


def _overlap(extents: Sequence[Extent]) -> bool:
    """Whether all extents have a common overlap."""
    x0, x1, y0, y1 = np.array(extents).T
    return bool(x0.max() < x1.min() and y0.max() < y1.min())


def _view(extents: Sequence[Extent]) -> Extent:
    """A square around the smallest map, so that a full-disk map does not make the others tiny."""
    x0, x1, y0, y1 = min(extents, key=lambda extent: extent[1] - extent[0])
    half, x, y = max(x1 - x0, y1 - y0) / 2.0, (x0 + x1) / 2.0, (y0 + y1) / 2.0
    return x - half, x + half, y - half, y + half
