"""Options that the commands for spectra, regions and component images share: input files, time range, output folder."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np

from jobs.cli.repeated import AddUp
from jobs.shared.errors import BadRequest


def add_files_and_times(parser: argparse.ArgumentParser, time: Callable[[str], np.datetime64], science: str) -> None:
    """Add input files and time range; ``time`` reads a time, ``science`` says what the science file is."""
    parser.add_argument("science", type=Path, metavar="SCIENCE.fits", help=science)
    parser.add_argument("--background", type=Path, metavar="F", help="background file (default: none is subtracted)")
    parser.add_argument(
        "--background-range", type=time, nargs=2, metavar="T", help="use this part of the background file"
    )
    parser.add_argument(
        "--aux", type=Path, nargs="+", action=AddUp, default=[], metavar="F", help="ephemeris/aspect file, or two"
    )
    parser.add_argument("--start", type=time, required=True, metavar="T", help="2022-11-11T11:36:00")
    parser.add_argument("--end", type=time, required=True, metavar="T")


def require_folder(out: Path) -> None:
    """Check ``--out`` before anything is measured.

    Raises
    ------
    BadRequest
        When it is a file.
    """
    if out.exists() and not out.is_dir():
        message = f"--out: {out} is a file; name a folder"
        raise BadRequest(message)
