"""Which sources the images of a set have in common: of two equal ones, methods may name either as the brightest."""

import numpy as np
import pytest

from stixcore.imaging.agreement import SourceComparison, strong_sources
from stixcore.imaging.grid import ImageGrid
from stixcore.imaging.metrics import FWHM_PER_SIGMA
from stixcore.imaging.reconstruction import Method, Reconstruction
from stixcore.imaging.trust import THRESHOLDS

GRID = ImageGrid((129, 129), 2.0, (300.0, 200.0))
PIXELS = Method.CLEAN, Method.MS_CLEAN, Method.EM, Method.MEM_GE
#: Two footpoints, 40″ apart.
EAST, WEST = (280.0, 200.0), (320.0, 200.0)
LIMIT = THRESHOLDS.disagreement


def picture(method, *sources, fwhm=12.0):
    """An image with circles (place, brightness)."""
    x, y = np.meshgrid(GRID.x + GRID.center[0], GRID.y + GRID.center[1])
    sigma = fwhm / FWHM_PER_SIGMA
    circles = (height * np.exp(-0.5 * ((x - at[0]) ** 2 + (y - at[1]) ** 2) / sigma**2) for at, height in sources)
    return Reconstruction(method, GRID, sum(circles))


def fit(*sources):
    """A forward fit of circles (place, flux, fwhm)."""
    total = sum(picture(Method.VIS_FWDFIT, (at, flux / width**2), fwhm=width).image for at, flux, width in sources)
    fitted = tuple({"x": at[0], "y": at[1], "flux": flux, "fwhm": width} for at, flux, width in sources)
    return Reconstruction(Method.VIS_FWDFIT, GRID, total, sources=fitted)


def compare(images):
    return SourceComparison.of({image.method: image for image in images})


def set_of(changed, *sources):
    """Images of all methods with the same sources, but for one."""
    same = [picture(method, *sources) for method in PIXELS if method is not changed.method]
    return compare([*same, changed])


@pytest.mark.parametrize("ratio", [1.0, 0.9, 0.7])
def test_of_two_footpoints_a_method_may_have_the_other_as_the_brightest(ratio):
    compared = set_of(picture(Method.EM, (EAST, 0.99 * ratio), (WEST, 1.0)), (EAST, 1.0), (WEST, 0.99 * ratio))
    assert compared.distance(Method.EM) == pytest.approx(40.0, abs=0.5)
    assert compared.is_one_of_several(Method.EM)


@pytest.mark.parametrize("ratio", [0.4, 0.0])
def test_a_source_that_is_faint_in_the_others_is_another_place(ratio):
    compared = set_of(picture(Method.EM, (EAST, 0.9), (WEST, 1.0)), (EAST, 1.0), (WEST, ratio))
    assert not compared.is_one_of_several(Method.EM)


def test_a_method_without_the_source_of_the_others_is_elsewhere():
    compared = set_of(picture(Method.EM, (EAST, 0.4), (WEST, 1.0)), (EAST, 1.0), (WEST, 0.9))
    assert not compared.is_one_of_several(Method.EM)


def test_a_side_lobe_of_two_of_five_methods_is_another_place():
    lobed = [picture(method, (EAST, 0.9), (WEST, 1.0)) for method in (Method.EM, Method.MEM_GE)]
    plain = [picture(method, (EAST, 1.0)) for method in (Method.CLEAN, Method.MS_CLEAN)]
    compared = compare([*lobed, *plain, fit((EAST, 1.0, 12.0))])
    assert not any(compared.is_one_of_several(image.method) for image in lobed)


def test_noise_shows_nothing():
    """It has a peak near every place."""
    places = [(230.0 + 35.0 * i, 130.0 + 35.0 * j) for i in range(5) for j in range(5)]
    noise = [picture(method, *((at, 1.0) for at in places)) for method in PIXELS[:3]]
    assert [strong_sources(image) for image in noise] == [()] * 3
    compared = compare([*noise, picture(Method.MEM_GE, (places[3], 1.0)), fit((places[20], 1.0, 12.0))])
    assert not any(compared.is_one_of_several(method) for method in compared.images)


def test_a_wide_fitted_source_is_shown_by_its_flux():
    """In an image of brightness it is faint beside a compact one: 3.3 and 2.5 of 38″ and 13″, flare 2211119603."""
    images = [picture(method, (EAST, 2.5 / 13.0**2), fwhm=13.0) for method in PIXELS]
    wide = [picture(method, (WEST, 3.3 / 36.0**2), fwhm=36.0) for method in PIXELS]
    both = [Reconstruction(one.method, GRID, one.image + two.image) for one, two in zip(images, wide, strict=True)]
    fitted = fit((EAST, 2.5, 13.0), (WEST, 3.3, 36.0))
    assert compare([*both, fitted]).is_one_of_several(Method.VIS_FWDFIT)
    assert not compare([*images, fitted]).is_one_of_several(Method.VIS_FWDFIT)


def test_a_circle_fitted_to_two_sources_lies_between_them():
    double = set_of(fit((EAST, 1.0, 12.0), (WEST, 0.9, 12.0)), (EAST, 1.0), (WEST, 0.9))
    assert double.distance_of(300.0, 200.0, LIMIT) == pytest.approx(0.0, abs=0.1)
    assert double.distance_of(300.0, 220.0, LIMIT) == pytest.approx(20.0, abs=0.6)
    assert double.distance_of(340.0, 200.0, LIMIT) == pytest.approx(20.0, abs=0.6)
    single = set_of(fit((EAST, 1.0, 12.0)), (EAST, 1.0), (WEST, 0.4))
    assert single.distance_of(300.0, 200.0, LIMIT) == pytest.approx(20.0, abs=0.6)
