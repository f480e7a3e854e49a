"""Errors of ensembles against the true scatter of 100 simulated flares: bias, scatter, sigma and coverage of numbers.

Every flare is imaged with an ensemble. ``true scatter`` is the standard deviation of measured minus true values over
the flares of a scene, which differ in noise and calibration error; ``sigma`` is the rms of the scatter of the copies,
``error`` that of the quoted error, which includes the bias of the method. All are pooled over the scenes (rms).

``python -m benchmarks error_bars``; in pieces ``python -m benchmarks.error_bars --method clean``.
"""

from __future__ import annotations

import argparse
import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

import numpy as np
from numpy.typing import NDArray

from benchmarks.coverage import FIRST_FLARE, METHODS, WORKERS, truth_as_shown
from benchmarks.measures import ready
from benchmarks.scenes import Scene, observe
from benchmarks.timing import print_table
from stixcore.imaging.ensemble import perturbed_ensemble
from stixcore.imaging.methods import default_methods, run_method
from stixcore.imaging.metrics import measure_source
from stixcore.imaging.reconstruction import Method, method_name
from stixcore.imaging.threads import single_threaded
from stixcore.visibility.form import SYSTEMATIC_ERROR

#: Flares of each of the five scenes, counts of a flare, and copies of its data.
N_FLARES, COUNTS, N_MEMBERS = 20, 30_000.0, 12
QUANTITIES = ("x [″]", "y [″]", "flux [%]", "FWHM [″]")

type Task = tuple[Method, Scene, int, int]


def run(methods: Sequence[Method] = METHODS, n: int = N_FLARES, members: int = N_MEMBERS) -> None:
    """Print the table."""
    tasks: list[Task] = [
        (method, scene, number, members)
        for method in methods
        for scene in Scene
        for number in range(FIRST_FLARE, FIRST_FLARE + n)
    ]
    with ProcessPoolExecutor(WORKERS, mp_context=multiprocessing.get_context("spawn")) as pool:
        found = list(pool.map(measured, tasks, chunksize=4))
    rows: list[list[object]] = []
    for method in methods:
        by_scene = np.array(
            [[one for task, one in zip(tasks, found, strict=True) if task[:2] == (method, scene)] for scene in Scene]
        )
        for i, quantity in enumerate(QUANTITIES):
            numbers = _row(by_scene[:, :, i])
            if numbers:
                rows.append([method_name(method), quantity, *numbers])
    title = (
        f"Errors of ensembles of {members} against the scatter of {n * len(Scene)} flares of {COUNTS:,.0f} counts, "
        f"{100 * SYSTEMATIC_ERROR:g} % calibration error"
    )
    columns = ["method", "quantity", "bias", "true scatter", "sigma", "sigma ÷ scatter", "error", "coverage [%]"]
    print_table(title, columns, rows)


def measured(task: Task) -> NDArray[np.float64]:
    """Measured minus true value, sigma and error of each quantity, (4, 3); NaN where a method does not give it."""
    method, scene, number, members = task
    given = observe(scene, COUNTS, number, calibration_error=SYSTEMATIC_ERROR)
    data, parameters = ready(given), default_methods()[method]
    with single_threaded():
        image = run_method(method, parameters, data)
        ensemble = perturbed_ensemble(method, parameters, data, members, seed=number, image=image)
        truth = truth_as_shown(given, method)
    # the truth has no shapes, so the image is measured like it
    mine, true = measure_source(image.image, given.grid), measure_source(truth, given.grid)
    percent = 100.0 / given.flux
    x, y, flux, fwhm = ensemble.centroid_x, ensemble.centroid_y, ensemble.flux, ensemble.fwhm
    return np.array(
        [
            (mine.x - true.x, x.sigma, x.error),
            (mine.y - true.y, y.sigma, y.error),
            (percent * (image.total_flux - given.flux), percent * flux.sigma, percent * flux.error),
            (mine.fwhm - true.fwhm, fwhm.sigma, fwhm.error),
        ]
    )


def _row(values: NDArray[np.float64]) -> list[object]:
    """Numbers of one quantity from (scene, flare, 3) values; none where it is unknown."""
    off, sigma, error = np.moveaxis(values, -1, 0)
    if not np.isfinite(off).all():
        return []
    scatter = np.sqrt(np.mean(off.var(axis=1, ddof=1)))
    typical = np.sqrt(np.mean(sigma**2))
    inside = 100.0 * np.mean(np.abs(off) <= error)
    spread = 100.0 * np.std(np.abs(off) <= error) / np.sqrt(off.size)
    bias = f"{off.mean():+.2f} ± {scatter / np.sqrt(off.size):.2f}"
    quoted = np.sqrt(np.mean(error**2))
    return [
        bias,
        f"{scatter:.2f}",
        f"{typical:.2f}",
        f"{typical / scatter:.2f}",
        f"{quoted:.2f}",
        f"{inside:.0f} ± {spread:.0f}",
    ]


def main() -> None:
    """Compute the parts of the table named on the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.error_bars")
    parser.add_argument("--method", nargs="+", type=Method, choices=METHODS, default=METHODS)
    parser.add_argument("--n", type=int, default=N_FLARES, help="flares of each scene")
    parser.add_argument("--members", type=int, default=N_MEMBERS, help="copies in an ensemble")
    asked = parser.parse_args()
    run(asked.method, asked.n, asked.members)


if __name__ == "__main__":
    main()
