"""References to files and tables by name and hash, for recipes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stixcore.errors import InvalidProduct


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@dataclass(frozen=True)
class FileReference:
    """Reference to a file: name, request id ("uid", empty where there is none) and SHA-256."""

    name: str
    uid: str
    sha256: str


@dataclass(frozen=True)
class TableReference:
    """Reference to an instrument table: name, and SHA-256 of the published file."""

    name: str
    sha256: str


@dataclass(frozen=True)
class CalibrationReference:
    """The calibration that an image was made with.

    Attributes
    ----------
    energy_table : TableReference
        On-board energy look-up table.
    phase_table : TableReference
        Phase corrections of the sub-collimators.
    cal_file : FileReference or None
        Daily energy calibration (``CAL``) that replaces the edges of the energy table; None without one.
    """

    energy_table: TableReference
    phase_table: TableReference
    cal_file: FileReference | None = None


def reference_to(path: Path, uid: str = "") -> FileReference:
    """Name, uid and SHA-256 of a file on disk."""
    return FileReference(path.name, uid, sha256_of(path))


def verified(reference: FileReference, locate: Callable[[FileReference], Path]) -> Path:
    """Path of the file of a reference.

    Raises
    ------
    InvalidProduct
        When its contents are not those of the reference, or cannot be read.
    """
    path, expected = locate(reference), f"SHA-256 {reference.sha256} (as in the recipe)"
    try:
        found = sha256_of(path)
    except OSError as error:
        raise InvalidProduct(path, expected, f"a file that cannot be read ({error.strerror})") from error
    if found != reference.sha256:
        raise InvalidProduct(path, expected, found)
    return path
