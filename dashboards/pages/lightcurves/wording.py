"""Text of the light-curve page: window, resolution, available data, distance to the nearest image."""

from __future__ import annotations

from html import escape
from urllib.parse import urlencode

import numpy as np

from archive.lightcurves.science import ScienceCurve
from dashboards.pages.lightcurves.images import MOST_ON_CURVES, NearestImage, WindowImages
from dashboards.pages.lightcurves.state import SHIFT_CHANGES_S, Curves, Extent, LightCurvesState
from dashboards.shared import formatting
from dashboards.shared.light_times import why_unknown
from dashboards.shared.links import flare_link, uid_link
from dashboards.shared.listing import grouped
from dashboards.shared.time_window import LEAST_AROUND_FLARE_S, Window

#: What the curve of the background detector is.
DETECTOR = (
    "The background detector is one detector without grids, behind a plate with small holes, and the attenuator never "
    "covers it: it shows the shape of a flare whose soft X-rays the others lose. Its rates include its background."
)
#: Flares with a link above the plot, strongest first.
NAMED_FLARES = 3


def window_text(window: Window) -> str:
    """``2022-11-11 01:00:00 – 02:00:00 UTC at Solar Orbiter, 60 min``."""
    begin, end = formatting.day(window.begin), formatting.day(window.end)
    return (
        f"{begin} {formatting.clock(window.begin)} – {end + ' ' if end != begin else ''}{formatting.clock(window.end)} "
        f"{formatting.CLOCK}, {length(window.span)}"
    )


def length(seconds: float) -> str:
    """``56 s``, ``12 min``, ``2.5 h``, ``30 days``."""
    for unit, name in ((86_400.0, "days"), (3600.0, "h"), (60.0, "min")):
        if seconds >= 1.5 * unit:
            return f"{formatting.number(seconds / unit)} {name}"
    return f"{formatting.number(seconds)} s"


def status_html(curves: Curves, *, simulated: bool, downloads: bool) -> str:
    """The line above the plot: window and downloads."""
    science = curves.science is not None
    links = _downloads(curves, simulated, science=science) if downloads and curves.recorded else ""
    return f'<p class="status"><b>{escape(window_text(curves.window))}</b>{links}</p>'


def about_html(curves: Curves, extent: Extent | None, *, simulated: bool) -> str:
    """The lines below the plot: bins, flares, available data, light times."""
    parts = []
    view = curves.view
    if view is not None and view.time.size:
        bins = (
            f"bins of {length(view.bucket_s)}: mean rate, maximum as a thin line"
            if view.bucket_s
            else "bins as recorded"
        )
        parts.append(bins)
        parts.append(f"rates {corrections_text(curves)}")
    if curves.n_flares:
        few = len(curves.flares) < curves.n_flares
        which = f"the strongest {len(curves.flares)} of " if few else ""
        named = "".join(f", {flare_link(flare.flare_id)}" for flare in curves.flares[:NAMED_FLARES])
        parts.append(f"{which}{formatting.plural(curves.n_flares, 'flare')} in and near this window{named}")
    if extent is not None:
        parts.append(
            f"the archive has {extent.what} from {formatting.day(extent.window.begin)} "
            f"to {formatting.day(extent.window.end)}"
        )
    if curves.light is None and not curves.problem:
        parts.append(f"clocks: {escape(why_unknown(simulated=simulated))}")
    elif curves.light is not None:
        light = curves.light
        later = "later" if light.to_earth_later >= 0 else "earlier"
        parts.append(
            f'<span title="{escape(light.source)}">light from the Sun takes {light.to_solar_orbiter:.1f} s to Solar '
            f"Orbiter and reaches Earth {abs(light.to_earth_later):.1f} s {later}"
            f"{', at mid-window' if curves.window.span >= SHIFT_CHANGES_S else ''}</span>"
        )
    text = " · ".join(parts)
    said = f'<p class="status">{text[:1].upper()}{text[1:]}</p>' if text else ""
    cautions = [*(view.cautions if view is not None else ())]
    if curves.detector is not None:
        cautions += [DETECTOR, *curves.detector.cautions]
    return said + "".join(f'<p class="status">{escape(caution)}</p>' for caution in cautions)


def corrections_text(curves: Curves) -> str:
    """``as recorded``, or what the rates are corrected for."""
    done = [
        name
        for name, on in (("live time", curves.corrections.live_time), ("attenuator", curves.corrections.attenuator))
        if on
    ]
    return f"corrected for {' and '.join(done)}" if done else "as recorded"


def science_text(curve: ScienceCurve) -> str:
    """That the curves are not from quick-look files, from which files they are, and what to know about them."""
    names = ", ".join(curve.files)
    sums = "pixel data: all detectors with grids; spectrograms: the detectors that were summed on board"
    first = f"There are no quick-look light curves in this window. These are from {names} ({sums})."
    rates = "Rates are corrected for live time." if curve.live_time_corrected else "Rates are as recorded."
    return " ".join([first, rates, *curve.cautions])


def images_html(images: WindowImages, state: LightCurvesState) -> str:
    """Title of the image strip; without images, a link to the nearest one."""
    if images.problem:
        return f"<h3>Images</h3><p>{escape(images.problem)}</p>"
    if images.recipes:
        frames = '<span class="trusted">trusted</span>, <span class="doubtful">doubtful</span>'
        ranges = formatting.plural(images.chosen, "time and energy range")
        text = f"{ranges} with {formatting.plural(len(images.images), 'image')}"
        if images.chosen < images.recipes:
            text += (
                f" shown out of {grouped(images.recipes)}: more than {MOST_ON_CURVES} pictures "
                "would hide the curves. Zoom in to see the others"
            )
        return f"<h3>Images of this window</h3><p>{text}. Frames on the curves: {frames}.</p>"
    if images.nearest is None:
        return "<h3>Images of this window</h3><p>No images in this window, and no others that you can see.</p>"
    return f"<h3>Images of this window</h3><p>No images in this window. {nearest_html(images.nearest, state)}</p>"


def nearest_html(nearest: NearestImage, state: LightCurvesState) -> str:
    """Distance to the nearest image, with a link to its window."""
    image = nearest.image
    away = length(float(nearest.away / np.timedelta64(1, "s")))
    whose = f"flare {flare_link(image.flare_id)}" if image.flare_id else f"uid {uid_link(image.uid)}"
    place = escape(address_of(Window.between(image.t_start, image.t_end), state))
    return (
        f"The nearest, {escape(formatting.time_range(image))}, {escape(formatting.band(image))} of {whose}, "
        f'is {away} {"later" if nearest.later else "earlier"}: <a href="{place}">go to it</a>.'
    )


def address_of(window: Window, state: LightCurvesState) -> str:
    """URL of a window and its surroundings, with all other settings unchanged."""
    around = window.around(max(4 * window.span, LEAST_AROUND_FLARE_S)).limited()
    query = [(key, value) for key, value in state.address_pairs if key not in {"start", "span", "image"}]
    return "?" + urlencode([("start", f"{around.start:.0f}"), ("span", f"{around.span:.0f}"), *query], safe=",:")


def nothing_recorded(extent: Extent | None, *, damaged: bool = False) -> str:
    """Why the plot is empty."""
    if damaged:
        return "No data for this window. Part of the index is damaged and may have covered it."
    if extent is None:
        return "The archive has no quick-look light curves yet. Run “stix-jobs ingest” on quick-look files to add them."
    begin, end = (
        f"{formatting.day(time)} {formatting.clock(time)}" for time in (extent.window.begin, extent.window.end)
    )
    if extent.what == "light curves":
        return f"No data in this window. The light curves in this archive cover {begin} to {end}."
    return f"The archive has no quick-look light curves. Its {extent.what} cover {begin} to {end}."


def _downloads(curves: Curves, simulated: bool, *, science: bool) -> str:
    whole = curves.window.limited()
    words = {"start": f"{whole.start:.0f}", "span": f"{whole.span:.0f}"}
    words |= {"series": "simulated"} if simulated else {}
    live_time, attenuator = curves.corrections.live_time, curves.corrections.attenuator
    if live_time != science:  # rates of science files are corrected unless they should not be
        words["livetime"] = "corrected" if live_time else "recorded"
    own = words | ({"source": "science"} if science else {}) | ({"attenuator": "corrected"} if attenuator else {})
    files = [("csv", "CSV", own), ("parquet", "Parquet", own)]
    if curves.detector is not None:
        live = {"livetime": "corrected" if curves.detector.live_time_corrected else "recorded"}
        files.append(("csv", "CSV of the background detector", words | live | {"source": "background-detector"}))
    links = "".join(
        f'<a class="file" href="archive/lightcurve.{kind}?{escape(urlencode(query))}" download>{name}</a>'
        for kind, name, query in files
    )
    return f" <span class='files' title='Times in these files are {formatting.CLOCK}'>{links}</span>"
