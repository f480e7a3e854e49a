"""Cells of the flare table: what is unknown is a dash, and never zero."""

from __future__ import annotations

import re
from typing import Any

import pytest

from archive import Flare
from dashboards.pages.flares.columns import (
    FLARE_COLUMNS,
    FlareRow,
    earth_text,
    heliographic_text,
    light_curve_address,
    reasons,
    science_address,
    shifted,
)
from dashboards.shared.light_times import Clock
from dashboards.shared.links import RouteLinks
from tests.dashboards.conftest import FIRST, NOW

BARE = Flare(flare_id="2211100000", t_peak=FIRST, source="detected", updated_at=NOW)


def changed(**changes: Any) -> Flare:
    return Flare(flare_id="2211100000", t_peak=FIRST, source="detected", updated_at=NOW, **changes)


def test_a_flare_of_which_nothing_is_known_has_dashes() -> None:
    cells = {column.field: column.cell(FlareRow(BARE), RouteLinks()) for column in FLARE_COLUMNS}
    known = {"id", "time", "links", "source"}
    for field, cell in cells.items():
        assert field in known or ("–" in cell and "0" not in cell.replace("4–10", "").replace("10–15", "")), cell


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"goes_estimated": "C3", "goes_estimated_low": "B9", "goes_estimated_high": "C5"}, "≈C3 (B9–C5)"),
        ({"goes_estimated": "C3"}, "≈C3"),
        ({"goes_estimated_low": "C3"}, "≥C3"),
        ({}, "–"),
    ],
)
def test_estimated_class(values: dict[str, Any], text: str) -> None:
    column = next(column for column in FLARE_COLUMNS if column.field == "estimated")
    assert re.sub("<[^>]*>", "", column.cell(FlareRow(changed(**values)), RouteLinks())) == text


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("background detector", "the flare alone, while a measured class includes the Sun&#x27;s background"),
        ("counts", 'title="Estimated from the counts"'),
    ],
)
def test_estimated_classes_say_whether_they_are_of_the_flare_alone(data: str, said: str) -> None:
    column = next(column for column in FLARE_COLUMNS if column.field == "estimated")
    assert said in column.cell(FlareRow(changed(goes_estimated="C3", goes_estimated_from=data)), RouteLinks())


FIT = {"temperature": 18.18, "temperature_sigma": 0.42, "spectrum_verdict": "trusted"}


@pytest.mark.parametrize(
    ("field", "values", "text"),
    [
        ("temperature", FIT, "18.18 ± 0.42"),
        ("temperature", {"temperature": 18.18, "spectrum_verdict": "trusted"}, "18.2 error open"),
        ("delta", {"delta": 5.0, "delta_sigma": 501.0, "spectrum_verdict": "trusted"}, "5 error open"),
        ("temperature", FIT | {"spectrum_verdict": "doubtful"}, "18.18 ± 0.42doubtful"),
        ("emission", {"emission_measure": 0.0012, "emission_measure_sigma": 0.0001}, "0.00120 ± 0.00010"),
        ("delta", {"delta": 5.3, "delta_sigma": 0.14}, "5.30 ± 0.14"),
        ("delta", FIT, "–"),
    ],
)
def test_values_of_the_fit_have_their_errors(field: str, values: dict[str, Any], text: str) -> None:
    column = next(column for column in FLARE_COLUMNS if column.field == field)
    assert re.sub("<[^>]*>", "", column.cell(FlareRow(changed(**values)), RouteLinks())) == text
    assert "not for publication" in column.tooltip
    if text == "–":
        assert "not in the fit" in column.cell(FlareRow(changed(**values)), RouteLinks())


def test_positions() -> None:
    place = {"stonyhurst_lon": -34.2, "stonyhurst_lat": -7.6, "heliographic_sigma": 2.14}
    assert heliographic_text(changed(**place)) == "S08 E034 ± 2.1°"
    assert [earth_text(changed(earth_visible=seen)) for seen in (True, False, None)] == ["visible", "behind", "–"]
    assert earth_text(changed(earth_view="limb", earth_visible=True)) == "limb"


def test_reasons_are_a_list_or_none() -> None:
    assert reasons('["It is far."]') == ["It is far."]
    assert reasons(None) == reasons("no JSON") == reasons('"text"') == []


def test_clocks() -> None:
    flare = changed(earth_delay_s=200.5, sun_delay_s=300.0)
    assert str(shifted(FIRST, flare, Clock.EARTH))[11:21] == "00:03:20.5"
    assert str(shifted(FIRST, flare, Clock.SUN))[11:19] == "23:55:00"
    assert shifted(FIRST, BARE, Clock.EARTH) is None


def test_links_lead_to_the_time_of_the_flare() -> None:
    assert light_curve_address(BARE) == f"lightcurves?start={FIRST.astype(int) // 1_000_000 - 600}&span=1200"
    assert light_curve_address(changed(simulated=True)).endswith("&series=simulated")
    assert science_address(BARE) == "science_data?start=2022-11-10T00:00:00&end=2022-11-10T00:00:00"
