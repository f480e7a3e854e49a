"""How errors of temperature and spectral index depend on counts: how many a step of a track of fits needs.

The spectra are simulated as those of `benchmarks.spectral_fits`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.accuracy_page import write_table
from benchmarks.spectral_fits import ANGLE, DISTANCE, SHAPES, Shape, coarse_response, simulate
from stixcore.measure_track import LEAST_FIT_COUNTS
from stixcore.spectra.fit import SpectrumFit, fit_spectrum
from stixcore.spectra.fit.parameters import Value
from stixcore.spectra.models.thermal import KEV_PER_MK
from stixcore.spectra.response import Response

REPETITIONS, SEED = 30, 5
#: Fits with electrons from which an error of their index is given.
FEWEST = 3
LEVELS = (2.5e3, 5e3, 1e4, 2e4, 5e4)  # net counts in 4-150 keV
#: Electrons outshine the hot plasma: electrons per second per emission measure 3.6 times those of `SHAPES[1]`.
BRIGHT_ELECTRONS = Shape("18 MK and δ = 4, F₀ ÷ EM of 36", 18.0 * KEV_PER_MK, 36.0, 4.0, 20.0)


def _row(shape: Shape, level: float, response: Response, rng: np.random.Generator) -> list[object]:
    fits: list[SpectrumFit] = []
    for _ in range(REPETITIONS):
        spectrum, _ = simulate(shape, level, response, rng)
        fits.append(fit_spectrum(spectrum, response, distance=DISTANCE, angle=ANGLE))
    temperature = [fit.parameters["T_keV"] for fit in fits]
    index = [fit.parameters["delta"] for fit in fits if "delta" in fit.parameters]
    bias = float(np.median([value.value for value in temperature])) / shape.t_kev - 1.0
    known = len(index) >= FEWEST and bool(shape.norm)
    return [
        shape.name,
        f"{level:,.0f}",
        f"{len(index)} of {len(fits)}" if shape.norm else "",
        f"{bias:+.1%}",
        f"{_spread(temperature, shape.t_kev) / shape.t_kev:.1%}",
        f"{_inside(temperature, shape.t_kev):.0%}",
        f"{_spread(index, shape.delta):.2f}" if known else "",
        f"{_inside(index, shape.delta):.0%}" if known else "",
        sum(fit.verdict != "trusted" for fit in fits),
    ]


def _spread(values: Sequence[Value], truth: float) -> float:
    """Error that 68 % of the values do not exceed."""
    return float(np.percentile(np.abs([value.value - truth for value in values]), 68))


def _inside(values: Sequence[Value], truth: float) -> float:
    """How often the truth is within 3 σ; an open side holds everything."""
    found = []
    for value in values:
        sigma = value.sigma_minus if value.value > truth else value.sigma_plus
        found.append(sigma is None or abs(value.value - truth) <= 3.0 * sigma)
    return float(np.mean(found))


def run() -> None:
    """Write the section of the page."""
    response, rng = coarse_response(), np.random.default_rng(SEED)
    rows = [_row(shape, level, response, rng) for shape in SHAPES for level in LEVELS]
    rows.append(_row(BRIGHT_ELECTRONS, LEAST_FIT_COUNTS, response, np.random.default_rng(SEED)))
    columns = [
        "flare",
        "net counts",
        "electrons found",
        "T, bias",
        "T, error",
        "T, 3 σ",
        "δ, error",
        "δ, 3 σ",
        "doubtful",
    ]
    write_table("Counts of a fit", INTRODUCTION, columns, rows, before="## Loss of charge")


INTRODUCTION = f"""How many counts the automatic recipe needs: {REPETITIONS} spectra in each row, simulated as above.
The error is what 68 % of the fits do not exceed; "3 σ" is how often the truth is inside three standard deviations. With
few counts the recipe takes electrons for heat, and their index is at a bound of the fit. A step of a
[track of fits](decisions/cubes.md) has at least {LEAST_FIT_COUNTS:,.0f} counts. Where electrons outshine the hot plasma
(last row), T is less certain and δ more. `python -m benchmarks counts_of_fits` writes this section.
"""
