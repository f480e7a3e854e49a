"""The questions that previews and pages ask of the archive."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa

from archive.errors import NotInArchive, QueryRefused
from archive.index.columns import Table
from archive.index.filters import FlareFilter, ImageFilter, RunFilter, ScienceFilter
from archive.index.order import Order
from archive.index.reader import QueryLimits, Reader
from archive.index.rows import Place, Rows
from archive.index.schema import (
    AUX_FILES,
    FLARES,
    IMAGES,
    OTHER_FILES,
    QUICKLOOK_FILES,
    REGION_SPECTRA,
    RUNS,
    SCIENCE_FILES,
    SPECTRA,
    AuxFile,
    Flare,
    Image,
    OtherFile,
    QuicklookFile,
    RegionSpectra,
    Run,
    ScienceFile,
    Spectrum,
    select_files,
)
from archive.index.spectrum_filter import RegionFilter, SpectrumFilter
from archive.index.sql import Conditions, select
from archive.layout import version_rank
from archive.lightcurves.corrections import NONE, Corrections
from archive.lightcurves.detector import detector_curve
from archive.lightcurves.read import LightCurveReader, LightCurveView
from archive.lightcurves.science import ScienceCurve, science_curve
from stixcore.fits.spec import ProductKind
from stixcore.flares.series import QuicklookSeries

_LIMITS = QueryLimits()


class ArchiveQueries:
    """Typed queries on an archive, without writing. Can be shared between threads.

    Parameters
    ----------
    root : Path
        Folder of the archive, absolute.
    writers_out : function
        Context manager that holds the write lock.
    incomplete : bool
        Leave out unreadable months of the index instead of raising IndexDamaged.
    limits : QueryLimits
        What its queries may use.
    """

    def __init__(
        self,
        root: Path,
        writers_out: Callable[[], AbstractContextManager[None]],
        *,
        incomplete: bool = False,
        limits: QueryLimits = _LIMITS,
    ) -> None:
        self.root = root
        self.index = root / "index"
        self._reader = Reader(self.index, writers_out, incomplete, limits)
        self._light_curves = LightCurveReader(self.index)
        self._rows = Rows(self._reader)

    @property
    def left_out(self) -> tuple[str, ...]:
        """Unreadable months of the index, which answers leave out: "images 2022-11"."""
        return self._reader.left_out

    def query(self, sql: str, parameters: Sequence[Any] = (), *, time_limit_s: float | None = None) -> pa.Table:
        """Run one SELECT over the tables of the index; returns an Arrow table.

        The statement can read the index and nothing else, and cannot write.

        Parameters
        ----------
        sql : str
            One statement; ``?`` stands for a parameter.
        parameters : sequence
            Values for the question marks: numbers, text, times (datetime64, datetime), lists.
        time_limit_s : float, optional
            Time limit, s.

        Raises
        ------
        QueryRefused
            When it is not one valid SELECT.
        QueryTimeout
            When it exceeds the time limit.
        IndexDamaged
            When a file of the index cannot be read.
        """
        return self._reader.query(sql, parameters, time_limit_s)

    def rows(
        self, sql: str, parameters: Sequence[Any] = (), *, time_limit_s: float | None = None
    ) -> list[dict[str, Any]]:
        """Run one SELECT; returns a list of dictionaries. Parameters and errors as `query`."""
        rows: list[dict[str, Any]] = self.query(sql, parameters, time_limit_s=time_limit_s).to_pylist()
        return rows

    def images(
        self,
        which: ImageFilter | None = None,
        *,
        sort: tuple[str, ...] = ("-t_start",),
        limit: int = 100,
        offset: int = 0,
    ) -> list[Image]:
        """One page of images.

        Parameters
        ----------
        which : ImageFilter, optional
            Default: every image that is not hidden.
        sort : tuple of str
            Columns to sort by; a leading "-" means descending. Default: newest first.
        limit, offset : int
            Number of images on the page, and number of images before it.

        Raises
        ------
        QueryRefused
            When there is no such column.
        """
        return self._select(IMAGES, (which or ImageFilter()).conditions, sort, limit, offset)

    def image_page(
        self, which: ImageFilter, *, sort: tuple[str, ...] = ("-t_start",), size: int = 25, page: int = 1
    ) -> tuple[list[Image], int]:
        """A page of images by its number, from 1, and the number of images on all pages.

        A number after the last page gives the last page. This takes about as long as the page or the count alone.
        Errors as `images`.
        """
        return self._rows.page_and_count(IMAGES, which.conditions, sort, size, page)

    def set_page(
        self, which: ImageFilter, *, sort: tuple[str, ...] = ("-t_start",), size: int = 25, page: int = 1
    ) -> tuple[list[Run], int]:
        """A page of image sets with an image that matches a filter, as runs, and the number of sets on all pages.

        Arguments and errors as `image_page`; sorted by columns of runs, their net counts and the measured or
        estimated GOES flux of their flares.
        """
        return self._rows.page_and_count(RUNS, which.set_conditions, sort, size, page)

    def image_place(
        self, image_id: str, which: ImageFilter | None = None, *, sort: tuple[str, ...] = ("-t_start",)
    ) -> Place | None:
        """Position of an image in the sorted list of `images`; None when the filter excludes it."""
        return self._rows.place(IMAGES, (which or ImageFilter()).conditions, sort, image_id)

    def count_images(self, which: ImageFilter | None = None) -> int:
        """Number of images that match a filter."""
        return self._rows.count(IMAGES, (which or ImageFilter()).conditions)

    def image(self, image_id: str) -> Image:
        """The image with this id, hidden or not.

        Raises
        ------
        NotInArchive
            When there is none.
        """
        return self._rows.one(IMAGES, image_id)

    def runs(
        self,
        which: RunFilter | None = None,
        *,
        sort: tuple[str, ...] = ("-t_start",),
        limit: int | None = None,
        offset: int = 0,
    ) -> list[Run]:
        """Runs, newest first; arguments as `images`."""
        return self._select(RUNS, (which or RunFilter()).conditions, sort, limit, offset)

    def count_runs(self, which: RunFilter | None = None) -> int:
        """Number of runs that match a filter."""
        return self._rows.count(RUNS, (which or RunFilter()).conditions)

    def run(self, run_id: str) -> Run:
        """The run with this id, hidden or not.

        Raises
        ------
        NotInArchive
            When there is none.
        """
        return self._rows.one(RUNS, run_id)

    def spectra(
        self,
        which: SpectrumFilter | None = None,
        *,
        sort: tuple[str, ...] = ("-t_start",),
        limit: int | None = None,
        offset: int = 0,
    ) -> list[Spectrum]:
        """Spectra with their fits, newest first; arguments as `images`, without a limit by default."""
        return self._select(SPECTRA, (which or SpectrumFilter()).conditions, sort, limit, offset)

    def count_spectra(self, which: SpectrumFilter | None = None) -> int:
        """Number of spectra that match a filter."""
        return self._rows.count(SPECTRA, (which or SpectrumFilter()).conditions)

    def spectrum(self, spectrum_id: str) -> Spectrum:
        """The spectrum with this id, hidden or not.

        Raises
        ------
        NotInArchive
            When there is none.
        """
        return self._rows.one(SPECTRA, spectrum_id)

    def region_spectra(
        self,
        which: RegionFilter | None = None,
        *,
        sort: tuple[str, ...] = ("-t_start",),
        limit: int | None = None,
        offset: int = 0,
    ) -> list[RegionSpectra]:
        """Spectra of regions of images, newest first; arguments as `images`, without a limit by default."""
        return self._select(REGION_SPECTRA, (which or RegionFilter()).conditions, sort, limit, offset)

    def count_region_spectra(self, which: RegionFilter | None = None) -> int:
        """Number of region spectra that match a filter."""
        return self._rows.count(REGION_SPECTRA, (which or RegionFilter()).conditions)

    def region_spectrum(self, region_id: str) -> RegionSpectra:
        """The region spectra with this id, hidden or not.

        Raises
        ------
        NotInArchive
            When there are none.
        """
        return self._rows.one(REGION_SPECTRA, region_id)

    def science_files(
        self,
        which: ScienceFilter | None = None,
        *,
        sort: tuple[str, ...] = ("t_start",),
        limit: int | None = None,
        offset: int = 0,
    ) -> list[ScienceFile]:
        """Pixel-data files and spectrograms, oldest first; without superseded versions by default."""
        return self._select(SCIENCE_FILES, (which or ScienceFilter()).conditions, sort, limit, offset)

    def science_file_place(
        self, name: str, which: ScienceFilter | None = None, *, sort: tuple[str, ...] = ("t_start",)
    ) -> Place | None:
        """Position of a file in the sorted list of `science_files`; None when the filter excludes it."""
        return self._rows.place(SCIENCE_FILES, (which or ScienceFilter()).conditions, sort, name)

    def count_science_files(self, which: ScienceFilter | None = None) -> int:
        """Number of science files that match a filter."""
        return self._rows.count(SCIENCE_FILES, (which or ScienceFilter()).conditions)

    def science_file(self, uid_or_name: str) -> ScienceFile:
        """A science file by its name, or the best file of a request: pixel data before spectrograms, newest version.

        Raises
        ------
        NotInArchive
            When there is none.
        """
        found = self._select(SCIENCE_FILES, Conditions.of(("name = ? OR uid = ?", (uid_or_name, uid_or_name))), ())
        if not found:
            message = f"no science file has the name or uid {uid_or_name!r}"
            raise NotInArchive(message)
        return max(
            found,
            key=lambda row: (
                row.name == uid_or_name,
                row.product == ProductKind.PIXEL_DATA,
                row.superseded_by is None,
                version_rank(row.level, row.version),
                row.name,
            ),
        )

    def locate(self, uid_or_name: str) -> Path:
        """Absolute path of the file of a science request, or of any product by its name.

        Raises
        ------
        NotInArchive
            When the index has no such file.
        """
        by_name = self.query(select_files("path", " WHERE name = $1"), [uid_or_name])
        if by_name.num_rows:
            return self.path_of(by_name["path"][0].as_py())
        return self.path_of(self.science_file(uid_or_name).path)

    def aux_for(self, time: np.datetime64, *, within_s: float = 300.0, simulated: bool = False) -> list[AuxFile]:
        """Ephemeris files for the pointing at a time, nearest first; two around midnight, none if all are too far.

        Parameters
        ----------
        time : datetime64
            UTC at Solar Orbiter.
        within_s : float
            Largest distance of the time from the records of a file, s.
        simulated : bool
            Simulated or real files; the two are never mixed.
        """
        margin = np.timedelta64(round(within_s * 1e6), "us")
        near = Conditions.of(
            ("t_start <= ?", time + margin),
            ("t_end >= ?", time - margin),
            ("simulated = ?", simulated),
            ("superseded_by IS NULL", ()),
        )
        return sorted(self._select(AUX_FILES, near, ("t_start",)), key=lambda row: _gap(row, time))

    def quicklook_files(
        self, t_start: np.datetime64, t_end: np.datetime64, *, simulated: bool = False
    ) -> list[QuicklookFile]:
        """Quick-look files that overlap a time range, oldest version first: later ones take precedence."""
        overlap = Conditions.of(
            ("t_end > ?", t_start),
            ("t_start < ?", t_end),
            ("simulated = ?", simulated),
            ("superseded_by IS NULL", ()),
        )
        found = self._select(QUICKLOOK_FILES, overlap, ())
        return sorted(found, key=lambda row: (version_rank(row.level, row.version), row.t_start, row.name))

    def other_files(self, t_start: np.datetime64, t_end: np.datetime64, *, simulated: bool = False) -> list[OtherFile]:
        """Files of other products (table ``other_files``) that overlap a time range, oldest first."""
        overlap = Conditions.of(
            ("t_end >= ?", t_start),
            ("t_start < ?", t_end),
            ("simulated = ?", simulated),
            ("superseded_by IS NULL", ()),
        )
        return self._select(OTHER_FILES, overlap, ("t_start",))

    def light_curve(
        self,
        start: np.datetime64,
        end: np.datetime64,
        max_points: int = 2000,
        *,
        simulated: bool = False,
        corrections: Corrections = NONE,
    ) -> LightCurveView:
        """Quick-look light curves of a time window, at plot resolution; see `LightCurveReader.view`."""
        return self._light_curves.view(start, end, max_points, simulated=simulated, corrections=corrections)

    def science_curve(
        self,
        start: np.datetime64,
        end: np.datetime64,
        max_points: int = 2000,
        *,
        simulated: bool = False,
        corrected: bool = True,
        attenuator: bool = False,
    ) -> ScienceCurve:
        """Light curves from pixel data and spectrograms; see `science_curve`."""
        return science_curve(
            self, start, end, max_points, simulated=simulated, corrected=corrected, attenuator=attenuator
        )

    def detector_curve(
        self,
        start: np.datetime64,
        end: np.datetime64,
        max_points: int = 2000,
        *,
        simulated: bool = False,
        corrected: bool = False,
    ) -> ScienceCurve:
        """Light curves of the background detector; see `detector_curve`."""
        return detector_curve(self, start, end, max_points, simulated=simulated, corrected=corrected)

    def light_curve_bins(self, start: np.datetime64, end: np.datetime64, *, simulated: bool = False) -> QuicklookSeries:
        """Quick-look bins that start in a time range, for flare detection; see `LightCurveReader.bins`."""
        return self._light_curves.bins(start, end, simulated=simulated)

    def light_curve_rows(
        self,
        start: np.datetime64,
        end: np.datetime64,
        *,
        minutes: bool = False,
        simulated: bool = False,
        corrections: Corrections = NONE,
    ) -> Iterator[pa.Table]:
        """Stored rows of the light curves, one file at a time; see `LightCurveReader.stored`."""
        return self._light_curves.stored(start, end, minutes=minutes, simulated=simulated, corrections=corrections)

    def backgrounds(
        self,
        time: np.datetime64,
        *,
        e_low: float | None = None,
        e_high: float | None = None,
        within_days: float = 60.0,
        simulated: bool = False,
    ) -> list[ScienceFile]:
        """Pixel-data files usable as background: all detectors, attenuator out, nearest in time first.

        Parameters
        ----------
        time : datetime64
            Middle of the observation, UTC at Solar Orbiter.
        e_low, e_high : float, optional
            Range that the file must cover, keV.
        within_days : float
            Largest distance of the background's middle, before or after, day.
        simulated : bool
            Simulated or real files; the two are never mixed.
        """
        margin = np.timedelta64(round(within_days * 86400e6), "us")
        which = ScienceFilter(
            product=ProductKind.PIXEL_DATA,
            is_background=True,
            simulated=simulated,
            e_low=e_low,
            e_high=e_high,
            # a file can begin before the range and have its middle inside
            t_start=time - margin,
            t_end=time + margin,
        )
        found = [row for row in self.science_files(which) if row.all_detectors and row.rcr_max == 0]
        near = [row for row in found if abs(_middle(row) - time) <= margin]
        return sorted(near, key=lambda row: (abs(_middle(row) - time), row.name))

    def flares(self, t_start: np.datetime64 | None = None, t_end: np.datetime64 | None = None) -> list[Flare]:
        """Flares whose peak is in a time range, oldest first."""
        return self._select(FLARES, Conditions.of(("t_peak >= ?", t_start), ("t_peak < ?", t_end)), ("t_peak",))

    def flare_page(
        self,
        which: FlareFilter | None = None,
        *,
        sort: tuple[str, ...] = ("-t_peak",),
        limit: int = 100,
        offset: int = 0,
    ) -> list[Flare]:
        """One page of flares, newest first; arguments as `images`."""
        return self._select(FLARES, (which or FlareFilter()).conditions, sort, limit, offset)

    def flare_table(self, which: FlareFilter | None = None, columns: Sequence[str] = ()) -> pa.Table:
        """All flares that match a filter, oldest first, as an Arrow table.

        Parameters
        ----------
        which : FlareFilter, optional
        columns : sequence of str
            Names of the columns; all by default.

        Raises
        ------
        QueryRefused
            When there is no such column.
        """
        return self._table(FLARES, (which or FlareFilter()).conditions, "t_peak", columns)

    def image_table(self, which: ImageFilter | None = None, columns: Sequence[str] = ()) -> pa.Table:
        """All images that match a filter, oldest first; arguments and errors as `flare_table`."""
        return self._table(IMAGES, (which or ImageFilter()).conditions, "t_start", columns)

    def spectrum_table(self, which: SpectrumFilter | None = None, columns: Sequence[str] = ()) -> pa.Table:
        """All spectra that match a filter, oldest first; arguments and errors as `flare_table`."""
        return self._table(SPECTRA, (which or SpectrumFilter()).conditions, "t_start", columns)

    def count_flares(self, which: FlareFilter | None = None) -> int:
        """Number of flares that match a filter."""
        return self._rows.count(FLARES, (which or FlareFilter()).conditions)

    def flare(self, flare_id: str) -> Flare:
        """The flare with this id, or with this other id; of several with the same other id, the earliest.

        Raises
        ------
        NotInArchive
            When there is none.
        """
        try:
            return self._rows.one(FLARES, flare_id)
        except NotInArchive:
            other = Conditions.of(("list_contains(string_split(other_ids, ' '), ?)", flare_id))
            found = self._select(FLARES, other, ("t_peak",), 1)
            if not found:
                raise
            return found[0]

    def listed_ids(self, others: Collection[str]) -> dict[str, str]:
        """Ids in the flare list of flares with these other ids, by other id; the earliest flare of several."""
        which = Conditions.of(("list_has_any(string_split(other_ids, ' '), ?)", sorted(others) or None))
        found = self._select(FLARES, which, ("-t_peak",)) if others else []
        known = {other: flare.flare_id for flare in found for other in (flare.other_ids or "").split()}
        return {other: known[other] for other in others if other in known}

    def path_of(self, relative: str | PurePosixPath) -> Path:
        """Absolute path of a file of the archive.

        Raises
        ------
        NotInArchive
            When the path leaves the archive (``..``, absolute) or contains a link. The archive makes no links, so one
            may lead to a file that must stay private, such as that of the users.
        """
        path = self.root / relative
        if not path.is_relative_to(self.root) or path.resolve() != path:
            message = f"{str(relative)!r} is outside the archive, or a link"
            raise NotInArchive(message)
        return path

    def close(self) -> None:
        """Close the files that queries keep open; the next query opens them again."""
        self._reader.close()
        self._light_curves.close()

    def _table(self, table: Table[Any], conditions: Conditions, time: str, columns: Sequence[str]) -> pa.Table:
        unknown = [name for name in columns if name not in table.names]
        if unknown:
            message = f"table {table.name} has no column {unknown[0]!r}"
            raise QueryRefused(message)
        rest = f"{conditions.where}{Order.of(table, (time,)).clause}"
        return self.query(select(", ".join(columns) or table.selection, table.name, rest), conditions.values)

    def _select[Row](
        self,
        table: Table[Row],
        conditions: Conditions,
        sort: tuple[str, ...],
        limit: int | None = None,
        offset: int = 0,
    ) -> list[Row]:
        if limit is None:
            return self._rows.select(table, conditions, sort)
        return self._rows.page(table, conditions, sort, limit, offset)


def _middle(row: ScienceFile) -> np.datetime64:
    return row.t_start + (row.t_end - row.t_start) // 2


def _gap(row: AuxFile, time: np.datetime64) -> np.timedelta64:
    """Distance of a time from the records of a file; zero inside."""
    return max(row.t_start - time, time - row.t_end, np.timedelta64(0, "us"))
