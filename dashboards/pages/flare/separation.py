"""Distance between the thermal and the non-thermal source of a flare: a fact, or a doubt where it is too large."""

from __future__ import annotations

import math
from dataclasses import dataclass

from archive import Image
from dashboards.pages.flare.content import FlareContent
from dashboards.shared import formatting
from jobs.flares.consensus import SAME_PLACE


@dataclass(frozen=True)
class Separation:
    """From the brightest source of the thermal image to that of the non-thermal image, seen from Solar Orbiter.

    Attributes
    ----------
    west, north : float, arcsec
    sigma : float or None, arcsec
        Standard deviation of the distance on each axis, without the pointing, which both share; None if unknown.
    """

    west: float
    north: float
    sigma: float | None

    @property
    def distance(self) -> float:
        """Arcsec."""
        return math.hypot(self.west, self.north)

    @property
    def is_doubtful(self) -> bool:
        """Both cannot be sources of one flare: further apart than `SAME_PLACE`, and than 3 σ."""
        return self.distance > max(SAME_PLACE, 3.0 * (self.sigma or 0.0))

    @property
    def text(self) -> str:
        """``18″ ± 3″ (12″ west, 14″ south)``."""
        error = "" if self.sigma is None else f" ± {formatting.number(self.sigma, '.0f')}″"
        x = f"{abs(self.west):.0f}″ {'west' if self.west >= 0 else 'east'}"
        y = f"{abs(self.north):.0f}″ {'north' if self.north >= 0 else 'south'}"
        return f"{self.distance:.0f}″{error} ({x}, {y})"


def separation_of(content: FlareContent) -> Separation | None:
    """Of the best thermal and non-thermal image; None without both."""
    if content.thermal is None or content.nonthermal is None:
        return None
    return separation(content.thermal.image, content.nonthermal.image)


def separation(thermal: Image, nonthermal: Image) -> Separation | None:
    """Between the centroids of two images; None where one has none."""
    x0, y0 = thermal.centroid_hpc_x, thermal.centroid_hpc_y
    x1, y1 = nonthermal.centroid_hpc_x, nonthermal.centroid_hpc_y
    if x0 is None or y0 is None or x1 is None or y1 is None:
        return None
    one, two = thermal.centroid_sigma, nonthermal.centroid_sigma
    return Separation(x1 - x0, y1 - y0, None if one is None or two is None else math.hypot(one, two))


def fact_html(content: FlareContent) -> str:
    """The distance in one sentence; empty without both images, or where it is among the doubts."""
    found = separation_of(content)
    if found is None or found.is_doubtful:
        return ""
    return (
        '<p class="facts">The brightest source of the non-thermal image is '
        f"{found.text} from that of the thermal image.</p>"
    )


def doubt_text(content: FlareContent) -> str:
    """Why the distance is doubtful; empty if it is not."""
    found = separation_of(content)
    if found is None or not found.is_doubtful:
        return ""
    return (
        f"the non-thermal image is {found.text} from the thermal one, further than loops and footpoints of one flare "
        f"({SAME_PLACE:.0f}″): one of them may show a side lobe or noise"
    )
