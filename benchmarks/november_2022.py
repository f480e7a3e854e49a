"""The flares of 9-11 November 2022 with their positions from the IDL ground software (in ``../shared``)."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.real_data import SHARED_DATA

FOLDER = SHARED_DATA / "nov2022"
#: Quiet interval used as background of all flares.
BACKGROUND_UID = "2211098157"


@dataclass(frozen=True)
class IdlFlare:
    """One row with a window of IDL's list, and the file; positions in arcsec, helioprojective.

    Attributes
    ----------
    uid : str
    file : Path
    start, end : datetime64[us]
        Window of IDL's map, 6-10 keV.
    peak : datetime64[us]
        IDL's pointing is the mean from 20 s before to 20 s after the peak.
    pointing : (x, y)
        Offset of the instrument axis.
    full_disk : (x, y)
        Brightest pixel of the full-disk back projection, with IDL's bias of half a pixel.
    fit, fit_sigma : (x, y)
        Circle of VIS_FWDFIT_PSO.
    """

    uid: str
    file: Path
    start: np.datetime64
    end: np.datetime64
    peak: np.datetime64
    pointing: tuple[float, float]
    full_disk: tuple[float, float]
    fit: tuple[float, float]
    fit_sigma: tuple[float, float]


def background() -> Path:
    """File of the quiet interval."""
    return _file(BACKGROUND_UID)


def aspect_files() -> list[Path]:
    """The auxiliary files of the three days."""
    return sorted((FOLDER / "aux").glob("*.fits"))


def idl_flares() -> list[IdlFlare]:
    """Flares with a file and a window."""
    known = {path.stem.split("_")[-1].split("-")[0] for path in (FOLDER / "l1").glob("*.fits")}

    def pair(row: dict[str, str], name: str) -> tuple[float, float]:
        return float(row[f"{name}_x"]), float(row[f"{name}_y"])

    with (FOLDER / "idl" / "reference_locations.csv").open(newline="") as stream:
        return [
            IdlFlare(
                uid=row["request_id"],
                file=_file(row["request_id"]),
                start=np.datetime64(row["bp_start_utc"], "us"),
                end=np.datetime64(row["bp_end_utc"], "us"),
                peak=np.datetime64(row["peak_utc"].replace(" ", "T"), "us"),
                pointing=pair(row, "pointing"),
                full_disk=pair(row, "bp_peak_hpc"),
                fit=pair(row, "fwdfit_hpc"),
                fit_sigma=pair(row, "fwdfit_sigma"),
            )
            for row in csv.DictReader(stream)
            if row["bp_start_utc"] and row["request_id"] in known
        ]


def _file(uid: str) -> Path:
    (path,) = (FOLDER / "l1").glob(f"*_{uid}-*.fits")
    return path
