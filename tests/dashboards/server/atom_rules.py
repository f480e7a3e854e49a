"""The rules of RFC 4287 as a RELAX NG schema (its appendix B, written again for what we use), and those beyond it."""

from __future__ import annotations

import re
from datetime import datetime
from urllib.parse import urlsplit

from lxml import etree

ATOM = "{http://www.w3.org/2005/Atom}"
_SCHEMA = """
<grammar xmlns="http://relaxng.org/ns/structure/1.0" ns="http://www.w3.org/2005/Atom"
         datatypeLibrary="http://www.w3.org/2001/XMLSchema-datatypes">
  <start><ref name="feed"/></start>
  <define name="common">
    <optional><attribute name="xml:lang"><data type="language"/></attribute></optional>
    <optional><attribute name="xml:base"><data type="anyURI"/></attribute></optional>
  </define>
  <define name="text">
    <ref name="common"/>
    <optional><attribute name="type"><choice><value>text</value><value>html</value></choice></attribute></optional>
    <text/>
  </define>
  <define name="date">
    <ref name="common"/>
    <data type="dateTime"><param name="pattern">.*T.*(Z|[+-][0-9]{2}:[0-9]{2})</param></data>
  </define>
  <define name="uri"><ref name="common"/><data type="anyURI"><param name="minLength">1</param></data></define>
  <define name="person">
    <ref name="common"/>
    <interleave>
      <element name="name"><data type="string"><param name="minLength">1</param></data></element>
      <optional><element name="uri"><ref name="uri"/></element></optional>
      <optional>
        <element name="email"><data type="string"><param name="pattern">.+@.+</param></data></element>
      </optional>
    </interleave>
  </define>
  <define name="link">
    <ref name="common"/>
    <attribute name="href"><data type="anyURI"/></attribute>
    <optional><attribute name="rel"><data type="string"><param name="minLength">1</param></data></attribute></optional>
    <optional>
      <attribute name="type"><data type="string"><param name="pattern">.+/.+</param></data></attribute>
    </optional>
    <optional><attribute name="hreflang"><data type="language"/></attribute></optional>
    <optional><attribute name="title"/></optional>
    <optional><attribute name="length"><data type="nonNegativeInteger"/></attribute></optional>
  </define>
  <define name="category">
    <ref name="common"/>
    <attribute name="term"/>
    <optional><attribute name="scheme"><data type="anyURI"/></attribute></optional>
    <optional><attribute name="label"/></optional>
  </define>
  <define name="feed">
    <element name="feed">
      <ref name="common"/>
      <interleave>
        <oneOrMore><element name="author"><ref name="person"/></element></oneOrMore>
        <zeroOrMore><element name="category"><ref name="category"/></element></zeroOrMore>
        <optional><element name="generator"><text/></element></optional>
        <element name="id"><ref name="uri"/></element>
        <zeroOrMore><element name="link"><ref name="link"/></element></zeroOrMore>
        <optional><element name="rights"><ref name="text"/></element></optional>
        <optional><element name="subtitle"><ref name="text"/></element></optional>
        <element name="title"><ref name="text"/></element>
        <element name="updated"><ref name="date"/></element>
        <zeroOrMore><ref name="entry"/></zeroOrMore>
      </interleave>
    </element>
  </define>
  <define name="entry">
    <element name="entry">
      <ref name="common"/>
      <interleave>
        <zeroOrMore><element name="author"><ref name="person"/></element></zeroOrMore>
        <zeroOrMore><element name="category"><ref name="category"/></element></zeroOrMore>
        <optional><element name="content"><ref name="text"/></element></optional>
        <element name="id"><ref name="uri"/></element>
        <zeroOrMore><element name="link"><ref name="link"/></element></zeroOrMore>
        <optional><element name="published"><ref name="date"/></element></optional>
        <optional><element name="summary"><ref name="text"/></element></optional>
        <element name="title"><ref name="text"/></element>
        <element name="updated"><ref name="date"/></element>
      </interleave>
    </element>
  </define>
</grammar>
"""
GRAMMAR = etree.RelaxNG(etree.fromstring(_SCHEMA))
_TAG = re.compile(r"tag:[a-z0-9.-]+,\d{4}(-\d\d){0,2}:[A-Za-z0-9/._-]+")


def faults(document: bytes) -> list[str]:
    """What RFC 4287 (and, for ids, RFC 4151) forbids in a feed; empty for a valid one."""
    document.decode("utf-8")
    feed = etree.fromstring(document)
    found = [] if GRAMMAR.validate(feed) else [str(one) for one in GRAMMAR.error_log]
    entries = feed.findall(f"{ATOM}entry")
    ids = [(one.findtext(f"{ATOM}id"), one.findtext(f"{ATOM}updated")) for one in entries]
    if len(set(ids)) < len(ids):
        found.append("4.1.1: entries with the same id and the same date")
    for node in (feed, *entries):
        name = node.findtext(f"{ATOM}id") or ""
        if not _TAG.fullmatch(name):
            found.append(f"4.2.6: {name!r} is no tag URI")
        links = node.findall(f"{ATOM}link")
        kinds = [(one.get("type"), one.get("hreflang")) for one in links if one.get("rel", "alternate") == "alternate"]
        if len(set(kinds)) < len(kinds):
            found.append("4.1.1: two alternate links of one type and language")
        if node is not feed and not kinds and node.find(f"{ATOM}content") is None:
            found.append("4.1.2: an entry without content needs an alternate link")
        found += [f"4.2.7: {one.get('href')!r} is not absolute" for one in links if not _is_absolute(one.get("href"))]
        if not (node.findtext(f"{ATOM}title") or "").strip():
            found.append("an empty title")
        if node.findtext(f"{ATOM}content") and etree.HTML(node.findtext(f"{ATOM}content")) is None:
            found.append("4.1.3.3: content that is no HTML")
    if not [one for one in feed.findall(f"{ATOM}link") if one.get("rel") == "self"]:
        found.append("4.1.1: a feed should have a link to itself")
    dates = [datetime.fromisoformat(one.findtext(f"{ATOM}updated")) for one in entries]
    if dates and datetime.fromisoformat(feed.findtext(f"{ATOM}updated")) < max(dates):
        found.append("4.2.15: an entry is newer than its feed")
    return found


def _is_absolute(address: str) -> bool:
    parts = urlsplit(address)
    return parts.scheme in {"http", "https"} and bool(parts.netloc)
