"""The spectra of regions of a science file in the archive."""

from __future__ import annotations

from typing import Any

import panel as pn

from dashboards.pages.science_data.file_spectra_state import FileSpectraState
from dashboards.shared.stored_regions import stored_regions_html
from dashboards.shared.style import style


class FileRegions:
    """Tables, pictures and files of the spectra of regions of the open file.

    Parameters
    ----------
    state : FileSpectraState
    """

    def __init__(self, state: FileSpectraState) -> None:
        sheets = [style("shared/image_cells"), style("pages/science_data/detail"), style("shared/spectrum_table")]
        self._state = state
        self.view = pn.pane.HTML("", stylesheets=sheets, sizing_mode="stretch_width", margin=0)
        state.param.watch(self._show, "filed_regions")
        self._show()

    def _show(self, *_: Any) -> None:
        self.view.object = (
            f"<h3>Spectra of regions of this file</h3>{stored_regions_html(self._state.filed_regions, 'file')}"
        )
