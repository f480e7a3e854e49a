"""Five scenes of known truth, their simulated data, and the truth as an image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

from stixcore.coordinates import Pointing, PointingSource, hpc_to_stix
from stixcore.imaging.forward_fit.shapes import loop_circles
from stixcore.imaging.grid import ImageGrid
from stixcore.imaging.metrics import FWHM_PER_SIGMA
from stixcore.simulation.quick import flux_for_counts, simulate_pixel_sums
from stixcore.simulation.sources import Circle, Ellipse, Loop, Source, shares
from stixcore.visibility.form import form_visibilities
from stixcore.visibility.pixels import MetaPixels
from stixcore.visibility.visibilities import Visibilities

Floats = NDArray[np.float64]

SHAPE, PIXEL = (65, 65), 4.0
#: Without a roll the instrument's frame is the sky turned by 90°, so that peers that image in it need no resampling.
LEVEL = Pointing(PointingSource.MANUAL, 0.0, 0.0, 0.0, rsun=1600.0)
#: Quiet-time counts of 60 s in 6-10 keV in the 24 sub-collimators.
BACKGROUND = 1658.0
SEPARATION = 30.0  # arcsec, of the two sources
SEED = 20200607
#: Number of circles, half of their width apart, by which the true image of an ellipse is approximated.
ELLIPSE_CIRCLES = 33


class Scene(StrEnum):
    """True brightness distributions."""

    CIRCLE = "circle"
    TWO = "two sources"
    HALO = "source and halo"
    LOOP = "loop"
    ELLIPSE = "ellipse"


DESCRIPTION = {
    Scene.CIRCLE: "a Gaussian circle of 20″",
    Scene.TWO: f"two Gaussian circles of 12″, {SEPARATION:g}″ apart, with 60 and 40 % of the flux",
    Scene.HALO: "a Gaussian circle of 12″ at the center of one of 50″, with half of the flux each",
    Scene.LOOP: "a loop of 40″ by 25″ (second moments) with an opening of 120°, 11″ thick",
    Scene.ELLIPSE: "a Gaussian ellipse of 40″ by 15″",
}
#: The forward fit that knows the scene.
CONFIGURATION = {
    Scene.CIRCLE: ("circle",),
    Scene.TWO: ("circle", "circle"),
    Scene.HALO: ("circle", "circle"),
    Scene.LOOP: ("loop",),
    Scene.ELLIPSE: ("ellipse",),
}
COUNTS = (1e4, 1e5, 1e6)


@dataclass(frozen=True, eq=False)
class Observation:
    """One noise realization of a scene.

    Attributes
    ----------
    scene : Scene
    counts : float
        Expected counts of the sources in the 24 sub-collimators.
    number : int
    sources : tuple of Source
        Helioprojective.
    flux : float, ct s⁻¹ cm⁻² keV⁻¹
        Of all sources.
    pixels : MetaPixels
    vis : Visibilities
        Helioprojective axes, phase center = center of ``grid``.
    grid : ImageGrid
    flare_xy : (x, y), arcsec
        Center of the grid in the STIX frame.
    """

    scene: Scene
    counts: float
    number: int
    sources: tuple[Source, ...]
    flux: float
    pixels: MetaPixels
    vis: Visibilities
    grid: ImageGrid
    flare_xy: tuple[float, float]

    @property
    def positions(self) -> Floats:
        """Positions of the sources, (n, 2) float, arcsec."""
        return np.array([[source.x, source.y] for source in self.sources])

    def truth(self, beam_fwhm: float = 0.0) -> Floats:
        """True image, ct s⁻¹ cm⁻² keV⁻¹ arcsec⁻², integrated over pixels; smeared with a Gaussian if asked for."""
        return self.flux * pixel_integrals(self.sources, self.grid, beam_fwhm)


def observe(scene: Scene, counts: float, number: int, calibration_error: float = 0.0) -> Observation:
    """Realization ``number`` of a scene; for all ``counts``, the same number gives the same sky.

    Gain and phase of every sub-collimator have errors of ``calibration_error`` (1 sigma, relative and rad).

    Orientation and position (within 1000″ of Sun center) are random; the map center is up to 8″ away in x and y, so
    that sources are not centered on pixels by design.
    """
    order = list(Scene).index(scene)
    sky = np.random.default_rng((SEED, order, number))
    radius, direction = 1000.0 * np.sqrt(sky.uniform()), sky.uniform(0.0, 2.0 * np.pi)
    x, y = float(radius * np.cos(direction)), float(radius * np.sin(direction))
    sources = _sources(scene, x, y, float(sky.uniform(0.0, 360.0)))
    center = (round(x + float(sky.uniform(-8.0, 8.0)), 3), round(y + float(sky.uniform(-8.0, 8.0)), 3))
    x_stix, y_stix = hpc_to_stix(*center, LEVEL)
    flare_xy = (float(x_stix), float(y_stix))
    noise = np.random.default_rng((SEED, order, number, round(counts)))
    pixels = simulate_pixel_sums(
        sources, counts, noise, pointing=LEVEL, background=BACKGROUND, calibration_error=calibration_error
    )
    vis = form_visibilities(pixels, flare_xy=flare_xy).to_helioprojective(LEVEL, *center)
    return Observation(
        scene=scene,
        counts=counts,
        number=number,
        sources=sources,
        flux=flux_for_counts(sources, counts, pointing=LEVEL),
        pixels=pixels,
        vis=vis,
        grid=ImageGrid(SHAPE, PIXEL, center),
        flare_xy=flare_xy,
    )


def _sources(scene: Scene, x: float, y: float, angle: float) -> tuple[Source, ...]:
    match scene:
        case Scene.CIRCLE:
            return (Circle(x, y, 20.0),)
        case Scene.TWO:
            dx, dy = (0.5 * SEPARATION * f(np.deg2rad(angle)) for f in (np.cos, np.sin))
            return Circle(x - dx, y - dy, 12.0, 0.6), Circle(x + dx, y + dy, 12.0, 0.4)
        case Scene.HALO:
            return Circle(x, y, 12.0, 0.5), Circle(x, y, 50.0, 0.5)
        case Scene.LOOP:
            return (Loop(x, y, 40.0, 25.0, angle, 120.0),)
        case Scene.ELLIPSE:
            return (Ellipse(x, y, 40.0, 15.0, angle),)


def pixel_integrals(sources: Sequence[Source], grid: ImageGrid, beam_fwhm: float = 0.0) -> Floats:
    """Mean brightness of sources of unit total flux in every pixel, (ny, nx) float, arcsec⁻²."""
    image = np.zeros(grid.shape)
    for source, share in zip(sources, shares(sources), strict=True):
        for weight, circle in _circles(source):
            fwhm = float(np.hypot(circle.fwhm, beam_fwhm))
            column = _interval_means(grid.y - (circle.y - grid.center[1]), fwhm, grid.pixel)
            row = _interval_means(grid.x - (circle.x - grid.center[0]), fwhm, grid.pixel)
            image += share * weight * np.outer(column, row)
    return image


def _circles(source: Source) -> list[tuple[float, Circle]]:
    """A circle unchanged, a loop or an ellipse as the circles that approximate it."""
    if isinstance(source, Loop):
        weights, x, y, fwhm = loop_circles(source.fwhm_max, source.fwhm_min, source.angle, source.loop_angle)
        places = zip(weights, source.x + x, source.y + y, strict=True)
        return [(float(weight), Circle(float(x), float(y), fwhm)) for weight, x, y in places]
    if isinstance(source, Ellipse):
        # a circle of fwhm_min smeared along the major axis with a Gaussian of σ² = (fwhm_max² - fwhm_min²)/2.3548²
        sigma = np.sqrt(source.fwhm_max**2 - source.fwhm_min**2) / FWHM_PER_SIGMA
        steps = np.linspace(-4.0, 4.0, ELLIPSE_CIRCLES)
        along = np.deg2rad(source.angle)
        share = np.exp(-0.5 * steps**2)
        return [
            (
                float(part),
                Circle(
                    source.x + float(step * sigma * np.cos(along)),
                    source.y + float(step * sigma * np.sin(along)),
                    source.fwhm_min,
                ),
            )
            for part, step in zip(share / share.sum(), steps, strict=True)
        ]
    assert isinstance(source, Circle)
    return [(1.0, replace(source, share=1.0))]


def _interval_means(distance: Floats, fwhm: float, pixel: float) -> Floats:
    """Mean of a normalized Gaussian over pixels at ``distance`` from its middle, arcsec⁻¹."""
    scale = np.sqrt(2.0) * fwhm / FWHM_PER_SIGMA
    upper, lower = erf((distance + pixel / 2.0) / scale), erf((distance - pixel / 2.0) / scale)
    return np.asarray(0.5 * (upper - lower) / pixel)
