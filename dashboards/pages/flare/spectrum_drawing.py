"""A spectrum as SVG: rates with background, model and components, and residuals below, for the screen and for paper.

`dashboards.shared.spectrum_figure` draws the same for pages on which visitors zoom and choose.
"""

from __future__ import annotations

from html import escape

import numpy as np
from numpy.typing import NDArray

from dashboards.shared import formatting
from dashboards.shared.spectrum_curves import LIMIT_SIGMAS, SpectrumCurves, component_name
from dashboards.shared.spectrum_figure import ENERGY, TICKS, residual_end

Floats = NDArray[np.float64]

#: Sizes in the unit of the drawing: width, heights of both plots, distance between them, margins.
WIDTH, RATES, RESIDUALS, BETWEEN = 400, 220, 84, 12
LEFT, RIGHT, ABOVE, BELOW = 48, 8, 8, 34
#: Half the size of a mark.
MARK = 2.6
#: Most colours of components in the style sheet.
COLORS = 4


def spectrum_svg(curves: SpectrumCurves, label: str) -> str:
    """The drawing without its legend; ``label`` is its text for screen readers."""
    low, high = float(curves.low[0]) * 0.97, float(curves.high[-1]) * 1.03
    axis = _LogAxis(low, high, WIDTH - LEFT - RIGHT)
    below = BETWEEN + RESIDUALS if curves.residuals is not None else 0
    height = ABOVE + RATES + below + BELOW
    ticks = "".join(
        f'<text x="{LEFT + axis.at(tick):.1f}" y="{height - BELOW + 14}" text-anchor="middle">{tick}</text>'
        for tick in TICKS
        if low <= tick <= high
    )
    middle = LEFT + (WIDTH - LEFT - RIGHT) / 2
    named = f'<text x="{middle}" y="{height - 4}" text-anchor="middle">{ENERGY}</text>'
    residuals = _residuals(curves, axis) if curves.residuals is not None else ""
    return (
        f'<svg class="spectrum" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(label)}">'
        f"{_rates(curves, axis)}{residuals}{ticks}{named}</svg>"
    )


def legend_html(curves: SpectrumCurves) -> str:
    """Lines and marks of the drawing by name."""
    entries = [("data", "data without background" if curves.background is not None else "data")]
    entries += [("model", "model")] if curves.model is not None else []
    entries += [(f"part c{number % COLORS}", component_name(name)) for number, name in enumerate(curves.components)]
    entries += [("background", "background")] if curves.background is not None else []
    lines = "".join(_entry(kind, "M0 4H26", name) for kind, name in entries)
    if not curves.positive.all():
        lines += _entry("limit", _down(13.0, 4.0), f"upper limit ({LIMIT_SIGMAS:g} σ)")
    if curves.fitted is not None:
        lines += '<span><i class="fitted"></i>fitted energies</span>'
    return f'<p class="legend">{lines}</p>'


def _entry(kind: str, path: str, name: str) -> str:
    drawn = f'<svg viewBox="0 0 26 8" aria-hidden="true"><path class="{kind}" d="{path}"/></svg>'
    return f"<span>{drawn}{escape(name)}</span>"


class _LogAxis:
    """Distance from the start of a logarithmic axis."""

    def __init__(self, low: float, high: float, length: float) -> None:
        self.low, self.high, self.length = low, high, length

    def at(self, value: float) -> float:
        return float(np.log(value / self.low) / np.log(self.high / self.low) * self.length)


def _rates(curves: SpectrumCurves, x: _LogAxis) -> str:
    low, high = curves.rates
    y = _LogAxis(high, low, RATES)  # downwards
    decades = range(int(np.ceil(np.log10(low))), int(np.floor(np.log10(high))) + 1)
    labels = "".join(
        f'<text x="{LEFT - 5}" y="{ABOVE + y.at(10.0**power) + 4:.1f}" text-anchor="end">{_decade(power)}</text>'
        for power in decades
    )
    grid = "".join(f'<path class="grid" d="M0 {y.at(10.0**power):.1f}H{x.length}"/>' for power in decades)
    lines = [] if curves.background is None else [("background", curves.background)]
    lines += [(f"part c{number % COLORS}", part) for number, part in enumerate(curves.components.values())]
    lines += [("data", curves.rate)] + ([] if curves.model is None else [("model", curves.model)])
    drawn = "".join(f'<path class="{kind}" d="{_steps(curves, values, x, y)}"/>' for kind, values in lines)
    title = _title("Rate [ct s⁻¹ keV⁻¹]", ABOVE + RATES / 2)
    return labels + title + _plot(ABOVE, RATES, x, f"{_fitted(curves, x, RATES)}{grid}{drawn}{_marks(curves, x, y)}")


def _residuals(curves: SpectrumCurves, x: _LogAxis) -> str:
    values = curves.residuals if curves.residuals is not None else np.empty(0)
    end, above = residual_end(values), ABOVE + RATES + BETWEEN

    def y(value: float) -> float:
        return (1.0 - value / end) / 2.0 * RESIDUALS

    ticks = (-3, 0, 3) if end < 6 else (-5, 0, 5)
    labels = "".join(
        f'<text x="{LEFT - 5}" y="{above + y(tick) + 4:.1f}" text-anchor="end">{formatting.number(tick)}</text>'
        for tick in ticks
    )
    levels = ((0.0, "zero"), (-1.0, "sigma"), (1.0, "sigma"), (-3.0, "grid"), (3.0, "grid"))
    lines = "".join(f'<path class="{kind}" d="M0 {y(level):.1f}H{x.length}"/>' for level, kind in levels)
    marks = "".join(
        _residual(x.at(float(center)), float(value), bool(used), end)
        for center, value, used in zip(curves.center, values, curves.used, strict=True)
        if np.isfinite(value)
    )
    title = _title("Residual [σ]", above + RESIDUALS / 2)
    return labels + title + _plot(above, RESIDUALS, x, f"{_fitted(curves, x, RESIDUALS)}{lines}{marks}")


def _residual(x: float, value: float, used: bool, end: float) -> str:
    """A residual with an error bar of ±1; beyond the axis a triangle at its end."""
    scale = RESIDUALS / (2.0 * end)
    y = (end - value) * scale
    kind = "mark" if used else "mark hollow"
    if abs(value) > end:
        shape = _up(x, 6.0) if value > 0 else _down(x, RESIDUALS - 6.0)
        return f'<path class="{kind}" d="{shape}"/>'
    bar = f'<path class="bar" d="M{x:.1f} {y - scale:.1f}V{y + scale:.1f}"/>'
    return f'{bar}<path class="{kind}" d="{_dot(x, y)}"/>'


def _marks(curves: SpectrumCurves, x: _LogAxis, y: _LogAxis) -> str:
    """Data with error bars, and upper limits."""
    bars, dots, limits = [], [], []
    known = zip(curves.center, curves.rate, curves.error, curves.limit, curves.positive, strict=True)
    for center, rate, error, limit, positive in known:
        across = x.at(float(center))
        if positive:
            ends = [y.at(min(max(float(end), 0.5 * y.high), 2.0 * y.low)) for end in (rate + error, rate - error)]
            bars.append(f"M{across:.1f} {ends[0]:.1f}V{ends[1]:.1f}")
            dots.append(_dot(across, y.at(float(rate))))
        elif np.isfinite(limit) and limit > 0.0:
            limits.append(_down(across, y.at(float(limit))))
    return (
        f'<path class="bar" d="{"".join(bars)}"/><path class="mark" d="{"".join(dots)}"/>'
        f'<path class="limit" d="{"".join(limits)}"/>'
    )


def _steps(curves: SpectrumCurves, values: Floats, x: _LogAxis, y: _LogAxis) -> str:
    """SVG path of steps, with gaps."""
    parts, drawing = [], False
    for energy, value in zip(*curves.steps(values), strict=True):
        known = bool(np.isfinite(value))
        if known:
            # values far below the axis are cut off anyway
            down = y.at(max(float(value), y.high * 1e-3))
            parts.append(f"{'L' if drawing else 'M'}{x.at(float(energy)):.1f} {down:.1f}")
        drawing = known
    return "".join(parts)


def _plot(above: float, height: float, x: _LogAxis, content: str) -> str:
    """A frame that cuts off what is outside."""
    frame = f'<rect class="frame" width="{x.length}" height="{height}"/>'
    return f'<svg x="{LEFT}" y="{above}" width="{x.length}" height="{height}">{content}{frame}</svg>'


def _fitted(curves: SpectrumCurves, x: _LogAxis, height: float) -> str:
    if curves.fitted is None:
        return ""
    start, end = (x.at(energy) for energy in curves.fitted)
    return f'<rect class="fitted" x="{start:.1f}" width="{max(end - start, 0.0):.1f}" height="{height}"/>'


def _title(text: str, middle: float) -> str:
    return f'<text transform="translate(11 {middle}) rotate(-90)" text-anchor="middle">{text}</text>'


def _decade(power: int) -> str:
    return formatting.number(10.0**power) if -1 <= power <= 2 else f"10{formatting.raised(power)}"


def _dot(x: float, y: float) -> str:
    return f"M{x - MARK:.1f} {y:.1f}a{MARK} {MARK} 0 1 0 {2 * MARK} 0a{MARK} {MARK} 0 1 0 {-2 * MARK} 0z"


def _down(x: float, y: float) -> str:
    return f"M{x - 4:.1f} {y - 3:.1f}h8l-4 6.5z"


def _up(x: float, y: float) -> str:
    return f"M{x - 4:.1f} {y + 3:.1f}h8l-4 -6.5z"
