"""Options of ``stix-jobs image``: an argument for each option of `stixcore.options.ImagingOptions`.

An option with choices, numbers or yes and no gets its argument from its schema. Methods, location and pointing have a
form of their own on a command line.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Mapping
from typing import Any

from jobs.cli.repeated import AddUp
from jobs.shared.errors import BadRequest
from stixcore.errors import StixError
from stixcore.imaging.methods import default_methods
from stixcore.imaging.registry import known_names, place_in_order
from stixcore.options import ROLL, SEED_ALONE, ImagingOptions, X, Y, option_schemas, read_options

#: Options whose argument is not named like their key.
_FLAGS = {"window_rule": "--bins", "pixel_arcsec": "--pixel"}
#: Options that are several numbers, and the keys of these in JSON.
_NUMBERS = {"location": {"X": X, "Y": Y}, "pointing": {"ROLL": ROLL, "X": X, "Y": Y}}


def add_imaging_options(parser: argparse.ArgumentParser) -> None:
    """Add the imaging options: all that the recipe depends on except files, times and energies."""
    parser.add_argument(
        "--method",
        nargs="+",
        action=AddUp,
        type=_method,
        default=[str(method) for method in default_methods()],
        metavar="METHOD",
        help=f"{', '.join(known_names())}; with parameters: clean:gain=0.05,beam_fwhm=15 "
        f"(default: {_default(tuple(default_methods()))})",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="METHOD.PARAMETER=VALUE",
        help="a parameter of a method; the ground software's demo: clean.stop_rule=negative_extreme, "
        "mem_ge.flux_estimate=amplitude, --bins outward, --shift-bins off",
    )
    for key, schema in option_schemas().items():
        if key != "methods":
            flag = _FLAGS.get(key, f"--{key.replace('_', '-')}")
            parser.add_argument(flag, dest=key, help=_help(schema), **_form(key, schema))


def _method(given: str) -> str:
    """A method, with or without parameters, whose name is known."""
    if given.partition(":")[0] not in known_names():
        message = f"invalid choice: {given!r} (choose from {', '.join(map(repr, known_names()))})"
        raise argparse.ArgumentTypeError(message)
    return given


def _default(methods: tuple[str, ...]) -> str:
    return "all of them" if methods == known_names() else ", ".join(methods)


def _form(key: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """What an argument accepts."""
    if key in _NUMBERS:
        return {"type": float, "nargs": len(_NUMBERS[key]), "metavar": tuple(_NUMBERS[key])}
    if key == "shape" or schema.get("type") == "integer":
        return {"type": int, "metavar": "N"}
    if "enum" in schema:
        return {"choices": schema["enum"]}
    if schema["type"] == "boolean":
        return {"action": "store_true", "default": None}
    if schema["type"] == "array":
        return {"nargs": "+", "metavar": "LABEL"}
    return {"type": float, "metavar": schema["unit"].upper()}


def _help(schema: Mapping[str, Any]) -> str:
    what, _, searched = str(schema["description"]).partition("; null: ")
    what, default = what[:1].lower() + what[1:], schema["default"]
    if default is False:
        return what
    if isinstance(default, list):
        return f"{what} (default: {default[-1]} to {default[0]})"
    return f"{what} (default: {searched if default is None else default})"


def imaging_options(arguments: argparse.Namespace) -> ImagingOptions:
    """The options on a command line.

    Raises
    ------
    BadRequest
        Names the option that is wrong.
    """
    document = {key: value for key in option_schemas() if (value := getattr(arguments, key, None)) is not None}
    for key, names in _NUMBERS.items():
        if key in document:
            document[key] = dict(zip(names.values(), document[key], strict=True))
    document["methods"] = _methods(arguments.method, arguments.set)
    try:
        options = read_options(document)
    except (ValueError, StixError) as error:
        message = str(error)
        if message.startswith("methods: "):
            message = message.replace("methods", "--set" if arguments.set else "--method", 1)
        raise BadRequest(message) from error
    if options.seed and not options.ensemble:
        raise BadRequest(SEED_ALONE)
    return options


def _methods(names: Iterable[str], settings: Iterable[str]) -> dict[str, dict[str, object]]:
    """Methods by name with the parameters that were set.

    Either ``METHOD:PARAMETER=VALUE,…`` among the names, or ``METHOD.PARAMETER=VALUE`` among the settings.
    """
    chosen: dict[str, dict[str, object]] = {}
    for given in sorted(names, key=lambda one: place_in_order(one.partition(":")[0])):
        name, _, pairs = given.partition(":")
        chosen[name] = {}
        for pair in filter(None, pairs.split(",")):
            parameter, equals, value = pair.partition("=")
            if not equals:
                message = f"expected METHOD:PARAMETER=VALUE, found '{name}:{pair}'"
                raise BadRequest(message)
            chosen[name][parameter] = _value(value)
    for setting in settings:
        target, equals, value = setting.partition("=")
        method, dot, parameter = target.partition(".")
        if not (equals and dot):
            message = f"expected METHOD.PARAMETER=VALUE, found {setting!r}"
            raise BadRequest(message)
        if method not in chosen:
            message = f"--set {setting}: {method} is not among the methods asked for: {', '.join(chosen)}"
            raise BadRequest(message)
        chosen[method][parameter] = _value(value)
    return chosen


def _value(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:  # a word, such as those of stop_rule
        return text
