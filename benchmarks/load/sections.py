"""Sections of ``docs/reliability.md``: each command replaces its own."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"
HEAD = """# Reliability

The archive under faults, load and attacks. Each table is the output of the command shown with it.
"""


def write_section(name: str, title: str, text: str, page: Path = PAGE) -> None:
    """Replace a section of the page, or append it.

    Parameters
    ----------
    name : str
        Name of the section, in lower case with hyphens.
    title : str
    text : str
        Markdown below the title.
    """
    begin, end = f"<!-- section {name} -->", f"<!-- end {name} -->"
    section = f"{begin}\n\n## {title}\n\n{text.strip()}\n\n{end}"
    with FileLock(str(page.with_suffix(".lock"))):
        present = page.read_text() if page.exists() else HEAD
        pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
        if pattern.search(present):
            present = pattern.sub(lambda _: section, present)
        else:
            present = f"{present.rstrip()}\n\n{section}"
        page.write_text(present.rstrip() + "\n")
    page.with_suffix(".lock").unlink(missing_ok=True)


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table in Markdown; floats have four digits."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def circumstances(command: str) -> str:
    """Sentence with the time of the measurement and the machine."""
    cores, load = os.cpu_count(), os.getloadavg()[0]
    day = datetime.now(UTC).strftime("%Y-%m-%d %H:%M")
    return (
        f"`{command}`, {day} UTC, {cores} cores, Python {platform.python_version()}; "
        f"load average of the machine at the end {load:.1f}."
    )


def verdict(*, met: bool) -> str:
    """Result for the last column."""
    return "met" if met else "**missed**"


def _cell(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
