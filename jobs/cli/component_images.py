"""``stix-jobs component-images``: images of the components of a spectrum, such as hot plasma and electrons."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np

from jobs.cli.commands import DONE, now
from jobs.cli.measurement_options import add_files_and_times
from jobs.cli.visibility_commands import add_image_options, add_output_options, image_lines, make_images, say_result
from jobs.components.products import describe_components, save_components
from stixcore.imaging_spectroscopy.component_images import component_images, prepare_component_recipe
from stixcore.imaging_spectroscopy.recipe_pair import ENERGY, LEAST_COUNTS
from stixcore.spectra.fit.recipe import AUTO


def add_options(parser: argparse.ArgumentParser, time: Callable[[str], np.datetime64]) -> None:
    """Add the arguments of the command; ``time`` reads a time."""
    add_files_and_times(parser, time, "L1 pixel data")
    text = "channels that are used, keV; the fit of the spectrum chooses its own range"
    parser.add_argument("--energy", type=float, nargs=2, default=ENERGY, metavar=("LO", "HI"), help=text)
    parser.add_argument(
        "--fit",
        default=AUTO,
        metavar="MODEL",
        help=f"{AUTO}, or at least two of vth, thick2, thin2 joined by + (default %(default)s)",
    )
    add_image_options(parser, LEAST_COUNTS)
    add_output_options(parser, "images")


def run_component_images(arguments: argparse.Namespace) -> int:
    """Image the components of the spectrum of one time range."""
    made = make_images(arguments, prepare_component_recipe, component_images)
    described = describe_components(made, save_components(made, arguments.out, now()))
    say_result(described, _lines, as_json=arguments.json)
    return DONE


def _lines(described: dict[str, Any]) -> list[str]:
    """The result as text."""
    start, end = described["time_range"]
    low, high = described["energy_range_kev"]
    used = sum(channel["used"] for channel in described["channels"])
    quality = (
        f"separation {described['verdict']}: condition number {described['condition']:.2g}, χ² {described['chi2']:.0f} "
        f"for {described['ndof']} degrees of freedom, {described['misfit']:.0%} of the amplitudes disagree"
    )
    lines = [
        f"{start[:19]} to {end[11:19]} UTC, {low:g}-{high:g} keV, {used} channels, {described['fit']['model']}",
        quality,
    ]
    lines += [f"  {found['severity']}: {found['text']}" for found in described["findings"]]
    for component in described["components"]:
        lines.append(f"{component['name']}: {component['share']:.0%} of the flux, {component['counts']:.0f} counts")
        lines += image_lines(component)
    return [*lines, *(f"  {path}" for path in described["files"].values())]
