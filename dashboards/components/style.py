"""Style sheets, from the folder ``css`` beside this file."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

#: Choices as high as the text fields beside them.
LOW: dict[str, Any] = {"& .MuiSelect-select": {"paddingTop": "8.5px", "paddingBottom": "8.5px"}}


@cache
def style(name: str) -> str:
    """Text of ``css/<name>.css``."""
    return (Path(__file__).parent / "css" / f"{name}.css").read_text(encoding="utf-8")
