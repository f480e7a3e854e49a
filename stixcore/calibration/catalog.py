"""Calibration by date: the shipped tables, tables added by an archive, and the daily CAL files.

The catalogue is made once, where the archive is known, and passed as an argument, so that every process uses the same
tables. Recipes refer to the chosen calibration by name and hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from stixcore.errors import CalibrationError, InvalidProduct
from stixcore.fits.cal_energy import CalEnergy, read_cal_energy
from stixcore.instrument.calibration_file import PhaseTable, shipped_calibration
from stixcore.instrument.energy_tables import EnergyLookupTable, ScienceChannels, Validity, read_energy_table
from stixcore.references import CalibrationReference, FileReference, TableReference, sha256_of

if TYPE_CHECKING:
    from stixcore.recipe import Recipe
    from stixcore.spectrum_recipe import SpectrumRecipe

#: Days around the window in which a CAL file is searched (ground software 0.6.2, ``stx_get_calibration_file``).
CAL_REACH = np.timedelta64(10, "D")
#: Shortest run and live time of a CAL file, s (ground software, as above).
CAL_MIN_DURATION = 3e4
#: Tables for recipes of version 1, as stixpy 0.3 lists them: with three start times that STIX-CONF corrected later.
_VERSION_1_LAST = "elut_table_20250523"
_VERSION_1_STARTS = {
    "elut_table_20240205": np.datetime64("2024-02-19T06:00:00", "us"),
    "elut_table_20240709": np.datetime64("2024-07-31T00:21:00", "us"),
    "elut_table_20241114": np.datetime64("2024-12-09T01:06:00", "us"),
}
#: Beginning of sentences that explain why no CAL file is used.
NO_CAL_FILE = "no daily energy calibration"


@dataclass(frozen=True)
class CalFile:
    """A CAL file in the catalogue.

    Attributes
    ----------
    path : Path
    name, sha256, energy_table : str
    t_start, t_end : datetime64[us], UTC
    duration, livetime : float, s
    version : (int, bool)
        See `stixcore.fits.cal_energy.CalEnergy`.
    """

    path: Path
    name: str
    sha256: str
    energy_table: str
    t_start: np.datetime64
    t_end: np.datetime64
    duration: float
    livetime: float
    version: tuple[int, bool] = (0, True)

    @classmethod
    def of(cls, path: Path) -> CalFile:
        """Make the entry of a file.

        Raises
        ------
        InvalidProduct
            When the file is a different product, or damaged.
        """
        run = read_cal_energy(path)
        return cls(
            path,
            run.name,
            sha256_of(path),
            run.energy_table,
            run.t_start,
            run.t_end,
            run.duration,
            run.livetime,
            run.version,
        )

    @property
    def middle(self) -> np.datetime64:
        """Middle of the run."""
        return self.t_start + (self.t_end - self.t_start) // 2


@dataclass(frozen=True, eq=False)
class Calibration:
    """The calibration of one time window: the tables that the recipe names.

    Attributes
    ----------
    catalog : CalibrationCatalog
    energy_table : EnergyLookupTable
        With the edges of the CAL file, where there is one.
    phases : PhaseTable
    cal_file : FileReference or None
    reason : str
        Why this CAL file, or no CAL file, was chosen.
    """

    catalog: CalibrationCatalog
    energy_table: EnergyLookupTable
    phases: PhaseTable
    cal_file: FileReference | None
    reason: str

    @property
    def reference(self) -> CalibrationReference:
        """Reference to this calibration for the recipe."""
        return CalibrationReference(
            TableReference(self.energy_table.name, self.energy_table.sha256),
            TableReference(self.phases.name, self.phases.sha256),
            self.cal_file,
        )


@dataclass(frozen=True)
class CatalogFaults:
    """Damaged parts of an archive's calibration, one sentence each; they only block what depends on them.

    Attributes
    ----------
    tables : tuple of (str, str)
        Energy tables that cannot be used: name and sentence.
    validity : str
        Damage to the list of tables: the table in force after the start of the last shipped one is then unknown.
    cal_files : str
        Damage to the list of CAL files: none can be chosen.
    """

    tables: tuple[tuple[str, str], ...] = ()
    validity: str = ""
    cal_files: str = ""

    @property
    def sentences(self) -> tuple[str, ...]:
        """All sentences."""
        return tuple(text for text in (self.validity, *(text for _, text in self.tables), self.cal_files) if text)


@dataclass(frozen=True)
class CalibrationCatalog:
    """Energy tables by date and by name, and CAL files. Pickles are small, as they omit the shipped tables.

    Attributes
    ----------
    added : tuple of EnergyLookupTable
        Tables that an archive adds to the shipped ones.
    added_validity : tuple of Validity
        Validity of added and shipped tables, where the shipped list does not have it.
    cal_files : tuple of CalFile
    version_1 : bool
        Choose tables by the rules of recipe version 1.
    faults : CatalogFaults
        Parts of the archive's calibration that cannot be used.
    """

    added: tuple[EnergyLookupTable, ...] = ()
    added_validity: tuple[Validity, ...] = ()
    cal_files: tuple[CalFile, ...] = ()
    version_1: bool = False
    faults: CatalogFaults = CatalogFaults()

    def __repr__(self) -> str:
        """Short text that differs between catalogues with different contents."""
        names = [*(f"{t.name} {t.sha256}" for t in self.added), *map(str, self.added_validity)]
        names += [f"{file.name} {file.sha256}" for file in self.cal_files]
        names += self.faults.sentences
        digest = hashlib.sha256("\n".join(names).encode()).hexdigest()[:16] if names else "shipped"
        return f"CalibrationCatalog({digest}, version_1={self.version_1})"

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        # Omit derived values, so that tasks sent to workers stay small.
        return type(self), (self.added, self.added_validity, self.cal_files, self.version_1, self.faults)

    @cached_property
    def validity(self) -> tuple[Validity, ...]:
        """Validity of each table, in order of time."""
        shipped = shipped_calibration().validity
        if self.version_1:
            end = next(i for i, row in enumerate(shipped) if row.name == _VERSION_1_LAST)
            old = [replace(row, start=_VERSION_1_STARTS.get(row.name, row.start)) for row in shipped[: end + 1]]
            return (*old[:-1], replace(old[-1], end=None))
        return merged_validity(shipped, self.added_validity)

    @cached_property
    def tables(self) -> dict[str, EnergyLookupTable]:
        """All energy tables by name."""
        return shipped_calibration().tables | {table.name: table for table in self.added}

    @property
    def known_until(self) -> np.datetime64:
        """Date after which the newest table may be outdated: it has been in force longer than any table before it.

        The published list is not dated, so its age is judged by how often tables were replaced.
        """
        closed = [row.end - row.start for row in self.validity if row.end is not None]
        last = self.validity[-1]
        longest: np.timedelta64 = max(closed)
        return last.start + longest if last.end is None else last.end

    def energy_table_at(self, date: np.datetime64) -> EnergyLookupTable:
        """Table in force at ``date`` (UTC); the earlier one in a gap between two tables.

        Raises
        ------
        CalibrationError
            When the date is before the first table, or the table or the list of tables is damaged.
        """
        name = self._in_force(date)
        table = self.tables.get(name)
        if table is None:
            raise CalibrationError(dict(self.faults.tables)[name])
        return table

    def _in_force(self, date: np.datetime64) -> str:
        """Name of the table in force at a date; raises the errors of `energy_table_at`."""
        if self.faults.validity and date >= shipped_calibration().validity[-1].start:
            raise CalibrationError(self.faults.validity)
        started = [row.name for row in self.validity if row.start <= date]
        if not started:
            message = f"no energy look-up table covers {date}; the first one starts at {self.validity[0].start}"
            raise CalibrationError(message)
        return started[-1]

    def energy_table(self, reference: TableReference) -> EnergyLookupTable:
        """Table by name and hash.

        Raises
        ------
        CalibrationError
            When there is no table of that name, or its hash differs.
        """
        table = self.tables.get(reference.name)
        if table is None:
            message = dict(self.faults.tables).get(reference.name) or (
                f"the recipe needs the energy table {reference.name}, which this installation does not have; "
                "add it with stix-jobs calibration add"
            )
            raise CalibrationError(message)
        if table.sha256 != reference.sha256:
            message = (
                f"the recipe needs the energy table {reference.name} with SHA-256 {reference.sha256}; "
                f"the one of this installation has {table.sha256}"
            )
            raise CalibrationError(message)
        return table

    def with_table(self, path: Path, in_force: Iterable[tuple[str, str | None]]) -> CalibrationCatalog:
        """Catalogue with one more energy table, from a published file.

        Parameters
        ----------
        path : Path
        in_force : iterable of (str, str or None)
            Start and end of each interval in which the table was in force, ISO 8601 UTC; None when no end is known.

        Raises
        ------
        CalibrationError
            When the file is not an energy table, or a different table has the same start.
        """
        table = read_energy_table(path)
        times = [
            Validity(table.name, np.datetime64(start, "us"), None if end is None else np.datetime64(end, "us"))
            for start, end in in_force
        ]
        validity = (*self.added_validity, *times)
        merged_validity(shipped_calibration().validity, validity)  # raises an error for contradictions
        return replace(self, added=(*self.added, table), added_validity=validity)

    def doubt_about(self, date: np.datetime64) -> str:
        """Sentence that explains why the table of a date may be wrong; empty when there is no doubt."""
        for row, following in pairwise(self.validity):
            if row.end is not None and row.end <= date < following.start:
                return (
                    f"no energy table is known from {_minute(row.end)} to {_minute(following.start)}; "
                    f"the one before, {row.name}, was taken"
                )
        if date <= self.known_until:
            return ""
        last = self.validity[-1]
        return (
            f"the energy table {last.name} is the newest one known, in force since {str(last.start)[:10]}; "
            f"after {str(self.known_until)[:10]} there is probably a newer one (stix-jobs calibration add)"
        )

    def science_channels_at(self, date: np.datetime64) -> ScienceChannels:
        """Science channels on board at ``date``."""
        shipped = shipped_calibration()
        started = [row.name for row in shipped.channel_validity if row.start <= date]
        return shipped.channels[started[-1] if started else shipped.channel_validity[0].name]

    def choose(self, start: np.datetime64, end: np.datetime64) -> Calibration:
        """Choose the calibration of a window by the rules of the ground software 0.6.2.

        The CAL file is the one nearest in time (middle to middle) among those that have the same energy table, are
        dated within ten days of the window, and have a duration (from the name) and a live time of at least 3·10⁴ s.

        Raises
        ------
        CalibrationError
            When no energy table covers the window, or the table, the list of CAL files or the chosen file is damaged.
        """
        table = self.energy_table_at(start)
        phases = shipped_calibration().phases
        best, reason = self._nearest_cal(start, end, table)
        if best is None:
            return Calibration(self, table, phases, None, reason)
        reference = FileReference(best.name, "", best.sha256)
        return Calibration(self, _with_edges(table, _read_cal(best.path, reference)), phases, reference, reason)

    def reference_at(self, start: np.datetime64, end: np.datetime64) -> CalibrationReference:
        """Reference to what `choose` returns, without reading the CAL file; raises the same errors."""
        table, phases = self.energy_table_at(start), shipped_calibration().phases
        best, _ = self._nearest_cal(start, end, table)
        return CalibrationReference(
            TableReference(table.name, table.sha256),
            TableReference(phases.name, phases.sha256),
            None if best is None else FileReference(best.name, "", best.sha256),
        )

    def referenced(self, recipe: Recipe | SpectrumRecipe, locate: Callable[[FileReference], Path]) -> Calibration:
        """Calibration that a recipe names; the version-1 tables for recipes that name none.

        Raises
        ------
        CalibrationError
            When a table is missing, or differs from the one in the recipe.
        InvalidProduct
            When the CAL file differs from the one in the recipe.
        """
        phases, wanted = shipped_calibration().phases, recipe.calibration
        if wanted is None:
            catalog = CalibrationCatalog(version_1=True) if recipe.version == 1 else self
            table = catalog.energy_table_at(recipe.t_start)
            return Calibration(catalog, table, phases, None, "")
        if (phases.name, phases.sha256) != (wanted.phase_table.name, wanted.phase_table.sha256):
            message = (
                f"the recipe needs the phase corrections {wanted.phase_table.name} with SHA-256 "
                f"{wanted.phase_table.sha256}, which this installation does not have"
            )
            raise CalibrationError(message)
        table = self.energy_table(wanted.energy_table)
        start, end = recipe.t_start, recipe.t_end
        if wanted.cal_file is None:
            # the recipe names what it needs, so damage to the rest of the catalogue does not matter
            best, why = (None, NO_CAL_FILE) if self.faults.sentences else self._nearest_cal(start, end, table)
            reason = why if best is None else f"{NO_CAL_FILE}: the recipe names none, though there is {best.name}"
            return Calibration(self, table, phases, None, reason)
        own = next((file for file in self.cal_files if file.name == wanted.cal_file.name), None)
        path = own.path if own is not None and own.path.is_file() else locate(wanted.cal_file)
        run = _read_cal(path, wanted.cal_file)
        reason = f"as the recipe says: {_distance(run.t_start + (run.t_end - run.t_start) // 2, start, end)}"
        return Calibration(self, _with_edges(table, run), phases, wanted.cal_file, reason)

    def _nearest_cal(
        self, start: np.datetime64, end: np.datetime64, table: EnergyLookupTable
    ) -> tuple[CalFile | None, str]:
        """The CAL file of a window, if any, and the reason for the choice."""
        if self.faults.cal_files:
            raise CalibrationError(self.faults.cal_files)
        first, last = start.astype("datetime64[D]") - CAL_REACH, end.astype("datetime64[D]") + CAL_REACH
        near = [file for file in self.cal_files if first <= file.middle.astype("datetime64[D]") <= last]
        fit = [file for file in near if not self._cal_fault(file, table)]
        if not fit:
            return None, f"{NO_CAL_FILE}: {self._reason_for_none(near, start, end, table)}"
        middle = start + (end - start) // 2

        def rank(file: CalFile) -> tuple[np.timedelta64, bool, int, str]:
            number, complete = file.version
            return abs(file.middle - middle), not complete, -number, file.name

        best = min(fit, key=rank)
        return best, f"nearest of {len(fit)} CAL files within 10 days: {_distance(best.middle, start, end)}"

    def _reason_for_none(
        self, near: Sequence[CalFile], start: np.datetime64, end: np.datetime64, table: EnergyLookupTable
    ) -> str:
        """Why no CAL file can be used: the fault of the nearest one, or how far away it is."""
        closest = min(
            near or self.cal_files, key=lambda file: abs(file.middle - (start + (end - start) // 2)), default=None
        )
        if closest is None:
            return "no CAL file within 10 days, and none at all in the archive"
        if near:
            return self._cal_fault(closest, table)
        return f"no CAL file within 10 days; the nearest, {closest.name}, is {_distance(closest.middle, start, end)}"

    def _cal_fault(self, file: CalFile, table: EnergyLookupTable) -> str:
        """Why a CAL file cannot be used; empty when it can."""
        if file.duration < CAL_MIN_DURATION:
            return f"{file.name} is {file.duration:.0f} s long, {CAL_MIN_DURATION:.0f} s needed"
        if file.livetime < CAL_MIN_DURATION:
            return f"{file.name} has {file.livetime:.0f} s of live time, {CAL_MIN_DURATION:.0f} s needed"
        if file.energy_table != table.name or self._in_force(file.t_start) != table.name:
            return f"{file.name} was taken with the energy table {file.energy_table}, the window with {table.name}"
        return ""


def _distance(middle: np.datetime64, start: np.datetime64, end: np.datetime64) -> str:
    """Distance of a time from the middle of a window, as text."""
    hours = float((middle - (start + (end - start) // 2)) / np.timedelta64(3600, "s"))
    distance = f"{abs(hours):.1f} h" if abs(hours) < 48.0 else f"{abs(hours) / 24.0:.1f} days"
    return f"{distance} {'after' if hours > 0 else 'before'} the window"


def merged_validity(known: Iterable[Validity], added: Iterable[Validity]) -> tuple[Validity, ...]:
    """Merge two lists: an open or overlapping interval ends where the next one starts.

    Raises
    ------
    CalibrationError
        When they have different tables with the same start, or two consecutive intervals of the same table.
    """
    by_start: dict[np.datetime64, Validity] = {row.start: row for row in known}
    for row in added:
        other = by_start.get(row.start)
        if other is not None and other.name != row.name:
            message = f"from {row.start} both {other.name} and {row.name} are said to be in force"
            raise CalibrationError(message)
        by_start[row.start] = row
    rows = [by_start[start] for start in sorted(by_start)]
    for row, following in pairwise(rows):
        if row.name == following.name:
            message = f"{row.name} is said to start both at {row.start} and at {following.start}"
            raise CalibrationError(message)
    ends = [row.start for row in rows[1:]]
    closed = [
        replace(row, end=end if row.end is None else min(row.end, end)) for row, end in zip(rows, ends, strict=False)
    ]
    return (*closed, rows[-1])


def _minute(time: np.datetime64) -> str:
    """A time to the minute, for messages."""
    return str(time)[:16].replace("T", " ")


def _with_edges(table: EnergyLookupTable, run: CalEnergy) -> EnergyLookupTable:
    """The table with the edges that a calibration run measured.

    Raises
    ------
    CalibrationError
        When the run was taken with a different table: the edges belong to that table's ADC values.
    """
    if run.energy_table != table.name:
        message = f"{run.name}: taken with the energy table {run.energy_table}, not with {table.name}"
        raise CalibrationError(message)
    return replace(table, edges=run.edges, offset=run.offset, gain=run.gain)


def edge_difference(table: EnergyLookupTable, run: CalEnergy) -> NDArray[np.float64]:
    """Edges of a calibration run minus those computed from its offset and gain, (32, 12, 31) float, keV.

    E = (ADC - offset)·gain with the ADC edges of the table.

    Raises
    ------
    CalibrationError
        When the table has no ADC edges.
    """
    if table.adc is None:
        message = f"{table.name} does not hold ADC edges"
        raise CalibrationError(message)
    return np.asarray(run.edges - (table.adc - run.offset[:, :, None]) * run.gain[:, :, None])


def _read_cal(path: Path, reference: FileReference) -> CalEnergy:
    if not path.is_file():  # reading a pipe would block
        message = f"the CAL file {path.name} is not there, or is not a regular file; add it again"
        raise CalibrationError(message)
    found = sha256_of(path)
    if found != reference.sha256:
        raise InvalidProduct(path, f"SHA-256 {reference.sha256}", found)
    return read_cal_energy(path)


#: Catalogue of the shipped tables only.
SHIPPED = CalibrationCatalog()


def energy_lookup_table(date: np.datetime64) -> EnergyLookupTable:
    """Shipped on-board energy table in force at ``date`` (UTC), see `CalibrationCatalog.energy_table_at`."""
    return SHIPPED.energy_table_at(date)
