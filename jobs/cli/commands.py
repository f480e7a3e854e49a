"""The commands of ``stix-jobs``: each reads its arguments, calls one function and prints the result."""

from __future__ import annotations

import argparse
import json
import logging
import os
import secrets
import sys
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import numpy as np

from archive import Archive, Outcome, OutcomeStatus, Run, RunStatus
from archive.calibration import calibration_catalog
from archive.ingest.ingest import ingest
from jobs.cli.imaging_options import imaging_options
from jobs.imaging.products import NamingScheme, describe, save_images, save_report
from jobs.shared.limits import Limits
from jobs.shared.lock import single_instance
from jobs.shared.logs import say, tell
from stixcore.imaging.reconstruction import method_name
from stixcore.imaging.trust import Aspect
from stixcore.options import ImageRequest
from stixcore.pointings import with_solutions
from stixcore.printable import plural, printable
from stixcore.reconstruct import prepare_recipe, reconstruct

log = logging.getLogger(__name__)

DONE, SOME_FAILED, WRONG_USAGE = 0, 1, 2
ARCHIVE_VARIABLE = "STIX_ARCHIVE"
#: Sources of `stix-jobs fetch`.
STIX, SOAR = SOURCES = "stix", "soar"
#: Memory that a query may use, byte: DuckDB's own limit (1 GB), the result (0.5 GB) and printing it.
QUERY_MEMORY = 2 << 30
#: Largest number of processes that make the previews of the demonstration.
DEMO_PROCESSES = 4


def now() -> np.datetime64:
    """Current time, UTC. Everything below the command line receives it as an argument."""
    return np.datetime64("now", "us")


def run_ingest(arguments: argparse.Namespace) -> int:
    """Ingest files."""
    if not arguments.paths and arguments.incoming is None:
        tell("stix-jobs ingest: name files or folders, or --incoming DIR")
        return WRONG_USAGE
    archive = Archive(arguments.archive, create=True)
    with single_instance(archive.root, "ingest", wait_s=_wait(arguments)):
        outcomes = ingest(archive, arguments.paths, now(), incoming=arguments.incoming)
    counted = Counter(str(outcome.status) for outcome in outcomes)
    refused = _print_refused(outcomes)
    named = {Path(path) for path in arguments.paths}
    for outcome in outcomes:  # files named on the command line are reported one by one
        if outcome.path in named and outcome.status is OutcomeStatus.IGNORED:
            tell(str(outcome))
            refused += 1
        elif outcome.path in named and outcome.status is not OutcomeStatus.QUARANTINED:
            say(f"{outcome.path}: {outcome.status}{f' ({outcome.reason})' if outcome.reason else ''}")
        elif outcome.status is OutcomeStatus.IGNORED and outcome.path not in named:
            log.info("%s", outcome)
    say(", ".join(f"{number} {status}" for status, number in sorted(counted.items())) or _nothing_in(arguments.paths))
    for reason, number in sorted(_reasons(outcomes, named).items()):
        say(f"  {number} ignored: {reason}")
    return SOME_FAILED if refused else DONE


def _nothing_in(paths: Iterable[Path]) -> str:
    names = ", ".join(printable(path) for path in paths)
    return f"nothing found{f' in {names}' if names else ''}"


def _reasons(outcomes: Iterable[Outcome], named: Container[Path]) -> Counter[str]:
    """Number of files in folders that were ignored, by reason without the file name."""
    ignored = (one for one in outcomes if one.status is OutcomeStatus.IGNORED and one.path not in named)
    return Counter(one.reason.removeprefix(f"{one.path.name}: ") for one in ignored)


def _wait(arguments: argparse.Namespace) -> float:
    """Seconds to wait when the same command is already running; none for cron."""
    return 0.0 if arguments.no_wait else float("inf")


def _print_refused(outcomes: Iterable[Outcome]) -> int:
    refused = [outcome for outcome in outcomes if outcome.status is OutcomeStatus.QUARANTINED]
    for outcome in refused:
        tell(str(outcome))
    return len(refused)


def run_flares(arguments: argparse.Namespace) -> int:
    """Detect flares."""
    from jobs.flares.detect import detect_flares
    from jobs.flares.refresh import refresh_flares

    archive = Archive(arguments.archive, create=True)
    with single_instance(archive.root, "flares", wait_s=_wait(arguments)):
        report = detect_flares(archive, arguments.start, arguments.end, now())
        refresh_flares(archive, now(), start=arguments.start, end=arguments.end)
    say(
        f"{plural(len(report.detected), 'flare')} on {plural(report.days, 'day')} with light curves; "
        f"{plural(len(report.written), 'row')} written, {len(report.removed)} removed"
    )
    for flare_id in report.clashes:
        tell(f"simulated flare {flare_id} left out: a real flare has that id", logging.WARNING)
    return DONE


def run_import_flares(arguments: argparse.Namespace) -> int:
    """Import a flare list."""
    from jobs.cli.repair import keep_flare_list
    from jobs.flares.lists import import_flares
    from jobs.flares.refresh import refresh_flares

    archive = Archive(arguments.archive, create=True)
    begun = now()
    report = import_flares(archive, arguments.csv, begun)
    keep_flare_list(archive, arguments.csv)
    refresh_flares(archive, now(), changed_since=begun)
    flares = plural(report.lines, "flare")
    say(f"{flares} in {report.source}: {len(report.written)} written, {len(report.unchanged)} known")
    if report.merged:
        say(f"  {plural(len(report.merged), 'flare')} with another id than the flare list has")
    for line in report.bad:
        tell(f"{arguments.csv.name}: {line}")
    return SOME_FAILED if report.bad else DONE


def run_import_goes(arguments: argparse.Namespace) -> int:
    """Import GOES/XRS files."""
    from jobs.flares.goes_files import import_goes
    from jobs.flares.refresh import refresh_flares

    archive = Archive(arguments.archive, create=True)
    report = import_goes(archive, arguments.files)
    if report.start is not None and report.end is not None:
        # the light time to the Earth is below 20 minutes
        hour = np.timedelta64(1, "h")
        refresh_flares(archive, now(), start=report.start - hour, end=report.end + hour)
    when = f" from {report.start} to {report.end}" if report.start is not None else ""
    say(f"{plural(report.files, 'GOES file')}{when}: {plural(report.minutes, 'minute')} new")
    for sentence in report.bad:
        tell(sentence)
    return SOME_FAILED if report.bad else DONE


def run_previews(arguments: argparse.Namespace) -> int:
    """Make missing and stale previews."""
    from jobs.executors.make import make_executor
    from jobs.flares.refresh import refresh_flares
    from jobs.previews.run import make_previews
    from jobs.previews.settings import configured_copies, configured_cube

    archive, begun = Archive(arguments.archive, create=True), now()
    cube = configured_cube(archive.root, arguments.cube)
    copies = configured_copies(archive.root, arguments.ensemble)
    with (
        single_instance(archive.root, "previews", wait_s=_wait(arguments)),
        make_executor(arguments.workers, arguments.scheduler) as executor,
        _progress("previews") as show,
    ):
        report = make_previews(
            archive,
            begun,
            uids=arguments.uid,
            force=arguments.force,
            executor=executor,
            cube=cube,
            copies=copies,
            progress=show,
        )
        refresh_flares(archive, now(), changed_since=begun)
    failed = report.having(RunStatus.FAILED)
    if report.discarded:
        say(f"{len(report.discarded)} image sets and skips discarded: their inputs have changed")
    say(
        f"{plural(report.considered, 'file')}, {plural(len(report.having(RunStatus.DONE)), 'image set')} made, "
        f"{plural(len(report.having(RunStatus.SKIPPED)), 'band')} skipped with a reason, {len(failed)} failed"
    )
    made = [cube for cube in report.cubes if cube.sets]
    if made:
        say(f"{plural(len(made), 'cube')} with {plural(sum(len(cube.sets) for cube in made), 'image set')} made")
    if report.spectra:
        unfitted = sum(bool(row.no_fit) for row in report.spectra)
        say(f"{spectra_of(len(report.spectra))} made" + (f", {unfitted} without a fit" if unfitted else ""))
    for run in failed:
        tell(f"{run.science_name} {run.band}: {run.reason}")
    return SOME_FAILED if failed else DONE


def spectra_of(number: int) -> str:
    """``1 spectrum``, ``7 spectra``."""
    return f"{number} {'spectrum' if number == 1 else 'spectra'}"


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int, Run], None]]:
    """Show a progress bar on a terminal, and one line per run otherwise."""
    if not sys.stderr.isatty():
        yield lambda number, total, run: tell(
            f"{number}/{total} {run.uid} {run.band} {run.status} {run.reason}".rstrip(), logging.INFO
        )
        return
    from tqdm import tqdm

    tqdm.monitor_interval = 0  # otherwise a monitoring thread outlives the bar
    with tqdm(desc=what, unit="run") as bar:

        def show(number: int, total: int, run: Run) -> None:
            bar.total = total
            bar.set_postfix_str(f"{run.uid} {run.band}", refresh=False)
            bar.update(number - bar.n)

        yield show


def run_image(arguments: argparse.Namespace) -> int:
    """Image one time and energy range of a file."""
    from jobs.imaging.task import Locator

    options = imaging_options(arguments)
    limits = Limits()  # the same as for requests, checked before anything is written
    limits.check_map(options.shape, options.pixel, options.location)
    limits.check_ensemble(options.ensemble)
    request = ImageRequest(
        start=arguments.start,
        end=arguments.end,
        energy=(arguments.energy[0], arguments.energy[1]),
        **options.options,
        background_range=tuple(arguments.background_range) if arguments.background_range else None,
    )
    catalog = calibration_catalog(arguments.archive.expanduser().resolve())  # the shipped one if there is no archive
    recipe = prepare_recipe(request, arguments.science, arguments.background, arguments.aux, catalog=catalog)
    files = Locator.of(arguments.science, arguments.background, *arguments.aux)
    images = with_solutions(reconstruct(recipe, files, catalog=catalog), arguments.aux)
    saved = save_images(images, arguments.out, now(), naming=NamingScheme(arguments.names))
    save_report(arguments.out / f"report-{recipe.recipe_id}.png", images, arguments.science)
    described = describe(images, saved)
    if arguments.json:
        say(json.dumps(described, allow_nan=False))
        return DONE
    say(f"recipe {recipe.recipe_id}, flare at ({recipe.location.x:.1f}, {recipe.location.y:.1f}) arcsec")
    for image in described["images"]:
        doubted = [str(aspect) for aspect in Aspect if image["verdict"][aspect] == "doubtful"]
        verdict = f"doubtful: {', '.join(doubted)}" if doubted else "trusted"
        peak = f"peak ({image['peak_hpc_x']:.1f}, {image['peak_hpc_y']:.1f}) arcsec"
        say(f"  {method_name(image['method']):26s} {peak}, {verdict}", f"{'':15s}{image['file']}")
    for warning in described["warnings"]:
        say(f"  {warning['severity']}: {warning['text']}")
    return DONE


def run_reproduce(arguments: argparse.Namespace) -> int:
    """Make an image again and compare the pixels."""
    from jobs.imaging.reproduce import reproduce

    path = Path(arguments.image)
    if path.suffix or path.exists():
        archive = Archive(arguments.archive) if arguments.archive.is_dir() else None
    else:  # an image id
        archive = Archive(arguments.archive)
        path = archive.path_of(archive.image(arguments.image).file)
    comparison = reproduce(path, archive)
    say(comparison.sentence)
    return DONE if comparison.agrees else SOME_FAILED


def run_worker(arguments: argparse.Namespace) -> int:
    """Run requests until stopped."""
    from jobs.flares.refresh import refresh_after_images
    from jobs.queue.worker import run_worker as work
    from jobs.renderings.planner import RequestPlanner

    archive = Archive(arguments.archive, create=True)
    ended = work(
        archive.root,
        RequestPlanner(),
        now,
        workers=arguments.workers,
        scheduler=arguments.scheduler,
        until_idle=arguments.once,
        refresh=refresh_after_images,
    )
    say(f"{plural(ended, 'request')} ended")
    return DONE


def run_query(arguments: argparse.Namespace) -> int:
    """Query the index, with limits on memory so that a wrong join cannot exhaust the machine."""
    from jobs.cli.tables import columns_of, print_table
    from jobs.executors.memory import limited_memory

    archive = Archive(arguments.archive)
    try:
        with limited_memory(QUERY_MEMORY):
            rows = archive.query(arguments.sql, time_limit_s=arguments.time_limit)
            print_table(rows, arguments.format, sys.stdout, columns_of(arguments.sql))
    except MemoryError:
        tell(f"stix-jobs query: this takes more than {QUERY_MEMORY >> 30} GiB of memory")
        return SOME_FAILED
    return DONE


def run_check(arguments: argparse.Namespace) -> int:
    """Check the archive, and repair it if requested."""
    from archive.checks.findings import is_sound, keep_findings
    from archive.checks.run import check
    from jobs.cli.repair import Remaker, SpectrumRemaker, lost_flares, restore_flares

    # a repair also restores a lost index folder
    archive = Archive(arguments.archive, create=arguments.repair and (arguments.archive / "fits").is_dir())
    remake, remeasure = (Remaker(archive), SpectrumRemaker(archive)) if arguments.repair else (None, None)
    findings = check(
        archive, now(), repair=arguments.repair, deep=not arguments.quick, remake=remake, remeasure=remeasure
    )
    if arguments.repair and lost_flares(archive, findings):
        restore_flares(archive, now())
    try:
        keep_findings(archive.root, findings, now())
    except OSError as error:  # a read-only archive can still be checked
        log.warning("what was found cannot be kept for the pages: %s", error)
    if arguments.json:
        say(json.dumps([asdict(finding) for finding in findings]))
    else:
        for finding in findings:
            suffix = " (repaired)" if finding.repaired else ""
            say(f"{finding.level} {finding.code} {finding.file}: {finding.message}{suffix}")
        counted = Counter(str(finding.level) for finding in findings)
        say(", ".join(f"{number} {level}" for level, number in sorted(counted.items())) or "no problems")
    return DONE if is_sound(findings) else SOME_FAILED


def run_doctor(arguments: argparse.Namespace) -> int:
    """Examine the installation."""
    from jobs.cli.doctor import examine, is_well

    answers = examine(arguments.archive, now(), pages=arguments.pages)
    if arguments.json:
        say(json.dumps([asdict(answer) for answer in answers]))
    else:
        width = max(len(answer.subject) for answer in answers)
        for answer in answers:
            say(f"{answer.verdict:5s}  {answer.subject:{width}s}  {answer.text}")
            if answer.remedy:
                say(f"{'':{width + 9}s}→ {answer.remedy}")
    return DONE if is_well(answers) else SOME_FAILED


def run_fetch(arguments: argparse.Namespace) -> int:
    """Download new files and ingest them."""
    from jobs.fetch import client, soar
    from jobs.fetch.client import FetchStatus

    archive = Archive(arguments.archive, create=True)
    find = {STIX: client.search, SOAR: soar.search}[arguments.source]
    report = client.fetch(archive, arguments.start, arguments.end, now(), base_url=arguments.base_url, find=find)
    failed = report.having(FetchStatus.FAILED)
    for file in (*failed, *report.having(FetchStatus.REFUSED)):
        tell(f"{file.name}: {file.reason}")
    refused = _print_refused(report.ingested)
    say(
        f"{len(report.files)} files on the server, {len(report.having(FetchStatus.FETCHED))} fetched, "
        f"{len(report.having(FetchStatus.KNOWN))} known, {len(failed)} failed"
    )
    return SOME_FAILED if failed or refused else DONE


def run_context(arguments: argparse.Namespace) -> int:
    """Bring context maps of flares, from servers that the operator has configured."""
    from jobs.fetch.context import ContextSettings, MapStatus, bring_context

    archive = Archive(arguments.archive)
    settings = ContextSettings.of(archive.root, arguments.base_url)
    if not settings.instruments:
        say(
            "no server of context maps is configured, so nothing is fetched: "
            "set aia_url or eui_url in the section [context] of config.toml, or give --base-url"
        )
        return DONE
    with single_instance(archive.root, "context"):
        results = bring_context(archive, settings, arguments.start, arguments.end)
    for result in results:
        if result.status in (MapStatus.FAILED, MapStatus.MISSING):
            tell(f"{result.flare_id} {result.instrument}: {result.reason}")
    counted = Counter(result.status for result in results)
    say(
        f"{plural(counted[MapStatus.BROUGHT], 'map')} brought, {counted[MapStatus.KNOWN]} known, "
        f"{counted[MapStatus.MISSING]} not on the server, {counted[MapStatus.FAILED]} failed"
    )
    return SOME_FAILED if counted[MapStatus.FAILED] else DONE


def run_demo(arguments: argparse.Namespace) -> int:
    """Fill an archive with demonstration data, and serve it with a worker until Ctrl-C."""
    from jobs.cli.demo import build_demo
    from jobs.cli.demo_extras import set_accounts, submit_examples
    from jobs.cli.demo_service import answers, commands_of, require_free_port, serve
    from jobs.executors.make import make_executor
    from jobs.queue.worker import run_worker as work
    from jobs.renderings.planner import RequestPlanner

    if not arguments.no_serve:
        require_free_port(arguments.port)
    say("simulating a campaign…" if arguments.data is None else f"reading {arguments.data}…")
    with make_executor(min(DEMO_PROCESSES, os.cpu_count() or 1), None) as executor, _progress("previews") as show:
        outcomes, report = build_demo(arguments.archive, now(), data=arguments.data, executor=executor, progress=show)
    _print_refused(outcomes)
    made = f"{len(report.having(RunStatus.DONE))} new image sets and {spectra_of(len(report.spectra))}"
    say(f"{made} in {arguments.archive}")
    archive = Archive(arguments.archive)
    accounts = set_accounts(archive, now(), lambda: secrets.token_urlsafe(9))
    if arguments.data is None:  # nothing simulated is added to real files
        submit_examples(archive, now())
    if arguments.no_serve:
        work(archive.root, RequestPlanner(), now, until_idle=True)
        return DONE

    def announce() -> None:
        lines = [f"pages at http://localhost:{arguments.port} (Ctrl-C ends pages and worker)"]
        lines += [f"  sign in as {account.name:13s}  password {account.password}" for account in accounts]
        say(*lines)

    say("starting the pages…")
    commands = commands_of(archive.root, arguments.port)
    return DONE if serve(commands, tell, lambda: answers(arguments.port), announce) else SOME_FAILED
