"""The real command line in a process of its own, and what it wrote, byte by byte."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Ran:
    """A command that has ended."""

    status: int
    out: bytes
    err: bytes


def stix_jobs(*words: object, folder: Path | None = None, patience_s: float = 300, **environment: str) -> Ran:
    """Run ``stix-jobs``; ``folder`` comes first where Python looks for modules."""
    places = [str(place) for place in (folder, ROOT) if place is not None]
    child = subprocess.run(
        [sys.executable, "-m", "jobs.cli", *(os.fsencode(str(word)) for word in words)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(places)} | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=patience_s,
        check=False,
    )
    return Ran(child.returncode, child.stdout, child.stderr)
