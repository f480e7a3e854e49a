"""Add the CHIANTI tables of SolarSoft to an archive: lines, continuum and abundances together, or none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from archive.atomic import copy_file, make_folder, remove_file
from archive.calibration import record_sums
from archive.chianti import CHIANTI_FOLDER, CHIANTI_NAMES, chianti_files, kind_of, require_unchanged
from archive.ingest.added_files import AddedFile, AddStatus
from stixcore.errors import CalibrationError
from stixcore.recipe import sha256_of
from stixcore.spectra.models.chianti_files import read_chianti_files

#: Largest file that is accepted, bytes; tables with many temperatures have 80 MB.
MAX_CHIANTI_BYTES = 1 << 28


@dataclass(frozen=True)
class ReadChianti:
    """The three files by kind, their SHA-256 by name, and the version of CHIANTI."""

    files: dict[str, Path]
    sums: dict[str, str]
    version: str


def read_chianti(paths: Sequence[Path]) -> ReadChianti:
    """Read the three files together.

    Raises
    ------
    StixError
        When a file is missing, given twice, too large or not what its name says.
    OSError
        When it cannot be opened.
    """
    files = _complete(paths)
    table = read_chianti_files(*(files[kind] for kind in CHIANTI_NAMES))
    return ReadChianti(files, {path.name: sha256_of(path) for path in files.values()}, table.version)


def add_chianti(root: Path, read: ReadChianti) -> list[AddedFile]:
    """Replace the files of an archive by these; the caller holds the write lock."""
    if _known(root, read.sums):
        return [AddedFile(name, AddStatus.KNOWN) for name in read.sums]
    _replace(root / CHIANTI_FOLDER, read.files, read.sums)
    return [AddedFile(name, AddStatus.ADDED, f"{name}: {read.version}") for name in read.sums]


def _complete(paths: Sequence[Path]) -> dict[str, Path]:
    """The files by kind.

    Raises
    ------
    CalibrationError
        When a kind is missing or given twice, or a file is too large.
    """
    files: dict[str, Path] = {}
    for path in paths:
        kind = kind_of(path.name)
        if kind in files:
            message = f"{path.name}: there is another file of {kind}, {files[kind].name}; name one"
            raise CalibrationError(message)
        if path.stat().st_size > MAX_CHIANTI_BYTES:
            message = f"{path.name} has more than the {MAX_CHIANTI_BYTES} bytes that such a file may have"
            raise CalibrationError(message)
        files[kind] = path
    missing = [kind for kind in CHIANTI_NAMES if kind not in files]
    if missing:
        message = f"{paths[0].name}: the CHIANTI file of {missing[0]} is missing; the three are added together"
        raise CalibrationError(message)
    return files


def _known(root: Path, sums: dict[str, str]) -> bool:
    """Whether the archive has these files, unchanged."""
    try:
        present = chianti_files(root)
        require_unchanged(root, present)
    except CalibrationError:  # damaged; they are written again
        return False
    return {path.name: sha256_of(path) for path in present.values()} == sums


def _replace(folder: Path, files: dict[str, Path], sums: dict[str, str]) -> None:
    """Write the new files, then their sums, and remove the old ones.

    A kill in between leaves files that `chianti_files` or `require_unchanged` refuses, until they are added again.
    """
    make_folder(folder)
    for path in files.values():
        copy_file(path, folder / path.name, sums[path.name])
    record_sums(folder, {name: {found} for name, found in sums.items()})
    for path in folder.iterdir():
        if kind_of(path.name) and path.name not in sums:
            remove_file(path)
