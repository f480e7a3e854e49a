"""Files that the documentation's examples speak of."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from docs.makers.example import give_short_names, write_example


@pytest.fixture(scope="session")
def example_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with ``science.fits``, ``background.fits``, ``aux.fits``, and with all under their own names in it."""
    home = tmp_path_factory.mktemp("examples")
    give_short_names(write_example(home / "folder"), home)
    return home


@pytest.fixture
def workplace(example_files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of one's own with the example files, as working directory."""
    shutil.copytree(example_files, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STIX_ARCHIVE", raising=False)
    return tmp_path
