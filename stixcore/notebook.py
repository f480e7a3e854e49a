"""How objects show themselves in notebooks: HTML of their main numbers, and figures for ``peek``.

matplotlib is imported when a figure is drawn. ``peek`` shows a figure, as in sunpy; ``plot`` draws into given axes.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]

#: Side of a thumbnail, CSS pixel.
THUMBNAIL = 128
COLORS = "inferno"


def facts_html(title: str, rows: Iterable[tuple[str, object]], pictures: Sequence[str] = ()) -> str:
    """A table of names and values below pictures.

    Parameters
    ----------
    title : str
    rows : iterable of (str, object)
        Values are escaped.
    pictures : sequence of str
        HTML.
    """
    body = "".join(
        f'<tr><th style="text-align: left">{escape(name)}</th>'
        f'<td style="text-align: left">{escape(str(value))}</td></tr>'
        for name, value in rows
    )
    return (
        f"<div><strong>{escape(title)}</strong><div>{''.join(pictures)}</div><table><tbody>{body}</tbody></table></div>"
    )


def columns_html(title: str, heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table with a head; everything is escaped."""
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    body = "".join("<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><caption>{escape(title)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def picture_html(image: Floats, caption: str = "") -> str:
    """A small picture of an image, north up, from its minimum to its maximum.

    Parameters
    ----------
    image : (ny, nx) float
    caption : str
    """
    from matplotlib.image import imsave

    stream = io.BytesIO()
    imsave(stream, np.nan_to_num(image), cmap=COLORS, origin="lower", format="png")
    data = base64.b64encode(stream.getvalue()).decode()
    picture = f'<img src="data:image/png;base64,{data}" alt="{escape(caption)}" width="{THUMBNAIL}">'
    text = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return f'<figure style="display: inline-block; margin: 4px">{picture}{text}</figure>'


def number(value: float, form: str = ".4g") -> str:
    """A number, or a dash where it is not known."""
    return f"{value:{form}}" if np.isfinite(value) else "–"


def new_axes(columns: int = 1, rows: int = 1, size: tuple[float, float] = (5.0, 4.4)) -> Any:
    """Axes of a new figure of pyplot: one, or an array of them."""
    from matplotlib import pyplot as plt

    _, axes = plt.subplots(rows, columns, figsize=(size[0] * columns, size[1] * rows), layout="constrained")
    return axes


def show() -> None:
    """Show the current figure."""
    from matplotlib import pyplot as plt

    plt.show()


def draw_image(axes: Axes, image: Floats, x: Floats, y: Floats, unit: str, title: str) -> Axes:
    """Draw an image with solar X and Y and a colour bar.

    Parameters
    ----------
    axes : matplotlib Axes
    image : (ny, nx) float
    x, y : (nx,), (ny,) float, arcsec
        Centres of the pixels.
    unit, title : str
    """
    half = (x[1] - x[0]) / 2 if x.size > 1 else 0.5
    extent = (x[0] - half, x[-1] + half, y[0] - half, y[-1] + half)
    drawn = axes.imshow(image, origin="lower", extent=extent, cmap=COLORS, aspect="equal")
    axes.figure.colorbar(drawn, ax=axes, label=unit)
    axes.set(xlabel="solar X [arcsec]", ylabel="solar Y [arcsec]", title=title)
    return axes
