"""Fits against time: one spectrum and one fit for each step of a flare with enough counts.

Files are open already: the caller has made the steps, which are those of its images, and knows where the flare is.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from stixcore.calibration.catalog import Calibration
from stixcore.coordinates import Pointing
from stixcore.errors import SelectionError, StixError
from stixcore.fits.products import PixelData
from stixcore.flare_response import distance_to_sun, flare_response, heliocentric_angle
from stixcore.spectra.bins import separated
from stixcore.spectra.counts import CountSpectrum, count_spectrum
from stixcore.spectra.fit.energy_range import choose_range
from stixcore.spectra.fit.recipe import fit_spectrum
from stixcore.spectra.fit.result import SpectrumFit
from stixcore.spectra.models.thermal import ThermalTable
from stixcore.spectra.response import Response

log = logging.getLogger(__name__)

#: Counts above background in the fitted energies that a step needs. With these the automatic fit finds the electrons
#: of 97 % of simulated flares, their index is known to 0.1 to 0.9 and the temperature to 4 to 9 %; with a quarter it
#: takes electrons for heat in most flares, with half it misses those of a sixth (``docs/accuracy.md``, "Counts of a
#: fit").
LEAST_FIT_COUNTS = 20_000.0


@dataclass(frozen=True, eq=False)
class TrackInputs:
    """What all steps of a track share.

    Attributes
    ----------
    data : PixelData
        With counts in their correct time bins.
    background : PixelData or None
    pointing : callable
        Start and end of a step → its `Pointing`.
    place : (float, float), arcsec
        Of the flare, helioprojective.
    calibration : Calibration
    table : ThermalTable, optional
        Thermal emission instead of the built-in table.
    """

    data: PixelData
    background: PixelData | None
    pointing: Callable[[np.datetime64, np.datetime64], Pointing]
    place: tuple[float, float]
    calibration: Calibration
    table: ThermalTable | None = None


@dataclass(frozen=True, eq=False)
class FittedStep:
    """A step of a track: spectrum, response and fit; ``counts`` above background in the fitted energies, ct."""

    spectrum: CountSpectrum
    response: Response
    fit: SpectrumFit
    counts: float


def measure_track(
    inputs: TrackInputs, steps: Sequence[slice], least_counts: float = LEAST_FIT_COUNTS
) -> tuple[FittedStep, ...]:
    """Fit the spectrum of every step, automatically and with reflection at the Sun.

    Parameters
    ----------
    inputs : TrackInputs
    steps : sequence of slice
        Consecutive time bins of the data, in order; see `join_steps` for those with few counts. Steps whose counts
        cannot be used, because the attenuator moves or the rates are too high, are left out.
    least_counts : float, ct
        Above background in the energies that are fitted.

    Returns
    -------
    tuple of FittedStep
        Empty where no step has enough counts.

    Raises
    ------
    CalibrationError
        When nothing gives the distance to the Sun.
    """
    spectra = _Spectra(inputs)
    usable = [step for step in steps if spectra.can_be_used(step)]
    joined = join_steps(inputs.data, usable, lambda step: spectra.of(step).counts >= least_counts)
    return tuple(_fit(inputs, spectra.of(step)) for step in joined)


def join_steps(data: PixelData, steps: Sequence[slice], has_enough: Callable[[slice], bool]) -> list[slice]:
    """Join adjacent steps until each has enough counts.

    A step never includes a change of attenuator, pixels or detectors, a gap, or bins between the given steps. What is
    left at the end, or before such a change, joins the step before it, and is left out where there is none.
    """
    joined: list[slice] = []
    waiting: slice | None = None
    for step in steps:
        if waiting is not None and not _adjacent(data, waiting, step):
            _join_rest(data, joined, waiting)
            waiting = None
        wanted = step if waiting is None else slice(waiting.start, step.stop)
        if has_enough(wanted):
            joined.append(wanted)
            waiting = None
        else:
            waiting = wanted
    if waiting is not None:
        _join_rest(data, joined, waiting)
    return joined


def _join_rest(data: PixelData, joined: list[slice], rest: slice) -> None:
    """Extend the last of the joined steps by a rest with too few counts, if it is adjacent."""
    if joined and _adjacent(data, joined[-1], rest):
        joined[-1] = slice(joined[-1].start, rest.stop)


def _adjacent(data: PixelData, one: slice, other: slice) -> bool:
    return one.stop == other.start and not separated(data, one.stop - 1, other.start)


@dataclass(frozen=True, eq=False)
class _StepSpectrum:
    """Spectrum of a step, its response, the pointing, and its counts above background in the fitted energies."""

    spectrum: CountSpectrum
    response: Response
    pointing: Pointing
    counts: float


class _Spectra:
    """Spectra of steps, each made once."""

    def __init__(self, inputs: TrackInputs) -> None:
        self.inputs = inputs
        self._made: dict[tuple[int, int], _StepSpectrum] = {}

    def of(self, step: slice) -> _StepSpectrum:
        """The spectrum of a step."""
        key = step.start, step.stop
        if key not in self._made:
            self._made[key] = _measure(self.inputs, step)
        return self._made[key]

    def can_be_used(self, step: slice) -> bool:
        """Whether the counts of a step make a spectrum."""
        try:
            self.of(step)
        except StixError as error:
            data = self.inputs.data
            log.info("%s: no spectrum of the step from %s: %s", data.header.name, data.t_start[step.start], error)
            return False
        return True


def _measure(inputs: TrackInputs, step: slice) -> _StepSpectrum:
    window = inputs.data.window(step)
    spectrum = count_spectrum(inputs.data, inputs.background, *window, calibration=inputs.calibration)
    pointing = inputs.pointing(*window)
    response = flare_response(spectrum, inputs.place, pointing)
    try:
        counts = float(spectrum.counts[choose_range(spectrum, response).used].sum())
    except SelectionError:  # too few channels for a fit
        counts = 0.0
    return _StepSpectrum(spectrum, response, pointing, counts)


def _fit(inputs: TrackInputs, step: _StepSpectrum) -> FittedStep:
    distance = distance_to_sun(step.pointing, inputs.data.header)
    angle = heliocentric_angle(inputs.place, distance)
    fit = fit_spectrum(step.spectrum, step.response, distance=distance, angle=angle, table=inputs.table)
    return FittedStep(step.spectrum, step.response, fit, step.counts)
