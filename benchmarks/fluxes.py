"""Bias of the total flux by method, scene and counts, from 3,000 counts up: the archive's choices beside earlier ones.

``python -m benchmarks fluxes``; in pieces ``python -m benchmarks.fluxes --counts 3e3 --n 50``. Two processes.
"""

from __future__ import annotations

import argparse
import multiprocessing
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor

import numpy as np

from benchmarks.measures import ready
from benchmarks.scenes import BACKGROUND, Scene, observe
from benchmarks.timing import print_table
from stixcore.imaging.clean import CleanParameters
from stixcore.imaging.forward_fit import ForwardFitParameters
from stixcore.imaging.mem import FluxEstimate, MemGeParameters
from stixcore.imaging.methods import MethodParameters, run_method
from stixcore.imaging.reconstruction import Method
from stixcore.imaging.threads import single_threaded
from stixcore.reconstruct import default_methods

COUNTS = (3e3, 1e4, 1e5, 1e6)
N_TRIALS = 200
#: EM and the forward fit take a hundred times as long as the others and were not changed.
N_SLOW = 40
#: The choices were made on flares below this number.
FIRST_FLARE = 1000
WORKERS = 2

type Choice = tuple[Method, MethodParameters]


def choices() -> Mapping[str, Choice]:
    """What is compared, by name."""
    now = default_methods()
    return {
        "MEM_GE, F from counts": (Method.MEM_GE, now[Method.MEM_GE]),
        "MEM_GE, F = max |V|": (Method.MEM_GE, MemGeParameters(flux_estimate=FluxEstimate.AMPLITUDE)),
        "CLEAN": (Method.CLEAN, now[Method.CLEAN]),
        "CLEAN, ground software's stop": (Method.CLEAN, CleanParameters()),
        "multi-scale CLEAN": (Method.MS_CLEAN, now[Method.MS_CLEAN]),
        "EM": (Method.EM, now[Method.EM]),
        "VIS_FWDFIT": (Method.VIS_FWDFIT, now[Method.VIS_FWDFIT]),
    }


def run(
    counts: Sequence[float] = COUNTS,
    n: int = N_TRIALS,
    n_slow: int = N_SLOW,
    first: int = FIRST_FLARE,
    workers: int = WORKERS,
) -> None:
    """Print the table."""
    print_table(*flux_table(counts, n, n_slow, first, workers))


def flux_table(
    counts: Sequence[float] = COUNTS,
    n: int = N_TRIALS,
    n_slow: int = N_SLOW,
    first: int = FIRST_FLARE,
    workers: int = WORKERS,
) -> tuple[str, list[str], list[list[object]]]:
    """Title, columns and rows: mean of flux ÷ truth - 1 with its standard error, in percent."""
    found = measure_fluxes(counts, n, n_slow, first, workers)
    rows: list[list[object]] = []
    for scene in Scene:
        for expected in counts:
            ratios = found[scene, expected]
            cells = [
                f"{100 * (np.mean(r) - 1):+.1f} ± {100 * np.std(r) / np.sqrt(len(r)):.1f}" for r in ratios.values()
            ]
            rows.append([scene, f"{expected:,.0f}", *cells])
    title = (
        f"Total flux ÷ truth - 1 [%], mean of {n} flares (EM, VIS_FWDFIT: {n_slow}), {BACKGROUND:.0f} background counts"
    )
    return title, ["scene", "counts", *choices()], rows


def measure_fluxes(
    counts: Sequence[float], n: int, n_slow: int, first: int, workers: int
) -> dict[tuple[Scene, float], dict[str, list[float]]]:
    """Flux ÷ truth of every flare, by scene and counts, then by choice."""
    tasks = [
        (scene, expected, first + number, number < n_slow)
        for scene in Scene
        for expected in counts
        for number in range(n)
    ]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        parts = list(pool.map(_one_flare, tasks, chunksize=20))
    found: dict[tuple[Scene, float], dict[str, list[float]]] = {}
    for (scene, expected, _, _), ratios in zip(tasks, parts, strict=True):
        cell = found.setdefault((scene, expected), {name: [] for name in choices()})
        for name, ratio in ratios.items():
            cell[name].append(ratio)
    return found


def _one_flare(task: tuple[Scene, float, int, bool]) -> dict[str, float]:
    scene, counts, number, slow = task
    given = observe(scene, counts, number)
    data = ready(given)
    with single_threaded():
        return {
            name: run_method(method, parameters, data).total_flux / given.flux
            for name, (method, parameters) in choices().items()
            if slow or not (method is Method.EM or isinstance(parameters, ForwardFitParameters))
        }


def main() -> None:
    """Parts of the table, named on the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fluxes")
    parser.add_argument("--counts", nargs="+", type=float, default=COUNTS)
    parser.add_argument("--n", type=int, default=N_TRIALS, help="flares of each kind")
    parser.add_argument("--n-slow", type=int, default=N_SLOW, help="of EM and VIS_FWDFIT")
    parser.add_argument("--first", type=int, default=FIRST_FLARE, help="number of the first flare of each kind")
    parser.add_argument("--workers", type=int, default=WORKERS, help="processes")
    asked = parser.parse_args()
    run(asked.counts, asked.n, asked.n_slow, asked.first, asked.workers)


if __name__ == "__main__":
    main()
