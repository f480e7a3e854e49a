"""Pictures of images: thumbnails and annotated maps, north up, in colours whose lightness follows the flux.

They are drawn with Pillow: a map takes a few milliseconds, with Matplotlib and a WCS most of a second.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Picture
from PIL import ImageDraw, ImageFont

from stixcore.imaging.grid import ImageGrid
from stixcore.solar_grid import heliographic_grid, limb

Floats = NDArray[np.float64]
Bytes = NDArray[np.uint8]

THUMBNAIL_PIXELS = 128
LIMB_COLOR = (255, 255, 255, 150)
GRID_COLOR = (255, 255, 255, 70)


#: Colour maps, and the palettes of `bokeh.palettes` that they are. ``std_gamma_2``, the usual table of RHESSI and STIX,
#: is sunpy's; its lightness falls between 0.65 and 0.75 of the maximum, which draws a ring in every source.
PALETTES = {
    "inferno": "Inferno256", "magma": "Magma256", "viridis": "Viridis256", "cividis": "Cividis256", "grey": "Greys256",
}  # fmt: skip
STD_GAMMA_2 = "std_gamma_2"
COLOR_MAPS = (*PALETTES, STD_GAMMA_2)
#: The choice and its reasons: docs/decisions/figures.md.
DEFAULT_COLORS = "inferno"


@cache
def color_table(name: str = DEFAULT_COLORS) -> Bytes:
    """The colours of one of `COLOR_MAPS`, from zero to the maximum, (256, 3) uint8."""
    if name == STD_GAMMA_2:
        return _std_gamma_2()
    palette = getattr(import_module("bokeh.palettes"), PALETTES[name])  # imported late: 0.2 s
    return np.array([[int(color[start : start + 2], 16) for start in (1, 3, 5)] for color in palette], dtype=np.uint8)


def _std_gamma_2() -> Bytes:
    """The table that ships with sunpy, which is not imported."""
    spec = find_spec("sunpy")
    if spec is None or spec.origin is None:
        message = "the package sunpy, which carries the colour table std_gamma_2, is not installed"
        raise ModuleNotFoundError(message)
    file = Path(spec.origin).parent / "visualization" / "colormaps" / "data" / "std_gamma_2.csv"
    return np.loadtxt(file, delimiter=",").astype(np.uint8)


def levels(image: Floats, low: float = 0.0, high: float | None = None) -> Bytes:
    """Rows of the colour table for an image, (ny, nx) uint8, row 0 at the top: ``low`` to ``high`` (the maximum)."""
    top = float(image.max()) if high is None else high
    span = top - low if top > low else 1.0
    return np.clip((image[::-1] - low) / span * 255.0, 0.0, 255.0).astype(np.uint8)


def colored(image: Floats, low: float = 0.0, high: float | None = None) -> Bytes:
    """Colours of an image, (ny, nx, 3) uint8, row 0 at the top; ``low`` to ``high`` (default: the maximum) is shown."""
    return color_table()[levels(image, low, high)]


def thumbnail(image: Floats) -> bytes:
    """A small PNG of a map without annotations; that of a full-disk map is `jobs.imaging.full_disk`'s."""
    picture = Picture.fromarray(colored(block_maxima(image)))
    return png(picture.resize((THUMBNAIL_PIXELS, THUMBNAIL_PIXELS), Picture.Resampling.BICUBIC))


def block_maxima(image: Floats) -> Floats:
    """A map reduced to the size of a thumbnail: a mean would hide peaks that are smaller than a block."""
    step = max(min(image.shape) // THUMBNAIL_PIXELS, 1)
    ny, nx = (side // step * step for side in image.shape)
    return np.asarray(image[:ny, :nx].reshape(ny // step, step, nx // step, step).max(axis=(1, 3)))


def draw_map(
    image: Floats,
    grid: ImageGrid,
    *,
    title: str,
    caption: str = "",
    rsun: float = float("nan"),
    b0: float = 0.0,
    beam_fwhm: float | None = None,
    size: int = 512,
    low: float = 0.0,
    disk: tuple[int, int, int, int] = (0, 0, 0, 0),
    over: Callable[[ImageDraw.ImageDraw, Frame], None] | None = None,
) -> Picture.Image:
    """Picture of a map with limb, heliographic grid, axes, scale bar and beam.

    Parameters
    ----------
    image : (ny, nx) float
    grid : ImageGrid
    title, caption : str
        Lines above and below the map.
    rsun : float, arcsec
        Apparent solar radius; when it is NaN or zero, limb and grid are not drawn.
    b0 : float, deg
        Heliographic latitude of the observer. Longitudes of the grid are measured from the central meridian.
    beam_fwhm : float, arcsec, optional
    size : int
        Side of the map in the picture, pixels.
    low : float, unit of the image
        Lower values have the first color.
    disk : (red, green, blue, alpha)
        Color of the solar disk, below limb and grid; transparent by default.
    over : callable, optional
        Draws on the map, after limb and grid.
    """
    left, top, right, bottom = 74, 34, 16, 64
    canvas = Picture.new("RGB", (size + left + right, size + top + bottom), "white")
    map_picture = Picture.fromarray(colored(image, low)).resize((size, size), Picture.Resampling.BICUBIC)
    overlay = Picture.new("RGBA", (size, size), (0, 0, 0, 0))
    frame = Frame(grid, size)
    if np.isfinite(rsun) and rsun > 0:
        _draw_sun(ImageDraw.Draw(overlay), frame, rsun, b0 if np.isfinite(b0) else 0.0, disk)
    if over is not None:
        over(ImageDraw.Draw(overlay), frame)
    _draw_scale(ImageDraw.Draw(overlay), frame, beam_fwhm)
    map_picture.paste(overlay, (0, 0), overlay)
    canvas.paste(map_picture, (left, top))
    draw = ImageDraw.Draw(canvas)
    draw.rectangle((left - 1, top - 1, left + size, top + size), outline="black")
    draw.text((left, 10), title, fill="black", font=font(15))
    draw.text((left, top + size + 42), caption, fill=(70, 70, 70), font=font(12))
    _draw_axes(draw, frame, left, top)
    return canvas


class Frame:
    """Conversion from arcseconds to pixels of the picture."""

    def __init__(self, grid: ImageGrid, size: int) -> None:
        (ny, nx), (x, y) = grid.shape, grid.center
        self.size = size
        self.x0, self.y0 = x - nx * grid.pixel / 2.0, y - ny * grid.pixel / 2.0
        self.width, self.height = nx * grid.pixel, ny * grid.pixel

    def column(self, x: Floats | float) -> Floats:
        """Pixel columns of helioprojective x, arcsec."""
        return (np.asarray(x) - self.x0) / self.width * self.size

    def row(self, y: Floats | float) -> Floats:
        """Pixel rows of helioprojective y, arcsec."""
        return self.size - (np.asarray(y) - self.y0) / self.height * self.size


def _draw_sun(draw: ImageDraw.ImageDraw, frame: Frame, rsun: float, b0: float, disk: tuple[int, int, int, int]) -> None:
    fill_circle(draw, frame, rsun, disk)
    _polyline(draw, frame, *limb(rsun), LIMB_COLOR, width=2)
    for x, y in heliographic_grid(rsun, b0):
        _polyline(draw, frame, x, y, GRID_COLOR)


def fill_circle(draw: ImageDraw.ImageDraw, frame: Frame, radius: float, color: tuple[int, int, int, int]) -> None:
    """Fill a circle around Sun center; ``radius`` in arcsec."""
    west, south = float(frame.column(radius)), float(frame.row(-radius))
    draw.ellipse((float(frame.column(-radius)), float(frame.row(radius)), west, south), fill=color)


def _polyline(
    draw: ImageDraw.ImageDraw, frame: Frame, x: Floats, y: Floats, color: tuple[int, ...], width: int = 1
) -> None:
    """Draw a line through the points that are in or near the picture."""
    column, row = frame.column(x), frame.row(y)
    near = np.isfinite(column) & np.isfinite(row)
    near[near] = (np.abs(column[near] - frame.size / 2) < frame.size) & (
        np.abs(row[near] - frame.size / 2) < frame.size
    )
    for run in np.split(np.arange(near.size), np.flatnonzero(np.diff(near.astype(int))) + 1):
        if near[run[0]] and run.size > 1:
            draw.line(list(zip(column[run].tolist(), row[run].tolist(), strict=True)), fill=color, width=width)


def _draw_scale(draw: ImageDraw.ImageDraw, frame: Frame, beam_fwhm: float | None) -> None:
    length = nice_step(frame.width / 4.0)
    pixels = length / frame.width * frame.size
    x, y = frame.size - 14 - pixels, frame.size - 16
    draw.line([(x, y), (x + pixels, y)], fill=(255, 255, 255, 230), width=3)
    draw.text((x + pixels, y - 18), f"{length:g} arcsec", fill=(255, 255, 255, 230), font=font(12), anchor="ra")
    if beam_fwhm is not None:
        radius = beam_fwhm / frame.width * frame.size / 2.0
        draw.ellipse(
            (12, frame.size - 12 - 2 * radius, 12 + 2 * radius, frame.size - 12), outline=(255, 255, 255, 230), width=2
        )


def _draw_axes(draw: ImageDraw.ImageDraw, frame: Frame, left: int, top: int) -> None:
    step = nice_step(frame.width / 5.0)
    for value in np.arange(np.ceil(frame.x0 / step), np.floor((frame.x0 + frame.width) / step) + 1) * step:
        x = left + float(frame.column(value))
        draw.line([(x, top + frame.size), (x, top + frame.size + 5)], fill="black")
        draw.text((x, top + frame.size + 7), f"{value:g}", fill="black", font=font(12), anchor="ma")
    for value in np.arange(np.ceil(frame.y0 / step), np.floor((frame.y0 + frame.height) / step) + 1) * step:
        y = top + float(frame.row(value))
        draw.line([(left - 6, y), (left - 1, y)], fill="black")
        draw.text((left - 9, y), f"{value:g}", fill="black", font=font(12), anchor="rm")
    draw.text(
        (left + frame.size / 2, top + frame.size + 24), "Solar X [arcsec]", fill="black", font=font(12), anchor="ma"
    )
    label = Picture.new("L", (110, 18), 0)
    ImageDraw.Draw(label).text((0, 2), "Solar Y [arcsec]", fill=255, font=font(12))
    turned = label.rotate(90, expand=True)
    draw.bitmap((8, top + frame.size // 2 - 55), turned, fill="black")


def nice_step(length: float) -> float:
    """1, 2 or 5 times a power of ten, at most ``length``."""
    power = 10.0 ** np.floor(np.log10(length))
    return float(max(factor * power for factor in (1.0, 2.0, 5.0) if factor * power <= length))


@cache
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The font of all pictures."""
    return ImageFont.load_default(size)


def png(picture: Picture.Image) -> bytes:
    """Encode a picture as PNG."""
    stream = BytesIO()
    picture.save(stream, format="PNG", compress_level=3)
    return stream.getvalue()
