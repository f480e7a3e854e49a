"""Tests with faults, bad input and load: ``make soak`` (SOAK_MINUTES=45), or ``make soak ARGS="faults sessions"``.

Damaged files, all fault tests, injection, queries on large archives, fifty simultaneous visitors, and a hundred with
one abusive client. Each part writes its section of ``docs/reliability.md``. If a part fails, the others still run, and
the failure is reported at the end. With less time, the parts are smaller, as the numbers in their tables show.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from benchmarks.load import bad_input, images, injection, lightcurves, queries, sessions
from benchmarks.load.sections import circumstances, markdown_table, verdict, write_section

ROOT = Path(__file__).resolve().parents[2]
MINUTES = 45.0
#: Minutes, of these 45, for parts without a natural end. Building the large archives takes about 7 minutes.
BAD_INPUT_MINUTES, SESSION_MINUTES = 12.0, 10.0
SESSIONS, REQUESTS, ABUSED_SESSIONS = 50, 20, 100


def faults() -> str:
    """Run all fault tests; returns their section."""
    command = [sys.executable, "-m", "pytest", "tests/faults", "-q", "-n", "2", "-rA", "--durations=0"]
    begin = perf_counter()
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    outcomes = re.findall(
        r"^(PASSED|FAILED|ERROR|SKIPPED).*?tests/faults/(test_\w+)\.py(?:::(\w+))?", ran.stdout, re.MULTILINE
    )
    names = sorted({(module, name) for _, module, name in outcomes})
    rows = []
    for module, name in names:
        mine = [outcome for outcome, its_module, its_name in outcomes if (its_module, its_name) == (module, name)]
        good = mine.count("PASSED")
        rows.append(
            [
                module.removeprefix("test_").replace("_", " "),
                name.removeprefix("test_").replace("_", " "),
                len(mine),
                good,
            ]
        )
    all_good = verdict(met=ran.returncode == 0)
    table = markdown_table(("topic", "required result", "cases", "passed"), rows)
    return (
        f"Full, slow and inaccessible disks, clock jumps, damaged months of the index, attempts to escape from "
        f"`query`. All passed: {all_good}.\n\n{table}\n\n{perf_counter() - begin:.0f} s. "
        + circumstances("python -m pytest tests/faults")
    )


@dataclass(frozen=True)
class Part:
    """One part: the title of its section, and the function that measures and formats it."""

    title: str
    measure: Callable[[], str]


def parts(minutes: float, shared: Path, work: Path) -> dict[str, Part]:
    """All parts by name, in the order in which they run.

    Parameters
    ----------
    minutes : float
        Total time for all parts, min.
    shared : Path
        Folder of real files.
    work : Path
        Folder for the large archives; existing archives are reused.
    """
    scale = minutes / MINUTES
    whole = scale > 0.5
    cases = bad_input.CASES if whole else max(round(bad_input.CASES * scale), 50)

    def ask_large_archives() -> str:
        rows, days = (images.ROWS, lightcurves.DAYS) if whole else (round(images.ROWS * scale), 60)
        million, year = images.build(work / "images", rows), lightcurves.build(work / "lightcurves", days)
        return queries.report(million, year, queries.QUERIES)

    def crowd() -> str:
        return sessions.run(small_archive(work), SESSION_MINUTES * min(scale, 1.0), SESSIONS, REQUESTS)

    def abused_crowd() -> str:
        shorter = SESSION_MINUTES * min(scale, 1.0)
        return sessions.run(small_archive(work), shorter, ABUSED_SESSIONS, REQUESTS, abuse=True)

    return {
        "abuse": Part(f"{ABUSED_SESSIONS} visitors and one abusive client", abused_crowd),
        "bad-input": Part("Bad input", lambda: bad_input.run(shared, cases, BAD_INPUT_MINUTES * scale)),
        "faults": Part("Faults", faults),
        "injection": Part("Injection", lambda: injection.run(small_archive(work), whole=whole)),
        "queries": Part("Queries on a large archive", ask_large_archives),
        "sessions": Part("Fifty simultaneous visitors", crowd),
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load.soak", description=__doc__)
    names = list(parts(MINUTES, Path(), Path()))
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(names)}; default: all")
    parser.add_argument("--minutes", type=float, default=float(os.environ.get("SOAK_MINUTES", MINUTES)))
    parser.add_argument("--shared", type=Path, default=bad_input.SHARED, help="folder of real files")
    parser.add_argument("--work", type=Path, help="folder in which large archives are kept (default: temporary)")
    given = parser.parse_args()
    if unknown := set(given.parts) - set(names):
        parser.error(f"unknown part: {', '.join(sorted(unknown))} (choose from {', '.join(names)})")
    failed = []
    with tempfile.TemporaryDirectory(prefix="soak-") as temporary:
        for name, part in parts(given.minutes, given.shared, given.work or Path(temporary)).items():
            if given.parts and name not in given.parts:
                continue
            begin = perf_counter()
            try:
                text = part.measure()
            except Exception as error:  # noqa: BLE001 - the other parts still run
                failed.append(f"{name}: {type(error).__name__}: {error}")
                text = f"This part could not be measured: {type(error).__name__}."
            write_section(name, part.title, text)
            missed = "**missed**" in text
            print(f"{name}: {perf_counter() - begin:.0f} s{', missed a target' if missed else ''}", flush=True)
    for problem in failed:
        print(problem, file=sys.stderr)
    sys.exit(1 if failed else 0)


def small_archive(work: Path) -> Path:
    """A simulated campaign with previews, for simulated visitors."""
    folder = work / "visited"
    if not folder.exists():
        subprocess.run(
            [sys.executable, "-m", "jobs.cli", "demo", "--no-serve", "--archive", str(folder)], cwd=ROOT, check=True
        )
    return folder


if __name__ == "__main__":
    main()
