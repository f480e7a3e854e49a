"""The pointings of an image on its map, and links to a form filled in for another one."""

import re
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from bokeh.plotting import figure

from archive import Archive
from dashboards.pages.flare.state import FlareState
from dashboards.pages.flares.state import FlaresState
from dashboards.pages.image_archive.state import ImageArchiveState
from dashboards.pages.lightcurves.state import LightCurvesState
from dashboards.pages.science_data.file_state import FileView
from dashboards.pages.science_data.imaging_form import GIVEN, SEARCHED, ImagingForm
from dashboards.pages.science_data.prefilled import fill_in
from dashboards.pages.science_data.state import ScienceState
from dashboards.shared.detail import ImageDetail, load_detail
from dashboards.shared.dialog_layers import AS_MADE, DialogLayers
from dashboards.shared.image_detail import picture_html
from dashboards.shared.image_dialog import ImageDialog
from dashboards.shared.links import RouteLinks
from dashboards.shared.pointing_layer import (
    chosen_of,
    circles_svg,
    draw_circles,
    moved_detail,
    new_image_address,
    options_of,
    pointing_html,
)
from dashboards.shared.source import ArchiveSource
from dashboards.shared.steps import Steps
from stixcore.coordinates import Pointing, PointingSource
from stixcore.pointings import pointing_choices
from stixcore.recipe import Location


def opened(archive: Archive, method: str) -> ImageDetail:
    image = next(image for image in archive.images(limit=100) if image.method == method and not image.simulated)
    return load_detail(archive, image.image_id)


@pytest.fixture(scope="module")
def detail(november: Archive) -> ImageDetail:
    return opened(november, "clean")


@pytest.fixture(scope="module")
def disk(november: Archive) -> ImageDetail:
    return opened(november, "full_disk_bp")


def turned(detail: ImageDetail) -> ImageDetail:
    """The image with a given pointing of another roll among its pointings."""
    assert detail.recipe is not None
    made = detail.recipe.pointing
    other = Pointing(PointingSource.MANUAL, made.roll + 3.0, made.x + 10.0, made.y)
    known = [*(choice.pointing for choice in detail.pointings if not choice.used), other]
    return replace(detail, pointings=pointing_choices(detail.recipe, known))


def test_list_of_pointings(detail: ImageDetail) -> None:
    assert options_of(detail.pointings) == {
        "aspect solution (used)": AS_MADE,
        "spacecraft attitude": "spacecraft",
    }
    assert options_of(turned(detail).pointings)["as given (new image)"] == "manual"
    assert chosen_of(detail.pointings, AS_MADE) is None
    assert chosen_of(detail.pointings, "aspect") is None
    assert chosen_of(detail.pointings, "manual") is None


def test_a_shift_moves_the_picture_and_what_was_measured_in_it(disk: ImageDetail) -> None:
    choice = chosen_of(disk.pointings, "spacecraft")
    assert choice is not None
    moved = moved_detail(disk, choice)
    before, after = disk.file, moved.file
    assert before is not None
    assert after is not None
    dx, dy = choice.shift
    assert np.subtract(after.extent, before.extent) == pytest.approx((dx, dx, dy, dy))
    np.testing.assert_array_equal(after.pixels, before.pixels)
    assert after.header["MAPC_HPX"] - before.header["MAPC_HPX"] == pytest.approx(dx)
    assert after.header["MAPC_HPY"] == pytest.approx(choice.place[1], abs=1e-6)
    assert after.header["RSUN_OBS"] == before.header["RSUN_OBS"]  # the Sun stays where it is
    for new, old in zip(after.candidates, before.candidates, strict=True):
        assert (new.x - old.x, new.y - old.y) == pytest.approx((dx, dy))
    assert before.locator is not None
    assert after.locator is not None
    assert after.locator.y - before.locator.y == pytest.approx(dy)
    moved_lines = after.locator.outlines[0][1][0] - before.locator.outlines[0][1][0]
    assert np.abs(moved_lines - choice.shift).max() < 1e-6


def test_files_with_pointings_and_regions_have_links(november: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    full_disk = opened(november, "full_disk_bp")
    recipe_id = full_disk.image.recipe_id
    monkeypatch.setattr("dashboards.shared.links.routes_are_served", lambda: False)
    assert "archive/locator" not in picture_html(full_disk, RouteLinks())  # without routes nobody serves them
    monkeypatch.setattr("dashboards.shared.links.routes_are_served", lambda: True)
    assert f'href="archive/pointing/{recipe_id}.json" download' in pointing_html(full_disk, None)
    for form in ("fits", "json"):
        assert f'href="archive/locator/{recipe_id}.{form}" download' in picture_html(full_disk, RouteLinks())
    assert "archive/locator" not in picture_html(opened(november, "clean"), RouteLinks())


def test_where_a_shift_does_not_suffice_the_picture_stays(detail: ImageDetail) -> None:
    several = turned(detail)
    choice = chosen_of(several.pointings, "manual")
    assert moved_detail(several, choice).file is detail.file
    said = pointing_html(several, choice)
    assert "Not shifted" in said
    assert "the roll changes by 3.00°" in said
    assert "Make a new image with this pointing" in said


def test_sources_of_a_fit_move_too(november: Archive) -> None:
    fit = opened(november, "vis_fwdfit")
    choice = chosen_of(fit.pointings, "spacecraft")
    assert choice is not None
    moved = moved_detail(fit, choice).file
    assert fit.file is not None
    assert moved is not None
    assert moved.sources[0]["x"] - fit.file.sources[0]["x"] == pytest.approx(choice.shift[0])
    assert moved.sources[0]["flux"] == fit.file.sources[0]["flux"]


def test_circles_lie_where_the_pointings_put_the_source(detail: ImageDetail) -> None:
    assert detail.file is not None
    x0, x1, y0, y1 = detail.file.extent
    drawn = circles_svg(detail.pointings, detail.file.extent)
    for choice in detail.pointings:
        found = re.search(
            rf'<circle class="pointing {choice.pointing.source}" cx="([-\d.]+)" cy="([-\d.]+)" r="([\d.]+)"', drawn
        )
        assert found is not None
        across, down, radius = (float(text) / 1000.0 for text in found.groups())
        assert x0 + across * (x1 - x0) == pytest.approx(choice.place[0], abs=0.05)
        assert y1 - down * (y1 - y0) == pytest.approx(choice.place[1], abs=0.05)
        assert radius * (x1 - x0) == pytest.approx(choice.pointing.sigma, abs=0.05)
    assert drawn in picture_html(detail, RouteLinks(), over=drawn)
    plot: Any = figure()
    draw_circles(plot, detail.pointings)
    assert len(plot.renderers) == 2 * len(detail.pointings)


def test_an_error_that_is_unknown_has_no_circle(detail: ImageDetail) -> None:
    several = turned(detail)
    assert detail.file is not None
    assert 'circle class="pointing manual"' not in circles_svg(several.pointings, detail.file.extent)
    assert "error unknown" in pointing_html(several, None)


def test_one_pointing_has_a_circle_and_no_list(detail: ImageDetail) -> None:
    one = replace(detail, pointings=detail.pointings[:1])
    dialog = ImageDialog(RouteLinks(), lambda _: None, lambda _: None)
    dialog.show(one, Steps())
    assert not dialog._pointing.widget.visible
    assert dialog._picture.object.count('circle class="pointing') == 1
    assert "aspect solution: " in dialog._pointing.legend.object
    dialog.show(detail, Steps())
    assert dialog._pointing.widget.visible
    assert dialog._picture.object.count('circle class="pointing') == 2
    assert "spacecraft attitude with the average offset of STIX: " in dialog._pointing.legend.object
    unknown = replace(detail, pointings=())
    dialog.show(unknown, Steps())
    assert dialog._pointing.legend.object == ""


def test_dialog_follows_the_page_and_the_list(detail: ImageDetail, disk: ImageDetail) -> None:
    layers = DialogLayers(pointing="spacecraft")
    dialog = ImageDialog(RouteLinks(), lambda _: None, lambda _: None, layers)
    dialog.show(detail, Steps())
    assert dialog._pointing.widget.value == "spacecraft"
    assert "Shifted by" in dialog._pointing.legend.object
    shifted = dialog._picture.object
    dialog._pointing.widget.value = AS_MADE
    assert layers.pointing == AS_MADE
    assert "Shifted by" not in dialog._pointing.legend.object
    assert dialog._picture.object != shifted
    layers.pointing = "manual"  # which this image does not have
    assert dialog._pointing.widget.value == AS_MADE
    assert "hifted by" not in dialog._pointing.legend.object
    dialog.show(disk, Steps())
    assert layers.pointing == "manual"
    dialog.close()
    assert layers.pointing == AS_MADE


@pytest.mark.parametrize("page", [FlareState, FlaresState, ImageArchiveState, LightCurvesState, ScienceState])
def test_every_page_with_the_dialog_keeps_the_pointing_in_its_address(page: Any, november: Archive) -> None:
    state = page(ArchiveSource(november.root))
    assert state.take_address("?pointing=spacecraft") == []
    assert state.pointing == "spacecraft"
    assert "pointing=spacecraft" in state.address
    assert state.take_address("?pointing=anywhere") == ["Ignored invalid pointing=anywhere in the URL."]


def test_the_link_leads_to_a_form_that_makes_the_image_of_the_shift(detail: ImageDetail, november: Archive) -> None:
    choice = chosen_of(detail.pointings, "spacecraft")
    assert choice is not None
    assert detail.recipe is not None
    address = new_image_address(detail.recipe, choice.pointing)
    page, _, search = address.partition("?")
    assert page == "science_data"
    state = ScienceState(ArchiveSource(november.root))
    assert state.take_address(f"?{search}") == []
    assert (state.uid, state.tab) == (detail.recipe.science.name, "analysis")
    view = FileView(november.locate(state.uid))
    form = ImagingForm(view, ArchiveSource(november.root), november.science_file(state.uid))
    fill_in(state, view, form)
    assert view.problem == ""
    request = form.request(view.box)
    assert request.pointing.source is PointingSource.MANUAL
    assert (request.pointing.x, request.pointing.y) == pytest.approx((choice.pointing.x, choice.pointing.y), abs=1e-3)
    assert request.pointing.roll == pytest.approx(choice.pointing.roll, abs=1e-6)
    assert (request.shape, request.pixel) == (detail.recipe.shape, detail.recipe.pixel)
    assert request.energy_ranges == (detail.recipe.energy_range,)
    assert form.place == SEARCHED
    bins = view.data.time_bins(detail.recipe.t_start, detail.recipe.t_end)
    assert (view.box.start, view.box.end) == (view.data.t_start[bins][0], view.data.t_end[bins][-1])
    given = replace(detail.recipe, location=Location.given(100.5, -200.25))
    asked = parse_qs(urlsplit(new_image_address(given, choice.pointing)).query)
    assert asked["given_location"] == ["100.500,-200.250"]


def test_options_of_the_address_that_the_form_does_not_allow_are_said(november: Archive) -> None:
    state = ScienceState(ArchiveSource(november.root))
    assert state.take_address("?given_pointing=1,2&window=yesterday&map=") == [
        "Ignored invalid window=yesterday in the URL.",
        "Ignored invalid given_pointing=1,2 in the URL.",
    ]
    view = FileView(november.locate("2211116471"))
    form = ImagingForm(view, ArchiveSource(november.root), None)
    state.take_address("?given_location=99999,0")
    fill_in(state, view, form)
    assert view.problem == "the URL has an option that the form does not allow: x=99999"
    assert form.place != GIVEN
    state.take_address("?window=2022-13-11T11:36:00,2022-11-11T11:37:00,6,10")
    fill_in(state, view, form)
    assert "2022-13-11T11:36:00" in view.problem
    state.param.update(uid="2211116471", given_location="1,2")
    state.close_file()
    assert state.given_location == ""
