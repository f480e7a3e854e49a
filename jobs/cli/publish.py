"""``stix-jobs publish``."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from archive import Archive
from archive.about import is_address
from jobs.cli.commands import DONE, SOME_FAILED, now
from jobs.shared.errors import BadRequest
from jobs.shared.logs import say, tell
from stixcore.printable import plural

#: Lost files that are named; the others are counted.
_NAMED = 5


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    text = "a new folder, or that of the last publication, which is updated"
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help=text)
    parser.add_argument("--url", default="", metavar="URL", help="address at which the folder will be served")
    period = parser.add_mutually_exclusive_group()
    period.add_argument("--since", type=_month, metavar="MONTH", help="from this month, 2022-11 (default: everything)")
    period.add_argument("--month", type=_month, metavar="MONTH", help="this month only")
    parser.add_argument("--no-fits", action="store_true", help="leave out FITS files of images and spectra")
    parser.add_argument("--inputs", action="store_true", help="also the level-1, quick-look and auxiliary files")
    parser.add_argument("--no-pages", action="store_true", help="leave out the pages")
    parser.add_argument("--copy", action="store_true", help="copy files, also where hard links are possible")


def run_publish(arguments: argparse.Namespace) -> int:
    """Write the public part of the archive into a folder."""
    from archive.publishing.files import Contents
    from archive.publishing.publish import Choice, publish
    from archive.publishing.tables import Period

    url = arguments.url.rstrip("/")
    if url and not is_address(url):
        message = f"--url {url!r} is not an address that begins with https:// or http://"
        raise BadRequest(message)
    contents = Contents(fits=not arguments.no_fits, inputs=arguments.inputs, link=not arguments.copy)
    choice = Choice(Period(arguments.since, arguments.month), contents, not arguments.no_pages, url)
    done = publish(Archive(arguments.archive), arguments.out, now(), choice)
    say(
        f"{arguments.out}: {plural(done.rows['images'], 'image')}, {plural(done.rows['flares'], 'flare')}; "
        f"{plural(done.written, 'file')} written, {done.removed} removed"
    )
    for path in done.absent[:_NAMED]:
        tell(f"stix-jobs: the archive has lost {path}; stix-jobs check says more")
    if len(done.absent) > _NAMED:
        tell(f"stix-jobs: and {plural(len(done.absent) - _NAMED, 'other file')}")
    return SOME_FAILED if done.absent else DONE


def _month(text: str) -> np.datetime64:
    try:
        month: np.datetime64 | None = np.datetime64(text, "M")
    except ValueError:
        month = None
    if month is None or str(month) != text:
        message = f"{text!r} is not a month (example: 2022-11)"
        raise argparse.ArgumentTypeError(message)
    return month
