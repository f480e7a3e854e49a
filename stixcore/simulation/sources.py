"""Shapes on the sky with analytic visibilities: circles, ellipses, loops, and combinations of them.

Positions are helioprojective (x toward solar west, y toward north, arcsec) or, without a pointing, in the STIX frame.
Angles are counter-clockwise from +x of that frame. The parameters are those of the ground software's forward fit
(Volpara et al. 2022, A&A 668, A145).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from math import comb
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from stixcore.coordinates import Pointing, hpc_to_stix, rotate_uv_to_hpc
from stixcore.errors import SelectionError
from stixcore.imaging.metrics import FWHM_PER_SIGMA

Floats = NDArray[np.float64]
Complex = NDArray[np.complex128]

#: Circles of a loop (binomial weights of order 20 that are above 1 %).
_LOOP_WEIGHTS = np.array([comb(20, k) for k in range(21)]) / 2.0**20
_LOOP_WEIGHTS = _LOOP_WEIGHTS[_LOOP_WEIGHTS > 0.01] / _LOOP_WEIGHTS[_LOOP_WEIGHTS > 0.01].sum()
_MIN_LOOP_FWHM = 1.0  # arcsec


class Source(Protocol):
    """A shape of unit flux at a position."""

    @property
    def x(self) -> float:
        """Centroid, arcsec."""

    @property
    def y(self) -> float:
        """Centroid, arcsec."""

    @property
    def share(self) -> float:
        """Fraction of a component's flux, relative to the other sources of that component."""

    def envelope(self, u: Floats, v: Floats) -> Complex:
        """Visibility for unit flux relative to the source's centroid; u, v [arcsec⁻¹] are in the frame of ``x, y``."""


def _require(shape: object, positive: Sequence[float], finite: Sequence[float]) -> None:
    if not (all(value >= 0 for value in positive) and np.isfinite([*positive, *finite]).all()):
        message = f"a source needs finite numbers, and sizes and shares that are not negative, found {shape}"
        raise SelectionError(message)


def _gaussian(u: Floats, v: Floats, fwhm_u: float, fwhm_v: float) -> Complex:
    # exp(-π²[(u w_u)² + (v w_v)²] / (4 ln 2))
    exponent = -(np.pi**2) * ((u * fwhm_u) ** 2 + (v * fwhm_v) ** 2) / (4.0 * np.log(2.0))
    return np.asarray(np.exp(exponent), dtype=complex)


@dataclass(frozen=True)
class Circle:
    """Gaussian circle; ``fwhm`` in arcsec, 0 for a point."""

    x: float
    y: float
    fwhm: float
    share: float = 1.0

    def __post_init__(self) -> None:
        _require(self, (self.fwhm, self.share), (self.x, self.y))

    def envelope(self, u: Floats, v: Floats) -> Complex:
        """See `Source.envelope`."""
        return _gaussian(u, v, self.fwhm, self.fwhm)


@dataclass(frozen=True)
class Ellipse:
    """Gaussian ellipse.

    Attributes
    ----------
    fwhm_max, fwhm_min : float, arcsec
    angle : float, deg
        Angle of the major axis, counter-clockwise from +x.
    """

    x: float
    y: float
    fwhm_max: float
    fwhm_min: float
    angle: float
    share: float = 1.0

    def __post_init__(self) -> None:
        _require(self, (self.fwhm_max, self.fwhm_min, self.share), (self.x, self.y, self.angle))

    def envelope(self, u: Floats, v: Floats) -> Complex:
        """See `Source.envelope`."""
        cos, sin = np.cos(np.deg2rad(self.angle)), np.sin(np.deg2rad(self.angle))
        # u₁ = u cos pa + v sin pa,  v₁ = -u sin pa + v cos pa
        return _gaussian(u * cos + v * sin, -u * sin + v * cos, self.fwhm_max, self.fwhm_min)


@dataclass(frozen=True)
class Loop:
    """Gaussian loop: circles of equal size along an arc, brightest at its top.

    Attributes
    ----------
    fwhm_max, fwhm_min : float, arcsec
        FWHM of an ellipse with the same second moments.
    angle : float, deg
        As in the ground software: the direction of the chord between the feet is ``angle`` + 90°.
    loop_angle : float, deg
        Opening angle of the arc (FWHM). The sign gives the side to which it bends; 0 is straight.

    Raises
    ------
    SelectionError
        When a value is out of range, or ``fwhm_max`` is less than ``fwhm_min``.
    """

    x: float
    y: float
    fwhm_max: float
    fwhm_min: float
    angle: float
    loop_angle: float
    share: float = 1.0

    def __post_init__(self) -> None:
        _require(self, (self.fwhm_max, self.fwhm_min, self.share), (self.x, self.y, self.angle, self.loop_angle))
        if self.fwhm_max < self.fwhm_min:
            message = f"fwhm_max must not be less than fwhm_min, found {self}"
            raise SelectionError(message)

    @cached_property
    def circles(self) -> tuple[Floats, Floats, float]:
        """Offsets of the circles from the centroid, (n,) and (n,) float, and their common FWHM, arcsec."""
        t = np.linspace(-0.5, 0.5, _LOOP_WEIGHTS.size)
        # θ_j = |a| t_j,  a = λ/κ with κ = √(Σ t² w)·2.3548
        opening = np.deg2rad(self.loop_angle) / (np.sqrt(_LOOP_WEIGHTS @ t**2) * FWHM_PER_SIGMA)
        opening = opening or 0.01
        arc_x, arc_y = np.sin(abs(opening) * t), np.cos(abs(opening) * t) * np.sign(opening)
        s_x2, s_y, s_y2 = _LOOP_WEIGHTS @ arc_x**2, _LOOP_WEIGHTS @ arc_y, _LOOP_WEIGHTS @ arc_y**2
        major, minor = self.fwhm_max / FWHM_PER_SIGMA, self.fwhm_min / FWHM_PER_SIGMA
        # R = √((σ_maj² - σ_min²) / (s_x2 - s_y2 + s_y²)): second moments as wanted
        radius = np.sqrt((major**2 - minor**2) / max(s_x2 - s_y2 + s_y**2, 1e-12))
        fwhm = max(FWHM_PER_SIGMA * np.sqrt(max(major**2 - radius**2 * s_x2, 0.0)), _MIN_LOOP_FWHM)
        along, across = radius * arc_x, radius * (arc_y - s_y)
        cos, sin = np.cos(np.deg2rad(self.angle)), np.sin(np.deg2rad(self.angle))
        # x = -X sin pa + Y cos pa,  y = X cos pa + Y sin pa
        return -along * sin + across * cos, along * cos + across * sin, float(fwhm)

    def envelope(self, u: Floats, v: Floats) -> Complex:
        """See `Source.envelope`."""
        dx, dy, fwhm = self.circles
        phase = 2.0 * np.pi * (np.multiply.outer(u, dx) + np.multiply.outer(v, dy))
        return _gaussian(u, v, fwhm, fwhm) * (np.exp(1j * phase) @ _LOOP_WEIGHTS)


def source_position(source: Source, pointing: Pointing | None) -> tuple[float, float]:
    """Position in the STIX frame, arcsec; without a pointing, the position of the source itself."""
    if pointing is None:
        return source.x, source.y
    x, y = hpc_to_stix(source.x, source.y, pointing)
    return float(x), float(y)


def source_visibility(source: Source, u: Floats, v: Floats, pointing: Pointing | None) -> Complex:
    """Visibility of one source of unit flux in the STIX frame, with the phase center at its origin.

    Parameters
    ----------
    source : Source
    u, v : (n,) float, arcsec⁻¹
        STIX frame.
    pointing : Pointing or None
        Used to convert helioprojective positions and angles to the STIX frame; None when they are in the STIX frame.
    """
    x, y = source_position(source, pointing)
    own_u, own_v = (u, v) if pointing is None else rotate_uv_to_hpc(u, v, pointing.roll)
    return np.asarray(source.envelope(own_u, own_v) * np.exp(2j * np.pi * (u * x + v * y)))


def shares(sources: Sequence[Source]) -> Floats:
    """Relative fluxes, which sum to 1.

    Raises
    ------
    SelectionError
        When there are no sources, or all shares are zero.
    """
    values = np.array([source.share for source in sources], dtype=float)
    if not values.sum() > 0:
        message = f"sources need a positive total share, found {values.tolist()}"
        raise SelectionError(message)
    return np.asarray(values / values.sum())


def visibilities(sources: Sequence[Source], u: Floats, v: Floats, pointing: Pointing | None = None) -> Complex:
    """Visibilities of sources of unit total flux, (n,) complex, in the STIX frame, with phase center at its origin."""
    total = np.zeros(u.shape, dtype=complex)
    for source, share in zip(sources, shares(sources), strict=True):
        total += share * source_visibility(source, u, v, pointing)
    return total


def describe(source: Source) -> dict[str, Any]:
    """Shape and parameters of a source, as JSON values."""
    values: dict[str, Any] = asdict(source)  # type: ignore[call-overload]  # every shape here is a dataclass
    return {"shape": type(source).__name__.lower(), **values}
