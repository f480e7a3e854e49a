"""Settings of previews in ``config.toml`` of an archive.

The section ``[previews]`` has the keys ``cube`` (false: no cubes of flares), ``cube_max_steps``, ``cube_step_counts``
and ``cube_method`` ("clean" or "mem_ge"), as of `CubeRules`, and ``ensemble``, the number of simulated copies for
errors of previews.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from archive.accounts.provider_users import FILE_NAME
from archive.errors import BadSettings
from jobs.previews.cubes import CubeRules
from stixcore.imaging.ensemble import MAX_MEMBERS
from stixcore.imaging.reconstruction import Method

SECTION = "previews"
#: Limit of ``cube_max_steps``: the frames of a movie, about 2 MB a step with three bands, are in memory at once.
MOST_STEPS = 200
_KEYS = {
    "cube": "true or false",
    "cube_max_steps": f"a whole number from 2 to {MOST_STEPS}",
    "cube_step_counts": "a number from 2",
    "cube_method": '"clean" or "mem_ge"',
    "ensemble": "0, or a whole number from 2 to 1000",
}


def configured_cube(root: Path, wanted: bool | None = None) -> CubeRules | None:
    """Rules for the cubes of an archive; None when it wants none.

    Parameters
    ----------
    root : Path
        Folder of the archive.
    wanted : bool, optional
        Make cubes or not, whatever the configuration says.

    Raises
    ------
    BadSettings
        When the file cannot be read, or a key or value is invalid.
    """
    given = _section(root / FILE_NAME)
    if not given.get("cube", True) if wanted is None else not wanted:
        return None
    default = CubeRules()
    steps, counts = given.get("cube_max_steps", default.max_steps), given.get("cube_step_counts", default.step_counts)
    method = Method(given.get("cube_method", default.method))
    return CubeRules(max_steps=steps, step_counts=float(counts), method=method)


def configured_copies(root: Path, wanted: int | None = None) -> int:
    """Simulated copies of the data for the errors of previews in an archive; ``wanted`` instead, if it is given.

    Raises
    ------
    BadSettings
        When the file cannot be read, or a key or value is invalid.
    """
    copies = int(_section(root / FILE_NAME).get("ensemble", 0)) if wanted is None else wanted
    if not _is_valid("ensemble", copies):
        message = f"--ensemble: expected {_KEYS['ensemble']}, found {copies}"
        raise BadSettings(message)
    return copies


def _section(path: Path) -> dict[str, Any]:
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        message = f"{path} cannot be read: {error}"
        raise BadSettings(message) from error
    section = document.get(SECTION, {})
    for key, value in section.items() if isinstance(section, dict) else ((SECTION, section),):
        if key not in _KEYS:
            message = f"{path}: [{SECTION}] has {key!r}; its keys are {', '.join(_KEYS)}"
            raise BadSettings(message)
        if not _is_valid(key, value):
            message = f"{path}: [{SECTION}] {key}: expected {_KEYS[key]}, found {value!r}"
            raise BadSettings(message)
    return dict(section)


def _is_valid(key: str, value: object) -> bool:
    if key == "cube":
        return isinstance(value, bool)
    if key == "cube_method":
        return value in (str(Method.CLEAN), str(Method.MEM_GE))
    if key == "ensemble":
        return type(value) is int and (value == 0 or 2 <= value <= MAX_MEMBERS)
    if key == "cube_max_steps":
        return type(value) is int and 2 <= value <= MOST_STEPS
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 2
