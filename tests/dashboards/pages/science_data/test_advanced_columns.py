"""The columns of the advanced form begin at the left edge."""

import pytest
from playwright.sync_api import Browser

from dashboards.shared.style import style

pytestmark = pytest.mark.needs_chromium


def test_the_scroll_button_of_panel_takes_no_cell_of_the_form(browser: Browser) -> None:
    # as Panel draws a column: a button of no height, then the content
    parts = '<div class="scroll-button" style="display: flex"></div>' + '<div class="group">fields</div>' * 3
    css = style("pages/science_data/advanced_form")
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.set_content(f'<div><template shadowrootmode="open"><style>{css}</style>{parts}</template></div>')
    places = [box for group in page.locator(".group").all() if (box := group.bounding_box())]
    assert len({box["y"] for box in places}) == 1
    assert places[0]["x"] < 20.0
    assert len({box["x"] for box in places}) == 3
    page.close()
