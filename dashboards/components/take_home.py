"""What a visitor can take home of the selected images: buttons below the table's selection."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from io import StringIO

import panel as pn
import panel.ui as pmui

from archive import Image
from archive.schema import IMAGES
from dashboards.state.access import Visitor
from dashboards.web.links import Links

#: Selected images, oldest first. Raises `dashboards.state.picks.TooMany` with a sentence when there are too many.
Selection = Callable[[], tuple[Image, ...]]


class TakeHomeActions:
    """Buttons that act on the selected images.

    Parameters
    ----------
    selection : callable
        Gives the selected images, oldest first; asked anew with every click.
    links : Links
        Where the browser finds their files.
    visitor : callable
        Says who is looking now.
    """

    def __init__(self, selection: Selection, links: Links, visitor: Callable[[], Visitor]) -> None:
        self._selection, self._links, self._visitor = selection, links, visitor
        table = pmui.FileDownload(
            callback=self._table,
            filename="stix_images.csv",
            label="Table",
            icon="table_view",
            variant="text",
            size="small",
            margin=(0, 2),
        )
        self.widget = pn.Row(table, margin=0)

    def _table(self) -> StringIO:
        return StringIO(images_csv(self._selection()))


def images_csv(images: Sequence[Image]) -> str:
    """Rows of the index as CSV with a head; times UTC at Solar Orbiter, what is unknown empty."""
    stream = StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    names = [column.name for column in IMAGES.columns]
    writer.writerow(names)
    writer.writerows([[_cell(getattr(image, name)) for name in names] for image in images])
    return stream.getvalue()


def _cell(value: object) -> object:
    """A value for a spreadsheet, which must not take text for a formula."""
    if isinstance(value, str) and value[:1] in {"=", "+", "-", "@", "\t", "\r"}:
        return f"'{value}"
    return "" if value is None else value
