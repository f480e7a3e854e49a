"""Where and when the flares of a filter were: columns of all of them, marks of one view, counts per time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from archive import Archive, FlareFilter
from archive.flare_rates import GROUPS, group_of
from dashboards.pages.flares.views import LOOKS, RADIUS_AU, SunView

Floats = NDArray[np.float64]

COLUMNS = (
    "flare_id", "t_peak", "goes_flux", "goes_estimated_flux", "hpc_x", "hpc_y", "dsun_au", "off_limb", "earth_x",
    "earth_y", "earth_visible", "carrington_lon", "stonyhurst_lat",
)  # fmt: skip
#: More marks would hide each other; flares of one cell are then joined.
MOST_MARKS = 2000
#: Lengths of the bars of the flare rate, s, and their largest number.
BAR_LENGTHS = (600.0, 3600.0, 6 * 3600.0, 86_400.0, 7 * 86_400.0, 28 * 86_400.0, 91 * 86_400.0, 364 * 86_400.0)
MOST_BARS = 100


@dataclass(frozen=True)
class Sky:
    """Positions, times and classes of all flares of a filter, oldest first.

    Attributes
    ----------
    ids : array of str
    time : array of datetime64[us]
        Peaks, UTC at Solar Orbiter.
    flux : array of float, W m⁻²
        GOES flux, measured or else estimated; NaN if unknown.
    places : mapping of SunView to (x, y)
        In the unit of the view; NaN if unknown.
    hollow : mapping of SunView to array of bool
        Behind or off the limb.
    """

    ids: NDArray[np.object_]
    time: NDArray[np.datetime64]
    flux: Floats
    places: dict[SunView, tuple[Floats, Floats]]
    hollow: dict[SunView, NDArray[np.bool_]]

    @property
    def group(self) -> NDArray[np.int64]:
        """Place of each flare's class in `GROUPS`."""
        return group_of(self.flux)


def read_sky(archive: Archive, which: FlareFilter) -> Sky:
    """Load the columns of all flares that match a filter."""
    table = archive.flare_table(which, COLUMNS)
    number = {name: _numbers(table, name) for name in COLUMNS if pa.types.is_floating(table.schema.field(name).type)}
    # apparent solar radius seen from Solar Orbiter, arcsec: asin(R / d)
    with np.errstate(invalid="ignore"):
        radius = np.degrees(np.arcsin(RADIUS_AU / number["dsun_au"])) * 3600.0
    hidden = ~_truth(table, "earth_visible", unknown=True)
    return Sky(
        ids=table["flare_id"].to_numpy(),
        time=table["t_peak"].to_numpy().astype("datetime64[us]"),
        flux=np.where(np.isfinite(number["goes_flux"]), number["goes_flux"], number["goes_estimated_flux"]),
        places={
            SunView.SOLAR_ORBITER: (number["hpc_x"] / radius, number["hpc_y"] / radius),
            SunView.EARTH: (number["earth_x"], number["earth_y"]),
            SunView.CARRINGTON: (number["carrington_lon"], number["stonyhurst_lat"]),
        },
        hollow={
            SunView.SOLAR_ORBITER: _truth(table, "off_limb", unknown=False),
            SunView.EARTH: hidden,
            SunView.CARRINGTON: hidden,
        },
    )


def _numbers(table: pa.Table, name: str) -> Floats:
    """A column as numbers, NaN where it is empty."""
    numbers: Floats = table[name].to_numpy().astype(np.float64)
    return numbers


def _truth(table: pa.Table, name: str, *, unknown: bool) -> NDArray[np.bool_]:
    truth: NDArray[np.bool_] = table[name].fill_null(unknown).to_numpy().astype(bool)
    return truth


@dataclass(frozen=True)
class Marks:
    """Marks of one view, weakest class first, so that strong flares are drawn last.

    Attributes
    ----------
    x, y : array of float
    flare : array of int
        Place of the strongest flare of each mark in `Sky`.
    number : array of int
        Flares of each mark.
    hollow : array of bool
    without_place : int
        Flares that the view cannot show.
    """

    x: Floats
    y: Floats
    flare: NDArray[np.int64]
    number: NDArray[np.int64]
    hollow: NDArray[np.bool_]
    without_place: int


def marks_of(sky: Sky, view: SunView, most: int = MOST_MARKS) -> Marks:
    """One mark per flare or, if they are more than ``most``, one per cell of the view."""
    x, y = sky.places[view]
    order = np.argsort(np.nan_to_num(sky.flux), kind="stable")[::-1]  # strongest first
    order = order[np.isfinite(x[order]) & np.isfinite(y[order])]
    hollow = sky.hollow[view][order]
    if order.size > most:
        cell = LOOKS[view].cell
        columns = [np.rint(x[order] / cell).astype(np.int64), np.rint(y[order] / cell).astype(np.int64)]
        key = (columns[0] * 100_000 + columns[1]) * 2 + hollow
        _, first, number = np.unique(key, return_index=True, return_counts=True)
        strongest = np.argsort(first)
        first, number = first[strongest], number[strongest]
    else:
        first, number = np.arange(order.size), np.ones(order.size, dtype=np.int64)
    chosen = order[first][::-1]
    return Marks(x[chosen], y[chosen], chosen, number[::-1], hollow[first][::-1], sky.time.size - order.size)


@dataclass(frozen=True)
class Rate:
    """Flares per bar: edges [datetime64], length of a bar [s], counts by bar and group of classes."""

    edges: NDArray[np.datetime64]
    length_s: float
    counts: NDArray[np.int64]


def rate_of(sky: Sky) -> Rate | None:
    """Flares per unit of time and group of classes; None without flares."""
    if not sky.time.size:
        return None
    first, last = (int(sky.time[place].astype(np.int64)) / 1e6 for place in (0, -1))
    length = next((length for length in BAR_LENGTHS if (last - first) / length < MOST_BARS - 1), BAR_LENGTHS[-1])
    begin = first // length * length  # whole hours and days
    n_bars = int((last - begin) // length) + 1
    bar = ((sky.time.astype(np.int64) / 1e6 - begin) // length).astype(np.int64)
    counts = np.bincount(bar * len(GROUPS) + sky.group, minlength=n_bars * len(GROUPS)).reshape(n_bars, len(GROUPS))
    seconds = begin + length * np.arange(n_bars + 1)
    return Rate(np.rint(seconds * 1e6).astype(np.int64).astype("datetime64[us]"), length, counts)
