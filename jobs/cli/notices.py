"""``stix-jobs notify``."""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np

from archive import Archive
from jobs.cli.commands import DONE, SOME_FAILED, now
from jobs.shared.lock import single_instance
from jobs.shared.logs import say, tell
from stixcore.printable import plural


def add_options(parser: argparse.ArgumentParser, time: Callable[[str], np.datetime64]) -> None:
    """Add the options of the command."""
    text = "on the first run, report what was added or changed since then (default: start from now)"
    parser.add_argument("--since", type=time, metavar="T", help=text)
    parser.add_argument("--retry", action="store_true", help="also send what was given up")
    parser.add_argument("--no-wait", action="store_true", help="exit quietly if the same command is running")


def run_notify(arguments: argparse.Namespace) -> int:
    """Report new flares, changes and failures to the receivers that the operator has configured."""
    from jobs.notices.journal import NoticeJournal
    from jobs.notices.run import notify
    from jobs.notices.settings import NoticeSettings

    archive = Archive(arguments.archive)
    settings, journal = NoticeSettings.of(archive.root), NoticeJournal(archive.root)
    if not settings.receivers and journal.last_pass is None:
        say("no receivers are configured: add [[webhook]] or [[mail]] to config.toml")
        return DONE
    with single_instance(archive.root, "notify", wait_s=0.0 if arguments.no_wait else float("inf")):
        if arguments.retry:
            journal.try_again(now())
        result = notify(archive, settings, now, since=arguments.since)
    for problem in result.problems:
        tell(problem)
    sent = f"{result.sent} sent, {result.put_off} put off, {result.given_up} given up"
    say(f"{plural(result.events, 'new event')}; {sent}")
    return SOME_FAILED if result.given_up or result.problems else DONE
