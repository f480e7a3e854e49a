"""The report of one recipe: light curve, six maps and the visibilities on one page.

It has the panels of the Data Center's report and one more: amplitude and phase of every sub-collimator, as measured and
for each method.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Picture
from PIL import ImageDraw

from jobs.imaging.disk_marks import marks_of_images
from jobs.imaging.figures import draw_map, font, nice_step
from jobs.imaging.full_disk import draw_full_disk
from jobs.shared.palette import BLUE, GREEN, PURPLE, SKY_BLUE, VERMILION
from stixcore.imaging.clean import CleanParameters
from stixcore.imaging.fourier import FourierOperator
from stixcore.imaging.ms_clean import MultiScaleCleanParameters
from stixcore.imaging.reconstruction import Method, method_name
from stixcore.imaging.registry import built_in, place_in_order
from stixcore.imaging.threads import single_threaded
from stixcore.imaging.trust import Finding, verdict
from stixcore.reconstruct import ImageSet
from stixcore.times import format_time

Floats = NDArray[np.float64]

SIZE = 300  # of a map
PANEL = (SIZE + 90, SIZE + 98)
#: Methods of the first six maps, before those of packages; multi-scale CLEAN is not shown.
ORDER = (Method.FULL_DISK_BP, Method.BP, Method.CLEAN, Method.MEM_GE, Method.EM, Method.VIS_FWDFIT)
COLORS = {
    Method.CLEAN: BLUE,
    Method.MS_CLEAN: SKY_BLUE,
    Method.MEM_GE: VERMILION,
    Method.EM: GREEN,
    Method.VIS_FWDFIT: PURPLE,
}
BLACK, GRAY, SHADE, DOUBT = (0, 0, 0), (110, 110, 110), (170, 235, 240), (176, 0, 32)


def draw_report(images: ImageSet, t_start: NDArray[np.datetime64], duration: Floats, rate: Floats) -> Picture.Image:
    """Draw the report of an image set.

    Parameters
    ----------
    images : ImageSet
    t_start : (n_time,) datetime64; duration : (n_time,) float, s; rate : (n_time,) float, ct s⁻¹
        Light curve of the science file in the energy band of the images.
    """
    width, height = PANEL
    others = [method for method in sorted(images.recipe.methods, key=place_in_order) if method not in built_in()]
    panels = [_light_curve(images, t_start, duration, rate), *(_map(images, method) for method in ORDER)]
    panels += [_visibilities(images), *(_map(images, method) for method in others)]
    sheet = Picture.new("RGB", (4 * width, -(-len(panels) // 4) * height + 40), "white")
    for number, panel in enumerate(panels):
        sheet.paste(panel, (number % 4 * width, 40 + number // 4 * height))
    pixels, recipe = images.pixels, images.recipe
    simulated = "SIMULATED   " if pixels.header.simulated else ""
    title = (
        f"{simulated}{format_time(pixels.t_start)[:19]} to {format_time(pixels.t_end)[11:19]} UTC at Solar Orbiter   "
        f"{pixels.e_low:g}-{pixels.e_high:g} keV   uid {recipe.science.uid}   pointing: {recipe.pointing.source}   "
        f"{images.counts[0]:.0f} counts, {images.counts[1]:.0f} of them background"
    )
    draw = ImageDraw.Draw(sheet)
    draw.text((16, 6), title, fill=BLACK, font=font(17))
    draw.text((16, 28), doubts_line(images.findings, [*images.images]), fill=DOUBT, font=font(12))
    return sheet


def doubts_line(findings: tuple[Finding, ...], methods: Sequence[Method]) -> str:
    """The doubtful aspects and the methods they concern, in one line; empty when there are none."""
    doubted: dict[str, list[Method]] = {}
    for method in methods:
        parts = ", ".join(part for part, reasons in verdict(findings, method).reasons.items() if reasons)
        doubted.setdefault(parts, []).append(method)
    doubted.pop("", None)
    named = [
        f"{parts} of {'all images' if names == [*methods] else ', '.join(map(method_name, names))}"
        for parts, names in doubted.items()
    ]
    return f"Doubtful: {'; '.join(named)}" if named else ""


def _map(images: ImageSet, method: Method) -> Picture.Image:
    if method not in images.images:
        reason = images.failures.get(method, "not asked for")
        panel = Picture.new("RGB", PANEL, "white")
        ImageDraw.Draw(panel).text((20, 40), f"{_name(images, method)}\n\n{reason}", fill=GRAY, font=font(13))
        return panel
    image, recipe = images.images[method], images.recipe
    parameters = recipe.methods[method]
    chi2 = f"chi2 {image.chi2:.2f}" if np.isfinite(image.chi2) else ""
    title, caption = _name(images, method), f"{chi2}  peak {image.image.max():.3g} {image.unit}".strip()
    if method is Method.FULL_DISK_BP:
        return draw_full_disk(
            image.image,
            image.grid,
            marks_of_images(images),
            title=title,
            caption="green: images; white: other peaks; blue: locator",
            rsun=recipe.pointing.rsun,
            b0=recipe.pointing.b0,
            size=SIZE,
            legend=False,
        )
    return draw_map(
        image.image,
        image.grid,
        title=title,
        caption=caption,
        rsun=recipe.pointing.rsun,
        b0=recipe.pointing.b0,
        beam_fwhm=parameters.beam_fwhm if isinstance(parameters, CleanParameters | MultiScaleCleanParameters) else None,
        size=SIZE,
    )


def _name(images: ImageSet, method: Method) -> str:
    name = method_name(method)
    sources = images.images[method].sources if method in images.images else ()
    return f"{name} ({' + '.join(map(shape_text, sources))})" if sources else name


def shape_text(source: Mapping[str, Any]) -> str:
    """Shape of a fitted source; of a loop how much it is bent, because the image of a slightly bent one is an ellipse.

    ``circle``, ``ellipse``, ``loop bent by 38° ± 7°``.
    """
    if "loop_angle" not in source:
        return str(source["shape"])
    sigma = source.get("loop_angle_sigma", np.nan)
    return f"loop bent by {abs(source['loop_angle']):.0f}°{f' ± {sigma:.0f}°' if np.isfinite(sigma) else ''}"


class _Plot:
    """A pair of axes on a panel: conversion to pixels, frame and ticks."""

    def __init__(
        self, draw: ImageDraw.ImageDraw, box: tuple[int, int, int, int], x: Sequence[float], y: Sequence[float]
    ):
        self.draw, self.box, self.x, self.y = draw, box, x, y

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Pixel of a data point."""
        left, top, right, bottom = self.box
        return (
            left + (x - self.x[0]) / (self.x[1] - self.x[0]) * (right - left),
            bottom - (y - self.y[0]) / (self.y[1] - self.y[0]) * (bottom - top),
        )

    def frame(self, label: str, y_text: Callable[[float], str]) -> None:
        """Draw the frame, the ticks of y and a label above."""
        left, top = self.box[:2]
        self.draw.rectangle(self.box, outline=BLACK)
        step = nice_step((self.y[1] - self.y[0]) / 3.0)
        for value in np.arange(np.ceil(self.y[0] / step), np.floor(self.y[1] / step) + 1) * step:
            row = self.at(self.x[0], value)[1]
            self.draw.line([(left - 5, row), (left, row)], fill=BLACK)
            self.draw.text((left - 8, row), y_text(float(value)), fill=BLACK, font=font(12), anchor="rm")
        self.draw.text((left, top - 20), label, fill=BLACK, font=font(14))


def _light_curve(images: ImageSet, t_start: NDArray[np.datetime64], duration: Floats, rate: Floats) -> Picture.Image:
    panel = Picture.new("RGB", PANEL, "white")
    draw = ImageDraw.Draw(panel)
    seconds = (t_start - t_start[0]) / np.timedelta64(1, "s")
    end = float(seconds[-1] + duration[-1])
    plot = _Plot(draw, (84, 34, 74 + SIZE, 34 + SIZE), (0.0, end), (0.0, float(rate.max()) * 1.08 or 1.0))
    window = [(t - t_start[0]) / np.timedelta64(1, "s") for t in (images.pixels.t_start, images.pixels.t_end)]
    draw.rectangle((*plot.at(window[0], plot.y[1]), *plot.at(window[1], 0.0)), fill=SHADE)
    edges = np.repeat(np.append(seconds, end), 2)[1:-1]
    draw.line([plot.at(x, y) for x, y in zip(edges, np.repeat(rate, 2), strict=True)], fill=BLACK, width=2)
    band = f"{images.pixels.e_low:g}-{images.pixels.e_high:g} keV"
    plot.frame(f"Science data, {band}, all detectors [counts/s]", lambda value: f"{value:g}")
    for share in (0.0, 0.5, 1.0):
        time = t_start[0] + np.timedelta64(round(share * end), "s")
        x, y = plot.at(share * end, 0.0)
        anchor = ("la", "ma", "ra")[int(share * 2)]
        draw.text((x, y + 7), str(time)[11:19], fill=BLACK, font=font(12), anchor=anchor)
    draw.text((84, 34 + SIZE + 42), f"{str(t_start[0])[:10]} UTC at Solar Orbiter", fill=GRAY, font=font(12))
    return panel


def _visibilities(images: ImageSet) -> Picture.Image:
    """Amplitudes above, phases below; data in black with error bars, and one color per method."""
    panel = Picture.new("RGB", PANEL, "white")
    draw = ImageDraw.Draw(panel)
    vis, n = images.vis, len(images.vis)
    predicted = {}
    for method in COLORS:
        if method in images.images:
            image = images.images[method]
            model = image.planes.get("components", image.image)
            with single_threaded():
                predicted[method] = FourierOperator(vis.u, vis.v, image.grid).forward(model)
    highest = max([float((vis.amplitude + vis.sigma).max()), *(float(np.abs(v).max()) for v in predicted.values())])
    left, right, middle = 84, 74 + SIZE, 34 + SIZE // 2
    upper = _Plot(draw, (left, 34, right, middle - 14), (-0.7, n - 0.3), (0.0, 1.05 * highest))
    lower = _Plot(draw, (left, middle + 14, right, 34 + SIZE), (-0.7, n - 0.3), (-190.0, 190.0))
    phase_error = np.rad2deg(np.minimum(vis.sigma / np.maximum(vis.amplitude, 1e-30), np.pi))
    for plot, values, errors in ((upper, vis.amplitude, vis.sigma), (lower, vis.phase, phase_error)):
        for i, (value, error) in enumerate(zip(values, errors, strict=True)):
            low, high = max(value - error, plot.y[0]), min(value + error, plot.y[1])
            draw.line([plot.at(i, low), plot.at(i, high)], fill=BLACK, width=1)
            x, y = plot.at(i, value)
            draw.ellipse((x - 2.5, y - 2.5, x + 2.5, y + 2.5), fill=BLACK)
    for method, model_vis in predicted.items():
        for plot, numbers in ((upper, np.abs(model_vis)), (lower, np.rad2deg(np.angle(model_vis)))):
            for i, value in enumerate(numbers):
                x, y = plot.at(i, value)
                draw.line([(x - 5, y), (x + 5, y)], fill=COLORS[method], width=2)
    upper.frame("Amplitude [ct/(s keV cm2)]", lambda value: f"{value:g}")
    lower.frame("", lambda value: f"{value:.0f}°")
    draw.text((left + 4, middle + 17), "Phase", fill=GRAY, font=font(12))
    for i in range(0, n, 3):
        draw.text((lower.at(i, 0)[0], 34 + SIZE + 7), vis.labels[i], fill=BLACK, font=font(11), anchor="ma")
    x = float(left)
    for method in predicted:
        draw.text((x, 34 + SIZE + 42), method.name, fill=COLORS[method], font=font(12))
        x += draw.textlength(method.name, font=font(12)) + 14
    return panel
