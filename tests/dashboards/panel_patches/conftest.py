"""Programs that show what is wrong in Panel, Bokeh and Tornado when nothing of them is replaced."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest


@pytest.fixture
def run_upstream(start: Callable[..., Any], tmp_path: Path) -> Callable[[str], str]:
    """Output of a program in a process of its own, where no patch is installed."""

    def run(program: str) -> str:
        script, output, errors = (tmp_path / name for name in ("program.py", "output", "errors"))
        script.write_text(dedent(program))
        with output.open("wb") as out, errors.open("wb") as err:
            status = start([str(script)], dict(os.environ), out, err).wait(120)
        assert status == 0, errors.read_text()
        return output.read_text().strip()

    return run
