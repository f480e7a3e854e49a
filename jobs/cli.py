"""The command line ``stix-jobs``: thin commands over the packages, and the only place that reads the clock.

Exit status: 0 done, 1 some inputs failed (each named with its reason), 2 wrong usage.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from archive import Archive, Outcome, OutcomeStatus, Run, RunStatus, ingest
from jobs.products import describe, save_images, save_report
from stixcore.errors import StixError
from stixcore.imaging.reconstruction import Method
from stixcore.recipe import parse_time
from stixcore.reconstruct import ImageRequest, default_methods, prepare_recipe, reconstruct

DONE, SOME_FAILED, WRONG_USAGE = 0, 1, 2
ARCHIVE_VARIABLE = "STIX_ARCHIVE"

log = logging.getLogger("stix-jobs")


def now() -> np.datetime64:
    """The clock, UTC; everything below the command line receives it as an argument."""
    return np.datetime64("now", "us")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    parser = build_parser()
    arguments = parser.parse_args(argv)
    logging.basicConfig(
        level=logging.INFO if arguments.verbose else logging.WARNING,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    command: Callable[[argparse.Namespace], int] = arguments.command
    try:
        return command(arguments)
    except BrokenPipeError:  # "| head" is no fault
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except StixError as error:
        print(f"stix-jobs: {error}", file=sys.stderr)
        return SOME_FAILED
    except KeyboardInterrupt:
        print("stix-jobs: interrupted; run the same command again to go on", file=sys.stderr)
        return 130


def build_parser() -> argparse.ArgumentParser:
    """Commands and options; also read by the documentation."""
    parser = argparse.ArgumentParser(
        prog="stix-jobs",
        description="STIX flare-imaging archive: files in, images out. Times are UTC at Solar Orbiter.",
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="log every step to standard error")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    demo = _command(commands, "demo", _demo, "simulated campaign: files, previews, pages")
    demo.add_argument("--data", type=Path, metavar="FOLDER", help="your own level-1 files instead of simulated ones")
    demo.add_argument("--no-serve", action="store_true", help="stop before the pages")
    demo.add_argument("--port", type=int, default=5006, help="of the pages (default %(default)s)")
    _archive_option(demo)

    ingest = _command(commands, "ingest", _ingest, "validate files, copy them into the archive, index them")
    ingest.add_argument("paths", nargs="*", type=Path, metavar="PATH", help="files, and folders that are searched")
    ingest.add_argument("--incoming", type=Path, metavar="DIR", help="folder whose files are moved in")
    _archive_option(ingest)

    previews = _command(commands, "previews", _previews, "images of every science file that lacks them")
    previews.add_argument("--workers", type=int, default=1, metavar="N", help="processes (default %(default)s)")
    previews.add_argument("--uid", nargs="+", default=[], metavar="UID", help="these science requests only")
    previews.add_argument("--force", action="store_true", help="make them again, and those that failed")
    _archive_option(previews)

    image = _command(commands, "image", _image, "images of one time and energy range of a file")
    image.add_argument("science", type=Path, metavar="SCIENCE.fits", help="L1 pixel data")
    image.add_argument("--background", type=Path, metavar="F", help="background file (default: none is subtracted)")
    image.add_argument("--aux", type=Path, nargs="+", default=[], metavar="F", help="ephemeris/aspect file, or two")
    image.add_argument("--start", type=_time, required=True, metavar="T", help="2022-11-11T11:36:00")
    image.add_argument("--end", type=_time, required=True, metavar="T")
    image.add_argument("--energy", type=float, nargs=2, required=True, metavar=("LO", "HI"), help="keV")
    image.add_argument(
        "--method", nargs="+", choices=list(Method), default=list(Method), metavar="METHOD", help="default: all of them"
    )
    image.add_argument("--shape", type=int, default=129, metavar="N", help="pixels a side (default %(default)s)")
    image.add_argument("--pixel", type=float, default=2.0, metavar="ARCSEC", help="pixel size (default %(default)s)")
    image.add_argument(
        "--location",
        type=float,
        nargs=2,
        metavar=("X", "Y"),
        help="map centre, arcsec (default: found on the full disk)",
    )
    image.add_argument(
        "--ensemble", type=int, default=0, metavar="N", help="add uncertainty maps from N perturbed copies of the data"
    )
    image.add_argument("--seed", type=int, default=0, help="of the perturbations (default %(default)s)")
    image.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for FITS and PNG files")
    image.add_argument("--json", action="store_true", help="print everything about the images as one JSON object")

    reproduce = _command(commands, "reproduce", _reproduce, "run an image's recipe again and compare the pixels")
    reproduce.add_argument("image", type=Path, metavar="IMAGE.fits")
    _archive_option(reproduce)

    query = _command(commands, "query", _query, "ask the index in SQL (read-only)")
    query.add_argument("sql", metavar="SQL", help='e.g. "select uid, method, chi2 from images"')
    query.add_argument("--format", choices=("table", "json", "csv", "parquet"), default="table")
    _archive_option(query)
    return parser


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    function: Callable[[argparse.Namespace], int],
    help_text: str,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=help_text, description=help_text[0].upper() + help_text[1:] + ".")
    parser.set_defaults(command=function)
    return parser


def _archive_option(parser: argparse.ArgumentParser) -> None:
    default = Path(os.environ.get(ARCHIVE_VARIABLE, "stix-archive"))
    parser.add_argument(
        "--archive", type=Path, default=default, metavar="DIR", help=f"default ${ARCHIVE_VARIABLE}, then ./stix-archive"
    )


def _time(text: str) -> np.datetime64:
    try:
        return parse_time(text)
    except StixError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _ingest(arguments: argparse.Namespace) -> int:
    if not arguments.paths and arguments.incoming is None:
        print("stix-jobs ingest: name files or folders, or --incoming DIR", file=sys.stderr)
        return WRONG_USAGE
    outcomes = ingest(Archive(arguments.archive, create=True), arguments.paths, now(), incoming=arguments.incoming)
    counted = Counter(str(outcome.status) for outcome in outcomes)
    refused = _print_refused(outcomes)
    print(", ".join(f"{number} {status}" for status, number in sorted(counted.items())) or "nothing found")
    return SOME_FAILED if refused else DONE


def _print_refused(outcomes: Iterable[Outcome]) -> int:
    refused = [outcome for outcome in outcomes if outcome.status is OutcomeStatus.QUARANTINED]
    for outcome in refused:
        print(f"{outcome.path}: {outcome.reason}", file=sys.stderr)
    return len(refused)


def _previews(arguments: argparse.Namespace) -> int:
    from jobs.previews import make_previews

    with _progress("previews") as show:
        report = make_previews(
            Archive(arguments.archive, create=True),
            now(),
            uids=arguments.uid,
            force=arguments.force,
            workers=arguments.workers,
            progress=show,
        )
    failed = report.having(RunStatus.FAILED)
    print(
        f"{report.considered} files, {len(report.having(RunStatus.DONE))} image sets made, "
        f"{len(report.having(RunStatus.SKIPPED))} bands skipped with a reason, {len(failed)} failed"
    )
    for run in failed:
        print(f"{run.science_name} {run.band}: {run.reason}", file=sys.stderr)
    return SOME_FAILED if failed else DONE


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int, Run], None]]:
    """A bar on a terminal, one line per item otherwise."""
    if not sys.stderr.isatty():
        yield lambda number, total, run: print(
            f"{number}/{total} {run.uid} {run.band} {run.status} {run.reason}".rstrip(), file=sys.stderr
        )
        return
    from tqdm import tqdm

    with tqdm(desc=what, unit="run") as bar:

        def show(number: int, total: int, run: Run) -> None:
            bar.total = total
            bar.set_postfix_str(f"{run.uid} {run.band}", refresh=False)
            bar.update(number - bar.n)

        yield show


def _image(arguments: argparse.Namespace) -> int:
    from jobs.imaging import Locator

    methods = {method: chosen for method, chosen in default_methods().items() if method in arguments.method}
    request = ImageRequest(
        start=arguments.start,
        end=arguments.end,
        energy=(arguments.energy[0], arguments.energy[1]),
        methods=methods,
        location=tuple(arguments.location) if arguments.location else None,
        shape=(arguments.shape, arguments.shape),
        pixel=arguments.pixel,
    )
    recipe = prepare_recipe(request, arguments.science, arguments.background, arguments.aux)
    files = Locator.of(arguments.science, arguments.background, *arguments.aux)
    images = reconstruct(recipe, files, ensemble=arguments.ensemble, seed=arguments.seed)
    saved = save_images(images, arguments.out, now())
    save_report(arguments.out / f"report-{recipe.recipe_id}.png", images, arguments.science)
    described = describe(images, saved)
    if arguments.json:
        print(json.dumps(described, allow_nan=False))
        return DONE
    print(f"recipe {recipe.recipe_id}, flare at ({recipe.location.x:.1f}, {recipe.location.y:.1f}) arcsec")
    for image in described["images"]:
        print(f"  {image['method']:12s} {image['file']}")
    for warning in described["warnings"]:
        print(f"  {warning['severity']}: {warning['text']}")
    return DONE


def _reproduce(arguments: argparse.Namespace) -> int:
    from jobs.reproduce import reproduce

    archive = Archive(arguments.archive) if arguments.archive.is_dir() else None
    comparison = reproduce(arguments.image, archive)
    print(comparison.sentence)
    return DONE if comparison.agrees else SOME_FAILED


def _query(arguments: argparse.Namespace) -> int:
    from jobs.tables import print_table

    print_table(Archive(arguments.archive).query(arguments.sql), arguments.format, sys.stdout)
    return DONE


def _demo(arguments: argparse.Namespace) -> int:
    from jobs.demo import build_demo

    print("simulating a campaign…" if arguments.data is None else f"reading {arguments.data}…", flush=True)
    with _progress("previews") as show:
        outcomes, report = build_demo(arguments.archive, now(), data=arguments.data, progress=show)
    _print_refused(outcomes)
    print(f"{len(report.having(RunStatus.DONE))} new image sets in {arguments.archive}")
    if arguments.no_serve:
        return DONE
    return _serve(arguments.archive, arguments.port)


def _serve(archive: Path, port: int) -> int:
    """Start the pages in a process of their own: jobs must not import dashboards."""
    import subprocess

    command = [sys.executable, "-m", "dashboards", "--port", str(int(port))]
    environment = os.environ | {ARCHIVE_VARIABLE: str(archive.resolve())}
    print(f"pages at http://localhost:{port} (Ctrl-C ends them)", flush=True)
    try:
        return subprocess.run(command, env=environment, check=False).returncode  # noqa: S603 - our own module
    except KeyboardInterrupt:
        return DONE


if __name__ == "__main__":
    sys.exit(main())
