"""The archive of November, with a user and spectra, and a server over it."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archive import Archive, RunKind, write_spectrum_record
from archive.accounts import Accounts, Role
from tests.dashboards.conftest import make_spectrum
from tests.dashboards.spectrum_documents import document

PASSWORD = "a long pass phrase"


@pytest.fixture(scope="session")
def science_archive(november: Archive, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """A copy that may change, with a user; what becomes of their requests is hidden from guests.

    The file of the flare has spectrum 505 with a fit, 504 without, and the hidden 503 of Alice.
    """
    root = tmp_path_factory.mktemp("science") / "archive"
    shutil.copytree(november.root, root)
    Accounts(root).add("alice", PASSWORD, np.datetime64("2026-11-25T12:00:00", "us"), Role.USER)
    archive = Archive(root)
    science = archive.science_file("2211116471")
    hidden = {"hidden": True, "author": "alice", "kind": RunKind.USER}
    rows = []
    for number, changes in ((505, {}), (504, {"model": None, "verdict": None, "no_fit": "no <signal>"}), (503, hidden)):
        times = {"t_start": science.t_start, "t_end": science.t_start + np.timedelta64(60, "s")}
        names = {"uid": science.uid, "science_name": science.name, "flare_id": None}
        row = make_spectrum(root, number, **(times | names | changes))
        write_spectrum_record(root / row.folder, row, document(**({} if row.model else {"fit": None})))
        rows.append(row)
    archive.write_spectra(rows)
    archive.build_read_model()
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
