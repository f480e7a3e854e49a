"""Numbers of a spectrum and its fit as HTML: values with errors, quality of the fit, what the response assumes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from archive.layout import SPECTRUM_RECORD
from dashboards.shared import formatting
from dashboards.shared.spectrum_curves import Document, component_name
from stixcore.errors import InvalidProduct
from stixcore.spectra.models.thermal import KEV_PER_MK

#: Shown with every automatic fit.
AUTOMATIC = "Automatic fit, not for publication."
#: Names of parameters on pages, in the order of the table.
PARAMETERS = {
    "T_keV": "Temperature T",
    "EM_1e49_cm3": "Emission measure EM",
    "norm_1e35_per_s": "Electrons per second F₀",
    "norm_1e55_per_cm2_s": "Thin target n·V·F₀",
    "delta": "Spectral index δ",
    "e_cut_keV": "Low-energy cutoff",
}
#: Their symbols, which replace their names in doubts.
SYMBOLS = {
    "T_keV": "T",
    "EM_1e49_cm3": "EM",
    "norm_1e35_per_s": "F₀",
    "norm_1e55_per_cm2_s": "n·V·F₀",
    "delta": "δ",
    "e_cut_keV": "the low-energy cutoff",
}
#: An error of more than so many times its value limits nothing, and is shown as an open side.
FARTHEST = 100.0
_NAMES = re.compile(rf"\b({'|'.join(SYMBOLS)})(?:_(\d))?\b")
_LOWERED = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
STATISTICS = {"chi2": "χ²", "cash": "Cash's statistic"}


def spectrum_html(document: Document, *, background: str = "", automatic: bool = False) -> str:
    """Verdict, doubts, parameters and facts of a spectrum; or why it has no fit.

    Parameters
    ----------
    document : mapping
        As `jobs.spectra.products.describe_spectrum` describes a spectrum.
    background : str
        Name or uid of the background file; empty if it is unknown or none was subtracted.
    automatic : bool
        Whether it is the fit of a preview.

    Raises
    ------
    InvalidProduct
        If the document does not describe a spectrum.
    """
    try:
        fit = document["fit"]
        head = _verdict_html(document)
        body = parameters_html(fit) if fit else ""
        return f"{head}{_automatic(fit, automatic=automatic)}{body}{_facts_html(document, background)}"
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise InvalidProduct(SPECTRUM_RECORD, "the description of a spectrum", repr(error)) from error


def is_open(value: float, error: float | None) -> bool:
    """Whether an error limits nothing: it is None, or more than `FARTHEST` times the value."""
    return error is None or (value != 0.0 and error > FARTHEST * abs(value))


def with_errors(value: float, minus: float | None, plus: float | None) -> str:
    """``18.2 ± 0.4``, ``18.2 −0.4 +0.5``; an open side in words. Two digits of the smaller error.

    Parameters
    ----------
    value : float
    minus, plus : float or None
        Errors, both positive; None for an open side, as is one above `FARTHEST` values. Both 0: the value has none.
    """
    minus, plus = (None if is_open(value, error) else error for error in (minus, plus))
    errors = [error for error in (minus, plus) if error]
    if not errors:
        shown = formatting.number(value)
        return shown if minus == plus == 0 else f"{shown} {_open(minus, plus)}"
    power = int(np.floor(np.log10(abs(value)))) if value else 0
    power = power if power < -3 or power > 4 else 0
    decimals = max(0, 1 - int(np.floor(np.log10(min(errors) / 10.0**power))))

    def digits(number: float) -> str:
        return formatting.number(number / 10.0**power, f".{decimals}f")

    if minus is None or plus is None:
        text = f"{digits(value)} {f'−{digits(minus)}' if minus else ''}{f'+{digits(plus)}' if plus else ''}"
    elif digits(minus) == digits(plus):
        text = f"{digits(value)} ± {digits(plus)}"
    else:
        text = f"{digits(value)} −{digits(minus)} +{digits(plus)}"
    scaled = f"({text}) × 10{formatting.raised(power)}" if power else text
    return f"{scaled} {_open(minus, plus)}".rstrip()


def with_unit(text: str, unit: str) -> str:
    """``18.2 ± 0.4 MK``, ``(0.127 ± 0.014) × 10⁴⁹ cm⁻³``; the words for an open side come last."""
    numbers, opened, sides = text.partition(" (open ")
    if unit.startswith("10"):
        shown = f"({numbers}) × {unit}" if " " in numbers else f"{numbers} × {unit}"
    else:
        shown = f"{numbers} {unit}".rstrip()
    return f"{shown}{opened}{sides}"


def _verdict_html(document: Document) -> str:
    """The verdict with its doubts; or why there is no fit."""
    fit = document["fit"]
    about_data = [str(text) for text in document["doubts"]]
    if not fit:
        reason = formatting.sentence(str(document["no_fit"] or "none was requested"), capital=False)
        return f'<p class="nothing">No fit: {escape(reason)}</p>{_list(about_data, "notes")}'
    serious = [readable(one["text"]) for one in fit["doubts"] if one["serious"]]
    others = [readable(one["text"]) for one in fit["doubts"] if not one["serious"]]
    kind = "good" if fit["verdict"] == "trusted" else "doubt"
    head = f'<p>Fit: <span class="mark {kind}">{escape(fit["verdict"])}</span></p>'
    return f"{head}{_list(serious, 'doubt')}{_list([*others, *about_data], 'notes')}"


def parameters_html(fit: Mapping[str, Any]) -> str:
    """A table of the parameters with their asymmetric errors."""
    rows = "".join(
        f'<tr><th scope="row">{escape(_parameter_name(name))}</th><td>{_value(name, one)}</td>'
        f"<td>{escape(_remark(one))}</td></tr>"
        for name, one in sorted(fit["parameters"].items(), key=_order)
    )
    head = '<th scope="col">Parameter</th><th scope="col">Value, 1 σ</th><th scope="col"></th>'
    pair = fit["pair"]
    said = ""
    if pair:
        first, second = (escape(_parameter_name(name)) for name in pair["names"])
        number = formatting.number(pair["correlation"], ".3f")
        both = f"{first} and {second[:1].lower()}{second[1:]}"
        said = f"<p>{both} are determined only together: correlation {number}.</p>"
    table = f'<table class="parameters"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
    return f'<div class="scroll" tabindex="0">{table}</div>{said}'


def _parameter_name(name: str) -> str:
    """Name of a parameter on pages: ``Temperature T``; of a second component with its number."""
    for known, shown in PARAMETERS.items():
        if name == known or name.startswith(f"{known}_"):
            return f"{shown}{name.removeprefix(known).replace('_', ' ')}"
    return name


def _value(name: str, one: Mapping[str, Any]) -> str:
    """Value with errors and unit; a temperature in MK and in keV."""
    errors = one["sigma_minus"], one["sigma_plus"]
    text = with_unit(with_errors(one["value"], *errors), one["unit"])
    if not name.startswith("T_keV"):
        return escape(text)
    scaled = [None if error is None else error / KEV_PER_MK for error in errors]
    return f"{escape(with_unit(with_errors(one['value'] / KEV_PER_MK, *scaled), 'MK'))} <i>{escape(text)}</i>"


def _remark(one: Mapping[str, Any]) -> str:
    if one["fixed"]:
        return "fixed"
    return "at the bound of the fit" if one["at_bound"] else ""


def _order(item: tuple[str, Any]) -> tuple[str, int, str]:
    """Parameters of the first components first, each in the order of `PARAMETERS`."""
    name = item[0]
    places = [place for place, known in enumerate(PARAMETERS) if name == known or name.startswith(f"{known}_")]
    number = name.rpartition("_")[2] if places and name not in PARAMETERS else ""
    return number, places[0] if places else len(PARAMETERS), name


def _facts_html(document: Document, background: str) -> str:
    fit = document["fit"]
    facts = [*(_fit_facts(fit) if fit else []), *_data_facts(document, background), *_response_facts(document)]
    return f"<dl>{''.join(f'<dt>{escape(name)}</dt><dd>{escape(text)}</dd>' for name, text in facts)}</dl>"


def _fit_facts(fit: Mapping[str, Any]) -> list[tuple[str, str]]:
    low, high = fit["energy_range_kev"]
    per_freedom = f" = {formatting.number(fit['chi2'] / fit['ndof'], '.2f')}" if fit["ndof"] > 0 else ""
    model = " + ".join(component_name(label) for label in fit["model"].split("+"))
    facts = [
        ("Model", model),
        ("Fitted energies", f"{low:g}–{high:g} keV. {fit['energy_reason']}"),
        ("χ² ÷ degrees of freedom", f"{formatting.number(fit['chi2'], '.1f')} ÷ {fit['ndof']}{per_freedom}"),
        ("Minimised", STATISTICS.get(fit["statistic"], fit["statistic"])),
    ]
    if others := [one for one in fit["compared"] if one["model"] != fit["model"]]:
        own = f"{fit['model']} {formatting.number(fit['aic'], '.1f')}"
        shown = ", ".join(f"{one['model']} {formatting.number(one['aic'], '.1f')}" for one in others)
        facts.append(("Akaike's criterion", f"{own}, {shown} (lower is better)"))
    if fit["thermal_table"]:
        facts.append(("Thermal table", fit["thermal_table"]))
    angle = fit["albedo_angle_deg"]
    albedo = "not included" if angle is None else f"included, heliocentric angle {formatting.number(angle, '.1f')}°"
    return [*facts, ("Albedo", albedo)]


def _data_facts(document: Document, background: str) -> list[tuple[str, str]]:
    start, end = (str(time).replace("T", " ") for time in document["time_range"])
    day, clock = end[:10], end[11:19]
    until = clock if day == start[:10] else f"{day} {clock}"
    counts, pixels = float(np.nansum(_numbers(document["counts"]))), document["pixels"]
    subtracted = any(_numbers(document["background"]))
    known = background or "subtracted"
    return [
        ("Time range", f"{start[:19]} – {until} {formatting.CLOCK}"),
        ("Counts above background", f"{formatting.counts(counts)} in {document['livetime_s']:.1f} s of live time"),
        ("Background", known if subtracted else "none subtracted"),
        (
            "Detectors, pixels",
            f"{len(document['detectors'])} detectors, {formatting.plural(len(pixels), 'pixel')} each",
        ),
    ]


def _response_facts(document: Document) -> list[tuple[str, str]]:
    response, calibration, place = document["response"], document["calibration"], document["location"]
    where = "unknown, response at the centre of the field of view"
    if place is not None:
        where = f"{formatting.position(place['hpc_x'], place['hpc_y'])}, {formatting.location_name(place['method'])}"
    return [
        ("Response", f"{response['scheme']}, {'with' if response['tailing'] else 'without'} loss of charge"),
        ("Attenuator", "in" if response["attenuator"] else "out"),
        ("Location of the flare", where),
        ("Distance from the Sun", f"{document['distance_au']:.4f} au"),
        ("Energy table", str(calibration["energy_table"] or formatting.UNKNOWN)),
        ("Daily energy calibration", str(calibration["cal_file"] or "none")),
    ]


def _automatic(fit: Any, *, automatic: bool) -> str:
    return f"<p><b>{AUTOMATIC}</b></p>" if fit and automatic else ""


def _list(texts: Sequence[str], kind: str) -> str:
    """A list of doubts or notes; empty without one."""
    items = "".join(f"<li>{escape(formatting.sentence(text))}</li>" for text in texts)
    return f'<div class="{kind}"><ul>{items}</ul></div>' if items else ""


def readable(text: object) -> str:
    """A doubt with the names of parameters that pages use: T₂ for ``T_keV_2``."""
    return _NAMES.sub(lambda name: SYMBOLS[name[1]] + (name[2] or "").translate(_LOWERED), str(text))


def _numbers(values: Iterable[float | None]) -> list[float]:
    return [float("nan") if value is None else float(value) for value in values]


def _open(minus: float | None, plus: float | None) -> str:
    """Which sides of an interval are open."""
    sides = [side for side, error in (("below", minus), ("above", plus)) if error is None]
    return f"(open {' and '.join(sides)})" if sides else ""
