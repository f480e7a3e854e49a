"""What a child process that reads strangers' files learns of its parent."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jobs.executors.base import Finished
from jobs.executors.child_environment import INHERITED, child_environment
from jobs.executors.processes import ChildExecutor
from jobs.imaging.uploads import check_upload

pytestmark = pytest.mark.system

SECRETS = {
    "PANEL_COOKIE_SECRET": "cookie",
    "BOKEH_SECRET_KEY": "sessions",
    "PANEL_OAUTH_SECRET": "client",
    "AWS_SECRET_ACCESS_KEY": "cloud",
    "STIX_ARCHIVE_TOKEN": "token",
    "HTTPS_PROXY": "http://user:password@127.0.0.1:9",
}
#: Runs first in every child: writes down what it inherited.
CONFESSION = """
import json, os
from pathlib import Path
Path(__file__).with_name(f"seen-{os.getpid()}.json").write_text(json.dumps(dict(os.environ)))
"""
#: A process with a secret, and a child of it that reads it, as any program of the same user may.
LOOK = """
import os, subprocess, sys
from jobs.executors.child_environment import forbid_inspection
if sys.argv[1] == "closed":
    assert forbid_inspection()
read = "import os; print(open(f'/proc/{os.getppid()}/environ', 'rb').read())"
bare = {name: value for name, value in os.environ.items() if "SECRET" not in name}
answer = subprocess.run([sys.executable, "-c", read], env=bare, capture_output=True, text=True)
print("cookie" in answer.stdout, "PermissionError" in answer.stderr)
"""


@pytest.fixture
def seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Environments of the children that were started, when called."""
    (tmp_path / "sitecustomize.py").write_text(CONFESSION)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{Path(__file__).parents[2]}")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    return lambda: [json.loads(path.read_text()) for path in tmp_path.glob("seen-*.json")]


def check_children(environments: list[dict[str, str]]) -> None:
    assert environments
    for environment in environments:
        assert set(environment) <= INHERITED | {"LC_CTYPE"}
        assert not set(environment.values()) & set(SECRETS.values())
        assert environment["OMP_NUM_THREADS"] == "1"


def test_the_child_that_checks_an_upload(science: Path, seen: Any) -> None:
    """The process that looks at a dropped file inherits no secret of the server."""
    assert check_upload(science).product == "sci-xray-cpd"
    check_children(seen())


def test_the_child_that_makes_images(seen: Any) -> None:
    """The process that makes images of a stranger's file inherits no secret of the server."""
    with ChildExecutor(1) as executor:
        ticket = executor.submit(np.float64, 3)
        events: list[Any] = []
        while not any(isinstance(event, Finished) for event in events):
            events += executor.events(1.0)
    assert [(event.ticket, event.result) for event in events if isinstance(event, Finished)] == [(ticket, 3.0)]
    check_children(seen())


def test_only_what_is_listed() -> None:
    assert child_environment({"PATH": "/bin", "SECRET": "x", "LD_PRELOAD": "y"}) == {"PATH": "/bin"}


@pytest.mark.needs_setpriv
@pytest.mark.parametrize(("how", "found"), [("open", "True False"), ("closed", "False True")])
def test_the_environment_of_the_parent(how: str, found: str) -> None:
    """A process of the same user cannot read the server's environment in /proc."""
    root = Path(__file__).parents[2]
    words = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", sys.executable, "-c", LOOK, how]
    environment = child_environment() | {"PYTHONPATH": str(root), "PANEL_COOKIE_SECRET": "cookie"}
    ran = subprocess.run(words, env=environment, cwd="/", capture_output=True, text=True, timeout=120, check=False)
    assert ran.stdout.strip() == found, ran.stderr
