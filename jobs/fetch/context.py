"""Bring context maps of flares into an archive: AIA's synoptic maps from JSOC, EUI's full-disk maps from SOAR.

sunpy's clients know the addresses and layouts of both archives: files of AIA are listed with sunpy's scraper, EUI is
searched with the query language of SOAR. All requests go through `Transport`, with its pauses, retries and time limits.
"""

from __future__ import annotations

import tomllib
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from enum import StrEnum
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from astropy.io import fits

from archive import Archive, Flare
from archive.atomic import write_bytes
from archive.context_maps import (
    AIA,
    EUI,
    FOLDER,
    LARGEST_UNPACKED,
    LONGEST_SIDE,
    REACH,
    context_maps,
    map_name,
    time_at,
)
from archive.errors import BadSettings
from archive.unpacked import NotUnpacked, unpacked_fits
from jobs.fetch.client import GIVE_UP_AFTER
from jobs.fetch.soar import FOLDER as SOAR_FOLDER
from jobs.fetch.soar import adql_time, ask, file_address
from jobs.fetch.transport import RemoteFault, Transport, require_http
from stixcore.errors import StixError
from stixcore.times import format_time

CONFIG_FILE, SECTION = "config.toml", "context"
#: Largest size of a map as it is sent, byte.
LARGEST = 64 << 20
#: Largest number of searches of one call.
SEARCHES = 500
_BLOCK = 1 << 16
_SECOND = np.timedelta64(1_000_000, "us")
#: Folders below the base URL.
AIA_FOLDER, EUI_FOLDER = "aia/synoptic", SOAR_FOLDER


class BadMap(StixError):
    """A map from a server that cannot be used; the message names file, field and value."""


class MapStatus(StrEnum):
    """Result for one map of one flare."""

    BROUGHT = "brought"
    KNOWN = "known"
    MISSING = "missing"
    FAILED = "failed"


@dataclass(frozen=True)
class ContextSettings:
    """Where context maps come from; without an address nothing is fetched.

    Attributes
    ----------
    aia_url, eui_url : str
        Folder of AIA's synoptic maps, and of SOAR's ``tap`` and ``data``; empty: no maps of this instrument.
    aia_wavelength, eui_wavelength : int, Angstrom
    maps : int
        Largest number of maps that one call brings.
    """

    aia_url: str = ""
    eui_url: str = ""
    aia_wavelength: int = 171
    eui_wavelength: int = 174
    maps: int = 50

    @classmethod
    def of(cls, root: Path, base_url: str = "") -> ContextSettings:
        """Settings of an archive; ``base_url`` replaces both addresses.

        Raises
        ------
        BadSettings
            When the file cannot be read, or naming the key that is unknown or wrong.
        """
        path = root / CONFIG_FILE
        try:
            section = tomllib.loads(path.read_text(encoding="utf-8")).get(SECTION, {})
        except FileNotFoundError:
            section = {}
        except (OSError, ValueError, RecursionError) as error:
            message = f"{path} cannot be read: {error}"
            raise BadSettings(message) from error
        found = dict(_checked(path, section))
        if base_url:
            base = base_url.rstrip("/")
            found |= {"aia_url": f"{base}/{AIA_FOLDER}", "eui_url": f"{base}/{EUI_FOLDER}"}
        settings = cls(**found)
        for url in (settings.aia_url, settings.eui_url):
            if url:
                require_http(url)
        return settings

    @property
    def instruments(self) -> tuple[tuple[str, int], ...]:
        """Instruments with an address, and their wavelengths."""
        both = ((AIA, self.aia_url, self.aia_wavelength), (EUI, self.eui_url, self.eui_wavelength))
        return tuple((name, wavelength) for name, url, wavelength in both if url)


def _checked(path: Path, section: Any) -> Iterator[tuple[str, Any]]:
    known: dict[str, type] = {item.name: type(item.default) for item in fields(ContextSettings)}
    if not isinstance(section, dict):
        message = f"{path}: {SECTION} must be a section"
        raise BadSettings(message)
    for name, value in section.items():
        if name not in known:
            message = f"{path}: {SECTION}.{name} is unknown; expected {', '.join(known)}"
            raise BadSettings(message)
        whole = known[name] is int
        number = isinstance(value, int) and not isinstance(value, bool) and 0 < value < 10_000
        if not (number if whole else isinstance(value, str)):
            expected = "a whole number from 1 to 9999" if whole else "an address"
            message = f"{path}: {SECTION}.{name}: expected {expected}, found {value!r}"
            raise BadSettings(message)
        yield name, value.rstrip("/") if isinstance(value, str) else value


@dataclass(frozen=True)
class Brought:
    """Result for one map of one flare.

    Attributes
    ----------
    flare_id, instrument : str
    status : MapStatus
    name : str
        Name in the folder of maps; empty if there is none.
    reason : str
        Why there is none.
    """

    flare_id: str
    instrument: str
    status: MapStatus
    name: str = ""
    reason: str = ""


def bring_context(
    archive: Archive,
    settings: ContextSettings,
    start: np.datetime64 | None = None,
    end: np.datetime64 | None = None,
    *,
    transport: Transport | None = None,
    progress: Callable[[Brought], None] | None = None,
) -> list[Brought]:
    """Bring the maps that flares lack: of real flares with a position, the latest first.

    Running it again fetches only what is missing. It stops after five failures in a row, and after 500 searches.

    Parameters
    ----------
    archive : Archive
    settings : ContextSettings
    start, end : datetime64, optional
        Range of the peaks, UTC at Solar Orbiter.
    transport : Transport, optional
        Pauses, retries and limits.
    progress : callable, optional
        Called with each result.
    """
    transport, brought = transport or Transport(), 0
    results: list[Brought] = []
    searches = failed_in_row = 0
    located = [one for one in archive.flares(start, end) if one.hpc_x is not None and not one.simulated]
    for flare in reversed(located):
        known = {(one.instrument, one.wavelength): one.name for one in context_maps(archive, flare)}
        for instrument, wavelength in settings.instruments:
            if brought >= settings.maps or searches >= SEARCHES or failed_in_row >= GIVE_UP_AFTER:
                return results
            result: Brought | None
            if (instrument, wavelength) in known:
                result = Brought(flare.flare_id, instrument, MapStatus.KNOWN, known[instrument, wavelength])
            else:
                result = _bring(archive, settings, flare, instrument, wavelength, transport)
            if result is None:
                continue
            brought += result.status is MapStatus.BROUGHT
            searches += result.status is not MapStatus.KNOWN
            failed_in_row = failed_in_row + 1 if result.status is MapStatus.FAILED else 0
            results.append(result)
            if progress is not None:
                progress(result)
    return results


def _bring(
    archive: Archive, settings: ContextSettings, flare: Flare, instrument: str, wavelength: int, transport: Transport
) -> Brought | None:
    """The missing map of a flare; None when this instrument does not see it."""
    time = time_at(flare, instrument)
    if time is None:
        return None
    try:
        if instrument == AIA:
            url = _nearest_aia(settings.aia_url, wavelength, time, transport)
        else:
            url = _nearest_eui(settings.eui_url, wavelength, time, transport)
        if url is None:
            reason = f"no map of {instrument} {wavelength} within {REACH[instrument]:g} s of {format_time(time)}"
            return Brought(flare.flare_id, instrument, MapStatus.MISSING, reason=reason)
        name = _keep(archive, url, instrument, wavelength, time, transport)
    except (RemoteFault, BadMap) as error:
        return Brought(flare.flare_id, instrument, MapStatus.FAILED, reason=str(error))
    return Brought(flare.flare_id, instrument, MapStatus.BROUGHT, name)


# Finding maps --------------------------------------------------------------------------------------------------------


def _nearest_aia(base: str, wavelength: int, time: np.datetime64, transport: Transport) -> str | None:
    """Address of the synoptic map nearest in time, ``<base>/YYYY/MM/DD/HHH00/AIAYYYYMMDD_HHMM_WWWW.fits``."""
    from sunpy.net.dataretriever.sources.aia_synopsis import AIASynopsisClient
    from sunpy.net.scraper import Scraper
    from sunpy.time import TimeRange

    layout = AIASynopsisClient.pattern.partition("/synoptic/")[2]
    reach = np.timedelta64(round(REACH[AIA] * 1e6), "us")
    span = TimeRange(format_time(time - reach), format_time(time + reach))
    try:
        with transport.behind_urlopen():
            urls = Scraper(format=f"{base}/{layout}").filelist(span)
    except OSError as error:
        message = f"{base} cannot be searched: {getattr(error, 'reason', error)}"
        raise RemoteFault(message) from error
    except (TypeError, AttributeError, LookupError, ValueError) as error:
        message = f"the installed sunpy cannot search {base}: {error}"
        raise RemoteFault(message) from error
    times = {}
    for url in urls:
        stem = str(url).rpartition("/")[2]
        if stem.endswith(f"_{wavelength:04d}.fits"):
            day, clock = stem[3:11], stem[12:16]
            times[str(url)] = np.datetime64(f"{day[:4]}-{day[4:6]}-{day[6:]}T{clock[:2]}:{clock[2:]}", "us")
    return _nearest(times, time, reach)


def _nearest_eui(base: str, wavelength: int, time: np.datetime64, transport: Transport) -> str | None:
    """Address of the level-2 full-disk map nearest in time, searched in the tables of SOAR (TAP, ADQL)."""
    reach = np.timedelta64(round(REACH[EUI] * 1e6), "us")
    first, last = (adql_time(one) for one in (time - reach, time + reach))
    query = (
        "SELECT begin_time, data_item_id FROM v_sc_data_item "  # noqa: S608 - a whole number and times of ours
        f"WHERE descriptor='eui-fsi{wavelength}-image' AND level='L2' "
        f"AND begin_time>='{first}' AND begin_time<='{last}'"
    )
    rows = ask(base, query, transport)
    try:
        times = {str(row["data_item_id"]): np.datetime64(str(row["begin_time"]), "us") for row in rows}
    except (ValueError, KeyError) as error:
        message = f"{base}/tap/sync: begin_time or data_item_id is missing or invalid: {error}"
        raise RemoteFault(message) from error
    item = _nearest(times, time, reach)
    if item is None:
        return None
    return file_address(base, item)


def _nearest(times: dict[str, np.datetime64], time: np.datetime64, reach: np.timedelta64) -> str | None:
    near = {key: abs(one - time) for key, one in times.items() if abs(one - time) <= reach}
    return min(near, key=lambda key: (near[key], key)) if near else None


# Keeping maps --------------------------------------------------------------------------------------------------------


def _keep(
    archive: Archive, url: str, instrument: str, wavelength: int, time: np.datetime64, transport: Transport
) -> str:
    """Download a map, check it and give it its name, which is returned. The file keeps its bytes."""
    content = transport.with_retries(url, lambda: _content(url, transport))
    with TemporaryDirectory(prefix="stix-context-") as folder:
        unchecked = Path(folder, "map.fits")
        unchecked.write_bytes(content)
        found = checked_time(unchecked, url, wavelength, time, REACH[instrument])
    name = map_name(instrument, wavelength, found)
    write_bytes(archive.root / FOLDER / name, content)
    return name


def checked_time(path: Path, url: str, wavelength: int, time: np.datetime64, reach: float) -> np.datetime64:
    """Time of a downloaded map, after checking that it is a map of this wavelength and time.

    Raises
    ------
    BadMap
        Naming the address, the field and its value.
    """
    from archive.scripts.parts import overlay

    try:
        with path.open("rb") as stream:
            content = unpacked_fits(stream, LARGEST_UNPACKED)
        # a truncated file only causes a warning here; reading its pixels fails
        with warnings.catch_warnings(action="ignore"), fits.open(BytesIO(content)) as hdus:
            pictures = [hdu for hdu in hdus if hdu.is_image and len(hdu.shape) >= 2]
            _require(pictures, url, "no image in the file")
            for hdu in pictures:  # before the pixels are read: a small compressed file can have very many
                axes = " x ".join(map(str, reversed(hdu.shape)))
                _require(len(hdu.shape) == 2, url, f"NAXIS: expected 2 axes, found {len(hdu.shape)} ({axes} pixels)")
                _require(max(hdu.shape) <= LONGEST_SIDE, url, f"image of {axes} pixels, {LONGEST_SIDE} a side at most")
            value = pictures[0].header.get("WAVELNTH")
        found = overlay.read_map(str(path))  # type: ignore[no-untyped-call]
    except BadMap:
        raise
    except NotUnpacked as error:
        message = f"{url} cannot be read as a map: {error}"
        raise BadMap(message) from error
    except Exception as error:
        # astropy, sunpy and its readers raise many kinds of errors for a file that is not a map
        message = f"{url} cannot be read as a map: {type(error).__name__} {error}"
        raise BadMap(message) from error
    fits_wavelength = isinstance(value, int | float) and abs(value - wavelength) < 1.0
    _require(fits_wavelength, url, f"WAVELNTH: expected {wavelength}, found {value!r}")
    _require(not found["is_earth_assumed"], url, "HGLN_OBS and others: expected the place of the observer, found none")
    _require(np.any(np.isfinite(found["data"]) & (found["data"] > 0)), url, "pixels: expected some above 0, found none")
    observed: np.datetime64 = found["time"].astype("datetime64[us]")
    # a map is searched by a time in its name, which differs from the middle of the exposure by seconds
    late = abs(float((observed - time) / _SECOND)) > reach
    _require(not late, url, f"DATE-OBS: expected within {reach:g} s of {format_time(time)}, found {observed}")
    return observed


def _require(fits_in: object, url: str, message: str) -> None:
    if not fits_in:
        text = f"{url}: {message}"
        raise BadMap(text)


def _content(url: str, transport: Transport) -> bytes:
    """One try to download a file; slow transfers and large files are given up."""
    policy, begin, content = transport.policy, transport.clock(), bytearray()
    with transport.request(url) as response:
        if int(response.headers.get("Content-Length") or 0) > LARGEST:
            message = f"{url}: {response.headers['Content-Length']} bytes; maps have {LARGEST} at most"
            raise BadMap(message)
        while block := response.raw.read1(_BLOCK, decode_content=False):
            content += block
            if len(content) > LARGEST:
                message = f"{url}: more than {LARGEST} bytes, the limit for a map"
                raise BadMap(message)
            spent = transport.clock() - begin
            if spent > policy.patience_s and len(content) < policy.slowest * spent:
                message = f"{len(content)} bytes in {spent:.0f} s are too slow"
                raise TimeoutError(message)
    return bytes(content)
