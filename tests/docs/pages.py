"""The documentation's pages as text: their code blocks, links and formulas."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^```(?P<language>\w*)[^\n]*\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?P<target>[^)\s]+)\)|!\[[^\]]*\]\((?P<picture>[^)\s]+)\)")


@dataclass(frozen=True)
class Block:
    """A fenced block: its page, line, language and text."""

    page: Path
    line: int
    language: str
    text: str


def pages() -> list[Path]:
    """Pages people wrote, those made from code left out."""
    written = [path for path in (ROOT / "docs").rglob("*.md") if not {"made", "_build"} & set(path.parts)]
    return sorted([ROOT / "README.md", *written])


def blocks(page: Path, *languages: str) -> list[Block]:
    """Fenced blocks of a page in some languages, in their order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(page, text.count("\n", 0, match.start()) + 2, match["language"], match["text"])
        for match in FENCE.finditer(text)
        if match["language"] in languages
    ]


def commands(block: Block) -> Iterator[list[str]]:
    """Words of each command line of a shell block."""
    for line in block.text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if words:
            yield words


def name_of(page: Path) -> str:
    """Of a page, for test ids."""
    return str(page.relative_to(ROOT))
