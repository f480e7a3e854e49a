"""A damaged spectrum of a real flare is made again from its recipe, with the same numbers."""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archive import Archive, read_spectrum_record
from archive.checks.findings import Code, is_sound
from archive.checks.run import check
from archive.index.schema import RunKind
from archive.ingest.ingest import ingest
from archive.layout import RESPONSE_FILE, SPECTRUM_FILE, SPECTRUM_RECORD
from jobs.cli.repair import SpectrumRemaker
from jobs.spectra.task import SpectrumContext, SpectrumTask, run_spectrum
from stixcore.measure_spectrum import SpectrumRequest

NOW = np.datetime64("2026-03-20T00:00:00", "us")
START, END = (np.datetime64(f"2022-11-11T11:{minute}:00", "us") for minute in (36, 38))


@pytest.fixture(scope="module")
def template(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """An archive with the M1.2 flare of 2022-11-11 and a spectrum that Ann requested."""
    archive = Archive(tmp_path_factory.mktemp("template") / "archive", create=True)
    l1 = shared_data / "nov2022" / "l1"
    (science,), (background,) = l1.glob("*_2211116471-*"), l1.glob("*_2211098157-*")
    ingest(archive, [science, background], NOW)
    task = SpectrumTask(
        root=archive.root,
        wanted=SpectrumRequest(start=START, end=END, location=(825.1, 144.7), model="vth", energy=(4.0, 12.0)),
        science=archive.locate(science.name),
        background=archive.locate(background.name),
        aspect=(),
        context=SpectrumContext(
            kind=RunKind.USER, author="ann", uid="2211116471", science_name=science.name, hidden=True
        ),
        created=NOW,
        calibration=archive.calibration,
    )
    archive.write_spectra([run_spectrum(task)])
    archive.close()
    return archive


@pytest.fixture
def own(template: Archive, tmp_path: Path) -> Archive:
    """A copy of it that a test may damage."""
    shutil.copytree(template.root, tmp_path / "archive")
    return Archive(tmp_path / "archive")


def later() -> np.datetime64:
    return np.datetime64(time.time_ns() // 1000, "us") + np.timedelta64(2, "h")


def whole(archive: Archive) -> dict[str, Any]:
    """The only spectrum, apart from how long it took."""
    (row,) = archive.query("SELECT * EXCLUDE (elapsed_s) FROM spectra").to_pylist()
    values: dict[str, Any] = row
    return values


@pytest.mark.parametrize("name", [SPECTRUM_FILE, RESPONSE_FILE, SPECTRUM_RECORD])
def test_a_damaged_file_is_made_again(own: Archive, name: str) -> None:
    before, folder = whole(own), own.root / whole(own)["folder"]
    document, content = read_spectrum_record(folder).document, (folder / name).read_bytes()
    (folder / name).write_bytes(content[: len(content) // 2])
    findings = check(own, later(), repair=True, remeasure=SpectrumRemaker(own))
    assert [one.code for one in findings if one.table == "spectra"] == [Code.SPECTRUM_DAMAGED]
    assert is_sound(findings)
    assert whole(own) == before
    assert read_spectrum_record(folder).document == document
    if name != SPECTRUM_RECORD:
        assert (folder / name).read_bytes() == content
    assert not [one for one in check(own, later()) if one.table == "spectra"]


def test_without_its_science_file_it_goes_into_quarantine(own: Archive) -> None:
    row = own.spectrum(whole(own)["spectrum_id"])
    science = own.locate(row.science_name)
    own.delete("science_files", [science.name])
    science.unlink()
    (own.root / row.folder / SPECTRUM_RECORD).unlink()
    assert not SpectrumRemaker(own)(row)
    assert is_sound(check(own, later(), repair=True, remeasure=SpectrumRemaker(own)))
    assert own.count_spectra() == 0
    assert len(list(own.root.glob("quarantine/*/*.fits"))) == 2


def test_a_row_with_the_recipe_of_another_spectrum_is_not_used(own: Archive) -> None:
    row = own.spectrum(whole(own)["spectrum_id"])
    assert not SpectrumRemaker(own)(replace(row, spectrum_id="0" * 16))
    assert not SpectrumRemaker(own)(replace(row, recipe="{}"))
    assert not list(own.root.glob("quarantine/*/*"))
