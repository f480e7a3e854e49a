"""Bias of the total flux by method, scene and counts, from 3,000 counts: current defaults and earlier ones.

``python -m benchmarks fluxes``; in pieces ``python -m benchmarks.fluxes --counts 3e3 --n 50``. Two processes.
"""

from __future__ import annotations

import argparse
import multiprocessing
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace

import numpy as np

from benchmarks.measures import ready
from benchmarks.november_2022 import aspect_files, background, idl_flares
from benchmarks.real_data import SHARED_DATA
from benchmarks.scenes import BACKGROUND, Scene, observe
from benchmarks.timing import Table, print_table
from jobs.imaging.task import Locator
from stixcore.imaging.clean import CleanParameters
from stixcore.imaging.forward_fit import ForwardFitParameters
from stixcore.imaging.mem import FluxEstimate, MemGeParameters
from stixcore.imaging.methods import MethodParameters, default_methods, run_method
from stixcore.imaging.reconstruction import Method
from stixcore.imaging.threads import single_threaded
from stixcore.options import ImageRequest
from stixcore.reconstruct import prepare_recipe, reconstruct

COUNTS = (3e3, 1e4, 1e5, 1e6)
N_TRIALS = 200
#: EM and the forward fit take a hundred times as long as the others and did not change.
N_SLOW = 40
#: Defaults were chosen on flares below this number.
FIRST_FLARE = 1000
WORKERS = 2
#: Real flares with fewer net counts are left out.
LEAST_COUNTS = 3e3

type Choice = tuple[Method, MethodParameters]


def choices() -> Mapping[str, Choice]:
    """The choices compared, by name."""
    now = default_methods()
    return {
        "MEM_GE, F from counts": (Method.MEM_GE, now[Method.MEM_GE]),
        "MEM_GE, F from largest amplitude": (Method.MEM_GE, MemGeParameters(flux_estimate=FluxEstimate.AMPLITUDE)),
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
    """Print the tables."""
    print_table(*flux_table(counts, n, n_slow, first, workers))
    if SHARED_DATA.is_dir():
        print_table(*ratio_table())


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


def ratio_table() -> Table:
    """Flux of CLEAN's components ÷ that of MEM_GE on the real flares of 9-11 November 2022, by choice."""
    names = {
        "before": ("CLEAN, ground software's stop", "MEM_GE, F from largest amplitude"),
        "now": ("CLEAN", "MEM_GE, F from counts"),
    }
    pairs = {when: [choices()[name] for name in pair] for when, pair in names.items()}
    ratios: dict[str, list[float]] = {when: [] for when in pairs}
    for flare in idl_flares():
        request = ImageRequest(flare.start, flare.end, (6.0, 10.0))
        recipe = prepare_recipe(request, flare.file, background(), aspect_files())
        locate = Locator.of(flare.file, background(), *aspect_files())
        for when, pair in pairs.items():
            images = reconstruct(replace(recipe, methods=dict(pair)), locate)
            total, quiet = images.counts
            if total - quiet >= LEAST_COUNTS:
                clean, mem = (images.images[method].total_flux for method, _ in pair)
                ratios[when].append(clean / mem)
    rows: list[list[object]] = [
        [
            when,
            " ÷ ".join(names[when]),
            len(values),
            *(f"{number:.2f}" for number in np.percentile(values, (0, 5, 50, 95, 100))),
        ]
        for when, values in ratios.items()
    ]
    title = f"CLEAN ÷ MEM_GE, total flux of the real flares with {LEAST_COUNTS:,.0f} net counts and more, 6-10 keV"
    return title, ["", "ratio", "flares", "lowest", "5 %", "median", "95 %", "highest"], rows


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
    """Compute the parts of the table named on the command line."""
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
