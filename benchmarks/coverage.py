"""How often the truth is within one error of an image: uncertainty maps and errors of position, flux and size.

The simulated flares have a calibration error of 5 % in gain and phase of every sub-collimator, as included in the sigma
of visibilities and in ensembles. Pixels with a truth above 10 % of its peak are counted. The truth is the sky; for both
CLEANs convolved with the clean beam, for a back projection with the dirty beam.

``python -m benchmarks coverage``; in pieces ``python -m benchmarks.coverage --method em --scene loop --counts 1e4``.
"""

from __future__ import annotations

import argparse
import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.measures import BEAM, ready
from benchmarks.scenes import COUNTS, Observation, Scene, observe
from benchmarks.timing import print_table
from stixcore.imaging.ensemble import perturbed_ensemble
from stixcore.imaging.fourier import FourierOperator
from stixcore.imaging.methods import default_methods, run_method
from stixcore.imaging.metrics import measure_source
from stixcore.imaging.reconstruction import Method, method_name
from stixcore.imaging.threads import single_threaded
from stixcore.simulation.sources import visibilities
from stixcore.visibility.form import SYSTEMATIC_ERROR

Floats = NDArray[np.float64]

METHODS = tuple(method for method in Method if method is not Method.FULL_DISK_BP)
#: Pixels with signal: truth above this fraction of its peak.
SIGNAL = 0.1
N_FLARES, N_MEMBERS = 20, 16
#: `ImagingMethod.bias_weight` was fitted to flares below this number; the table uses other flares.
FIRST_FLARE = 1000
WORKERS = 2
#: Target, %.
BAR = (60.0, 76.0)

type Task = tuple[Method, Scene, float, int, int]


@dataclass(frozen=True)
class Covered:
    """One flare: fraction of pixels within one error and within one sigma of the copies; the same for each number.

    Attributes
    ----------
    pixels, by_sigma : float, 0 … 1
    position : float
        Fraction of the two coordinates of the centroid, 0, 0.5 or 1.
    flux, size : float
        0 or 1; NaN if the method does not provide it.
    """

    pixels: float
    by_sigma: float
    position: float
    flux: float
    size: float


def run(
    methods: Sequence[Method] = METHODS,
    scenes: Sequence[Scene] = tuple(Scene),
    counts: Sequence[float] = COUNTS,
    n: int = N_FLARES,
    members: int = N_MEMBERS,
    first: int = FIRST_FLARE,
    workers: int = WORKERS,
) -> None:
    """Print the table."""
    print_table(*coverage_table(methods, scenes, counts, n, members, first, workers))


def coverage_table(
    methods: Sequence[Method] = METHODS,
    scenes: Sequence[Scene] = tuple(Scene),
    counts: Sequence[float] = COUNTS,
    n: int = N_FLARES,
    members: int = N_MEMBERS,
    first: int = FIRST_FLARE,
    workers: int = WORKERS,
) -> tuple[str, list[str], list[list[object]]]:
    """Title, columns and rows: coverage in percent with its standard error, by method, scene and counts."""
    tasks: list[Task] = [
        (method, scene, expected, number, members)
        for method in methods
        for scene in scenes
        for expected in counts
        for number in range(first, first + n)
    ]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        found = list(pool.map(covered, tasks, chunksize=4))
    rows: list[list[object]] = []
    for method in methods:
        for scene in (*scenes, None):
            chosen = [
                one for task, one in zip(tasks, found, strict=True) if task[0] is method and scene in (None, task[1])
            ]
            cells: list[object] = [
                _percent(
                    [
                        one.pixels
                        for task, one in zip(tasks, found, strict=True)
                        if task[0] is method and scene in (None, task[1]) and task[2] == expected
                    ]
                )
                for expected in counts
            ]
            rows.append(
                [
                    method_name(method),
                    scene or "all scenes",
                    *cells,
                    _percent([one.pixels for one in chosen]),
                    _percent([one.by_sigma for one in chosen]),
                    _percent([one.position for one in chosen]),
                    _percent([one.flux for one in chosen]),
                    _percent([one.size for one in chosen]),
                ]
            )
    title = (
        f"Truth within one error [%], target {BAR[0]:g} to {BAR[1]:g}: {n} flares each, ensembles of {members}, "
        f"{100 * SYSTEMATIC_ERROR:g} % calibration error"
    )
    by_counts = [f"pixels, {expected:,.0f} ct" for expected in counts]
    columns = ["method", "scene", *by_counts, "pixels", "sigma only", "position", "flux", "size"]
    return title, columns, rows


def covered(task: Task) -> Covered:
    """Image one flare with its ensemble and compare with the truth."""
    method, scene, counts, number, members = task
    given = observe(scene, counts, number, calibration_error=SYSTEMATIC_ERROR)
    data, parameters = ready(given), default_methods()[method]
    with single_threaded():
        image = run_method(method, parameters, data)
        ensemble = perturbed_ensemble(method, parameters, data, members, seed=number, image=image)
        truth = truth_as_shown(given, method)
    signal = truth > SIGNAL * truth.max()
    off = np.abs(image.image - truth)
    mine, true = measure_source(image.image, given.grid), measure_source(truth, given.grid)
    inside = [
        abs(mine.x - true.x) <= ensemble.centroid_x.error,
        abs(mine.y - true.y) <= ensemble.centroid_y.error,
    ]
    flux = abs(image.total_flux - given.flux) <= ensemble.flux.error
    return Covered(
        pixels=float(np.mean((off <= ensemble.error)[signal])),
        by_sigma=float(np.mean((off <= ensemble.sigma)[signal])),
        position=float(np.mean(inside)),
        flux=float(flux) if np.isfinite(image.total_flux) else float("nan"),
        size=float(abs(mine.fwhm - true.fwhm) <= ensemble.fwhm.error),
    )


def truth_as_shown(given: Observation, method: Method) -> Floats:
    """The true image as it should appear in the map of a method."""
    if method in (Method.CLEAN, Method.MS_CLEAN):
        return given.truth(BEAM)
    if method is not Method.BP:
        return given.truth()
    x, y = given.grid.center
    moved = [replace(source, x=source.x - x, y=source.y - y) for source in given.sources]
    true = given.flux * visibilities(moved, given.vis.u, given.vis.v, None)
    return FourierOperator(given.vis.u, given.vis.v, given.grid).adjoint(true) / len(given.vis)


def _percent(values: Sequence[float]) -> str:
    known = np.array([value for value in values if np.isfinite(value)])
    if not known.size:
        return ""
    return f"{100 * known.mean():.0f} ± {100 * known.std() / np.sqrt(known.size):.0f}"


def main() -> None:
    """Compute the parts of the table named on the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.coverage")
    parser.add_argument("--method", nargs="+", type=Method, choices=METHODS, default=METHODS)
    parser.add_argument("--scene", nargs="+", type=Scene, choices=tuple(Scene), default=tuple(Scene))
    parser.add_argument("--counts", nargs="+", type=float, default=COUNTS)
    parser.add_argument("--n", type=int, default=N_FLARES, help="flares of each kind")
    parser.add_argument("--members", type=int, default=N_MEMBERS, help="copies in an ensemble")
    parser.add_argument("--first", type=int, default=FIRST_FLARE, help="number of the first flare of each kind")
    parser.add_argument("--workers", type=int, default=WORKERS, help="processes")
    asked = parser.parse_args()
    run(asked.method, asked.scene, asked.counts, asked.n, asked.members, asked.first, asked.workers)


if __name__ == "__main__":
    main()
