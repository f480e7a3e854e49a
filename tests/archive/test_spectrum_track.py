"""Points of a track of fits: to JSON and back, and damaged ones."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pytest

from archive import Archive
from archive.cubes import read_cube
from archive.index.schema import Spectrum
from archive.spectrum_track import FITTED, UNITS, SpectrumPoint

from .test_cubes import GROUP, POINT, write_record

FIT = SpectrumPoint(
    t_start=np.datetime64("2022-11-11T12:00:00.000000"),
    t_end=np.datetime64("2022-11-11T12:01:00.500000"),
    livetime_s=55.0,
    attenuator_in=False,
    counts=25_000.0,
    model="vth+thick2",
    fit_low=4.0,
    fit_high=28.0,
    chi2=14.5,
    ndof=12,
    verdict="doubtful",
    doubts=("delta is at a bound of the fit, 12.", "no background was subtracted"),
    temperature=15.5,
    temperature_minus=0.5,
    temperature_plus=0.6,
    delta=12.0,
    delta_minus=3.0,
)


def test_a_point_survives_its_json() -> None:
    again = SpectrumPoint.from_json(json.loads(json.dumps(FIT.as_json())))
    assert again == FIT
    assert (again.delta_plus, again.e_cut, again.is_doubtful) == (None, None, True)


def test_columns_are_those_of_spectra() -> None:
    names = {field.name for field in fields(SpectrumPoint)}
    assert names <= {field.name for field in fields(Spectrum)}
    assert {name + end for name in FITTED for end in ("", "_minus", "_plus")} <= names
    assert set(UNITS) <= names


@pytest.mark.parametrize(
    "changes",
    [
        {"t_end": "2022-11-11T11:00:00"}, {"t_start": "NaT"}, {"fit_low": 30.0}, {"chi2": float("nan")},
        {"temperature": 1e300}, {"verdict": "certain"}, {"ndof": "many"}, {"doubts": None}, {"counts": None},
    ],
)  # fmt: skip
def test_damaged_points_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError)):
        SpectrumPoint.from_json(FIT.as_json() | changes)


def test_a_cube_has_its_fits_in_order_of_time(archive: Archive) -> None:
    later = FIT.as_json() | {"t_start": "2022-11-11T12:02:00", "t_end": "2022-11-11T12:03:00", "verdict": "trusted"}
    spectra = {"track": [later, FIT.as_json()], "reason": ""}
    folder = write_record(archive, json.dumps({"tracks": [POINT], "spectra": spectra}))
    relative = PurePosixPath(folder.relative_to(archive.root))
    cube = read_cube(archive.root, relative)
    assert [one.verdict for one in cube.spectra] == ["doubtful", "trusted"]
    assert cube.files == ("tracks.parquet", "spectra_track.parquet", "cube.json")
    assert cube.no_spectra == ""
    (folder / "cube.json").write_text(json.dumps({"tracks": [POINT], "spectra": {"track": [], "reason": "few counts"}}))
    cube = read_cube(archive.root, relative)
    assert (cube.spectra, cube.no_spectra, cube.group_id) == ((), "few counts", GROUP)
    assert cube.files == ("tracks.parquet", "cube.json")
    (folder / "cube.json").write_text(json.dumps({"tracks": [POINT]}))  # from before there were fits
    assert read_cube(archive.root, relative).no_spectra == ""
    far = FIT.as_json() | {"t_start": "2022-11-21T12:02:00", "t_end": "2022-11-21T12:03:00"}
    (folder / "cube.json").write_text(json.dumps({"tracks": [POINT], "spectra": {"track": [far]}}))
    with pytest.raises(ValueError, match="expected steps within"):
        read_cube(archive.root, relative)
