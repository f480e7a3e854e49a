"""Channels that can be imaged, and the reasons why others cannot."""

from dataclasses import replace

import numpy as np
import pytest

from stixcore.imaging_spectroscopy.channel_pixels import channel_pixels, outside_range
from stixcore.imaging_spectroscopy.prepare_regions import prepare_region_recipe
from stixcore.options import ImageRequest
from stixcore.reconstruct import prepare_data
from stixcore.simulation.two_footpoints import CENTRE
from stixcore.spectra.regions import Circle


@pytest.fixture
def data(simulated_footpoints):
    flare = simulated_footpoints(1e4)
    image = ImageRequest(start=flare.start, end=flare.end, energy=(6.0, 12.0), location=CENTRE)
    regions = [Circle("loop", *CENTRE, 12.0)]
    recipe, locate = prepare_region_recipe(image, regions, flare.science, flare.background, [flare.auxiliary])
    return prepare_data(recipe.images, locate)


def test_counts_decide_about_a_channel(data):
    bright = channel_pixels(data, 6.0, 7.0, 100.0)
    assert bright.reason == ""
    assert (bright.pixels.e_low, bright.pixels.e_high) == (6.0, 7.0)
    # a channel with exactly the counts that are asked for is imaged
    assert channel_pixels(data, 6.0, 7.0, bright.counts).pixels is not None
    faint = channel_pixels(data, 6.0, 7.0, bright.counts + 1.0)
    assert faint.pixels is None
    assert faint.reason == f"{bright.counts:.0f} counts above background, fewer than {bright.counts + 1.0:g}"
    assert (faint.counts, faint.background) == (bright.counts, bright.background)


@pytest.mark.parametrize("channel", [(5.0, 6.0), (12.0, 13.0), (11.0, 13.0), (11.0, np.inf)])
def test_channels_outside_the_energy_range(data, channel):
    found = channel_pixels(data, *channel, 1.0)
    assert found.pixels is None
    assert found.reason == "outside 6-12 keV"
    assert np.isnan(found.counts)


def test_a_channel_that_cannot_be_summed_says_why(data):
    """The file ends at 63 keV."""
    found = channel_pixels(replace(data, energy=(6.0, 84.0)), 76.0, 84.0, 1.0)
    assert found.pixels is None
    assert found.reason.endswith("the energy range 76-84 keV is not inside the file, which covers 4-63 keV")
    assert np.isnan(found.counts)


def test_edges_may_differ_by_rounding():
    assert outside_range((6.0, 12.0), 5.9999, 12.0001) == ""
