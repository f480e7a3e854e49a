"""The page about security says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from dashboards.web.limits import WebLimits
from docs.makers.limits import PAGE, with_table

ROOT = Path(__file__).resolve().parents[2]


def test_the_table_of_limits_is_that_of_the_code() -> None:
    page = PAGE.read_text()
    assert with_table(page) == page, "run python -m docs.makers.limits"


def test_the_example_of_nginx_has_the_same_limits() -> None:
    """A proxy that takes more than the server only moves the load."""
    nginx, limits = (ROOT / "deploy/nginx/stix.conf").read_text(), WebLimits()
    found = dict(re.findall(r"^\s*(client_\w+) (\d+)[ms];", nginx, re.MULTILINE))
    assert int(found["client_max_body_size"]) << 20 == limits.body
    assert int(found["client_body_timeout"]) <= limits.body_time
    assert int(found["client_header_timeout"]) <= limits.header_time
