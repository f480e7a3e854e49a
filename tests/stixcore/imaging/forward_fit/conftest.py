"""What the tests of the forward fit share: random flares with noise whose size is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from stixcore.imaging.forward_fit.search import Fit, Search
from stixcore.imaging.forward_fit.shapes import Plane, Shape, loop_circles
from stixcore.imaging.forward_fit.sources import Limits, Source, SourceModel
from stixcore.imaging.forward_fit.uncertainty import names, reported
from stixcore.instrument.geometry import IMAGING_LABELS, detector_indices, uv_points

PLANE = Plane(*uv_points()[detector_indices(IMAGING_LABELS)].T.copy())
KINDS = {
    "circle": (Shape.CIRCLE,),
    "ellipse": (Shape.ELLIPSE,),
    "loop": (Shape.LOOP,),
    "two circles": (Shape.CIRCLE, Shape.CIRCLE),
}


def random_theta(kind: str, rng: np.random.Generator) -> np.ndarray:
    """Fit parameters of a flare that the instrument resolves."""
    flux, (x, y), turn = 10 ** rng.uniform(0.0, 1.5), rng.uniform(-30.0, 30.0, 2), rng.uniform(0.0, 2.0 * np.pi)
    if kind == "circle":
        return np.array([flux, x, y, rng.uniform(10.0, 40.0)])
    if kind == "ellipse":
        m = rng.uniform(0.5, 1.2)
        return np.array([flux, x, y, rng.uniform(15.0, 35.0), m * np.cos(turn), m * np.sin(turn)])
    if kind == "two circles":
        apart, second = rng.uniform(25.0, 50.0), flux * rng.uniform(0.4, 1.0)
        widths = rng.uniform(10.0, 20.0, 2)
        return np.array([flux, x, y, widths[0], second, x + apart * np.cos(turn), y + apart * np.sin(turn), widths[1]])
    width, length, bend = rng.uniform(10.0, 18.0), rng.uniform(25.0, 50.0), rng.uniform(70.0, 150.0)
    return np.array([flux, x, y, width, length * np.cos(turn), length * np.sin(turn), rng.choice([-1, 1]) * bend])


@dataclass(frozen=True)
class Flares:
    """Random flares and their fits."""

    def model(self, kind: str, vis: np.ndarray | None = None) -> SourceModel:
        strongest = 1.0 if vis is None else float(np.abs(vis).max())
        limits = Limits((0.1 * strongest, 1.5 * strongest), 100.0, (1.0, 100.0))
        return SourceModel([Source(shape, {}) for shape in KINDS[kind]], PLANE, limits)

    def draw(self, kind: str, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Fit parameters and noise-free visibilities."""
        theta = random_theta(kind, rng)
        return theta, self.model(kind).evaluate(theta[None])[0][0]

    def noisy(self, true: np.ndarray, rng: np.random.Generator, floor: float = 0.02) -> tuple[np.ndarray, np.ndarray]:
        """Visibilities with Gaussian noise of σ in real and imaginary part: a floor and 5 % of the amplitude."""
        sigma = np.hypot(floor * np.abs(true).max(), 0.05 * np.abs(true))
        return true + sigma * (rng.standard_normal(true.size) + 1j * rng.standard_normal(true.size)), sigma

    def fit(self, kind: str, vis: np.ndarray, sigma: np.ndarray) -> Fit:
        model = self.model(kind, vis)
        return Search(PLANE, vis, sigma, model.limits).fit(model.sources)

    def errors(self, fit: Fit, true: np.ndarray) -> np.ndarray:
        """Truth minus fit of all that is reported: sources told apart by place, angles by the shorter way."""
        found, wanted = (reported(fit.model, theta[None])[0][0] for theta in (fit.theta, true))
        known_as = names(fit.model)
        if len(fit.model.sources) == 2:
            half = found.size // 2
            swapped = np.roll(wanted, half)
            if np.hypot(*(swapped - found)[1:3]) < np.hypot(*(wanted - found)[1:3]):
                wanted = swapped
        error = wanted - found
        if "position_angle" in known_as and abs(error[known_as.index("position_angle")]) > 90.0:
            at = known_as.index("position_angle")
            error[at] -= 180.0 * np.sign(error[at])
            error[at + 1 :] = -wanted[at + 1 :] - found[at + 1 :]  # ec, es and the loop angle change sign with it
        return error


@pytest.fixture(scope="session")
def flares() -> Flares:
    return Flares()


@pytest.fixture(scope="session")
def plane() -> Plane:
    return PLANE


@pytest.fixture(scope="session")
def fit_theta(reference: dict[str, Any]) -> dict[str, np.ndarray]:
    """IDL's optima of 2020-06-07 as fit parameters: (w, ec, es) → (w, a, b) or (width, p, q)."""
    optimum = reference["fwdfit_scipy_optimum"]
    made = {"circle": np.array(optimum["circle"]["params"]), "two circles": np.array(optimum["two_circles"]["params"])}
    for kind in ("ellipse", "loop"):
        given = np.array(optimum[kind]["params"])
        m, angle = np.hypot(*given[4:6]), np.arctan2(given[5], given[4])
        power, radius = 2.0, m
        if kind == "loop":
            w_max, w_min = given[3] * np.exp([m / 2, -m / 2])
            power, radius = 1.0, np.sqrt(w_max**2 - w_min**2)
            given[3] = loop_circles(w_max, w_min, 0.0, given[6])[3]
        given[4:6] = radius * np.cos(power * angle), radius * np.sin(power * angle)
        made[kind] = given
    return made
