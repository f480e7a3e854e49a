"""Exceptions of stixcore, and their texts for the public. Each message is one sentence that says what to change."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from stixcore.printable import printable, shortened, without_folders


class StixError(Exception):
    """Base class of the exceptions of this package.

    Messages quote untrusted text (file names, header values, options of requests), so characters that are not printable
    are escaped, and the middle of a message of more than `stixcore.printable.LONGEST` characters is left out.
    """

    #: Whether messages have more than one line.
    lines: ClassVar[bool] = False

    def __init__(self, *values: object) -> None:
        super().__init__(*(self._safe(value) if isinstance(value, str) else value for value in values))

    def _safe(self, text: str) -> str:
        safe = printable(text, lines=self.lines)
        return safe if self.lines else shortened(safe)


class InvalidProduct(StixError):
    """A file is not a STIX product, is truncated or is inconsistent.

    Attributes
    ----------
    file : str
        Name of the file.
    expected, found : str
        What the reader expected, and what the file contains instead.
    """

    def __init__(self, file: str | Path, expected: str, found: str) -> None:
        self.file = printable(Path(file).name)
        self.expected = printable(expected)
        self.found = printable(found)
        super().__init__(f"{self.file}: expected {expected}, found {found}.")

    def __reduce__(self) -> tuple[type, tuple[str, str, str]]:
        # Worker pools pickle exceptions; the default would keep only the message.
        return (type(self), (self.file, self.expected, self.found))


class SelectionError(StixError):
    """A selection of times, energies, detectors, pixels or parameters that the data do not allow."""


class CalibrationError(StixError):
    """Inputs that cannot be combined (different energy channels or energy tables), or calibration that is missing."""


class ReconstructionError(StixError):
    """No image can be made from the data (no visibilities, only zeros, NaN …)."""


def public_sentence(error: BaseException) -> str:
    """Text of an error for the public: one line without local folder names."""
    if isinstance(error, OSError) and error.strerror:
        return printable(error.strerror)
    return without_folders(printable(error))
