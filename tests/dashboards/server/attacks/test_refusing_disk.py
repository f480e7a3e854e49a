"""A disk that is full, may only be read, or whose folders are closed: sentences, and sign-out all the same."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archive.accounts import Accounts
from dashboards.pages.image_archive.export import ExportState
from dashboards.shared.access import Visitor
from dashboards.shared.source import ArchiveSource
from jobs.queue.journal import Journal

NOW = np.datetime64("2026-11-28T12:00:00", "us")
BODY = '{"hidden":false,"uid":"1"}'
FULL, CLOSED = "The archive's disk is full.", "has no permission to use the archive"


@pytest.fixture(scope="module")
def disk(
    tmp_path_factory: pytest.TempPathFactory, small: Any, users: dict[str, str], serve: Callable[..., Any]
) -> Iterator[tuple[Any, Path]]:
    """A server whose archive is on a file system of its own, and which the modes of files bind (root they do not)."""
    place = tmp_path_factory.mktemp("disk")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", str(place)], check=True)
    try:
        root = place / "archive"
        shutil.copytree(small.archive.root, root)
        Accounts(root).make_token("alice", "", NOW)
        Journal(root).submit("alice", BODY, NOW, uid="1", task_count=1)
        with serve(root, "tests.dashboards.server.attacks.server_without_rights") as server:
            yield server, root
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@contextmanager
def full(root: Path) -> Iterator[None]:
    """Not a byte fits on the disk."""
    filler = root.parent / "filler"
    with filler.open("wb", buffering=0) as stream:
        for block in (1 << 20, 1 << 12):
            with suppress(OSError):
                while stream.write(b"\0" * block):
                    pass
        with pytest.raises(OSError, match="No space left"):
            stream.write(b"\0")
    try:
        yield
    finally:
        filler.unlink()


@contextmanager
def read_only(root: Path) -> Iterator[None]:
    """The file system is mounted for reading."""
    subprocess.run(["mount", "-o", "remount,ro", str(root.parent)], check=True)
    try:
        yield
    finally:
        subprocess.run(["mount", "-o", "remount,rw", str(root.parent)], check=True)


@contextmanager
def closed(root: Path) -> Iterator[None]:
    """The server may read the folder of the archive and its locks, and write nothing there."""
    places = [root, root / "locks", *(root / "locks").iterdir(), *root.glob("requests.sqlite*")]
    modes = {path: path.stat().st_mode for path in places}
    for path in places:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        yield
    finally:
        for path, mode in modes.items():
            path.chmod(mode)


def name_of(client: Any) -> str:
    """Who this browser is for the server; empty for a guest."""
    found = re.search(r"signed in as <b>([^<]+)</b>", client.get("/logout").text)
    return found[1] if found else ""


@pytest.mark.slow_attack
@pytest.mark.needs_mount
@pytest.mark.needs_setpriv
@pytest.mark.parametrize(("refuse", "sentence"), [(full, FULL), (read_only, CLOSED), (closed, CLOSED)])
def test_a_disk_that_refuses_is_a_sentence(
    disk: tuple[Any, Path], new_client: type[Any], users: dict[str, str], refuse: Any, sentence: str
) -> None:
    """On a disk that takes nothing every change answers 503 with a sentence, and signing out still signs out."""
    server, root = disk
    alice, leaving = new_client(server.url), new_client(server.url)
    for client in (alice, leaving):
        assert client.sign_in("alice", users["alice"]).status == 303
    bearer = {
        "Authorization": f"Bearer {Accounts(root).make_token('alice', '', NOW)}",
        "Content_Type": "application/json",
    }
    (number,) = [request.request_id for request in Journal(root).requests("alice")]
    before, kept = (root / "users.json").read_bytes(), dict(leaving.cookies)
    token_id = Accounts(root).user("alice").tokens[0].token_id
    same = users["alice"]
    with refuse(root):
        answers = [
            alice.submit("/account", form)
            for form in (
                {"action": "token", "label": "one"},
                {"action": "revoke", "token_id": token_id},
                {"action": "everywhere"},
                {"action": "password", "old": same, "new": same, "again": same},
            )
        ]
        leaving.submit("/logout", {})
        assert leaving.cookies.keys() <= {"_xsrf"}
        leaving.cookies = kept
        assert name_of(leaving) == ""  # also who kept the cookie, at this server
        second = new_client(server.url)
        assert second.sign_in("alice", users["alice"]).status == 303  # which needs no room
        out = second.submit("/logout", {})
        # the last, since SQLite frees some room when it removes its own files
        cancelled = alice.send("POST", f"/api/v1/requests/{number}/cancel", b"{}", **bearer)
        pages = [second.get(f"/{page}") for page in ("image_archive", "operations", "account", "login")]
    for answer in answers:
        assert answer.status == 503, answer.text
        assert sentence in unescape(answer.text), answer.text
        assert str(root) not in answer.text
    assert cancelled.status == 503
    assert sentence in cancelled.text or "The request queue is not available." in cancelled.text
    assert out.status == 503
    assert sentence in unescape(out.text)
    assert "You are signed out in this browser." in out.text
    assert "on other servers of this archive, and on this one after a restart" in out.text
    assert {page.status for page in pages} <= {200, 303}
    assert (root / "users.json").read_bytes() == before
    assert name_of(alice) == "alice"
    # and when there is room again, the next sign-out also records those that were not
    third = new_client(server.url)
    third.sign_in("alice", users["alice"])
    assert third.submit("/logout", {}).status == 303
    assert (root / "signed-out.json").stat().st_size > 0
    assert "Traceback" not in server.log_text()


@pytest.mark.slow_attack
@pytest.mark.needs_mount
@pytest.mark.parametrize("refuse", [full, read_only])
def test_what_a_page_writes_is_refused_in_a_sentence(disk: tuple[Any, Path], refuse: Any) -> None:
    """A request or a map that a page cannot write down is refused with a sentence about the disk."""
    _, root = disk
    state = ExportState(ArchiveSource(root))
    with refuse(root):
        state.upload("map.fits", b"SIMPLE  =" + b" " * 30_000, Visitor("alice"))
        said = state.problem
    assert said.startswith(FULL if refuse is full else "The server has no permission")
    assert not [path for path in root.rglob("*.fits") if path.parent.name == "alice"]
