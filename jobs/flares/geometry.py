"""Columns of a flare that follow from its position, its time and the place of Solar Orbiter.

Formulas: `stixcore.heliographic`. The Earth is where it is at the peak (UTC at Solar Orbiter): in the light time its
latitude changes by less than 0.001°.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from archive import Flare
from archive.ingest.describe import AU_M
from stixcore.heliographic import (
    Observer,
    SunPosition,
    carrington_of_earth,
    earth_at,
    light_delays,
    on_sun,
    seen_from,
    sol_identifier,
)

_LIGHT = 299_792_458.0  # m/s
_INPUTS = ("t_peak", "hpc_x", "hpc_y", "hpc_sigma", "dsun_au", "hgln", "hglt")
#: Columns that `geometry_of` derives.
GEOMETRY = (
    "stonyhurst_lon",
    "stonyhurst_lat",
    "carrington_lon",
    "heliographic_sigma",
    "off_limb",
    "limb_height",
    "solo_angle",
    "earth_x",
    "earth_y",
    "earth_visible",
    "earth_view",
    "earth_angle",
    "earth_lowest_height",
    "earth_delay_s",
    "sun_delay_s",
    "sol_id",
)


def geometry_of(values: Mapping[str, Any], known: Flare | None = None) -> dict[str, Any]:
    """Derive the columns of geometry.

    Parameters
    ----------
    values : mapping
        Other columns of the flare: ``t_peak`` and, where known, ``hpc_x``, ``hpc_y``, ``hpc_sigma``, ``dsun_au``,
        ``hgln``, ``hglt``.
    known : Flare, optional
        A row with the same inputs already has the answer.

    Returns
    -------
    dict
        Every column of `GEOMETRY`, None where it is unknown. Without a position, times of light are those from Sun
        center; without the distance of Solar Orbiter, nothing is known.
    """
    same = known is not None and all(getattr(known, name) == values.get(name) for name in _INPUTS)
    if same and known is not None and (known.sol_id is None) == (values.get("dsun_au") is None):
        return {name: getattr(known, name) for name in GEOMETRY}
    columns: dict[str, Any] = dict.fromkeys(GEOMETRY)
    if values.get("dsun_au") is None:
        return columns
    time: np.datetime64 = values["t_peak"]
    earth, distance = earth_at(time), float(values["dsun_au"]) * AU_M
    if any(values.get(name) is None for name in ("hpc_x", "hpc_y", "hgln", "hglt")):
        return columns | _times(time, (earth.distance - distance) / _LIGHT, distance / _LIGHT)
    solo = Observer(values["hgln"], values["hglt"], distance)
    sigma = values.get("hpc_sigma")
    place = on_sun(values["hpc_x"], values["hpc_y"], solo, np.nan if sigma is None else sigma)
    delay, sun_delay = light_delays(place, solo, earth)
    carrington = (place.lon + carrington_of_earth(time, sun_delay)) % 360.0
    return (
        columns
        | _on_sun(place, carrington)
        | _from_earth(place, earth)
        | _times(time, delay, sun_delay, None if place.off_limb else (carrington, place.lat))
    )


def _on_sun(place: SunPosition, carrington: float) -> dict[str, Any]:
    return {
        "stonyhurst_lon": round(place.lon, 4),
        "stonyhurst_lat": round(place.lat, 4),
        "carrington_lon": round(carrington, 4),
        "heliographic_sigma": None if place.sigma is None else round(place.sigma, 4),
        "off_limb": place.off_limb,
        "limb_height": round(place.height / 1e6, 3) if place.off_limb else None,
        "solo_angle": round(place.angle, 3),
    }


def _from_earth(place: SunPosition, earth: Observer) -> dict[str, Any]:
    view = seen_from(place, earth)
    behind = not view.visible and np.isfinite(view.lowest_height)
    return {
        "earth_x": round(view.x, 2),
        "earth_y": round(view.y, 2),
        "earth_visible": view.visible,
        "earth_view": view.place,
        "earth_angle": round(view.angle, 3),
        "earth_lowest_height": round(view.lowest_height / 1e6, 3) if behind else None,
    }


def _times(
    time: np.datetime64, delay: float, sun_delay: float, place: tuple[float, float] | None = None
) -> dict[str, Any]:
    at_earth = time + np.timedelta64(round(delay * 1e6), "us")
    return {
        "earth_delay_s": round(delay, 2),
        "sun_delay_s": round(sun_delay, 2),
        "sol_id": sol_identifier(at_earth, *(place or (None, None))),
    }
