"""Context maps: EUV pictures of other instruments near a flare, in the folder ``overlays/`` of the archive.

The name of a context map says instrument, wavelength and time, so that the maps of a flare are found without an index:
``context_aia_171_20240511T035000.fits``. Pages import this module.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from archive.index.schema import Flare
from archive.regular_files import open_regular
from archive.store import Archive
from archive.unpacked import unpacked_fits

#: Folder of maps of other instruments.
FOLDER = "overlays"
AIA, EUI = "aia", "eui"
#: Largest unpacked size of a context map, byte (4096 × 4096 numbers of 64 bits), and its pixels along a side.
LARGEST_UNPACKED, LONGEST_SIDE = 132 << 20, 4096
#: Largest time between a flare and its context map, s: twice the cadence of AIA's synoptic maps, and EUI's usual one.
REACH = {AIA: 240.0, EUI: 900.0}

_NAME = re.compile(r"context_(aia|eui)_(\d{2,4})_(\d{8}T\d{6})\.fits", re.ASCII)
#: Exceptions that a damaged map raises.
UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError, fits.VerifyError)
_SECOND = np.timedelta64(1_000_000, "us")


@dataclass(frozen=True)
class ContextMap:
    """A context map of a flare.

    Attributes
    ----------
    name : str
        Name of the map in requests for overlays.
    path : Path
    instrument : str
        "aia" (seen from the Earth) or "eui" (from Solar Orbiter).
    wavelength : int, Angstrom
    time : datetime64
        UTC at the instrument.
    difference : float, s
        Time of the map less that of the peak of the flare at the instrument.
    """

    name: str
    path: Path
    instrument: str
    wavelength: int
    time: np.datetime64
    difference: float


def context_maps(archive: Archive, flare: Flare) -> list[ContextMap]:
    """The nearest context map of a flare per instrument and wavelength, sorted by these."""
    best: dict[tuple[str, int], ContextMap] = {}
    for path in (archive.root / FOLDER).glob("context_*.fits"):
        found = _NAME.fullmatch(path.name)
        wanted = None if found is None else time_at(flare, found[1])
        if found is None or wanted is None:
            continue
        time = _time_of(found[3])
        difference = float((time - wanted) / _SECOND) if time is not None else np.inf
        key = found[1], int(found[2])
        nearer = key not in best or abs(difference) < abs(best[key].difference)
        if time is not None and abs(difference) <= REACH[found[1]] and nearer and _is_regular(path):
            best[key] = ContextMap(path.name, path, *key, time, difference)
    return [best[key] for key in sorted(best)]


def is_context_map(name: str) -> bool:
    """Whether a file name is that of a context map."""
    return _NAME.fullmatch(name) is not None


def read_context_map(path: Path, *, pixels: bool = True) -> tuple[fits.Header, NDArray[np.float32] | None]:
    """Header and pixels of the first image with two axes in a context map.

    Parameters
    ----------
    path : Path
    pixels : bool
        Read the pixels; otherwise None is returned for them.

    Raises
    ------
    OSError, ValueError, and others of `UNREADABLE`
        When it is no FITS file, or has no such image within the limits.
    """
    with open_regular(path, below=path.parent) as stream:
        content = unpacked_fits(stream, LARGEST_UNPACKED)
    with fits.open(BytesIO(content)) as hdus:
        for hdu in hdus:
            if hdu.is_image and len(hdu.shape) == 2 and max(hdu.shape) <= LONGEST_SIDE:
                return hdu.header, np.asarray(hdu.data, dtype=np.float32) if pixels else None
    message = f"no image with two axes of at most {LONGEST_SIDE} pixels"
    raise ValueError(message)


def time_at(flare: Flare, instrument: str) -> np.datetime64 | None:
    """When an instrument sees the peak of a flare, UTC; None when that is unknown, or the flare is hidden from it.

    EUI is on Solar Orbiter, whose time is that of the flare list. AIA is near the Earth, where the light arrives later.
    """
    if instrument == EUI:
        return flare.t_peak
    if flare.earth_delay_s is None or flare.earth_visible is False:
        return None
    return flare.t_peak + np.timedelta64(round(flare.earth_delay_s * 1e6), "us")


def assumption_of(flare: Flare) -> str:
    """Where the sources of a flare are assumed to be in an overlay on a context map, see `ASSUMPTIONS`.

    On the disk: on the solar surface; beyond the limb, where no line of sight meets the surface: on a sphere around
    Solar Orbiter through Sun center.
    """
    return "spherical" if flare.off_limb else "surface"


def map_name(instrument: str, wavelength: int, time: np.datetime64) -> str:
    """File name of a context map."""
    digits = re.sub(r"[-:]", "", str(time.astype("datetime64[s]")))
    return f"context_{instrument}_{wavelength}_{digits}.fits"


def _time_of(digits: str) -> np.datetime64 | None:
    day, clock = digits.split("T")
    text = f"{day[:4]}-{day[4:6]}-{day[6:]}T{clock[:2]}:{clock[2:4]}:{clock[4:]}"
    try:
        return np.datetime64(text, "us")
    except ValueError:  # such as the month 13
        return None


def _is_regular(path: Path) -> bool:
    try:
        open_regular(path, below=path.parent).close()
    except OSError:
        return False
    return True
