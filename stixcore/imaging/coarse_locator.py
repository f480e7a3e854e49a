"""Where on the Sun the flare is, from the coarse flare locator (detector 9) alone.

The shadow of its grid (`stixcore.instrument.flare_locator`) and the fluence that the imaging detectors measure predict
the counts of its twelve pixels for every direction. χ² of this prediction is a map with one region, a bar along y, or
two islands. It is good to about an arcminute and has no side lobes, and its counts are not those of the images: it
tells a side lobe from a source.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from contourpy import LineType, contour_generator
from numpy.typing import ArrayLike, NDArray

from stixcore.calibration.grids import flight_transmission
from stixcore.coordinates import Pointing, hpc_to_stix, stix_to_hpc
from stixcore.errors import SelectionError
from stixcore.instrument.flare_locator import LARGE_AREA, PIXEL_AREA, lit_areas, lit_heights, lit_widths
from stixcore.instrument.geometry import FLARE_LOCATOR, IMAGING_LABELS, PixelSet, detector_indices
from stixcore.visibility.pixels import MetaPixels

Floats = NDArray[np.float64]

#: k: counts of the locator ÷ those predicted by the fluence (its photons pass one grid window instead of two).
COUNT_FACTOR = 1.04
#: ε: what a pixel in the shadow receives by scatter and leakage, as a share of a fully lit one.
LEAKAGE = 0.005
#: Error of ε.
LEAKAGE_SIGMA = 0.0025
#: s: relative error of the counts of a pixel beyond counting.
RELATIVE_ERROR = 0.03
#: Factor on the scale of Δχ², with which the contours hold 68 and 95 % of the real flares of November 2022.
WIDENING = 1.75
STEP = 10.0  # arcsec
#: The map ends at this distance from Sun centre, in apparent radii.
REACH = 1.1
#: Fewer counts above background give no position, ct; nor do counts below this many standard deviations.
LEAST_COUNTS, LEAST_SIGNIFICANCE = 20.0, 3.0
#: The fluence must be at least this many standard deviations.
LEAST_FLUENCE = 5.0
#: Confidence levels of the contours: 1, 2 and 3 σ.
LEVELS = (0.6827, 0.9545, 0.9973)
_LARGE = slice(0, 8)


@dataclass(frozen=True, eq=False)
class LocatorCounts:
    """What the coarse locator and the imaging detectors measure in one window and band.

    Attributes
    ----------
    energy : (low, high), keV
    net, variance : (12,) float, ct and ct²
        Counts of the locator's pixels above background; NaN for pixels that were not read out.
    fluence, fluence_sigma : float, ct mm⁻²
        Counts per open area in the live time of the locator, from the imaging detectors.
    """

    energy: tuple[float, float]
    net: Floats
    variance: Floats
    fluence: float
    fluence_sigma: float

    @property
    def total(self) -> float:
        """Counts above background in the large pixels, ct."""
        return float(self.net[_LARGE].sum())


@dataclass(frozen=True, eq=False)
class CoarseLocation:
    """χ² of the coarse locator over the solar disk, and the position where it is smallest.

    Attributes
    ----------
    observed : LocatorCounts
    pointing : Pointing
    rsun : float, arcsec
    x_stix, y_stix : float, arcsec
        Best position.
    axis_x, axis_y : (nx,), (ny,) float, arcsec
        Axes of the map, STIX frame.
    delta_chi2 : (ny, nx) float
        χ² minus its smallest value; inf beyond 1.1 solar radii.
    chi2 : float
        The smallest value per degree of freedom.
    """

    observed: LocatorCounts
    pointing: Pointing
    rsun: float
    x_stix: float
    y_stix: float
    axis_x: Floats
    axis_y: Floats
    delta_chi2: Floats
    chi2: float

    @property
    def x(self) -> float:
        """Best position, helioprojective x, arcsec."""
        return float(stix_to_hpc(self.x_stix, self.y_stix, self.pointing)[0])

    @property
    def y(self) -> float:
        """Best position, helioprojective y, arcsec."""
        return float(stix_to_hpc(self.x_stix, self.y_stix, self.pointing)[1])

    @property
    def degrees_of_freedom(self) -> int:
        """Number of pixels - 2."""
        return int(np.isfinite(self.observed.net).sum()) - 2

    @property
    def scale(self) -> float:
        """Δχ² counts in units of this: 1.75 times the reduced χ² of the best position, where that is above 1."""
        return WIDENING * max(1.0, self.chi2)

    def level(self, x: ArrayLike, y: ArrayLike) -> Floats:
        """Confidence level of the contour through positions, 0 (the best) to 1; exact, also off the map.

        Parameters
        ----------
        x, y : (…) float, arcsec
            Helioprojective.
        """
        return self._confidence(self._chi2_at(*hpc_to_stix(x, y, self.pointing)) - self._smallest)

    def region(self, level: float) -> NDArray[np.bool_]:
        """Pixels of the map inside the contour of a confidence level, (ny, nx) bool."""
        return np.asarray(self.delta_chi2 <= self.threshold(level))

    def threshold(self, level: float) -> float:
        """Δχ² on the contour of a confidence level."""
        # the inverse of `_confidence`
        dof = self.degrees_of_freedom
        return float(self.scale * dof * ((1.0 - level) ** (-2.0 / dof) - 1.0))

    def contours(self, level: float) -> list[Floats]:
        """Outlines of the region of a confidence level: polygons (n, 2) float, helioprojective arcsec.

        A region may be a bar or several islands, and an island may have a hole. The first point of a polygon is also
        its last.
        """
        limit = self.threshold(level)
        # a contour closes along the edge of the disk
        height = np.where(np.isfinite(self.delta_chi2), self.delta_chi2, 2.0 * limit + 1.0)
        lines = contour_generator(self.axis_x, self.axis_y, height, line_type=LineType.Separate).lines(limit)
        outlines = [np.asarray(line, dtype=float) for line in lines]
        return [np.stack(stix_to_hpc(one[:, 0], one[:, 1], self.pointing), axis=1) for one in outlines]

    def summary(self) -> dict[str, Any]:
        """The numbers as JSON values."""
        return {
            "hpc_x": self.x,
            "hpc_y": self.y,
            "stix_x": self.x_stix,
            "stix_y": self.y_stix,
            "radius": self.radius,
            "counts": self.observed.total,
            "chi2": self.chi2,
            "energy_range_kev": list(self.observed.energy),
        }

    @cached_property
    def radius(self) -> float:
        """Radius of a circle with the area of the 68 % region, arcsec."""
        return float(np.sqrt(self.region(LEVELS[0]).sum() * STEP**2 / np.pi))

    def _confidence(self, delta: Floats) -> Floats:
        # With σ² from the residuals of ν degrees of freedom, Δχ²/2s follows F(2, ν): P = 1 - (1 + Δχ²/νs)^(-ν/2)
        dof = self.degrees_of_freedom
        return np.asarray(1.0 - (1.0 + np.maximum(delta, 0.0) / (dof * self.scale)) ** (-dof / 2.0))

    @property
    def _smallest(self) -> float:
        return self.chi2 * self.degrees_of_freedom

    def _chi2_at(self, x: Floats, y: Floats) -> Floats:
        areas = lit_areas(x, y) + LEAKAGE * PIXEL_AREA
        net, weight = _weights(self.observed)
        return np.asarray((weight * (net - COUNT_FACTOR * self.observed.fluence * areas) ** 2).sum(axis=-1))


def locator_counts(pixels: MetaPixels, energy: tuple[float, float]) -> LocatorCounts:
    """Counts of the locator and the fluence that predicts them.

    Parameters
    ----------
    pixels : MetaPixels
        Sums of a window.
    energy : (low, high), keV
        Edges of channels.

    Raises
    ------
    SelectionError
        With the reason, when the file does not allow a position.
    """
    name, single = pixels.header.name, pixels.single
    if single is None:
        message = f"{name}: pixels were summed on board; the coarse flare locator needs its twelve pixels"
        raise SelectionError(message)
    if not pixels.background_name:
        message = f"{name}: without a background the counts of the coarse flare locator are unknown"
        raise SelectionError(message)
    if not pixels.detector_mask[FLARE_LOCATOR] or pixels.livetime[FLARE_LOCATOR] <= 0:
        message = f"{name}: the coarse flare locator (detector 9) was off"
        raise SelectionError(message)
    selected = single.band(*energy)
    if selected is None or not np.isfinite(selected[0][FLARE_LOCATOR, _LARGE]).all():
        message = (
            f"{name}: the large pixels of the coarse flare locator (detector 9) were not all read out at "
            f"{energy[0]:g}-{energy[1]:g} keV"
        )
        raise SelectionError(message)
    net, variance = selected
    fluence, sigma = _fluence(pixels, net, variance)
    found = LocatorCounts(energy, net[FLARE_LOCATOR], variance[FLARE_LOCATOR], fluence, sigma)
    noise = float(np.sqrt(found.variance[_LARGE].sum()))
    if found.total < max(LEAST_COUNTS, LEAST_SIGNIFICANCE * noise):
        message = (
            f"{name}: the coarse flare locator (detector 9) has {found.total:.0f} ± {noise:.0f} counts above "
            f"background; a position needs {LEAST_COUNTS:g} and {LEAST_SIGNIFICANCE:g} standard deviations"
        )
        raise SelectionError(message)
    if not fluence > LEAST_FLUENCE * sigma:
        message = (
            f"{name}: the imaging detectors have no flare at {energy[0]:g}-{energy[1]:g} keV: fluence "
            f"{fluence:.2f} ± {sigma:.2f} ct/mm²"
        )
        raise SelectionError(message)
    return found


def _fluence(pixels: MetaPixels, net: Floats, variance: Floats) -> tuple[float, float]:
    """Counts per open area in the locator's live time: mean over labels 3-10 that were on, and its error; ct mm⁻²."""
    used = detector_indices(pixels.switched_on(IMAGING_LABELS))
    # f_d = L₉ Σ_p n_dp / (L_d T_d Σ_p A_p)
    factor = pixels.livetime[FLARE_LOCATOR] / (
        pixels.livetime[used] * flight_transmission(0.0, 0.0)[used] * LARGE_AREA * PixelSet.TOP_BOT.pixels.size
    )
    mean = float((factor * net[used, _LARGE].sum(axis=1)).mean())
    return mean, float(np.sqrt((factor**2 * variance[used, _LARGE].sum(axis=1)).sum()) / used.size)


def locate_coarsely(observed: LocatorCounts, pointing: Pointing, rsun: float) -> CoarseLocation:
    """Compare the counts with those of a source at every point of the disk.

    Parameters
    ----------
    observed : LocatorCounts
    pointing : Pointing
    rsun : float, arcsec
        Apparent solar radius.

    Raises
    ------
    SelectionError
        When the radius is not positive.
    """
    if not (np.isfinite(rsun) and rsun > 0):
        message = f"the apparent solar radius must be positive, found {rsun} arcsec"
        raise SelectionError(message)
    center_x, center_y = (float(value) for value in hpc_to_stix(0.0, 0.0, pointing))
    axis_x, axis_y = _axis(center_x, REACH * rsun), _axis(center_y, REACH * rsun)
    chi2 = _chi2_map(observed, axis_x, axis_y)
    chi2[(axis_x[None, :] - center_x) ** 2 + (axis_y[:, None] - center_y) ** 2 > (REACH * rsun) ** 2] = np.inf
    row, column = (int(index) for index in np.unravel_index(int(chi2.argmin()), chi2.shape))
    smallest = float(chi2[row, column])
    return CoarseLocation(
        observed=observed,
        pointing=pointing,
        rsun=rsun,
        x_stix=float(axis_x[column]) + STEP * _vertex(chi2[row, column - 1 : column + 2]),
        y_stix=float(axis_y[row]) + STEP * _vertex(chi2[row - 1 : row + 2, column]),
        axis_x=axis_x,
        axis_y=axis_y,
        delta_chi2=chi2 - smallest,
        chi2=smallest / (int(np.isfinite(observed.net).sum()) - 2),
    )


def _axis(center: float, reach: float) -> Floats:
    """Multiples of `STEP` around a circle, with a point outside it at both ends."""
    return STEP * np.arange(np.floor((center - reach) / STEP) - 1.0, np.ceil((center + reach) / STEP) + 2.0)


def _weights(observed: LocatorCounts) -> tuple[Floats, Floats]:
    """Net counts and 1/σ² of the pixels, (12,) float each; both 0 for pixels that were not read out."""
    known = np.isfinite(observed.net)
    net = np.where(known, observed.net, 0.0)
    # σ² of a pixel without counts is that of one count. The relative errors of counts and fluence belong to the data:
    # on the model they would favour large areas.
    relative = RELATIVE_ERROR**2 + (observed.fluence_sigma / observed.fluence) ** 2
    leaked = LEAKAGE_SIGMA * COUNT_FACTOR * observed.fluence * PIXEL_AREA
    variance = np.maximum(observed.variance, 1.0) + relative * np.maximum(net, 0.0) ** 2 + leaked**2
    return net, np.where(known, 1.0 / variance, 0.0)


def _chi2_map(observed: LocatorCounts, x: Floats, y: Floats) -> Floats:
    """χ² of sources at all (x, y) of two axes, STIX frame: (nx,), (ny,) → (ny, nx) float.

    Lit widths depend on x only and lit heights on y only, so that every term is a product of both, and the sum over
    pixels a product of matrices: a = XY - NM for large and a = NS for small pixels, with X, N the lit widths of a
    column and its notch, Y, M the lit heights of a row and its notch, and S = M_top + M_bottom.
    """
    wide, high = lit_widths(x), lit_heights(y)
    small_height = high.notch.sum(axis=0)
    net, weight = _weights(observed)
    # χ² = Σ w (d - m a)² = Σ w d² - 2m Σ w d a + m² Σ w a²,  m = k f,  d = n - m ε A
    m = COUNT_FACTOR * observed.fluence
    d = net - m * LEAKAGE * PIXEL_AREA
    w, wd = weight[_LARGE].reshape(2, 4), (weight * d)[_LARGE].reshape(2, 4)
    w_small, wd_small = weight[8:, None], (weight * d)[8:, None]
    coefficients = np.concatenate(
        [
            m**2 * w.T @ high.row**2,
            -2.0 * m**2 * w.T @ (high.row * high.notch),
            m**2 * (w.T @ high.notch**2 + w_small * small_height**2),
            -2.0 * m * wd.T @ high.row,
            2.0 * m * (wd.T @ high.notch - wd_small * small_height),
        ]
    )
    widths = np.concatenate([wide.column**2, wide.column * wide.notch, wide.notch**2, wide.column, wide.notch])
    constant = float((weight * d**2).sum())
    return np.asarray(coefficients.T @ widths + constant)


def _vertex(three: Floats) -> float:
    """Minimum of the parabola through three values in a row, from the middle one, in steps; 0 without a minimum."""
    left, middle, right = three
    curvature = left - 2.0 * middle + right
    if not (np.isfinite(curvature) and curvature > 0.0):
        return 0.0
    return float(np.clip(0.5 * (left - right) / curvature, -0.5, 0.5))
