"""Picked images: one by one, all of a filter, and what is left when some are put back."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archive import ImageFilter
from dashboards.pages.image_archive.selection import FEW, Selection, TooMany
from dashboards.shared.access import GUEST, Visitor

CLEAN = ImageFilter(methods=("clean",))


def test_picking_and_putting_back(small: Any) -> None:
    selection = Selection().turned(["b", "a"], []).turned(["c", "a"], ["b"])
    assert selection.ids == ("a", "c")
    assert selection.turned([], ["a", "c", "unknown"]) == Selection()


def test_all_of_a_filter_but_for_some(small: Any) -> None:
    archive, selection = small.archive, Selection.of_all(CLEAN)
    clean = [i for i in small.newest_first if i.endswith("-clean")]
    assert selection.count(archive) == len(clean) == 31
    fewer = selection.turned([small.images[0].image_id], clean[:3])
    assert fewer.count(archive) == 31 - 3 + 1
    assert {image.image_id for image in fewer.images(archive)} == {*clean[3:], small.images[0].image_id}
    again = fewer.turned(clean[:3], [small.images[0].image_id])
    assert again == selection


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_is_clicked_the_count_is_that_of_the_images(small: Any, data: st.DataObject) -> None:
    archive, shown = small.archive, small.newest_first
    selection, truth = Selection(), set()
    for _ in range(data.draw(st.integers(1, 4))):
        if data.draw(st.booleans()):
            selection, truth = Selection.of_all(CLEAN), {i for i in shown if i.endswith("-clean")}
        page = shown[data.draw(st.integers(0, 40)) :][:15]
        clicked = data.draw(st.sets(st.sampled_from(page), max_size=6))
        # as the table does: a click turns a box round
        selection = selection.turned(
            [i for i in page if i in clicked - truth], [i for i in page if i in clicked & truth]
        )
        truth ^= clicked
        assert selection.among(archive, page) == truth.intersection(page)
        assert selection.count(archive) == len(truth)
    assert {image.image_id for image in selection.images(archive)} == truth


def test_hidden_images_are_not_handed_out(small: Any) -> None:
    selection = Selection((small.hidden.image_id, small.images[0].image_id))
    assert [image.image_id for image in selection.images(small.archive, GUEST)] == [small.images[0].image_id]
    assert len(selection.images(small.archive, Visitor("alice"))) == 2
    # a filter that was stored while alice was signed in lets a guest see no more than any other
    stored = Selection.of_all(ImageFilter(viewer="alice"))
    assert stored.count(small.archive, GUEST) == 61
    assert stored.count(small.archive, Visitor("alice")) == 62


def test_too_many_are_refused_in_words(small: Any) -> None:
    with pytest.raises(TooMany, match="61 images are selected; the limit is 60"):
        Selection.of_all(ImageFilter()).images(small.archive, most=60)


def test_few_stand_in_an_address() -> None:
    assert Selection(tuple(map(str, range(FEW)))).is_few
    assert not Selection(tuple(map(str, range(FEW + 1)))).is_few
    assert not Selection.of_all(CLEAN).is_few
