"""Location of the flare on the Sun, from a full-disk back projection of the coarse sub-collimators.

As ``stx_estimate_flare_location`` of the ground software, but without its half-pixel bias and with a sub-pixel peak.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from stixcore.coordinates import Pointing
from stixcore.errors import SelectionError
from stixcore.imaging.back_projection import back_project
from stixcore.imaging.fourier import FourierOperator
from stixcore.imaging.grid import ImageGrid
from stixcore.imaging.reconstruction import Method, Reconstruction
from stixcore.instrument.geometry import LOCATION_LABELS
from stixcore.visibility.visibilities import Visibilities

Floats = NDArray[np.float64]

FULL_DISK_PIXELS = 512
FULL_DISK_FIELD = 2.6  # solar radii
#: Peaks closer than this are one candidate, arcsec.
SIDELOBE_DISTANCE = 200.0
#: A location is ambiguous when another full-disk peak is at least this fraction of the highest one.
DOUBTFUL_SIDELOBE_RATIO = 0.9
#: Ripples of a full-disk map reach this many of their standard deviations nearly everywhere; higher ones are peaks.
RIPPLE_SIGMAS = 2.5
#: Where peaks are hardly higher than the ripples, those above this fraction of the highest are peaks.
LEAST_PEAK = 0.8
#: Distance from Sun centre, in apparent radii, beyond which a source is unlikely.
DISK_RADIUS = 1.3


@dataclass(frozen=True)
class Candidate:
    """A possible flare position: helioprojective x, y [arcsec] and peak height relative to the highest."""

    x: float
    y: float
    relative_height: float


@dataclass(frozen=True, eq=False)
class FlareLocation:
    """Result of `locate_flare`.

    Attributes
    ----------
    x, y : float, arcsec
        Sub-pixel peak of the full-disk map, helioprojective.
    sidelobe_ratio : float
        Second peak (further than 200″ away) ÷ first.
    candidates : tuple of Candidate
        The three highest peaks, best first.
    full_disk : Reconstruction
    """

    x: float
    y: float
    sidelobe_ratio: float
    candidates: tuple[Candidate, ...]
    full_disk: Reconstruction

    def rival(self, rsun: float) -> float:
        """Height of the second candidate on or near the disk, relative to the highest peak; 0 without one.

        Parameters
        ----------
        rsun : float, arcsec
            Apparent solar radius; NaN when unknown, so that every candidate counts.
        """
        return max((one.relative_height for one in self.candidates[1:] if _near_disk(one, rsun)), default=0.0)

    def rivals_of(self, x: float, y: float, rsun: float) -> tuple[Candidate, ...]:
        """Candidates on or near the disk that are not the peak at (x, y): more than 200″ from there.

        Parameters
        ----------
        x, y : float, arcsec
            Helioprojective.
        rsun : float, arcsec
            Apparent solar radius; NaN when unknown, so that every candidate counts.
        """
        return tuple(
            one
            for one in self.candidates
            if _near_disk(one, rsun) and np.hypot(one.x - x, one.y - y) > SIDELOBE_DISTANCE
        )


def _near_disk(candidate: Candidate, rsun: float) -> bool:
    reach = DISK_RADIUS * rsun if np.isfinite(rsun) else np.inf
    return bool(np.hypot(candidate.x, candidate.y) < reach)


def ripple_level(image: Floats) -> float:
    """Value of a full-disk map below which there are ripples only: side lobes and noise, but no candidate.

    Parameters
    ----------
    image : (ny, nx) float

    Returns
    -------
    float
        In the unit of the image, at most 0.8 of its maximum: min(2.5 σ, 0.8 max), σ = 1.4826 median |I - median I|.
    """
    # 1.4826: a normal distribution has its quartiles at 0.6745 σ
    sigma = 1.4826 * float(np.median(np.abs(image - np.median(image))))
    return min(RIPPLE_SIGMAS * sigma, LEAST_PEAK * float(image.max()))


def full_disk_grid(rsun: float) -> ImageGrid:
    """512² pixels over 2.6 solar radii around Sun centre; ``rsun`` [arcsec] is the apparent radius.

    Raises
    ------
    SelectionError
        When the radius is not positive.
    """
    if not (np.isfinite(rsun) and rsun > 0):
        message = f"the apparent solar radius must be positive, found {rsun} arcsec"
        raise SelectionError(message)
    return ImageGrid((FULL_DISK_PIXELS, FULL_DISK_PIXELS), rsun * FULL_DISK_FIELD / FULL_DISK_PIXELS)


def locate_flare(vis: Visibilities, pointing: Pointing, rsun: float, n_candidates: int = 3) -> FlareLocation:
    """Find the flare on the full disk.

    Parameters
    ----------
    vis : Visibilities
        In the STIX frame; sub-collimators 10a … 7c are used.
    pointing : Pointing
    rsun : float, arcsec
        Apparent solar radius.
    n_candidates : int

    Raises
    ------
    SelectionError, ReconstructionError
        When the visibilities or the radius are unusable.
    """
    begin = perf_counter()
    grid = full_disk_grid(rsun)
    available = [label for label in LOCATION_LABELS if label in vis.labels]
    coarse = vis.select(available).to_helioprojective(pointing, 0.0, 0.0)
    operator = FourierOperator(coarse.u, coarse.v, grid)
    full_disk = back_project(coarse, grid, operator=operator, method=Method.FULL_DISK_BP)
    candidates, remaining = [], full_disk.image.copy()
    for _ in range(n_candidates):
        row, column = np.unravel_index(int(remaining.argmax()), remaining.shape)
        if not np.isfinite(remaining[row, column]):
            break
        x, y, height = _refine_peak(coarse, *grid.position(float(row), float(column)), grid.pixel)
        candidates.append(Candidate(x, y, height))
        near = np.hypot(grid.y[:, None] - grid.y[row], grid.x[None, :] - grid.x[column]) < SIDELOBE_DISTANCE
        remaining[near] = -np.inf
    candidates.sort(key=lambda candidate: candidate.relative_height, reverse=True)  # the order of pixels may differ
    highest = candidates[0].relative_height
    ranked = tuple(Candidate(c.x, c.y, c.relative_height / highest) for c in candidates)
    best = ranked[0]
    ratio = ranked[1].relative_height if len(ranked) > 1 else 0.0
    elapsed = perf_counter() - begin
    return FlareLocation(
        best.x,
        best.y,
        ratio,
        ranked,
        Reconstruction(full_disk.method, grid, full_disk.image, full_disk.unit, elapsed=elapsed),
    )


def _refine_peak(vis: Visibilities, x: float, y: float, limit: float) -> tuple[float, float, float]:
    """Sub-pixel peak by Newton's method, with exact derivatives; at most ``limit`` arcsec from the pixel."""
    position = np.array([x, y])
    frequency = 2.0 * np.pi * np.stack([vis.u, vis.v], axis=1)
    for _ in range(10):
        term = vis.vis * np.exp(-1j * frequency @ position)
        # f = Σ Re t,  ∇f = Σ k Im t,  ∇∇f = -Σ k kᵀ Re t  with t = V e^{-ik·x}
        gradient = frequency.T @ term.imag
        hessian = -(frequency.T * term.real) @ frequency
        if not (hessian[0, 0] < 0 and np.linalg.det(hessian) > 0):  # not a maximum: keep the pixel
            break
        step = -np.linalg.solve(hessian, gradient)
        position = position + np.clip(step, -limit, limit)
        if np.abs(step).max() < 1e-6:
            break
    if np.abs(position - (x, y)).max() > limit:
        position = np.array([x, y])
    height = float((vis.vis * np.exp(-1j * frequency @ position)).real.sum() / len(vis))
    return float(position[0]), float(position[1]), height
