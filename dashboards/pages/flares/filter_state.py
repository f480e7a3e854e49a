"""Filter of flares: as typed or brushed by the visitor, and as used by the archive."""

from __future__ import annotations

import re
from typing import Any, ClassVar

import param

from archive.index.filters import NO_LOCATION, Box, FlareFilter
from dashboards.pages.flares.views import SunView
from dashboards.shared.errors import NotUnderstood
from dashboards.shared.filter_state import FilterState
from dashboards.shared.ranges import earliest, goes_range, latest, number_range

ANY, TRUSTED, DOUBTFUL = "any", "trusted", "doubtful"
YES, NO = "yes", "no"
REAL, SIMULATED = "real", "simulated"
_EDGE = r"(-?\d{1,4}(?:\.\d{1,5})?)"
_BOX = re.compile(rf"({'|'.join(SunView)}):{_EDGE},{_EDGE},{_EDGE},{_EDGE}", re.ASCII)


class FlareFilterState(FilterState):
    """A filter over flares. Invalid values are ignored and reported in `complaints`."""

    start = param.String("", doc="Earliest peak, UTC at Solar Orbiter; may be given in part")
    end = param.String("", doc="Latest peak, included, UTC at Solar Orbiter; may be given in part")
    text = param.String("", doc="A piece of the flare id, of another id or of the SOL identifier")
    goes = param.String("", doc="Measured GOES class or range of them, “C1” (and above), “C1-M5”")
    estimated = param.String("", doc="GOES class estimated from STIX data, or range of them")
    temperature = param.String("", doc="Range of the temperature from the fit of the spectrum, MK, “10..20”")
    delta = param.String("", doc="Range of the spectral index δ from the fit of the spectrum, “3..6”")
    verdict: param.Selector[Any] = param.Selector(
        default=ANY, objects=[ANY, TRUSTED, DOUBTFUL, NO_LOCATION], doc="Verdict on the location; unknown: none"
    )
    earth: param.Selector[Any] = param.Selector(default=ANY, objects=[ANY, YES, NO], doc="Visible from the Earth")
    pictures: param.Selector[Any] = param.Selector(default=ANY, objects=[ANY, YES, NO], doc="With images")
    x = param.String("", doc="Range of Solar X seen from Solar Orbiter, arcsec, “-600..-400”")
    y = param.String("", doc="Range of Solar Y seen from Solar Orbiter, arcsec")
    box = param.String("", doc="Area of the map: its view and edges, “earth:-500,0,100,400”")
    series: param.Selector[Any] = param.Selector(default=ANY, objects=[ANY, REAL, SIMULATED], doc="Origin of the data")

    filter_names: ClassVar = (
        "start",
        "end",
        "text",
        "goes",
        "estimated",
        "temperature",
        "delta",
        "verdict",
        "earth",
        "pictures",
        "x",
        "y",
        "box",
        "series",
    )

    def flare_filter(self) -> FlareFilter:
        """The filter; sets `complaints`."""
        parsed = self._parse_fields(
            {
                "start": earliest,
                "end": latest,
                "goes": goes_range,
                "estimated": goes_range,
                "temperature": number_range,
                "delta": number_range,
                "x": number_range,
                "y": number_range,
                "box": parse_box,
            }
        )
        (goes_min, goes_max), (estimated_min, estimated_max), (x_min, x_max), (y_min, y_max) = (
            parsed[name] or (None, None) for name in ("goes", "estimated", "x", "y")
        )
        (temperature_min, temperature_max), (delta_min, delta_max) = (
            parsed[name] or (None, None) for name in ("temperature", "delta")
        )
        view, box = parsed["box"] or (None, None)
        chosen = {YES: True, NO: False}
        return FlareFilter(
            t_start=parsed["start"],
            t_end=parsed["end"],
            text=self.text.strip(),
            goes_min=goes_min,
            goes_max=goes_max,
            estimated_min=estimated_min,
            estimated_max=estimated_max,
            temperature_min=temperature_min,
            temperature_max=temperature_max,
            delta_min=delta_min,
            delta_max=delta_max,
            verdict=None if self.verdict == ANY else self.verdict,
            earth_visible=chosen.get(self.earth),
            has_images=chosen.get(self.pictures),
            x_min=x_min,
            x_max=x_max,
            y_min=y_min,
            y_max=y_max,
            disk_box=box if view is SunView.SOLAR_ORBITER else None,
            earth_box=box if view is SunView.EARTH else None,
            carrington_box=box if view is SunView.CARRINGTON else None,
            simulated={REAL: False, SIMULATED: True}.get(self.series),
        )


def box_text(view: SunView, box: Box) -> str:
    """An area of the map as text, ``earth:-500,0,100,400``: view, x from and to, y from and to."""
    return f"{view}:" + ",".join(f"{round(edge, 3):g}" for edge in box)


def parse_box(text: str) -> tuple[SunView, Box] | None:
    """View and edges from the text of `box_text`; None from empty text.

    Raises
    ------
    NotUnderstood
        If it is not the area of a view.
    """
    if not text.strip():
        return None
    found = _BOX.fullmatch(text.strip())
    x0, x1, y0, y1 = (float(edge) for edge in found.groups()[1:]) if found else (0.0, 0.0, 0.0, 0.0)
    if found is None or x0 >= x1 or y0 >= y1:
        message = f"“{text}” is not an area of the map (example: earth:-500,0,100,400)"
        raise NotUnderstood(message)
    return SunView(found[1]), (x0, x1, y0, y1)
