"""Fit a spectrum: the range, the model, the errors and the doubts, by rule or as the user says.

By default it fits a thermal model and a thermal model with a thick target to the *same* channels with the *same*
errors, and takes the thick target if Akaike's criterion is lower by 6. Electrons with an index above 9 imitate a
second, hotter plasma: two temperatures are then compared as well, and also where one temperature does not describe the
data. χ² of different ranges is never compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from stixcore.errors import CalibrationError, SelectionError
from stixcore.instrument.geometry import BACKGROUND_MONITOR
from stixcore.printable import excerpt
from stixcore.spectra.counts import CountSpectrum
from stixcore.spectra.fit.choice import DECISIVE, choose_model
from stixcore.spectra.fit.components import COMPONENTS, components_with
from stixcore.spectra.fit.energy_range import EnergyRange, choose_range
from stixcore.spectra.fit.fitter import Fitter
from stixcore.spectra.fit.model import Fold, SpectralModel, parameter_names
from stixcore.spectra.fit.parameters import Value
from stixcore.spectra.fit.result import Alternative, CorrelatedPair, SpectrumFit
from stixcore.spectra.fit.statistic import ChannelData, Statistic, model_errors
from stixcore.spectra.fit.verdict import (
    FEW_COUNTS,
    LIMIT_RISE,
    STEEPEST,
    WORST_CHI2,
    Doubt,
    cutoff_limit,
    electrons_as_well,
    few_counts,
    judge_quality,
    judge_values,
    no_albedo,
    no_counts,
    possible_component,
)
from stixcore.spectra.models.albedo import Albedo
from stixcore.spectra.models.thermal import ThermalTable, built_in_table
from stixcore.spectra.response import Response

Floats = NDArray[np.float64]

AUTO = "auto"
THERMAL, FULL, TWO_TEMPERATURES = "vth", "vth+thick2", "vth+vth"
#: Models of the automatic fit. `TWO_TEMPERATURES` is one more where the best of these has electrons with an index above
#: `STEEPEST`, which a hot plasma imitates, or one temperature with χ² above `WORST_CHI2` per degree of freedom.
CANDIDATES = (THERMAL, FULL)
#: Electrons alone with a lower cutoff are not taken, keV: even microflares have 9 to 16 keV (Hannah et al. 2008,
#: ApJ 677, 704), and hot plasma that the model lacks pulls the cutoff down.
LOWEST_CUTOFF = 10.0
NONTHERMAL = {"thick2": "norm_1e35_per_s", "thin2": "norm_1e55_per_cm2_s"}
SAME_EDGE = 1e-3  # keV


def fit_spectrum(
    spectrum: CountSpectrum,
    response: Response,
    *,
    distance: float,
    model: str = AUTO,
    candidates: Sequence[str] = CANDIDATES,
    energy: tuple[float, float] | None = None,
    angle: float | None = None,
    statistic: str = Statistic.CHI2,
    fixed: Mapping[str, float] | None = None,
    start: Mapping[str, float] | None = None,
    table: ThermalTable | None = None,
    usable: NDArray[np.bool_] | None = None,
) -> SpectrumFit:
    """Fit a model to a count spectrum.

    Parameters
    ----------
    spectrum : CountSpectrum
    response : Response
        Of the same channels, detectors and pixels.
    distance : float, AU
        From the Sun to the spacecraft.
    model : str
        "auto", or components joined by "+": "vth", "thick2", "thin2".
    candidates : sequence of str
        Models among which "auto" chooses (`choose_model`).
    energy : (float, float), keV, optional
        Default: from the data and the attenuator (`choose_range`).
    angle : float, degree, optional
        Heliocentric angle of the flare seen from the spacecraft, 0-90; adds the reflection at the Sun.
    statistic : str
        "chi2" or "cash".
    fixed : mapping, optional
        Values by name that are not fitted: ``T_keV``, ``EM_1e49_cm3``, ``delta``, ``e_cut_keV``, ``norm_1e35_per_s``
        and the constants ``abundance``, ``e_break_keV``, ``delta_above``, ``e_high_keV``.
    start : mapping, optional
        Values by name to start from; default: searched.
    table : ThermalTable, optional
        Instead of the built-in one.
    usable : (n_channel,) bool, optional
        Channels that have a value, for spectra of regions (`choose_range`).

    Raises
    ------
    SelectionError
        When an option is invalid or too few channels have a signal.
    CalibrationError
        When spectrum and response do not match.
    """
    _check(spectrum, response, distance, angle)
    if statistic not in set(Statistic):
        message = f"statistic must be one of {', '.join(Statistic)}, found {excerpt(str(statistic))}"
        raise SelectionError(message)
    chosen = choose_range(spectrum, response, energy, usable)
    task = _Task(spectrum, response, chosen, distance, angle, Statistic(statistic), table)
    fixed, start = fixed or {}, start or {}
    if model != AUTO:
        return task.result(task.fitter(model, fixed, start), (), [])
    return task.result(*_decide(task, candidates, fixed, start))


def _of(model: str, values: Mapping[str, float]) -> dict[str, float]:
    """The values whose parameters or constants a model has."""
    known = parameter_names(model)
    return {name: value for name, value in values.items() if name in known}


def _require_known(candidates: Sequence[str], **options: Mapping[str, float]) -> None:
    """Refuse values that no candidate has."""
    known = set().union(*(parameter_names(model) for model in candidates))
    for option, values in options.items():
        unknown = set(values) - known
        if unknown:
            message = f"{option}: {' or '.join(candidates)} has no parameter {excerpt(min(unknown))}"
            raise SelectionError(message)


def _decide(
    task: _Task, candidates: Sequence[str], fixed: Mapping[str, float], start: Mapping[str, float]
) -> tuple[Fitter, tuple[Alternative, ...], list[Doubt]]:
    """The best of some models over one range, with common errors: those that the model with most parameters expects."""
    _require_known(candidates, fixed=fixed, start=start)

    def fit(model: str, error: Floats | None = None) -> Fitter:
        return task.fitter(model, _of(model, fixed), _of(model, start), error)

    largest = max(candidates, key=lambda model: len(parameter_names(model) - set(fixed)))
    reference = fit(largest)
    compared = {model: reference if model == largest else fit(model, reference.error) for model in candidates}
    physical = {name: fitter for name, fitter in compared.items() if not _imitates_plasma(fitter)}
    chosen = _best(task, physical or compared)
    if TWO_TEMPERATURES not in compared and (_is_steep(compared[chosen]) or _fails(compared[chosen])):
        compared[TWO_TEMPERATURES] = physical[TWO_TEMPERATURES] = fit(TWO_TEMPERATURES, reference.error)
        chosen = _best(task, physical)
    alternatives = tuple(task.alternative(fitter) for fitter in compared.values())
    taken = task.alternative(compared[chosen])
    others = [one for one in alternatives if one.model != chosen and one.model in (physical or compared)]
    best = min(others, key=lambda one: one.aic, default=taken)
    doubts = [possible_component(best.model, taken.aic - best.aic)] if best.aic < taken.aic else []
    if chosen == TWO_TEMPERATURES and taken.aic <= best.aic < taken.aic + DECISIVE and best.model != THERMAL:
        doubts = [electrons_as_well(best.aic - taken.aic)]
    return reference if chosen == largest else fit(chosen), alternatives, doubts


def _best(task: _Task, fitters: Mapping[str, Fitter]) -> str:
    """Name of the model to take."""
    return choose_model([task.alternative(fitter) for fitter in fitters.values()], int(task.energy.used.sum()))


def _is_steep(fitter: Fitter) -> bool:
    """Whether a fitted index is above that of any electrons."""
    model, x = fitter.model, fitter.best.x
    return any(
        name.startswith("delta") and name not in model.fixed and parameter.value(value) > STEEPEST
        for name, parameter, value in zip(model.names, model.parameters, x, strict=True)
    )


def _imitates_plasma(fitter: Fitter) -> bool:
    """Whether electrons alone, with a cutoff below `LOWEST_CUTOFF`, stand for the hot plasma that a model lacks."""
    model, x = fitter.model, fitter.best.x
    return THERMAL not in model.name.split("+") and any(
        name.startswith("e_cut") and name not in model.fixed and parameter.value(value) < LOWEST_CUTOFF
        for name, parameter, value in zip(model.names, model.parameters, x, strict=True)
    )


def _fails(fitter: Fitter) -> bool:
    """Whether a single temperature does not describe the data."""
    freedom = fitter.error.size - fitter.n_free
    return fitter.model.name == THERMAL and fitter.best.value > WORST_CHI2 * max(freedom, 1)


def _check(spectrum: CountSpectrum, response: Response, distance: float, angle: float | None) -> None:
    if not 0 < distance < np.inf:
        message = f"distance must be a positive number of AU, found {distance}"
        raise SelectionError(message)
    if angle is not None and not 0 <= angle <= 90:
        message = f"angle must be 0 to 90 degrees from the centre of the Sun's disk, found {angle:g}"
        raise SelectionError(message)
    if not spectrum.livetime > 0:
        message = f"live time must be positive, found {spectrum.livetime:g} s"
        raise SelectionError(message)
    low, high = response.channel_edges[:-1], response.channel_edges[1:]
    closed = np.isfinite(spectrum.e_high)
    if low.size != spectrum.counts.size or (
        max(np.abs(low - spectrum.e_low).max(), np.abs(high - spectrum.e_high)[closed].max(initial=0.0)) > SAME_EDGE
    ):
        message = "response and spectrum have different energy channels; make the response for those of the spectrum"
        raise CalibrationError(message)
    for name in ("detectors", "pixels"):
        if tuple(sorted(getattr(spectrum, name))) != tuple(sorted(getattr(response, name))):
            message = f"response and spectrum have different {name}"
            raise CalibrationError(message)
    expected = spectrum.rcr > 0 and spectrum.detectors != (BACKGROUND_MONITOR,)  # it has none in front
    if expected != response.attenuator:
        states = {True: "in", False: "out"}
        message = (
            f"the attenuator is {states[expected]} in the spectrum and {states[response.attenuator]} in the response"
        )
        raise CalibrationError(message)


class _Task:
    """What all fits of one spectrum share."""

    def __init__(
        self,
        spectrum: CountSpectrum,
        response: Response,
        energy: EnergyRange,
        distance: float,
        angle: float | None,
        statistic: Statistic,
        table: ThermalTable | None,
    ) -> None:
        self.spectrum, self.response, self.energy = spectrum, response, energy
        self.distance, self.angle, self.statistic = distance, angle, statistic
        self.components = COMPONENTS if table is None else components_with(table)
        self.table_name = (table or built_in_table()).label
        self.fold = _fold(spectrum, response, distance, angle)
        self._all = ChannelData(
            spectrum.counts,
            spectrum.sigma,
            spectrum.background,
            np.broadcast_to(spectrum.background_sigma, spectrum.counts.shape),
            spectrum.systematic,
        )

    def fitter(
        self, model: str, fixed: Mapping[str, float], start: Mapping[str, float], error: Floats | None = None
    ) -> Fitter:
        """Fit a model, with its own errors or given ones."""
        made = SpectralModel(model, self.response.photon_edges, self.fold, fixed, self.components)
        used = self.energy.used
        data = ChannelData(*(part[used] for part in vars(self._all).values()))
        return Fitter(made, data, used, self.statistic, start, error)

    def criteria(self, value: float, k: int) -> tuple[float, float]:
        """Akaike's criterion and Schwarz's.

        The correction of the former for few channels is for errors that are estimated from the scatter; here they are
        known.
        """
        # AIC = S + 2k; BIC = S + k ln n
        return value + 2.0 * k, value + k * float(np.log(self.energy.used.sum()))

    def alternative(self, fitter: Fitter) -> Alternative:
        """A fit as it is compared with others."""
        value, k = fitter.best.value, fitter.n_free
        return Alternative(fitter.model.name, value, k, *self.criteria(value, k))

    def result(self, fitter: Fitter, compared: tuple[Alternative, ...], doubts: list[Doubt]) -> SpectrumFit:
        """Errors, counts and doubts of the chosen fit."""
        parameters = fitter.values()
        components = fitter.model.exact(fitter.best.x)
        counts = np.sum(list(components.values()), axis=0)
        error = model_errors(self._all, counts)
        residuals = (self.spectrum.counts - counts) / error
        used = self.energy.used
        chi2, ndof = float((residuals[used] ** 2).sum()), int(used.sum()) - fitter.n_free
        value = chi2 if self.statistic is Statistic.CHI2 else fitter.best.value
        aic, bic = self.criteria(value, fitter.n_free)
        limits = _limits(fitter, parameters, components, self.spectrum)
        judged = judge_quality(chi2 / max(ndof, 1), ndof, converged=fitter.converged, stop_reason=fitter.best.reason)
        judged += judge_values({n: v for n, v in parameters.items() if n not in limits}) + list(limits.values())
        if not self.spectrum.counts[used].sum() > 0:
            judged.append(no_counts())
        least = float((counts + np.maximum(self.spectrum.background, 0.0))[used].min())
        if self.statistic is Statistic.CHI2 and least < FEW_COUNTS:
            judged.append(few_counts(least))
        if self.angle is None and any(part.folded.component.name in NONTHERMAL for part in fitter.model.parts):
            judged.append(no_albedo())
        thermal = any(part.folded.component.name == THERMAL for part in fitter.model.parts)
        return SpectrumFit(
            model=fitter.model.name,
            parameters=parameters,
            chi2=chi2,
            ndof=ndof,
            statistic=self.statistic,
            value=value,
            energy=self.energy,
            counts=counts,
            components=components,
            error=error,
            residuals=residuals,
            pair=_pair(fitter),
            aic=aic,
            bic=bic,
            alternatives=compared,
            iterations=fitter.iterations,
            stop_reason=fitter.best.reason,
            converged=fitter.converged,
            scheme=self.response.scheme,
            tailing=self.response.tailing,
            thermal_table=self.table_name if thermal else "",
            albedo_angle=self.angle,
            distance=self.distance,
            doubts=(*judged, *doubts),
        )


def _fold(spectrum: CountSpectrum, response: Response, distance: float, angle: float | None) -> Fold:
    scale = spectrum.livetime / distance**2
    if angle is None:
        return lambda flux: response.fold(flux) * scale
    albedo = Albedo(response.photon_edges, angle)
    return lambda flux: response.fold(flux + albedo.reflected(flux)) * scale


def _nonthermal_part(fitter: Fitter) -> tuple[str, str, str] | None:
    """Label, name of the norm and of the cutoff of the first non-thermal component."""
    for part in fitter.model.parts:
        if part.folded.component.name in NONTHERMAL:
            return part.label, part.names[0], part.names[2]
    return None


def _pair(fitter: Fitter) -> CorrelatedPair | None:
    part = _nonthermal_part(fitter)
    return None if part is None else fitter.pair(part[1], part[2])


def _limits(
    fitter: Fitter,
    parameters: Mapping[str, Value],
    components: Mapping[str, Floats],
    spectrum: CountSpectrum,
) -> dict[str, Doubt]:
    """Cutoffs that are upper limits only, by name."""
    part = _nonthermal_part(fitter)
    if part is None or parameters[part[2]].fixed:
        return {}
    label, norm, cutoff = part
    value = parameters[cutoff]
    if value.sigma_minus is not None and fitter.rise_at_lower_bound(cutoff) >= LIMIT_RISE:
        return {}
    channel = int(np.clip(np.searchsorted(spectrum.e_low, value.value, side="right") - 1, 0, spectrum.e_low.size - 1))
    others = sum(float(counts[channel]) for name, counts in components.items() if name != label)
    return {cutoff: cutoff_limit(cutoff, norm, value, hidden=others > components[label][channel])}
