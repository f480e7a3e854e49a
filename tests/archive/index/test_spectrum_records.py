"""The record of a spectrum beside its files has its row, its document and hashes of the files."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archive import Archive, read_spectrum_record, write_spectrum_record
from archive.index.recorded import LARGEST_RECORD
from archive.layout import RESPONSE_FILE, SPECTRUM_FILE, SPECTRUM_RECORD


def test_row_and_document_come_back_as_they_were(tmp_path: Path, make) -> None:
    row = make.spectrum(
        1, elapsed_s=1.5, hidden=True, author="eva", no_fit="…", t_end=np.datetime64("2022-11-11T12:01")
    )
    document = {"counts": [1.0, 2.5], "fit": {"model": "vth", "residuals": [None, 0.5]}}
    folder = make.spectrum_files(tmp_path, row, document)
    record = read_spectrum_record(folder)
    assert record is not None
    assert record.row == row
    assert record.document == {"files": {"spectrum": SPECTRUM_FILE, "response": RESPONSE_FILE}} | document
    found = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in (SPECTRUM_FILE, RESPONSE_FILE)}
    assert record.sha256 == found


def test_unknown_numbers_are_empty_and_unknown_counts_are_refused(tmp_path: Path, make) -> None:
    row = make.spectrum(1, chi2=float("nan"))
    folder = make.spectrum_files(tmp_path, row)
    assert json.loads((folder / SPECTRUM_RECORD).read_text())["row"]["chi2"] is None
    assert read_spectrum_record(folder).row == replace(row, chi2=None)
    with pytest.raises(ValueError, match="JSON"):
        write_spectrum_record(folder, row, {"counts": [float("nan")]})
    assert read_spectrum_record(folder).row == replace(row, chi2=None)


@pytest.mark.parametrize(
    ("change", "valid"),
    [
        ({}, True),
        ({"format": 2}, False),
        ({"row": {}}, False),
        ({"row": 3}, False),
        ({"spectrum": None}, False),
        ({"sha256": []}, False),
    ],
)
def test_what_is_no_record_is_none(tmp_path: Path, make, change: dict[str, Any], valid: bool) -> None:
    folder = make.spectrum_files(tmp_path, make.spectrum(1))
    content = json.loads((folder / SPECTRUM_RECORD).read_text())
    (folder / SPECTRUM_RECORD).write_text(json.dumps(content | change))
    assert (read_spectrum_record(folder) is not None) == valid
    assert read_spectrum_record(tmp_path / "elsewhere") is None


@pytest.mark.parametrize("text", ["1e999", r'"\ud800"', "NaN"])
def test_what_json_cannot_hold_is_no_record(tmp_path: Path, make, text: str) -> None:
    folder = make.spectrum_files(tmp_path, make.spectrum(1), {"counts": ["here"]})
    path = folder / SPECTRUM_RECORD
    path.write_text(path.read_text().replace('"here"', text))
    assert read_spectrum_record(folder) is None


def test_a_new_row_goes_into_the_record_and_the_hashes_stay(archive: Archive, make) -> None:
    row = make.spectrum(1)
    folder = make.spectrum_files(archive.root, row)
    before = read_spectrum_record(folder)
    (folder / SPECTRUM_FILE).write_bytes(b"damaged after the record was written")
    archive.write_spectra([replace(row, flare_id="2211111200"), make.spectrum(2)])
    record = read_spectrum_record(folder)
    assert record.row.flare_id == "2211111200"
    assert (record.document, record.sha256) == (before.document, before.sha256)
    assert archive.spectrum(row.spectrum_id) == record.row
    assert not (archive.root / make.spectrum(2).folder).exists()


def test_the_record_of_another_spectrum_is_left_alone(archive: Archive, make) -> None:
    folder = make.spectrum_files(archive.root, make.spectrum(1))
    archive.write_spectra([make.spectrum(2, folder=make.spectrum(1).folder)])
    assert read_spectrum_record(folder).row == make.spectrum(1)


def test_the_record_of_another_spectrum_is_none(tmp_path: Path, make) -> None:
    """A folder that was copied would show what belongs to another one, which may be hidden."""
    folders = [make.spectrum_files(tmp_path, make.spectrum(number)) for number in (1, 2)]
    (folders[0] / SPECTRUM_RECORD).write_bytes((folders[1] / SPECTRUM_RECORD).read_bytes())
    assert read_spectrum_record(folders[0]) is None
    assert read_spectrum_record(folders[1]) is not None


def test_a_record_that_is_too_large_is_none(tmp_path: Path, make) -> None:
    """It would need many times its size in memory."""
    folder = make.spectrum_files(tmp_path, make.spectrum(1))
    text = (folder / SPECTRUM_RECORD).read_text()
    (folder / SPECTRUM_RECORD).write_text(text + " " * (LARGEST_RECORD - len(text)))
    assert read_spectrum_record(folder) is not None
    (folder / SPECTRUM_RECORD).write_text(text + " " * (LARGEST_RECORD + 1 - len(text)))
    assert read_spectrum_record(folder) is None
