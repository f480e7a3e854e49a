"""What another process holds, and what the server does beside it: nobody waits who does not need it."""

from __future__ import annotations

import asyncio
import os
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dashboards.shared.limits import WebLimits
from jobs.cli.doctor import PIPELINE
from jobs.queue.journal import Journal

LONG = os.environ.get("STIX_ATTACK", "") == "long"
ROOT = Path(__file__).resolve().parents[4]
NOW = np.datetime64("2026-11-28T12:00:00", "us")
BODY = '{"hidden":false,"uid":"1"}'

#: Modules that take a lock of the operating system, and the names of their locks. A new one belongs here.
LOCKS = {
    "archive/store.py": ["write"],
    "archive/accounts/secret_file.py": ["users.json", "signed-out.json", "web-secrets.json"],
    "jobs/shared/lock.py": list(PIPELINE),
    "jobs/queue/owners.py": ["worker-1"],
    "archive/publishing/publish.py": [],  # in the folder that it writes, outside of the archive
    "jobs/cli/lock_probe.py": [],  # a new name each time, which nobody else takes
}


def test_every_lock_of_the_code_is_held_below() -> None:
    """Every place in the code that takes a lock is known to the test that holds them all."""
    places = {
        str(path.relative_to(ROOT))
        for package in ("stixcore", "archive", "jobs", "dashboards")
        for path in (ROOT / package).rglob("*.py")
        if re.search(r"\bFileLock\(|\bflock\(|\blockf\(", path.read_text())
    }
    assert places == LOCKS.keys()
    secret = [
        name
        for path in (ROOT / "archive" / "accounts").glob("*.py")
        for name in re.findall(r'_FILE\b.*?"([a-z-]+\.json)"(?:, "([a-z-]+\.json)")?', path.read_text())
    ]
    assert {part for name in secret for part in name if part} == set(LOCKS["archive/accounts/secret_file.py"])


HOLDER = """
import sys
from filelock import FileLock
locks = [FileLock(path) for path in sys.argv[1:]]
for lock in locks:
    lock.acquire(timeout=30)
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def held(paths: list[Path]) -> Iterator[None]:
    """Another process has these locks."""
    command = [sys.executable, "-c", HOLDER, *map(str, paths)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "held\n"
            yield
        finally:
            process.stdin.close()
            process.wait(30)


@contextmanager
def journal_held(root: Path, pragma: str = "") -> Iterator[None]:
    """Another connection is writing the journal, or has it for itself alone."""
    with closing(sqlite3.connect(root / "requests.sqlite", isolation_level=None, timeout=30)) as db:
        if pragma:
            db.execute(pragma)
        db.execute("BEGIN EXCLUSIVE")
        yield
        db.execute("ROLLBACK")


class Crowd:
    """Users who do everything that is ever written, and somebody who only looks."""

    def __init__(self, target: Any, enter: Callable[[str], Any], attacker: Any) -> None:
        self.target, self.attacker = target, attacker
        self.alice, self.bob = enter("alice"), enter("bob")
        page = self.alice.submit("/account", {"action": "token", "label": "locks"})
        self.token = f"Bearer {re.findall(r'<pre id="token">(stix_[^<]+)</pre>', page.text)[0]}"
        self.leaving = [enter("bob") for _ in range(2)]
        self.request = Journal(target.root).submit("alice", BODY, NOW, uid="1", task_count=1)[0].request_id

    def actions(self) -> list[Callable[[], Any]]:
        """Everything that writes, each in a connection of its own."""
        alice, bob, token, number = self.alice, self.bob, self.token, self.request
        same = self.target.passwords["alice"]
        password = {"old": same, "new": same, "again": same}
        leaving = self.leaving.pop() if self.leaving else bob
        return [
            lambda: alice.submit("/account", {"action": "token", "label": "one more"}),
            lambda: alice.submit("/account", {"action": "revoke", "token_id": "00000000"}),
            lambda: bob.submit("/account", {"action": "everywhere"}),
            lambda: alice.submit("/account", {"action": "password", **password}),
            lambda: leaving.submit("/logout", {}),
            lambda: self.attacker.sign_in("bob", "a wrong password"),
            lambda: bob.get("/operations"),
            lambda: alice.send("POST", f"/api/v1/requests/{number}/cancel", b"{}", Authorization=token),
            lambda: alice.send("POST", f"/api/v1/requests/{number}/retry", b"{}", Authorization=token),
        ]

    def probe(self, done: Callable[[], bool]) -> list[float]:
        """How long `/liveness` and a file take, again and again until everybody is answered, s."""
        took = []
        while not done():
            for path in ("/liveness", "/archive/fits/0000000000000000-bp", "/login"):
                begun = time.monotonic()
                assert self.attacker.get(path).status in {200, 404}
                took.append(time.monotonic() - begun)
            time.sleep(0.05)
        return took


@pytest.fixture
def crowd(target: Any, enter: Callable[[str], Any], attacker: Any) -> Crowd:
    return Crowd(target, enter, attacker)


def everything_in(root: Path) -> dict[str, Callable[[], Any]]:
    """All locks by name, each as a context manager: those that appeared, and those that the code can make."""
    names = {f"{name}.lock" for known in LOCKS.values() for name in known}
    names |= {path.name for path in (root / "locks").iterdir()}
    locks: dict[str, Callable[[], Any]] = {
        name: (lambda name=name: held([root / "locks" / name])) for name in sorted(names)
    }
    return locks | {
        "journal": lambda: journal_held(root),
        "journal, exclusive": lambda: journal_held(root, "PRAGMA locking_mode = EXCLUSIVE"),
    }


def story_while_held(crowd: Crowd, lock: Callable[[], Any]) -> list[Any]:
    """Everybody acts while something is held, somebody else looks; what the actions were answered."""
    actions = crowd.actions()
    with lock(), ThreadPoolExecutor(len(actions)) as threads:
        begun = time.monotonic()
        running = [threads.submit(action) for action in actions]
        took = crowd.probe(lambda: all(future.done() for future in running))
        answers = [future.result() for future in running]
    # nobody waits much longer than the server's own limit (a busy machine, and a page asks more than once)
    assert time.monotonic() - begun < 10 * WebLimits().lock_time
    # a server that waits in its loop answers nothing for as long; a busy machine is slow now and then
    took.sort()
    assert took[len(took) // 2] < 0.5, took
    assert took[-1] < 8.0, took
    for answer in answers:
        assert answer.status in {200, 303, 400, 401, 404, 503}, answer.text
        if answer.status == 503:
            assert re.search(r"Try again in a moment|try again", answer.text), answer.text
            assert str(crowd.target.root) not in answer.text
    return answers


@pytest.mark.slow_attack
def test_a_lock_held_elsewhere_stops_only_who_needs_it(crowd: Crowd) -> None:
    """While another process holds the locks of the archive, other visitors are answered within half a second."""
    locks = everything_in(crowd.target.root)
    if LONG:
        for lock in locks.values():
            story_while_held(crowd, lock)
        return

    @contextmanager
    def all_of_them() -> Iterator[None]:
        with ExitStack() as stack:
            for name, lock in locks.items():
                if name != "journal, exclusive":
                    stack.enter_context(lock())
            yield

    answers = story_while_held(crowd, all_of_them)
    statuses = [answer.status for answer in answers]
    assert statuses[:1] + statuses[2:5] == [503, 503, 503, 503], statuses
    assert answers[0].headers["Retry-After"] == str(round(WebLimits().lock_time))
    assert "You are signed out in this browser" in answers[4].text
    assert statuses[7:] == [503, 503]
    story_while_held(crowd, locks["journal, exclusive"])


@pytest.mark.slow_attack
def test_nothing_that_may_wait_is_done_in_the_loop(
    serve: Callable[..., Any], target: Any, new_client: type[Any], open_tab: type[Any]
) -> None:
    """No file of the archive is opened, no lock taken and no password hashed in the thread that serves everybody."""
    root, name = target.root, "tests.dashboards.server.attacks.watched_server"
    number = Journal(root).submit("alice", BODY.replace("1", "2"), NOW, uid="2", task_count=1)[0].request_id
    with serve(root, name) as server:
        guest, alice, bob = (new_client(server.url) for _ in range(3))
        for client, who in ((alice, "alice"), (bob, "bob")):
            assert client.sign_in(who, target.passwords[who]).status == 303
        found = [row["image_id"] for row in guest.get("/api/v1/images?limit=2").json["items"]]

        async def pages() -> None:
            for client in (guest, alice) if LONG else (alice,):
                for page in PAGES:
                    async with open_tab(client, page) as tab:
                        await tab.document()

        async def use() -> None:
            async with open_tab(alice, "operations") as tab:
                await tab.press(str(await tab.button(f"Cancel request {number}")))
            async with open_tab(alice, "image_archive") as tab:
                field = str(labelled(await tab.document(), "Uid, flare or image id"))
                for text in ("2211100003", "22111"):  # each of them asks the archive
                    value = {"kind": "ModelChanged", "model": {"id": field}, "attr": "value", "new": text}
                    assert await tab.patch(value) == "OK"
                await asyncio.sleep(2.5)  # the operations page looks at the journal every two seconds

        asyncio.run(pages())
        asyncio.run(use())
        assert Journal(root).get(number).state == "cancelled"
        for client in (guest, alice):
            for path in (f"archive/script/{found[0]}.py", f"archive/selection/table.csv?images={','.join(found)}"):
                assert client.get(f"/{path}").status in {200, 404}
            for path in ("account", "login", "logout", "api/v1/requests", f"archive/rendering/{number}/a.png"):
                assert client.get(f"/{path}").status < 500
        page = alice.submit("/account", {"action": "token", "label": "watched"}).text
        token = f"Bearer {re.findall(r'<pre id="token">(stix_[^<]+)</pre>', page)[0]}"
        for verb in ("retry", "cancel"):
            path = f"/api/v1/requests/{number}/{verb}"
            assert alice.send("POST", path, b"{}", Authorization=token, Content_Type="application/json").status == 200
        alice.submit("/account", {"action": "revoke", "token_id": token[12:20]})
        wrong = {"old": "wrong", "new": "another long one", "again": "another long one"}
        assert alice.submit("/account", {"action": "password", **wrong}).status == 400
        same = target.passwords["alice"]
        assert alice.submit("/account", {"action": "password", "old": same, "new": same, "again": same}).status == 200
        bob.submit("/logout", {})
        alice.submit("/account", {"action": "everywhere"})
        seen = sorted({line for line in server.log_text().splitlines() if line.startswith("IN-THE-LOOP")})
    assert not seen, "\n".join(seen)


def labelled(document: Any, label: str) -> str | None:
    """Id of the widget with a label."""
    if isinstance(document, list):
        return next((found for item in document if (found := labelled(item, label))), None)
    if not isinstance(document, dict):
        return None
    data = (document.get("attributes") or {}).get("data")
    if isinstance(data, dict) and (data.get("attributes") or {}).get("label") == label:
        return str(data["id"])
    return next((found for item in document.values() if (found := labelled(item, label))), None)


PAGES = ("flares", "image_archive", "lightcurves", "science_data", "operations")
