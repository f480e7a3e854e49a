"""``stix-jobs regions``: spectra of the regions of an image, or of the sources of a forward fit."""

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
from jobs.regions.products import describe_regions, save_regions
from jobs.shared.errors import BadRequest
from jobs.shared.limits import Limits
from jobs.shared.logs import say
from stixcore.errors import SelectionError
from stixcore.imaging.methods import default_methods
from stixcore.imaging.reconstruction import Method
from stixcore.imaging_spectroscopy.measure_regions import measure_regions
from stixcore.imaging_spectroscopy.prepare_regions import prepare_region_recipe
from stixcore.imaging_spectroscopy.recipe_pair import ENERGY, LEAST_COUNTS
from stixcore.imaging_spectroscopy.region_recipe import COPIES, REGION_METHODS, read_region
from stixcore.measure_spectrum import NO_MODEL, SpectrumRequest
from stixcore.options import ImageRequest
from stixcore.printable import excerpt
from stixcore.spectra.fit.recipe import AUTO
from stixcore.spectra.regions import Circle, Contour, Ellipse, Polygon, Region


def add_options(parser: argparse.ArgumentParser, time: Callable[[str], np.datetime64]) -> None:
    """Add the arguments of the command; ``time`` reads a time."""
    add_files_and_times(parser, time, "L1 pixel data")
    text = f"channels to image, keV (default {ENERGY[0]:g} {ENERGY[1]:g})"
    parser.add_argument("--energy", type=float, nargs=2, default=ENERGY, metavar=("LO", "HI"), help=text)
    methods = [method.value for method in REGION_METHODS]
    parser.add_argument("--method", choices=methods, default=Method.CLEAN.value, help="default %(default)s")
    _add_regions(parser)
    parser.add_argument(
        "--fit",
        default=AUTO,
        metavar="MODEL",
        help=f"of all regions: {AUTO}, {NO_MODEL}, or vth, thick2, thin2 joined by + (default %(default)s)",
    )
    parser.add_argument(
        "--model",
        action="append",
        default=[],
        metavar="NAME=MODEL",
        help="of one region; may be given several times",
    )
    parser.add_argument("--no-albedo", action="store_true", help="models without the reflection at the Sun")
    text = "counts above background that a channel needs for an image (default %(default)g)"
    parser.add_argument("--least-counts", type=float, default=LEAST_COUNTS, metavar="N", help=text)
    text = "simulated copies of the data for the errors (default %(default)s; 0: none)"
    parser.add_argument("--copies", type=int, default=COPIES, metavar="N", help=text)
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of their noise (default %(default)s)")
    parser.add_argument(
        "--location", type=float, nargs=2, metavar=("X", "Y"), help="map centre, arcsec (default: searched)"
    )
    text = "pixels a side, or rows and columns (default 129)"
    parser.add_argument("--shape", type=int, nargs="+", default=[129], metavar="N", help=text)
    parser.add_argument("--pixel", type=float, default=2.0, metavar="ARCSEC", help="size (default %(default)g)")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the files")
    parser.add_argument("--json", action="store_true", help="print everything about the spectra as one JSON object")


def _add_regions(parser: argparse.ArgumentParser) -> None:
    shapes = parser.add_argument_group("regions", "Each may be given several times; arcsec, helioprojective.")

    def add(option: str, metavar: str | tuple[str, ...], nargs: int | str, text: str) -> None:
        shapes.add_argument(option, action="append", default=[], nargs=nargs, metavar=metavar, help=text)

    add("--circle", ("NAME", "X", "Y", "R"), 4, "circle of radius R; for vis_fwdfit a source of FWHM 2 R")
    add("--ellipse", ("NAME", "X", "Y", "A", "B", "DEG"), 6, "half axes, angle of A from +x, counter-clockwise")
    add("--polygon", ("NAME", "X"), "+", "corners X1 Y1 X2 Y2 …")
    text = "LEVEL, or LEVEL X Y: area above LEVEL (0-1) of the maximum of the whole band, at the peak or at X Y"
    add("--contour", ("NAME", "LEVEL"), "+", text)
    shapes.add_argument(
        "--sources",
        action="append",
        default=[],
        metavar="LO-HI:N",
        help="N circles, or an ellipse for N = 1, fitted to the visibilities of LO-HI keV, such as 16-28:2; vis_fwdfit "
        "refines them in all channels",
    )
    shapes.add_argument("--regions", type=Path, metavar="FILE.json", help="list of regions as in regions.json")


def run_regions(arguments: argparse.Namespace) -> int:
    """Measure and fit the spectra of regions."""
    require_folder(arguments.out)
    root = arguments.archive.expanduser().resolve()  # shipped tables if there is no archive
    catalog, table = calibration_catalog(root), thermal_table(root)
    request = _request(arguments)
    recipe, locate = prepare_region_recipe(
        request,
        _drawn_regions(arguments),
        arguments.science,
        arguments.background,
        arguments.aux,
        sources=[_sources(setting) for setting in arguments.sources],
        models=_models(arguments.model),
        request=SpectrumRequest(
            start=request.start, end=request.end, model=arguments.fit, albedo=not arguments.no_albedo
        ),
        least_counts=arguments.least_counts,
        catalog=catalog,
        table=table,
    )
    measured = measure_regions(recipe, locate, catalog=catalog, table=table)
    files = save_regions(measured, arguments.out, now())
    described = describe_regions(measured, files)
    for line in [json.dumps(described, allow_nan=False)] if arguments.json else _lines(described):
        say(line)
    return DONE


def _request(arguments: argparse.Namespace) -> ImageRequest:
    if len(arguments.shape) > 2:
        message = f"--shape: expected one or two numbers, found {len(arguments.shape)}"
        raise BadRequest(message)
    method, shape = Method(arguments.method), (arguments.shape[0], arguments.shape[-1])
    location = None if arguments.location is None else (arguments.location[0], arguments.location[1])
    limits = Limits()
    limits.check_map(shape, arguments.pixel, location)
    limits.check_ensemble(arguments.copies)
    return ImageRequest(
        start=arguments.start,
        end=arguments.end,
        energy=(arguments.energy[0], arguments.energy[1]),
        methods={method: default_methods()[method]},
        shape=shape,
        pixel=arguments.pixel,
        location=location,
        ensemble=arguments.copies,
        seed=arguments.seed if arguments.copies else 0,
        background_range=tuple(arguments.background_range) if arguments.background_range else None,
    )


def _drawn_regions(arguments: argparse.Namespace) -> list[Region]:
    regions: list[Region] = []
    for name, *values in arguments.circle:
        regions.append(Circle(name, *_numbers("--circle", values)))
    for name, *values in arguments.ellipse:
        regions.append(Ellipse(name, *_numbers("--ellipse", values)))
    for name, *values in arguments.polygon:
        numbers = _numbers("--polygon", values)
        if len(numbers) % 2:
            message = f"--polygon {excerpt(name)}: expected pairs of x and y, found {len(numbers)} numbers"
            raise BadRequest(message)
        regions.append(Polygon(name, tuple(zip(numbers[::2], numbers[1::2], strict=True))))
    for name, *values in arguments.contour:
        numbers = _numbers("--contour", values)
        if len(numbers) not in (1, 3):
            message = f"--contour {excerpt(name)}: expected LEVEL or LEVEL X Y, found {len(numbers)} numbers"
            raise BadRequest(message)
        regions.append(Contour(name, *numbers))
    if arguments.regions is not None:
        regions += _read_regions(arguments.regions)
    if not regions and not arguments.sources:
        message = "no region: give --circle, --ellipse, --polygon, --contour, --sources or --regions"
        raise BadRequest(message)
    return regions


def _read_regions(path: Path) -> list[Region]:
    """The regions of a JSON file: a list, or the record ``regions.json``."""
    try:
        document = json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        message = f"{path}: expected a JSON list of regions, found {error}"
        raise BadRequest(message) from error
    if isinstance(document, dict) and isinstance(document.get("recipe"), dict):
        document = document["recipe"].get("regions")
    if not isinstance(document, list) or not document:
        message = f"{path}: expected a JSON list of regions"
        raise BadRequest(message)
    try:
        return [read_region(one) for one in document]
    except SelectionError as error:
        message = f"{path}: {error}"
        raise BadRequest(message) from error


def _sources(setting: str) -> tuple[tuple[float, float], int]:
    """Band and number of sources, given as LO-HI:N."""
    try:
        band, _, number = setting.partition(":")
        low, _, high = band.partition("-")
        return (float(low), float(high)), int(number)
    except ValueError as error:
        message = f"--sources: expected LO-HI:N, such as 16-28:2, found {excerpt(setting)}"
        raise BadRequest(message) from error


def _models(settings: list[str]) -> dict[str, str]:
    models = {}
    for setting in settings:
        name, equals, model = setting.rpartition("=")
        if not (name and equals and model):
            message = f"--model: expected NAME=MODEL, found {excerpt(setting)}"
            raise BadRequest(message)
        models[name] = model
    return models


def _numbers(option: str, values: list[str]) -> list[float]:
    try:
        return [float(value) for value in values]
    except ValueError as error:
        message = f"{option}: expected numbers after the name, found {excerpt(' '.join(values))}"
        raise BadRequest(message) from error


def _lines(described: dict[str, Any]) -> list[str]:
    """The result as text."""
    start, end = described["time_range"]
    imaged = [band for band, image in zip(described["energy_kev"], described["imaged"], strict=True) if image]
    bands = f", {imaged[0][0]:g}-{imaged[-1][1]:g} keV" if imaged else ""
    lines = [f"{start[:19]} to {end[11:19]} UTC, {described['method']}, {len(imaged)} channels with an image{bands}"]
    for region in described["regions"]:
        fit = region["fit"]
        lines.append(f"{region['name']}: {_share(region, described)} of the counts" + ("" if fit else _no_fit(region)))
        if fit:
            values = ", ".join(_value(name, value) for name, value in fit["parameters"].items() if not value["fixed"])
            lines.append(f"  {fit['model']}, χ² {fit['chi2']:.1f} for {fit['ndof']}: {fit['verdict']}; {values}")
            lines += [f"  doubt: {doubt['text']}" for doubt in fit["doubts"]]
        lines += [f"  doubt: {doubt}" for doubt in region["doubts"]]
    if outside := described["outside"]:
        lines.append(f"outside the regions: {_share(outside, described)} of the counts")
        lines += [f"  doubt: {doubt}" for doubt in outside["doubts"]]
    lines += [f"doubt: {doubt}" for doubt in described["doubts"]]
    return [*lines, *(f"  {path}" for path in described["files"].values())]


def _share(region: dict[str, Any], described: dict[str, Any]) -> str:
    """Fraction of the counts in imaged channels."""
    pairs = zip(region["counts"], described["whole"]["counts"], strict=True)
    known = [(part, whole) for part, whole in pairs if part is not None]
    total = sum(whole for _, whole in known)
    return f"{sum(part for part, _ in known) / total:.0%}" if total else "none"


def _no_fit(region: dict[str, Any]) -> str:
    return f", no fit: {region['no_fit']}" if region["no_fit"] else ""


def _value(name: str, value: dict[str, Any]) -> str:
    sides = [value["sigma_minus"], value["sigma_plus"]]
    known = [side for side in sides if side is not None]
    error = f" ± {max(known):.2g}" if len(known) == 2 else " (open)"
    return f"{name} {value['value']:.4g}{error}"
