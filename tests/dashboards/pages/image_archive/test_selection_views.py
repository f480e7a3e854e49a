"""What stands around a selection: its bar, and the plots whose points lead to images."""

from dataclasses import replace
from typing import Any

import numpy as np
import panel_material_ui as pmui
import pytest
from bokeh.models import ColumnDataSource, Plot, Scatter
from bokeh.models.annotations import Legend, Whisker

from dashboards.pages.image_archive.compare_view import image_titles
from dashboards.pages.image_archive.export_view import ExportActions
from dashboards.pages.image_archive.filters import ImageFilters
from dashboards.pages.image_archive.selection_bar import SelectionBar
from dashboards.pages.image_archive.state import NO_IMAGE_TAB, ImageArchiveState
from dashboards.pages.image_archive.tracks import Measured, TrackPoint
from dashboards.pages.image_archive.tracks_view import tracks_figure
from dashboards.shared.access import GUEST
from dashboards.shared.links import RouteLinks
from dashboards.shared.source import ArchiveSource
from tests.dashboards.pages.components import component, text_of


def nothing() -> None:
    """Do nothing."""


@pytest.mark.parametrize(
    ("selected", "text", "compare", "tracks", "export"),
    [
        (0, "0</b> selected", False, False, False),
        (1, "select 2 to 8", False, True, True),
        (8, "8</b> selected", True, True, True),
        (9, "9</b> selected", False, True, True),
        (301, "limit for tracks: 300", False, False, True),
        (2001, "limit for downloads: 2", False, False, False),
    ],
)
def test_only_what_works_can_be_clicked(selected: int, text: str, compare: bool, tracks: bool, export: bool) -> None:
    actions = ExportActions(tuple, RouteLinks(), lambda: GUEST)
    bar = SelectionBar(nothing, nothing, nothing, nothing, actions)
    bar.show(selected, 61)
    assert text in text_of(bar.widget)
    for label, works in (("Compare", compare), ("Tracks", tracks)):
        button = component(bar.widget, pmui.Button, label=label)
        assert (button.visible and not button.disabled) == works
    assert actions.widget.visible == export
    assert component(bar.widget, pmui.Button, label="Select all 61 matches").visible


def test_a_point_of_a_track_leads_to_its_image(small: Any) -> None:
    opened: list[str] = []
    points = [
        TrackPoint(image, Measured(1.0, 0.1), Measured(2.0), Measured(3.0), Measured(4.0)) for image in small.images[:4]
    ]
    plots = tracks_figure(points, opened.append)
    sources = list(plots.select({"type": ColumnDataSource}))
    source = next(source for source in sources if len(source.data["value"]) == 1)
    source.selected.indices = [0]
    assert len(opened) == 1
    assert opened[0] in {image.image_id for image in small.images[:4]}
    assert source.selected.indices == []  # the same point may be clicked again
    low, high = (np.asarray(sources[0].data[name]) for name in ("lower", "upper"))
    np.testing.assert_allclose(high - low, 2 * np.asarray(sources[0].data["sigma"]))


def row_of(filters: ImageFilters, label: str) -> Any:
    """The row with the field of that label."""
    return next(row for row in filters.widget if any(getattr(one, "label", "") == label for one in row.select()))


def test_fields_that_are_in_use_are_unfolded(small: Any) -> None:
    source = ArchiveSource(small.archive.root)
    folded = ImageFilters(ImageArchiveState(source))
    assert not folded.widget.select(lambda one: getattr(one, "label", "") == "GOES class")  # made when it is unfolded
    component(folded.widget, pmui.Button, label="More").clicks += 1
    assert row_of(folded, "GOES class").visible
    state = ImageArchiveState(source, goes="C1", author="somebody")
    filters = ImageFilters(state)
    assert row_of(filters, "GOES class").visible
    component(filters.widget, pmui.Button, label="Less").clicks += 1
    assert not row_of(filters, "GOES class").visible
    assert component(filters.widget, pmui.Button, label="More (2 in use)").visible
    component(filters.widget, pmui.Button, label="Filter (2 in use)").clicks += 1
    assert "open" in row_of(filters, "From (UTC)").css_classes
    state.tab = NO_IMAGE_TAB
    assert component(filters.widget, pmui.TextInput, label="GOES class").disabled


def test_columns_are_written_into_the_state_only_when_they_differ(small: Any) -> None:
    state = ImageArchiveState(ArchiveSource(small.archive.root), tab="images")
    filters = ImageFilters(state)
    component(filters.widget, pmui.Button, label="More").clicks += 1
    columns = component(filters.widget, pmui.MultiChoice, label="Columns")
    usual = list(columns.value)
    columns.value = [*usual, "recipe"]
    assert "recipe" in state.columns
    columns.value = usual
    assert state.columns == []


def test_doubtful_values_have_hollow_marks(small: Any) -> None:
    image = replace(small.images[0], verdict_position="doubtful", verdict_flux="trusted", verdict_shape="trusted")
    point = TrackPoint(image, Measured(1.0), Measured(2.0), Measured(3.0), Measured(4.0))
    plots = tracks_figure([point], print)
    fills = {one.data["value"][0]: one.data["fill"][0] for one in plots.select({"type": ColumnDataSource})}
    assert fills == {1.0: 0.0, 2.0: 0.0, 3.0: 1.0, 4.0: 1.0}
    assert "fill" in {one.fill_alpha for one in plots.select({"type": Scatter})}


def test_points_without_errors_have_no_bars(small: Any) -> None:
    point = TrackPoint(replace(small.images[0]), Measured(1.0), Measured(2.0), Measured(3.0), Measured())
    (first, *_) = tracks_figure([point], print).select({"type": ColumnDataSource})
    assert np.isnan(first.data["lower"]).all()


def test_error_bars_lie_inside_the_plot_and_are_of_one_colour(small: Any) -> None:
    image = small.images[0]
    points = [
        TrackPoint(image, Measured(900.0, 40.0), Measured(2.0), Measured(3.0), Measured()),
        TrackPoint(image, Measured(955.0, 4.0), Measured(2.0), Measured(3.0), Measured()),
    ]
    plots = list(tracks_figure(points, print).select({"type": Plot}))
    across = next(plot for plot in plots if plot.left[0].axis_label == "Solar X [arcsec]")
    assert (across.y_range.start, across.y_range.end) == (pytest.approx(852.08), pytest.approx(966.92))
    assert all(np.isfinite([plot.y_range.start, plot.y_range.end]).all() for plot in plots)
    bars = list(across.select({"type": Whisker}))
    assert {bar.upper_head.line_color for bar in bars} == {
        bar.line_color for bar in bars
    }  # black on the dark page else


def test_images_that_would_be_called_the_same_can_be_told_apart(small: Any) -> None:
    image = small.images[0]
    doubled = replace(image, recipe_id="f" * 16, image_id=f"{'f' * 16}-{image.method}")
    same, other, hard = image_titles([image, doubled, replace(image, e_low=16.0, e_high=28.0)])
    assert same[0] == other[0]
    assert same[1].endswith(f" {image.recipe_id[:6]}")
    assert other[1].endswith(" ffffff")
    assert hard[0].endswith(" 16–28 keV")
    assert image.recipe_id[:6] not in hard[1]


def test_lines_join_images_of_one_flare_and_one_author(small: Any) -> None:
    """A filter finds many flares; nothing happens between two of them."""
    first = replace(small.images[0], flare_id="2211111136", group_id=None, author="auto")

    def point(minute: int, **changed: Any) -> TrackPoint:
        shift = np.timedelta64(minute, "m")
        image = replace(first, t_start=first.t_start + shift, t_end=first.t_end + shift, **changed)
        return TrackPoint(image, *(Measured(float(minute)) for _ in range(4)))

    points = [
        point(0),
        point(1, author="ada"),
        point(2),
        point(3, author="ada"),
        point(4, flare_id="2211111536"),
        point(5, flare_id="2211111536"),
        point(6, flare_id="2211111936"),
        point(7, flare_id="2211111936", simulated=True),
        point(8, flare_id=None, uid="1"),
        point(9, flare_id=None, uid="2"),
        point(10, group_id="cube-2211111136-1"),
        point(11, group_id="cube-2211111136-1"),
        point(12, group_id="cube-2211111536-1"),
    ]
    plots = list(tracks_figure(points, print).select({"type": Plot}))
    plot = next(plot for plot in plots if plot.left[0].axis_label == "Solar X [arcsec]")
    drawn = {
        str(renderer.glyph.line_dash): [
            None if np.isnan(value) else value for value in renderer.data_source.data["value"]
        ]
        for renderer in plot.renderers
        if type(renderer.glyph).__name__ == "Line"
    }
    assert sorted(drawn.values(), key=lambda values: values[0]) == [
        [0.0, 2.0, None, 4.0, 5.0, None],
        [1.0, 3.0, None],
        [10.0, 11.0, None],
    ]
    assert len(drawn) == 3  # each in a dash of its own
    legend = next(one for one in plot.above if isinstance(one, Legend))
    assert [item.label.value.split(" keV")[1] for item in legend.items] == ["", ", ada", ", cube"]
