"""The pager above a table."""

from __future__ import annotations

import panel.ui as pmui

from dashboards.shared.listing import Listing


def turn_to[Row](pager: pmui.Pagination, listing: Listing[Row]) -> None:
    """Set a pager to the page and page count of a listing."""
    steps = {"count": listing.pages, "value": listing.page - 1}
    # the pager's value must never exceed its count
    for name in steps if listing.pages > pager.count else reversed(steps):
        setattr(pager, name, steps[name])
