"""Files that are exchanged for links, pipes and folders between a look at them and their opening."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import stix_jobs

from archive import Archive
from archive.ingest.ingest import ingest
from jobs.fetch.download import PARTIAL, download
from jobs.fetch.transport import Transport

pytestmark = pytest.mark.system

NOW = np.datetime64("2030-01-01T00:00:00", "us")
#: How often ingest runs while another process exchanges files.
ROUNDS = 150 if os.environ.get("STIX_ATTACK") == "long" else 8
SECRET = b"K3Y-0F-THE-C00KIES-" * 40
#: The refusal of a file that is no FITS file quotes its first 16 bytes.
NEEDLE = SECRET[:12]

#: What runs first in the command below: at an opening of x.fits a pipe comes in its place.
PIPE = """
import os, sys
left = [int(os.environ["STIX_TEST_OPENING"])]
def exchange(event, arguments):
    name = os.fsdecode(arguments[0]) if event == "open" and isinstance(arguments[0], (str, bytes, os.PathLike)) else ""
    if os.path.basename(name) != "x.fits":
        return
    left[0] -= 1
    if left[0] == 0:
        os.unlink(os.environ["STIX_TEST_FILE"])
        os.mkfifo(os.environ["STIX_TEST_FILE"])
sys.addaudithook(exchange)
"""
#: A process that exchanges names as fast as it can: pairs of paths are its arguments.
EXCHANGER = """
import ctypes, sys
libc = ctypes.CDLL(None, use_errno=True)
pairs = list(zip(sys.argv[1::2], sys.argv[2::2]))
print("begin", flush=True)
while True:
    for one, other in pairs:
        libc.renameat2(-100, one.encode(), -100, other.encode(), 2)
"""

#: Functions that are called at every opening of a file, with its name: hooks of Python cannot be removed.
_watchers: list[Callable[[str], None]] = []


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and _watchers and isinstance(arguments[0], (str, bytes, os.PathLike)):
        for watcher in tuple(_watchers):
            watcher(os.path.basename(os.fsdecode(arguments[0])))  # noqa: PTH119 - may be no path


sys.addaudithook(_watch)


@contextmanager
def at_opening(name: str, number: int, action: Callable[[], None]) -> Iterator[None]:
    """Do something between the look at a file of that name and its n-th opening."""
    left = [number]

    def watcher(opened: str) -> None:
        if opened == name:
            left[0] -= 1
            if left[0] == 0:
                action()

    _watchers.append(watcher)
    try:
        yield
    finally:
        _watchers.remove(watcher)


@contextmanager
def at_writing(name: str, action: Callable[[], None]) -> Iterator[None]:
    """Do something after a file of that name has come to its place for the first time."""
    replace, left = Path.replace, [action]

    def replaced(self: Path, target: Path) -> Path:
        done = replace(self, target)
        if target.name == name and left:
            left.pop()()
        return done

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "replace", replaced)
        yield


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file that ingest may read and nobody else; its name is that of a file to take in."""
    folder = tmp_path / "private"
    folder.mkdir(mode=0o700)
    path = folder / "x.fits"
    path.write_bytes(SECRET)
    return path


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path / "archive", create=True)


def holders(root: Path) -> list[str]:
    """Files of the archive that hold the secret; links are not followed, for who follows them may read it."""
    files = (path for path in root.rglob("*") if path.is_file() and not path.is_symlink())
    return [str(path.relative_to(root)) for path in files if NEEDLE in path.read_bytes()]


def put_back(one: Path, other: Path, target: Path, text: str) -> None:
    """Where ingest has removed one of a pair of a file and a link, put a file and a link there again."""
    with suppress(FileExistsError, FileNotFoundError):
        if not os.path.lexists(one):
            new = one.with_name(f".new-{one.name}")
            new.write_text(text)
            new.rename(one)
        if one.is_symlink() == other.is_symlink():
            other.unlink()
            other.symlink_to(target)


def exchange(path: Path, target: Path) -> None:
    """Put a link in the place of a file or folder."""
    path.rename(path.with_name(f".was-{path.name}"))
    path.symlink_to(target)


@pytest.mark.parametrize("number", range(1, 4))
def test_a_link_in_the_place_of_a_file(
    archive: Archive, secret: Path, number: int, caplog: pytest.LogCaptureFixture
) -> None:
    """A link put in the place of a file while ingest runs leads nowhere: nothing quotes its target."""
    victim = archive.root / "incoming" / "x.fits"
    victim.write_bytes(b"no FITS file")
    with at_opening("x.fits", number, lambda: exchange(victim, secret)):
        outcomes = ingest(archive, [], NOW, incoming=archive.root / "incoming")
    assert holders(archive.root) == []
    said = caplog.text + "".join(outcome.reason for outcome in outcomes)
    assert NEEDLE.decode() not in said
    assert secret.read_bytes() == SECRET


@pytest.mark.parametrize(("name", "number"), [("today", 1), ("x.fits", 1), ("x.fits", 2)])
def test_a_link_in_the_place_of_a_folder(archive: Archive, secret: Path, name: str, number: int) -> None:
    """A link put in the place of a folder while ingest runs leads nowhere: its files are neither read nor removed."""
    folder = archive.root / "incoming" / "today"
    folder.mkdir()
    (folder / "x.fits").write_bytes(b"no FITS file")
    with at_opening(name, number, lambda: exchange(folder, secret.parent)):
        ingest(archive, [], NOW, incoming=archive.root / "incoming")
    assert holders(archive.root) == []
    assert secret.read_bytes() == SECRET


@pytest.mark.parametrize("number", [1, 2])
def test_a_pipe_in_the_place_of_a_file(archive: Archive, tmp_path: Path, number: int) -> None:
    """A pipe put in the place of a file while ingest runs does not keep it waiting."""
    victim = archive.root / "incoming" / "x.fits"
    victim.write_bytes(b"no FITS file")
    os.utime(victim, (1e9, 1e9))
    (tmp_path / "hook").mkdir()
    (tmp_path / "hook" / "sitecustomize.py").write_text(PIPE)
    environment = {"STIX_TEST_FILE": str(victim), "STIX_TEST_OPENING": str(number)}
    ran = stix_jobs(
        *("ingest", "--archive", archive.root, "--incoming", archive.root / "incoming"),
        folder=tmp_path / "hook",
        patience_s=45,
        **environment,
    )
    assert ran.status in {0, 1}
    assert b"Traceback" not in ran.err


def test_a_process_that_exchanges_files_all_the_time(archive: Archive, secret: Path, tmp_path: Path) -> None:
    """However often a process exchanges files for links while ingest runs, no file of the archive holds the secret."""
    incoming, links = archive.root / "incoming", tmp_path / "links"
    links.mkdir()
    (links / "folder").symlink_to(secret.parent)
    (incoming / "folder").mkdir()
    (incoming / "folder" / "x.fits").write_text("no FITS file")
    pairs = [(incoming / "folder", links / "folder")]
    for number in range(6):
        (links / f"{number}.fits").symlink_to(secret)
        pairs.append((incoming / f"{number}.fits", links / f"{number}.fits"))
    command = [sys.executable, "-c", EXCHANGER, *(str(path) for pair in pairs for path in pair)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"begin\n"
            for round_ in range(ROUNDS):
                for number in range(6):
                    put_back(incoming / f"{number}.fits", links / f"{number}.fits", secret, f"round {round_}")
                ingest(archive, [], NOW, incoming=incoming)
        finally:
            process.kill()
    assert holders(archive.root) == []
    assert secret.read_bytes() == SECRET


def test_a_file_that_comes_while_another_one_is_taken_in(archive: Archive, science: Path) -> None:
    """A new file under the name of one that is being taken in stays for the next run."""
    victim = archive.root / "incoming" / science.name
    victim.write_bytes(science.read_bytes())

    def arrives() -> None:
        new = victim.with_name(".arriving")
        new.write_bytes(b"another one")
        new.replace(victim)

    month = f"{science.name.partition('cpd_')[2][:4]}-{science.name.partition('cpd_')[2][4:6]}.parquet"
    with at_writing(month, arrives):
        ingest(archive, [], NOW, incoming=archive.root / "incoming")
    assert victim.read_bytes() == b"another one"
    assert archive.locate(science.name).read_bytes() == science.read_bytes()


def test_a_link_under_the_name_of_a_download(archive: Archive, tmp_path: Path) -> None:
    """A link that waits under the hidden name of a download is not written through."""
    victim = tmp_path / "users.json"
    victim.write_bytes(SECRET)
    target, url = archive.root / "incoming" / "solo_x.fits", "http://127.0.0.1:9/solo_x.fits"
    partial = target.with_name(PARTIAL + target.name)
    partial.symlink_to(victim)
    partial.with_name(f"{partial.name}.json").write_text(json.dumps({"url": url, "validator": '"1"'}))

    class Answer:
        """The rest of a file, as a server gives it that was asked for it, or all of it."""

        def __init__(self, wish: dict[str, str]) -> None:
            self.headers: dict[str, str] = {}
            self.status_code, self.raw, self.length_remaining = 206 if wish else 200, self, None
            if wish:
                have = wish["Range"].removeprefix("bytes=").rstrip("-")
                self.headers["Content-Range"] = f"bytes {have}-999/1000"
            self._rest = [b"from the server", b""]

        def read1(self, _: int, *, decode_content: bool) -> bytes:
            return self._rest.pop(0)

        def __enter__(self) -> Answer:
            return self

        def __exit__(self, *_: object) -> None:
            """Nothing."""

    transport = Transport()
    transport.request = lambda url, wish=None: Answer(wish or {})
    download(url, target, transport)
    assert victim.read_bytes() == SECRET
    assert target.read_bytes() == b"from the server"
