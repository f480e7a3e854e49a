"""The map of the interactive analysis."""

from dashboards.pages.science_data.analysis import MAP_PIXELS
from dashboards.pages.science_data.map_plot import MapPlot


def test_a_map_fits_the_page_of_a_telephone() -> None:
    # Panel gives every column around it this width at least
    assert MAP_PIXELS < MapPlot(MAP_PIXELS).model.width <= 390 - 2 * 12
