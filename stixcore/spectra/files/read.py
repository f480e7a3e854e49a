"""Read count spectra and responses that this software, the ground software, stix2xspec or OGIP programs wrote."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning
from numpy.typing import NDArray

from stixcore.errors import InvalidProduct
from stixcore.fits.read import DAMAGE
from stixcore.instrument.tables import pixel_area
from stixcore.spectra.files.ospex import TIME_ORIGIN
from stixcore.spectra.files.shared import Floats, elements_of_label

#: Long keywords, and what IDL made of them in files until 2025.
_LONG = {"SUN_DISTANCE": "SUN_DIST", "GRID_FACTOR": "GRID_FAC", "TIME_SHIFT": "TIME_SHI"}
#: GEOAREA contains the grid factor if it is this close to area · factor/D², as a fraction.
AREA_TOLERANCE = 0.02


@dataclass(frozen=True, eq=False)
class SpectrumFile:
    """Spectra of a file.

    Attributes
    ----------
    e_low, e_high : (n_channel,) float, keV
    counts, sigma, systematic : (n_time, n_channel) float, ct, ct, fraction
        As recorded, with background or without; ``systematic`` is 0 where the file has none.
    livetime, duration : (n_time,) float, s
    t_start, t_end : (n_time,) datetime64[us]
        NaT where the file has no times.
    subtracted : bool
        Whether the background is subtracted.
    detectors, pixels : tuple of int
        Empty where the file does not say.
    response_file : str
    """

    e_low: Floats
    e_high: Floats
    counts: Floats
    sigma: Floats
    systematic: Floats
    livetime: Floats
    duration: Floats
    t_start: NDArray[np.datetime64]
    t_end: NDArray[np.datetime64]
    subtracted: bool
    detectors: tuple[int, ...]
    pixels: tuple[int, ...]
    response_file: str


@dataclass(frozen=True, eq=False)
class ResponseFile:
    """Responses of a file.

    Attributes
    ----------
    photon_edges, channel_edges : (n_photon + 1,), (n_channel + 1,) float, keV
    matrices : mapping from int to (n_channel, n_photon) float
        Counts per photon on 1 cm², by attenuator state.
    geoarea : float, cm²
        Factor of the matrices; for OSPEX files ÷ D², for OGIP files with an ARF 1.
    distance : float, AU
        NaN where the file does not say.
    grid_included : bool or None
        Whether the area contains the grid transmission, as in files of 2021-23; None if unknown.
    decision : str
        How that was decided, one sentence.
    detectors, pixels : tuple of int
        Empty where the file does not say.
    scheme : str
        Empty where the file does not say.
    tailing : bool or None
        Whether the loss of charge is included; None where the file does not say.
    """

    photon_edges: Floats
    channel_edges: Floats
    matrices: Mapping[int, Floats]
    geoarea: float
    distance: float = np.nan
    grid_included: bool | None = None
    decision: str = ""
    detectors: tuple[int, ...] = ()
    pixels: tuple[int, ...] = ()
    scheme: str = ""
    tailing: bool | None = None

    def fold(self, flux: Floats, state: int = 0) -> Floats:
        """Counts per second of live time in each channel for a flux (…, n_photon) ph s⁻¹ cm⁻² keV⁻¹.

        The flux is that at 1 AU for OSPEX files, and that at the spacecraft for OGIP files.
        """
        # counts(i) = Σ_j R(i, j) · F(j) · ΔE(j) · area
        return np.asarray((flux * np.diff(self.photon_edges)) @ self.matrices[state].T * self.geoarea)


def read_spectrum_file(path: Path) -> SpectrumFile:
    """Read spectra: extension RATE (OSPEX) or SPECTRUM (OGIP types I and II).

    Raises
    ------
    InvalidProduct
        When the file is neither, or damaged.
    """
    with _opened(path) as hdus:
        if "RATE" in hdus:
            return _read_rates(path, hdus)
        if "SPECTRUM" in hdus:
            return _read_pha(path, hdus)
        raise InvalidProduct(path, "an extension RATE or SPECTRUM", f"extensions {[hdu.name for hdu in hdus[1:]]}")


def _read_rates(path: Path, hdus: fits.HDUList) -> SpectrumFile:
    header, table = hdus["RATE"].header, hdus["RATE"].data
    rate, error = _column(path, table, "RATE"), _column(path, table, "STAT_ERR")
    duration, fraction = _column(path, table, "TIMEDEL"), _column(path, table, "LIVETIME")
    livetime = duration * fraction
    e_low, e_high = _bounds(path, hdus, "ENEBAND", rate.shape[1])
    day = np.timedelta64(round(_number(path, header, "TIMEZERO")), "D")
    middle = TIME_ORIGIN + day + _microseconds(_seconds_of_day(path, header, _column(path, table, "TIME")))
    half = _microseconds(0.5 * duration)
    names = [column.name for column in table.columns]
    detectors, pixels = elements_of_label(str(header.get("DETUSED", "")))
    return SpectrumFile(
        e_low,
        e_high,
        rate * livetime[:, None],
        error * livetime[:, None],
        _column(path, table, "SYS_ERR") if "SYS_ERR" in names else np.zeros_like(rate),
        livetime,
        duration,
        middle - half,
        middle + half,
        str(header.get("HDUCLAS2", "")).strip() == "NET",
        detectors,
        pixels,
        str(header.get("RESPFILE", "")).strip(),
    )


def _seconds_of_day(path: Path, header: fits.Header, time: Floats) -> Floats:
    """Middles of bins in seconds after midnight of the first day; stix2xspec writes modified Julian dates instead."""
    day, part = (_number(path, header, key) for key in ("TIMEZERO", "TSTARTF"))
    dates = (time - _number(path, header, "MJDREF") - day) * 86400.0
    begin = part * 86400.0
    return dates if abs(dates[0] - begin) < abs(time[0] - begin) else time


def _read_pha(path: Path, hdus: fits.HDUList) -> SpectrumFile:
    header, table = hdus["SPECTRUM"].header, hdus["SPECTRUM"].data
    names = [column.name for column in table.columns]
    several = table["CHANNEL"].ndim == 2

    def rows(name: str) -> Floats:
        values = _column(path, table, name)
        return values if several else values[None, :]

    n = len(table) if several else 1
    livetime = (
        _column(path, table, "EXPOSURE") if "EXPOSURE" in names else np.full(n, _number(path, header, "EXPOSURE"))
    )
    counts = rows("COUNTS") if "COUNTS" in names else rows("RATE") * livetime[:, None]
    scale = 1.0 if "COUNTS" in names else livetime[:, None]
    sigma = rows("STAT_ERR") * scale if "STAT_ERR" in names else np.sqrt(np.maximum(counts, 0.0))
    e_low, e_high = _bounds(path, hdus, "EBOUNDS", counts.shape[1])
    times = [
        np.array([str(one).strip() for one in table[key]] if key in names else [str(header.get(key, "NaT"))] * n)
        for key in ("DATE-OBS", "DATE-END")
    ]
    start, end = (one.astype("datetime64[us]") for one in times)
    detectors, pixels = elements_of_label(str(header.get("DETNAM", "")))
    return SpectrumFile(
        e_low,
        e_high,
        counts,
        sigma,
        rows("SYS_ERR") if "SYS_ERR" in names else np.zeros_like(counts),
        livetime,
        (end - start) / np.timedelta64(1, "s"),
        start,
        end,
        str(header.get("HDUCLAS2", "")).strip() == "NET",
        detectors,
        pixels,
        str(header.get("RESPFILE", "")).strip(),
    )


def read_response_file(path: Path, area_file: Path | None = None) -> ResponseFile:
    """Read responses: extensions SPECRESP MATRIX (OSPEX: counts per keV and photon) or MATRIX (OGIP).

    Parameters
    ----------
    path : Path
    area_file : Path, optional
        The ARF that belongs to a redistribution matrix.

    Raises
    ------
    InvalidProduct
        When the file is not a response, is damaged, or does not belong to the ARF.
    """
    with _opened(path) as hdus:
        tables = [hdu for hdu in hdus[1:] if "MATRIX" in (getattr(hdu, "columns", None) or fits.ColDefs([])).names]
        if not tables:
            raise InvalidProduct(path, "an extension with a column MATRIX", f"{[hdu.name for hdu in hdus[1:]]}")
        header, first = tables[0].header, tables[0].data
        low, high = _column(path, first, "ENERG_LO"), _column(path, first, "ENERG_HI")
        e_low, e_high = _bounds(path, hdus, "EBOUNDS", int(_number(path, header, "DETCHANS")))
        ospex = tables[0].name == "SPECRESP MATRIX" and "GEOAREA" in header and area_file is None
        # counts per photon = MATRIX · ΔE
        width = (e_high - e_low)[:, None] if ospex else 1.0
        matrices = {
            _state(table.header): _dense(path, table.data, _first_channel(table.header), e_low.size) * width
            for table in tables
        }
        edges = np.append(low, high[-1]), np.append(e_low, e_high[-1])
        tailing = header.get("TAILING")
        response = ResponseFile(
            *edges,
            matrices,
            1.0,
            scheme=str(header.get("RSPSCHEM", "")).strip(),
            tailing=tailing if isinstance(tailing, bool) else None,
        )
        if ospex:
            return _with_area(path, header, response)
        detectors, pixels = elements_of_label(str(header.get("DETNAM", "")))
    if area_file is not None:
        area = _read_arf(area_file, edges[0])
        matrices = {state: matrix * area for state, matrix in matrices.items()}
    return replace(response, matrices=matrices, detectors=detectors, pixels=pixels)


def _with_area(path: Path, header: fits.Header, response: ResponseFile) -> ResponseFile:
    """Add area, distance, and whether the area contains the grid factor."""
    geoarea = _number(path, header, "GEOAREA")
    distance, factor = (float(_long(header, key, np.nan)) for key in ("SUN_DISTANCE", "GRID_FACTOR"))
    detectors, pixels = elements_of_label(str(header.get("DETUSED", "")))
    area = len(detectors) * float(pixel_area()[list(pixels)].sum())
    included: bool | None = None
    if not (area and np.isfinite(distance)):
        decision = "the header does not give detectors and distance, so GEOAREA cannot be checked for the grid factor"
    else:
        ratio = geoarea * distance**2 / area
        included = bool(np.isfinite(factor) and abs(ratio / factor - 1) < AREA_TOLERANCE)
        decision = f"GEOAREA · D² is {ratio:.4g} of the area of the pixels: it " + (
            f"contains the grid factor {factor:.4g}" if included else "does not contain the grid factor"
        )
    return replace(
        response,
        geoarea=geoarea,
        distance=distance,
        grid_included=included,
        decision=decision,
        detectors=detectors,
        pixels=pixels,
    )


def _read_arf(path: Path, photon_edges: Floats) -> Floats:
    """Effective area in the photon bins of a matrix, (n_photon,) float, cm²."""
    with _opened(path) as hdus:
        if "SPECRESP" not in hdus:
            raise InvalidProduct(path, "an extension SPECRESP", f"extensions {[hdu.name for hdu in hdus[1:]]}")
        table = hdus["SPECRESP"].data
        edges = np.append(_column(path, table, "ENERG_LO"), _column(path, table, "ENERG_HI")[-1:])
        if edges.shape != photon_edges.shape or not np.allclose(edges, photon_edges, rtol=1e-5):
            raise InvalidProduct(
                path, f"the {photon_edges.size - 1} photon bins of the matrix", f"{edges.size - 1} bins"
            )
        return _column(path, table, "SPECRESP")


def _dense(path: Path, table: fits.FITS_rec, first: int, n_channel: int) -> Floats:
    """Matrix (n_channel, n_photon) from groups of channels."""
    matrix = np.zeros((n_channel, len(table)))
    for j, row in enumerate(table):
        values, used = np.atleast_1d(row["MATRIX"]), 0
        groups = zip(np.atleast_1d(row["F_CHAN"]), np.atleast_1d(row["N_CHAN"]), strict=True)
        for start, count in list(groups)[: int(row["N_GRP"])]:
            low, high = int(start) - first, int(start) - first + int(count)
            if low < 0 or high > n_channel or used + int(count) > values.size:
                raise InvalidProduct(path, f"channels within {n_channel} in MATRIX", f"{low} to {high} in row {j}")
            matrix[low:high, j] = values[used : used + int(count)]
            used += int(count)
    return matrix


def _first_channel(header: fits.Header) -> int:
    """Number of the first channel: TLMIN of the column F_CHAN, 1 where it is not given."""
    column = next((n for n in range(1, int(header["TFIELDS"]) + 1) if header.get(f"TTYPE{n}") == "F_CHAN"), 0)
    return int(header.get(f"TLMIN{column}", 1))


def _state(header: fits.Header) -> int:
    value = header.get("FILTER", 0)
    return int(value) if isinstance(value, (int, float)) else int(str(value).strip() == "attenuator")


def _bounds(path: Path, hdus: fits.HDUList, name: str, size: int) -> tuple[Floats, Floats]:
    """Channel edges from a table E_MIN, E_MAX."""
    if name not in hdus:
        raise InvalidProduct(path, f"an extension {name}", f"extensions {[hdu.name for hdu in hdus[1:]]}")
    low, high = (_column(path, hdus[name].data, key) for key in ("E_MIN", "E_MAX"))
    if low.size != size or not (high > low).all():
        raise InvalidProduct(path, f"{size} channels with rising edges in {name}", f"{low.size} rows")
    return low, high


def _column(path: Path, table: fits.FITS_rec, name: str) -> Floats:
    if name not in table.columns.names:
        raise InvalidProduct(path, f"column {name}", f"columns {table.columns.names}")
    values = np.asarray(table[name], dtype=float)
    if not np.isfinite(values).all():
        raise InvalidProduct(path, f"finite numbers in column {name}", "NaN or infinity")
    return values


def _number(path: Path, header: fits.Header, key: str) -> float:
    value: Any = header.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not np.isfinite(value):
        raise InvalidProduct(path, f"a number in keyword {key}", repr(value))
    return float(value)


def _long(header: fits.Header, key: str, default: float) -> float:
    value: Any = header.get(key, header.get(_LONG[key], default))
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else default


def _microseconds(seconds: Floats) -> NDArray[np.timedelta64]:
    return np.rint(seconds * 1e6).astype("int64").astype("timedelta64[us]")


@contextmanager
def _opened(path: Path) -> Iterator[fits.HDUList]:
    """Open a file; every fault of its structure is an `InvalidProduct`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AstropyWarning)  # stray bytes after headers in files of others
            with fits.open(path, memmap=False) as hdus:
                yield hdus
    except InvalidProduct:
        raise
    except DAMAGE as error:
        raise InvalidProduct(path, "a FITS file with spectra or responses", str(error)) from error
