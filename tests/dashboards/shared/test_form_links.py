"""Links from an image to forms lead to forms that are filled in as the image was made."""

from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest

from archive import Archive, ImageFilter
from dashboards.pages.science_data.file_state import FileView
from dashboards.pages.science_data.imaging_form import GIVEN
from dashboards.pages.science_data.prefilled import fill_in
from dashboards.pages.science_data.prefilled_regions import fill_in_regions
from dashboards.pages.science_data.region_form import RegionForm
from dashboards.pages.science_data.state import ScienceState
from dashboards.shared.detail import load_detail
from dashboards.shared.form_links import filed_regions_address, region_form_address
from dashboards.shared.region_entries import RegionEntry
from dashboards.shared.source import ArchiveSource
from stixcore.coordinates import Pointing, PointingSource
from stixcore.imaging.reconstruction import Method
from stixcore.imaging_spectroscopy.prepare_regions import prepare_region_recipe

pytestmark = pytest.mark.needs_shared_data


def test_regions_have_window_map_place_and_method_of_the_image(november: Archive) -> None:
    (image, *_) = november.images(ImageFilter(uid="2211116471", methods=("mem_ge",)), limit=1)
    recipe = load_detail(november, image.image_id).recipe
    assert recipe is not None
    address = region_form_address(recipe, "mem_ge")
    state = ScienceState(ArchiveSource(november.root))
    assert state.take_address(urlsplit(address).query) == []
    assert (state.uid, state.tab) == (recipe.science.name, "regions")
    view = FileView(november.locate(state.uid))
    form = RegionForm(view, ArchiveSource(november.root), november.science_file(state.uid))
    fill_in(state, view, form)
    fill_in_regions(state, form)
    assert view.problem == ""
    request = form.image_request(view.box)
    assert [*request.methods] == ["mem_ge"]
    assert (request.shape, request.pixel, request.energy) == (recipe.shape, recipe.pixel, (4.0, 28.0))
    assert request.location == pytest.approx((recipe.location.x, recipe.location.y), abs=1e-3)
    bins = view.data.time_bins(recipe.t_start, recipe.t_end)
    assert (view.box.start, view.box.end) == (view.data.t_start[bins][0], view.data.t_end[bins][-1])
    turned = replace(recipe, pointing=Pointing(PointingSource.MANUAL, 3.0, 10.0, -20.0))
    asked = parse_qs(urlsplit(region_form_address(turned, "bp")).query)
    assert asked["given_pointing"] == ["3.000000,10.000,-20.000"]
    assert "method" not in asked
    assert region_form_address(None, "clean") == ""


def test_filed_regions_lead_to_the_form_that_files_them(november: Archive) -> None:
    file = november.science_file("2211116471")
    view, source = FileView(november.locate(file.uid)), ArchiveSource(november.root)
    form = RegionForm(view, source, file, method=Method.VIS_FWDFIT, ensemble=5, least=700.0, model="vth", side=65)
    form.param.update(pixel=3.0, place=GIVEN, x=823.0, y=148.0)
    form.entries = (
        RegionEntry("north & ~ü", "circle", "813.123456, 173.5, 12", "vth+vth"),
        RegionEntry("south", "ellipse", "832, 130, 14, 12, 30"),
    )
    box = view.box = view.snap(*(np.datetime64(f"2022-11-11T11:{m}", "us") for m in (36, 37)), 6, 20)
    background, _ = form.background_path(box)
    recipe, _ = prepare_region_recipe(
        form.image_request(box),
        form.regions,
        view.path,
        background,
        form.aspect_paths(box),
        models=form.models,
        request=form.spectrum_request(box),
        least_counts=form.least,
    )
    state = ScienceState(source)
    assert state.take_address(urlsplit(filed_regions_address(recipe)).query) == []
    again_view = FileView(view.path)
    again = RegionForm(again_view, source, file)
    fill_in(state, again_view, again)
    fill_in_regions(state, again)
    assert again_view.problem == ""
    assert again_view.box == box
    assert again.regions == form.regions
    assert again.background == background.name
    again.background = form.background
    assert again.filed_request(box) == form.filed_request(box)
