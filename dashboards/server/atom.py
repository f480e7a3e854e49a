"""Atom documents (RFC 4287)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from xml.etree import ElementTree as ET

import numpy as np

MEDIA_TYPE = "application/atom+xml"
NAMESPACE = "http://www.w3.org/2005/Atom"
#: Year in all ids (RFC 4151: a date when the host belonged to its owner); it never changes.
_YEAR = "2026"
#: Host in an id (RFC 4151, section 2.1).
_HOST = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*", re.ASCII)
#: Characters that XML 1.0 does not allow.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
#: ``updated`` of a feed without entries.
_NEVER = np.datetime64("1970-01-01T00:00:00", "us")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """An entry.

    Attributes
    ----------
    key : str
        Identity within the feed's host; it never changes.
    title, summary : str
        Plain text.
    page : str
        URL of a page that shows it.
    updated : datetime64, UTC
    pictures : sequence of (str, str)
        URL of each picture (PNG), and its description.
    categories : sequence of str
    """

    key: str
    title: str
    summary: str
    page: str
    updated: np.datetime64
    pictures: Sequence[tuple[str, str]] = ()
    categories: Sequence[str] = ()


def tag_uri(host: str, key: str) -> str:
    """Id of an entry or a feed: ``tag:stix.example.org,2026:flare/2211100303`` (RFC 4151).

    The scheme, the port and the path of the server are not part of it, because they may change.

    Parameters
    ----------
    host : str
        Host of the server, with or without port; one that is not valid in an id becomes "localhost".
    key : str
        Of characters that are valid in a URI.
    """
    name = re.sub(r":\d*$", "", host).lower()
    return f"tag:{name if _HOST.fullmatch(name) else 'localhost'},{_YEAR}:{key}"


def atom_document(
    entries: Sequence[Entry], *, host: str, key: str, title: str, subtitle: str, author: str, own_url: str, page: str
) -> bytes:
    """A feed, UTF-8. The same entries give the same bytes.

    Parameters
    ----------
    entries : sequence of Entry
        In the order in which they are written.
    host : str
        Host of the server, for ids.
    key : str
        Identity of the feed within the host.
    title, subtitle, author : str
    own_url : str
        URL of this document.
    page : str
        URL of the page with the same content.
    """
    ET.register_namespace("", NAMESPACE)
    feed = ET.Element(f"{{{NAMESPACE}}}feed", {"xml:lang": "en"})
    _text(feed, "id", tag_uri(host, key))
    _text(feed, "title", title)
    _text(feed, "subtitle", subtitle)
    _text(feed, "updated", rfc3339(max((entry.updated for entry in entries), default=_NEVER)))
    _text(_element(feed, "author"), "name", author)
    _element(feed, "link", rel="self", type=MEDIA_TYPE, href=own_url)
    _element(feed, "link", rel="alternate", type="text/html", href=page)
    for entry in entries:
        _add_entry(feed, entry, host)
    document: bytes = ET.tostring(feed, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _add_entry(feed: ET.Element, entry: Entry, host: str) -> None:
    element = _element(feed, "entry")
    _text(element, "id", tag_uri(host, entry.key))
    _text(element, "title", entry.title)
    _text(element, "updated", rfc3339(entry.updated))
    _element(element, "link", rel="alternate", type="text/html", href=entry.page)
    for category in entry.categories:
        _element(element, "category", term=category)
    _text(element, "summary", entry.summary)
    pictures = "".join(
        f'<p><a href="{escape(entry.page)}"><img src="{escape(url)}" alt="{escape(words)}"></a></p>'
        for url, words in entry.pictures
    )
    _text(element, "content", f"<p>{escape(entry.summary)}</p>{pictures}", type="html")
    for url, _ in entry.pictures[:1]:
        _element(element, "link", rel="related", type="image/png", href=url, title="Picture")


def rfc3339(time: np.datetime64) -> str:
    """``2022-11-10T03:01:00.250Z``, as section 3.3 wants it."""
    return f"{time.astype('datetime64[ms]')}Z"


def _element(parent: ET.Element, name: str, **attributes: str) -> ET.Element:
    return ET.SubElement(
        parent, f"{{{NAMESPACE}}}{name}", {key: _NOT_XML.sub("�", value) for key, value in attributes.items()}
    )


def _text(parent: ET.Element, name: str, text: str, **attributes: str) -> None:
    _element(parent, name, **attributes).text = _NOT_XML.sub("�", text)
