"""What a test may need from outside, and the promise that none is skipped in silence.

Mark a test with ``needs_shared_data``, ``needs_chromium``, ``needs_fitsverify``, ``needs_gdl``, ``needs_setpriv``,
``needs_mount``, ``needs_sunkit_spex``, ``needs_gammapy`` or ``needs_march_2024`` and it is skipped, with a sentence,
where that thing is absent; asking for the fixture ``shared_data`` or ``browser`` marks it too.
Mark a module or test ``system`` if it tests whole processes (workers, commands, faults) or a whole demonstration. What
starts a server is marked by its fixture. ``make test`` leaves these out, ``make test-system`` runs them.
Mark a test ``thorough`` if it only repeats, with more seeds, cases or stages, what another test shows: it runs with
``--thorough`` (``make test-thorough``) alone.
With ``STIX_NO_SILENT_SKIP=1`` (as ``.ci/run`` sets it) the run fails if a test was skipped for any other
reason, was skipped although the thing is there, or is marked ``xfail``.
"""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import tempfile
from collections import defaultdict
from dataclasses import dataclass, replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest
from filelock import FileLock

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from stixpy.product.product import GenericProduct

BESIDE = Path(__file__).resolve().parents[2] / "shared" / "data"
SHARED_DATA = Path(os.environ.get("STIX_SHARED_DATA", BESIDE))
STRICT = os.environ.get("STIX_NO_SILENT_SKIP", "") not in {"", "0"}
MISSING_NEED = "missing_need"
MARKING_FIXTURES = {"shared_data": "needs_shared_data", "browser": "needs_chromium", "start": "system"}

# The same examples on every machine, and no verdict on how busy that machine is.
hypothesis.settings.register_profile("stix", deadline=None, derandomize=True)
hypothesis.settings.load_profile("stix")


@dataclass(frozen=True)
class Need:
    """Something outside the repository that a test cannot do without."""

    what: str
    usable: Callable[[], bool]
    exists: Callable[[], bool]
    remedy: str

    @property
    def sentence(self) -> str:
        return f"{self.what} is not here: {self.remedy}"


def program(name: str, package: str) -> Need:
    """Build the need for a program found on the PATH."""

    def found() -> bool:
        return shutil.which(name) is not None

    return Need(name, found, found, f"install Debian's package {package}")


def package(name: str, module: str) -> Need:
    """Build the need for a Python package that no other test needs."""

    def found() -> bool:
        return find_spec(module) is not None

    return Need(f"the Python package {name}", found, found, f"install {name}")


def march_2024() -> list[Path]:
    """Science and background file of the flare of 2024-03-10, where they are."""
    folder = SHARED_DATA / "spectroscopy" / "files"
    return [path for request in ("2403109216", "2403087339") for path in folder.glob(f"*cpd*{request}*.fits")]


def is_root() -> bool:
    """Whether this process is refused nothing."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def may_give_up() -> bool:
    """Whether root can run a program that is refused what root is not (others are refused anyway)."""
    return is_root() and shutil.which("setpriv") is not None


@cache
def may_mount() -> bool:
    """Whether a small file system in memory can be mounted: not in most containers, even for root."""
    if not is_root() or shutil.which("mount") is None:
        return False
    with tempfile.TemporaryDirectory() as folder:
        tried = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True, check=False
        )
        if tried.returncode == 0:
            subprocess.run(["umount", folder], check=True)
        return tried.returncode == 0


NEEDS = {
    "needs_shared_data": Need(
        "the folder of real STIX files",
        SHARED_DATA.is_dir,
        lambda: SHARED_DATA.is_dir() or BESIDE.is_dir(),
        f"put it at {SHARED_DATA} or name it with STIX_SHARED_DATA",
    ),
    "needs_chromium": program("chromium", "chromium"),
    "needs_fitsverify": program("fitsverify", "fitsverify"),
    "needs_gdl": program("gdl", "gnudatalanguage"),
    "needs_nginx": program("nginx", "nginx-light"),
    "needs_logrotate": program("logrotate", "logrotate"),
    "needs_setpriv": Need("the right to give up rights", may_give_up, may_give_up, "run the tests as root, on Linux"),
    "needs_sunkit_spex": package("sunkit-spex", "sunkit_spex"),
    "needs_gammapy": package("gammapy", "gammapy"),
    "needs_march_2024": Need(
        "the pixel data of the flare of 2024-03-10 and their background",
        lambda: len(march_2024()) == 2,
        lambda: len(march_2024()) == 2,
        "put the L1 files of requests 2403109216 and 2403087339 into spectroscopy/files of the shared data",
    ),
    "needs_mount": Need("the right to mount a file system", may_mount, may_mount, "run the tests as root of a machine"),
}


class SkipLedger:
    """Every skip and expected failure of a run, sorted into allowed and not allowed."""

    def __init__(self) -> None:
        self.allowed: defaultdict[str, list[str]] = defaultdict(list)
        self.refused: list[tuple[str, str]] = []

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note a module that skipped itself whole: no marker can have asked for that."""
        if report.skipped:
            self.refused.append((report.nodeid, reason_of(report)))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if hasattr(report, "wasxfail"):
            self.refused.append((report.nodeid, f"expected failure: {report.wasxfail or 'no reason given'}"))
        elif report.skipped:
            marker = dict(report.user_properties).get(MISSING_NEED)
            need = NEEDS.get(str(marker))
            if need is None:
                self.refused.append((report.nodeid, reason_of(report)))
            elif need.exists():
                self.refused.append((report.nodeid, f"{need.what} does exist"))
            else:
                self.allowed[need.sentence].append(report.nodeid)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        clean = session.exitstatus in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}
        if STRICT and self.refused and clean:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for sentence, tests in self.allowed.items():
            terminalreporter.section(f"{len(tests)} skipped: {sentence}", sep="-")
            terminalreporter.write("".join(f"  {test}\n" for test in sorted(tests)))
        if STRICT and self.refused:
            terminalreporter.section(f"{len(self.refused)} skipped, but may not be", sep="=", red=True)
            terminalreporter.write("".join(f"  {test}: {reason}\n" for test, reason in sorted(self.refused)))


def reason_of(report: pytest.CollectReport | pytest.TestReport) -> str:
    """Reason a report gives for a skip."""
    return str(report.longrepr[-1] if isinstance(report.longrepr, tuple) else report.longrepr)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--thorough", action="store_true", help="also run the tests marked thorough")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is marked thorough, unless asked for."""
    if config.getoption("--thorough"):
        return
    repeated = [item for item in items if item.get_closest_marker("thorough")]
    items[:] = [item for item in items if not item.get_closest_marker("thorough")]
    config.hook.pytest_deselected(items=repeated)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "system: runs servers, browsers, workers or commands in processes of their own")
    config.addinivalue_line("markers", "thorough: repeats another test with more cases; needs --thorough")
    for marker, need in NEEDS.items():
        config.addinivalue_line("markers", f"{marker}: skipped where {need.what} is absent")
    config.addinivalue_line("markers", "slow_attack: left out of the short form of make attack")
    if not hasattr(config, "workerinput"):  # a worker of pytest-xdist reports to the one that started it
        config.pluginmanager.register(SkipLedger(), "skip-ledger")


def pytest_itemcollected(item: pytest.Item) -> None:
    for fixture, marker in MARKING_FIXTURES.items():
        if fixture in getattr(item, "fixturenames", ()):
            item.add_marker(marker)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name a test by the argument, not by its bytes: packed content holds the second it was packed in.

    Processes of pytest-xdist that name one test differently end the run.
    """
    return argname if isinstance(val, bytes) else None


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker, need in NEEDS.items():
        if item.get_closest_marker(marker) and not need.usable():
            item.user_properties.append((MISSING_NEED, marker))
            pytest.skip(need.sentence)


@pytest.fixture(scope="session")
def built_once(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """Build a folder once for all processes of a run, which must not change it; the first that asks builds it.

    ``built_once(name, build)`` returns the folder, and what ``build(folder)`` returned where it was called.
    """
    base = tmp_path_factory.getbasetemp()
    if hasattr(request.config, "workerinput"):  # below the folder that all workers of pytest-xdist share
        base = base.parent

    def folder_of(name: str, build: Callable[[Path], object]) -> tuple[Path, Any]:
        folder, answer = base / f"built-once-{name}", base / f"built-once-{name}.pickle"
        with FileLock(f"{folder}.lock"):
            if not answer.exists():
                shutil.rmtree(folder, ignore_errors=True)  # half of it, if building failed in another process
                folder.mkdir()
                answer.write_bytes(pickle.dumps(build(folder)))
        return folder, pickle.loads(answer.read_bytes())

    return folder_of


@pytest.fixture(scope="session")
def described_once() -> Callable[..., Any]:
    """`describe_filed`, called once for each name and content: many tests check copies of the same files."""
    from archive.ingest.refile import describe_filed

    known: dict[tuple[str, str], Any] = {}

    def describe(path: Path, sha256: str, now: np.datetime64) -> Any:
        key = path.name, sha256
        if key not in known:
            known[key] = describe_filed(path, sha256, now)
        return replace(known[key], row=replace(known[key].row, ingested_at=now))

    return describe


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real STIX files, with its README.md; tests read it and never write there."""
    return SHARED_DATA


@pytest.fixture(scope="session")
def stixpy_product(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], GenericProduct]:
    """Open a file with stixpy, the oracle; it leaves files open, and only these links to them are excused."""

    def read(path: Path) -> GenericProduct:
        from stixpy.product import Product

        link = tmp_path_factory.mktemp("stixpy-oracle") / path.name
        link.symlink_to(path.resolve())
        return Product(link)

    return read
