"""The questions that previews and pages ask of the archive."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa

from archive.errors import NotInArchive
from archive.index.columns import Table
from archive.index.filters import FlareFilter, ImageFilter, RunFilter, ScienceFilter
from archive.index.reader import Reader
from archive.index.rows import Place, Rows
from archive.index.schema import (
    AUX_FILES,
    FLARES,
    IMAGES,
    OTHER_FILES,
    QUICKLOOK_FILES,
    RUNS,
    SCIENCE_FILES,
    AuxFile,
    Flare,
    Image,
    OtherFile,
    QuicklookFile,
    Run,
    ScienceFile,
    select_files,
)
from archive.index.sql import Conditions
from archive.layout import version_rank
from archive.lightcurves.read import LightCurveReader, LightCurveView
from stixcore.fits.spec import ProductKind
from stixcore.flares.series import QuicklookSeries


class Questions:
    """The reading half of an archive. Every question is a query or two, each on a cursor of its own.

    Parameters
    ----------
    root : Path
        Folder of the archive, absolute.
    writers_out : function
        Context manager that keeps writers out.
    incomplete : bool
        Leave out months of the index that cannot be read.
    """

    def __init__(
        self, root: Path, writers_out: Callable[[], AbstractContextManager[None]], *, incomplete: bool = False
    ) -> None:
        self.root = root
        self.index = root / "index"
        self._reader = Reader(self.index, writers_out, incomplete)
        self._light_curves = LightCurveReader(self.index)
        self._rows = Rows(self._reader)

    @property
    def left_out(self) -> tuple[str, ...]:
        """Months of the index that answers lacked because they cannot be read, "images 2022-11"."""
        return self._reader.left_out

    def query(self, sql: str, parameters: Sequence[Any] = (), *, time_limit_s: float | None = None) -> pa.Table:
        """Answer of one SELECT over the tables of the index, as an Arrow table.

        Nothing but the index can be read and nothing written, whatever the statement says.

        Parameters
        ----------
        sql : str
            One statement; ``?`` stands for a parameter.
        parameters : sequence
            Values for the question marks: numbers, text, times (datetime64, datetime), lists.
        time_limit_s : float, optional
            Seconds after which the query is stopped.

        Raises
        ------
        QueryRefused, QueryTimeout, IndexDamaged
            When it does more than read; takes too long; meets a broken file.
        """
        return self._reader.query(sql, parameters, time_limit_s)

    def rows(
        self, sql: str, parameters: Sequence[Any] = (), *, time_limit_s: float | None = None
    ) -> list[dict[str, Any]]:
        """Answer of one SELECT as a list of dictionaries; see `query`."""
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
            Every image that is not hidden, by default.
        sort : tuple of str
            Columns; a leading "-" turns one round. Newest first by default.
        limit, offset : int
            Length of the page, and how many images come before it.

        Raises
        ------
        QueryRefused
            When there is no such column.
        """
        return self._select(IMAGES, (which or ImageFilter()).conditions, sort, limit, offset)

    def image_page(
        self, which: ImageFilter, *, sort: tuple[str, ...] = ("-t_start",), size: int = 25, page: int = 1
    ) -> tuple[list[Image], int]:
        """A page by its number, from 1, and how many images there are on all pages; the last page for one behind it.

        Asking both at once takes about as long as asking one of them. Errors as `images`.
        """
        return self._rows.page_and_count(IMAGES, which.conditions, sort, size, page)

    def image_place(
        self, image_id: str, which: ImageFilter | None = None, *, sort: tuple[str, ...] = ("-t_start",)
    ) -> Place | None:
        """Where an image stands in the list that `images` gives pages of; None when the filter keeps it out."""
        return self._rows.place(IMAGES, (which or ImageFilter()).conditions, sort, image_id)

    def count_images(self, which: ImageFilter | None = None) -> int:
        """Number of images that a filter lets through."""
        return self._rows.count(IMAGES, (which or ImageFilter()).conditions)

    def image(self, image_id: str) -> Image:
        """The image of that id, hidden or not.

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
        """Number of runs that a filter lets through."""
        return self._rows.count(RUNS, (which or RunFilter()).conditions)

    def run(self, run_id: str) -> Run:
        """The run of that id, hidden or not.

        Raises
        ------
        NotInArchive
            When there is none.
        """
        return self._rows.one(RUNS, run_id)

    def science_files(
        self,
        which: ScienceFilter | None = None,
        *,
        sort: tuple[str, ...] = ("t_start",),
        limit: int | None = None,
        offset: int = 0,
    ) -> list[ScienceFile]:
        """Pixel-data files and spectrograms, oldest first; superseded versions only on request."""
        return self._select(SCIENCE_FILES, (which or ScienceFilter()).conditions, sort, limit, offset)

    def science_file_place(
        self, name: str, which: ScienceFilter | None = None, *, sort: tuple[str, ...] = ("t_start",)
    ) -> Place | None:
        """Where a file stands in the list that `science_files` gives; None when the filter keeps it out."""
        return self._rows.place(SCIENCE_FILES, (which or ScienceFilter()).conditions, sort, name)

    def count_science_files(self, which: ScienceFilter | None = None) -> int:
        """Number of science files that a filter lets through."""
        return self._rows.count(SCIENCE_FILES, (which or ScienceFilter()).conditions)

    def science_file(self, uid_or_name: str) -> ScienceFile:
        """Science file by its name, or the one to use of a request: pixel data before spectrograms, newest version.

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
        """File of a science request, or of any product by its name.

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
        """Ephemeris files to interpolate the pointing from, nearest first; two around midnight, none when far away.

        Parameters
        ----------
        time : datetime64
            UTC at Solar Orbiter.
        within_s : float
            How far outside a file's records the time may be, s.
        simulated : bool
            Simulated data have simulated pointing; the two are never mixed.
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
        """Quick-look files that overlap a time range, in the order in which later ones overwrite earlier ones."""
        overlap = Conditions.of(
            ("t_end > ?", t_start),
            ("t_start < ?", t_end),
            ("simulated = ?", simulated),
            ("superseded_by IS NULL", ()),
        )
        found = self._select(QUICKLOOK_FILES, overlap, ())
        return sorted(found, key=lambda row: (version_rank(row.level, row.version), row.t_start, row.name))

    def other_files(self, t_start: np.datetime64, t_end: np.datetime64, *, simulated: bool = False) -> list[OtherFile]:
        """Files of all other products that overlap a time range, oldest first; see the table ``other_files``."""
        overlap = Conditions.of(
            ("t_end >= ?", t_start),
            ("t_start < ?", t_end),
            ("simulated = ?", simulated),
            ("superseded_by IS NULL", ()),
        )
        return self._select(OTHER_FILES, overlap, ("t_start",))

    def light_curve(
        self, start: np.datetime64, end: np.datetime64, max_points: int = 2000, *, simulated: bool = False
    ) -> LightCurveView:
        """Quick-look light curves of a window, at the resolution a drawing needs; see `LightCurveReader.view`."""
        return self._light_curves.view(start, end, max_points, simulated=simulated)

    def light_curve_bins(self, start: np.datetime64, end: np.datetime64, *, simulated: bool = False) -> QuicklookSeries:
        """Quick-look bins that start in a time range, as detection takes them; see `LightCurveReader.bins`."""
        return self._light_curves.bins(start, end, simulated=simulated)

    def light_curve_rows(
        self, start: np.datetime64, end: np.datetime64, *, minutes: bool = False, simulated: bool = False
    ) -> Iterator[pa.Table]:
        """Rows of the light curves as they are stored, a file at a time; see `LightCurveReader.stored`."""
        return self._light_curves.stored(start, end, minutes=minutes, simulated=simulated)

    def backgrounds(
        self,
        time: np.datetime64,
        *,
        e_low: float | None = None,
        e_high: float | None = None,
        within_days: float = 60.0,
        simulated: bool = False,
    ) -> list[ScienceFile]:
        """Pixel-data files that may serve as background: all detectors, attenuator out, nearest in time first.

        Parameters
        ----------
        time : datetime64
            Middle of the observation, UTC at Solar Orbiter.
        e_low, e_high : float, optional
            Range that the file must cover, keV.
        within_days : float
            Largest distance of the background's middle, before or after, day.
        simulated : bool
            Simulated data have simulated background; the two are never mixed.
        """
        margin = np.timedelta64(round(within_days * 86400e6), "us")
        which = ScienceFilter(
            product=ProductKind.PIXEL_DATA,
            is_background=True,
            simulated=simulated,
            e_low=e_low,
            e_high=e_high,
            # a file may begin before the range and have its middle inside
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

    def count_flares(self, which: FlareFilter | None = None) -> int:
        """Number of flares that a filter lets through."""
        return self._rows.count(FLARES, (which or FlareFilter()).conditions)

    def flare(self, flare_id: str) -> Flare:
        """The flare of that id.

        Raises
        ------
        NotInArchive
            When there is none.
        """
        return self._rows.one(FLARES, flare_id)

    def path_of(self, relative: str | PurePosixPath) -> Path:
        """Absolute path of something inside the archive.

        Raises
        ------
        NotInArchive
            When the path leaves the archive, by ``..`` or as an absolute path, or goes through a link: the archive
            makes none, and what one leads to (the file of the users, perhaps) is not meant.
        """
        path = self.root / relative
        if not path.is_relative_to(self.root) or path.resolve() != path:
            message = f"{str(relative)!r} is outside the archive, or a link"
            raise NotInArchive(message)
        return path

    def close(self) -> None:
        """Let go of the files that queries keep open; the next query opens them again."""
        self._reader.close()
        self._light_curves.close()

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
    """How far a time is outside the records of a file; zero inside."""
    return max(row.t_start - time, time - row.t_end, np.timedelta64(0, "us"))
