"""Colours that colour-blind readers tell apart, as (red, green, blue).

Okabe & Ito 2008, Color Universal Design, https://jfly.uni-koeln.de/color/.
"""

from __future__ import annotations

type Color = tuple[int, int, int]

ORANGE: Color = (230, 159, 0)
SKY_BLUE: Color = (86, 180, 233)
GREEN: Color = (0, 158, 115)
YELLOW: Color = (240, 228, 66)
BLUE: Color = (0, 114, 178)
VERMILION: Color = (213, 94, 0)
PURPLE: Color = (204, 121, 167)


def css_color(color: Color) -> str:
    """A colour as in style sheets: ``#rrggbb``."""
    return "#{:02x}{:02x}{:02x}".format(*color)
