"""From files to the spectra of the regions of an image: imaging spectroscopy.

Every energy channel with enough counts is imaged with one method on one grid. The flux of the image in a region, as a
fraction of the flux of the whole image, times the counts of the whole flare is the spectrum of the region. So the
regions and what is outside them add up to the spectrum of the flare by construction, and have its response. The flux of
the images themselves is compared with that of the spectrum (`MeasuredRegions.scale`), but not used.

In a forward fit the regions are the sources: all channels share their positions and sizes, and the fluxes are a linear
fit to the visibilities.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stixcore.calibration.catalog import SHIPPED, CalibrationCatalog
from stixcore.calibration.grids import scheme_transmission
from stixcore.imaging.grid import ImageGrid
from stixcore.imaging.reconstruction import Method
from stixcore.imaging.threads import single_threaded
from stixcore.imaging_spectroscopy.channel_images import ChannelImages, Progress, image_channels
from stixcore.imaging_spectroscopy.region_recipe import REGION_REVISION, RegionRecipe
from stixcore.measure_spectrum import MeasuredSpectrum, albedo_angle, fit_or_reason, measure_recipe
from stixcore.prepare import PreparedData
from stixcore.reconstruct import prepare_data
from stixcore.references import FileReference
from stixcore.spectra.fit.energy_range import LEAST_CHANNELS
from stixcore.spectra.fit.recipe import FULL, THERMAL
from stixcore.spectra.fit.verdict import WORST_CHI2
from stixcore.spectra.models.thermal import ThermalTable
from stixcore.spectra.region_spectrum import RegionSpectrum, divided_spectrum
from stixcore.spectra.regions import OUTSIDE, Circle, Ellipse, Region
from stixcore.spectrum_recipe import NO_MODEL, SpectrumRequest

__all__ = ["MeasuredRegions", "RegionSpectrum", "measure_regions"]

Floats = NDArray[np.float64]

#: Models of the automatic fit of a region: a footpoint may have no hot plasma, which the whole flare always has.
REGION_CANDIDATES = (THERMAL, "thick2", FULL)
#: Finest resolution of the sub-collimators that are used by default, arcsec. Smaller regions exchange flux with what
#: surrounds them.
RESOLUTION = 14.6
#: Largest difference from 1 of the flux of the spectrum ÷ that of the image, without a doubt.
WORST_SCALE = 0.2


@dataclass(frozen=True, eq=False)
class MeasuredRegions:
    """The spectra of regions, and the spectrum of the whole flare.

    Attributes
    ----------
    recipe : RegionRecipe
    whole : MeasuredSpectrum
        Of the whole flare.
    imaged : (n_channel,) bool
        Channels with an image.
    reasons : tuple of str
        Why a channel has none; empty where it has.
    scale : (n_channel,) float
        Flux of the spectrum of the whole flare ÷ flux of the image, NaN where not imaged. It is independent of the
        division, and not applied.
    regions : tuple of RegionSpectrum
        In the order of the recipe.
    outside : RegionSpectrum or None
        What no region contains; None for a forward fit, which has sources only.
    doubts : tuple of str
        What may be wrong with all of them, one sentence each.
    images : (n_imaged, ny, nx) float, ct s⁻¹ cm⁻² keV⁻¹ arcsec⁻²
        Of the imaged channels.
    """

    recipe: RegionRecipe
    whole: MeasuredSpectrum
    imaged: NDArray[np.bool_]
    reasons: tuple[str, ...]
    scale: Floats
    regions: tuple[RegionSpectrum, ...]
    outside: RegionSpectrum | None
    doubts: tuple[str, ...]
    images: Floats

    @property
    def grid(self) -> ImageGrid:
        """Grid of the images."""
        return self.recipe.images.grid

    @property
    def distance(self) -> float:
        """From the spacecraft to the Sun, AU."""
        return self.whole.distance

    @property
    def simulated(self) -> bool:
        """Whether the data are simulated."""
        return self.whole.simulated


def measure_regions(
    recipe: RegionRecipe,
    locate: Callable[[FileReference], Path],
    *,
    catalog: CalibrationCatalog = SHIPPED,
    table: ThermalTable | None = None,
    progress: Progress | None = None,
) -> MeasuredRegions:
    """Measure and fit the spectra of the regions of a recipe: the same numbers in every process.

    Parameters
    ----------
    recipe : RegionRecipe
    locate : callable
        Path of a file of the recipe.
    catalog : CalibrationCatalog
        Energy tables and CAL files.
    table : ThermalTable, optional
        Thermal emission instead of the built-in table.
    progress : callable, optional
        Called with the number of channels that are imaged, and of all.

    Raises
    ------
    InvalidProduct
        When the contents of a file differ from those the recipe was made for.
    SelectionError, CalibrationError, ReconstructionError
        When the files do not allow the selection, a region does not fit the image, no channel can be imaged, or this
        software has another revision or other tables than the recipe.
    """
    recipe.require_revision(REGION_REVISION)
    whole = measure_recipe(recipe.spectrum, locate, catalog, table)
    spectrum = whole.spectrum
    with single_threaded():
        data = prepare_data(recipe.images, locate, catalog)
        found = image_channels(recipe, data, spectrum.e_low, spectrum.e_high, progress)
        scale = _scale(whole, recipe, data, found)
        regions = tuple(
            _fitted(_region(whole, found, k, region, region.name), whole, recipe, found, table)
            for k, region in enumerate(recipe.regions)
        )
    outside = None if recipe.method is Method.VIS_FWDFIT else _region(whole, found, len(regions), None, OUTSIDE)
    return MeasuredRegions(
        recipe=recipe,
        whole=whole,
        imaged=found.imaged,
        reasons=found.reasons,
        scale=scale,
        regions=regions,
        outside=outside,
        doubts=(*whole.doubts, *_doubts(recipe, whole, found, scale)),
        images=found.images,
    )


def _region(
    whole: MeasuredSpectrum, found: ChannelImages, number: int, region: Region | None, name: str
) -> RegionSpectrum:
    """The spectrum of a region, without a fit."""

    def channels(key: str) -> Floats:
        values = np.full(found.imaged.size, np.nan)
        values[found.imaged] = [getattr(one, key)[number] for one in found.fractions]
        return values

    fraction, fraction_sigma = channels("fraction"), channels("fraction_sigma")
    return RegionSpectrum(
        name=name,
        region=region,
        area=float(found.areas[number]),
        flux=channels("flux"),
        flux_sigma=channels("flux_sigma"),
        fraction=fraction,
        fraction_sigma=fraction_sigma,
        spectrum=divided_spectrum(whole.spectrum, fraction, fraction_sigma),
    )


def _fitted(
    made: RegionSpectrum,
    whole: MeasuredSpectrum,
    recipe: RegionRecipe,
    found: ChannelImages,
    table: ThermalTable | None,
) -> RegionSpectrum:
    """The spectrum of a region with its fit, or the reason why there is none, and its doubts."""
    request = _request(whole.request, recipe.model_of(made.name))
    made = replace(made, doubts=_region_doubts(made, is_source=recipe.method is Method.VIS_FWDFIT))
    if request.model == NO_MODEL:
        return made
    angle = albedo_angle(request, whole.location, whole.distance)
    # the response is that of the whole flare, at its location: grids change by 0.2 % over the disk
    fit, no_fit = fit_or_reason(
        request, made.spectrum, whole.response, whole.distance, angle, table, found.imaged, REGION_CANDIDATES
    )
    if fit is None and found.imaged.sum() < LEAST_CHANNELS:
        n = int(found.imaged.sum())
        no_fit = (
            f"{n} channel{'' if n == 1 else 's'} between {recipe.images.energy_range[0]:g} and "
            f"{recipe.images.energy_range[1]:g} keV could be imaged, a fit needs {LEAST_CHANNELS}"
        )
    return replace(made, fit=fit, no_fit=no_fit)


def _request(request: SpectrumRequest, model: str) -> SpectrumRequest:
    """The request for a region: values that are fixed or started from belong to the model of the whole flare."""
    if model == request.model:
        return request
    return replace(request, model=model, fixed={}, start_values={})


def _scale(whole: MeasuredSpectrum, recipe: RegionRecipe, data: PreparedData, found: ChannelImages) -> Floats:
    """Flux of the spectrum ÷ flux of the image in every channel, (n_channel,) float; NaN where not imaged."""
    images, spectrum = recipe.images, whole.spectrum
    place = data.flare_xy(images.location.x, images.location.y)
    transmission = scheme_transmission(images.amplitude_scheme, *place)[list(spectrum.detectors)].mean()
    # F = C / (L ΔE A T)
    flux = spectrum.rate / ((spectrum.e_high - spectrum.e_low) * whole.response.area * transmission)
    scale = np.full(found.imaged.size, np.nan)
    scale[found.imaged] = flux[found.imaged] / [one.total for one in found.fractions]
    return scale


def _region_doubts(made: RegionSpectrum, *, is_source: bool) -> tuple[str, ...]:
    doubts = []
    diameter = 2.0 * float(np.sqrt(made.area / np.pi))
    if diameter < RESOLUTION:
        why = "its size is uncertain" if is_source else "its flux depends on what surrounds it"
        doubts.append(
            f"its diameter of {diameter:.1f} arcsec is below the resolution of {RESOLUTION:g} arcsec, so {why}"
        )
    known = np.isfinite(made.fraction)
    negative = known & (made.fraction < 0)
    if negative.any():
        doubts.append(f"its flux is negative in {negative.sum()} of {known.sum()} channels")
    faint = known & (made.fraction_sigma > np.maximum(made.fraction, 0.0))
    if known.any() and 2 * faint.sum() > known.sum():
        doubts.append(f"its flux is not larger than its error in {faint.sum()} of {known.sum()} channels")
    return tuple(doubts)


def _doubts(recipe: RegionRecipe, whole: MeasuredSpectrum, found: ChannelImages, scale: Floats) -> tuple[str, ...]:
    doubts = []
    spectrum = whole.spectrum
    off = np.flatnonzero(found.imaged & (np.abs(scale - 1.0) > WORST_SCALE))
    if off.size:
        worst = off[np.argmax(np.abs(scale[off] - 1.0))]
        doubts.append(
            f"the flux of the spectrum differs from that of the images by more than {WORST_SCALE:.0%} in {off.size} of "
            f"{found.imaged.sum()} channels; at {spectrum.e_low[worst]:g}-{spectrum.e_high[worst]:g} keV it is "
            f"{scale[worst]:.2f} times as large"
        )
    if recipe.method is Method.VIS_FWDFIT:
        doubts += _source_doubts(recipe, found)
    elif not recipe.images.ensemble:
        doubts.append("without simulated copies of the data the errors of the images are not included")
    return tuple(doubts)


def _source_doubts(recipe: RegionRecipe, found: ChannelImages) -> list[str]:
    """Doubts about the sources of a forward fit."""
    doubts = []
    sources = [source for source in recipe.regions if isinstance(source, Circle | Ellipse)]
    for one, other in combinations(sources, 2):
        if _overlap(one, other):
            doubts.append(
                f"sources {one.name!r} and {other.name!r} overlap at half maximum, so their fluxes depend on "
                "their exact shapes"
            )
    bad = [one.chi2 > WORST_CHI2 for one in found.fractions]
    if any(bad):
        doubts.append(
            f"the sources do not describe the visibilities in {sum(bad)} of {len(bad)} channels: χ² is above "
            f"{WORST_CHI2:g} per degree of freedom; the errors are enlarged accordingly"
        )
    return doubts


def _overlap(one: Circle | Ellipse, other: Circle | Ellipse) -> bool:
    """Whether two sources have common points, of 101 × 101 in the box around the first one."""
    west, east, south, north = one.bounds
    x, y = np.linspace(west, east, 101)[None, :], np.linspace(south, north, 101)[:, None]
    return bool((one.contains(x, y) & other.contains(x, y)).any())
