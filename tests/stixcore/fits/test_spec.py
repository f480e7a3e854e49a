"""The description of file layouts holds together and matches the names of real files."""

from __future__ import annotations

import pytest

from stixcore.fits.read import read_header
from stixcore.fits.spec import EPHEMERIS_KEYWORDS, SPECS, ProductKind


@pytest.mark.parametrize("kind", ProductKind)
def test_every_kind_is_described(kind):
    spec = SPECS[kind]
    assert spec.kind is kind
    assert "DATA" in spec.extensions
    assert spec.columns["time"].required


@pytest.mark.parametrize("kind", ProductKind)
def test_a_spelling_means_one_column(kind):
    spellings = [name for column in SPECS[kind].columns.values() for name in column.names]
    assert len(spellings) == len(set(spellings))
    assert all(column.names for column in SPECS[kind].columns.values())


def test_ephemeris_keywords_are_fits_keywords():
    assert len(set(EPHEMERIS_KEYWORDS)) == len(EPHEMERIS_KEYWORDS)
    assert all(len(key) <= 8 and key == key.upper() for key in EPHEMERIS_KEYWORDS)


def test_kind_is_the_product_part_of_released_names(shared_data):
    released = [
        *sorted((shared_data / "nov2022" / "l1").glob("*.fits"))[::10],
        *(shared_data / "formats").glob("solo_L1_stix-sci-xray-[cs]*.fits"),
    ]
    assert len(released) == 9
    for path in released:
        assert f"stix-{read_header(path).kind}_" in path.name
