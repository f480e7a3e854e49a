"""What the pages tell people to type works: Python and `sh` blocks are run, `bash` blocks are at least understood."""

from __future__ import annotations

import argparse
import ast
import os
import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, os.fspath(Path(__file__).parent))
from pages import ROOT, blocks, commands, name_of, pages

from jobs.cli.parser import build_parser, main

#: Pages whose Python is run from top to bottom, in one namespace, in a folder with the example files.
RUN = [page for page in pages() if "<!-- not run:" not in page.read_text(encoding="utf-8") and blocks(page, "python")]
SHELL = [page for page in pages() if blocks(page, "sh")]


@pytest.mark.parametrize("page", RUN, ids=name_of)
def test_python_of_a_page_runs(page, workplace, capsys):
    namespace = {"__name__": "__main__"}
    for block in blocks(page, "python"):
        code = compile("\n" * (block.line - 1) + block.text, str(page), "exec")
        exec(code, namespace)
    said = capsys.readouterr().out
    assert "nan" not in said.split()
    assert said or not any("print(" in block.text for block in blocks(page, "python"))


@pytest.mark.system
@pytest.mark.parametrize("page", SHELL, ids=name_of)
def test_shell_commands_of_a_page_run(page, workplace, capfd):
    for block in blocks(page, "sh"):
        for words in commands(block):
            assert words[0] == "stix-jobs", (
                f"{name_of(page)}:{block.line}: only stix-jobs is run; use `bash` for others"
            )
            assert main(words[1:]) == 0, (words, capfd.readouterr().err)


@pytest.mark.parametrize("page", [page for page in pages() if blocks(page, "bash", "sh")], ids=name_of)
def test_commands_and_options_in_the_documentation_exist(page):
    parser = build_parser()
    for block in blocks(page, "bash", "sh"):
        for words in commands(block):
            if "stix-jobs" in words:
                rest = words[words.index("stix-jobs") + 1 :]
                ends = [rest.index(mark) for mark in ("|", "||", "&&", ";", ">", "2>") if mark in rest]
                try:
                    parser.parse_args(rest[: min(ends, default=len(rest))])
                except (SystemExit, argparse.ArgumentError):
                    pytest.fail(f"{name_of(page)}:{block.line}: stix-jobs {' '.join(rest)} is no command")


def test_python_that_is_not_run_is_valid():
    for page in pages():
        for block in blocks(page, "python"):
            ast.parse(block.text, filename=f"{name_of(page)}:{block.line}")


def test_make_targets_exist():
    known = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in pages():
        named = set(re.findall(r"(?:`|^ {4}|^)make ([a-z][a-z-]*)", page.read_text(encoding="utf-8"), re.MULTILINE))
        assert named <= known, (name_of(page), named - known)


def test_the_example_of_a_method_is_the_package_that_tests_install():
    """Its metadata and its code: tests/stixcore/imaging runs them as an installed package."""
    example = ROOT / "tests" / "stixcore" / "imaging" / "example_method"
    page = ROOT / "docs" / "how-to" / "add_a_method.md"
    assert blocks(page, "python")[0].text.strip() == (example / "stix_uniform.py").read_text().strip()
    assert blocks(page, "toml")[0].text.strip() == (example / "pyproject.toml").read_text().strip()
