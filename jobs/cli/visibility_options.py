"""Options and lines of text that the commands for component images and electron maps share."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from jobs.shared.limits import Limits
from stixcore.imaging.reconstruction import Method, method_name
from stixcore.imaging_spectroscopy.recipe_pair import VISIBILITY_METHODS
from stixcore.options import ImageRequest, default_methods


def add_image_options(parser: argparse.ArgumentParser, least_counts: float) -> None:
    """Add methods, copies and grid of the images, and the counts that a channel needs."""
    methods = [method.value for method in VISIBILITY_METHODS]
    parser.add_argument(
        "--method",
        nargs="+",
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
        methods={method: default_methods()[method] for method in Method if method in methods},
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
