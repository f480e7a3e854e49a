"""Pointing of the instrument from aspect tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stixcore.coordinates import Pointing, PointingSource
from stixcore.errors import CalibrationError
from stixcore.fits.products import AspectTable

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

#: Offsets of the STIX axis (ground software, ``Mapcenter_correction_factors.csv``), arcsec.
SPACECRAFT_OFFSET = (26.1, 58.2)
ASPECT_OFFSET = (60.0, 8.0)
#: An aspect solution further than this from the spacecraft's own attitude is not used, arcsec.
MAX_DISAGREEMENT = 240.0
#: A single record further than this from its neighbours is left out; jitter is below 1″.
OUTLIER = 5.0  # arcsec
#: Number of records on either side that a record is compared with, inside or outside the window.
NEIGHBOURS = 3
#: With fewer records than this in a window, the movement of the pointing is not known.
FEW = 4
#: As `OUTLIER`, for roll, pitch and yaw, deg.
ATTITUDE_FLOORS = (0.1, OUTLIER / 3600.0, OUTLIER / 3600.0)
#: Records further than this from the window are not used.
MAX_GAP = np.timedelta64(300, "s")


def assumed_pointing(rsun: float = float("nan")) -> Pointing:
    """Fallback without aspect records: only the axis offset of the instrument, with solar north up."""
    return Pointing(PointingSource.ASSUMED, 0.0, *SPACECRAFT_OFFSET, rsun=rsun)


def pointing_at(tables: AspectTable | Sequence[AspectTable], start: np.datetime64, end: np.datetime64) -> Pointing:
    """Pointing of the instrument during a time window.

    Parameters
    ----------
    tables : AspectTable or sequence of them
        One file, or the two on either side of midnight.
    start, end : datetime64
        Window, UTC at Solar Orbiter: the requested time range, not its whole bins, as in the ground software
        (``docs/decisions/pointing_window.md``).

    Returns
    -------
    Pointing
        Mean over the records inside the window, without outliers (`outlying_records`). Where no record is left, linear
        interpolation at the centre of the window between the records before and after it. The aspect solution is used
        where it is valid and within 240″ of the spacecraft's attitude, otherwise the attitude. The scatter is that of
        the records that are nearest to some part of the window; with fewer than four of them, the next record on either
        side is included.

    Raises
    ------
    CalibrationError
        When no record lies within 300 s of the window.

    Notes
    -----
    Ground software ``stx_create_auxiliary_data``, which includes outliers in the mean. The time stamps have already
    been moved by half their cadence.
    """
    return pointing_solutions(tables, start, end)[0]


def pointing_solutions(
    tables: AspectTable | Sequence[AspectTable], start: np.datetime64, end: np.datetime64
) -> tuple[Pointing, ...]:
    """All pointings that the records give for a time window: the aspect solution and the spacecraft's attitude.

    Parameters
    ----------
    tables, start, end
        As in `pointing_at`.

    Returns
    -------
    tuple of Pointing
        The one that `pointing_at` uses comes first. The aspect solution is missing where no record near the window has
        a valid one, and second where it is too far from the attitude. All have the same roll and observer.

    Raises
    ------
    CalibrationError
        As in `pointing_at`.
    """
    records = _Records([tables] if isinstance(tables, AspectTable) else list(tables), start, end)
    attitude, aspect = records.attitude(), records.solution()
    wrong = outlying_records(attitude, ATTITUDE_FLOORS, witness=aspect / OUTLIER)
    oriented = records.chosen(~wrong)
    if oriented is None:
        message = f"no aspect record within {MAX_GAP} of {start + (end - start) // 2} that is not an outlier"
        raise CalibrationError(message)
    roll = oriented.mean_angle("roll")
    # spacecraft attitude: YAW = -3600·yaw, PITCH = 3600·pitch, rotated by the roll
    yaw, pitch = -3600.0 * oriented.column("yaw"), 3600.0 * oriented.column("pitch")
    cos, sin = np.cos(np.deg2rad(roll)), np.sin(np.deg2rad(roll))
    path = np.stack(
        [SPACECRAFT_OFFSET[0] + yaw * cos + pitch * sin, SPACECRAFT_OFFSET[1] - yaw * sin + pitch * cos], axis=1
    )
    attitude_only = _pointing(PointingSource.SPACECRAFT, oriented, oriented, path)
    solved = _with_solution(records, oriented, ~wrong, aspect, attitude)
    if solved is None:
        return (attitude_only,)
    # P = (⟨y_srf⟩ + 60, -⟨z_srf⟩ + 8)
    solution = _pointing(PointingSource.ASPECT, oriented, solved, aspect[solved.rows] * (1.0, -1.0) + ASPECT_OFFSET)
    if np.hypot(solution.x - attitude_only.x, solution.y - attitude_only.y) < MAX_DISAGREEMENT:
        return solution, attitude_only
    return attitude_only, solution


def _pointing(source: PointingSource, oriented: _Chosen, used: _Chosen, path: Floats) -> Pointing:
    """Pointing from the records with an attitude, and ``path`` (n, 2), the pointing of each record that is used."""
    x, y = (float(value) for value in used.mean(path))
    moved, turned = _scatter(path), _scatter(oriented.turned("roll")[:, None])
    return Pointing(
        source,
        oriented.mean_angle("roll"),
        x,
        y,
        rsun=float(oriented.mean(oriented.column("rsun"))),
        stonyhurst_lon=oriented.stonyhurst_lon(),
        b0=float(oriented.mean(oriented.column("heliographic_lat"))),
        dsun=float(oriented.mean(oriented.column("dsun"))),
        rms_x=None if moved is None else moved[0][0],
        rms_y=None if moved is None else moved[0][1],
        peak_to_peak=None if moved is None else max(moved[1]),
        rms_roll=None if turned is None else turned[0][0],
        records=int(np.count_nonzero(used.weights)),
        rejected=used.rejected,
        interpolated=used.interpolated,
    )


def _with_solution(
    records: _Records, oriented: _Chosen, oriented_well: Mask, aspect: Floats, attitude: Floats
) -> _Chosen | None:
    """The records whose aspect solution is used; None when there are none, or one beside the window has none."""
    valid = np.isfinite(aspect).all(axis=1)
    needed = valid[oriented.rows[oriented.weights > 0.0]]
    if not needed.any() or (oriented.interpolated and not needed.all()):
        return None  # interpolation needs two valid records
    # the witness is pitch and yaw, without the roll
    wrong = outlying_records(aspect, (OUTLIER, OUTLIER), witness=(attitude / ATTITUDE_FLOORS)[:, 1:])
    return records.chosen(oriented_well & valid & ~wrong, among=valid)


def _scatter(values: Floats) -> tuple[list[float], list[float]] | None:
    """Standard deviation (n - 1) and range of each column, rounded; None for fewer than two rows."""
    if len(values) < 2:
        return None
    return np.std(values, axis=0, ddof=1).round(4).tolist(), np.ptp(values, axis=0).round(3).tolist()


def outlying_records(values: Floats, floors: Sequence[float], witness: Floats | None = None) -> Mask:
    """Find single records far from their neighbours: faults of one record, not movements of the spacecraft.

    A record is an outlier where its distance from the median of the three records on either side is above 1, in units
    of the floors and for all columns together, and above 5 times the median distance of these records. It is a movement
    instead where an adjacent record is as far off, where the two records before or after it differ by more than 1 (it
    continues a trend), where the witness moves too, or where more than a fifth of all records are affected. The first
    and the last record are never outliers.

    Parameters
    ----------
    values : (n, k) float
        In order of time; rows with NaN are ignored.
    floors : k floats, same unit
    witness : (n, m) float or None
        Measurements of another instrument, in units of its floors; NaN where there is none.
    """
    found = np.zeros(len(values), dtype=bool)
    known = np.flatnonzero(np.isfinite(values).all(axis=1))
    if known.size < FEW:
        return found
    scaled = values[known] / np.asarray(floors)
    distance, spread = _from_neighbours(scaled)
    far = distance > np.maximum(5.0 * spread, 1.0)
    alone = far & ~_adjacent(far)
    alone[[0, -1]] = False
    step = np.linalg.norm(np.diff(scaled, axis=0), axis=1) > 1.0
    alone[2:] &= ~step[:-1]
    alone[:-2] &= ~step[1:]
    if witness is not None:
        moving = np.nan_to_num(_from_neighbours(witness[known])[0]) > 1.0
        alone &= ~(moving | _adjacent(moving))
    if alone.sum() <= max(1, known.size // 5):
        found[known] = alone
    return found


def _from_neighbours(values: Floats) -> tuple[Floats, Floats]:
    """Distance of each row from the median of its neighbours, and the median distance of the neighbours, or NaN."""
    around = [step for step in range(-NEIGHBOURS, NEIGHBOURS + 1) if step]
    place = np.arange(len(values))[:, None] + around
    outside = (place < 0) | (place >= len(values))
    beside = values[place.clip(0, len(values) - 1)]
    beside[outside | ~np.isfinite(beside).all(axis=2)] = np.nan
    number = np.isfinite(beside[:, :, 0]).sum(axis=1)
    middle = _median(beside, number)
    distance = np.linalg.norm(values - middle, axis=1)
    spread = _median(np.linalg.norm(beside - middle[:, None], axis=2)[:, :, None], number)[:, 0]
    distance[number < NEIGHBOURS] = np.nan
    return distance, spread


def _median(values: Floats, number: NDArray[np.int64]) -> Floats:
    """Median of ``number`` finite values along the second axis of (n, m, k)."""
    ordered, row = np.sort(values, axis=1), np.arange(len(values))  # NaN comes last
    lower, upper = np.maximum(number - 1, 0) // 2, np.minimum(number // 2, values.shape[1] - 1)
    return np.asarray((ordered[row, lower] + ordered[row, upper]) / 2.0)


def _adjacent(marked: Mask) -> Mask:
    """Whether the row before or after is marked."""
    found = np.zeros_like(marked)
    found[1:] |= marked[:-1]
    found[:-1] |= marked[1:]
    return found


class _Records:
    """The aspect records in a window, and up to three on either side of it, in order of time."""

    def __init__(self, tables: Sequence[AspectTable], start: np.datetime64, end: np.datetime64) -> None:
        time = np.concatenate([table.time for table in tables])
        known = np.concatenate([np.isfinite(table.roll + table.pitch + table.yaw) for table in tables])
        order = np.argsort(time, kind="stable")
        order = order[known[order]]  # records without attitude are useless
        time = time[order]
        self.tables, self.start, self.end = tables, start, end
        first, last = np.searchsorted(time, start), np.searchsorted(time, end, side="right")
        if first == last and not _bracket(time, self.middle)[0].size:
            covered = f"the table covers {time[0]} … {time[-1]}" if time.size else "the table has no attitude at all"
            message = f"no aspect record within {MAX_GAP} of {self.middle}; {covered}"
            raise CalibrationError(message)
        near = np.arange(max(first - NEIGHBOURS, 0), min(last + NEIGHBOURS, time.size))
        near = near[(time[near] >= start - MAX_GAP) & (time[near] <= end + MAX_GAP)]
        self.rows, self.time = order[near], time[near]
        self.inside = (self.time >= start) & (self.time <= end)

    @property
    def middle(self) -> np.datetime64:
        """Middle of the window."""
        return self.start + (self.end - self.start) // 2

    def chosen(self, good: Mask, among: Mask | None = None) -> _Chosen | None:
        """The good records for the window; None when there are none near it.

        Parameters
        ----------
        good : (n,) bool
        among : (n,) bool, optional
            Records that could have been good, by default all of them; those that are not good are outliers.
        """
        among = np.ones_like(good) if among is None else among
        rows = np.flatnonzero(good)
        weights = self.inside[rows].astype(float)
        concerned = self.inside.copy()
        interpolated = not weights.any()
        if interpolated:
            bracket, shares = _bracket(self.time[rows], self.middle)
            if not bracket.size:
                return None
            weights[bracket] = shares
            concerned[rows[bracket[0]] : rows[bracket[-1]]] = True
        around = self._around(rows)
        return _Chosen(
            self.tables,
            self.rows[rows[around]],
            rows[around],
            weights[around] / weights.sum(),
            interpolated,
            int((concerned & among & ~good).sum()),
        )

    def _around(self, rows: NDArray[np.int64]) -> slice:
        """The records nearest to some part of the window; with few of them, also the next record on either side."""
        time = self.time[rows]
        middles = time[:-1] + (time[1:] - time[:-1]) // 2
        first, last = (int(np.searchsorted(middles, edge)) for edge in (self.start, self.end))
        more = last - first + 1 < FEW
        return slice(max(first - more, 0), last + 1 + more)

    def attitude(self) -> Floats:
        """Roll, pitch and yaw, deg, (n, 3); the roll is relative to that of the middle record."""
        roll = _column(self.tables, "roll")[self.rows]
        roll = (roll - roll[roll.size // 2] + 180.0) % 360.0 - 180.0
        return np.stack([roll, *(_column(self.tables, name)[self.rows] for name in ("pitch", "yaw"))], axis=1)

    def solution(self) -> Floats:
        """Aspect solution y_srf, z_srf, arcsec, (n, 2); NaN where it is not valid."""
        values = np.stack([_column(self.tables, name)[self.rows] for name in ("y_srf", "z_srf")], axis=1)
        return np.where(_column(self.tables, "sas_ok")[self.rows, None] > 0.0, values, np.nan)


@dataclass(frozen=True, eq=False)
class _Chosen:
    """The records used for a window, without outliers.

    Attributes
    ----------
    tables : sequence of AspectTable
    in_tables, rows : (n,) int
        Row numbers in the concatenated tables, and in `_Records`.
    weights : (n,) float
        0 for records that only enter the scatter.
    interpolated : bool
        Whether the pointing is interpolated between the records beside the window.
    rejected : int
        Number of outliers that were left out.
    """

    tables: Sequence[AspectTable]
    in_tables: NDArray[np.int64]
    rows: NDArray[np.int64]
    weights: Floats
    interpolated: bool
    rejected: int

    def column(self, name: str) -> Floats:
        return np.asarray(_column(self.tables, name)[self.in_tables])

    def mean(self, values: Floats) -> Floats:
        """Weighted mean of the rows."""
        used = self.weights > 0.0
        return np.asarray(self.weights[used] @ values[used])

    def mean_angle(self, name: str) -> float:
        """Weighted circular mean, deg, so that rolls near ±180° do not average to 0."""
        radians = np.deg2rad(self.column(name))
        return float(np.rad2deg(np.arctan2(self.mean(np.sin(radians)), self.mean(np.cos(radians)))))

    def turned(self, name: str) -> Floats:
        """An angle relative to its mean, deg, in [-180, 180)."""
        return np.asarray((self.column(name) - self.mean_angle(name) + 180.0) % 360.0 - 180.0)

    def stonyhurst_lon(self) -> float:
        """Stonyhurst longitude from the mean heliocentric Earth equatorial position, deg."""
        x, y, _ = self.mean(np.concatenate([table.heeq for table in self.tables])[self.in_tables])
        return float(np.rad2deg(np.arctan2(y, x)))


def _column(tables: Sequence[AspectTable], name: str) -> Floats:
    """A column of all tables, concatenated."""
    return np.concatenate([np.asarray(getattr(table, name), dtype=float) for table in tables])


def _bracket(time: NDArray[np.datetime64], middle: np.datetime64) -> tuple[NDArray[np.int64], Floats]:
    """Records before and after ``middle``, and interpolation weights; one or none where others are too far away."""
    after = int(np.searchsorted(time, middle))
    near = [i for i in (after - 1, after) if 0 <= i < time.size and abs(time[i] - middle) <= MAX_GAP]
    if len(near) < 2:
        return np.array(near, dtype=np.int64), np.ones(len(near))
    fraction = (middle - time[near[0]]) / (time[near[1]] - time[near[0]])
    return np.array(near), np.array([1.0 - fraction, fraction])
