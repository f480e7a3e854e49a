"""Paths and dotted names of modules in the documentation exist."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, os.fspath(Path(__file__).parent))
from pages import FENCE, ROOT, name_of, pages

PACKAGES = r"(?:stixcore|archive|jobs|dashboards)"
#: A path between backticks, `jobs/inputs.py`, and a dotted name, `jobs.inputs.choose_background`.
PATH = re.compile(rf"`({PACKAGES}/[\w./-]*)`")
DOTTED = re.compile(rf"`({PACKAGES}(?:\.\w+)+)(?:\(\))?`")

#: A file that a reader of a how-to is asked to write.
TO_BE_WRITTEN = ["stixcore/imaging/uniform.py"]


def exists(dotted: str) -> bool:
    """Whether a dotted name is a module, or a name that is written in its module."""
    parts = dotted.split(".")
    for length in range(len(parts), 0, -1):
        module = ROOT.joinpath(*parts[:length])
        source = module / "__init__.py" if module.is_dir() else module.with_suffix(".py")
        if source.is_file():
            text = source.read_text(encoding="utf-8")
            return all(re.search(rf"\b{name}\b", text) for name in parts[length:])
    return False


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_paths_and_modules_exist(page: Path) -> None:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    missing = [path for path in PATH.findall(text) if not (ROOT / path).exists()]
    assert [path for path in missing if path not in TO_BE_WRITTEN] == []
    assert [name for name in DOTTED.findall(text) if not exists(name)] == []


def test_a_missing_module_is_noticed() -> None:
    assert exists("jobs.inputs.choose_background")
    assert not exists("jobs.inputs.choose_foreground")
    assert not exists("jobs.no_such_module.inputs")
