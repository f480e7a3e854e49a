"""Where one can go from what is opened: whether the list has something before it and after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from archive.index.rows import Place


@dataclass(frozen=True)
class Steps:
    """Whether there is one before, and one after."""

    before: bool = False
    after: bool = False

    @classmethod
    def at(cls, place: Place | None) -> Steps:
        """From a row at some place of a list; None for one that is not in it."""
        return cls() if place is None else cls(place.number > 0, place.number < place.total - 1)

    @classmethod
    def among(cls, ids: Sequence[str], current: str) -> Steps:
        """From one of some ids to its neighbours."""
        return cls.at(Place(ids.index(current), len(ids)) if current in ids else None)


def beside(ids: Sequence[str], current: str, by: int) -> str:
    """The id that many further on; the first or last one where there is none, and the present one of no list."""
    return ids[Place(ids.index(current), len(ids)).beside(by)] if current in ids else current
