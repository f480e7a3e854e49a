"""The values in the URL of a page are not parsed by Panel.

`Location` parses all of them whenever the query string changes, even when nothing is synchronized with it. A whole
number with more digits than Python converts causes a traceback and status 500, and text that begins with a bracket a
warning with all of it. The smallest program that shows it::

    urlopen("http://localhost:5006/app?page=" + 5000 * "1")  # 500

Panel 1.10. The pages read the URL themselves (`dashboards.shared.address`).
"""

from __future__ import annotations

from typing import Any

from panel.io.location import Location


def leave_values_alone() -> None:
    """Parse the query string in this process only for objects that are synchronized with it."""
    location: Any = Location
    update = location._update_synced  # the watcher of every location

    def update_synced(self: Any, event: Any = None) -> None:
        if self._synced:
            update(self, event)

    location._update_synced = update_synced
