"""Error of a flare position: from the residuals of a circle, the two rows of pixels, the pointing and other peaks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import chndtr

from stixcore.errors import ReconstructionError
from stixcore.imaging.forward_fit import fit_circle
from stixcore.imaging.fourier import FourierOperator
from stixcore.imaging.grid import ImageGrid
from stixcore.imaging.metrics import FWHM_PER_SIGMA
from stixcore.visibility.visibilities import Visibilities

Floats = NDArray[np.float64]

#: Largest distance of the fitted circle from the center of the map, arcsec.
REACH = 100.0
#: Degrees of freedom assigned to the residuals and to the distance of the rows in the pooled variance of an axis.
RESIDUAL_WEIGHT, ROW_WEIGHT = 10.0, 2.0
#: A position further than this from the truth is wrong, arcsec.
OFF = 5.0
#: Pixels of the map of probabilities, arcsec.
PIXEL = 2.0
#: Widths of the circles in it (FWHM), arcsec.
WIDTHS = (3.0, 6.0, 10.0, 14.0, 19.0, 25.0, 33.0, 43.0, 56.0, 75.0, 100.0)


@dataclass(frozen=True)
class PositionError:
    """Standard deviation of a position, helioprojective x and y, arcsec, and the probability that it is wrong.

    Attributes
    ----------
    sigma_x, sigma_y : float
        Total error, including that of the pointing; NaN where that is unknown.
    rows_apart : float
        Distance between the positions from the top and from the bottom row of pixels; NaN where only one exists.
    off : float
        Probability that the source is more than `OFF` from the position, from fit, rows, scatter of the pointing and
        rivals. Constant errors of the pointing are not included: they shift all positions equally.
    rival : float
        Probability that the source is at another peak of the full-disk map.
    """

    sigma_x: float
    sigma_y: float
    rows_apart: float = float("nan")
    off: float = float("nan")
    rival: float = 0.0

    @property
    def total(self) -> float:
        """√(σx² + σy²): the expected distance (rms) from the truth."""
        return float(np.hypot(self.sigma_x, self.sigma_y))


def position_error(
    vis: Visibilities,
    rows: tuple[Visibilities, Visibilities] | None,
    pointing_sigma: tuple[float, float] = (0.0, 0.0),
    *,
    scatter: float = 0.0,
    rivals: Sequence[tuple[float, float]] = (),
) -> PositionError | None:
    """Error of the position of one circle; None where no circle can be fitted.

    Parameters
    ----------
    vis : Visibilities
        Helioprojective axes.
    rows : (Visibilities, Visibilities) or None
        The same from only the top and only the bottom row of pixels. Their counts are independent, so half their
        distance is an error of the position from all counts, independent of σ.
    pointing_sigma : (x, y), arcsec
        Error of the pointing, constant part and scatter; NaN where it is unknown, which makes the result NaN.
    scatter : float, arcsec
        Standard deviation of the pointing in the window, on each axis.
    rivals : sequence of (x, y), arcsec
        Other possible positions of the flare, relative to the phase center.

    Returns
    -------
    PositionError or None

    Notes
    -----
    σ² = (10 σ_fit² + 2 (d/2)²)/12 + σ_pointing² for each axis, d the distance of the rows. σ_fit comes from the
    residuals and has about 10 degrees of freedom.

    The probability is not that of a Gaussian with this σ: faint and wide sources have more than one minimum of χ². It
    is the sum of p ∝ exp(-χ²/2s²) over all positions, with χ² of the best circle there. s² is the reduced χ² of the
    fitted circle, at least 1, times the factor by which the rows increase σ_fit².
    """
    try:
        source, chi2 = fit_circle(vis, REACH)
    except ReconstructionError:  # too few visibilities
        return None
    fitted = np.array([source["x_sigma"], source["y_sigma"]]) ** 2
    apart = _distance(rows)
    variance = fitted
    if apart is not None:
        variance = (RESIDUAL_WEIGHT * fitted + ROW_WEIGHT * (apart / 2.0) ** 2) / (RESIDUAL_WEIGHT + ROW_WEIGHT)
    sigma = np.sqrt(variance + np.square(pointing_sigma))
    widened = float(variance.sum() / fitted.sum())
    scale = max(1.0, chi2) * (widened if np.isfinite(widened) else 1.0)
    off, rival = _probabilities(vis, (source["x"], source["y"]), scale, scatter, rivals)
    return PositionError(
        float(sigma[0]), float(sigma[1]), float("nan") if apart is None else float(np.hypot(*apart)), off, rival
    )


def _distance(rows: tuple[Visibilities, Visibilities] | None) -> Floats | None:
    """From the bottom row's position to the top row's, (2,) float; None where a row gives no position."""
    if rows is None:
        return None
    try:
        (top, _), (bottom, _) = (fit_circle(row, REACH) for row in rows)
    except ReconstructionError:  # a row without signal
        return None
    return np.array([top["x"] - bottom["x"], top["y"] - bottom["y"]])


def _probabilities(
    vis: Visibilities,
    place: tuple[float, float],
    scale: float,
    scatter: float,
    rivals: Sequence[tuple[float, float]],
) -> tuple[float, float]:
    """Probabilities that the source is more than `OFF` from ``place``, and that it is at one of the rivals."""
    side = 2 * int(REACH / PIXEL) + 1
    grid = ImageGrid((side, side), PIXEL)
    operator = FourierOperator(vis.u, vis.v, grid)
    here = _explained(vis, operator, (0.0, 0.0))
    there = [_explained(vis, operator, rival) for rival in rivals]
    best = max(here.max(), *(one.max() for one in there)) if there else here.max()
    weight = np.exp((here - best) / (2.0 * scale))
    elsewhere = sum(float(np.exp((one - best) / (2.0 * scale)).sum()) for one in there)
    distance = np.hypot(grid.x[None, :] - place[0], grid.y[:, None] - place[1])
    # P(|d + ε| < OFF), non-central χ²: ε the scatter on each axis, and the extent of a pixel
    spread = float(np.hypot(scatter, PIXEL / np.sqrt(12.0)))
    near = distance < OFF + 6.0 * spread
    inside = np.zeros(distance.shape)
    inside[near] = chndtr((OFF / spread) ** 2, 2, (distance[near] / spread) ** 2)
    whole = float(weight.sum()) + elsewhere
    return 1.0 - float((weight * inside).sum()) / whole, elsewhere / whole


def _explained(vis: Visibilities, operator: FourierOperator, center: tuple[float, float]) -> Floats:
    """Decrease of χ² by the best circle at each position around ``center``, (ny, nx) float.

    χ²(x, y) = Σ|V|²/σ² - max A²/B over all widths, A = Σ g Re[V e^{-2πi(ux+vy)}]/σ² where positive, B = Σ g²/σ², g the
    circle's visibility of unit flux.
    """
    moved = vis.vis * np.exp(-2j * np.pi * (vis.u * center[0] + vis.v * center[1])) / vis.sigma**2
    k2 = vis.u**2 + vis.v**2
    best = np.zeros(operator.grid.shape)
    for width in WIDTHS:
        circle = np.exp(-2.0 * np.pi**2 * (width / FWHM_PER_SIGMA) ** 2 * k2)
        amplitude = np.maximum(operator.adjoint(moved * circle), 0.0)
        np.maximum(best, amplitude**2 / float((circle**2 / vis.sigma**2).sum()), out=best)
    return best
