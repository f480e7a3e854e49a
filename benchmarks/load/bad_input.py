"""Ingest and image thousands of damaged files: ``python -m benchmarks.load.bad_input [--cases N]``.

The files, the ways to damage them and the child process that tries them are those of ``tests/faults``.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.load.sections import circumstances, markdown_table, verdict, write_section

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared" / "data"
CASES, SECONDS, MEMORY_MIB = 5000, 5.0, 1024.0
METHODS = "bp,clean,em,mem_ge,vis_fwdfit,full_disk_bp"


def run(shared: Path, cases: int, minutes: float, first: int = 0, workers: int = 2) -> str:
    """Try that many files, or as many as the time allows; returns the section."""
    sys.path.insert(0, str(ROOT / "tests" / "faults"))
    from trials import Summary, run_trials

    deadline, share = time.monotonic() + minutes * 60, -(-cases // workers)
    parts = [range(first + n * share, first + min((n + 1) * share, cases)) for n in range(workers)]
    with ThreadPoolExecutor(workers) as pool:  # each waits for its child process
        found = list(pool.map(lambda seeds: run_trials(shared, seeds, methods=METHODS, deadline=deadline), parts))
    return report(Summary([trial for one in found for trial in one.trials]), cases)


def report(found: Any, wanted: int) -> str:
    kinds = sorted({_kind(trial.file) for trial in found.trials})
    rows = []
    for kind in kinds:
        mine = [trial for trial in found.trials if _kind(trial.file) == kind]
        into, images = Counter(trial.ingest for trial in mine), Counter(trial.image for trial in mine)
        bad = sum(bool(trial.faults) for trial in mine)
        rows.append(
            [
                kind,
                len(mine),
                into["ingested"],
                into["known"],
                into["quarantined"],
                images["made"],
                images["refused"],
                bad,
            ]
        )
    n, faults = len(found.trials), found.faults
    slowest = max((trial.seconds for trial in found.trials), default=0.0)
    columns = ("original", "damaged copies", "ingested", "known", "quarantined", "imaged", "refused", "failures")
    bars = [
        ["cases", n, f"≥ {wanted}: {verdict(met=n >= wanted)}"],
        ["crashes, hangs, leftover files, reasons that name no field", len(faults), f"none: {verdict(met=not faults)}"],
        ["slowest file, CPU time for ingest and image, s", slowest, f"≤ 5 s: {verdict(met=slowest <= SECONDS)}"],
        ["largest memory of a process, MiB", found.peak_mib, f"≤ 1024: {verdict(met=found.peak_mib <= MEMORY_MIB)}"],
    ]
    listed = "".join(f"\n- {fault[:300]}" for fault in faults[:20])
    return (
        "Damaged copies of real files of all versions: truncated, flipped bits, missing blocks, changed header cards, "
        "swapped columns, impossible values.\n\n"
        f"{markdown_table(columns, rows)}\n\n{markdown_table(('quantity', 'measured', 'target'), bars)}\n{listed}\n"
        + circumstances("python -m benchmarks.load.bad_input")
    )


def _kind(name: str) -> str:
    level, product = name.split("_")[1:3]
    return f"{level} {product.removeprefix('stix-')[:12]}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load.bad_input", description=__doc__)
    parser.add_argument("--shared", type=Path, default=SHARED, help="folder of real files")
    parser.add_argument("--cases", type=int, default=CASES)
    parser.add_argument("--first", type=int, default=0, help="seed of the first file")
    parser.add_argument("--minutes", type=float, default=60.0, help="stop after this time")
    parser.add_argument("--no-page", action="store_true", help="print only, do not write docs/reliability.md")
    given = parser.parse_args()
    text = run(given.shared, given.cases, given.minutes, given.first)
    print(text)
    if not given.no_page:
        write_section("bad-input", "Bad input", text)


if __name__ == "__main__":
    main()
