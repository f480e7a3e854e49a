"""``make attack``: all attacks that the service must withstand, against servers started on loopback.

Each attack is a test whose docstring states the required result. The short form (``--short``, in CI) uses smaller
floods and skips attacks marked ``slow_attack``, which CI runs with all other tests.
"""

from __future__ import annotations

import argparse
import ast
import os
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from time import perf_counter
from xml.etree import ElementTree as ET

from benchmarks.load.sections import markdown_table

ROOT = Path(__file__).resolve().parents[1]

#: Folders with the attacks.
SHORT = (
    "tests/dashboards/server/attacks",
    "tests/faults/test_exchanged_files.py",
)
LONG = (
    *SHORT,
    "tests/dashboards/server/test_tokens_of_sessions.py",
    "tests/dashboards/server/test_secrets.py",
    "tests/dashboards/server/test_injection.py",
    "tests/dashboards/server/test_guest_cannot_submit.py",
    "tests/dashboards/server/test_provider.py",
    "tests/jobs/imaging/test_uploads.py",
    "tests/faults",
)


@dataclass
class Outcome:
    """Results of the cases of one test."""

    cases: int = 0
    held: int = 0
    skipped: int = 0
    seconds: float = 0.0


@dataclass
class Report:
    """Outcomes by test: file and function."""

    outcomes: dict[tuple[str, str], Outcome] = field(default_factory=lambda: defaultdict(Outcome))

    @classmethod
    def of(cls, junit: Path) -> Report:
        report = cls()
        for case in ET.parse(junit).getroot().iter("testcase"):
            name = re.sub(r"\[.*", "", case.get("name", ""), flags=re.DOTALL)
            outcome = report.outcomes[case.get("classname", "").replace(".", "/") + ".py", name]
            failed = case.find("failure") is not None or case.find("error") is not None
            skipped = case.find("skipped") is not None
            outcome.cases += 1
            outcome.skipped += skipped
            outcome.held += not failed and not skipped
            outcome.seconds += float(case.get("time", "0"))
        return report

    def table(self) -> str:
        rows = []
        for (file, name), outcome in sorted(self.outcomes.items()):
            about = Path(file).stem.removeprefix("test_").replace("_", " ")
            held = f"{outcome.held}" if outcome.held == outcome.cases - outcome.skipped else f"**{outcome.held}**"
            skipped = f" ({outcome.skipped} skipped)" if outcome.skipped else ""
            rows.append([about, what_holds(file, name), outcome.cases, held + skipped, f"{outcome.seconds:.1f}"])
        return markdown_table(("topic", "required result", "cases", "passed", "s"), rows)


def what_holds(file: str, function: str) -> str:
    """First line of the docstring of a test, or its name in words."""
    return docstrings(ROOT / file).get(function) or function.removeprefix("test_").replace("_", " ")


@cache
def docstrings(path: Path) -> dict[str, str]:
    """First lines of the docstrings of the functions of a module."""
    if not path.is_file():
        return {}
    found = ast.walk(ast.parse(path.read_text()))
    functions = (node for node in found if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return {node.name: (ast.get_docstring(node) or "").partition("\n")[0] for node in functions}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.attack", description=__doc__)
    parser.add_argument("--short", action="store_true", help="at most 90 s on two cores")
    short = parser.parse_args().short
    begin = perf_counter()
    with tempfile.TemporaryDirectory(prefix="attack-") as folder:
        junit = Path(folder) / "outcomes.xml"
        options = ["-q", "-n", "2", "--dist", "worksteal", "-p", "no:cacheprovider", "--tb=short"]
        options += ["-m", "not slow_attack"] if short else ["--thorough"]
        ran = subprocess.run(
            [sys.executable, "-m", "pytest", *(SHORT if short else LONG), *options, f"--junit-xml={junit}"],
            cwd=ROOT,
            env=os.environ | ({} if short else {"STIX_ATTACK": "long"}),
            capture_output=True,
            text=True,
            check=False,
        )
        report = Report.of(junit) if junit.exists() else Report()
    print(report.table())
    lost = sum(outcome.cases - outcome.held - outcome.skipped for outcome in report.outcomes.values())
    cases = sum(outcome.cases for outcome in report.outcomes.values())
    print(f"\n{cases} attacks, {lost} succeeded; {perf_counter() - begin:.0f} s.")
    if ran.returncode:
        print(ran.stdout[-20_000:], ran.stderr[-2000:], sep="\n", file=sys.stderr)
    sys.exit(1 if ran.returncode or not cases else 0)


if __name__ == "__main__":
    main()
