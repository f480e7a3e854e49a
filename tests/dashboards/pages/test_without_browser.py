"""How the image archive page ties its widgets to the state."""

from pathlib import Path
from typing import Any

import panel_material_ui as pmui
import pytest
from panel.io.state import state
from panel.util.parameters import edit_readonly

from dashboards.pages.image_archive.state import NO_IMAGE_TAB, ImageArchiveState
from dashboards.pages.image_archive.view import ImageArchivePage, notices_for
from dashboards.shared.image_strip import ImageCards
from dashboards.shared.links import RouteLinks
from dashboards.shared.source import ArchiveSource
from tests.dashboards.pages.components import component, text_of


def page_of(root: Path, **state: Any) -> tuple[ImageArchiveState, Any]:
    """State of a page, and the layout of its content."""
    page = ImageArchivePage(ImageArchiveState(ArchiveSource(root), **state), RouteLinks())
    page.state.load()
    return page.state, page.view().main[-1]


def test_a_page_has_nothing_to_do_with_the_work_of_others(small: Any) -> None:
    before = len(state.param.watchers["busy"]["value"])
    page = ImageArchivePage(ImageArchiveState(ArchiveSource(small.archive.root)), RouteLinks()).view()
    assert len(state.param.watchers["busy"]["value"]) == before
    with edit_readonly(state):
        state.busy = True
    try:
        assert page.busy is False
    finally:
        with edit_readonly(state):
            state.busy = False


def test_the_pager_follows_and_leads(small: Any) -> None:
    state, body = page_of(small.archive.root, page=3, tab="images")
    pager = component(body, pmui.Pagination)
    assert (pager.count, pager.value) == (3, 2)
    state.methods = ["clean"]
    assert (pager.count, pager.value, state.page) == (2, 0, 1)
    pager.value = 1
    assert state.page == 2
    assert "26–31 of 31 images" in text_of(body)
    state.text = "2211100007"
    assert (pager.count, pager.value) == (1, 0)
    state.clear_filter()
    assert (pager.count, pager.value) == (3, 0)


def test_paging_belongs_to_the_tab(small: Any) -> None:
    state, body = page_of(small.archive.root)
    state.tab = NO_IMAGE_TAB
    assert "1–3 of 3 bands without image" in text_of(body)
    state.tab = "images"
    assert "1–25 of 61 images" in text_of(body)


def test_the_dialog_is_made_when_first_opened(small: Any) -> None:
    state, body = page_of(small.archive.root)
    assert not body.select(pmui.Dialog)
    state.opened = small.images[9].image_id
    dialog = component(body, pmui.Dialog)
    assert dialog.open
    methods = component(dialog, ImageCards)
    assert f'data-image="{small.images[9].image_id}" aria-pressed="true"' in methods.html
    methods._handle_msg(small.images[8].image_id)  # what the browser sends after a click
    assert state.detail.image == small.images[8]
    methods._handle_msg(small.hidden.image_id)  # a browser may send anything
    assert state.detail.image == small.images[8]
    dialog.open = False
    assert (state.opened, state.detail) == ("", None)
    state.opened = small.images[8].image_id
    assert dialog.open


@pytest.mark.parametrize(
    ("changes", "kind", "text"),
    [
        ({"page": 1}, "simulated", "Some of these images are simulated, not real."),
        ({"text": "2211100031"}, "simulated", "These images are simulated, not real."),
        ({"text": "nothing"}, "info", "No image set matches the filter."),
        ({"start": "soon"}, "warning", "“soon” is not a time"),
        ({"opened": "0123456789abcdef-clean"}, "warning", "There is no image '0123456789abcdef-clean'."),
    ],
)
def test_what_the_visitor_is_told(small: Any, changes: dict[str, Any], kind: str, text: str) -> None:
    notices = notices_for(page_of(small.archive.root, **changes)[0])
    assert any(notice.kind == kind and text in notice.text for notice in notices)


def test_a_missing_archive_is_one_sentence(tmp_path: Path) -> None:
    state, body = page_of(tmp_path / "nowhere", opened="0123456789abcdef-clean")
    assert [notice.kind for notice in notices_for(state)] == ["error"]
    assert "There is no archive here yet" in text_of(body)


def test_notices_are_text(small: Any) -> None:
    _, body = page_of(small.archive.root, start="<img src=x onerror=alert(1)>")
    assert "<img src=x" not in text_of(body)
    assert "&lt;img src=x" in text_of(body)
