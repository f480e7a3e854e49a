"""Automatic fits of the flares of 9-11 November 2022, for ``docs/accuracy.md``.

The time ranges are those of previews, without a flare list; the location is that of the lowest band.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.accuracy_page import PAGE, replace_section
from benchmarks.november_2022 import BACKGROUND_UID, FOLDER, aspect_files, background
from benchmarks.timing import markdown_table
from jobs.previews.windows import Band, PreviewRules, PreviewWindow, preview_windows
from stixcore.calibration.pointing import assumed_pointing
from stixcore.errors import StixError
from stixcore.fits.products import PixelData
from stixcore.fits.read import read_pixel_data
from stixcore.instrument.geometry import detector_indices
from stixcore.measure_spectrum import MeasuredSpectrum, measure_spectrum
from stixcore.options import ImageRequest
from stixcore.prepare import prepare
from stixcore.spectra.fit import SpectrumFit, Value
from stixcore.spectra.models.thermal import KEV_PER_MK
from stixcore.spectrum_recipe import SpectrumRequest

#: Rows of the table of the brightest flares.
BRIGHTEST = 12


@dataclass(frozen=True, eq=False)
class Fitted:
    """The spectrum of a time range of a science request."""

    uid: str
    measured: MeasuredSpectrum

    @property
    def counts(self) -> float:
        """Counts above background in the fitted energies; 0 without a fit."""
        fit = self.measured.fit
        return 0.0 if fit is None else float(self.measured.spectrum.counts[fit.energy.used].sum())


def fitted_windows() -> Iterator[Fitted]:
    """Spectra of all time ranges that previews show."""
    quiet, aspect = background(), aspect_files()
    quiet_data = read_pixel_data(quiet)
    for path in sorted((FOLDER / "l1").glob("*-cpd_*.fits")):
        uid = path.stem.split("_")[-1].split("-")[0]
        if uid == BACKGROUND_UID:
            continue
        data = read_pixel_data(path)
        windows = preview_windows(data, PreviewRules(), set_counts=_set_counts(data, quiet_data))
        yield from _fits(uid, path, quiet, aspect, [one for one in windows if isinstance(one, PreviewWindow)])


def _set_counts(
    data: PixelData, quiet: PixelData
) -> Callable[[np.datetime64, np.datetime64, Band], tuple[float, float] | None]:
    """Recorded counts and background of the images of a window; None where there are no images."""

    def counts(start: np.datetime64, end: np.datetime64, band: Band) -> tuple[float, float] | None:
        request = ImageRequest(start, end, band)
        try:
            pixels = prepare(request, data, quiet, assumed_pointing()).pixels
        except StixError:
            return None
        return pixels.totals(detector_indices(pixels.switched_on(request.subcollimators)))

    return counts


def _fits(uid: str, path: Path, quiet: Path, aspect: list[Path], windows: list[PreviewWindow]) -> Iterator[Fitted]:
    """The spectrum of each time range once; all have the location of the first."""
    location: tuple[float, float] | None = None
    for start, end in dict.fromkeys((one.start, one.end) for one in windows):
        request = SpectrumRequest(start=start, end=end, location=location)
        try:
            measured = measure_spectrum(request, path, quiet, aspect)
        except StixError as error:
            print(f"  {uid}: {error}")
            continue
        if location is None and measured.location is not None:
            location = measured.location.x, measured.location.y
        yield Fitted(uid, measured)


def verdicts(found: list[Fitted]) -> list[list[object]]:
    """Rows: model, fits, trusted, doubtful, and why these are."""
    rows: list[list[object]] = []
    fits = [one.measured.fit for one in found if one.measured.fit is not None]
    for model in [*sorted({fit.model for fit in fits}), ""]:
        chosen = [fit for fit in fits if model in ("", fit.model)]
        doubtful = [fit for fit in chosen if fit.verdict == "doubtful"]
        reasons = Counter(code for fit in doubtful for code in {one.code for one in fit.doubts if one.serious})
        why = ", ".join(f"{REASONS[code]}: {number}" for code, number in reasons.most_common())
        chi2 = f"{np.median([fit.reduced_chi2 for fit in chosen]):.2f}"
        rows.append([model or "all", len(chosen), len(chosen) - len(doubtful), len(doubtful), why, chi2])
    return rows


#: Serious doubts in few words.
REASONS = {
    "fit.chi2": "χ² above 2",
    "fit.at-bound": "a value at its bound",
    "fit.open": "δ open",
    "fit.steep": "δ above 9",
    "fit.hot": "T above 50 MK",
    "fit.not-converged": "no convergence",
    "fit.no-freedom": "no degree of freedom",
    "fit.no-background": "no background",
    "fit.no-counts": "no counts",
}


def brightest(found: list[Fitted]) -> list[list[object]]:
    """Rows of the flares with most counts, one time range each."""
    best: dict[str, Fitted] = {}
    for one in sorted(found, key=lambda one: -one.counts):
        best.setdefault(one.uid, one)
    return [_row(one) for one in list(best.values())[:BRIGHTEST]]


def _row(one: Fitted) -> list[object]:
    fit, spectrum = one.measured.fit, one.measured.spectrum
    assert fit is not None
    hot = "_2" if "T_keV_2" in fit.parameters else ""
    temperatures = [_value(fit, f"T_keV{end}", 1.0 / KEV_PER_MK) for end in dict.fromkeys(("", hot))]
    measures = [_value(fit, f"EM_1e49_cm3{end}") for end in dict.fromkeys(("", hot))]
    electrons = [_value(fit, name) for name in ("delta", "norm_1e35_per_s", "e_cut_keV")]
    why = ", ".join(dict.fromkeys(REASONS[doubt.code] for doubt in fit.doubts if doubt.serious))
    begin = str(spectrum.t_start.astype("datetime64[s]"))[5:].replace("T", " ")
    chi2 = f"{fit.chi2:.1f} ÷ {fit.ndof}"
    verdict = fit.verdict + (f": {why}" if why else "")
    return [
        one.uid, begin, f"{one.counts:,.0f}", fit.model, f"{fit.energy.low:g}-{fit.energy.high:g}",
        " and ".join(temperatures), " and ".join(measures), *electrons, chi2, verdict,
    ]  # fmt: skip


def _value(fit: SpectrumFit, name: str, unit: float = 1.0) -> str:
    """A value with its errors; empty if the model does not have it."""
    if name not in fit.parameters:
        return ""
    value: Value = fit.parameters[name]
    minus, plus = ("open" if side is None else f"{unit * side:.2g}" for side in (value.sigma_minus, value.sigma_plus))
    return f"{unit * value.value:.3g} −{minus} +{plus}"


def run() -> None:
    """Write the section of the page."""
    found = list(fitted_windows())
    unfitted = sum(one.measured.fit is None for one in found)
    columns = ["model", "fits", "trusted", "doubtful", "why", "median χ² per degree of freedom"]
    flare_columns = [
        "request", "from", "counts", "model", "keV", "T [MK]", "EM [10⁴⁹ cm⁻³]", "δ", "F₀ [10³⁵ s⁻¹]", "E_c [keV]",
        "χ² ÷ degrees of freedom", "verdict",
    ]  # fmt: skip
    parts = [HEADING, INTRODUCTION.format(number=len(found), unfitted=unfitted).strip()]
    for title, names, rows in (
        ("**Verdicts**", columns, verdicts(found)),
        (f"**The {BRIGHTEST} brightest flares**", flare_columns, brightest(found)),
    ):
        parts += [title, markdown_table("", names, rows).partition("## \n")[2].strip()]
    replace_section(PAGE, "\n\n".join(parts), "## By scene")


HEADING = "## Spectral fits of real flares"
INTRODUCTION = """
The automatic recipe on the {number} time ranges that previews show of the flares of 9-11 November 2022 ({unfitted}
of them without a fit), with one background file of 9 November. The reasons of doubtful fits are counted once per fit; a
fit may have several. Errors are 1 σ. `python -m benchmarks november_spectra` writes this section.
"""
