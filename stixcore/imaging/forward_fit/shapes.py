"""Visibilities of a circular Gaussian, an elliptical Gaussian and a loop, with their derivatives, in closed form.

Many parameter vectors at once: every function takes θ of shape (n_set, n_par) and returns the visibilities (n_set,
n_vis) and their derivatives (n_set, n_par, n_vis). V(u, v) = ∬ I(x, y) e^{+2πi(ux+vy)} dx dy, x and y relative to the
phase center.

Source: ground software ``vis_fwdfit_func_pso``; Volpara et al. 2022, A&A 668, A145. Widths are FWHM. The ground
software describes an ellipse and the ellipse with a loop's moments by (ec, es) = m·(cos α, sin α), α the position
angle, w_max = w·e^{m/2} and w_min = w·e^{-m/2}. This has a kink at the circle (α and α + 180° are the same ellipse),
and for loops many values are impossible (the moments would need circles of negative width). The fit therefore uses

* for the ellipse w and (a, b) = m·(cos 2α, sin 2α): smooth at m = 0 and one-to-one;
* for the loop the width c of its circles and (p, q) = √(w_max² - w_min²)·(cos α, sin α): any c, p, q is a loop.
"""

from __future__ import annotations

from enum import StrEnum
from math import comb

import numpy as np
from numpy.typing import NDArray

from stixcore.imaging.metrics import FWHM_PER_SIGMA

Floats = NDArray[np.float64]
Complex = NDArray[np.complex128]

#: exp(-GAUSS·w²k²) is the visibility of a Gaussian of FWHM w: π²/(4 ln 2).
GAUSS = float(np.pi**2 / (4.0 * np.log(2.0)))
#: Least FWHM of the circles of a loop, arcsec; as in the ground software, narrower ones are widened.
LOOP_MIN_FWHM = 1.0


class Shape(StrEnum):
    """Shapes of a source."""

    CIRCLE = "circle"
    ELLIPSE = "ellipse"
    LOOP = "loop"


#: Columns of θ; flux in ct s⁻¹ cm⁻² keV⁻¹, loop_angle in degrees, a and b pure numbers, the rest in
#: arcsec.
FIT_NAMES: dict[Shape, tuple[str, ...]] = {
    Shape.CIRCLE: ("flux", "x", "y", "fwhm"),
    Shape.ELLIPSE: ("flux", "x", "y", "fwhm", "a", "b"),
    Shape.LOOP: ("flux", "x", "y", "width", "p", "q", "loop_angle"),
}


class Plane:
    """The (u, v) points, with the products that every evaluation needs.

    Parameters
    ----------
    u, v : (n_vis,) float, arcsec⁻¹
    """

    def __init__(self, u: Floats, v: Floats) -> None:
        self.u, self.v = u, v
        self.k2 = u**2 + v**2
        self.difference, self.product = u**2 - v**2, 2.0 * u * v
        self.iu, self.iv = 2j * np.pi * u, 2j * np.pi * v

    def source(self, shape: Shape, theta: Floats) -> tuple[Complex, Complex]:
        """Visibilities and derivatives of one source of that shape; θ (n_set, n_par) as `FIT_NAMES`."""
        return {Shape.CIRCLE: _circle, Shape.ELLIPSE: _ellipse, Shape.LOOP: _loop}[shape](self, theta)


def _circle(plane: Plane, theta: Floats) -> tuple[Complex, Complex]:
    flux, x, y, w = theta.T[:, :, None]
    # V = F exp(-π²w²(u²+v²)/(4 ln 2)) e^{2πi(xu+yv)}
    unit = np.exp(x * plane.iu + y * plane.iv - (GAUSS * w**2) * plane.k2)
    vis = flux * unit
    slopes = np.empty((theta.shape[0], 4, plane.u.size), dtype=complex)
    slopes[:, 0] = unit
    slopes[:, 1] = plane.iu * vis
    slopes[:, 2] = plane.iv * vis
    slopes[:, 3] = (-2.0 * GAUSS * w) * plane.k2 * vis
    return vis, slopes


def _ellipse(plane: Plane, theta: Floats) -> tuple[Complex, Complex]:
    flux, x, y, w, a, b = theta.T[:, :, None]
    m = np.hypot(a, b)
    s, t = _sinhc(m), _sinhc_slope(m)
    turned = a * plane.difference + b * plane.product
    # V = F exp(-π²[(u₁w_max)² + (v₁w_min)²]/(4 ln 2)) e^{2πi(xu+yv)}; with u₁, v₁ along and across the major axis the
    # bracket is q = w²[(u²+v²) cosh m + (sinh m / m)(a (u²-v²) + 2b uv)]
    q = w**2 * (plane.k2 * np.cosh(m) + s * turned)
    unit = np.exp(x * plane.iu + y * plane.iv - GAUSS * q)
    vis = flux * unit
    common = plane.k2 * s + t * turned
    slopes = np.empty((theta.shape[0], 6, plane.u.size), dtype=complex)
    slopes[:, 0] = unit
    slopes[:, 1] = plane.iu * vis
    slopes[:, 2] = plane.iv * vis
    slopes[:, 3] = (-2.0 * GAUSS / w) * q * vis
    # ∂q/∂a = w²[a (k² s + t (a d + b e)) + s d], with s = sinh m / m and t = (ds/dm)/m
    slopes[:, 4] = (-GAUSS * w**2) * (a * common + s * plane.difference) * vis
    slopes[:, 5] = (-GAUSS * w**2) * (b * common + s * plane.product) * vis
    return vis, slopes


def _loop(plane: Plane, theta: Floats) -> tuple[Complex, Complex]:
    flux, x, y, width, p, q, loop_angle = theta.T[:, :, None]
    arc = LoopArc(loop_angle)
    # R = √((σ_max² - σ_min²)/s): the excess of the second moment along the chord is that of the arc; h = R/√(p² + q²)
    h = 1.0 / (FWHM_PER_SIGMA * np.sqrt(arc.spread))
    along, across = h * p, h * q
    # Circles stand at X = R x_j across the position angle and at Y = R (y_j - ⟨y⟩) along it:
    # phase = 2π[X(-u sin α + v cos α) + Y(u cos α + v sin α)];  j and -j have opposite x_j
    chord = 2.0 * np.pi * (plane.v * along - plane.u * across)
    height = 2.0 * np.pi * (plane.u * along + plane.v * across)
    bulge = np.exp(1j * arc.y[:, :, None] * height[:, None, :])
    angle = arc.x[:, :, None] * chord[:, None, :]
    even, odd = bulge * np.cos(angle), 1j * bulge * np.sin(angle)
    total, total_y, total_dy = np.moveaxis(arc.even_weights @ even, 1, 0)
    total_x, total_dx = np.moveaxis(arc.odd_weights @ odd, 1, 0)
    envelope = np.exp(x * plane.iu + y * plane.iv - (GAUSS * width**2) * plane.k2)
    unit = envelope * total
    vis, envelope = flux * unit, flux * envelope

    by_along = envelope * (plane.iv * total_x + plane.iu * total_y)
    by_across = envelope * (plane.iv * total_y - plane.iu * total_x)
    h_slope = -0.5 * h * arc.spread_slope / arc.spread  # dh/dφ
    slopes = np.empty((theta.shape[0], 7, plane.u.size), dtype=complex)
    slopes[:, 0] = unit
    slopes[:, 1] = plane.iu * vis
    slopes[:, 2] = plane.iv * vis
    slopes[:, 3] = (-2.0 * GAUSS * width) * plane.k2 * vis
    slopes[:, 4] = by_along * h
    slopes[:, 5] = by_across * h
    by_arc = (by_along * p + by_across * q) * h_slope + 1j * envelope * (chord * total_dx + height * total_dy)
    slopes[:, 6] = arc.slope * by_arc
    return vis, slopes


def _loop_nodes() -> tuple[Floats, Floats]:
    """Weights and places (-½ … ½ of the arc) of a loop's circles j = 0 … 5; j ≥ 1 stands for ±j, its weight doubled.

    A binomial with 21 terms of which those above 1 % remain: 11 circles.
    """
    terms = np.array([comb(20, j) for j in range(21)]) / 2.0**20
    kept = terms[terms > 0.01]
    weight = kept / kept.sum()
    place = np.arange(kept.size) / (kept.size - 1) - 0.5
    middle = kept.size // 2
    weight = weight[middle:] * np.where(place[middle:] > 0, 2.0, 1.0)
    return weight, np.abs(place[middle:])


NODE_WEIGHT, NODE_PLACE = _loop_nodes()
#: Loop angle ÷ angle of the arc from first to last circle: FWHM of the places.
ARC_FWHM = float(np.sqrt((NODE_WEIGHT * NODE_PLACE**2).sum()) * FWHM_PER_SIGMA)
_SMALLEST_ARC = 1e-4  # rad; a straight loop is the limit, not a division by zero


class LoopArc:
    """Circles of a loop on an arc of radius 1, as functions of the loop angle.

    Parameters
    ----------
    loop_angle : (n_set, 1) float, deg
        Negative: bent the other way.

    Attributes
    ----------
    x, y : (n_set, 6) float
        Chord and height coordinates sin θ_j and ±(cos θ_j - ⟨cos θ⟩) of circles j ≥ 0.
    spread : (n_set, 1) float
        ⟨x²⟩ - ⟨y²⟩ + ⟨y⟩².
    ratio : (n_set, 1) float
        ⟨x²⟩ ÷ spread.
    even_weights : (n_set, 3, 6), odd_weights : (n_set, 2, 6) float
        Node weights times 1, y, dy/dφ and times x, dx/dφ, φ the angle of the arc.
    """

    def __init__(self, loop_angle: Floats) -> None:
        signed = np.deg2rad(loop_angle) / ARC_FWHM
        sign = np.where(signed < 0, -1.0, 1.0)
        phi = np.maximum(np.abs(signed), _SMALLEST_ARC)
        self.slope = np.deg2rad(1.0) / ARC_FWHM * sign  # dφ/d(loop angle)
        weight, place = NODE_WEIGHT, NODE_PLACE
        theta = phi * place
        x, x_slope = np.sin(theta), place * np.cos(theta)
        # cos θ - 1 keeps the digits that the variance of y needs on a nearly straight loop
        y, y_slope = -2.0 * np.sin(0.5 * theta) ** 2, -place * x

        def mean(values: Floats) -> Floats:
            return (weight * values).sum(axis=1, keepdims=True)

        y, y_slope = y - mean(y), y_slope - mean(y_slope)
        self.x = x
        y2, y2_slope = mean(y**2), 2.0 * mean(y * y_slope)
        self.spread = mean(x**2) - y2
        self.spread_slope = 2.0 * mean(x * x_slope) - y2_slope
        # ⟨x²⟩/s = 1 + var(y)/s: no cancellation on a nearly straight loop
        excess = y2 / self.spread
        self.ratio = 1.0 + excess
        self.ratio_slope = (y2_slope - excess * self.spread_slope) / self.spread
        self.y = sign * y
        self.even_weights = weight * np.stack([np.ones_like(x), sign * y, sign * y_slope], axis=1)
        self.odd_weights = weight * np.stack([x, x_slope], axis=1)


def loop_circles(
    fwhm_max: float, fwhm_min: float, angle: float, loop_angle: float
) -> tuple[Floats, Floats, Floats, float]:
    """The 11 circles of a loop: weights, x and y from its center [arcsec], (11,) each, and their FWHM [arcsec].

    ``fwhm_max`` and ``fwhm_min`` [arcsec] are of the loop's second moments, ``angle`` and ``loop_angle`` in degrees.
    The chord from first to last circle runs along ``angle`` + 90°.
    """
    arc = LoopArc(np.array([[loop_angle]]))
    excess = fwhm_max**2 - fwhm_min**2
    # R = √((σ_max² - σ_min²)/s)
    radius = float(np.sqrt(excess / arc.spread[0, 0])) / FWHM_PER_SIGMA
    fwhm = float(np.sqrt(max(fwhm_max**2 - excess * arc.ratio[0, 0], LOOP_MIN_FWHM**2)))
    chord, height = radius * arc.x[0], radius * arc.y[0]
    chord, height = np.concatenate([-chord[:0:-1], chord]), np.concatenate([height[:0:-1], height])
    half = NODE_WEIGHT * np.where(NODE_PLACE > 0, 0.5, 1.0)
    cos, sin = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    # x - X sin α + Y cos α,  y + X cos α + Y sin α
    return np.concatenate([half[:0:-1], half]), height * cos - chord * sin, chord * cos + height * sin, fwhm


def _sinhc(m: Floats) -> Floats:
    """Sinh m / m."""
    safe = np.where(m < 1e-4, 1.0, m)
    return np.where(m < 1e-4, 1.0 + m**2 / 6.0, np.sinh(safe) / safe)


def _sinhc_slope(m: Floats) -> Floats:
    """(d/dm sinh m / m) / m = (m cosh m - sinh m)/m³."""
    safe = np.where(m < 0.05, 1.0, m)
    return np.where(m < 0.05, 1.0 / 3.0 + m**2 / 30.0 + m**4 / 840.0, (m * np.cosh(safe) - np.sinh(safe)) / safe**3)
