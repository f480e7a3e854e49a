"""Are the doubts about small flares honest? Simulated flares by counts, for ``docs/decisions/verdicts.md``.

``python -m benchmarks small_flares`` prints the table.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchmarks.doubted_flares import Judged, judge, simulated
from benchmarks.flags import OFF, counted, judgements, off_truth
from benchmarks.timing import print_table
from stixcore.imaging.reconstruction import Method, method_name
from stixcore.imaging.threads import single_threaded

SEEDS = (7, 11, 13, 17, 19, 23, 29, 31)
#: Days of each campaign, 24 flares a day; counts per second at the peak.
DAYS, RATES = 1.0, (9.0, 150.0)
#: Counts above background in the sub-collimators used: below the first, between the others.
LEVELS = (3_000.0, 7_500.0, 15_000.0)
FLUXES = (Method.CLEAN, Method.VIS_FWDFIT, Method.EM, Method.MEM_GE)


def run() -> None:
    """Print the table."""
    with single_threaded():
        made = [found for seed in SEEDS for case in simulated(seed, DAYS, RATES) if (found := judge(case)) is not None]
    rows: list[list[object]] = []
    for low, high in zip((0.0, *LEVELS), LEVELS, strict=False):
        flares = [one for one in made if low <= one.net_counts < high]
        name = f"{low:,.0f} to {high:,.0f}" if low else f"below {high:,.0f}"
        rows += [[f"{name}, {len(flares)}", *row] for row in _rows(flares)]
    columns = ["counts, flares", "what", "n", "wrong", "doubted", "both", "recall", "precision"]
    print_table(f"Small flares: {len(made)} simulated", columns, rows)


def _rows(flares: Sequence[Judged]) -> Iterator[list[object]]:
    yield ["location", *counted([(off_truth(one) > OFF, bool(one.location_doubts)) for one in flares])]
    for method in FLUXES:
        yield [f"flux of {method_name(method)}", *counted(judgements(flares, method)["flux"])]
    yield [f"shape of {method_name(Method.CLEAN)}", *counted(judgements(flares, Method.CLEAN)["shape"])]
