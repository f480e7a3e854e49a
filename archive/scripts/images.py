"""Scripts that reproduce one image: Python with this software, Python without it, IDL, and a notebook."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from archive.layout import stamp
from archive.scripts import idl
from archive.scripts.literals import packages_of, python_literal
from archive.scripts.sources import ImageSource
from archive.scripts.templates import fill, part
from stixcore.recipe import SINCE_VERSION_2
from stixcore.times import format_time

#: Functions that write scripts, by suffix of their URL and file name.
FLAVOURS: Mapping[str, Callable[[ImageSource], str]]

_RUN_SCRIPT = """\
    python {name}             make the image, write a FITS file and a PNG file to the folder of this script
    python {name} --no-plot   without the PNG file"""
_RUN_NOTEBOOK = """\
To run the notebook, `pip install notebook` and start `jupyter notebook` in its folder. Run all cells in order; they
make the image and write a FITS file and a PNG file to the folder of the notebook."""


def python_script(source: ImageSource) -> str:
    """Reconstruct with `stixcore`, write the FITS file, plot with `sunpy.map`: the same pixels as in the archive."""
    return _python(source, _RUN_SCRIPT.format(name=script_name(source, ".py")))


def _python(source: ImageSource, how_to_run: str) -> str:
    imports, functions = part("files")
    return fill(
        "reconstruct.py.txt",
        {
            "inputs": _inputs(source),
            "recipe_id": python_literal(source.image.recipe_id),
            "version": python_literal(source.recipe["version"]),
            "output": python_literal(f"reproduced_{source.fits.name}"),
            "packages": _packages(source.recipe),
            "how_to_run": how_to_run,
            "file_imports": imports,
            "file_functions": functions,
        },
    )


def _packages(recipe: Mapping[str, Any]) -> str:
    """Installation of the packages of methods that are not built in; empty when there are none."""
    lines = [
        f"    pip install {name}=={version}   # for the method {method}"
        for method, name, version in packages_of(recipe)
    ]
    return "\n".join(["", "and the packages of its further methods:", "", *lines, ""]) if lines else ""


def stixpy_script(source: ImageSource) -> str:
    """Reconstruct only with `stixpy` and `xrayvision`, independently of this software."""
    imports, functions = part("files")
    return fill(
        "stixpy.py.txt",
        {
            "inputs": _inputs(source),
            "output": python_literal(f"stixpy_{source.fits.name}"),
            "script_name": script_name(source, "-stixpy.py"),
            "file_imports": imports,
            "file_functions": functions,
        },
    )


def notebook(source: ImageSource) -> str:
    """The Python script as a notebook, with one cell per section."""
    opening, *sections = _python(source, _RUN_NOTEBOOK).split(
        "\n# %% "
    )  # values never start at the beginning of a line
    _, intro, code = opening.split('"""', 2)
    cells = [_markdown(intro.strip()), _code(code.strip("\n"))]
    for section in sections:
        title, _, body = section.partition("\n")
        cells += [_markdown(f"## {title.rstrip(' -')}"), _code(body.strip("\n"))]
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    return json.dumps(
        {
            "cells": cells,
            "metadata": {
                "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
                "language_info": {"name": "python"},
            },
            "nbformat": 4,
            "nbformat_minor": 5,
        },
        indent=1,
        ensure_ascii=False,
    )


def script_name(source: ImageSource, suffix: str) -> str:
    """File name of a script: ``stix_20221111T113600_<image id><suffix>``."""
    if suffix == ".pro":
        return idl.script_name(source)
    name = re.sub(r"[^\w-]", "_", f"stix_{stamp(source.image.t_start)}_{source.image.image_id}", flags=re.ASCII)
    return name + suffix


def _inputs(source: ImageSource) -> str:
    recipe, image = source.recipe, source.image
    values = {
        "image_id": image.image_id,
        "method": image.method,
        "author": image.author,
        "simulated": image.simulated,
        "science": source.science.as_document(),
        "background": source.background.as_document() if source.background else None,
        "auxiliary": [file.as_document() for file in source.aspect],
        "energy_table": source.energy_table.as_document() | {"in_force": [list(times) for times in source.in_force]}
        if source.energy_table
        else None,
        "cal_file": source.cal_file.as_document() if source.cal_file else None,
        "time_range": recipe["time_range"],
        "whole_bins": [format_time(image.t_start), format_time(image.t_end)],
        "energy_range": recipe["energy_range_kev"],
        "location": recipe["location"],
        "location_energy": recipe["location_energy_kev"],
        "pointing": recipe["pointing"],
        "subcollimators": recipe["subcollimators"],
        "pixel_set": recipe["pixel_set"],
        "amplitude_scheme": recipe["amplitude_scheme"],
        "edge_correction": recipe["edge_correction"],
        "shape": recipe["shape"],
        "pixel": recipe["pixel_arcsec"],
        "methods": recipe["methods"],
        "further": {name: recipe[name] for name in sorted(set(SINCE_VERSION_2) & set(recipe))},
    }
    return fill("inputs.py.txt", {name: python_literal(value) for name, value in values.items()}).rstrip("\n")


def _markdown(text: str) -> dict[str, object]:
    return {"cell_type": "markdown", "metadata": {}, "source": text}


def _code(text: str) -> dict[str, object]:
    return {"cell_type": "code", "metadata": {}, "execution_count": None, "outputs": [], "source": text}


FLAVOURS = {".py": python_script, "-stixpy.py": stixpy_script, ".pro": idl.idl_script, ".ipynb": notebook}
