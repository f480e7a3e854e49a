"""Check files that users upload on a page, in a child process with limits.

`receive_upload` takes bytes and a name from a browser and stores a checked file, or refuses it with one sentence.
Untrusted files are read only by a child with limits on memory and time and without permission to write. The process
that serves pages only reads one line of JSON from it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from archive.atomic import PRIVATE, write_bytes
from archive.index.schema import ScienceFile
from archive.regular_files import NotRegularFile, open_regular
from jobs.executors.child_environment import child_environment
from jobs.shared.errors import LimitReached
from stixcore.errors import StixError
from stixcore.times import format_time

#: Folder in the archive: uploads/<first 16 digits of the SHA-256>/<name>
UPLOADS = "uploads"
#: Limit of open files: the upload, and files that the libraries read.
_OPEN_FILES = 64


class UploadRefused(StixError):
    """An upload that is not a STIX science file, or that cannot be read within the limits."""


@dataclass(frozen=True)
class UploadLimits:
    """Limits of one uploaded file.

    Attributes
    ----------
    size : int, byte
        Largest file. Real files have 0.07 to 60 MB.
    memory : int, byte
        Memory beyond that of the imported libraries.
    seconds : float, s
        Time limit, including imports on a busy machine.
    cpu : int, s
        Computing time.
    """

    size: int = 64 << 20
    memory: int = 1 << 30
    seconds: float = 30.0
    cpu: int = 10


@dataclass(frozen=True)
class UploadSummary:
    """An upload that passed the checks.

    Attributes
    ----------
    path : str
    name : str
        Its name by the rules of the archive.
    product, uid, sha256 : str
    size : int, byte
    t_start, t_end : str
        ISO 8601, UTC at Solar Orbiter.
    n_bins, n_channels : int
    e_low, e_high : float or None, keV
        None when the last channel has no upper edge.
    counts : float or None
    rcr_max : int or None
        The attenuator is in when it is greater than 0.
    is_background, simulated : bool
    purpose : str
    """

    path: str
    name: str
    product: str
    uid: str
    sha256: str
    size: int
    t_start: str
    t_end: str
    n_bins: int
    n_channels: int | None
    e_low: float | None
    e_high: float | None
    counts: float | None
    rcr_max: int | None
    is_background: bool
    simulated: bool
    purpose: str

    @property
    def times(self) -> tuple[np.datetime64, np.datetime64]:
        """Start and end, datetime64[us]."""
        return np.datetime64(self.t_start, "us"), np.datetime64(self.t_end, "us")


def receive_upload(root: Path, name: str, content: bytes, limits: UploadLimits | None = None) -> UploadSummary:
    """Store and check a file from a browser; a file that is uploaded twice is stored once.

    Parameters
    ----------
    root : Path
        Folder of the archive; the file is stored in its folder ``uploads``.
    name : str
        Name given by the browser; unsafe characters are removed.
    content : bytes
    limits : UploadLimits, optional

    Raises
    ------
    LimitReached
        When the file is too large; nothing is written.
    UploadRefused
        When it is not a science file, is damaged or exceeds a limit; it is removed.
    """
    limits = limits or UploadLimits()
    if len(content) > limits.size:
        size, limit = len(content) >> 20, limits.size >> 20
        message = f"{harmless(name)} has {size} MiB; the limit for uploaded files is {limit} MiB"
        raise LimitReached(message)
    path = root / UPLOADS / hashlib.sha256(content).hexdigest()[:16] / harmless(name)
    known = path.is_file()
    if not known:
        write_bytes(path, content, PRIVATE)
    try:
        return check_upload(path, limits)
    except StixError:
        if not known:
            path.unlink(missing_ok=True)
            with suppress(OSError):  # not empty: it holds the same bytes under another name
                path.parent.rmdir()
        raise


def harmless(name: str) -> str:
    """The last part of a path, without characters that are unsafe in a file system or on a page."""
    last = re.split(r"[/\\]", name)[-1]
    return re.sub(r"[^A-Za-z0-9._-]", "_", last).lstrip(".")[-150:] or "unnamed.fits"


def check_upload(path: Path, limits: UploadLimits | None = None) -> UploadSummary:
    """Check a file on disk in a child process with limits.

    Raises
    ------
    LimitReached
        When it is too large.
    UploadRefused
        With one sentence that names the invalid field or the exceeded limit.
    """
    limits = limits or UploadLimits()
    try:
        with open_regular(path) as stream:
            size = os.fstat(stream.fileno()).st_size
    except (NotRegularFile, FileNotFoundError) as error:
        message = f"{path.name} is not a regular file"
        raise UploadRefused(message) from error
    if size > limits.size:
        message = f"{path.name} has {size >> 20} MiB; the limit for uploaded files is {limits.size >> 20} MiB"
        raise LimitReached(message)
    command = [sys.executable, "-P", "-m", "jobs.imaging.uploads", str(path), str(limits.memory), str(limits.cpu)]
    try:
        child = subprocess.run(  # noqa: S603 - our own module, and a path
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=limits.seconds,
            check=False,
            env=child_environment(),
        )
    except subprocess.TimeoutExpired:
        message = f"{path.name} could not be looked at within {limits.seconds:g} s"
        raise UploadRefused(message) from None
    return _summary(path, child.returncode, child.stdout, limits)


def _summary(path: Path, code: int, said: bytes, limits: UploadLimits) -> UploadSummary:
    """The answer of the child, whose form is checked because the child is not trusted."""
    if code in {-signal.SIGXCPU, -signal.SIGKILL}:
        message = f"{path.name} takes more than {limits.cpu} s of computing time to be looked at"
        raise UploadRefused(message)
    try:
        answer = json.loads(said)
        if "refused" in answer:
            raise UploadRefused(str(answer["refused"])[:1000])
        return UploadSummary(**{field.name: answer[field.name] for field in fields(UploadSummary)})
    except (ValueError, KeyError, TypeError):
        message = f"{path.name} cannot be read: the process that looked at it ended with status {code}"
        raise UploadRefused(message) from None


# The child


def _main(path: Path, memory: int, cpu: int) -> None:
    """Print one line of JSON about a file: the summary, or why it is refused."""
    from archive.ingest.describe import describe
    from stixcore.recipe import sha256_of

    _limit(memory, cpu)
    try:
        row = describe(path, sha256_of(path), np.datetime64("1970-01-01", "us")).row
        answer = _answer(path, row) if isinstance(row, ScienceFile) else _refused(path, f"{row.product} data")
    except StixError as error:
        answer = {"refused": str(error)}
    except MemoryError:
        answer = _refused(path, f"one that takes more than {memory >> 20} MiB of memory to be read")
    except Exception as error:  # noqa: BLE001 - any error of a reader refuses the file
        answer = _refused(path, f"{type(error).__name__}: {error}")
    sys.stdout.write(json.dumps(answer, allow_nan=False) + "\n")


def _refused(path: Path, found: str) -> dict[str, Any]:
    return {"refused": f"{path.name}: expected a science file (pixel data or spectrogram), found {found}."}


def _answer(path: Path, row: ScienceFile) -> dict[str, Any]:
    times = {"t_start": format_time(row.t_start), "t_end": format_time(row.t_end)}
    found = {"path": str(path), **times, "purpose": row.purpose or ""}
    known = {field.name: getattr(row, field.name) for field in fields(UploadSummary) if field.name not in found}
    open_end = {"e_high": None} if known["e_high"] is not None and not np.isfinite(known["e_high"]) else {}
    return asdict(UploadSummary(**(known | found | open_end)))


def _limit(memory: int, cpu: int) -> None:
    """Limit private memory, computing time and open files, and forbid writing."""
    import resource

    from jobs.executors.memory import limit_memory

    limit_memory(memory)
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_OPEN_FILES, _OPEN_FILES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    _main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
