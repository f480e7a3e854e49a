"""Pictures of full-disk maps: the Sun, the peaks of the map, candidates and the regions of the coarse flare locator."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Picture
from PIL import ImageDraw

from jobs.imaging.disk_marks import LOCATOR, OTHERS, SOURCE, DiskMarks, scale_text
from jobs.imaging.figures import (
    LIMB_COLOR,
    THUMBNAIL_PIXELS,
    Frame,
    block_maxima,
    colored,
    draw_map,
    fill_circle,
    font,
    png,
)
from stixcore.imaging.grid import ImageGrid
from stixcore.imaging.location import ripple_level
from stixcore.solar_grid import limb

Floats = NDArray[np.float64]
Color = tuple[int, int, int, int]

#: Colors of the marks: none occurs in the default color table, and they differ in lightness or shape as well.
SOURCE_COLOR: Color = (120, 255, 140, 255)
OTHERS_COLOR: Color = (255, 255, 255, 255)
LOCATOR_COLOR: Color = (90, 200, 255, 255)
#: The disk of the Sun is a little lighter than the sky.
DISK_COLOR: Color = (255, 255, 255, 30)
#: Dashes of the contours of 1, 2 and 3 σ: length of line and gap, pixels; None is a full line.
DASHES: tuple[tuple[float, float] | None, ...] = (None, (7.0, 4.0), (2.0, 4.0))
#: Pixels of the marks.
RING, SQUARE, CROSS = 9.0, 5.0, 5.0
LINE_HEIGHT, LEGEND_FONT, LEGEND_WIDTH = 18, 12, 84


def draw_full_disk(
    image: Floats,
    grid: ImageGrid,
    marks: DiskMarks,
    *,
    title: str,
    caption: str = "",
    rsun: float = float("nan"),
    b0: float = 0.0,
    size: int = 512,
    legend: bool = True,
) -> Picture.Image:
    """Picture of a full-disk map with its marks, and a legend below; other arguments as `draw_map`."""
    low = ripple_level(image)

    def over(draw: ImageDraw.ImageDraw, frame: Frame) -> None:
        draw_marks(draw, frame, marks)

    canvas = draw_map(
        image, grid, title=title, caption=caption, rsun=rsun, b0=b0, size=size, low=low, disk=DISK_COLOR, over=over
    )
    return _with_legend(canvas, marks, scale_text(image)) if legend else canvas


def full_disk_thumbnail(image: Floats, grid: ImageGrid, marks: DiskMarks, rsun: float) -> bytes:
    """A small PNG of a full-disk map: Sun, peaks, the location and the locator's regions."""
    size = 4 * THUMBNAIL_PIXELS
    low, high = ripple_level(image), float(image.max())
    picture = Picture.fromarray(colored(block_maxima(image), low, high))
    picture = picture.resize((size, size), Picture.Resampling.BICUBIC)
    overlay = Picture.new("RGBA", (size, size), (0, 0, 0, 0))
    draw, frame = ImageDraw.Draw(overlay), Frame(grid, size)
    if np.isfinite(rsun) and rsun > 0:
        fill_circle(draw, frame, rsun, DISK_COLOR)
        x, y = limb(rsun)
        outline = list(zip(frame.column(x).tolist(), frame.row(y).tolist(), strict=True))
        draw.line(outline, fill=LIMB_COLOR, width=5)
    _draw_locator(draw, frame, marks, width=5, cross=False)
    if marks.source is not None:
        _ring(draw, frame, *marks.source, radius=30.0, width=7)
    picture.paste(overlay, (0, 0), overlay)
    return png(picture.resize((THUMBNAIL_PIXELS, THUMBNAIL_PIXELS), Picture.Resampling.LANCZOS))


def draw_marks(draw: ImageDraw.ImageDraw, frame: Frame, marks: DiskMarks) -> None:
    """Draw source, other peaks and regions over a map."""
    _draw_locator(draw, frame, marks, width=2)
    for one in marks.others:
        x, y = float(frame.column(one.x)), float(frame.row(one.y))
        draw.rectangle((x - SQUARE, y - SQUARE, x + SQUARE, y + SQUARE), outline=OTHERS_COLOR, width=2)
        at_edge = x > frame.size - 50  # the label may not leave the map
        draw.text(
            (x + (-9 if at_edge else 9), y),
            f"{one.relative_height:.2f}",
            fill=OTHERS_COLOR,
            font=font(12),
            anchor="rm" if at_edge else "lm",
            stroke_width=2,
            stroke_fill=(0, 0, 0, 255),
        )
    if marks.source is not None:
        _ring(draw, frame, *marks.source)


def _draw_locator(draw: ImageDraw.ImageDraw, frame: Frame, marks: DiskMarks, *, width: int, cross: bool = True) -> None:
    found = marks.locator
    if found is None:
        return
    for (_, polygons), dash in zip(found.outlines, DASHES, strict=True):
        for polygon in polygons:
            points = np.stack([frame.column(polygon[:, 0]), frame.row(polygon[:, 1])], axis=1)
            for part in _dashed(points, dash, width / 2.0):
                draw.line([(x, y) for x, y in part.tolist()], fill=LOCATOR_COLOR, width=width)
    if cross:
        _cross(draw, float(frame.column(found.x)), float(frame.row(found.y)))


def _dashed(points: Floats, dash: tuple[float, float] | None, scale: float) -> Iterator[Floats]:
    """Parts of a line of pixels that are drawn."""
    if dash is None:
        yield points
        return
    line, gap = dash[0] * scale, dash[1] * scale
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    for start in np.arange(0.0, along[-1], line + gap):
        end = min(start + line, along[-1])
        inside = along[(along > start) & (along < end)]
        at = np.concatenate([[start], inside, [end]])
        yield np.stack([np.interp(at, along, points[:, 0]), np.interp(at, along, points[:, 1])], axis=1)


def _ring(draw: ImageDraw.ImageDraw, frame: Frame, x: float, y: float, *, radius: float = RING, width: int = 2) -> None:
    column, row = float(frame.column(x)), float(frame.row(y))
    draw.ellipse((column - radius, row - radius, column + radius, row + radius), outline=SOURCE_COLOR, width=width)


def _cross(draw: ImageDraw.ImageDraw, x: float, y: float) -> None:
    draw.line([(x - CROSS, y), (x + CROSS, y)], fill=LOCATOR_COLOR, width=2)
    draw.line([(x, y - CROSS), (x, y + CROSS)], fill=LOCATOR_COLOR, width=2)


def _with_legend(canvas: Picture.Image, marks: DiskMarks, scale: str) -> Picture.Image:
    """The picture on a larger sheet with one line per kind of mark."""
    rows: list[tuple[str, str]] = []
    if marks.source is not None:
        rows.append(("source", SOURCE))
    if marks.others:
        rows.append(("others", OTHERS))
    rows.append(("locator", LOCATOR) if marks.locator is not None else ("", marks.missing))
    rows.append(("", scale))
    # the font of the pictures has no Greek letters
    plain = [(kind, text.replace("σ", "sigma")) for kind, text in rows]
    lines = [(kind if first else "", line) for kind, text in plain for first, line in _wrapped(text)]
    top = canvas.height
    sheet = Picture.new("RGB", (canvas.width, top + LINE_HEIGHT * len(lines) + 8), "white")
    sheet.paste(canvas, (0, 0))
    draw = ImageDraw.Draw(sheet)
    for number, (kind, line) in enumerate(lines):
        _legend_mark(draw, kind, 40.0, top + LINE_HEIGHT * number + LINE_HEIGHT / 2.0)
        draw.text((74, top + LINE_HEIGHT * number + 2), line, fill=(40, 40, 40), font=font(LEGEND_FONT))
    return sheet


def _wrapped(text: str) -> Iterator[tuple[bool, str]]:
    for number, line in enumerate(wrap(text, LEGEND_WIDTH)):
        yield number == 0, line


def _legend_mark(draw: ImageDraw.ImageDraw, kind: str, x: float, y: float) -> None:
    """A mark on black, as in the map."""
    if not kind:
        return
    draw.rectangle((x - 26, y - 8, x + 26, y + 8), fill=(0, 0, 0))
    if kind == "source":
        draw.ellipse((x - 6, y - 6, x + 6, y + 6), outline=SOURCE_COLOR, width=2)
    elif kind == "others":
        draw.rectangle((x - SQUARE, y - SQUARE, x + SQUARE, y + SQUARE), outline=OTHERS_COLOR, width=2)
    else:
        _cross(draw, x - 18, y)
        for row, dash in zip((-4.0, 0.0, 4.0), DASHES, strict=True):
            for part in _dashed(np.array([[x - 8, y + row], [x + 22, y + row]]), dash, 1.0):
                draw.line([(a, b) for a, b in part.tolist()], fill=LOCATOR_COLOR, width=2)
