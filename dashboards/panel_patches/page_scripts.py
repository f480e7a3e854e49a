"""Scripts that correct Panel, panel-material-ui and Bokeh in the browser, one file each.

Each file begins with what is wrong, in which version, and the smallest program that shows it;
``tests/dashboards/panel_patches/test_page_scripts.py`` opens these programs without the scripts.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

#: Loaded before any component exists.
HEAD = (
    "focus_after_dialog", "long_columns", "accessible_components", "choices_by_key", "chips_by_key", "back_and_forward",
)  # fmt: skip
#: Loaded after the scripts of Bokeh and Panel, before a component exists.
LOADED = ("modules_loaded_once", "figures_measured_when_ready")


@cache
def patch_scripts(names: tuple[str, ...]) -> str:
    """The JavaScript of some patches (`HEAD` or `LOADED`), without the comments at the top of each file."""
    return "\n".join(_without_header(name) for name in names)


def _without_header(name: str) -> str:
    lines = (Path(__file__).parent / f"{name}.js").read_text(encoding="utf-8").splitlines()
    first = next(number for number, line in enumerate(lines) if not line.startswith("//"))
    return "\n".join(lines[first:])
