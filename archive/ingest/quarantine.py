"""Quarantine: rejected files, each with a note: ``quarantine/<yyyy-mm-dd>/<file>`` and ``<file>.reason.json``.

The files can contain anything, and the notes quote them, so only the owner of the archive can read either.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from archive.atomic import PRIVATE, PRIVATE_FOLDER, copy_file, make_folder, make_private_folder, move_file, write_text
from stixcore.printable import printable, without_folders
from stixcore.recipe import sha256_of

NOTE = ".reason.json"
#: File systems allow 255 bytes, including the suffix of the note and a hash.
_NAME_LENGTH = 180


@dataclass(frozen=True)
class Refusal:
    """Why a file was rejected: a sentence and, if known, what was expected and what was found.

    Folder names of this machine are removed, and unprintable characters are escaped.
    """

    reason: str
    expected: str = ""
    found: str = ""

    def __post_init__(self) -> None:
        for name in ("reason", "expected", "found"):
            object.__setattr__(self, name, without_folders(printable(getattr(self, name))))


def put_aside(
    folder: Path,
    source: Path,
    refusal: Refusal,
    now: np.datetime64,
    sha256: str | None = None,
    *,
    copy: Path | None = None,
) -> Path:
    """Copy a rejected file into quarantine, with its note. Doing so again changes nothing.

    Parameters
    ----------
    folder : Path
        The archive's folder ``quarantine``.
    source : Path
        The file, which is not changed.
    refusal : Refusal
    now : datetime64
        Present time, UTC; its day names the folder.
    sha256 : str, optional
        Hash of the content. Without it only the note is written, for a file that cannot be read.
    copy : Path, optional
        A private copy of ``source`` to move into quarantine. By default ``source`` is copied.

    Returns
    -------
    Path
        Path of the note.
    """
    name = _harmless(source.name)
    make_private_folder(folder)
    note = {
        "file": source.name,
        "source": _inside(source, folder.parent),
        "sha256": sha256,
        "reason": refusal.reason,
    }
    second_name = f"{(sha256 or 'no-bytes')[:8]}-{name}"  # for another file of the same name on the same day
    for earlier in (*folder.glob(f"*/{name}{NOTE}"), *folder.glob(f"*/{second_name}{NOTE}")):
        known = _read(earlier)
        same_content = known.get("sha256") == sha256 and (sha256 or known.get("reason") == refusal.reason)
        if known.get("file") == source.name and same_content:
            return earlier
    place = folder / str(now.astype("datetime64[D]")) / name
    if _note_of(place).exists() or (place.exists() and sha256_of(place) != sha256):
        place = place.with_name(second_name)
    make_folder(place.parent, PRIVATE_FOLDER)
    if sha256 is not None and copy is not None:
        move_file(copy, place, PRIVATE)
    elif sha256 is not None:
        copy_file(source, place, sha256, PRIVATE)
    note |= {"expected": refusal.expected, "found": refusal.found, "quarantined_at": f"{now.astype('datetime64[s]')}Z"}
    write_text(_note_of(place), json.dumps(note, indent=1, ensure_ascii=True) + "\n", PRIVATE)
    return _note_of(place)


def _inside(source: Path, root: Path) -> str:
    """Path of a file inside the archive, or the name of a file from elsewhere."""
    return source.relative_to(root).as_posix() if source.is_relative_to(root) else source.name


def _note_of(place: Path) -> Path:
    return place.with_name(place.name + NOTE)


def _harmless(name: str) -> str:
    """A safe file name: no control characters, not hidden, short enough."""
    return re.sub(r"[^A-Za-z0-9._:+=-]", "_", name).lstrip(".")[-_NAME_LENGTH:] or "unnamed"


def _read(note: Path) -> dict[str, object]:
    try:
        found = json.loads(note.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
