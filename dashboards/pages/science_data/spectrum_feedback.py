"""Feedback on a spectrum before it is fitted: counts, energy range, doubts, and invalid fields."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from dashboards.pages.science_data.file_state import BANDS, TimeEnergySelection
from dashboards.pages.science_data.spectrum_form import (
    BACKGROUND,
    DETECTORS,
    ENERGY,
    PIXEL_ROWS,
    TIME,
    Refusal,
    SpectrumForm,
    parameters_of,
)
from jobs.inputs import BackgroundChoice
from stixcore.errors import StixError, public_sentence
from stixcore.measure_spectrum import NO_MODEL, MeasuredSpectrum, SpectrumRequest, measure_spectrum
from stixcore.spectra.counts import CountSpectrum
from stixcore.spectra.fit.energy_range import SAME_ENERGY, EnergyRange, choose_range
from stixcore.spectra.fit.recipe import NONTHERMAL
from stixcore.spectra.fit.statistic import Statistic
from stixcore.spectra.fit.verdict import FEW_COUNTS, few_counts, no_albedo


@dataclass(frozen=True)
class BandCounts:
    """Counts of the channels inside a band: its edges (keV), net counts, their error, and background (ct)."""

    low: float
    high: float
    counts: float
    sigma: float
    background: float


@dataclass(frozen=True, eq=False)
class SpectrumFeedback:
    """Results for a box before the fit.

    Attributes
    ----------
    box : TimeEnergySelection
    measured : MeasuredSpectrum or None
        Counts and response without a fit; refused fields have their defaults.
    bands : tuple of BandCounts
        All channels first, then the bands that the spectrum covers.
    background : str
        Which background is used, and why.
    choice : BackgroundChoice or None
        All possible backgrounds, best first.
    automatic : EnergyRange or None
        The automatic range of the fit.
    no_automatic : str
        Why there is no automatic range.
    doubts : tuple of str
        Doubts that the fit will have, one sentence each.
    refusals : tuple of Refusal
        Invalid fields; there is no fit until they are changed.
    asked : str
        The typed time range, if it differs from the whole bins; else empty.
    request : SpectrumRequest or None
        What is measured; refused fields have their defaults.
    background_file : Path or None
    used : EnergyRange or None
        The range of the fit.
    """

    box: TimeEnergySelection
    measured: MeasuredSpectrum | None = None
    bands: tuple[BandCounts, ...] = ()
    background: str = ""
    choice: BackgroundChoice | None = None
    automatic: EnergyRange | None = None
    no_automatic: str = ""
    doubts: tuple[str, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    asked: str = ""
    request: SpectrumRequest | None = None
    background_file: Path | None = None
    used: EnergyRange | None = None


def spectrum_feedback(form: SpectrumForm, box: TimeEnergySelection) -> SpectrumFeedback:
    """Measure a box without fitting it. Errors are reported in the result."""
    request, refusals = form.parsed(box)
    unfitted, found = replace(request, model=NO_MODEL), SpectrumFeedback(box, asked=form.view.asked, request=request)
    try:
        choice = form.candidates(box)
        background, explanation = form.background_path(box, choice)
        found = replace(found, choice=choice, background=explanation, background_file=background)
    except (StixError, OSError) as error:
        return replace(found, refusals=(*refusals, Refusal(BACKGROUND, public_sentence(error))))
    try:
        measured = _measure(form, box, unfitted, background)
    except (StixError, OSError) as error:
        blamed = _blamed(form, box, unfitted, background)
        text = public_sentence(error).removeprefix(f"{form.name_of}: ")
        return replace(found, refusals=(*refusals, Refusal(blamed, text)))
    automatic, no_automatic = _automatic(measured)
    found = replace(found, automatic=automatic, no_automatic=no_automatic)
    used = automatic
    if request.model != NO_MODEL:
        try:
            used = choose_range(measured.spectrum, measured.response, request.energy)
        except StixError as error:
            refusals = (*refusals, Refusal(ENERGY, public_sentence(error)))
            used = None
    return replace(
        found,
        measured=measured,
        bands=_bands(measured.spectrum),
        doubts=(*measured.doubts, *_expected(request, measured, used)),
        refusals=refusals,
        used=used,
    )


def _measure(
    form: SpectrumForm, box: TimeEnergySelection, request: SpectrumRequest, background: Path | None
) -> MeasuredSpectrum:
    return measure_spectrum(request, form.view.path, background, form.aspect_paths(box), catalog=form.calibration)


def _automatic(measured: MeasuredSpectrum) -> tuple[EnergyRange | None, str]:
    try:
        return choose_range(measured.spectrum, measured.response), ""
    except StixError as error:
        return None, public_sentence(error)


def _blamed(form: SpectrumForm, box: TimeEnergySelection, request: SpectrumRequest, background: Path | None) -> str:
    """The field that causes an error: the first without which the error is gone; else the time range."""
    tries: tuple[tuple[str, Callable[[], MeasuredSpectrum]], ...] = (
        (DETECTORS, lambda: _measure(form, box, replace(request, detectors=None), background)),
        (PIXEL_ROWS, lambda: _measure(form, box, replace(request, pixels=None), background)),
        (BACKGROUND, lambda: _measure(form, box, request, None)),
    )
    for field, attempt in tries:
        try:
            attempt()
        except (StixError, OSError):
            continue
        return field
    return TIME


def _bands(spectrum: CountSpectrum) -> tuple[BandCounts, ...]:
    """Counts of all channels and of the usual bands."""
    edges = [(float(spectrum.e_low[0]), float(spectrum.e_high[-1])), *BANDS]
    found = []
    for low, high in dict.fromkeys(edges):
        inside = (spectrum.e_low >= low - SAME_ENERGY) & (spectrum.e_high <= high + SAME_ENERGY)
        if not inside.any():
            continue
        found.append(
            BandCounts(
                float(spectrum.e_low[inside][0]),
                float(spectrum.e_high[inside][-1]),
                float(spectrum.counts[inside].sum()),
                # independent errors of the channels
                float(np.sqrt((spectrum.sigma[inside] ** 2).sum())),
                float(spectrum.background[inside].sum()),
            )
        )
    return tuple(found)


def _expected(request: SpectrumRequest, measured: MeasuredSpectrum, used: EnergyRange | None) -> tuple[str, ...]:
    """Doubts about the fit that are known before it."""
    if request.model == NO_MODEL or used is None:
        return ()
    spectrum, doubts = measured.spectrum, []
    least = float((spectrum.counts + np.maximum(spectrum.background, 0.0))[used.used].min())
    if request.statistic == Statistic.CHI2 and least < FEW_COUNTS:
        doubts.append(few_counts(max(least, 0.0)).text)
    nonthermal = any(name in parameters_of(request.model) for name in NONTHERMAL.values())
    if nonthermal and (not request.albedo or measured.location is None):
        doubts.append(no_albedo().text)
    free = [name for name, one in parameters_of(request.model).items() if one is not None and name not in request.fixed]
    if int(used.used.sum()) <= len(free):
        doubts.append(
            f"The range has {int(used.used.sum())} channels, the model {len(free)} free parameters: χ² tests nothing."
        )
    return tuple(doubts)
