"""Sections of ``docs/accuracy.md``, each written by its own command: a section goes from its heading to the next."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

from benchmarks.timing import markdown_table

PAGE = Path(__file__).resolve().parents[1] / "docs" / "accuracy.md"


def replace_section(page: Path, section: str, before: str) -> None:
    """Write a section into a page in place of that with the same heading, or before another one.

    Parameters
    ----------
    page : Path
    section : str
        Markdown, with its heading ("## …") as the first line.
    before : str
        Heading before which a new section goes.
    """
    parts = _parts(page.read_text(encoding="utf-8"))
    heading = section.partition("\n")[0]
    if heading in parts:
        parts[heading] = f"{section.strip()}\n\n"
        page.write_text("".join(parts.values()), encoding="utf-8")
    else:
        page.write_text(_inserted(parts, [section], before), encoding="utf-8")


def write_table(title: str, introduction: str, columns: list[str], rows: list[list[object]], *, before: str) -> None:
    """Write a section of `PAGE`: title, introduction in Markdown, table; ``before`` as for `replace_section`."""
    heading, _, table = markdown_table(title, columns, rows).strip().partition("\n")
    replace_section(PAGE, f"{heading}\n\n{introduction.strip()}\n\n{table.strip()}", before)


def keep_sections(text: str, earlier: str, before: str) -> str:
    """A page with the sections of an earlier one that it lacks, before a heading."""
    parts = _parts(text)
    lost = [section for heading, section in _parts(earlier).items() if heading not in parts]
    return _inserted(parts, lost, before)


def _inserted(parts: dict[str, str], sections: list[str], before: str) -> str:
    new = "".join(f"{section.strip()}\n\n" for section in sections)
    return "".join(f"{new if heading == before else ''}{text}" for heading, text in parts.items())


def _parts(text: str) -> dict[str, str]:
    """Sections by heading; what is before the first has the heading ""."""
    begins = [0, *(found.start() for found in re.finditer(r"^## ", text, re.MULTILINE)), len(text)]
    parts = [text[a:b] for a, b in pairwise(begins)]
    return {part.partition("\n")[0] if part.startswith("## ") else "": part for part in parts}
