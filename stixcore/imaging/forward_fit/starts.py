"""Starting points: a scan of the whole field for one source, all pairs of circles for two, then one more at a time.

The flux enters linearly, so the best flux and χ² of a source of given position and shape have a closed form: with T
the visibilities of that shape at the phase center,

    Δχ²(x, y) = N²/D,   N = Σ Re[V T* e^{-2πi(ux+vy)}]/σ²,   D = Σ |T|²/σ²,   flux = N/D,

and N is a dirty map with weights T*/σ². One such map per shape searches the whole field; nothing is random.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from stixcore.imaging.forward_fit.shapes import Plane, Shape
from stixcore.imaging.fourier import FourierOperator
from stixcore.imaging.grid import ImageGrid

Floats = NDArray[np.float64]
Complex = NDArray[np.complex128]

_WIDTHS = (6.0, 15.0, 30.0, 60.0)  # arcsec
_ELONGATIONS = (0.5, 1.4)
_LOOP_WIDTHS, _LOOP_LENGTHS = (8.0, 22.0), (18.0, 35.0, 60.0)  # arcsec
_BENDS = (50.0, 130.0)  # deg
#: Step of the scan in units of the finest fringe: the best place is at most an eighth of a fringe away along x and y.
_SCAN_STEP = 0.25
_MAX_SCAN = 128  # pixels a side


@dataclass(frozen=True, eq=False)
class Scan:
    """Source shapes tried at every position of a field.

    Attributes
    ----------
    theta : (n_candidate, n_par) float
        With the best flux of each, of either sign.
    gain : (n_candidate,) float
        Decrease of χ², 0 where the flux would be negative.
    """

    theta: Floats
    gain: Floats

    def best(self, n: int) -> Scan:
        """The ``n`` highest gains."""
        order = np.argsort(-self.gain, kind="stable")[:n]
        return Scan(self.theta[order], self.gain[order])


class Field:
    """The field to search: a coarse grid and the Fourier operator shared by all scans.

    Parameters
    ----------
    plane : Plane
    sigma : (n_vis,) float
    reach : float, arcsec
        Half the side of the field.
    """

    def __init__(self, plane: Plane, sigma: Floats, reach: float) -> None:
        self.plane, self.inverse_variance = plane, 1.0 / sigma**2
        step = _SCAN_STEP / float(np.sqrt(plane.k2.max()))
        n = int(np.clip(np.ceil(2.0 * reach / step), 8, _MAX_SCAN)) + 1
        self.grid = ImageGrid((n, n), 2.0 * reach / (n - 1))
        self.operator = FourierOperator(plane.u, plane.v, self.grid)

    def scan(self, shape: Shape, templates: Floats, vis: Complex, peaks: int) -> Scan:
        """The highest local maxima of Δχ² for each template.

        Parameters
        ----------
        shape : Shape
        templates : (n_template, n_par) float
            Flux 1 at (0, 0).
        vis : (n_vis,) complex
        peaks : int
            Maxima kept per template.
        """
        shapes = self.plane.source(shape, templates)[0]
        power = (np.abs(shapes) ** 2 * self.inverse_variance).sum(axis=1)
        weighted = vis * shapes.conj() * self.inverse_variance
        maps = np.stack([self.operator.adjoint(row) for row in weighted])  # N of each template
        gain = np.maximum(maps, 0.0) ** 2 / power[:, None, None]
        padded = np.pad(gain, ((0, 0), (1, 1), (1, 1)))
        ny, nx = self.grid.shape
        neighbors = [
            padded[:, 1 + j : 1 + j + ny, 1 + i : 1 + i + nx]
            for j, i in product((-1, 0, 1), repeat=2)
            if (j, i) != (0, 0)
        ]
        top = np.where(gain >= np.max(neighbors, axis=0), gain, 0.0).reshape(len(templates), -1)
        place = np.argpartition(-top, peaks, axis=1)[:, :peaks]
        which = np.repeat(np.arange(len(templates)), peaks)
        row, column = np.divmod(place.ravel(), nx)
        theta = templates[which].copy()
        theta[:, 0] = maps[which, row, column] / power[which]
        theta[:, 1], theta[:, 2] = self.grid.x[column], self.grid.y[row]
        return Scan(theta, top[which, place.ravel()])


def templates(shape: Shape) -> Floats:
    """Sources of flux 1 at (0, 0) in a few widths, elongations and directions, (n_template, n_par)."""
    if shape is Shape.CIRCLE:
        return np.array([(1.0, 0.0, 0.0, w) for w in _WIDTHS])
    if shape is Shape.ELLIPSE:
        # (a, b) = m (cos 2α, sin 2α)
        turns = np.arange(8) * np.pi / 4.0
        bent = [(m * np.cos(t), m * np.sin(t)) for m, n in zip(_ELONGATIONS, (2, 1), strict=True) for t in turns[::n]]
        return np.array([(1.0, 0.0, 0.0, w, *ab) for w in _WIDTHS[1:] for ab in [(0.0, 0.0), *bent]])
    # (p, q) = √(w_max² - w_min²) (cos α, sin α)
    turns = np.arange(8) * np.pi / 4.0
    return np.array(
        [
            (1.0, 0.0, 0.0, w, length * np.cos(t), length * np.sin(t), bend)
            for w, length, bend, t in product(_LOOP_WIDTHS, _LOOP_LENGTHS, _BENDS, turns)
        ]
    )


def pairs_of_circles(field: Field, vis: Complex, first: Floats, n: int) -> Floats:
    """Best pairs among many circles, (≤ n, 8) float: pairs of scan maxima of data and of the residual of one circle.

    Parameters
    ----------
    field : Field
    vis : (n_vis,) complex
    first : (4,) float
        Best single circle.
    n : int
    """
    plane = field.plane
    residual = vis - plane.source(Shape.CIRCLE, first[None])[0][0]
    kinds = templates(Shape.CIRCLE)
    atoms = np.concatenate(
        [
            first[None],
            field.scan(Shape.CIRCLE, kinds, vis, 24).theta,
            field.scan(Shape.CIRCLE, kinds, residual, 24).theta,
            around(first),
        ]
    )
    atoms[:, 0] = 1.0
    atoms = np.unique(atoms, axis=0)
    # Gram matrix G and projections N in one real product
    stacked = plane.source(Shape.CIRCLE, atoms)[0].view(np.float64) * np.repeat(np.sqrt(field.inverse_variance), 2)
    gram = stacked @ stacked.T
    data = (np.ascontiguousarray(vis).view(np.float64) * np.repeat(np.sqrt(field.inverse_variance), 2)) @ stacked.T
    i, j = np.triu_indices(len(atoms), 1)
    determinant = gram[i, i] * gram[j, j] - gram[i, j] ** 2
    usable = determinant > 1e-4 * gram[i, i] * gram[j, j]
    i, j, determinant = i[usable], j[usable], determinant[usable]
    # two fluxes in closed form: f = G⁻¹ N, Δχ² = N·f
    flux_i = (data[i] * gram[j, j] - data[j] * gram[i, j]) / determinant
    flux_j = (data[j] * gram[i, i] - data[i] * gram[i, j]) / determinant
    gain = np.where((flux_i > 0) & (flux_j > 0), data[i] * flux_i + data[j] * flux_j, 0.0)
    best = np.argsort(-gain, kind="stable")[:n]
    theta = np.concatenate([atoms[i[best]], atoms[j[best]]], axis=1)
    theta[:, 0], theta[:, 4] = flux_i[best], flux_j[best]
    return theta


def around(circle: Floats) -> Floats:
    """Circles within half a width of a fitted one (4,), where a close companion or a halo would be, (36, 4) float."""
    offset = 0.4 * circle[3]
    steps = [(0.0, 0.0), *((offset * np.cos(t), offset * np.sin(t)) for t in np.arange(8) * np.pi / 4.0)]
    return np.array([(1.0, circle[1] + dx, circle[2] + dy, w) for dx, dy in steps for w in _WIDTHS])


def deformed(shape: Shape, circle: Floats) -> Floats:
    """A circle (4,) as ellipses or loops of about its size in several directions, (n, n_par)."""
    if shape is Shape.CIRCLE:
        return circle[None]
    if shape is Shape.ELLIPSE:
        kinds = np.unique(templates(shape)[:, 4:], axis=0)
        return np.concatenate([np.broadcast_to(circle, (len(kinds), 4)), kinds], axis=1)
    width, length, turns = 0.7 * circle[3], 0.8 * circle[3], np.arange(8) * np.pi / 4.0
    return np.array([(*circle[:3], width, length * np.cos(t), length * np.sin(t), _BENDS[-1]) for t in turns])


def spread_points(n: int, dimension: int) -> Floats:
    """A low-discrepancy set in the unit cube, (n, dimension): additive recurrence of the generalized golden ratio."""
    golden = 2.0
    for _ in range(30):
        golden = (1.0 + golden) ** (1.0 / (dimension + 1.0))
    steps = golden ** -np.arange(1.0, dimension + 1.0)
    return np.mod(0.5 + np.outer(np.arange(1, n + 1), steps), 1.0)
