"""The pointing of a recipe is the mean over the time range that was asked for, as in the ground software."""

import numpy as np

from stixcore.calibration.pointing import pointing_at
from stixcore.fits.read import read_aspect, read_pixel_data
from stixcore.fits.windows import WindowRule
from stixcore.options import ImageRequest
from stixcore.reconstruct import prepare_recipe


def test_the_range_counts_and_not_its_bins(shared_data):
    """A file during which the spacecraft turned: the two means are 13.5″ apart."""
    science = next((shared_data / "found").glob("*_2211141346-*.fits"))
    aspect = next((shared_data / "found").glob("*aux-ephemeris_20221114_*.fits"))
    data, records = read_pixel_data(science), read_aspect(aspect)
    middle = data.t_start[0] + (data.t_end[-1] - data.t_start[0]) // 2
    start, end = ((middle + np.timedelta64(30 * side, "s")).astype("datetime64[ms]") for side in (-1, 1))
    request = ImageRequest(start, end, (6.0, 10.0), location=(0.0, 0.0), window_rule=WindowRule.OUTWARD)
    found = prepare_recipe(request, science, None, [aspect]).pointing
    expected = pointing_at(records, start, end)
    assert (found.x, found.y) == (expected.x, expected.y)
    bins = data.time_bins(start, end, WindowRule.OUTWARD)
    other = pointing_at(records, data.t_start[bins][0], data.t_end[bins][-1])
    assert np.hypot(found.x - other.x, found.y - other.y) > 13.0
