"""The colours of maps that a visitor has chosen."""

from __future__ import annotations

import pytest

from dashboards.shared.map_colors import colors_of_request, session_colors
from jobs.imaging.figures import DEFAULT_COLORS


@pytest.mark.parametrize(
    ("cookie", "chosen"), [("viridis", "viridis"), ("<b>", DEFAULT_COLORS), (None, DEFAULT_COLORS)]
)
def test_a_request_without_a_session_has_the_colours_of_its_cookie(cookie: str | None, chosen: str) -> None:
    with colors_of_request(cookie):
        assert session_colors().chosen == chosen
    assert session_colors().chosen == DEFAULT_COLORS
