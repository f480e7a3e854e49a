"""Exceptions, named for the reader's mistake. Every message is one sentence that a person can act on."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from stixcore.printable import printable, without_folders


class StixError(Exception):
    """Base of everything this package raises on purpose.

    Messages quote what comes from outside (names of files, header values), so what is not printable in them is escaped.
    """

    #: Whether messages have more than one line.
    lines: ClassVar[bool] = False

    def __init__(self, *values: object) -> None:
        super().__init__(*(printable(value, lines=self.lines) if isinstance(value, str) else value for value in values))


class InvalidProduct(StixError):
    """A file is no STIX product, is truncated, or contradicts itself.

    Attributes
    ----------
    file : str
        Name of the file.
    expected, found : str
        What the reader needed and what stands in the file instead.
    """

    def __init__(self, file: str | Path, expected: str, found: str) -> None:
        self.file = printable(Path(file).name)
        self.expected = printable(expected)
        self.found = printable(found)
        super().__init__(f"{self.file}: expected {expected}, found {found}.")

    def __reduce__(self) -> tuple[type, tuple[str, str, str]]:
        # Exceptions cross process borders (worker pools); the default pickles the message alone.
        return (type(self), (self.file, self.expected, self.found))


class SelectionError(StixError):
    """A time, energy, detector or pixel selection that the data cannot satisfy."""


class CalibrationError(StixError):
    """Two inputs that may not be combined (other energy channels, other energy table, no valid date …)."""


class ReconstructionError(StixError):
    """An image cannot be made from these numbers (no visibilities, nothing but zeros, NaN …)."""


def public_sentence(error: BaseException) -> str:
    """What may be said to anybody about an error: one line without the folders of this machine."""
    if isinstance(error, OSError) and error.strerror:
        return printable(error.strerror)
    return without_folders(printable(error))
