"""The pixel grid of an image: shape, pixel size, centre."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stixcore.errors import SelectionError

Floats = NDArray[np.float64]


#: Largest number of pixels per side of an image, and range of the pixel size in arcsec.
SIDE_LIMIT = 4096
PIXEL_LIMITS = (1e-3, 1e4)


@dataclass(frozen=True)
class ImageGrid:
    """A grid of square pixels with solar north up: axis 0 is y (north), axis 1 is x (west).

    Attributes
    ----------
    shape : (ny, nx)
    pixel : float, arcsec
    center : (x, y), arcsec
        Helioprojective coordinates of the middle of the grid (between pixels when a side is even).

    Raises
    ------
    SelectionError
        When the number of pixels or the pixel size is out of range.
    """

    shape: tuple[int, int]
    pixel: float
    center: tuple[float, float] = (0.0, 0.0)

    def __post_init__(self) -> None:
        ny, nx = self.shape
        if not (1 <= ny <= SIDE_LIMIT and 1 <= nx <= SIDE_LIMIT):
            message = f"an image needs 1 to {SIDE_LIMIT} pixels a side, found {ny} × {nx}"
            raise SelectionError(message)
        if not (np.isfinite(self.pixel) and self.pixel > 0):
            message = f"the pixel size must be positive, found {self.pixel} arcsec"
            raise SelectionError(message)

    @property
    def x(self) -> Floats:
        """Offsets of the columns from the centre, (nx,) float, arcsec: x_i = (i - (n-1)/2)·Δ."""
        return _offsets(self.shape[1], self.pixel)

    @property
    def y(self) -> Floats:
        """Offsets of the rows from the centre, (ny,) float, arcsec."""
        return _offsets(self.shape[0], self.pixel)

    @property
    def pixel_area(self) -> float:
        """Δ², arcsec²."""
        return self.pixel**2

    def position(self, row: float, column: float) -> tuple[float, float]:
        """Helioprojective (x, y) [arcsec] of a pixel position (0-based, pixel centres at integers)."""
        return (
            self.center[0] + (column - (self.shape[1] - 1) / 2.0) * self.pixel,
            self.center[1] + (row - (self.shape[0] - 1) / 2.0) * self.pixel,
        )

    def peak(self, image: Floats) -> tuple[float, float]:
        """Helioprojective (x, y) [arcsec] of the brightest pixel's centre."""
        row, column = np.unravel_index(int(np.argmax(image)), image.shape)
        return self.position(float(row), float(column))


def _offsets(n: int, pixel: float) -> Floats:
    return (np.arange(n, dtype=np.float64) - (n - 1) / 2.0) * pixel
