"""Regions of an image whose flux is measured: shapes that a user draws, contours, and the sources of a forward fit.

A pixel belongs to a region if its centre is inside. Positions are helioprojective, arcsec. A region is refused if it is
partly outside the map, contains no pixel, or overlaps another one: its flux would be wrong without notice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from stixcore.errors import SelectionError

if TYPE_CHECKING:  # imaging builds on spectra
    from stixcore.imaging.grid import ImageGrid

Floats = NDArray[np.float64]
Masks = NDArray[np.bool_]

#: Most corners of a polygon.
MOST_CORNERS = 200
#: Most characters of a name.
LONGEST_NAME = 60
#: Name of the flux outside all regions, in tables next to theirs.
OUTSIDE = "outside"
#: A region may end on the edge of the map, to this fraction of a pixel.
EDGE = 1e-6


@dataclass(frozen=True)
class Circle:
    """A circle: centre and radius, arcsec."""

    name: str
    x: float
    y: float
    radius: float

    def __post_init__(self) -> None:
        _require_numbers(self.name, {"x": self.x, "y": self.y}, {"radius": self.radius})

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Smallest and largest x, smallest and largest y, arcsec."""
        return self.x - self.radius, self.x + self.radius, self.y - self.radius, self.y + self.radius

    def contains(self, x: Floats, y: Floats) -> Masks:
        """Whether points (x, y), arcsec, are inside, edge included; x and y broadcast."""
        return np.asarray((x - self.x) ** 2 + (y - self.y) ** 2 <= self.radius**2)


@dataclass(frozen=True)
class Ellipse:
    """An ellipse: centre, half axes [arcsec], position angle of the first one [degree, counter-clockwise from +x]."""

    name: str
    x: float
    y: float
    major: float
    minor: float
    position_angle: float = 0.0

    def __post_init__(self) -> None:
        places = {"x": self.x, "y": self.y, "position_angle": self.position_angle}
        _require_numbers(self.name, places, {"major": self.major, "minor": self.minor})

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Smallest and largest x, smallest and largest y, arcsec."""
        cos, sin = self._direction
        # half widths of the box around an ellipse: √(a² cos² α + b² sin² α), √(a² sin² α + b² cos² α)
        wide, high = np.hypot(self.major * cos, self.minor * sin), np.hypot(self.major * sin, self.minor * cos)
        return self.x - wide, self.x + wide, self.y - high, self.y + high

    def contains(self, x: Floats, y: Floats) -> Masks:
        """Whether points (x, y), arcsec, are inside, edge included; x and y broadcast."""
        cos, sin = self._direction
        along, across = (x - self.x) * cos + (y - self.y) * sin, (y - self.y) * cos - (x - self.x) * sin
        return np.asarray((along / self.major) ** 2 + (across / self.minor) ** 2 <= 1.0)

    @property
    def _direction(self) -> tuple[float, float]:
        angle = np.deg2rad(self.position_angle)
        return float(np.cos(angle)), float(np.sin(angle))


@dataclass(frozen=True)
class Polygon:
    """A polygon: its corners (x, y), arcsec, in either direction; the last one is joined to the first."""

    name: str
    corners: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        corners = self.corners
        _require_name(self.name)
        if not 3 <= len(corners) <= MOST_CORNERS:
            message = f"region {self.name!r}: a polygon has 3 to {MOST_CORNERS} corners, found {len(corners)}"
            raise SelectionError(message)
        for number, (x, y) in enumerate(corners, 1):
            _require_numbers(self.name, {f"x of corner {number}": x, f"y of corner {number}": y}, {})
        crossing = _crossing_edges(np.array(corners))
        if crossing is not None:
            one, other = crossing
            message = f"region {self.name!r}: edges {one + 1} and {other + 1} of the polygon cross each other"
            raise SelectionError(message)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Smallest and largest x, smallest and largest y, arcsec."""
        x, y = zip(*self.corners, strict=True)
        return min(x), max(x), min(y), max(y)

    def contains(self, x: Floats, y: Floats) -> Masks:
        """Whether points are inside: a ray to +x crosses the outline an odd number of times.

        A point on an edge that two polygons share is in exactly one of them.
        """
        inside = np.zeros(np.broadcast_shapes(x.shape, y.shape), dtype=bool)
        x = np.broadcast_to(x, inside.shape)
        y = np.broadcast_to(y, (len(inside), *y.shape[1:]))
        for one, other in self._edges:
            # always from the lower end, so that polygons with a common edge find the same crossing
            (x_low, y_low), (x_high, y_high) = sorted((one, other), key=lambda corner: corner[::-1])
            if y_low == y_high:
                continue
            crossed = (y_low <= y) & (y < y_high)
            rows = np.flatnonzero(crossed.reshape(len(crossed), -1).any(axis=1))
            if not rows.size:
                continue
            some = slice(rows[0], rows[-1] + 1)  # most edges cross few rows of a map
            crossing = x_low + (y[some] - y_low) / (y_high - y_low) * (x_high - x_low)
            inside[some] ^= crossed[some] & (x[some] < crossing)
        return inside

    @property
    def _edges(self) -> list[tuple[tuple[float, float], tuple[float, float]]]:
        return list(zip(self.corners, (*self.corners[1:], self.corners[0]), strict=True))


@dataclass(frozen=True)
class Contour:
    """The connected area of an image above a fraction ``level`` of its maximum, around a point, by default the peak."""

    name: str
    level: float
    x: float | None = None
    y: float | None = None

    def __post_init__(self) -> None:
        point = {key: value for key, value in (("x", self.x), ("y", self.y)) if value is not None}
        _require_numbers(self.name, point, {"level": self.level})
        if not self.level < 1.0:
            message = f"region {self.name!r}: level must be between 0 and 1, found {self.level:g}"
            raise SelectionError(message)
        if len(point) == 1:
            message = f"region {self.name!r}: a contour needs both x and y of its point, or neither"
            raise SelectionError(message)


type Region = Circle | Ellipse | Polygon | Contour


def region_masks(regions: Sequence[Region], grid: ImageGrid, image: Floats | None = None) -> Masks:
    """Pixels of regions.

    Parameters
    ----------
    regions : sequence of Region
        With different names.
    grid : ImageGrid
    image : (ny, nx) float, optional
        For contours.

    Returns
    -------
    (n, ny, nx) bool

    Raises
    ------
    SelectionError
        When there is no region; when one is partly outside the map, has no pixel, or shares pixels with another one.
    """
    if not regions:
        message = "at least one region is needed"
        raise SelectionError(message)
    names = [region.name for region in regions]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        message = f"two regions have the name {twice[0]!r}"
        raise SelectionError(message)
    masks = np.stack([_mask(region, grid, image) for region in regions])
    for (i, one), (j, other) in combinations(enumerate(names), 2):
        shared = int((masks[i] & masks[j]).sum())
        if shared:
            message = f"regions {one!r} and {other!r} overlap in {shared} pixels; a pixel can belong to one only"
            raise SelectionError(message)
    return masks


def contours_above(image: Floats, grid: ImageGrid, level: float) -> tuple[Contour, ...]:
    """A contour around every source of an image, brightest first, named "source 1" and so on.

    Parameters
    ----------
    image : (ny, nx) float
    grid : ImageGrid
    level : float
        Fraction of the maximum, the same for all.
    """
    _require_signal(image, "the image")
    labels, number = ndimage.label(image >= level * image.max())
    found = ndimage.maximum_position(image, labels, np.arange(1, number + 1))
    peaks = sorted(((int(row), int(column)) for row, column in found), key=lambda place: -float(image[place]))
    places = [grid.position(float(row), float(column)) for row, column in peaks]
    return tuple(Contour(f"source {n}", level, *place) for n, place in enumerate(places, 1))


def source_regions(sources: Sequence[Mapping[str, Any]], scale: float = 1.0) -> tuple[Circle | Ellipse, ...]:
    """Regions of the sources of a forward fit: their areas above half maximum, of loops those of their second moments.

    Parameters
    ----------
    sources : sequence of mappings
        In the format of `Reconstruction.sources`.
    scale : float
        Size of the regions in FWHM.

    Raises
    ------
    SelectionError
        When there is no source.
    """
    if not sources:
        message = "the image has no fitted sources; only a forward fit has"
        raise SelectionError(message)
    regions: list[Circle | Ellipse] = []
    for number, source in enumerate(sources, 1):
        name, x, y = f"source {number}", float(source["x"]), float(source["y"])
        if source["shape"] == "circle":
            regions.append(Circle(name, x, y, 0.5 * scale * float(source["fwhm"])))
        else:
            major, minor = (0.5 * scale * float(source[axis]) for axis in ("fwhm_max", "fwhm_min"))
            regions.append(Ellipse(name, x, y, major, minor, float(source["position_angle"])))
    return tuple(regions)


def region_sums(image: Floats, masks: Masks, grid: ImageGrid) -> Floats:
    """Flux of regions, (n,) float, ct s⁻¹ cm⁻² keV⁻¹.

    Parameters
    ----------
    image : (ny, nx) float, ct s⁻¹ cm⁻² keV⁻¹ arcsec⁻²
        For CLEAN the components: the restored map also has flux of neighbouring sources.
    masks : (n, ny, nx) bool
    grid : ImageGrid
    """
    # S = Δ² Σ_R I
    return np.asarray(np.where(masks, image, 0.0).sum(axis=(1, 2)) * grid.pixel_area)


def _mask(region: Region, grid: ImageGrid, image: Floats | None) -> Masks:
    if isinstance(region, Contour):
        return _contour_mask(region, grid, image)
    half = (0.5 * grid.shape[1] * grid.pixel, 0.5 * grid.shape[0] * grid.pixel)
    x_low, x_high, y_low, y_high = region.bounds
    edges = {
        "west": x_high - grid.center[0] - half[0],
        "east": grid.center[0] - half[0] - x_low,
        "north": y_high - grid.center[1] - half[1],
        "south": grid.center[1] - half[1] - y_low,
    }
    side = max(edges, key=lambda name: edges[name])
    if edges[side] > EDGE * grid.pixel:
        message = f"region {region.name!r} is outside the map by {edges[side]:.3g} arcsec in the {side}"
        raise SelectionError(message)
    mask = region.contains(grid.center[0] + grid.x[None, :], grid.center[1] + grid.y[:, None])
    if not mask.any():
        message = f"region {region.name!r} contains no pixel centre (pixels of {grid.pixel:g} arcsec)"
        raise SelectionError(message)
    return mask


def _contour_mask(region: Contour, grid: ImageGrid, image: Floats | None) -> Masks:
    if image is None or image.shape != tuple(grid.shape):
        message = f"region {region.name!r} is a contour, which needs an image on the grid"
        raise SelectionError(message)
    _require_signal(image, f"region {region.name!r}: the image")
    row, column = divmod(int(np.argmax(image)), grid.shape[1])
    if region.x is not None and region.y is not None:
        column = round((region.x - grid.center[0]) / grid.pixel + (grid.shape[1] - 1) / 2.0)
        row = round((region.y - grid.center[1]) / grid.pixel + (grid.shape[0] - 1) / 2.0)
        if not (0 <= row < grid.shape[0] and 0 <= column < grid.shape[1]):
            message = f"region {region.name!r}: its point ({region.x:g}, {region.y:g}) is outside the map"
            raise SelectionError(message)
    labels, _ = ndimage.label(image >= region.level * image.max())
    if not labels[row, column]:
        message = f"region {region.name!r}: the image is below {region.level:.0%} of its maximum at the point"
        raise SelectionError(message)
    mask = np.asarray(labels == labels[row, column])
    if mask[[0, -1]].any() or mask[:, [0, -1]].any():
        message = f"region {region.name!r}: its contour reaches the edge of the map and may continue outside it"
        raise SelectionError(message)
    return mask


def _require_signal(image: Floats, what: str) -> None:
    if not (np.isfinite(image).all() and image.max() > 0):
        message = f"{what} has no positive maximum, or values that are not finite"
        raise SelectionError(message)


def _require_name(name: str) -> None:
    """Refuse a name that cannot be shown."""
    if not name.strip():
        message = "a region needs a name"
        raise SelectionError(message)
    if len(name) > LONGEST_NAME or not name.isprintable():
        message = f"region {name[:LONGEST_NAME]!r}: a name has at most {LONGEST_NAME} characters, all of them printable"
        raise SelectionError(message)
    if name == OUTSIDE:
        message = f"region {name!r}: this is the name of the flux outside all regions; choose another one"
        raise SelectionError(message)


def _require_numbers(name: str, places: Mapping[str, float], sizes: Mapping[str, float]) -> None:
    """Refuse a name that cannot be shown, numbers that are not finite, and sizes that are not positive."""
    _require_name(name)
    for key, value in {**places, **sizes}.items():
        if not np.isfinite(value) or (key in sizes and value <= 0):
            wanted = "a positive number" if key in sizes else "a finite number"
            message = f"region {name!r}: {key} must be {wanted}, found {value}"
            raise SelectionError(message)


def _crossing_edges(corners: Floats) -> tuple[int, int] | None:
    """The first two edges of a polygon, corners (n, 2), that cross or touch each other away from a common line."""
    begin, end = corners, np.roll(corners, -1, axis=0)
    along = end - begin

    def side(points: Floats) -> Floats:
        """On which side of each edge (row) each point (column) is."""
        away = points[None, :] - begin[:, None]
        return np.sign(along[:, None, 0] * away[..., 1] - along[:, None, 1] * away[..., 0])

    with np.errstate(over="ignore", invalid="ignore"):  # corners may be anywhere
        sides = side(begin) * side(end)
    first, second = np.triu_indices(len(corners), 2)  # neighbours have a common corner
    cross = (sides[first, second] <= 0) & (sides[second, first] < 0) & (second - first != len(corners) - 1)
    found = np.flatnonzero(cross)
    return (int(first[found[0]]), int(second[found[0]])) if found.size else None
