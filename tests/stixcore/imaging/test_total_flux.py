"""The total flux from counts: no bias, whatever the shape and however few the counts."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.measures import ready
from benchmarks.scenes import Scene, observe
from stixcore.errors import ReconstructionError, SelectionError
from stixcore.imaging.mem import FluxEstimate, MemGeParameters, estimate_total_flux, mem_ge
from stixcore.imaging.methods import run_method
from stixcore.imaging.reconstruction import Method
from stixcore.imaging.total_flux import counted_flux
from stixcore.reconstruct import default_methods

N_TRIALS = 30


@pytest.mark.parametrize("scene", Scene)
def test_flux_of_the_archive_s_mem_ge_has_no_bias_at_3000_counts(scene):
    """The largest amplitude, taken before, is 25 to 30 % too high here."""
    parameters = default_methods()[Method.MEM_GE]
    ratios = []
    for number in range(N_TRIALS):
        given = observe(scene, 3e3, number)
        ratios.append(run_method(Method.MEM_GE, parameters, ready(given)).total_flux / given.flux)
    # one ratio scatters by 2 %, so that the mean is known to 0.4 %
    assert np.mean(ratios) == pytest.approx(1.0, abs=0.02)


def test_certificate_holds_both_estimates():
    given = observe(Scene.CIRCLE, 1e4, 0)
    result = run_method(Method.MEM_GE, MemGeParameters(flux_estimate=FluxEstimate.COUNTS), ready(given))
    flux = counted_flux(given.pixels, given.vis.labels, flare_xy=given.flare_xy)
    assert result.total_flux == pytest.approx(flux, rel=1e-12)
    assert result.certificate["flux_constraint"] == flux
    assert result.certificate["largest_amplitude"] == given.vis.amplitude.max()


def test_without_a_background_file_the_largest_amplitude_is_taken():
    """The counts would put the whole background into the map."""
    given = observe(Scene.CIRCLE, 1e4, 0)
    unknown = ready(replace(given, pixels=replace(given.pixels, background_name="")))
    result = run_method(Method.MEM_GE, MemGeParameters(flux_estimate=FluxEstimate.COUNTS), unknown)
    assert result.certificate["flux_constraint"] == given.vis.amplitude.max()
    components = run_method(Method.CLEAN, default_methods()[Method.CLEAN], unknown)
    assert "missing_flux" not in components.certificate


def test_detectors_switched_off_are_left_out():
    pixels = observe(Scene.LOOP, 1e5, 0).pixels
    whole = counted_flux(pixels)
    off = pixels.detector_mask.copy()
    off[:16] = False
    rate = np.where(off[:, None], pixels.rate, np.nan)
    assert counted_flux(replace(pixels, detector_mask=off, rate=rate)) == pytest.approx(whole, rel=0.03)
    with pytest.raises(ReconstructionError, match="none of the chosen sub-collimators"):
        counted_flux(replace(pixels, detector_mask=np.zeros(32, dtype=bool)))


def test_no_counts_above_background_is_said():
    pixels = observe(Scene.CIRCLE, 1e4, 0).pixels
    with pytest.raises(ReconstructionError, match="no counts above background"):
        counted_flux(replace(pixels, rate=-np.abs(pixels.rate)))


def test_visibilities_alone_cannot_give_it():
    given = observe(Scene.CIRCLE, 1e4, 0)
    with pytest.raises(SelectionError, match="needs counted_flux"):
        mem_ge(given.vis, given.grid, MemGeParameters(flux_estimate=FluxEstimate.COUNTS))
    with pytest.raises(SelectionError, match="no property of visibilities"):
        estimate_total_flux(given.vis, given.grid, FluxEstimate.COUNTS)
