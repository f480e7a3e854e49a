"""What the commands for component images and electron maps share: options, recipe and images, and lines of text."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from archive.calibration import calibration_catalog
from archive.chianti import thermal_table
from jobs.cli.measurement_options import require_folder
from jobs.cli.repeated import AddUp
from jobs.imaging.task import Locator
from jobs.shared.limits import Limits
from jobs.shared.logs import say
from stixcore.imaging.methods import default_parameters
from stixcore.imaging.reconstruction import Method, method_name
from stixcore.imaging.registry import place_in_order
from stixcore.imaging_spectroscopy.recipe_pair import VISIBILITY_METHODS
from stixcore.measure_spectrum import SpectrumRequest
from stixcore.options import ImageRequest


def add_image_options(parser: argparse.ArgumentParser, least_counts: float) -> None:
    """Add methods, copies and grid of the images, and the counts that a channel needs."""
    methods = [method.value for method in VISIBILITY_METHODS]
    parser.add_argument(
        "--method",
        nargs="+",
        action=AddUp,
        choices=methods,
        default=methods,
        metavar="METHOD",
        help=f"{', '.join(methods)} (default: all of them)",
    )
    text = "counts above background that a channel needs (default %(default)g)"
    parser.add_argument("--least-counts", type=float, default=least_counts, metavar="N", help=text)
    text = "simulated copies of the data for errors of the images (default %(default)s)"
    parser.add_argument("--copies", type=int, default=0, metavar="N", help=text)
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of their noise (default %(default)s)")
    parser.add_argument(
        "--location", type=float, nargs=2, metavar=("X", "Y"), help="map centre, arcsec (default: searched)"
    )
    parser.add_argument("--shape", type=int, default=129, metavar="N", help="pixels a side (default %(default)s)")
    parser.add_argument("--pixel", type=float, default=2.0, metavar="ARCSEC", help="size (default %(default)g)")


def add_output_options(parser: argparse.ArgumentParser, what: str) -> None:
    """Add the folder of the files, and the choice of JSON; ``what`` the command makes."""
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for FITS and PNG files")
    parser.add_argument("--json", action="store_true", help=f"print everything about the {what} as one JSON object")


def make_images[Made](
    arguments: argparse.Namespace, prepare: Callable[..., Any], make: Callable[..., Made], **options: Any
) -> Made:
    """Prepare a recipe from the arguments of a command, and make its images.

    Parameters
    ----------
    arguments : Namespace
    prepare : callable
        Makes the recipe, like `prepare_component_recipe`.
    make : callable
        Makes its images, like `component_images`.
    **options
        For ``prepare``, besides those that both commands have.

    Raises
    ------
    StixError
        When the arguments or the files allow no images.
    """
    require_folder(arguments.out)
    root = arguments.archive.expanduser().resolve()  # shipped tables if there is no archive
    calibration = {"catalog": calibration_catalog(root), "table": thermal_table(root)}
    image_request, times = image_request_of(arguments)
    recipe = prepare(
        image_request,
        SpectrumRequest(**times, model=arguments.fit),
        arguments.science,
        arguments.background,
        arguments.aux,
        least_counts=arguments.least_counts,
        **calibration,
        **options,
    )
    return make(recipe, Locator.of(arguments.science, arguments.background, *arguments.aux), **calibration)


def say_result(described: dict[str, Any], lines: Callable[[dict[str, Any]], list[str]], *, as_json: bool) -> None:
    """Print a description as one JSON object, or as ``lines`` of text."""
    for line in [json.dumps(described, allow_nan=False)] if as_json else lines(described):
        say(line)


def image_request_of(arguments: argparse.Namespace) -> tuple[ImageRequest, dict[str, Any]]:
    """The request of the images, and the times that the request of the spectrum has too.

    Raises
    ------
    BadRequest
        When the map or the copies are too large.
    """
    part = tuple(arguments.background_range) if arguments.background_range else None
    place = None if arguments.location is None else (arguments.location[0], arguments.location[1])
    limits = Limits()
    limits.check_map((arguments.shape, arguments.shape), arguments.pixel, place)
    limits.check_ensemble(arguments.copies)
    times = {"start": arguments.start, "end": arguments.end, "background_range": part}
    methods = [Method(method) for method in arguments.method]
    request = ImageRequest(
        **times,
        energy=(arguments.energy[0], arguments.energy[1]),
        methods={method: default_parameters(method) for method in sorted(methods, key=place_in_order)},
        location=place,
        shape=(arguments.shape, arguments.shape),
        pixel=arguments.pixel,
        ensemble=arguments.copies,
        seed=arguments.seed if arguments.copies else 0,
    )
    return request, times


def image_lines(described: Mapping[str, Any]) -> list[str]:
    """The images of a component or of an electron energy as text."""
    lines = []
    for image in described["images"]:
        doubted = [aspect for aspect, word in image["verdict"].items() if word == "doubtful"]
        word = f"doubtful: {', '.join(doubted)}" if doubted else "trusted"
        peak = f"peak ({image['peak_hpc_x']:.1f}, {image['peak_hpc_y']:.1f}) arcsec"
        lines.append(f"  {method_name(image['method']):26s} {peak}, {word}")
    return lines + [f"  {method_name(method)}: {reason}" for method, reason in described["failures"].items()]
