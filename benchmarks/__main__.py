"""``python -m benchmarks [name …]``: print tables; by default all that take less than minutes."""

from __future__ import annotations

import argparse
import platform
from importlib import import_module

TABLES = ("speed", "locations", "forward_fits", "reference_2020", "flares", "goes_law")
#: These take minutes each or need a running server; they run only when named.
LONG_TABLES = (
    "science", "fluxes", "coverage", "throughput", "journal", "take_home", "clients", "pages", "flares_page",
    "image_page", "reconstruction_page", "energy_edges", "error_bars", "flags", "locator", "flare_positions",
    "loss_of_charge", "counts_of_fits", "spectral_fits", "spectral_peers", "spectral_truth",
    "november_spectra", "background_levels", "preview_spectra", "small_flares", "region_spectra",
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("names", nargs="*", choices=[*TABLES, *LONG_TABLES, []], help="tables to print")
    names = parser.parse_args().names or TABLES
    print(f"{platform.python_implementation()} {platform.python_version()} on {platform.machine()}")
    for name in names:
        import_module(f"benchmarks.{name}").run()


if __name__ == "__main__":
    main()
