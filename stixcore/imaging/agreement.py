"""Do the methods agree on the sources of a flare? Each names its brightest one; of two equal ones they name either."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from stixcore.imaging.metrics import SOURCE_LEVEL, SourceMeasure, measure_source, strongest_source
from stixcore.imaging.reconstruction import Method, Reconstruction

Floats = NDArray[np.float64]
Place = tuple[float, float]

#: Distance within which two places are the same source, arcsec: half of the finest resolution.
SAME_SOURCE = 7.5
#: An image with more strong sources than this shows noise, which has a peak near every place.
MOST_SOURCES = 4
#: Least radius of the circle in which the flux of a fitted source is looked for in other images, arcsec.
FLUX_RADIUS = 15.0


@dataclass(frozen=True, eq=False)
class SourceComparison:
    """The sources in the images of one set.

    A source is *strong* if it has at least half of the brightness of the image's maximum, or half of the flux of the
    strongest fitted source. Images *show* a source if they have a strong source within 7.5″ of it; a fitted source,
    which may be wide and faint, also if they have at least half of the fit's share of the flux around it.

    Attributes
    ----------
    images : mapping of Method to Reconstruction
        Models of the source with a positive maximum.
    brightest : mapping of Method to SourceMeasure
        The brightest source of each; of a fit, the one with the largest flux.
    places : mapping of Method to tuple of (x, y)
        Strong sources of each, arcsec; none of an image of noise.
    """

    images: Mapping[Method, Reconstruction]
    brightest: Mapping[Method, SourceMeasure]
    places: Mapping[Method, tuple[Place, ...]]

    @classmethod
    def of(cls, images: Mapping[Method, Reconstruction]) -> SourceComparison:
        """Find the sources of images."""
        brightest = {method: measure_source(one.image, one.grid, one.sources) for method, one in images.items()}
        return cls(images, brightest, {method: strong_sources(one) for method, one in images.items()})

    @property
    def median(self) -> Place:
        """Median position of the brightest sources, arcsec."""
        x, y = np.median([(one.x, one.y) for one in self.brightest.values()], axis=0)
        return float(x), float(y)

    def distance(self, method: Method) -> float:
        """Of the brightest source of a method from the median, arcsec."""
        x, y = self.median
        return float(np.hypot(self.brightest[method].x - x, self.brightest[method].y - y))

    def is_one_of_several(self, method: Method) -> bool:
        """Whether most other images show the brightest source of a method, and its image shows half of theirs.

        Then the methods agree on the sources, and differ in which is the brightest. A side lobe is strong in the image
        of one method, not in most.
        """
        others = [other for other in self.images if other is not method]
        mine = self.brightest[method]
        shown = sum(self._shows(other, method, (mine.x, mine.y)) for other in others)
        theirs = [self.brightest[other] for other in others]
        found = sum(_is_near((one.x, one.y), self.places[method]) for one in theirs)
        return len(others) >= 2 and shown > len(others) / 2 and found >= len(others) / 2

    def distance_of(self, x: float, y: float, apart: float) -> float:
        """Distance of a place from the median, or from the line between it and another source of most images, arcsec.

        A circle that is fitted to two sources lies between them.

        Parameters
        ----------
        x, y : float, arcsec
        apart : float, arcsec
            Least distance of another source from the median.
        """
        middle = np.array(self.median)
        from_middle = np.array([x, y]) - middle
        distances = [float(np.hypot(*from_middle))]
        for method, places in self.places.items():
            others = [other for other in self.images if other is not method]
            for place in places:
                line = np.array(place) - middle
                length = float(np.hypot(*line))
                if length > apart and sum(self._shows(one, method, place) for one in others) > len(others) / 2:
                    along = float(np.clip((from_middle * line).sum() / length**2, 0.0, 1.0))
                    distances.append(float(np.hypot(*(from_middle - along * line))))
        return min(distances)

    def _shows(self, method: Method, whose: Method, place: Place) -> bool:
        """Whether the image of a method shows a strong source of another one."""
        if _is_near(place, self.places[method]):
            return True
        fit = self.images[whose]
        if not fit.sources:
            return False
        source = min(fit.sources, key=lambda one: np.hypot(float(one["x"]) - place[0], float(one["y"]) - place[1]))
        radius = max(FLUX_RADIUS, 0.5 * float(source["fwhm"]))
        return _share(self.images[method], place, radius) >= 0.5 * _share(fit, place, radius)


def strong_sources(image: Reconstruction) -> tuple[Place, ...]:
    """Places of the local maxima above half of the maximum; of a fit, of the sources with half of the largest flux.

    Returns
    -------
    tuple of (x, y), arcsec
        Empty for an image of noise, with more than four maxima.
    """
    if image.sources:
        least = SOURCE_LEVEL * float(strongest_source(image.sources)["flux"])
        return tuple((float(one["x"]), float(one["y"])) for one in image.sources if float(one["flux"]) >= least)
    pixels, grid = image.image, image.grid
    width = 2 * int(np.ceil(SAME_SOURCE / grid.pixel)) + 1
    highest = pixels == ndimage.maximum_filter(pixels, size=width)
    rows, columns = np.nonzero(highest & (pixels >= SOURCE_LEVEL * pixels.max()))
    if rows.size > MOST_SOURCES:
        return ()
    return tuple(grid.position(float(row), float(column)) for row, column in zip(rows, columns, strict=True))


def _is_near(place: Place, places: tuple[Place, ...]) -> bool:
    return any(np.hypot(x - place[0], y - place[1]) <= SAME_SOURCE for x, y in places)


def _share(image: Reconstruction, place: Place, radius: float) -> float:
    """Share of the positive flux of an image in a circle."""
    grid = image.grid
    x = grid.center[0] + grid.x - place[0]
    y = grid.center[1] + grid.y - place[1]
    flux = np.clip(image.image, 0.0, None)
    return float(flux[np.hypot(x[None, :], y[:, None]) <= radius].sum() / flux.sum())
