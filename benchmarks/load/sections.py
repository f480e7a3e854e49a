"""``docs/reliability.md`` is made of sections; each command replaces its own, and nobody types a figure into one."""

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

What the service does when files are broken, disks full, processes killed, and many people come at once. Every table was
written by the run that measured it (`make soak`, or the command named below it); none is typed.
"""


def write_section(name: str, title: str, text: str, page: Path = PAGE) -> None:
    """Put a section in the place of its last version, or at the end; sections of others stay as they are.

    Parameters
    ----------
    name : str
        Of the section, lower case with hyphens; stays the same from run to run.
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
    """A table; floats get four digits."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def circumstances(command: str) -> str:
    """Sentence on when and on what a section was measured."""
    cores, load = os.cpu_count(), os.getloadavg()[0]
    day = datetime.now(UTC).strftime("%Y-%m-%d %H:%M")
    return (
        f"`{command}`, {day} UTC, {cores} cores, Python {platform.python_version()}; "
        f"load average of the machine at the end {load:.1f}."
    )


def verdict(*, met: bool) -> str:
    """A word for the last column."""
    return "met" if met else "**missed**"


def _cell(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
