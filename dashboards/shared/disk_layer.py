"""Marks of a full-disk map on the pages: location, other peaks, and the regions of the coarse flare locator."""

from __future__ import annotations

from html import escape
from typing import Any

from dashboards.shared.svg_lines import points_of
from jobs.imaging.disk_marks import LOCATOR, OTHERS, SOURCE, DiskMarks, marks_of_file, scale_text
from stixcore.image_files.read import ImageFile
from stixcore.imaging.reconstruction import Method

#: Dashes of the contours of 1, 2 and 3 σ, as SVG and as Bokeh have them.
DASHES = ("none", "7 4", "2 4")
SOURCE_COLOR, OTHERS_COLOR, LOCATOR_COLOR = "#78ff8c", "#ffffff", "#5ac8ff"


def is_full_disk(file: ImageFile) -> bool:
    """Whether a file has a full-disk map."""
    return file.header.get("ALG_USED") == Method.FULL_DISK_BP


def disk_svg(file: ImageFile) -> str:
    """Outlines of the locator's regions, in the frame of 1000 units of a map; empty for other images."""
    if not is_full_disk(file):
        return ""
    found = marks_of_file(file).locator
    if found is None:
        return ""
    return "".join(
        f'<polyline class="locator" stroke-dasharray="{dash}" '
        f'points="{points_of((polygon[:, 0], polygon[:, 1]), file.extent)}"/>'
        for (_, polygons), dash in zip(found.outlines, DASHES, strict=True)
        for polygon in polygons
    )


def disk_spans(file: ImageFile) -> str:
    """Marks of fixed size over a map; empty for other images."""
    if not is_full_disk(file):
        return ""
    marks = marks_of_file(file)
    spans = [_span(file, "others", one.x, one.y, f"{one.relative_height:.2f}") for one in marks.others]
    if marks.locator is not None:
        spans.append(_span(file, "best", marks.locator.x, marks.locator.y))
    if marks.source is not None:
        spans.append(_span(file, "source", *marks.source))
    return "".join(spans)


def _span(file: ImageFile, name: str, x: float, y: float, text: str = "") -> str:
    x0, x1, y0, y1 = file.extent
    if not (x0 <= x <= x1 and y0 <= y <= y1):
        return ""
    across, down = (x - x0) / (x1 - x0), (y1 - y) / (y1 - y0)
    side = " left" if across > 0.85 else ""  # the label stays inside the map
    return f'<s class="{name}{side}" style="left:{across:.2%};top:{down:.2%}">{text and f"<em>{text}</em>"}</s>'


def disk_legend(file: ImageFile) -> str:
    """What the marks mean, in words; empty for other images."""
    if not is_full_disk(file):
        return ""
    marks = marks_of_file(file)
    rows = [("source", SOURCE)] if marks.source is not None else []
    rows += [("others", OTHERS)] if marks.others else []
    rows += [("best", LOCATOR)] if marks.locator is not None else []
    listed = "".join(f'<li><u><s class="{name}"></s></u>{escape(text)}</li>' for name, text in rows)
    said = "".join(f"<li><u></u>{escape(text)}</li>" for text in (_agreement(marks), marks.missing) if text)
    return f'<ul class="legend">{listed}{said}<li><u></u>{escape(scale_text(file.pixels))}</li></ul>'


def _agreement(marks: DiskMarks) -> str:
    """Whether the location is inside the locator's regions."""
    if marks.locator is None or marks.source is None:
        return ""
    level = marks.locator.location_level
    for limit, name in ((0.6827, "68 %"), (0.9545, "95 %"), (0.9973, "99.7 %")):
        if level <= limit:
            return f"The location of the images is inside the {name} region."
    return "The location of the images is outside all regions."


def draw_disk_marks(plot: Any, file: ImageFile) -> None:
    """Draw the marks on a Bokeh figure; nothing for other images."""
    if not is_full_disk(file):
        return
    marks = marks_of_file(file)
    if marks.locator is not None:
        for (_, polygons), dash in zip(marks.locator.outlines, DASHES, strict=True):
            plot.multi_line(
                [polygon[:, 0] for polygon in polygons],
                [polygon[:, 1] for polygon in polygons],
                line_color=LOCATOR_COLOR,
                line_width=2,
                line_dash="solid" if dash == "none" else dash,
            )
        plot.scatter(
            [marks.locator.x], [marks.locator.y], marker="cross", size=12, line_color=LOCATOR_COLOR, line_width=2
        )
    style: dict[str, Any] = {"fill_alpha": 0.0, "line_width": 2}
    if marks.others:
        x, y = [one.x for one in marks.others], [one.y for one in marks.others]
        plot.scatter(x, y, marker="square", size=11, line_color=OTHERS_COLOR, **style)
        heights = [f"{one.relative_height:.2f}" for one in marks.others]
        plot.text(x, y, heights, x_offset=9, y_offset=5, text_color=OTHERS_COLOR, text_font_size="12px")
    if marks.source is not None:
        plot.scatter([marks.source[0]], [marks.source[1]], size=18, line_color=SOURCE_COLOR, **style)
