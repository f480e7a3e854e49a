"""Images of a file that is not in the archive: pictures, numbers and FITS files embedded in the page."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from dashboards.pages.science_data.own_file import OwnImage
from dashboards.shared import formatting


def own_images_html(images: Sequence[OwnImage]) -> str:
    """One card per image."""
    cards = "".join(_card(image) for image in images)
    return f"<div class='cards'>{cards}</div>" if cards else ""


def running_html(step: str, share: float) -> str:
    """The current step, with a progress bar."""
    if not step:
        return ""
    return f"<p>{escape(step)}…</p><progress max='1' value='{share:.3f}' aria-label='progress'></progress>"


def _card(image: OwnImage) -> str:
    about, name = image.about, escape(formatting.method_name(image.method))
    rows = (
        ("peak", formatting.position(about["peak_hpc_x"], about["peak_hpc_y"])),
        ("total flux", f"{formatting.number(about['total_flux'])} ct s⁻¹ cm⁻² keV⁻¹"),
        ("χ²", formatting.number(about["chi2"], ".2f")),
    )
    listed = "".join(f"<dt>{key}</dt><dd>{value}</dd>" for key, value in rows)
    return (
        f"<section><h4>{name}</h4><img src='data:image/png;base64,{image.picture}' alt='{name} image'><dl>{listed}</dl>"
        f"<a download='{escape(image.name)}' href='data:application/fits;base64,{image.fits}'>FITS</a></section>"
    )
