"""A dialog with one image in full size, its numbers, and images of the same data by other methods."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import panel as pn
import panel.ui as pmui
from panel.custom import JSComponent

from dashboards.shared import image_detail
from dashboards.shared.compare import CompareChoice, Scene, compare
from dashboards.shared.detail import ImageDetail
from dashboards.shared.dialog_layers import DialogLayers
from dashboards.shared.disk_layer import draw_disk_marks
from dashboards.shared.image_strip import ImageCards
from dashboards.shared.links import Links
from dashboards.shared.map_colors import color_choice, session_colors
from dashboards.shared.pointing_layer import draw_circles
from dashboards.shared.pointing_switch import PointingSwitch
from dashboards.shared.significance_choice import SignificanceChoice
from dashboards.shared.significance_layer import draw_significance, significance_svg, with_significance
from dashboards.shared.sky_figure import sky_figure, sky_ranges
from dashboards.shared.steps import Steps
from dashboards.shared.style import style
from dashboards.shared.visibility_plot import visibility_figure


class ImageDialog:
    """Shows an image and reports which one the visitor wants next.

    Parameters
    ----------
    links : Links
    on_choose : callable
        Called with the id of another image of the same recipe, or with "" when the dialog was closed.
    on_step : callable
        Called with +1 for the next row of the table, -1 for the one before.
    layers : DialogLayers, optional
        State of the page with the layers over the image; they are reset when the dialog is closed.
    """

    def __init__(
        self,
        links: Links,
        on_choose: Callable[[str], None],
        on_step: Callable[[int], None],
        layers: DialogLayers | None = None,
    ) -> None:
        self._links, self._on_choose = links, on_choose
        self._layers = DialogLayers() if layers is None else layers
        self._detail: ImageDetail | None = None
        html: dict[str, Any] = {"stylesheets": [style("shared/image_detail")], "margin": 0}
        self._switch = ImageCards(on_click=self._chosen, sizing_mode="stretch_width", margin=(0, 0, 4, 0))
        self._switch.stylesheets = [style("shared/image_detail")]
        self._picture = pn.pane.HTML("", sizing_mode="stretch_width", **html)
        self._sky = pn.pane.Bokeh(None, visible=False, margin=0, sizing_mode="stretch_width")
        self._numbers = pn.pane.HTML("", styles={"flex": "1 1 300px", "max-height": "none"}, **html)
        self._comparison = pn.pane.HTML("", sizing_mode="stretch_width", **html)
        self._visibilities = pn.Column(sizing_mode="stretch_width", margin=0)
        step: dict[str, Any] = {"variant": "text", "size": "small", "margin": (0, 4, 8, 0)}
        self._previous = pmui.Button(label="Previous", icon="chevron_left", on_click=lambda _: on_step(-1), **step)
        self._next = pmui.Button(label="Next", icon="chevron_right", on_click=lambda _: on_step(1), **step)
        self._explore = pmui.Checkbox(value=False, label="Zoom and read values", size="small", margin=(0, 8))
        self._explore.param.watch(lambda _: self._show_picture(), "value")
        self._colors = session_colors()
        self._colors.param.watch(lambda _: self._show_picture(), "chosen")
        self._pointing = PointingSwitch(self._layers, self._show_picture)
        self._significance = SignificanceChoice(self._layers, self._show_picture)
        self.widget = pmui.Dialog(
            self._switch,
            pn.FlexBox(
                self._previous,
                self._next,
                self._explore,
                color_choice(self._colors, margin=(0, 8, 8, 0)),
                self._significance.widget,
                self._pointing.widget,
                StepKeys(on_step, width=0, height=0, margin=0),
                align_items="center",
            ),
            pn.FlexBox(
                pn.Column(
                    self._picture,
                    self._sky,
                    self._significance.legend,
                    self._pointing.legend,
                    margin=0,
                    styles={"flex": "1 1 300px", "max-width": "602px", "max-height": "none"},
                ),
                self._numbers,
                gap="8px 28px",
                sizing_mode="stretch_width",
            ),
            self._visibilities,
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

    def show(self, detail: ImageDetail, steps: Steps) -> None:
        """Show an image, with its previous and next buttons; open the dialog if it is closed."""
        before, self._detail = self._detail, detail
        self._previous.disabled, self._next.disabled = not steps.before, not steps.after
        self._switch.html = image_detail.switch_html(detail, self._links)
        self._pointing.show(detail)
        self._significance.show(detail)
        self._show_picture()
        self._numbers.object = image_detail.numbers_html(detail)
        self._comparison.object = image_detail.comparison_html(detail, self._links)
        if before is None or before.image.recipe_id != detail.image.recipe_id:  # the same for all methods
            plot = visibility_figure(detail.visibilities)
            heading = pn.pane.HTML("<h3>Visibilities</h3>", stylesheets=[style("shared/image_detail")], margin=0)
            shown = [] if plot is None else [heading, pn.pane.Bokeh(plot, sizing_mode="stretch_width", margin=0)]
            self._visibilities.objects = shown
        self.widget.param.update(title=image_detail.title_of(detail), open=True)

    def _show_picture(self) -> None:
        """Show the picture as a file or as a figure that can be zoomed."""
        if self._detail is None:
            return
        moved, choice = self._pointing.moved(self._detail), self._layers.significance
        detail, over = with_significance(moved, choice), self._pointing.svg(moved) + significance_svg(moved, choice)
        self._explore.visible = detail.file is not None
        live = self._explore.value and detail.file is not None
        self._picture.object = image_detail.picture_html(
            detail, self._links, colors=self._colors.chosen, large=not live, over=over
        )
        if live and detail.file is not None:
            comparison = compare([Scene(detail.image, detail.file)], CompareChoice())
            (panel,) = comparison.panels
            view = panel.extent if detail.image.method == "full_disk_bp" else comparison.view
            self._sky.object = sky_figure(
                panel,
                sky_ranges(view),
                title="",
                size=SKY_PIXELS,
                beam_fwhm=panel.beam_fwhm,
                colors=self._colors.chosen,
            )
            draw_disk_marks(self._sky.object, detail.file)
            draw_circles(self._sky.object, detail.pointings)
            draw_significance(self._sky.object, moved, choice)
        self._sky.visible = live

    def close(self) -> None:
        """Close the dialog."""
        self.widget.open = False

    def _closed(self, event: Any) -> None:
        if not event.new:
            self._layers.reset_layers()
            self._on_choose("")

    def _chosen(self, image_id: str) -> None:
        detail = self._detail
        # browser input is not trusted
        if detail is not None and any(image.image_id == image_id for image in detail.siblings):
            self._on_choose(image_id)


class OpenedImage:
    """The open image of a page; its dialog is created when first needed, because most visits never need it.

    Parameters
    ----------
    links, on_choose, on_step
        As `ImageDialog`.
    layers : DialogLayers, optional
    """

    def __init__(
        self,
        links: Links,
        on_choose: Callable[[str], None],
        on_step: Callable[[int], None],
        layers: DialogLayers | None = None,
    ) -> None:
        self._links, self._on_choose, self._on_step, self._layers = links, on_choose, on_step, layers
        self.dialog: ImageDialog | None = None
        #: Container of the dialog; takes no space.
        self.place = pn.Column(margin=0)

    def show(self, detail: ImageDetail | None, steps: Steps) -> None:
        """Show an image, with its previous and next buttons; None closes the dialog."""
        if detail is not None:
            if self.dialog is None:
                self.dialog = ImageDialog(self._links, self._on_choose, self._on_step, self._layers)
            self.dialog.show(detail, steps)
            if not self.place.objects:
                self.place.append(self.dialog.widget)
        elif self.dialog is not None:
            self.dialog.close()


class StepKeys(JSComponent):
    """Arrow keys step from image to image while the dialog is open, except in text fields; then restores the focus."""

    _esm = """
    export function render({model}) {
      const mark = document.createElement("span")
      const keys = {ArrowLeft: -1, ArrowRight: 1}
      const press = (event) => {
        const at = event.composedPath()[0]
        const fields = "input:not([type=checkbox]), textarea, select, [role=combobox]"
        const typing = at instanceof Element && at.matches(fields)
        if (event.key in keys && !typing && !event.ctrlKey && !event.altKey && !event.metaKey) {
          model.send_msg(keys[event.key])
          event.preventDefault()
        }
      }
      document.addEventListener("keydown", press, true)
      // When the dialog is removed, its keys are released and the focus returns to the previous element.
      const watch = (was) => {
        const here = mark.isConnected
        if (was && !here) {
          document.removeEventListener("keydown", press, true)
          window.stixFocusBack?.()
        } else {
          setTimeout(() => watch(here), 50)
        }
      }
      watch(false)
      return mark
    }
    """

    def __init__(self, on_step: Callable[[int], None], **params: Any) -> None:
        super().__init__(**params)
        self._on_step = on_step

    def _handle_msg(self, data: Any) -> None:
        if data in (-1, 1):
            self._on_step(data)


#: Side of the live map, pixel; with its axes it has the size of the picture.
SKY_PIXELS = 430

#: The dialog has the colour of the page; on a telephone it fills the screen.
PAPER = {
    "& .MuiDialog-paper": {"backgroundImage": "none"},
    "& .MuiIconButton-root": {"color": "inherit"},
    # scroll what does not fit: Bokeh limits each part to the height of the window, and they would overlap
    "& .MuiDialogContent-root > .child-wrapper > *": {"flexShrink": 0, "maxHeight": "none !important"},
    "@media (max-width: 700px)": {
        "& .MuiDialog-paper": {"margin": 0, "width": "100%", "maxWidth": "100%", "height": "100%", "maxHeight": "100%"},
        "& .MuiDialogTitle-root": {"fontSize": "1rem", "padding": "14px 4px 10px 16px"},
    },
}
