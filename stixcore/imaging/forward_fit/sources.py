"""A list of sources as one vector of fit parameters: layout, fixed values, bounds, and reported values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from stixcore.errors import SelectionError
from stixcore.imaging.forward_fit.shapes import FIT_NAMES, LOOP_MIN_FWHM, LoopArc, Plane, Shape

Floats = NDArray[np.float64]
Complex = NDArray[np.complex128]

#: Reported values of a source, which may also be fixed. Arcsec, degrees, flux in ct s⁻¹ cm⁻² keV⁻¹.
REPORTED: dict[Shape, tuple[str, ...]] = {
    Shape.CIRCLE: ("flux", "x", "y", "fwhm"),
    Shape.ELLIPSE: ("flux", "x", "y", "fwhm", "fwhm_max", "fwhm_min", "position_angle", "ec", "es"),
    Shape.LOOP: ("flux", "x", "y", "fwhm", "fwhm_max", "fwhm_min", "position_angle", "ec", "es", "loop_angle"),
}
_DERIVED = ("ec", "es")
_AXES = ("fwhm_max", "fwhm_min", "position_angle")
#: Largest m = ln(fwhm_max/fwhm_min), as the ground software bounds its eccentricity parameters.
MAX_ELONGATION = 5.0
_LEAST_ELONGATION = 1e-4


@dataclass(frozen=True)
class Limits:
    """Bounds of the fit.

    Attributes
    ----------
    flux : (float, float), ct s⁻¹ cm⁻² keV⁻¹
    position : float, arcsec
        Largest |x| and |y| from the phase center.
    fwhm : (float, float), arcsec
    """

    flux: tuple[float, float]
    position: float
    fwhm: tuple[float, float]


@dataclass(frozen=True)
class Source:
    """Shape and fixed values of one source; positions are relative to the phase center.

    With a fixed ``fwhm_max``, ``fwhm_min`` or ``position_angle``, for a loop also ``fwhm``, the fit parameters are
    (anchor, m, angle) instead of (fwhm, a, b) or (width, p, q); the anchor is the width that is fixed, else fwhm.
    """

    shape: Shape
    fixed: Mapping[str, float]

    def __post_init__(self) -> None:
        known = [name for name in REPORTED[self.shape] if name not in _DERIVED]
        unknown = sorted(set(self.fixed) - set(known))
        if unknown:
            message = f"a {self.shape} has no parameter {unknown[0]!r} to fix, only {', '.join(known)}"
            raise SelectionError(message)
        for name, value in self.fixed.items():
            positive = name == "flux" or name.startswith("fwhm")
            if not np.isfinite(value) or (positive and value <= 0):
                message = f"{name} of a {self.shape} cannot be fixed to {value}"
                raise SelectionError(message)
        widths = [self.fixed[name] for name in ("fwhm_max", "fwhm", "fwhm_min") if name in self.fixed]
        if len(widths) == 3 or widths != sorted(widths, reverse=True):
            message = f"of fwhm_max ≥ fwhm ≥ fwhm_min at most two can be fixed, found {dict(self.fixed)}"
            raise SelectionError(message)

    @property
    def polar(self) -> bool:
        """Whether the fit runs in (anchor, m, angle)."""
        axes = (*_AXES, "fwhm") if self.shape is Shape.LOOP else _AXES
        return self.shape is not Shape.CIRCLE and any(name in self.fixed for name in axes)

    @property
    def n_par(self) -> int:
        """Number of fit parameters, including fixed ones."""
        return len(FIT_NAMES[self.shape])

    @property
    def _exponent(self) -> float:
        """κ in fwhm = anchor·e^{κm}: which width is a fit parameter."""
        if "fwhm" in self.fixed:
            return 0.0
        return -0.5 if "fwhm_max" in self.fixed else 0.5 if "fwhm_min" in self.fixed else 0.0

    def bounds(self, limits: Limits) -> tuple[Floats, Floats]:
        """Lower and upper bound of the fit parameters, (n_par,) each; equal where a value is fixed."""
        reach, most = limits.position, MAX_ELONGATION
        if self.shape is Shape.CIRCLE:
            shape: list[tuple[float, float]] = []
        elif self.polar:
            shape = [(_LEAST_ELONGATION, most), (-np.inf, np.inf)]
        else:
            most = most if self.shape is Shape.ELLIPSE else limits.fwhm[1]
            shape = [(-most, most), (-most, most)]
        if self.shape is Shape.LOOP:
            shape.append((-180.0, 180.0))
        box = np.array([limits.flux, (-reach, reach), (-reach, reach), limits.fwhm, *shape])
        for index, value in self._fixed_values().items():
            box[index] = value
        return box[:, 0].copy(), box[:, 1].copy()

    def _fixed_values(self) -> dict[int, float]:
        """Fixed fit parameters by index."""
        values = {i: self.fixed[name] for i, name in enumerate(("flux", "x", "y")) if name in self.fixed}
        widths = {name: self.fixed[name] for name in ("fwhm", "fwhm_max", "fwhm_min") if name in self.fixed}
        if widths:
            values[3] = next(iter(widths.values()))
        if len(widths) == 2:
            # fwhm_max/fwhm_min = e^m, fwhm/fwhm_min = e^{m/2}
            ratio = np.log(max(widths.values()) / min(widths.values()))
            values[4] = max(float(ratio * (2.0 if "fwhm" in widths else 1.0)), _LEAST_ELONGATION)
        if "position_angle" in self.fixed:
            values[5] = self.fixed["position_angle"]
        if "loop_angle" in self.fixed:
            values[6] = self.fixed["loop_angle"]
        return values

    @property
    def n_free(self) -> int:
        """Fit parameters that are not fixed."""
        return self.n_par - len(self._fixed_values())

    def to_smooth(self, theta: Floats) -> tuple[Floats, Floats | None]:
        """Fit parameters as in `FIT_NAMES`; the derivative (n_set, k, k) of all after the third where they differ."""
        if not self.polar:
            return theta, None
        anchor, m, angle = theta[:, 3:6].T
        turn = np.deg2rad(2.0 if self.shape is Shape.ELLIPSE else 1.0)
        cos, sin = np.cos(turn * angle), np.sin(turn * angle)
        smooth, size = theta.copy(), self.n_par - 3
        derivative = np.zeros((theta.shape[0], size, size))
        if self.shape is Shape.ELLIPSE:
            growth, radius = np.exp(self._exponent * m), m
            smooth[:, 3] = anchor * growth
            derivative[:, 0, 0], derivative[:, 0, 1] = growth, self._exponent * anchor * growth
            by_m, by_anchor = np.ones_like(m), np.zeros_like(m)
        else:
            arc = LoopArc(theta[:, 6:7])
            ratio, ratio_slope = arc.ratio[:, 0], (arc.slope * arc.ratio_slope)[:, 0]
            high, low = np.exp((2.0 * self._exponent + 1.0) * m), np.exp((2.0 * self._exponent - 1.0) * m)
            # excess w_max² - w_min² = radius²;  width² = w_max² - excess ⟨x²⟩/s
            excess = anchor**2 * (high - low)
            width2 = anchor**2 * high - excess * ratio
            radius, width = np.sqrt(excess), np.sqrt(np.maximum(width2, LOOP_MIN_FWHM**2))
            open_ = np.where(width2 > LOOP_MIN_FWHM**2, 1.0, 0.0)
            high_m = (2.0 * self._exponent + 1.0) * anchor**2 * high
            excess_m = high_m - (2.0 * self._exponent - 1.0) * anchor**2 * low
            smooth[:, 3] = width
            derivative[:, 0, 0] = open_ * width2 / (anchor * width)
            derivative[:, 0, 1] = open_ * (high_m - excess_m * ratio) / (2.0 * width)
            derivative[:, 0, 3] = -open_ * excess * ratio_slope / (2.0 * width)
            derivative[:, 3, 3] = 1.0
            by_m, by_anchor = excess_m / (2.0 * radius), radius / anchor
        smooth[:, 4], smooth[:, 5] = radius * cos, radius * sin
        derivative[:, 1, 0], derivative[:, 2, 0] = by_anchor * cos, by_anchor * sin
        derivative[:, 1, 1], derivative[:, 2, 1] = by_m * cos, by_m * sin
        derivative[:, 1, 2], derivative[:, 2, 2] = -turn * radius * sin, turn * radius * cos
        return smooth, derivative

    def from_smooth(self, smooth: Floats) -> Floats:
        """The inverse of `to_smooth`."""
        if not self.polar:
            return smooth
        (w_max, w_min, angle), _ = self._axes(smooth)
        m = np.log(w_max / w_min)
        theta = smooth.copy()
        theta[:, 3:6] = np.stack([np.sqrt(w_max * w_min) * np.exp(-self._exponent * m), m, np.rad2deg(angle)], axis=1)
        return theta

    def _axes(self, smooth: Floats) -> tuple[tuple[Floats, Floats, Floats], Floats]:
        """The axes w_max, w_min [arcsec] and the angle α [rad, not reduced], and their derivative (n_set, 3, n_par)."""
        width, first, second = smooth[:, 3:6].T
        radius = np.maximum(np.hypot(first, second), 1e-9)
        cos, sin = first / radius, second / radius
        slopes = np.zeros((smooth.shape[0], 3, self.n_par))
        power = 0.5 if self.shape is Shape.ELLIPSE else 1.0
        slopes[:, 2, 4], slopes[:, 2, 5] = -power * sin / radius, power * cos / radius
        if self.shape is Shape.ELLIPSE:
            w_max, w_min = width * np.exp(0.5 * radius), width * np.exp(-0.5 * radius)
            for axis, (w, sign) in enumerate(((w_max, 0.5), (w_min, -0.5))):
                slopes[:, axis, 3] = w / width
                slopes[:, axis, 4], slopes[:, axis, 5] = sign * w * cos, sign * w * sin
        else:
            arc = LoopArc(smooth[:, 6:7])
            bend = (0.5 * radius**2 * (arc.slope * arc.ratio_slope)[:, 0],)
            # w_max² = c² + (p² + q²)⟨x²⟩/s,  w_min² = w_max² - (p² + q²)
            shares = arc.ratio[:, 0], arc.ratio[:, 0] - 1.0
            w_max, w_min = (np.sqrt(width**2 + radius**2 * share) for share in shares)
            for axis, (w, share) in enumerate(zip((w_max, w_min), shares, strict=True)):
                slopes[:, axis, 3:] = np.stack([width, share * first, share * second, *bend], axis=1) / w[:, None]
        return (w_max, w_min, power * np.arctan2(second, first)), slopes

    def report(self, theta: Floats) -> tuple[Floats, Floats]:
        """Values listed in `REPORTED`, (n_set, n_rep), and derivatives by the fit parameters, (n_set, n_rep, n_par).

        The position angle is in [0, 180): a loop with another angle is reported as the same loop bent the other way,
        unless one of its angles is fixed.
        """
        smooth, chart = self.to_smooth(theta)
        n_set, n_rep = theta.shape[0], len(REPORTED[self.shape])
        values, slopes = np.zeros((n_set, n_rep)), np.zeros((n_set, n_rep, self.n_par))
        values[:, :3], slopes[:, range(3), range(3)] = smooth[:, :3], 1.0
        if self.shape is Shape.CIRCLE:
            values[:, 3], slopes[:, 3, 3] = smooth[:, 3], 1.0
            return values, slopes
        (w_max, w_min, turned), by_fit = self._axes(smooth)
        by_max, by_min, by_angle = by_fit[:, 0] / w_max[:, None], by_fit[:, 1] / w_min[:, None], by_fit[:, 2]
        directed = self.shape is Shape.LOOP and ("loop_angle" in self.fixed or "position_angle" in self.fixed)
        period = 2.0 * np.pi if directed else np.pi
        angle = np.where(np.mod(turned, period) >= period, 0.0, np.mod(turned, period))
        m, by_m = np.log(w_max / w_min), by_max - by_min
        values[:, 3], slopes[:, 3] = np.sqrt(w_max * w_min), 0.5 * np.sqrt(w_max * w_min)[:, None] * (by_max + by_min)
        values[:, 4], values[:, 5] = w_max, w_min
        values[:, 6] = np.rad2deg(angle)
        values[:, 7], values[:, 8] = m * np.cos(angle), m * np.sin(angle)
        slopes[:, 4], slopes[:, 5] = by_fit[:, 0], by_fit[:, 1]
        slopes[:, 6] = np.rad2deg(by_angle)
        slopes[:, 7] = np.cos(angle)[:, None] * by_m - values[:, 8, None] * by_angle
        slopes[:, 8] = np.sin(angle)[:, None] * by_m + values[:, 7, None] * by_angle
        if self.shape is Shape.LOOP:
            bend = np.where((np.mod(np.floor(turned / np.pi), 2) == 1) & (not directed), -1.0, 1.0)
            values[:, 9], slopes[:, 9, 6] = bend * theta[:, 6], bend
        if chart is not None:
            slopes[:, :, 3:] = slopes[:, :, 3:] @ chart
        for i, name in enumerate(REPORTED[self.shape]):
            if name in self.fixed:
                slopes[:, i] = 0.0
                if name.startswith("fwhm"):  # of a loop too much bent for it, whose circles had to be widened
                    values[:, i] = self.fixed[name]
        return values, slopes


class SourceModel:
    """Visibilities of a list of sources as a function of one parameter vector.

    Parameters
    ----------
    sources : sequence of Source
    plane : Plane
    limits : Limits
    """

    def __init__(self, sources: Sequence[Source], plane: Plane, limits: Limits) -> None:
        self.sources, self.plane, self.limits = tuple(sources), plane, limits
        edges = np.concatenate([[0], np.cumsum([source.n_par for source in self.sources])])
        self.parts = tuple(slice(int(a), int(b)) for a, b in pairwise(edges))
        self.n_par = int(edges[-1])
        boxes = [source.bounds(limits) for source in self.sources]
        self.bounds = np.concatenate([box[0] for box in boxes]), np.concatenate([box[1] for box in boxes])
        self.n_free = sum(source.n_free for source in self.sources)

    @property
    def name(self) -> str:
        """Shapes joined by "+", as in "circle+ellipse"."""
        return "+".join(source.shape for source in self.sources)

    def evaluate(self, theta: Floats) -> tuple[Complex, Complex]:
        """Visibilities (n_set, n_vis) and derivatives (n_set, n_par, n_vis) for θ (n_set, n_par)."""
        if len(self.sources) == 1 and not self.sources[0].polar:
            return self.plane.source(self.sources[0].shape, theta)
        total = np.zeros((theta.shape[0], self.plane.u.size), dtype=complex)
        slopes = np.empty((theta.shape[0], self.n_par, self.plane.u.size), dtype=complex)
        for source, part in zip(self.sources, self.parts, strict=True):
            smooth, chart = source.to_smooth(theta[:, part])
            vis, by_smooth = self.plane.source(source.shape, smooth)
            total += vis
            slopes[:, part] = by_smooth
            if chart is not None:
                slopes[:, part][:, 3:] = chart.transpose(0, 2, 1) @ by_smooth[:, 3:]
        return total, slopes
