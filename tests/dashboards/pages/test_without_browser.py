"""How the image archive page ties its widgets to the state."""

from pathlib import Path
from typing import Any

import pytest
from panel.io.state import state
from panel.util.parameters import edit_readonly

from dashboards.pages.image_archive.state import IMAGELESS_TAB, ImageArchiveState
from dashboards.pages.image_archive.view import ImageArchivePage, notices_for
from dashboards.shared.links import RouteLinks
from dashboards.shared.source import ArchiveSource


def page_of(root: Path, **state: Any) -> ImageArchivePage:
    page = ImageArchivePage(ImageArchiveState(ArchiveSource(root), **state), RouteLinks())
    page.state.load()
    page.view()
    return page


def test_a_page_has_nothing_to_do_with_the_work_of_others(small: Any) -> None:
    before = len(state.param.watchers["busy"]["value"])
    page = page_of(small.archive.root).view()
    assert len(state.param.watchers["busy"]["value"]) == before
    with edit_readonly(state):
        state.busy = True
    try:
        assert page.busy is False
    finally:
        with edit_readonly(state):
            state.busy = False


def test_the_pager_follows_and_leads(small: Any) -> None:
    page = page_of(small.archive.root, page=3)
    assert (page._pager.count, page._pager.value) == (3, 2)
    page.state.methods = ["clean"]
    assert (page._pager.count, page._pager.value, page.state.page) == (2, 0, 1)
    page._pager.value = 1
    assert page.state.page == 2
    assert "26–31 of 31 images" in page._total.object
    page.state.text = "2211100007"
    assert (page._pager.count, page._pager.value) == (1, 0)
    page.state.clear_filter()
    assert (page._pager.count, page._pager.value) == (3, 0)


def test_paging_belongs_to_the_tab(small: Any) -> None:
    page = page_of(small.archive.root)
    page.state.tab = IMAGELESS_TAB
    assert "1–3 of 3 bands without image" in page._total.object
    page.state.tab = "images"
    assert "1–25 of 61 images" in page._total.object


def test_the_dialog_is_made_when_first_opened(small: Any) -> None:
    page = page_of(small.archive.root)
    assert page._image.dialog is None
    page.state.opened = small.images[9].image_id
    assert page._image.dialog is not None
    assert page._image.dialog.widget.open
    assert f'data-image="{small.images[9].image_id}" aria-pressed="true"' in page._image.dialog._switch.html
    page._image.dialog._chosen(small.images[8].image_id)
    assert page.state.detail.image == small.images[8]
    page._image.dialog._chosen(small.hidden.image_id)  # a browser may send anything
    assert page.state.detail.image == small.images[8]
    page._image.dialog.widget.open = False
    assert (page.state.opened, page.state.detail) == ("", None)
    page.state.opened = small.images[8].image_id
    assert page._image.dialog.widget.open


@pytest.mark.parametrize(
    ("changes", "kind", "text"),
    [
        ({"page": 1}, "simulated", "Some of these images are made from simulated data"),
        ({"text": "2211100031"}, "simulated", "These images are made from simulated data"),
        ({"text": "nothing"}, "info", "No image is in this selection."),
        ({"start": "soon"}, "warning", "“soon” is no time"),
        ({"opened": "0123456789abcdef-clean"}, "warning", "There is no image '0123456789abcdef-clean'."),
    ],
)
def test_what_the_visitor_is_told(small: Any, changes: dict[str, Any], kind: str, text: str) -> None:
    notices = notices_for(page_of(small.archive.root, **changes).state)
    assert any(notice.kind == kind and text in notice.text for notice in notices)


def test_a_missing_archive_is_one_sentence(tmp_path: Path) -> None:
    page = page_of(tmp_path / "nowhere", opened="0123456789abcdef-clean")
    assert [notice.kind for notice in notices_for(page.state)] == ["error"]
    assert "There is no archive here yet" in page._notices.pane.object


def test_notices_are_text(small: Any) -> None:
    page = page_of(small.archive.root, start="<img src=x onerror=alert(1)>")
    assert "<img" not in page._notices.pane.object
    assert "&lt;img" in page._notices.pane.object
