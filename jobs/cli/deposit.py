"""``stix-jobs deposit``."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from archive import Archive, ImageFilter
from archive.about import About, is_address
from jobs.cli.commands import DONE, now
from jobs.shared.errors import BadRequest
from jobs.shared.logs import say
from stixcore.printable import plural


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("recipe", metavar="RECIPE", help="recipe id of the image set, or the id of one of its images")
    text = "a new folder, or a new .zip file"
    parser.add_argument("--out", type=Path, required=True, metavar="PATH", help=text)
    parser.add_argument("--no-inputs", action="store_true", help="leave out the level-1 and other input files")
    text = "license of the package (default: license of [about] in config.toml)"
    parser.add_argument("--license", metavar="URL", default="", help=text)
    text = "address of the pages, if [about] in config.toml has none"
    parser.add_argument("--url", metavar="URL", default="", help=text)


def run_deposit(arguments: argparse.Namespace) -> int:
    """Write the package of a public image set."""
    from archive.landing.deposit import write_deposit
    from archive.landing.facts import read_facts

    archive = Archive(arguments.archive)
    about = About.of(archive.root)
    url = _address("url", about.url or arguments.url)
    license_ = _address("license", arguments.license or about.license)
    facts = read_facts(archive, ImageFilter(recipe_id=arguments.recipe.partition("-")[0]), url)
    facts = replace(facts, about=replace(about, license=license_))
    files = write_deposit(archive, facts, arguments.out, now(), inputs=not arguments.no_inputs)
    size = sum(file.size for file in files) / 1e6
    say(f"{arguments.out}: {plural(len(files) + 2, 'file')}, {size:.1f} MB, {facts.title}")
    return DONE


def _address(name: str, value: str) -> str:
    if not value:
        message = f"a package needs a {name}: set it in [about] of config.toml, or give --{name}"
        raise BadRequest(message)
    if not is_address(value):
        message = f"{name} {value!r} is not an address that begins with https:// or http://"
        raise BadRequest(message)
    return value.rstrip("/") if name == "url" else value
