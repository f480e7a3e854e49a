"""A spectrum of a real flare in the archive: found by its values, checked, and back after the index was lost."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from archive import Archive, SpectrumFilter
from archive.checks.findings import Code, is_sound
from archive.checks.run import check
from archive.index.schema import RunKind
from archive.layout import RESPONSE_FILE, SPECTRUM_FILE
from jobs.spectra.task import SpectrumContext, SpectrumTask, run_spectrum
from stixcore.measure_spectrum import SpectrumRequest
from stixcore.spectra.files import read_response_file, read_spectrum_file

NOW = np.datetime64("2026-11-30T12:00:00", "us")
START, END = (np.datetime64(f"2022-11-11T11:{minute}:00", "us") for minute in (36, 38))


@pytest.fixture(scope="module")
def template(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """An archive with a spectrum of the M1.2 flare of 2022-11-11, fitted with a hot plasma."""
    archive = Archive(tmp_path_factory.mktemp("template") / "archive", create=True)
    l1 = shared_data / "nov2022" / "l1"
    (science,), (background,) = l1.glob("*_2211116471-*"), l1.glob("*_2211098157-*")
    task = SpectrumTask(
        root=archive.root,
        wanted=SpectrumRequest(start=START, end=END, location=(825.1, 144.7), model="vth", energy=(4.0, 12.0)),
        science=science,
        background=background,
        aspect=(),
        context=SpectrumContext(
            kind=RunKind.AUTO, author="auto", uid="2211116471", science_name=science.name, flare_id="2211111136"
        ),
        created=NOW,
    )
    archive.write_spectra([run_spectrum(task)])
    archive.close()
    return archive


@pytest.fixture
def filled(template: Archive, tmp_path: Path) -> Archive:
    """A copy of it that a test may change."""
    shutil.copytree(template.root, tmp_path / "archive")
    return Archive(tmp_path / "archive")


def later() -> np.datetime64:
    return np.datetime64(time.time_ns() // 1000, "us") + np.timedelta64(2, "h")


def test_it_is_found_and_its_files_name_each_other(filled: Archive) -> None:
    (row,) = filled.spectra(SpectrumFilter(flare_id="2211111136", temperature_min=10.0, temperature_max=30.0))
    folder = filled.root / row.folder
    spectrum, response = read_spectrum_file(folder / SPECTRUM_FILE), read_response_file(folder / RESPONSE_FILE)
    assert spectrum.response_file == RESPONSE_FILE
    assert response.distance == pytest.approx(row.distance_au)
    assert filled.spectra(SpectrumFilter(temperature_min=30.0)) == []
    assert check(filled, later()) == ()


def test_after_the_index_was_lost_it_is_the_same(filled: Archive) -> None:
    before = filled.spectra()
    filled.close()
    shutil.rmtree(filled.index)
    again = Archive(filled.root, create=True)
    findings = check(again, later(), repair=True)
    assert [one.code for one in findings] == [Code.SPECTRUM_UNINDEXED]
    assert is_sound(findings)
    assert again.spectra() == before
    assert len(before) == 1


def test_a_changed_count_is_noticed(filled: Archive) -> None:
    (row,) = filled.spectra()
    path = filled.root / row.folder / SPECTRUM_FILE
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert [one.code for one in check(filled, later())] == [Code.SPECTRUM_DAMAGED]
