"""How regions look: colours, dashes, markers and signs, different for each also without colours."""

from __future__ import annotations

#: Colours of regions on the black map, for light and dark pages too; dashes and markers of the figures differ as well.
COLORS = ("#1f9fd8", "#e8850c", "#2fae6f", "#d9508f", "#a98bf0", "#b08d57")
DASHES = ("solid", "dashed", "dotdash", "dotted", "dashdot")
MARKERS = ("circle", "square", "triangle", "diamond", "inverted_triangle", "star")
#: Signs of the markers in text, in the same order.
SIGNS = ("●", "■", "▲", "◆", "▼", "★")


def look_of(number: int) -> tuple[str, str, str]:
    """Colour, dashes and marker of a region with this place in the list."""
    return COLORS[number % len(COLORS)], DASHES[number % len(DASHES)], MARKERS[number % len(MARKERS)]


def sign_html(number: int) -> str:
    """The coloured sign of a region, for text beside its name."""
    color = COLORS[number % len(COLORS)]
    return f"<span style='color:{color}' aria-hidden='true'>{SIGNS[number % len(SIGNS)]}</span>"
