"""MEM_GE as in the reference implementation: merged visibilities, proximal steps and first-order solvers.

Massa et al. 2020, ApJ 894, 46; Combettes & Pesquet 2011, "Proximal splitting methods in signal processing"; Beck &
Teboulle 2009, SIAM J. Imaging Sci. 2, 183. Stopping rules and constants are those of SSW ``mem_ge``, the reference.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import wrightomega, xlogy

from stixcore.imaging.fourier import FourierOperator
from stixcore.imaging.grid import ImageGrid
from stixcore.imaging.reconstruction import StopReason
from stixcore.visibility.visibilities import Visibilities

Floats = NDArray[np.float64]
Complex = NDArray[np.complex128]

#: Factor by which the reference overestimates the largest eigenvalue of HHᵀ, for a safe step.
LIPSCHITZ_FACTOR = 2.1
#: Relative change of the image at which both first-order iterations stop.
RELATIVE_CHANGE = 1e-3
#: Number of prox iterations in rejected steps after which the reference stops.
MAX_REJECTED_PROX = 500


@dataclass(frozen=True, eq=False)
class WhitenedSystem:
    """Visibilities in units of their errors: χ²(x) = |Hx - d|² with H = [Re F; Im F]/σ, d = [Re V; Im V]/σ.

    Real and imaginary parts are kept in complex vectors (n_vis,), whose |·|² is that of the real vectors.
    """

    operator: FourierOperator
    data: Complex
    sigma: Floats

    @classmethod
    def of(cls, u: Floats, v: Floats, vis: Complex, sigma: Floats, grid: ImageGrid) -> WhitenedSystem:
        """System for visibilities on a grid."""
        return cls(FourierOperator(u, v, grid), vis / sigma, sigma)

    def forward(self, image: Floats) -> Complex:
        """Hx."""
        return self.operator.forward(image) / self.sigma

    def adjoint(self, values: Complex, out: Floats | None = None) -> Floats:
        """Hᵀr, (ny, nx) float."""
        return self.operator.adjoint(values * (self.operator.grid.pixel_area / self.sigma), out=out)

    def gram(self, weights: Floats | None = None) -> Floats:
        """H diag(w) Hᵀ, (2 n_vis, 2 n_vis) float."""
        error = np.concatenate([self.sigma, self.sigma])
        return np.asarray(self.operator.gram(weights) / np.outer(error, error))

    @property
    def lipschitz(self) -> float:
        """2.1·‖HHᵀ‖₂, the reference's Lipschitz constant of the gradient 2Hᵀ(Hx - d)."""
        return float(LIPSCHITZ_FACTOR * np.linalg.eigvalsh(self.gram())[-1])


def merge_cells(vis: Visibilities, grid: ImageGrid) -> tuple[Floats, Floats, Complex, Floats]:
    """Average the visibilities in each (u, v) cell of size 1/(nΔ), as SSW ``mem_ge`` does; returns u, v, V, σ.

    The mean has the (u, v) of the first member. A cell stores the index of its entry and 0 means empty, so that nothing
    is added to entry 0, and the next visibility in its cell makes a new entry. This error of the reference is
    reproduced to get the same image.
    """
    ny, nx = grid.shape
    rows, columns = np.round(vis.v * ny * grid.pixel), np.round(vis.u * nx * grid.pixel)
    entries: list[list[int]] = []
    cells: dict[tuple[float, float], int] = {}
    for k, cell in enumerate(zip(rows.tolist(), columns.tolist(), strict=True)):
        if cells.get(cell, 0) == 0:
            cells[cell] = len(entries)
            entries.append([k])
        else:
            entries[cells[cell]].append(k)
    first = [members[0] for members in entries]
    value = np.array([vis.vis[members].mean() for members in entries])
    # σ = √Σσ² / k
    sigma = np.array([np.linalg.norm(vis.sigma[members]) / len(members) for members in entries])
    return vis.u[first], vis.v[first], value, sigma


def norm2(values: Complex) -> float:
    """|r|² of a complex vector."""
    return float(np.vdot(values, values).real)


def projected_landweber(system: WhitenedSystem, max_iterations: int = 1000) -> tuple[Floats, int]:
    """Non-negative least squares, min |Hx - d|² for x ≥ 0, stopped as in the reference; image and iterations.

    x ← max(0, x - 2Hᵀ(Hx - d)/L) from x = 0 until ‖Δx‖ < 10⁻³‖x‖.
    """
    image, new = np.zeros((2, *system.operator.grid.shape))
    step, size = 2.0 / system.lipschitz, 0.0
    for iteration in range(1, max_iterations + 1):
        system.adjoint((system.forward(image) - system.data) * step, out=new)
        np.subtract(image, new, out=new)
        np.maximum(new, 0.0, out=new)
        np.subtract(new, image, out=image)
        change = np.vdot(image, image)
        if change < RELATIVE_CHANGE**2 * size:
            return new, iteration
        image, new, size = new, image, float(np.vdot(new, new))
    return image, max_iterations


def entropy_prox(y: Floats, level: float, weight: float) -> Floats:
    """Proximal step of the entropy, argmin_x ½|x - y|² + w Σ x (ln(x/m) - 1), for each pixel; always positive.

    The root of x - y + w ln(x/m) = 0 is x = w·ω(y/w + ln(m/w)) with Wright's omega, ω(z) + ln ω(z) = z.
    (The reference finds it by bisection to 10⁻¹⁰.)
    """
    return np.asarray(weight * wrightomega(y / weight + np.log(level / weight)))


def entropy_prox_with_flux(
    y: Floats, flux: float, level: float, weight: float, max_iterations: int = 250
) -> tuple[Floats, int]:
    """`entropy_prox` with Σx = ``flux`` by Dykstra's algorithm, until the sum is right to 1 %; image and iterations.

    As the reference stops at 1 %, the sum of an early-stopped map can differ from the constraint by that much.
    """
    x, p, q = y, np.zeros_like(y), np.zeros_like(y)
    for iteration in range(max_iterations):
        shifted = x + p
        on_plane = shifted + (flux - shifted.sum()) / shifted.size  # projection on Σx = flux
        p = shifted - on_plane
        x = entropy_prox(on_plane + q, level, weight)
        if abs(x.sum() - flux) <= 0.01 * flux:
            return x, iteration
        q = on_plane + q - x
    return x, max_iterations - 1


def entropy_objective(image: Floats, level: float) -> float:
    """Σ x (ln(x/m) - 1), with 0·ln 0 = 0."""
    return float(xlogy(image, image / level).sum() - image.sum())


def monotone_fista(
    system: WhitenedSystem, flux: float, weight: float, max_iterations: int = 1000
) -> tuple[Floats, Floats, StopReason]:
    """Minimize |Hx - d|² + λ Σ x (ln(x/m) - 1) for Σx = f as in the ground software, which stops early.

    Parameters
    ----------
    system : WhitenedSystem
    flux : float
        f = F/Δ², the sum of the pixels.
    weight : float
        λ.
    max_iterations : int

    Returns
    -------
    image : (ny, nx) float
        The image before the last step, as in the reference.
    history : (n_iter,) float
        Objective after each iteration.
    stopped_by : StopReason
    """
    shape = system.operator.grid.shape
    level = flux / (shape[0] * shape[1])
    lipschitz = system.lipschitz
    x = np.full(shape, level)
    z, t, rejected = x, 1.0, 0
    objective = norm2(system.forward(x) - system.data) + weight * entropy_objective(x, level)
    history: list[float] = []
    for _ in range(max_iterations):
        y = z - system.adjoint((system.forward(z) - system.data) * (2.0 / lipschitz))
        p, prox_iterations = entropy_prox_with_flux(y, flux, level, weight / lipschitz)
        candidate = norm2(system.forward(p) - system.data) + weight * entropy_objective(p, level)
        x_old, accepted = x, candidate <= objective
        if accepted:
            x, objective, rejected = p, candidate, 0
        else:
            rejected += prox_iterations
        history.append(objective)
        if rejected >= MAX_REJECTED_PROX:
            return x_old, np.array(history), StopReason.STALLED
        # t' = (1 + √(1 + 4t²))/2,  z = x + (t-1)/t'·(x - x_old) + t/t'·(p - x)
        t_next = 0.5 * (1.0 + np.sqrt(1.0 + 4.0 * t**2))
        z = x + ((t - 1.0) / t_next) * (x - x_old) + (t / t_next) * (p - x)
        t = t_next
        if accepted and np.linalg.norm(x - x_old) < RELATIVE_CHANGE * np.linalg.norm(x_old):
            return x_old, np.array(history), StopReason.STOPPING_RULE
    return x_old, np.array(history), StopReason.MAX_ITERATIONS
