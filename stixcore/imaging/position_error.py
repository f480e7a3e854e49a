"""How sure the position of a flare is: from the residuals of a circle, the two rows of pixels and the pointing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stixcore.errors import ReconstructionError
from stixcore.imaging.forward_fit import ForwardFitParameters, forward_fit
from stixcore.imaging.grid import ImageGrid
from stixcore.visibility.visibilities import Visibilities

#: A circle is looked for this far from the map's center, arcsec.
REACH = 100.0
#: Degrees of freedom that the residuals and the distance of the rows count in the pooled variance of an axis.
RESIDUAL_WEIGHT, ROW_WEIGHT = 10.0, 2.0


@dataclass(frozen=True)
class PositionError:
    """Standard deviation of a position, helioprojective x and y, arcsec.

    Attributes
    ----------
    sigma_x, sigma_y : float
        All together.
    rows_apart : float
        Distance between the positions from the top and from the bottom row of pixels; NaN where there is one only.
    """

    sigma_x: float
    sigma_y: float
    rows_apart: float = float("nan")

    @property
    def total(self) -> float:
        """√(σx² + σy²): the expected distance (rms) from the truth."""
        return float(np.hypot(self.sigma_x, self.sigma_y))


def position_error(
    vis: Visibilities, rows: tuple[Visibilities, Visibilities] | None, pointing_sigma: tuple[float, float] = (0.0, 0.0)
) -> PositionError | None:
    """Error of the position of one circle, None where none can be fitted.

    Parameters
    ----------
    vis : Visibilities
        Helioprojective axes.
    rows : (Visibilities, Visibilities) or None
        The same from the top and from the bottom row of pixels alone: independent counts, so that half their distance
        is an error of the position of all counts, whatever σ says.
    pointing_sigma : (x, y), arcsec
        Of the pointing.

    Notes
    -----
    σ² = (10 σ_fit² + 2 (d/2)²)/12 + σ_pointing² for each axis, d the distance of the rows. σ_fit comes from the
    residuals and has about 10 degrees of freedom.
    """
    try:
        circle = _circle(vis)
        apart = None if rows is None else _place(_circle(rows[0])) - _place(_circle(rows[1]))
    except ReconstructionError:  # too few visibilities, or a row without signal
        return None
    variance = np.array([circle["x_sigma"], circle["y_sigma"]]) ** 2
    if apart is not None:
        variance = (RESIDUAL_WEIGHT * variance + ROW_WEIGHT * (apart / 2.0) ** 2) / (RESIDUAL_WEIGHT + ROW_WEIGHT)
    sigma = np.sqrt(variance + np.square(pointing_sigma))
    return PositionError(float(sigma[0]), float(sigma[1]), float("nan") if apart is None else float(np.hypot(*apart)))


def _circle(vis: Visibilities) -> dict[str, float]:
    grid = ImageGrid((1, 1), 1.0)  # the fit needs a center, not a picture
    (source,) = forward_fit(vis, grid, ForwardFitParameters(("circle",), position_limit=REACH)).sources
    return dict(source)


def _place(source: dict[str, float]) -> NDArray[np.float64]:
    return np.array([source["x"], source["y"]])
