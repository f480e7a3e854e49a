"""Signing in and out in a real browser: it comes back to what was looked at, in the header and in the menu."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, expect

ADDRESS = "image_archive?method=clean"


# In the default run, image_archive/test_page.py signs in on a narrow page, science_data/test_reconstruction.py signs in
# and out on a wide one.
@pytest.mark.thorough
@pytest.mark.parametrize("width", [1280, 390])
def test_in_and_out_and_back_where_one_was(
    browser: Browser, watch: Callable[..., Any], server: Any, users: dict[str, str], small: Any, width: int
) -> None:
    with browser.new_context(viewport={"width": width, "height": 800}) as context:
        watched = watch(context, server.url)
        page = watched.visit(ADDRESS)

        def link_to(name: str) -> Locator:
            link = page.get_by_role("link", name=name, exact=True)
            if width < 900 and not link.is_visible():
                page.get_by_label("Menu").first.click()
            return link

        link_to("Sign in").click()
        page.get_by_label("Name").fill("alice")
        page.get_by_label("Password").fill(users["alice"])
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(f"{server.url}/{ADDRESS}")
        rows = page.locator(".rows tbody tr")
        expect(rows.first).to_be_visible()
        account = watch(context, server.url)
        account.page.goto(f"{server.url}/{link_to('alice').get_attribute('href')}")
        expect(account.page.get_by_text("You are signed in as alice")).to_be_visible()
        account.expect_no_sideways_scrolling()

        link_to("Sign out").click()
        page.wait_for_url(f"{server.url}/{ADDRESS}")
        expect(page.locator("#opening")).to_have_count(0)
        assert "user" not in {cookie["name"] for cookie in context.cookies()}
        expect(link_to("Sign in")).to_be_visible()
