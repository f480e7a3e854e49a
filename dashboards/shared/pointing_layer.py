"""The pointings of an image on its map: error circles, a picture moved to another pointing, and what to do instead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from html import escape
from math import isfinite
from typing import Any
from urllib.parse import urlencode

from dashboards.shared import formatting
from dashboards.shared.detail import ImageDetail
from dashboards.shared.dialog_layers import AS_MADE
from dashboards.shared.links import pointing_link
from dashboards.shared.navigation import PAGES
from stixcore.coordinates import Pointing, PointingSource
from stixcore.image_files.read import ImageFile
from stixcore.imaging.location import Candidate
from stixcore.pointings import GIVEN, PointingChoice
from stixcore.recipe import Recipe

NAMES: Mapping[PointingSource, str] = {
    PointingSource.ASPECT: "aspect solution",
    PointingSource.SPACECRAFT: "spacecraft attitude",
    PointingSource.ASSUMED: "assumed: Sun centre, north up",
    PointingSource.MANUAL: "as given",
}
#: Light enough for the dark map; their lines differ too.
COLORS: Mapping[PointingSource, str] = {
    PointingSource.ASPECT: "#52cf7a",
    PointingSource.SPACECRAFT: "#ffd84a",
    PointingSource.ASSUMED: "#ffffff",
    PointingSource.MANUAL: "#ff9ee0",
}
DASHES: Mapping[PointingSource, str] = {
    PointingSource.ASPECT: "solid",
    PointingSource.SPACECRAFT: "dashed",
    PointingSource.ASSUMED: "dotted",
    PointingSource.MANUAL: "dotdash",
}
#: Positions in the header that move with the picture.
MOVED_KEYWORDS = (("MAPC_HPX", "MAPC_HPY"), ("CFL_HPX", "CFL_HPY"), ("AXIS_HPX", "AXIS_HPY"))
#: Half the length of a cross at the centre of a circle, as a fraction of the map.
CROSS = 0.012


def options_of(choices: Sequence[PointingChoice]) -> dict[str, str]:
    """Labels and values of the choice, that with which the image was made first."""
    made = sorted(choices, key=lambda choice: not choice.used)
    return {_label(choice): AS_MADE if choice.used else str(choice.pointing.source) for choice in made}


def _label(choice: PointingChoice) -> str:
    name = NAMES[choice.pointing.source]
    if choice.used:
        return f"{name} (used)"
    return name if choice.shift_suffices else f"{name} (new image)"


def chosen_of(choices: Sequence[PointingChoice], source: str) -> PointingChoice | None:
    """The choice with a source; None for that with which the image was made, and where the image has no such choice."""
    return next((choice for choice in choices if choice.pointing.source == source and not choice.used), None)


def moved_detail(detail: ImageDetail, choice: PointingChoice | None) -> ImageDetail:
    """The detail with its picture, and all positions measured in it, moved to a pointing where a shift suffices."""
    if choice is None or detail.file is None or not choice.shift_suffices:
        return detail
    return replace(detail, file=moved_file(detail.file, choice.shift))


def moved_file(file: ImageFile, shift: tuple[float, float]) -> ImageFile:
    """An image with its grid and all positions measured by the instrument moved west and north, arcsec."""
    dx, dy = shift
    moved = {
        key: float(file.header[key]) + by
        for pair in MOVED_KEYWORDS
        for key, by in zip(pair, shift, strict=True)
        if key in file.header
    }
    regions = file.locator
    if regions is not None:
        outlines = tuple((level, tuple(line + shift for line in lines)) for level, lines in regions.outlines)
        regions = replace(regions, x=regions.x + dx, y=regions.y + dy, outlines=outlines)
    return replace(
        file,
        grid=replace(file.grid, center=(file.grid.center[0] + dx, file.grid.center[1] + dy)),
        header={**file.header, **moved},
        sources=tuple({**one, "x": one["x"] + dx, "y": one["y"] + dy} for one in file.sources),
        candidates=tuple(Candidate(one.x + dx, one.y + dy, one.relative_height) for one in file.candidates),
        locator=regions,
    )


def circles_svg(choices: Sequence[PointingChoice], extent: tuple[float, float, float, float]) -> str:
    """Circles and crosses in a frame of 1000 units with north up, for `dashboards.shared.image_map.map_html`."""
    x0, x1, y0, y1 = extent
    drawn = []
    for choice in choices:
        across = (choice.place[0] - x0) / (x1 - x0) * 1000.0
        down = (y1 - choice.place[1]) / (y1 - y0) * 1000.0
        name, arm = f"pointing {choice.pointing.source}", 1000.0 * CROSS
        drawn.append(
            f'<polyline class="{name}" points="{across - arm:.1f},{down:.1f} {across + arm:.1f},{down:.1f}"/>'
            f'<polyline class="{name}" points="{across:.1f},{down - arm:.1f} {across:.1f},{down + arm:.1f}"/>'
        )
        if isfinite(choice.pointing.sigma):
            radius = choice.pointing.sigma / (x1 - x0) * 1000.0
            drawn.append(f'<circle class="{name}" cx="{across:.1f}" cy="{down:.1f}" r="{radius:.1f}"/>')
    return "".join(drawn)


def draw_circles(plot: Any, choices: Sequence[PointingChoice]) -> None:
    """The same in a live figure of the map."""
    for choice in choices:
        source = choice.pointing.source
        x, y = choice.place
        line = {"line_color": COLORS[source], "line_width": 2, "line_dash": DASHES[source]}
        plot.scatter([x], [y], marker="cross", size=10, line_color=COLORS[source], line_width=2)
        if isfinite(choice.pointing.sigma):
            plot.circle(x=[x], y=[y], radius=choice.pointing.sigma, fill_alpha=0.0, **line)


def pointing_html(detail: ImageDetail, choice: PointingChoice | None) -> str:
    """What is shown, and the legend of the circles; empty where no pointing is known."""
    if not detail.pointings:
        return ""
    rows = "".join(_row(one) for one in detail.pointings)
    link = pointing_link(detail.image.recipe_id)
    file = f" All pointings: {link}" if link else ""
    return (
        f"{_said(detail, choice)}<ul class='pointings' aria-label='Pointings'>{rows}</ul>"
        "<p class='meaning'>Crosses: where each pointing puts the centre of the flare map. Circles: 1 σ error of the "
        f"pointing on each axis, without that of the measured position.{file}</p>"
    )


def _row(choice: PointingChoice) -> str:
    pointing = choice.pointing
    sigma = f" ± {formatting.arcsec(pointing.sigma)}″" if isfinite(pointing.sigma) else " <i>error unknown</i>"
    offset = " with the average offset of STIX" if pointing.source is PointingSource.SPACECRAFT else ""
    used = " <i>used</i>" if choice.used else f" <i>{_shift(choice)} from it</i>"
    note = f"<br><i>{escape(choice.note)}</i>" if choice.note else ""
    return (
        f"<li><u><s class='{pointing.source}'></s></u><span>{NAMES[pointing.source]}{offset}: "
        f"{formatting.position(*choice.place)}{sigma}{used}{note}</span></li>"
    )


def _shift(choice: PointingChoice) -> str:
    x, y = (formatting.number(value, "+.1f") for value in choice.shift)
    return f"({x}, {y})″"


def _said(detail: ImageDetail, choice: PointingChoice | None) -> str:
    """One sentence about a chosen pointing, with a link to the form."""
    if choice is None:
        return ""
    name = NAMES[choice.pointing.source]
    if choice.shift_suffices:
        what = f"<b>Shifted by {_shift(choice)}</b> to this pointing: {name}. Numbers and files are not shifted."
    else:
        what = f"<b>Not shifted</b> to this pointing ({name}): {escape(choice.reason)}, which a shift cannot show."
    address = new_image_address(detail.recipe, choice.pointing)
    link = f' <a href="{escape(address)}">Make a new image with this pointing</a>' if address else ""
    return f"<p class='shifted' role='status'>{what}{link}</p>"


def new_image_address(recipe: Recipe | None, pointing: Pointing) -> str:
    """URL of the imaging form with window, pointing, map and a given centre of a recipe; empty without that page."""
    if recipe is None or "science_data" not in PAGES:
        return ""
    low, high = recipe.energy_range
    pairs = {
        "uid": recipe.science.name,
        "tab": "analysis",
        "window": f"{recipe.time_range[0]},{recipe.time_range[1]},{low:.15g},{high:.15g}",
        "given_pointing": f"{pointing.roll:.6f},{pointing.x:.3f},{pointing.y:.3f}",
        "map": f"{recipe.shape[1]},{recipe.pixel:.15g}",
    }
    if recipe.location.found_by == GIVEN:
        pairs["given_location"] = f"{recipe.location.x:.3f},{recipe.location.y:.3f}"
    return "science_data?" + urlencode(pairs, safe=",:")
