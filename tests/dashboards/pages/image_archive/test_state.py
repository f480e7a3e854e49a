import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archive import Archive
from dashboards.pages.image_archive.selection import TooMany
from dashboards.pages.image_archive.state import IMAGES_TAB, NO_IMAGE_TAB, ImageArchiveState
from dashboards.shared.access import GUEST, Visitor
from dashboards.shared.listing import Listing
from dashboards.shared.source import ArchiveSource, Unavailable
from dashboards.shared.steps import Steps


def of_images(*args: Any, **params: Any) -> ImageArchiveState:
    """State of the tab of single images."""
    return ImageArchiveState(*args, **({"tab": IMAGES_TAB} | params))


@pytest.fixture
def state(small: Any) -> ImageArchiveState:
    made = of_images(ArchiveSource(small.archive.root))
    made.load()
    return made


def ids(state: ImageArchiveState) -> list[str]:
    return [row.image.image_id for row in state.listing.rows]


def test_newest_first_and_paged(small: Any, state: ImageArchiveState) -> None:
    assert state.listing.total == 61
    assert state.listing.pages == 3
    assert ids(state) == small.newest_first[:25]
    assert state.listing.range_text("images") == "1–25 of 61 images"
    state.page = 3
    assert ids(state) == small.newest_first[50:]
    assert state.listing.range_text("images") == "51–61 of 61 images"
    one = Listing(("row",), 1)
    assert (one.range_text("images"), one.range_text("bands without image")) == ("1 image", "1 band without image")


def test_pages_together_are_everything_once(small: Any, state: ImageArchiveState) -> None:
    state.sort = ["trusted"]  # many rows compare equal
    seen = []
    for page in (1, 2, 3):
        state.page = page
        seen += ids(state)
    assert sorted(seen) == sorted(small.newest_first)


def test_hidden_images_are_for_their_author_and_operators(small: Any, state: ImageArchiveState) -> None:
    hidden = small.hidden.image_id
    state.param.update(text=hidden, author="anyone")
    assert state.listing.total == 0
    for visitor, sees in ((Visitor("alice"), 1), (Visitor("bob"), 0), (Visitor("bob", operator=True), 1)):
        other = of_images(ArchiveSource(small.archive.root), visitor, text=hidden, author="anyone")
        other.load()
        assert other.listing.total == sees


def test_an_opened_hidden_image_does_not_exist(small: Any, state: ImageArchiveState) -> None:
    state.opened = small.hidden.image_id
    assert state.detail is None
    assert "there is no image" in state.detail_problem
    other = of_images(ArchiveSource(small.archive.root), Visitor("alice"), opened=small.hidden.image_id)
    other.load()
    assert other.detail is not None


@pytest.mark.parametrize(
    ("changes", "total"),
    [
        ({"methods": ["clean"]}, 31),
        ({"band": "4-10"}, 30),
        ({"band": "16-28"}, 31),
        ({"trust": "doubtful"}, 16),
        ({"trust": "trusted", "methods": ["bp"]}, 22),
        ({"trust": "flux-doubtful"}, 16),
        ({"trust": "flux-trusted", "methods": ["bp"]}, 22),
        ({"trust": "position-trusted"}, 61),
        ({"trust": "position-doubtful"}, 0),
        ({"trust": "shape-trusted"}, 0),
        ({"text": "2211100007"}, 2),
        ({"uid": "2211100007"}, 2),
        ({"uid": "221110000"}, 0),
        ({"flare": "2200000007"}, 2),
        ({"goes": "C1"}, 20),
        ({"goes": "C5-C9", "methods": ["bp"]}, 0),
        ({"goes": "C"}, 2),
        ({"estimated": "≥ C1"}, 21),
        ({"estimated": "M", "methods": ["bp"]}, 3),
        ({"x": "-500..-481", "y": "≥ 200"}, 4),
        ({"y": "> 201"}, 0),
        ({"counts": "15 028"}, 5),
        ({"author": "anyone"}, 61),
        ({"author": "users"}, 0),
        ({"author": "bob"}, 0),
        ({"text": " 2200000007 "}, 2),
        ({"start": "2022-11-11", "end": "2022-11-11"}, 13),
        ({"start": "2022-11-10T02", "end": "2022-11-10T02:00"}, 2),
        ({"start": "2023"}, 0),
    ],
)
def test_filters_are_the_archives(state: ImageArchiveState, changes: dict[str, Any], total: int) -> None:
    state.param.update(**changes)
    assert state.listing.total == total
    assert state.filtered
    state.clear_filter()
    assert not state.filtered
    assert state.listing.total == 61


def test_what_means_nothing_is_said_and_left_out(state: ImageArchiveState) -> None:
    state.param.update(start="yesterday", band="big", methods=["clean"])
    assert state.listing.total == 31
    assert set(state.complaints) == {"start", "band"}
    state.param.update(start="", band="")
    assert state.complaints == {}


def test_mine_are_those_of_who_looks(small: Any, state: ImageArchiveState) -> None:
    state.author = "mine"
    assert state.listing.total == 0
    assert "Sign in" in state.complaints["author"]
    hers = of_images(ArchiveSource(small.archive.root), Visitor("alice"), author="mine")
    hers.load()
    assert [row.image for row in hers.listing.rows] == [small.hidden]
    assert hers.complaints == {}


def test_counts_can_be_sorted_by(state: ImageArchiveState) -> None:
    state.sort = ["-net_counts"]
    nets = [row.counts.net for row in state.listing.rows if row.counts is not None]
    assert len(nets) == 25
    assert nets == sorted(nets, reverse=True)


def test_a_new_filter_or_order_goes_to_the_first_page(small: Any, state: ImageArchiveState) -> None:
    state.page = 2
    state.sort = ["t_start"]
    assert (state.page, state.listing.page) == (1, 1)
    assert ids(state)[0] == small.images[0].image_id
    state.page = 3
    state.text = "22"
    assert state.page == 1


@pytest.mark.parametrize(
    ("sort", "attribute", "falling"),
    [
        ("peak_hpc_x", "peak_hpc_x", False),
        ("-chi2", "chi2", True),
        ("-goes_flux", "goes_flux", True),
        ("-goes_estimated_flux", "goes_estimated_flux", True),
        ("e_low", "e_low", False),
    ],
)
def test_sorting_is_the_archives_and_unknown_comes_last(
    state: ImageArchiveState, sort: str, attribute: str, falling: bool
) -> None:
    state.param.update(sort=[sort], page_size=100)
    values = [getattr(row.image, attribute) for row in state.listing.rows]
    known = [value for value in values if value is not None]
    assert values == sorted(known, reverse=falling) + [None] * (len(values) - len(known))


def test_columns_that_do_not_exist_are_passed_over(small: Any, state: ImageArchiveState) -> None:
    state.sort = ["-nonsense; drop table images"]
    assert state.listing.problem == ""
    assert ids(state) == small.newest_first[:25]


def test_a_page_beyond_the_end_is_the_last(state: ImageArchiveState) -> None:
    state.page = 999
    assert (state.listing.page, len(state.listing.rows)) == (3, 11)


def test_counts_come_from_the_run(small: Any, state: ImageArchiveState) -> None:
    state.text = small.images[14].uid
    counts = state.listing.rows[0].counts
    assert (counts.total, counts.background, counts.net) == (20007.0, 5000.0, 15007.0)


def test_an_opened_image_has_its_run_and_the_other_methods(small: Any, state: ImageArchiveState) -> None:
    state.opened = small.images[15].image_id
    assert state.detail.image == small.images[15]
    assert [image.method for image in state.detail.siblings] == ["bp", "clean"]
    assert state.detail.run.background_uid == "2211098157"
    state.opened = ""
    assert state.detail is None


def test_stepping_turns_the_pages_and_stays_at_the_ends(small: Any, state: ImageArchiveState) -> None:
    first, last = small.newest_first[0], small.newest_first[-1]
    state.opened = first
    assert state.steps == Steps(before=False, after=True)
    state.step(-1)
    assert state.opened == first
    state.step(1)
    assert (state.opened, state.steps) == (small.newest_first[1], Steps(before=True, after=True))
    state.opened = small.newest_first[24]
    state.step(1)
    assert (state.opened, state.page, ids(state)[0]) == (small.newest_first[25], 2, small.newest_first[25])
    state.step(1000)
    assert (state.opened, state.page, state.steps) == (last, 3, Steps(before=True, after=False))


def test_what_the_filter_keeps_out_has_no_neighbours(small: Any, state: ImageArchiveState) -> None:
    state.param.update(text="nothing is called so", opened=small.newest_first[3])
    assert (state.detail.image.image_id, state.steps) == (small.newest_first[3], Steps())
    state.step(1)
    assert state.opened == small.newest_first[3]


def test_bands_without_image_have_reasons(state: ImageArchiveState) -> None:
    state.tab = NO_IMAGE_TAB
    assert [run.reason for run in state.runs.rows] == ["no detector is on <b>", "too few counts", "too few counts"]
    state.text = "2211100001"
    assert state.runs.total == 1
    state.param.update(text="", end="2022-11-10T00")
    assert state.runs.total == 1


def test_the_address_of_a_state_restores_what_it_shows(small: Any, state: ImageArchiveState) -> None:
    state.param.update(methods=["clean"], band="4-10", sort=["-chi2", "uid"], start="2022-11-10", page_size=50)
    state.opened = ids(state)[3]
    other = of_images(ArchiveSource(small.archive.root))
    assert other.take_address(state.address) == []
    other.load()
    assert ids(other) == ids(state)
    assert other.detail.image == state.detail.image


def test_a_page_in_the_address_survives_a_filter_in_it(state: ImageArchiveState) -> None:
    state.take_address("?tab=images&trust=trusted&page=2")
    state.load()
    assert (state.listing.page, state.listing.total) == (2, 45)


def break_nothing(_: Path) -> None:
    """As ingest makes it."""


def break_parquet(root: Path) -> None:
    (root / "index" / "images" / "2022-11.parquet").write_bytes(b"PAR1 no more")
    shutil.rmtree(root / "index" / "read", ignore_errors=True)


def break_version(root: Path) -> None:
    (root / "index" / "schema.json").write_text('{"applied": ["2026-11 first layout", "2099 from the future"]}')


def break_schema(root: Path) -> None:
    (root / "index" / "schema.json").write_text("not json")


@pytest.mark.parametrize(
    ("harm", "sentence"),
    [
        (break_parquet, "damaged"),
        (break_version, "does not match this software version"),
        (break_schema, "does not match this software version"),
        (shutil.rmtree, "no archive here yet"),
    ],
)
def test_what_is_wrong_with_an_archive_is_said_in_plain_words(
    tmp_path: Path, small: Any, harm: Callable[[Path], None], sentence: str
) -> None:
    root = tmp_path / "archive"
    shutil.copytree(small.archive.root / "index", root / "index")
    harm(root)
    source = ArchiveSource(root)
    state = ImageArchiveState(source, opened=small.images[0].image_id)
    state.load()
    said = state.listing.problem or source.warning
    assert sentence in said
    assert "Traceback" not in said
    assert state.listing.rows == ()
    assert state.detail is None
    state.tab = NO_IMAGE_TAB
    assert state.runs.problem or source.warning


def test_an_empty_archive_is_no_fault(tmp_path: Path) -> None:
    state = of_images(ArchiveSource(Archive(tmp_path / "new", create=True).root))
    state.load()
    assert (state.listing.total, state.listing.problem, state.listing.range_text("images")) == (0, "", "no images")


def test_an_archive_that_appears_later_is_found(tmp_path: Path, small: Any) -> None:
    source = ArchiveSource(tmp_path / "archive")
    with pytest.raises(Unavailable, match="stix-jobs ingest"):
        source.archive()
    shutil.copytree(small.archive.root / "index", tmp_path / "archive" / "index")
    state = ImageArchiveState(source)
    state.load()
    assert state.listing.total == 61


def test_state_follows_the_archive(tmp_path: Path, small: Any) -> None:
    shutil.copytree(small.archive.root / "index", tmp_path / "archive" / "index")
    archive = Archive(tmp_path / "archive", create=True)
    state = of_images(ArchiveSource(archive.root))
    state.load()
    archive.delete("images", [image.image_id for image in small.images[:10]])
    state.load()
    assert state.listing.total == 51
    assert state.listing.rows[0].image.created_at == np.datetime64("2026-11-23T12:00:00")


def test_picks_outlive_pages_orders_and_filters(small: Any, state: ImageArchiveState) -> None:
    first, last = ids(state)[0], ids(state)[4]
    state.select([first, last])
    assert state.selected_rows == {first, last}
    state.page = 2
    assert (state.selected_rows, state.n_selected) == (frozenset(), 2)
    state.select([ids(state)[0]])
    state.param.update(sort=["t_start"], methods=["bp"])
    assert state.n_selected == 3
    state.param.update(sort=["-t_start"], methods=[])
    assert state.selected_rows == {first, last}
    state.select(off=[last])
    assert state.selected == list(state.selection.ids)
    assert state.n_selected == 2
    state.select_none()
    assert (state.n_selected, state.selected, state.selected_rows) == (0, [], frozenset())


def test_all_matches_are_picked_by_their_filter(state: ImageArchiveState) -> None:
    state.methods = ["clean"]
    state.select_all()
    assert (state.n_selected, state.selected) == (31, ["all"])
    state.select(off=[ids(state)[0]])
    assert (state.n_selected, state.selected) == (30, [])
    state.methods = []
    assert len(state.selected_rows) < 25
    assert {image.method for image in state.selected_images(100)} == {"clean"}
    with pytest.raises(TooMany):
        state.selected_images(29)


def test_picks_in_an_address_are_shared(small: Any, state: ImageArchiveState) -> None:
    state.select(ids(state)[3:6])
    other = of_images(ArchiveSource(small.archive.root))
    assert other.take_address(state.address) == []
    other.load()
    assert other.selected_images(10) == state.selected_images(10)
    state.param.update(methods=["clean"])
    state.select_all()
    other.take_address(state.address)
    other.load()
    assert other.n_selected == 31
    stranger = of_images(ArchiveSource(small.archive.root))
    stranger.take_address(f"?picked={small.hidden.image_id},{small.images[0].image_id},nonsense")
    stranger.load()
    assert stranger.n_selected == 1
    assert stranger.selection_problem.startswith("2 of the 3 selected images")


def test_many_picks_do_not_stand_in_the_address(state: ImageArchiveState) -> None:
    state.select(ids(state)[:20])
    assert len(state.selected) == 20
    state.select(ids(state)[20:21])
    assert (state.n_selected, state.selected) == (21, [])


def test_who_has_signed_out_sees_no_more_than_a_guest(small: Any) -> None:
    visitor = [Visitor("alice")]
    state = of_images(
        ArchiveSource(small.archive.root), lambda: visitor[0], text=small.hidden.image_id, author="anyone"
    )
    state.load()
    state.select_all()
    assert (state.listing.total, state.n_selected) == (1, 1)
    visitor[0] = GUEST
    state.load()
    assert (state.listing.total, state.n_selected, state.selected_images(10)) == (0, 0, ())


def test_the_full_disk_map_has_no_counts_of_its_set(imaged: Archive) -> None:
    """Its band is not that of the set, in which the counts are."""
    state = of_images(ArchiveSource(imaged.root))
    state.load()
    counts = {row.image.method: row.counts for row in state.listing.rows}
    assert counts.pop("full_disk_bp") is None
    assert counts
    assert None not in counts.values()
