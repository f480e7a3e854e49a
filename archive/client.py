"""A client of the archive's API, for scripts and notebooks: rows, tables and data frames, FITS files as `sunpy` maps.

    from archive.client import ArchiveClient

    stix = ArchiveClient("https://stix.example.org", token="stix_…")
    for image in stix.images(start="2022-11-11", method="clean", limit=5):
        print(image["t_start"], image["peak_hpc_x"], image["peak_hpc_y"])

    stix.flares(goes_min="M1").to_table()      # astropy, with units and times
    stix.flares(goes_min="M1").to_pandas()

It needs only the standard library; tables and data frames need the extra ``client``, maps the extra ``fido``. A copy of
this file beside a script works without the package (``from client import ArchiveClient``), except for those. With
`archive.fido` it is the part of the package that uses the network.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import time
import urllib.error
import urllib.request
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urljoin, urlsplit

TOKEN_VARIABLE = "STIX_TOKEN"  # noqa: S105 - the name of a variable
#: Rows per call.
_PAGE = 500
_BLOCK = 1 << 20
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,150}", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
#: Answers of a server that is busy or being restarted.
_BUSY = frozenset({429, 502, 503, 504})
_LONGEST_WAIT_S = 60.0
#: Final states of a request.
_ENDED = frozenset({"done", "failed", "cancelled"})

type Row = dict[str, Any]


class ApiError(Exception):
    """The server refused a call or could not be reached.

    Attributes
    ----------
    status : int
        HTTP status; 0 when there was no answer.
    field, value : str
        Parameter or key that the server refused, and its value.
    temporary : bool
        Whether the same call may succeed later: the server is busy or being restarted.
    retry_after_s : float
        When the server asks for it to be repeated, s; 0 if it says nothing.
    """

    def __init__(
        self,
        sentence: str,
        status: int = 0,
        field: str = "",
        value: str = "",
        *,
        temporary: bool = False,
        retry_after_s: float = 0.0,
    ) -> None:
        super().__init__(sentence)
        self.status, self.field, self.value = status, field, value
        self.temporary, self.retry_after_s = temporary, retry_after_s


class RequestFailed(Exception):
    """A request failed or was cancelled; the message is the reason."""


class Rows(list[Row]):
    """Rows of an answer: a list of dictionaries that turns into tables, and shows itself in notebooks.

    Attributes
    ----------
    kind : str
        "flares", "images", "spectra", "region-spectra", "science-files" or "requests".
    units : mapping of str to str
        Unit by column; columns without one are left out.
    clock : str
        What the times are.
    server : str
        Address of the pages.
    """

    def __init__(
        self, rows: Iterable[Row] = (), kind: str = "", units: Mapping[str, str] | None = None, clock: str = "",
        server: str = "",
    ) -> None:  # fmt: skip
        super().__init__(rows)
        self.kind, self.units, self.clock, self.server = kind, dict(units or {}), clock, server

    def to_table(self) -> Any:
        """The rows as an `astropy.table.Table`.

        Columns have units; times are `astropy.time.Time` (UTC); numbers without a value are masked; lists and objects
        are JSON text.

        Raises
        ------
        ModuleNotFoundError
            Without the extra ``client``.
        """
        return _conversions().to_table(self)

    def to_pandas(self) -> Any:
        """The rows as a `pandas.DataFrame`; times are UTC, units are in ``attrs["units"]``. Raises as `to_table`."""
        return _conversions().to_pandas(self)

    def _repr_html_(self) -> str | None:
        try:
            return str(_conversions().rows_html(self))
        except ModuleNotFoundError:
            return None  # this file alone: shown as a list


class ArchiveClient:
    """The API of one server.

    Calls that only ask are repeated when the server is busy or being restarted (429, 502, 503, 504, a connection that
    breaks); those that submit are not.

    Parameters
    ----------
    address : str
        Address of its pages, e.g. "https://stix.example.org".
    token : str, optional
        Personal token from the account page, needed to request images. Default: environment variable ``STIX_TOKEN``.
    cache : Path, optional
        Folder for downloaded files. Default: ``stix-flare-archive`` in the user's cache folder.
    timeout_s : float
        Timeout of a call, s.
    retries : int
        How often a call that only asks is repeated.
    sleep : callable
        Waits for a number of seconds.
    """

    def __init__(
        self,
        address: str,
        token: str | None = None,
        *,
        cache: Path | None = None,
        timeout_s: float = 60.0,
        retries: int = 3,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        parts = urlsplit(address)
        if parts.scheme not in {"http", "https"} or not parts.netloc:
            message = f"{address!r} is not the address of a server (it must begin with https:// or http://)"
            raise ValueError(message)
        self._root = f"{address.rstrip('/')}/api/v1/"
        self._token = token if token is not None else os.environ.get(TOKEN_VARIABLE)
        self._cache = cache or Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "stix-flare-archive"
        self._timeout_s = timeout_s
        self._retries, self._sleep = retries, sleep
        if self._token and parts.scheme == "http" and parts.hostname not in {"localhost", "127.0.0.1", "::1"}:
            warnings.warn(f"the token is sent to {parts.netloc} unencrypted; use https", stacklevel=2)

    def __repr__(self) -> str:
        return f"ArchiveClient({self._root.removesuffix('/api/v1/')!r})"

    # -- finding data -------------------------------------------------------------------------------------------------

    def flares(self, *, limit: int | None = None, **which: Any) -> Rows:
        """Flares, newest first.

        Parameters
        ----------
        limit : int, optional
            Largest number of rows; all by default.
        **which
            Parameters of ``/api/v1/flares``: start, end (ISO 8601, UTC at Solar Orbiter), goes_min, goes_max,
            estimated_min, estimated_max [W m⁻²], temperature_min, temperature_max [MK], delta_min, delta_max, verdict,
            earth_visible, has_images, x_min, x_max, y_min, y_max [arcsec], simulated, text, sort.

        Raises
        ------
        ApiError
        """
        return self._list("flares", which, limit)

    def save_flares(self, path: Path, form: str = "votable", **which: Any) -> Path:
        """Save all flares that match, with every column, as a file with units and meanings; returns its path.

        Parameters
        ----------
        path : Path
            An existing file is replaced when the new one is complete.
        form : str
            votable, ecsv, fits, parquet, csv or json.
        **which
            As for `flares`, without sort.

        Raises
        ------
        ApiError
        """
        part = path.with_name(f".part-{secrets.token_hex(8)}")
        try:
            with self._open(f"flares{_query({**which, 'format': form})}") as response, part.open("wb") as stream:
                while block := response.read(_BLOCK):
                    stream.write(block)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        return path

    def images(self, *, limit: int | None = None, **which: Any) -> Rows:
        """Images, newest first; parameters and errors as for `flares`.

        ``which``: start, end, uid, flare_id, method (one or a list), energy_low, energy_high [keV], trusted and others.
        """
        return self._list("images", which, limit)

    def image(self, image_id: str) -> Row:
        """One image with its recipe, under ``run``.

        Raises
        ------
        ApiError
            With status 404 when no image has this id.
        """
        return self._call(f"images/{quote(image_id, safe='')}")

    def spectra(self, *, limit: int | None = None, **which: Any) -> Rows:
        """Spectra with their fits, newest first; parameters and errors as for `flares`.

        ``which``: start, end, uid, flare_id, kind, model, verdict, temperature_min, temperature_max [MK], delta_min,
        delta_max and others.
        """
        return self._list("spectra", which, limit)

    def spectrum(self, spectrum_id: str) -> Row:
        """One spectrum, with counts, response, components and residuals under ``spectrum``.

        Raises
        ------
        ApiError
            With status 404 when no spectrum has this id.
        """
        return self._call(f"spectra/{quote(spectrum_id, safe='')}")

    def region_spectra(self, *, limit: int | None = None, **which: Any) -> Rows:
        """Spectra of regions of images, newest first; parameters and errors as for `flares`.

        ``which``: start, end, uid, flare_id, kind, method, verdict, author and others.
        """
        return self._list("region-spectra", which, limit)

    def region_spectrum(self, region_id: str) -> Row:
        """Spectra of the regions of one image, with counts and fits under ``regions``.

        Raises
        ------
        ApiError
            With status 404 when no region spectra have this id.
        """
        return self._call(f"region-spectra/{quote(region_id, safe='')}")

    def science_files(self, *, limit: int | None = None, **which: Any) -> Rows:
        """Science files, newest first; ``which``: start, end, product, uid, background, text, …; errors as `flares`."""
        return self._list("science-files", which, limit)

    def light_curve(
        self,
        start: str,
        end: str,
        resolution: float | None = None,
        *,
        simulated: bool = False,
        source: str = "",
        **corrections: str,
    ) -> Row:
        """Light curves of quick-look files, of science files or of the background detector.

        Parameters
        ----------
        start, end : str
            ISO 8601, UTC at Solar Orbiter.
        resolution : float, s, optional
            Longest interval between points; chosen by the server by default.
        simulated : bool
        source : str
            "quicklook" (default); "science", for pixel data and spectrograms; or "background-detector". They are never
            mixed.
        **corrections : str
            ``livetime`` and ``attenuator``: "corrected" or "recorded".

        Returns
        -------
        dict
            ``time``; ``mean``, ``low`` and ``high`` per band [ct s⁻¹]; ``units``; ``source``, ``live_time_corrected``,
            ``attenuator_corrected``, ``cautions`` and, unless they are quick-look files, ``files``.
        """
        which = {
            "start": start,
            "end": end,
            "resolution": resolution,
            "simulated": simulated or None,
            "source": source or None,
            **corrections,
        }
        return self._call(f"lightcurve{_query(which)}")

    # -- files --------------------------------------------------------------------------------------------------------

    def fits(self, image: Row | str) -> Path:
        """FITS file of an image, downloaded unless it is in the cache. Its SHA-256 is always checked.

        Parameters
        ----------
        image : dict or str
            Row of `images` or image id.

        Raises
        ------
        ApiError
            Also when the file does not have the SHA-256 in the index.
        """
        row = self.image(image) if isinstance(image, str) else image
        image_id = _safe(row["image_id"], _NAME)
        return self._download(f"../../archive/fits/{image_id}", f"{image_id}.fits", row["sha256"])

    def science_fits(self, file: Row) -> Path:
        """FITS file of a row of `science_files`; otherwise as `fits`."""
        name = _safe(file["name"], _NAME)
        return self._download(f"../../archive/science/{name}", name, file["sha256"])

    def spectrum_files(self, spectrum: Row | str) -> tuple[Path, Path]:
        """Spectrum and response of a spectrum, FITS files for OSPEX and sunkit-spex, in one folder of the cache.

        Parameters
        ----------
        spectrum : dict or str
            Row of `spectra`, or spectrum id.

        Raises
        ------
        ApiError
            Also when a file does not have the SHA-256 in the record of the spectrum.
        """
        spectrum_id = _safe(spectrum if isinstance(spectrum, str) else spectrum["spectrum_id"], _NAME)
        sums = self.spectrum(spectrum_id)["sha256"]
        address = f"../../archive/spectrum/{spectrum_id}"
        pair = [
            self._download(f"{address}/{name}", name, sums.get(name, ""), spectrum_id)
            for name in ("stx_spectrum.fits", "stx_srm.fits")
        ]
        return pair[0], pair[1]

    def region_files(self, regions: Row | str) -> dict[str, Path]:
        """Files of region spectra by name, in one folder of the cache: spectra and response for OSPEX, table, picture.

        Parameters
        ----------
        regions : dict or str
            Row of `region_spectra`, or region id.

        Raises
        ------
        ApiError
            Also when a file does not have the SHA-256 in the record.
        """
        region_id = _safe(regions if isinstance(regions, str) else regions["region_id"], _NAME)
        address = f"../../archive/regions/{region_id}"
        sums = self.region_spectrum(region_id)["sha256"]
        return {
            name: self._download(f"{address}/{_safe(name, _NAME)}", name, sha256, region_id)
            for name, sha256 in sums.items()
        }

    def map(self, image: Row | str) -> Any:
        """An image as `sunpy.map.Map`; arguments and errors as for `fits`."""
        import sunpy.map

        return sunpy.map.Map(self.fits(image))

    # -- requesting images --------------------------------------------------------------------------------------------

    def submit(self, request: Mapping[str, Any]) -> Row:
        """Submit a request for images.

        Parameters
        ----------
        request : mapping
            ``uid``, ``time_ranges`` [[start, end], …] and ``energy_ranges_kev`` [[low, high], …]. Other keys have
            defaults; see the description of the API.

        Returns
        -------
        dict
            The request with its ``request_id``. Submitting it again returns the same request.

        Raises
        ------
        ApiError
            Status 401 without a token, 400 for an invalid request, 429 when your request quota is reached.
        """
        return self._call("requests", json.dumps(request).encode())

    def request_spectrum(self, uid: str, start: str, end: str, **options: Any) -> Row:
        """Request the spectrum of a time range, with its fit; errors and result as `submit`.

        Parameters
        ----------
        uid : str
            Science request, or the name of a file.
        start, end : str
            ISO 8601, UTC at Solar Orbiter.
        **options
            ``model``, ``energy_range_kev``, ``fixed``, ``background``, ``hidden`` and others; see the description of
            the API.
        """
        return self.submit({"kind": "spectrum", "uid": uid, "start": start, "end": end, **options})

    def request_regions(self, imaging: Mapping[str, Any], regions: Sequence[Mapping[str, Any]], **options: Any) -> Row:
        """Request the spectra of regions of an image, with their fits; errors and result as `submit`.

        Parameters
        ----------
        imaging : mapping
            A request for images, with one time range, one energy range and one method. Its energies are imaged channel
            by channel; ``ensemble`` is the number of simulated copies for the errors.
        regions : sequence of mapping
            ``name``, ``shape`` ("circle", "ellipse", "polygon" or "contour") and lengths in arcsec.
        **options
            ``spectrum`` (options of `request_spectrum`), ``models`` by name of region, ``least_counts``.
        """
        document = {"kind": "regions", "imaging": dict(imaging), "regions": [dict(one) for one in regions]}
        return self.submit({**document, **options})

    def request(self, request_id: int) -> Row:
        """Status of a request, with the results so far under ``parts``."""
        return self._call(f"requests/{request_id:d}")

    def requests(self, *, limit: int | None = None, **which: Any) -> Rows:
        """Your requests, newest first; ``which``: state, uid."""
        return self._list("requests", which, limit)

    def cancel(self, request_id: int) -> Row:
        """Cancel one of your requests, or any request as operator; returns the request."""
        return self._call(f"requests/{request_id:d}/cancel", b"{}")

    def retry(self, request_id: int) -> Row:
        """Retry a request that failed or was cancelled."""
        return self._call(f"requests/{request_id:d}/retry", b"{}")

    def wait(
        self,
        request_id: int,
        *,
        progress: Callable[[Row], None] | None = None,
        poll_s: float = 1.0,
        timeout_s: float = float("inf"),
        patience_s: float = 60.0,
    ) -> Row:
        """Wait until a request has ended.

        Parameters
        ----------
        progress : function, optional
            Called with the request whenever it has progressed.
        poll_s, timeout_s : float, s
            Interval between calls, and longest time to wait.
        patience_s : float, s
            Longest time for which the server may be unreachable.

        Returns
        -------
        dict
            The request, which is done; ids of its images are under ``parts``.

        Raises
        ------
        RequestFailed
            When the whole request failed or was cancelled.
        TimeoutError
            When it has not ended after ``timeout_s``.
        ApiError
        """
        begin = heard = time.monotonic()
        seen: tuple[Any, ...] = ()
        while True:
            try:
                row = self.request(request_id)
                heard = time.monotonic()
            except ApiError as error:
                if error.status not in {0, 502, 503, 504} or time.monotonic() - heard > patience_s:
                    raise
            else:
                stand = row["state"], row["position"], row["step"], row["step_number"], len(row["parts"])
                if progress is not None and stand != seen:
                    progress(row)
                seen = stand
                if row["state"] in _ENDED:
                    return _done_or_raise(row)
            if time.monotonic() - begin + poll_s > timeout_s:
                message = f"request {request_id} has not ended within {timeout_s:g} s"
                raise TimeoutError(message)
            self._sleep(poll_s)

    # -----------------------------------------------------------------------------------------------------------------

    def _list(self, what: str, which: Mapping[str, Any], limit: int | None) -> Rows:
        rows = Rows(kind=what, server=self._root.removesuffix("/api/v1/"))
        for page in self._pages(f"{what}{_query({**which, 'limit': min(limit or _PAGE, _PAGE)})}"):
            rows.units, rows.clock = page.get("units", {}), page.get("clock", "")
            rows += page["items"]
            if limit is not None and len(rows) >= limit:
                del rows[limit:]
                break
        return rows

    def _pages(self, address: str) -> Iterator[Row]:
        following: str | None = address
        while following is not None:
            page = self._call(following)
            yield page
            following = None if page["next"] is None else address.partition("?")[0] + page["next"]

    def _call(self, address: str, body: bytes | None = None) -> Row:
        with self._open(address, body) as response:
            try:
                document: Row = json.loads(response.read())
            except (ValueError, HTTPException) as error:
                message = f"{self._root} does not answer as this archive's API does"
                raise ApiError(message, response.status) from error
        return document

    def _open(self, address: str, body: bytes | None = None) -> HTTPResponse:
        """Response to a call, which is repeated if it only asks and the server is busy."""
        for attempt in range(self._retries if body is None else 0):
            try:
                return self._try(address, body)
            except ApiError as error:
                if not error.temporary:
                    raise
                self._sleep(min(max(error.retry_after_s, 2.0**attempt), _LONGEST_WAIT_S))
        return self._try(address, body)

    def _try(self, address: str, body: bytes | None) -> HTTPResponse:
        """Response to one call. Redirects are not followed, so that the token stays with this server."""
        url = urljoin(self._root, address)
        if urlsplit(url)[:2] != urlsplit(self._root)[:2]:
            message = f"{url} is not on this server"
            raise ApiError(message)
        headers = {"Accept": "application/json, */*", "User-Agent": "stix-flare-archive"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        if body is not None:
            headers["Content-Type"] = "application/json"
        request = urllib.request.Request(url, body, headers)  # noqa: S310 - http or https, see __init__
        try:
            response: HTTPResponse = _OPENER.open(request, timeout=self._timeout_s)
        except urllib.error.HTTPError as error:
            with error:
                raise _refusal(error) from error
        except (OSError, HTTPException) as error:
            reason = getattr(error, "reason", error)
            message = f"{self._root} cannot be reached: {reason}"
            raise ApiError(message, temporary=isinstance(reason, ConnectionError)) from error
        return response

    def _download(self, address: str, name: str, sha256: str, folder: str = "") -> Path:
        path = self._cache / (folder or _safe(sha256, _SHA256)[:16]) / name
        if path.is_file() and _hash_file(path) == sha256:
            return path
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".part-{secrets.token_hex(8)}")  # so that the cache contains only complete files
        try:
            self._receive(address, part, sha256)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        return path

    def _receive(self, address: str, path: Path, sha256: str) -> None:
        digest = hashlib.sha256()
        with self._open(address) as response, path.open("wb") as stream:
            while block := response.read(_BLOCK):
                digest.update(block)
                stream.write(block)
        if digest.hexdigest() != sha256:
            message = f"the checksum of {response.url} differs from the one in the index of the archive"
            raise ApiError(message, response.status)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirect)


def _query(which: Mapping[str, Any]) -> str:
    """Parameters as a query string; None is omitted."""
    texts = {name: _text(value) for name, value in which.items() if value is not None}
    return "?" + urlencode(texts, safe=",:") if texts else ""


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return ",".join(map(str, value))
    return str(value)


def _refusal(error: urllib.error.HTTPError) -> ApiError:
    wait = error.headers.get("Retry-After", "") if error.headers else ""
    again: dict[str, Any] = {
        "temporary": error.code in _BUSY,
        "retry_after_s": float(wait) if wait.isdecimal() else 0.0,
    }
    try:
        document = json.loads(error.read())
        return ApiError(document["error"], error.code, document.get("field", ""), document.get("value", ""), **again)
    except (ValueError, KeyError, TypeError, AttributeError, HTTPException):
        return ApiError(f"{error.url} answers {error.code} {error.reason}", error.code, **again)


def _conversions() -> Any:
    """Tables and HTML, which a copy of this file alone does not have."""
    try:
        import archive.client_tables as found
    except ModuleNotFoundError as error:
        message = f'tables need the package {error.name}; install it with: pip install "stix-flare-archive[client]"'
        raise ModuleNotFoundError(message, name=error.name) from error
    return found


def _done_or_raise(row: Row) -> Row:
    if row["state"] != "done":
        message = f"request {row['request_id']} {row['state']}: {row['reason']}"
        raise RequestFailed(message)
    return row


def _safe(text: str, pattern: re.Pattern[str]) -> str:
    """Check a name from the server before it becomes part of a local path."""
    if not pattern.fullmatch(text):
        message = f"the server gave the file name {text[:80]!r}, which is not valid"
        raise ApiError(message)
    return text


def _hash_file(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
