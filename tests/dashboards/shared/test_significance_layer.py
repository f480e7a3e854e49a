"""Significance in the dialog: contours where the image reaches them, a map in its place, or why there is none."""

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from bokeh.plotting import figure

from archive import Archive
from dashboards.shared.detail import ImageDetail, load_detail
from dashboards.shared.dialog_layers import CONTOURS, MAP, OFF, DialogLayers
from dashboards.shared.image_detail import picture_html
from dashboards.shared.links import RouteLinks
from dashboards.shared.significance_choice import SignificanceChoice
from dashboards.shared.significance_layer import (
    CHOICES,
    NONE,
    draw_significance,
    significance_html,
    significance_svg,
    with_significance,
)
from stixcore.image_files.significance import Significance


@pytest.fixture(scope="module")
def details(imaged: Archive) -> dict[str, ImageDetail]:
    """An opened image of each method."""
    return {image.method: load_detail(imaged, image.image_id) for image in imaged.images()}


@pytest.fixture(scope="module")
def hill(details: dict[str, ImageDetail]) -> ImageDetail:
    """A round source of 8 σ in the middle of the map, 3 σ at 20 pixels."""
    file = details["clean"].file
    assert file is not None
    rows, columns = np.indices(file.pixels.shape)
    middle = (np.array(file.pixels.shape) - 1) / 2
    away = np.hypot(rows - middle[0], columns - middle[1])
    return replace(details["clean"], significance=Significance(8.0 - away / 4.0, "σ is a test.", from_ensemble=False))


def test_images_have_significance_or_a_reason(details: dict[str, ImageDetail]) -> None:
    for method, detail in details.items():
        has = method in ("bp", "clean", "ms_clean")
        assert (detail.significance is not None) == has, method
        assert (detail.no_significance == "") == has, method


def test_contours_are_at_their_levels(hill: ImageDetail) -> None:
    lines = re.findall(r'class="sigma" stroke-dasharray="([\w ]+)" points="([^"]+)"', significance_svg(hill, CONTOURS))
    assert [dash for dash, _ in lines] == ["2 4", "7 4"]  # 10 σ is not reached
    file = hill.file
    assert file is not None
    for (_, points), pixels in zip(lines, (20.0, 12.0), strict=True):
        places = np.array([[float(value) for value in point.split(",")] for point in points.split()])
        radius = np.hypot(*(places - 500.0).T) / 1000.0 * file.pixels.shape[1]
        np.testing.assert_allclose(radius, pixels, atol=0.3)
    assert significance_svg(hill, OFF) == ""


def test_the_live_figure_has_the_same_contours(hill: ImageDetail) -> None:
    plot: Any = figure()
    draw_significance(plot, hill, OFF)
    assert not plot.renderers
    draw_significance(plot, hill, CONTOURS)
    assert [len(one.data_source.data["xs"]) for one in plot.renderers] == [1, 1, 0]


def test_a_map_has_its_unit_and_its_own_scale(hill: ImageDetail) -> None:
    assert with_significance(hill, CONTOURS) is hill
    html = picture_html(with_significance(hill, MAP), RouteLinks())
    assert '<div class="unit">σ</div>' in html
    assert 'alt="CLEAN significance, ' in html
    bar = re.search(r'<div class="bar">(.*?)</div>', html)
    assert bar is not None
    assert re.findall(r">(\d+)</b>", bar[1]) == ["0", "2", "4", "6", "8"]


def test_the_legend_says_what_sigma_is(hill: ImageDetail, details: dict[str, ImageDetail]) -> None:
    legend = significance_html(hill, CONTOURS)
    for text in ("at most 8", "σ is a test.", "3, 5 and 10 σ"):
        assert text in legend
    assert significance_html(hill, OFF) == significance_html(details["em"], OFF) == ""
    assert "No significance: EM images have no noise" in significance_html(details["em"], MAP)
    assert significance_svg(details["em"], MAP) == ""
    assert with_significance(details["em"], MAP) is details["em"]


def test_a_choice_is_kept_over_images_without_significance(hill: ImageDetail, details: dict[str, ImageDetail]) -> None:
    layers, changes = DialogLayers(), []
    choice = SignificanceChoice(layers, lambda: changes.append(layers.significance))
    choice.show(hill)
    choice.widget.value = CONTOURS
    assert (layers.significance, changes) == (CONTOURS, [CONTOURS])
    choice.show(details["em"])
    assert (choice.widget.disabled, choice.widget.options, choice.widget.value) == (True, NONE, OFF)
    assert layers.significance == CONTOURS
    assert "No significance" in choice.legend.object
    choice.show(hill)
    assert (choice.widget.disabled, choice.widget.options, choice.widget.value) == (False, CHOICES, CONTOURS)
    layers.reset_layers()
    assert (choice.widget.value, choice.legend.object) == (OFF, "")
