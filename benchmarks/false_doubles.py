"""Double circles that automatic fits choose: how many survive other counts and other sub-collimators."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

import numpy as np

from benchmarks.doubted_flares import Judged
from stixcore.errors import ReconstructionError
from stixcore.imaging.forward_fit import ForwardFitParameters, forward_fit
from stixcore.imaging.reconstruction import Method, Reconstruction
from stixcore.reconstruct import ImageSet
from stixcore.visibility.visibilities import Visibilities

#: Both sources have to be found this near again, arcsec.
NEAR = 15.0
DOUBLE = ("circle", "circle")


def doubles_table(flares: Sequence[Judged]) -> tuple[str, list[str], list[list[object]]]:
    """Every automatic double circle, and whether its sources are found again; their number last."""
    rows: list[list[object]] = []
    survived, known = 0, 0
    for one in flares:
        whole = one.images.images.get(Method.VIS_FWDFIT)
        if whole is None:
            continue
        known += 1
        if len(whole.sources) != 2:
            continue
        row_fits = [] if one.rows is None else [_double(images.vis, images) for images in one.rows]
        vis = one.images.vis
        halves = [_double(vis.select(vis.labels[start::2]), one.images) for start in (0, 1)]
        by_rows = bool(row_fits) and all(_same(whole, fit) for fit in row_fits)
        by_halves = all(_same(whole, fit) for fit in halves)
        survived += by_rows and by_halves
        table = {row["model"]: row for row in whole.model_selection}
        evidence = table["circle"]["chi2"] - table["circle+circle"]["chi2"]
        first, second = sorted(whole.sources, key=lambda source: -float(source["flux"]))
        apart = float(np.hypot(first["x"] - second["x"], first["y"] - second["y"]))
        rows.append(
            [
                one.case.name,
                f"{one.net_counts:.0f}",
                f"{second['flux'] / first['flux']:.2f}",
                f"{apart:.0f}",
                f"{first['fwhm']:.0f}, {second['fwhm']:.0f}",
                f"{evidence:.0f}",
                "yes" if by_rows else "no",
                "yes" if by_halves else "no",
            ]
        )
    share = f"{len(rows)} of {known} automatic fits are double circles, {survived} of them survive both"
    title = (
        f"Double circles: {share}; false: {len(rows) - survived} ({100 * (len(rows) - survived) / max(known, 1):.0f} %)"
    )
    columns = ["uid", "net counts", "flux ratio", "apart [″]", "FWHM [″]", "Δχ²", "both rows", "both halves"]
    return title, columns, rows


def _double(vis: Visibilities, images: ImageSet) -> Reconstruction | None:
    """Two circles fitted to part of the data."""
    try:
        return forward_fit(vis, images.recipe.grid, ForwardFitParameters(DOUBLE))
    except ReconstructionError:  # too few visibilities
        return None


def _same(whole: Reconstruction, part: Reconstruction | None) -> bool:
    """Whether a part of the data has both sources within `NEAR` of where all data have them."""
    if part is None:
        return False
    return any(
        all(
            np.hypot(source["x"] - other["x"], source["y"] - other["y"]) < NEAR
            for source, other in zip(whole.sources, order, strict=True)
        )
        for order in permutations(part.sources)
    )
