"""Three sources with a spectrum each: what is in the files is what the truth says, and fits find it."""

import numpy as np
import pytest

from stixcore.errors import SelectionError
from stixcore.fits.read import read_aspect, read_pixel_data
from stixcore.measure_spectrum import measure_spectrum
from stixcore.simulation.instrument import pixel_response
from stixcore.simulation.sources import Ellipse
from stixcore.simulation.two_footpoints import two_footpoints
from stixcore.spectra.models.thermal import KEV_PER_MK
from stixcore.spectrum_recipe import SpectrumRequest


def measured(flare, **options):
    # the simulated Sun reflects nothing
    request = SpectrumRequest(start=flare.start, end=flare.end, albedo=False, location=(310.0, -220.0), **options)
    return measure_spectrum(request, flare.science, flare.background, [flare.auxiliary])


def within(value, truth, sigmas=2.5):
    """Whether the truth is within an asymmetric error."""
    side = value.sigma_minus if value.value > truth else value.sigma_plus
    return abs(value.value - truth) < sigmas * side


@pytest.mark.parametrize("counts", [1e4, 1e6])
def test_the_files_hold_the_counts_that_were_asked_for(simulated_footpoints, counts):
    flare = simulated_footpoints(counts)
    spectrum = measured(flare, model="none").spectrum
    assert np.append(spectrum.e_low, spectrum.e_high[-1]) == pytest.approx(flare.channel_edges)
    # Poisson noise, and half a count that compression takes from each large number
    error = np.sqrt((spectrum.sigma**2).sum())
    assert spectrum.counts.sum() == pytest.approx(counts, abs=3.0 * error + 4e-3 * counts)
    assert sum(source.counts for source in flare.sources) == pytest.approx(counts)


def test_the_truth_of_the_sources_adds_up_to_the_counts_of_every_channel(simulated_footpoints):
    flare = simulated_footpoints(1e6)
    spectrum = measured(flare, model="none").spectrum
    expected = np.zeros(spectrum.counts.size)
    for source in flare.sources:
        area = pixel_response((source.shape,), flare.pointing)[list(spectrum.detectors), :8].sum()
        expected += area * source.fluence * spectrum.livetime / spectrum.duration
    pulls = (spectrum.counts - expected) / np.hypot(spectrum.sigma, 0.01 * expected)  # edges differ by 0.03 keV
    assert np.abs(pulls).max() < 4.0
    assert np.mean(pulls**2) < 2.0


@pytest.mark.parametrize(
    ("parts", "name", "truth"),
    [((1, 0, 0), "T_keV", 15.0 * KEV_PER_MK), ((0, 1, 0), "delta", 4.0), ((0, 0, 1), "delta", 6.0)],
    ids=["loop", "first footpoint", "second footpoint"],
)
def test_a_fit_of_one_source_finds_its_spectrum(simulated_footpoints, parts, name, truth):
    flare = simulated_footpoints(1e6, parts=parts)
    source = flare.sources[parts.index(1)]
    model = "vth" if name == "T_keV" else "thick2"
    fit = measured(flare, model=model).fit
    assert within(fit.parameters[name], truth)
    assert within(fit.parameters["EM_1e49_cm3" if model == "vth" else "norm_1e35_per_s"], source.norm)
    if model == "thick2":
        assert within(fit.parameters["e_cut_keV"], 18.0)
    assert fit.chi2 < 1.5 * fit.ndof
    assert not [doubt for doubt in fit.doubts if doubt.serious]


def test_a_fit_of_loop_and_footpoint_finds_both(simulated_footpoints):
    flare = simulated_footpoints(1e6, parts=(0.6, 0.4, 0.0))
    fit = measured(flare).fit
    assert fit.model == "vth+thick2"
    truth = {"T_keV": 15.0 * KEV_PER_MK, "delta": 4.0, "e_cut_keV": 18.0} | {
        "EM_1e49_cm3": flare.sources[0].norm,
        "norm_1e35_per_s": flare.sources[1].norm,
    }
    assert {name: within(fit.parameters[name], value) for name, value in truth.items()} == dict.fromkeys(truth, True)


def axes_of(shape):
    return (shape.fwhm_max, shape.fwhm_min) if isinstance(shape, Ellipse) else (shape.fwhm, shape.fwhm)


def test_maps_are_of_unit_flux_and_where_the_sources_are(simulated_footpoints):
    flare = simulated_footpoints(1e4)
    x, y = np.meshgrid(np.arange(250.0, 371.0), np.arange(-280.0, -159.0))
    places = []
    for source in flare.sources:
        picture = source.map(x, y)
        assert picture.sum() == pytest.approx(1.0, abs=1e-3)
        places.append(np.array([(picture * axis).sum() for axis in (x, y)]))
        assert places[-1] == pytest.approx((source.shape.x, source.shape.y), abs=0.05)
        # above half maximum: an ellipse with the FWHM as axes
        major, minor = axes_of(source.shape)
        assert (picture > 0.5 * picture.max()).sum() == pytest.approx(np.pi / 4 * major * minor, rel=0.1)
    assert np.hypot(*(places[2] - places[1])) == pytest.approx(40.0, abs=0.1)


def test_the_same_seed_gives_the_same_files_and_the_aspect_solution_is_that_of_the_truth(tmp_path):
    flares = [two_footpoints(tmp_path / name, 1e4, seed=3) for name in ("a", "b")]
    for name in ("science", "background", "auxiliary"):
        first, second = (getattr(flare, name).read_bytes() for flare in flares)
        assert first == second
    data = read_pixel_data(flares[0].science)
    assert (data.t_start[0], data.t_end[-1]) == (flares[0].start, flares[0].end)
    assert data.header.simulated
    assert read_aspect(flares[0].auxiliary).sas_ok.all()


@pytest.mark.parametrize(("counts", "parts"), [(0.0, (1, 1, 1)), (1e4, (0, 0, 0)), (1e4, (1, -1, 1))])
def test_impossible_counts_are_refused(tmp_path, counts, parts):
    with pytest.raises(SelectionError, match="positive counts"):
        two_footpoints(tmp_path, counts, parts=parts)
