"""Options of the spectrum form in the URL, so that a link leads to the form as it is filled in."""

from __future__ import annotations

import re
from typing import Any, ClassVar

import param

from dashboards.pages.science_data.file_state import TimeEnergySelection
from dashboards.pages.science_data.prefilled import PrefilledForm, numbers
from dashboards.pages.science_data.spectrum_form import (
    ALL,
    COARSE,
    GIVEN,
    LISTED,
    MODELS,
    PICKED,
    PIXELS,
    SEARCHED,
    SpectrumForm,
    parameters_of,
)
from jobs.queue.requests import AUTO
from stixcore.instrument.geometry import ALL_LABELS
from stixcore.spectra.fit.statistic import Statistic
from stixcore.spectra.transmission import ResponseScheme
from stixcore.times import format_time

#: A number, also with an exponent: "1e-3".
_ANY_NUMBER = r"[-+]?\d{1,9}(\.\d{1,17})?(e[-+]?\d{1,2})?"
_VALUE = rf"[A-Za-z0-9_]{{1,24}}:{_ANY_NUMBER}"
_LABEL = r"(10|[1-9])[abc]"
YES, NO = "yes", "no"


def choice(choices: Any, doc: str) -> Any:
    """A parameter with one of these values; or empty."""
    return param.String("", regex=rf"^({'|'.join(re.escape(str(choice)) for choice in choices)})?\Z", doc=doc)


class PrefilledSpectrum(PrefilledForm):
    """Options in the URL, as text; empty where the form decides."""

    fit_model = choice(MODELS, "Model of the spectrum")
    fit_energy = numbers(2, "Energy range of the fit [keV]")
    fit_fixed = param.String("", regex=rf"^({_VALUE}(,{_VALUE}){{0,15}})?\Z", doc="Fixed values, “delta:5,T_keV:1.2”")
    fit_statistic = choice(Statistic, "Statistic of the fit")
    fit_detectors = param.String(
        "", regex=rf"^({ALL}|{_LABEL}(,{_LABEL}){{0,29}})?\Z", doc="“all”, or labels of detectors"
    )
    fit_pixels = choice(PIXELS, "Pixels")
    fit_scheme = choice(ResponseScheme, "Response")
    fit_tailing = choice((YES, NO), "Whether the response has the loss of charge")
    fit_albedo = choice((YES, NO), "Whether the model has the reflection at the Sun")
    fit_place = choice((SEARCHED, LISTED), "Where the location comes from, if it is not given")
    fit_background = param.String("", regex=r"^[A-Za-z0-9_.-]{0,160}\Z", doc="“none”, or the name of a file")

    #: Parameters and their names in the URL.
    prefilled_keys: ClassVar[dict[str, str]] = {
        **PrefilledForm.prefilled_keys,
        "fit_model": "model",
        "fit_energy": "fit_energy",
        "fit_fixed": "fixed",
        "fit_statistic": "statistic",
        "fit_detectors": "detectors",
        "fit_pixels": "pixels",
        "fit_scheme": "response",
        "fit_tailing": "loss_of_charge",
        "fit_albedo": "albedo",
        "fit_place": "location",
        "fit_background": "background",
    }
    address_keys: ClassVar = {"uid": "uid", "tab": "tab", **prefilled_keys}


def fill_in_spectrum(state: PrefilledSpectrum, form: SpectrumForm) -> None:
    """Fill the form from the URL.

    If the URL has an option that the form does not allow, nothing is filled in, and the view's ``problem`` says which.
    """
    options = _options(state)
    before = {name: getattr(form, name) for name in options}
    try:
        form.param.update(**options)
    except ValueError:  # a label twice
        form.param.update(**before)
        form.view.problem = "the URL has options that the form does not allow"
        return
    changed = [name for name, value in options.items() if getattr(form, name) != value]  # typed numbers stay in bounds
    unknown = sorted(set(form.fixed) - set(parameters_of(form.model)))
    if changed or unknown:
        what = f"{changed[0]}={options[changed[0]]:g}" if changed else f"a fixed {unknown[0]}, which {form.model} lacks"
        form.param.update(**before)
        form.view.problem = f"the URL has an option that the form does not allow: {what}"


def _options(state: PrefilledSpectrum) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for name in ("model", "statistic", "pixels", "scheme", "place", "background"):
        if text := getattr(state, f"fit_{name}"):
            options[name] = text
    for name in ("tailing", "albedo"):
        if text := getattr(state, f"fit_{name}"):
            options[name] = text == YES
    if state.fit_energy:
        low, high = map(float, state.fit_energy.split(","))
        options |= {"energies": GIVEN, "low": low, "high": high}
    if state.fit_fixed:
        options["fixed"] = dict(pair.split(":") for pair in state.fit_fixed.split(","))
    if state.fit_detectors:
        picked = state.fit_detectors != ALL
        options["detectors"] = PICKED if picked else ALL
        if picked:
            wanted = set(state.fit_detectors.split(","))
            options["labels"] = [label for label in ALL_LABELS if label in wanted]
    if state.given_location:
        x, y = map(float, state.given_location.split(","))
        options |= {"place": GIVEN, "x": x, "y": y}
    return options


def spectrum_address(form: SpectrumForm, box: TimeEnergySelection, tab: str) -> str:
    """URL of the page with this form filled in; empty for a visitor's own file, or if a text is not valid."""
    if form.file is None:
        return ""
    texts = {
        "window": f"{format_time(box.start)},{format_time(box.end)},{box.low:.15g},{box.high:.15g}",
        "fit_model": "" if form.model == AUTO else form.model,
        "fit_energy": f"{form.low:.15g},{form.high:.15g}" if form.energies == GIVEN else "",
        "fit_fixed": _fixed(form),
        "fit_statistic": "" if form.statistic == Statistic.CHI2 else str(form.statistic),
        "fit_detectors": _detectors(form),
        "fit_pixels": "" if form.pixels == ALL else form.pixels,
        "fit_scheme": "" if form.scheme == ResponseScheme.GSW_2026 else str(form.scheme),
        "fit_tailing": YES if form.tailing else "",
        "fit_albedo": "" if form.albedo else NO,
        "fit_place": "" if form.place == GIVEN else form.place,
        "given_location": f"{form.x:.15g},{form.y:.15g}" if form.place == GIVEN else "",
        "fit_background": "" if form.background == AUTO else form.background,
    }
    try:
        state = _Shared(uid=form.file.uid or form.file.name, tab=tab, **texts)
    except ValueError:
        return ""
    return f"science_data{state.address}"


class _Shared(PrefilledSpectrum):
    """Options of a link to a form."""

    uid = param.String("")
    tab = param.String("")


def _fixed(form: SpectrumForm) -> str:
    """Fixed values of the model's parameters."""
    known = parameters_of(form.model)
    values = {name: str(form.fixed.get(name, "")).strip() for name in known}
    return ",".join(f"{name}:{text}" for name, text in values.items() if text)


def _detectors(form: SpectrumForm) -> str:
    if form.detectors == COARSE or not form.can_choose_pixels:
        return ""
    return ALL if form.detectors == ALL else ",".join(form.labels)
