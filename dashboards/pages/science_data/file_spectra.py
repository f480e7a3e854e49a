"""The spectra of a science file in the archive: a table, and the figure of the chosen one."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

import panel as pn
import panel.ui as pmui

from archive import Spectrum
from dashboards.pages.science_data.state import ScienceState
from dashboards.shared import formatting
from dashboards.shared.links import routes_are_served
from dashboards.shared.spectrum_figure import SpectrumFigure
from dashboards.shared.spectrum_table import with_errors
from dashboards.shared.stored_spectra import StoredSpectra, distinct_names, files_html, numbers_html
from dashboards.shared.style import LOW, style

#: Title of a column → name of its value in a row of the index.
VALUES: Mapping[str, str] = {
    "T [MK]": "temperature",
    "EM [10⁴⁹ cm⁻³]": "emission_measure",
    "F₀ [10³⁵ s⁻¹]": "electron_rate",
    "δ": "delta",
    "Cutoff [keV]": "e_cut",
}
_ENDS = ("_minus", "_plus")
NOT_CHOSEN = "choose one to see its figure"


class FileSpectra:
    """Table of the spectra of the open file; choosing one draws it.

    Parameters
    ----------
    state : ScienceState
    """

    def __init__(self, state: ScienceState) -> None:
        self._state = state
        self._sheets = [style("shared/image_cells"), style("pages/science_data/detail"), style("shared/spectrum_table")]
        self._table = self._html("")
        self._choice = pmui.Select.from_param(
            state.param.spectrum,
            label="Spectrum",
            options=self._options,
            sizing_mode="stretch_width",
            max_width=420,  # more than a telephone has would cut off every figure of the page
            size="small",
            sx=LOW,
            margin=(6, 0),
            description="",
        )
        self._room = pn.Column(sizing_mode="stretch_width", margin=0)
        self._figure: SpectrumFigure | None = None
        self._numbers = self._html("")
        state.param.watch(self._show, "spectra")
        self._show()

    def view(self) -> pn.Column:
        """Title, table, choice and figure."""
        return pn.Column(self._table, self._choice, self._room, sizing_mode="stretch_width", margin=0)

    @property
    def _spectra(self) -> StoredSpectra:
        return self._state.spectra

    @property
    def _options(self) -> dict[str, str]:
        return {NOT_CHOSEN: ""} | distinct_names(self._spectra.rows)

    def _html(self, text: str) -> pn.pane.HTML:
        return pn.pane.HTML(text, stylesheets=self._sheets, sizing_mode="stretch_width", margin=0)

    def _show(self, *_: Any) -> None:
        """List the spectra and draw the chosen one; the figure is made when it is first needed."""
        spectra = self._spectra
        self._table.object = list_html(spectra)
        self._choice.param.update(options=self._options, visible=bool(spectra.rows))
        if spectra.shown is None or not self._state.spectrum:
            self._room[:] = []
            return
        files = files_html(spectra.shown) if routes_are_served() else ""
        self._numbers.object = f"{numbers_html(spectra)}{files}"
        if spectra.document is None:
            self._room[:] = [self._numbers]
            return
        if self._figure is None:
            self._figure = SpectrumFigure()
        self._figure.show(spectra.document)
        self._room[:] = [pn.pane.Bokeh(self._figure.model, sizing_mode="stretch_width", margin=0), self._numbers]


def list_html(spectra: StoredSpectra) -> str:
    """Every spectrum of the file with its values; a sentence if there is none."""
    if not spectra.rows:
        return "<h3>Spectra of this file</h3><p>The archive has no spectra of this file.</p>"
    heads = "".join(f'<th scope="col">{name}</th>' for name in ("Time", *VALUES, "χ² ÷ freedom", "Fit"))
    rows = "".join(_row(row) for row in spectra.rows)
    cut = f"<p>The first {len(spectra.rows)} of {spectra.total}.</p>" if spectra.total > len(spectra.rows) else ""
    table = f'<table class="parameters"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>'
    return f'<h3>Spectra of this file</h3><div class="scroll" tabindex="0">{table}</div>{cut}'


def _row(row: Spectrum) -> str:
    time = formatting.time_range(row)
    values = "".join(f"<td>{_value(row, name)}</td>" for name in VALUES.values())
    quality = formatting.number(row.chi2 / row.ndof, ".2f") if row.chi2 is not None and row.ndof else formatting.UNKNOWN
    return f'<tr><th scope="row">{time}</th>{values}<td>{quality}</td><td>{_verdict(row)}</td></tr>'


def _value(row: Spectrum, name: str) -> str:
    """A value with its errors; two of a plasma with two temperatures."""
    numbered = [one for one in (name, f"{name}_2") if getattr(row, one, None) is not None]
    said = (with_errors(getattr(row, one), *(getattr(row, one + end) for end in _ENDS)) for one in numbered)
    return "; ".join(said) or formatting.UNKNOWN


def _verdict(row: Spectrum) -> str:
    if not row.verdict:
        return f"none: {escape(row.no_fit)}" if row.no_fit else "none"
    kind = "good" if row.verdict == "trusted" else "doubt"
    return f'<span class="mark {kind}">{escape(row.verdict)}</span>'
