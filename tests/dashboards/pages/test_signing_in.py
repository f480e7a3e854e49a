"""Signing in and out in a real browser: it comes back to what was looked at, in the header and in the menu."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

ADDRESS = "image_archive?method=clean"


@pytest.mark.parametrize("width", [1280, 390])
def test_in_and_out_and_back_where_one_was(
    browser: Browser, watch: Callable[..., Any], server: Any, users: dict[str, str], small: Any, width: int
) -> None:
    with browser.new_context(viewport={"width": width, "height": 800}) as context:
        watched = watch(context, server.url)
        page = watched.visit(ADDRESS)

        def follow(link: str) -> None:
            if width < 900:
                page.get_by_label("Menu").first.click()
            page.get_by_role("link", name=link, exact=True).click()

        follow("Sign in")
        page.get_by_label("Name").fill("alice")
        page.get_by_label("Password").fill(users["alice"])
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(f"{server.url}/{ADDRESS}")
        rows = page.locator(".tabulator-row")
        expect(rows.first).to_be_visible()
        follow("alice")
        expect(page.get_by_text("You are signed in as alice")).to_be_visible()
        watched.expect_no_sideways_scrolling()

        watched.visit(ADDRESS)
        follow("Sign out")
        page.wait_for_url(f"{server.url}/{ADDRESS}")
        expect(page.locator("#opening")).to_have_count(0)
        assert "user" not in {cookie["name"] for cookie in context.cookies()}
        if width < 900:
            page.get_by_label("Menu").first.click()
        expect(page.get_by_role("link", name="Sign in", exact=True)).to_be_visible()
