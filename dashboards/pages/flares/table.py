"""The table of flares."""

from __future__ import annotations

from collections.abc import Callable

from dashboards.pages.flares.columns import FLARE_COLUMNS, PICTURES, FlareRow, chosen_columns
from dashboards.shared.row_table import RowTable


class FlareTable(RowTable[FlareRow]):
    """One row per flare; a click on a picture opens its image.

    Parameters
    ----------
    on_open : callable
        Called with the id of the image whose picture was clicked.
    on_sort : callable
        As `RowTable`.
    """

    height = 74
    styles = ("pages/flares/cells",)

    def __init__(self, on_open: Callable[[str], None], on_sort: Callable[[list[str]], None]) -> None:
        def click(row: FlareRow, field: str) -> None:
            image = getattr(row, field) if field in PICTURES else None
            if image is not None:
                on_open(image.image_id)

        super().__init__(FLARE_COLUMNS, click, on_sort)
        self.choose(chosen_columns(()))
