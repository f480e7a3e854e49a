"""What the service says about itself: VOSI 1.1 documents, examples and a first page.

Standards of the IVOA: VOSI 1.1, TAPRegExt 1.0, VODataService 1.1, DALI 1.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from html import escape
from xml.etree import ElementTree as ET

from dashboards.server.tap.answers import VOTABLE_TYPE
from dashboards.server.tap.epn_core import UTYPE
from dashboards.server.tap.functions import DECIMALS, FUNCTIONS
from dashboards.server.tap.geometry import FRAMES, NAMES
from dashboards.server.tap.published import VOTABLE, PublishedColumn, PublishedTable
from dashboards.server.tap.tables import KEYS, SCHEMAS, TABLES
from dashboards.shared.limits import WebLimits

_LIMITS = WebLimits()
_NAMESPACES = {
    "xmlns:vosi": "http://www.ivoa.net/xml/VOSITables/v1.0",
    "xmlns:vs": "http://www.ivoa.net/xml/VODataService/v1.1",
    "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance",
}
_STANDARD = "ivo://ivoa.net/std"
_FEATURES = f"{_STANDARD}/TAPRegExt#features"
#: Name and query of the examples.
EXAMPLES: Mapping[str, str] = {
    "The ten largest flares on the Earth's side": (
        "SELECT TOP 10 flare_id, t_peak, goes_class, stonyhurst_lon, stonyhurst_lat\nFROM stix.flares\n"
        "WHERE earth_visible = TRUE AND goes_flux IS NOT NULL\nORDER BY goes_flux DESC"
    ),
    "Flares within ten degrees of a place on the Sun": (
        "SELECT flare_id, t_peak, DISTANCE(POINT('STONYHURST', stonyhurst_lon, stonyhurst_lat),\n"
        "    POINT('STONYHURST', -25, 15)) AS away\nFROM stix.flares\n"
        "WHERE 1 = CONTAINS(POINT('STONYHURST', stonyhurst_lon, stonyhurst_lat), CIRCLE('STONYHURST', -25, 15, 10))\n"
        "ORDER BY away"
    ),
    "Trusted images of flares of class M and above": (
        "SELECT i.image_id, i.e_low, i.e_high, f.goes_class, i.access_url\nFROM stix.images AS i\n"
        "JOIN stix.flares AS f ON i.flare_id = f.flare_id\nWHERE i.trusted = TRUE AND f.goes_flux >= 1e-5"
    ),
    "Everything of a day, as EPN-TAP": (
        "SELECT granule_uid, dataproduct_type, access_url\nFROM stix.epn_core\n"
        "WHERE time_min < 2459895.5 AND time_max >= 2459894.5"
    ),
}


def capabilities(base: str) -> bytes:
    """Document of ``/tap/capabilities``; ``base`` is the address of ``/tap``."""
    root = ET.Element(
        "cap:capabilities",
        {
            "xmlns:cap": "http://www.ivoa.net/xml/VOSICapabilities/v1.0",
            "xmlns:tr": "http://www.ivoa.net/xml/TAPRegExt/v1.0",
            "xmlns:vs": _NAMESPACES["xmlns:vs"],
            "xmlns:xsi": _NAMESPACES["xmlns:xsi"],
        },
    )
    for standard, path in {
        "VOSI#capabilities": "capabilities",
        "VOSI#availability": "availability",
        "VOSI#tables-1.1": "tables",
        "DALI#examples": "examples",
    }.items():
        _interface(root, f"{_STANDARD}/{standard}", f"{base}/{path}", "full", {})
    tap = _interface(root, f"{_STANDARD}/TAP", base, "base", {"xsi:type": "tr:TableAccess"})
    _add(tap, "dataModel", "EPN-TAP 2.0", {"ivo-id": UTYPE})
    language = _add(tap, "language")
    _add(language, "name", "ADQL")
    _add(language, "version", "2.0", {"ivo-id": f"{_STANDARD}/ADQL#v2.0"})
    _add(
        language,
        "description",
        "One SELECT without subqueries, WITH or UNION; tables are joined by identifiers. Only /sync is offered: there "
        "is no asynchronous access and no upload. Frames of POINT and CIRCLE: "
        f"{', '.join(frame for frame in FRAMES if frame)}; in HELIOPROJECTIVE all angles are in arcsec.",
    )
    for kind, forms in {"adqlgeo": NAMES, "adql-offset": ("OFFSET",), "adql-string": ("LOWER", "UPPER")}.items():
        features = _add(language, "languageFeatures", attributes={"type": f"{_FEATURES}-{kind}"})
        for form in forms:
            _add(_add(features, "feature"), "form", form)
    for media, names, identity in (
        (VOTABLE_TYPE, ("votable", "votable/td"), f"{_STANDARD}/TAPRegExt#output-votable-td"),
        ("text/csv", ("csv",), ""),
        ("application/json", ("json",), ""),
        ("application/fits", ("fits",), ""),
        ("application/vnd.apache.parquet", ("parquet",), ""),
    ):
        output = _add(tap, "outputFormat", attributes={"ivo-id": identity} if identity else {})
        _add(output, "mime", media)
        for name in names:
            _add(output, "alias", name)
    duration = _add(tap, "executionDuration")
    limit = _add(tap, "outputLimit")
    for word, rows in (("default", _LIMITS.tap_rows), ("hard", _LIMITS.tap_rows_most)):
        _add(duration, word, f"{_LIMITS.tap_time:.0f}")
        _add(limit, word, str(rows), {"unit": "row"})
    return _written(root)


def _interface(root: ET.Element, standard: str, address: str, use: str, more: dict[str, str]) -> ET.Element:
    capability = _add(root, "capability", attributes={"standardID": standard, **more})
    version = {"version": "1.1"} if use == "base" else {}
    interface = _add(capability, "interface", attributes={"xsi:type": "vs:ParamHTTP", "role": "std", **version})
    _add(interface, "accessURL", address, {"use": use})
    return capability


def availability(fault: str = "") -> bytes:
    """Document of ``/tap/availability``; with a fault, queries cannot be answered now."""
    root = ET.Element("vosi:availability", {"xmlns:vosi": "http://www.ivoa.net/xml/VOSIAvailability/v1.0"})
    _add(root, "vosi:available", "false" if fault else "true")
    if fault:
        _add(root, "vosi:note", fault)
    return _written(root)


@cache
def tables() -> bytes:
    """Document of ``/tap/tables``: every schema with its tables."""
    root = ET.Element("vosi:tableset", {**_NAMESPACES, "version": "1.1"})
    for name, description in SCHEMAS.items():
        schema = _add(root, "schema")
        _add(schema, "name", name)
        _add(schema, "description", description)
        for table in TABLES.values():
            if table.schema == name:
                _fill_table(_add(schema, "table"), table)
    return _written(root)


def table_document(name: str) -> bytes | None:
    """Document of ``/tap/tables/<name>``; None if there is no such table."""
    table = TABLES.get(name.lower())
    if table is None:
        return None
    root = ET.Element("vosi:table", {**_NAMESPACES, "version": "1.1"})
    _fill_table(root, table)
    return _written(root)


def _fill_table(element: ET.Element, table: PublishedTable) -> None:
    _add(element, "name", table.name)
    _add(element, "description", table.description)
    if table.utype:
        _add(element, "utype", table.utype)
    for column in table.columns:
        _fill_column(_add(element, "column"), column)
    for key in KEYS:
        if key.table == table.name:
            foreign = _add(element, "foreignKey")
            _add(foreign, "targetTable", key.target)
            pair = _add(foreign, "fkColumn")
            _add(pair, "fromColumn", key.column)
            _add(pair, "targetColumn", key.column)


def _fill_column(element: ET.Element, column: PublishedColumn) -> None:
    for name, text in (
        ("name", column.name),
        ("description", column.description),
        ("unit", column.unit),
        ("ucd", column.ucd),
    ):
        if text:
            _add(element, name, text)
    datatype, arraysize, xtype = VOTABLE[column.kind]
    size = {"arraysize": arraysize} if arraysize else {}
    extended = {"extendedType": xtype} if xtype else {}
    _add(element, "dataType", datatype, {"xsi:type": "vs:VOTableType", **size, **extended})
    if column.principal:
        _add(element, "flag", "principal")


@cache
def examples() -> str:
    """Page of ``/tap/examples``, which programs also read (DALI 1.1, section 2.3)."""
    items = "".join(
        f'<div typeof="example" id="example-{place}" resource="#example-{place}"><h2 property="name">{escape(name)}'
        f'</h2><pre property="query">{escape(query)}</pre></div>'
        for place, (name, query) in enumerate(EXAMPLES.items(), start=1)
    )
    return _page("Examples", f'<div vocab="ivo://ivoa.net/std/DALI-examples">{items}</div>')


def first_page(base: str) -> str:
    """Page of ``/tap`` for people."""
    rows = "".join(
        f"<tr><td><code>{escape(table.name)}</code></td><td>{escape(table.description)}</td></tr>"
        for table in TABLES.values()
    )
    names = ", ".join(sorted({*FUNCTIONS, *DECIMALS, "COALESCE"}))
    query = "SELECT TOP 5 * FROM stix.flares"
    example = f'import pyvo\npyvo.dal.TAPService({base!r}).search("{query}").to_table()'
    return _page(
        "Tables for programs of the Virtual Observatory",
        f"<p>Programs such as TOPCAT and pyvo query this archive at <code>{escape(base)}</code> (TAP, with a cut of "
        "ADQL and the table <code>stix.epn_core</code> of EPN-TAP).</p>"
        f"<pre>{escape(example)}</pre>"
        f"<table><thead><tr><th>Table</th><th>Content</th></tr></thead><tbody>{rows}</tbody></table>"
        f"<p>Functions: {escape(names)}; {escape(', '.join(NAMES))}.</p>"
        '<p><a href="tap/examples">Examples</a> <a href="tap/tables">Columns (XML)</a> '
        '<a href="tap/capabilities">Capabilities (XML)</a></p>',
    )


def _page(title: str, body: str) -> str:
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE html>\n<html xmlns="http://www.w3.org/1999/xhtml" lang="en">'
        f"<head><title>{escape(title)}</title></head><body><h1>{escape(title)}</h1>{body}</body></html>\n"
    )


def _add(
    parent: ET.Element, name: str, text: str | None = None, attributes: Mapping[str, str] | None = None
) -> ET.Element:
    element = ET.SubElement(parent, name, dict(attributes or {}))
    element.text = text
    return element


def _written(root: ET.Element) -> bytes:
    ET.indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(root, encoding="unicode")}\n'.encode()
