"""A spectrum of a real flare in the archive: files, record and row, and all of it again after the index was lost."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from archive import Archive, Spectrum, SpectrumFilter, read_spectrum_record, spectrum_folder, write_spectrum_record
from archive.atomic import atomic_path
from archive.checks.findings import Code, is_sound
from archive.checks.run import check
from archive.layout import RESPONSE_FILE, SPECTRUM_FILE
from jobs.spectra.products import describe_spectrum
from stixcore.measure_spectrum import MeasuredSpectrum, SpectrumRequest, measure_spectrum
from stixcore.spectra.files import read_response_file, read_spectrum_file
from stixcore.spectra.files.ospex import OspexPair, write_ospex_response, write_ospex_spectra
from stixcore.spectra.models.thermal import KEV_PER_MK

NOW = np.datetime64("2026-11-30T12:00:00", "us")
START, END = (np.datetime64(f"2022-11-11T11:{minute}:00", "us") for minute in (36, 38))


@pytest.fixture(scope="module")
def measured(shared_data: Path) -> MeasuredSpectrum:
    """The M1.2 flare of 2022-11-11, fitted with a hot plasma."""
    l1 = shared_data / "nov2022" / "l1"
    (science,), (background,) = l1.glob("*_2211116471-*"), l1.glob("*_2211098157-*")
    request = SpectrumRequest(start=START, end=END, location=(825.1, 144.7), model="vth", energy=(4.0, 12.0))
    return measure_spectrum(request, science, background)


@pytest.fixture
def filled(measured: MeasuredSpectrum, tmp_path: Path) -> Archive:
    """An archive with this spectrum."""
    archive = Archive(tmp_path / "archive", create=True)
    place = spectrum_folder(measured.spectrum.t_start, "0123456789abcdef")
    folder = archive.root / place
    pair = OspexPair(spectrum_file=SPECTRUM_FILE, response_file=RESPONSE_FILE, distance=measured.distance, created=NOW)
    responses = {measured.spectrum.rcr: measured.response}
    for name, write in ((SPECTRUM_FILE, write_ospex_spectra), (RESPONSE_FILE, write_ospex_response)):
        with atomic_path(folder / name) as temporary:
            write(temporary, [measured.spectrum], responses, pair)
    fit = measured.fit
    temperature = fit.parameters["T_keV"].value / KEV_PER_MK
    row = Spectrum(
        spectrum_id="0123456789abcdef",
        kind="auto",
        uid=measured.spectrum.request_id,
        science_name="science.fits",
        flare_id="2211111136",
        t_start=measured.spectrum.t_start,
        t_end=measured.spectrum.t_end,
        model=fit.model,
        chi2=fit.chi2,
        ndof=fit.ndof,
        verdict=fit.verdict,
        temperature=temperature,
        livetime_s=measured.spectrum.livetime,
        attenuator_in=measured.response.attenuator,
        scheme=measured.response.scheme,
        distance_au=measured.distance,
        recipe="{}",
        folder=str(place),
        size=sum(path.stat().st_size for path in folder.iterdir()),
        version="0.1.0",
        created_at=NOW,
    )
    files = {"spectrum": Path(SPECTRUM_FILE), "response": Path(RESPONSE_FILE)}
    write_spectrum_record(folder, row, describe_spectrum(measured, files))
    archive.write_spectra([row])
    return archive


def later() -> np.datetime64:
    return np.datetime64(time.time_ns() // 1000, "us") + np.timedelta64(2, "h")


def test_it_is_found_and_its_files_are_read(filled: Archive, measured: MeasuredSpectrum) -> None:
    (row,) = filled.spectra(SpectrumFilter(flare_id="2211111136", temperature_min=10.0, temperature_max=30.0))
    folder = filled.root / row.folder
    record = read_spectrum_record(folder)
    assert record.row == row
    np.testing.assert_array_equal(record.document["counts"], measured.spectrum.counts)
    assert record.document["fit"]["parameters"]["T_keV"]["value"] == pytest.approx(row.temperature * KEV_PER_MK)
    assert record.document["files"] == {"spectrum": SPECTRUM_FILE, "response": RESPONSE_FILE}
    spectrum, response = read_spectrum_file(folder / SPECTRUM_FILE), read_response_file(folder / RESPONSE_FILE)
    assert spectrum.response_file == RESPONSE_FILE
    np.testing.assert_allclose(spectrum.counts[0], measured.spectrum.counts, rtol=1e-6)
    assert response.distance == pytest.approx(measured.distance)
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
