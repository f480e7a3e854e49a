"""What images of components and of electrons share: their description as JSON values, and pictures side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image as Picture
from PIL import ImageDraw

from jobs.imaging.figures import draw_map, font
from jobs.imaging.products import finite, verdict_as_json
from stixcore.imaging.clean import CleanParameters
from stixcore.imaging.metrics import measure_source
from stixcore.imaging.ms_clean import MultiScaleCleanParameters
from stixcore.imaging.reconstruction import Method
from stixcore.imaging.trust import Aspect, verdict
from stixcore.reconstruct import ImageSet

#: Size of a map in a picture, pixels.
SIDE = 400
BLACK, DOUBT = (0, 0, 0), (176, 0, 32)


def describe_image(images: ImageSet, method: Method, file: Path | None) -> dict[str, Any]:
    """Describe one image with JSON values.

    Parameters
    ----------
    images : ImageSet
    method : Method
        One of its images.
    file : Path or None
        Where it is.
    """
    image = images.images[method]
    described = {
        "method": str(method),
        "file": None if file is None else str(file),
        "peak_hpc_x": image.peak[0],
        "peak_hpc_y": image.peak[1],
        "total_flux": finite(image.total_flux),
        "max": float(image.image.max()),
        "unit": image.unit,
        "chi2": finite(image.chi2),
        "sources": [dict(source) for source in image.sources],
        "verdict": verdict_as_json(verdict(images.findings, method)),
        "sigma": images.ensembles[method].errors() if method in images.ensembles else None,
    }
    if image.image.max() > 0:
        source = measure_source(image.image, image.grid, image.sources)
        described |= {"centroid_hpc_x": source.x, "centroid_hpc_y": source.y, "fwhm_arcsec": source.fwhm}
    return described


def draw_image(images: ImageSet, method: Method, title: str) -> Picture.Image:
    """Draw a map with its verdict and its maximum."""
    image, recipe = images.images[method], images.recipe
    parameters = recipe.methods[method]
    judged = verdict(images.findings, method)
    doubted = [str(aspect) for aspect in Aspect if judged.reasons[aspect]]
    words = f"doubtful: {', '.join(doubted)}" if doubted else "trusted"
    return draw_map(
        image.image,
        image.grid,
        title=title,
        caption=f"{words}   peak {image.image.max():.3g} {image.unit}",
        rsun=recipe.pointing.rsun,
        b0=recipe.pointing.b0,
        beam_fwhm=parameters.beam_fwhm if isinstance(parameters, CleanParameters | MultiScaleCleanParameters) else None,
        size=SIDE,
    )


def side_by_side(panels: Sequence[Picture.Image], title: str, quality: str, *, doubtful: bool) -> Picture.Image:
    """Pictures in a row below two lines of text; the second is red if it is a doubt."""
    top = 52
    canvas = Picture.new("RGB", (sum(one.width for one in panels), panels[0].height + top), "white")
    draw, left = ImageDraw.Draw(canvas), 0
    draw.text((16, 6), title, fill=BLACK, font=font(15))
    draw.text((16, 28), quality, fill=DOUBT if doubtful else BLACK, font=font(12))
    for panel in panels:
        canvas.paste(panel, (left, top))
        left += panel.width
    return canvas
