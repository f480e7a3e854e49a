"""Spectra of regions: what must hold for every division, and the M1.2 flare of 2022-11-11."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from stixcore.errors import ReconstructionError, SelectionError
from stixcore.imaging.methods import default_methods
from stixcore.imaging.reconstruction import Method
from stixcore.imaging_spectroscopy.measure_regions import measure_regions
from stixcore.imaging_spectroscopy.prepare_regions import prepare_region_recipe, region_recipe
from stixcore.imaging_spectroscopy.region_recipe import RegionRecipe
from stixcore.options import ImageRequest
from stixcore.spectra.regions import Circle, Contour, Polygon
from stixcore.spectrum_recipe import SpectrumRequest

START, END = (np.datetime64(f"2022-11-11T11:{minute}:00", "us") for minute in (36, 37))
CENTER = (823.158, 147.763)
SIDE = 65 * 2.0
WHOLE_MAP = Polygon(
    "map",
    tuple((CENTER[0] + x * SIDE / 2, CENTER[1] + y * SIDE / 2) for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1))),
)


@pytest.fixture(scope="module")
def files(shared_data):
    """Science, background and auxiliary file."""
    l1 = shared_data / "nov2022" / "l1"
    (science,), (background,) = l1.glob("*_2211116471-*"), l1.glob("*_2211098157-*")
    (aspect,) = (shared_data / "nov2022" / "aux").glob("*_20221111_*")
    return science, background, (aspect,)


def request_for(method=Method.CLEAN, energy=(6.0, 11.0), copies=3):
    return ImageRequest(
        start=START,
        end=END,
        energy=energy,
        methods={method: default_methods()[method]},
        shape=(65, 65),
        pixel=2.0,
        location=CENTER,
        ensemble=copies,
    )


def measured(files, regions, *, model="vth", **options):
    recipe, locate = prepare_region_recipe(
        request_for(**options), regions, *files, request=SpectrumRequest(start=START, end=END, model=model)
    )
    return measure_regions(recipe, locate)


@pytest.fixture(scope="module")
def two_parts(files):
    """A contour around the brightest source."""
    return measured(files, [Contour("bright", 0.5)])


def test_regions_and_outside_add_up_to_the_whole(two_parts):
    whole, imaged = two_parts.whole.spectrum, two_parts.imaged
    parts = [*two_parts.regions, two_parts.outside]
    total = sum(part.spectrum.counts for part in parts)
    np.testing.assert_allclose(total[imaged], whole.counts[imaged], rtol=1e-12)
    np.testing.assert_allclose(sum(part.fraction for part in parts)[imaged], 1.0, rtol=1e-12)
    assert np.isnan(total[~imaged]).all()
    np.testing.assert_array_equal(imaged, (whole.e_low >= 6) & (whole.e_high <= 11))
    assert all(bool(reason) != image for reason, image in zip(two_parts.reasons, imaged, strict=True))
    assert two_parts.images.shape == (imaged.sum(), 65, 65)
    assert sum(part.area for part in parts) == pytest.approx(65 * 65 * 4.0)


def test_a_region_with_the_whole_map_has_the_spectrum_of_the_flare(files, two_parts):
    (region,) = measured(files, [WHOLE_MAP]).regions
    whole, imaged = two_parts.whole.spectrum, two_parts.imaged
    np.testing.assert_allclose(region.spectrum.counts[imaged], whole.counts[imaged], rtol=1e-12)
    np.testing.assert_allclose(region.spectrum.sigma[imaged], whole.sigma[imaged], rtol=1e-12)
    assert region.spectrum.background[imaged] == pytest.approx(whole.background[imaged])


def test_the_error_is_that_of_counts_and_fraction(two_parts):
    region, whole, imaged = two_parts.regions[0], two_parts.whole.spectrum, two_parts.imaged
    parts = (region.fraction * whole.sigma) ** 2, (whole.counts * region.fraction_sigma) ** 2
    np.testing.assert_allclose(region.spectrum.sigma[imaged] ** 2, sum(parts)[imaged], rtol=1e-9)


def test_the_fit_has_the_imaged_channels(two_parts):
    fit = two_parts.regions[0].fit
    np.testing.assert_array_equal(fit.energy.used, two_parts.imaged)
    assert (fit.energy.low, fit.energy.high) == (6, 11)
    assert two_parts.outside.fit is None


def test_the_order_of_regions_does_not_matter(files):
    one, other = Circle("one", CENTER[0] - 20, CENTER[1], 18.0), Circle("other", CENTER[0] + 20, CENTER[1], 18.0)
    first, second = (measured(files, order, energy=(6.0, 8.0)) for order in ([one, other], [other, one]))
    for region in first.regions:
        (same,) = (each for each in second.regions if each.name == region.name)
        np.testing.assert_array_equal(region.spectrum.counts, same.spectrum.counts)
        np.testing.assert_array_equal(region.fraction_sigma, same.fraction_sigma)


def test_sources_of_a_forward_fit_have_nothing_outside(files):
    places = [Circle("west", CENTER[0] + 5, CENTER[1], 10.0), Circle("east", CENTER[0] - 20, CENTER[1] + 10, 10.0)]
    found = measured(files, places, method=Method.VIS_FWDFIT, copies=0)
    assert found.outside is None
    total = sum(region.fraction for region in found.regions)
    np.testing.assert_allclose(total[found.imaged], 1.0, rtol=1e-12)
    assert found.regions[0].area == pytest.approx(np.pi * 100.0)


def test_sources_that_overlap_or_do_not_fit_are_named(files):
    one, other = Circle("one", CENTER[0], CENTER[1], 10.0), Circle("other", CENTER[0] + 15, CENTER[1], 10.0)
    found = measured(files, [one, other], method=Method.VIS_FWDFIT, copies=0)
    assert any("'one' and 'other' overlap at half maximum" in doubt for doubt in found.doubts)
    apart = measured(files, [one, replace(other, x=CENTER[0] + 60)], method=Method.VIS_FWDFIT, copies=0)
    assert not any("overlap" in doubt for doubt in apart.doubts)
    assert any("do not describe the visibilities in 5 of 5 channels" in doubt for doubt in apart.doubts)


def test_what_cannot_be_told_is_said(files):
    """One channel is too few for a fit; a small region is not resolved; errors need copies."""
    tiny = Circle("tiny", *CENTER, 4.0)
    found = measured(files, [tiny], energy=(10.0, 11.0), copies=0)
    (region,) = found.regions
    assert region.fit is None
    assert region.no_fit == "1 channel between 10 and 11 keV could be imaged, a fit needs 4"
    assert any("below the resolution of 14.6 arcsec" in doubt for doubt in region.doubts)
    assert any("simulated copies" in doubt for doubt in found.doubts)


def test_channels_with_few_counts_are_not_imaged(files, two_parts):
    counts = two_parts.whole.spectrum.counts[two_parts.imaged]
    recipe, locate = prepare_region_recipe(
        request_for(copies=0), [WHOLE_MAP], *files, least_counts=float(np.median(counts))
    )
    found = measure_regions(recipe, locate)
    assert 0 < found.imaged.sum() < two_parts.imaged.sum()
    assert any("counts above background, fewer than" in reason for reason in found.reasons)


@pytest.mark.parametrize("method", [Method.CLEAN, Method.VIS_FWDFIT])
def test_without_any_image_there_is_no_result(files, method):
    region = Circle("a", *CENTER, 20.0)
    recipe, locate = prepare_region_recipe(request_for(method), [region], *files, least_counts=1e30)
    with pytest.raises(ReconstructionError, match=r"no channel between 6 and 11 keV .* 6-7 keV: .* fewer than 1e\+30"):
        measure_regions(recipe, locate)


def test_equal_sources_are_refused(files):
    twins = [Circle("one", *CENTER, 10.0), Circle("two", *CENTER, 10.0)]
    with pytest.raises(ReconstructionError, match="the visibilities do not tell the sources apart"):
        measured(files, twins, method=Method.VIS_FWDFIT)


@pytest.mark.parametrize("place", [(CENTER[0] + 65.1, CENTER[1]), (CENTER[0], CENTER[1] - 65.1), (1e300, 0.0)])
def test_a_source_outside_the_map_is_refused(files, place):
    with pytest.raises(SelectionError, match=r"region 'away': its centre \(.*\) is outside the map"):
        prepare_region_recipe(request_for(Method.VIS_FWDFIT), [Circle("away", *place, 10.0)], *files)


def test_copies_are_not_kept_in_memory(files):
    """Images of 1000 copies would need gigabytes."""

    def peak(copies):
        recipe, locate = prepare_region_recipe(
            request_for(energy=(6.0, 7.0), copies=copies), [WHOLE_MAP], *files,
            request=SpectrumRequest(start=START, end=END, model="none"),
        )  # fmt: skip
        tracemalloc.start()
        measure_regions(recipe, locate)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    assert peak(60) - peak(2) < 10 * 65 * 65 * 8


def test_a_recipe_of_an_image_gives_one_of_its_regions(files):
    recipe, locate = prepare_region_recipe(request_for(copies=0), [WHOLE_MAP], *files)
    again = region_recipe(recipe.images, [WHOLE_MAP], locate=locate, energy=(6.0, 11.0), copies=0)
    assert again == recipe
    assert RegionRecipe.from_json(recipe.to_json()).region_id == recipe.region_id
    with pytest.raises(SelectionError, match="method must be one of"):
        region_recipe(recipe.images, [WHOLE_MAP], locate=locate, method=Method.BP)


def test_a_recipe_of_another_revision_is_refused(files):
    recipe, locate = prepare_region_recipe(request_for(), [WHOLE_MAP], *files)
    with pytest.raises(SelectionError, match="has revision 99"):
        measure_regions(replace(recipe, revision=99), locate)
