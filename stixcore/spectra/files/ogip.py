"""Spectrum, redistribution and effective area in OGIP format, for XSPEC, Sherpa and Gammapy.

Formats: OGIP/92-007 (PHA files), CAL/GEN/92-002 and 92-002a (RMF and ARF). The split of a response R(i, j) is that of
the second memo: the RMF is the probability that a detected photon of bin j is counted in channel i, so that each of its
rows sums to 1 over the channels, and the ARF is the area times the probability of detection:

    ARF(j) = A · Σ_i R(i, j),   RMF(j, i) = R(i, j) / Σ_i R(i, j)
    counts(i) = L · Σ_j F(j) · ΔE(j) · ARF(j) · RMF(j, i)

F is the flux at the spacecraft: no file contains the distance as a factor.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from stixcore.errors import SelectionError
from stixcore.spectra.counts import CountSpectrum
from stixcore.spectra.files.shared import (
    Floats,
    add_origin,
    add_scheme,
    elements_label,
    require_same_channels,
    seconds_text,
    start_table,
)
from stixcore.spectra.response import Response

#: First channel number, in all files.
FIRST_CHANNEL = 0
GOOD, BAD = 0, 1


class PhaContent(StrEnum):
    """What a PHA file contains: HDUCLAS2."""

    NET = "NET"
    TOTAL = "TOTAL"
    BACKGROUND = "BKG"

    def counts(self, spectrum: CountSpectrum) -> Floats:
        """Counts of a spectrum, (n_channel,) float."""
        if self is PhaContent.NET:
            return spectrum.counts
        if self is PhaContent.BACKGROUND:
            return spectrum.background
        return spectrum.counts + spectrum.background

    def sigma(self, spectrum: CountSpectrum) -> Floats:
        """Statistical error of these counts, (n_channel,) float."""
        if self is PhaContent.NET:
            return spectrum.sigma
        if self is PhaContent.BACKGROUND:
            return np.broadcast_to(spectrum.background_sigma, spectrum.counts.shape)
        return np.sqrt(np.maximum(spectrum.sigma**2 - spectrum.background_sigma**2, 0.0))


def write_pha(
    path: Path,
    spectra: CountSpectrum | Sequence[CountSpectrum],
    *,
    created: np.datetime64,
    content: PhaContent = PhaContent.NET,
    response_file: str = "none",
    area_file: str = "none",
    background_file: str = "none",
    good: NDArray[np.bool_] | None = None,
) -> None:
    """Write one spectrum (type I) or several, one row each (type II).

    Parameters
    ----------
    path : Path
        Must not exist.
    spectra : CountSpectrum or sequence of CountSpectrum
    created : datetime64
        UTC, for the header.
    content : PhaContent
        Net counts by default. Total counts need a background file (content ``BKG``, same exposure).
    response_file, area_file, background_file : str
        Names of RMF, ARF and background.
    good : (n_channel,) bool, optional
        Channels to fit; the others get QUALITY 1.

    Raises
    ------
    SelectionError
        When the spectra differ in channels, or a net spectrum has a background file, which would be subtracted again.
    """
    several = not isinstance(spectra, CountSpectrum)
    rows = [spectra] if isinstance(spectra, CountSpectrum) else list(spectra)
    require_same_channels(rows)
    if content is PhaContent.NET and background_file != "none":
        message = (
            f"{path.name}: background_file {background_file!r}: the background is already subtracted (content NET)"
        )
        raise SelectionError(message)
    size = rows[0].counts.size
    quality = np.where(np.ones(size, bool) if good is None else good, GOOD, BAD).astype(np.int16)
    table = fits.BinTableHDU.from_columns(_pha_columns(rows, content, quality, several=several))
    header = start_table(table.header, "SPECTRUM", created)
    files = {"RESPFILE": response_file, "ANCRFILE": area_file, "BACKFILE": background_file, "CORRFILE": "none"}
    header.update(files)
    _add_pha_keywords(header, rows, content, several=several)
    first = rows[0]
    primary = _primary(created, first.source)
    for doubt in first.doubts:
        primary.header.add_history(doubt.encode("ascii", "replace").decode())
    fits.HDUList([primary, table, _ebounds(first.edges, created)]).writeto(path)


def _pha_columns(
    rows: Sequence[CountSpectrum], content: PhaContent, quality: NDArray[np.int16], *, several: bool
) -> list[fits.Column]:
    size = quality.size
    channel, repeat = np.arange(FIRST_CHANNEL, FIRST_CHANNEL + size), str(size) if several else ""

    def column(name: str, form: str, values: Sequence[NDArray[np.generic]], unit: str | None = None) -> fits.Column:
        return fits.Column(name, f"{repeat}{form}", unit=unit, array=np.array(values) if several else values[0])

    columns = [
        column("CHANNEL", "J", [channel] * len(rows)),
        column("COUNTS", "D", [content.counts(one) for one in rows], "count"),
        column("STAT_ERR", "D", [content.sigma(one) for one in rows], "count"),
        column("SYS_ERR", "E", [one.systematic * (content is not PhaContent.BACKGROUND) for one in rows]),
        column("QUALITY", "I", [quality] * len(rows)),
        column("GROUPING", "I", [np.ones(size, np.int16)] * len(rows)),  # 1: each channel is a bin
        column("BACKSCAL", "D", [np.ones(size)] * len(rows)),  # gammapy reads the column, others the keyword
    ]
    if several:
        numbers = {key: np.array([getattr(one, key) for one in rows]) for key in ("livetime", "t_start", "t_end")}
        columns += [
            fits.Column("SPEC_NUM", "J", array=np.arange(1, len(rows) + 1)),
            fits.Column("EXPOSURE", "D", unit="s", array=numbers["livetime"]),
            fits.Column("DATE-OBS", "26A", array=numbers["t_start"].astype("datetime64[us]").astype(str)),
            fits.Column("DATE-END", "26A", array=numbers["t_end"].astype("datetime64[us]").astype(str)),
        ]
    return columns


def _add_pha_keywords(
    header: fits.Header, rows: Sequence[CountSpectrum], content: PhaContent, *, several: bool
) -> None:
    first, size = rows[0], rows[0].counts.size
    cards: dict[str, object] = {
        "HDUCLASS": "OGIP",
        "HDUCLAS1": "SPECTRUM",
        "HDUCLAS2": str(content),
        "HDUCLAS3": "COUNT",
        "HDUCLAS4": "TYPE:II" if several else "TYPE:I",
        "HDUVERS": "1.2.1",
        "FILTER": "none",
        "CHANTYPE": "PI",
        "DETCHANS": size,
        "TLMIN1": FIRST_CHANNEL,
        "TLMAX1": FIRST_CHANNEL + size - 1,
        "POISSERR": False,
        "AREASCAL": 1.0,
        "BACKSCAL": 1.0,
        "CORRSCAL": 1.0,
        "DETNAM": elements_label(first.detectors, first.pixels),
        "OBS_ID": first.request_id,
    }
    header.update(cards)
    if not several:
        header["EXPOSURE"] = (first.livetime, "[s] duration * mean live fraction")
        header["FILTER"] = (str(first.rcr), "attenuator state")
    header["DATE-OBS"] = (str(rows[0].t_start), "UTC at Solar Orbiter")
    header["DATE-END"] = str(rows[-1].t_end)


def write_rmf(path: Path, response: Response, *, created: np.datetime64) -> None:
    """Write the redistribution matrix: extension MATRIX, without efficiency and area.

    Parameters
    ----------
    path : Path
        Must not exist.
    response : Response
    created : datetime64
        UTC, for the header.
    """
    detected = response.matrix.sum(axis=0)
    # RMF(j, i) = R(i, j)/Σ_i R(i, j)
    matrix = np.divide(response.matrix, detected, out=np.zeros_like(response.matrix), where=detected > 0).T
    n, size = matrix.shape
    columns = [
        *_photon_columns(response),
        fits.Column("N_GRP", "I", array=np.ones(n)),
        fits.Column("F_CHAN", "PJ()", array=_objects(np.full((n, 1), FIRST_CHANNEL))),
        fits.Column("N_CHAN", "PJ()", array=_objects(np.full((n, 1), size))),
        fits.Column("MATRIX", f"{size}D", array=matrix),
    ]
    table = fits.BinTableHDU.from_columns(columns)
    header = start_table(table.header, "MATRIX", created)
    _add_response_keywords(header, response)
    header["HDUCLAS2"] = "RSP_MATRIX"
    header["HDUCLAS3"] = ("REDIST", "efficiency and area are in the ARF")
    header["HDUVERS"] = "1.3.0"
    header["CHANTYPE"] = "PI"
    header["DETCHANS"] = size
    header["TLMIN4"] = FIRST_CHANNEL
    header["TLMAX4"] = FIRST_CHANNEL + size - 1
    header["NUMGRP"] = n
    header["NUMELT"] = n * size
    header["LO_THRES"] = 0.0
    fits.HDUList([_primary(created), table, _ebounds(response.channel_edges, created)]).writeto(path)


def write_arf(path: Path, response: Response, *, created: np.datetime64) -> None:
    """Write the effective area, cm²: pixels × windows × attenuator × grids × efficiency; parameters of `write_rmf`."""
    # ARF(j) = A · Σ_i R(i, j)
    area = response.area * response.matrix.sum(axis=0)
    columns = [*_photon_columns(response), fits.Column("SPECRESP", "D", unit="cm**2", array=area)]
    table = fits.BinTableHDU.from_columns(columns)
    header = start_table(table.header, "SPECRESP", created)
    _add_response_keywords(header, response)
    header["HDUCLAS2"] = "SPECRESP"
    header["HDUVERS"] = "1.1.0"
    header["GEOAREA"] = (response.area, "[cm2] area of the pixels, included")
    header.add_comment("The flux of models is that at the spacecraft: the distance to the Sun is not included.")
    fits.HDUList([_primary(created), table]).writeto(path)


def _photon_columns(response: Response) -> list[fits.Column]:
    return [
        fits.Column("ENERG_LO", "D", unit="keV", array=response.photon_edges[:-1]),
        fits.Column("ENERG_HI", "D", unit="keV", array=response.photon_edges[1:]),
    ]


def _objects(values: NDArray[np.int64]) -> NDArray[np.object_]:
    """Rows as arrays of their own, for columns of variable length: readers expect lists of groups."""
    rows = np.empty(len(values), dtype=object)
    for place, row in enumerate(values.astype(np.int32)):
        rows[place] = row
    return rows


def _add_response_keywords(header: fits.Header, response: Response) -> None:
    header["HDUCLASS"] = "OGIP"
    header["HDUCLAS1"] = "RESPONSE"
    header["FILTER"] = ("attenuator" if response.attenuator else "none", "attenuator in or out")
    header["DETNAM"] = elements_label(response.detectors, response.pixels)
    add_scheme(header, response)


def _ebounds(edges: Floats, created: np.datetime64) -> fits.BinTableHDU:
    columns = [
        fits.Column("CHANNEL", "J", array=np.arange(FIRST_CHANNEL, FIRST_CHANNEL + edges.size - 1)),
        fits.Column("E_MIN", "D", unit="keV", array=edges[:-1]),
        fits.Column("E_MAX", "D", unit="keV", array=edges[1:]),
    ]
    table = fits.BinTableHDU.from_columns(columns)
    header = start_table(table.header, "EBOUNDS", created)
    cards = {"HDUCLASS": "OGIP", "HDUCLAS1": "RESPONSE", "HDUCLAS2": "EBOUNDS", "HDUVERS": "1.2.0", "CHANTYPE": "PI"}
    header.update(cards)
    header["DETCHANS"] = edges.size - 1
    return table


def _primary(created: np.datetime64, parent: str = "") -> fits.PrimaryHDU:
    hdu = fits.PrimaryHDU()
    hdu.header["DATE"] = (seconds_text(created), "File creation date (YYYY-MM-DDThh:mm:ss UTC)")
    add_origin(hdu.header)
    if parent:
        hdu.header["PARENT"] = (parent, "Parent Observation Data File")
    return hdu
