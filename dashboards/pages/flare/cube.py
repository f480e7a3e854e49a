"""The cubes of a flare: movie, tracks of position, size and flux against time, and fits, as HTML and SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from archive.cubes import RECORD, TRACKS, Cube, CubeMovie, CubePoint
from archive.spectrum_track import SPECTRA_TRACK
from dashboards.pages.flare.content import FlareContent
from dashboards.pages.flare.cube_fits import fits_html
from dashboards.pages.flare.curves_drawing import clock_label
from dashboards.pages.flare.track_drawing import (
    HEIGHT,
    LEFT,
    WIDTH,
    ValueAxis,
    mark_path,
    time_grid,
    time_x,
    value_grid,
)
from dashboards.shared import formatting
from dashboards.shared.light_times import Clock
from dashboards.shared.links import Links
from dashboards.shared.time_window import Window

Band = tuple[float, float]

#: Most colours of bands in the style sheet.
COLORS = 5


@dataclass(frozen=True)
class Quantity:
    """A quantity of a track: attributes of `CubePoint`, title, format, what a doubt of it concerns, kind of axis."""

    name: str
    sigma: str
    title: str
    form: str
    aspect: str
    log: bool = False


QUANTITIES = (
    Quantity("x", "x_sigma", "Solar X [arcsec]", ".1f", "position"),
    Quantity("y", "y_sigma", "Solar Y [arcsec]", ".1f", "position"),
    Quantity("fwhm", "fwhm_sigma", "FWHM [arcsec]", ".1f", "shape"),
    Quantity("flux", "flux_sigma", "Flux [ct s⁻¹ cm⁻² keV⁻¹]", ".3g", "flux", log=True),
)


def cubes_html(content: FlareContent, links: Links, clock: Clock) -> str:
    """Movie, tracks and files of every cube of a flare; empty without one."""
    return "".join(_cube(one, content, links, clock) for one in content.cubes)


def tracks_svg(points: Sequence[CubePoint], quantity: Quantity, window: Window, offset: float) -> str:
    """One quantity against time: marks and error bars for each band, hollow where doubtful; a line joins the others.

    Parameters
    ----------
    points : sequence of CubePoint
    quantity : Quantity
    window : Window
        Time range of the plot, UTC at Solar Orbiter.
    offset : float, s
        What the clock of the labels is ahead.
    """
    axis = axis_of(points, quantity)
    bands = bands_of(points)
    lines = "".join(
        _track([one for one in points if (one.e_low, one.e_high) == band], quantity, number, axis, window)
        for number, band in enumerate(bands)
    )
    label = f"{quantity.title} against time, {', '.join(map(_band, bands))}; values are in the table"
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label)}">'
        f"{value_grid(axis)}{time_grid(window, offset)}"
        f'<text class="title" x="{LEFT}" y="14">{escape(quantity.title)}</text>{lines}</svg>'
    )


def axis_of(points: Sequence[CubePoint], quantity: Quantity) -> ValueAxis:
    """An axis with all values of a quantity and their error bars."""
    pairs = np.array([(_value(one, quantity.name), _value(one, quantity.sigma)) for one in points]).reshape(-1, 2)
    values, sigmas = pairs[np.isfinite(pairs[:, 0])].T
    return ValueAxis.around(values, sigmas, sigmas, log=quantity.log)


def bands_of(points: Sequence[CubePoint]) -> list[Band]:
    """Bands of points, in order of energy."""
    return sorted({(one.e_low, one.e_high) for one in points})


def _cube(cube: Cube, content: FlareContent, links: Links, clock: Clock) -> str:
    shift = content.shift(clock)
    used, offset = (Clock.SOLAR_ORBITER, 0.0) if shift is None else (clock, shift)
    window = Window.between(min(one.t_start for one in cube.points), max(one.t_end for one in cube.points))
    movie = _movie(cube, cube.movie, content, links) if cube.movie is not None else ""
    plots = "".join(f"<figure>{tracks_svg(cube.points, one, window, offset)}</figure>" for one in QUANTITIES)
    said = f'<p class="label">{escape(clock_label(used, offset, window))}</p>'
    tracks = f'<div class="tracks"><div class="plots">{plots}</div>{said}{_legend(cube)}</div>'
    fits = fits_html(cube, window, offset)
    return f'<div class="cube">{movie}{tracks}</div>{_files(cube, links)}{_table(cube, offset)}{fits}'


def _movie(cube: Cube, movie: CubeMovie, content: FlareContent, links: Links) -> str:
    """The movie on the screen, its poster on paper."""
    place, poster = links.cube(cube, movie.file), links.cube(cube, movie.poster)
    if place is None or poster is None:
        return ""
    bands, several = ", ".join(map(_band, movie.bands)), len(movie.bands) > 1
    name = f"Movie of flare {content.flare.flare_id}, {bands}, {movie.frames} steps"
    said = " in the band with most, and the steps of the other bands at that time" if several else " of equal counts"
    return (
        f'<figure class="movie{" several" if several else ""}">'
        f'<video class="screen" controls loop playsinline preload="none" '
        f'poster="{escape(poster)}" src="{escape(place)}" aria-label="{escape(name)}"></video>'
        f'<img class="paper" src="{escape(poster)}" alt="{escape(name)}">'
        f"<figcaption>{bands}: {movie.frames} steps{said}. "
        "The still picture is the step with the highest count rate.</figcaption></figure>"
    )


def _legend(cube: Cube) -> str:
    bands = "".join(
        f'<span><svg viewBox="-8 -8 16 16" aria-hidden="true" class="track t{number % COLORS}">'
        f'<path class="mark" d="{mark_path(0.0, 0.0, number)}"/></svg>{_band(band)}</span>'
        for number, band in enumerate(bands_of(cube.points))
    )
    return (
        f'<p class="legend">{bands}</p><p class="facts">A mark is a step; its bars are its time range and one standard '
        "deviation, without the error of the pointing. Position and FWHM are those of the area above half maximum."
        f"{_doubtful_steps(cube)}</p>"
    )


def _doubtful_steps(cube: Cube) -> str:
    """What hollow marks are; empty without any."""
    n = sum(bool(one.doubts) for one in cube.points)
    if not n:
        return ""
    return f" Hollow marks are doubtful: {n} of {formatting.plural(len(cube.points), 'image')} have a doubtful value."


def _files(cube: Cube, links: Links) -> str:
    names = {TRACKS: "tracks (Parquet)"}
    if cube.spectra:
        names[SPECTRA_TRACK] = "fits of spectra (Parquet)"
    names[RECORD] = "tracks and fits (JSON)" if cube.spectra else "tracks (JSON)"
    if cube.movie is not None:
        names = {cube.movie.file: "movie (MP4)", cube.movie.poster: "still picture (PNG)"} | names
    found = [(links.cube(cube, name), said) for name, said in names.items()]
    shown = "".join(f'<a href="{escape(place)}" download>{said}</a>' for place, said in found if place)
    return f'<p class="links screen">{shown}</p>' if shown else ""


def _table(cube: Cube, offset: float) -> str:
    """All values with their errors."""
    heads = ("Band", "Time", *(quantity.title for quantity in QUANTITIES), "Counts above background")
    rows = "".join(
        f"<tr><th scope='row'>{_band((one.e_low, one.e_high))}</th><td>{_times(one, offset)}</td>"
        + "".join(f"<td>{_number(one, quantity)}</td>" for quantity in QUANTITIES)
        + f"<td>{formatting.counts(one.net_counts)}</td></tr>"
        for one in cube.points
    )
    head = "".join(f"<th scope='col'>{name}</th>" for name in heads)
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    return (
        f'<details class="screen"><summary>{formatting.plural(len(cube.points), "step")} as a table</summary>'
        f'<div class="scroll" tabindex="0">{table}</div></details>'
    )


def _track(points: Sequence[CubePoint], quantity: Quantity, number: int, axis: ValueAxis, window: Window) -> str:
    """Line, error bars and marks of one band; marks of doubtful values are hollow, and no line joins them."""
    line: list[str] = []
    bars: list[str] = []
    marks: list[str] = []
    hollow: list[str] = []
    for one in points:
        value, sigma = _value(one, quantity.name), _value(one, quantity.sigma)
        if not np.isfinite(value):
            continue
        left, right = (time_x(time, window) for time in (one.t_start, one.t_end))
        middle, y = (left + right) / 2.0, axis.y(value)
        is_doubtful = quantity.aspect in one.doubts
        if not is_doubtful:
            line.append(f"{middle:.1f} {y:.1f}")
        bars.append(f"M{left:.1f} {y:.1f}H{right:.1f}")
        if np.isfinite(sigma):
            bars.append(f"M{middle:.1f} {axis.y(value + sigma):.1f}V{axis.y(value - sigma):.1f}")
        (hollow if is_doubtful else marks).append(mark_path(middle, y, number))
    path = f'<path class="line" d="M{"L".join(line)}"/>' if len(line) > 1 else ""
    return (
        f'<g class="track t{number % COLORS}">{path}<path class="bar" d="{"".join(bars)}"/>'
        f'<path class="mark" d="{"".join(marks)}"/>{_hollow("".join(hollow))}</g>'
    )


def _hollow(marks: str) -> str:
    return f'<path class="mark hollow" d="{marks}"/>' if marks else ""


def _value(one: CubePoint, name: str) -> float:
    value = getattr(one, name)
    return float("nan") if value is None else float(value)


def _number(one: CubePoint, quantity: Quantity) -> str:
    value, sigma = getattr(one, quantity.name), getattr(one, quantity.sigma)
    error = "" if value is None or sigma is None else f" ± {formatting.number(sigma, _error_form(quantity.form))}"
    doubt = " <i>doubtful</i>" if value is not None and quantity.aspect in one.doubts else ""
    return formatting.number(value, quantity.form) + error + doubt


def _error_form(form: str) -> str:
    return form if form.endswith("f") else ".2g"


def _times(one: CubePoint, offset: float) -> str:
    begin, end = (time + np.timedelta64(round(offset * 1e6), "us") for time in (one.t_start, one.t_end))
    return f"{formatting.clock(begin)} – {formatting.clock(end)}"


def _band(band: Band) -> str:
    return f"{band[0]:g}–{band[1]:g} keV"
