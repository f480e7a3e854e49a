"""Check an installation: everything an operator would check, with advice on problems.

Nothing is changed, except for a hidden file in each folder that is removed at once. `archive.checks.run` checks the
files of an archive; this module checks the programs and the machine around them.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from time import perf_counter
from urllib.request import urlopen

import numpy as np
from packaging.requirements import Requirement

from archive import TABLES, Archive
from archive.accounts import Accounts, Role, Sessions, web_secrets
from archive.accounts.sessions import ENDED_FILE, SECRETS_FILE
from archive.accounts.store import USERS_FILE
from archive.checks.findings import Level, last_findings
from archive.chianti import chianti_files, names_present_table, require_unchanged
from archive.errors import IndexDamaged
from archive.goes import goes_curve, goes_months
from archive.index.schema import FLARES, RunKind, select_files
from archive.index.sql import select
from jobs.cli.lock_probe import locks_hold
from jobs.notices.journal import DeliveryState, NoticeJournal
from jobs.notices.settings import NoticeSettings
from jobs.queue.journal import Journal, RequestState
from jobs.queue.journal_file import FILE_NAME as JOURNAL_FILE
from stixcore.errors import StixError
from stixcore.imaging.registry import plug_ins
from stixcore.printable import plural
from stixcore.software import CREATOR, software_version
from stixcore.spectra.models.thermal import built_in_table

#: Default address of ``python -m dashboards``.
PAGES_URL = "http://127.0.0.1:5006"
#: Least free disk space, in bytes and as a fraction; the fraction also applies to inodes.
LEAST_FREE, LEAST_SHARE = 5e9, 0.02
#: A file in ``incoming`` that is older than this is reported.
LONGEST_WAIT = np.timedelta64(15, "m")
#: A pipeline that has not run for longer than this is assumed to be run by hand.
LONGEST_IDLE = np.timedelta64(1, "D")
#: A new check is due after this time.
LONGEST_UNCHECKED = np.timedelta64(15, "D")
#: Allowed difference between the disk's clock (perhaps of a file server) and that of this machine.
CLOCK_TOLERANCE = np.timedelta64(5, "s")
#: A flare is covered by GOES files when they have a minute this near to its peak.
_NEAR_PEAK = np.timedelta64(5, "m")
#: Months without GOES files that are named.
_NAMED_MONTHS = 6
#: Files that only their owner may read.
SECRETS = (USERS_FILE, SECRETS_FILE, ENDED_FILE)
#: Commands of the pipeline. The modification time of the lock file of each is when it last ran.
PIPELINE = ("ingest", "flares", "previews")


class Verdict(StrEnum):
    """Result of a check."""

    GOOD = "good"
    NOTE = "note"  # worth knowing; nothing to do, or nothing urgent
    WRONG = "wrong"


@dataclass(frozen=True)
class Answer:
    """Result of one check: its subject, verdict, a sentence, and advice (empty when none is needed)."""

    subject: str
    verdict: Verdict
    text: str
    remedy: str = ""


def examine(root: Path, now: np.datetime64, *, pages: str = PAGES_URL) -> tuple[Answer, ...]:
    """Run all checks.

    Parameters
    ----------
    root : Path
        Folder of the archive.
    now : datetime64
        Current time, UTC, by this machine's clock.
    pages : str
        Address of the pages; when empty, they are not checked.
    """
    answers = list(_software())
    try:
        archive = Archive(root)
    except (StixError, OSError) as error:  # without an archive there is nothing else to check
        remedy = "name it with --archive or $STIX_ARCHIVE"
        return (*answers, Answer("archive", Verdict.WRONG, str(error), remedy))
    answers.append(Answer("archive", Verdict.GOOD, str(archive.root)))
    with closing(archive):
        return (*answers, *_look_at(archive, now, pages))


def _look_at(archive: Archive, now: np.datetime64, pages: str) -> list[Answer]:
    root = archive.root
    looks: list[tuple[str, Callable[[], Iterator[Answer]]]] = [
        ("write access", lambda: _write_access(root)),
        ("locks", lambda: _locks(root)),
        ("disk", lambda: _disk(root)),
        ("clock", lambda: _clock(archive, now)),
        ("secrets", lambda: _secrets(root)),
        ("accounts", lambda: _accounts(root)),
        ("index", lambda: _index(archive, now)),
        ("energy tables", lambda: _energy_tables(archive, now)),
        ("thermal table", lambda: _thermal_table(archive)),
        ("GOES", lambda: _goes(archive)),
        ("pipeline", lambda: _pipeline(root, now)),
        ("worker", lambda: _worker(root, now)),
        ("notices", lambda: _notices(root, now)),
        ("check", lambda: _check(root, now)),
        ("pages", lambda: _pages(pages)),
    ]
    answers: list[Answer] = []
    for subject, look in looks:
        try:
            answers += look()
        except (StixError, OSError, ValueError) as error:  # what cannot be checked is reported as a problem
            answers.append(Answer(subject, Verdict.WRONG, str(error)))
        except sqlite3.Error as error:
            text = f"{JOURNAL_FILE} cannot be read: {error}"
            answers.append(Answer(subject, Verdict.WRONG, text, "restore it from a backup"))
    return answers


def is_well(answers: Sequence[Answer]) -> bool:
    """Whether no check found a problem."""
    return all(answer.verdict is not Verdict.WRONG for answer in answers)


def _software() -> Iterator[Answer]:
    missing = missing_packages()
    if missing:
        text = f"packages that this software needs are not installed: {', '.join(missing)}"
        yield Answer("software", Verdict.WRONG, text, "make a new environment: make clean demo, or pip install")
        return
    found = plug_ins()
    for fault in found.faults:
        yield Answer("methods", Verdict.WRONG, fault, "correct, update or remove the package")
    for method in found.methods.values():
        text = f"{method.display_name} ({method.name}) comes from {method.package}"
        yield Answer("methods", Verdict.GOOD, text)
    shown = ", ".join(f"{name} {version(name)}" for name in ("numpy", "astropy", "duckdb", "panel", "stixpy"))
    python = ".".join(str(part) for part in sys.version_info[:3])
    yield Answer("software", Verdict.GOOD, f"{CREATOR} {software_version()}, Python {python}, {shown}")


def missing_packages(distribution: str = CREATOR) -> list[str]:
    """Declared dependencies that are not installed."""
    wanted = [Requirement(text) for text in requires(distribution) or []]
    needed = [one.name for one in wanted if one.marker is None or one.marker.evaluate({"extra": ""})]
    return [name for name in needed if not _is_installed(name)]


def _is_installed(name: str) -> bool:
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True


def _write_access(root: Path) -> Iterator[Answer]:
    closed = []
    for folder in (root, *(root / name for name in ("incoming", "fits", "images", "index", "quarantine", "locks"))):
        if folder.is_dir():
            try:
                with tempfile.NamedTemporaryFile(dir=folder, prefix=".part-doctor-"):
                    pass
            except OSError as error:
                closed.append(f"{folder} ({error.strerror})")
    owner = root.stat().st_uid
    if closed:
        text = f"this user cannot write to {'; '.join(closed)}"
        yield Answer("write access", Verdict.WRONG, text, f"run as the archive's owner (user id {owner}), or chown it")
    elif os.geteuid() != owner:
        text = f"every folder can be written to, but by user id {os.geteuid()}; the archive belongs to {owner}"
        yield Answer("write access", Verdict.NOTE, text, "files made now would belong to the wrong user")
    else:
        yield Answer("write access", Verdict.GOOD, "every folder can be written to")


def _locks(root: Path) -> Iterator[Answer]:
    if locks_hold(root / "locks"):
        yield Answer("locks", Verdict.GOOD, "a second process on this machine waits for the lock of the first")
        return
    text = "a second process took a lock that another one held: this file system ignores locks, and rows get lost"
    remedy = (
        "stop every writer, move the archive to a file system with working locks (local disk, NFS 4), and run "
        "stix-jobs check --repair"
    )
    yield Answer("locks", Verdict.WRONG, text, remedy)


def _disk(root: Path) -> Iterator[Answer]:
    disk, files = shutil.disk_usage(root), os.statvfs(root)
    text = f"{disk.free / 1e9:.0f} GB of {disk.total / 1e9:.0f} GB are free"
    if disk.free < LEAST_FREE or disk.free < LEAST_SHARE * disk.total:
        yield Answer("disk", Verdict.WRONG, text, "make room: an archive on a full disk takes nothing in")
    elif files.f_files and files.f_favail < LEAST_SHARE * files.f_files:
        text = f"{files.f_favail} of {files.f_files} files (inodes) are free"
        yield Answer("disk", Verdict.WRONG, text, "make room: each image set is some 15 files")
    else:
        yield Answer("disk", Verdict.GOOD, text)


def _clock(archive: Archive, now: np.datetime64) -> Iterator[Answer]:
    with tempfile.NamedTemporaryFile(dir=archive.root, prefix=".part-doctor-") as probe:
        probe.write(b".")
        probe.flush()
        disk = _time_of(Path(probe.name))
    difference = disk - now
    try:
        ahead = _last_ingest(archive)
    except StixError:  # the check of the index reports it
        ahead = None
    if abs(difference) > CLOCK_TOLERANCE:  # ``now`` was read moments ago
        text = f"files are stamped {difference / np.timedelta64(1, 's'):+.0f} s from this machine's clock"
        yield Answer("clock", Verdict.WRONG, text, "let both machines keep time (chrony, systemd-timesyncd)")
    elif ahead is not None and ahead - now > CLOCK_TOLERANCE:
        text = f"it is {_text(now)}, and a file was taken in at {_text(ahead)}"
        yield Answer("clock", Verdict.WRONG, text, "the clock was set back: let the machine keep time")
    else:
        yield Answer("clock", Verdict.GOOD, f"{_text(now)} UTC; the disk agrees")


def _secrets(root: Path) -> Iterator[Answer]:
    there = [root / name for name in SECRETS if (root / name).exists()]
    open_to_others = [path for path in there if path.stat().st_mode & 0o077]
    if open_to_others:
        names = ", ".join(f"{path.name} ({path.stat().st_mode & 0o777:o})" for path in open_to_others)
        remedy = f"chmod 600 {' '.join(str(path) for path in open_to_others)}"
        yield Answer("secrets", Verdict.WRONG, f"others can read or write {names}", remedy)
    elif root.stat().st_mode & 0o002:
        yield Answer("secrets", Verdict.WRONG, "everybody may write into the archive's folder", f"chmod o-w {root}")
    else:
        known = ", ".join(path.name for path in there) or "no user and no key yet"
        yield Answer("secrets", Verdict.GOOD, f"only their owner can read them: {known}" if there else known)


def _energy_tables(archive: Archive, now: np.datetime64) -> Iterator[Answer]:
    catalog = archive.calibration
    missing = [file.name for file in catalog.cal_files if not file.path.is_file()]
    damage = [*catalog.faults.sentences, *(f"the CAL file {name} is listed and not there" for name in missing[:1])]
    if damage:
        remedy = "stix-jobs calibration add PATH with the published files; stix-jobs check says all that is damaged"
        yield Answer("energy tables", Verdict.WRONG, damage[0], remedy)
        return
    doubt = catalog.doubt_about(now)
    if doubt:
        remedy = "get newer tables with their elut_index.csv, then stix-jobs calibration add PATH"
        yield Answer("energy tables", Verdict.WRONG, doubt, remedy)
        return
    last = catalog.validity[-1]
    text = (
        f"{last.name} in force since {str(last.start)[:10]}, to be checked after {str(catalog.known_until)[:10]}; "
        f"{plural(len(catalog.cal_files), 'daily CAL file')}"
    )
    yield Answer("energy tables", Verdict.GOOD, text)


def _thermal_table(archive: Archive) -> Iterator[Answer]:
    files = chianti_files(archive.root)
    require_unchanged(archive.root, files)
    name = ", ".join(path.name for path in files.values()) or built_in_table().label
    labels = (
        "SELECT thermal_table, count(*) AS n FROM spectra WHERE kind = ? AND thermal_table IS NOT NULL GROUP BY ALL"
    )
    try:
        fitted = archive.query(labels, [str(RunKind.AUTO)])
    except IndexDamaged:  # which the check of the index reports
        return
    used = zip(fitted["thermal_table"].to_pylist(), fitted["n"].to_pylist(), strict=True)
    old = sum(n for label, n in used if not names_present_table(archive.root, label))
    if old:
        text = f"spectra of {plural(old, 'preview')} are fitted with another table than {name}"
        yield Answer("thermal table", Verdict.NOTE, text, "stix-jobs previews makes them again")
    else:
        yield Answer("thermal table", Verdict.GOOD, name)


def _index(archive: Archive, now: np.datetime64) -> Iterator[Answer]:
    begin, root = perf_counter(), archive.root
    rows = {name: int(archive.query(f"SELECT count(*) AS n FROM {name}")["n"][0].as_py()) for name in TABLES}  # noqa: S608 - our own names
    took = perf_counter() - begin
    size = sum(path.stat().st_size for path in (root / "index").rglob("*") if path.is_file())
    text = ", ".join(f"{number} {name.replace('_', ' ')}" for name, number in rows.items())
    yield Answer("index", Verdict.GOOD, f"{size / 1e6:.0f} MB, counted in {took * 1e3:.0f} ms: {text}")
    last = _last_ingest(archive)
    ago = "never" if last is None else _ago(now - last)
    yield Answer("last ingest", Verdict.GOOD if last else Verdict.NOTE, f"a file came into the archive {ago}")
    refused = sum(1 for path in (root / "quarantine").rglob("*.reason.json"))
    if refused:
        text = f"{refused} files were refused"
        yield Answer("quarantine", Verdict.NOTE, text, f"read the reasons in {root / 'quarantine'}, then delete them")


def _goes(archive: Archive) -> Iterator[Answer]:
    """Whether GOES files cover the flares of the Sun: without them classes are estimated, which is no problem."""
    where = " WHERE NOT simulated ORDER BY t_peak"
    time = "t_peak + to_microseconds(cast(coalesce(earth_delay_s, 0) * 1e6 AS BIGINT)) AS t"
    try:
        peaks = archive.query(select(time, FLARES.name, where))
    except IndexDamaged:  # which the check of the index reports
        return
    times = peaks["t"].to_numpy().astype("datetime64[us]")
    if not times.size:
        yield Answer("GOES", Verdict.GOOD, "no real flares, so no GOES files are needed")
        return
    lacking, known = [], set(goes_months(archive.root))
    for month in np.unique(times.astype("datetime64[M]")):
        of_month = times[times.astype("datetime64[M]") == month]
        if str(month) in known:
            minutes = goes_curve(archive.root, of_month[0] - _NEAR_PEAK, of_month[-1] + _NEAR_PEAK).time
            near = np.searchsorted(minutes, of_month + _NEAR_PEAK) > np.searchsorted(minutes, of_month - _NEAR_PEAK)
            of_month = of_month[~near]
        if of_month.size:
            lacking.append((str(month), of_month.size))
    missing = sum(number for _, number in lacking)
    text = f"GOES files cover {times.size - missing} of {plural(times.size, 'flare')}"
    if not lacking:
        yield Answer("GOES", Verdict.GOOD, text)
        return
    months = ", ".join(f"{month} ({number})" for month, number in lacking[:_NAMED_MONTHS])
    more = f" and {plural(len(lacking) - _NAMED_MONTHS, 'more month')}" if len(lacking) > _NAMED_MONTHS else ""
    remedy = (
        "stix-jobs import-goes with NOAA's files of these months; until then the classes of these flares are estimates"
    )
    yield Answer("GOES", Verdict.NOTE, f"{text}; without: {months}{more}", remedy)


def _pipeline(root: Path, now: np.datetime64) -> Iterator[Answer]:
    folder = root / "incoming"
    waiting = [path for path in folder.glob("*") if path.is_file() and not path.name.startswith(".")]
    oldest = min((_time_of(path) for path in waiting), default=None)
    if oldest is not None and now - oldest > LONGEST_WAIT:
        text = f"{len(waiting)} files wait in incoming, the oldest came {_ago(now - oldest)}"
        remedy = "is the timer on, or cron? (systemctl status stix-pipeline.timer, crontab -l); its log says more"
        yield Answer("pipeline", Verdict.WRONG, text, remedy)
        return
    locks = {name: root / "locks" / f"{name}.lock" for name in PIPELINE}
    spans = {name: now - _time_of(lock) for name, lock in locks.items() if lock.exists()}
    told = "; ".join(f"{name} ran {_ago(span)}" for name, span in spans.items())
    if spans and min(spans.values()) > LONGEST_IDLE:
        yield Answer("pipeline", Verdict.NOTE, told, "no timer and no cron? see deploy/")
    elif spans:
        yield Answer("pipeline", Verdict.GOOD, told)
    else:
        yield Answer("pipeline", Verdict.NOTE, "no step has run here", "see deploy/ for timers and a crontab")


def _accounts(root: Path) -> Iterator[Answer]:
    """Check the files of users and sessions: if one is damaged, nobody can sign in or everyone is a guest."""
    users = Accounts(root).users()
    Sessions(root).has_ended("")
    if (root / SECRETS_FILE).exists():
        web_secrets(root)
    if users:
        operators = sum(user.role is Role.OPERATOR for user in users)
        yield Answer("accounts", Verdict.GOOD, f"{len(users)} users, {operators} of them operators")
    else:
        yield Answer("accounts", Verdict.NOTE, "no users yet", "stix-jobs user add NAME")


def _worker(root: Path, now: np.datetime64) -> Iterator[Answer]:
    if not (root / JOURNAL_FILE).exists():
        yield Answer("worker", Verdict.NOTE, "no images have been requested, and no worker has run here")
        return
    journal = Journal(root)
    signs, counts = journal.workers(), journal.counts()
    alive = [sign for sign in signs if sign.is_alive(now)]
    waiting = counts[RequestState.QUEUED] + counts[RequestState.RUNNING]
    remedy = "start it: systemctl start stix-worker, or stix-jobs worker"
    if alive:
        engines = ", ".join(sign.engine for sign in alive)
        yield Answer("worker", Verdict.GOOD, f"{len(alive)} running ({engines}); {waiting} requests wait or run")
    elif signs:
        last = max(sign.beat_at for sign in signs)
        text = f"the worker gave its last sign of life {_ago(now - last)}; {waiting} requests wait or run"
        yield Answer("worker", Verdict.WRONG, text, remedy)
    elif waiting:
        yield Answer("worker", Verdict.WRONG, f"{waiting} requests wait, and no worker is running", remedy)
    else:
        yield Answer("worker", Verdict.NOTE, "no worker is running; no request waits", remedy)


def _notices(root: Path, now: np.datetime64) -> Iterator[Answer]:
    receivers = NoticeSettings.of(root).receivers
    journal = NoticeJournal(root)
    last, counts = journal.last_pass, journal.counts()
    lost = {name: each[DeliveryState.GIVEN_UP] for name, each in counts.items() if DeliveryState.GIVEN_UP in each}
    if lost:
        named = ", ".join(f"{number} to {name}" for name, number in lost.items())
        remedy = "repair the receiver or its settings, then run stix-jobs notify --retry"
        yield Answer("notices", Verdict.WRONG, f"notices were given up: {named}", remedy)
    if not receivers:
        return
    if last is None or now - last > LONGEST_IDLE:
        when = "never" if last is None else f"on {str(last.astype('datetime64[s]')).replace('T', ' ')} UTC"
        remedy = "run stix-jobs notify regularly (deploy/)"
        yield Answer("notices", Verdict.NOTE, f"receivers are configured, but notify last ran {when}", remedy)
        return
    waiting = sum(each.get(DeliveryState.PENDING, 0) for each in counts.values())
    yield Answer("notices", Verdict.GOOD, f"{plural(len(receivers), 'receiver')}; {waiting} waiting to be sent")


def _check(root: Path, now: np.datetime64) -> Iterator[Answer]:
    known = last_findings(root)
    if known is None:
        yield Answer("check", Verdict.NOTE, "the archive was never checked", "stix-jobs check")
        return
    checked, findings = known
    faults = [finding for finding in findings if finding.level is Level.ERROR and not finding.repaired]
    if faults:
        text = f"the check of {_text(checked)} found {len(faults)} errors, first: {faults[0].message}"
        yield Answer("check", Verdict.WRONG, text, "stix-jobs check --repair")
    elif now - checked > LONGEST_UNCHECKED:
        yield Answer("check", Verdict.NOTE, f"last checked {_ago(now - checked)}", "stix-jobs check")
    else:
        yield Answer("check", Verdict.GOOD, f"checked {_ago(now - checked)}, no errors left")


def _pages(url: str) -> Iterator[Answer]:
    if not url:
        return
    begin = perf_counter()
    try:
        # the operator typed the address; this page shows that the server finds the archive, not only that it responds
        with urlopen(f"{url.rstrip('/')}/image_archive", timeout=20) as answer:  # noqa: S310 - see above
            answer.read()
    except (OSError, ValueError) as error:  # HTTP errors are a kind of OSError
        remedy = "start them: systemctl start stix-pages, or python -m dashboards; --pages URL when they are elsewhere"
        yield Answer("pages", Verdict.WRONG, f"{url} does not answer: {error}", remedy)
    else:
        yield Answer("pages", Verdict.GOOD, f"{url} answers in {perf_counter() - begin:.1f} s")


def _last_ingest(archive: Archive) -> np.datetime64 | None:
    """Time when the newest file was ingested, UTC; None for an empty archive."""
    newest = select("max(ingested_at) AS t", f"({select_files('ingested_at')})")
    found = archive.query(newest)["t"][0].as_py()
    return None if found is None else np.datetime64(found, "us")


def _time_of(path: Path) -> np.datetime64:
    """Time of the last modification of a file, UTC."""
    return np.datetime64(path.stat().st_mtime_ns // 1000, "us")


def _text(time: np.datetime64) -> str:
    return str(time.astype("datetime64[s]")).replace("T", " ")


def _ago(span: np.timedelta64) -> str:
    """A time span as text, in the largest unit of which it has more than one."""
    seconds = float(span / np.timedelta64(1, "s"))
    for name, length in (("days", 86400.0), ("hours", 3600.0), ("minutes", 60.0)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {name} ago"
    return f"{max(seconds, 0):.0f} s ago"
