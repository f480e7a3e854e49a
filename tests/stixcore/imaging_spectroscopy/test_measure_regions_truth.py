"""Imaging spectroscopy of a simulated flare whose sources are known: a loop of 15 MK, and footpoints of δ = 4 and 6."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from stixcore.imaging.methods import default_methods
from stixcore.imaging.reconstruction import Method
from stixcore.imaging_spectroscopy.measure_regions import MeasuredRegions, measure_regions
from stixcore.imaging_spectroscopy.prepare_regions import prepare_region_recipe
from stixcore.imaging_spectroscopy.region_recipe import RegionRecipe
from stixcore.options import ImageRequest
from stixcore.simulation.two_footpoints import CENTRE, TwoFootpoints
from stixcore.spectra.models.thermal import KEV_PER_MK
from stixcore.spectra.regions import Circle, Ellipse, Region
from stixcore.spectrum_recipe import SpectrumRequest

BANDS = (((20.0, 50.0), 2), ((4.0, 9.0), 1))


def true_sources(flare: TwoFootpoints) -> list[Region]:
    """Sources at half maximum."""
    return [
        Ellipse(one.name, shape.x, shape.y, shape.fwhm_max / 2.0, shape.fwhm_min / 2.0, shape.angle)
        if hasattr(shape := one.shape, "fwhm_max")
        else Circle(one.name, shape.x, shape.y, shape.fwhm / 2.0)
        for one in flare.sources
    ]


def measured(
    flare: TwoFootpoints, regions: list[Region], method: Method = Method.VIS_FWDFIT, copies: int = 0, **options: object
) -> MeasuredRegions:
    image = ImageRequest(
        start=flare.start,
        end=flare.end,
        energy=(4.0, 63.0),
        methods={method: default_methods()[method]},
        shape=(65, 65),
        location=CENTRE,
        ensemble=copies,
    )
    # the simulated Sun reflects nothing
    request = SpectrumRequest(start=flare.start, end=flare.end, albedo=False)
    files = flare.science, flare.background, [flare.auxiliary]
    recipe, locate = prepare_region_recipe(image, regions, *files, request=request, **options)
    return measure_regions(recipe, locate)


def require_truth(found: MeasuredRegions, loop: str, first: str, second: str) -> None:
    """The bars of the project: 1 MK and 0.3."""
    fits = {region.name: region.fit for region in found.regions}
    assert fits[loop].model == "vth"
    assert fits[loop].parameters["T_keV"].value / KEV_PER_MK == pytest.approx(15.0, abs=1.0)
    for name, delta in ((first, 4.0), (second, 6.0)):
        assert "thick2" in fits[name].model
        assert fits[name].parameters["delta"].value == pytest.approx(delta, abs=0.3)
        assert fits[name].parameters["delta"].sigma_plus < 0.5


def test_temperature_and_indices_of_known_sources(simulated_footpoints):
    flare = simulated_footpoints(1e6)
    found = measured(flare, true_sources(flare))
    require_truth(found, *(one.name for one in flare.sources))
    # fractions of the counts that were put in, in every channel with its error
    fluence = np.array([one.fluence for one in flare.sources])
    truth = fluence / fluence.sum(axis=0)
    spectrum = found.whole.spectrum
    places = [int(np.argmin(np.abs(flare.channel_edges - low))) for low in spectrum.e_low[found.imaged]]
    off = [
        (region.fraction[found.imaged] - fraction[places]) / region.fraction_sigma[found.imaged]
        for region, fraction in zip(found.regions, truth, strict=True)
    ]
    assert np.abs(off).max() < 3.5
    assert np.mean(np.abs(off) < 1.0) > 0.6
    # the flux of the sources is that of the counts
    np.testing.assert_allclose(found.scale[found.imaged], 1.0, atol=0.15)


def test_sources_that_are_searched_for(simulated_footpoints):
    """Bands and numbers of sources are enough: shapes are found within 2 arcsec."""
    flare = simulated_footpoints(1e6)
    found = measured(flare, [], sources=BANDS)
    first, second, loop = found.regions
    require_truth(found, loop.name, first.name, second.name)
    for region, true in zip((loop, first, second), flare.sources, strict=True):
        assert np.hypot(region.region.x - true.shape.x, region.region.y - true.shape.y) < 2.0
    assert 2.0 * loop.region.major == pytest.approx(25.0, abs=4.0)
    assert loop.region.position_angle == pytest.approx(30.0, abs=5.0)


@pytest.mark.thorough
@pytest.mark.parametrize("seed", [2, 3, 4])
def test_other_noise(simulated_footpoints, seed):
    first, second, loop = (found := measured(simulated_footpoints(1e6, seed=seed), [], sources=BANDS)).regions
    require_truth(found, loop.name, first.name, second.name)


def test_ten_thousand_counts_say_what_they_cannot_tell(simulated_footpoints):
    flare = simulated_footpoints(1e4)
    found = measured(flare, [], sources=BANDS)
    assert found.imaged.sum() < 4
    assert any("fewer than 1000" in reason for reason in found.reasons)
    for region in found.regions:
        assert region.fit is None
        assert "could be imaged, a fit needs 4" in region.no_fit


def test_footpoints_in_a_clean_map(simulated_footpoints):
    """Circles contain parts of sources, but the harder footpoint is the harder one."""
    flare = simulated_footpoints(1e6)
    circles: list[Region] = [Circle(one.name, one.shape.x, one.shape.y, 10.0) for one in flare.sources[1:]]
    found = measured(flare, circles, Method.CLEAN, copies=6, models={one.name: "thick2" for one in circles})
    first, second = (region.fit.parameters["delta"].value for region in found.regions)
    assert second - first > 1.0
    energies = found.whole.spectrum.e_low
    hard, soft = (energies >= 25) & found.imaged, (energies >= 10) & (energies < 14)
    for channels, harder in ((hard, True), (soft, False)):
        one, other = (float(region.fraction[channels].mean()) for region in found.regions)
        assert (one > 2.0 * other) is harder
    assert (found.regions[0].fraction_sigma[found.imaged] > 0).all()


def fractions_of(arguments: tuple[str, str]) -> list[float]:
    """Fractions of the region of a recipe, for another process."""
    text, folder = arguments
    found = measure_regions(RegionRecipe.from_json(text), lambda reference: Path(folder) / reference.name)
    region = found.regions[0]
    return [*region.fraction[found.imaged].tolist(), *region.fraction_sigma[found.imaged].tolist()]


def test_another_process_gives_the_same_numbers(simulated_footpoints):
    """The recipe goes there as JSON."""
    flare = simulated_footpoints(1e4)
    image = ImageRequest(
        start=flare.start,
        end=flare.end,
        energy=(6.0, 8.0),
        methods={Method.MEM_GE: default_methods()[Method.MEM_GE]},
        shape=(65, 65),
        location=CENTRE,
        ensemble=2,
    )
    files = flare.science, flare.background, [flare.auxiliary]
    request = SpectrumRequest(start=flare.start, end=flare.end, model="none")
    recipe, _ = prepare_region_recipe(image, [Circle("loop", *CENTRE, 12.0)], *files, request=request)
    task = recipe.to_json(), str(flare.science.parent)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert list(pool.map(fractions_of, [task])) == [fractions_of(task)]


def test_behind_the_attenuator_fits_start_at_11_kev(simulated_footpoints):
    flare = simulated_footpoints(1e6, attenuated=True)
    found = measured(flare, true_sources(flare))
    fits = [region.fit for region in found.regions if region.fit is not None]
    assert fits
    for fit in fits:
        assert fit.energy.low >= 11.0
        assert "the attenuator is in" in fit.energy.reason
