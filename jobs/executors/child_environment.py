"""What a child process inherits: a short list of variables, and no access to its parent.

The server keeps secrets in its environment (keys of cookies and sessions, client secrets of sign-in providers). A child
that reads an untrusted file gets none of them, neither in its own environment nor from ``/proc``.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Mapping

#: Variables that a child inherits: paths of programs, modules, home and temporary files; language and time zone;
#: threads of numerical libraries; and options of Python itself.
INHERITED = frozenset(
    {
        *("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT"),
        *("HOME", "USER", "LOGNAME", "TMPDIR", "TEMP", "TMP"),
        *("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "MPLCONFIGDIR", "SUNPY_CONFIGDIR"),
        *("LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "LC_NUMERIC", "LC_TIME", "LC_MESSAGES", "TZ"),
        *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "BLIS_NUM_THREADS"),
        *("PYTHONPATH", "PYTHONHASHSEED", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "PYTHONWARNINGS"),
        *("PYTHONUTF8", "PYTHONIOENCODING", "PYTHONFAULTHANDLER"),
    }
)
_PR_GET_DUMPABLE, _PR_SET_DUMPABLE = 3, 4


def child_environment(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Environment for a child process.

    Parameters
    ----------
    environment : mapping, optional
        Environment of the parent; by default that of this process.

    Returns
    -------
    dict
        The variables that are in `INHERITED`.
    """
    present = os.environ if environment is None else environment
    return {name: value for name, value in present.items() if name in INHERITED}


def forbid_inspection() -> bool:
    """Hide this process's environment and memory from other processes of the same user (Linux: PR_SET_DUMPABLE).

    Without it a child can read ``/proc/<parent>/environ`` and attach to its parent like a debugger. Root still can.
    Core dumps are no longer written. The setting is lost when the process executes another program.

    Returns
    -------
    bool
        Whether the system supports it.
    """
    if sys.platform != "linux":
        return False
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    return bool(prctl(_PR_GET_DUMPABLE, 0, 0, 0, 0) == 0)
