"""Tags in the address and in the fields of a real page stay words: nothing of them runs, loads or stands in it."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from benchmarks.load.words import Target, targets

#: Whatever of these came through would be there (``i``), ask for a file (``img``) or open a dialog.
WORD = "x\"'></title><i id=smuggled>x</i><img src=/smuggled onerror=alert(1)><svg/onload=alert(1)>"


#: The page of the default run; the others repeat it.
FIRST = "image_archive"


@pytest.mark.parametrize(
    "target",
    [
        pytest.param(target, id=target.page, marks=() if target.page == FIRST else pytest.mark.thorough)
        for target in targets()
        if target.fields
    ],
)
def test_words_stay_words(watched: Any, target: Target) -> None:
    asked: list[str] = []
    watched.page.on("dialog", lambda dialog: (asked.append(dialog.message), dialog.dismiss()))
    words = "&".join(f"{key}={_escaped(WORD)}" for key in target.keys if key != "theme")
    page = watched.visit(f"{target.page}?{words}")
    expect(page.get_by_text("Ignored invalid").first).to_be_visible()
    for field in target.fields:
        watched.type_into(field, WORD)
        if field == target.fields[0]:
            expect(page.get_by_role("alert").first).to_contain_text("<i id=smuggled>")
    page.wait_for_function("window.Bokeh.documents.length > 0")
    smuggled = """
        (() => {
          const roots = [document]
          for (const root of roots) {
            if (root.querySelector("#smuggled, [src='/smuggled'], svg[onload]")) return true
            for (const one of root.querySelectorAll("*")) if (one.shadowRoot) roots.push(one.shadowRoot)
          }
          return false
        })()
    """
    assert not page.evaluate(smuggled)
    assert asked == []


def _escaped(word: str) -> str:
    from urllib.parse import quote

    return quote(word, safe="")
