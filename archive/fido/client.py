"""The client of this archive in sunpy's Fido: it searches through the API and lets parfive download the files."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import astropy.units as u
import numpy as np
import sunpy.net.attrs as a
from astropy.time import Time
from sunpy.net.base_client import BaseClient, QueryResponseTable, convert_row_to_table

from archive.client import ApiError, ArchiveClient
from archive.fido.attrs import Band, FlareId, Method, Product, Simulated, Trusted, Uid
from archive.fido.query import IMAGE, LEVELS, LIGHT_CURVE, Values, read_query

#: Name of this provider in a query, and environment variable with the address of a server.
PROVIDER, ADDRESS_VARIABLE = "stix-archive", "STIX_ARCHIVE_URL"
#: Longest time range of a search for light curves, days: one file each.
LONGEST_DAYS = 366
_DAY = np.timedelta64(1, "D")
#: Columns that are not shown.
HIDDEN = ["Provider", "Simulated", "UID", "ID", "SHA-256", "URL"]
_FLUX = u.ct / u.s / u.cm**2 / u.keV
_SAFE_TEXT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,79}", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_FILE_NAME = re.compile(r'filename="([A-Za-z0-9][A-Za-z0-9._-]{0,199})"', re.ASCII)

#: Values that sunpy lists for each attribute. Other methods are searched for too.
_METHODS = (
    ("full_disk_bp", "Back projection of the full disk"),
    ("bp", "Back projection"),
    ("clean", "CLEAN"),
    ("ms_clean", "Multi-scale CLEAN"),
    ("em", "Expectation maximization"),
    ("mem_ge", "Maximum entropy (MEM_GE)"),
    ("vis_fwdfit", "Forward fit of visibilities"),
)
_YES_NO = (("yes", "True"), ("no", "False"))


class NoServer(ValueError):
    """No server was named."""


_address = ""


def use(address: str) -> None:
    """Name the server to search, for this process; it takes precedence over ``STIX_ARCHIVE_URL``.

    Parameters
    ----------
    address : str
        Address of its pages, e.g. "https://stix.example.org".

    Raises
    ------
    ValueError
        When it does not begin with https:// or http://.
    """
    global _address  # noqa: PLW0603 - Fido makes its clients itself, without arguments
    ArchiveClient(address, "")
    _address = address.rstrip("/")


def _server() -> str:
    """Address of the server to search.

    Raises
    ------
    NoServer
    """
    address = _address or os.environ.get(ADDRESS_VARIABLE, "").rstrip("/")
    if not address:
        message = f'no server is named: call archive.fido.use("https://…") or set {ADDRESS_VARIABLE}'
        raise NoServer(message)
    return address


class StixArchiveResponse(QueryResponseTable):
    """Images or light curves that a search has found."""

    size_column = "Size"


class StixArchiveClient(BaseClient):
    """Images and light curves of a STIX flare-imaging archive.

    It answers queries with ``a.Provider("stix-archive")`` and a time, a flare or a science request. Times are UTC at
    Solar Orbiter. Images are of level L3; light curves are of level L1, one CSV file per day. It searches as a guest
    does, so hidden images never appear.
    """

    @property
    def info_url(self) -> str:
        """Address of the server, empty if none is named."""
        try:
            return _server()
        except NoServer:
            return ""

    def search(self, *query: Any, **_: Any) -> StixArchiveResponse:
        """Search the archive.

        Parameters
        ----------
        *query : Attr
            Attributes, combined with and; combinations with or are searched one after the other.

        Raises
        ------
        NoServer
            When no server is named.
        ApiError
            When the server cannot be reached or refuses the query; the message is one sentence.
        ValueError
            When attributes contradict each other, or a search for light curves has no time or is too long.
        """
        address = _server()
        client = ArchiveClient(address, "")  # no token: what only its owner sees could not be downloaded by parfive
        found: dict[str, Values] = {}
        for product, values in read_query(*query):
            for row in _SEARCHES[product](client, address, values):
                found.setdefault(row["URL"], row)
        table = StixArchiveResponse(_columns(list(found.values())), client=self)
        table.hide_keys = HIDDEN
        return table

    @convert_row_to_table
    def fetch(self, query_results: StixArchiveResponse, *, path: Path, downloader: Any, **_: Any) -> None:
        """Queue files; parfive compares images with their SHA-256, and reports and removes those that differ.

        Parameters
        ----------
        query_results : StixArchiveResponse
        path : Path
            Where to write, with ``{file}`` for the name that the server gives, and lower-case names of columns.
        downloader : parfive.Downloader
        """
        for row in query_results:
            sha256 = str(row["SHA-256"])
            downloader.enqueue_file(
                str(row["URL"]),
                filename=partial(_file_path, path=str(path), row=row.response_block_map),
                checksum=f"sha-256={sha256}" if sha256 else None,
                max_splits=1,  # a file is small, and each part is a request
            )

    @classmethod
    def _can_handle_query(cls, *query: Any) -> bool:
        kinds = {type(one) for one in query}
        if not (a.Provider in kinds and kinds & {a.Time, FlareId, Uid} and kinds <= _KNOWN.keys()):
            return False
        return all(_KNOWN[type(one)](str(getattr(one, "value", "")).lower()) for one in query)

    @classmethod
    def _attrs_module(cls) -> tuple[str, str]:
        return "stix_archive", "archive.fido.attrs"

    @classmethod
    def register_values(cls) -> dict[Any, Sequence[tuple[str, str]]]:
        """Values that sunpy lists and completes, per attribute."""
        return {
            a.Provider: [(PROVIDER, "STIX flare-imaging archive")],
            a.Instrument: [("STIX", "Spectrometer/Telescope for Imaging X-rays")],
            a.Level: [("L3", "STIX: images of flares"), ("L1", "STIX: light curves as they were recorded")],
            Product: [(IMAGE, "Images of flares (FITS)"), (LIGHT_CURVE, "Quick-look light curves (CSV, one per day)")],
            Method: _METHODS,
            Trusted: _YES_NO,
            Simulated: _YES_NO,
        }


#: Attributes of a query, and whether a value in lower case is one that this client may answer.
_KNOWN: dict[type, Callable[[str], bool]] = {
    a.Time: lambda _: True,
    a.Provider: lambda value: value == PROVIDER,
    a.Instrument: lambda value: value == "stix",
    a.Level: lambda value: value in {"l1", "l3", "1", "3"},
    a.Wavelength: lambda _: True,
    Product: lambda value: value in LEVELS,
    **dict.fromkeys((Method, Band, Trusted, Simulated, FlareId, Uid), lambda _: True),
}


# Searching -----------------------------------------------------------------------------------------------------------


def _images(client: ArchiveClient, address: str, values: Values) -> list[Values]:
    near = values.pop("near", None)
    which = {name: value.isot if isinstance(value, Time) else value for name, value in values.items()}
    found = client.images(**{"simulated": False, "sort": "t_start", **which})
    try:
        rows = [_image_row(address, row) for row in found]
    except (KeyError, TypeError, ValueError) as error:
        message = f"{address} does not answer as this archive's API does: {type(error).__name__} {error}"
        raise ApiError(message) from error
    if near is not None and rows:
        rows = [min(rows, key=lambda row: abs((row["Start Time"] - near).sec + (row["End Time"] - near).sec))]
    return rows


def _image_row(address: str, row: Mapping[str, Any]) -> Values:
    """Columns of one image; every text that may become part of a path or an address is checked."""
    image_id = _text(row, "image_id")
    return {
        "Start Time": Time(str(row["t_start"]).removesuffix("Z")),
        "End Time": Time(str(row["t_end"]).removesuffix("Z")),
        "Instrument": "STIX",
        "Level": LEVELS[IMAGE],
        "Product": IMAGE,
        "Method": _text(row, "method"),
        "Energy Band": [_number(row, "e_low"), np.inf if row["e_high"] is None else _number(row, "e_high")],
        "Peak HPC x": _number(row, "peak_hpc_x"),
        "Peak HPC y": _number(row, "peak_hpc_y"),
        "Total Flux": _number(row, "total_flux"),
        "Flux Error": _number(row, "flux_sigma"),
        "Errors": _text(row, "sigma_source") if row.get("sigma_source") else "",
        "Verdict": "trusted" if row["trusted"] else "doubtful",
        "GOES Class": _class(row, "goes_class") or _class(row, "goes_estimated"),
        "Flare ID": _text(row, "flare_id") if row["flare_id"] else "",
        "Size": _number(row, "size") / 1e6,
        "Provider": PROVIDER,
        "Simulated": bool(row["simulated"]),
        "UID": _text(row, "uid"),
        "ID": image_id,
        "SHA-256": _text(row, "sha256", _SHA256),
        "URL": f"{address}/archive/fits/{image_id}",
    }


def _light_curves(client: ArchiveClient, address: str, values: Values) -> list[Values]:
    """One row for each day of the time range that has quick-look data."""
    simulated = bool(values.pop("simulated", False))
    start, end, _ = (values.pop(name, None) for name in ("start", "end", "near"))
    if values:
        message = f"light curves cannot be searched by {', '.join(sorted(values))}"
        raise ValueError(message)
    if start is None:
        message = "a search for light curves needs a.Time"
        raise ValueError(message)
    first, last = (np.datetime64(one.isot, "us") for one in (start, end))
    last = max(last - np.timedelta64(1, "us"), first)
    days = np.arange(first.astype("datetime64[D]"), last.astype("datetime64[D]") + _DAY)
    if len(days) > LONGEST_DAYS:
        message = f"a search for light curves is of {LONGEST_DAYS} days at most, found {len(days)}"
        raise ValueError(message)
    curve = client.light_curve(str(days[0]), str(days[-1] + _DAY), 3600.0, simulated=simulated)
    try:
        hours = np.array([time.removesuffix("Z") for time in curve["time"]], "datetime64[us]")
        rates = np.array([[_or_nan(rate) for rate in band] for band in curve["mean"].values()], float)
        known = set(hours[np.isfinite(rates).any(axis=0)].astype("datetime64[D]").tolist()) if hours.size else set()
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        message = f"{address} does not answer as this archive's API does: {type(error).__name__} {error}"
        raise ApiError(message) from error
    return [_light_curve_row(address, day, simulated) for day in days if day.item() in known]


def _light_curve_row(address: str, day: np.datetime64, simulated: bool) -> Values:
    which: Values = {"start": int(day.astype("datetime64[s]").astype(np.int64)), "span": 86_400}
    if simulated:
        which["series"] = "simulated"
    return {
        "Start Time": Time(str(day)),
        "End Time": Time(str(day + _DAY)),
        "Instrument": "STIX",
        "Level": LEVELS[LIGHT_CURVE],
        "Product": LIGHT_CURVE,
        "Energy Band": [4.0, 84.0],
        "Provider": PROVIDER,
        "Simulated": simulated,
        "ID": f"ql-lightcurve-{day}",
        "SHA-256": "",
        "URL": f"{address}/archive/lightcurve.csv?{urlencode(which)}",
    }


_SEARCHES = {IMAGE: _images, LIGHT_CURVE: _light_curves}
_UNITS = {
    "Energy Band": u.keV,
    "Peak HPC x": u.arcsec,
    "Peak HPC y": u.arcsec,
    "Total Flux": _FLUX,
    "Flux Error": _FLUX,
    "Size": u.Mbyte,
}


def _columns(rows: Sequence[Values]) -> Values:
    """Columns of a table from its rows: times, quantities, texts. Numbers that a row lacks are NaN, texts empty."""
    columns: Values = {}
    for name in dict.fromkeys(name for row in rows for name in row):
        values = [row.get(name, np.nan if name in _UNITS else "") for row in rows]
        columns[name] = values
        if name in _UNITS:
            columns[name] = values * _UNITS[name]
            columns[name].info.format = ".5g"
        elif name.endswith("Time"):
            columns[name] = Time(values)
            columns[name].format = "iso"
    return columns


def _text(row: Mapping[str, Any], name: str, pattern: re.Pattern[str] = _SAFE_TEXT) -> str:
    text = str(row[name])
    if not pattern.fullmatch(text):
        message = f"{name}: {text[:80]!r} is not valid"
        raise ValueError(message)
    return text


def _class(row: Mapping[str, Any], name: str) -> str:
    return "" if row[name] is None else _text(row, name, re.compile(r"[<>~]?[A-Z]\d{1,2}(\.\d{1,2})?", re.ASCII))


def _number(row: Mapping[str, Any], name: str) -> float:
    return _or_nan(row[name])


def _or_nan(value: Any) -> float:
    return np.nan if value is None else float(value)


# Downloading ---------------------------------------------------------------------------------------------------------


def _file_path(response: Any, url: str, *, path: str, row: Mapping[str, Any]) -> Path:
    """Path for a download, with the name that the server gives, as parfive wants it."""
    given = "" if response is None else response.headers.get("Content-Disposition", "")
    found = _FILE_NAME.search(given)
    name = found[1] if found else f"{row['id']}{'.csv' if '.csv?' in url else '.fits'}"
    return Path(path.format(file=name, **row))
