"""Guides name a Python that is new enough: pip's messages about an older one are pages long."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GUIDES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "docs/how-to").glob("*.md"))]
NEEDED = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"].removeprefix(">=")


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.name)
def test_environments_are_made_with_a_python_that_is_new_enough(guide: Path) -> None:
    for name in re.findall(r"(\S*python\S*) -m venv", guide.read_text()):
        version = re.search(r"python3\.(\d+)$", name)
        assert version, f"{guide.name}: {name} may be any version"
        assert int(version[1]) >= int(NEEDED.partition(".")[2])


def test_the_readme_says_how_to_serve_add_a_user_and_start_a_worker() -> None:
    text = (ROOT / "README.md").read_text()
    for command in ("python -m dashboards", "stix-jobs user add", "stix-jobs worker"):
        assert command in text
