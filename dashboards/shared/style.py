"""Style sheets; each is next to the page or the shared module that uses it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

#: Selects with the same height as text fields.
LOW: dict[str, Any] = {"& .MuiSelect-select": {"paddingTop": "8.5px", "paddingBottom": "8.5px"}}


@cache
def style(name: str) -> str:
    """Content of ``dashboards/<name>.css``, for example ``style("pages/operations/operations")``."""
    return (Path(__file__).parents[1] / f"{name}.css").read_text(encoding="utf-8")
