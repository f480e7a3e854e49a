"""Times between which the archive has light curves, flares and tracks, from the index alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from archive.index.sql import select
from archive.queries import ArchiveQueries
from stixcore.fits.spec import ProductKind

#: Tables with the files of a product.
_FILES = {ProductKind.LIGHT_CURVE: "quicklook_files", ProductKind.BACKGROUND_MONITOR: "other_files"}
#: Images of the cubes that previews made, which everybody may see.
CUBE_IMAGES = "group_id LIKE 'cube-%' AND author = 'auto' AND NOT hidden"


@dataclass(frozen=True)
class Extent:
    """First time, and the time just after the last one: datetime64[us], UTC at Solar Orbiter."""

    start: np.datetime64
    end: np.datetime64

    @classmethod
    def around(cls, first: Any, last: Any) -> Extent | None:
        """Whole seconds with two times and what is between them; None if they are empty."""
        if first is None or last is None:
            return None
        start, end = (np.datetime64(time, "us").astype("datetime64[s]") for time in (first, last))
        return cls(start.astype("datetime64[us]"), (end + np.timedelta64(1, "s")).astype("datetime64[us]"))


def product_extent(archive: ArchiveQueries, product: ProductKind, *, simulated: bool = False) -> Extent | None:
    """Times of quick-look light curves (``LIGHT_CURVE``) or the background detector (``BACKGROUND_MONITOR``)."""
    rest = " WHERE product = ? AND simulated = ?"
    sql = select("min(t_start) AS first, max(t_end) AS last", _FILES[product], rest)
    return _extent(archive, sql, [str(product), simulated])


def flare_extent(archive: ArchiveQueries, *, simulated: bool = False) -> Extent | None:
    """Times of the peaks of flares."""
    return _extent(
        archive, "SELECT min(t_peak) AS first, max(t_peak) AS last FROM flares WHERE simulated = ?", [simulated]
    )


def cube_extents(archive: ArchiveQueries, *, simulated: bool = False) -> dict[tuple[float, float], Extent]:
    """Times of the cubes of previews by energy band [keV], the lowest band first."""
    what = "SELECT e_low, e_high, min(t_start) AS first, max(t_end) AS last FROM images"
    rest = f"WHERE {CUBE_IMAGES} AND simulated = ? GROUP BY e_low, e_high ORDER BY e_low, e_high"
    found = {}
    for row in archive.rows(f"{what} {rest}", [simulated]):
        extent = Extent.around(row["first"], row["last"])
        if extent is not None:
            found[float(row["e_low"]), float(row["e_high"])] = extent
    return found


def _extent(archive: ArchiveQueries, sql: str, values: Sequence[Any]) -> Extent | None:
    (row,) = archive.rows(sql, values)
    return Extent.around(row["first"], row["last"])
