"""Phrases that a plain page does not use: literal translations that are nearly always wrong."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, os.fspath(Path(__file__).parent))
from pages import ROOT, name_of, pages

BANNED = re.compile(
    r"\banew\b|\bmend(?:s|ed)?\b|what (?:became|came) of|nothing speaks against|goes on where|holds out"
    r"|is not heard of|comes? alive|whose images lack|through the house",
    re.IGNORECASE,
)
#: Pages of history and science are judged by their readers.
CHECKED = [page for page in pages() if not {"decisions", "science"} & set(page.relative_to(ROOT).parts)]


@pytest.mark.parametrize("page", CHECKED, ids=name_of)
def test_no_banned_phrases(page: Path) -> None:
    assert BANNED.findall(page.read_text(encoding="utf-8")) == []
