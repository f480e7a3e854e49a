"""Test whether file locks work between two processes on a file system.

On some they do not: network file systems without a lock service, FUSE file systems, NFS mounted with ``local_lock``.
There, two writers of the index silently overwrite each other's rows.
"""

from __future__ import annotations

import secrets
import subprocess
import sys
from pathlib import Path

from filelock import FileLock, Timeout

from jobs.executors.child_environment import child_environment

#: Time for a second process to start and try the lock, on a busy machine, s.
_PATIENCE_S = 60.0
_TAKEN, _REFUSED = 0, 3


def locks_hold(folder: Path) -> bool:
    """Take a lock in a folder and try to take it again from a second process.

    Parameters
    ----------
    folder : Path
        Must be writable. A hidden file is created in it and removed.

    Returns
    -------
    bool
        Whether the second process was excluded. Other machines are not tested.

    Raises
    ------
    OSError
        When the lock cannot be taken, or the second process fails.
    """
    path = folder / f".part-doctor-{secrets.token_hex(8)}"
    command = [sys.executable, "-P", "-m", "jobs.cli.lock_probe", str(path)]
    try:
        with FileLock(path, timeout=0):
            child = subprocess.run(  # noqa: S603 - our own module, and a path
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_PATIENCE_S,
                check=False,
                env=child_environment(),
            )
    except (Timeout, subprocess.TimeoutExpired) as error:
        message = f"a lock cannot be tried in the folder {folder.name}: {error}"
        raise OSError(message) from error
    finally:
        path.unlink(missing_ok=True)
    if child.returncode not in {_TAKEN, _REFUSED}:
        lines = child.stderr.decode(errors="replace").splitlines() or [f"status {child.returncode}"]
        message = f"a lock cannot be tried in the folder {folder.name}: {lines[-1]}"
        raise OSError(message)
    return child.returncode == _REFUSED


def _main(path: Path) -> int:
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return _REFUSED
    lock.release()
    return _TAKEN


if __name__ == "__main__":
    sys.exit(_main(Path(sys.argv[1])))
