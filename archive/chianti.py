"""The CHIANTI tables of SolarSoft that were added to an archive, for the thermal part of spectra.

``calibration/chianti`` has three files that belong together: lines, continuum and abundances. Without them spectra are
fitted with the built-in table.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

from archive.atomic import identity
from archive.calibration import FOLDER, SUMS, CalibrationEntry, recorded_sums
from stixcore.errors import CalibrationError
from stixcore.references import TableReference, sha256_of
from stixcore.spectra.models.chianti_files import read_chianti_files
from stixcore.spectra.models.thermal import ThermalTable, built_in_table

CHIANTI_FOLDER = f"{FOLDER}/chianti"
#: Name of each kind of file.
CHIANTI_NAMES = {
    "lines": re.compile(r"chianti_lines_[A-Za-z0-9_.-]+\.sav"),
    "continuum": re.compile(r"chianti_cont_[A-Za-z0-9_.-]+\.sav"),
    "abundances": re.compile(r"xray_abun_file\.genx"),
}


def kind_of(name: str) -> str:
    """Kind of a file by its name, a key of `CHIANTI_NAMES`; empty for other files."""
    return next((kind for kind, pattern in CHIANTI_NAMES.items() if pattern.fullmatch(name)), "")


def chianti_files(root: Path) -> dict[str, Path]:
    """The files of an archive by kind.

    Raises
    ------
    CalibrationError
        When there are several of a kind, or some but not all kinds.
    """
    folder = root / CHIANTI_FOLDER
    if not folder.is_dir():
        return {}
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        kind = kind_of(path.name)
        if kind in found:
            message = f"{CHIANTI_FOLDER} has two files of {kind}, {found[kind].name} and {path.name}: remove one"
            raise CalibrationError(message)
        if kind:
            found[kind] = path
    missing = sorted(set(CHIANTI_NAMES) - set(found))
    if found and missing:
        message = f"{CHIANTI_FOLDER} has no file of {missing[0]}; stix-jobs calibration add with all three restores it"
        raise CalibrationError(message)
    return found


def list_chianti(root: Path) -> tuple[CalibrationEntry, ...]:
    """Entries of the list of calibration files; the built-in table where the archive has no files.

    Raises
    ------
    CalibrationError
        When the files are incomplete.
    """
    files = chianti_files(root)
    if not files:
        table = built_in_table()
        return (CalibrationEntry("thermal emission", table.label, None, None, "", f"software ({table.source})"),)
    return tuple(
        CalibrationEntry("thermal emission", path.name, None, None, sha256_of(path), "archive")
        for path in files.values()
    )


def thermal_table(root: Path) -> ThermalTable | None:
    """Thermal emission from the files of an archive; None where it has none.

    Raises
    ------
    CalibrationError
        When the files are incomplete, or changed after they were added.
    InvalidProduct
        When a file cannot be read.
    """
    files = chianti_files(root)
    if not files:
        return None
    require_unchanged(root, files)
    return _table(*(files[kind] for kind in CHIANTI_NAMES), tuple(identity(files[kind]) for kind in CHIANTI_NAMES))


def is_present_table(root: Path, reference: TableReference) -> bool:
    """Whether a table of thermal emission is the one of the archive, or the built-in one if it has no files.

    Raises
    ------
    CalibrationError
        When the files are incomplete.
    """
    built_in = built_in_table().reference
    return names_present_table(root, reference.name) and (reference.name != built_in.name or reference == built_in)


def names_present_table(root: Path, label: str) -> bool:
    """Whether the label of a table of thermal emission, as in results, names the present one.

    The files are not read: those of SolarSoft have their version in their names.

    Raises
    ------
    CalibrationError
        When the files are incomplete.
    """
    files = chianti_files(root)
    if not files:
        return label == built_in_table().label
    return label.endswith(f"({files['lines'].name}, {files['continuum'].name})")


def require_unchanged(root: Path, files: dict[str, Path]) -> None:
    """Refuse files whose SHA-256 is not the recorded one.

    Raises
    ------
    CalibrationError
    """
    recorded = recorded_sums(root / CHIANTI_FOLDER)
    for path in files.values():
        found = _sum_of(path, identity(path))
        if found not in recorded.get(path.name, ()):
            message = (
                f"{CHIANTI_FOLDER}/{path.name} is not as it was added: SHA-256 {found}, "
                f"recorded {', '.join(recorded.get(path.name, ['none']))} in {CHIANTI_FOLDER}/{SUMS}"
            )
            raise CalibrationError(message)


@lru_cache(maxsize=8)
def _sum_of(path: Path, _identity: object) -> str:
    return sha256_of(path)


@lru_cache(maxsize=2)
def _table(lines: Path, continuum: Path, abundances: Path, _identities: object) -> ThermalTable:
    return read_chianti_files(lines, continuum, abundances)
