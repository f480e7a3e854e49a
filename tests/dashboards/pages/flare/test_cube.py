"""Movie and tracks of a cube on the flare page."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from archive import Archive
from dashboards.pages.flare.content import FlareContent, load_flare
from dashboards.pages.flare.cube import QUANTITIES, Quantity, axis_of, cubes_html, tracks_svg
from dashboards.pages.flare.track_drawing import ValueAxis
from dashboards.shared.light_times import Clock
from dashboards.shared.links import InlineLinks, RouteLinks
from dashboards.shared.time_window import Window

LINKS = RouteLinks()


@pytest.fixture
def content(cubed: Archive, flared: Any) -> FlareContent:
    return load_flare(cubed, flared.flare.flare_id)


def test_a_cube_is_no_image_set_of_the_page(content: FlareContent, flared: Any) -> None:
    assert [image.image_id for image in content.images] == [image.image_id for image in flared.images]
    assert [len(cube.points) for cube in content.cubes] == [6]


def test_movie_and_files_are_those_of_this_archive(content: FlareContent) -> None:
    html = cubes_html(content, LINKS, Clock.SOLAR_ORBITER)
    place = f"archive/cube/{content.cubes[0].group_id}"
    assert f'src="{place}/movie.mp4"' in html
    assert html.count(f'"{place}/poster.png"') == 3  # of the movie, on paper, as a file
    assert f'href="{place}/tracks.parquet"' in html
    assert not re.search(r'(src|href|poster)="(?!archive/)', html)


def test_a_movie_of_several_bands_has_the_whole_width(content: FlareContent) -> None:
    html = cubes_html(content, LINKS, Clock.SOLAR_ORBITER)
    assert 'class="movie several"' in html
    assert "4–10 keV, 16–28 keV: 3 steps in the band with most, and the steps of the other bands" in html
    (cube,) = content.cubes
    assert cube.movie is not None
    one = replace(cube, movie=replace(cube.movie, bands=((4.0, 10.0),)))
    html = cubes_html(replace(content, cubes=(one,)), LINKS, Clock.SOLAR_ORBITER)
    assert 'class="movie"' in html
    assert "4–10 keV: 3 steps of equal counts." in html


def test_a_plain_server_embeds_the_movie(content: FlareContent, cubed: Archive) -> None:
    assert 'src="data:video/mp4;base64,' in cubes_html(content, InlineLinks(cubed), Clock.SOLAR_ORBITER)


def test_without_a_cube_there_is_nothing(content: FlareContent) -> None:
    assert cubes_html(replace(content, cubes=()), LINKS, Clock.SOLAR_ORBITER) == ""


def test_tracks_have_a_mark_and_bars_per_step(content: FlareContent) -> None:
    points = content.cubes[0].points
    window = Window.between(points[0].t_start, points[2].t_end)
    drawing = ET.fromstring(tracks_svg(points, QUANTITIES[0], window, 0.0))
    tracks = [part for part in drawing if (part.get("class") or "").startswith("track")]
    assert [part.get("class") for part in tracks] == ["track t0", "track t1"]
    line, bar, mark = tracks[1]
    assert line.get("d", "").count("L") == 2
    assert bar.get("d", "").count("V") == 3
    assert mark.get("d", "").count("z") == 3
    flux = ET.fromstring(tracks_svg(points, QUANTITIES[3], window, 0.0))
    marks = [part[-1].get("d", "") for part in flux if (part.get("class") or "").startswith("track")]
    assert [text.count("z") for text in marks] == [2, 3]  # one flux is unknown


def test_doubtful_steps_are_hollow_and_no_line_joins_them(content: FlareContent) -> None:
    (cube,) = content.cubes
    points = (*cube.points[:4], replace(cube.points[4], doubts=frozenset({"position"})), cube.points[5])
    window = Window.between(points[0].t_start, points[2].t_end)

    def marks(quantity: Quantity) -> list[tuple[str | None, int]]:
        drawing = ET.fromstring(tracks_svg(points, quantity, window, 0.0))
        track = [part for part in drawing if (part.get("class") or "").startswith("track")][1]
        return [(part.get("class"), len(re.findall("[Lz]", part.get("d", "")))) for part in track]

    assert marks(QUANTITIES[0]) == [("line", 1), ("bar", 0), ("mark", 2), ("mark hollow", 1)]
    assert marks(QUANTITIES[2]) == [("line", 2), ("bar", 0), ("mark", 3)]  # its shape is not doubted
    said = cubes_html(replace(content, cubes=(replace(cube, points=points),)), LINKS, Clock.SOLAR_ORBITER)
    assert "Hollow marks are doubtful: 1 of 6 images have a doubtful value." in said
    assert said.count("<i>doubtful</i>") == 2  # x and y in the table
    assert "Hollow" not in cubes_html(content, LINKS, Clock.SOLAR_ORBITER)


def test_a_huge_error_does_not_flatten_the_track(content: FlareContent) -> None:
    points = [replace(point, x_sigma=0.0) for point in content.cubes[0].points]
    axis = axis_of(points, QUANTITIES[0])
    assert (axis.low, axis.high, axis.log) == (pytest.approx(819.6), pytest.approx(825.4), False)
    axis = axis_of([replace(points[0], x_sigma=5000.0), *points[1:]], QUANTITIES[0])
    assert (axis.low, axis.high) == (pytest.approx(814.2), pytest.approx(825.8))
    assert axis.y(-5000.0) == axis.y(axis.low)  # bars end with the plot
    assert axis_of([replace(points[0], x=None)], QUANTITIES[0]) == ValueAxis(0.0, 1.0)


def test_labels_of_axes() -> None:
    assert ValueAxis(-0.5, 3.1).ticks() == [(0.0, "0"), (1.0, "1"), (2.0, "2"), (3.0, "3")]
    assert [text for _, text in ValueAxis(-2.1, 1.2, log=True).ticks()] == ["0.01", "0.1", "1", "10"]
    assert [text for _, text in ValueAxis(0.2, 1.1, log=True).ticks()] == ["2", "5", "10"]
    assert ValueAxis(0.0, 2.0, log=True).y(10.0) == ValueAxis(0.0, 2.0).y(1.0)


def test_the_table_has_all_values_on_the_chosen_clock(content: FlareContent) -> None:
    said = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", cubes_html(content, LINKS, Clock.EARTH))).replace("\u2009", " ")
    assert "Time [UTC at Earth = Solar Orbiter +183.1 s], 2022-11-10" in said
    assert "4–10 keV 03:04:03 – 03:04:23 820.0 ± 1.5 150.0 ± 2.5 20.0 ± 3.0 1.5 ± 0.25 5 000" in said
    assert "821.0 ± 1.5 149.0 ± 2.5 20.0 – 5 001" in said
