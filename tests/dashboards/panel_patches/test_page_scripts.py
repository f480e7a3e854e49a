"""What the scripts correct is still wrong in a browser without them. A test that fails says what to remove."""

from __future__ import annotations

import os
import socket
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, sync_playwright

from dashboards.panel_patches.page_scripts import HEAD, LOADED, patch_scripts

APP = """
import sys
import panel as pn
import panel_material_ui as pmui
from bokeh.plotting import figure

def app():
    fields = [pmui.IntInput(label="Count", value=1), pmui.MultiChoice(label="Kinds", options=["a", "b"], value=["a"])]
    dialog = pmui.Dialog(pmui.Typography("text"), open=False, close_on_click=True)
    fields.append(pmui.Button(label="Open", on_click=lambda event: dialog.param.update(open=True)))
    fields.append(dialog)
    lines = pn.Column(*[pn.pane.HTML("<p>line</p>") for _ in range(60)])
    return pmui.Page(title="Upstream", main=[*fields, pn.pane.Bokeh(figure(height=100)), lines])

pn.serve({"app": app}, port=int(sys.argv[1]), show=False)
"""


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory, start: Callable[..., Any]) -> Iterator[Page]:
    """A page of these components, as Panel serves it by itself."""
    script = tmp_path_factory.mktemp("upstream") / "app.py"
    script.write_text(APP)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with script.with_suffix(".log").open("wb") as log:
        server = start([str(script), str(port)], dict(os.environ), log, log)
        try:
            address = f"http://127.0.0.1:{port}/app"
            wait_for(address)
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(
                    executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-dev-shm-usage"]
                )
                page = browser.new_page()
                page.goto(address)
                page.locator(".MuiChip-deletable").first.wait_for(timeout=60_000)
                yield page
                browser.close()
        finally:
            server.terminate()
            server.wait(60)


def wait_for(address: str) -> None:
    until = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(address, timeout=20).close()
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.3)
        else:
            return


def attributes(page: Page, selector: str, name: str) -> list[str | None]:
    return [one.get_attribute(name) for one in page.locator(selector).all()]


def test_every_script_is_in_the_page() -> None:
    folder = Path(__file__).resolve().parents[3] / "dashboards" / "panel_patches"
    assert {path.stem for path in folder.glob("*.js")} == {*HEAD, *LOADED}
    for names in (HEAD, LOADED):
        assert not patch_scripts(names).startswith("//")


def test_accessible_components_title(upstream: Page) -> None:
    assert attributes(upstream, "h3.title", "role") == [None]


def test_accessible_components_main_content(upstream: Page) -> None:
    assert attributes(upstream, ".main-content", "tabindex") == [None]


def test_accessible_components_number_buttons(upstream: Page) -> None:
    names = attributes(upstream, ".MuiInputAdornment-positionEnd > button", "aria-label")
    assert names
    assert None in names


def test_accessible_components_progress_bar(upstream: Page) -> None:
    upstream.locator(".MuiLinearProgress-root").first.wait_for(state="attached")
    assert None in attributes(upstream, ".MuiLinearProgress-root", "aria-label")


def test_accessible_components_chips(upstream: Page) -> None:
    assert None in attributes(upstream, ".MuiChip-deletable", "aria-label")


def test_long_columns(upstream: Page) -> None:
    heights = upstream.locator(".bk-panel-models-layout-Column").evaluate_all(
        "columns => columns.map(column => getComputedStyle(column).maxHeight)"
    )
    assert set(heights) - {"none"}


def test_choices_by_key(upstream: Page) -> None:
    upstream.locator(".MuiSelect-select[role=combobox]").first.press("Enter")
    upstream.wait_for_timeout(500)
    assert upstream.locator("[role=listbox], .MuiMenu-list").count() == 0


def test_chips_by_key(upstream: Page) -> None:
    upstream.locator(".MuiChip-deletable").first.press("Enter")
    upstream.wait_for_timeout(500)
    assert upstream.locator(".MuiChip-deletable").count() == 1


def test_modules_loaded_once(upstream: Page) -> None:
    entries = "performance.getEntriesByType('resource')"
    loaded = f"{entries}.filter(one => one.name.includes('ui.bundle.js')).map(one => one.initiatorType)"
    assert upstream.evaluate(loaded) == ["fetch"]


def test_figures_measured_when_ready(upstream: Page) -> None:
    thrown = upstream.evaluate(
        """() => {
          let view = Bokeh.Models.get("Figure").prototype.default_view.prototype
          while (!Object.hasOwn(view, "_measure_layout")) { view = Object.getPrototypeOf(view) }
          try { view._measure_layout.call({layout: null, el: document.body, state: {}}) } catch { return true }
          return false
        }"""
    )
    assert thrown


def test_focus_after_dialog(upstream: Page) -> None:
    button = upstream.get_by_role("button", name="Open", exact=True)
    button.press("Enter")
    upstream.get_by_role("dialog").wait_for()
    upstream.keyboard.press("Escape")
    upstream.get_by_role("dialog").wait_for(state="hidden")
    upstream.wait_for_timeout(500)
    assert upstream.evaluate("document.activeElement.tagName") == "BODY"


def test_back_and_forward(upstream: Page) -> None:
    upstream.evaluate(
        """() => {
          window.place = [...Bokeh.documents[0]._all_models.values()].find(model => /Location/.test(model.type))
          window.place.search = "?a=1"
        }"""
    )
    upstream.wait_for_function("location.search == '?a=1'")
    upstream.evaluate("history.back()")
    upstream.wait_for_function("location.search == ''")
    upstream.wait_for_timeout(500)
    assert upstream.evaluate("window.place.search") == "?a=1"
