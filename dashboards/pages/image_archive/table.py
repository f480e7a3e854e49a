"""The tables of images and image sets, whose checkboxes select images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from dashboards.pages.image_archive.set_columns import SET_COLUMNS, SetRow, shown_columns
from dashboards.shared.image_columns import IMAGE_COLUMNS, ImageRow, chosen_columns
from dashboards.shared.links import Links
from dashboards.shared.paged_table import Origin, TableColumn
from dashboards.shared.row_table import RowTable


class TickedTable[Row: Origin](RowTable[Row]):
    """A table with boxes that select images.

    Parameters
    ----------
    columns, on_click, on_sort
        As `RowTable`.
    images : callable
        Ids of the images that a row stands for; its box is ticked when all of them are selected.
    on_pick : callable
        Called with the ids of the images that were ticked, and of those that were unticked.
    """

    boxes = True

    def __init__(
        self,
        columns: Sequence[TableColumn[[Row, Links]]],
        on_click: Callable[[Row, str], None],
        on_sort: Callable[[list[str]], None],
        images: Callable[[Row], Sequence[str]],
        on_pick: Callable[[list[str], list[str]], None],
    ) -> None:
        self._images, self._on_pick = images, on_pick
        super().__init__(columns, on_click, on_sort)
        self.widget.param.watch(self._ticked, "ticked")

    def show(
        self, rows: Sequence[Row], sort: Sequence[str], links: Links, picked: frozenset[str] = frozenset()
    ) -> None:
        """Show rows as `RowTable`, with the boxes of selected images ticked."""
        with self._silently():
            super().show(rows, sort, links)
            self.widget.ticked = self._places(picked)

    def tick(self, picked: frozenset[str]) -> None:
        """Tick the checkboxes of these images, and no others."""
        selection = self._places(picked)
        if selection != sorted(self.widget.ticked):
            with self._silently():
                self.widget.ticked = selection

    def _places(self, picked: frozenset[str]) -> list[int]:
        ids = [self._images(row) for row in self._rows]
        return [place for place, images in enumerate(ids) if images and picked.issuperset(images)]

    def _ticked(self, event: Any) -> None:
        if self._quiet:
            return

        def ids(places: set[int]) -> list[str]:
            rows = (self._rows[place] for place in sorted(places) if 0 <= place < len(self._rows))
            return [image_id for row in rows for image_id in self._images(row)]

        self._on_pick(ids(set(event.new) - set(event.old)), ids(set(event.old) - set(event.new)))


class ImageTable(TickedTable[ImageRow]):
    """One row per image; a click opens it, except on links and checkboxes.

    Parameters
    ----------
    on_open : callable
        Called with the id of the image whose row was clicked.
    on_sort, on_pick : callable
        As `TickedTable`.
    """

    def __init__(
        self,
        on_open: Callable[[str], None],
        on_sort: Callable[[list[str]], None],
        on_pick: Callable[[list[str], list[str]], None],
    ) -> None:
        self._opening = {column.field for column in IMAGE_COLUMNS} - {"file"}

        def click(row: ImageRow, field: str) -> None:
            if field in self._opening:
                on_open(row.image.image_id)

        super().__init__(IMAGE_COLUMNS, click, on_sort, lambda row: (_image_id(row),), on_pick)
        self.choose(chosen_columns(()))


class SetTable(TickedTable[SetRow]):
    """One row per image set; a picture opens its image, the first column shows the rows of the images.

    Parameters
    ----------
    on_open : callable
        Called with the id of the image to open.
    on_rows : callable
        Called with the recipe id of the set whose rows are shown or hidden.
    on_sort, on_pick : callable
        As `TickedTable`.
    """

    def __init__(
        self,
        on_open: Callable[[str], None],
        on_rows: Callable[[str], None],
        on_sort: Callable[[list[str]], None],
        on_pick: Callable[[list[str], list[str]], None],
    ) -> None:
        methods = {column.field: column.method for column in SET_COLUMNS}

        def click(row: SetRow, field: str) -> None:
            if field == "rows" and not row.method:
                on_rows(row.run.run_id)
            elif field in methods and field != "file":
                image = row.images.get(methods[field]) or row.main
                if image is not None:
                    on_open(image.image_id)

        super().__init__(SET_COLUMNS, click, on_sort, lambda row: row.image_ids, on_pick)

    def show(
        self, rows: Sequence[SetRow], sort: Sequence[str], links: Links, picked: frozenset[str] = frozenset()
    ) -> None:
        """Show rows as `TickedTable`, with columns of pictures for the methods that they have."""
        self.choose(shown_columns(rows))
        super().show(rows, sort, links, picked)


def _image_id(row: ImageRow) -> str:
    return row.image.image_id
