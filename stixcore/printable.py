"""Make untrusted text safe to display: no control characters, no folders of this machine.

File names, header values and error messages of libraries may contain anything: terminal escape sequences, line breaks
that forge log lines, marks that reverse the direction of writing, undecodable bytes.
"""

from __future__ import annotations

import re
import unicodedata

#: An absolute path in a file system, but not a URL (http://host/path) or a relative path (a/b).
_PATH = re.compile(r"(?<![\w.:/~-])/(?:[^/\s'\"<>|;:,()]+/)+([^/\s'\"<>|;:,()]*)")

#: Most characters of a sentence that quotes untrusted text.
LONGEST = 1000


def printable(text: object, *, lines: bool = False) -> str:
    r"""Replace every character that is not printable by its escape, such as ``\x1b`` or ``\u202e``.

    Parameters
    ----------
    text : object
        Converted with ``str``.
    lines : bool
        Keep line breaks.
    """
    plain = str(text)
    if plain.isprintable():
        return plain
    return "".join(char if _is_harmless(char) or (lines and char == "\n") else _escaped(char) for char in plain)


def plural(number: int, noun: str) -> str:
    """Number and noun: ``1 file``, ``45 files``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def excerpt(text: str, length: int = 80) -> str:
    """Text in quotes, truncated to ``length`` characters, for messages."""
    return repr(text if len(text) <= length else f"{text[: length - 1]}…")


def shortened(text: str, length: int = LONGEST) -> str:
    """Text of at most ``length`` characters: the middle of a longer one is left out."""
    if len(text) <= length:
        return text
    mark = f" … ({len(text)} characters) … "
    end = (length - len(mark)) // 4
    return f"{text[: length - len(mark) - end]}{mark}{text[len(text) - end :]}"


def without_folders(text: str) -> str:
    """Replace absolute paths by their last part, so that messages do not reveal folders of this machine."""
    return _PATH.sub(lambda found: found[1] or "…", text)


def _is_harmless(char: str) -> bool:
    return char.isprintable() or unicodedata.category(char) == "Zs"


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
