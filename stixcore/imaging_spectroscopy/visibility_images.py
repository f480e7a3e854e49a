"""Images of visibilities that are not those of an energy band, but made from the visibilities of many channels.

Images of components (`stixcore.imaging_spectroscopy.component_images`) and electron maps
(`stixcore.imaging_spectroscopy.electron_maps`) have the same steps: recipes of images and spectrum, choice of channels,
methods for visibilities.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from stixcore.calibration.catalog import SHIPPED, CalibrationCatalog
from stixcore.errors import ReconstructionError
from stixcore.imaging.position_error import position_error
from stixcore.imaging.reconstruction import Method
from stixcore.imaging.total_flux import counted_flux
from stixcore.imaging.trust import Finding, Severity
from stixcore.imaging_spectroscopy.channel_pixels import channel_pixels
from stixcore.measure_spectrum import SpectrumRequest, measure_spectrum
from stixcore.options import ImageRequest
from stixcore.prepare import PreparedData
from stixcore.recipe import Recipe
from stixcore.reconstruct import ImageSet, prepare_recipe, run_methods
from stixcore.spectra.fit.energy_range import SAME_ENERGY
from stixcore.spectra.models.thermal import ThermalTable
from stixcore.spectrum_recipe import SpectrumRecipe
from stixcore.visibility.form import form_visibilities
from stixcore.visibility.pixels import MetaPixels
from stixcore.visibility.visibilities import Visibilities

Floats = NDArray[np.float64]

#: χ² per degree of freedom from which channels that disagree are a doubt, as in the verdict on images, and the share of
#: the amplitudes (rms) that must disagree too: bright flares show differences that change no image.
CHI2, MISFIT = 4.0, 0.1
#: χ² per degree of freedom from which there is a note: a simulated flare has 2.5 if its model lacks a component.
CHI2_NOTE = 2.0


@dataclass(frozen=True, eq=False)
class ChannelVisibilities:
    """Visibilities of the channels of a spectrum, without the systematic error of the amplitudes.

    Attributes
    ----------
    e_low, e_high : (n_channel,) float, keV
    used : (n_channel,) bool
    reasons : tuple of str
        Why a channel is not used; empty if it is.
    counts, background : (n_channel,) float, ct
        Above background, and background, in the sub-collimators and pixels of the images; NaN where unknown.
    flux : (n_used,) float, ct s⁻¹ cm⁻² keV⁻¹
        Total flux from the same counts.
    vis : tuple of Visibilities
        Of the channels that are used; helioprojective axes, phase centre = map centre.
    """

    e_low: Floats
    e_high: Floats
    used: NDArray[np.bool_]
    reasons: tuple[str, ...]
    counts: Floats
    background: Floats
    flux: Floats
    vis: tuple[Visibilities, ...]

    @property
    def energy(self) -> tuple[float, float]:
        """From the first to the last channel that is used, keV; it may have `gaps`."""
        return float(self.e_low[self.used][0]), float(self.e_high[self.used][-1])

    @property
    def gaps(self) -> tuple[tuple[float, float], ...]:
        """Ranges within `energy` whose channels are not used, keV."""
        ends, starts = self.e_high[self.used][:-1], self.e_low[self.used][1:]
        return tuple((float(a), float(b)) for a, b in zip(ends, starts, strict=True) if b - a > SAME_ENERGY)

    @property
    def gaps_text(self) -> str:
        """The gaps for people: "15-16 and 18-20 keV"; empty without any."""
        return f"{' and '.join(f'{a:g}-{b:g}' for a, b in self.gaps)} keV" if self.gaps else ""

    @property
    def width(self) -> Floats:
        """Width of the channels that are used, (n_used,) float, keV."""
        return np.asarray((self.e_high - self.e_low)[self.used])

    @property
    def covered(self) -> float:
        """Part of `energy`, in keV, whose channels are used: 1 without `gaps`."""
        low, high = self.energy
        return float(self.width.sum()) / (high - low)


def prepare_pair(
    image_request: ImageRequest,
    spectrum_request: SpectrumRequest,
    science: Path,
    background: Path | None,
    aspect: Sequence[Path],
    *,
    catalog: CalibrationCatalog = SHIPPED,
    table: ThermalTable | None = None,
) -> tuple[Recipe, SpectrumRecipe]:
    """Recipes of images and spectrum of the same files; without a location the spectrum gets that of the images.

    Parameters are those of `stixcore.reconstruct.prepare_recipe` and `stixcore.measure_spectrum.measure_spectrum`, and
    so are the errors.
    """
    images = prepare_recipe(image_request, science, background, aspect, catalog=catalog)
    if spectrum_request.location is None:
        spectrum_request = replace(spectrum_request, location=(images.location.x, images.location.y))
    measured = measure_spectrum(spectrum_request, science, background, aspect, catalog=catalog, table=table)
    return images, measured.recipe


def channel_visibilities(
    recipe: Recipe, data: PreparedData, e_low: Floats, e_high: Floats, reasons: Sequence[str], least_counts: float
) -> ChannelVisibilities:
    """Form the visibilities of all channels that have no reason against them, and enough counts.

    Parameters
    ----------
    recipe : Recipe
        Of the images.
    data : PreparedData
    e_low, e_high : (n_channel,) float, keV
    reasons : sequence of str
        Why a channel is not used, before its counts are known; empty where it may be.
    least_counts : float, ct
        Counts above background that a channel needs.
    """
    why = list(reasons)
    net, quiet = np.full(e_low.size, np.nan), np.full(e_low.size, np.nan)
    flux, found = [], []
    x, y = recipe.location.x, recipe.location.y
    flare_xy, scheme = data.flare_xy(x, y), recipe.amplitude_scheme
    for i in np.flatnonzero([not reason for reason in why]):
        channel = channel_pixels(data, float(e_low[i]), float(e_high[i]), least_counts)
        net[i], quiet[i], why[i] = channel.counts, channel.background, channel.reason
        if channel.pixels is None:
            continue
        pixels, labels = channel.pixels, channel.pixels.switched_on(recipe.subcollimators)
        # F and V are from the same pixels and sub-collimators, so their ratio is 1 for a point at the phase centre
        flux.append(counted_flux(pixels, labels, flare_xy=flare_xy, scheme=scheme))
        vis = form_visibilities(pixels, labels, flare_xy=flare_xy, scheme=scheme, systematic=0.0)
        found.append(vis.to_helioprojective(recipe.pointing, x, y))
    used = np.array([not reason for reason in why])
    return ChannelVisibilities(e_low, e_high, used, tuple(why), net, quiet, np.array(flux), tuple(found))


def misfit_severity(reduced_chi2: float, misfit: float) -> Severity | None:
    """Whether channels that do not agree are a doubt or a note; None if they agree.

    Parameters
    ----------
    reduced_chi2 : float
        Of all channels, per degree of freedom.
    misfit : float
        Share of the amplitudes (rms) in disagreement, beyond noise.
    """
    if reduced_chi2 > CHI2 and misfit > MISFIT:
        return Severity.DOUBT
    return Severity.NOTE if reduced_chi2 > CHI2_NOTE else None


def gap_notes(code: str, channels: ChannelVisibilities, consequence: str) -> tuple[Finding, ...]:
    """A note about channels that are left out between others, and what follows from it."""
    if not channels.gaps:
        return ()
    low, high = channels.energy
    text = f"the images of {low:g}-{high:g} keV are without {channels.gaps_text}: {consequence}"
    return (Finding(code, Severity.NOTE, text),)


def label_notes(code: str, labels: Sequence[str], reduced_chi2: Floats) -> tuple[Finding, ...]:
    """A note about the sub-collimators in which the channels disagree, by their χ² per degree of freedom, (n_vis,)."""
    order = np.argsort(-reduced_chi2)
    worst = [f"{labels[j]} ({reduced_chi2[j]:.1f})" for j in order if reduced_chi2[j] > CHI2]
    if not worst:
        return ()
    text = f"sub-collimators in which the channels disagree, with χ² per degree of freedom: {', '.join(worst)}"
    return (Finding(code, Severity.NOTE, text),)


def numbered[Key](
    progress: Callable[[Key, Method, int, int], None] | None, key: Key, number: int, sets: int
) -> Callable[[Method, int, int], None] | None:
    """Progress of image set ``number`` of ``sets`` with as many images each, counted through all of them."""
    if progress is None:
        return None
    return lambda method, n, methods: progress(key, method, number * methods + n, sets * methods)


def scaled_pixels(
    pixels: MetaPixels, vis: Visibilities, flux: float, data: PreparedData, covered: float, *, counts: bool = True
) -> MetaPixels:
    """The counts of a band, scaled to a flux: right in total, not in their pattern.

    Methods for visibilities take nothing but the total flux from them, and the verdict the number of counts.

    Parameters
    ----------
    pixels : MetaPixels
        Of the band.
    vis : Visibilities
        Whose sub-collimators have this flux.
    flux : float, in the unit of ``vis``
    data : PreparedData
    covered : float
        Share of the band, in keV, whose channels are used: rates are their mean, counts their sum.
    counts : bool
        Whether the counts are scaled to the flux too. If not, only their rates are.
    """
    place = data.flare_xy(*vis.phase_center)
    share = flux / counted_flux(pixels, vis.labels, flare_xy=place, scheme=data.options.amplitude_scheme)
    number = covered * share if counts else covered
    scaled = {name: share * getattr(pixels, name) for name in ("rate", "rate_sigma")}
    scaled |= {name: number * getattr(pixels, name) for name in ("counts", "background", "top_bottom")}
    scaled |= {name: number**2 * getattr(pixels, name) for name in ("counts_variance", "background_variance")}
    return replace(pixels, **scaled, single=None)


def images_of(
    recipe: Recipe,
    data: PreparedData,
    vis: Visibilities,
    pixels: MetaPixels,
    notes: tuple[Finding, ...],
    progress: Callable[[Method, int, int], None] | None,
    name: str,
) -> ImageSet:
    """All images of some visibilities.

    Parameters
    ----------
    recipe : Recipe
        Of the images.
    data : PreparedData
    vis : Visibilities
        Helioprojective axes, phase centre = map centre.
    pixels : MetaPixels
        From `scaled_pixels`.
    notes : tuple of Finding
        About the visibilities.
    progress : callable, optional
    name : str
        Of what is imaged, for messages.

    Raises
    ------
    ReconstructionError
        When every method failed.
    """
    begin = perf_counter()
    given = data.imaging_input(vis, pixels, recipe.grid)
    try:
        made, failures, ensembles = run_methods(recipe, given, progress, recipe.ensemble, recipe.seed)
    except ReconstructionError as error:
        message = f"{name}: {error}"
        raise ReconstructionError(message) from error
    sigma = recipe.pointing.sigma
    return ImageSet(
        recipe,
        pixels,
        vis,
        made,
        failures,
        None,
        given.flare_xy,
        data.science.asked(recipe.t_start, recipe.t_end, recipe.window_rule),
        perf_counter() - begin,
        ensembles,
        data.calibration,
        position=position_error(vis, None, (sigma, sigma)),
        background_asked=data.background_asked,
        notes=notes,
        no_locator="images made from many channels do not use the coarse locator",
    )
