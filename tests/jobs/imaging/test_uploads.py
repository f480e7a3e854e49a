"""Files that people drop on a page: checked in a child, kept or refused with a sentence, never trusted."""

from __future__ import annotations

import gzip
import os

import numpy as np
import pytest

from jobs.imaging.uploads import UPLOADS, UploadLimits, UploadRefused, check_upload, harmless, receive_upload
from jobs.shared.errors import LimitReached

GOOD = "nov2022/l1/solo_L1_stix-sci-xray-cpd_20221109T045251-20221109T050631_V01_2211094607-54679.fits"
LIGHT_CURVE = "formats/solo_L1A_stix-ql-lightcurve_20210606_010104_V01.fits"


@pytest.fixture
def content(shared_data):
    return (shared_data / GOOD).read_bytes()


def test_a_good_file_is_kept_and_described(tmp_path, content):
    summary = receive_upload(tmp_path, "C:\\data\\../../my flare (1).fits", content)
    assert summary.uid == "2211094607"
    assert summary.product == "sci-xray-cpd"
    assert summary.name.endswith("_V01_2211094607-54679.fits")
    assert summary.times == (np.datetime64("2022-11-09T04:52:51.737"), np.datetime64("2022-11-09T05:06:31.437"))
    assert summary.path == str(tmp_path / UPLOADS / summary.sha256[:16] / "my_flare__1_.fits")
    assert receive_upload(tmp_path, "my flare (1).fits", content) == summary
    assert [path.name for path in tmp_path.rglob("*.fits")] == ["my_flare__1_.fits"]


def test_a_refused_file_leaves_nothing(tmp_path, content):
    with pytest.raises(
        UploadRefused, match=r"^flare\.fits: expected \d+ bytes up to extension DATA, found 40000 bytes"
    ):
        receive_upload(tmp_path, "flare.fits", content[:40_000])
    assert list((tmp_path / UPLOADS).iterdir()) == []


@pytest.mark.parametrize(
    ("name", "said"),
    [("light curve", "expected a science file .* found ql-lightcurve data"), ("gzip bomb", "SIMPLE = T")],
)
def test_what_is_no_science_file(tmp_path, shared_data, name, said):
    bomb = gzip.compress(bytes(50_000_000))
    content = bomb if name == "gzip bomb" else (shared_data / LIGHT_CURVE).read_bytes()
    with pytest.raises(UploadRefused, match=said):
        receive_upload(tmp_path, "x.fits", content)


def test_too_large_is_refused_before_it_is_written(tmp_path, content):
    with pytest.raises(LimitReached, match=r"x\.fits has 0 MiB; the limit for uploaded files is 0 MiB"):
        receive_upload(tmp_path, "x.fits", content, UploadLimits(size=60_000))
    assert list(tmp_path.iterdir()) == []


def test_memory_and_time_are_limited(shared_data):
    path = shared_data / LIGHT_CURVE
    with pytest.raises(UploadRefused, match="a file that fits into memory"):
        check_upload(path, UploadLimits(memory=1 << 20))
    with pytest.raises(UploadRefused, match=r"within 0\.01 s"):
        check_upload(path, UploadLimits(seconds=0.01))
    with pytest.raises(UploadRefused, match="more than 0 s of computing time"):
        check_upload(path, UploadLimits(cpu=0))


def test_only_regular_files(tmp_path, shared_data):
    (tmp_path / "link.fits").symlink_to(shared_data / GOOD)
    os.mkfifo(tmp_path / "pipe.fits")
    for name in ("link.fits", "pipe.fits", "nothing.fits"):
        with pytest.raises(UploadRefused, match=f"{name} is not a regular file"):
            check_upload(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("..", "unnamed.fits"),
        ("", "unnamed.fits"),
        (".hidden.fits", "hidden.fits"),
        ("a\0b\n<script>.fits", "a_b__script_.fits"),
        ("é" * 300 + ".fits", "_" * 145 + ".fits"),
        ("C:\\x\\y.fits", "y.fits"),
    ],
)
def test_names_are_made_harmless(name, kept):
    assert harmless(name) == kept
