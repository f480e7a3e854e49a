"""Read GOES/XRS files as NOAA ships them, and import them into the archive: ``stix-jobs import-goes``.

Supported are NetCDF-4 files with the flux of 0.1-0.8 nm:

- GOES-R series, and the reprocessed GOES 8 to 15: ``sci_xrsf-l2-avg1m_…``, of a day, a year or a mission, one-minute
  means (``xrsb_flux``, ``xrsb_flag`` or ``xrsb_flags``); ``sci_xrsf-l2-flx1s_…``, one second;
- GOES 13 to 15: ``sci_gxrs-l2-irrad_…``, two seconds (``b_flux``, ``b_flags``).

Times are seconds since an epoch, by default 2000-01-01 12:00, without leap seconds. A value whose quality is not
``good_data`` is left out. One- and two-second data are averaged to minutes with at least half of their values.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5netcdf
import numpy as np
from numpy.typing import NDArray

from archive import Archive
from archive.goes import GoesMinutes, add_goes_minutes
from archive.ingest.describe import BEYOND, LAUNCH
from stixcore.errors import StixError
from stixcore.printable import printable

Floats = NDArray[np.float64]

#: Names of the variables in the generations of files.
LONG, SHORT = ("xrsb_flux", "b_flux"), ("xrsa_flux", "a_flux")
LONG_FLAG, SHORT_FLAG = ("xrsb_flag", "xrsb_flags", "b_flags"), ("xrsa_flag", "xrsa_flags", "a_flags")
GOOD = "good_data"
#: Largest flux, W m⁻²; the largest flare observed had 4·10⁻³.
BRIGHTEST = 1.0
#: Longest time between values that are averaged to minutes, s.
LONGEST_STEP = 10.0
#: Most values of a file: minutes of 38 years. A small file can unpack to very many.
MOST_VALUES = 20_000_000

_EPOCH = re.compile(
    r"seconds since (\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d+)?)?))?(?: ?(?:UTC|Z))?", re.ASCII
)
_UNITS = {"w/m2", "wm-2", "w/m^2", "w/m**2", "wm^-2", "wm**-2"}
_SATELLITE = re.compile(r"g(?:oes)?[-_ ]?0*(\d{1,2})", re.IGNORECASE | re.ASCII)
_VERSION = re.compile(r"_v(\d+)-(\d+)(?:-(\d+))?", re.ASCII)


class InvalidGoesFile(StixError):
    """A file that is not a GOES/XRS file of NOAA."""

    def __init__(self, path: Path, expected: str, found: str) -> None:
        super().__init__(f"{path.name}: expected {expected}, found {found}")


def read_goes_file(path: Path) -> GoesMinutes:
    """Valid minutes of a GOES/XRS file.

    Raises
    ------
    InvalidGoesFile
        When it is not such a file: names the field and its value.
    """
    if path.exists() and not path.is_file():  # opening a pipe waits for ever
        raise InvalidGoesFile(path, "a NetCDF-4 file of GOES/XRS", "a folder or a special file")
    try:
        with h5netcdf.File(path, "r", decode_vlen_strings=True) as file:
            return _minutes(path, file)
    except InvalidGoesFile:
        raise
    except Exception as error:
        # h5netcdf and HDF5 raise many kinds of errors for a damaged file, such as AttributeError and OverflowError
        raise InvalidGoesFile(path, "a NetCDF-4 file of GOES/XRS", str(error) or type(error).__name__) from error


def _minutes(path: Path, file: Any) -> GoesMinutes:
    time = _times(path, file)
    long = _flux(path, file, LONG, LONG_FLAG, time.size)
    if long is None:
        names = ", ".join(sorted(file.variables)[:8])
        raise InvalidGoesFile(path, f"a variable {' or '.join(LONG)}", f"{names} …")
    short = _flux(path, file, SHORT, SHORT_FLAG, time.size)
    if short is None:
        short = np.full(time.size, np.nan)
    satellite = _satellite(path, file)
    known = ~np.isnat(time)
    if not known.any():
        raise InvalidGoesFile(path, "times", "none")
    time, long, short = time[known], long[known], short[known]
    if not (time.min() >= LAUNCH and time.max() < BEYOND):
        raise InvalidGoesFile(path, f"time between {LAUNCH} and {BEYOND}", f"time = {time.min()} to {time.max()}")
    order = np.argsort(time, kind="stable")
    time, long, short = time[order], long[order], short[order]
    step = float(np.median(np.diff(time) / np.timedelta64(1, "s"))) if time.size > 1 else 60.0
    averaged = 0.0 < step <= LONGEST_STEP
    if averaged:
        time, long, short = _averaged(time, long, short, step)
    elif not 59.0 <= step <= 61.0:
        raise InvalidGoesFile(path, "values every 1 to 10 or 60 seconds", f"a step of {step:g} s in time")
    time = time.astype("datetime64[m]").astype("datetime64[us]")
    kept = np.isfinite(long)
    kept[1:] &= time[1:] != time[:-1]
    return GoesMinutes(satellite, _rank(path, averaged=averaged), time[kept], long[kept], short[kept])


def _times(path: Path, file: Any) -> NDArray[np.datetime64]:
    """Times of the values; NaT for missing ones."""
    if "time" not in file.variables:
        raise InvalidGoesFile(path, "a variable time", ", ".join(sorted(file.variables)[:8]) or "no variable")
    variable = file.variables["time"]
    units = _text(variable.attrs.get("units", ""))
    found = _EPOCH.fullmatch(units.strip())
    if found is None:
        raise InvalidGoesFile(path, "time in “seconds since” a date", f"time:units = {units!r}")
    if np.prod(variable.shape, dtype=float) > MOST_VALUES:
        raise InvalidGoesFile(path, f"at most {MOST_VALUES} values", f"time of shape {variable.shape}")
    seconds = np.asarray(variable[...], dtype=float)
    if seconds.ndim != 1:
        raise InvalidGoesFile(path, "time with one dimension", f"time of shape {seconds.shape}")
    epoch = np.datetime64(f"{found[1]}T{found[2] or '00:00'}", "us")
    missing = ~np.isfinite(seconds) | (seconds == _fill(variable)) | (np.abs(seconds) > 1e11)
    microseconds = np.round(np.where(missing, 0.0, seconds) * 1e6).astype("timedelta64[us]")
    return np.where(missing, np.datetime64("NaT", "us"), epoch + microseconds)


def _flux(path: Path, file: Any, names: Iterable[str], flags: Iterable[str], n: int) -> Floats | None:
    """Flux where its quality is good, else NaN; None when there is no such variable."""
    name = next((one for one in names if one in file.variables), None)
    if name is None:
        return None
    variable = file.variables[name]
    units = _text(variable.attrs.get("units", ""))
    if units.replace(" ", "").lower() not in _UNITS:
        raise InvalidGoesFile(path, f"{name} in W/m2", f"{name}:units = {units!r}")
    if variable.shape != (n,):
        raise InvalidGoesFile(path, f"{name} of {n} values, as time has", f"shape {variable.shape}")
    flux = np.asarray(variable[...], dtype=float)
    good = (flux > 0) & (flux < BRIGHTEST) & _good(path, file, flags, n)
    return np.where(good, flux, np.nan)


def _good(path: Path, file: Any, names: Iterable[str], n: int) -> NDArray[np.bool_]:
    """Where the quality is good: by the meaning ``good_data`` of the CF attributes, else where no bit is set."""
    names = tuple(names)
    name = next((one for one in names if one in file.variables), None)
    if name is None:
        raise InvalidGoesFile(path, f"a variable {' or '.join(names)}", "none")
    variable = file.variables[name]
    if variable.shape != (n,) or variable.dtype.kind not in "iu":
        raise InvalidGoesFile(path, f"{name}: {n} whole numbers", f"{variable.dtype} of shape {variable.shape}")
    flags = np.asarray(variable[...])
    meanings = _text(variable.attrs.get("flag_meanings", "")).replace(",", " ").split()
    values, masks = (np.atleast_1d(variable.attrs.get(key, [])) for key in ("flag_values", "flag_masks"))
    filled = flags == _fill(variable)
    if GOOD not in meanings or values.size != len(meanings):
        good = flags == 0
    else:
        place = meanings.index(GOOD)
        mask = masks[place] if masks.size == len(meanings) else np.iinfo(flags.dtype).max
        good = (flags & flags.dtype.type(mask)) == values[place]
    return np.asarray(good & ~filled)


def _averaged(time: NDArray[np.datetime64], long: Floats, short: Floats, step: float) -> tuple[Any, Floats, Floats]:
    """Means of minutes with at least half of their values."""
    minute, which = np.unique(time.astype("datetime64[m]"), return_inverse=True)
    needed = 30.0 / step

    def mean(flux: Floats) -> Floats:
        good = np.isfinite(flux)
        number = np.bincount(which[good], minlength=minute.size)
        total = np.bincount(which[good], weights=flux[good], minlength=minute.size)
        return np.where(number >= needed, total / np.maximum(number, 1), np.nan)

    return minute, mean(long), mean(short)


def _satellite(path: Path, file: Any) -> int:
    """Number of the satellite: from the attribute platform ("g16"), else from the name."""
    texts = [_text(file.attrs.get(name, "")) for name in ("platform", "satellite_id", "id")]
    for text in (*texts, *re.findall(r"_(g\d\d)_", path.name)):
        found = _SATELLITE.search(text)
        if found is not None:
            return int(found[1])
    raise InvalidGoesFile(path, "the attribute platform (g16)", f"platform = {texts[0]!r}")


def _rank(path: Path, *, averaged: bool) -> str:
    found = _VERSION.search(path.name)
    version = ".".join(f"{int(part or 0):03d}" for part in found.groups()) if found else "000.000.000"
    return f"{0 if averaged else 1} {version} {printable(path.name)}"


def _fill(variable: Any) -> float:
    value = np.asarray(variable.attrs.get("_FillValue", np.nan), dtype=float)
    return float(value.ravel()[0]) if value.size else float("nan")


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(np.asarray(value).ravel()[0]) if np.asarray(value).size else ""


@dataclass(frozen=True)
class GoesReport:
    """Result of an import.

    Attributes
    ----------
    files : int
        Files that were imported.
    minutes : int
        Minutes that are new or have another value.
    start, end : datetime64 or None
        Time range of the imported files, UTC at the Earth.
    bad : tuple of str
        A sentence for every file that was refused.
    """

    files: int
    minutes: int
    start: np.datetime64 | None
    end: np.datetime64 | None
    bad: tuple[str, ...]


def import_goes(archive: Archive, paths: Iterable[Path]) -> GoesReport:
    """Import GOES/XRS files into an archive.

    Parameters
    ----------
    archive : Archive
    paths : iterable of Path
        Files, and folders whose ``.nc`` files are imported.

    Returns
    -------
    GoesReport
        Importing the same files again changes nothing.

    Raises
    ------
    IndexDamaged, ArchiveBusy
        When a month cannot be read; when another process holds the write lock for too long.
    """
    files = [file for path in paths for file in (sorted(path.rglob("*.nc")) if path.is_dir() else [path])]
    good, added, bad = 0, 0, []
    start, end = None, None
    for file in files:
        try:
            minutes = read_goes_file(file)
        except InvalidGoesFile as error:
            bad.append(str(error))
            continue
        good += 1
        if minutes.time.size:
            with archive.write_lock():
                added += add_goes_minutes(archive.root, minutes)
            first, last = minutes.time[0], minutes.time[-1]
            start = first if start is None else min(start, first)
            end = last if end is None else max(end, last)
    return GoesReport(good, added, start, end, tuple(bad))
