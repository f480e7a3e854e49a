"""Light curves as columns for drawing: steps that end with the recording, gaps, and attenuator spans."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from archive import LightCurveView
from archive.index.series import BANDS

Columns = dict[str, NDArray[Any]]


def columns_of(view: LightCurveView, *, log: bool) -> Columns:
    """Columns of the plot's source, one row per bucket and extra rows at gaps.

    Parameters
    ----------
    view : LightCurveView
    log : bool
        Rates of zero cannot be drawn on a logarithmic axis and become gaps.

    Returns
    -------
    dict
        ``time`` [ms since 1970]; per band ``mean_…`` and ``high_…`` [ct s⁻¹], the latter NaN where it is the same;
        ``triggers`` [s⁻¹]. Rates are float32: half the bytes for every pan.
    """
    time, keep = _steps(view)
    columns: Columns = {"time": time}
    same = view.bucket_s == 0
    for number, band in enumerate(BANDS):
        columns[f"mean_{band}"] = _rates(view.mean[:, number], keep, log)
        columns[f"high_{band}"] = (
            np.full(time.size, np.nan, np.float32) if same else _rates(view.high[:, number], keep, log)
        )
    columns["triggers"] = _rates(view.triggers_mean, keep, log)
    return columns


def attenuator_spans(view: LightCurveView) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Start and end [ms since 1970] of the times with the attenuator in."""
    if view.time.size == 0:
        return np.zeros(0), np.zeros(0)
    inside = np.concatenate([[False], view.rcr > 0, [False]])
    first, after = np.flatnonzero(inside[1:] & ~inside[:-1]), np.flatnonzero(inside[:-1] & ~inside[1:])
    begin = _milliseconds(view.time)
    ends = begin + _length_ms(view)
    return begin[first], ends[after - 1]


def rate_limits(
    view: LightCurveView, bands: list[str], begin: float, end: float, *, log: bool, room: float
) -> tuple[float, float]:
    """Lower and upper end of the rate axis for the visible data, with space for labels above, ct s⁻¹.

    Parameters
    ----------
    view : LightCurveView
    bands : list of str
        Visible bands.
    begin, end : float, ms since 1970
        Visible time range.
    log : bool
    room : float
        Fraction of the axis above the highest rate.
    """
    time = _milliseconds(view.time)
    seen = (time + _length_ms(view) > begin) & (time < end)
    numbers = [number for number, band in enumerate(BANDS) if band in bands]
    low, high = view.mean[seen][:, numbers], view.high[seen][:, numbers]
    low, high = low[np.isfinite(low) & (low > 0)], high[np.isfinite(high)]
    if not low.size or not high.size:
        return (1.0, 1000.0) if log else (0.0, 100.0)
    bottom, top = float(low.min()), float(high.max())
    if log:
        bottom /= 1.4
        return bottom, top * max(top / bottom, 3.0) ** (room / (1 - room))
    return 0.0, max(top, 1.0) / (1 - room)


def _steps(view: LightCurveView) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Times and row indices: after every run of buckets its last value is repeated at its end, followed by a gap."""
    begin, n = _milliseconds(view.time), view.time.size
    if n == 0:
        return np.zeros(0), np.zeros(0, dtype=np.int64)
    recorded = view.rcr >= 0
    last = np.flatnonzero(recorded & ~np.append(recorded[1:], False))
    rows = np.insert(np.arange(n), last + 1, last)
    time = np.insert(begin, last + 1, begin[last] + _length_ms(view)[last])
    return time, rows


def _length_ms(view: LightCurveView) -> NDArray[np.float64]:
    """Length of the buckets, or of each recorded bin."""
    return np.where(view.rcr < 0, 0.0, view.bucket_s * 1e3 if view.bucket_s else view.seconds * 1e3)


def _rates(values: NDArray[np.float64], rows: NDArray[np.int64], log: bool) -> NDArray[np.float32]:
    rates = values[rows]
    return np.asarray(np.where(rates > 0, rates, np.nan) if log else rates, dtype=np.float32)


def _milliseconds(time: NDArray[np.datetime64]) -> NDArray[np.float64]:
    return np.asarray(time.astype("datetime64[us]").astype(np.int64) / 1e3, dtype=np.float64)
