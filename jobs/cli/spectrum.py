"""``stix-jobs spectrum``: count spectrum, response and fit of one time range of a file."""

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
from jobs.cli.repeated import AddUp
from jobs.shared.errors import BadRequest
from jobs.shared.logs import say
from jobs.spectra.products import FileFormat, describe_spectrum, save_spectrum
from stixcore.measure_spectrum import NO_MODEL, SpectrumRequest, measure_spectrum
from stixcore.printable import excerpt
from stixcore.spectra.fit.recipe import AUTO
from stixcore.spectra.fit.statistic import Statistic
from stixcore.spectra.transmission import ResponseScheme


def add_options(parser: argparse.ArgumentParser, time: Callable[[str], np.datetime64]) -> None:
    """Add the arguments of the command; ``time`` reads a time."""
    add_files_and_times(parser, time, "L1 pixel data or spectrogram")
    parser.add_argument(
        "--energy",
        type=float,
        nargs=2,
        metavar=("LO", "HI"),
        help="range of the fit, keV (default: from the attenuator and the signal)",
    )
    parser.add_argument(
        "--fit",
        default=AUTO,
        metavar="MODEL",
        help=f"{AUTO}, {NO_MODEL}, or vth, thick2, thin2 joined by + (default %(default)s)",
    )
    parser.add_argument("--statistic", choices=list(Statistic), default=Statistic.CHI2, help="default %(default)s")
    parser.add_argument(
        "--fixed",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a value that is not fitted, such as e_cut_keV=20; may be given several times",
    )
    parser.add_argument(
        "--location", type=float, nargs=2, metavar=("X", "Y"), help="flare, arcsec, helioprojective (default: searched)"
    )
    parser.add_argument(
        "--angle", type=float, metavar="DEG", help="heliocentric angle for the albedo (default: of the location)"
    )
    parser.add_argument("--no-albedo", action="store_true", help="model without the reflection at the Sun")
    parser.add_argument(
        "--detectors", type=int, nargs="+", action=AddUp, metavar="D", help="0-31 (default: the 24 coarse ones)"
    )
    parser.add_argument("--pixels", type=int, nargs="+", action=AddUp, metavar="P", help="0-11 (default: all)")
    parser.add_argument(
        "--scheme", choices=list(ResponseScheme), default=ResponseScheme.GSW_2026, help="response, default %(default)s"
    )
    parser.add_argument("--tailing", action="store_true", help="response with the loss of charge in the detector")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the FITS files")
    parser.add_argument("--format", choices=list(FileFormat), default=FileFormat.OSPEX, help="default %(default)s")
    parser.add_argument("--json", action="store_true", help="print everything about the spectrum as one JSON object")


def run_spectrum(arguments: argparse.Namespace) -> int:
    """Measure and fit the spectrum of one time range of a file."""
    _check(arguments)
    request = SpectrumRequest(
        start=arguments.start,
        end=arguments.end,
        model=arguments.fit,
        energy=_pair(arguments.energy),
        fixed=_values(arguments.fixed),
        statistic=arguments.statistic,
        scheme=arguments.scheme,
        tailing=arguments.tailing,
        detectors=_indices(arguments.detectors),
        pixels=_indices(arguments.pixels),
        location=_pair(arguments.location),
        angle=arguments.angle,
        albedo=not arguments.no_albedo,
        background_range=tuple(arguments.background_range) if arguments.background_range else None,
    )
    root = arguments.archive.expanduser().resolve()  # shipped tables if there is no archive
    measured = measure_spectrum(
        request,
        arguments.science,
        arguments.background,
        arguments.aux,
        catalog=calibration_catalog(root),
        table=thermal_table(root),
    )
    files = save_spectrum(measured, arguments.out, now(), FileFormat(arguments.format))
    described = describe_spectrum(measured, files)
    for line in [json.dumps(described, allow_nan=False)] if arguments.json else _lines(described):
        say(line)
    return DONE


def _check(arguments: argparse.Namespace) -> None:
    """Refuse options that would have no effect or fail only after the fit."""
    if arguments.fit == NO_MODEL and arguments.fixed:
        given = excerpt(arguments.fixed[0])
        message = f"--fixed {given}: nothing is fitted with --fit {NO_MODEL}; name a model or leave --fixed out"
        raise BadRequest(message)
    require_folder(arguments.out)


def _pair(numbers: list[float] | None) -> tuple[float, float] | None:
    return None if numbers is None else (numbers[0], numbers[1])


def _indices(numbers: list[int] | None) -> tuple[int, ...] | None:
    return None if numbers is None else tuple(numbers)


def _values(settings: list[str]) -> dict[str, float]:
    """Values by name, each given as NAME=VALUE."""
    values = {}
    for setting in settings:
        name, _, text = setting.partition("=")
        try:
            values[name] = float(text)
        except ValueError as error:
            message = f"--fixed: expected NAME=VALUE with a number, found {excerpt(setting)}"
            raise BadRequest(message) from error
    return values


def _lines(described: dict[str, Any]) -> list[str]:
    """The result as text."""
    fit, counts = described["fit"], described["counts"]
    start, end = described["time_range"]
    exposure = f"{sum(counts):.0f} counts in {described['livetime_s']:.1f} s of live time"
    lines = [f"{start[:19]} to {end[11:19]} UTC, {exposure}, {len(counts)} channels"]
    if fit:
        low, high = fit["energy_range_kev"]
        chi2 = f"{fit['chi2']:.1f} for {fit['ndof']} degrees of freedom"
        lines.append(f"{fit['model']}, {low:g}-{high:g} keV, χ² {chi2}: {fit['verdict']}")
        lines += [f"  {name:18s} {_with_errors(value)}" for name, value in fit["parameters"].items()]
        lines.append(f"  {fit['energy_reason']}")
        lines += [f"  doubt: {doubt['text']}" for doubt in fit["doubts"]]
    elif described["no_fit"]:
        lines.append(f"no fit: {described['no_fit']}")
    lines += [f"  doubt: {doubt}" for doubt in described["doubts"]]
    return [*lines, *(f"  {path}" for path in dict.fromkeys(described["files"].values()))]


def _with_errors(value: dict[str, Any]) -> str:
    """A value with its 1-sigma errors, such as ``1.71 −0.04 +0.05 keV``."""
    text = f"{value['value']:.4g}"
    if value["fixed"]:
        text += " (fixed)"
    else:
        for sign, error in (("−", value["sigma_minus"]), ("+", value["sigma_plus"])):
            text += f" {sign}{'open' if error is None else f'{error:.2g}'}"
    return f"{text} {value['unit']}".rstrip()
