"""The same simulated flare with the attenuator out and in."""

import pytest

from stixcore.measure_spectrum import measure_spectrum
from stixcore.spectra.models.thermal import KEV_PER_MK
from stixcore.spectrum_recipe import SpectrumRequest

#: A bright flare, mostly thermal: with the attenuator in, a plasma of 15 MK is known by its counts from 11 keV on.
COUNTS, PARTS = 3e6, (0.97, 0.03, 0.0)


@pytest.fixture(scope="module")
def fits(simulated_footpoints):
    """Flare and fit with the attenuator out and in, by the state."""
    found = {}
    for attenuated in (False, True):
        flare = simulated_footpoints(COUNTS, parts=PARTS, attenuated=attenuated)
        # the simulated Sun reflects nothing
        request = SpectrumRequest(start=flare.start, end=flare.end, albedo=False, location=(310.0, -220.0))
        found[attenuated] = flare, measure_spectrum(request, flare.science, flare.background, [flare.auxiliary])
    return found


def test_the_attenuator_takes_most_counts(fits):
    out, behind = (fits[state][1].spectrum.counts.sum() for state in (False, True))
    assert behind < 0.02 * out
    assert (fits[False][1].spectrum.rcr, fits[True][1].spectrum.rcr) == (0, 1)
    assert (fits[False][1].response.attenuator, fits[True][1].response.attenuator) == (False, True)


def test_a_fit_starts_at_11_kev_behind_the_attenuator_and_says_why(fits):
    out, behind = (fits[state][1].fit.energy for state in (False, True))
    assert (out.low, behind.low) == (4.0, 11.0)
    assert "attenuator" not in out.reason
    assert behind.reason.startswith(
        "The fit starts at 11 keV because the attenuator is in: counts at lower energies are mostly those of harder "
        "photons."
    )


@pytest.mark.parametrize("attenuated", [False, True], ids=["out", "in"])
def test_fits_find_what_was_put_in_with_and_without_the_attenuator(fits, attenuated):
    flare, measured = fits[attenuated]
    fit = measured.fit
    assert fit.model == "vth+thick2"
    assert fit.chi2 < 1.5 * fit.ndof
    loop, footpoint = flare.sources[:2]
    truth = {
        "T_keV": loop.spectrum.temperature * KEV_PER_MK,
        "EM_1e49_cm3": loop.norm,
        "delta": footpoint.spectrum.delta,
    }
    for name, true in truth.items():
        value = fit.parameters[name]
        error = value.sigma_minus if value.value > true else value.sigma_plus
        assert abs(value.value - true) < 2.0 * error, name


def test_both_states_agree_and_the_attenuator_costs_precision(fits):
    out, behind = (fits[state][1].fit.parameters for state in (False, True))
    for name in ("T_keV", "delta"):
        error = (out[name].sigma_plus ** 2 + behind[name].sigma_plus ** 2) ** 0.5
        assert abs(out[name].value - behind[name].value) < 2.0 * error
    assert behind["T_keV"].sigma_plus > 2.0 * out["T_keV"].sigma_plus
