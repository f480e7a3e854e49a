"""The line above a table: number of rows, rows per page, pages."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any

import panel as pn
import panel.ui as pmui

from dashboards.shared.listing import Listing
from dashboards.shared.style import LOW

#: Looks of the fields in this line.
FIELD: dict[str, Any] = {"size": "small", "margin": (6, 12, 4, 0), "description": "", "sx": LOW}


class Paging:
    """Shows the page of a listing, and reports another choice.

    Parameters
    ----------
    page_size : Parameter
        Number of rows of a full page.
    on_turn : callable
        Called with the page to show, from 1.
    fields : viewable
        More fields in this line.
    """

    def __init__(self, page_size: Any, on_turn: Callable[[int], None], *fields: Any) -> None:
        self._page, self._on_turn = 1, on_turn
        self.total = pn.pane.HTML("", margin=(8, 0), styles={"font-size": "14px", "flex": "1 1 auto"})
        self.pager = pmui.Pagination(count=1, value=0, size="small", margin=(2, 0), shape="rounded")
        size = pmui.Select.from_param(page_size, label="Rows", width=84, **FIELD)
        self.widget = pn.FlexBox(
            self.total, *fields, size, self.pager, sizing_mode="stretch_width", align_items="center"
        )
        self.pager.param.watch(self._turned, "value")

    def show(self, listing: Listing[Any], rows: str) -> None:
        """Show number and page of a listing; ``rows`` says what its rows are, a plural."""
        self._page = listing.page
        self.total.object = escape(listing.range_text(rows))
        steps = {"count": listing.pages, "value": listing.page - 1}
        # the pager's value must never exceed its count
        for name in steps if listing.pages > self.pager.count else reversed(steps):
            setattr(self.pager, name, steps[name])

    def _turned(self, event: Any) -> None:
        if event.new is not None and event.new + 1 != self._page:
            self._on_turn(event.new + 1)
