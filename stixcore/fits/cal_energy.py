"""Daily energy calibration (``CAL`` level, product ``cal-energy``): gain, offset and actual channel edges of a run."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning
from numpy.typing import NDArray

from stixcore.errors import InvalidProduct
from stixcore.fits.read import DAMAGE
from stixcore.instrument.energy_tables import N_ADC, N_DETECTORS, N_EDGES, N_PIXELS, PLAUSIBLE_GAIN
from stixcore.printable import excerpt

#: (LEVEL, STYPE, SSTYPE, SSID) in the primary header; the spectra that the calibration is made from have level L1.
IDENTITY = ("CAL", 21, 6, 41)
#: The highest energy of the science channels is 150 keV.
HIGHEST_EDGE = 200.0
#: Largest excess of live time over the duration of the run, s: header times are rounded.
LIVETIME_TOLERANCE = 1.0
_FULL_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?")
_RUN_TIMES = re.compile(r"_(\d{8}T\d{6})-(\d{8}T\d{6})_V(\d+)(U?)")


@dataclass(frozen=True, eq=False)
class CalEnergy:
    """One run of the energy calibration.

    Attributes
    ----------
    name : str
        File name.
    t_start, t_end : datetime64[us], UTC
    duration : float, s
        From the file name, as in the ground software; from the header where the name has no times.
    version : (int, bool)
        Version number, and whether the file is complete; greater is better.
    livetime : float, s
    energy_table : str
        On-board energy table of the run.
    offset, gain : (32, 12) float, ADC and keV/ADC
    edges : (32, 12, 31) float, keV
        Actual energies of the on-board channel edges.
    gain_range_ok : bool
    """

    name: str
    t_start: np.datetime64
    t_end: np.datetime64
    duration: float
    version: tuple[int, bool]
    livetime: float
    energy_table: str
    offset: NDArray[np.float64]
    gain: NDArray[np.float64]
    edges: NDArray[np.float64]
    gain_range_ok: bool


def is_cal_energy(header: fits.Header) -> bool:
    """Whether a primary header belongs to a daily energy calibration."""
    return tuple(header.get(key) for key in ("LEVEL", "STYPE", "SSTYPE", "SSID")) == IDENTITY


def read_cal_energy(path: Path) -> CalEnergy:
    """Read a file of the daily energy calibration.

    Raises
    ------
    InvalidProduct
        When the file is a different product, or damaged.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", AstropyWarning)  # astropy only warns about truncated files
            with fits.open(path, memmap=False) as hdus:
                return _read(path, hdus)
    except (*DAMAGE, AstropyWarning) as error:
        raise InvalidProduct(path, "a daily energy calibration", f"{type(error).__name__} {error}") from error


def _read(path: Path, hdus: fits.HDUList) -> CalEnergy:
    header = hdus[0].header
    if not is_cal_energy(header):
        keys = ("LEVEL", "STYPE", "SSTYPE", "SSID")
        expected, found = (
            ", ".join(f"{key} {value}" for key, value in zip(keys, values, strict=True))
            for values in (IDENTITY, [header.get(key) for key in keys])
        )
        raise InvalidProduct(path, f"a CAL energy file ({expected})", f"another product ({found})")
    data, control = hdus["DATA"].data, hdus["CONTROL"].data
    if len(data) != 1 or len(control) != 1:
        raise InvalidProduct(path, "one run", f"{len(data)} rows in DATA and {len(control)} in CONTROL")
    pixels = (N_DETECTORS, N_PIXELS)
    offset, gain = (np.asarray(data[name][0], dtype=float) for name in ("offset", "gain"))
    edges = np.asarray(data["e_edges_actual"][0], dtype=float)
    if offset.shape != pixels or gain.shape != pixels or edges.shape != (*pixels, N_EDGES + 2):
        raise InvalidProduct(path, f"edges of shape {(*pixels, N_EDGES + 2)}", f"shape {edges.shape}")
    inner = edges[:, :, 1:-1]  # the file adds 0 and infinity
    if not (np.isfinite(inner).all() and (np.diff(inner, axis=2) > 0).all()):
        raise InvalidProduct(path, "finite edges that increase", "others in e_edges_actual")
    low, high = PLAUSIBLE_GAIN
    if not ((gain >= low) & (gain <= high)).all():  # false for NaN, too
        raise InvalidProduct(path, f"gains of {low} to {high} keV/ADC", f"{gain.min():.4g} to {gain.max():.4g}")
    if not ((offset > 0) & (offset < N_ADC)).all():
        raise InvalidProduct(path, f"offsets of 0 to {N_ADC} ADC", f"{offset.min():.4g} to {offset.max():.4g}")
    if inner.min() < 0 or inner.max() > HIGHEST_EDGE:
        outside = f"{inner.min():.4g} to {inner.max():.4g} keV"
        raise InvalidProduct(path, f"edges of 0 to {HIGHEST_EDGE:g} keV", outside)
    start, end = (_date(path, header, key) for key in ("DATE-BEG", "DATE-END"))
    livetime = float(header["LIVETIME"])
    if not start < end:
        raise InvalidProduct(path, "DATE-BEG before DATE-END", f"{start}, {end}")
    elapsed = float((end - start) / np.timedelta64(1, "s"))
    if not 0 <= livetime <= elapsed + LIVETIME_TOLERANCE:
        raise InvalidProduct(path, f"a LIVETIME of 0 to the {elapsed:.0f} s of the run", f"{livetime:g} s")
    times = _RUN_TIMES.search(path.name)
    named = tuple(np.datetime64(_iso(times[i]), "s") for i in (1, 2)) if times else (start, end)
    if not named[0] < named[1]:
        raise InvalidProduct(path, "a file name whose first time is before its second", f"{named[0]}, {named[1]}")
    return CalEnergy(
        name=path.name,
        t_start=start,
        t_end=end,
        duration=float((named[1] - named[0]) / np.timedelta64(1, "s")),
        version=(int(times[3]), not times[4]) if times else (0, False),
        livetime=livetime,
        energy_table=str(control["ob_elut_name"][0]).strip().removesuffix(".csv"),
        offset=offset,
        gain=gain,
        edges=inner,
        gain_range_ok=bool(data["gain_range_ok"][0]),
    )


def _date(path: Path, header: fits.Header, key: str) -> np.datetime64:
    """A date in the header, which must be complete: NumPy also accepts "today" and bare numbers."""
    value = header[key]
    if not (isinstance(value, str) and _FULL_DATE.fullmatch(value)):
        raise InvalidProduct(path, f"{key} such as 2025-03-02T23:05:11.912", excerpt(str(value)))
    return np.datetime64(value, "us")


def _iso(stamp: str) -> str:
    """Convert 20250302T230511 to 2025-03-02T23:05:11."""
    return f"{stamp[:4]}-{stamp[4:6]}-{stamp[6:11]}:{stamp[11:13]}:{stamp[13:]}"
