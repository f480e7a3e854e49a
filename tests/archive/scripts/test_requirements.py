"""What a script tells people to install is enough to run it."""

import ast
import re
import sys
from functools import cache
from importlib.metadata import metadata, packages_distributions, requires

import pytest
from packaging.requirements import Requirement

from archive.scripts.images import stixpy_script
from archive.scripts.selections import AnimationLooks, OverlayLooks, animation_script, overlay_script

SCRIPTS = {
    "stixpy": stixpy_script,
    "animation": lambda source: animation_script([source], AnimationLooks()),
    "overlay": lambda source: overlay_script([source], OverlayLooks()),
}
#: sunpy's parts that want more than sunpy, and so are extras of it: map, net, visualization, …
EXTRAS = set(metadata("sunpy").get_all("Provides-Extra"))


@cache
def installed_modules():
    """Distributions of every module that is installed; it takes seconds to find them."""
    return packages_distributions()


def imported(text):
    """Modules that a script imports, those of its functions and of `from … import` included."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def brought_along(requirement):
    """Distributions that come with one of the named ones."""
    wanted = map(Requirement, requires(requirement.name) or ())
    extras = requirement.extras or {""}
    return {one.name for one in wanted if not one.marker or any(one.marker.evaluate({"extra": e}) for e in extras)}


@pytest.mark.parametrize("script", SCRIPTS)
def test_script_imports_the_packages_it_requires(made, script):
    text = SCRIPTS[script](made()[0])
    (line,) = re.findall("pip install (.+)", text)
    named = {one.name: one for one in map(Requirement, line.replace('"', "").split())}
    modules = installed_modules()
    there = set(named).union(*(brought_along(one) for one in named.values() if one.name != "sunpy-soar"))
    for module in imported(text):
        top, part, *_ = [*module.split("."), ""]
        if top in sys.stdlib_module_names:
            continue
        assert there & {top.replace("_", "-"), *modules.get(top, ())}, module
        if top == "sunpy" and part in EXTRAS:
            assert part in named["sunpy"].extras, f"{module} wants sunpy[{part}]"
