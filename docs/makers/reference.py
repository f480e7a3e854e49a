"""Pages generated from the code: Python packages, command line, tables, products, FITS keywords, decisions."""

import argparse
import re
from collections.abc import Iterator
from importlib import import_module
from inspect import getdoc
from pathlib import Path
from pkgutil import walk_packages

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("stixcore", "archive", "jobs", "dashboards")
#: Scripts that `panel serve` runs from top to bottom; importing them would serve a page.
SCRIPTS = re.compile(r"dashboards\.[a-z_]+")


def modules(package: str) -> list[str]:
    """Names of the modules of a package, itself first, without page scripts."""
    found = [package]
    folder = ROOT / package
    for module in walk_packages([str(folder)], f"{package}."):
        if module.name.endswith("__main__") or (SCRIPTS.fullmatch(module.name) and not module.ispkg):
            continue
        found.append(module.name)
    return found


def python_pages() -> Iterator[tuple[str, str]]:
    """Name and text of one page per package and sub-package, in the order of an analysis."""
    for package in PACKAGES:
        names = modules(package)
        chapters: dict[str, list[str]] = {}
        for name in names:
            is_package = hasattr(import_module(name), "__path__")
            chapters.setdefault(name if is_package else name.rpartition(".")[0], []).append(name)
        for chapter, members in chapters.items():
            yield chapter, _chapter(chapter, members)


def _chapter(chapter: str, members: list[str]) -> str:
    blocks = []
    for name in members:
        title = f"## `{name}`\n\n" if name != chapter else ""
        options = "" if name == chapter else "   :members:\n"
        blocks.append(f"{title}```{{eval-rst}}\n.. automodule:: {name}\n{options}```\n")
    return f"# `{chapter}`\n\n" + "\n".join(blocks)


def command_line() -> str:
    """All commands of ``stix-jobs`` and ``python -m dashboards``, with the text of ``--help``."""
    from dashboards.server.serve import build_parser as build_server_parser
    from jobs.cli.parser import build_parser

    parser = build_parser()
    parts = ["# Command line\n", *_usage("stix-jobs", parser)]
    for name, command in _commands(parser):
        parts += [*_usage(f"stix-jobs {name}", command)]
        for nested, inner in _commands(command):
            parts += [*_usage(f"stix-jobs {name} {nested}", inner)]
    parts += _usage("python -m dashboards", build_server_parser())
    return "\n".join(parts)


def _commands(parser: argparse.ArgumentParser) -> list[tuple[str, argparse.ArgumentParser]]:
    return [
        (name, command)
        for action in parser._actions
        if isinstance(action, argparse._SubParsersAction)
        for name, command in action.choices.items()
    ]


def _usage(title: str, parser: argparse.ArgumentParser) -> list[str]:
    # the text must not depend on the machine or the width of its terminal
    parser.formatter_class = lambda prog: argparse.HelpFormatter(prog, width=100)
    return [f"## `{title}`\n", "```text", parser.format_help().rstrip(), "```\n"]


def products() -> str:
    """Extensions and columns that are read from each STIX product, with their spellings."""
    from stixcore.fits.spec import EPHEMERIS_KEYWORDS, SPECS

    lines = [
        "# STIX files that are read",
        "",
        "From `stixcore/fits/spec.py`; the reader and `stix-jobs check` share it. Spellings are the newest first.",
    ]
    for kind, spec in SPECS.items():
        lines += ["", f"## `{kind}`", "", f"Extensions: {', '.join(f'`{name}`' for name in spec.extensions)}.", ""]
        lines += ["| column | spelled | required |", "|---|---|---|"]
        for name, column in spec.columns.items():
            spelled = ", ".join(f"`{spelling}`" for spelling in column.names)
            lines.append(f"| `{name}` | {spelled} | {'yes' if column.required else 'no'} |")
    keywords = ", ".join(f"`{keyword}`" for keyword in EPHEMERIS_KEYWORDS)
    return "\n".join([*lines, "", "## Observer", "", f"Keywords copied to every image: {keywords}.", ""])


def keywords(images: object) -> str:
    """Keywords and extensions of an image file, from one written for this page."""
    import numpy as np

    from stixcore import ImageSet, Method
    from stixcore.image_files.write import image_hdus

    assert isinstance(images, ImageSet)
    hdus = image_hdus(images, Method.CLEAN, np.datetime64("2026-11-25T12:00:00", "us"))
    lines = [
        "# FITS files of images",
        "",
        "Each file contains one image and can be opened with `sunpy.map.Map(file)`. Below is the header of a CLEAN",
        "image of a simulated flare, written by `stixcore/image_files/write.py` when these pages were",
        "built. Units are in brackets.",
        "",
        "## Primary header",
        "",
        "| keyword | value | meaning |",
        "|---|---|---|",
    ]
    for card in hdus[0].header.cards:
        if card.keyword and card.keyword != "COMMENT":
            value = str(card.value)
            shown = value if len(value) <= 48 else value[:45] + "…"
            lines.append(f"| `{card.keyword}` | {f'`{shown}`' if shown else ''} | {_cell(card.comment)} |")
    for hdu in hdus[1:]:
        lines += ["", f"## Extension `{hdu.name}`", "", "| column | format | unit |", "|---|---|---|"]
        lines += [f"| `{column.name}` | {column.format} | {_cell(column.unit or '')} |" for column in hdu.columns]
    return "\n".join([*lines, ""])


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def decisions() -> str:
    """List of the pages in ``docs/decisions``."""
    files = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    titled = [(path, path.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")) for path in files]
    lines = [
        "# Decisions",
        "",
        "What was decided, among which options, why, and what would change our mind. The resulting design is in the",
        "`DESIGN.md` of each package.",
        "",
        *(f"- [{title}](../decisions/{path.name})" for path, title in titled),
    ]
    return "\n".join([*lines, ""])


def summary_of(name: str) -> str:
    """First line of the docstring of a module or object."""
    module, _, attribute = name.rpartition(".")
    try:
        thing = import_module(name)
    except ModuleNotFoundError:
        thing = getattr(import_module(module), attribute)
    return (getdoc(thing) or "").partition("\n")[0]
