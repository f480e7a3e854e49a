"""The map of the interactive analysis."""

from dashboards.components.map_plot import MapPlot
from dashboards.pages.analysis import MAP_PIXELS


def test_a_map_fits_the_page_of_a_telephone() -> None:
    # Panel gives every column around it this width at least
    assert MAP_PIXELS < MapPlot(MAP_PIXELS).model.width <= 390 - 2 * 12
