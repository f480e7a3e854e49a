"""Images of the components of a spectrum: a simulated loop with two footpoints, and real flares."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from scipy.ndimage import gaussian_filter

from stixcore.errors import SelectionError
from stixcore.image_files.components import write_component_image
from stixcore.imaging.clean import CleanParameters, clean
from stixcore.imaging.fourier import FourierOperator
from stixcore.imaging.grid import ImageGrid
from stixcore.imaging.mem import FluxEstimate, MemGeParameters, mem_ge
from stixcore.imaging.methods import default_methods
from stixcore.imaging.metrics import FWHM_PER_SIGMA, measure_source, signal_to_noise
from stixcore.imaging.reconstruction import Method
from stixcore.imaging.total_flux import counted_flux
from stixcore.imaging.trust import THRESHOLDS, Severity, verdict
from stixcore.imaging_spectroscopy.component_images import component_images, component_name, prepare_component_recipe
from stixcore.imaging_spectroscopy.component_recipe import ComponentRecipe
from stixcore.instrument.geometry import IMAGING_LABELS, detector_indices
from stixcore.measure_spectrum import SpectrumRequest
from stixcore.options import ImageRequest
from stixcore.simulation.quick import simulate_pixel_sums
from stixcore.simulation.sources import Circle, Loop
from stixcore.spectra.counts import CountSpectrum, systematic_errors
from stixcore.spectra.fit.recipe import fit_spectrum
from stixcore.spectra.models.bremsstrahlung import ElectronSpectrum
from stixcore.spectra.models.thermal import thermal
from stixcore.spectra.models.thick_target import thick_target
from stixcore.spectra.response import make_response
from stixcore.visibility.components import component_fluxes, component_weights, separate
from stixcore.visibility.form import form_visibilities

# --- a loop of 15 MK with two footpoints ------------------------------------------------------------------------------

EDGES = np.array([5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 20, 22, 25, 28, 32, 36, 40, 45, 50.0])
LOOP = Loop(0.0, 12.0, 34.0, 12.0, 90.0, 80.0)
FEET = Circle(-22.0, -12.0, 12.0), Circle(22.0, -12.0, 12.0)
GRID = ImageGrid((65, 65), 2.0)
DURATION = 60.0


class SimulatedFlare:
    """Counts of a loop and two footpoints in energy channels, with the noise of ``total`` counts."""

    def __init__(self, total, seed=0):
        self.response = make_response(
            EDGES, detectors=tuple(detector_indices(IMAGING_LABELS)), pixels=tuple(range(8)), tailing=False
        )
        photons = self.response.photon_edges
        folded = [
            self.response.fold(flux)
            for flux in (
                thermal(photons, 15.0, 0.1),
                thick_target(photons, 1.2, ElectronSpectrum(4.0, 15.0)),
                thick_target(photons, 2.4, ElectronSpectrum(6.0, 15.0)),
            )
        ]
        self.parts = np.array(folded) * total / np.sum(folded)
        self.rng = np.random.default_rng(seed)
        self.channels = [self._channel(i) for i in range(EDGES.size - 1)]

    def _channel(self, i):
        loop, *feet = self.parts[:, i]
        sources = [replace(LOOP, share=loop)]
        sources += [replace(foot, share=counts) for foot, counts in zip(FEET, feet, strict=True)]
        energy = float(EDGES[i]), float(EDGES[i + 1])
        return simulate_pixel_sums(sources, float(self.parts[:, i].sum()), self.rng, energy=energy, duration=DURATION)

    def fit(self):
        """Fit of the counts of all channels: one thermal and one non-thermal component."""
        index = detector_indices(IMAGING_LABELS)
        counts = np.array([pixels.counts[index].sum() for pixels in self.channels])
        start = self.channels[0].t_start
        spectrum = CountSpectrum(
            e_low=EDGES[:-1],
            e_high=EDGES[1:],
            counts=counts,
            sigma=np.sqrt(np.maximum(counts, 1.0)),
            background=np.zeros(counts.size),
            systematic=systematic_errors(EDGES[:-1], EDGES[1:]),
            livetime=DURATION,
            t_start=start,
            t_end=start + np.timedelta64(60, "s"),
            detectors=self.response.detectors,
            pixels=self.response.pixels,
        )
        return fit_spectrum(spectrum, self.response, distance=1.0, model="vth+thick2", energy=(5.0, 50.0))

    def separated(self, least=1_000.0):
        """Visibilities of the components in flux, and their total fluxes, by the steps of `component_images`."""
        index = detector_indices(IMAGING_LABELS)
        used = [i for i, pixels in enumerate(self.channels) if pixels.counts[index].sum() >= least]
        weights = component_weights(np.array(list(self.fit().components.values()))[:, used])
        vis = [form_visibilities(self.channels[i], systematic=0.0) for i in used]
        flux = np.array([counted_flux(self.channels[i]) for i in used])
        made = separate(np.array([v.vis for v in vis]), np.array([v.sigma for v in vis]), flux, weights)
        fluxes = component_fluxes(flux, np.diff(EDGES)[used], weights)
        scaled = [
            replace(vis[0], vis=f * one, sigma=f * sigma)
            for f, one, sigma in zip(fluxes, made.vis, made.sigma, strict=True)
        ]
        return scaled, fluxes, made, weights


def truth_of(sources, fwhm):
    """The sky convolved with a Gaussian, (65, 65) float of arbitrary scale."""
    x, y = GRID.x[None, :], GRID.y[:, None]
    image = np.zeros(GRID.shape)
    for source in sources:
        if isinstance(source, Loop):
            dx, dy, own = source.circles
            weights = np.exp(-0.5 * (np.arange(dx.size) - (dx.size - 1) / 2.0) ** 2 / 5.0)  # binomial of order 20
        else:
            dx, dy, own, weights = np.zeros(1), np.zeros(1), source.fwhm, np.ones(1)
        sigma = np.hypot(own, fwhm) / FWHM_PER_SIGMA
        for a, b, weight in zip(source.x + dx, source.y + dy, source.share * weights / weights.sum(), strict=True):
            image += weight * np.exp(-0.5 * ((x - a) ** 2 + (y - b) ** 2) / sigma**2) / sigma**2
    return image


def correlation(image, truth):
    return float(np.corrcoef(image.ravel(), truth.ravel())[0, 1])


@pytest.fixture(scope="module")
def bright():
    return SimulatedFlare(1e6)


def footpoints(flare, used):
    counts = flare.parts[1:, : len(used)].sum(axis=1)
    return [replace(foot, share=n) for foot, n in zip(FEET, counts, strict=True)]


def test_a_million_counts_show_the_loop_and_the_footpoints(bright):
    (loop, feet), fluxes, made, weights = bright.separated()
    assert made.condition < 5
    # the footpoints are one component, but the ratio of their fluxes changes with energy
    assert 1.5 < made.reduced_chi2 < 3
    operator = FourierOperator(loop.u, loop.v, GRID)
    beam = CleanParameters().beam_fwhm
    # MEM_GE shows the loop a little wider than it is, the footpoints as they are
    for vis, flux, sources, blur in (
        (loop, fluxes[0], [LOOP], 10.0),
        (feet, fluxes[1], footpoints(bright, weights), 3.0),
    ):
        found = clean(vis, GRID, default_methods()[Method.CLEAN], operator=operator)
        assert correlation(found.image, truth_of(sources, beam)) > 0.95
        parameters = MemGeParameters(flux_estimate=FluxEstimate.COUNTS)
        entropy = mem_ge(vis, GRID, parameters, operator=operator, counted_flux=float(flux))
        assert correlation(entropy.image, truth_of(sources, blur)) > 0.9


def test_the_separated_sources_are_where_they_were_put(bright):
    (loop, feet), *_ = bright.separated()
    operator = FourierOperator(loop.u, loop.v, GRID)
    image = clean(loop, GRID, default_methods()[Method.CLEAN], operator=operator).image
    found = measure_source(image, GRID)
    assert (found.x, found.y) == pytest.approx((LOOP.x, LOOP.y), abs=2.5)
    image = clean(feet, GRID, default_methods()[Method.CLEAN], operator=operator).image
    for foot in FEET:
        side = np.where(np.sign(GRID.x)[None, :] == np.sign(foot.x), image, 0.0)
        one = measure_source(side, GRID)
        assert (one.x, one.y) == pytest.approx((foot.x, foot.y), abs=3.0)


def test_fluxes_of_components_are_those_put_in(bright):
    """To the systematic errors of the spectrum, 3 to 7 %, which decide where the fit puts the low-energy cutoff."""
    _, fluxes, _, weights = bright.separated()
    true = bright.parts[:, : len(weights)]
    share = true[0].sum() / true.sum()
    assert fluxes[0] / fluxes.sum() == pytest.approx(share, abs=0.06)


def test_errors_of_components_hold_the_truth():
    """Noise of counts, channel by channel, in ten simulated flares: the errors hold in 68 of 100 cases."""
    inside = []
    for seed in range(10):
        flare = SimulatedFlare(1e5, seed)
        index = detector_indices(IMAGING_LABELS)
        used = [i for i, pixels in enumerate(flare.channels) if pixels.counts[index].sum() >= 1_000]
        weights = component_weights(np.array([flare.parts[0], flare.parts[1:].sum(axis=0)])[:, used])
        vis = [form_visibilities(flare.channels[i], systematic=0.0) for i in used]
        made = separate(
            np.array([v.vis for v in vis]),
            np.array([v.sigma for v in vis]),
            np.array([counted_flux(flare.channels[i]) for i in used]),
            weights,
        )
        loop = simulate_pixel_sums([LOOP], 1e5, energy=(5.0, 6.0), duration=DURATION)
        true = form_visibilities(loop, systematic=0.0).vis / counted_flux(loop)
        off = (made.vis[0] - true) / np.sqrt(made.covariance[:, 0, 0])
        inside += [*(np.abs(off.real) < 1), *(np.abs(off.imag) < 1)]
    assert np.mean(inside) == pytest.approx(0.683, abs=0.06)


def test_ten_thousand_counts_do_not_show_the_footpoints():
    """Few channels have enough counts, and the noise is as high as the signal: the verdict on images says so."""
    (loop, feet), _, _, weights = SimulatedFlare(1e4).separated()
    assert len(weights) < 8
    assert signal_to_noise(feet.amplitude, feet.sigma) < THRESHOLDS.signal_to_noise
    assert signal_to_noise(loop.amplitude, loop.sigma) > THRESHOLDS.signal_to_noise
    (_, well), *_ = SimulatedFlare(1e5).separated()
    assert signal_to_noise(well.amplitude, well.sigma) > THRESHOLDS.signal_to_noise


# --- real flares ------------------------------------------------------------------------------------------------------

START, END = (np.datetime64(f"2022-11-11T11:{minute}:00", "us") for minute in (36, 37))
METHODS = {method: default_methods()[method] for method in (Method.CLEAN, Method.MEM_GE)}


@pytest.fixture(scope="module")
def files(shared_data):
    """Science, background and auxiliary file."""
    l1 = shared_data / "nov2022" / "l1"
    (science,), (background,) = l1.glob("*_2211116471-*"), l1.glob("*_2211098157-*")
    (aspect,) = (shared_data / "nov2022" / "aux").glob("*_20221111_*")
    return science, background, (aspect,)


def request(start=START, end=END, **more):
    return ImageRequest(**{"start": start, "end": end, "energy": (4.0, 28.0), "methods": METHODS, **more})


def locate(files):
    paths = {path.name: path for path in (files[0], files[1], *files[2])}

    def find(reference) -> Path:
        return paths[reference.name]

    return find


@pytest.fixture(scope="module")
def recipe(files):
    return prepare_component_recipe(request(), SpectrumRequest(start=START, end=END, model="vth+thick2"), *files)


@pytest.fixture(scope="module")
def made(recipe, files):
    return component_images(recipe, locate(files))


def test_recipe_and_its_id_survive_json(recipe):
    again = ComponentRecipe.from_json(recipe.to_json())
    assert again == recipe
    assert again.component_id == recipe.component_id
    assert replace(recipe, least_counts=500).component_id != recipe.component_id
    with pytest.raises(SelectionError, match="not a recipe of component images"):
        ComponentRecipe.from_json(recipe.to_json().replace('"least_counts"', '"most_counts"'))


def test_hot_plasma_and_electrons_of_the_m1_flare(made):
    assert made.verdict == "trusted"
    assert [one.label for one in made.components] == ["vth", "thick2"]
    assert [one.name for one in made.components] == ["thermal", "thick target"]
    assert made.separated.condition < 2
    assert made.channels.energy == (5.0, 28.0)
    assert sum(one.share for one in made.components) == pytest.approx(1.0)
    width = made.channels.width
    band = (made.channels.flux * width).sum() / width.sum()
    assert sum(one.flux for one in made.components) == pytest.approx(band)
    hot, electrons = (measure_source(one.images.images[Method.CLEAN].image, made.recipe.images.grid) for one in
                      made.components)  # fmt: skip
    apart = np.hypot(hot.x - electrons.x, hot.y - electrons.y)
    assert 3 < apart < 20  # arcsec
    for one in made.components:
        image = one.images.images[Method.MEM_GE]
        assert image.total_flux == pytest.approx(one.flux, rel=0.02)
        assert one.images.counts[0] - one.images.counts[1] > 1e4
        assert verdict(one.images.findings, Method.CLEAN).trusted


def test_channels_say_why_they_are_not_used(made):
    channels = made.channels
    assert channels.reasons[0] == "below 5 keV, where the threshold of the detectors cuts in"
    assert all((reason == "") == used for reason, used in zip(channels.reasons, channels.used, strict=True))
    assert (channels.counts[channels.used] >= 1_000).all()
    np.testing.assert_allclose(channels.weights.sum(axis=1), 1.0)
    # in the same pixels, counts and flux are proportional
    ratio = channels.counts[channels.used] / (channels.flux * channels.width)
    np.testing.assert_allclose(ratio, ratio.mean(), rtol=0.03)


def test_channels_left_out_between_others_are_said_and_not_counted(made, recipe, files, tmp_path):
    """15-16 keV has fewer counts than 16-18 keV, which is twice as wide."""
    channels = made.channels
    (narrow,) = np.flatnonzero(channels.e_low == 15.0)
    least = float(np.sqrt(channels.counts[narrow] * channels.counts[narrow + 1]))
    images = replace(recipe.images, methods={Method.CLEAN: METHODS[Method.CLEAN]})
    fewer = component_images(replace(recipe, images=images, least_counts=least), locate(files))
    assert fewer.channels.energy == (5.0, 18.0)
    assert fewer.channels.gaps[-1][1] == 16.0
    assert fewer.channels.gaps_text.endswith("-16 keV")
    assert channels.gaps == ()
    (said,) = (found for found in fewer.findings if found.code == "component_gaps")
    assert f"without {fewer.channels.gaps_text}" in said.text
    counts = sum(one.images.counts[0] - one.images.counts[1] for one in fewer.components)
    assert counts == pytest.approx(fewer.channels.counts[fewer.channels.used].sum(), rel=0.03)
    path = tmp_path / "component.fits"
    write_component_image(path, fewer, fewer.components[0], Method.CLEAN, np.datetime64("2026-12-01T00:00:00", "us"))
    header = fits.getheader(path)
    assert (header["ENERGY_L"], header["ENERGY_H"], header["COMPGAPS"]) == (5.0, 18.0, fewer.channels.gaps_text)
    assert header["COMPKEV"] == pytest.approx(13.0 - sum(high - low for low, high in fewer.channels.gaps))


def test_the_sum_of_the_components_is_the_visibility_of_the_band(made, files):
    """To the accuracy with which the components fit the channels."""
    from stixcore.reconstruct import prepare_data

    data = prepare_data(made.recipe.images, locate(files))
    place = made.recipe.images.location
    band = data.visibilities(data.sum_pixels(made.channels.energy), place.x, place.y)
    total = sum(one.images.vis.vis for one in made.components)
    assert np.sqrt(np.mean(np.abs(total - band.vis) ** 2)) < 0.02 * np.abs(band.vis).max()


def test_the_same_recipe_gives_the_same_pixels(made, recipe, files):
    told = []
    again = component_images(recipe, locate(files), progress=lambda *step: told.append(step))
    for one, other in zip(made.components, again.components, strict=True):
        np.testing.assert_array_equal(one.images.images[Method.CLEAN].image, other.images.images[Method.CLEAN].image)
    assert told == [
        ("vth", Method.CLEAN, 0, 4), ("vth", Method.MEM_GE, 1, 4),
        ("thick2", Method.CLEAN, 2, 4), ("thick2", Method.MEM_GE, 3, 4),
    ]  # fmt: skip


def test_copies_give_errors_of_components(recipe, files):
    images = replace(recipe.images, methods={Method.CLEAN: METHODS[Method.CLEAN]}, ensemble=4, seed=1)
    made = component_images(replace(recipe, images=images), locate(files))
    for one in made.components:
        assert 0 < one.images.ensembles[Method.CLEAN].centroid_x.error < 5


def test_a_single_component_is_refused_with_the_name_of_the_model(recipe, files):
    spectrum = replace(recipe.spectrum, request=replace(recipe.spectrum.request, model="vth"))
    with pytest.raises(SelectionError, match="the model of the spectrum is vth, a single component"):
        component_images(replace(recipe, spectrum=spectrum), locate(files))


def test_a_faint_flare_is_refused_or_doubted(files, shared_data):
    """A flare of class B6: the electrons are not seen."""
    (science,) = (shared_data / "nov2022" / "l1").glob("*_2211096407-*")
    (aspect,) = (shared_data / "nov2022" / "aux").glob("*_20221109_*")
    start, end = (np.datetime64(f"2022-11-09T09:0{minute}:00", "us") for minute in (8, 9))
    faint = science, files[1], (aspect,)
    wanted = SpectrumRequest(start=start, end=end, model="vth+thick2")
    recipe = prepare_component_recipe(request(start, end, energy=(4.0, 15.0)), wanted, *faint, least_counts=100.0)
    made = component_images(recipe, locate(faint))
    assert made.verdict == "doubtful"
    codes = {found.code for found in made.findings if found.severity is Severity.DOUBT}
    assert codes & {"component_weak", "component_fit", "component_condition"}
    with pytest.raises(SelectionError, match="channels with 100000 counts above background"):
        component_images(replace(recipe, least_counts=100_000), locate(faint))


def test_methods_for_counts_are_refused(recipe):
    methods = {Method.EM: default_methods()[Method.EM]}
    with pytest.raises(SelectionError, match=r"component images are made by .*, not by EM"):
        replace(recipe, images=replace(recipe.images, methods=methods))


def test_recipes_of_other_data_do_not_belong_together(recipe):
    later = replace(recipe.spectrum.request, start=START - np.timedelta64(60, "s"))
    with pytest.raises(SelectionError, match="the same time range"):
        replace(recipe, spectrum=replace(recipe.spectrum, request=later))


def test_names_of_components():
    assert component_name("vth") == "thermal"
    assert component_name("vth_2") == "thermal 2"
    assert component_name("thick2") == "thick target"


# --- simulated files --------------------------------------------------------------------------------------------------


def made_from_files(flare, model="vth+thick2"):
    """Component images of a simulated flare, from its files."""
    times = {"start": flare.start, "end": flare.end}
    wanted = ImageRequest(**times, energy=(4.0, 63.0), methods=METHODS)
    paths = {path.name: path for path in (flare.science, flare.background, flare.auxiliary)}
    recipe = prepare_component_recipe(
        wanted, SpectrumRequest(**times, model=model), flare.science, flare.background, (flare.auxiliary,)
    )
    return component_images(recipe, lambda reference: paths[reference.name])


def true_map(flare, sources, made, fwhm):
    """Counts of sources in the band of the images, convolved with a Gaussian, of arbitrary scale."""
    grid, (low, high) = made.recipe.images.grid, made.channels.energy
    x, y = grid.center[0] + grid.x[None, :], grid.center[1] + grid.y[:, None]
    band = (flare.channel_edges[:-1] >= low) & (flare.channel_edges[1:] <= high)
    image = sum(source.fluence[band].sum() * source.map(x, y) for source in sources)
    return gaussian_filter(image, fwhm / FWHM_PER_SIGMA / grid.pixel)


@pytest.mark.parametrize(("counts", "least"), [(1e6, 0.95), (1e5, 0.9)])
def test_files_of_a_bright_flare_give_loop_and_footpoints(simulated_footpoints, counts, least):
    flare = simulated_footpoints(counts)
    made = made_from_files(flare)
    assert made.separated.condition < 2
    beam = CleanParameters().beam_fwhm
    for component, sources in zip(made.components, (flare.sources[:1], flare.sources[1:]), strict=True):
        images = component.images.images
        assert correlation(images[Method.CLEAN].image, true_map(flare, sources, made, beam)) > least
        # the resolution of MEM_GE is the size of the sources
        assert correlation(images[Method.MEM_GE].image, true_map(flare, sources, made, 2.0)) > least
        other = flare.sources[1:] if len(sources) == 1 else flare.sources[:1]
        assert correlation(images[Method.MEM_GE].image, true_map(flare, other, made, 2.0)) < 0.6


def test_chi2_of_the_visibilities_tells_a_wrong_model_from_the_right_one(simulated_footpoints):
    """One thick target for two indices takes flux from the footpoints; with two, flux and χ² are right."""
    flare = simulated_footpoints(1e6)
    wrong, right = made_from_files(flare), made_from_files(flare, "vth+thick2+thick2")
    assert wrong.separated.reduced_chi2 > 2
    assert right.separated.reduced_chi2 == pytest.approx(1.0, abs=0.15)
    assert right.misfit < 0.5 * wrong.misfit
    assert "component_misfit" in {found.code for found in wrong.findings}
    assert right.verdict == "trusted"
    assert right.findings == ()
    fluence = np.array([source.fluence for source in flare.sources])
    low, high = right.channels.energy
    band = (flare.channel_edges[:-1] >= low) & (flare.channel_edges[1:] <= high)
    plasma = fluence[0, band].sum() / fluence[:, band].sum()
    assert right.components[0].share == pytest.approx(plasma, abs=0.03)
    assert wrong.components[0].share > plasma + 0.05


def test_files_of_a_faint_flare_are_doubted(simulated_footpoints):
    made = made_from_files(simulated_footpoints(1e4))
    assert made.verdict == "doubtful"
    codes = {found.code for found in made.findings}
    assert "component_weak" in codes
    electrons = made.components[1].images
    assert not verdict(electrons.findings, Method.CLEAN).trusted
    assert "low_snr" in {found.code for found in electrons.findings}
