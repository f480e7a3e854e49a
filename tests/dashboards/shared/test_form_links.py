"""Links from an image to forms lead to forms that are filled in as the image was made."""

from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest

from archive import Archive, ImageFilter
from dashboards.pages.science_data.file_state import FileView
from dashboards.pages.science_data.prefilled import fill_in
from dashboards.pages.science_data.prefilled_regions import fill_in_regions
from dashboards.pages.science_data.region_form import RegionForm
from dashboards.pages.science_data.state import ScienceState
from dashboards.shared.detail import load_detail
from dashboards.shared.form_links import region_form_address
from dashboards.shared.source import ArchiveSource
from stixcore.coordinates import Pointing, PointingSource

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
