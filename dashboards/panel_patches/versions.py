"""Check that the installed versions of Panel and its dependencies are those that the pages are made for."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, requires, version

from packaging.requirements import Requirement

#: Distribution of this project; its pages replace private parts of the packages below.
PROJECT = "stix-flare-archive"
REPLACED_IN = ("bokeh", "panel", "panel-material-ui", "tornado")


def untested_versions() -> list[str]:
    """Installed packages that are outside the bounds of ``pyproject.toml``, as "panel 1.11.0 (made for <1.11,>=1.10)".

    Empty if the project itself is not installed, so that its bounds are unknown.
    """
    try:
        wanted = [Requirement(text) for text in requires(PROJECT) or ()]
    except PackageNotFoundError:
        return []
    return [
        f"{one.name} {version(one.name)} (made for {one.specifier})"
        for one in wanted
        if one.name in REPLACED_IN and not one.specifier.contains(version(one.name), prereleases=True)
    ]
