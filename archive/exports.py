"""Tables as files with units, meanings and UCDs: JSON, CSV, ECSV, VOTable, FITS, Parquet.

Each writer takes a schema whose fields carry "unit", "description" and "ucd" (see `described`) and the rows as a
sequence of Arrow tables, and yields the file in pieces, so that it can be sent while it is made. Only FITS needs all
rows before its first byte, because the header states their number.

Times become ISO 8601 text with Z, except in Parquet, which has a type for them. An unknown value stays unknown: null
in JSON, VOTable and Parquet, an empty cell in CSV and ECSV, NaN in FITS, where yes and no are 1 and 0 and unknown is
255. An unknown text is empty in FITS and Parquet.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO, StringIO
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from archive.index.columns import Field
from archive.index.ucds import ANY_UCDS

#: Units of the index that are no units: the clock of a time, and text with JSON.
_NOT_UNITS = ("UTC", "JSON")
#: A power of ten, up to its raised exponent.
_POWER_OF_TEN = re.compile(r"\b10(?=[⁰¹²³⁴⁵⁶⁷⁸⁹])")
_LOWERED = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
#: Value of an unknown yes or no in FITS.
FITS_UNKNOWN = 255
#: Value of an unknown integer in FITS and VOTable.
_LOWEST = int(np.iinfo(np.int64).min)
#: Time systems of a VOTable by clock: name, which no column can have, and reference position in the vocabulary of the
#: Virtual Observatory, where TOPOCENTER is the place of the observer.
_TIME_SYSTEMS: Mapping[str, tuple[str, str]] = {
    "UTC at Solar Orbiter": ("utc-solar-orbiter", "TOPOCENTER"),
    "UTC at the Earth": ("utc-earth", "GEOCENTER"),
    "UTC": ("utc-unknown", "UNKNOWN"),
}
#: What XML 1.0 has no place for.
_NOT_XML = re.compile(r"[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
#: Numbers that VOTable writes in another way.
_SPECIAL = {"inf": "+Inf", "-inf": "-Inf", "nan": "NaN"}
_NO_MORE: Mapping[str, str] = {}
_TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"

#: Beginning of the clock of a time that is a Julian date.
JULIAN_DATE = "JD "

type Writer = Callable[[pa.Schema, Iterable[pa.Table]], Iterator[bytes]]


@dataclass(frozen=True)
class About:
    """What a VOTable says about its table.

    Attributes
    ----------
    name, utype, description : str
    infos : tuple of (str, str, str)
        Name, value and text of ``INFO`` elements before the table.
    after : tuple of (str, str, str)
        Those after the table.
    """

    name: str = ""
    utype: str = ""
    description: str = ""
    infos: tuple[tuple[str, str, str], ...] = ()
    after: tuple[tuple[str, str, str], ...] = ()


_NOTHING = About()


def described(
    schema: pa.Schema,
    columns: Sequence[Field],
    *,
    wide: bool = True,
    ucds: Mapping[str, str] = ANY_UCDS,
    name: str = "",
) -> pa.Schema:
    """A schema with unit, description and UCD of each column that is among ``columns``; cast the rows to it.

    Parameters
    ----------
    schema : pyarrow.Schema
        Of a table or of the answer to a query.
    columns : sequence of Field
        Columns of the index with their meanings.
    wide : bool
        Numbers have 64 bits, as all formats have; otherwise they keep their types.
    ucds : mapping of str to str
        UCDs by column, of the table (`archive.index.ucds`).
    name : str
        Name of the table, for FITS and VOTable.
    """
    known = {column.name: column for column in columns}
    fields = []
    for field in schema:
        column = known.get(field.name)
        about = {} if column is None else _about(column, ucds)
        metadata = {key: value for key, value in about.items() if value}
        fields.append(pa.field(field.name, _wide(field.type) if wide else field.type, metadata=metadata))
    return pa.schema(fields, metadata={"name": name} if name else None)


def _wide(kind: pa.DataType) -> pa.DataType:
    """The type that holds every number of its kind: all formats have 64-bit integers and real numbers."""
    if pa.types.is_integer(kind):
        return pa.int64()
    return pa.float64() if pa.types.is_floating(kind) or pa.types.is_decimal(kind) else kind


def _about(column: Field, ucds: Mapping[str, str]) -> dict[str, str]:
    is_unit = not column.unit.startswith(_NOT_UNITS)
    clock = f"; {column.unit}" if column.unit.startswith("UTC") else ""
    return {
        "unit": plain_unit(column.unit) if is_unit else "",
        "description": f"{column.meaning}{clock}",
        "ucd": ucds.get(column.name, ""),
        "clock": column.unit if column.unit.startswith("UTC") else "",
    }


def plain_unit(unit: str) -> str:
    """A unit in the notation of the Virtual Observatory: ``W.m-2`` for ``W m⁻²``, ``10**49.cm-3`` for ``10⁴⁹ cm⁻³``."""
    return ".".join(_POWER_OF_TEN.sub("10**", unit).translate(_LOWERED).replace("/s", " s-1").split())


def _text(field: pa.Field | pa.Schema, key: str) -> str:
    return ((field.metadata or {}).get(key.encode()) or b"").decode()


def with_texts(table: pa.Table) -> pa.Table:
    """The table with its times as ISO 8601 text with Z."""
    for place, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type):
            seconds = pc.cast(table[place], pa.timestamp("ms"), safe=False)
            text = pc.strftime(seconds, format=_TIME_FORMAT)
            table = table.set_column(place, pa.field(field.name, pa.string(), metadata=field.metadata), text)
    return table


def csv_pieces(schema: pa.Schema, tables: Iterable[pa.Table]) -> Iterator[bytes]:
    """CSV with a header line."""
    yield _csv(with_texts(schema.empty_table()), header=True)
    for table in tables:
        yield _csv(_without_formulas(with_texts(table)), header=False)


def _without_formulas(table: pa.Table) -> pa.Table:
    """Texts that spreadsheets would interpret as formulas begin with an apostrophe, as in tables of images."""
    for place, field in enumerate(table.schema):
        if pa.types.is_string(field.type):
            texts = pc.replace_substring_regex(table[place], pattern=r"^([=+\-@\t\r])", replacement=r"'\1")
            table = table.set_column(place, field, texts)
    return table


def _csv(table: pa.Table, *, header: bool) -> bytes:
    stream = BytesIO()
    if header or table.num_rows:
        pyarrow.csv.write_csv(table, stream, pyarrow.csv.WriteOptions(include_header=header))
    return stream.getvalue()


def ecsv_pieces(schema: pa.Schema, tables: Iterable[pa.Table]) -> Iterator[bytes]:
    """CSV with the header of astropy's Enhanced Character-Separated Values."""
    yield _ecsv_header(schema).encode()
    for table in tables:
        yield _csv(_python_truths(with_texts(table)), header=False)


def _ecsv_header(schema: pa.Schema) -> str:
    stream = StringIO()
    _empty(schema).write(stream, format="ascii.ecsv", delimiter=",")
    return stream.getvalue()


def _empty(schema: pa.Schema) -> Any:
    """A table of astropy with the columns of a schema and no rows."""
    from astropy.table import Column, Table

    kinds = {pa.bool_(): bool, pa.int32(): np.int32, pa.int64(): np.int64, pa.float64(): np.float64}
    return Table(
        [
            Column(
                name=field.name,
                dtype=kinds.get(field.type, str),
                unit=_text(field, "unit") or None,
                description=_text(field, "description") or None,
                meta={"ucd": _text(field, "ucd")} if _text(field, "ucd") else None,
                length=0,
            )
            for field in schema
        ]
    )


def _python_truths(table: pa.Table) -> pa.Table:
    """Yes and no as ECSV has them: True and False."""
    for place, field in enumerate(table.schema):
        if pa.types.is_boolean(field.type):
            table = table.set_column(place, field.name, pc.if_else(table[place], "True", "False"))
    return table


def json_pieces(schema: pa.Schema, tables: Iterable[pa.Table]) -> Iterator[bytes]:
    """One JSON object: units, descriptions and UCDs by column, and a list of rows as objects."""
    head: dict[str, dict[str, str]] = {
        plural: {field.name: _text(field, key) for field in schema if _text(field, key)}
        for plural, key in (("units", "unit"), ("descriptions", "description"), ("ucds", "ucd"))
    }
    yield json.dumps(head, ensure_ascii=False)[:-1].encode() + b', "items": ['
    separator = ""
    for table in tables:
        rows = with_texts(table).to_pylist()
        text = ",\n".join(json.dumps(_finite(row), ensure_ascii=False, allow_nan=False) for row in rows)
        if text:
            yield f"{separator}{text}".encode()
            separator = ",\n"
    yield b"]}\n"


def _finite(row: dict[str, Any]) -> dict[str, Any]:
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in row.items()}


def parquet_pieces(schema: pa.Schema, tables: Iterable[pa.Table]) -> Iterator[bytes]:
    """Parquet with a row group per table; unit, description and UCD are metadata of the fields, also for astropy."""
    rows = [_without_unknown_texts(table.cast(schema)) for table in tables]
    stream = BytesIO()
    with pq.ParquetWriter(stream, schema.with_metadata(_for_astropy(schema, rows)), compression="zstd") as writer:
        for table in rows:
            writer.write_table(table)
    yield stream.getvalue()


def _for_astropy(schema: pa.Schema, tables: Sequence[pa.Table]) -> dict[str, str]:
    """Metadata that `astropy.table.Table.read` expects: lengths of texts; units, descriptions and UCDs of columns."""
    from astropy.table import meta

    texts = [field.name for field in schema if pa.types.is_string(field.type)]
    lengths = {
        name: max([1, *(pc.max(pc.utf8_length(table[name])).as_py() or 1 for table in tables)]) for name in texts
    }
    return {
        "table_meta_yaml": "\n".join(meta.get_yaml_from_table(_empty(schema))),
        **{f"table::len::{name}": str(length) for name, length in lengths.items()},
    }


def _without_unknown_texts(table: pa.Table) -> pa.Table:
    """The table with empty texts where they are unknown: astropy reads no Parquet file with null in a text."""
    for place, field in enumerate(table.schema):
        if pa.types.is_string(field.type):
            table = table.set_column(place, field, pc.fill_null(table[place], ""))
    return table


def votable_pieces(schema: pa.Schema, tables: Iterable[pa.Table], about: About = _NOTHING) -> Iterator[bytes]:
    """VOTable 1.4 with its rows as TABLEDATA; the metadata "clock" of a field names its time system."""
    head = [
        '<?xml version="1.0" encoding="utf-8"?>\n',
        '<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3">\n<RESOURCE type="results">\n',
        *(_votable_info(*info) for info in about.infos),
        *_votable_time_systems(schema),
        f"<TABLE{_attributes(name=about.name or _text(schema, 'name'), utype=about.utype)}>\n",
        _votable_description(about.description),
        *(_votable_field(field) for field in schema),
        "<DATA><TABLEDATA>\n",
    ]
    yield "".join(head).encode()
    for table in tables:
        columns = [_votable_cells(column) for column in with_texts(table).columns]
        rows = ("".join(("<TR>", *cells, "</TR>\n")) for cells in zip(*columns, strict=True))
        yield "".join(rows).encode()
    after = "".join(_votable_info(*info) for info in about.after)
    yield f"</TABLEDATA></DATA>\n</TABLE>\n{after}</RESOURCE>\n</VOTABLE>\n".encode()


def votable_refusal(infos: Iterable[tuple[str, str, str]]) -> bytes:
    """VOTable without a table, which says why there is none (IVOA DALI 1.1, section 4.4)."""
    inside = "".join(_votable_info(*info) for info in infos)
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<VOTABLE version="1.4" '
        f'xmlns="http://www.ivoa.net/xml/VOTable/v1.3">\n<RESOURCE type="results">\n{inside}</RESOURCE>\n</VOTABLE>\n'
    ).encode()


def _votable_info(name: str, value: str, text: str) -> str:
    return f"<INFO{_attributes(name=name, value=value)}>{_xml(text)}</INFO>\n"


def _votable_description(text: str) -> str:
    return f"<DESCRIPTION>{_xml(text)}</DESCRIPTION>\n" if text else ""


def _votable_time_systems(schema: pa.Schema) -> list[str]:
    """The time systems that columns refer to: times as text have no origin, Julian dates have theirs."""
    lines = []
    for clock in dict.fromkeys(_text(field, "clock") for field in schema if _clock_id(field)):
        name, place = _TIME_SYSTEMS[clock.removeprefix(JULIAN_DATE)]
        is_date = clock.startswith(JULIAN_DATE)
        origin = {"timeorigin": "JD-origin"} if is_date else {}
        identity = f"jd-{name}" if is_date else name
        lines.append(f"<TIMESYS{_attributes(ID=identity, timescale='UTC', refposition=place, **origin)}/>\n")
    return lines


def _clock_id(field: pa.Field) -> str:
    """Name of the time system of a column; empty without one."""
    clock = _text(field, "clock")
    name, _ = _TIME_SYSTEMS.get(clock.removeprefix(JULIAN_DATE), ("", ""))
    return f"jd-{name}" if name and clock.startswith(JULIAN_DATE) else name


def _votable_field(field: pa.Field) -> str:
    kinds = {pa.bool_(): "boolean", pa.int32(): "int", pa.int64(): "long", pa.float64(): "double"}
    if field.type in kinds:
        kind = {"datatype": kinds[field.type]}
    elif pa.types.is_timestamp(field.type):
        kind = {"datatype": "char", "arraysize": "*", "xtype": "timestamp"}
    else:
        kind = {"datatype": "unicodeChar", "arraysize": "*", "xtype": _text(field, "xtype")}
    about = {key: _text(field, key) for key in ("unit", "ucd", "utype")}
    attributes = _attributes(name=field.name, ID=field.name, **kind, **about, ref=_clock_id(field))
    description = _votable_description(_text(field, "description")).strip()
    null = f'<VALUES null="{_null(field.type)}"/>' if pa.types.is_integer(field.type) else ""
    return f"<FIELD{attributes}>{description}{null}</FIELD>\n"


def _null(kind: pa.DataType) -> int:
    """The integer that stands for an unknown one."""
    return int(np.iinfo(kind.to_pandas_dtype()).min)


def _attributes(**values: str) -> str:
    """Attributes of an XML element, without empty ones."""
    return "".join(f' {name}="{_xml(value, {chr(34): "&quot;"})}"' for name, value in values.items() if value)


def _votable_cells(column: pa.ChunkedArray) -> list[str]:
    """``<TD>…</TD>`` of a column; an unknown number or truth is an empty cell, or the null of the field."""
    null = str(_null(column.type)) if pa.types.is_integer(column.type) else ""
    values = pc.fill_null(pc.cast(column, pa.string()), null).to_pylist()
    if pa.types.is_string(column.type):
        values = [_xml(value) for value in values]
    elif pa.types.is_floating(column.type):
        values = [_SPECIAL.get(value, value) for value in values]
    return [f"<TD>{value}</TD>" for value in values]


def _xml(text: str, more: Mapping[str, str] = _NO_MORE) -> str:
    """Text for XML 1.0, which has no place for most control characters, surrogates and two others."""
    return escape(_NOT_XML.sub("", text), dict(more))


def fits_pieces(schema: pa.Schema, tables: Iterable[pa.Table]) -> Iterator[bytes]:
    """FITS with one binary table; TCOMMn and TUCDn hold meaning and UCD of a column."""
    from astropy.io import fits

    whole = with_texts(pa.concat_tables([schema.empty_table(), *tables]).cast(schema))
    hdu = fits.BinTableHDU.from_columns([_fits_column(field, whole[field.name]) for field in whole.schema])
    for number, field in enumerate(whole.schema, start=1):
        if _text(field, "ucd"):
            hdu.header[f"TUCD{number}"] = _text(field, "ucd")
        if _text(field, "description"):
            hdu.header[f"TCOMM{number}"] = _ascii(_text(field, "description"))
    name = _text(schema, "name").removeprefix("stix.")
    hdu.header["EXTNAME"] = name.upper() or ("FLARES" if "flare_id" in schema.names else "ROWS")
    stream = BytesIO()
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(stream, checksum=True)
    yield stream.getvalue()


def _fits_column(field: pa.Field, column: pa.ChunkedArray) -> Any:
    from astropy import units
    from astropy.io import fits

    unit = _text(field, "unit") and units.Unit(_text(field, "unit"), format="vounit").to_string("fits")
    if pa.types.is_boolean(field.type):
        truths = pc.fill_null(pc.cast(column, pa.uint8()), FITS_UNKNOWN).to_numpy()
        return fits.Column(name=field.name, format="B", null=FITS_UNKNOWN, array=truths)
    if pa.types.is_integer(field.type):
        numbers = pc.fill_null(pc.cast(column, pa.int64()), _LOWEST).to_numpy()
        return fits.Column(name=field.name, format="K", unit=unit or None, null=_LOWEST, array=numbers)
    if pa.types.is_floating(field.type):
        return fits.Column(name=field.name, format="D", unit=unit or None, array=column.to_numpy().astype(np.float64))
    texts = [_ascii(text) for text in pc.fill_null(pc.cast(column, pa.string()), "").to_pylist()]
    return fits.Column(name=field.name, format=f"{max([1, *map(len, texts)])}A", array=np.array(texts, dtype=str))


def _ascii(text: str) -> str:
    """Text in the characters of FITS; others that are known are spelled out."""
    signs = str.maketrans({"″": "arcsec", "°": " deg", "±": "+-", "–": "-", "−": "-", "σ": "sigma", "χ": "chi"})
    return text.translate(signs).encode("ascii", "replace").decode()


#: Format → media type and writer.
FORMATS: dict[str, tuple[str, Writer]] = {
    "json": ("application/json; charset=UTF-8", json_pieces),
    "csv": ("text/csv; charset=utf-8", csv_pieces),
    "ecsv": ("text/csv; charset=utf-8", ecsv_pieces),
    "votable": ("application/x-votable+xml", votable_pieces),
    "fits": ("application/fits", fits_pieces),
    "parquet": ("application/vnd.apache.parquet", parquet_pieces),
}
#: Format → file name extension, where it is another.
EXTENSIONS = {name: "vot" if name == "votable" else name for name in FORMATS}
