"""The legend of the spectrum names the curves that are drawn."""

import numpy as np
import pytest

from dashboards.pages.science_data.spectrum_plot import SpectrumPlot
from stixcore.spectra import WindowSpectrum


@pytest.mark.parametrize("known", [True, False])
def test_the_legend_names_only_curves_that_are_drawn(known: bool) -> None:
    rate, unknown = np.array([10.0, 5.0]), np.full(2, np.nan)
    background = np.array([1.0, 1.0]) if known else unknown
    e_low, e_high = np.array([4.0, 5.0]), np.array([5.0, 6.0])
    plot = SpectrumPlot()
    plot.show(WindowSpectrum(e_low, e_high, rate, 0.1 * rate, background, 0.1 * background), None)
    shown = [item.label.value for item in plot.model.legend[0].items if item.visible]
    assert shown == (["recorded", "background", "without background"] if known else ["recorded"])
