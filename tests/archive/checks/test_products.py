"""Damaged GOES months, cubes, maps and renderings are named with what to do, and a repair makes room for new ones."""

from __future__ import annotations

import gzip
import io
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from PIL import Image as Picture

from archive import Archive
from archive.checks.contents import fault_of
from archive.checks.findings import Code, Finding
from archive.checks.run import check
from archive.goes import GoesMinutes, add_goes_minutes, goes_months

MONTH, CUBE, RENDERING = (
    "goes/2022-11.parquet",
    "cubes/2022/11/11/cube-2211111200-2211116471",
    "renderings/0123456789abcdef",
)
CONTEXT, UPLOADED = "overlays/context_aia_171_20221111T120000.fits", "overlays/anna/map_12345678.fits.gz"
POINT = {"t_start": "2022-11-11T12:00:00.000", "t_end": "2022-11-11T12:01:00.000", "e_low": 4.0, "e_high": 10.0}
FIT = POINT | {
    "livetime_s": 50.0, "counts": 3e4, "attenuator_in": False, "model": "vth", "fit_low": 4.0, "fit_high": 20.0,
    "chi2": 9.0, "ndof": 11, "verdict": "trusted", "doubts": [], "temperature": 14.0, "temperature_minus": 0.5,
}  # fmt: skip
RECORD = {
    "tracks": [POINT], "spectra": {"track": [FIT]},
    "movie": {"band_kev": [4.0, 10.0], "frames": 1, "file": "movie.mp4", "poster": "poster.png"},
}  # fmt: skip


def png() -> bytes:
    stream = io.BytesIO()
    Picture.new("L", (8, 8)).save(stream, "png")
    return stream.getvalue()


def box(kind: bytes, content: bytes = b"") -> bytes:
    return (8 + len(content)).to_bytes(4) + kind + content


MOVIE = box(b"ftyp", b"isom") + box(b"mdat", bytes(100)) + box(b"moov", bytes(20))


def a_map(shape: tuple[int, ...] = (8, 8)) -> bytes:
    stream = io.BytesIO()
    fits.PrimaryHDU(np.ones(shape, np.float32)).writeto(stream)
    return stream.getvalue()


def parquet() -> bytes:
    stream = io.BytesIO()
    pq.write_table(pa.table({"x": [1.0]}), stream)
    return stream.getvalue()


def later() -> np.datetime64:
    """Some time after everything that this test wrote."""
    return np.datetime64(time.time_ns() // 1000, "us") + np.timedelta64(2, "h")


@pytest.fixture
def filled(tmp_path: Path) -> Archive:
    archive = Archive(tmp_path / "archive", create=True)
    times = np.datetime64("2022-11-11T00:00", "us") + np.arange(60) * np.timedelta64(60_000_000, "us")
    add_goes_minutes(archive.root, GoesMinutes(16, "a", times, np.full(60, 1e-6), np.full(60, 1e-7)))
    contents = {
        f"{CUBE}/cube.json": json.dumps(RECORD).encode(), f"{CUBE}/movie.mp4": MOVIE, f"{CUBE}/poster.png": png(),
        f"{CUBE}/tracks.parquet": parquet(), f"{CUBE}/spectra_track.parquet": parquet(),
        CONTEXT: a_map(), UPLOADED: gzip.compress(a_map()),
        "overlays/notes.txt": b"", f"{RENDERING}/rendering.json": json.dumps({"files": ["overlay.png"]}).encode(),
        f"{RENDERING}/overlay.png": png(),
    }  # fmt: skip
    for name, content in contents.items():
        (archive.root / name).parent.mkdir(parents=True, exist_ok=True)
        (archive.root / name).write_bytes(content)
    return archive


def test_whole_files_are_not_named(filled: Archive) -> None:
    assert check(filled, later()) == check(filled, later(), deep=False) == ()


def cut(content: bytes) -> bytes:
    return content[:-30]


@pytest.mark.parametrize(
    ("name", "change", "code", "words"),
    [
        (MONTH, cut, Code.GOES_UNREADABLE, "import the GOES files of this month again"),
        (MONTH, lambda _: parquet(), Code.GOES_UNREADABLE, "import the GOES files of this month again"),
        (f"{CUBE}/cube.json", cut, Code.CUBE_DAMAGED, "the next run of the previews makes the cube again"),
        (f"{CUBE}/cube.json", lambda _: b'{"tracks": 3}', Code.CUBE_DAMAGED, "it cannot be read"),
        (f"{CUBE}/movie.mp4", cut, Code.CUBE_DAMAGED, "it is no whole MP4 file"),
        (f"{CUBE}/poster.png", cut, Code.CUBE_DAMAGED, "its end is missing"),
        (f"{CUBE}/tracks.parquet", cut, Code.CUBE_DAMAGED, "it cannot be read"),
        (f"{CUBE}/tracks.parquet", None, Code.CUBE_DAMAGED, "it is missing"),
        (f"{CUBE}/spectra_track.parquet", cut, Code.CUBE_DAMAGED, "it cannot be read"),
        (f"{CUBE}/spectra_track.parquet", None, Code.CUBE_DAMAGED, "it is missing"),
        (CONTEXT, lambda _: b"<html>", Code.MAP_UNREADABLE, "not a FITS file; stix-jobs context brings it again"),
        (CONTEXT, lambda _: a_map((2, 8, 8)), Code.MAP_UNREADABLE, "no image with two axes"),
        (f"{RENDERING}/rendering.json", cut, Code.RENDERING_DAMAGED, "request it again"),
        (f"{RENDERING}/rendering.json", lambda _: b'{"files": ["../x"]}', Code.RENDERING_DAMAGED, "a list of names"),
        (f"{RENDERING}/overlay.png", None, Code.RENDERING_DAMAGED, "it is missing; request it again"),
        (f"{RENDERING}/overlay.png", lambda _: b"", Code.RENDERING_DAMAGED, "it is empty"),
    ],
)
def test_a_damaged_file_is_named_and_repaired(
    filled: Archive, name: str, change: Callable[[bytes], bytes] | None, code: Code, words: str
) -> None:
    path = filled.root / name
    if change is None:
        path.unlink()
    else:
        path.write_bytes(change(path.read_bytes()))

    def only(findings: tuple[Finding, ...]) -> Finding:
        (found,) = [one for one in findings if one.code is not Code.QUARANTINE]
        return found

    found = only(check(filled, later()))
    assert (found.code, found.file, found.repaired) == (code, name, False)
    assert words in found.message
    assert name.rpartition("/")[2] in found.message
    assert only(check(filled, later(), repair=True)).repaired
    assert {one.code for one in check(filled, later())} <= {Code.QUARANTINE}


def test_a_map_of_a_user_is_named_and_stays(filled: Archive) -> None:
    (filled.root / UPLOADED).write_bytes(gzip.compress(b"<html>"))
    for repair in (False, True):
        (found,) = check(filled, later(), repair=repair)
        assert (found.code, found.file, found.repaired) == (Code.MAP_UNREADABLE, UPLOADED, False)
        assert "not a FITS file packed with gzip; remove it, or add it again" in found.message


def test_a_damaged_month_of_goes_can_be_imported_again(filled: Archive) -> None:
    path = filled.root / MONTH
    path.write_bytes(b"x")
    check(filled, later(), repair=True)
    assert goes_months(filled.root) == ()
    times = np.datetime64("2022-11-11T00:00", "us") + np.arange(2) * np.timedelta64(60_000_000, "us")
    assert add_goes_minutes(filled.root, GoesMinutes(16, "a", times, np.full(2, 1e-6), np.full(2, 1e-7))) == 2


@pytest.mark.parametrize(
    ("name", "content", "whole"),
    [
        ("a.gif", b"GIF89a...;", True),
        ("a.gif", b"GIF89a...", False),
        ("a.mp4", box(b"ftyp") + box(b"moov") + bytes(4) + b"mdat" + bytes(50), True),  # up to the end of the file
        ("a.mp4", box(b"ftyp") + box(b"moov") + (1).to_bytes(4) + b"mdat" + (66).to_bytes(8) + bytes(50), True),
        ("a.mp4", box(b"ftyp") + box(b"moov") + (1).to_bytes(4) + b"mdat" + (67).to_bytes(8) + bytes(50), False),
        ("a.fits", a_map(), True),
        ("a.fits", a_map()[:-1], False),
        ("a.json", b"{", False),
        ("a.json", b"[" * 100_000, False),
        ("a.zip", b"PK", False),
        ("a.csv", b"x", True),
        ("a.csv", b"", False),
    ],
)
def test_contents(tmp_path: Path, name: str, content: bytes, whole: bool) -> None:
    (tmp_path / name).write_bytes(content)
    assert (fault_of(tmp_path / name, tmp_path, deep=True) == "") is whole


def test_a_link_is_not_followed(tmp_path: Path, filled: Any) -> None:
    (tmp_path / "a.png").symlink_to(filled.root / f"{CUBE}/poster.png")
    assert "is not a regular file" in fault_of(tmp_path / "a.png", tmp_path)
