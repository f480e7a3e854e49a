"""A dialog with one image large, its numbers, and the other methods' images of the same data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import panel as pn
import panel.ui as pmui

from dashboards.components import image_detail, words
from dashboards.components.style import style
from dashboards.state.detail import ImageDetail
from dashboards.web.links import Links


class ImageDialog:
    """Shows a detail; tells which image the visitor wants next.

    Parameters
    ----------
    links : Links
    on_choose : callable
        Called with the id of another image of the same recipe; with "" when the dialog was closed.
    on_step : callable
        Called with +1 for the next row of the table, -1 for the one before.
    """

    def __init__(self, links: Links, on_choose: Callable[[str], None], on_step: Callable[[int], None]) -> None:
        self._links, self._on_choose = links, on_choose
        self._quiet = False
        html: dict[str, Any] = {"stylesheets": [style("image_detail")], "margin": 0}
        self._picture = pn.pane.HTML("", styles={"flex": "1 1 300px", "max-width": "602px"}, **html)
        self._numbers = pn.pane.HTML("", styles={"flex": "1 1 300px"}, **html)
        self._comparison = pn.pane.HTML("", sizing_mode="stretch_width", **html)
        self._methods = pmui.RadioButtonGroup(options={"": ""}, value="", size="small", margin=(0, 12, 8, 0), sx=PLAIN)
        step: dict[str, Any] = {"variant": "text", "size": "small", "margin": (0, 4, 8, 0)}
        self.widget = pmui.Dialog(
            pn.FlexBox(
                self._methods,
                pmui.Button(label="Previous", icon="chevron_left", on_click=lambda _: on_step(-1), **step),
                pmui.Button(label="Next", icon="chevron_right", on_click=lambda _: on_step(1), **step),
                align_items="center",
            ),
            pn.FlexBox(self._picture, self._numbers, gap="8px 28px", sizing_mode="stretch_width"),
            self._comparison,
            title_variant="h6",
            width_option="lg",
            scroll="paper",
            close_on_click=True,
            show_close_button=True,
            sizing_mode="stretch_width",
            sx=PAPER,
        )
        self.widget.param.watch(self._closed, "open")
        self._methods.param.watch(self._chosen, "value")

    def show(self, detail: ImageDetail) -> None:
        """Show this image, and open the dialog if it is closed."""
        self._picture.object = image_detail.picture_html(detail, self._links)
        self._numbers.object = image_detail.numbers_html(detail)
        self._comparison.object = image_detail.comparison_html(detail, self._links)
        options = {words.method_name(image.method): image.image_id for image in detail.siblings}
        self._quiet = True
        try:
            self._methods.param.update(options=options, value=detail.image.image_id)
            self.widget.param.update(title=image_detail.title_of(detail), open=True)
        finally:
            self._quiet = False

    def close(self) -> None:
        """Close the dialog."""
        self.widget.open = False

    def _closed(self, event: Any) -> None:
        if not event.new:
            self._on_choose("")

    def _chosen(self, event: Any) -> None:
        if event.new and not self._quiet:
            self._on_choose(event.new)


#: The dialog has the colour of the page; on a telephone it is the screen.
PAPER = {
    "& .MuiDialog-paper": {"backgroundImage": "none"},
    "& .MuiIconButton-root": {"color": "inherit"},
    "@media (max-width: 700px)": {
        "& .MuiDialog-paper": {"margin": 0, "width": "100%", "maxWidth": "100%", "height": "100%", "maxHeight": "100%"},
    },
}
PLAIN = {"& .MuiToggleButton-root": {"textTransform": "none", "whiteSpace": "nowrap", "letterSpacing": 0}}
