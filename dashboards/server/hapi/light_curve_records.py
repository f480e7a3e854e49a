"""Records of light curves: quick-look bins, one-minute means, and the background detector."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pyarrow as pa

from archive import Archive
from archive.index.series import BAND_EDGES, BANDS, COUNTS
from archive.lightcurves.corrections import live_fraction
from archive.lightcurves.detector import LONGEST_DETECTOR
from archive.lightcurves.read import MAX_POINTS
from dashboards.server.hapi.records import Columns
from dashboards.server.hapi.standard import Bins, Parameter

#: Longest ranges that are sent at a time, days. A year of bins is about 800 MB of text.
LONGEST_BINS, LONGEST_DETECTOR_DAYS = 366, int(LONGEST_DETECTOR / np.timedelta64(1, "D"))
_DAY = np.timedelta64(1, "D")
_EDGES = (*BAND_EDGES.tolist(), 84.0)
ENERGIES = Bins("energy", "keV", tuple(pairwise(_EDGES)))

BINS = (
    "Count rates of all detectors of the quick-look light curves as recorded: with background, not corrected for live "
    "time, nor for the attenuator, which takes away soft X-rays while attenuator_in is 1 and more."
)
MINUTES = "Means, lowest and highest rates of the quick-look bins that begin in each minute, as recorded."
DETECTOR = (
    "Count rates of the background detector, all pixels, as recorded. The attenuator never covers it, so it shows the "
    "shape of large flares in soft X-rays."
)

_TIME = Parameter("Time", "isotime", "Start of the bin, UTC at Solar Orbiter", "UTC")
_DURATION = Parameter("duration", "double", "Length of the bin", "s")
_RATE = Parameter("rate", "double", "Count rate in each energy band", "ct/s", bins=ENERGIES)
_ERROR = Parameter(
    "rate_error", "double", "Poisson error of the rate, without that of the compression of counts on board", "ct/s",
    bins=ENERGIES,
)  # fmt: skip
_TRIGGERS = Parameter("trigger_rate", "double", "Triggers per second, all accumulators", "1/s")
_LIVE = Parameter("live_fraction", "double", "Estimated live fraction; divide rates by it to correct for dead time")
_RCR = Parameter("attenuator_in", "integer", "Rate-control state; 0: attenuator out, 1 and more: in")
BIN_PARAMETERS = (_TIME, _DURATION, _RATE, _ERROR, _TRIGGERS, _LIVE, _RCR)
MINUTE_PARAMETERS = (
    Parameter("Time", "isotime", "Start of the minute, UTC at Solar Orbiter", "UTC"),
    Parameter("seconds", "double", "Length of the bins of the minute together", "s"),
    Parameter("rate", "double", "Mean count rate in each energy band", "ct/s", bins=ENERGIES),
    Parameter("rate_min", "double", "Lowest count rate of a bin in each energy band", "ct/s", bins=ENERGIES),
    Parameter("rate_max", "double", "Highest count rate of a bin in each energy band", "ct/s", bins=ENERGIES),
    _TRIGGERS,
    Parameter("attenuator_in", "integer", "Highest rate-control state; 0: attenuator out, 1 and more: in"),
)
DETECTOR_PARAMETERS = (
    _TIME,
    _DURATION,
    _RATE,
    _ERROR,
    Parameter("trigger_rate", "double", "Triggers per second, accumulator of this detector", "1/s"),
)


def read_bins(archive: Archive, start: np.datetime64, end: np.datetime64, *, simulated: bool) -> Iterator[Columns]:
    """Recorded bins, day by day."""
    for rows in archive.light_curve_rows(start, end, simulated=simulated):
        seconds, triggers = rows["duration_s"].to_numpy(), rows["triggers"].to_numpy()
        counts = _bands(rows, COUNTS)
        yield {
            "Time": rows["time"].to_numpy(),
            "duration": seconds,
            "rate": counts / seconds[:, None],
            "rate_error": np.sqrt(counts) / seconds[:, None],
            "trigger_rate": triggers / seconds,
            "live_fraction": live_fraction(triggers, seconds),
            "attenuator_in": rows["rcr"].to_numpy(),
        }


def read_minutes(archive: Archive, start: np.datetime64, end: np.datetime64, *, simulated: bool) -> Iterator[Columns]:
    """One-minute means, month by month."""
    for rows in archive.light_curve_rows(start, end, minutes=True, simulated=simulated):
        means, lowest, highest = (_bands(rows, tuple(f"{kind}_{band}" for band in BANDS)) for kind in _KINDS)
        yield {
            "Time": rows["time"].to_numpy(),
            "seconds": rows["seconds"].to_numpy(),
            "rate": means,
            "rate_min": lowest,
            "rate_max": highest,
            "trigger_rate": rows["mean_triggers"].to_numpy(),
            "attenuator_in": rows["rcr"].to_numpy(),
        }


def read_detector(archive: Archive, start: np.datetime64, end: np.datetime64, *, simulated: bool) -> Iterator[Columns]:
    """Bins of the background detector that begin in a time range, day by day."""
    for day in np.arange(start.astype("datetime64[D]"), end, _DAY):
        begin, after = max(day.astype(start.dtype), start), min((day + _DAY).astype(start.dtype), end)
        view = archive.detector_curve(begin, after, MAX_POINTS, simulated=simulated).view
        keep = (view.rcr >= 0) & (view.time >= begin) & (view.time < after)
        seconds = view.seconds[keep]
        yield {
            "Time": view.time[keep],
            "duration": seconds,
            "rate": view.mean[keep],
            "rate_error": np.sqrt(view.mean[keep] / seconds[:, None]),
            "trigger_rate": view.triggers_mean[keep],
        }


_KINDS = ("mean", "min", "max")


def _bands(rows: pa.Table, names: tuple[str, ...]) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    return np.stack([rows[name].to_numpy() for name in names], axis=1)
