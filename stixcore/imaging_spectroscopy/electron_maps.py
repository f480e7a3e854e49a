"""Files → maps of the electron flux: which electrons are where, without a model of spectrum or target.

Visibilities of all channels are inverted to visibilities of the electron flux at some electron energies
(`stixcore.visibility.electrons`), which every method for visibilities can image. `prepare_electron_recipe` decides
pointing and location; `electron_maps` runs any recipe.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from stixcore.calibration.catalog import SHIPPED, CalibrationCatalog
from stixcore.errors import SelectionError
from stixcore.imaging.reconstruction import Method
from stixcore.imaging.threads import single_threaded
from stixcore.imaging.trust import Aspect, Finding, Severity, unexplained_share
from stixcore.imaging_spectroscopy.channel_pixels import outside_range
from stixcore.imaging_spectroscopy.electron_recipe import (
    ELECTRON_ENERGIES,
    ELECTRON_REVISION,
    LEAST_COUNTS,
    ElectronRecipe,
)
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
from stixcore.measure_spectrum import MeasuredSpectrum, SpectrumRequest, albedo_angle, measure_recipe
from stixcore.options import ImageRequest
from stixcore.prepare import PreparedData
from stixcore.recipe import FileReference
from stixcore.reconstruct import ImageSet, prepare_data
from stixcore.spectra.electron_response import electron_edges, electron_response
from stixcore.spectra.fit.energy_range import SAME_ENERGY
from stixcore.spectra.models.thermal import ThermalTable
from stixcore.visibility.electrons import LEAST_CHANNELS, ElectronVisibilities, invert, reference_spectrum

Floats = NDArray[np.float64]

#: Of the maps and of their flux; FITS has no unit of electrons, they are a number.
UNIT = "10**50 s-1 cm-2 keV-1 arcsec-2"
FLUX_UNIT = "10**50 s-1 cm-2 keV-1"
#: Channels below are left out, keV: lines, and with the attenuator in most counts, are of other photon energies.
LOWEST, LOWEST_ATTENUATED = 10.0, 11.0
#: A map is of other electrons than it says if the median of its weights is off by this fraction, and of too many if
#: 68 % of its weights span more than this fraction of its energy.
OFFSET, WIDTH = 0.15, 1.0
#: Part of the true change with energy of the shares of two sources; below it, all sources have too similar spectra. In
#: simulated flares it is 0.8-1.0 with 1,000,000 counts, where indices are right, and 0.5-0.8 with 100,000, where their
#: difference is 30 % too small.
CONTRAST = 0.8
#: Share of thermal counts, by the fit of the spectrum, from which the flux is doubtful: photons of hot plasma come from
#: electrons just above their energy. In a simulated flare 2 % make the flux 1.5 times too high.
THERMAL = 0.01
#: Fewer independent energies show no change of the maps with energy.
LEAST_DOF = 1.5


@dataclass(frozen=True, eq=False)
class ElectronMap:
    """The maps of one electron energy.

    Attributes
    ----------
    energy : float, keV
    total : float, 10⁵⁰ electrons s⁻¹ cm⁻² keV⁻¹
        Flux of the whole flare.
    total_sigma : float
    resolution : (float, float, float), keV
        Electron energies below which 16, 50 and 84 % of the weights of this map are.
    contrast : float
        How much the shares of two sources change around this energy, as a fraction of the true change.
    slope : float
        −d ln P / d ln E of the whole flare.
    thermal_share : float or None
        Of the counts in the channel with this energy, by the fit of the spectrum; None without one.
    images : ImageSet
        With the electron visibilities and the findings about them; its counts are those of all channels.
    """

    energy: float
    total: float
    total_sigma: float
    resolution: tuple[float, float, float]
    contrast: float
    slope: float
    thermal_share: float | None
    images: ImageSet


@dataclass(frozen=True, eq=False)
class ElectronMaps:
    """Maps of the electron flux at some energies.

    Attributes
    ----------
    recipe : ElectronRecipe
    spectrum : MeasuredSpectrum
    channels : ChannelVisibilities
    labels : tuple of str
        Sub-collimators.
    electrons : ElectronVisibilities
    misfit : float
        Share of the amplitudes (rms) that the electrons do not explain, beyond noise.
    maps : tuple of ElectronMap
    findings : tuple of Finding
        About all maps.
    albedo_angle : float or None, degree
        Heliocentric angle for which reflected photons were taken out; None: they were not.
    elapsed : float, s
    """

    recipe: ElectronRecipe
    spectrum: MeasuredSpectrum
    channels: ChannelVisibilities
    labels: tuple[str, ...]
    electrons: ElectronVisibilities
    misfit: float
    maps: tuple[ElectronMap, ...]
    findings: tuple[Finding, ...]
    albedo_angle: float | None
    elapsed: float = 0.0

    @property
    def simulated(self) -> bool:
        """Whether the data are simulated."""
        return self.spectrum.simulated

    @property
    def verdict(self) -> str:
        """``trusted``, or ``doubtful`` if a finding about all maps is a doubt; maps have their own verdicts."""
        return "doubtful" if any(found.severity is Severity.DOUBT for found in self.findings) else "trusted"


def prepare_electron_recipe(
    image_request: ImageRequest,
    spectrum_request: SpectrumRequest,
    science: Path,
    background: Path | None = None,
    aspect: Sequence[Path] = (),
    *,
    catalog: CalibrationCatalog = SHIPPED,
    table: ThermalTable | None = None,
    energies: Sequence[float] = ELECTRON_ENERGIES,
    least_counts: float = LEAST_COUNTS,
) -> ElectronRecipe:
    """Make a recipe from requests: pointing, location and calibration are found in the files.

    Parameters
    ----------
    image_request : ImageRequest
        Its energy range holds the channels that are used.
    spectrum_request : SpectrumRequest
        Of the same time range; its model says which electrons are thermal. Without a location it gets that of the
        images.
    science, background : path
        L1 pixel data.
    aspect : sequence of paths
        Auxiliary files around the window; may be empty.
    catalog : CalibrationCatalog
    table : ThermalTable, optional
        Thermal emission instead of the built-in table.
    energies : sequence of float, keV
        Of the electrons.
    least_counts : float, ct
        Counts above background that a channel needs.

    Raises
    ------
    InvalidProduct, SelectionError, CalibrationError, ReconstructionError
        When the files or the selection allow no maps.
    """
    images, spectrum = prepare_pair(
        image_request, spectrum_request, science, background, aspect, catalog=catalog, table=table
    )
    return ElectronRecipe(images=images, spectrum=spectrum, energies=tuple(energies), least_counts=least_counts)


def electron_maps(
    recipe: ElectronRecipe,
    locate: Callable[[FileReference], Path],
    *,
    catalog: CalibrationCatalog = SHIPPED,
    table: ThermalTable | None = None,
    progress: Callable[[float, Method, int, int], None] | None = None,
) -> ElectronMaps:
    """Make the electron maps of a recipe.

    Parameters
    ----------
    recipe : ElectronRecipe
    locate : callable
        Returns the path of a file that the recipe names.
    catalog : CalibrationCatalog
        Contains the energy table that the recipe names; CAL files may also come from ``locate``.
    table : ThermalTable, optional
        Thermal emission instead of the built-in table.
    progress : callable, optional
        Called before each map with electron energy, method, number of the map (from 0) and number of maps.

    Raises
    ------
    InvalidProduct
        When the contents of a file differ from those the recipe was made for.
    SelectionError
        When the recipe is of another revision, or too few channels can be used.
    CalibrationError, ReconstructionError
        When an electron energy lies outside, or none of the maps can be made.
    """
    begin = perf_counter()
    recipe.require_revision(ELECTRON_REVISION)
    spectrum = measure_recipe(recipe.spectrum, locate, catalog, table)
    with single_threaded():  # the same numbers in every process
        made = _electron_maps(recipe, spectrum, prepare_data(recipe.images, locate, catalog), progress)
        return replace(made, elapsed=perf_counter() - begin)


def _electron_maps(
    recipe: ElectronRecipe,
    spectrum: MeasuredSpectrum,
    data: PreparedData,
    progress: Callable[[float, Method, int, int], None] | None,
) -> ElectronMaps:
    e_low, e_high = spectrum.spectrum.e_low, spectrum.spectrum.e_high
    reasons = _outside(recipe, e_low, e_high, attenuated=spectrum.response.attenuator)
    channels = channel_visibilities(recipe.images, data, e_low, e_high, reasons, recipe.least_counts)
    if len(channels.vis) < LEAST_CHANNELS:
        message = (
            f"electron maps need {LEAST_CHANNELS} channels with {recipe.least_counts:g} counts above background; "
            f"there are {len(channels.vis)}: choose a longer time range or wider energies"
        )
        raise SelectionError(message)
    angle = albedo_angle(spectrum.request, spectrum.location, spectrum.distance)
    electrons = _inverted(recipe, spectrum, channels, float(e_low[channels.used][0]), angle)
    vis = channels.vis[0]
    power = float(sum(((one.amplitude / one.sigma) ** 2).sum() for one in channels.vis))
    ndof = round(electrons.ndof_of_label * len(vis.labels))
    misfit = unexplained_share(float(electrons.chi2_of_labels.sum()), ndof, power)
    gaps = gap_notes("electron_gaps", channels, "electrons are found from the photons of the other channels")
    made = ElectronMaps(
        recipe, spectrum, channels, vis.labels, electrons, misfit, (),
        (*gaps, *_findings(recipe, electrons, misfit, vis.labels)), angle,
    )  # fmt: skip
    maps = tuple(_map(made, data, number, progress) for number in range(len(recipe.energies)))
    return replace(made, maps=maps)


def _outside(recipe: ElectronRecipe, e_low: Floats, e_high: Floats, *, attenuated: bool) -> list[str]:
    """Why a channel is not used, before its counts are known; empty where it may be."""
    lowest = LOWEST_ATTENUATED if attenuated else LOWEST
    cause = "the attenuator lets few photons pass" if attenuated else "lines and recombination are not bremsstrahlung"
    reasons = []
    for low, high in zip(e_low, e_high, strict=True):
        reason = outside_range(recipe.images.energy_range, low, high)
        if not reason and low < lowest - SAME_ENERGY:
            reason = f"below {lowest:g} keV, where {cause}"
        reasons.append(reason)
    return reasons


def _inverted(
    recipe: ElectronRecipe,
    spectrum: MeasuredSpectrum,
    channels: ChannelVisibilities,
    lowest: float,
    angle: float | None,
) -> ElectronVisibilities:
    counted, used = spectrum.spectrum, channels.used
    edges = electron_edges(lowest)
    centres = np.sqrt(edges[1:] * edges[:-1])
    matrix = electron_response(spectrum.response, edges, spectrum.distance, angle)[used]
    rate, error = counted.rate[used], counted.error()[used] / counted.livetime
    return invert(
        np.array([one.vis for one in channels.vis], dtype=np.complex128) / channels.flux[:, None],
        np.array([one.sigma for one in channels.vis]) / channels.flux[:, None],
        rate,
        error,
        matrix,
        reference_spectrum(matrix, rate, error, centres),
        centres,
        np.array(recipe.energies),
    )


def _findings(
    recipe: ElectronRecipe, electrons: ElectronVisibilities, misfit: float, labels: tuple[str, ...]
) -> Iterator[Finding]:
    """Doubts and notes about all maps."""
    if recipe.images.background is None:
        text = "no background was subtracted: at high energies it is taken for electrons"
        yield Finding("electron_background", Severity.DOUBT, text)
    if electrons.dof < LEAST_DOF:
        text = (
            f"the channels determine {electrons.dof:.1f} independent electron energies: all maps show nearly the same, "
            "whatever their energy"
        )
        yield Finding("electron_energies", Severity.DOUBT, text)
    severity = misfit_severity(electrons.reduced_chi2, misfit)
    if severity is not None:
        text = (
            f"the channels are not exactly those of electrons: χ² per degree of freedom is "
            f"{electrons.reduced_chi2:.1f}, and {100.0 * misfit:.0f} % of the amplitudes disagree; errors are larger "
            f"by {np.sqrt(electrons.scale):.1f}"
        )
        yield Finding("electron_misfit", severity, text)
    yield from label_notes("electron_labels", labels, electrons.chi2_of_labels / electrons.ndof_of_label)


def _map(
    made: ElectronMaps,
    data: PreparedData,
    number: int,
    progress: Callable[[float, Method, int, int], None] | None,
) -> ElectronMap:
    recipe, electrons = made.recipe, made.electrons
    energy, total = recipe.energies[number], float(electrons.total[number])
    low, middle, high = electrons.quantiles()[number].tolist()
    slope, thermal = _slope(electrons, energy), _thermal_share(made.spectrum, energy)
    contrast = float(electrons.contrast[number])
    name = f"electrons of {energy:g} keV"
    pixels = data.sum_pixels(made.channels.energy)
    source = made.channels.vis[0]
    source = replace(
        source,
        vis=electrons.vis[number],
        sigma=electrons.sigma[number],
        meta={**source.meta, "e_low": pixels.e_low, "e_high": pixels.e_high, "electron_energy": energy},
    )
    step = numbered(progress, energy, number, len(recipe.energies))
    notes = (*made.findings, *_doubts(energy, (low, middle, high), contrast, thermal, made.channels.energy[1]))
    scaled = scaled_pixels(pixels, source, total, data, made.channels.covered, counts=False)
    images = _in_electrons(images_of(recipe.images, data, source, scaled, notes, step, name))
    sigma = float(electrons.total_sigma[number])
    return ElectronMap(energy, total, sigma, (low, middle, high), contrast, slope, thermal, images)


def _in_electrons(images: ImageSet) -> ImageSet:
    """The same images with the unit of electrons."""
    return replace(images, images={method: replace(one, unit=UNIT) for method, one in images.images.items()})


def _slope(electrons: ElectronVisibilities, energy: float) -> float:
    logs = np.log(electrons.centres)
    return float(-np.interp(np.log(energy), logs, np.gradient(np.log(electrons.reference), logs)))


def _doubts(
    energy: float, resolution: tuple[float, float, float], contrast: float, thermal: float | None, highest: float
) -> Iterator[Finding]:
    """Doubts about the map of one energy."""
    low, middle, high = resolution
    if abs(middle / energy - 1.0) > OFFSET or high - low > WIDTH * energy:
        text = (
            f"the channels do not resolve electrons of {energy:g} keV: 68 % of the weights of this map are of "
            f"{low:.0f}-{high:.0f} keV, with a median of {middle:.0f} keV"
        )
        yield Finding("electron_resolution", Severity.DOUBT, text)
    if contrast < CONTRAST:
        text = (
            f"around {energy:g} keV the maps show only {100.0 * max(contrast, 0.0):.0f} % of the change of sources "
            "with energy: spectra of different sources come out too similar, and differences of their indices too small"
        )
        yield Finding("electron_contrast", Severity.DOUBT, text, doubts=frozenset({Aspect.FLUX, Aspect.SHAPE}))
    if energy > highest:
        text = f"electrons of {energy:g} keV have more energy than any photon that is used (to {highest:g} keV)"
        yield Finding("electron_range", Severity.DOUBT, text)
    if thermal is not None and thermal > THERMAL:
        text = (
            f"{100.0 * thermal:.0f} % of the counts at {energy:g} keV are of hot plasma: many of its X-rays are "
            "recombination and lines, so that its electron flux comes out several times too high"
        )
        yield Finding("electron_thermal", Severity.DOUBT, text, doubts=frozenset({Aspect.FLUX}))


def _thermal_share(spectrum: MeasuredSpectrum, energy: float) -> float | None:
    fit, counted = spectrum.fit, spectrum.spectrum
    inside = (counted.e_low <= energy) & (energy < counted.e_high)
    if fit is None or not inside.any():
        return None
    thermal = [counts[inside].sum() for label, counts in fit.components.items() if label.startswith("vth")]
    return float(sum(thermal) / fit.counts[inside].sum())
