"""Groups of flares by GOES class, and the number of flares of each day in each group."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from archive.index.filters import FlareFilter
from archive.queries import ArchiveQueries

#: Groups of classes and the lowest flux of each, W m⁻²; the first group has no class.
GROUPS = ("no class", "A", "B", "C", "M", "X")
_LOWEST = np.array([1e-7, 1e-6, 1e-5, 1e-4])


def group_of(flux: NDArray[np.float64]) -> NDArray[np.int64]:
    """Place in `GROUPS` of each flux [W m⁻²]; NaN has no class."""
    return np.where(np.isfinite(flux), 1 + np.searchsorted(_LOWEST, flux, side="right"), 0)


def daily_rates(
    archive: ArchiveQueries, start: np.datetime64, end: np.datetime64, *, simulated: bool = False
) -> tuple[NDArray[np.datetime64], NDArray[np.int64]]:
    """Flares per day and group, by the measured GOES flux, or else that estimated from STIX data.

    Parameters
    ----------
    archive : ArchiveQueries
    start, end : datetime64
        The days that begin from ``start`` to before ``end``, UTC at Solar Orbiter.
    simulated : bool
        Simulated or real flares; the two are never mixed.

    Returns
    -------
    (n,) datetime64[D], (n, 6) int
        Days, also those without flares; flares of each day in each of `GROUPS`.
    """
    first, last = (np.ceil((time - np.datetime64(0, "us")) / np.timedelta64(1, "D")) for time in (start, end))
    days = np.arange(int(first), int(last)).astype("datetime64[D]")
    if not days.size:
        return days, np.zeros((0, len(GROUPS)), dtype=np.int64)
    begin, after = (day.astype("datetime64[us]") for day in (days[0], days[-1] + np.timedelta64(1, "D")))
    which = FlareFilter(t_start=begin, t_end=after, simulated=simulated)
    table = archive.flare_table(which, ("t_peak", "goes_flux", "goes_estimated_flux"))
    measured, estimated = (table[name].to_numpy().astype(float) for name in ("goes_flux", "goes_estimated_flux"))
    group = group_of(np.where(np.isfinite(measured), measured, estimated))
    day = (table["t_peak"].to_numpy().astype("datetime64[D]") - days[0]).astype(np.int64)
    counts = np.bincount(day * len(GROUPS) + group, minlength=days.size * len(GROUPS))
    return days, counts.reshape(days.size, len(GROUPS))
