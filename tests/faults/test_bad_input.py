"""Broken copies of real files, and odd things with the names of files: every one ends in the index or in quarantine.

Thousands of them are tried by ``make soak``; here are some, other ones every time for what costs little.
"""

from __future__ import annotations

import json
import os
import socket
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutations import break_file, originals
from trials import MEMORY, UNNAMED, run_trials

from archive import Archive, OutcomeStatus
from archive.ingest.ingest import ingest
from archive.ingest.quarantine import NOTE
from stixcore.errors import InvalidProduct
from stixcore.fits.read import read_aspect, read_light_curve, read_pixel_data, read_spectrogram
from stixcore.fits.spec import ProductKind

pytestmark = pytest.mark.system

NOW = np.datetime64("2026-11-22T12:00:00", "us")
READERS = {
    ProductKind.PIXEL_DATA: read_pixel_data,
    ProductKind.SPECTROGRAM: read_spectrogram,
    ProductKind.LIGHT_CURVE: read_light_curve,
    ProductKind.ASPECT: read_aspect,
}


def test_broken_files_through_ingest_and_imaging(shared_data):
    """The same ones every time, so that a failure can be looked into."""
    summary = run_trials(shared_data, range(60), methods="bp,clean,em,mem_ge,vis_fwdfit,full_disk_bp")
    assert summary.faults == []
    assert len(summary.trials) == 60
    assert summary.count("ingest").keys() == {"ingested", "quarantined"}
    assert summary.count("image")["made"] > 10
    assert summary.peak_mib < MEMORY / 1024**2


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**40))
def test_readers_refuse_or_read(shared_data, tmp_path, seed):
    """Whatever a file holds, a reader returns a product or raises the one exception that names the field."""
    files = originals(shared_data)
    file = files[seed % len(files)]
    path = tmp_path / file.name
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of astropy, while it breaks the file
        path.write_bytes(break_file(file.read_bytes(), seed).content)
    for reader in READERS.values():
        try:
            product = reader(path)
        except InvalidProduct as error:
            reason = str(error)
        else:
            reason = ""
            assert product.header.kind in READERS
        assert not UNNAMED.search(reason)


ODD_NAMES = (
    "..fits",
    "...fits",
    "-rf.fits",
    "a b\tc\nd.fits",
    "é\u202e\u0000".replace("\u0000", "") + ".fits",
    "\udcff\udcfe.fits",  # bytes that are no text
    "x" * 250 + ".fits",
    "$(touch stolen).fits",
    "'; DROP TABLE images; --.fits",
    "%s%n{0}.fits",
    "<script>alert(1)</script>.fits",
    "solo_L1_stix-sci-xray-cpd_99999999T999999-99999999T999999_V99_9999999999-99999.fits",
    "solo_L1_stix-sci-xray-cpd_20221109T045251-20221109T050631_V01_..%2F..%2Fetc-54679.fits",
    "con.FITS",
)


@pytest.mark.parametrize("name", ODD_NAMES)
def test_names(science, tmp_path, name):
    """A good file under an odd name comes in under a name of the archive's own, or is refused; never elsewhere."""
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    (inbox / name.replace("/", "_")).write_bytes(science.read_bytes())
    archive = Archive(tmp_path / "archive", create=True)
    outcomes = ingest(archive, [inbox], NOW)
    if name.startswith("."):  # hidden: on its way, by rsync
        assert outcomes == []
        return
    (outcome,) = outcomes
    found = {path.name for path in archive.root.rglob("*.fits")}
    if outcome.status is OutcomeStatus.INGESTED:
        assert found == {science.name}
    else:
        assert outcome.status is OutcomeStatus.QUARANTINED
        (note,) = archive.root.rglob(f"*{NOTE}")
        assert json.loads(note.read_text())["reason"] == outcome.reason
        assert found == {note.name.removesuffix(NOTE)}
    assert {path.name for path in tmp_path.iterdir()} == {"inbox", "archive"}


def test_things_that_are_no_files(science, tmp_path):
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    (inbox / "folder.fits").mkdir()
    (inbox / "link.fits").symlink_to(science)
    (inbox / "dangling.fits").symlink_to(tmp_path / "nowhere")
    (inbox / "self.fits").symlink_to(inbox / "self.fits")
    (inbox / "zero.fits").symlink_to("/dev/zero")
    (inbox / "up").symlink_to(tmp_path)
    os.mkfifo(inbox / "pipe.fits")
    (inbox / "empty.fits").touch()
    with (inbox / "sparse.fits").open("wb") as huge:
        huge.truncate(1 << 41)
    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()
        os.chdir(inbox)  # the address of a socket may be no longer than 100 bytes
        try:
            server.bind("socket.fits")
        finally:
            os.chdir(here)
    archive = Archive(tmp_path / "archive", create=True)
    outcomes = {outcome.path.name: outcome for outcome in ingest(archive, [inbox], NOW)}
    expected = {"link", "dangling", "self", "zero", "pipe", "empty", "sparse", "socket"}
    refused = {name for name, outcome in outcomes.items() if outcome.status is OutcomeStatus.QUARANTINED}
    assert refused == {f"{name}.fits" for name in expected}
    assert all("expected" in outcomes[name].reason for name in refused)
    assert {path.name for path in archive.root.rglob("*.fits")} == {"empty.fits"}


def test_a_gzip_bomb_is_not_unpacked(tmp_path):
    import gzip

    bomb = tmp_path / "solo_L1_stix-sci-xray-cpd_20221109T045251-20221109T050631_V01_2211094607-54679.fits.gz"
    bomb.write_bytes(gzip.compress(b"SIMPLE  =                    T" + bytes(80_000_000), 9))
    archive = Archive(tmp_path / "archive", create=True)
    (outcome,) = ingest(archive, [bomb], NOW)
    assert outcome.status is OutcomeStatus.QUARANTINED
    assert "begins with SIMPLE = T" in outcome.reason
    assert sum(path.stat().st_size for path in archive.root.rglob("*.gz")) < 100_000
