"""Pictures of component images: a map of each component side by side, and the contours of all of them in one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from contourpy import LineType, contour_generator
from numpy.typing import NDArray
from PIL import Image as Picture
from PIL import ImageDraw

from jobs.imaging.figures import Frame, draw_map, font
from jobs.imaging.visibility_images import SIDE, draw_image, picture_title, side_by_side
from jobs.shared.palette import GREEN, ORANGE, PURPLE, SKY_BLUE
from stixcore.imaging.reconstruction import Method
from stixcore.imaging_spectroscopy.component_images import ComponentImage, ComponentImages

Floats = NDArray[np.float64]

#: Contours, as fractions of the maximum of a component.
LEVELS = (0.3, 0.5, 0.7, 0.9)
#: Colours of components, which stand out from grey maps.
COLORS = (ORANGE, SKY_BLUE, GREEN, PURPLE)


def draw_components(made: ComponentImages, method: Method) -> Picture.Image:
    """Draw the images of one method; components for which it failed have no panel."""
    shown = [one for one in made.components if method in one.images.images]
    panels = [
        *(draw_image(one.images, method, f"{one.name}, {100.0 * one.share:.0f} % of the flux") for one in shown),
        _contours(made, shown, method),
    ]
    low, high = made.channels.energy
    energies = f"{low:g}-{high:g} keV" + (f" without {made.channels.gaps_text}" if made.channels.gaps else "")
    title = picture_title(shown[0].images, method, energies, simulated=made.simulated)
    return side_by_side(panels, title, _quality(made), doubtful=made.verdict == "doubtful")


def _quality(made: ComponentImages) -> str:
    separated, fit = made.separated, made.spectrum.fit
    model = "" if fit is None else f"{fit.model}, "
    chi2 = f"{separated.chi2:.0f} for {separated.ndof} degrees of freedom"
    return (
        f"separation {made.verdict}: {model}{int(made.channels.used.sum())} channels, condition number "
        f"{separated.condition:.2g}, chi2 {chi2}, {100.0 * made.misfit:.0f} % of the amplitudes disagree"
    )


def _contours(made: ComponentImages, shown: Sequence[ComponentImage], method: Method) -> Picture.Image:
    """Contours of all components on a black map."""
    recipe = made.recipe.images
    grid = shown[0].images.images[method].grid

    def over(draw: ImageDraw.ImageDraw, frame: Frame) -> None:
        for number, component in enumerate(shown):
            image, color = component.images.images[method].image, COLORS[number % len(COLORS)]
            for line in contour_lines(image, grid.center[0] + grid.x, grid.center[1] + grid.y):
                columns, rows = frame.column(line[:, 0]), frame.row(line[:, 1])
                draw.line(list(zip(columns.tolist(), rows.tolist(), strict=True)), fill=(*color, 255), width=2)
            draw.text((10, 8 + 18 * number), component.name, fill=(*color, 255), font=font(14))

    return draw_map(
        np.zeros(grid.shape),
        grid,
        title=f"contours at {', '.join(f'{100.0 * level:.0f}' for level in LEVELS)} %",
        rsun=recipe.pointing.rsun,
        b0=recipe.pointing.b0,
        size=SIDE,
        over=over,
    )


def contour_lines(image: Floats, x: Floats, y: Floats) -> list[Floats]:
    """Lines at `LEVELS` of the maximum of an image, (n, 2) float each, in the units of ``x`` and ``y``."""
    if image.max() <= 0:
        return []
    traced = contour_generator(x, y, image, line_type=LineType.Separate)
    return [np.asarray(line) for level in LEVELS for line in traced.lines(level * float(image.max()))]
