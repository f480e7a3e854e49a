"""Context maps of a flare: EUV pictures with contours of the thermal image, as Solar Orbiter and the Earth see them.

The pixels are a picture of their own, which `dashboards.server.context_picture` makes when the browser asks for it;
contours, limb and axes are SVG on the page. Both use the `Field` of a view.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

import numpy as np

from archive import Flare
from archive.context_maps import AIA, ContextMap, assumption_of
from dashboards.pages.flare.content import FlareContent, MeasuredImage
from dashboards.pages.flare.geometry import EARTH, SOLO, geometry_of, observer_of
from dashboards.pages.flare.picture_drawing import Placement, image_name, map_svg
from dashboards.shared import formatting
from dashboards.shared.compare import CONTOUR_LEVELS, Extent, contours_of
from dashboards.shared.links import routes_are_served
from dashboards.shared.sky_figure import CONTOUR_COLORS
from stixcore.heliographic import Observer, earth_at
from stixcore.sky_views import apparent_radius, places_of, sky_of
from stixcore.solar_grid import Line, clipped, limb

#: Side of a field, solar radii.
FIELD = 0.3
INSTRUMENTS = {"aia": "SDO/AIA", "eui": "Solar Orbiter/EUI"}
SEEN = {SOLO: "as Solar Orbiter sees it", EARTH: "as the Earth sees it"}
#: Assumptions of `archive.context_maps.assumption_of`, as sentences.
ASSUMPTIONS = {
    "surface": "Assumption: all sources are on the solar surface.",
    "spherical": "Assumption: sources beyond the limb are on a sphere around Solar Orbiter through Sun center, all "
    "others on the solar surface.",
}


@dataclass(frozen=True)
class Field:
    """What a view of a flare shows: its observer, and a square around the flare."""

    observer: Observer
    extent: Extent

    @classmethod
    def of(cls, flare: Flare, view: str) -> Field | None:
        """The field of a view ("solo" or "earth"); None if the flare has no position in it, or is hidden."""
        if view == EARTH:
            x, y = (None, None) if flare.earth_visible is False else (flare.earth_x, flare.earth_y)
            observer: Observer | None = earth_at(flare.t_peak)
        else:
            x, y = flare.hpc_x, flare.hpc_y
            observer = solar_orbiter(flare)
        if x is None or y is None or observer is None:
            return None
        half = FIELD / 2.0 * apparent_radius(observer)
        return cls(observer, (x - half, x + half, y - half, y + half))


def solar_orbiter(flare: Flare) -> Observer | None:
    """Place of Solar Orbiter at a flare; None if it is unknown."""
    return observer_of(flare.hgln, flare.hglt, flare.dsun_au)


def screen_of(flare: Flare) -> Observer | None:
    """The observer around whom sources beyond the limb are assumed to be; None for a flare on the disk."""
    return solar_orbiter(flare) if assumption_of(flare) == "spherical" else None


def context_html(content: FlareContent) -> str:
    """All context maps in both views; empty without one."""
    if not content.context or not routes_are_served():
        return ""
    fields = [(view, Field.of(content.flare, view)) for view in (SOLO, EARTH)]
    shown = [(view, field) for view, field in fields if field is not None]
    if not shown:
        return '<p class="nothing">The position of the flare is unknown, so its context maps are not drawn.</p>'
    figures = "".join(_figure(content, one, view, field) for one in content.context for view, field in shown)
    return (
        f'<div class="context">{figures}</div><p class="facts">{ASSUMPTIONS[assumption_of(content.flare)]} '
        "The rotation of the Sun between map and flare is not corrected.</p>"
    )


def _figure(content: FlareContent, one: ContextMap, view: str, field: Field) -> str:
    place = Placement(field.extent)
    thermal = content.thermal or content.nonthermal
    contours = [] if thermal is None else moved_contours(content, thermal, field)
    lines = [place.path(line, "limb") for line in clipped(limb(apparent_radius(field.observer)), field.extent)]
    lines += [
        f'<g style="stroke: {color}">{"".join(place.path(line, "contour") for line in found)}</g>'
        for found, color in zip(contours, CONTOUR_COLORS, strict=False)
    ]
    source = escape(f"archive/context/{content.flare.flare_id}/{one.name}/{view}.png")
    name = _named(one, simulated=content.flare.simulated)
    drawing = map_svg(source, field.extent, lines, f"{name}, {SEEN[view]}")
    return f"<figure>{drawing}<figcaption><b>{name}</b>, {SEEN[view]}{_with(thermal)}.</figcaption></figure>"


def moved_contours(content: FlareContent, image: MeasuredImage, field: Field) -> list[tuple[Line, ...]]:
    """Contours of an image in a view, by level; the parts that are hidden there are left out."""
    solo, screen = geometry_of(content).solo, screen_of(content.flare)
    if solo is None:
        return []
    moved = []
    for _, lines in contours_of(image.file):
        found = [sky_of(field.observer, places_of(solo, x, y, screen)) for x, y in lines]
        moved.append(tuple(line for line in found if np.isfinite(line[0]).any()))
    return moved


def _named(one: ContextMap, *, simulated: bool | None) -> str:
    """``SDO/AIA 171 Å, 2024-05-11 03:50:00 at the Earth, 12 s after the peak``."""
    instrument = f"simulated {INSTRUMENTS[one.instrument]}" if simulated else INSTRUMENTS[one.instrument]
    where = "at the Earth" if one.instrument == AIA else "at Solar Orbiter"
    late = formatting.number(abs(one.difference), ".0f")
    side = "after" if one.difference >= 0 else "before"
    time = f"{formatting.day(one.time)} {formatting.clock(one.time)}"
    return f"{instrument} {one.wavelength} Å, {time} {where}, {late} s {side} the peak"


def _with(thermal: MeasuredImage | None) -> str:
    if thermal is None:
        return ""
    levels = "".join(
        f'<span><i style="background: {color}"></i>{level:.0%}</span>'
        for level, color in zip(CONTOUR_LEVELS, CONTOUR_COLORS, strict=True)
    )
    return f", with contours of {escape(image_name(thermal.image))}<span class='levels'>{levels}</span>"
