"""``python -m benchmarks [name …]``: print the tables; without a name all but those that take minutes."""

from __future__ import annotations

import argparse
import platform
from importlib import import_module

TABLES = ("speed", "locations", "forward_fits", "reference_2020", "flares")
#: Minutes each, or in want of a running server; only when named.
LONG_TABLES = (
    "science", "fluxes", "coverage", "throughput", "journal", "take_home", "pages", "image_page",
    "reconstruction_page", "energy_edges", "flags",
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("names", nargs="*", choices=[*TABLES, *LONG_TABLES, []], help="which tables")
    names = parser.parse_args().names or TABLES
    print(f"{platform.python_implementation()} {platform.python_version()} on {platform.machine()}")
    for name in names:
        import_module(f"benchmarks.{name}").run()


if __name__ == "__main__":
    main()
