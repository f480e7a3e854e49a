"""Phrases that plain English does not use: literal translations that are nearly always wrong."""

from __future__ import annotations

import ast
import os
import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, os.fspath(Path(__file__).parent))
from pages import ROOT, name_of, pages

BANNED = re.compile(
    r"\banew\b|\bmend(?:s|ed)?\b|what (?:became|came) of|nothing speaks against|goes on where|holds out"
    r"|is not heard of|comes? alive|whose images lack|through the house|\bwhoever\b|\bto be had\b|\bat home\b",
    re.IGNORECASE,
)
#: Pages of history and science are judged by their readers.
CHECKED = [page for page in pages() if not {"decisions", "science"} & set(page.relative_to(ROOT).parts)]
#: Texts for users that are not in the documentation: web pages, messages, scripts for download, deployment files.
FOLDERS = ("archive", "dashboards", "jobs", "stixcore", "deploy")
TEXTS = (".conf", ".css", ".html", ".js", ".md", ".service", ".txt", ".yaml")


@pytest.mark.parametrize("page", CHECKED, ids=name_of)
def test_no_banned_phrases(page: Path) -> None:
    assert BANNED.findall(page.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_banned_phrases_in_texts_of_the_software(folder: str) -> None:
    files = [path for path in sorted((ROOT / folder).rglob("*")) if path.suffix in TEXTS or is_python(path)]
    assert files
    found = {name_of(path): phrases for path in files if (phrases := BANNED.findall(text_of(path)))}
    assert found == {}


@pytest.mark.parametrize(
    ("source", "phrases"),
    [
        ('print("made anew")', ["anew"]),
        ('print(f"{1} holds out")', ["holds out"]),
        ("at_home = whoever  # at home", []),
    ],
)
def test_only_strings_of_python_files_are_searched(tmp_path: Path, source: str, phrases: list[str]) -> None:
    path = tmp_path / "module.py"
    path.write_text(source, encoding="utf-8")
    assert BANNED.findall(text_of(path)) == phrases


def is_python(path: Path) -> bool:
    """Whether a file is Python source."""
    return path.suffix == ".py"


def text_of(path: Path) -> str:
    """Text of a file; of Python source, its strings including docstrings."""
    text = path.read_text(encoding="utf-8")
    if not is_python(path):
        return text
    nodes = ast.walk(ast.parse(text))
    return "\n".join(node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str))
