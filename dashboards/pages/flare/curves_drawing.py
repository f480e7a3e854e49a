"""Light curves of a flare as HTML and SVG, with the time ranges of its images above them.

Drawn without scripts, so that they are in the first content and on paper as on the page. Lines stretch to the width of
the page; labels are HTML, so that they keep their size.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from archive import LightCurveView
from archive.index.series import BANDS
from dashboards.pages.flare.content import FlareContent, ImageSet
from dashboards.shared import formatting
from dashboards.shared.curve_colors import BAND_NAMES
from dashboards.shared.curve_series import attenuator_spans, columns_of, rate_limits
from dashboards.shared.light_times import Clock
from dashboards.shared.time_window import Window, unix_seconds

#: Size of the drawing in its own unit.
WIDTH, HEIGHT = 1000, 240
#: Most points of a curve.
POINTS = 700
#: Fraction of the plot above the curves.
ROOM = 0.06
#: Possible distances of time labels, s, and the most labels.
STEPS = (10, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400)
MOST_LABELS = 7
#: Highest place of a label of rates, fraction of the height: the unit is above.
HIGHEST_LABEL = 0.9
#: Narrowest bar of an image, % of the width.
NARROWEST = 0.6

CLOCK_NAMES = {Clock.SOLAR_ORBITER: "Solar Orbiter", Clock.EARTH: "Earth", Clock.SUN: "the Sun"}


def curves_html(content: FlareContent, clock: Clock) -> str:
    """Light curves with image windows; a sentence if nothing is recorded."""
    shift = content.shift(clock)
    used, offset = (Clock.SOLAR_ORBITER, 0.0) if shift is None else (clock, shift)
    window = content.window
    plot = (
        _plot(content, content.curves)
        if content.curves is not None
        else '<p class="nothing">The archive has no light curves of this time.</p>'
    )
    lanes = _lanes(content.sets, window)
    if content.curves is None and not lanes:
        return plot
    label = clock_label(used, offset, window)
    return (
        f'<div class="curves">{lanes}{plot}<div class="times"><div>{_time_labels(window, offset)}</div></div>'
        f'<p class="label">{escape(label)}</p>{_legend(content)}{_notes(content)}</div>'
    )


def clock_label(clock: Clock, offset: float, window: Window) -> str:
    """Name of a time axis: ``Time [UTC at Earth = Solar Orbiter +183.1 s], 2022-11-10``; plain text."""
    shown = f" = Solar Orbiter {formatting.number(offset, '+.1f')} s" if clock is not Clock.SOLAR_ORBITER else ""
    return f"Time [UTC at {CLOCK_NAMES[clock]}{shown}], {formatting.day(window.begin)}"


def time_labels(window: Window, offset: float, most: int = MOST_LABELS) -> list[tuple[float, str]]:
    """Position [fraction of the window] and text of time labels on a clock ``offset`` seconds later."""
    step = next((step for step in STEPS if window.span / step <= most), STEPS[-1])
    first = np.ceil((window.start + offset) / step) * step
    seconds = np.arange(first, window.start + offset + window.span + 1e-6, step)
    times = (np.round(seconds).astype("datetime64[s]")).astype(str)
    return [
        (float((second - offset - window.start) / window.span), str(text)[11 : 19 if step < 60 else 16])
        for second, text in zip(seconds, times, strict=True)
    ]


def rate_labels(low: float, high: float) -> list[tuple[float, str]]:
    """Position [fraction from the bottom] and text of labels on a logarithmic axis."""
    decades = [10.0**power for power in range(int(np.ceil(np.log10(low))), int(np.floor(np.log10(high))) + 1)]
    values = decades if len(decades) > 1 else [float(f"{value:.1g}") for value in np.geomspace(low * 1.2, high, 3)]
    span = np.log(high / low)
    return [(float(np.log(value / low) / span), formatting.number(value, ".0f")) for value in values]


def _plot(content: FlareContent, view: LightCurveView) -> str:
    window = content.window
    begin, span = window.start * 1e3, window.span * 1e3
    low, high = rate_limits(view, [*BANDS], begin, begin + span, log=True, room=ROOM)
    columns = columns_of(view, log=True)
    inside = np.flatnonzero((columns["time"] >= begin) & (columns["time"] <= begin + span))
    # gaps are always kept
    rows = np.unique(np.r_[inside[:: max(inside.size // POINTS, 1)], inside[np.isnan(columns["triggers"][inside])]])
    x = (columns["time"][rows] - begin) / span * WIDTH
    lines = []
    for number, band in enumerate(BANDS):
        rates = columns[f"mean_{band}"][rows].astype(float)
        y = HEIGHT * (1.0 - np.log(rates / low) / np.log(high / low))
        lines.append(f'<path d="{_steps(x, y)}" style="stroke: var(--band-{number})"/>')
    labels = rate_labels(low, high)
    grid = "".join(_line(0, HEIGHT * (1 - place), WIDTH, HEIGHT * (1 - place), "grid") for place, _ in labels)
    grid += "".join(
        _line(place * WIDTH, 0, place * WIDTH, HEIGHT, "grid") for place, _ in time_labels(window, 0.0) if place >= 0
    )
    ticks = "".join(
        f'<span style="bottom: {place:.2%}">{text}</span>' for place, text in labels if place < HIGHEST_LABEL
    )
    drawing = (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="Count rates against time by energy band; values are in the CSV file">'
        f"{_shades(content, view)}{grid}{''.join(lines)}</svg>"
    )
    return f'<div class="plot"><div class="rates"><b>ct s⁻¹</b>{ticks}</div><div class="area">{drawing}</div></div>'


def _shades(content: FlareContent, view: LightCurveView) -> str:
    """The flare with its peak, image windows, and attenuator times."""
    flare, window = content.flare, content.window
    parts = []
    if flare.t_start is not None and flare.t_end is not None:
        parts.append(_box(window, flare.t_start, flare.t_end, "flare"))
    ranges = {(one.first.t_start, one.first.t_end) for one in content.sets}
    parts += [_box(window, begin, end, "image") for begin, end in sorted(ranges)]
    peak = _share(window, flare.t_peak) * WIDTH
    parts.append(_line(peak, 0, peak, HEIGHT, "peak"))
    for left, right in zip(*attenuator_spans(view), strict=True):
        x0, x1 = (min(max((t / 1e3 - window.start) / window.span, 0.0), 1.0) * WIDTH for t in (left, right))
        parts.append(f'<rect class="attenuator" x="{x0:.1f}" y="{HEIGHT - 8}" width="{x1 - x0:.1f}" height="8"/>')
    return "".join(parts)


def _lanes(sets: Sequence[ImageSet], window: Window) -> str:
    """One row per energy band with a bar per image set; a click opens its image."""
    bands: dict[str, list[ImageSet]] = {}
    for one in sorted(sets, key=lambda one: one.first.e_low):
        bands.setdefault(formatting.band(one.first), []).append(one)
    return "".join(
        f'<div class="lane"><span>{escape(band)}</span><div>{"".join(_bar(one, window) for one in chosen)}</div></div>'
        for band, chosen in bands.items()
    )


def _bar(one: ImageSet, window: Window) -> str:
    image = next((image for image in one.images if image.method == "clean"), one.first)
    left, right = (100 * _share(window, time) for time in (image.t_start, image.t_end))
    name = f"Show the images of {formatting.time_range(image)}, {formatting.band(image)}"
    kind = "good" if all(other.trusted for other in one.images) else "doubt"
    return (
        f'<button type="button" class="{kind}" data-image="{escape(image.image_id)}" aria-label="{escape(name)}" '
        f'title="{escape(name)}" style="left: {left:.2f}%; width: {max(right - left, NARROWEST):.2f}%"></button>'
    )


def _time_labels(window: Window, offset: float) -> str:
    labels = time_labels(window, offset)
    return "".join(
        f'<span class="{"odd" if number % 2 else ""}" style="left: {place:.2%}">{text}</span>'
        for number, (place, text) in enumerate(labels)
    )


def _legend(content: FlareContent) -> str:
    if content.curves is None:
        return ""
    bands = "".join(
        f'<span><i style="background: var(--band-{number})"></i>{BAND_NAMES[band]}</span>'
        for number, band in enumerate(BANDS)
        if np.isfinite(content.curves.mean[:, number]).any()
    )
    shades = '<span><i class="flare"></i>flare</span><span><i class="image"></i>time range of images</span>'
    if attenuator_spans(content.curves)[0].size:
        shades += '<span><i class="attenuator"></i>attenuator in</span>'
    return f'<p class="legend">{bands}{shades}</p>'


def _notes(content: FlareContent) -> str:
    """Where light curves are from, if they are not quick-look ones."""
    return f'<p class="facts">{escape(" ".join(content.curve_notes))}</p>' if content.curve_notes else ""


def _share(window: Window, time: np.datetime64) -> float:
    """Position of a time in a window, 0 to 1."""
    return min(max((unix_seconds(time) - window.start) / window.span, 0.0), 1.0)


def _box(window: Window, begin: np.datetime64, end: np.datetime64, kind: str) -> str:
    x0, x1 = _share(window, begin) * WIDTH, _share(window, end) * WIDTH
    return f'<rect class="{kind}" x="{x0:.1f}" y="0" width="{max(x1 - x0, 1.0):.1f}" height="{HEIGHT}"/>'


def _line(x0: float, y0: float, x1: float, y1: float, kind: str) -> str:
    return f'<path class="{kind}" d="M{x0:.1f} {y0:.1f}L{x1:.1f} {y1:.1f}"/>'


def _steps(x: NDArray[np.float64], y: NDArray[np.float64]) -> str:
    """SVG path of steps, with gaps at missing points."""
    parts, drawing = [], False
    for left, top in zip(x, y, strict=True):
        known = bool(np.isfinite(top))
        if known:
            parts.append(f"H{left:.1f}V{top:.1f}" if drawing else f"M{left:.1f} {top:.1f}")
        drawing = known
    return "".join(parts)
