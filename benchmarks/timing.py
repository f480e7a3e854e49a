"""Compare the times of two implementations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter


@dataclass(frozen=True)
class Timed[Ours, Theirs]:
    """Best times [s] and results of both sides."""

    ours: float
    theirs: float
    our_result: Ours
    their_result: Theirs

    @property
    def ratio(self) -> float:
        """Factor by which ours is faster."""
        return self.theirs / self.ours


def side_by_side[Ours, Theirs](
    ours: Callable[[], Ours], theirs: Callable[[], Theirs], *, repeat: int = 20, peer_repeat: int = 3
) -> Timed[Ours, Theirs]:
    """Best of several runs of each, alternating so that other load affects both."""
    our_best = their_best = float("inf")
    our_result, their_result = ours(), None  # the first run fills caches
    for turn in range(peer_repeat):
        begin = perf_counter()
        their_result = theirs()
        their_best = min(their_best, perf_counter() - begin)
        for _ in range(max(repeat // peer_repeat, 1) if turn < peer_repeat else 0):
            begin = perf_counter()
            our_result = ours()
            our_best = min(our_best, perf_counter() - begin)
    assert their_result is not None
    return Timed(our_best, their_best, our_result, their_result)


type Table = tuple[str, list[str], list[list[object]]]


def markdown_table(title: str, columns: list[str], rows: list[list[object]]) -> str:
    """The same in Markdown, with the title as a heading."""
    lines = [columns, ["---"] * len(columns), *([_cell(value) for value in row] for row in rows)]
    body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"\n## {title}\n\n{body}\n"


def print_table(title: str, columns: list[str], rows: list[list[object]]) -> None:
    """Aligned text table with a title."""
    texts = [[_cell(value) for value in row] for row in rows]
    widths = [max([len(name), *(len(row[i]) for row in texts)]) for i, name in enumerate(columns)]
    print(f"\n{title}")
    print("  " + "  ".join(name.ljust(width) for name, width in zip(columns, widths, strict=True)))
    print("  " + "  ".join("-" * width for width in widths))
    for row in texts:
        print("  " + "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)))


def _cell(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
