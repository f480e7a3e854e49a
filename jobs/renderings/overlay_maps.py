"""Maps of other instruments for overlays, in the folder ``overlays/`` of the archive.

Files that operators put there are for everybody. A file that a user uploads is in a folder with that user's name and is
called ``<user>/<name>``; only that user and operators can use it.
"""

from __future__ import annotations

import hashlib
import re
from io import BytesIO
from pathlib import Path, PurePosixPath

from archive import Archive, context_maps
from archive.accounts.names import check_name
from archive.atomic import write_bytes
from archive.errors import InvalidAccount
from archive.regular_files import open_regular
from archive.unpacked import GZIP_BEGIN, NotUnpacked, unpacked_fits
from jobs.shared.errors import BadRequest, LimitReached, NotAllowed
from jobs.shared.limits import Limits

MAPS = context_maps.FOLDER
MAP_NAME = re.compile(r"(?:[a-z0-9][a-z0-9._@+-]{0,63}/)?[A-Za-z0-9][A-Za-z0-9._-]{0,150}", re.ASCII)


def map_path(archive: Archive, name: str) -> Path:
    """Path of a map.

    Raises
    ------
    BadRequest
        When there is no map with that name.
    """
    path = archive.root / MAPS / name
    if MAP_NAME.fullmatch(name) is None or not _is_regular(path, archive.root / MAPS):
        message = f"there is no map {name!r}"
        raise BadRequest(message)
    return path


def _is_regular(path: Path, folder: Path) -> bool:
    """Whether a path is a regular file below a folder, without symbolic links on the way."""
    try:
        open_regular(path, below=folder).close()
    except OSError:
        return False
    return True


def check_map(archive: Archive, name: str, user: str | None, *, operator: bool = False) -> None:
    """Check that a map exists and that this user may use it.

    Raises
    ------
    BadRequest
        With the same message in both cases, so that names of other users' maps cannot be guessed.
    """
    owner = PurePosixPath(name).parent.name
    if owner and owner != user and not operator:
        message = f"there is no map {name!r}"
        raise BadRequest(message)
    map_path(archive, name)


def maps_of(archive: Archive, user: str | None = None, *, operator: bool = False) -> list[str]:
    """Names of the maps that a user may use: those for everybody, then their own; for an operator, all maps."""
    common, owned = _maps(archive)
    return common + [name for name in owned if operator or PurePosixPath(name).parent.name == user]


def keep_map(archive: Archive, name: str, content: bytes, user: str | None, limits: Limits | None = None) -> str:
    """Store a map that a registered user uploads; returns its name in the archive.

    Only its size is checked here, packed and unpacked, and that it is FITS. A child process reads it when it is drawn.

    Raises
    ------
    NotAllowed
        When the user is a guest.
    LimitReached
        When it is too large, or this user's maps are too many or too large together.
    BadRequest
        When it is not a FITS file, or too large when unpacked.
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
    try:
        unpacked_fits(BytesIO(content), limits.map_unpacked)
    except NotUnpacked as error:
        message = f"this file cannot be used as a map: {error}"
        raise BadRequest(message) from error
    ending = ".fits.gz" if content.startswith(GZIP_BEGIN) else ".fits"
    stem = re.sub(r"[^A-Za-z0-9._-]", "_", Path(name).name.removesuffix(".gz").rsplit(".", 1)[0])[:80].strip("._-")
    kept = f"{owner}/{stem or 'map'}_{hashlib.sha256(content).hexdigest()[:8]}{ending}"
    path = archive.root / MAPS / kept
    if not path.is_file():
        _check_room(archive, owner, len(content), limits)
        write_bytes(path, content)
    return kept


def _check_room(archive: Archive, owner: str, size: int, limits: Limits) -> None:
    """Check that a user may store one more map of this size."""
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
    """Names of the maps for everybody and of those of users."""
    folder = archive.root / MAPS
    names = sorted(path.relative_to(folder).as_posix() for path in (*folder.glob("*"), *folder.glob("*/*")))
    known = [name for name in names if MAP_NAME.fullmatch(name) and _is_regular(folder / name, folder)]
    return [name for name in known if "/" not in name], [name for name in known if "/" in name]
