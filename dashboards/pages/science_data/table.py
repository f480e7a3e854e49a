"""The table of science files: Tabulator shows one page of rows; the archive filters, sorts and pages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import Any

import numpy as np
import pandas as pd
import panel as pn

from archive import ScienceFile
from dashboards.shared import formatting
from dashboards.shared.image_columns import simulated_mark
from dashboards.shared.paged_table import TableColumn, origin_classes, sort_of, sorters_of, table_options
from dashboards.shared.style import style
from stixcore.fits.spec import ProductKind

KEY = "name"
#: Height of a row, pixel: three lines on a narrow screen.
ROW_HEIGHT = 66
#: Short names for the column of types.
TYPES = {
    str(ProductKind.PIXEL_DATA): "pixel data",
    str(ProductKind.RAW_PIXEL_DATA): "raw pixel data",
    str(ProductKind.SUMMED_PIXEL_DATA): "summed pixel data",
    str(ProductKind.SPECTROGRAM): "spectrogram",
}


def _uid(file: ScienceFile) -> str:
    return (
        f'<button type="button" class="open">{escape(file.uid or file.name)}</button>{simulated_mark(file.simulated)}'
    )


def _kind(file: ScienceFile) -> str:
    return escape(TYPES.get(file.product, file.product))


def _subject(file: ScienceFile) -> str:
    kind = '<span class="mark quiet">background</span> ' if file.is_background else ""
    return f'<span class="two" title="{escape(file.purpose)}">{kind}{escape(subject_of(file))}</span>'


def subject_of(file: ScienceFile) -> str:
    """Why the data were requested, or a dash if the file does not say."""
    return file.purpose or formatting.UNKNOWN


def _start(file: ScienceFile) -> str:
    when = f"{formatting.day(file.t_start)}<br>{formatting.clock(file.t_start)}"
    return f"{when}<span class='narrow'><i>{_energy(file)}</i></span>"


def _duration(file: ScienceFile) -> str:
    return formatting.duration(file.t_start, file.t_end)


def _bins(file: ScienceFile) -> str:
    low, high = formatting.number(file.bin_min_s), formatting.number(file.bin_max_s)
    length = f"{low} s" if low == high else f"{low}–{high} s"
    return f"{formatting.counts(file.n_bins)}<br><i>{length}</i>"


def _energy(file: ScienceFile) -> str:
    return energy_text(file.e_low, file.e_high)


def energy_text(low: float, high: float) -> str:
    """``4–28 keV``; ``4 keV and more`` for an open upper end."""
    return f"{low:g}–{high:g} keV" if np.isfinite(high) else f"{low:g} keV and more"


def _pixels(file: ScienceFile) -> str:
    return formatting.UNKNOWN if file.n_pixels is None else str(file.n_pixels)


def _counts(file: ScienceFile) -> str:
    return formatting.counts(file.counts)


FILE_COLUMNS = (
    TableColumn("uid", "Uid", _uid, "Unique id of the science request", "uid", False, 112, 108),
    TableColumn("start", "Start (UTC)", _start, f"Start, {formatting.CLOCK}", "t_start", True, 104, 100),
    TableColumn("kind", "Type", _kind, "Images are made from pixel data", "product", False, 100, 92, 4),
    TableColumn("subject", "Subject", _subject, "Subject and purpose of the request", "purpose", False, 260, 150, 3),
    TableColumn("duration", "Duration", _duration, "Length of the observation", "duration_s", True, 84, 80, 2, "right"),
    TableColumn("bins", "Time bins", _bins, "Number and length of time bins", "n_bins", True, 96, 84, 6, "right"),
    TableColumn("energy", "Energy", _energy, "From the lowest to the highest channel", "e_high", True, 100, 92, 5),
    TableColumn("pixels", "Pixels", _pixels, "Pixels read out per detector", "n_pixels", True, 66, 62, 8, "right"),
    TableColumn("counts", "Counts", _counts, "Recorded counts of all detectors", "counts", True, 96, 88, 7, "right"),
)


class ScienceTable:
    """Shows rows, and reports clicks on rows and column headers.

    Parameters
    ----------
    on_open : callable
        Called with the name of the file whose row was clicked.
    on_sort : callable
        Called with columns of the index to sort by, "-" for descending.
    """

    def __init__(self, on_open: Callable[[str], None], on_sort: Callable[[list[str]], None]) -> None:
        self._on_open, self._on_sort = on_open, on_sort
        self._quiet = False
        self.widget = pn.widgets.Tabulator(
            _frame(()),
            hidden_columns=[KEY],
            selectable=False,
            stylesheets=[style("shared/image_table"), style("shared/image_cells"), style("pages/science_data/cells")],
            **table_options(FILE_COLUMNS, ROW_HEIGHT),
        )
        self.widget.on_click(self._clicked)
        self.widget.param.watch(self._sorted, "sorters")

    def show(self, rows: Sequence[ScienceFile], sort: Sequence[str]) -> None:
        """Show rows, with sort arrows according to ``sort``."""
        self._quiet = True
        try:
            self.widget.param.update(
                value=_frame(rows), sorters=sorters_of(FILE_COLUMNS, sort), css_classes=origin_classes(rows)
            )
        finally:
            self._quiet = False

    def _clicked(self, event: Any) -> None:
        self._on_open(str(self.widget.value[KEY].iloc[event.row]))

    def _sorted(self, event: Any) -> None:
        if self._quiet:
            return
        sort = sort_of(FILE_COLUMNS, event.new)
        if sort:
            self._on_sort(sort)


def _frame(rows: Sequence[ScienceFile]) -> pd.DataFrame:
    cells: dict[str, list[str]] = {KEY: [row.name for row in rows]}
    for column in FILE_COLUMNS:
        cells[column.field] = [f"<div>{column.cell(row)}</div>" for row in rows]
    return pd.DataFrame(cells, dtype=object)


def files_html(rows: Sequence[ScienceFile]) -> str:
    """Rows as a plain table with the cells of the live table, for the first content."""
    heads = "".join(
        f'<th class="s{c.priority}" style="text-align:{c.align}">{escape(c.title)}</th>' for c in FILE_COLUMNS
    )
    body = "".join(
        "<tr>"
        + "".join(f'<td class="s{c.priority}" style="text-align:{c.align}">{c.cell(row)}</td>' for c in FILE_COLUMNS)
        + "</tr>"
        for row in rows
    )
    widths = "".join(f'<col class="s{c.priority}" style="width:{c.min_width}px">' for c in FILE_COLUMNS)
    rules = "#opening td { height: 42px; } " + style("pages/science_data/cells")
    for priority in sorted({column.priority for column in FILE_COLUMNS} - {0}):
        needed = sum(column.min_width for column in FILE_COLUMNS if column.priority <= priority) + 48
        rules += f"@media (max-width: {needed}px) {{ #opening .s{priority} {{ display: none; }} }}"
    return (
        f'<style>{rules}</style><table class="{" ".join(origin_classes(rows))}"><colgroup>{widths}</colgroup>'
        f"<thead><tr>{heads}</tr></thead>"
        f"<tbody>{body}</tbody></table>"
    )
