"""The pager above a table."""

from __future__ import annotations

import panel.ui as pmui

from dashboards.shared.listing import Listing


def turn_to[Row](pager: pmui.Pagination, listing: Listing[Row]) -> None:
    """Let a pager show which page a listing is, and of how many."""
    steps = {"count": listing.pages, "value": listing.page - 1}
    # the pager's value must lie below its count at every moment
    for name in steps if listing.pages > pager.count else reversed(steps):
        setattr(pager, name, steps[name])
