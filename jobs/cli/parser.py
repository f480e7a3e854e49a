"""The command line ``stix-jobs``: names, options and exit status. `jobs.cli.commands` does the work.

Exit status: 0 done, 1 some inputs failed (each named with its reason), 2 wrong usage.
"""

from __future__ import annotations

import argparse
import logging
import os
import sqlite3
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

import numpy as np

from jobs.cli import (
    calibration,
    commands,
    component_images,
    deposit,
    electron_maps,
    notices,
    publish,
    regions,
    spectrum,
    users,
    validation,
)
from jobs.cli.imaging_options import add_imaging_options
from jobs.cli.repeated import AddUp
from jobs.imaging.products import NamingScheme
from jobs.queue.journal_file import FILE_NAME as JOURNAL_FILE
from jobs.shared import logs
from jobs.shared.lock import AlreadyRunning
from stixcore.errors import StixError
from stixcore.printable import printable
from stixcore.software import software_version
from stixcore.times import parse_time

INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    arguments = build_parser().parse_args(argv)
    logs.configure(verbose=arguments.verbose, as_json=arguments.log_json, command=arguments.name)
    command: Callable[[argparse.Namespace], int] = arguments.command
    try:
        return command(arguments)
    except BrokenPipeError:  # not an error: the reader, such as `head`, has ended
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return commands.DONE
    except AlreadyRunning as other:  # the other process does the same work
        logging.getLogger("stix-jobs").info("%s", other)
        return commands.DONE
    except (StixError, OSError) as error:
        logs.tell(f"stix-jobs: {error}", lines=isinstance(error, StixError) and error.lines)
        return commands.SOME_FAILED
    except sqlite3.Error as error:
        logs.tell(f"stix-jobs: {arguments.archive / JOURNAL_FILE} cannot be used: {error}")
        return commands.SOME_FAILED
    except KeyboardInterrupt:
        logs.tell("stix-jobs: interrupted; run the same command again to go on")
        return INTERRUPTED


_FORMATS = ("table", "json", "csv", "ecsv", "votable", "fits", "parquet")


class _Parser(argparse.ArgumentParser):
    """A parser that escapes unprintable characters in error messages."""

    def error(self, message: str) -> NoReturn:
        """See `argparse.ArgumentParser.error`."""
        super().error(printable(message))


def build_parser() -> argparse.ArgumentParser:
    """Parser of all commands and options; the documentation is also made from it."""
    parser = _Parser(
        prog="stix-jobs",
        description="STIX flare-imaging archive: files in, images out. Times are UTC at Solar Orbiter.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {software_version()}")
    parser.add_argument("-v", "--verbose", action="store_true", help="log every step to standard error")
    parser.add_argument("--log-json", action="store_true", help="log as one JSON object a line")
    subparsers = parser.add_subparsers(title="commands", required=True, metavar="COMMAND", dest="name")

    def add(name: str, function: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        made = subparsers.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        made.set_defaults(command=function)
        return made

    demo = add("demo", commands.run_demo, "simulated campaign: files, previews, pages")
    demo.add_argument("--data", type=Path, metavar="FOLDER", help="your own level-1 files instead of simulated ones")
    demo.add_argument("--no-serve", action="store_true", help="stop before the pages")
    demo.add_argument("--port", type=int, default=5006, help="of the pages (default %(default)s)")

    ingest = add("ingest", commands.run_ingest, "validate files, copy them into the archive, index them")
    ingest.add_argument("paths", nargs="*", type=Path, metavar="PATH", help="files, and folders that are searched")
    ingest.add_argument("--incoming", type=Path, metavar="DIR", help="folder whose files are moved in")

    flares = add("flares", commands.run_flares, "detect flares in the quick-look light curves")
    flares.add_argument("--start", type=_time, metavar="T", help="peaks from here (default: everything)")
    flares.add_argument("--end", type=_time, metavar="T")

    _add_import_commands(add)

    previews = add("previews", commands.run_previews, "images of every science file that lacks them")
    _add_preview_options(previews)
    _add_image_commands(add)

    _add_spectrum_commands(add)

    reproduce = add("reproduce", commands.run_reproduce, "run an image's recipe again and compare the pixels")
    reproduce.add_argument("image", metavar="IMAGE", help="a FITS file, or the id of an image of the archive")

    _add_outgoing(add)

    worker = add("worker", commands.run_worker, "work on the requests people submit, until told to stop")
    worker.add_argument("--once", action="store_true", help="leave when nothing waits")

    tables = add("calibration", calibration.run_calibration, "energy tables and CAL files")
    calibration.add_options(tables)
    _add_archive_option(tables)

    query = add("query", commands.run_query, "ask the index in SQL (read-only)")
    query.add_argument(
        "sql",
        metavar="SQL",
        help='"show tables", "describe images", or e.g. '
        '"select uid, e_low, e_high, method, peak_hpc_x, chi2, trusted from images"',
    )
    query.add_argument("--format", choices=_FORMATS, default="table", help="default %(default)s")
    query.add_argument("--time-limit", type=float, default=60.0, metavar="S", help="seconds (default %(default)g)")

    check = add("check", commands.run_check, "compare files, rows and pictures; tell what is wrong")
    _add_check_options(check)

    doctor = add(
        "doctor", commands.run_doctor, "examine the installation: versions, access, index, worker, disk, pages"
    )
    _add_doctor_options(doctor)

    _add_fetch_commands(add)

    notify = add("notify", notices.run_notify, "report new flares and failures to webhooks and by e-mail")
    notices.add_options(notify, _time)

    user = add("user", users.run_user, "who may sign in: add, remove and list users, passwords, tokens")
    users.add_options(user)

    for each in (demo, ingest, flares, previews, reproduce, worker, query, check, doctor, notify, user):
        _add_archive_option(each)
    for each in (previews, worker):
        each.add_argument("--workers", type=int, default=1, metavar="N", help="processes (default %(default)s)")
        each.add_argument("--scheduler", metavar="ADDR", help="Dask scheduler instead, tcp://host:8786")
    for each in (ingest, flares, previews):
        each.add_argument("--no-wait", action="store_true", help="exit quietly if the same command is running")
    return parser


def _add_outgoing(add: Callable[..., argparse.ArgumentParser]) -> None:
    package = add("deposit", deposit.run_deposit, "pack an image set for upload to a repository (RO-Crate)")
    deposit.add_options(package)
    site = add("publish", publish.run_publish, "write index, images and pages as files that any web server can serve")
    publish.add_options(site)
    for each in (package, site):
        _add_archive_option(each)


def _add_spectrum_commands(add: Callable[..., argparse.ArgumentParser]) -> None:
    spectra = add("spectrum", spectrum.run_spectrum, "count spectrum, response and fit of one time range of a file")
    spectrum.add_options(spectra, _time)

    parts = add("regions", regions.run_regions, "spectra of the regions of an image, channel by channel, with fits")
    regions.add_options(parts, _time)

    text = "images of the components of a spectrum: hot plasma, electrons"
    sources = add("component-images", component_images.run_component_images, text)
    component_images.add_options(sources, _time)

    electrons = add("electron-maps", electron_maps.run_electron_maps, "maps of the electron flux at some energies")
    electron_maps.add_options(electrons, _time)

    for each in (spectra, parts, sources, electrons):
        _add_archive_option(each)  # for its calibration


def _add_preview_options(previews: argparse.ArgumentParser) -> None:
    previews.add_argument(
        "--uid", nargs="+", action=AddUp, default=[], metavar="UID", help="these science requests only"
    )
    previews.add_argument("--force", action="store_true", help="make them again, and those that failed")
    previews.add_argument(
        "--ensemble",
        type=int,
        metavar="N",
        help="uncertainty maps and errors of all methods from N simulated copies (default: as configured, else none)",
    )
    previews.add_argument(
        "--cube",
        action=argparse.BooleanOptionalAction,
        help="also images in time steps and energy bands, tracks and a movie of every flare (default: as configured, "
        "else yes)",
    )


def _add_archive_option(parser: argparse.ArgumentParser) -> None:
    default = Path(os.environ.get(commands.ARCHIVE_VARIABLE, "stix-archive"))
    text = f"default ${commands.ARCHIVE_VARIABLE}, then ./stix-archive"
    parser.add_argument("--archive", type=Path, default=default, metavar="DIR", help=text)


def _add_fetch_commands(add: Callable[..., argparse.ArgumentParser]) -> None:
    fetch = add("fetch", commands.run_fetch, "download new level-1, quick-look and auxiliary files")
    fetch.add_argument("--start", type=_time, required=True, metavar="T")
    fetch.add_argument("--end", type=_time, required=True, metavar="T")
    fetch.add_argument(
        "--source",
        choices=commands.SOURCES,
        default=commands.SOURCES[0],
        help="stix: the STIX data archive (default); soar: the Solar Orbiter Archive",
    )
    text = "of stix: folder with L1 and ANC (default: stixpy's); of soar: server with the folder soar-sl-tap"
    fetch.add_argument("--base-url", default="", metavar="URL", help=text)
    context = add("context", commands.run_context, "bring maps of AIA and EUI near flares, for overlays")
    context.add_argument("--start", type=_time, metavar="T", help="flares with peaks from here (default: all flares)")
    context.add_argument("--end", type=_time, metavar="T")
    text = "server with the folders aia/synoptic and soar-sl-tap (default: those of config.toml)"
    context.add_argument("--base-url", default="", metavar="URL", help=text)
    for each in (fetch, context):
        _add_archive_option(each)


def _add_import_commands(add: Callable[..., argparse.ArgumentParser]) -> None:
    imported = add("import-flares", commands.run_import_flares, "take an existing flare list")
    imported.add_argument("csv", type=Path, metavar="LIST", help="a CSV file, or a level-3 list (FITS)")
    goes = add("import-goes", commands.run_import_goes, "take GOES/XRS files, for the measured class of flares")
    for each in (imported, goes):
        _add_archive_option(each)
    goes.add_argument("files", nargs="+", type=Path, metavar="FILE", help="NetCDF files of NOAA, and folders of them")


def _add_check_options(check: argparse.ArgumentParser) -> None:
    check.add_argument("--repair", action="store_true", help="repair it from what is on disk")
    check.add_argument("--quick", action="store_true", help="names and sizes only, no file is read")
    check.add_argument("--json", action="store_true", help="print the findings as one JSON array")


def _add_doctor_options(doctor: argparse.ArgumentParser) -> None:
    doctor.add_argument(
        "--pages", default="http://127.0.0.1:5006", metavar="URL", help="default %(default)s; '' to leave them out"
    )
    doctor.add_argument("--json", action="store_true", help="print the answers as one JSON array")


def _add_image_commands(add: Callable[..., argparse.ArgumentParser]) -> None:
    _add_image_options(add("image", commands.run_image, "images of one time and energy range of a file"))
    text = "check anybody's STIX maps against the metadata standard of Solar Orbiter"
    validation.add_options(add("validate", validation.run_validate, text))


def _add_image_options(image: argparse.ArgumentParser) -> None:
    _add_archive_option(image)  # for its calibration
    image.add_argument("science", type=Path, metavar="SCIENCE.fits", help="L1 pixel data")
    image.add_argument("--background", type=Path, metavar="F", help="background file (default: none is subtracted)")
    image.add_argument(
        "--background-range",
        type=_time,
        nargs=2,
        metavar="T",
        help="use this part of the background file; the science file may then be its own background",
    )
    image.add_argument(
        "--aux", type=Path, nargs="+", action=AddUp, default=[], metavar="F", help="ephemeris/aspect file, or two"
    )
    image.add_argument("--start", type=_time, required=True, metavar="T", help="2022-11-11T11:36:00")
    image.add_argument("--end", type=_time, required=True, metavar="T")
    image.add_argument("--energy", type=float, nargs=2, required=True, metavar=("LO", "HI"), help="keV")
    add_imaging_options(image)
    image.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for FITS and PNG files")
    text = "names of the files: archive (default), or solo: solo_L3_stix-img-…, as the mission's metadata standard"
    image.add_argument("--names", choices=tuple(map(str, NamingScheme)), default=str(NamingScheme.ARCHIVE), help=text)
    image.add_argument("--json", action="store_true", help="print everything about the images as one JSON object")


def _time(text: str) -> np.datetime64:
    try:
        return parse_time(text)
    except StixError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
