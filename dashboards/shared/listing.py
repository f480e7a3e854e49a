"""One page of rows, and its page numbers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Listing[Row]:
    """Some rows of a longer list.

    Attributes
    ----------
    rows : tuple
    total : int
        Number of rows that match the filter.
    page, page_size : int
        Page number, from 1, and number of rows of a full page.
    problem : str
        Why rows could not be loaded, for the visitor; empty if they could.
    """

    rows: tuple[Row, ...] = ()
    total: int = 0
    page: int = 1
    page_size: int = 25
    problem: str = ""

    @property
    def pages(self) -> int:
        """Number of pages, at least one."""
        return pages_of(self.total, self.page_size)

    @property
    def first(self) -> int:
        """Number of the first row, from 1; 0 if there is none."""
        return (self.page - 1) * self.page_size + 1 if self.rows else 0

    @property
    def last(self) -> int:
        """Number of the last row."""
        return self.first + len(self.rows) - 1 if self.rows else 0

    def range_text(self, noun: str) -> str:
        """``1-25 of 1 234 images``, or ``1 image`` for a single one; ``noun`` is a plural."""
        if not self.rows:
            return f"no {noun}"
        if self.total == 1:
            first, *rest = noun.split(" ", 1)
            return " ".join(["1", first.removesuffix("s"), *rest])
        return f"{grouped(self.first)}–{grouped(self.last)} of {grouped(self.total)} {noun}"


def pages_of(total: int, page_size: int) -> int:
    """Number of pages, at least one."""
    return max(1, -(-total // page_size))


def grouped(number: float) -> str:
    """Whole number with thin spaces between thousands."""
    return f"{number:,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}")
