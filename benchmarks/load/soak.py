"""The whole of it: ``make soak`` (SOAK_MINUTES=45), or some parts of it: ``make soak ARGS="faults sessions"``.

Broken files, every fault test, words that mean something elsewhere, queries on large archives, fifty people at once, a
hundred with one abusive client beside them. Each part writes its own section of ``docs/reliability.md``; one that fails
does not keep the others from running, and is named at the end. Less time makes the parts smaller, and says so by the
numbers in their tables.
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
#: What may be spent on parts that could go on for ever, of those 45. Building the large archives takes about 7 minutes.
BAD_INPUT_MINUTES, SESSION_MINUTES = 12.0, 10.0
SESSIONS, REQUESTS, ABUSED_SESSIONS = 50, 20, 100


def faults() -> str:
    """Run every test of faults, and the section about them."""
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
    table = markdown_table(("about", "what must hold", "cases", "held"), rows)
    return (
        f"Disks that are full, slow or closed, clocks that jump, months of the index that are damaged, attempts to "
        f"break out of `query`; all held: {all_good}.\n\n{table}\n\n{perf_counter() - begin:.0f} s. "
        + circumstances("python -m pytest tests/faults")
    )


@dataclass(frozen=True)
class Part:
    """One part of the soak: the title of its section, and what measures and writes it."""

    title: str
    measure: Callable[[], str]


def parts(minutes: float, shared: Path, work: Path) -> dict[str, Part]:
    """Every part by its name, in the order in which they are run.

    Parameters
    ----------
    minutes : float
        For all parts together, min.
    shared : Path
        Folder of real files.
    work : Path
        Folder for the large archives; what is there already is used.
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
        "abuse": Part(f"{ABUSED_SESSIONS} people and one abusive client", abused_crowd),
        "bad-input": Part("Bad input", lambda: bad_input.run(shared, cases, BAD_INPUT_MINUTES * scale)),
        "faults": Part("Faults", faults),
        "injection": Part("Injection", lambda: injection.run(small_archive(work), whole=whole)),
        "queries": Part("Queries on a large archive", ask_large_archives),
        "sessions": Part("Fifty people at once", crowd),
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load.soak", description=__doc__)
    names = list(parts(MINUTES, Path(), Path()))
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(names)}; all of them by default")
    parser.add_argument("--minutes", type=float, default=float(os.environ.get("SOAK_MINUTES", MINUTES)))
    parser.add_argument("--shared", type=Path, default=bad_input.SHARED, help="folder of real files")
    parser.add_argument("--work", type=Path, help="folder for the large archives, kept; a temporary one otherwise")
    given = parser.parse_args()
    if unknown := set(given.parts) - set(names):
        parser.error(f"no part is called {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    failed = []
    with tempfile.TemporaryDirectory(prefix="soak-") as temporary:
        for name, part in parts(given.minutes, given.shared, given.work or Path(temporary)).items():
            if given.parts and name not in given.parts:
                continue
            begin = perf_counter()
            try:
                text = part.measure()
            except Exception as error:  # noqa: BLE001 - the other parts have something to say, too
                failed.append(f"{name}: {type(error).__name__}: {error}")
                text = f"This part could not be measured: {type(error).__name__}."
            write_section(name, part.title, text)
            missed = "**missed**" in text
            print(f"{name}: {perf_counter() - begin:.0f} s{', a bar was missed' if missed else ''}", flush=True)
    for problem in failed:
        print(problem, file=sys.stderr)
    sys.exit(1 if failed else 0)


def small_archive(work: Path) -> Path:
    """A simulated campaign with its previews, for visitors to look at."""
    folder = work / "visited"
    if not folder.exists():
        subprocess.run(
            [sys.executable, "-m", "jobs.cli", "demo", "--no-serve", "--archive", str(folder)], cwd=ROOT, check=True
        )
    return folder


if __name__ == "__main__":
    main()
