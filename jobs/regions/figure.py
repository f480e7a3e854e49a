"""The picture of region spectra: images at low and at high energies with the regions, and the spectra."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Picture
from PIL import ImageDraw

from jobs.imaging.figures import Frame, draw_map, font
from jobs.shared.palette import GREEN, ORANGE, PURPLE, SKY_BLUE, VERMILION, YELLOW
from stixcore.imaging_spectroscopy.measure_regions import MeasuredRegions, RegionSpectrum
from stixcore.spectra.regions import Circle, Contour, Ellipse, Polygon, Region
from stixcore.times import format_time

Floats = NDArray[np.float64]

#: Colours of regions, which stand out from the maps.
COLORS = (SKY_BLUE, ORANGE, GREEN, YELLOW, PURPLE, VERMILION)
WHOLE_COLOR = (0, 0, 0)
SIDE = 400
#: Lowest rate that is drawn, as a fraction of the highest.
FLOOR = 1e-5


def draw_regions(measured: MeasuredRegions) -> Picture.Image:
    """Draw images and spectra; without images the spectra only."""
    panels = [_spectra(measured)]
    channels = np.flatnonzero(measured.imaged)
    if channels.size:
        panels = [*(_map(measured, half) for half in _halves(channels)), *panels]
    canvas = Picture.new("RGB", (sum(one.width for one in panels), max(one.height for one in panels)), "white")
    left = 0
    for panel in panels:
        canvas.paste(panel, (left, 0))
        left += panel.width
    return canvas


def _halves(channels: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """The lower and the upper half of the imaged channels, as places among them."""
    return [half for half in np.array_split(np.arange(channels.size), 2) if half.size]


def _map(measured: MeasuredRegions, half: NDArray[np.int64]) -> Picture.Image:
    spectrum, channels = measured.whole.spectrum, np.flatnonzero(measured.imaged)[half]
    width = (spectrum.e_high - spectrum.e_low)[channels]
    image = np.tensordot(width, measured.images[half], axes=1) / width.sum()

    def over(draw: ImageDraw.ImageDraw, frame: Frame) -> None:
        for number, region in enumerate(measured.regions):
            if region.region is not None:
                _outline(draw, frame, region.region, COLORS[number % len(COLORS)])

    band = f"{spectrum.e_low[channels[0]]:g}-{spectrum.e_high[channels[-1]]:g} keV"
    return draw_map(image, measured.grid, title=band, size=SIDE, over=over)


def _outline(draw: ImageDraw.ImageDraw, frame: Frame, region: Region, color: tuple[int, int, int]) -> None:
    x, y = outline(region)
    points = list(zip(frame.column(x).tolist(), frame.row(y).tolist(), strict=True))
    if len(points) > 1:
        draw.line(points, fill=(*color, 255), width=2)
    if points:
        draw.text(points[0], region.name, fill=(*color, 255), font=font(12))


def outline(region: Region) -> tuple[Floats, Floats]:
    """Corners x (n,) and y (n,) of a region, arcsec, closed; for a contour its point, if it has one."""
    turn = np.linspace(0.0, 2.0 * np.pi, 73)
    match region:
        case Circle():
            return region.x + region.radius * np.cos(turn), region.y + region.radius * np.sin(turn)
        case Ellipse():
            angle = np.deg2rad(region.position_angle)
            along, across = region.major * np.cos(turn), region.minor * np.sin(turn)
            x = region.x + along * np.cos(angle) - across * np.sin(angle)
            return x, region.y + along * np.sin(angle) + across * np.cos(angle)
        case Polygon():
            x, y = np.array((*region.corners, region.corners[0])).T
            return x, y
        case Contour():
            place = [] if region.x is None or region.y is None else [(region.x, region.y)]
            x, y = np.array(place).reshape(-1, 2).T
            return x, y


def _spectra(measured: MeasuredRegions) -> Picture.Image:
    """Rates per keV of the whole flare and of regions, on logarithmic axes, and their fits."""
    spectrum = measured.whole.spectrum
    closed = np.isfinite(spectrum.e_high)
    width = np.where(closed, spectrum.e_high - spectrum.e_low, np.nan) * spectrum.livetime
    shown = closed & (measured.imaged if measured.imaged.any() else closed)
    parts = np.array([spectrum.counts, *(region.spectrum.counts for region in measured.regions)]) / width
    plot = _Axes(spectrum.e_low, spectrum.e_high, parts, shown)
    plot.steps(spectrum.counts / width, spectrum.sigma / width, shown, WHOLE_COLOR)
    lines = [("whole flare", WHOLE_COLOR)]
    for number, region in enumerate(measured.regions):
        red, green, blue = COLORS[number % len(COLORS)]
        color = red * 3 // 4, green * 3 // 4, blue * 3 // 4
        plot.steps(region.spectrum.counts / width, region.spectrum.sigma / width, shown, color)
        if region.fit is not None:
            plot.curve(region.fit.counts / width, shown & region.fit.energy.used, color)
        lines.append((_legend(region), color))
    title = f"{format_time(spectrum.t_start)[:19]} to {format_time(spectrum.t_end)[11:19]} UTC"
    return plot.finish(f"SIMULATED  {title}" if measured.simulated else title, lines)


def _legend(region: RegionSpectrum) -> str:
    """Name of a region, with temperatures and index of its fit, and whether that is doubtful."""
    if region.fit is None:
        return region.name
    known = region.fit.parameters
    temperatures = [f"{known[name].value:.3g}" for name in ("T_keV", "T_keV_2") if name in known]
    values = [f"kT {' and '.join(temperatures)} keV"] if temperatures else []
    if "delta" in known:
        values.append(f"delta {known['delta'].value:.3g}")
    if region.fit.verdict == "doubtful":
        values.append("doubtful")
    return f"{region.name}: {', '.join(values)}"


class _Axes:
    """Logarithmic axes of energy and rate in a picture."""

    def __init__(self, e_low: Floats, e_high: Floats, rates: Floats, shown: NDArray[np.bool_]) -> None:
        self._left, self._top, self._bottom = 64, 34, 64
        self._canvas = Picture.new("RGB", (SIDE + self._left + 16, SIDE + self._top + self._bottom), "white")
        self._draw = ImageDraw.Draw(self._canvas)
        self._e_low, self._e_high = e_low, e_high
        positive = rates[:, shown][rates[:, shown] > 0]  # NaN is not
        top = float(positive.max(initial=1e-6))
        lowest = max(float(positive.min(initial=top)) / 3.0, top * FLOOR)
        self._x = np.log10([e_low[shown].min(), e_high[shown].max()])
        self._y = np.log10([lowest, 2.0 * top])

    def _column(self, energy: Floats) -> Floats:
        return np.asarray(self._left + (np.log10(energy) - self._x[0]) / (self._x[1] - self._x[0]) * SIDE)

    def _row(self, rate: Floats) -> Floats:
        place = np.log10(np.maximum(rate, 10.0 ** (self._y[0] - 1.0)))
        return np.asarray(self._top + SIDE - np.maximum(place - self._y[0], 0.0) / (self._y[1] - self._y[0]) * SIDE)

    def steps(self, rate: Floats, sigma: Floats, shown: NDArray[np.bool_], color: tuple[int, int, int]) -> None:
        """A bar for each channel with its error."""
        known = shown & np.isfinite(rate)
        for low, high, value, error in zip(
            self._e_low[known], self._e_high[known], rate[known], sigma[known], strict=True
        ):
            left, right, middle = self._column(np.array([low, high, np.sqrt(low * high)])).tolist()
            ends = self._row(np.array([value - error, value + error])).tolist()
            if value > 0:
                place = float(self._row(np.array(value)))
                self._draw.line([(left, place), (right, place)], fill=color, width=2)
            self._draw.line([(middle, ends[0]), (middle, ends[1])], fill=color)

    def curve(self, rate: Floats, shown: NDArray[np.bool_], color: tuple[int, int, int]) -> None:
        """A model, as a thin line through the middles of the channels."""
        middles = np.sqrt(self._e_low[shown] * self._e_high[shown])
        points = zip(self._column(middles).tolist(), self._row(rate[shown]).tolist(), strict=True)
        self._draw.line(list(points), fill=color)

    def finish(self, title: str, lines: Sequence[tuple[str, tuple[int, int, int]]]) -> Picture.Image:
        """Frame, ticks and legend."""
        draw, left, top = self._draw, self._left, self._top
        draw.rectangle((left - 1, top - 1, left + SIDE, top + SIDE), outline="black")
        draw.text((left, 10), title, fill="black", font=font(13))
        for energy in (4, 5, 6, 8, 10, 15, 20, 30, 50, 80, 120):
            if self._x[0] - 1e-9 <= np.log10(energy) <= self._x[1] + 1e-9:
                x = float(self._column(np.array(energy)))
                draw.line([(x, top + SIDE), (x, top + SIDE + 5)], fill="black")
                draw.text((x, top + SIDE + 7), f"{energy}", fill="black", font=font(12), anchor="ma")
        for power in range(int(np.ceil(self._y[0])), int(np.floor(self._y[1])) + 1):
            y = float(self._row(np.array(10.0**power)))
            draw.line([(left - 6, y), (left - 1, y)], fill="black")
            draw.text((left - 9, y), f"1e{power}", fill="black", font=font(12), anchor="rm")
        label = "Energy [keV]; rate [ct/s/keV]"
        draw.text((left + SIDE / 2, top + SIDE + 24), label, fill="black", font=font(12), anchor="ma")
        for number, (text, color) in enumerate(lines):
            place = (left + SIDE - 8, top + 8 + 16 * number)
            draw.text(place, text, fill=color, font=font(12), anchor="ra")
        return self._canvas
