"""What speaks against a fit: codes for programs, sentences for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from stixcore.spectra.fit.parameters import Value
from stixcore.spectra.models.thermal import KEV_PER_MK

#: Worst acceptable χ² per degree of freedom; the data centre's limit (``stx_auto_fit_ssw``).
WORST_CHI2 = 2.0
#: An index above this is more likely a hot plasma; the data centre's limit.
STEEPEST = 9.0
#: Above this temperature electrons are more likely than a plasma, MK: the super-hot one of large flares has 30 to 50 MK
#: (Caspi et al. 2014, ApJ 781, 43).
HOTTEST = 50.0
#: A cutoff whose lower bound is not excluded at 2 sigma (Δ statistic = 4) is an upper limit.
LIMIT_RISE = 4.0
#: An error larger than this fraction of the value makes the value a guess.
VAGUE = 1.0
#: Counts in the fitted range below which χ² is biased and Cash's statistic is better.
FEW_COUNTS = 10.0


@dataclass(frozen=True)
class Doubt:
    """A doubt: ``code`` for programs, ``text`` (one sentence or two), and whether it is ``serious``."""

    code: str
    text: str
    serious: bool = True


def judge_values(parameters: Mapping[str, Value]) -> list[Doubt]:
    """Doubts about single parameters: at a bound, open, vague, too steep or too hot."""
    doubts = []
    for name, value in parameters.items():
        if value.fixed:
            continue
        if value.at_bound:
            text = f"{name} is at a bound of the fit, {value.value:.3g} {value.unit}".rstrip() + "."
            doubts.append(Doubt("fit.at-bound", text))
        elif value.sigma_minus is None and value.sigma_plus is None:
            # electrons with any index fit: nothing is known about them
            doubts.append(Doubt("fit.open", f"The data do not limit {name}.", serious=name.startswith("delta")))
        elif value.sigma_minus is None or value.sigma_plus is None:
            side = "below" if value.sigma_minus is None else "above"
            doubts.append(Doubt("fit.open", f"The data do not limit {name} {side}.", serious=False))
        elif max(value.sigma_minus, value.sigma_plus) > VAGUE * value.value:
            doubts.append(Doubt("fit.vague", f"The error of {name} is larger than its value.", serious=False))
        if name.startswith("delta") and value.value > STEEPEST:
            text = f"A spectral index of {value.value:.1f} is steeper than those of electrons; it may be a hot plasma."
            doubts.append(Doubt("fit.steep", text))
        if name.startswith("T_keV") and value.value / KEV_PER_MK > HOTTEST:
            text = f"A temperature of {value.value / KEV_PER_MK:.0f} MK is above those of flares; it may be electrons."
            doubts.append(Doubt("fit.hot", text))
    return doubts


def judge_quality(reduced_chi2: float, ndof: int, *, converged: bool, stop_reason: str) -> list[Doubt]:
    """Doubts about the fit as a whole."""
    doubts = []
    if not converged:
        doubts.append(Doubt("fit.not-converged", f"The fit did not converge: {stop_reason}."))
    if ndof <= 0:
        doubts.append(Doubt("fit.no-freedom", "The fit has as many parameters as channels, so χ² tests nothing."))
    elif reduced_chi2 > WORST_CHI2:
        text = f"χ² is {reduced_chi2:.1f} per degree of freedom: the model does not describe the data."
        doubts.append(Doubt("fit.chi2", text))
    return doubts


def cutoff_limit(name: str, norm_name: str, value: Value, hidden: bool) -> Doubt:
    """Doubt about a low-energy cutoff that could be lower as well."""
    why = "thermal counts hide it" if hidden else "a much lower one is not excluded"
    end = value.value + (value.sigma_plus or 0.0)
    limit = f" (1 sigma: below {end:.1f} keV)" if value.sigma_plus is not None else ""
    text = f"{name} is an upper limit{limit}: {why}. {norm_name}, the electrons above it, is a lower limit."
    return Doubt("fit.e-cut-upper-limit", text, serious=False)


def no_albedo() -> Doubt:
    """Doubt about a non-thermal fit without reflection at the Sun (Kontar et al. 2006, A&A 446, 1157)."""
    text = (
        "Reflection at the Sun (albedo) is not included because no angle was given; it adds up to 85 % of the flux at "
        "20-50 keV, and the number of electrons is too high without it."
    )
    return Doubt("fit.no-albedo", text, serious=False)


def no_background() -> Doubt:
    """Doubt about a non-thermal component where no background was subtracted."""
    text = "No background was subtracted, so the non-thermal component may be background."
    return Doubt("fit.no-background", text)


def possible_component(model: str, difference: float) -> Doubt:
    """Doubt about a fit that a model with more components improves, but not enough."""
    electrons = "thick2" in model or "thin2" in model
    text = (
        f"A {'non-thermal component' if electrons else 'second temperature'} improves the fit, but not enough to be "
        f"sure of it (information criterion lower by {difference:.1f})."
    )
    code = "fit.nonthermal-possible" if electrons else "fit.second-temperature-possible"
    return Doubt(code, text, serious=False)


def electrons_as_well(difference: float) -> Doubt:
    """Doubt about a second temperature where electrons describe the data nearly as well."""
    text = (
        "Electrons instead of the second temperature describe the data nearly as well "
        f"(information criterion higher by {difference:.1f})."
    )
    return Doubt("fit.electrons-possible", text, serious=False)


def no_counts() -> Doubt:
    """Doubt about a fit without counts: any model that is faint enough describes them."""
    return Doubt("fit.no-counts", "The fitted channels together have no counts above the background.")


def few_counts(least: float) -> Doubt:
    """Doubt about χ² in channels with few counts."""
    text = f"A fitted channel expects only {least:.1f} counts with its background; the statistic of Cash is better."
    return Doubt("fit.few-counts", text, serious=False)
