"""The last version wins, in whatever order the files came."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive import AuxFile
from archive.ingest.versions import with_successors

DAY = np.datetime64("2022-11-11T00:00", "us")


def aux(name: str, start_h: float = 0, length_h: float = 24, **changes) -> AuxFile:
    start = DAY + np.timedelta64(round(start_h * 3600), "s")
    values = {
        "name": name,
        "product": "asp-ephemeris",
        "level": "L2",
        "version": "01",
        "sha256": "0",
        "size": 1,
        "path": name,
        "t_start": start,
        "t_end": start + np.timedelta64(round(length_h * 3600), "s"),
        "n_records": 1350,
        "has_sas_ok": False,
        "n_sas_ok": 0,
        "ingested_at": DAY,
    }
    return AuxFile(**(values | changes))


def successors(*rows: AuxFile) -> dict[str, str | None]:
    return {row.name: row.superseded_by for row in with_successors(rows)}


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ({"version": "01"}, {"version": "02"}),
        ({"version": "02U"}, {"version": "02"}),
        ({"version": "02U"}, {"version": "01"}),
        ({"version": "09"}, {"level": "ANC", "version": "01"}),
        ({"created": None}, {"created": DAY}),
        ({"created": DAY}, {"created": DAY + np.timedelta64(1, "s")}),
    ],
)
def test_newer_versions_take_over(older, newer) -> None:
    assert successors(aux("a", **newer), aux("z", **older)) == {"a": None, "z": "a"}


def test_a_bin_more_or_less_is_the_same_observation() -> None:
    assert successors(aux("old", 0, 24), aux("new", 0.1, 23.9, version="02"))["old"] == "new"


def test_a_part_does_not_replace_the_whole() -> None:
    rows = aux("day", 0, 24), aux("morning", 0, 11, version="02"), aux("evening", 13, 11, version="02")
    assert set(successors(*rows).values()) == {None}


def test_half_of_an_observation_is_enough() -> None:
    assert successors(aux("day", 0, 24), aux("half", 0, 12, version="02"))["day"] == "half"


def test_a_status_of_a_moment_has_versions_too() -> None:
    assert successors(aux("old", 0, 0), aux("new", 0, 0, version="02"))["old"] == "new"


def test_neighbours_simulations_and_other_products_are_left_alone() -> None:
    rows = [
        aux("today"),
        aux("tomorrow", 24, version="02"),
        aux("simulated", simulated=True, version="02"),
        aux("other product", product="ql-lightcurve", version="02"),
    ]
    assert set(successors(*rows).values()) == {None}


def test_everyone_names_the_newest() -> None:
    rows = [aux(f"v{n}", version=f"{n:02d}") for n in range(1, 5)]
    assert successors(*rows) == {"v1": "v4", "v2": "v4", "v3": "v4", "v4": None}


def test_a_successor_that_is_gone_is_forgotten() -> None:
    assert successors(replace(aux("a"), superseded_by="gone")) == {"a": None}


ROWS = [
    aux(f"{level}-{version}-{start}-{length}", start, length, level=level, version=version)
    for level in ("L2", "ANC")
    for version in ("01", "02U", "02")
    for start, length in ((0, 24), (0, 11), (10, 14))
]


@given(st.permutations(ROWS))
def test_order_does_not_matter(rows: list[AuxFile]) -> None:
    assert successors(*rows) == successors(*ROWS)
