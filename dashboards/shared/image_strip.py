"""Images in a row: thumbnails with time, energy, method, position and verdict; a click opens one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from itertools import groupby
from typing import Any

import param
from panel.custom import JSComponent

from archive import Image
from dashboards.shared import formatting
from dashboards.shared.image_columns import cautions_text
from dashboards.shared.links import Links, flare_link, uid_link
from dashboards.shared.style import style
from stixcore.imaging.registry import place_in_order


class ImageStrip:
    """Shows images grouped by recipe and reports which one was clicked.

    Parameters
    ----------
    links : Links
        URLs of the pictures.
    on_open : callable
        Called with the id of an image.
    """

    def __init__(self, links: Links, on_open: Callable[[str], None]) -> None:
        self._links, self._on_open = links, on_open
        self._known: frozenset[str] = frozenset()
        self.widget = ImageCards(on_click=self._clicked, sizing_mode="stretch_width", margin=0, visible=False)

    def show(self, rows: Sequence[Image]) -> None:
        """Show images, recipes in the given order; takes no space without images."""
        self._known = frozenset(image.image_id for image in rows)
        self.widget.param.update(html=strip_html(rows, self._links), visible=bool(rows))

    def _clicked(self, image_id: str) -> None:
        if image_id in self._known:  # browser input is not trusted
            self._on_open(image_id)


def strip_html(images: Sequence[Image], links: Links) -> str:
    """One group per recipe with one card per image. Everything from the index is escaped."""
    order = {recipe: number for number, recipe in enumerate(dict.fromkeys(image.recipe_id for image in images))}
    ordered = sorted(images, key=lambda image: (order[image.recipe_id], place_in_order(image.method)))
    return "".join(_group(list(group), links) for _, group in groupby(ordered, lambda image: image.recipe_id))


def _group(images: Sequence[Image], links: Links) -> str:
    # the full-disk map has its own band, in which the flare was located
    first = next((image for image in images if image.method != "full_disk_bp"), images[0])
    flare = f"flare {flare_link(first.flare_id)}" if first.flare_id else f"uid {uid_link(first.uid)}"
    whose = ", ".join(part for part in (flare, escape(formatting.goes_class(first))) if part)
    time, band = escape(formatting.time_range(first)), escape(formatting.band(first))
    cards = "".join(_card(image, links) for image in images)
    return f'<section aria-label="{time}, {band}"><h4>{time} <b>{band}</b> {whose}</h4><div>{cards}</div></section>'


def _card(image: Image, links: Links) -> str:
    place, method = links.thumbnail(image), escape(formatting.method_name(image.method))
    picture = (
        f'<img src="{escape(place)}" alt="" width="84" height="84" loading="lazy">'
        if place
        else '<span class="nothing">no picture</span>'
    )
    kind, verdict = ("good", "trusted") if image.trusted else ("doubt", "doubtful")
    return (
        f'<button type="button" data-image="{escape(image.image_id)}" title="{escape(cautions_text(image))}">'
        f"{picture}<b>{method}</b><span>{formatting.position(image.peak_hpc_x, image.peak_hpc_y)}</span>"
        f'<span class="mark {kind}">{verdict}</span></button>'
    )


class ImageCards(JSComponent):
    """HTML whose buttons report which image they belong to.

    The name must not begin with an underscore: Bokeh does not send such models to the browser.
    """

    html: str = param.String("")  # type: ignore[assignment]

    _esm = """
    export function render({model, el}) {
      const strip = document.createElement("div")
      strip.className = "strip"
      const show = () => { strip.innerHTML = model.html }
      strip.addEventListener("click", (event) => {
        const button = event.target.closest("[data-image]")
        if (button) { model.send_msg(button.dataset.image) }
      })
      model.on("html", show)
      show()
      return strip
    }
    """

    def __init__(self, on_click: Callable[[str], None], **params: Any) -> None:
        super().__init__(stylesheets=[style("shared/image_cells"), style("shared/image_strip")], **params)
        self._on_click = on_click

    def _handle_msg(self, data: Any) -> None:
        self._on_click(str(data))
