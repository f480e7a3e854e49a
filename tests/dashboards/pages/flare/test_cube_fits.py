"""Fits against time on the flare page."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np

from archive import Archive
from archive.cubes import Cube
from archive.spectrum_track import SpectrumPoint
from dashboards.pages.flare.content import FlareContent, load_flare
from dashboards.pages.flare.cube import cubes_html
from dashboards.pages.flare.cube_fits import EMISSION, INDEX, TEMPERATURE, fits_html, fits_svg
from dashboards.shared.light_times import Clock
from dashboards.shared.links import RouteLinks
from dashboards.shared.time_window import Window

START = np.datetime64("2022-11-11T12:00:00", "us")
MINUTE = np.timedelta64(60, "s")
WINDOW = Window.between(START, START + 3 * MINUTE)


def fit(minute: int, **values: Any) -> SpectrumPoint:
    point = SpectrumPoint(
        t_start=START + minute * MINUTE,
        t_end=START + (minute + 1) * MINUTE,
        livetime_s=55.0,
        attenuator_in=False,
        counts=25_000.0,
        model="vth+thick2",
        fit_low=4.0,
        fit_high=28.0,
        chi2=14.5,
        ndof=12,
        verdict="trusted",
        temperature=15.0 + minute,
        temperature_minus=0.5,
        temperature_plus=0.7,
        emission_measure=0.02,
        emission_measure_minus=0.01,
        emission_measure_plus=0.015,
        electron_rate=1.5,
        electron_rate_minus=0.2,
        delta=5.0,
        delta_minus=0.3,
        e_cut=18.0,
        e_cut_plus=2.0,
    )
    return replace(point, **values)


THERMAL = dict.fromkeys(("electron_rate", "electron_rate_minus", "delta", "delta_minus", "e_cut", "e_cut_plus"))
POINTS = (
    fit(0),
    fit(1, verdict="doubtful", doubts=("χ² is 3.1 per degree of freedom.", "no background; <b>"), attenuator_in=True),
    fit(2, model="vth", **THERMAL),
)


def text_of(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html)).replace("\u2009", " ")


def tracks_of(svg: str) -> list[dict[str, str]]:
    """Path of every part of each track, by class."""
    found = [part for part in ET.fromstring(svg) if (part.get("class") or "").startswith("track")]
    return [{path.get("class", ""): path.get("d", "") for path in track} for track in found]


def test_temperature_and_emission_measure_share_a_figure() -> None:
    heat, emission = tracks_of(fits_svg(POINTS, (TEMPERATURE, EMISSION), WINDOW, 0.0))
    for track in (heat, emission):
        assert track["mark"].count("z") == 2
        assert track["mark hollow"].count("z") == 1  # the doubtful fit
        assert track["line"].count("L") == 1  # joins the trusted ones
        assert track["bar"].count("V") == 6  # both ends of every error


def test_an_open_side_has_no_bar_and_a_thermal_fit_no_index() -> None:
    (index,) = tracks_of(fits_svg(POINTS, (INDEX,), WINDOW, 0.0))
    assert index["bar"].count("V") == 2  # below only
    assert index["mark"].count("z") + index["mark hollow"].count("z") == 2
    html = fits_html(Cube("cube-1", PurePosixPath(), spectra=POINTS[2:]), WINDOW, 0.0)
    assert html.count("<figure>") == 1
    assert "A purely thermal fit has no electrons" in html


def test_every_mark_is_inside_the_plot_at_its_value() -> None:
    """Also that of a doubtful value far from the others."""
    points = (fit(0), fit(1), fit(2, verdict="doubtful", temperature=40.0))
    (heat,) = tracks_of(fits_svg(points, (TEMPERATURE,), WINDOW, 0.0))
    y = [float(found) for found in re.findall(r"M[\d.]+ ([\d.]+)a", heat["mark"] + heat["mark hollow"])]
    assert y[0] > y[1] > y[2]
    assert y[2] < y[1] - 5 * (y[0] - y[1])


def test_the_table_has_values_with_errors_and_reasons() -> None:
    html = fits_html(Cube("cube-1", PurePosixPath(), spectra=POINTS), WINDOW, 60.0)
    said = text_of(html)
    assert "Automatic fits, not for publication." in said
    assert "Hollow marks are doubtful fits: 1 of 3" in said
    row = "12:01:00 – 12:02:00 15 −0.5 +0.7 0.02 −0.01 +0.015 1.5 −0.2 +open 5 −0.3 +open 18 −open +2"
    assert f"{row} vth+thick2, 4–28 keV, 25 000 counts 14.5 / 12 trusted" in said
    assert "attenuator in 14.5 / 12 doubtful: χ² is 3.1 per degree of freedom. No background; &lt;b&gt;." in said
    assert "17 −0.5 +0.7 0.02 −0.01 +0.015 – – – vth, 4–28 keV" in said


def test_a_second_temperature_is_in_the_table_only() -> None:
    second = {"temperature_2": 31.0, "temperature_2_minus": 2.0, "emission_measure_2": 0.0005}
    points = (POINTS[0], fit(2, model="vth+vth", **THERMAL | second))
    said = text_of(fits_html(Cube("cube-1", PurePosixPath(), spectra=points), WINDOW, 0.0))
    assert "Second temperature [MK]" in said
    assert "17 −0.5 +0.7 0.02 −0.01 +0.015 31 −2 +open 0.0005 −open +open – – – vth+vth" in said
    assert "Of two temperatures the lower one is drawn" in said
    alone = text_of(fits_html(Cube("cube-1", PurePosixPath(), spectra=POINTS), WINDOW, 0.0))
    assert "temperature [MK]" not in alone


def test_fits_are_below_the_tracks_of_a_cube(cubed: Archive, flared: Any) -> None:
    content: FlareContent = load_flare(cubed, flared.flare.flare_id)
    (cube,) = content.cubes
    without = cubes_html(content, RouteLinks(), Clock.SOLAR_ORBITER)
    assert "Temperature" not in without
    assert "spectra_track" not in without
    begin = cube.points[0].t_start
    points = tuple(replace(one, t_start=begin, t_end=begin + MINUTE) for one in POINTS)
    shown = replace(content, cubes=(replace(cube, spectra=points),))
    html = cubes_html(shown, RouteLinks(), Clock.SOLAR_ORBITER)
    assert f'href="archive/cube/{cube.group_id}/spectra_track.parquet"' in html
    assert "tracks and fits (JSON)" in html
    assert html.index("Solar X") < html.index("Temperature [MK]")
    none = replace(content, cubes=(replace(cube, no_spectra="no step has <20000> counts"),))
    said = cubes_html(none, RouteLinks(), Clock.SOLAR_ORBITER)
    assert "No fits of spectra: no step has &lt;20000&gt; counts." in said
