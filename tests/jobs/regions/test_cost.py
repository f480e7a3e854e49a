"""Spectra of regions that may take too long are refused before they begin."""

import pytest

from jobs.regions.cost import CHANNELS, check_time, image_seconds, regions_seconds
from jobs.regions.in_child import LIMITS
from jobs.shared.errors import LimitReached
from jobs.shared.limits import Limits
from stixcore.imaging.reconstruction import Method
from stixcore.imaging_spectroscopy.region_recipe import COPIES, REGION_METHODS


@pytest.mark.parametrize("method", REGION_METHODS)
def test_the_usual_measurement_is_possible_everywhere(method):
    check_time(method, (129, 129), COPIES, LIMITS.seconds)


@pytest.mark.parametrize("method", REGION_METHODS)
def test_time_grows_with_pixels_and_copies(method):
    assert image_seconds(method, (1024, 1024)) > image_seconds(method, (129, 129))
    assert image_seconds(method, (16, 1024)) == image_seconds(method, (1024, 16))
    alone = CHANNELS * image_seconds(method, (129, 129))
    copies = 1 if method is Method.VIS_FWDFIT else 21
    assert regions_seconds(method, (129, 129), 0) == pytest.approx(alone)
    assert regions_seconds(method, (129, 129), 20) == pytest.approx(copies * alone)


@pytest.mark.parametrize("method", [Method.CLEAN, Method.MEM_GE, Method.EM])
def test_the_largest_request_is_refused_with_what_to_do(method):
    with pytest.raises(LimitReached, match=r"1024 × 1024 pixels with 1000 copies .* choose fewer copies") as refused:
        check_time(method, (1024, 1024), 1000, Limits().request)
    assert "60 minutes are possible" in str(refused.value)
