"""What is drawn on a full-disk map: where the images are, other peaks, and the regions of the coarse flare locator."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from stixcore.image_files.locator_table import LocatorRegions
from stixcore.image_files.read import ImageFile
from stixcore.imaging.coarse_locator import LEVELS
from stixcore.imaging.location import SIDELOBE_DISTANCE, Candidate, ripple_level
from stixcore.reconstruct import ImageSet

#: Files of before 2026-12 neither have the regions nor say why.
NOT_STORED = "this file does not contain them"
SOURCE = "Location of the images"
OTHERS = "Other peaks of the map, their height relative to the highest"
LOCATOR = "Coarse flare locator: best position and 68, 95 and 99.7 % regions (1, 2, 3 σ: full, dashed and dotted line)"


@dataclass(frozen=True)
class DiskMarks:
    """Marks of a full-disk map; positions are helioprojective, arcsec.

    Attributes
    ----------
    source : (x, y) or None
        Center of the flare maps of the set.
    others : tuple of Candidate
        Peaks more than 200″ from there.
    locator : LocatorRegions or None
    no_locator : str
        Why there are no regions, without a full stop; empty when there are.
    """

    source: tuple[float, float] | None = None
    others: tuple[Candidate, ...] = ()
    locator: LocatorRegions | None = field(default=None, compare=False)
    no_locator: str = ""

    @property
    def missing(self) -> str:
        """A sentence that says why the locator is not drawn; empty when it is."""
        return f"No regions of the coarse flare locator: {self.no_locator}." if self.no_locator else ""


def marks_of_file(file: ImageFile) -> DiskMarks:
    """Marks of the file of a full-disk map, of any age."""
    header = file.header
    source = (float(header["MAPC_HPX"]), float(header["MAPC_HPY"])) if "MAPC_HPX" in header else None
    reason = "" if file.locator is not None else str(header.get("CFL_WHY", NOT_STORED))
    return DiskMarks(source, _others(file.candidates, source), file.locator, reason)


def marks_of_images(images: ImageSet) -> DiskMarks:
    """Marks of the full-disk map of an image set; the same as those of its file."""
    place, found = images.recipe.location, images.locator
    source = place.x, place.y
    candidates = () if images.location is None else images.location.candidates
    if found is None:
        return DiskMarks(source, _others(candidates, source), None, images.no_locator or NOT_STORED)
    level = images.locator_level
    outlines = tuple((one, tuple(found.contours(one))) for one in LEVELS)
    regions = LocatorRegions(found.x, found.y, found.radius, float("nan") if level is None else level, outlines)
    return DiskMarks(source, _others(candidates, source), regions)


def scale_text(image: NDArray[np.float64]) -> str:
    """A sentence about the color scale of a full-disk map, (ny, nx)."""
    top = float(image.max())
    share = ripple_level(image) / top if top > 0 else 0.0
    return f"The scale starts at {100 * share:.0f} % of the highest peak; the side lobes and noise below are not shown."


def _others(candidates: tuple[Candidate, ...], source: tuple[float, float] | None) -> tuple[Candidate, ...]:
    if source is None:
        return candidates
    return tuple(one for one in candidates if np.hypot(one.x - source[0], one.y - source[1]) > SIDELOBE_DISTANCE)
