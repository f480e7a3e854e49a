"""What fault tests share: mutations and trials are modules beside this file, for child processes too."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
if str(HERE) not in sys.path:  # child processes inherit the path
    sys.path.insert(0, str(HERE))


@pytest.fixture
def science(shared_data: Path) -> Path:
    """A small real file: one bin, 8 pixels, 13 channels."""
    (path,) = (shared_data / "nov2022" / "l1").glob("*_2211094607-54679.fits")
    return path


@pytest.fixture
def aspect(shared_data: Path) -> Path:
    """Pointing of the same day."""
    (path,) = (shared_data / "nov2022" / "aux").glob("*_20221109_V01.fits")
    return path
