"""Programs that show what is wrong in Panel, Bokeh and Tornado when nothing of them is replaced."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from textwrap import dedent

import pytest


@pytest.fixture(scope="session")
def run_upstream() -> Callable[[str], str]:
    """Output of a program in a fresh Python, where no patch is installed."""

    def run(program: str) -> str:
        words = [sys.executable, "-W", "ignore", "-c", dedent(program)]
        done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return run
