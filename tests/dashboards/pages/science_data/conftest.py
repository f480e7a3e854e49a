"""The archive of November, with a user, and a server over it."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archive import Archive
from archive.accounts import Accounts, Role

PASSWORD = "a long pass phrase"


@pytest.fixture(scope="session")
def science_archive(november: Archive, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """A copy that may change, with a user; what becomes of their requests is hidden from guests."""
    root = tmp_path_factory.mktemp("science") / "archive"
    shutil.copytree(november.root, root)
    Accounts(root).add("alice", PASSWORD, np.datetime64("2026-11-25T12:00:00", "us"), Role.USER)
    archive = Archive(root)
    yield archive
    archive.close()


@pytest.fixture(scope="session")
def password() -> str:
    """What alice signs in with."""
    return PASSWORD


@pytest.fixture(scope="session")
def science_server(serve: Callable[[Path], Any], science_archive: Archive) -> Iterator[Any]:
    with serve(science_archive.root) as started:
        yield started
