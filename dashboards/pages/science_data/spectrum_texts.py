"""Texts of the spectrum form as HTML: before the fit counts, range and doubts; after it the command that repeats it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from dashboards.pages.science_data.spectrum_feedback import BandCounts, SpectrumFeedback
from dashboards.pages.science_data.spectrum_form import MODELS, PIXELS, Refusal
from dashboards.pages.science_data.spectrum_result import SpectrumResult
from dashboards.shared import formatting
from dashboards.shared.spectrum_curves import COMPONENTS
from jobs.queue.requests import AUTO
from stixcore.measure_spectrum import NO_MODEL, MeasuredSpectrum
from stixcore.spectra.fit.recipe import CANDIDATES, TWO_TEMPERATURES

#: Names of pixel choices.
PIXEL_NAMES: Mapping[str, str] = {
    "all": "all that were read out",
    "large": "large ones (0–7)",
    "top": "top row (0–3)",
    "bottom": "bottom row (4–7)",
    "small": "small ones (8–11)",
}


def model_name(model: str, candidates: Sequence[str] = CANDIDATES) -> str:
    """Display name of a model; ``candidates`` are those of the automatic fit, as in `fit_spectrum`."""
    if model == AUTO:
        return f"automatic: {', '.join(candidates)} or {TWO_TEMPERATURES}"
    if model == NO_MODEL:
        return "none: counts and response only"
    kinds = model.split("+")
    names = [f"{'two ' if kinds.count(kind) > 1 else ''}{COMPONENTS[kind]}" for kind in dict.fromkeys(kinds)]
    return f"{model}: {' and '.join(names)}"


def model_options() -> dict[str, str]:
    """Models by display name."""
    return {model_name(model): model for model in MODELS}


def pixel_options() -> dict[str, str]:
    """Choices of pixels by display name."""
    return {PIXEL_NAMES[choice]: choice for choice in PIXELS}


def feedback_html(feedback: SpectrumFeedback) -> str:
    """Counts, background, energy range of the fit, doubts and refusals."""
    lines = []
    if feedback.asked:
        lines.append(f"<p class='advice'>{escape(formatting.sentence(feedback.asked))}</p>")
    if feedback.measured is not None:
        lines += [_window(feedback.measured), _bands(feedback.bands)]
    if feedback.background:
        lines.append(f"<p>{escape(feedback.background)}</p>")
    lines += _range(feedback)
    if feedback.doubts:
        doubts = "".join(f"<li>{escape(formatting.sentence(doubt))}</li>" for doubt in feedback.doubts)
        lines.append(f"<h4>Known doubts</h4><ul>{doubts}</ul>")
    return "".join([*lines, *map(_refusal, feedback.refusals)])


def _window(measured: MeasuredSpectrum) -> str:
    spectrum = measured.spectrum
    share = 100.0 * spectrum.livetime / spectrum.duration
    return (
        f"<p class='box'><b>{formatting.time_range(spectrum)}</b> "
        f"{spectrum.duration:.4g} s</p>"
        f"<p>Live time {formatting.number(spectrum.livetime, '.1f')} s ({formatting.number(share, '.1f')} %), "
        f"attenuator {'in' if spectrum.rcr > 0 else 'out'} (state {spectrum.rcr}), "
        f"{formatting.plural(len(spectrum.detectors), 'detector')}, "
        f"{formatting.plural(len(spectrum.pixels), 'pixel')} each.</p>"
    )


def _bands(bands: tuple[BandCounts, ...]) -> str:
    rows = "".join(
        f"<tr><th scope='row'>{formatting.energies(band.low, band.high)}</th>"
        f"<td>{formatting.counts(band.counts)} ± {formatting.counts(max(band.sigma, 1.0))}</td>"
        f"<td>{formatting.counts(band.background)}</td></tr>"
        for band in bands
    )
    return (
        "<table><thead><tr><th scope='col'>Energy</th><th scope='col'>Counts above background</th>"
        f"<th scope='col'>Background</th></tr></thead><tbody>{rows}</tbody></table>"
    )


def _range(feedback: SpectrumFeedback) -> list[str]:
    """The energy range of the fit, and the automatic one."""
    request, automatic = feedback.request, feedback.automatic
    if request is None or feedback.measured is None:
        return []
    if automatic is None:
        rule = f"There is no automatic range: {escape(feedback.no_automatic)}."
    else:
        rule = f"Automatic range: {automatic.low:g}–{automatic.high:g} keV. {escape(automatic.reason)}"
    lines = [f"<p>{rule}</p>"]
    if request.energy is not None and feedback.used is not None:
        used = feedback.used
        lines.insert(0, f"<p>Entered range: whole channels in {used.low:g}–{used.high:g} keV.</p>")
    if request.model != NO_MODEL and feedback.used is not None and not feedback.refusals:
        lines.append(f"<p><b>Ready to fit {int(feedback.used.used.sum())} channels.</b></p>")
    return lines


def _refusal(refusal: Refusal) -> str:
    text = formatting.sentence(refusal.text, capital=False)
    return f"<p class='advice'><b>{escape(refusal.field)}</b>: {escape(text)}</p>"


def result_html(result: SpectrumResult, table: str) -> str:
    """The table of a result, and the command that repeats it; ``table`` is HTML."""
    needs = ""
    if result.needs:
        names = ", ".join(map(escape, result.needs))
        needs = f"<p>The numbers depend on {names}: add <code>--archive DIR</code> of an archive that has it.</p>"
    return (
        f"{table}<h4>The same on the command line</h4><p>In a folder with the files that it names:</p>"
        f"<pre tabindex='0' aria-label='Command' role='region'><code>{escape(result.command)}</code></pre>{needs}"
    )


def link_html(address: str) -> str:
    """A link to the form as it is filled in."""
    return f"<p><a href='{escape(address, quote=True)}'>Link to this form</a></p>" if address else ""
