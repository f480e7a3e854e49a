"""Selected images side by side, with the options of the comparison."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import panel as pn
import panel.ui as pmui

from archive import Image
from dashboards.pages.image_archive.state import ImageArchiveState
from dashboards.shared import formatting
from dashboards.shared.compare import AUTO, CENTRE, COMMON, CONTOUR_LEVELS, MOST_COMPARED, OWN, SUN, Comparison
from dashboards.shared.map_colors import color_choice, session_colors
from dashboards.shared.notices import Notice, Notices, simulated_notices
from dashboards.shared.sky_figure import BESIDE, CONTOUR_COLORS, sky_figure, sky_ranges
from dashboards.shared.style import LOW, style

SIZE = 270
SCALES = {"one per image": OWN, "common": COMMON}
PLACES = {"automatic": AUTO, "on the Sun": SUN, "relative to each map's centre": CENTRE}


class CompareView:
    """Images of `ImageArchiveState.comparison` with their options.

    Parameters
    ----------
    state : ImageArchiveState
    """

    def __init__(self, state: ImageArchiveState) -> None:
        self._state, self._quiet = state, False
        self._colors = session_colors()
        self._colors.param.watch(self._show, "chosen")
        of = state.param
        common: dict[str, Any] = {"size": "small", "margin": (6, 12, 4, 0), "description": "", "sx": LOW}
        self._reference = pmui.Select(label="Reference", options={"": ""}, value="", width=370, **common)
        self._reference.param.watch(self._set_reference, "value")
        self._notices = Notices()
        self._legend = pn.pane.HTML("", stylesheets=[style("pages/image_archive/compare")], margin=0)
        self._pictures = pn.FlexBox(gap="8px", sizing_mode="stretch_width", margin=0)
        self._choices = pn.FlexBox(
            pmui.Select.from_param(of.scale, label="Colour scale", options=SCALES, width=150, **common),
            pmui.Select.from_param(of.place, label="Positions", options=PLACES, width=190, **common),
            self._reference,
            pmui.Checkbox.from_param(
                of.contours, label="Contours of the reference", description="", size="small", margin=(4, 8)
            ),
            pmui.Checkbox.from_param(
                of.difference, label="Subtract the reference", description="", size="small", margin=(4, 8)
            ),
            color_choice(self._colors, margin=(4, 8)),
            align_items="center",
            sizing_mode="stretch_width",
        )
        self.widget = pn.Column(
            self._notices.pane, self._choices, self._legend, self._pictures, sizing_mode="stretch_width", margin=(8, 0)
        )
        state.param.watch(self._show, ["comparison", "views_problem"])
        state.param.watch(self._count, "n_selected")
        self._show()

    def _count(self, *_: Any) -> None:
        if self._state.comparison is None:
            self._show()

    def _set_reference(self, event: Any) -> None:
        if not self._quiet and event.new:
            self._state.reference = event.new

    def _show(self, *_: Any) -> None:
        comparison: Comparison | None = self._state.comparison
        self._notices.show(self._sentences(comparison))
        self._choices.visible = self._legend.visible = comparison is not None
        if comparison is None:
            self._pictures.objects = []
            return
        titles = image_titles([panel.image for panel in comparison.panels])
        options = {
            " ".join(title): panel.image.image_id for title, panel in zip(titles, comparison.panels, strict=True)
        }
        self._quiet = True
        try:
            chosen = next(panel.image.image_id for panel in comparison.panels if panel.is_reference)
            self._reference.param.update(options=options, value=chosen)
        finally:
            self._quiet = False
        self._legend.object = legend_html() if self._state.contours else ""
        ranges = sky_ranges(comparison.view)
        self._pictures.objects = [
            pn.pane.Bokeh(
                sky_figure(
                    panel,
                    ranges,
                    title=f"{what}\n{when}{' − reference' if panel.is_difference else ''}",
                    size=SIZE,
                    about_centre=comparison.about_centres,
                    beam_fwhm=panel.beam_fwhm,
                    colors=self._colors.chosen,
                ),
                margin=0,
                styles={"flex": "1 1 300px", "max-width": f"{SIZE + BESIDE}px"},
            )
            for (what, when), panel in zip(titles, comparison.panels, strict=True)
        ]

    def _sentences(self, comparison: Comparison | None) -> list[Notice]:
        notices = [Notice("warning", self._state.views_problem)] if self._state.views_problem else []
        if comparison is None:
            number = self._state.n_selected
            if not notices and number < 2:
                text = f"Select 2 to {MOST_COMPARED} images in the table to compare them ({number} selected)."
                notices.append(Notice("info", text))
            return notices
        notices += simulated_notices([panel.image.simulated for panel in comparison.panels], "images")
        return [*notices, *(Notice("info", note) for note in comparison.notes)]


def image_titles(images: Sequence[Image]) -> list[tuple[str, str]]:
    """Title and subtitle: ``CLEAN 4–10 keV``, ``2022-11-11 11:36:40``; the recipe id is added to equal titles."""
    titles = [
        (
            f"{formatting.method_name(image.method)} {formatting.band(image)}",
            f"{formatting.day(image.t_start)} {formatting.clock(image.t_start)}",
        )
        for image in images
    ]
    return [
        (what, when if titles.count((what, when)) == 1 else f"{when} {image.recipe_id[:6]}")
        for (what, when), image in zip(titles, images, strict=True)
    ]


def legend_html() -> str:
    """Legend of the contours."""
    levels = "".join(
        f'<span><i style="background:{color}"></i>{level:.0%}</span>'
        for level, color in zip(CONTOUR_LEVELS, CONTOUR_COLORS, strict=True)
    )
    return f"<p>Contours relative to the reference's maximum: {levels}</p>"
