"""Position of a flare by consensus of its image sets; docs/decisions/flare_positions.md states the rule and why."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stixcore.printable import plural

#: Sets with positions closer than this agree, arcsec: twice the largest distance between the thermal and non-thermal
#: centroid of a flare of November 2022 with two trusted positions (docs/decisions/flare_positions.md).
SAME_PLACE = 40.0
#: Scatter of positions of one flare that is not error (its bands and phases differ), arcsec.
INTRINSIC = 5.0
#: Standard deviation of a position that comes without one: the peak of the full-disk map, arcsec.
UNKNOWN_SIGMA = 20.0
#: Sets with less than this share of the counts of the best one, and fewer than `ENOUGH`, have no vote.
SMALL_SHARE = 0.02
#: Net counts with which a set always votes.
ENOUGH = 3000.0
#: A set that doubts its position has this share of the vote of one that trusts it.
DOUBTFUL_SHARE = 0.1
#: A second place is mentioned when it has this share of the votes of the first.
RIVAL_SHARE = 0.3
#: Methods of a set disagree when their median is this far from the position of the set, arcsec, and 3 σ.
METHODS_APART = 20.0
#: Level of the coarse locator beyond which it excludes a position.
EXCLUDED = 0.997


@dataclass(frozen=True)
class ImageSetPosition:
    """What one image set says about the position of a flare.

    Attributes
    ----------
    run_id, band, method : str
        ``method`` is how the set was located.
    x, y : float, arcsec
        Helioprojective from Solar Orbiter.
    sigma : float or None, arcsec
        Standard deviation on each axis, with the pointing's.
    counts : float
        Net counts.
    reasons : tuple of str
        Why the set doubts its position; empty if it trusts it.
    offset : float or None, arcsec
        Distance of the median centroid of the deconvolved images from the position.
    locator : (x, y) or None, arcsec
        Best position of the coarse locator.
    locator_counts : float or None
    locator_level : float or None
        Confidence level of the locator's contour through the position.
    """

    run_id: str
    band: str
    method: str
    x: float
    y: float
    sigma: float | None
    counts: float
    reasons: tuple[str, ...] = ()
    offset: float | None = None
    locator: tuple[float, float] | None = None
    locator_counts: float | None = None
    locator_level: float | None = None

    @property
    def trusted(self) -> bool:
        """The set does not doubt its position."""
        return not self.reasons

    @property
    def votes(self) -> float:
        """Share in the choice between places: √counts, a tenth of it with a doubtful position."""
        return math.sqrt(max(self.counts, 1.0)) * (1.0 if self.trusted else DOUBTFUL_SHARE)

    @property
    def weight(self) -> float:
        """Weight in the mean: 1 / (σ² + σ₀²), a tenth of it with a doubtful position."""
        sigma = UNKNOWN_SIGMA if self.sigma is None else self.sigma
        return (1.0 if self.trusted else DOUBTFUL_SHARE) / (sigma**2 + INTRINSIC**2)


@dataclass(frozen=True)
class Consensus:
    """Position of a flare: place and error (arcsec, None if unknown), the sets there, and why it is doubtful."""

    x: float
    y: float
    sigma: float | None
    sets: tuple[ImageSetPosition, ...]
    doubts: tuple[str, ...]

    @property
    def best(self) -> ImageSetPosition:
        """The set with most votes."""
        return self.sets[0]


def consensus(sets: Sequence[ImageSetPosition]) -> Consensus | None:
    """Position by consensus of image sets; None without any.

    Parameters
    ----------
    sets : sequence of ImageSetPosition
        Public sets of the flare that were located from their own data.
    """
    voters = _voters(sets)
    if not voters:
        return None
    place, others = _heaviest_place(voters)
    weights = np.array([one.weight for one in place])
    xy = np.array([(one.x, one.y) for one in place])
    x, y = (float(value) for value in np.average(xy, axis=0, weights=weights))
    return Consensus(x, y, _sigma(place, xy, weights), tuple(place), tuple(_doubts(place, others, (x, y))))


def _voters(sets: Sequence[ImageSetPosition]) -> list[ImageSetPosition]:
    """Sets with enough counts, most votes first."""
    most = max((one.counts for one in sets), default=0.0)
    found = [one for one in sets if one.counts >= min(ENOUGH, most) or one.counts >= SMALL_SHARE * most]
    return sorted(found, key=lambda one: (-one.votes, one.run_id))


def _heaviest_place(voters: list[ImageSetPosition]) -> tuple[list[ImageSetPosition], list[ImageSetPosition]]:
    """The sets within `SAME_PLACE` of the set that has most votes around it, and the others."""

    def near(center: ImageSetPosition) -> list[ImageSetPosition]:
        return [one for one in voters if math.hypot(one.x - center.x, one.y - center.y) <= SAME_PLACE]

    center = max(voters, key=lambda one: sum(other.votes for other in near(one)))  # the first of equals
    place = near(center)
    return place, [one for one in voters if one not in place]


def _sigma(place: list[ImageSetPosition], xy: np.ndarray, weights: np.ndarray) -> float | None:
    """Error on each axis: the mean variance of the sets, because they share the pointing, and their scatter."""
    known = [(one.sigma**2, one.weight) for one in place if one.sigma is not None]
    if not known:
        return None
    variances, shares = (np.array(values) for values in zip(*known, strict=True))
    scatter = np.average((xy - np.average(xy, axis=0, weights=weights)) ** 2, axis=0, weights=weights)
    return float(math.sqrt(np.average(variances, weights=shares) + scatter.mean()))


def _contradicts(one: ImageSetPosition, best: ImageSetPosition, xy: tuple[float, float]) -> bool:
    """Whether a set elsewhere cannot be explained by its errors: more than 3 σ from the position.

    Both errors contain that of the pointing, which the sets share and which is at most the smaller of the two. So the
    difference has at least σ² = |σ₁² - σ₂²|.
    """
    sigmas = [UNKNOWN_SIGMA if which.sigma is None else which.sigma for which in (one, best)]
    sigma = math.sqrt(abs(sigmas[0] ** 2 - sigmas[1] ** 2))
    return math.hypot(one.x - xy[0], one.y - xy[1]) > 3.0 * sigma


def _doubts(place: list[ImageSetPosition], others: list[ImageSetPosition], xy: tuple[float, float]) -> list[str]:
    doubts: list[str] = []
    if not any(one.trusted for one in place):
        doubts += place[0].reasons
    votes = sum(one.votes for one in place)
    far = [one for one in others if _contradicts(one, place[0], xy)]
    rivals = _heaviest_place(far)[0] if far else []
    if sum(one.votes for one in rivals) >= RIVAL_SHARE * votes:
        rival = rivals[0]
        distance = math.hypot(rival.x - xy[0], rival.y - xy[1])
        doubts.append(
            f"{plural(len(rivals), 'image set')} ({rival.band}) put the flare {distance:.0f}″ away, at "
            f"({rival.x:.0f}″, {rival.y:.0f}″)"
        )
    apart = [
        one for one in place if one.offset is not None and one.offset > max(METHODS_APART, 3.0 * (one.sigma or 0.0))
    ]
    if apart and len(apart) == len([one for one in place if one.offset is not None]):
        doubts.append(f"the images are {apart[0].offset:.0f}″ from the position of their set ({apart[0].band})")
    excluded = [one for one in place if one.locator_level is not None and one.locator_level > EXCLUDED]
    if excluded and excluded[0].locator is not None:
        x, y = excluded[0].locator
        doubts.append(f"the coarse locator puts the flare at ({x:.0f}″, {y:.0f}″) and excludes the position")
    return doubts
