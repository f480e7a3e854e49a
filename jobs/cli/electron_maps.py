"""``stix-jobs electron-maps``: maps of the electron flux at some electron energies."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np

from jobs.cli.commands import DONE, now
from jobs.cli.measurement_options import add_files_and_times
from jobs.cli.repeated import AddUp
from jobs.cli.visibility_commands import add_image_options, add_output_options, image_lines, make_images, say_result
from jobs.electrons.products import describe_electron_maps, save_electron_maps
from stixcore.imaging_spectroscopy.electron_maps import electron_maps, prepare_electron_recipe
from stixcore.imaging_spectroscopy.electron_recipe import ELECTRON_ENERGIES, LEAST_COUNTS, PHOTON_ENERGY
from stixcore.spectra.fit.recipe import AUTO
from stixcore.spectrum_recipe import NO_MODEL


def add_options(parser: argparse.ArgumentParser, time: Callable[[str], np.datetime64]) -> None:
    """Add the arguments of the command; ``time`` reads a time."""
    add_files_and_times(parser, time, "L1 pixel data")
    text = "photon energies whose channels are used, keV"
    parser.add_argument("--energy", type=float, nargs=2, default=PHOTON_ENERGY, metavar=("LO", "HI"), help=text)
    parser.add_argument(
        "--electrons",
        type=float,
        nargs="+",
        action=AddUp,
        default=ELECTRON_ENERGIES,
        metavar="KEV",
        help=f"energies of the electrons, keV (default {' '.join(f'{energy:g}' for energy in ELECTRON_ENERGIES)})",
    )
    parser.add_argument(
        "--fit",
        default=AUTO,
        metavar="MODEL",
        help=f"{AUTO}, {NO_MODEL}, or vth, thick2, thin2 joined by +: says which energies are thermal, and changes no "
        "map (default %(default)s)",
    )
    add_image_options(parser, LEAST_COUNTS)
    add_output_options(parser, "maps")


def run_electron_maps(arguments: argparse.Namespace) -> int:
    """Map the electron flux of one time range."""
    made = make_images(arguments, prepare_electron_recipe, electron_maps, energies=arguments.electrons)
    described = describe_electron_maps(made, save_electron_maps(made, arguments.out, now()))
    say_result(described, _lines, as_json=arguments.json)
    return DONE


def _lines(described: dict[str, Any]) -> list[str]:
    """The result as text."""
    start, end = described["time_range"]
    low, high = described["photon_range_kev"]
    used = sum(channel["used"] for channel in described["channels"])
    quality = (
        f"inversion {described['verdict']}: {described['independent_energies']:.1f} independent energies, "
        f"χ² {described['chi2_per_dof']:.2f} per degree of freedom"
    )
    lines = [f"{start[:19]} to {end[11:19]} UTC, photons of {low:g}-{high:g} keV, {used} channels", quality]
    lines += [f"  {found['severity']}: {found['text']}" for found in described["findings"]]
    for one in described["maps"]:
        first, _, last = one["resolution_kev"]
        lines.append(
            f"{one['energy_kev']:g} keV: {one['total']:.3g} ± {one['total_sigma']:.2g} · 10⁵⁰ s⁻¹ cm⁻² keV⁻¹, "
            f"from electrons of {first:.0f}-{last:.0f} keV"
        )
        own = [found for found in one["findings"] if found["code"].startswith("electron_")]
        lines += [f"  {found['severity']}: {found['text']}" for found in own if found not in described["findings"]]
        lines += image_lines(one)
    return [*lines, *(f"  {path}" for path in described["files"].values())]
