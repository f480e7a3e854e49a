"""Files → images of the components of a spectrum: where the hot plasma is, and where the electrons are.

The spectrum of the whole flare is fitted. Its components have shares in the counts of every channel, and these shares
separate the visibilities of the channels into those of components (`stixcore.visibility.components`), which every
method for visibilities can image. `prepare_component_recipe` decides pointing and location; `component_images` runs
any recipe.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from stixcore.calibration.catalog import SHIPPED, CalibrationCatalog
from stixcore.errors import SelectionError
from stixcore.imaging.reconstruction import Method
from stixcore.imaging.threads import single_threaded
from stixcore.imaging.trust import Finding, Severity, unexplained_share
from stixcore.imaging_spectroscopy.channel_pixels import outside_range
from stixcore.imaging_spectroscopy.component_recipe import COMPONENT_REVISION, ComponentRecipe
from stixcore.imaging_spectroscopy.recipe_pair import LEAST_COUNTS
from stixcore.imaging_spectroscopy.visibility_images import (
    ChannelVisibilities,
    channel_visibilities,
    gap_notes,
    images_of,
    label_notes,
    misfit_severity,
    numbered,
    prepare_pair,
    scaled_pixels,
)
from stixcore.measure_spectrum import MeasuredSpectrum, SpectrumRequest, measure_recipe
from stixcore.options import ImageRequest
from stixcore.prepare import PreparedData
from stixcore.recipe import FileReference
from stixcore.reconstruct import ImageSet, prepare_data
from stixcore.spectra.counts import CountSpectrum
from stixcore.spectra.fit.energy_range import SAME_ENERGY
from stixcore.spectra.fit.result import SpectrumFit
from stixcore.spectra.models.thermal import ThermalTable
from stixcore.visibility.components import SeparatedVisibilities, component_fluxes, component_weights, separate

Floats = NDArray[np.float64]

#: Channels below are left out, keV: the threshold of the detectors cuts into the first channel, differently in each.
LOWEST = 5.0
#: A component needs this share of the counts in this number of channels.
LEAST_SHARE, LEAST_CHANNELS = 0.1, 2
#: Condition number of the weights from which the components are doubtful: noise is amplified up to that factor.
CONDITION = 100.0

_KINDS: Mapping[str, str] = {"vth": "thermal", "thick2": "thick target", "thin2": "thin target"}


@dataclass(frozen=True, eq=False)
class Channels(ChannelVisibilities):
    """The channels of the spectrum, with the shares of the components in those that are used.

    Attributes
    ----------
    weights : (n_used, n_component) float
        Shares of the components; the other attributes are those of `ChannelVisibilities`.
    """

    weights: Floats


@dataclass(frozen=True, eq=False)
class ComponentImage:
    """The images of one component.

    Attributes
    ----------
    label : str
        Of the component in the fit: "vth", "vth_2", "thick2" …
    name : str
        For people.
    flux : float, ct s⁻¹ cm⁻² keV⁻¹
        Mean of all channels that are used.
    share : float
        Of the flux of all components.
    images : ImageSet
        With the visibilities of the component in these channels, its share of their counts, and the findings about
        both.
    """

    label: str
    name: str
    flux: float
    share: float
    images: ImageSet


@dataclass(frozen=True, eq=False)
class ComponentImages:
    """Images of all components of a spectrum.

    Attributes
    ----------
    recipe : ComponentRecipe
    spectrum : MeasuredSpectrum
    channels : Channels
    labels : tuple of str
        Sub-collimators.
    separated : SeparatedVisibilities
        For unit flux; helioprojective axes, phase centre = map centre.
    misfit : float
        Share of the normalised amplitudes (rms) in which the channels disagree with the components, beyond noise.
    components : tuple of ComponentImage
    findings : tuple of Finding
        About all components.
    elapsed : float, s
    """

    recipe: ComponentRecipe
    spectrum: MeasuredSpectrum
    channels: Channels
    labels: tuple[str, ...]
    separated: SeparatedVisibilities
    misfit: float
    components: tuple[ComponentImage, ...]
    findings: tuple[Finding, ...]
    elapsed: float = 0.0

    @property
    def simulated(self) -> bool:
        """Whether the data are simulated."""
        return self.spectrum.simulated

    @property
    def verdict(self) -> str:
        """``trusted``, or ``doubtful`` if a finding is a doubt; images have their own verdicts."""
        return "doubtful" if any(found.severity is Severity.DOUBT for found in self.findings) else "trusted"


def component_name(label: str) -> str:
    """A component for people: "thermal" of ``vth``, "thermal 2" of ``vth_2``."""
    kind, _, number = label.partition("_")
    return " ".join(part for part in (_KINDS.get(kind, kind), number) if part)


def prepare_component_recipe(
    image_request: ImageRequest,
    spectrum_request: SpectrumRequest,
    science: Path,
    background: Path | None = None,
    aspect: Sequence[Path] = (),
    *,
    catalog: CalibrationCatalog = SHIPPED,
    table: ThermalTable | None = None,
    least_counts: float = LEAST_COUNTS,
) -> ComponentRecipe:
    """Make a recipe from requests: pointing, location and calibration are found in the files.

    Parameters
    ----------
    image_request : ImageRequest
        Its energy range holds the channels that are used.
    spectrum_request : SpectrumRequest
        Of the same time range. Without a location it gets that of the images.
    science, background : path
        L1 pixel data.
    aspect : sequence of paths
        Auxiliary files around the window; may be empty.
    catalog : CalibrationCatalog
    table : ThermalTable, optional
        Thermal emission instead of the built-in table.
    least_counts : float, ct
        Counts above background that a channel needs.

    Raises
    ------
    InvalidProduct, SelectionError, CalibrationError, ReconstructionError
        When the files or the selection allow no images.
    """
    images, spectrum = prepare_pair(
        image_request, spectrum_request, science, background, aspect, catalog=catalog, table=table
    )
    return ComponentRecipe(images=images, spectrum=spectrum, least_counts=least_counts)


def component_images(
    recipe: ComponentRecipe,
    locate: Callable[[FileReference], Path],
    *,
    catalog: CalibrationCatalog = SHIPPED,
    table: ThermalTable | None = None,
    progress: Callable[[str, Method, int, int], None] | None = None,
) -> ComponentImages:
    """Make the component images of a recipe.

    Parameters
    ----------
    recipe : ComponentRecipe
    locate : callable
        Returns the path of a file that the recipe names.
    catalog : CalibrationCatalog
        Contains the energy table that the recipe names; CAL files may also come from ``locate``.
    table : ThermalTable, optional
        Thermal emission instead of the built-in table.
    progress : callable, optional
        Called before each image with component, method, number of the image (from 0) and number of images.

    Raises
    ------
    InvalidProduct
        When the contents of a file differ from those the recipe was made for.
    SelectionError
        When the recipe is of another revision, the spectrum has no fit or a single component, or too few channels can
        be used.
    CalibrationError, ReconstructionError
        When the components cannot be separated, or none of the images can be made.
    """
    begin = perf_counter()
    recipe.require_revision(COMPONENT_REVISION)
    spectrum = measure_recipe(recipe.spectrum, locate, catalog, table)
    with single_threaded():  # the same numbers in every process
        made = _component_images(recipe, spectrum, prepare_data(recipe.images, locate, catalog), progress)
        return replace(made, elapsed=perf_counter() - begin)


def _component_images(
    recipe: ComponentRecipe,
    spectrum: MeasuredSpectrum,
    data: PreparedData,
    progress: Callable[[str, Method, int, int], None] | None,
) -> ComponentImages:
    fit = _fit_of(spectrum)
    channels = _channels(recipe, fit, spectrum.spectrum, data)
    vis = channels.vis
    separated = separate(
        np.array([one.vis for one in vis]), np.array([one.sigma for one in vis]), channels.flux, channels.weights
    )
    ratio = np.array([one.amplitude / one.sigma for one in vis])
    misfit = unexplained_share(separated.chi2, separated.ndof, float((ratio**2).sum()))
    gaps = gap_notes(
        "component_gaps", channels, "fluxes are the means of the channels that are used, and counts are theirs"
    )
    common = (*gaps, *_findings(recipe, fit, separated, misfit, vis[0].labels))
    weak = [_weak(label, share) for label, share in zip(fit.components, channels.weights.T, strict=True)]
    fluxes = component_fluxes(channels.flux, channels.width, channels.weights)
    pixels = data.sum_pixels(channels.energy)
    made = []
    for number, label in enumerate(fit.components):
        source = replace(
            vis[0],
            vis=fluxes[number] * separated.vis[number],
            sigma=fluxes[number] * separated.sigma[number],
            meta={**vis[0].meta, "e_low": pixels.e_low, "e_high": pixels.e_high, "component": label},
        )
        scaled = scaled_pixels(pixels, source, float(fluxes[number]), data, channels.covered)
        step = numbered(progress, label, number, len(fluxes))
        notes = (*common, *weak[number])
        images = images_of(recipe.images, data, source, scaled, notes, step, f"{component_name(label)} component")
        share = float(fluxes[number] / fluxes.sum())
        made.append(ComponentImage(label, component_name(label), float(fluxes[number]), share, images))
    findings = (*common, *(found for some in weak for found in some))
    return ComponentImages(recipe, spectrum, channels, vis[0].labels, separated, misfit, tuple(made), findings)


def _fit_of(spectrum: MeasuredSpectrum) -> SpectrumFit:
    """The fit of the spectrum, with at least two components."""
    if spectrum.fit is None:
        message = f"component images need a fit of the spectrum; there is none: {spectrum.no_fit}"
        raise SelectionError(message)
    if len(spectrum.fit.components) < 2:
        message = (
            f"the model of the spectrum is {spectrum.fit.model}, a single component: there is nothing to separate; "
            "choose a model such as vth+thick2"
        )
        raise SelectionError(message)
    return spectrum.fit


def _channels(recipe: ComponentRecipe, fit: SpectrumFit, spectrum: CountSpectrum, data: PreparedData) -> Channels:
    """Choose the channels, and form their visibilities without the systematic error."""
    e_low, e_high = spectrum.e_low, spectrum.e_high
    reasons = _outside(recipe, fit, e_low, e_high)
    found = channel_visibilities(recipe.images, data, e_low, e_high, reasons, recipe.least_counts)
    if len(found.vis) < len(fit.components):
        message = (
            f"{len(fit.components)} components need at least as many channels with {recipe.least_counts:g} counts "
            f"above background; there are {len(found.vis)}: choose a longer time range or wider energies"
        )
        raise SelectionError(message)
    weights = component_weights(np.array(list(fit.components.values()))[:, found.used])
    return Channels(**vars(found), weights=weights)


def _outside(recipe: ComponentRecipe, fit: SpectrumFit, e_low: Floats, e_high: Floats) -> list[str]:
    """Why a channel is not used, before its counts are known; empty where it may be."""
    reasons = []
    for low, high, fitted in zip(e_low, e_high, fit.energy.used, strict=True):
        reason = outside_range(recipe.images.energy_range, low, high)
        if not reason and not fitted:
            reason = "not in the fit of the spectrum"
        elif not reason and low < LOWEST - SAME_ENERGY:
            reason = f"below {LOWEST:g} keV, where the threshold of the detectors cuts in"
        reasons.append(reason)
    return reasons


def _findings(
    recipe: ComponentRecipe,
    fit: SpectrumFit,
    separated: SeparatedVisibilities,
    misfit: float,
    labels: tuple[str, ...],
) -> Iterator[Finding]:
    """Doubts and notes about the separation."""
    if fit.verdict == "doubtful":
        reasons = " ".join(doubt.text for doubt in fit.doubts if doubt.serious)
        text = f"the fit of the spectrum, which gives the shares of the components, is doubtful: {reasons}"
        yield Finding("component_fit", Severity.DOUBT, text)
    if recipe.images.background is None:
        text = "no background was subtracted: at high energies it is taken for a component"
        yield Finding("component_background", Severity.DOUBT, text)
    if separated.condition >= CONDITION:
        text = (
            f"the components have similar shares in all channels: the condition number is {separated.condition:.0f}, "
            f"and noise is amplified by up to this factor (limit {CONDITION:.0f})"
        )
        yield Finding("component_condition", Severity.DOUBT, text)
    if separated.ndof == 0:
        text = f"as many channels as components ({len(fit.components)}): no χ² says whether they agree"
        yield Finding("component_channels", Severity.DOUBT, text)
    elif (severity := misfit_severity(separated.reduced_chi2, misfit)) is not None:
        text = (
            f"the visibilities of the channels are not exactly sums of {len(fit.components)} components: χ² per degree "
            f"of freedom is {separated.reduced_chi2:.1f}, and {100.0 * misfit:.0f} % of the amplitudes disagree"
        )
        yield Finding("component_misfit", severity, text)
    if separated.ndof:
        yield from label_notes("component_labels", labels, separated.chi2_of_labels / separated.ndof_of_label)


def _weak(label: str, weights: Floats) -> tuple[Finding, ...]:
    """A doubt about a component that is small in every channel."""
    strong = int((weights > LEAST_SHARE).sum())
    if strong >= LEAST_CHANNELS:
        return ()
    text = (
        f"the {component_name(label)} component gives more than {100.0 * LEAST_SHARE:.0f} % of the counts in "
        f"{strong} of {weights.size} channels; {LEAST_CHANNELS} are needed to see it"
    )
    return (Finding("component_weak", Severity.DOUBT, text),)
