"""A browser whose scripts take so long that the server has given the page up meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from playwright.sync_api import BrowserContext, Route, expect

#: Milliseconds after which this server gives up a page without a web socket, and between two looks for such pages.
UNUSED, LOOK = 3000, 500


def test_a_page_that_was_given_up_is_made_again_as_it_was(
    watch: Callable[..., Any], desktop: BrowserContext, serve: Callable[..., Any], small: Any
) -> None:
    soon = ("--unused-session-lifetime", str(UNUSED), "--check-unused-sessions", str(LOOK))
    with serve(small.archive.root, "dashboards", *soon) as server:
        watched = watch(desktop, server.url)

        def late(route: Route) -> None:
            watched.page.wait_for_timeout(UNUSED + 4 * LOOK)
            route.continue_()

        watched.page.route("**/bokeh.min.js*", late)
        watched.page.goto(f"{server.url}/image_archive")
        expect(watched.page.locator("#opening")).to_have_count(0)
        rows = watched.page.locator(".rows tbody tr")
        expect(rows.first).to_be_visible()
        head, row = watched.page.locator(".rows thead").bounding_box(), rows.first.bounding_box()
        assert head is not None
        assert row is not None
        assert row["y"] >= head["y"] + head["height"] - 1
        watched.page.goto("about:blank")
