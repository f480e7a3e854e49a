"""Exports of the selected images: buttons and their dialogs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from io import StringIO
from typing import Any

import panel as pn
import panel.ui as pmui

from archive import Image
from archive.scripts.tables import images_csv
from dashboards.pages.image_archive.export import ASSUMPTIONS, CUBE_METHODS, OTHER_MAPS, RULES, VIEWS, ExportState
from dashboards.panel_patches.document_lock import in_a_thread
from dashboards.shared import formatting
from dashboards.shared.access import Visitor
from dashboards.shared.clock import now
from dashboards.shared.file_field import FileField
from dashboards.shared.links import Links, routes_are_served
from dashboards.shared.source import ArchiveSource, archive_source
from dashboards.shared.style import LOW, style
from jobs.shared.limits import Limits
from stixcore.errors import StixError

SMALL: dict[str, Any] = {"size": "small", "margin": (6, 12, 6, 0), "description": "", "sx": LOW}
POLL_MS = 700
SIGN_IN = "Sign in to render this here."


class ExportActions:
    """Export buttons for a selection.

    Parameters
    ----------
    selection : callable
        Returns the selected images.
    links : Links
    visitor : callable
        Returns the current visitor.
    source : ArchiveSource, optional
        By default that of this server.
    """

    def __init__(
        self,
        selection: Callable[[], Sequence[Image]],
        links: Links,
        visitor: Callable[[], Visitor],
        source: ArchiveSource | None = None,
    ) -> None:
        self._selection, self._links, self._visitor = selection, links, visitor
        self.state = ExportState(source or archive_source())
        self._chosen: tuple[Image, ...] = ()
        self._dialog: pmui.Dialog | None = None  # created when first opened: most visitors never open it
        self._links_pane = _html()
        self._news = _html()
        self._poll = pn.state.add_periodic_callback(in_a_thread(self._look), POLL_MS, start=False)
        button: dict[str, Any] = {"variant": "text", "size": "small", "margin": (0, 2)}
        self.widget = pn.FlexBox(
            pmui.Button(label="Create animation…", icon="movie", on_click=self._animation, **button),
            pmui.Button(label="Create overlay…", icon="layers", on_click=self._overlay, **button),
            pmui.Button(label="Image cube…", icon="view_in_ar", on_click=self._cube, **button),
            pmui.Button(label="Download…", icon="download", on_click=self._download, **button),
            pmui.FileDownload(
                callback=self._table, filename="stix_images.csv", label="Table", icon="table_view", **button
            ),
            margin=0,
            align_items="center",
        )
        self.state.param.watch(self._show_links, ExportState.choices)
        self.state.param.watch(self._show_news, ["progress", "rendering", "problem"])
        self._address: Callable[[], str] = str

    def _table(self) -> StringIO:
        """The table in the page itself: it needs no URL."""
        return StringIO(images_csv(self._selection()))

    # The four dialogs

    def _animation(self, _: Any) -> None:
        of = self.state.param
        self._open(
            "Create animation",
            [
                pn.FlexBox(
                    pmui.FloatInput.from_param(of.frame_time, label="Seconds per frame", width=150, **SMALL),
                    pmui.Select.from_param(of.scale, label="Colours", width=110, **SMALL),
                    pmui.Select.from_param(of.size, label="Frame size [px]", width=150, **SMALL),
                    pmui.FloatInput.from_param(of.field, label="Field of view [arcsec], 0: all", width=170, **SMALL),
                    pmui.Checkbox.from_param(of.common_scale, label="One colour scale per band and method", **SMALL),
                    align_items="center",
                ),
            ],
            self._script("animation", self.state.animation_script),
            self.state.animate,
        )

    def _overlay(self, _: Any) -> None:
        of, maps = self.state.param, self.state.maps(self._visitor())
        if self.state.map_name not in maps:
            self.state.map_name = maps[0] if maps else ""
        choice = pmui.Select.from_param(
            of.map_name, label="Map in this archive", options=_choice_of(maps), width=300, **SMALL
        )
        choices: list[Any] = [
            pmui.Select.from_param(of.view, label="As seen from", options=VIEWS, width=220, **SMALL),
            pmui.Select.from_param(of.assumption, label="Sources are", options=ASSUMPTIONS, width=290, **SMALL),
            pmui.Select.from_param(of.other, label="Map for the script", options=list(OTHER_MAPS), width=220, **SMALL),
        ]
        signed_in = self._visitor().name is not None
        if signed_in:
            choices += [choice, self._uploader(choice)]
        self._open(
            "Create overlay",
            [pn.FlexBox(*choices, align_items="center")],
            self._script("overlay", self.state.overlay_script),
            self.state.overlay,
        )

    def _uploader(self, choice: pmui.Select) -> FileField:
        """Upload field for a map."""
        field = FileField(
            label="Upload a map (FITS, up to 16 MB, visible only to you)",
            accept=".fits,.fts,.gz",
            max_file_size=Limits().map_size,
            size="small",
            margin=(6, 0),
            stylesheets=[style("shared/file_input")],
        )

        def take(event: Any) -> None:
            if not event.new:
                return
            self.state.upload(str(field.filename), bytes(event.new), self._visitor())
            choice.param.update(options=_choice_of(self.state.maps(self._visitor())), value=self.state.map_name)

        field.param.watch(take, "value")
        return field

    def _cube(self, _: Any) -> None:
        of = self.state.param
        methods = {formatting.method_name(method): method for method in CUBE_METHODS}
        self._open(
            "Image cube",
            [
                _html("<p>Images of the first selected image's flare at the times, energies and methods below.</p>"),
                pn.FlexBox(
                    pmui.TextInput.from_param(
                        of.cube_start, label="From (UTC), empty: start of the file", width=250, **SMALL
                    ),
                    pmui.TextInput.from_param(
                        of.cube_end, label="To (UTC), empty: end of the file", width=250, **SMALL
                    ),
                    pmui.FloatInput.from_param(of.cube_amount, label="Time steps of", width=120, **SMALL),
                    pmui.Select.from_param(of.cube_rule, label="Steps", options=RULES, width=150, **SMALL),
                    pmui.TextInput.from_param(of.cube_bands, label="Energy ranges [keV]", width=180, **SMALL),
                    pmui.MultiChoice.from_param(
                        of.cube_methods,
                        label="Methods",
                        options=methods,
                        chip=False,
                        width=260,
                        **(SMALL | {"size": None, "stylesheets": [style("shared/low_choice")]}),
                    ),
                    align_items="center",
                ),
            ],
            lambda: f"<p>{escape(self.state.cube_plan(self._chosen))}</p>",
            self.state.cube,
        )

    def _download(self, _: Any) -> None:
        self._open(
            "Download",
            [pmui.Checkbox.from_param(self.state.param.inputs, label="Include the level-1 files", **SMALL)],
            self._files,
            None,
        )

    def _open(
        self,
        title: str,
        parts: Sequence[Any],
        address: Callable[[], str],
        make: Callable[..., bool] | None,
    ) -> None:
        self._address = address
        self._links_pane, self._news = _html(), _html()  # a document does not accept the old ones again
        self.state.param.update(request_id=0, progress=None, rendering=None, problem="")
        try:
            self._chosen, problem = tuple(self._selection()), "Select at least one image first."
        except StixError as error:  # too many images
            self._chosen, problem = (), str(error)
        if not self._chosen:
            body: list[Any] = [_html(f"<p>{escape(problem)}</p>")]
        else:
            body = [_html(f"<p>{_count(self._chosen)}</p>"), *parts, self._links_pane]
            if make is not None:
                body += self._maker(make)
        self._show_links()
        if self._dialog is None:
            self._dialog = pmui.Dialog(
                title="", width_option="sm", scroll="paper", close_on_click=True, show_close_button=True, sx=PAPER
            )
            self.widget.append(self._dialog)
        self._dialog[:] = body
        self._dialog.param.update(title=title, open=True)

    def _maker(self, make: Callable[..., bool]) -> list[Any]:
        """Components for a request to the worker."""
        if self._visitor().name is None:
            return [_html(f'<p class="quiet">{SIGN_IN}</p>')]

        def start(_: Any) -> None:
            if make(self._chosen, self._visitor(), now()):  # a user who has signed out meanwhile is a guest
                self._poll.start()

        go = pmui.Button(
            label="Render here", icon="play_arrow", variant="contained", size="small", margin=(8, 0), on_click=start
        )
        self._show_news()
        return [go, self._news]

    # Content

    def _script(self, what: str, address: Callable[[Sequence[Image]], str]) -> Callable[[], str]:
        def html() -> str:
            return _link(address(self._chosen), f"Python script for this {what}")

        return html

    def _files(self) -> str:
        links = (
            (self.state.bundle(self._chosen), "Zip: FITS, scripts, manifest, citation"),
            (self.state.table(self._chosen, "csv"), "Table as CSV"),
            (self.state.table(self._chosen, "parquet"), "Table as Parquet"),
        )
        return " ".join(_link(address, label) for address, label in links)

    def _show_links(self, *_: Any) -> None:
        if self._chosen and not routes_are_served():
            self._links_pane.object = "<p>This server cannot send files. Start it with “python -m dashboards”.</p>"
        else:
            self._links_pane.object = self._address() if self._chosen else ""

    def _look(self) -> None:
        self.state.poll(self._visitor())
        if not self.state.is_working:
            self._poll.stop()

    def _show_news(self, *_: Any) -> None:
        state = self.state
        working = state.is_working
        said = ""
        if working and state.progress is not None:
            share, step = state.progress.share, escape(state.progress.sentence)
            said = f'<p class="step" role="status">{step}</p><progress max="1" value="{share:.3f}"></progress>'
        if state.problem:
            said += f'<p class="problem">{escape(state.problem)}</p>'
        if state.rendering is not None:
            said += self._made(state.rendering.files, state.rendering.notes)
        self._news.object = said

    def _made(self, files: Sequence[str], notes: Sequence[str]) -> str:
        address = {name: escape(self.state.rendered(name)) for name in files}
        shown = ""
        if "animation.mp4" in address:
            shown += f'<video controls loop autoplay muted playsinline src="{address["animation.mp4"]}"></video>'
        for name, what in (("overlay.png", "overlay"), ("contact_sheet.png", "contact sheet")):
            if name in address:
                shown += f'<a href="{address[name]}" target="_blank"><img src="{address[name]}" alt="{what}"></a>'
        links = " ".join(_link(address[name], name) for name in files)
        sentences = "".join(f"<li>{escape(note)}</li>" for note in notes)
        return f"{shown}<p>{links}</p><ul>{sentences}</ul>"


def _choice_of(maps: Sequence[str]) -> list[str] | dict[str, str]:
    return list(maps) or {"none yet; upload one": ""}


def _html(text: str = "") -> pn.pane.HTML:
    return pn.pane.HTML(text, stylesheets=[style("pages/image_archive/export")], sizing_mode="stretch_width", margin=0)


def _link(address: str, label: str) -> str:
    return f'<a class="file" href="{escape(address)}" download>{escape(label)}</a>'


def _count(images: Sequence[Image]) -> str:
    simulated = ' <b class="simulated">Includes SIMULATED data</b>' if any(image.simulated for image in images) else ""
    return f"{len(images)} image{'' if len(images) == 1 else 's'} selected.{simulated}"


PAPER = {
    "& .MuiDialog-paper": {"backgroundImage": "none"},
    "& .MuiIconButton-root": {"color": "inherit"},
}

__all__ = ["ExportActions", "images_csv"]
