"""Packages with imaging methods, installed for a test: a folder with their modules and metadata, as pip writes it."""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Mapping
from pathlib import Path

from stixcore.imaging.registry import GROUP

EXAMPLE = Path(__file__).parent / "example_method"


def install(site: Path, name: str, version: str, points: Mapping[str, str]) -> None:
    """Write the metadata of a package with entry points."""
    metadata = site / f"{name.replace('-', '_')}-{version}.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    lines = [f"{point} = {value}" for point, value in points.items()]
    (metadata / "entry_points.txt").write_text("\n".join([f"[{GROUP}]", *lines, ""]))


def install_example(site: Path, version: str | None = None) -> Path:
    """Install the example package, in the version of its ``pyproject.toml`` or in another one."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    install(site, project["name"], version or project["version"], project["entry-points"][GROUP])
    shutil.copy(EXAMPLE / "stix_uniform.py", site)
    return site
