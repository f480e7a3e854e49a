"""Fits of spectra with known truth: values, errors, the choice of the model, the range, and the doubts."""

from dataclasses import replace

import numpy as np
import pytest

from stixcore.errors import CalibrationError, SelectionError
from stixcore.spectra.fit import choose_range, fit_spectrum

pytestmark = pytest.mark.usefixtures("thermal_stand_in")

TRUTH = {"EM_1e49_cm3": 0.25, "T_keV": 1.5, "norm_1e35_per_s": 5.0, "delta": 4.0, "e_cut_keV": 25.0}
STRONG = {"norm": 5.0, "delta": 4.0, "e_cut": 25.0}


def codes(fit):
    return {doubt.code for doubt in fit.doubts}


def deviations(fit, truth):
    """(truth − value)/σ of the side where the truth is."""
    found = {}
    for name, expected in truth.items():
        value = fit.parameters[name]
        sigma = value.sigma_plus if expected > value.value else value.sigma_minus
        found[name] = (expected - value.value) / sigma
    return found


def test_expected_counts_give_the_truth_back(instrument, make_spectrum):
    response = instrument()
    spectrum = make_spectrum(response, **STRONG, systematic=0.01, livetime=400.0, distance=0.5)
    fit = fit_spectrum(spectrum, response, distance=0.5)
    assert fit.model == "vth+thick2"
    for name, expected in TRUTH.items():
        assert fit.parameters[name].value == pytest.approx(expected, rel=0.03), name
    assert fit.chi2 < 0.05
    assert fit.converged
    np.testing.assert_allclose(fit.counts[fit.energy.used], spectrum.counts[fit.energy.used], rtol=3e-3)
    np.testing.assert_allclose(fit.components["vth"] + fit.components["thick2"], fit.counts)
    assert np.abs(fit.residuals).max() < 0.2
    assert (fit.scheme, fit.tailing, fit.thermal_table, fit.albedo_angle) == (
        "gsw-2026",
        True,
        "CHIANTI 10.1 (built in)",
        None,
    )


def test_a_fit_whose_errors_do_not_settle_has_error_bars(instrument, make_spectrum):
    """One temperature for bright electrons: the errors that it expects change from round to round."""
    response = instrument()
    fit = fit_spectrum(make_spectrum(response, **STRONG), response, distance=1.0, model="vth")
    assert not fit.converged
    assert fit.stop_reason == "the errors of the model do not settle"
    assert "fit.not-converged" in codes(fit)
    for name, value in fit.parameters.items():
        assert 1e-3 * value.value < value.sigma_minus < 0.1 * value.value, name
        assert value.sigma_plus == pytest.approx(value.sigma_minus, rel=0.1), name


def test_distance_enters_once(instrument, make_spectrum):
    response = instrument()
    spectrum = make_spectrum(response)
    near, far = (fit_spectrum(spectrum, response, distance=d, model="vth") for d in (0.5, 1.0))
    assert far.parameters["EM_1e49_cm3"].value == pytest.approx(4 * near.parameters["EM_1e49_cm3"].value, rel=1e-3)
    assert far.parameters["T_keV"].value == pytest.approx(near.parameters["T_keV"].value, rel=1e-3)


def test_norm_and_cutoff_are_shown_as_a_pair(instrument, make_spectrum):
    response = instrument()
    fit = fit_spectrum(make_spectrum(response, **STRONG), response, distance=1.0)
    pair = fit.pair
    assert pair.names == ("norm_1e35_per_s", "e_cut_keV")
    assert pair.correlation < -0.7
    ellipse = pair.ellipse()
    half = np.ptp(np.log(ellipse), axis=0) / 2
    np.testing.assert_allclose(half, np.sqrt(np.diag(pair.covariance)), rtol=1e-2)
    held = fit_spectrum(make_spectrum(response, **STRONG), response, distance=1.0, fixed={"e_cut_keV": 25.0})
    assert held.pair is None
    assert held.parameters["e_cut_keV"] == replace(held.parameters["e_cut_keV"], value=pytest.approx(25.0), fixed=True)
    assert held.ndof == fit.ndof + 1
    # what is known of the cutoff is an error less for the norm
    assert held.parameters["norm_1e35_per_s"].sigma_plus < 0.5 * fit.parameters["norm_1e35_per_s"].sigma_plus


def test_the_automatic_fit_takes_a_thermal_model_where_that_is_enough(instrument, make_spectrum):
    response = instrument()
    rng = np.random.default_rng(12)
    fits = [fit_spectrum(make_spectrum(response, rng=rng), response, distance=1.0) for _ in range(6)]
    assert {fit.model for fit in fits} == {"vth"}
    for fit in fits:
        assert [a.model for a in fit.alternatives] == ["vth", "vth+thick2"]
        assert fit.alternatives[0].value >= fit.alternatives[1].value - 0.05  # same errors, so nested
        assert fit.alternatives[1].n_parameters == fit.alternatives[0].n_parameters + 3
        assert fit.pair is None


def test_the_automatic_fit_finds_electrons(instrument, make_spectrum):
    response = instrument()
    rng = np.random.default_rng(5)
    for _ in range(3):
        fit = fit_spectrum(make_spectrum(response, rng=rng, **STRONG), response, distance=1.0)
        assert fit.model == "vth+thick2"
        assert fit.alternatives[0].aic - fit.alternatives[1].aic > 100
        assert fit.parameters["delta"].value == pytest.approx(4.0, abs=0.3)


def test_a_hidden_cutoff_is_an_upper_limit(instrument, make_spectrum):
    response = instrument()
    spectrum = make_spectrum(response, kt=2.0, em=0.5, norm=3.0, delta=4.5, e_cut=11.0)
    fit = fit_spectrum(spectrum, response, distance=1.0, model="vth+thick2")
    assert fit.parameters["e_cut_keV"].sigma_minus is None
    text = next(doubt.text for doubt in fit.doubts if doubt.code == "fit.e-cut-upper-limit")
    assert "upper limit" in text
    assert "thermal counts hide it" in text
    assert "lower limit" in text


def test_a_clear_cutoff_is_a_value(instrument, make_spectrum):
    response = instrument()
    spectrum = make_spectrum(response, em=0.01, norm=20.0, delta=4.0, e_cut=35.0)
    fit = fit_spectrum(spectrum, response, distance=1.0, model="vth+thick2")
    assert "fit.e-cut-upper-limit" not in codes(fit)
    assert fit.parameters["e_cut_keV"].sigma_minus < 5


def test_errors_cover_the_truth(instrument, make_spectrum):
    response, rng = instrument(), np.random.default_rng(77)
    pulls = []
    for _ in range(60):
        spectrum = make_spectrum(response, em=0.01, rng=rng, systematic=0.0)
        fit = fit_spectrum(spectrum, response, distance=1.0, model="vth", energy=(4, 20))
        pulls.append(deviations(fit, {"EM_1e49_cm3": 0.01, "T_keV": 1.5}))
    for name in pulls[0]:
        values = np.array([pull[name] for pull in pulls])
        assert 0.55 < np.mean(np.abs(values) < 1) < 0.80, name  # 0.683 ± 0.06
        assert abs(values.mean()) < 0.4, name  # ± 0.13


@pytest.mark.parametrize("statistic", ["chi2", "cash"])
def test_low_counts_are_not_fitted_too_low(instrument, make_spectrum, statistic):
    response, rng = instrument(), np.random.default_rng(4)
    ratios = []
    for _ in range(60):
        spectrum = make_spectrum(response, em=4e-4, rng=rng, systematic=0.0, back=1.0)
        fit = fit_spectrum(
            spectrum, response, distance=1.0, model="vth", energy=(6, 16), statistic=statistic, fixed={"T_keV": 1.5}
        )
        ratios.append(fit.parameters["EM_1e49_cm3"].value / 4e-4)
    # errors of the data would give 5-10 % less
    assert np.mean(ratios) == pytest.approx(1.0, abs=3.5 * np.std(ratios) / np.sqrt(60))
    assert np.std(ratios) / np.sqrt(60) < 0.015


def test_few_counts_are_a_doubt(instrument, make_spectrum):
    response = instrument()
    spectrum = make_spectrum(response, em=1e-3, rng=np.random.default_rng(1), back=0.3)
    fit = fit_spectrum(spectrum, response, distance=1.0, model="vth", energy=(4, 20))
    assert "fit.few-counts" in codes(fit)
    cash = fit_spectrum(spectrum, response, distance=1.0, model="vth", energy=(4, 20), statistic="cash")
    assert "fit.few-counts" not in codes(cash)
    assert cash.parameters["T_keV"].value == pytest.approx(fit.parameters["T_keV"].value, rel=0.15)


def two_temperatures(make_spectrum, response, *, cool=1.2, hot=3.2, rng=None):
    """A plasma of two temperatures, the hot one with 5 % of the emission measure."""
    spectra = (
        make_spectrum(response, kt=cool, em=1.0, systematic=0.01, rng=rng),
        make_spectrum(response, kt=hot, em=0.05, systematic=0.01, rng=rng),
    )
    counts = spectra[0].counts + spectra[1].counts
    return replace(spectra[0], counts=counts, sigma=np.hypot(spectra[0].sigma, spectra[1].sigma))


def test_two_temperatures(instrument, make_spectrum):
    response = instrument()
    spectrum = two_temperatures(make_spectrum, response)
    fit = fit_spectrum(spectrum, response, distance=1.0, model="vth+vth")
    assert fit.parameters["T_keV"].value == pytest.approx(1.2, rel=0.03)
    assert fit.parameters["T_keV_2"].value == pytest.approx(3.2, rel=0.03)
    single = fit_spectrum(spectrum, response, distance=1.0, model="vth", energy=(4, 40))
    assert single.verdict == "doubtful"
    assert "fit.chi2" in codes(single)


def test_the_second_temperature_is_the_hotter_one_from_any_start(instrument, make_spectrum):
    response = instrument()
    spectrum = two_temperatures(make_spectrum, response)
    expected = fit_spectrum(spectrum, response, distance=1.0, model="vth+vth")
    start = {"T_keV": 3.0, "T_keV_2": 1.1}
    turned = fit_spectrum(spectrum, response, distance=1.0, model="vth+vth", start=start)
    assert turned.parameters["T_keV"].value == pytest.approx(expected.parameters["T_keV"].value, rel=1e-3)
    assert turned.parameters["EM_1e49_cm3_2"].value == pytest.approx(0.05, rel=0.1)
    np.testing.assert_allclose(turned.components["vth_2"], expected.components["vth_2"], rtol=0.01)
    # who fixes a temperature has chosen the place
    held = fit_spectrum(spectrum, response, distance=1.0, model="vth+vth", fixed={"T_keV": 3.2})
    assert held.parameters["T_keV_2"].value == pytest.approx(1.2, rel=0.03)


def test_the_automatic_fit_takes_two_temperatures_instead_of_steep_electrons(instrument, make_spectrum):
    response = instrument()
    spectrum = two_temperatures(make_spectrum, response, cool=1.0, hot=2.2, rng=np.random.default_rng(8))
    electrons = fit_spectrum(spectrum, response, distance=1.0, model="vth+thick2")
    assert electrons.parameters["delta"].value > 9
    fit = fit_spectrum(spectrum, response, distance=1.0)
    assert fit.model == "vth+vth"
    assert fit.parameters["T_keV_2"].value == pytest.approx(2.2, rel=0.1)
    compared = {one.model: one for one in fit.alternatives}
    assert list(compared) == ["vth", "vth+thick2", "vth+vth"]
    assert compared["vth"].aic - compared["vth+vth"].aic > 100
    gap = compared["vth+thick2"].aic - compared["vth+vth"].aic
    assert gap > -6
    # electrons that describe the data nearly as well, or better but not enough, are mentioned
    assert bool(codes(fit) & {"fit.electrons-possible", "fit.nonthermal-possible"}) == (gap < 6)


def test_candidates_of_the_automatic_fit(instrument, make_spectrum):
    response, rng = instrument(), np.random.default_rng(3)
    candidates = ("vth", "thick2", "vth+thick2")
    flat = make_spectrum(response, rng=rng, **STRONG | {"em": 1e-8, "delta": 3.5})
    found = fit_spectrum(flat, response, distance=1.0, candidates=candidates)
    assert found.model == "thick2"
    assert found.parameters["delta"].value == pytest.approx(3.5, abs=0.2)
    assert [one.model for one in found.alternatives] == list(candidates)
    plain = fit_spectrum(make_spectrum(response, rng=rng), response, distance=1.0, candidates=candidates)
    assert plain.model == "vth"
    with pytest.raises(SelectionError, match="fixed: vth or thick2 has no parameter 'T_keV_2'"):
        fit_spectrum(flat, response, distance=1.0, candidates=("vth", "thick2"), fixed={"T_keV_2": 2.0})


def test_electrons_alone_do_not_stand_for_hot_plasma(instrument, make_spectrum):
    response, candidates = instrument(tailing=False), ("vth", "thick2", "vth+thick2")
    low = make_spectrum(response, rng=np.random.default_rng(4), em=1e-8, norm=300.0, delta=7.0, e_cut=6.0)
    alone = fit_spectrum(low, response, distance=1.0, model="thick2")
    assert alone.parameters["e_cut_keV"].value < 10
    assert alone.verdict == "trusted"
    found = fit_spectrum(low, response, distance=1.0, candidates=candidates)
    assert "vth" in found.model.split("+")
    # nor are they recommended in a doubt
    assert "fit.nonthermal-possible" not in {doubt.code for doubt in found.doubts}
    # a fixed cutoff is the user's decision
    fixed = fit_spectrum(low, response, distance=1.0, candidates=candidates, fixed={"e_cut_keV": 6.0})
    assert fixed.model == "thick2"


def test_the_same_input_gives_the_same_fit(instrument, make_spectrum):
    response = instrument()
    spectrum = make_spectrum(response, rng=np.random.default_rng(2), **STRONG)
    first, second = (fit_spectrum(spectrum, response, distance=1.0) for _ in range(2))
    assert first.parameters == second.parameters
    assert first.iterations == second.iterations


def test_given_start_values_lead_to_the_same_fit(instrument, make_spectrum):
    response = instrument()
    spectrum = make_spectrum(response, **STRONG)
    start = {"T_keV": 1.9, "delta": 6.0, "e_cut_keV": 40.0, "EM_1e49_cm3": 0.1, "norm_1e35_per_s": 1.0}
    searched = fit_spectrum(spectrum, response, distance=1.0)
    given = fit_spectrum(spectrum, response, distance=1.0, start=start)
    assert given.chi2 == pytest.approx(searched.chi2, abs=0.02)
    assert given.parameters["delta"].value == pytest.approx(searched.parameters["delta"].value, abs=0.02)


def test_missing_albedo_is_a_doubt(instrument, make_spectrum):
    response = instrument()
    spectrum = make_spectrum(response, **STRONG)
    assert "fit.no-albedo" in codes(fit_spectrum(spectrum, response, distance=1.0))
    seen = fit_spectrum(spectrum, response, distance=1.0, angle=40.0, fixed={"e_cut_keV": 25.0})
    assert "fit.no-albedo" not in codes(seen)
    assert seen.albedo_angle == 40.0
    assert seen.parameters["norm_1e35_per_s"].value < 0.9 * 5.0


def test_range_from_attenuator_and_signal(instrument, make_spectrum):
    out, behind, tailed = instrument(tailing=False), instrument(attenuator=True), instrument(tailing=True)
    assert choose_range(make_spectrum(out), out).low == 4
    assert "lowest energy of the response" in choose_range(make_spectrum(out), out).reason
    assert choose_range(make_spectrum(tailed), tailed).low == 6
    faint = choose_range(make_spectrum(tailed, kt=0.6, em=0.1), tailed)
    assert faint.low == 4
    assert "too few channels above 6 keV" in faint.reason
    chosen = choose_range(make_spectrum(behind, em=50.0, kt=2.0, rcr=1), behind)
    assert chosen.low == 11
    assert "attenuator is in" in chosen.reason
    weak, strong = make_spectrum(out), make_spectrum(out, **STRONG)
    assert choose_range(weak, out).high < choose_range(strong, out).high == 84
    assert "ends with the last channel" in choose_range(strong, out).reason
    assert "3 sigma" in choose_range(weak, out).reason


def test_attenuator_in_fits_from_11_kev_and_says_why(instrument, make_spectrum):
    response = instrument(attenuator=True)
    spectrum = make_spectrum(response, kt=1.8, em=30.0, norm=50.0, delta=4.0, e_cut=25.0, rcr=1)
    fit = fit_spectrum(spectrum, response, distance=1.0)
    assert fit.energy.low == 11
    assert "attenuator is in" in fit.energy.reason
    assert fit.parameters["T_keV"].value == pytest.approx(1.8, rel=0.05)


def test_one_channel_without_signal_does_not_end_the_range(instrument, make_spectrum):
    response = instrument()
    spectrum = make_spectrum(response, **STRONG)
    counts = spectrum.counts.copy()
    counts[20] = -5.0
    assert choose_range(replace(spectrum, counts=counts), response).high == 84
    counts[21] = -5.0
    assert choose_range(replace(spectrum, counts=counts), response).high == spectrum.e_low[20]


def test_a_given_range_is_used(instrument, make_spectrum):
    response = instrument()
    chosen = choose_range(make_spectrum(response), response, (6.0, 15.5))
    assert (chosen.low, chosen.high, int(chosen.used.sum())) == (6, 15, 9)
    open_end = make_spectrum(response)
    open_end = replace(open_end, e_high=np.append(open_end.e_high[:-1], np.inf))
    assert choose_range(open_end, response, (4.0, 500.0)).high == 70


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"model": "apec"}, SelectionError, "'apec'"),
        ({"distance": 0.0}, SelectionError, "distance must be"),
        ({"angle": 120.0}, SelectionError, "angle must be 0 to 90 .* found 120"),
        ({"statistic": "l1"}, SelectionError, "statistic must be one of chi2, cash, found 'l1'"),
        ({"energy": (20.0, 10.0)}, SelectionError, "found 20 and 10"),
        ({"energy": (6.0, 8.0)}, SelectionError, "at least 4 channels, the range has 2"),
        ({"model": "vth", "start": {"kT": 1.0}}, SelectionError, "start: vth has no parameter 'kT'"),
        ({"model": "vth", "fixed": {"T_keV": -1.0}}, SelectionError, "fixed T_keV must be 0.35 to 7.5 keV, found -1"),
        ({"fixed": {"gamma": 1.0}}, SelectionError, "no parameter 'gamma'"),
        ({"fixed": {"abundance": 1e300}}, SelectionError, r"fixed abundance must be 0 to 100, found 1e\+300"),
        ({"fixed": {"delta_above": -1e9}}, SelectionError, "fixed delta_above must be 0 to 100, found -1e"),
        ({"fixed": {"e_high_keV": 1e300}}, SelectionError, r"fixed e_high_keV must be 1 to 1e\+06, found 1e\+300"),
    ],
)
def test_bad_options_are_named(instrument, make_spectrum, options, error, match):
    response = instrument()
    with pytest.raises(error, match=match):
        fit_spectrum(make_spectrum(response), response, **{"distance": 1.0, **options})


def test_a_spectrum_without_signal_is_refused(instrument, make_spectrum):
    response = instrument()
    with pytest.raises(SelectionError, match="the range has 0"):
        fit_spectrum(make_spectrum(response, em=1e-9), response, distance=1.0)


def test_a_fit_without_counts_is_doubtful(instrument, make_spectrum):
    response = instrument()
    spectrum = make_spectrum(response)
    nothing = replace(spectrum, counts=np.zeros_like(spectrum.counts))
    fit = fit_spectrum(nothing, response, distance=1.0, model="vth", energy=(4.0, 20.0))
    assert (fit.verdict, "fit.no-counts" in codes(fit)) == ("doubtful", True)


def test_spectrum_and_response_must_match(instrument, make_spectrum):
    response = instrument()
    spectrum = make_spectrum(response)
    for other, match in (
        (replace(spectrum, e_low=spectrum.e_low + 0.5), "different energy channels"),
        (replace(spectrum, detectors=(4, 5)), "different detectors"),
        (replace(spectrum, pixels=(4,)), "different pixels"),
        (replace(spectrum, rcr=1), "in in the spectrum and out in the response"),
    ):
        with pytest.raises(CalibrationError, match=match):
            fit_spectrum(other, response, distance=1.0)
