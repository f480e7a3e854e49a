"""Links of the documentation lead to files, names, headings that exist; its formulas are those of the code."""

from __future__ import annotations

import ast
import os
import re
import sys
from functools import cache
from pathlib import Path

import pytest

sys.path.insert(0, os.fspath(Path(__file__).parent))
from pages import LINK, ROOT, name_of, pages

DESIGN = [*ROOT.glob("*/DESIGN.md"), ROOT / "stixcore" / "CONVENTIONS.md"]
FORMULAS = re.compile(r"<!-- formulas of (?P<file>\S+) -->\n+```text\n(?P<text>.*?)^```", re.MULTILINE | re.DOTALL)


@cache
def names_in(path: Path) -> frozenset[str]:
    """Functions, classes, methods and module-level names of a Python file."""
    found: set[str] = set()

    def visit(body: list[ast.stmt], prefix: str) -> None:
        for node in body:
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                found.add(prefix + node.name)
                if isinstance(node, ast.ClassDef):
                    visit(node.body, f"{prefix}{node.name}.")
            elif isinstance(node, (ast.Assign, ast.AnnAssign)):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                found.update(prefix + target.id for target in targets if isinstance(target, ast.Name))

    visit(ast.parse(path.read_text(encoding="utf-8")).body, "")
    return frozenset(found)


@cache
def headings_of(path: Path) -> frozenset[str]:
    """Anchors of a page's headings, as forges and MyST make them."""
    titles = re.findall(r"^#{1,4} (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return frozenset(re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles)


def fault(page: Path, target: str) -> str:
    """What is wrong with a link; empty when nothing is."""
    place, _, anchor = target.partition("#")
    path = (page.parent / place).resolve() if place else page
    if {"made", "_build"} & set(path.parts):
        return ""  # made by the build, which fails on a link that leads nowhere
    if not path.exists():
        return f"{target}: no such file"
    if anchor and path.suffix == ".py" and anchor not in names_in(path):
        return f"{target}: {path.name} has no {anchor}"
    if anchor and path.suffix == ".md" and anchor not in headings_of(path):
        return f"{target}: no such heading"
    return ""


@pytest.mark.parametrize("page", [*pages(), *DESIGN], ids=name_of)
def test_links_are_valid(page):
    text = page.read_text(encoding="utf-8")
    targets = [match["target"] or match["picture"] for match in LINK.finditer(text)]
    local = [target for target in targets if not re.match(r"[a-z]+:", target)]
    assert [wrong for target in local if (wrong := fault(page, target))] == []


def test_a_link_to_a_missing_name_is_noticed():
    page = ROOT / "docs" / "code_walkthrough.md"
    assert "has no clean_loop" in fault(page, "../stixcore/imaging/clean.py#clean_loop")
    assert fault(page, "../stixcore/imaging/clean.py#_clean_loop") == ""
    assert "no such heading" in fault(page, "../stixcore/CONVENTIONS.md#no-such-thing")


def without_spaces(text: str) -> str:
    """Text without white space and comment signs, so that a line may be broken elsewhere."""
    return re.sub(r"\s+#?\s*|\s+", "", text.replace("``", "").replace("−", "-"))


@pytest.mark.parametrize("page", [page for page in pages() if FORMULAS.search(page.read_text("utf-8"))], ids=name_of)
def test_formulas_are_those_of_the_code(page):
    found = list(FORMULAS.finditer(page.read_text(encoding="utf-8")))
    for match in found:
        source = without_spaces((ROOT / match["file"]).read_text(encoding="utf-8"))
        missing = [line for line in match["text"].splitlines() if without_spaces(line) not in source]
        assert missing == [], f"{match['file']} does not say so"


def test_thresholds_of_the_methods_page_are_those_of_the_code():
    from dataclasses import astuple

    from stixcore.imaging.trust import (
        BACKGROUND_RATIO,
        EXCESS_NOTE,
        MISSING_NOTE,
        POINTING_RMS_NOTE,
        SMALL_FLARE,
        THRESHOLDS,
        TOP_BOTTOM_NOTE,
        WIDE_FIELD,
    )

    text = (ROOT / "docs" / "science" / "methods.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| [^|]+ \| [^|]*?(\d+(?:\.\d+)?)[^|]* \| [^|]+ \| (?:doubt|note) \|$", text, re.MULTILINE)
    limits = (
        *astuple(THRESHOLDS),
        POINTING_RMS_NOTE,
        BACKGROUND_RATIO,
        WIDE_FIELD,
        MISSING_NOTE,
        EXCESS_NOTE,
        SMALL_FLARE,
    )
    assert [float(row) for row in rows] == [float(limit) for limit in limits]
    assert f"(from {TOP_BOTTOM_NOTE:g} a note)" in text


def test_every_how_to_is_in_the_contents() -> None:
    """A page that is missing there is in no menu of the HTML documentation."""
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8").splitlines()
    pages_there = {f"how-to/{page.stem}" for page in (ROOT / "docs" / "how-to").glob("*.md")}
    assert pages_there
    assert pages_there <= set(index)
