"""Aspect table → where the instrument looked. The table is given, never fetched."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy

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
#: A single record further than this from the others is left out; jitter is below 1″.
OUTLIER = 5.0  # arcsec
#: Likewise roll, pitch and yaw, deg.
ATTITUDE_FLOORS = (0.1, OUTLIER / 3600.0, OUTLIER / 3600.0)
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
        Mean over the records inside the window, single outliers left out, with their scatter; without any, linear
        interpolation at its centre between the two that bracket it. The aspect solution where it is valid and within
        240″ of the spacecraft's attitude, else that.

    Raises
    ------
    CalibrationError
        When no record lies within 300 s of the window.

    Notes
    -----
    Ground software ``stx_create_auxiliary_data``, which averages outliers too. The time stamps were already moved by
    half their cadence.
    """
    records = _Records([tables] if isinstance(tables, AspectTable) else list(tables), start, end)
    records.leave_out(records.attitude(), ATTITUDE_FLOORS)
    roll = records.mean_angle("roll")
    # spacecraft attitude: YAW = -3600·yaw, PITCH = 3600·pitch, turned by the roll
    yaw, pitch = -3600.0 * records.column("yaw"), 3600.0 * records.column("pitch")
    cos, sin = np.cos(np.deg2rad(roll)), np.sin(np.deg2rad(roll))
    spacecraft = np.stack(
        [SPACECRAFT_OFFSET[0] + yaw * cos + pitch * sin, SPACECRAFT_OFFSET[1] - yaw * sin + pitch * cos], axis=1
    )
    source, path, used = PointingSource.SPACECRAFT, spacecraft, records
    x, y = (float(value) for value in records.weights @ spacecraft)
    aspect = records.with_solution()
    if aspect is not None:
        # P = (⟨y_srf⟩ + 60, -⟨z_srf⟩ + 8)
        solution = np.stack(
            [aspect.column("y_srf") + ASPECT_OFFSET[0], ASPECT_OFFSET[1] - aspect.column("z_srf")], axis=1
        )
        mean = aspect.weights @ solution
        if np.hypot(mean[0] - x, mean[1] - y) < MAX_DISAGREEMENT:
            source, path, used = PointingSource.ASPECT, solution, aspect
            x, y = (float(value) for value in mean)
    moved, turned = _scatter(path), _scatter(records.turned("roll")[:, None])
    return Pointing(
        source,
        roll,
        x,
        y,
        rsun=records.mean("rsun"),
        stonyhurst_lon=records.stonyhurst_lon(),
        b0=records.mean("heliographic_lat"),
        dsun=records.mean("dsun"),
        rms_x=None if moved is None else moved[0][0],
        rms_y=None if moved is None else moved[0][1],
        peak_to_peak=None if moved is None else max(moved[1]),
        rms_roll=None if turned is None else turned[0][0],
        records=used.rows.size,
        rejected=used.rejected,
    )


def _scatter(values: Floats) -> tuple[list[float], list[float]] | None:
    """Standard deviation (n - 1) and range of each column, rounded; None for fewer than two rows."""
    if len(values) < 2:
        return None
    return np.std(values, axis=0, ddof=1).round(4).tolist(), np.ptp(values, axis=0).round(3).tolist()


def isolated_outliers(values: Floats, floors: Sequence[float]) -> NDArray[np.bool_]:
    """Single records far from the others: a fault of one record, not a movement of the spacecraft.

    Distances from the median are in units of the floors, all columns together. A record is an outlier where its
    distance is above 1 and above 5 times the median distance. Outliers beside one another are a movement; so are more
    than a fifth of all records.

    Parameters
    ----------
    values : (n, k) float
    floors : k floats, same unit
    """
    number = len(values)
    if number < 4:
        return np.zeros(number, dtype=bool)
    distance = np.linalg.norm((values - np.median(values, axis=0)) / np.asarray(floors), axis=1)
    outlying = distance > max(5.0 * float(np.median(distance)), 1.0)
    beside = np.zeros(number, dtype=bool)
    beside[1:] |= outlying[:-1]
    beside[:-1] |= outlying[1:]
    found = outlying & ~beside
    return found if found.sum() <= max(1, number // 5) else np.zeros(number, dtype=bool)


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
        self.tables, self.rows, self.rejected = tables, order[inside], 0

    def leave_out(self, values: Floats, floors: Sequence[float]) -> None:
        """Leave single outliers out (see `isolated_outliers`); an interpolation has no record to spare."""
        wrong = np.zeros(self.rows.size, dtype=bool) if self.interpolated else isolated_outliers(values, floors)
        if wrong.any():
            self.keep(~wrong)
            self.rejected += int(wrong.sum())

    def keep(self, rows: NDArray[np.bool_]) -> None:
        """Keep some of the records."""
        self.rows, self.weights = self.rows[rows], self.weights[rows] / self.weights[rows].sum()

    def with_solution(self) -> _Records | None:
        """The records with a valid aspect solution, single outliers left out; None when they cannot be used."""
        ok = self.column("sas_ok").astype(bool)
        if not ok.any() or (self.interpolated and not ok.all()):
            return None  # between two records both must be valid
        found = copy(self)
        found.keep(ok)
        found.leave_out(np.stack([found.column("y_srf"), found.column("z_srf")], axis=1), (OUTLIER, OUTLIER))
        return found

    def turned(self, name: str) -> Floats:
        """An angle relative to its mean, deg, on the circle."""
        return np.asarray((self.column(name) - self.mean_angle(name) + 180.0) % 360.0 - 180.0)

    def attitude(self) -> Floats:
        """Roll, pitch and yaw, deg, (n, 3); the roll relative to that of the middle record."""
        roll = self.column("roll")
        roll = (roll - roll[roll.size // 2] + 180.0) % 360.0 - 180.0
        return np.stack([roll, self.column("pitch"), self.column("yaw")], axis=1)

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
