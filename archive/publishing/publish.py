"""Publish an archive: index, files and pages in a folder that any web server or object store can serve.

First come files, then pages, then the index, then ``archive.json``, which names the index. The index files of the last
publication are removed after it, so a process that is killed leaves the old or the new publication, never half of one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from archive.about import About
from archive.atomic import PART, make_folder, remove_file, write_text
from archive.errors import ArchiveBusy, ArchiveError
from archive.index.schema import FLARES, IMAGES, RUNS, TABLES
from archive.published.manifest import FILES, NAME, Manifest, PublishedFile
from archive.publishing.files import SCHEMA, Contents, CopiedFile, as_table, copy_named, named_files
from archive.publishing.html import CSS, stylesheet
from archive.publishing.pages import ShownSet, Site, StaticLinks, first_page, flare_page, landing_files, month_page
from archive.publishing.tables import KEYED, KEYS, ROWS, Period, public_months, public_rows, write_parquet
from archive.store import Archive
from stixcore.software import software_version
from stixcore.times import format_time

#: What a publication consists of; nothing else in the folder is touched.
OWN_FOLDERS = ("index", "images", "spectra", "regions", "fits", "image", "flare", "month")
OWN_FILES = (NAME, CSS, "index.html", "robots.txt")
LOCK = ".publish.lock"


class BadPublication(ArchiveError):
    """A folder that cannot take a publication."""


@dataclass(frozen=True)
class Choice:
    """What is published.

    Attributes
    ----------
    period : Period
    contents : Contents
    pages : bool
        Static pages as well.
    url : str
        Address at which the folder will be served, without a trailing slash; empty if unknown.
    """

    period: Period = field(default_factory=Period)
    contents: Contents = field(default_factory=Contents)
    pages: bool = True
    url: str = ""


@dataclass
class Published:
    """What was done: rows per table, files written, unchanged and removed, and paths that the archive has lost."""

    rows: dict[str, int] = field(default_factory=dict)
    written: int = 0
    files: int = 0
    removed: int = 0
    absent: list[str] = field(default_factory=list)


def publish(archive: Archive, out: Path, now: np.datetime64, choice: Choice | None = None) -> Published:
    """Write the public part of an archive; only what changed is written, and what vanished is removed.

    Parameters
    ----------
    archive : Archive
    out : Path
        A new or empty folder, or that of an earlier publication.
    now : datetime64
        Date of publication, UTC.
    choice : Choice, optional
        Default: everything but input files.

    Raises
    ------
    BadPublication
        When the folder holds something else, or is part of the archive.
    ArchiveBusy
        When another process publishes into the folder.
    IndexDamaged
        When the index cannot be read.
    """
    out = out.expanduser().resolve()
    _check_folder(archive, out)
    make_folder(out)
    try:
        with FileLock(out / LOCK, timeout=0):
            return _Publication(archive, out, choice or Choice()).run(now)
    except Timeout:
        message = f"another process publishes into {out}; try again later"
        raise ArchiveBusy(message) from None


def _check_folder(archive: Archive, out: Path) -> None:
    if out.is_relative_to(archive.root) or archive.root.is_relative_to(out):
        message = f"{out} and the archive {archive.root} contain each other; give another folder"
        raise BadPublication(message)
    if out.exists() and not out.is_dir():
        message = f"{out} is a file, not a folder"
        raise BadPublication(message)
    known = {NAME, LOCK}
    present = {path.name for path in out.iterdir()} if out.is_dir() else set()
    if present and not present & known:
        message = f"{out} contains something else; give a new folder, or that of an earlier publication"
        raise BadPublication(message)


class _Publication:
    """One run: what is wanted in the folder, and what is known so far."""

    def __init__(self, archive: Archive, out: Path, choice: Choice) -> None:
        self.archive, self.out, self.choice = archive, out, choice
        self.about = About.of(archive.root)
        self.done = Published()
        self.wanted: set[str] = set()
        self.before = _files_before(out)
        self.named: dict[str, None] = {}
        self.keys: dict[str, list[pa.Table]] = {}
        self.simulated = False

    def run(self, now: np.datetime64) -> Published:
        """Publish."""
        old = _read_manifest(self.out)
        tables = {name: tuple(self._table(name)) for name in TABLES}
        copied, absent, written = copy_named(
            self.archive, self.out, self.named, self.before, link=self.choice.contents.link
        )
        self.done.absent, self.done.written = absent, self.done.written + written
        self.done.files = len(copied)
        self.wanted.update(copied)
        if self.choice.pages:
            self._pages(copied)
        files = write_parquet(self.out, f"index/{FILES}", SCHEMA, iter([as_table(copied.values())]), KEYS, "path")
        keys = {table.name: self._keys(table.name, table.key) for table in KEYED}
        about = {
            "name": self.about.name,
            "url": self.choice.url,
            "license": self.about.license,
            "software": software_version(),
            "simulated": self.simulated,
        }
        manifest = Manifest(
            f"{format_time(now)[:19]}Z",
            {**tables, FILES: () if files is None else (files,)},
            {name: file for name, file in keys.items() if file is not None},
            about,
        )
        self.wanted.update(manifest.index_files)
        self.done.written += len(set(manifest.index_files) - set({} if old is None else old.index_files))
        if old is None or (old.tables, old.keys, old.about) != (manifest.tables, manifest.keys, manifest.about):
            self._write(NAME, manifest.to_json())
        self.wanted.add(NAME)
        self.done.removed = self._remove()
        return self.done

    def _table(self, name: str) -> Iterator[PublishedFile]:
        table = TABLES[name]
        months = public_months(self.archive, table, self.choice.period)
        total = 0
        for year in sorted({str(month)[:4] for month in months}, reverse=True):
            parts = (self._noted(name, month) for month in months if str(month).startswith(year))
            file = write_parquet(self.out, f"index/{name}/{year}", table.arrow, parts, ROWS, table.key, year)
            if file is not None:
                total += file.rows
                yield file
        self.done.rows[name] = total

    def _noted(self, name: str, month: np.datetime64) -> pa.Table:
        """Public rows of a month; their files and keys are noted."""
        table, rows = TABLES[name], public_rows(self.archive, TABLES[name], month)
        self.named.update(dict.fromkeys(named_files(self.archive, name, rows, self.choice.contents)))
        if table in KEYED:
            self.keys.setdefault(name, []).append(rows.select([table.key, table.time]))
        self.simulated = self.simulated or any(rows["simulated"].to_pylist())
        return rows

    def _keys(self, name: str, key: str) -> PublishedFile | None:
        parts = self.keys.pop(name, [])
        if not parts:
            return None
        rows = pa.concat_tables(parts).sort_by(key)
        return write_parquet(self.out, f"index/{name}/keys", rows.schema, iter([rows]), KEYS, "")

    def _pages(self, copied: dict[str, CopiedFile]) -> None:
        self._write(CSS, stylesheet())
        self._write("robots.txt", "User-agent: *\nAllow: /\n")
        flares = {
            flare.flare_id: flare
            for month in reversed(public_months(self.archive, FLARES, self.choice.period))
            for flare in FLARES.to_rows(public_rows(self.archive, FLARES, month))
        }
        by_name = {path.rpartition("/")[2]: path for path in copied if path.startswith("fits/")}
        site = Site(self.about, self.choice.url, StaticLinks(self.choice.contents.fits, flares), by_name)
        of_flare: dict[str, list[ShownSet]] = {}
        months = {str(flare.t_peak)[:7]: None for flare in flares.values()}
        shown: dict[str, list[ShownSet]] = {month: [] for month in months}
        for month in reversed(public_months(self.archive, IMAGES, self.choice.period)):
            sets = list(self._image_sets(site, month))
            shown[str(month)] = sets
            for one in sets:
                if one.flare_id is not None:
                    of_flare.setdefault(one.flare_id, []).append(one)
        for flare_id, flare in flares.items():
            self._write(f"flare/{flare_id}.html", flare_page(self.about, flare, of_flare.get(flare_id, ())))
        counts = {}
        for name, sets in shown.items():
            its_flares = [flare for flare in flares.values() if str(flare.t_peak).startswith(name)]
            self._write(f"month/{name}.html", month_page(self.about, name, its_flares, sets))
            counts[name] = (len(its_flares), len(sets))
        marks = [flare.simulated for flare in flares.values()]
        marks += [one.simulated for sets in shown.values() for one in sets]
        self._write("index.html", first_page(self.about, counts, simulated=bool(marks) and all(marks)))

    def _image_sets(self, site: Site, month: np.datetime64) -> Iterator[ShownSet]:
        images: dict[str, list[Any]] = {}
        for image in IMAGES.to_rows(public_rows(self.archive, IMAGES, month)):
            images.setdefault(image.recipe_id, []).append(image)
        for run in RUNS.to_rows(public_rows(self.archive, RUNS, month)):
            if run.run_id in images and run.recipe is not None:
                flare = site.links.flares.get(run.flare_id or "")
                for path, text in landing_files(site, run, images[run.run_id], flare):
                    self._write(path, text)
                yield ShownSet.of(run, images[run.run_id])

    def _write(self, path: str, text: str) -> None:
        """Write a text, unless it is there."""
        self.wanted.add(path)
        place = self.out / path
        if place.is_file() and place.read_bytes() == text.encode():
            return
        write_text(place, text)
        self.done.written += 1

    def _remove(self) -> int:
        """Remove what is no longer published; returns the number of files."""
        removed = 0
        for folder in OWN_FOLDERS:
            for path in sorted((self.out / folder).rglob("*"), reverse=True):
                if path.is_dir() and not path.is_symlink():
                    if not any(path.iterdir()):
                        path.rmdir()
                elif path.relative_to(self.out).as_posix() not in self.wanted:
                    remove_file(path)
                    removed += not path.name.startswith(PART)
        for name in OWN_FILES:
            if name not in self.wanted and (self.out / name).is_file():
                remove_file(self.out / name)
                removed += 1
        return removed


def _read_manifest(out: Path) -> Manifest | None:
    try:
        return Manifest.from_json((out / NAME).read_bytes(), NAME)
    except (FileNotFoundError, ArchiveError):  # a damaged one is replaced
        return None


def _files_before(out: Path) -> dict[str, CopiedFile]:
    """Files of the last publication; empty if it cannot be read, and everything is then copied again."""
    manifest = _read_manifest(out)
    files = () if manifest is None else manifest.tables.get(FILES, ())
    try:
        rows = [row for file in files for row in pq.read_table(out / file.path, partitioning=None).to_pylist()]
        return {row["path"]: CopiedFile(**row) for row in rows}
    except (OSError, pa.ArrowException, TypeError):
        return {}
