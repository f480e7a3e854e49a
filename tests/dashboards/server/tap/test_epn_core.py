"""``stix.epn_core`` against the rules of EPN-TAP 2.0 (IVOA REC, tables 1 and 2), asked in ADQL as validators ask."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from astropy.time import Time

from dashboards.server.tap.epn_core import COLUMNS, EPN_CORE
from dashboards.server.tap.published import Kind

#: Columns that must be there, with their UCDs; ``min`` and ``max`` pairs are written once.
TEXTS = {
    "granule_uid": "meta.id", "granule_gid": "meta.id", "obs_id": "meta.id;obs", "dataproduct_type": "meta.code.class",
    "target_name": "meta.id;src", "target_class": "src.class", "s_region": "pos.outline;obs.field",
    "spatial_frame_type": "meta.code.class;pos.frame", "instrument_host_name": "meta.id;instr.obsty",
    "instrument_name": "meta.id;instr", "measurement_type": "meta.ucd", "service_title": "meta.title",
    "access_url": "meta.ref.url;meta.file", "access_format": "meta.code.mime",
    "thumbnail_url": "meta.ref.url;meta.preview", "time_scale": "time.scale", "messenger": "instr.bandpass",
}  # fmt: skip
PAIRS = {
    "time_sampling_step_": ("time.resolution", "s"), "time_exp_": ("time.duration;obs.exposure", "s"),
    "spectral_range_": ("em.freq", "Hz"), "spectral_sampling_step_": ("em.freq;spect.binSize", "Hz"),
    "spectral_resolution_": ("spect.resolution", ""), "c1": ("pos.bodyrc.lon", "deg"), "c2": ("pos.bodyrc.lat", "deg"),
    "c3": ("pos.bodyrc.alt", "km"), "c1_resol_": ("pos.angResolution", "deg"),
    "c2_resol_": ("pos.angResolution", "deg"), "c3_resol_": ("pos.resolution", "km"),
    "incidence_": ("pos.incidenceAng", "deg"), "emergence_": ("pos.emergenceAng", "deg"),
    "phase_": ("pos.phaseAng", "deg"), "sun_distance_": ("pos.distance", "AU"),
}  # fmt: skip
MUST_BE_KNOWN = (
    "granule_uid granule_gid obs_id dataproduct_type target_name target_class spatial_frame_type service_title "
    "creation_date modification_date release_date processing_level"
)
TABLE = "FROM stix.epn_core WHERE"


def test_columns() -> None:
    columns = EPN_CORE.by_name
    for name, ucd in TEXTS.items():
        assert (columns[name].kind, columns[name].ucd) == (Kind.TEXT, ucd)
    for name, (ucd, unit) in PAIRS.items():
        for end in ("min", "max"):
            column = columns[name + end]
            assert (column.kind, column.ucd, column.unit) == (Kind.REAL, f"{ucd};stat.{end}", unit)
    assert [(columns[f"time_{end}"].ucd, columns[f"time_{end}"].unit) for end in ("min", "max")] == [
        ("time.start;obs", "d"),
        ("time.end;obs", "d"),
    ]
    dates = {"creation_date": "time.creation", "modification_date": "time.processing", "release_date": "time.release"}
    assert {name: (columns[name].kind, columns[name].ucd) for name in dates} == {
        name: (Kind.TIME, ucd) for name, ucd in dates.items()
    }
    assert (columns["processing_level"].kind, columns["processing_level"].ucd) == (Kind.SHORT, "meta.calibLevel")
    size = columns["access_estsize"]
    assert (size.kind, size.unit, size.ucd) == (Kind.SHORT, "kbyte", "phys.size;meta.file")
    assert EPN_CORE.utype == "ivo://ivoa.net/std/epntap#table-2.0"


@pytest.mark.parametrize("name", MUST_BE_KNOWN.split())
def test_what_must_be_known_is(ask: Any, name: str) -> None:
    assert ask(f"SELECT TOP 1 {name} {TABLE} {name} IS NULL OR {name} = {name} ORDER BY 1")[0][name] is not None
    assert ask(f"SELECT TOP 1 {name} {TABLE} {name} IS NULL") == []


@pytest.mark.parametrize("name", [*PAIRS, "time_"])
def test_both_ends_are_known_or_none_and_in_order(ask: Any, name: str) -> None:
    low, high = f"{name}min", f"{name}max"
    broken = f"({low} IS NULL AND {high} IS NOT NULL) OR ({low} IS NOT NULL AND {high} IS NULL) OR ({low} > {high})"
    assert ask(f"SELECT TOP 1 granule_uid, {low}, {high} {TABLE} {broken}") == []


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("dataproduct_type", {"ci", "im", "sp", "ts"}),
        ("target_class", {"star"}),
        ("spatial_frame_type", {"body", "none"}),
        ("service_title", {"stix"}),
        ("messenger", {"X-ray"}),
        ("time_scale", {"UTC"}),
    ],
)
def test_values_of_the_vocabularies(ask: Any, name: str, values: set[str]) -> None:
    assert {row[name] for row in ask(f"SELECT DISTINCT TOP 30 {name} FROM stix.epn_core")} == values


def test_numbers_are_in_their_ranges(ask: Any) -> None:
    assert ask(f"SELECT granule_uid {TABLE} (NOT processing_level BETWEEN 1 AND 6)") == []
    assert ask(f"SELECT granule_uid {TABLE} c1min < 0 OR c1max > 360 OR c2min < -90 OR c2max > 90") == []
    assert ask(f"SELECT granule_uid {TABLE} spatial_frame_type = 'none' AND c1min IS NOT NULL") == []
    assert ask(f"SELECT granule_uid {TABLE} access_url IS NOT NULL AND "
               "(access_format IS NULL OR access_estsize IS NULL OR access_estsize <= 0)") == []  # fmt: skip
    rows = ask("SELECT granule_uid FROM stix.epn_core")
    assert len({row["granule_uid"] for row in rows}) == len(rows)


def test_rows_are_those_of_the_archive(ask: Any, sky: Any) -> None:
    rows = {row["granule_uid"]: row for row in ask("SELECT * FROM stix.epn_core")}
    flare = next(one for one in sky.flares if one.carrington_lon is not None)
    row = rows[f"flare-{flare.flare_id}"]
    assert row["time_min"] == pytest.approx(Time(flare.t_start).jd, abs=1e-9)
    assert row["time_max"] == pytest.approx(Time(flare.t_end).jd, abs=1e-9)
    assert (row["c1min"], row["c2max"], row["spatial_frame_type"]) == (
        flare.carrington_lon,
        flare.stonyhurst_lat,
        "body",
    )
    assert (row["dataproduct_type"], row["processing_level"], row["sun_distance_min"]) == ("ci", 5, flare.dsun_au)
    assert row["external_link"] == f"https://stix.example/prefix/flare?id={flare.flare_id}"
    image = next(one for one in sky.images if not one.simulated)
    row = rows[f"image-{image.image_id}"]
    assert row["spectral_range_min"] == pytest.approx(image.e_low * 2.417989242e17, rel=1e-9)
    assert row["spectral_range_max"] == pytest.approx(image.e_high * 2.417989242e17, rel=1e-9)
    assert row["time_exp_min"] == (image.t_end - image.t_start) / np.timedelta64(1, "s")
    assert row["access_url"] == f"https://stix.example/prefix/archive/fits/{image.image_id}"
    assert row["access_estsize"] == -(-image.size // 1000)
    assert row["obs_id"] == image.flare_id
    spectrum = sky.spectra[0]
    assert rows[f"spectrum-{spectrum.spectrum_id}"]["time_exp_max"] == spectrum.livetime_s
    (curve,) = (row for row in rows.values() if row["dataproduct_type"] == "ts")
    assert (curve["obs_id"], curve["time_sampling_step_min"]) == ("2022-11-10", 4.0)
    assert not [one for one in rows if one.endswith("2211102001")]  # a simulated flare
    assert len(COLUMNS) == len(row)
