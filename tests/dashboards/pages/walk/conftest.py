"""The archive that is walked through, its server and worker, and the table at the end."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archive import Archive
from archive.accounts import Accounts, Role
from archive.context_maps import AIA, time_at
from archive.errors import NoSuchUser
from archive.ingest.ingest import ingest
from benchmarks.load.flares import build as build_flares
from jobs.cli.demo_extras import write_map
from jobs.executors.base import Executor
from jobs.flares.detect import detect_flares
from jobs.flares.lists import import_flares
from jobs.flares.refresh import refresh_flares
from jobs.previews.cubes import CubeRules
from jobs.previews.run import make_previews
from stixcore.heliographic import View
from stixcore.simulation.campaign import simulate_campaign

HERE = Path(__file__).parent
if str(HERE) not in sys.path:
    sys.path.insert(0, str(HERE))

from controls import Control  # noqa: E402 - a module beside this file
from scenes import crowded_places_of, mapped_flare, places_of  # noqa: E402 - a module beside this file

ROOT = HERE.parents[3]
#: Archives that were built before, of real and simulated files and of 40,000 flares; they are copied, not changed.
GIVEN, GIVEN_FLARES = os.environ.get("STIX_WALK_ARCHIVE", ""), os.environ.get("STIX_WALK_FLARES", "")
NOW = np.datetime64("2026-11-25T12:00:00", "us")
WEEK = np.datetime64("2024-05-06T00:00:00", "us")
PASSWORDS = {"alice": "alice's long password", "olga": "olga's long password"}


def build(root: Path, shared: Path, executor: Executor | None = None) -> None:
    """69 files of November 2022 with their flare list, quick-look files of 2020 and 2021, a simulated week.

    Their flares, previews, cubes and positions; and a context map of a simulated flare.
    """
    archive = Archive(root, create=True)
    real = [*(shared / "nov2022" / "l1").glob("*.fits"), *(shared / "nov2022" / "aux").glob("*.fits")]
    quicklook = [
        *(shared / "formats").glob("*ql-lightcurve*.fits"), *(shared / "products").glob("*ql-lightcurve*.fits"),
        *(shared / "products").glob("*ql-background*.fits"),
    ]  # fmt: skip
    ingest(archive, [*sorted(real), *sorted(quicklook)], NOW)
    simulated = root.parent / "simulated"
    simulate_campaign(simulated, 104, WEEK, 7.0, 2.0)
    ingest(archive, [simulated], NOW)
    # without quick-look files of those days, the flares of November are found in no light curve
    import_flares(archive, shared / "nov2022" / "idl" / "reference_locations.csv", NOW)
    detect_flares(archive, None, None, NOW)
    make_previews(archive, NOW, executor=executor, cube=CubeRules(max_steps=3))
    refresh_flares(archive, NOW)
    write_context_map(archive)
    archive.build_read_model()
    archive.close()


def write_context_map(archive: Archive) -> None:
    """A simulated map of AIA."""
    flare = mapped_flare(archive)
    time = time_at(flare, AIA)
    assert time is not None
    assert flare.earth_x is not None
    assert flare.earth_y is not None
    write_map(archive, time, View(flare.earth_x, flare.earth_y, True, "on disk", 0.0, 0.0))


@dataclass
class Table:
    """What was used by whom, and what came of it."""

    rows: list[tuple[str, ...]] = field(default_factory=list)
    known: set[tuple[str, ...]] = field(default_factory=set)

    def is_new(self, *what: str) -> bool:
        """Whether this is asked for the first time."""
        before = len(self.known)
        self.known.add(what)
        return len(self.known) > before

    def add(self, scene: str, who: str, hand: str, control: Control, notes: str) -> None:
        alike = f" ({control.alike} alike)" if control.alike > 1 else ""
        self.rows.append((scene, who, str(hand), f"{control.kind} {control.name[:44]}{alike}", notes))


TABLE = pytest.StashKey[Table]()


@dataclass(frozen=True)
class Walked:
    """The server, the archive behind it, what addresses of scenes need of it, and where to write what was found."""

    url: str
    archive: Archive
    places: Mapping[str, str]
    table: Table
    passwords: Mapping[str, str]


@contextmanager
def working(root: Path, log: Path) -> Iterator[None]:
    """A worker, as an institute runs it."""
    command = [sys.executable, "-m", "jobs.cli", "worker", "--workers", "1", "--archive", str(root)]
    with log.open("wb") as stream:
        process = subprocess.Popen(command, cwd=ROOT, stdout=stream, stderr=subprocess.STDOUT)
    try:
        yield
    finally:
        process.terminate()
        process.wait(90)
    assert "Traceback" not in log.read_text()


@pytest.fixture(scope="session")
def walked(
    serve: Callable[[Path], Any],
    shared_data: Path,
    tmp_path_factory: pytest.TempPathFactory,
    pytestconfig: pytest.Config,
) -> Iterator[Walked]:
    """A server with a worker over the whole archive, and two users, one of them operator."""
    folder = tmp_path_factory.mktemp("walk")
    root = folder / "archive"
    if GIVEN:
        shutil.copytree(GIVEN, root)
    else:
        build(root, shared_data)
    accounts = Accounts(root)
    for name, password in PASSWORDS.items():
        with suppress(NoSuchUser):  # the given archive may have users of that name
            accounts.remove(name)
        accounts.add(name, password, NOW, Role.OPERATOR if name == "olga" else Role.USER)
    archive = Archive(root)
    with serve(root) as server, working(root, folder / "worker.txt"):
        yield Walked(server.url, archive, places_of(archive), pytestconfig.stash[TABLE], PASSWORDS)
    archive.close()


@pytest.fixture(scope="session")
def crowded(
    serve: Callable[[Path], Any], tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[Walked]:
    """A server over 40,000 flares, without users and without a worker."""
    root = tmp_path_factory.mktemp("crowded") / "archive"
    if GIVEN_FLARES:
        shutil.copytree(GIVEN_FLARES, root)
    with closing(build_flares(root)) as archive, serve(root) as server:
        yield Walked(server.url, archive, crowded_places_of(archive), pytestconfig.stash[TABLE], {})


def pytest_configure(config: pytest.Config) -> None:
    config.stash[TABLE] = Table()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """What was used, one line each."""
    rows = config.stash[TABLE].rows
    if not rows:
        return
    terminalreporter.section("what was used, and what came of it", sep="-")
    rows = [("page", "who", "how", "control", "what came of it"), *rows]
    widths = [max(len(row[place]) for row in rows) for place in range(4)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        terminalreporter.write_line("  ".join([*cells, row[4]]))
