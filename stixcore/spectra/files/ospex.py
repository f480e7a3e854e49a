"""Spectrum and response as the ground software writes them for OSPEX: ``stx_spectrum_*.fits`` and ``stx_srm_*.fits``.

Layout, keywords and units are those of STIX-GSW v0.6.2 (``stx_write_ospex_fits``, ``stx_make_spectrum_header``,
``stx_rate_header``, ``stx_spectrum2fits``). sunkit-spex 0.5 reads the same pair (``sunkit_spex.extern.stix``). Rates
are counts per second of live time; the matrix is in counts per keV and photon, and GEOAREA is the area ÷ D²:

    counts(i) = Σ_j MATRIX(j, i) · ΔE(i) · F(j) · ΔE(j) · GEOAREA · EXPOSURE,  F at 1 AU
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stixcore.errors import SelectionError
from stixcore.fits.encode import Keywords, KeywordValue, TableColumn, encode_primary, encode_table
from stixcore.spectra.counts import CountSpectrum
from stixcore.spectra.files.shared import (
    Floats,
    add_origin,
    add_scheme,
    elements_label,
    require_distance,
    require_fit,
    require_same_channels,
    seconds_text,
    start_table,
)
from stixcore.spectra.response import Response

#: Reference time of the files and its modified Julian date: the origin of times in SolarSoft.
TIME_ORIGIN, TIME_ORIGIN_MJD = np.datetime64("1979-01-01T00:00:00", "us"), 43874.0
#: OSPEX looks for this name, which is that of RHESSI's files.
STATES_EXTENSION = "HESSI Spectral Object Parameters"
_DAY, _SECOND = np.timedelta64(1, "D"), np.timedelta64(1, "s")


@dataclass(frozen=True, kw_only=True)
class OspexPair:
    """What the two files of a pair have in common.

    Attributes
    ----------
    spectrum_file, response_file : str
        Names of the two files; each names the other.
    distance : float, AU
        From the spacecraft to the Sun.
    created : datetime64
        UTC, for the headers.
    time_shift : float, s
        Added to all times: the light travel time that turns times at Solar Orbiter into times at Earth.
    """

    spectrum_file: str
    response_file: str
    distance: float
    created: np.datetime64
    time_shift: float = 0.0


def write_ospex_spectra(
    path: Path, spectra: Sequence[CountSpectrum], responses: Mapping[int, Response], pair: OspexPair
) -> None:
    """Write count spectra, one row each, in order of time.

    Parameters
    ----------
    path : Path
        Must not exist.
    spectra : sequence of CountSpectrum
        With the same channels, detectors and pixels.
    responses : mapping from int to Response
        A response for each attenuator state (rcr) of the spectra.
    pair : OspexPair

    Raises
    ------
    SelectionError
        When spectra and responses do not belong together, or the distance is impossible.
    """
    area = _checked_area(spectra, responses, pair)
    header = _primary(spectra, pair)
    tables = [_rates(spectra, area, pair), _energies(spectra[0], pair), _states(spectra, responses, area, pair)]
    _create(path, [header, *tables])


def write_ospex_response(
    path: Path, spectra: Sequence[CountSpectrum], responses: Mapping[int, Response], pair: OspexPair
) -> None:
    """Write the responses that belong to count spectra: one matrix for each attenuator state, the first one's first.

    Parameters and errors are those of `write_ospex_spectra`. Readers multiply every matrix with the GEOAREA of the
    first one, so matrices of states with another area are scaled to it.
    """
    area = _checked_area(spectra, responses, pair)
    states = list(dict.fromkeys(spectrum.rcr for spectrum in spectra))
    first = responses[states[0]]
    matrices = [_matrix(responses[state], state, area, first, pair) for state in states]
    tables = [
        matrices[0],
        _channels(first, states[0], area, pair),
        _states(spectra, responses, area, pair),
        *matrices[1:],
    ]
    _create(path, [_primary(spectra, pair), *tables])


def _create(path: Path, parts: Sequence[bytes]) -> None:
    """Write a new file."""
    with path.open("xb") as file:
        file.writelines(parts)


def _checked_area(spectra: Sequence[CountSpectrum], responses: Mapping[int, Response], pair: OspexPair) -> float:
    """Area ÷ D² of the first spectrum's response, cm² AU⁻²."""
    require_distance(pair.distance)
    require_same_channels(spectra)
    for state in dict.fromkeys(spectrum.rcr for spectrum in spectra):
        if state not in responses:
            message = f"{spectra[0].source}: no response for the attenuator state (rcr) {state}"
            raise SelectionError(message)
        require_fit([spectrum for spectrum in spectra if spectrum.rcr == state], responses[state])
    # GEOAREA = A/D²
    return responses[spectra[0].rcr].area / pair.distance**2


def _primary(spectra: Sequence[CountSpectrum], pair: OspexPair) -> bytes:
    header = Keywords()
    header["DATE"] = (seconds_text(pair.created), "File creation date (YYYY-MM-DDThh:mm:ss UTC)")
    add_origin(header)
    _add_common(header, spectra[0].e_low, spectra[0].e_high, pair)
    header["PARENT"] = (spectra[0].source, "Parent Observation Data File")
    level = "Spectrogram" if spectra[0].spectrogram else "Pixel Data"
    header["HIERARCH DATA_LEVEL"] = (level, "Compression Level")
    header["AUTHOR"] = "SPECTRUM2FITS"
    for key in ("RA", "DEC", "RA_NOM", "DEC_NOM"):
        header[key] = 0.0
    header["EQUINOX"] = (2000.0, "Equinox of celestial coordinate system")
    header["RADECSYS"] = ("FK5", "Coordinate frame used for equinox")
    header["TIMVERSN"] = ("OGIP/93-003", "OGIP memo number where the convention used")
    header["VERSION"] = ("1.0", "File format version number")
    for doubt in spectra[0].doubts:
        header.add_history(doubt.encode("ascii", "replace").decode())
    return encode_primary(header)


def _add_common(header: Keywords, e_low: Floats, e_high: Floats, pair: OspexPair) -> None:
    header["TIME_UNI"] = 1
    header["ENERGY_L"] = float(e_low[0])
    header["ENERGY_H"] = float(e_high[-1])
    header["TIMESYS"] = (seconds_text(TIME_ORIGIN), "Reference time in YYYY MM DD hh:mm:ss")
    header["TIMEUNIT"] = ("d", "Unit for TIMEZERO, TSTARTI and TSTOPI")
    header["HIERARCH TIME_SHIFT"] = (pair.time_shift, "Earth-SO light travel time")


def _add_detectors(header: Keywords, area: float, label: str, pair: OspexPair) -> None:
    header["GEOAREA"] = (area, "Area of the pixels / D^2 [cm2 AU-2]")
    header["DETUSED"] = (label, "Label for detectors used")
    header["DETNAM"] = (label, "Label for detectors used")
    header["SUMFLAG"] = (1, "Detectors are summed")
    header["SUMCOINC"] = (0, "no sum coinc")
    header["COINCIDE"] = (0, "no coinc")
    header["HIERARCH SUN_DISTANCE"] = (pair.distance, "Distance in AU to Sun")


def _rates(spectra: Sequence[CountSpectrum], area: float, pair: OspexPair) -> bytes:
    first, size, n = spectra[0], spectra[0].counts.size, len(spectra)
    starts, ends = _times(spectra, pair)
    midnight = starts[0].astype("datetime64[D]").astype("datetime64[us]")
    livetime, duration = (np.array([getattr(one, key) for one in spectra]) for key in ("livetime", "duration"))
    middle = (starts - midnight) / _SECOND + 0.5 * ((ends - starts) / _SECOND)
    values = {key: np.array([getattr(one, key) for one in spectra]) for key in ("counts", "sigma", "systematic")}
    columns = [
        # RATE = C/(Δt·f): counts per second of live time, not per keV
        TableColumn("RATE", "E", values["counts"] / livetime[:, None], "counts/s"),
        TableColumn("STAT_ERR", "E", values["sigma"] / livetime[:, None], "counts/s"),
        TableColumn("CHANNEL", "J", np.tile(np.arange(size), (n, 1))),
        TableColumn("SPEC_NUM", "J", np.arange(1, n + 1)),
        TableColumn("LIVETIME", "D", livetime / duration),
        TableColumn("TIME", "D", middle, "s"),
        TableColumn("TIMEDEL", "E", duration, "s"),
        TableColumn("EXPOSURE", "D", livetime, "s"),
        TableColumn("SYS_ERR", "E", values["systematic"]),
    ]
    header = start_table(Keywords(), "RATE", pair.created)
    _add_common(header, first.e_low, first.e_high, pair)
    _add_detectors(header, area, elements_label(first.detectors, first.pixels), pair)
    header["HIERARCH REQUEST_ID"] = (first.request_id, "Unique Request ID")
    header["HIERARCH ELUT_FILENAME"] = (f"{first.energy_table}.csv", "Filename of ELUT")
    header["CALFILE"] = (first.cal_file or "none", "Daily energy calibration")
    header["RESPFILE"] = pair.response_file
    _add_rate_keywords(header, first, float(livetime.sum()), size)
    header["TIMEREF"] = ("LOCAL", "Reference frame for the times")
    header["MJDREF"] = (TIME_ORIGIN_MJD, "TIMESYS in MJD (d)")
    header["TIMEZERO"] = (float((midnight - TIME_ORIGIN) / _DAY), "Day of the first bin rel to TIMESYS")
    for key, time in (("TSTART", starts[0]), ("TSTOP", ends[-1])):
        whole, part = divmod(float((time - TIME_ORIGIN) / _DAY), 1.0)
        header[f"{key}I"] = (int(whole), "Integer portion of time rel to TIMESYS")
        header[f"{key}F"] = (part, "Fractional portion of time")
    header["TASSIGN"] = ("SATELLITE", "Place of time assignment")
    header["CLOCKCOR"] = ("T", "Clock Correction to UT")
    header.add_comment("absTime[i] = mjd2any(MJDREF + TIMEZERO) + TIME[i]")
    return encode_table(columns, header)


def _add_rate_keywords(header: Keywords, spectrum: CountSpectrum, exposure: float, size: int) -> None:
    """Add the OGIP keywords of rates."""
    subtracted = bool(spectrum.background_source)
    cards: dict[str, tuple[KeywordValue, str]] = {
        "HDUCLASS": ("OGIP", "File conforms to OGIP/GSFC convention"),
        "HDUCLAS1": ("SPECTRUM", "File contains spectrum"),
        "HDUCLAS2": ("NET" if subtracted else "TOTAL", "Extension contains a spectrum"),
        "HDUCLAS3": ("RATE", "Extension contains rates"),
        "HDUCLAS4": ("TYPE:II", "Multiple PHA files contained"),
        "HDUVERS": ("1.2", "Version of OGIP"),
        "TIMVERSN": ("OGIP/93-003", "OGIP memo number where the convention used"),
        "CHANTYPE": ("PI", "Channels assigned by detector electronics"),
        "DETCHANS": (size, "Number of channels"),
        "POISSERR": (False, "Poisson Error"),
        "AREASCAL": (1.0, "Area scaling factor"),
        "BACKSCAL": (1.0, "Background scaling factor"),
        "CORRSCAL": (1.0, "Correction scaling factor"),
        "GROUPING": (0, "No grouping of data has been defined"),
        "QUALITY": (0, "No quality information is specified"),
        "ANCRFILE": ("none", "Ancillary response file"),
        "CORRFILE": ("none", "Correction file"),
        "EXPOSURE": (exposure, "[s] corrected for dead time"),
        "ONTIME": (exposure, "Exposure time in seconds"),
        "BACKAPP": (subtracted, "Background is subtracted"),
        # a file that is named here would be subtracted again by XSPEC
        "BACKFILE": ("none", "Background file"),
    }
    for key, card in cards.items():
        header[key] = card
    header["BACKNAME"] = (spectrum.background_source or "none", "Subtracted background")


def _energies(spectrum: CountSpectrum, pair: OspexPair) -> bytes:
    columns = [
        TableColumn("CHANNEL", "J", np.arange(spectrum.e_low.size)),
        TableColumn("E_MIN", "E", spectrum.e_low, "keV"),
        TableColumn("E_MAX", "E", spectrum.e_high, "keV"),
    ]
    return encode_table(columns, start_table(Keywords(), "ENEBAND", pair.created))


def _states(spectra: Sequence[CountSpectrum], responses: Mapping[int, Response], area: float, pair: OspexPair) -> bytes:
    """Attenuator states and the times at which they begin, in seconds after 1979-01-01, in one row."""
    starts, _ = _times(spectra, pair)
    states = np.array([spectrum.rcr for spectrum in spectra])
    first = np.flatnonzero(np.concatenate([[True], np.diff(states) != 0]))
    place = responses[spectra[0].rcr].place
    columns = [
        TableColumn("FLARE_XYOFFSET", "E", np.array([place]), "arcsec"),
        TableColumn("USE_FLARE_XYOFFSET", "I", np.array([int(tuple(place) != (0.0, 0.0))])),
        TableColumn("SP_ATTEN_STATE$$TIME", "D", _row((starts[first] - TIME_ORIGIN) / _SECOND)),
        TableColumn("SP_ATTEN_STATE$$STATE", "B", _row(states[first].astype(np.uint8))),
    ]
    header = start_table(Keywords(), STATES_EXTENSION, pair.created)
    header["GEOAREA"] = area
    return encode_table(columns, header)


def _row(values: np.ndarray) -> np.ndarray:
    return values if values.size == 1 else values[None, :]


def _matrix(response: Response, state: int, area: float, first: Response, pair: OspexPair) -> bytes:
    photons, size = response.photon_edges, response.channel_edges.size - 1
    n = photons.size - 1
    # MATRIX(j, i) = R(i, j)/ΔE(i) · A/A_first
    matrix = (response.matrix / np.diff(response.channel_edges)[:, None]).T * (response.area / first.area)
    columns = [
        TableColumn("ENERG_LO", "D", photons[:-1], "keV"),
        TableColumn("ENERG_HI", "D", photons[1:], "keV"),
        TableColumn("N_GRP", "I", np.ones(n)),
        TableColumn("F_CHAN", "J", np.zeros(n)),
        TableColumn("N_CHAN", "J", np.full(n, size)),
        TableColumn("MATRIX", "E", matrix),
    ]
    header = start_table(Keywords(), "SPECRESP MATRIX", pair.created)
    edges = response.channel_edges
    _add_common(header, edges[:-1], edges[1:], pair)
    _add_detectors(header, area, elements_label(response.detectors, response.pixels), pair)
    _add_response_keywords(header, response, state, pair)
    header["HDUCLAS2"] = "RSP_MATRIX"
    header["HDUVERS"] = "1.3.0"
    header["TLMIN4"] = 0
    header["TLMAX4"] = size - 1
    header["HDUCLAS3"] = ""
    header["NUMGRP"] = n
    header["NUMELT"] = n * size
    header["LO_THRES"] = ""
    header.add_comment("MATRIX is in counts per keV and photon; multiply by the width of the channel and GEOAREA")
    return encode_table(columns, header)


def _add_response_keywords(header: Keywords, response: Response, state: int, pair: OspexPair) -> None:
    header["PHAFILE"] = pair.spectrum_file
    header["SOFTWARE"] = "OSPEX"
    header["SEPDETS"] = (0, "Sum of response matrices")
    header["FILTER"] = (state, "Attenuator state")
    add_scheme(header, response)
    header["CHANTYPE"] = "PI"
    header["DETCHANS"] = response.channel_edges.size - 1
    header["HDUCLASS"] = "OGIP"
    header["HDUCLAS1"] = "RESPONSE"


def _channels(response: Response, state: int, area: float, pair: OspexPair) -> bytes:
    edges = response.channel_edges
    columns = [
        TableColumn("CHANNEL", "J", np.arange(edges.size - 1)),
        TableColumn("E_MIN", "E", edges[:-1], "keV"),
        TableColumn("E_MAX", "E", edges[1:], "keV"),
    ]
    header = start_table(Keywords(), "EBOUNDS", pair.created)
    _add_common(header, edges[:-1], edges[1:], pair)
    _add_detectors(header, area, elements_label(response.detectors, response.pixels), pair)
    _add_response_keywords(header, response, state, pair)
    header["HDUCLAS2"] = "EBOUNDS"
    header["HDUVERS"] = "1.2.0"
    return encode_table(columns, header)


def _times(spectra: Sequence[CountSpectrum], pair: OspexPair) -> tuple[np.ndarray, np.ndarray]:
    """Starts and ends with the shift, datetime64[us]."""
    shift = np.timedelta64(round(1e6 * pair.time_shift), "us")
    starts = np.array([spectrum.t_start for spectrum in spectra], dtype="datetime64[us]")
    ends = np.array([spectrum.t_end for spectrum in spectra], dtype="datetime64[us]")
    return starts + shift, ends + shift
