"""The three views of the Sun figure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from stixcore.coordinates import ASTRONOMICAL_UNIT, SOLAR_RADIUS


class SunView(StrEnum):
    """From where the Sun is seen, or its map."""

    SOLAR_ORBITER = "solo"
    EARTH = "earth"
    CARRINGTON = "carrington"


@dataclass(frozen=True)
class ViewLook:
    """Axes of a view.

    Attributes
    ----------
    name : str
        On pages.
    x_label, y_label : str
    ranges : (float, float, float, float)
        x from and to, y from and to, in the unit of the view.
    cell : float
        Side of the cells that marks of many flares are joined in, in the unit of the view: about three pixels.
    hollow : str
        What hollow marks mean.
    """

    name: str
    x_label: str
    y_label: str
    ranges: tuple[float, float, float, float]
    cell: float
    hollow: str


#: Solar radius, au.
RADIUS_AU = SOLAR_RADIUS / ASTRONOMICAL_UNIT
#: Apparent solar radius at 1 au, arcsec. Seen from the Earth it changes by 1.7 % in the course of a year.
RADIUS_AT_EARTH = math.degrees(math.asin(RADIUS_AU)) * 3600.0
LOOKS = {
    SunView.SOLAR_ORBITER: ViewLook(
        "Solar Orbiter", "west [solar radii]", "north [solar radii]", (-1.25, 1.25, -1.25, 1.25), 0.025, "off the limb"
    ),
    SunView.EARTH: ViewLook(
        "Earth", "Solar X [arcsec]", "Solar Y [arcsec]", (-1200.0, 1200.0, -1200.0, 1200.0), 24.0, "behind the limb"
    ),
    SunView.CARRINGTON: ViewLook(
        "Carrington map",
        "Carrington longitude [deg]",
        "latitude [deg]",
        (0.0, 360.0, -90.0, 90.0),
        2.0,
        "hidden from the Earth",
    ),
}
