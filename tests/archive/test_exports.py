"""Exported files are read back by the programs people have: values, units, meanings, and nothing unknown as zero."""

from __future__ import annotations

import csv
import io
import json
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits, votable
from astropy.io.votable.ucd import parse_ucd
from astropy.table import Table
from astropy.units import Unit

from archive import Flare
from archive.exports import FORMATS, About, described, plain_unit, votable_pieces
from archive.index.schema import FLARES, IMAGES, SPECTRA
from archive.index.ucds import UCDS

PEAK = np.datetime64("2022-11-11T12:00:00.25", "us")


def flare(number: int, **values: Any) -> Flare:
    peak = PEAK + np.timedelta64(number, "m")
    return Flare(flare_id=f"221111120{number}", t_peak=peak, source="detected", updated_at=PEAK, **values)


FLARE_ROWS = (
    flare(
        0, t_start=PEAK, hpc_x=-512.25, goes_flux=1.2e-5, goes_class="M1.2", dsun_au=0.6, earth_visible=True,
        location_doubts='["Another <place>, 9″ off, is \\"bright\\" & near."]', background_detector_flux=68.5,
    ),
    flare(1, earth_visible=False, hpc_x=0.0),
    flare(2),
)  # fmt: skip


def pieces(form: str) -> Iterator[bytes]:
    table = FLARES.to_arrow(FLARE_ROWS)
    schema = described(table.schema, FLARES.columns)
    parts = (table.slice(begin, 2).cast(schema) for begin in range(0, table.num_rows, 2))
    return FORMATS[form][1](schema, parts)


def written(form: str, folder: Path) -> Path:
    path = folder / f"flares.{form}"
    path.write_bytes(b"".join(pieces(form)))
    return path


@pytest.fixture(autouse=True)
def no_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def test_votable_is_valid_and_has_all(tmp_path: Path) -> None:
    path = written("votable", tmp_path)
    assert votable.validate(path, output=None, xmllint=False)
    table = votable.parse(path, verify="exception").get_first_table()
    fields = {field.name: field for field in table.fields}
    assert list(fields) == [column.name for column in FLARES.columns]
    assert str(fields["background_detector_flux"].unit) == "ct / (s mm2)"
    assert fields["hpc_x"].ucd == "pos.cartesian.x"
    assert fields["hpc_x"].description == "Location as seen from Solar Orbiter"
    rows = table.to_table()
    assert list(rows["hpc_x"].filled(np.nan)[:2]) == [-512.25, 0.0]
    assert list(np.ma.getmaskarray(rows["earth_visible"])) == [False, False, True]
    assert list(rows["earth_visible"][:2]) == [True, False]
    assert rows["t_peak"][0] == "2022-11-11T12:00:00.250Z"
    assert rows["location_doubts"][0] == FLARE_ROWS[0].location_doubts


def test_ecsv(tmp_path: Path) -> None:
    rows = Table.read(written("ecsv", tmp_path), format="ascii.ecsv")
    assert rows["hpc_x"].unit.to_string() == "arcsec"
    assert rows["hpc_x"].meta["ucd"] == "pos.cartesian.x"
    assert list(rows["hpc_x"][:2]) == [-512.25, 0.0]
    assert list(rows["hpc_x"].mask) == [False, False, True]
    assert list(rows["earth_visible"][:2]) == [True, False]
    assert list(rows["earth_visible"].mask) == [False, False, True]
    assert rows["location_doubts"][0] == FLARE_ROWS[0].location_doubts
    assert list(rows["flare_id"]) == [row.flare_id for row in FLARE_ROWS]


def test_fits(tmp_path: Path) -> None:
    path = written("fits", tmp_path)
    rows = Table.read(path)
    assert rows["dsun_au"].unit.to_string() == "AU"
    assert list(np.asarray(rows["hpc_x"])[:2]) == [-512.25, 0.0]
    assert np.isnan(np.ma.getdata(rows["hpc_x"])[2])
    assert list(rows["earth_visible"][:2]) == [1, 0]
    assert list(rows["earth_visible"].mask) == [False, False, True]
    with fits.open(path, checksum=True) as hdus:
        header = hdus[1].header
        number = hdus[1].columns.names.index("hpc_x") + 1
        assert (header[f"TUCD{number}"], header["EXTNAME"]) == ("pos.cartesian.x", "FLARES")
        assert header[f"TCOMM{number}"] == "Location as seen from Solar Orbiter"


def test_parquet_and_csv_with_pandas(tmp_path: Path) -> None:
    import pandas as pd

    schema = pq.read_schema(written("parquet", tmp_path))
    assert schema.field("hpc_x").metadata[b"unit"] == b"arcsec"
    assert schema.field("hpc_x").metadata[b"ucd"] == b"pos.cartesian.x"
    rows = pd.read_parquet(tmp_path / "flares.parquet")
    assert rows["t_peak"][0] == pd.Timestamp("2022-11-11T12:00:00.25")
    assert list(rows["earth_visible"]) == [True, False, None]
    text = pd.read_csv(written("csv", tmp_path), dtype={"flare_id": str})
    assert list(text["flare_id"]) == [row.flare_id for row in FLARE_ROWS]
    assert (text["hpc_x"][0], text["hpc_x"][1], np.isnan(text["hpc_x"][2])) == (-512.25, 0.0, True)


def test_parquet_with_astropy_and_duckdb(tmp_path: Path) -> None:
    import duckdb

    path = written("parquet", tmp_path)
    rows = Table.read(path, format="parquet")
    assert rows.colnames == [column.name for column in FLARES.columns]
    assert list(rows["goes_class"]) == ["M1.2", "", ""]
    assert (rows["hpc_x"][0], np.isnan(np.ma.filled(rows["hpc_x"], np.nan)[2])) == (-512.25, True)
    assert rows["t_peak"][0] == PEAK
    assert list(rows["earth_visible"]) == [True, False, None]
    assert rows["location_doubts"][0] == FLARE_ROWS[0].location_doubts
    assert (str(rows["goes_flux"].unit), rows["hpc_x"].meta["ucd"]) == ("W / m2", "pos.cartesian.x")
    assert rows["hpc_x"].description == "Location as seen from Solar Orbiter"
    select = "SELECT flare_id, goes_class, hpc_x, earth_visible FROM read_parquet(?) ORDER BY flare_id"
    first, second, third = duckdb.execute(select, [str(path)]).fetchall()
    assert first == ("2211111200", "M1.2", -512.25, True)
    assert (second[1:], third[1:]) == (("", 0.0, False), ("", None, None))


def test_parquet_of_texts_that_are_all_unknown_or_missing(tmp_path: Path) -> None:
    schema = described(FLARES.arrow, FLARES.columns)
    for tables in ([], [FLARES.to_arrow(FLARE_ROWS[2:]).cast(schema)]):
        path = tmp_path / "flares.parquet"
        path.write_bytes(b"".join(FORMATS["parquet"][1](schema, tables)))
        assert len(Table.read(path, format="parquet")) == len(tables)


@pytest.mark.parametrize("name", ["=1+1.csv", "+1.csv", "-1.csv", "@a.csv", "\t=1.csv"])
def test_csv_has_no_formulas(name: str) -> None:
    """The origin of a flare is the name of a file, which somebody else may have chosen."""
    table = FLARES.to_arrow([replace(FLARE_ROWS[0], source=name), FLARE_ROWS[1]])
    schema = described(table.schema, FLARES.columns)
    text = b"".join(FORMATS["csv"][1](schema, [table.cast(schema)])).decode()
    first, second = csv.DictReader(io.StringIO(text))
    assert (first["source"], second["source"], float(first["hpc_x"])) == (f"'{name}", "detected", -512.25)


def test_json() -> None:
    document = json.loads(b"".join(pieces("json")))
    assert document["units"]["goes_flux"] == "W.m-2"
    assert document["ucds"]["flare_id"] == "meta.id;meta.main"
    assert [row["hpc_x"] for row in document["items"]] == [-512.25, 0.0, None]


@pytest.mark.parametrize("form", FORMATS)
def test_no_rows_are_a_file_too(form: str) -> None:
    schema = described(FLARES.arrow, FLARES.columns)
    content = b"".join(FORMATS[form][1](schema, []))
    if form == "fits":
        assert len(fits.getdata(io.BytesIO(content))) == 0
    elif form == "parquet":
        assert pq.read_table(pa.BufferReader(content)).num_rows == 0
    else:
        assert b"flare_id" in content


def test_units_are_those_of_the_virtual_observatory() -> None:
    assert plain_unit("ct s⁻¹ mm⁻²") == "ct.s-1.mm-2"
    assert plain_unit("ct/s") == "ct.s-1"
    assert plain_unit("arcsec") == "arcsec"
    assert plain_unit("10⁴⁹ cm⁻³") == "10**49.cm-3"
    for notation in ("fits", "vounit"):
        assert Unit(plain_unit("10⁴⁹ cm⁻³"), format=notation) == Unit("1e49 cm-3")


@pytest.mark.parametrize("table", [FLARES, IMAGES, SPECTRA], ids=lambda table: table.name)
def test_every_column_has_a_ucd_of_the_standard(table: Any) -> None:
    internal = {"detected", "imported", "located", "measured", "fitted", "file", "png", "thumbnail", "folder"}
    assert {column.name for column in table.columns} - internal == set(UCDS[table.name])
    for ucd in UCDS[table.name].values():
        parse_ucd(ucd, check_controlled_vocabulary=True)  # refuses unknown words, and words at the wrong place


def test_votable_says_where_its_clocks_are(tmp_path: Path) -> None:
    path = written("votable", tmp_path)
    resource = votable.parse(path, verify="exception").resources[0]
    places = {system.ID: system.refposition for system in resource.time_systems}
    assert places == {"utc-solar-orbiter": "TOPOCENTER", "utc-earth": "GEOCENTER", "utc-unknown": "UNKNOWN"}
    fields = {field.name: field for field in resource.tables[0].fields}
    clocks = {name: places[fields[name].ref] for name in ("t_peak", "goes_t_peak", "updated_at")}
    assert clocks == {"t_peak": "TOPOCENTER", "goes_t_peak": "GEOCENTER", "updated_at": "UNKNOWN"}
    assert (fields["t_peak"].datatype, fields["t_peak"].xtype) == ("char", "timestamp")


@pytest.mark.parametrize("kind", [pa.int32(), pa.int64()])
def test_votable_has_what_is_said_about_it_and_unknown_integers(kind: pa.DataType, tmp_path: Path) -> None:
    metadata = {"utype": "a:b.c", "ucd": "meta.number", "description": "<Number> & more", "clock": "JD UTC"}
    schema = pa.schema([pa.field("n", kind, metadata=metadata)])
    rows = pa.table({"n": pa.array([1, None, -5], kind)}).cast(schema)
    info = ("QUERY_STATUS", "OK", 'a <b> "c" \x01\ufffe')
    about = About("some.name", "u:t", "What & which", (info,), (("QUERY_STATUS", "OVERFLOW", ""),))
    path = tmp_path / "rows.vot"
    path.write_bytes(b"".join(votable_pieces(schema, [rows], about)))
    assert votable.validate(path, output=None, xmllint=False)
    resource = votable.parse(path, verify="exception").resources[0]
    (table,) = resource.tables
    assert (table.name, table.utype, table.description) == ("some.name", "u:t", "What & which")
    assert [(one.name, one.value, one.content) for one in resource.infos] == [
        ("QUERY_STATUS", "OK", 'a <b> "c"'),
        ("QUERY_STATUS", "OVERFLOW", None),
    ]
    assert (table.fields[0].utype, table.fields[0].description) == ("a:b.c", "<Number> & more")
    assert (resource.time_systems[0].ID, resource.time_systems[0].timeorigin) == ("jd-utc-unknown", "JD-origin")
    assert list(table.to_table()["n"].filled(7)) == [1, 7, -5]
