"""ADQL means what it says: answers are compared with the rows of the archive, and everything else is refused."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord

from dashboards.server.tap.adql import translate
from dashboards.server.tap.documents import EXAMPLES
from dashboards.server.tap.reading import LONGEST
from dashboards.server.tap.refusals import Refused
from dashboards.server.tap.tables import TABLES

Ask = Callable[[str], list[dict[str, Any]]]
FLARES, IMAGES = "SELECT flare_id FROM stix.flares WHERE ", "SELECT image_id FROM stix.images WHERE "


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("goes_flux > 8e-6", lambda f: f.goes_flux is not None and f.goes_flux > 8e-6),
        ("NOT goes_flux > 8e-6", lambda f: f.goes_flux is not None and not f.goes_flux > 8e-6),
        ("goes_flux IS NULL OR (goes_class = 'M1.2' AND hpc_x < 0)", lambda f: f.goes_flux is None),
        ("t_peak >= '2022-11-10T08:00:00'", lambda f: f.t_peak >= np.datetime64("2022-11-10T08:00")),
        ("'2022-11-10 06:00' < t_peak AND t_peak < '2022-11-10T09:30:00Z'",
         lambda f: np.datetime64("2022-11-10T06:00") < f.t_peak < np.datetime64("2022-11-10T09:30")),
        ("t_peak BETWEEN '2022-11-10T05:01:00' AND '2022-11-10T07:01:00'",
         lambda f: np.datetime64("2022-11-10T05:01") <= f.t_peak <= np.datetime64("2022-11-10T07:01")),
        ("flare_id IN ('2211100401', 'it''s', '2211100601')", lambda f: f.flare_id in {"2211100401", "2211100601"}),
        ("flare_id NOT IN ('2211100401')", lambda f: f.flare_id != "2211100401"),
        ("flare_id LIKE '%0_01' AND flare_id NOT LIKE '%5%'",
         lambda f: f.flare_id[-4] == "0" and f.flare_id.endswith("01") and "5" not in f.flare_id),
        ("earth_visible = TRUE", lambda f: f.earth_visible is True),
        ("earth_visible = 1 AND simulated = 'false'", lambda f: f.earth_visible is True and not f.simulated),
        ("simulated <> FALSE", lambda f: f.simulated),
        ("peak_counts * 2 - 1 >= 40000 + 10 / 4", lambda f: f.peak_counts * 2 - 1 >= 40002.5),
        ("MOD(peak_counts, 2) = 0 AND ABS(-1) = 1", lambda f: f.peak_counts % 2 == 0),
        ("-stonyhurst_lat < -5", lambda f: f.stonyhurst_lat is not None and -f.stonyhurst_lat < -5),
        ("COALESCE(goes_flux, 0) = 0", lambda f: f.goes_flux is None),
        ("LOWER(goes_class) = 'm1.2' AND UPPER(goes_class) = 'M1.2'", lambda f: f.goes_class == "M1.2"),
        ("SQRT(POWER(hpc_x, 2)) > 1 AND LOG10(100) = 2 AND PI() > 3", lambda f: f.hpc_x is not None),
    ],
)  # fmt: skip
def test_conditions(ask: Ask, sky: Any, condition: str, holds: Callable[[Any], bool]) -> None:
    found = sorted(row["flare_id"] for row in ask(FLARES + condition))
    assert found == sorted(flare.flare_id for flare in sky.flares if holds(flare))


@pytest.mark.parametrize(("frame", "columns"), [
    ("STONYHURST", "stonyhurst_lon, stonyhurst_lat"),
    ("HGC", "carrington_lon, stonyhurst_lat"),
])  # fmt: skip
@pytest.mark.parametrize("center", [(-70.0, 10.0), (359.5, 0.0), (0.0, 89.0), (180.0, -5.0)])
def test_cones_and_distances_are_those_of_astropy(ask: Ask, sky: Any, frame: str, columns: str, center: Any) -> None:
    name = columns.partition(",")[0]
    placed = [flare for flare in sky.flares if flare.stonyhurst_lat is not None]
    places = SkyCoord([getattr(f, name) for f in placed] * u.deg, [f.stonyhurst_lat for f in placed] * u.deg)
    away = places.separation(SkyCoord(*center, unit="deg")).deg
    radius = float(np.median(away))
    point = f"POINT('{frame}', {columns})"
    inside = ask(f"{FLARES} CONTAINS({point}, CIRCLE('{frame}', {center[0]}, {center[1]}, {radius + 1e-9})) = 1")
    assert {row["flare_id"] for row in inside} == {f.flare_id for f, d in zip(placed, away, strict=True) if d <= radius}
    outside = ask(f"{FLARES} 0 = CONTAINS({point}, CIRCLE('{frame}', {center[0]}, {center[1]}, {radius + 1e-9}))")
    assert len(inside) + len(outside) == len(placed) < len(sky.flares)  # flares without a place are in neither
    rows = ask(
        f"SELECT flare_id, DISTANCE({point}, POINT('{frame}', {center[0]}, {center[1]})) AS d, "
        f"DISTANCE({columns}, {center[0]}, {center[1]}) AS e FROM stix.flares WHERE stonyhurst_lat IS NOT NULL"
    )
    expected = {flare.flare_id: d for flare, d in zip(placed, away, strict=True)}
    for row in rows:
        assert row["d"] == pytest.approx(expected[row["flare_id"]], abs=1e-9)
        assert row["e"] == pytest.approx(row["d"], abs=1e-9)


def test_helioprojective_cones_are_in_arcsec(ask: Ask, sky: Any) -> None:
    placed = {flare.flare_id for flare in sky.flares if flare.hpc_x is not None}  # all at (823.3, 147.9)
    cone = FLARES + "CONTAINS(POINT('HPC', hpc_x, hpc_y), CIRCLE(POINT('HELIOPROJECTIVE', 820.3, 151.9), {})) = 1"
    assert ask(cone.format(4.999)) == []
    assert {row["flare_id"] for row in ask(cone.format(5.001))} == placed


def test_groups_order_and_aggregates(ask: Ask, sky: Any) -> None:
    rows = ask(
        "SELECT method, COUNT(*) AS n, MIN(t_start) first, AVG(nx), SUM(size) AS bytes, COUNT(DISTINCT flare_id) "
        "FROM stix.images GROUP BY method HAVING COUNT(*) > 0 ORDER BY n DESC, method"
    )
    methods = {image.method for image in sky.images}
    assert len(rows) == len(methods)
    assert [row["n"] for row in rows] == sorted((row["n"] for row in rows), reverse=True)
    for row in rows:
        group = [image for image in sky.images if image.method == row["method"]]
        assert (row["n"], row["avg"], row["bytes"]) == (len(group), 16.0, sum(image.size for image in group))
        assert np.datetime64(row["first"]) == min(image.t_start for image in group)
        assert row["count"] == len({image.flare_id for image in group})


def test_top_offset_distinct_and_positions(ask: Ask, sky: Any) -> None:
    ids = sorted(image.image_id for image in sky.images)
    assert [row["image_id"] for row in ask("SELECT TOP 3 image_id FROM stix.images ORDER BY 1 OFFSET 2;")] == ids[2:5]
    methods = ask("SELECT DISTINCT method AS m FROM stix.images ORDER BY m DESC")
    assert [row["m"] for row in methods] == sorted({image.method for image in sky.images}, reverse=True)
    assert ask("SELECT TOP 0 * FROM stix.images") == []


def test_joins(ask: Ask, sky: Any) -> None:
    rows = ask(
        "SELECT i.image_id, f.t_peak, i.flare_id AS flare FROM stix.images AS i INNER JOIN stix.flares f "
        "ON i.flare_id = f.flare_id"
    )
    known = {flare.flare_id: flare.t_peak for flare in sky.flares}
    expected = {(i.image_id, i.flare_id, known[i.flare_id]) for i in sky.images if i.flare_id in known}
    assert {(r["image_id"], r["flare"], np.datetime64(r["t_peak"], "us")) for r in rows} == expected
    assert expected
    everything = ask("SELECT i.*, f.* FROM stix.images i LEFT OUTER JOIN stix.flares f ON f.flare_id = i.flare_id")
    assert len(everything) == len(sky.images)
    assert len(set(everything[0])) == len(TABLES["stix.images"].columns) + len(TABLES["stix.flares"].columns)


@pytest.mark.parametrize("query", EXAMPLES.values(), ids=EXAMPLES)
def test_examples_are_answered(ask: Ask, query: str) -> None:
    ask(query)


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_every_column_can_be_named(ask: Ask, table: Any) -> None:
    names = [column.name for column in table.columns]
    rows = ask(f"SELECT * FROM {table.name}")
    assert rows
    assert list(rows[0]) == names
    for name in names:
        assert ask(f'SELECT {name}, "{name}" AS again FROM {table.name} WHERE {name} IS NOT NULL ORDER BY {name}') == [
            {name: row[name], "again": row[name]}
            for row in sorted((r for r in rows if r[name] is not None), key=lambda r, n=name: r[n])
        ]


def test_what_has_no_value_is_no_number(ask: Ask) -> None:
    (row, *_) = ask("SELECT SQRT(-1) AS a, LOG(0) AS b, 1 / 0 AS c, ROUND(2.567, 2) AS d, TRUNCATE(-2.567, 1) AS e "
                    "FROM stix.flares")  # fmt: skip
    assert math.isnan(row["a"])
    assert (row["b"], row["c"], row["d"], row["e"]) == (-math.inf, math.inf, 2.57, -2.5)


REFUSED = {
    "SELECT * FROM flares": "no table 'flares'",
    "SELECT * FROM runs": "no table 'runs'",
    "SELECT * FROM stix.runs": "no table 'stix.runs'",
    "SELECT * FROM model.images": "no table 'model.images'",
    "SELECT * FROM information_schema.tables": "no table",
    "SELECT * FROM duckdb_settings()": "FROM takes the name of a table",
    "SELECT * FROM read_parquet('/etc/passwd')": "FROM takes the name of a table",
    "SELECT * FROM 'accounts/users.json'": "no table 'accounts/users.json'",
    'SELECT * FROM "/etc/passwd"': "no table '/etc/passwd'",
    'SELECT * FROM "stix.flares"."x"': "no table",
    "SELECT * FROM a.stix.flares": "is not part",
    "SELECT author FROM stix.images": "no column 'author' in stix.images",
    "SELECT hidden FROM stix.images": "no column 'hidden'",
    "SELECT file, png FROM stix.images": "no column 'file'",
    "SELECT folder FROM stix.spectra": "no column 'folder'",
    "SELECT recipe FROM stix.spectra": "no column 'recipe'",
    "SELECT imported FROM stix.flares": "no column 'imported'",
    "SELECT rowid FROM stix.flares": "no column 'rowid'",
    "SELECT getenv('HOME') FROM stix.flares": "no function 'GETENV'",
    "SELECT repeat('a', 999999999) FROM stix.flares": "no function 'REPEAT'",
    "SELECT pg_sleep(9) FROM stix.flares": "no function 'PG_SLEEP'",
    "SELECT sleep_ms(9) FROM stix.flares": "no function",
    "SELECT current_setting('memory_limit') FROM stix.flares": "no function",
    "SELECT flare_id FROM stix.flares; DROP TABLE flares": "';' is not part",
    "DROP TABLE flares": "begins with SELECT",
    "PRAGMA database_list": "begins with SELECT",
    "COPY flares TO 'x'": "begins with SELECT",
    "WITH a AS (SELECT 1) SELECT * FROM a": "begins with SELECT",
    "SELECT * FROM (SELECT * FROM stix.flares) AS a": "a second SELECT",
    "SELECT 1 FROM stix.flares UNION SELECT 2 FROM stix.flares": "'UNION'",
    "SELECT flare_id FROM stix.flares WHERE EXISTS (SELECT 1)": "'EXISTS'",
    "SELECT flare_id FROM stix.flares WHERE flare_id IN (SELECT uid FROM stix.images)": "a second SELECT",
    "SELECT flare_id FROM stix.flares, stix.images": "JOIN … ON",
    "SELECT f.flare_id FROM stix.flares f CROSS JOIN stix.images i": "'CROSS'",
    "SELECT f.flare_id FROM stix.flares f JOIN stix.images i ON 1 = 1": "ON takes equal identifiers",
    "SELECT f.sol_id FROM stix.flares f JOIN stix.images i ON f.simulated = i.simulated": "ON takes equal identifiers",
    "SELECT f.flare_id FROM stix.flares f JOIN stix.images i USING (flare_id)": "JOIN … ON",
    "SELECT f.flare_id FROM stix.flares f NATURAL JOIN stix.images i": "'NATURAL'",
    "SELECT flare_id FROM stix.flares LIMIT 5": "'LIMIT'",
    "SELECT CASE WHEN 1 = 1 THEN 1 END FROM stix.flares": "'CASE'",
    "SELECT CAST(1 AS VARCHAR) FROM stix.flares": "'CAST'",
    "SELECT flare_id::int FROM stix.flares": "'::'",
    "SELECT flare_id || 'a' FROM stix.flares": "'||'",
    "SELECT flare_id[1] FROM stix.flares": "'['",
    "SELECT ? FROM stix.flares": "'?'",
    "SELECT $1 FROM stix.flares": "$1",
    "SELECT {fn now()} FROM stix.flares": "'{'",
    "SELECT count(*) OVER () FROM stix.flares": "'OVER'",
    "SELECT columns(*) FROM stix.flares": "",
    "SELECT * EXCLUDE (flare_id) FROM stix.flares": "'EXCLUDE'",
    "SELECT x -> 1 FROM stix.flares": "",
    "SELECT flare_id FROM stix.flares WHERE flare_id": "a condition takes truth value, found flare_id (text)",
    "SELECT flare_id FROM stix.flares WHERE flare_id = 5": "cannot be compared with",
    "SELECT flare_id FROM stix.flares WHERE t_peak > 'yesterday'": "t_peak is a time",
    "SELECT flare_id FROM stix.flares WHERE t_peak > 5": "cannot be compared with",
    "SELECT flare_id FROM stix.flares WHERE earth_visible = 'maybe'": "is true or false",
    "SELECT t_peak + 1 FROM stix.flares": "found t_peak (time)",
    "SELECT flare_id FROM stix.flares WHERE flare_id LIKE sol_id": "LIKE takes a text in quotes",
    "SELECT flare_id FROM stix.flares WHERE flare_id LIKE '%a%b%c%d%'": "at most 3 %",
    "SELECT flare_id FROM stix.flares WHERE MAX(t_peak) > '2022-01-01'": "MAX cannot stand in WHERE",
    "SELECT MAX(MAX(hpc_x)) FROM stix.flares": "MAX cannot stand inside MAX",
    "SELECT flare_id FROM stix.flares ORDER BY t_peak NULLS FIRST": "'NULLS'",
    "SELECT POINT('HPC', 1, 2) FROM stix.flares": "not selected",
    "SELECT flare_id FROM stix.flares WHERE POINT('HPC', 1, 2) = POINT('HPC', 1, 2)": "use CONTAINS",
    "SELECT sol_id FROM stix.flares WHERE 1 = CONTAINS(POINT('ICRS', 1, 2), CIRCLE('ICRS', 1, 2, 3))": "takes a frame",
    "SELECT flare_id FROM stix.flares WHERE 1 = CONTAINS(POINT('HPC', 1, 2), CIRCLE('HGS', 1, 2, 3))": "not the same",
    "SELECT flare_id AS \"a'b\" FROM stix.flares": "cannot be a name",
    "SELECT a.flare_id FROM stix.flares": "no table of the query is called 'a'",
    "SELECT flare_id FROM stix.flares f JOIN stix.images i ON f.flare_id = i.flare_id": "in several tables",
    "SELECT flare_id": "FROM is missing",
    "SELECT FROM stix.flares": "",
    "SELECT flare_id FROM stix.flares WHERE": "cannot be read",
    "SELECT 'abc FROM stix.flares": "a quotation mark or a comment has no end",
    "SELECT flare_id FROM stix.flares /* ": "",
    "SELECT flare_id FROM stix.flares WHERE flare_id = 'a\x00b'": "U+0000",
    "SELECT flare_id FROM stix.flares WHERE flare_id = 'a\u202eb'": "U+202E",
    "SELECT ﬂare_id FROM stix.flares": "no column",
    "SELECT 1e999 FROM stix.flares": "too large",
    "SELECT TOP -1 flare_id FROM stix.flares": "",
    "SELECT TOP 5 PERCENT flare_id FROM stix.flares": "'PERCENT'",
    "": "begins with SELECT",
    f"SELECT {'(' * 300}1{')' * 300} FROM stix.flares": "nested too deeply",
    f"SELECT {'- ' * 300}1 FROM stix.flares": "nested too deeply",
    f"SELECT flare_id FROM stix.flares WHERE {'NOT ' * 300}1 = 1": "nested too deeply",
    f"SELECT 1{' + 1' * 2000} FROM stix.flares": "nested too deeply",
    f"SELECT {'ABS(' * 24}1{')' * 24} FROM stix.flares WHERE {'(' * 26}1 = 1{')' * 26}": "nested too deeply",
    f"SELECT flare_id FROM stix.flares WHERE flare_id IN ({','.join(['1'] * 3000)})": "words and signs",
    f"SELECT '{'a' * LONGEST}' FROM stix.flares": "characters",
}  # fmt: skip


@pytest.mark.parametrize("query", REFUSED, ids=lambda query: repr(query[:50]))
def test_refusals_name_what_is_not_allowed(query: str) -> None:
    with pytest.raises(Refused) as refused:
        translate(query, "https://stix.example")
    assert REFUSED[query] in refused.value.sentence
    assert len(refused.value.sentence) < 600


def test_long_lists_and_chains_are_answered(ask: Ask, sky: Any) -> None:
    several = ", ".join(f"'{image.image_id}'" for image in sky.images) + ", 'x'" * 500
    assert len(ask(f"{IMAGES} image_id IN ({several})")) == len(sky.images)
    assert len(ask(IMAGES + " AND ".join(["1 = 1"] * 200))) == len(sky.images)


@pytest.mark.parametrize("server", ["http://a'; DROP TABLE images; --", "http://$1{x}%s\\", "https://é.example"])
def test_the_address_of_the_server_is_a_text(sky: Any, server: str) -> None:
    statement = translate("SELECT access_url FROM stix.images WHERE method <> '$1'", server)
    rows = sky.archive.query(statement.limited(1000), statement.parameters).to_pylist()
    assert len(rows) == len(sky.images)
    assert all(row["access_url"].startswith(f"{server}/archive/fits/") for row in rows)
