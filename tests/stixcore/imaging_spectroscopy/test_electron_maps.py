"""Electron maps: a simulated flare with two footpoints of known electrons, and a real flare."""

from dataclasses import replace

import numpy as np
import pytest

from stixcore.errors import SelectionError
from stixcore.imaging.methods import default_methods
from stixcore.imaging.reconstruction import Method
from stixcore.imaging.trust import Severity, verdict
from stixcore.imaging_spectroscopy.electron_maps import FLUX_UNIT, UNIT, electron_maps, prepare_electron_recipe
from stixcore.imaging_spectroscopy.electron_recipe import ElectronRecipe
from stixcore.measure_spectrum import SpectrumRequest
from stixcore.options import ImageRequest
from stixcore.spectra.electron_response import thick_target_electrons
from stixcore.spectra.models.bremsstrahlung import ElectronSpectrum
from stixcore.spectrum_recipe import NO_MODEL

METHODS = {method: default_methods()[method] for method in (Method.CLEAN, Method.MEM_GE)}
ENERGIES = (15.0, 20.0, 25.0, 30.0, 40.0)


def locate(*files):
    paths = {path.name: path for path in files}
    return lambda reference: paths[reference.name]


def doubts(one):
    return {found.code for found in one.images.findings if found.severity is Severity.DOUBT}


# --- simulated files --------------------------------------------------------------------------------------------------


def made_from_files(flare):
    times = {"start": flare.start, "end": flare.end}
    files = flare.science, flare.background, flare.auxiliary
    recipe = prepare_electron_recipe(
        ImageRequest(**times, energy=(10.0, 63.0), methods=METHODS),
        SpectrumRequest(**times, model="vth+thick2+thick2", albedo=False),  # nothing is reflected in the simulation
        flare.science,
        flare.background,
        (flare.auxiliary,),
        energies=ENERGIES,
    )
    return electron_maps(recipe, locate(*files))


def true_flux(flare, energy):
    """Electron flux of both footpoints."""
    return np.array([
        thick_target_electrons(
            np.array(energy), source.norm, ElectronSpectrum(source.spectrum.delta, source.spectrum.cutoff)
        )
        for source in flare.sources[1:]
    ])  # fmt: skip


def footpoint_flux(flare, one, method):
    """Flux of a map within 18″ of each footpoint; of CLEAN the components."""
    image = one.images.images[method]
    pixels, grid = image.planes.get("components", image.image), image.grid
    x, y = grid.center[0] + grid.x[None, :], grid.center[1] + grid.y[:, None]
    inside = [np.hypot(x - source.shape.x, y - source.shape.y) < 18.0 for source in flare.sources[1:]]
    return np.array([pixels[mask].sum() * grid.pixel_area for mask in inside])


@pytest.fixture(scope="module")
def flare(simulated_footpoints):
    return simulated_footpoints(1e6)


@pytest.fixture(scope="module")
def bright(flare):
    return made_from_files(flare)


def test_electrons_of_the_whole_flare_are_those_that_were_put_in(flare, bright):
    assert bright.verdict == "trusted"
    assert bright.electrons.reduced_chi2 == pytest.approx(1.0, abs=0.15)
    for one in bright.maps[1:]:
        assert one.total == pytest.approx(true_flux(flare, one.energy).sum(), rel=0.1)
        assert abs(one.total - true_flux(flare, one.energy).sum()) < 2.0 * one.total_sigma
        assert doubts(one) == set()


def test_hot_plasma_is_named_where_its_photons_matter(flare, bright):
    """At 15 keV 2 % of the counts are of the loop, and the electron flux is 1.7 times that of the footpoints."""
    assert 0.01 < bright.maps[0].thermal_share < 0.05
    assert doubts(bright.maps[0]) == {"electron_thermal"}
    assert bright.maps[0].total > 1.4 * true_flux(flare, 15.0).sum()
    judged = verdict(bright.maps[0].images.findings, Method.CLEAN)
    assert (judged.word("flux"), judged.word("position")) == ("doubtful", "trusted")


@pytest.mark.parametrize("method", METHODS)
def test_maps_show_how_many_electrons_each_footpoint_has(flare, bright, method):
    found = np.array([footpoint_flux(flare, one, method) for one in bright.maps[1:]])
    truth = np.array([true_flux(flare, one.energy) for one in bright.maps[1:]])
    # a circle of 18″ holds 96 % of the wider footpoint, and images have some flux between the sources
    assert (np.abs(found / truth - 0.92) < 0.22).all()
    ratio, true_ratio = found[:, 0] / found[:, 1], truth[:, 0] / truth[:, 1]
    np.testing.assert_allclose(ratio[1:], true_ratio[1:], rtol=0.15)
    # the indices of the electrons differ by 2, those of thick targets' mean flux too: the second one is steeper
    change = np.log(ratio[-1] / ratio[1]) / np.log(ENERGIES[-1] / ENERGIES[2])
    assert change == pytest.approx(2.0, abs=0.3)


@pytest.mark.parametrize("method", METHODS)
def test_footpoints_with_too_similar_spectra_are_doubted(simulated_footpoints, method):
    """With 100,000 counts the maps smooth the difference of the indices away, by about as much as they say."""
    flare = simulated_footpoints(1e5)
    made = made_from_files(flare)
    found = np.array([footpoint_flux(flare, one, method) for one in made.maps[1:4]])
    change = np.log(found[-1, 0] / found[-1, 1] * found[0, 1] / found[0, 0]) / np.log(ENERGIES[3] / ENERGIES[1])
    assert 1.1 < change < 1.7  # 2 is true
    for one in made.maps[1:]:
        assert change / 2.0 == pytest.approx(one.contrast, abs=0.2)
        assert "electron_contrast" in doubts(one)
    judged = verdict(made.maps[1].images.findings, method)
    assert (judged.word("flux"), judged.word("shape")) == ("doubtful", "doubtful")


def test_few_counts_show_one_map_and_say_so(simulated_footpoints):
    made = made_from_files(simulated_footpoints(1e4))
    assert made.electrons.dof < 1.5
    assert made.verdict == "doubtful"
    assert "electron_energies" in {found.code for found in made.findings}
    for one in made.maps[2:]:
        assert "electron_resolution" in doubts(one)
    assert "electron_range" in doubts(made.maps[-1])


# --- the M1.2 flare of 2022-11-11, photons of 4-28 keV ----------------------------------------------------------------

START, END = np.datetime64("2022-11-11T11:36:00", "us"), np.datetime64("2022-11-11T11:37:00", "us")


@pytest.fixture(scope="module")
def files(shared_data):
    l1 = shared_data / "nov2022" / "l1"
    (science,), (background,) = l1.glob("*_2211116471-*"), l1.glob("*_2211098157-*")
    (aspect,) = (shared_data / "nov2022" / "aux").glob("*_20221111_*")
    return science, background, (aspect,)


@pytest.fixture(scope="module")
def recipe(files):
    images = ImageRequest(start=START, end=END, energy=(4.0, 28.0), methods=METHODS)
    spectrum = SpectrumRequest(start=START, end=END, model="vth+thick2")
    return prepare_electron_recipe(images, spectrum, *files, energies=(12.0, 15.0, 20.0, 30.0))


@pytest.fixture(scope="module")
def made(recipe, files):
    return electron_maps(recipe, locate(files[0], files[1], *files[2]))


def test_electrons_of_the_m1_flare(made):
    assert made.channels.energy == (10.0, 28.0)
    assert made.electrons.n_channels == 11
    assert made.electrons.reduced_chi2 == pytest.approx(1.1, abs=0.2)
    assert made.albedo_angle == pytest.approx(32.9, abs=0.5)
    totals = [one.total for one in made.maps]
    assert totals == sorted(totals, reverse=True)
    # electrons of 20 keV are 15″ north of those of 12 keV, as the electrons in component images
    low, high = (made.maps[k].images.images[Method.MEM_GE].peak for k in (0, 2))
    assert 8 < high[1] - low[1] < 24
    # 2.1 independent energies: spectra of different places come out too similar
    assert [doubts(one) for one in made.maps[:3]] == [{"electron_thermal", "electron_contrast"}] * 3
    assert doubts(made.maps[3]) == {"electron_resolution", "electron_range", "electron_contrast"}
    for one in made.maps:
        image = one.images.images[Method.MEM_GE]
        assert image.unit == UNIT == f"{FLUX_UNIT} arcsec-2"
        assert image.total_flux == pytest.approx(one.total, rel=0.02)
        assert one.images.counts[0] - one.images.counts[1] > 1e4


def test_channels_say_why_they_are_not_used(made):
    reasons = made.channels.reasons
    assert reasons[0] == "below 10 keV, where lines and recombination are not bremsstrahlung"
    assert all((reason == "") == used for reason, used in zip(reasons, made.channels.used, strict=True))


def test_channels_left_out_between_others_are_named(recipe, files):
    # 16-18 keV has more counts than 15-16 keV, because it is wider
    fewer = electron_maps(
        replace(recipe, least_counts=15_000.0, energies=(12.0,)), locate(files[0], files[1], *files[2])
    )
    assert (fewer.channels.energy, fewer.channels.gaps_text) == ((10.0, 18.0), "15-16 keV")
    (said,) = (found for found in fewer.maps[0].images.findings if found.code == "electron_gaps")
    assert "are without 15-16 keV" in said.text
    assert said.severity is Severity.NOTE


def test_the_same_recipe_gives_the_same_pixels_whatever_the_model(made, recipe, files):
    spectrum = replace(recipe.spectrum, request=replace(recipe.spectrum.request, model=NO_MODEL), thermal=None)
    steps = []
    again = electron_maps(
        replace(recipe, spectrum=spectrum),
        locate(files[0], files[1], *files[2]),
        progress=lambda *step: steps.append(step),
    )
    for one, other in zip(made.maps, again.maps, strict=True):
        np.testing.assert_array_equal(one.images.images[Method.CLEAN].image, other.images.images[Method.CLEAN].image)
        assert other.thermal_share is None
    assert steps[:3] == [(12.0, Method.CLEAN, 0, 8), (12.0, Method.MEM_GE, 1, 8), (15.0, Method.CLEAN, 2, 8)]


def test_recipe_and_its_id_survive_json(recipe):
    again = ElectronRecipe.from_json(recipe.to_json())
    assert again == recipe
    assert again.electron_id == recipe.electron_id
    assert replace(recipe, energies=(12.0,)).electron_id != recipe.electron_id
    with pytest.raises(SelectionError, match="not a recipe of electron maps"):
        ElectronRecipe.from_json(recipe.to_json().replace('"energies"', '"energy"'))


def test_impossible_recipes_are_refused(recipe, files):
    for energies in ((), (20.0, 15.0), (2.0,), (20.0, 20.0), (float("nan"),)):
        with pytest.raises(SelectionError, match="ascending electron energies of 4-1000 keV, found"):
            replace(recipe, energies=energies)
    with pytest.raises(SelectionError, match=r"electron maps are made by .*, not by EM"):
        replace(recipe, images=replace(recipe.images, methods={Method.EM: default_methods()[Method.EM]}))
    with pytest.raises(SelectionError, match="least_counts must be positive"):
        replace(recipe, least_counts=0.0)
    with pytest.raises(SelectionError, match="the recipe of electron maps has revision 0, this software"):
        electron_maps(replace(recipe, revision=0), locate())
    with pytest.raises(SelectionError, match=r"electron maps need 4 channels with 1e\+07 counts"):
        electron_maps(replace(recipe, least_counts=1e7), locate(files[0], files[1], *files[2]))
