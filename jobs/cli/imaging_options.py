"""Options of ``stix-jobs image`` about the images: arguments made from `stixcore.options`, and read back."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from jobs.shared.errors import BadRequest
from stixcore.fits.windows import WindowRule
from stixcore.imaging.methods import MethodParameters
from stixcore.imaging.reconstruction import Method
from stixcore.options import ShiftBins, X, Y, default_methods, explain, option_schemas, read_methods


def add_imaging_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that a recipe depends on, besides files, times and energies."""
    schemas = option_schemas()

    def add(flag: str, key: str, **more: Any) -> None:
        schema = schemas[key]
        said = "default: found on the full disk" if schema["default"] is None else f"default: {schema['default']}"
        what = str(schema["description"]).partition(";")[0]
        parser.add_argument(flag, help=f"{what[:1].lower()}{what[1:]} ({said})", **more)

    def choice(flag: str, key: str) -> None:
        add(flag, key, choices=schemas[key]["enum"], default=schemas[key]["default"])

    parser.add_argument("--exact", action="store_true", help=_sentence(schemas["exact"]))
    choice("--bins", "window_rule")
    choice("--shift-bins", "shift_bins")
    parser.add_argument(
        "--method",
        nargs="+",
        choices=[method.value for method in Method],
        default=list(Method),
        metavar="METHOD",
        help=f"{', '.join(Method)} (default: all of them)",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="METHOD.PARAMETER=VALUE",
        help="a parameter of a method; the ground software's demo: clean.stop_rule=negative_extreme, "
        "mem_ge.flux_estimate=amplitude, --bins outward, --shift-bins off",
    )
    add("--shape", "shape", type=int, default=schemas["shape"]["default"], metavar="N")
    add("--pixel", "pixel_arcsec", type=float, default=schemas["pixel_arcsec"]["default"], metavar="ARCSEC")
    add("--location", "location", type=float, nargs=2, metavar=(X[0].upper(), Y[0].upper()))


def imaging_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """Keyword arguments of `stixcore.options.ImagingOptions`, as far as the command line has them.

    Raises
    ------
    BadRequest
        Names the setting that is wrong.
    """
    return {
        "methods": _methods(arguments.method, arguments.set),
        "location": tuple(arguments.location) if arguments.location else None,
        "shape": (arguments.shape, arguments.shape),
        "pixel": arguments.pixel,
        "window_rule": WindowRule(arguments.bins),
        "exact": arguments.exact,
        "shift_bins": ShiftBins(arguments.shift_bins),
    }


def _methods(names: Iterable[str], settings: Iterable[str]) -> Mapping[Method, MethodParameters]:
    """Methods by name with the parameters that were set, each ``METHOD.PARAMETER=VALUE``; the others are defaults."""
    chosen: dict[str, dict[str, object]] = {str(method): {} for method in default_methods() if method in names}
    for setting in settings:
        target, equals, value = setting.partition("=")
        method, dot, parameter = target.partition(".")
        if not (equals and dot):
            message = f"expected METHOD.PARAMETER=VALUE, found {setting!r}"
            raise BadRequest(message)
        if method not in chosen:
            message = f"--set {setting}: {method} is not among the methods asked for: {', '.join(chosen)}"
            raise BadRequest(message)
        try:
            chosen[method][parameter] = json.loads(value)
        except ValueError:  # a word, as those of stop_rule
            chosen[method][parameter] = value
    try:
        return read_methods(chosen)
    except ValueError as error:
        message = f"--set: {explain(error) if isinstance(error, ValidationError) else error}"
        raise BadRequest(message) from error


def _sentence(schema: Mapping[str, Any]) -> str:
    text = str(schema["description"])
    return text[:1].lower() + text[1:]
