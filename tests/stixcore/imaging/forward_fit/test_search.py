"""The search finds the global optimum: IDL's, a differential evolution's, and never worse than the truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import differential_evolution

from stixcore.imaging.forward_fit.least_squares import minimize
from stixcore.imaging.forward_fit.search import Search
from stixcore.imaging.forward_fit.shapes import Plane, Shape
from stixcore.imaging.forward_fit.sources import Limits, Source, SourceModel
from stixcore.imaging.forward_fit.starts import Field, spread_points, templates

CHI2 = {"circle": 118.39819, "ellipse": 103.32690, "loop": 103.53856, "two circles": 56.98684}


@pytest.fixture(scope="module")
def june(june_2020):
    strongest = np.abs(june_2020.vis).max()
    limits = Limits((0.1 * strongest, 1.5 * strongest), 100.0, (1.0, 100.0))
    return lambda: Search(Plane(june_2020.u, june_2020.v), june_2020.vis, june_2020.sigma, limits)


@pytest.mark.parametrize("kind", list(CHI2))
def test_optimum_of_idl(june, flares, kind):
    fit = june().fit(flares.model(kind).sources)
    assert fit.chi2 == pytest.approx(CHI2[kind], rel=1e-6)
    assert fit.minima.converged[0]
    assert (np.diff(fit.minima.history[:, 0]) <= 0).all()


@pytest.mark.parametrize(("kind", "n"), [("circle", 12), ("ellipse", 12), ("loop", 4), ("two circles", 4)])
def test_no_worse_than_differential_evolution(flares, kind, n):
    """Noisy data, some of them of another shape than the one fitted."""
    rng = np.random.default_rng(11)
    for made_of in (kind, "two circles" if kind != "two circles" else "loop"):
        for seed in range(n // 2):
            vis, sigma = flares.noisy(flares.draw(made_of, rng)[1], rng, 0.05)
            fit = flares.fit(kind, vis, sigma)
            model = fit.model

            def chi2(theta, vis=vis, sigma=sigma, model=model):
                predicted = model.evaluate(np.ascontiguousarray(theta.T))[0]
                return (np.abs(predicted - vis) ** 2 / sigma**2).sum(axis=1)

            rival = differential_evolution(
                chi2, list(zip(*model.bounds, strict=True)), vectorized=True, updating="deferred", polish=False,
                rng=seed, popsize=10, maxiter=120,
            )  # fmt: skip
            polished = minimize(model.evaluate, vis, sigma, rival.x[None], model.bounds, 200)
            assert fit.chi2 <= polished.chi2[0] * (1 + 1e-6) + 1e-6


@pytest.mark.parametrize("kind", list(CHI2))
def test_no_worse_than_the_truth(flares, kind):
    rng = np.random.default_rng(5)
    for _ in range(10):
        theta, true = flares.draw(kind, rng)
        vis, sigma = flares.noisy(true, rng)
        fit = flares.fit(kind, vis, sigma)
        assert fit.chi2 <= (np.abs(true - vis) ** 2 / sigma**2).sum()
        exact = flares.fit(kind, true, sigma)
        assert exact.chi2 < 1e-5
        assert flares.errors(exact, theta)[:4] == pytest.approx(np.zeros(4), abs=2e-3)


def test_a_weak_second_source_far_away(flares):
    """A tenth of the flux at 80″, where the side lobes of the first are higher."""
    model = flares.model("two circles")
    theta = np.array([[10.0, 0.0, 0.0, 15.0, 1.2, 60.0, -55.0, 12.0]])
    vis = model.evaluate(theta)[0][0]
    fit = flares.fit("two circles", vis, np.full(24, 0.1))
    assert flares.errors(fit, theta[0]) == pytest.approx(np.zeros(8), abs=1e-3)


def test_three_sources(flares, plane):
    theta = np.array([5.0, -20.0, 10.0, 12.0, 4.0, 25.0, 5.0, 15.0, 3.0, 0.0, -35.0, 10.0])
    limits = Limits((1.0, 15.0), 100.0, (1.0, 100.0))
    sources = (Source(Shape.CIRCLE, {}),) * 3
    vis = SourceModel(sources, plane, limits).evaluate(theta[None])[0][0]
    fit = Search(plane, vis, np.full(24, 0.1), limits).fit(sources)
    found = fit.theta.reshape(3, 4).tolist()  # brightest first
    assert found == [pytest.approx(row, abs=1e-3) for row in theta.reshape(3, 4)]


@pytest.mark.parametrize("order", [(Shape.CIRCLE, Shape.ELLIPSE), (Shape.ELLIPSE, Shape.CIRCLE)])
def test_mixtures_in_any_order(flares, plane, order):
    parts = {Shape.CIRCLE: [6.0, -20.0, 10.0, 12.0], Shape.ELLIPSE: [9.0, 15.0, -8.0, 20.0, 0.5, 0.9]}
    theta = np.concatenate([parts[shape] for shape in order])
    limits = Limits((1.0, 20.0), 100.0, (1.0, 100.0))
    sources = tuple(Source(shape, {}) for shape in order)
    vis = SourceModel(sources, plane, limits).evaluate(theta[None])[0][0]
    fit = Search(plane, vis, np.full(24, 0.1), limits).fit(sources)
    assert fit.theta == pytest.approx(theta, abs=1e-3)


def test_a_scan_is_the_gain_of_the_best_flux(flares, plane):
    """Δχ² of a template at a place is what the best flux there gains, by direct evaluation."""
    rng = np.random.default_rng(3)
    vis, sigma = flares.noisy(flares.draw("two circles", rng)[1], rng)
    for shape in Shape:
        scan = Field(plane, sigma, 100.0).scan(shape, templates(shape), vis, 3).best(10)
        assert (scan.gain > 0).all()
        predicted = plane.source(shape, scan.theta)[0]
        left = (np.abs(vis - predicted) ** 2 / sigma**2).sum(axis=1)
        assert (np.abs(vis) ** 2 / sigma**2).sum() - left == pytest.approx(scan.gain, rel=1e-9)


def test_spread_points_fill_the_cube():
    points = spread_points(256, 3)
    assert points.min() >= 0
    assert points.max() < 1
    for axis in points.T:
        assert np.histogram(axis, 16, (0.0, 1.0))[0].min() >= 12  # 16 on average
