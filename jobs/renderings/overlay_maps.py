"""Maps of other instruments to draw on: ``overlays/`` of the archive.

What operators put there is for everybody. What a user uploads goes into a folder of that user's name and is called
``<user>/<name>``: their own overlays and those of operators may show it, nobody else's.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path, PurePosixPath

from archive import Archive
from archive.accounts.names import check_name
from archive.atomic import write_bytes
from archive.errors import InvalidAccount
from archive.regular_files import open_regular
from jobs.shared.errors import BadRequest, LimitReached, NotAllowed
from jobs.shared.limits import Limits

MAPS = "overlays"
MAP_NAME = re.compile(r"(?:[a-z0-9][a-z0-9._@+-]{0,63}/)?[A-Za-z0-9][A-Za-z0-9._-]{0,150}", re.ASCII)


def map_path(archive: Archive, name: str) -> Path:
    """A map of the archive.

    Raises
    ------
    BadRequest
        When there is none of that name.
    """
    path = archive.root / MAPS / name
    if MAP_NAME.fullmatch(name) is None or not _is_regular(path, archive.root / MAPS):
        message = f"there is no map {name!r}"
        raise BadRequest(message)
    return path


def _is_regular(path: Path, folder: Path) -> bool:
    """Whether it is a file below a folder, without a link on the way."""
    try:
        open_regular(path, below=folder).close()
    except OSError:
        return False
    return True


def check_map(archive: Archive, name: str, user: str | None, *, operator: bool = False) -> None:
    """Refuse a map that is not there for this user: the two must not be told apart.

    Raises
    ------
    BadRequest
    """
    owner = PurePosixPath(name).parent.name
    if owner and owner != user and not operator:
        message = f"there is no map {name!r}"
        raise BadRequest(message)
    map_path(archive, name)


def maps_of(archive: Archive, user: str | None = None, *, operator: bool = False) -> list[str]:
    """Names of the maps that a user may draw on: everybody's, then their own; an operator's are all."""
    common, owned = _maps(archive)
    return common + [name for name in owned if operator or PurePosixPath(name).parent.name == user]


def keep_map(archive: Archive, name: str, content: bytes, user: str | None, limits: Limits | None = None) -> str:
    """Keep a map that a registered user uploads, for their overlays; gives the name it has here.

    Only its first bytes are looked at: whether it is a map is found out in a child process, when it is drawn.

    Raises
    ------
    NotAllowed
        For a guest.
    LimitReached
        When it is too large, or this user has too many. What other users have does not count.
    BadRequest
        When it is no FITS file.
    """
    limits = limits or Limits()
    try:
        owner = check_name(user or "")
    except InvalidAccount as error:
        message = "only registered users can upload maps; please sign in"
        raise NotAllowed(message) from error
    if len(content) > limits.map_size:
        message = (
            f"this file is {len(content) >> 20} MiB, {limits.map_size >> 20} at most; "
            "ask the operator to put it into the archive"
        )
        raise LimitReached(message)
    if not content.startswith((b"SIMPLE  =", b"\x1f\x8b")):
        message = "this is no FITS file (nor one packed with gzip)"
        raise BadRequest(message)
    ending = ".fits.gz" if content.startswith(b"\x1f\x8b") else ".fits"
    stem = re.sub(r"[^A-Za-z0-9._-]", "_", Path(name).name.removesuffix(".gz").rsplit(".", 1)[0])[:80].strip("._-")
    kept = f"{owner}/{stem or 'map'}_{hashlib.sha256(content).hexdigest()[:8]}{ending}"
    path = archive.root / MAPS / kept
    if not path.is_file():
        _check_room(archive, owner, len(content), limits)
        write_bytes(path, content)
    return kept


def _check_room(archive: Archive, owner: str, size: int, limits: Limits) -> None:
    """Refuse one more map of a user who has as many, or as large ones, as a user may have."""
    present = [path.stat().st_size for path in (archive.root / MAPS / owner).glob("*") if path.is_file()]
    if len(present) >= limits.maps:
        message = f"you have {len(present)} uploaded maps, {limits.maps} at most; ask the operator to remove some"
        raise LimitReached(message)
    if sum(present) + size > limits.maps_size:
        message = (
            f"your uploaded maps would be {(sum(present) + size) / (1 << 20):.0f} MiB, {limits.maps_size >> 20} at "
            "most; ask the operator to remove some"
        )
        raise LimitReached(message)


def _maps(archive: Archive) -> tuple[list[str], list[str]]:
    """Everybody's maps, and those of users."""
    folder = archive.root / MAPS
    names = sorted(path.relative_to(folder).as_posix() for path in (*folder.glob("*"), *folder.glob("*/*")))
    known = [name for name in names if MAP_NAME.fullmatch(name) and _is_regular(folder / name, folder)]
    return [name for name in known if "/" not in name], [name for name in known if "/" in name]
