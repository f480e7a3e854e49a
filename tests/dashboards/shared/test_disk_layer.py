"""A full-disk map on a page has the marks of its file, each in its place, and says what they are."""

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from bokeh.plotting import figure

from dashboards.shared.disk_layer import disk_legend, draw_disk_marks
from dashboards.shared.image_map import map_html
from dashboards.shared.sky_figure import sky_ranges
from jobs.imaging.disk_marks import OTHERS, SOURCE
from stixcore.image_files.locator_table import LocatorRegions
from stixcore.image_files.read import ImageFile
from stixcore.imaging.grid import ImageGrid
from stixcore.imaging.location import Candidate

LINE = np.array([[0.0, 0.0], [1040.0, 0.0], [1040.0, 1040.0], [0.0, 0.0]])
REGIONS = LocatorRegions(520.0, 260.0, 100.0, 0.9, ((0.6827, (LINE,)), (0.9545, (2 * LINE, LINE)), (0.9973, ())))


@pytest.fixture
def full_disk() -> ImageFile:
    """Ripples with a source, seen from 0.6 au; 4160″ wide."""
    image = np.random.default_rng(2).normal(size=(128, 128))
    image[64, 64] = 8.0
    header = {"ALG_USED": "full_disk_bp", "RSUN_OBS": 1600.0, "MAPC_HPX": -1040.0, "MAPC_HPY": 520.0}
    others = (Candidate(-1040.0, 500.0, 1.0), Candidate(1900.0, 0.0, 0.75), Candidate(3000.0, 0.0, 0.7))
    return ImageFile(image, ImageGrid((128, 128), 32.5), "ct", header, candidates=others, locator=REGIONS)


def test_marks_are_where_they_belong(full_disk: ImageFile) -> None:
    html = map_html(full_disk, "a map", colors="inferno")
    spans = re.findall(r'<s class="([\w ]+)" style="left:([\d.]+)%;top:([\d.]+)%">(?:<em>([\d.]+)</em>)?', html)
    # the candidate at the location is no other peak, and the last is outside the map
    assert spans == [
        ("others left", "95.67", "50.00", "0.75"),
        ("best", "62.50", "43.75", ""),
        ("source", "25.00", "37.50", ""),
    ]
    lines = re.findall(r'<polyline class="locator" stroke-dasharray="([\w ]+)" points="([^"]+)"', html)
    assert [dash for dash, _ in lines] == ["none", "7 4", "7 4"]
    assert lines[0][1] == "500.0,500.0 750.0,500.0 750.0,250.0 500.0,500.0"
    assert 'class="disk"' in html


def test_the_bar_starts_above_the_ripples(full_disk: ImageFile) -> None:
    html = map_html(full_disk, "a map", colors="inferno")
    first = re.search(r'class="bar">.*?bottom:([\d.]+)%">([\d.]+)<', html)
    assert first is not None
    assert float(first[2]) >= 2.5
    other = map_html(replace(full_disk, header={**full_disk.header, "ALG_USED": "bp"}), "a map", colors="inferno")
    assert re.search(r'class="bar">.*?bottom:0.00%">0<', other)
    assert "locator" not in other
    assert "<s " not in other


@pytest.mark.parametrize(
    ("level", "said"),
    [(0.1, "inside the 68 % region"), (0.99, "inside the 99.7 % region"), (0.999, "outside all regions")],
)
def test_the_legend_says_what_is_drawn(full_disk: ImageFile, level: float, said: str) -> None:
    legend = disk_legend(replace(full_disk, locator=replace(REGIONS, location_level=level)))
    for text in (SOURCE, OTHERS, "1, 2, 3 σ", said, "The scale starts at"):
        assert text in legend
    assert "No regions" not in legend


def test_without_regions_nothing_is_drawn_and_the_reason_is_said(full_disk: ImageFile) -> None:
    bare = replace(full_disk, locator=None)
    assert 'polyline class="locator"' not in map_html(bare, "a map", colors="inferno")
    assert "No regions of the coarse flare locator: this file does not contain them." in disk_legend(bare)
    why = replace(bare, header={**bare.header, "CFL_WHY": "pixels < 8 were read"})
    assert "locator: pixels &lt; 8 were read." in disk_legend(why)
    assert disk_legend(replace(bare, header={**bare.header, "ALG_USED": "clean"})) == ""


def test_the_live_figure_has_the_same_marks(full_disk: ImageFile) -> None:
    x, y = sky_ranges(full_disk.extent)
    plot: Any = figure(x_range=x, y_range=y)
    draw_disk_marks(plot, full_disk)
    data = [(type(one.glyph).__name__, one.data_source.data) for one in plot.renderers]
    assert [name for name, _ in data] == [
        "MultiLine",
        "MultiLine",
        "MultiLine",
        "Scatter",
        "Scatter",
        "Text",
        "Scatter",
    ]
    assert [len(values["xs"]) for _, values in data[:3]] == [1, 2, 0]
    assert [(list(values["x"]), list(values["y"])) for _, values in (data[3], data[6])] == [
        ([520.0], [260.0]),
        ([-1040.0], [520.0]),
    ]
    assert list(data[5][1]["text"]) == ["0.75", "0.70"]
