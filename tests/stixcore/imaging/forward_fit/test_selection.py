"""Choice of the model: right on simulated counts, suspicious of what doubles, vanishes or leans on a bound."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from stixcore.imaging.forward_fit import ForwardFitParameters, ModelSelection, forward_fit
from stixcore.imaging.forward_fit.least_squares import Minima
from stixcore.imaging.forward_fit.leave_one_out import chi2_without_each
from stixcore.imaging.forward_fit.search import Fit, Search
from stixcore.imaging.forward_fit.selection import LEAST_EVIDENCE, Candidate, chi2_unit, choose, least_bic, objection
from stixcore.imaging.forward_fit.sources import Limits, Source
from stixcore.imaging.forward_fit.uncertainty import covariance_sigma, reported
from stixcore.imaging.grid import ImageGrid
from stixcore.imaging.reconstruction import Method
from stixcore.recipe import _parameters, _plain
from stixcore.simulation.quick import flux_for_counts, simulate_pixel_sums
from stixcore.simulation.sources import Circle, Ellipse, Loop
from stixcore.visibility.form import form_visibilities
from tests.stixcore.imaging.forward_fit.conftest import KINDS, PLANE

GRID = ImageGrid((33, 33), 4.0)


def chosen(fit):
    (row,) = (row for row in fit.model_selection if row["chosen"])
    return row


SCENES = {
    "circle": lambda angle: [Circle(5.0, -8.0, 18.0)],
    "ellipse": lambda angle: [Ellipse(5.0, -8.0, 32.0, 14.0, angle)],
    "loop": lambda angle: [Loop(5.0, -8.0, 45.0, 22.0, angle, 140.0)],
    "circle+circle": lambda angle: [
        Circle(15.0 * np.cos(angle), 15.0 * np.sin(angle), 12.0),
        Circle(-15.0 * np.cos(angle), -15.0 * np.sin(angle), 14.0, 0.7),
    ],
}


@pytest.mark.parametrize(
    ("truth", "counts", "n", "right"),
    [
        ("circle", 1e4, 20, 18),
        ("ellipse", 1e4, 20, 18),
        ("loop", 1e5, 20, 19),
        ("circle+circle", 1e4, 20, 18),
        pytest.param("circle+circle", 1e5, 40, 38, marks=pytest.mark.thorough),
    ],
)
def test_the_right_model_of_simulated_counts(truth, counts, n, right):
    """Nine in ten at 10⁴ counts; at 10⁵ two sources 30″ apart are seen as two in 95 % of the cases."""
    rng = np.random.default_rng(17)
    models = Counter()
    for _ in range(n):
        vis = form_visibilities(simulate_pixel_sums(SCENES[truth](rng.uniform(0.0, 6.28)), counts, rng))
        models[chosen(forward_fit(vis, GRID))["model"]] += 1
    assert models[truth] >= right, models


def test_a_source_in_its_halo_keeps_all_its_flux():
    """Two circles at one place, one much the wider, are no source twice; a single circle lacks 15 % of the flux."""
    scene, rng = [Circle(0.0, 0.0, 12.0, 0.5), Circle(0.0, 0.0, 50.0, 0.5)], np.random.default_rng(3)
    truth = flux_for_counts(scene, 1e5)
    for _ in range(10):
        fit = forward_fit(form_visibilities(simulate_pixel_sums(scene, 1e5, rng)), GRID)
        assert chosen(fit)["model"] == "circle+circle"
        assert fit.total_flux == pytest.approx(truth, rel=0.05)


def fitted(flares, kind, theta, sigma=0.1):
    """A fit that ended at these parameters."""
    model = flares.model(kind, np.array([10.0]))
    minima = Minima(np.array([theta]), np.zeros(1), np.ones(1, dtype=bool), np.zeros((1, 1)))
    fit = Fit(model, minima)
    return fit, reported(model, minima.theta)[0][0], covariance_sigma(fit, np.full(24, sigma))


@pytest.mark.parametrize(
    ("kind", "theta", "words"),
    [
        ("circle", [10.0, 0.0, 0.0, 20.0], ""),
        ("circle", [10.0, 0.0, 0.0, 1.0], ""),  # unresolved is not degenerate
        ("circle", [10.0, 100.0, 0.0, 20.0], "x of source 1 is at its bound"),
        ("circle", [15.0, 0.0, 0.0, 20.0], "flux of source 1 is at its bound"),
        ("circle", [10.0, 0.0, 0.0, 100.0], "fwhm of source 1 is at its bound"),
        ("ellipse", [10.0, 0.0, 0.0, 20.0, 0.5, 0.5], ""),
        ("ellipse", [10.0, 0.0, 0.0, 20.0, 5.0, 0.5], "source 1 is a line"),
        ("loop", [10.0, 0.0, 0.0, 1.0, 30.0, 20.0, 150.0], ""),  # nor is an unresolved loop
        ("two circles", [6.0, -20.0, 0.0, 12.0, 5.0, 20.0, 0.0, 12.0], ""),
        ("two circles", [6.0, 0.0, 0.0, 10.0, 5.0, 3.0, 0.0, 40.0], ""),  # a core in its halo
        ("two circles", [6.0, -20.0, 0.0, 12.0, 1.0, 20.0, 0.0, 12.0], "flux of source 2 is at its bound"),
    ],
)
def test_objections(flares, kind, theta, words):
    assert objection(*fitted(flares, kind, theta)) == words


def test_a_source_seen_twice_is_one(flares):
    theta = [6.0, 0.0, 0.0, 18.0, 5.0, 3.0, 0.0, 22.0]
    assert objection(*fitted(flares, "two circles", theta, sigma=1e-3)) == "two sources coincide"


def test_a_source_lost_in_the_noise_is_none(flares):
    theta = [6.0, -20.0, 0.0, 12.0, 2.0, 20.0, 0.0, 12.0]
    assert objection(*fitted(flares, "two circles", theta, sigma=3.0)) == "the flux of source 2 is below 3 sigma"


def test_least_bic_without_objection(flares):
    def candidate(kind, chi2, against=""):
        fit, values, sigma = fitted(flares, kind, np.ones(flares.model(kind).n_par))
        fit.minima.chi2[0] = chi2
        return Candidate(fit, values, sigma, 48, against)

    circle, ellipse = candidate("circle", 60.0), candidate("ellipse", 40.0)
    pair = candidate("two circles", 20.0, "two sources coincide")
    assert circle.bic(1.0) == pytest.approx(60.0 + 4.0 * np.log(48.0))
    assert circle.bic(1.5) == pytest.approx(40.0 + 4.0 * np.log(48.0))
    assert (circle.ndof, ellipse.ndof, pair.ndof) == (44, 42, 40)
    assert least_bic([circle, ellipse, pair]) == 1
    assert least_bic([pair, circle]) == 1
    better = candidate("ellipse", 60.0 - 2.0 * np.log(48.0) - 0.9 * LEAST_EVIDENCE)
    assert least_bic([circle, better]) == 0  # better, but not by enough


def test_the_unit_of_chi_square_is_the_best_reduced_one_and_at_least_one(flares):
    """Where no model explains the data, differences of χ² weigh less: 20 of 200 are no evidence."""

    def candidate(kind, chi2):
        fit, values, sigma = fitted(flares, kind, np.ones(flares.model(kind).n_par))
        fit.minima.chi2[0] = chi2
        return Candidate(fit, values, sigma, 48, "")

    vis, sigma = np.zeros(24, complex), np.ones(24)
    assert chi2_unit([candidate("circle", 30.0), candidate("ellipse", 20.0)]) == 1.0
    good = [candidate("circle", 60.0), candidate("ellipse", 40.0)]
    assert choose(good, vis, sigma)[0] == 1
    poor = [candidate("circle", 220.0), candidate("ellipse", 200.0)]
    assert chi2_unit(poor) == pytest.approx(200.0 / 42)
    assert least_bic(poor) == 1
    assert choose(poor, vis, sigma)[0] == 0


@pytest.mark.parametrize(
    ("visibility", "error", "against"), [(22, 3.0, "depends on a single sub-collimator"), (17, 1.5, "")]
)
def test_a_source_that_one_sub_collimator_asks_for_is_none(flares, visibility, error, against):
    """A wrong visibility, of 20 σ and of 10 σ: BIC takes a second source for it."""
    rng, sigma = np.random.default_rng(1), np.full(24, 0.15)
    vis = flares.model("circle").evaluate(np.array([[8.0, 3.0, -5.0, 20.0]]))[0][0]
    vis = vis + sigma * (rng.standard_normal(24) + 1j * rng.standard_normal(24))
    vis[visibility] += error
    search = Search(PLANE, vis, sigma, Limits((0.1, 12.0), 100.0, (1.0, 100.0)))
    fits = [search.fit(tuple(Source(shape, {}) for shape in KINDS[kind])) for kind in ("circle", "two circles")]
    candidates = [Candidate(fit, np.zeros(1), np.zeros(1), 48, "") for fit in fits]
    assert least_bic(candidates) == 1
    winner, judged = choose(candidates, vis, sigma)
    assert winner == 0
    assert against in judged[1].objection
    without = chi2_without_each(fits[0], vis, sigma)
    assert without.argmin() == visibility  # everything else is explained by one source
    assert without[visibility] < 70 < fits[0].chi2


@pytest.mark.parametrize(("kind", "winner"), [("ellipse", 1), ("two circles", 0)])
def test_another_shape_need_not_win_without_each_sub_collimator(flares, monkeypatch, kind, winner):
    """Only another source is asked for its evidence in all of them; here there is none without any one of them."""

    def candidate(kind, chi2):
        fit, values, sigma = fitted(flares, kind, np.ones(flares.model(kind).n_par))
        fit.minima.chi2[0] = chi2
        return Candidate(fit, values, sigma, 48, "")

    monkeypatch.setattr(
        "stixcore.imaging.forward_fit.selection.chi2_without_each", lambda fit, vis, sigma: np.zeros(24)
    )
    candidates = [candidate("circle", 90.0), candidate(kind, 40.0)]
    assert least_bic(candidates) == 1
    assert choose(candidates, np.zeros(24, complex), np.ones(24))[0] == winner


def test_recipes_from_before_keep_their_id_and_their_choice():
    old, new = ForwardFitParameters(selection=ModelSelection.PLAIN_BIC), ForwardFitParameters()
    assert "selection" not in _plain(Method.VIS_FWDFIT, old)
    assert _plain(Method.VIS_FWDFIT, new)["selection"] == "scaled_bic"
    assert _parameters(Method.VIS_FWDFIT, _plain(Method.VIS_FWDFIT, old)) == old
    assert _parameters(Method.VIS_FWDFIT, _plain(Method.VIS_FWDFIT, new)) == new


def test_a_round_source_is_not_two(flares):
    """Noise-free circle, where two coincident circles fit as well."""
    vis = form_visibilities(simulate_pixel_sums([Circle(5.0, -8.0, 18.0)], 1e5))
    fit = forward_fit(vis, GRID)
    assert chosen(fit)["model"] == "circle"
    assert {row["model"] for row in fit.model_selection} == {"circle", "ellipse", "loop", "circle+circle"}


def test_the_table_of_june_2020(june_2020):
    fit = forward_fit(june_2020, ImageGrid((65, 65), 2.0), ForwardFitParameters())
    table = {row["model"]: row for row in fit.model_selection}
    assert chosen(fit)["model"] == "circle+circle"
    assert {name: row["ndof"] for name, row in table.items()} == {
        "circle": 44,
        "ellipse": 42,
        "loop": 41,
        "circle+circle": 40,
    }
    assert {name: row["reduced_chi2"] for name, row in table.items()} == pytest.approx(
        {"circle": 2.690868, "ellipse": 2.460164, "loop": 2.525331, "circle+circle": 1.424671}, abs=1e-5
    )
    # 45.93 with χ² as it is: 61.41 of χ² in units of 1.4247, less 4 ln 48
    assert table["circle"]["delta_bic"] == pytest.approx(27.6208, abs=1e-3)
    plain = forward_fit(june_2020, ImageGrid((65, 65), 2.0), ForwardFitParameters(selection=ModelSelection.PLAIN_BIC))
    assert plain.model_selection[0]["delta_bic"] == pytest.approx(45.9266, abs=1e-3)
    assert table["circle+circle"]["delta_bic"] == 0
    assert fit.sources == table["circle+circle"]["sources"]
