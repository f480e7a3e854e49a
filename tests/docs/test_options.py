"""The page about the API lists the options that the code has."""

from __future__ import annotations

from docs.makers.options import PAGE, with_table


def test_table_of_options_matches_the_code() -> None:
    page = PAGE.read_text()
    assert with_table(page) == page, "run python -m docs.makers.options"
