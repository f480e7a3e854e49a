"""What a program says when it is installed without the extra it needs. Imports nothing, as nothing may be there."""

from __future__ import annotations

#: Import packages of this software: when one of these is missing, the installation is broken and no extra helps.
_OWN = frozenset({"stixcore", "archive", "jobs", "dashboards"})


def missing_package(program: str, error: ModuleNotFoundError, extra: str = "service") -> str:
    """One sentence for a package that is not installed.

    Parameters
    ----------
    program : str
        As users call it.
    error : ModuleNotFoundError
    extra : str
        The extra that brings the package.

    Raises
    ------
    ModuleNotFoundError
        The error itself, if the module is one of this software.
    """
    name = (error.name or "").partition(".")[0]
    if not name or name in _OWN:
        raise error
    return f'{program} needs the package {name}; install it with: pip install "stix-flare-archive[{extra}]"'
