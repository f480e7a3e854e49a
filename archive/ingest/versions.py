"""Versions of one observation: the latest is used, the others name it in ``superseded_by``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from archive.index.schema import ProductFile

#: Two files are versions of one observation when their overlap is at least this part of their union. A reprocessed file
#: may begin a bin later; half a day of light curves is not a version of the whole day.
SAME_OBSERVATION = 0.5


def with_successors[R: ProductFile](rows: Iterable[R]) -> list[R]:
    """Rows with the correct ``superseded_by``, which depends on the set of files and not on their order."""
    rows = list(rows)
    groups: dict[tuple[str, str, bool], list[R]] = {}
    for row in rows:
        groups.setdefault(_group(row), []).append(row)
    return [replace(row, superseded_by=_successor(row, groups[_group(row)])) for row in rows]


def _successor[R: ProductFile](row: R, group: list[R]) -> str | None:
    newer = [
        other for other in group if other.version_order > row.version_order and _shared(row, other) >= SAME_OBSERVATION
    ]
    return max(newer, key=lambda other: other.version_order).name if newer else None


def _group(row: ProductFile) -> tuple[str, str, bool]:
    return row.product, getattr(row, "uid", ""), row.simulated


def _shared(a: ProductFile, b: ProductFile) -> float:
    """Overlap of two time ranges divided by their union."""
    common = min(a.t_end, b.t_end) - max(a.t_start, b.t_start)
    together = max(a.t_end, b.t_end) - min(a.t_start, b.t_start)
    return float(common / together) if together > np.timedelta64(0, "us") else 1.0
