"""The table of science files."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

from archive import ScienceFile
from dashboards.shared import formatting
from dashboards.shared.image_columns import simulated_mark
from dashboards.shared.links import Links
from dashboards.shared.paged_table import TableColumn
from dashboards.shared.row_table import RowTable
from stixcore.fits.spec import ProductKind

#: Short names for the column of types.
TYPES = {
    str(ProductKind.PIXEL_DATA): "pixel data",
    str(ProductKind.RAW_PIXEL_DATA): "raw pixel data",
    str(ProductKind.SUMMED_PIXEL_DATA): "summed pixel data",
    str(ProductKind.SPECTROGRAM): "spectrogram",
}


def _uid(file: ScienceFile, _: Links) -> str:
    return (
        f'<button type="button" class="open">{escape(file.uid or file.name)}</button>{simulated_mark(file.simulated)}'
    )


def _kind(file: ScienceFile, _: Links) -> str:
    return escape(TYPES.get(file.product, file.product))


def _subject(file: ScienceFile, _: Links) -> str:
    kind = '<span class="mark quiet">background</span> ' if file.is_background else ""
    return f'<span class="two" title="{escape(file.purpose)}">{kind}{escape(subject_of(file))}</span>'


def subject_of(file: ScienceFile) -> str:
    """Why the data were requested, or a dash if the file does not say."""
    return file.purpose or formatting.UNKNOWN


def _start(file: ScienceFile, _: Links) -> str:
    when = f"{formatting.day(file.t_start)}<br>{formatting.clock(file.t_start)}"
    return f"{when}<span class='narrow'><i>{formatting.energies(file.e_low, file.e_high)}</i></span>"


def _duration(file: ScienceFile, _: Links) -> str:
    return formatting.duration(file.t_start, file.t_end)


def _bins(file: ScienceFile, _: Links) -> str:
    low, high = formatting.number(file.bin_min_s), formatting.number(file.bin_max_s)
    length = f"{low} s" if low == high else f"{low}–{high} s"
    return f"{formatting.counts(file.n_bins)}<br><i>{length}</i>"


def _energy(file: ScienceFile, _: Links) -> str:
    return formatting.energies(file.e_low, file.e_high)


def _pixels(file: ScienceFile, _: Links) -> str:
    return formatting.UNKNOWN if file.n_pixels is None else str(file.n_pixels)


def _counts(file: ScienceFile, _: Links) -> str:
    return formatting.counts(file.counts)


FILE_COLUMNS = (
    TableColumn("uid", "Uid", _uid, "Unique id of the science request", "uid", False, 108),
    TableColumn("start", "Start (UTC)", _start, f"Start, {formatting.CLOCK}", "t_start", True, 100),
    TableColumn("kind", "Type", _kind, "Images are made from pixel data", "product", False, 92, 4),
    TableColumn("subject", "Subject", _subject, "Subject and purpose of the request", "purpose", False, 150, 3),
    TableColumn("duration", "Duration", _duration, "Length of the observation", "duration_s", True, 80, 2, "right"),
    TableColumn("bins", "Time bins", _bins, "Number and length of time bins", "n_bins", True, 84, 6, "right"),
    TableColumn("energy", "Energy", _energy, "From the lowest to the highest channel", "e_high", True, 92, 5),
    TableColumn("pixels", "Pixels", _pixels, "Pixels read out per detector", "n_pixels", True, 62, 8, "right"),
    TableColumn("counts", "Counts", _counts, "Recorded counts of all detectors", "counts", True, 88, 7, "right"),
)


class ScienceTable(RowTable[ScienceFile]):
    """One row per file; a click opens it.

    Parameters
    ----------
    on_open : callable
        Called with the name of the file whose row was clicked.
    on_sort : callable
        As `RowTable`.
    """

    height = 66  # three lines on a narrow screen
    styles = ("pages/science_data/cells",)

    def __init__(self, on_open: Callable[[str], None], on_sort: Callable[[list[str]], None]) -> None:
        super().__init__(FILE_COLUMNS, lambda file, _: on_open(file.name), on_sort)
