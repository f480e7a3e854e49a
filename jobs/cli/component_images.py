"""``stix-jobs component-images``: images of the components of a spectrum, such as hot plasma and electrons."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from archive.calibration import calibration_catalog
from archive.chianti import thermal_table
from jobs.cli.commands import DONE, now
from jobs.cli.measurement_options import add_files_and_times, require_folder
from jobs.components.products import describe_components, save_components
from jobs.imaging.task import Locator
from jobs.shared.limits import Limits
from jobs.shared.logs import say
from stixcore.imaging.reconstruction import Method, method_name
from stixcore.imaging_spectroscopy.component_images import component_images, prepare_component_recipe
from stixcore.imaging_spectroscopy.component_recipe import COMPONENT_METHODS
from stixcore.imaging_spectroscopy.recipe_pair import ENERGY, LEAST_COUNTS
from stixcore.measure_spectrum import SpectrumRequest
from stixcore.options import ImageRequest, default_methods
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
    methods = [method.value for method in COMPONENT_METHODS]
    parser.add_argument(
        "--method",
        nargs="+",
        choices=methods,
        default=methods,
        metavar="METHOD",
        help=f"{', '.join(methods)} (default: all of them)",
    )
    text = "counts above background that a channel needs (default %(default)g)"
    parser.add_argument("--least-counts", type=float, default=LEAST_COUNTS, metavar="N", help=text)
    text = "simulated copies of the data for errors of the images (default %(default)s)"
    parser.add_argument("--copies", type=int, default=0, metavar="N", help=text)
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of their noise (default %(default)s)")
    parser.add_argument(
        "--location", type=float, nargs=2, metavar=("X", "Y"), help="map centre, arcsec (default: searched)"
    )
    parser.add_argument("--shape", type=int, default=129, metavar="N", help="pixels a side (default %(default)s)")
    parser.add_argument("--pixel", type=float, default=2.0, metavar="ARCSEC", help="size (default %(default)g)")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for FITS and PNG files")
    parser.add_argument("--json", action="store_true", help="print everything about the images as one JSON object")


def run_component_images(arguments: argparse.Namespace) -> int:
    """Image the components of the spectrum of one time range."""
    require_folder(arguments.out)
    root = arguments.archive.expanduser().resolve()  # shipped tables if there is no archive
    catalog, table = calibration_catalog(root), thermal_table(root)
    part = tuple(arguments.background_range) if arguments.background_range else None
    place = None if arguments.location is None else (arguments.location[0], arguments.location[1])
    limits = Limits()
    limits.check_map((arguments.shape, arguments.shape), arguments.pixel, place)
    limits.check_ensemble(arguments.copies)
    times = {"start": arguments.start, "end": arguments.end, "background_range": part}
    methods = [Method(method) for method in arguments.method]
    recipe = prepare_component_recipe(
        ImageRequest(
            **times,
            energy=(arguments.energy[0], arguments.energy[1]),
            methods={method: default_methods()[method] for method in Method if method in methods},
            location=place,
            shape=(arguments.shape, arguments.shape),
            pixel=arguments.pixel,
            ensemble=arguments.copies,
            seed=arguments.seed if arguments.copies else 0,
        ),
        SpectrumRequest(**times, model=arguments.fit),
        arguments.science,
        arguments.background,
        arguments.aux,
        catalog=catalog,
        table=table,
        least_counts=arguments.least_counts,
    )
    locate = Locator.of(arguments.science, arguments.background, *arguments.aux)
    made = component_images(recipe, locate, catalog=catalog, table=table)
    described = describe_components(made, save_components(made, arguments.out, now()))
    for line in [json.dumps(described, allow_nan=False)] if arguments.json else _lines(described):
        say(line)
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
        for image in component["images"]:
            doubted = [aspect for aspect, word in image["verdict"].items() if word == "doubtful"]
            word = f"doubtful: {', '.join(doubted)}" if doubted else "trusted"
            peak = f"peak ({image['peak_hpc_x']:.1f}, {image['peak_hpc_y']:.1f}) arcsec"
            lines.append(f"  {method_name(image['method']):26s} {peak}, {word}")
        lines += [f"  {method_name(method)}: {reason}" for method, reason in component["failures"].items()]
    return [*lines, *(f"  {path}" for path in described["files"].values())]
