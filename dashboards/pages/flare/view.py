"""The flare page: everything about one flare, for the screen and for paper.

It is HTML and SVG only, so that the first content is the whole page and paper shows the same; the live page adds the
image dialog, the choice of the clock, and copying.
"""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any

import panel as pn
import panel.ui as pmui
import param
from panel.custom import JSComponent

from dashboards.pages.flare.context import context_html
from dashboards.pages.flare.cube import cubes_html
from dashboards.pages.flare.curves_drawing import curves_html
from dashboards.pages.flare.doubts import doubts_html
from dashboards.pages.flare.files import citation_html, files_html
from dashboards.pages.flare.geometry import geometry_html
from dashboards.pages.flare.head import head_html
from dashboards.pages.flare.images import methods_html, picture_html
from dashboards.pages.flare.spectrum import spectra_html
from dashboards.pages.flare.state import FlareState
from dashboards.shared.access import Visitor
from dashboards.shared.addressed import AddressedPage
from dashboards.shared.curve_colors import DARK, LIGHT, Colors
from dashboards.shared.frame import frame, is_dark
from dashboards.shared.image_dialog import OpenedImage
from dashboards.shared.light_times import Clock
from dashboards.shared.links import Links
from dashboards.shared.map_colors import color_choice, session_colors
from dashboards.shared.navigation import SITE
from dashboards.shared.notices import Notice
from dashboards.shared.source import archive_source
from dashboards.shared.stored_regions import stored_regions_html
from dashboards.shared.style import LOW, style
from jobs.imaging.figures import DEFAULT_COLORS

CLOCKS = {
    "Solar Orbiter": Clock.SOLAR_ORBITER.value, "Earth": Clock.EARTH.value, "Sun": Clock.SUN.value
}  # fmt: skip


class FlarePage(AddressedPage[FlareState]):
    """Widgets around a `FlareState`.

    Parameters
    ----------
    state : FlareState
    links : Links
        URLs of the pictures.
    """

    title = "Flare"
    description = "One solar flare observed by Solar Orbiter/STIX: light curves, images, geometry and files"

    def __init__(self, state: FlareState, links: Links) -> None:
        super().__init__(state, links)
        self._sheet = FlareSheet(self._clicked, sizing_mode="stretch_width", margin=0, dark=is_dark())
        self._image = OpenedImage(links, self._open, state.step, state)
        self._colors = session_colors()
        self._colors.param.watch(self._show, "chosen")
        state.param.watch(self._show, ["content", "problem", "clock"])
        state.param.watch(lambda *_: self._image.show(state.detail, state.steps), "detail")
        state.param.watch(self._show_notices, ["detail_problem", "clock"])

    @classmethod
    def new_state(cls, visitor: Callable[[], Visitor]) -> FlareState:
        """New state for a visitor, over the archive of this server."""
        return FlareState(archive_source(), visitor)

    @classmethod
    def document_title(cls, state: FlareState) -> str:
        """Title of the browser's tab: the flare."""
        named = f"{cls.title} {state.content.flare.flare_id}" if state.content is not None else cls.title
        return f"{named} · {SITE}"

    @classmethod
    def status(cls, state: FlareState) -> int:
        """HTTP status of the page: 404 for an unknown flare."""
        return 404 if state.unknown else 200

    @classmethod
    def opening(cls, state: FlareState, links: Links, *, dark: bool) -> str:
        """The page as plain HTML, shown until the page is live."""
        theme = "dark" if dark else "light"
        return (
            f"<style>#opening {{ overflow: auto; }} #opening .sheet {{ padding: 60px 24px 0; }}\n"
            f"{sheet_css('#opening .sheet')}</style>"
            f'<div id="opening" class="{theme}"><header><b>{escape(SITE)}</b><span>{cls.title}</span></header>'
            f'<div class="sheet {theme}">{sheet_html(state, links, session_colors().chosen)}</div></div>'
        )

    def follow_address(self, preloaded: Any) -> None:
        """Show what is loaded, and keep the URL up to date."""
        super().follow_address(preloaded)
        self._show()

    def view(self) -> pmui.Page:
        """The whole page."""
        body = pn.Column(
            self._notices.pane,
            *([self._choices()] if self.state.content is not None else []),
            self._sheet,
            self._image.place,
            sizing_mode="stretch_width",
            margin=0,
            stylesheets=[style("shared/image_page")],
        )
        page = frame(self.document_title(self.state).partition(" · ")[0], [body], description=self.description)
        page.param.watch(lambda event: self._sheet.param.update(dark=event.new), "dark_theme")
        return page

    def _choices(self) -> pn.Row:
        """Clock and colours; not on paper."""
        return pn.Row(
            self._clock(),
            color_choice(self._colors, margin=(4, 8)),
            margin=0,
            stylesheets=["@media print { :host { display: none !important; } }"],
        )

    def _clock(self) -> pmui.Select:
        content = self.state.content
        known = content is not None and content.shift(Clock.EARTH) is not None
        return pmui.Select.from_param(
            self.state.param.clock,
            label="Clock at",
            options=CLOCKS,
            width=150,
            size="small",
            sx=LOW,
            margin=(4, 0),
            description="",
            disabled=not known and self.state.clock == Clock.SOLAR_ORBITER,
        )

    def _show(self, *_: Any) -> None:
        self._sheet.html = sheet_html(self.state, self._links, self._colors.chosen)

    def _clicked(self, key: str) -> None:
        """Open an image, or show a spectrum; browser input is not trusted."""
        content = self.state.content
        if content is None:
            return
        if any(image.image_id == key for image in content.images):
            self._open(key)
        elif content.spectra.has(key):
            self.state.spectrum = key

    def _open(self, image_id: str) -> None:
        self.state.opened = image_id

    def _show_notices(self, *_: Any) -> None:
        problem, content = self.state.detail_problem, self.state.content
        said = [Notice("warning", f"{problem[0].upper()}{problem[1:]}.")] if problem else []
        if content is not None and content.shift(Clock(self.state.clock)) is None:
            text = "The light times of this flare are unknown. The light curves show UTC at Solar Orbiter."
            said.append(Notice("warning", text))
        self._notices.show([*self._address_notices, *said])


def sheet_html(state: FlareState, links: Links, colors: str = DEFAULT_COLORS) -> str:
    """All sections of the page, from top to bottom; without a flare, why.

    Parameters
    ----------
    state : FlareState
    links : Links
        URLs of files.
    colors : str
        Colour map of the pictures, one of `jobs.imaging.figures.COLOR_MAPS`.
    """
    content = state.content
    if content is None:
        return (
            f'<h1>{"No such flare" if state.unknown else "Flare"}</h1><p role="alert">{escape(state.problem)}</p>'
            '<p><a href="flares">All flares</a> · <a href="lightcurves">Light curves with all flares</a></p>'
        )
    sections = [
        ("doubts", "", doubts_html(content)),
        ("curves", "Light curves", curves_html(content, Clock(state.clock))),
        ("picture", "Thermal and non-thermal emission", picture_html(content, colors)),
        ("images", "All methods", methods_html(content, links)),
        ("spectrum", "Spectrum", spectra_html(content)),
        ("regions", "Spectra of regions", stored_regions_html(content.regions, "flare")),
        ("cube", "Movie and tracks", cubes_html(content, links, Clock(state.clock))),
        ("context", "Context maps", context_html(content)),
        ("geometry", "Geometry", geometry_html(content)),
        ("files", "Files", files_html(content, links)),
        ("citation", "How to cite", citation_html(content)),
    ]
    anchors = "".join(f'<a href="#{name}">{title}</a>' for name, title, html in sections if title and html)
    body = "".join(
        f'<section id="{name}">{f"<h2>{title}</h2>" if title else ""}{html}</section>'
        for name, title, html in sections
        if html
    )
    return (
        f'<div id="flare">{head_html(content)}</div><nav class="anchors screen" aria-label="Sections">{anchors}'
        f'<button type="button" class="act" data-print>Print</button></nav>{body}'
    )


def sheet_css(place: str = ".sheet") -> str:
    """Styles of the sheet at a place, with the colours of light curves in both themes; on paper always light ones."""
    return (
        f"{place} {{ {_variables(LIGHT)} &.dark {{ {_variables(DARK)} }} "
        f"@media print {{ &, &.dark {{ {_variables(LIGHT)} }} }}\n{style('pages/flare/sheet')} }}"
    )


def _variables(colors: Colors) -> str:
    bands = "".join(f"--band-{number}: {color};" for number, color in enumerate(colors.bands))
    others = ("ink", "line", "paper", "flare", "attenuator", "trusted", "doubtful")
    return bands + "".join(f"--{name}: {getattr(colors, name)};" for name in others)


class FlareSheet(JSComponent):
    """HTML of the page; reports clicks on images and spectra, copies text, prints, and goes to sections.

    The name must not begin with an underscore: Bokeh does not send such models to the browser.
    """

    html: str = param.String("")  # type: ignore[assignment]
    dark: bool = param.Boolean(default=False)  # type: ignore[assignment]

    _esm = """
    export function render({model}) {
      const sheet = document.createElement("div")
      const show = () => { sheet.innerHTML = model.html }
      const paint = () => { sheet.className = model.dark ? "sheet dark" : "sheet light" }
      const part = (id) => sheet.querySelector(`[id="${CSS.escape(id)}"]`)
      const copy = (button) => {
        const text = part(button.dataset.copy).textContent
        const label = button.textContent
        const done = () => { button.textContent = "Copied"; setTimeout(() => { button.textContent = label }, 2000) }
        const by_hand = () => prompt("The text:", text)
        if (navigator.clipboard) { navigator.clipboard.writeText(text).then(done, by_hand) } else { by_hand() }
      }
      sheet.addEventListener("click", (event) => {
        const at = event.target.closest("[data-image], [data-spectrum], [data-copy], [data-print], a[href^='#']")
        if (!at) { return }
        if (at.dataset.image) { model.send_msg(at.dataset.image) }
        else if (at.dataset.spectrum) { event.preventDefault(); model.send_msg(at.dataset.spectrum) }
        else if (at.dataset.copy) { copy(at) }
        else if ("print" in at.dataset) { window.print() }
        else {
          // the sheet is in a shadow root, where fragments of the URL do not lead
          event.preventDefault()
          history.replaceState(history.state, "", at.getAttribute("href"))
          part(at.getAttribute("href").slice(1))?.scrollIntoView()
        }
      })
      model.on("html", show)
      model.on("dark", paint)
      paint()
      show()
      if (location.hash) { setTimeout(() => part(location.hash.slice(1))?.scrollIntoView(), 300) }
      return sheet
    }
    """

    def __init__(self, on_choice: Callable[[str], None], **params: Any) -> None:
        super().__init__(stylesheets=[style("shared/image_cells"), sheet_css()], **params)
        self._on_choice = on_choice

    def _handle_msg(self, data: Any) -> None:
        self._on_choice(str(data))
