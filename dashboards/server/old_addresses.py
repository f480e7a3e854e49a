"""Addresses of the STIX data center, under ``/view/``: they lead to the pages that show the same.

``/view/plot/lightcurves?start=1648163410&span=2340`` opens our light curves with that window. An address whose value
cannot be read, or that names what only the data center has, is answered with a page that says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from urllib.parse import urlencode

import numpy as np

from archive import Archive, NotInArchive
from dashboards.server.bounded_threads import ServerBusy
from dashboards.server.plain_page import PlainPage
from dashboards.server.responses import in_thread
from dashboards.shared.errors import NotUnderstood
from dashboards.shared.ranges import EARLIEST, earliest
from dashboards.shared.source import Unavailable, archive_source
from dashboards.shared.time_window import LONGEST_S, SHORTEST_S, moment, unix_seconds

#: Latest time that an address may name.
_LATEST = np.datetime64("2060")
_NUMBER = re.compile(r"\d{1,12}(?:\.\d{1,6})?", re.ASCII)
_UID = re.compile(r"\d{1,12}", re.ASCII)
_FLARE = re.compile(r"\d{10}", re.ASCII)
#: Names that links use for a flare.
_FLARE_KEYS = ("flare", "flare_id", "id")


class NotHere(Exception):
    """The data center has what an address names, and this archive does not; the message says what to do."""


def our_address(path: str, parameters: Mapping[str, str]) -> str:
    """Our page for an address of the data center.

    Parameters
    ----------
    path : str
        What follows ``/view/``, such as ``plot/lightcurves``; a slash at its end is ignored.
    parameters : mapping of str to str
        Of the query string.

    Returns
    -------
    str
        Page and query, relative to the first page: ``lightcurves?start=1648163410&span=2340``.

    Raises
    ------
    NotUnderstood
        If a value of the address cannot be read.
    NotHere
        If it names what only the data center has, or no page at all.
    """
    path = path.rstrip("/")
    for pattern, target in _TARGETS:
        found = pattern.fullmatch(path)
        if found is not None:
            return target(found.groups()[0] if found.groups() else "", parameters)
    message = f"The data center's address /view/{path} has no page here."
    raise NotHere(message)


def _light_curves(_: str, given: Mapping[str, str]) -> str:
    if "run" in given and "start" not in given:
        message = f"Run {given['run']} is a number of the data center's database. Choose a time instead."
        raise NotHere(message)
    start, span = _time(given, "start"), _span(given)
    query = {"start": None if start is None else _plain(unix_seconds(start)), "span": _plain(span)}
    return _page("lightcurves", query)


def _flares(_: str, given: Mapping[str, str]) -> str:
    flare_id = _flare(given)
    return _page("flare", {"id": flare_id}) if flare_id else _page("flares", _times(given))


def _images(_: str, given: Mapping[str, str]) -> str:
    return _page("image_archive", {"flare": _flare(given), "uid": _uid(given.get("uid")), **_times(given)})


def _science(_: str, given: Mapping[str, str]) -> str:
    return _page("science_data", {"uid": _uid(given.get("uid")), **_times(given)})


def _science_uid(uid: str, _: Mapping[str, str]) -> str:
    return _page("science_data", {"uid": _uid(uid)})


def _files(place: str, _: Mapping[str, str]) -> str:
    start, span = place.split("/")
    return _page("science_data", _times({"start": start, "span": span}))


def _only_there(what: str) -> Callable[[str, Mapping[str, str]], str]:
    def explain(number: str, _: Mapping[str, str]) -> str:
        raise NotHere(what.format(number=number[:40]))

    return explain


#: Path after ``/view/`` → our page.
_TARGETS = tuple(
    (re.compile(pattern, re.ASCII), target)
    for pattern, target in (
        (r"(?:plot|ql)/lightcurves", _light_curves),
        (r"image-archive", _images),
        (r"flares/list", _flares),
        (r"list/bsd", _science),
        (r"list/bsd/uid/([^/]*)", _science_uid),
        (
            r"list/(?:bsd/id|bsd/file|fits/file)/([^/]*)",
            _only_there(
                "Entry {number} is a number of the data center's database. Search for the file by its unique id, its "
                "name or its time."
            ),
        ),
        (r"list/fits/([^/]*/[^/]*)", _files),
        (r"packet/id/([^/]*)", _only_there("Packet {number} is telemetry, which this archive does not have.")),
        (r"datareq/form", _only_there("Requests for data of the instrument are made at the data center.")),
        (r"ancillary", _only_there("Auxiliary files are listed with the science files that they belong to.")),
    )
)


def _page(name: str, query: Mapping[str, str | None]) -> str:
    given = {key: value for key, value in query.items() if value is not None}
    return name + ("?" + urlencode(given) if given else "")


def _time(given: Mapping[str, str], name: str) -> np.datetime64 | None:
    """A time: seconds since 1970, or ISO 8601, of which four digits are a year."""
    text = given.get(name, "").strip()
    if not text:
        return None
    time = moment(float(text)) if _NUMBER.fullmatch(text) and len(text) != 4 else _iso(text)
    if time is None or not EARLIEST <= time <= _LATEST:
        message = f"{name} = {text[:40]!r} is not a time from {EARLIEST} to {_LATEST}: seconds since 1970, or ISO 8601"
        raise NotUnderstood(message)
    return time


def _iso(text: str) -> np.datetime64 | None:
    try:
        return earliest(text)
    except NotUnderstood:
        return None


def _span(given: Mapping[str, str]) -> float | None:
    text = given.get("span", "").strip()
    if not text:
        return None
    if not _NUMBER.fullmatch(text) or not SHORTEST_S <= float(text) <= LONGEST_S:
        message = f"span = {text[:40]!r} is not a length of {SHORTEST_S:.0f} to {LONGEST_S:.0f} seconds"
        raise NotUnderstood(message)
    return float(text)


def _times(given: Mapping[str, str]) -> dict[str, str | None]:
    """Start and end for a list, from ``start`` with ``end`` or ``span``."""
    start, end, span = _time(given, "start"), _time(given, "end"), _span(given)
    if end is None and start is not None and span is not None:
        end = start + np.timedelta64(round(span * 1e6), "us")
    return {name: None if time is None else _seconds(time) for name, time in (("start", start), ("end", end))}


def _seconds(time: np.datetime64) -> str:
    return str(time.astype("datetime64[s]"))


def _plain(seconds: float | None) -> str | None:
    return None if seconds is None else f"{seconds:.6f}".rstrip("0").rstrip(".")


def _uid(text: str | None) -> str | None:
    if text is None:
        return None
    if not _UID.fullmatch(text):
        message = f"uid = {text[:40]!r} is not the unique id of a science request, a number such as 2211116471"
        raise NotUnderstood(message)
    return text


def _flare(given: Mapping[str, str]) -> str | None:
    text = next((given[key] for key in _FLARE_KEYS if given.get(key)), None)
    if text is not None and not _FLARE.fullmatch(text):
        message = f"{text[:40]!r} is not a flare id, ten digits such as 2211111134"
        raise NotUnderstood(message)
    return text


def require_file(archive: Archive, uid: str) -> None:
    """Check that the archive has a file of a science request.

    Raises
    ------
    NotHere
        If it has none.
    """
    try:
        archive.science_file(uid)
    except NotInArchive:
        message = f"This archive has no file of the science request {uid}."
        raise NotHere(message) from None


class OldAddressPage(PlainPage):
    """``/view/…``: redirects, or says why not."""

    async def get(self, path: str) -> None:
        """Redirect to our page."""
        self.up = "../" * (path.count("/") + 1)
        try:
            target = our_address(path, {key: self.get_query_argument(key) for key in self.request.query_arguments})
            page, _, query = target.partition("?uid=")
            if page == "science_data" and query:
                await in_thread(lambda: archive_source().ask(lambda archive: require_file(archive, query)))
        except NotUnderstood as error:
            self._explain(400, f"{error}.")
        except NotHere as error:
            self._explain(404, str(error))
        except (Unavailable, ServerBusy) as error:
            self.try_again_later(error)
            self.render_page("old_address", problem=str(error))
        else:
            self.set_status(302)
            self.set_header("Location", self.up + target)
            self.finish()

    async def head(self, path: str) -> None:
        """As `get`, without a body."""
        await self.get(path)

    def _explain(self, status: int, problem: str) -> None:
        self.set_status(status)
        self.render_page("old_address", problem=problem)


OLD_ADDRESS_ROUTES = [(r"/view/(.*)", OldAddressPage)]
