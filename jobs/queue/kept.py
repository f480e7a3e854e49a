"""Which results of earlier requests for spectra still hold. Pages import this; keep it light."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from archive import Archive
from archive.chianti import is_present_table
from archive.errors import NotInArchive
from archive.index.recorded import RECORDED, SPECTRUM_RECORDS, Recorded, RecordedRow
from archive.index.schema import RegionSpectra
from stixcore.errors import StixError
from stixcore.imaging_spectroscopy.region_recipe import REGION_REVISION, RegionRecipe
from stixcore.references import sha256_of
from stixcore.spectrum_recipe import SPECTRUM_REVISION, SpectrumRecipe


def holds(archive: Archive, table: str, key: str) -> bool:
    """Whether a result is kept, and a new task with the same input files would find it.

    Another version of the software is no reason against it: a version that gives other numbers has another revision.
    """
    kind = RECORDED[table]
    row = find_row(archive, kind, key)
    return row is not None and _has_present_recipe(archive, row) and _has_files(archive, kind, row)


def is_kept(archive: Archive, table: str, key: str) -> bool:
    """Whether a result is in the index, and its files are those of its record."""
    kind = RECORDED[table]
    row = find_row(archive, kind, key)
    return row is not None and _has_files(archive, kind, row)


def find_row(archive: Archive, kind: Recorded[Any], key: str) -> RecordedRow | None:
    """The row of a result; None if the index does not have it."""
    find = archive.spectrum if kind is SPECTRUM_RECORDS else archive.region_spectrum
    try:
        return find(key)
    except NotInArchive:
        return None


def _has_present_recipe(archive: Archive, row: RecordedRow) -> bool:
    """Whether revisions and thermal table of a result's recipe are those of a new one."""
    try:
        if isinstance(row, RegionSpectra):
            regions = RegionRecipe.from_json(row.recipe)
            recipe, revised = regions.spectrum, regions.revision != REGION_REVISION
        else:
            recipe, revised = SpectrumRecipe.from_json(row.recipe), False
        if revised or recipe.revision != SPECTRUM_REVISION:
            return False
        return recipe.thermal is None or is_present_table(archive.root, recipe.thermal)
    except StixError:  # the recipe is of another format, or the tables are damaged: a new task says so
        return False


def _has_files(archive: Archive, kind: Recorded[Any], row: RecordedRow) -> bool:
    """Whether the record of a result is its own, and its files are those of the record."""
    folder = archive.path_of(row.folder)
    record = kind.read(folder)
    if record is None or kind.key(record.row) != kind.key(row):
        return False
    return all(_has(folder / name, said) for name, said in record.sha256.items())


def _has(path: Path, sha256: str) -> bool:
    return path.is_file() and sha256_of(path) == sha256
