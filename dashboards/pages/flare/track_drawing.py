"""Axes and marks of the plots of tracks and fits on the flare page, as SVG."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dashboards.pages.flare.curves_drawing import time_labels
from dashboards.shared import formatting
from dashboards.shared.time_window import Window, unix_seconds
from jobs.imaging.figures import nice_step

Floats = NDArray[np.float64]

#: Size of a plot and of its margins, in its own unit; a second axis on the right has the margin ``LEFT``, too.
WIDTH, HEIGHT, LEFT, RIGHT, ABOVE, BELOW = 340, 150, 46, 10, 22, 20
MOST_LABELS = 4
#: Half the size of a mark.
MARK = 3.5
#: Error bars longer than this, in ranges of the values, do not stretch the axis.
LONGEST_BAR = 1.0
_HIGH = HEIGHT - ABOVE - BELOW


@dataclass(frozen=True)
class ValueAxis:
    """The vertical axis of a plot, from ``low`` at the bottom to ``high``; these are logarithms if ``log``."""

    low: float
    high: float
    log: bool = False

    @classmethod
    def around(cls, values: Floats, minus: Floats, plus: Floats, *, log: bool = False) -> ValueAxis:
        """An axis with all values, and with error bars up to `LONGEST_BAR` of their range.

        Parameters
        ----------
        values : (n,) float
        minus, plus : (n,) float
            Errors; NaN where unknown.
        log : bool
            Logarithmic, if all values are positive.
        """
        if not values.size:
            return cls(0.0, 1.0)
        log = log and bool(values.min() > 0.0)
        ends = np.array([values - np.nan_to_num(minus), values + np.nan_to_num(plus)])
        if log:  # a bar down to zero has no end
            ends[0] = np.where(ends[0] > 0.0, ends[0], values)
            values, ends = np.log10(values), np.log10(ends)
        span = float(np.ptp(values)) or float(np.ptp(ends)) or max(abs(float(values[0])) * 0.1, 1.0)
        low = float(np.maximum(ends[0], values - LONGEST_BAR * span).min())
        high = float(np.minimum(ends[1], values + LONGEST_BAR * span).max())
        margin = 0.08 * ((high - low) or 2.0 * span)
        return cls(low - margin, high + margin, log)

    def y(self, value: float) -> float:
        """Distance from the top of the drawing; inside the plot."""
        at = np.log10(max(value, 1e-12)) if self.log else value
        place = ABOVE + (self.high - at) / (self.high - self.low) * _HIGH
        return float(min(max(place, ABOVE), HEIGHT - BELOW))

    def ticks(self) -> list[tuple[float, str]]:
        """Values with labels, at round numbers."""
        if not self.log:
            step = nice_step((self.high - self.low) / 3.0)
            decimals = max(0, -int(np.floor(np.log10(step))))
            values = np.arange(np.ceil(self.low / step), np.floor(self.high / step) + 1.0) * step
            return [(float(value), formatting.number(float(value) + 0.0, f".{decimals}f")) for value in values]
        factors = (1.0,) if self.high - self.low > 1.5 else (1.0, 2.0, 5.0)
        powers = range(int(np.floor(self.low)), int(np.ceil(self.high)), 1 if self.high - self.low < 4.0 else 2)
        decades = [factor * 10.0**power for power in powers for factor in factors]
        inside = [value for value in decades if self.low <= np.log10(value) <= self.high]
        return [(value, formatting.number(value, ".3g")) for value in inside]


def value_grid(axis: ValueAxis, right: int = RIGHT) -> str:
    """Horizontal lines, with labels on the left."""
    return "".join(
        f'<path class="grid" d="M{LEFT} {axis.y(value):.1f}H{WIDTH - right}"/>'
        f'<text x="{LEFT - 6}" y="{axis.y(value) + 4:.1f}" text-anchor="end">{text}</text>'
        for value, text in axis.ticks()
    )


def right_labels(axis: ValueAxis) -> str:
    """Labels of a second axis, on the right, with short lines."""
    end = WIDTH - LEFT
    return "".join(
        f'<path class="grid" d="M{end} {axis.y(value):.1f}h4"/>'
        f'<text x="{end + 6}" y="{axis.y(value) + 4:.1f}">{text}</text>'
        for value, text in axis.ticks()
    )


def time_grid(window: Window, offset: float, right: int = RIGHT) -> str:
    """Vertical lines, with times on a clock that is ``offset`` seconds ahead."""
    wide = WIDTH - LEFT - right
    return "".join(
        f'<path class="grid" d="M{LEFT + place * wide:.1f} {ABOVE}V{HEIGHT - BELOW}"/>'
        f'<text x="{LEFT + place * wide:.1f}" y="{HEIGHT - 5}" text-anchor="middle">{text}</text>'
        for place, text in time_labels(window, offset, MOST_LABELS)
        if 0.0 <= place <= 1.0
    )


def time_x(time: np.datetime64, window: Window, right: int = RIGHT) -> float:
    """Distance of a time from the left of the drawing."""
    return LEFT + (unix_seconds(time) - window.start) / window.span * (WIDTH - LEFT - right)


def mark_path(x: float, y: float, number: int) -> str:
    """SVG path of a circle, square or triangle: tracks differ by shape and by colour."""
    m = MARK
    shapes = (
        f"M{x - m:.1f} {y:.1f}a{m} {m} 0 1 0 {2 * m} 0a{m} {m} 0 1 0 {-2 * m} 0z",
        f"M{x - m:.1f} {y - m:.1f}h{2 * m}v{2 * m}h{-2 * m}z",
        f"M{x:.1f} {y - 1.3 * m:.1f}l{1.2 * m:.1f} {2.2 * m:.1f}h{-2.4 * m:.1f}z",
    )
    return shapes[number % len(shapes)]
