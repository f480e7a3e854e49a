"""The fits of a cube against time: temperature and emission measure, spectral index, and a table of all values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from archive.cubes import Cube
from archive.spectrum_track import SpectrumPoint
from dashboards.pages.flare.track_drawing import (
    HEIGHT,
    LEFT,
    RIGHT,
    WIDTH,
    ValueAxis,
    mark_path,
    right_labels,
    time_grid,
    time_x,
    value_grid,
)
from dashboards.shared import formatting
from dashboards.shared.time_window import Window


@dataclass(frozen=True)
class FittedQuantity:
    """A fitted value: attribute of `SpectrumPoint`, title, symbol in a legend, number of its mark, kind of axis."""

    name: str
    title: str
    symbol: str
    number: int = 0
    log: bool = False


TEMPERATURE = FittedQuantity("temperature", "Temperature [MK]", "T")
EMISSION = FittedQuantity("emission_measure", "Emission measure [10⁴⁹ cm⁻³]", "EM", 1, log=True)
TEMPERATURE_2 = FittedQuantity("temperature_2", "Second temperature [MK]", "T₂")
EMISSION_2 = FittedQuantity("emission_measure_2", "Its emission measure [10⁴⁹ cm⁻³]", "EM₂")
ELECTRONS = FittedQuantity("electron_rate", "Electrons [10³⁵ s⁻¹]", "electrons")
INDEX = FittedQuantity("delta", "Spectral index δ of the electrons", "δ", 2)
CUTOFF = FittedQuantity("e_cut", "Low-energy cutoff [keV]", "E_c")
#: Columns of the table; those of a second temperature only where a fit has one.
FITTED = (TEMPERATURE, EMISSION, TEMPERATURE_2, EMISSION_2, ELECTRONS, INDEX, CUTOFF)


def fits_html(cube: Cube, window: Window, offset: float) -> str:
    """Plots, legend and table of the fits of a cube, or why it has none; empty if that is unknown.

    Parameters
    ----------
    cube : Cube
    window : Window
        Time range of the plots, UTC at Solar Orbiter.
    offset : float, s
        What the clock of the labels is ahead.
    """
    points = cube.spectra
    if not points:
        return f'<p class="facts">No fits of spectra: {escape(cube.no_spectra)}.</p>' if cube.no_spectra else ""
    plots = [fits_svg(points, (TEMPERATURE, EMISSION), window, offset)]
    if any(one.delta is not None for one in points):
        plots.append(fits_svg(points, (INDEX,), window, offset))
    figures = "".join(f"<figure>{plot}</figure>" for plot in plots)
    return (
        f'<h3>Temperature and electrons</h3><div class="tracks"><div class="plots">{figures}</div>'
        f"{_legend(points)}</div>{_table(points, offset)}"
    )


def fits_svg(
    points: Sequence[SpectrumPoint], quantities: Sequence[FittedQuantity], window: Window, offset: float
) -> str:
    """One quantity against time, or two, the second with its axis on the right; doubtful fits have hollow marks."""
    right = LEFT if len(quantities) > 1 else RIGHT
    axes = [_axis(points, quantity) for quantity in quantities]
    grid = value_grid(axes[0], right) + time_grid(window, offset, right)
    titles = f'<text class="title" x="{LEFT}" y="14">{escape(quantities[0].title)}</text>'
    if len(quantities) > 1:
        grid += right_labels(axes[1])
        titles = (
            f'<text class="title" x="6" y="14">{escape(quantities[0].title)}</text>'
            f'<text class="title" x="{WIDTH - 6}" y="14" text-anchor="end">{escape(quantities[1].title)}</text>'
        )
    tracks = "".join(
        _track(points, quantity, axis, window, right) for quantity, axis in zip(quantities, axes, strict=True)
    )
    label = f"{' and '.join(one.title for one in quantities)} against time; values are in the table"
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label)}">{grid}{titles}{tracks}</svg>'


def _axis(points: Sequence[SpectrumPoint], quantity: FittedQuantity) -> ValueAxis:
    """An axis with all values of a quantity and their error bars."""
    rows = [_value(one, quantity) for one in points if getattr(one, quantity.name) is not None]
    return ValueAxis.around(*np.array(rows).reshape(-1, 3).T, log=quantity.log)


def _track(
    points: Sequence[SpectrumPoint], quantity: FittedQuantity, axis: ValueAxis, window: Window, right: int
) -> str:
    """Line, error bars and marks; a line joins the trusted fits."""
    line: list[str] = []
    bars: list[str] = []
    marks: dict[bool, list[str]] = {False: [], True: []}
    for one in points:
        if getattr(one, quantity.name) is None:
            continue
        value, minus, plus = _value(one, quantity)
        begin, end = (time_x(time, window, right) for time in (one.t_start, one.t_end))
        middle, y = (begin + end) / 2.0, axis.y(value)
        if not one.is_doubtful:
            line.append(f"{middle:.1f} {y:.1f}")
        bars.append(f"M{begin:.1f} {y:.1f}H{end:.1f}")
        bars += [
            f"M{middle:.1f} {y:.1f}V{axis.y(end):.1f}" for end in (value - minus, value + plus) if np.isfinite(end)
        ]
        marks[one.is_doubtful].append(mark_path(middle, y, quantity.number))
    path = f'<path class="line" d="M{"L".join(line)}"/>' if len(line) > 1 else ""
    hollow = f'<path class="mark hollow" d="{"".join(marks[True])}"/>' if marks[True] else ""
    return (
        f'<g class="track t{quantity.number}">{path}<path class="bar" d="{"".join(bars)}"/>'
        f'<path class="mark" d="{"".join(marks[False])}"/>{hollow}</g>'
    )


def _value(one: SpectrumPoint, quantity: FittedQuantity) -> tuple[float, float, float]:
    """A value and its errors; NaN for an open side."""
    value, minus, plus = (getattr(one, quantity.name + end) for end in ("", "_minus", "_plus"))
    open_end = float("nan")
    return float(value), open_end if minus is None else float(minus), open_end if plus is None else float(plus)


def _legend(points: Sequence[SpectrumPoint]) -> str:
    has_electrons = any(one.delta is not None for one in points)
    shown = "".join(
        f'<span><svg viewBox="-8 -8 16 16" aria-hidden="true" class="track t{one.number}">'
        f'<path class="mark" d="{mark_path(0.0, 0.0, one.number)}"/></svg>{one.symbol}</span>'
        for one in (TEMPERATURE, EMISSION, *((INDEX,) if has_electrons else ()))
    )
    said = (
        "Automatic fits, not for publication. A mark is a step of the images, or several with enough counts together; "
        "its bars are its time range and one standard deviation, none on a side that the data do not limit."
    )
    if any(one.delta is None for one in points):
        said += " A purely thermal fit has no electrons and no index."
    if any(one.temperature_2 is not None for one in points):
        said += " Of two temperatures the lower one is drawn; the table has both."
    doubtful = sum(one.is_doubtful for one in points)
    if doubtful:
        said += f" Hollow marks are doubtful fits: {doubtful} of {len(points)}; the table says why."
    return f'<p class="legend">{shown}</p><p class="facts">{said}</p>'


def _table(points: Sequence[SpectrumPoint], offset: float) -> str:
    """All values with their errors, and doubts."""
    shown = _shown(points)
    heads = ("Time", *(one.title for one in shown), "Fit", "χ² / degrees of freedom", "Verdict")
    head = "".join(f"<th scope='col'>{name}</th>" for name in heads)
    rows = "".join(_row(one, shown, offset) for one in points)
    table = f"<table class='fits'><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    return (
        f'<details class="screen"><summary>{formatting.plural(len(points), "fit")} as a table</summary>'
        f'<div class="scroll" tabindex="0">{table}</div></details>'
    )


def _shown(points: Sequence[SpectrumPoint]) -> tuple[FittedQuantity, ...]:
    """Quantities with a column."""
    second = any(one.temperature_2 is not None for one in points)
    return tuple(one for one in FITTED if second or one not in (TEMPERATURE_2, EMISSION_2))


def _row(one: SpectrumPoint, shown: Sequence[FittedQuantity], offset: float) -> str:
    begin, end = (time + np.timedelta64(round(offset * 1e6), "us") for time in (one.t_start, one.t_end))
    fit = f"{escape(one.model)}, {one.fit_low:g}–{one.fit_high:g} keV, {formatting.counts(one.counts)} counts"
    if one.attenuator_in:
        fit += ", attenuator in"
    verdict = escape(one.verdict)
    if one.is_doubtful and one.doubts:
        verdict += f": {' '.join(escape(formatting.sentence(text)) for text in one.doubts)}"
    cells = [*(_number(one, quantity) for quantity in shown), fit, f"{one.chi2:.1f} / {one.ndof}", verdict]
    times = f"{formatting.clock(begin)} – {formatting.clock(end)}"
    return f"<tr><th scope='row'>{times}</th>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _number(one: SpectrumPoint, quantity: FittedQuantity) -> str:
    """``15.7 −0.5 +0.4``; "open" for a side that the data do not limit; a dash for what is not in the model."""
    value = getattr(one, quantity.name)
    if value is None:
        return formatting.UNKNOWN
    errors = (getattr(one, quantity.name + end) for end in ("_minus", "_plus"))
    said = ("open" if error is None else formatting.number(error, ".2g") for error in errors)
    return formatting.number(value, ".3g") + "".join(f" {sign}{text}" for sign, text in zip("−+", said, strict=True))
