"""The tables that queries can name: flares, images, spectra, ``stix.epn_core``, and those of ``TAP_SCHEMA``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from archive.exports import plain_unit
from archive.index.columns import Field, Table
from archive.index.schema import FLARES, IMAGES, SPECTRA
from archive.index.ucds import UCDS
from archive.layout import SPECTRUM_FILE
from dashboards.server.api.rows import public_columns
from dashboards.server.tap.epn_core import EPN_CORE
from dashboards.server.tap.published import (
    SERVER,
    VOTABLE,
    Foreign,
    Kind,
    PublishedColumn,
    PublishedTable,
    values_query,
)

#: Columns that the API has and these tables have not: who made something, what is hidden, and recipes.
_LEFT_OUT = frozenset({"author", "hidden", "recipe"})
_KINDS = {
    str: Kind.TEXT,
    float: Kind.REAL,
    int: Kind.INTEGER,
    bool: Kind.TRUTH,
    np.datetime64: Kind.TIME,
}
_PRINCIPAL = {
    "flare_id", "image_id", "spectrum_id", "t_start", "t_peak", "t_end", "goes_class", "goes_estimated", "peak_counts",
    "stonyhurst_lon", "stonyhurst_lat", "method", "e_low", "e_high", "total_flux", "trusted", "model", "temperature",
    "emission_measure", "delta", "access_url",
}  # fmt: skip


def _column(column: Field, ucds: Mapping[str, str]) -> PublishedColumn:
    is_time = column.python is np.datetime64
    ucd = ucds.get(column.name, "")
    return PublishedColumn(
        column.name,
        _KINDS[column.python],
        f"{column.meaning}; {column.unit}" if is_time else column.meaning,
        "" if is_time or column.unit == "JSON" else plain_unit(column.unit),
        ucd,
        column.unit if is_time else "",
        ucd.startswith("meta.id"),
        column.name in _PRINCIPAL,
    )


def _address(name: str, ucd: str, description: str) -> PublishedColumn:
    return PublishedColumn(name, Kind.TEXT, description, ucd=ucd, principal=name in _PRINCIPAL)


def _published(
    table: Table[Any], what: str, source: str, more: Mapping[str, tuple[PublishedColumn, str]] | None = None
) -> PublishedTable:
    """A table of the index with its public columns, and more with their expressions."""
    columns = tuple(
        _column(column, UCDS[table.name]) for column in public_columns(table) if column.name not in _LEFT_OUT
    )
    added = dict(more or {})
    names = ", ".join(
        [*(f'"{column.name}"' for column in columns), *(f'{how} AS "{name}"' for name, (_, how) in added.items())]
    )
    rows = f"SELECT {names} FROM {source}"  # noqa: S608 (names of the schema)
    return PublishedTable(f"stix.{table.name}", (*columns, *(column for column, _ in added.values())), rows, what)


def _file_columns(path: str, key: str, what: str) -> dict[str, tuple[PublishedColumn, str]]:
    url = _address("access_url", "meta.ref.url;meta.file", f"Address of {what}")
    media = _address("access_format", "meta.code.mime", "Media type of this file")
    return {
        "access_url": (url, f"{SERVER} || '/archive/{path}/' || {key}"),
        "access_format": (media, "'application/fits'"),
    }


_THUMBNAIL = _address("thumbnail_url", "meta.ref.url;meta.preview", "Address of a small picture")
FLARE_TABLE = _published(FLARES, "Flares, detected or imported, one row per flare.", "flares")
IMAGE_TABLE = _published(
    IMAGES,
    "Images, one row per recipe and method.",
    "images WHERE NOT hidden",
    {
        **_file_columns("fits", "image_id", "the FITS file"),
        "thumbnail_url": (
            _THUMBNAIL,
            f"CASE WHEN thumbnail IS NOT NULL THEN {SERVER} || '/archive/thumbnail/' || image_id END",
        ),
    },
)
SPECTRUM_TABLE = _published(
    SPECTRA,
    "Spectra with their fits, one row per spectrum.",
    "spectra WHERE NOT hidden",
    _file_columns("spectrum", f"spectrum_id || '/{SPECTRUM_FILE}'", "the spectrum for OSPEX"),
)
DATA_TABLES = (EPN_CORE, FLARE_TABLE, IMAGE_TABLE, SPECTRUM_TABLE)
KEYS = (
    Foreign("images_flare", "stix.images", "flare_id", "stix.flares", "Flare of an image"),
    Foreign("spectra_flare", "stix.spectra", "flare_id", "stix.flares", "Flare of a spectrum"),
)
SCHEMAS = {
    "stix": "Flares that Solar Orbiter/STIX saw, with images and spectra.",
    "TAP_SCHEMA": "Descriptions of the tables and columns of this service.",
}


def _schema_columns(names: str, **whole: str) -> tuple[PublishedColumn, ...]:
    """Columns of a table of TAP_SCHEMA; those named in ``whole`` are integers."""
    return tuple(
        PublishedColumn(
            name,
            Kind.SHORT if name in whole else Kind.TEXT,
            whole.get(name, _MEANINGS.get(name, "")),
            joins=name.endswith(("_name", "_id", "_table")),
            principal=True,
        )
        for name in names.split()
    )


_MEANINGS = {
    "schema_name": "Name of the schema",
    "table_name": "Name of the table, with its schema",
    "table_type": "table or view",
    "column_name": "Name of the column",
    "utype": "Role in a data model",
    "description": "Meaning",
    "datatype": "Type in a VOTable",
    "arraysize": "Length in a VOTable",
    "xtype": "Further type in a VOTable",
    "unit": "Unit in the notation of the Virtual Observatory",
    "ucd": "Unified Content Descriptor",
    "key_id": "Name of the key",
    "from_table": "Table with the column",
    "target_table": "Table that the column points to",
    "from_column": "Column of the first table",
    "target_column": "Column of the second table",
}
_SCHEMAS_COLUMNS = _schema_columns("schema_name utype description schema_index", schema_index="Order of schemas")
_TABLES_COLUMNS = _schema_columns(
    "schema_name table_name table_type utype description table_index", table_index="Order of tables"
)
_COLUMNS_COLUMNS = _schema_columns(
    "table_name column_name datatype arraysize xtype size description utype unit ucd "
    "indexed principal std column_index",
    size="Length; empty, see arraysize",
    indexed="1: a condition on it is fast",
    principal="1: one of the columns that are looked at first",
    std="1: defined by a standard",
    column_index="Order of columns",
)
_KEYS_COLUMNS = _schema_columns("key_id from_table target_table utype description")
_KEY_COLUMNS_COLUMNS = _schema_columns("key_id from_column target_column")
#: Columns of the tables of TAP_SCHEMA (IVOA TAP 1.1, section 4).
_OWN = {
    "TAP_SCHEMA.schemas": (_SCHEMAS_COLUMNS, "Schemas of this service."),
    "TAP_SCHEMA.tables": (_TABLES_COLUMNS, "Tables of this service."),
    "TAP_SCHEMA.columns": (_COLUMNS_COLUMNS, "Columns of the tables."),
    "TAP_SCHEMA.keys": (_KEYS_COLUMNS, "Pairs of tables of which one names rows of the other."),
    "TAP_SCHEMA.key_columns": (_KEY_COLUMNS_COLUMNS, "Columns of these pairs."),
}


def _own_tables() -> tuple[PublishedTable, ...]:
    """The tables of TAP_SCHEMA, which also describe themselves."""
    described = [(t.name, t.columns, t.description, t.utype) for t in DATA_TABLES]
    described += [(name, columns, description, "") for name, (columns, description) in _OWN.items()]
    fast = {table.time for table in (FLARES, IMAGES, SPECTRA)} | {table.key for table in (FLARES, IMAGES, SPECTRA)}
    rows: dict[str, list[tuple[str | int | None, ...]]] = {
        "TAP_SCHEMA.schemas": [(name, None, text, place) for place, (name, text) in enumerate(SCHEMAS.items())],
        "TAP_SCHEMA.tables": [
            (name.partition(".")[0], name, "table", utype or None, text, place)
            for place, (name, _, text, utype) in enumerate(described)
        ],
        "TAP_SCHEMA.columns": [
            _column_row(name, column, place, indexed=column.name in fast and name.startswith("stix."))
            for name, columns, _, _ in described
            for place, column in enumerate(columns)
        ],
        "TAP_SCHEMA.keys": [(key.key_id, key.table, key.target, None, key.description) for key in KEYS],
        "TAP_SCHEMA.key_columns": [(key.key_id, key.column, key.column) for key in KEYS],
    }
    return tuple(
        PublishedTable(name, columns, values_query(columns, rows[name]), description)
        for name, (columns, description) in _OWN.items()
    )


def _column_row(table: str, column: PublishedColumn, place: int, *, indexed: bool) -> tuple[str | int | None, ...]:
    datatype, arraysize, xtype = VOTABLE[column.kind]
    is_standard = table == EPN_CORE.name or table.startswith("TAP_SCHEMA.")
    texts = (column.description, None, column.unit or None, column.ucd or None)
    flags = (int(indexed), int(column.principal), int(is_standard), place)
    return (table, column.name, datatype, arraysize or None, xtype or None, None, *texts, *flags)


TABLES: dict[str, PublishedTable] = {table.name.lower(): table for table in (*DATA_TABLES, *_own_tables())}
