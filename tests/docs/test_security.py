"""The page about security says what the code does."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from dashboards.shared.limits import WebLimits
from docs.makers.limits import PAGE, with_table

ROOT = Path(__file__).resolve().parents[2]


def test_table_of_limits_matches_the_code() -> None:
    page = PAGE.read_text()
    assert with_table(page) == page, "run python -m docs.makers.limits"


def test_every_limit_is_used() -> None:
    code = "".join(path.read_text() for path in (ROOT / "dashboards").rglob("*.py") if path.name != "limits.py")
    unused = [field.name for field in fields(WebLimits) if not re.search(rf"\.{field.name}\b", code)]
    assert unused == []
