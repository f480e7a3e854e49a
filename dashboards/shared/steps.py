"""Previous and next: whether the list has an entry before and after the open one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from archive.index.rows import Place


@dataclass(frozen=True)
class Steps:
    """Whether there is a previous and a next entry."""

    before: bool = False
    after: bool = False

    @classmethod
    def at(cls, place: Place | None) -> Steps:
        """Steps from a row at some place of a list; None if it is not in the list."""
        return cls() if place is None else cls(place.number > 0, place.number < place.total - 1)

    @classmethod
    def among(cls, ids: Sequence[str], current: str) -> Steps:
        """Steps from one of some ids to its neighbours."""
        return cls.at(Place(ids.index(current), len(ids)) if current in ids else None)


def beside(ids: Sequence[str], current: str, by: int) -> str:
    """The id ``by`` places further, at most the first or last; ``current`` if it is not in the list."""
    return ids[Place(ids.index(current), len(ids)).beside(by)] if current in ids else current
