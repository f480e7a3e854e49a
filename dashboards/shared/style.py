"""Style sheets; each is next to the page or the shared part that uses it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

#: Choices as high as the text fields beside them.
LOW: dict[str, Any] = {"& .MuiSelect-select": {"paddingTop": "8.5px", "paddingBottom": "8.5px"}}


@cache
def style(name: str) -> str:
    """Text of ``dashboards/<name>.css``, for example ``style("pages/operations/operations")``."""
    return (Path(__file__).parents[1] / f"{name}.css").read_text(encoding="utf-8")
