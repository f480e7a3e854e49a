"""The files by NASA's checker: no errors; the only warnings are for the column names that OSPEX expects."""

from __future__ import annotations

import subprocess

import numpy as np
import pytest

from stixcore.spectra.files import write_arf, write_ospex_response, write_ospex_spectra, write_pha, write_rmf
from stixcore.spectra.files.ospex import OspexPair

CREATED = np.datetime64("2026-07-07", "us")


@pytest.mark.needs_fitsverify
def test_files_are_fits(made_spectrum, plain_response, tmp_path):
    spectrum = made_spectrum(
        source="solo_L1_stix-sci-xray-cpd_20240310T115906-20240310T125906_V02_2403109216-57290.fits"
    )
    response = plain_response(spectrum.edges)
    pair = OspexPair(spectrum_file="a.fits", response_file="b.fits", distance=0.56, created=CREATED)
    write_ospex_spectra(tmp_path / "a.fits", [spectrum], {0: response}, pair)
    write_ospex_response(tmp_path / "b.fits", [spectrum], {0: response}, pair)
    write_pha(tmp_path / "c.fits", spectrum, created=CREATED)
    write_rmf(tmp_path / "d.fits", response, created=CREATED)
    write_arf(tmp_path / "e.fits", response, created=CREATED)
    for path in sorted(tmp_path.glob("*.fits")):
        ran = subprocess.run(["fitsverify", "-l", path], capture_output=True, text=True, check=False)
        complaints = [line for line in ran.stdout.splitlines() if line.startswith("*** ")]
        assert [line for line in complaints if "contains character '$'" not in line] == [], path.name
        assert bool(complaints) == (path.name in ("a.fits", "b.fits"))
