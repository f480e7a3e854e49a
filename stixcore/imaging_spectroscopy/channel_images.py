"""Images of single energy channels, and how each divides the flux among regions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from stixcore.errors import CalibrationError, ReconstructionError
from stixcore.imaging.ensemble import simulated_images
from stixcore.imaging.forward_fit.image import draw
from stixcore.imaging.fourier import FourierOperator
from stixcore.imaging.methods import ImagingInput, run_method
from stixcore.imaging.reconstruction import Method, Reconstruction
from stixcore.imaging.region_fractions import RegionFractions, image_fractions, point_error, source_fractions
from stixcore.imaging_spectroscopy.channel_pixels import ChannelPixels, channel_pixels
from stixcore.imaging_spectroscopy.region_recipe import RegionRecipe
from stixcore.prepare import PreparedData
from stixcore.spectra.regions import Circle, Contour, Ellipse, region_masks
from stixcore.visibility.pixels import MetaPixels
from stixcore.visibility.visibilities import Visibilities

Floats = NDArray[np.float64]

#: Called with the number of channels that are done, and of all.
Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class ChannelImages:
    """Images of the channels of a spectrum.

    Attributes
    ----------
    imaged : (n_channel,) bool
    reasons : tuple of str
        Why a channel is not imaged; empty where it is.
    fractions : tuple of RegionFractions
        Of the imaged channels.
    images : (n_imaged, ny, nx) float, ct s⁻¹ cm⁻² keV⁻¹ arcsec⁻²
        As the method shows them: restored maps for CLEAN, fitted sources for a forward fit.
    areas : (n_region + 1,) float, arcsec²
        Of the regions, then of what is outside them. For a forward fit, which has no outside, (n_region,): areas at
        half maximum.
    """

    imaged: NDArray[np.bool_]
    reasons: tuple[str, ...]
    fractions: tuple[RegionFractions, ...]
    images: Floats
    areas: Floats


def image_channels(
    recipe: RegionRecipe, data: PreparedData, e_low: Floats, e_high: Floats, progress: Progress | None = None
) -> ChannelImages:
    """Image the channels of a recipe one by one, and divide their flux.

    Parameters
    ----------
    recipe : RegionRecipe
    data : PreparedData
        Of the recipe of the images.
    e_low, e_high : (n_channel,) float, keV
        Channels of the spectrum of the whole flare.
    progress : callable, optional

    Raises
    ------
    SelectionError
        When a region does not fit the image.
    CalibrationError, ReconstructionError
        When a contour needs the image of the whole energy range, and there is none; when no channel can be imaged.
    """
    data = replace(data, science=data.science.in_memory())
    chosen = _chosen_channels(recipe, data, e_low, e_high)
    divide = _Sources(recipe, data) if recipe.method is Method.VIS_FWDFIT else _Masks(recipe, data)
    reasons: list[str] = []
    fractions: list[RegionFractions] = []
    images: list[Floats] = []
    wanted = sum(one.pixels is not None for one in chosen)
    done = 0
    for number, channel in enumerate(chosen):
        reason = channel.reason
        if channel.pixels is not None:
            if progress is not None:
                progress(done, wanted)
            done += 1
            try:
                found, image = divide(channel.pixels, number)
                fractions.append(found)
                images.append(image)
            except (ReconstructionError, CalibrationError) as error:
                reason = f"no image: {error}"
        reasons.append(reason)
    if not images:
        raise ReconstructionError(_no_image(recipe, chosen, reasons, e_low, e_high))
    return ChannelImages(
        imaged=np.array([not reason for reason in reasons]),
        reasons=tuple(reasons),
        fractions=tuple(fractions),
        images=np.array(images),
        areas=divide.areas,
    )


def _no_image(
    recipe: RegionRecipe, chosen: Sequence[ChannelPixels], reasons: Sequence[str], e_low: Floats, e_high: Floats
) -> str:
    """Say why no channel is imaged: the reason of the one with most counts."""
    first, last = recipe.images.energy_range
    best = max(range(len(chosen)), key=lambda number: np.nan_to_num(chosen[number].counts, nan=-np.inf))
    why = f"{e_low[best]:g}-{e_high[best]:g} keV: {reasons[best]}"
    return f"no channel between {first:g} and {last:g} keV can be imaged; the one with most counts, {why}"


def imaged_visibilities(recipe: RegionRecipe, data: PreparedData, e_low: Floats, e_high: Floats) -> list[Visibilities]:
    """Visibilities of the channels with enough counts; parameters are those of `image_channels`."""
    data = replace(data, science=data.science.in_memory())
    chosen = _chosen_channels(recipe, data, e_low, e_high)
    return [_visibilities(recipe, data, channel.pixels) for channel in chosen if channel.pixels is not None]


def _chosen_channels(recipe: RegionRecipe, data: PreparedData, e_low: Floats, e_high: Floats) -> list[ChannelPixels]:
    bands = zip(e_low.tolist(), e_high.tolist(), strict=True)
    return [channel_pixels(data, low, high, recipe.least_counts) for low, high in bands]


class _Masks:
    """Divides images by their pixels in regions."""

    def __init__(self, recipe: RegionRecipe, data: PreparedData) -> None:
        self._recipe, self._data = recipe, data
        self._operator: FourierOperator | None = None
        contours = any(isinstance(region, Contour) for region in recipe.regions)
        self._masks = region_masks(recipe.regions, recipe.images.grid, self._whole_band() if contours else None)
        outside = ~self._masks.any(axis=0)
        pixels = np.append(self._masks.sum(axis=(1, 2)), outside.sum())
        self.areas: Floats = np.asarray(pixels * recipe.images.grid.pixel_area)

    def __call__(self, pixels: MetaPixels, number: int) -> tuple[RegionFractions, Floats]:
        recipe, given = self._recipe.images, self._input(pixels)
        method, parameters = next(iter(recipe.methods.items()))
        image = run_method(method, parameters, given)
        copies: Iterable[Reconstruction] = ()
        if recipe.ensemble:  # other noise in each channel
            seed = (recipe.seed, number)
            copies = simulated_images(method, parameters, given, recipe.ensemble, seed, image=image)
        return image_fractions(image, self._masks, copies, point_error(given.vis)), image.image

    def _whole_band(self) -> Floats:
        """Image of the whole energy range, for contours."""
        science, (low, high) = self._data.science, self._recipe.images.energy_range
        closed = science.e_high[np.isfinite(science.e_high)]
        pixels = self._data.sum_pixels((max(low, float(science.e_low[0])), min(high, float(closed.max()))))
        method, parameters = next(iter(self._recipe.images.methods.items()))
        return run_method(method, parameters, self._input(pixels)).image

    def _input(self, pixels: MetaPixels) -> ImagingInput:
        recipe, vis = self._recipe.images, _visibilities(self._recipe, self._data, pixels)
        known = self._operator
        if known is None or not (np.array_equal(known.u, vis.u) and np.array_equal(known.v, vis.v)):
            self._operator = known = FourierOperator(vis.u, vis.v, recipe.grid)
        return self._data.imaging_input(vis, pixels, recipe.grid, known)


class _Sources:
    """Divides the flux among the sources of a forward fit."""

    def __init__(self, recipe: RegionRecipe, data: PreparedData) -> None:
        self._recipe, self._data = recipe, data
        self._sources = [one for one in recipe.regions if isinstance(one, Circle | Ellipse)]
        self.areas: Floats = np.array([_area(source) for source in self._sources])

    def __call__(self, pixels: MetaPixels, _number: int) -> tuple[RegionFractions, Floats]:
        found = source_fractions(_visibilities(self._recipe, self._data, pixels), self._sources)
        drawn = [_drawn(source, flux) for source, flux in zip(self._sources, found.flux.tolist(), strict=True)]
        return found, draw(drawn, self._recipe.images.grid)


def _visibilities(recipe: RegionRecipe, data: PreparedData, pixels: MetaPixels) -> Visibilities:
    """Helioprojective; their phase centre is that of the grid."""
    return data.visibilities(pixels, recipe.images.location.x, recipe.images.location.y)


def _area(source: Circle | Ellipse) -> float:
    """Area at half maximum, arcsec²."""
    half = (source.radius, source.radius) if isinstance(source, Circle) else (source.major, source.minor)
    return float(np.pi * half[0] * half[1])


def _drawn(source: Circle | Ellipse, flux: float) -> dict[str, float | str]:
    """A source in the format of `Reconstruction.sources`."""
    place: dict[str, float | str] = {"x": source.x, "y": source.y, "flux": flux}
    if isinstance(source, Circle):
        return {**place, "shape": "circle", "fwhm": 2.0 * source.radius}
    axes = {"fwhm_max": 2.0 * source.major, "fwhm_min": 2.0 * source.minor, "position_angle": source.position_angle}
    return {**place, "shape": "ellipse", **axes}
