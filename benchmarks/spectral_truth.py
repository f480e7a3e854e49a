"""Spectra against published numbers, as the tests find them: a table for ``docs/accuracy.md``.

The tests in ``tests/stixcore/spectra`` assert each agreement and record it (fixture ``agrees``); this command runs them
and writes what they recorded.
"""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.accuracy_page import write_table

TESTS = "tests/stixcore/spectra"


class Recorder:
    """A plugin of pytest that keeps the agreements of all tests, in their order."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []  # texts and numbers, as the fixture records them

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the agreements of a test that has run."""
        if report.when == "call":
            found = [value for name, value in report.user_properties if name == "agreement"]
            self.rows += [value for value in found if isinstance(value, dict)]


def run() -> None:
    """Run the tests and write the section of the page."""
    recorder = Recorder()
    status = pytest.main(["-q", "-p", "no:xdist", TESTS], plugins=[recorder])
    if status != pytest.ExitCode.OK:
        raise SystemExit(int(status))
    rows: list[list[object]] = []
    for row in recorder.rows:
        many = row["values"] > 1
        tolerance = f"{row['rtol']:.2g}" if row["rtol"] else f"± {row['atol']:.2g}"
        worst = f"{row['worst']:.1e}"
        rows.append(
            [row["what"], row["values"], *(_digits(row[key], many) for key in ("expected", "got")), worst, tolerance]
        )
    columns = ["quantity", "values", "expected", "got", "deviation", "tolerance"]
    write_table("Spectra against published numbers", INTRODUCTION, columns, rows, before="## By scene")


def _digits(value: float, many: bool) -> str:
    return f"{value:.6g}" + (" …" if many else "")


INTRODUCTION = """Responses, models and counts against the ground software (IDL, run in GDL, or its files), stixpy,
OSPEX and a published fit. Of several values the worst is shown. A tolerance is relative, or absolute with "±". The
published fit is of 2024-03-10, made with sunkit-spex, CHIANTI 7.1 and OSPEX's albedo.
`python -m benchmarks spectral_truth` runs the tests and writes this section.
"""
