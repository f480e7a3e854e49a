"""Significance over an image in the dialog: contours of 3, 5 and 10 σ, or the map of it in place of the picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from html import escape
from typing import Any

from contourpy import LineType, contour_generator

from dashboards.shared import formatting
from dashboards.shared.detail import ImageDetail
from dashboards.shared.dialog_layers import CONTOURS, MAP, OFF
from dashboards.shared.svg_lines import points_of
from stixcore.image_files.read import ImageFile
from stixcore.image_files.significance import SIGMA_LEVELS, SIGMA_UNIT, Significance
from stixcore.solar_grid import Line

#: Labels and values of the choice, and those of an image without significance.
CHOICES = {"off": OFF, "contours: 3, 5, 10 σ": CONTOURS, "map: image ÷ σ": MAP}
NONE = {"not for this image": OFF}
#: Dashes of the contours of 3, 5 and 10 σ.
DASHES = ("2 4", "7 4", "none")
COLOR = "#8fe3ff"
LEGEND = "contours of 3, 5 and 10 σ are dotted, dashed and full"


def with_significance(detail: ImageDetail, choice: str) -> ImageDetail:
    """The detail whose picture is drawn: with significance in place of the image if a map of it is chosen."""
    file, found = detail.file, detail.significance
    if file is None or found is None or choice != MAP:
        return detail
    return replace(detail, file=replace(file, pixels=found.values, unit=SIGMA_UNIT))


def contours(file: ImageFile, found: Significance) -> tuple[tuple[float, tuple[Line, ...]], ...]:
    """Lines of each level, helioprojective, arcsec; none for levels that the image does not reach."""
    (x, y), grid = file.grid.center, file.grid
    generator = contour_generator(grid.x + x, grid.y + y, found.values, line_type=LineType.Separate)
    lines: list[tuple[float, tuple[Line, ...]]] = []
    for level in SIGMA_LEVELS:
        found_lines: Sequence[Any] = generator.lines(level)
        lines.append((level, tuple((line[:, 0], line[:, 1]) for line in found_lines)))
    return tuple(lines)


def significance_svg(detail: ImageDetail, choice: str) -> str:
    """The contours in a frame of 1000 units with north up; empty if none are chosen or the file allows none."""
    if choice == OFF or detail.file is None or detail.significance is None:
        return ""
    file = detail.file
    return "".join(
        f'<polyline class="sigma" stroke-dasharray="{dash}" points="{points_of(line, file.extent)}"/>'
        for (_, lines), dash in zip(contours(file, detail.significance), DASHES, strict=True)
        for line in lines
    )


def draw_significance(plot: Any, detail: ImageDetail, choice: str) -> None:
    """The same in a live figure of the map."""
    if choice == OFF or detail.file is None or detail.significance is None:
        return
    for (_, lines), dash in zip(contours(detail.file, detail.significance), DASHES, strict=True):
        style = "solid" if dash == "none" else dash
        plot.multi_line([x for x, _ in lines], [y for _, y in lines], line_color=COLOR, line_width=2, line_dash=style)


def significance_html(detail: ImageDetail, choice: str) -> str:
    """What σ is and how significant the image is, or why that is unknown; empty if it is not chosen."""
    if choice == OFF or detail.file is None:
        return ""
    found = detail.significance
    if found is None:
        reason = detail.no_significance or "the file cannot be read"
        return f"<p class='meaning' role='status'>No significance: {escape(reason)}.</p>"
    highest = formatting.number(float(found.values.max()), ".3g")
    return (
        f"<ul class='legend'><li><u><s class='sigma'></s></u>Significance: image ÷ σ, at most {highest}; {LEGEND}.</li>"
        f"<li><u></u>{escape(found.meaning)}</li></ul>"
    )
