"""Aspect table → where the instrument looked. The table is given, never fetched."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stixcore.coordinates import Pointing, PointingSource
from stixcore.errors import CalibrationError
from stixcore.fits.products import AspectTable

Floats = NDArray[np.float64]

#: Offsets of the STIX axis (ground software, ``Mapcenter_correction_factors.csv``), arcsec.
SPACECRAFT_OFFSET = (26.1, 58.2)
ASPECT_OFFSET = (60.0, 8.0)
#: An aspect solution further than this from the spacecraft's own attitude is not believed, arcsec.
MAX_DISAGREEMENT = 240.0
#: A record further than this from the window does not describe it.
MAX_GAP = np.timedelta64(300, "s")


def assumed_pointing(rsun: float = float("nan")) -> Pointing:
    """The fallback without any aspect record: axis offset of the instrument only, solar north up."""
    return Pointing(PointingSource.ASSUMED, 0.0, *SPACECRAFT_OFFSET, rsun=rsun)


def pointing_at(tables: AspectTable | Sequence[AspectTable], start: np.datetime64, end: np.datetime64) -> Pointing:
    """Pointing of the instrument during a time window.

    Parameters
    ----------
    tables : AspectTable or sequence of them
        One file, or the two on either side of midnight.
    start, end : datetime64
        Window, UTC at Solar Orbiter.

    Returns
    -------
    Pointing
        Mean over the records inside the window; without any, linear interpolation at its centre between the two
        that bracket it. The aspect solution where it is valid and within 240″ of the spacecraft's attitude, else that.

    Raises
    ------
    CalibrationError
        When no record lies within 300 s of the window.

    Notes
    -----
    Ground software ``stx_create_auxiliary_data``. The time stamps were already moved by half their cadence.
    """
    records = _Records([tables] if isinstance(tables, AspectTable) else list(tables), start, end)
    roll = records.mean_angle("roll")
    # spacecraft attitude: YAW = -3600·yaw, PITCH = 3600·pitch, turned by the roll
    yaw, pitch = -3600.0 * records.mean("yaw"), 3600.0 * records.mean("pitch")
    cos, sin = np.cos(np.deg2rad(roll)), np.sin(np.deg2rad(roll))
    spacecraft = (
        SPACECRAFT_OFFSET[0] + yaw * cos + pitch * sin,
        SPACECRAFT_OFFSET[1] - yaw * sin + pitch * cos,
    )
    source, (x, y) = PointingSource.SPACECRAFT, spacecraft
    aspect = records.aspect_solution()
    if aspect is not None and np.hypot(aspect[0] - spacecraft[0], aspect[1] - spacecraft[1]) < MAX_DISAGREEMENT:
        source, (x, y) = PointingSource.ASPECT, aspect
    return Pointing(
        source,
        roll,
        x,
        y,
        rsun=records.mean("rsun"),
        stonyhurst_lon=records.stonyhurst_lon(),
        b0=records.mean("carrington_lat"),
        dsun=records.mean("dsun"),
    )


class _Records:
    """The aspect records that describe a window, with their weights."""

    def __init__(self, tables: Sequence[AspectTable], start: np.datetime64, end: np.datetime64) -> None:
        time = np.concatenate([table.time for table in tables])
        known = np.concatenate([np.isfinite(table.roll + table.pitch + table.yaw) for table in tables])
        order = np.argsort(time, kind="stable")
        order = order[known[order]]  # a record without attitude tells nothing
        time = time[order]
        inside = np.flatnonzero((time >= start) & (time <= end))
        if inside.size:
            self.interpolated, self.weights = False, np.full(inside.size, 1.0 / inside.size)
        else:
            self.interpolated = True
            inside, self.weights = _bracket(time, start + (end - start) // 2)
        self.tables, self.rows = tables, order[inside]

    def column(self, name: str) -> Floats:
        values: Floats = np.concatenate([np.asarray(getattr(table, name), dtype=float) for table in self.tables])
        return np.asarray(values[self.rows])

    def mean(self, name: str) -> float:
        return float(self.column(name) @ self.weights)

    def mean_angle(self, name: str) -> float:
        """Weighted mean on the circle, deg: rolls near ±180° do not average to 0."""
        radians = np.deg2rad(self.column(name))
        return float(np.rad2deg(np.arctan2(np.sin(radians) @ self.weights, np.cos(radians) @ self.weights)))

    def stonyhurst_lon(self) -> float:
        """Longitude of the heliocentric Earth equatorial position, deg."""
        heeq = np.concatenate([table.heeq for table in self.tables])[self.rows]
        x, y = self.weights @ heeq[:, 0], self.weights @ heeq[:, 1]
        return float(np.rad2deg(np.arctan2(y, x)))

    def aspect_solution(self) -> tuple[float, float] | None:
        ok = self.column("sas_ok").astype(bool)
        if not ok.any() or (self.interpolated and not ok.all()):
            return None  # between two records both must be valid
        weights = self.weights[ok] / self.weights[ok].sum()
        # P = (⟨y_srf⟩ + 60, -⟨z_srf⟩ + 8)
        x = float(self.column("y_srf")[ok] @ weights) + ASPECT_OFFSET[0]
        y = -float(self.column("z_srf")[ok] @ weights) + ASPECT_OFFSET[1]
        return x, y


def _bracket(time: NDArray[np.datetime64], middle: np.datetime64) -> tuple[NDArray[np.int64], Floats]:
    """The records before and after ``middle`` with their interpolation weights; one alone at the end of a table."""
    after = int(np.searchsorted(time, middle))
    near = [i for i in (after - 1, after) if 0 <= i < time.size and abs(time[i] - middle) <= MAX_GAP]
    if not near:
        covered = f"the table covers {time[0]} … {time[-1]}" if time.size else "the table has no attitude at all"
        message = f"no aspect record within {MAX_GAP} of {middle}; {covered}"
        raise CalibrationError(message)
    if len(near) == 1:
        return np.array(near), np.ones(1)
    fraction = (middle - time[near[0]]) / (time[near[1]] - time[near[0]])
    return np.array(near), np.array([1.0 - fraction, fraction])
