"""Cubes of flares: tracks, fits and movies that previews make, in the folder ``cubes/`` of the archive.

The rows of their image sets carry the id of the group, so the index says which cubes a flare has; ``cube.json`` beside
tracks and movie says what is in one (docs/decisions/cubes.md). Pages import this module; it writes nothing.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from archive.errors import NotInArchive
from archive.layout import cube_folder
from archive.regular_files import open_regular
from archive.spectrum_track import SPECTRA_TRACK, SpectrumPoint
from archive.store import Archive
from archive.track_entries import read_number, read_ranges, require_drawable

log = logging.getLogger(__name__)

RECORD, TRACKS = "cube.json", "tracks.parquet"
#: Media types of the files of a cube.
MEDIA_TYPES = {
    ".json": "application/json", ".mp4": "video/mp4", ".parquet": "application/vnd.apache.parquet", ".png": "image/png",
}  # fmt: skip
#: Largest record that is read, byte; a record of 36 steps and 12 fits has 35 kB.
LARGEST = 4 << 20
#: Longest time from the first to the last step: a longer one is damage, and pages cannot draw it.
LONGEST = np.timedelta64(2, "D")

_NAME = re.compile(rf"[a-z][a-z0-9_-]*({'|'.join(map(re.escape, MEDIA_TYPES))})", re.ASCII)
_MEASURES = ("x", "y", "x_sigma", "y_sigma", "fwhm", "fwhm_sigma", "flux", "flux_sigma", "net_counts")
_DAY = np.timedelta64(1, "D")
#: Exceptions that a damaged record raises.
UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)
_GROUPS = """
    SELECT group_id, min(t_start) AS first, max(t_end) AS last FROM images
    WHERE {of} = ? AND group_id LIKE 'cube-%' AND author = 'auto' AND NOT hidden GROUP BY group_id ORDER BY group_id
"""
_GROUPS_OF_TIMES = """
    SELECT group_id, min(t_start) AS first, max(t_end) AS last FROM images
    WHERE group_id LIKE 'cube-%' AND author = 'auto' AND NOT hidden AND simulated = ?
    GROUP BY group_id HAVING first < ? AND last > ? ORDER BY group_id
"""


@dataclass(frozen=True)
class CubePoint:
    """Source of one step in one band; errors are one standard deviation, None where unknown.

    Attributes
    ----------
    t_start, t_end : datetime64, UTC at Solar Orbiter
    e_low, e_high : float, keV
    x, y, x_sigma, y_sigma : float or None, arcsec, helioprojective
        Brightest source, as in the columns of images; its error without that of the pointing.
    fwhm, fwhm_sigma : float or None, arcsec
    flux, flux_sigma : float or None, ct s⁻¹ cm⁻² keV⁻¹
    net_counts : float or None, ct
    doubts : frozenset of str
        What is doubtful in the image: "position", "flux", "shape". Empty in records from before 2026-12.
    """

    t_start: np.datetime64
    t_end: np.datetime64
    e_low: float
    e_high: float
    x: float | None = None
    y: float | None = None
    x_sigma: float | None = None
    y_sigma: float | None = None
    fwhm: float | None = None
    fwhm_sigma: float | None = None
    flux: float | None = None
    flux_sigma: float | None = None
    net_counts: float | None = None
    doubts: frozenset[str] = frozenset()


@dataclass(frozen=True)
class CubeMovie:
    """A movie of a cube: names of the movie and of its poster, its bands from left to right (keV), number of frames."""

    file: str
    poster: str
    bands: tuple[tuple[float, float], ...]
    frames: int


@dataclass(frozen=True)
class Cube:
    """A complete cube.

    Attributes
    ----------
    group_id : str
    folder : PurePosixPath
        Inside the archive.
    points : tuple of CubePoint
        In order of band and time; empty for a cube without images.
    movie : CubeMovie or None
    spectra : tuple of SpectrumPoint
        Fits in order of time; empty where no step has enough counts, and in records from before 2026-12.
    no_spectra : str
        Why there are no fits; empty where there are, and in records from before 2026-12.
    """

    group_id: str
    folder: PurePosixPath
    points: tuple[CubePoint, ...] = ()
    movie: CubeMovie | None = None
    spectra: tuple[SpectrumPoint, ...] = ()
    no_spectra: str = ""

    @property
    def files(self) -> tuple[str, ...]:
        """Names of its files: movie, poster, tracks, fits, record."""
        shown = () if self.movie is None else (self.movie.file, self.movie.poster)
        fits = (SPECTRA_TRACK,) if self.spectra else ()
        return (*shown, TRACKS, *fits, RECORD)


def flare_cubes(archive: Archive, flare_id: str) -> list[Cube]:
    """The cubes of a flare that have images, one per science request; damaged ones are left out."""
    return list(_cubes(archive, "flare_id", flare_id))


def cubes_by_day(
    archive: Archive, start: np.datetime64, end: np.datetime64, *, simulated: bool = False
) -> Iterator[tuple[np.datetime64, list[Cube]]]:
    """Each day of a time range with cubes, and the cubes with steps in it; damaged ones are left out.

    Parameters
    ----------
    archive : Archive
    start, end : datetime64
        UTC at Solar Orbiter.
    simulated : bool
        Simulated or real data; the two are never mixed.
    """
    rows = archive.rows(_GROUPS_OF_TIMES, [simulated, end.astype("datetime64[us]"), start.astype("datetime64[us]")])
    days: dict[np.datetime64, list[Mapping[str, Any]]] = {}
    begin, after = (time.astype("datetime64[D]") for time in (start, end))
    for row in rows:
        first, last = (np.datetime64(row[name], "D") for name in ("first", "last"))
        for day in np.arange(max(first, begin), min(last, first + 2 * _DAY, after) + _DAY, _DAY):
            days.setdefault(day, []).append(row)
    for day in sorted(days):
        folders = (_possible_folders(row) for row in days[day])
        yield day, [cube for one in folders if (cube := _first_cube(archive.root, one)) is not None]


def cube_file(archive: Archive, group_id: str, name: str) -> tuple[PurePosixPath, str]:
    """Path inside the archive and media type of a file of a cube.

    Raises
    ------
    NotInArchive
        If there is no such cube, or it has no such file.
    """
    found = _NAME.fullmatch(name)
    for folder in _folders(archive, "group_id", group_id).get(group_id, ()):
        if found is not None and (archive.root / folder / name).is_file():
            return folder / name, MEDIA_TYPES[found[1]]
    message = f"there is no file {name!r} of the cube {group_id!r}"
    raise NotInArchive(message)


def read_cube(root: Path, folder: PurePosixPath) -> Cube:
    """The cube in a folder of an archive, from its record; one of `UNREADABLE` when the record cannot be read."""
    with open_regular(root / folder / RECORD, below=root) as stream:
        return _cube(folder.name, folder, json.loads(stream.read(LARGEST)))


def _cubes(archive: Archive, of: str, value: str) -> Iterator[Cube]:
    for folders in _folders(archive, of, value).values():
        cube = _first_cube(archive.root, folders)
        if cube is not None:
            yield cube


def _first_cube(root: Path, folders: list[PurePosixPath]) -> Cube | None:
    """The cube in the first of some folders that has a readable one."""
    for folder in folders:
        try:
            return read_cube(root, folder)
        except FileNotFoundError:
            continue
        except UNREADABLE as error:
            log.warning("%s: %s %s", folder / RECORD, type(error).__name__, error)
    return None


def _folders(archive: Archive, of: str, value: str) -> dict[str, list[PurePosixPath]]:
    """Possible folders of cubes by group: their day is that of the preview, in or near the range of the images."""
    return {str(row["group_id"]): _possible_folders(row) for row in archive.rows(_GROUPS.format(of=of), [value])}


def _possible_folders(row: Mapping[str, Any]) -> list[PurePosixPath]:
    first, last = (np.datetime64(row[name], "D") for name in ("first", "last"))
    days = np.arange(first - _DAY, min(last, first + 2 * _DAY) + 2 * _DAY)
    return [cube_folder(day, row["group_id"]) for day in days]


def _cube(group_id: str, folder: PurePosixPath, record: Mapping[str, Any]) -> Cube:
    points = sorted((_point(entry) for entry in record["tracks"]), key=lambda one: (one.e_low, one.e_high, one.t_start))
    fits = record.get("spectra") or {}
    spectra = sorted((SpectrumPoint.from_json(entry) for entry in fits.get("track", ())), key=lambda one: one.t_start)
    times = [time for one in points for time in (one.t_start, one.t_end)]
    times += [time for one in spectra for time in (one.t_start, one.t_end)]
    if times and max(times) - min(times) > LONGEST:
        message = f"tracks: expected steps within {LONGEST}"
        raise ValueError(message)
    found, movie = record.get("movie"), None
    if found:
        # records from before 2026-12 name only the band with most steps, the only one in their movies
        bands = tuple((float(low), float(high)) for low, high in found.get("bands_kev") or [found["band_kev"]])
        names = str(found["file"]), str(found["poster"])
        if all(_NAME.fullmatch(name) for name in names):
            movie = CubeMovie(*names, bands, int(found["frames"]))
    return Cube(group_id, folder, tuple(points), movie, tuple(spectra), str(fits.get("reason") or ""))


def _point(entry: Mapping[str, Any]) -> CubePoint:
    values = {name: read_number(entry.get(name)) for name in _MEASURES}
    start, end, low, high = read_ranges(entry, ("e_low", "e_high"), "tracks")
    require_drawable(values.values(), "tracks")
    doubts = frozenset(filter(None, str(entry.get("doubts") or "").split(",")))
    return CubePoint(start, end, low, high, **values, doubts=doubts)
