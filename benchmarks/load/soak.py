"""The whole of it: ``make soak`` (SOAK_MINUTES=45). Each part writes its own section of ``docs/reliability.md``.

Broken files, every fault test, queries on large archives, fifty people at once. The parts share the time; a part that
fails does not keep the others from running, and is told at the end.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

from benchmarks.load import bad_input, images, lightcurves, queries, sessions
from benchmarks.load.sections import circumstances, markdown_table, verdict, write_section

ROOT = Path(__file__).resolve().parents[2]
MINUTES = 45.0
#: How the time is shared out. Building the large archives takes what it takes, about 6 minutes for a million images.
SHARES = {"bad input": 0.35, "sessions": 0.25}


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


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=float(os.environ.get("SOAK_MINUTES", MINUTES)))
    parser.add_argument("--shared", type=Path, default=bad_input.SHARED, help="folder of real files")
    parser.add_argument("--work", type=Path, help="folder for the large archives, kept; a temporary one otherwise")
    given = parser.parse_args()
    scale = given.minutes / MINUTES
    with tempfile.TemporaryDirectory(prefix="soak-") as temporary:
        work = given.work or Path(temporary)

        def large() -> str:
            rows, days = (images.ROWS, lightcurves.DAYS) if scale > 0.5 else (round(images.ROWS * scale), 60)
            million = images.build(work / "images", rows)
            return queries.report(million, lightcurves.build(work / "lightcurves", days), queries.QUERIES)

        parts: dict[str, tuple[str, Callable[[], str]]] = {
            "bad-input": (
                "Bad input",
                lambda: bad_input.run(
                    given.shared, round(bad_input.CASES * max(scale, 0.02)), given.minutes * SHARES["bad input"]
                ),
            ),
            "faults": ("Faults", faults),
            "queries": ("Queries on a large archive", large),
            "sessions": (
                "Fifty people at once",
                lambda: sessions.run(small_archive(work), given.minutes * SHARES["sessions"], 50, 20),
            ),
        }
        failed = []
        for name, (title, measure) in parts.items():
            begin = perf_counter()
            try:
                text = measure()
            except Exception as error:  # noqa: BLE001 - the other parts have something to say, too
                failed.append(f"{name}: {type(error).__name__}: {error}")
                text = f"This part could not be measured: {type(error).__name__}."
            write_section(name, title, text)
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
