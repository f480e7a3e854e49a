"""Parts of STIX files of version 02: table columns, primary header, checksums, file names.

Column formats, zero points, dimensions and units, keyword order and comments are those of files of the data center
(stixcore 1.2, December 2023). There are deliberate differences: ORIGIN, CREATOR, OBS_MODE and COMMENT contain
SIMULATED, an extension TRUTH has the input parameters, checksum comments contain no time, and the comments with
Astropy's column serialization are omitted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from stixcore.simulation.ephemeris import Orbit, header_values

Times = NDArray[np.datetime64]

VERSION = 2
#: Name and version of the program in the files; increase the version when the model changes.
SIMULATOR_VERSION = "1.0"
#: Approximate difference of on-board time from UTC seconds since 2000.
OBT_OFFSET = 137.3
IDB_VERSION = "2.26.36"

_FITS_TYPES = {"u1": "B", "u2": "I", "u4": "J", "f4": "E", "f8": "D", "i8": "K", "b1": "L"}
_ZERO = {"u2": 32768, "u4": 2147483648}
_COMMENTS = {
    "RSUN_ARC": "[arcsec] Apparent photospheric solar radius",
    "HGLT_OBS": "[deg] s/c heliographic latitude (B0 angle)",
    "HGLN_OBS": "[deg] s/c heliographic longitude",
    "CRLT_OBS": "[deg] s/c Carrington latitude (B0 angle)",
    "CRLN_OBS": "[deg] s/c Carrington longitude (L0 angle)",
    "DSUN_OBS": "[m] s/c distance from Sun",
    "OBS_VR": "[m/s] Radial velocity of spacecraft relative to Sun",
    "EAR_TDEL": "[s] Time(Sun to Earth) - Time(Sun to S/C)",
    "SUN_TIME": "[s] Time(Sun to s/c)",
}
_SYSTEMS = {
    "HEE": "Heliocentric Earth Ecliptic",
    "HCI": "Heliocentric Inertial",
    "HAE": "Heliocentric Aries Ecliptic",
    "HEQ": "Heliocentric Earth Equatorial",
    "GSE": "Geocentric Solar Ecliptic",
}


def column(name: str, values: NDArray[Any], unit: str = "", dim: str | None = None) -> fits.Column:
    """A table column as in real files: unsigned numbers with TZERO and TSCAL 1, and a blank TUNIT without a unit.

    Parameters
    ----------
    name : str
    values : (n_row, …) array
        The dtype determines the format; text is padded to the longest value.
    unit : str
    dim : str, optional
        TDIM where it does not follow from the shape (in real files, some one-element columns have it).
    """
    kind = values.dtype.str[1:]
    repeat = int(np.prod(values.shape[1:]))
    if values.dtype.kind in "SU":
        width = values.dtype.itemsize // (4 if values.dtype.kind == "U" else 1)
        code, zero, repeat = f"{width * repeat}A", None, 1
    else:
        code, zero = _FITS_TYPES[kind], _ZERO.get(kind)
        code = code if values.ndim == 1 or repeat == 1 else f"{repeat}{code}"
    if dim is None and values.ndim > 1 and values.dtype.kind not in "SU":
        dim = "(" + ",".join(str(n) for n in reversed(values.shape[1:])) + ")"
    scale = {} if zero is None else {"bscale": 1, "bzero": zero}
    return fits.Column(name=name, format=code, unit=unit or " ", dim=dim, array=values, **scale)


def table(name: str, columns: Sequence[fits.Column]) -> fits.BinTableHDU:
    """A table extension."""
    return fits.BinTableHDU.from_columns(list(columns), name=name)


def smallest_unsigned(values: NDArray[Any]) -> NDArray[Any]:
    """Integers in the smallest unsigned type for their values; in real files, the type also differs between files."""
    largest = int(values.max(initial=0))
    return np.rint(values).astype("u1" if largest < 1 << 8 else "u2" if largest < 1 << 16 else "u4")


def iso(time: np.datetime64) -> str:
    """Time as ``2022-11-09T12:17:30.283``."""
    return str(np.datetime_as_string(time, unit="ms"))


def compact(time: np.datetime64) -> str:
    """Time as ``20221109T121730``, for file names."""
    return str(np.datetime_as_string(time, unit="s")).translate(str.maketrans("", "", "-:"))


def on_board_time(time: np.datetime64) -> float:
    """Seconds of the on-board clock."""
    return float((time - np.datetime64("2000-01-01")) / np.timedelta64(1, "us")) / 1e6 - OBT_OFFSET


@dataclass(frozen=True)
class FileIdentity:
    """Properties of one simulated file.

    Attributes
    ----------
    name : str
        File name.
    level : str
        "L1" or "ANC".
    ssid : int
        Structure id: 21 pixel data, 30 light curve, 1 ephemeris.
    parent, request_id : str
    reason : str
        Purpose of the request, as the real COMMENT has it; empty without a request.
    truth : mapping
        Content of the TRUTH extension, written as JSON.
    """

    name: str
    level: str
    ssid: int
    parent: str
    request_id: str
    reason: str
    truth: Mapping[str, Any]


@dataclass(frozen=True)
class DataRange:
    """Extremes of a file's data, for its header."""

    minimum: float
    maximum: float
    unit: str
    exposure: float  # s, the shortest


def primary(
    identity: FileIdentity, orbit: Orbit, start: np.datetime64, end: np.datetime64, data: DataRange
) -> fits.PrimaryHDU:
    """Primary header with the keywords of a real file, in the same order; the ephemeris is for the middle time."""
    hdu = fits.PrimaryHDU()
    header = hdu.header
    middle = start + (end - start) // 2
    place = header_values(orbit, middle)
    service = (21, 6) if identity.level == "L1" else (0, 0)
    cards: tuple[tuple[str, float | str, str], ...] = (
        ("FILENAME", identity.name, "FITS filename"),
        ("RAW_FILE", "none (simulated)", "Raw filename(s)"),
        ("PARENT", identity.parent, "Source file current data product"),
        ("DATE", iso(end), "FITS file creation date in UTC"),
        ("BLANK", 4294967295, "Value marking undefined pixels (before the application of BSCALE, BZERO)"),
        ("LEVEL", identity.level, "Processing level of the data"),
        ("ORIGIN", "SIMULATED", "Simulated, not telemetry"),
        ("CREATOR", "stixcore.simulation", "FITS creation software"),
        ("VERS_SW", SIMULATOR_VERSION, "Version of SW that provided FITS file"),
        ("VERSION", f"{VERSION:02d}", "Version of data product"),
        ("OBSRVTRY", "Solar Orbiter", "Satellite name"),
        ("TELESCOP", "SOLO/STIX", "Telescope/Sensor name"),
        ("INSTRUME", "STIX", "Instrument name"),
        ("STYPE", service[0], "Service Type"),
        ("SSTYPE", service[1], "Sub-service Type"),
        ("SSID", identity.ssid, "Science Structure ID"),
        ("SCI_RID", identity.request_id, "Science data request ID"),
        ("SCI_TCC", "", "Science data request TC packet seq. control"),
        ("DATAMIN", data.minimum, "Minimum valid physical value"),
        ("DATAMAX", data.maximum, "Maximum valid physical value"),
        ("BUNIT", data.unit, "Units of physical value, after application of BSCALE, BZERO"),
        ("XPOSURE", data.exposure, "[s] shortest exposure time"),
        ("OBS_ID", "none", "Unique ID of the individual observation"),
        ("OBS_TYPE", "none", "Encoded version of OBS_MODE"),
        ("OBS_MODE", "SIMULATED", "Observation mode"),
        ("SOOPNAME", "none", "Name of the SOOP Campaign that the data belong to"),
        ("SOOPTYPE", "none", "Campaign ID(s) that the data belong to"),
        ("TARGET", "none", "Type of target from planning"),
        ("OBT_BEG", on_board_time(start), "Start of acquisition time in OBT"),
        ("OBT_END", on_board_time(end), "End of acquisition time in OBT"),
        ("TIMESYS", "UTC", "System used for time keywords"),
        ("DATE-OBS", iso(start), "Start of acquisition time in UTC"),
        ("DATE-BEG", iso(start), "Start of acquisition time in UTC"),
        ("DATE-AVG", iso(middle), "Center of acquisition time in UTC"),
        ("DATE-END", iso(end), "End of acquisition time in UTC"),
        ("SPICE_MK", "none (simulated)", "SPICE meta kernel file"),
        *((keyword, value, _ephemeris_comment(keyword)) for keyword, value in place.items()),
        ("DATE_EAR", iso(start + _microseconds(place["EAR_TDEL"])), "Start time of observation, corrected to Earth"),
        ("DATE_SUN", iso(start - _microseconds(place["SUN_TIME"])), "Start time of observation, corrected to Sun"),
    )
    for keyword, value, comment in cards:
        header.append((keyword, value, _shortened_comment(value, comment)), end=True)
    if identity.level == "ANC":
        header.append(("STX_GSW", "none (simulated)", "Version of STX-GSW that provided data"), end=True)
    header.add_history(f"Simulated by stixcore.simulation {SIMULATOR_VERSION}")
    if identity.reason:
        header.add_comment(f"BSD request id: '{identity.request_id}' reason: '{identity.reason}'")
    header.add_comment("SIMULATED data, not an observation: see extension TRUTH.")
    return hdu


def _shortened_comment(value: float | str, comment: str) -> str:
    """The part of a comment that fits on a card; values that are continued on several cards have room for all of it."""
    if isinstance(value, str) and len(value) > 65:
        return comment
    width = max(len(value) + 2, 20) if isinstance(value, str) else 20
    return comment[: 80 - len("KEYWORD = ") - width - len(" / ")]


def _ephemeris_comment(keyword: str) -> str:
    if keyword in _COMMENTS:
        return _COMMENTS[keyword]
    unit, what = ("[m/s]", " Velocity") if keyword.endswith("VOB") else ("[m]", "")
    return f"{unit} s/c {_SYSTEMS[keyword[:3]]} {keyword[3]}{what}"


def _microseconds(seconds: float) -> np.timedelta64:
    return np.timedelta64(round(seconds * 1e6), "us")


def idb_versions(start: np.datetime64, end: np.datetime64) -> fits.BinTableHDU:
    """Extension IDB_VERSIONS: version of the instrument database that decoded the telemetry."""
    return table(
        "IDB_VERSIONS",
        [
            column("version", np.array([IDB_VERSION])),
            column("obt_start", np.array([on_board_time(start)]), "s"),
            column("obt_end", np.array([on_board_time(end)]), "s"),
        ],
    )


def energies(e_low: NDArray[np.float64], e_high: NDArray[np.float64]) -> fits.BinTableHDU:
    """Extension ENERGIES: the channels of the counts; the last edge is NaN if open."""
    return table(
        "ENERGIES",
        [
            column("channel", np.arange(e_low.size, dtype="u1")),
            column("e_low", e_low.astype("f4"), "keV"),
            column("e_high", np.where(np.isfinite(e_high), e_high, np.nan).astype("f4"), "keV"),
        ],
    )


def write(path: Path, identity: FileIdentity, hdus: Sequence[fits.PrimaryHDU | fits.BinTableHDU]) -> Path:
    """Write the extensions and TRUTH, each with a checksum; an existing file is overwritten."""
    text = json.dumps(identity.truth, sort_keys=True, ensure_ascii=True)
    truth = table("TRUTH", [column("json", np.array([text]))])
    complete = fits.HDUList([*hdus, truth])
    for hdu in complete:
        hdu.add_checksum(when="simulated")  # the default comment is the current time
    complete.writeto(path, overwrite=True)
    return path


def centiseconds(seconds: NDArray[np.floating[Any]]) -> NDArray[np.uint32]:
    """Seconds in the unit of L1 files."""
    return np.rint(seconds * 100.0).astype("u4")
