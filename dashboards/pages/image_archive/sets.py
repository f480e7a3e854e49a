"""Image sets of a page with their images."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from archive import Archive, Image, ImageFilter, Run
from archive.index.order import NET_COUNTS
from archive.layout import MOST_METHODS
from dashboards.pages.image_archive.set_columns import SetRow
from dashboards.shared.access import Visitor
from dashboards.shared.formatting import estimated_class
from stixcore.imaging.registry import place_in_order

#: What sets can be sorted by besides the columns of runs.
SET_SORTS = (NET_COUNTS, "goes_flux", "goes_estimated_flux")


def set_rows(archive: Archive, runs: Sequence[Run], visitor: Visitor) -> tuple[SetRow, ...]:
    """Rows of image sets, with the images that a visitor may see."""
    if not runs:
        return ()
    which = ImageFilter(recipe_ids=tuple(run.run_id for run in runs), viewer=visitor.name, all_hidden=visitor.operator)
    images: dict[str, dict[str, Image]] = {run.run_id: {} for run in runs}
    for image in archive.images(which, sort=("method",), limit=len(runs) * MOST_METHODS):
        images[image.recipe_id][image.method] = image
    return tuple(_row(run, images[run.run_id]) for run in runs)


def with_images(sets: Sequence[SetRow], opened: Collection[str]) -> tuple[SetRow, ...]:
    """The rows of sets, each opened one followed by a row per image."""
    rows: list[SetRow] = []
    for row in sets:
        if row.run.run_id not in opened:
            rows.append(row)
            continue
        rows.append(replace(row, opened=True))
        rows += [replace(row, method=method) for method in sorted(row.images, key=place_in_order)]
    return tuple(rows)


def _row(run: Run, images: dict[str, Image]) -> SetRow:
    """A set with the classes of its flare, which its images have."""
    measured = next((image.goes_class for image in images.values() if image.goes_class), "")
    estimated = next((known for image in images.values() if (known := estimated_class(image))), "")
    return SetRow(run, images, measured, estimated)
