"""Strings with a meaning in SQL, HTML, paths or format strings, and ways to send them to the pages of a server."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import unescape
from typing import Any
from urllib.parse import urlencode

from tornado.httpclient import AsyncHTTPClient

from benchmarks.load.browser import PATIENCE, Visit

SQL = [
    f"{head}{middle}{tail}"
    for head, middle, tail in itertools.product(
        ("x'", "x''", 'x"', "1", "x')", "x;"),
        (
            " OR 1=1",
            " UNION SELECT * FROM runs",
            "; DROP TABLE images",
            " AND (SELECT count(*) FROM images) > 0",
            "||version()",
        ),
        ("", " --", " /*", " #", ";"),
    )
]
HTML = [
    f"{escape}<{tag} {event}=alert(1){close}"
    for escape, tag, event, close in itertools.product(
        ("", '"', "'", "-->", "</title>", "</script>"),
        ("script src", "img src=x onerror", "svg/onload", "a href"),
        ("x", "style", "onmouseover"),
        (">", "/>", " "),
    )
]
PATHS = [
    f"{up * times}{file}"
    for up, times, file in itertools.product(
        ("../", "..\\", "%2e%2e/", "..%2f", "....//", "/", "file:///", "~/"),
        (1, 3, 8),
        ("etc/passwd", "users.json", "web-secrets.json", "requests.sqlite", "index/schema.json"),
    )
]
FORMATS = [
    word * times
    for word, times in itertools.product(
        (
            "%s",
            "%n",
            "{0}",
            "{0.__class__}",
            "${HOME}",
            "{{7*7}}",
            "{%print(1)%}",
            "`id`",
            "$(id)",
            "\\x00",
            "%00",
            "\u202e",
            "٣",
        ),
        (1, 8),
    )
]
WORDS = [*SQL, *HTML, *PATHS, *FORMATS]

#: A tag of `HTML` that is not escaped.
TAG = re.compile(r"<(script src|img src=x onerror|svg/onload|a href) \w+=alert\(1\)", re.IGNORECASE)


@dataclass(frozen=True)
class Target:
    """A page with its URL parameters and text fields.

    Attributes
    ----------
    page : str
    keys : tuple of str
        URL parameters.
    fields : tuple of str
        Labels.
    """

    page: str
    keys: tuple[str, ...]
    fields: tuple[str, ...] = ()


def targets() -> tuple[Target, ...]:
    """All pages; the URL parameters come from their state classes."""
    from dashboards.pages.flare.state import FlareState
    from dashboards.pages.flares.state import FlaresState
    from dashboards.pages.image_archive.state import ImageArchiveState
    from dashboards.pages.lightcurves.state import LightCurvesState
    from dashboards.pages.science_data.state import ScienceState

    def keys(state: Any) -> tuple[str, ...]:
        return (*state.address_keys.values(), "theme", "unknown")

    return (
        Target("flares", keys(FlaresState), ("From (UTC)", "To (UTC)", "Flare id or SOL identifier", "GOES class")),
        Target("lightcurves", keys(LightCurvesState), ("Flare id or time (UTC)",)),
        Target("image_archive", keys(ImageArchiveState), ("From (UTC)", "To (UTC)", "Uid, flare or image id")),
        Target("science_data", keys(ScienceState), ("From (UTC)", "To (UTC)", "Uid, name or subject", "Covers [keV]")),
        Target("flare", keys(FlareState)),
        Target("operations", ("theme", "unknown")),
    )


async def in_the_address(url: str, target: Target, word: str) -> list[str]:
    """Open a page with a string as every value of its URL, and as a parameter name; returns the failures."""
    query = urlencode([*((key, word) for key in target.keys), (word, "1")])
    answer = await AsyncHTTPClient().fetch(
        f"{url}/{target.page}?{query}", raise_error=False, request_timeout=PATIENCE, connect_timeout=PATIENCE
    )
    return (
        []
        if answer.code in (200, 404) and not TAG.search(answer.body.decode())
        else [_fault(target, word, answer.code)]
    )


async def in_the_document(url: str, target: Target, words: Sequence[str]) -> list[str]:
    """Open a page with the first string in its URL, then type each string into the fields; returns the failures."""
    faults = []
    query = urlencode([(key, words[0]) for key in target.keys])
    visit = await Visit.open(f"{url}/{target.page}?{query}")
    try:
        faults += [_fault(target, words[0], "address") for text in html_of(visit.document) if TAG.search(text)]
        for number, word in enumerate(words if target.fields else ()):
            label = target.fields[number % len(target.fields)]
            document = await visit.type_into(label, word)
            faults += [_fault(target, word, label) for text in html_of(document) if TAG.search(text)]
    finally:
        visit.close()
    return faults


def html_of(document: Any) -> Iterator[str]:
    """HTML of all parts of a document that are rendered as HTML."""
    if isinstance(document, list):
        for part in document:
            yield from html_of(part)
    if isinstance(document, dict):
        if str(document.get("name", "")).endswith(("markup.HTML", "models.Div", "models.widgets.markups.Div")):
            yield unescape(str(document["attributes"].get("text", "")))
        for part in document.values():
            yield from html_of(part)


def _fault(target: Target, word: str, where: object) -> str:
    return f"{target.page}, {where}: {word!r}"
