"""Check a STIX file and describe it as a row of the index.

The readers of `stixcore.fits` refuse what they cannot read. This module also refuses readable files that cannot be
right: a wrong checksum, a name that contradicts the header, a time before launch.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning
from numpy.typing import NDArray

from archive.errors import InvalidName
from archive.index.schema import (
    AUX_FILES,
    OTHER_FILES,
    QUICKLOOK_FILES,
    SCIENCE_FILES,
    AnyTable,
    AuxFile,
    OtherFile,
    ProductFile,
    QuicklookFile,
    ScienceFile,
)
from archive.ingest.names import Identity, identify
from archive.layout import parse_file_name
from stixcore.errors import InvalidProduct
from stixcore.fits.cal_energy import read_cal_energy
from stixcore.fits.products import CountSeries, PixelData, ProductHeader
from stixcore.fits.read import (
    OpenProduct,
    has_visibilities,
    open_product,
    read_aspect,
    read_light_curve,
    read_pixel_data,
    read_spectrogram,
    read_table_summary,
)
from stixcore.fits.spec import ProductKind

LAUNCH = np.datetime64("2020-02-10")
#: Latest time that is accepted. A fixed date, because a clock that is set back would refuse every file.
BEYOND = np.datetime64("2050-01-01")
LONGEST = np.timedelta64(4, "D")
#: Longest time range of a flare list; the lists are monthly.
LONGEST_LIST = np.timedelta64(40, "D")
#: Accepted distances from the Sun; the orbit is between 0.28 and 1.02 au.
ORBIT_AU = (0.2, 1.2)
AU_M = 149_597_870_700.0

#: Largest file that is read, bytes; real files are smaller.
MAX_BYTES = 1 << 30

BACKGROUND_MIN_S = 1200.0
#: Largest rate of a background, ct/s in 4-10 keV. Files requested as background have 61 to 70, with 8 or 12 pixels; the
#: limit allows half as much again for an active Sun.
BACKGROUND_MAX_RATE = 100.0

_ONES = 0xFFFFFFFF
_CHUNK = 1 << 22  # number of counts that are summed at a time


@dataclass(frozen=True)
class Description:
    """A checked file: its table and its row."""

    table: AnyTable
    row: ProductFile
    #: Whether every extension has checksums; they are valid.
    has_sums: bool = False


@dataclass(frozen=True)
class _Envelope:
    """Values of every file row that the readers do not give."""

    identity: Identity
    sha256: str
    size: int
    created: np.datetime64 | None
    columns: tuple[str, ...]
    now: np.datetime64


def describe(path: Path, sha256: str, now: np.datetime64, *, by_header: bool = False) -> Description:
    """Check a file and describe it.

    Parameters
    ----------
    path : Path
        Path of a regular file.
    sha256 : str
        SHA-256 of the file.
    now : datetime64
        For the column ``ingested_at``, UTC.
    by_header : bool
        Name the file by its header, as `identify` does.

    Raises
    ------
    WrongName
        When it is valid and has the name of another file.
    InvalidProduct
        When it is not a product of the archive, is damaged, or contradicts itself.
    """
    _check_beginning(path)
    with open_product(path) as product:
        identity = identify(path, by_header=by_header, opened=product)
        describe_kind = _DESCRIBE.get(identity.kind, _describe_other)
        described = describe_kind(product, lambda: _envelope(product, identity, sha256, now))
        return replace(described, has_sums=has_sums(product.hdus))


type _Sealed = Callable[[], _Envelope]


def _describe_pixel_data(product: OpenProduct, sealed: _Sealed) -> Description:
    data = read_pixel_data(product)
    envelope = sealed()
    _check_times(product.path, data.t_start[0], data.t_end[-1])
    counts, rate = _sum_up(data)
    everything = bool(data.detector_mask.all())
    row = ScienceFile(
        **_common(envelope),
        **_request(data.header),
        t_start=data.t_start[0],
        t_end=data.t_end[-1],
        duration_s=_seconds(data.t_end[-1] - data.t_start[0]),
        n_bins=data.t_start.size,
        bin_min_s=float(data.duration.min()),
        bin_max_s=float(data.duration.max()),
        n_pixels=int(data.pixel_mask.sum(axis=1).max()),
        n_channels=data.e_low.size,
        e_low=float(data.e_low[0]),
        e_high=float(data.e_high[-1]),
        all_detectors=everything,
        rcr_min=int(data.rcr.min()),
        rcr_max=int(data.rcr.max()),
        counts=counts,
        rate_4_10=rate,
        is_background=_is_background(data, rate, complete=everything),
    )
    return Description(SCIENCE_FILES, row)


def _describe_spectrogram(product: OpenProduct, sealed: _Sealed) -> Description:
    data = read_spectrogram(product)
    envelope, t_end = sealed(), _checked_end(product.path, data)
    low, high = data.e_low, data.e_high
    row = ScienceFile(
        **_common(envelope),
        **_request(data.header),
        t_start=data.t_start[0],
        t_end=t_end,
        duration_s=_seconds(t_end - data.t_start[0]),
        n_bins=data.t_start.size,
        bin_min_s=float(data.duration.min()),
        bin_max_s=float(data.duration.max()),
        n_channels=low.size,
        e_low=float(low[0]),
        e_high=float(high[-1]),
        rcr_min=int(data.rcr.min()),
        rcr_max=int(data.rcr.max()),
        counts=float(data.counts.sum()),
        rate_4_10=_rate(float(data.counts[:, _band(low, high)].sum()), data.duration, low, high),
        is_background=_asked_as_background(data.header.purpose),
    )
    return Description(SCIENCE_FILES, row)


def _describe_light_curve(product: OpenProduct, sealed: _Sealed) -> Description:
    data = read_light_curve(product)
    envelope, t_end = sealed(), _checked_end(product.path, data)
    row = QuicklookFile(
        **_common(envelope),
        t_start=data.t_start[0],
        t_end=t_end,
        n_bins=data.t_start.size,
        cadence_s=float(np.median(data.duration)),
        n_bands=data.e_low.size,
        e_low=float(data.e_low[0]),
        e_high=float(data.e_high[-1]),
    )
    return Description(QUICKLOOK_FILES, row)


def _checked_end(path: Path, data: CountSeries) -> np.datetime64:
    """End of a series, after checking its times and counts."""
    t_end = data.t_start[-1] + _microseconds(data.duration[-1])
    _check_times(path, data.t_start[0], t_end)
    if not (np.isfinite(data.counts).all() and data.counts.min() >= 0):
        raise InvalidProduct(path, "finite, non-negative counts", "NaN, infinite or negative ones")
    return np.datetime64(t_end)


def _describe_aspect(product: OpenProduct, sealed: _Sealed) -> Description:
    data = read_aspect(product)
    envelope = sealed()
    if (np.diff(data.time) <= np.timedelta64(0, "us")).any():
        found = "a record that is not after the one before it"
        raise InvalidProduct(product.path, "time rising from record to record", found)
    _check_times(product.path, data.time[0], data.time[-1])
    row = AuxFile(
        **_common(envelope),
        t_start=data.time[0],
        t_end=data.time[-1],
        n_records=data.time.size,
        has_sas_ok="sas_ok" in envelope.columns,
        n_sas_ok=int(data.sas_ok.sum()),
    )
    return Description(AUX_FILES, row)


def _describe_other(product: OpenProduct, sealed: _Sealed) -> Description:
    """Describe a product that has no table of its own."""
    data = read_table_summary(product)
    envelope, kind = sealed(), data.header.kind
    if kind is ProductKind.VISIBILITIES and not has_visibilities(product):
        raise InvalidProduct(product.path, "visibilities that are not all zero", "all visibilities are zero")
    _check_times(
        product.path,
        data.t_start,
        data.t_end,
        longest=LONGEST_LIST if kind is ProductKind.FLARE_LIST else LONGEST,
        moment=not data.cadence,  # housekeeping may be a single row, a status that was requested once
    )
    row = OtherFile(
        **_common(envelope),
        uid=data.header.request_id,
        purpose=data.header.purpose,
        t_start=data.t_start,
        t_end=data.t_end,
        n_rows=data.n_rows,
        cadence_s=data.cadence,
        counts=data.counts,
        energy_table=read_cal_energy(product.path).energy_table if kind is ProductKind.ENERGY_CALIBRATION else None,
    )
    return Description(OTHER_FILES, row)


#: Products with their own table; the others share one.
_DESCRIBE: dict[ProductKind, Callable[[OpenProduct, _Sealed], Description]] = {
    ProductKind.PIXEL_DATA: _describe_pixel_data,
    ProductKind.RAW_PIXEL_DATA: _describe_pixel_data,
    ProductKind.SUMMED_PIXEL_DATA: _describe_pixel_data,
    ProductKind.SPECTROGRAM: _describe_spectrogram,
    ProductKind.LIGHT_CURVE: _describe_light_curve,
    ProductKind.ASPECT: _describe_aspect,
}


def reason_against(name: str) -> str:
    """Why a file in a folder is ignored because of its name; empty when it is not."""
    try:
        parsed = parse_file_name(name)
    except InvalidName:
        return ""
    return "" if parsed.kind else f"product {parsed.product} of level {parsed.level} is not kept here"


def _check_beginning(path: Path) -> None:
    """Check that a file is plain FITS, before a library unpacks a compressed file to any size."""
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise InvalidProduct(path, f"at most {MAX_BYTES} bytes", f"{size} bytes")
    with path.open("rb") as reader:
        beginning = reader.read(30)
    if not re.match(rb"SIMPLE  = +T", beginning):
        raise InvalidProduct(path, "a FITS file that begins with SIMPLE = T", repr(beginning[:16]))


def _envelope(product: OpenProduct, identity: Identity, sha256: str, now: np.datetime64) -> _Envelope:
    """Verify CHECKSUM and DATASUM where present, and read the values of the envelope."""
    path, hdus = product.path, product.hdus
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AstropyWarning)
            check_sums(path, hdus)
            # an image extension may have this name, too
            table = next(hdu for hdu in hdus if isinstance(hdu, fits.BinTableHDU) and hdu.name == "DATA")
            columns = tuple(table.columns.names)
            created = _date(product.primary.get("DATE"))
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError, fits.VerifyError) as error:
        raise InvalidProduct(path, "readable headers", f"{type(error).__name__}: {error}") from error
    return _Envelope(identity, sha256, path.stat().st_size, created, columns, now)


def has_sums(hdus: fits.HDUList) -> bool:
    """Whether every extension has checksums."""
    return all("DATASUM" in hdu.header and "CHECKSUM" in hdu.header for hdu in hdus)


def check_sums(path: Path, hdus: fits.HDUList) -> None:
    """Verify DATASUM and CHECKSUM of every extension that has them.

    Raises
    ------
    InvalidProduct
        When one is wrong, because the file is damaged.
    """
    content = np.memmap(path, dtype=np.uint8, mode="r")
    for hdu in hdus:
        place = hdu.fileinfo()
        data = _ones_complement_sum(content[place["datLoc"] : place["datLoc"] + place["datSpan"]])
        both = _ones_complement_sum(content[place["hdrLoc"] : place["datLoc"]]) + data
        datasum, checksum = (str(hdu.header.get(key, "")).strip() for key in ("DATASUM", "CHECKSUM"))
        # with a correct CHECKSUM the sum is all ones, the negative zero of ones' complement
        for key, value, wrong in (
            ("DATASUM", datasum, datasum and (not datasum.isdecimal() or (int(datasum) - data) % _ONES)),
            ("CHECKSUM", checksum, checksum and both % _ONES),
        ):
            if wrong:
                expected = f"content that fits {key} = {value!r} in extension {hdu.name or 'PRIMARY'}"
                raise InvalidProduct(path, expected, "other content (the file is damaged)")


def _ones_complement_sum(content: NDArray[np.uint8]) -> int:
    """Sum of 32-bit words as used by FITS checksums: ones' complement, which is arithmetic modulo 2³² - 1.

    A truncated file may end in the middle of a word; missing bytes count as zero.
    """
    words = np.pad(content, (0, -content.size % 4)) if content.size % 4 else content
    return int(words.view(">u4").sum(dtype=np.uint64)) % _ONES


def _check_times(
    path: Path,
    start: np.datetime64,
    end: np.datetime64,
    *,
    longest: np.timedelta64 = LONGEST,
    moment: bool = False,
) -> None:
    """Check the times of a file; with ``moment``, start and end may be equal."""
    if not LAUNCH <= start <= end < BEYOND or (start == end and not moment):
        raise InvalidProduct(path, f"times between {LAUNCH} and {BEYOND}", f"{start} to {end}")
    if end - start > longest:
        raise InvalidProduct(path, f"at most {longest} in one file", f"{start} to {end}")


def _common(envelope: _Envelope) -> dict[str, Any]:
    identity = envelope.identity
    return {
        "name": identity.name.name,
        "product": str(identity.kind),
        "level": identity.name.level,
        "version": identity.name.version,
        "sha256": envelope.sha256,
        "size": envelope.size,
        "path": str(identity.path),
        "simulated": identity.header.simulated,
        "created": envelope.created,
        "ingested_at": envelope.now,
    }


def _request(header: ProductHeader) -> dict[str, Any]:
    distance = _number(header.ephemeris.get("DSUN_OBS"))
    dsun_au = None if distance is None else distance / AU_M
    if dsun_au is not None and not ORBIT_AU[0] <= dsun_au <= ORBIT_AU[1]:
        raise InvalidProduct(header.name, f"DSUN_OBS between {ORBIT_AU[0]} and {ORBIT_AU[1]} au", f"{dsun_au:.4g} au")
    return {
        "uid": header.request_id,
        "purpose": header.purpose,
        "dsun_au": dsun_au,
        "hgln": _number(header.ephemeris.get("HGLN_OBS")),
        "hglt": _number(header.ephemeris.get("HGLT_OBS")),
    }


def _sum_up(data: PixelData) -> tuple[float, float | None]:
    """Sum of all counts, and the mean rate in 4-10 keV; computed in chunks of time bins."""
    step = max(1, _CHUNK // (32 * 12 * data.e_low.size))
    band = _band(data.e_low, data.e_high)
    total = in_band = 0.0
    for first in range(0, data.t_start.size, step):
        counts = data.read(slice(first, first + step)).counts
        with np.errstate(over="ignore"):
            total += float(counts.sum())
            in_band += float(counts[..., band].sum())
    if not math.isfinite(total):
        raise InvalidProduct(data.path, "counts with a finite sum", f"a sum of {total}")
    return total, _rate(in_band, data.duration, data.e_low, data.e_high)


def _band(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    return np.asarray((low >= 4) & (high <= 10))


def _rate(counts: float, duration: np.ndarray, low: np.ndarray, high: np.ndarray) -> float | None:
    """Counts per second, or None when the channels do not cover 4-10 keV."""
    whole = low.min() <= 4 and high.max() >= 10 and 4 in low and 10 in high
    return counts / float(duration.sum()) if whole else None


def _asked_as_background(purpose: str) -> bool:
    """Whether the purpose names a background, as in "BKG quiet, Background, …", and not a "Solar Flare"."""
    return bool(re.search(r"\bbackground\b", purpose, re.IGNORECASE)) and "solar flare" not in purpose.lower()


def _is_background(data: PixelData, rate: float | None, *, complete: bool) -> bool:
    """Whether a file is a background, by the purpose of the request or, in early files without one, by its data.

    By its data it is a background if it has a single bin of at least 20 minutes, all detectors, the attenuator out, and
    a low rate in 4-10 keV, where flares are brightest and the background is the same with 8 and with 12 pixels.
    """
    if data.header.purpose:
        return _asked_as_background(data.header.purpose)
    quiet = rate is not None and rate <= BACKGROUND_MAX_RATE
    return (
        bool(data.duration.size == 1 and data.duration[0] >= BACKGROUND_MIN_S and data.rcr.max() == 0)
        and complete
        and quiet
    )


def _number(value: float | str | None) -> float | None:
    """A header value as a number; None if it is absent, text or not finite."""
    if isinstance(value, (int, float)) and math.isfinite(value):
        return float(value)
    return None


def _date(value: object) -> np.datetime64 | None:
    try:
        date = np.datetime64(str(value).strip(), "us")
    except ValueError:
        return None
    return None if np.isnat(date) else date


def _microseconds(seconds: float) -> np.timedelta64:
    return np.timedelta64(round(float(seconds) * 1e6), "us")


def _seconds(span: np.timedelta64) -> float:
    return float(span / np.timedelta64(1, "s"))
