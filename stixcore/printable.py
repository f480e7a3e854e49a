"""Text from outside as it may be shown: without control characters, and without folders of this machine.

Names of files, header values and what libraries say about them may hold anything: escape sequences that a terminal
obeys, line breaks that forge a line of a log, marks that reverse the direction of writing, bytes that are no text.
"""

from __future__ import annotations

import re
import unicodedata

#: An absolute path of a file system, but no address (http://host/path) and no relative path (a/b).
_PATH = re.compile(r"(?<![\w.:/~-])/(?:[^/\s'\"<>|;:,()]+/)+([^/\s'\"<>|;:,()]*)")


def printable(text: object, *, lines: bool = False) -> str:
    r"""Text in which every character that is not printable stands as its escape, ``\x1b`` or ``\u202e``.

    Parameters
    ----------
    text : object
        Its ``str``.
    lines : bool
        Leave line breaks as they are.
    """
    plain = str(text)
    if plain.isprintable():
        return plain
    return "".join(char if _is_harmless(char) or (lines and char == "\n") else _escaped(char) for char in plain)


def plural(number: int, noun: str) -> str:
    """``1 file``, ``45 files``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def excerpt(text: str, length: int = 80) -> str:
    """Text in quotes, cut to ``length`` characters, for messages about content of unknown size."""
    return repr(text if len(text) <= length else f"{text[: length - 1]}…")


def without_folders(text: str) -> str:
    """Text in which an absolute path is its last part: visitors need not know where on the machine something is."""
    return _PATH.sub(lambda found: found[1] or "…", text)


def _is_harmless(char: str) -> bool:
    return char.isprintable() or unicodedata.category(char) == "Zs"


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
