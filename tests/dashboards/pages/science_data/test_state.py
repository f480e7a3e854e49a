"""State of the science data page, on real files."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archive import Archive, Flare
from dashboards.pages.science_data.file_state import DRAWN_BINS, FileView
from dashboards.pages.science_data.opened_files import FileCache, opened, spectra_of
from dashboards.pages.science_data.state import BACKGROUNDS, FLARES, PIXELS, SPECTROGRAMS, ScienceState, load_science
from dashboards.shared.access import GUEST, Visitor
from dashboards.shared.source import ArchiveSource
from dashboards.shared.steps import Steps

FLARE, QUIET, LONG = "2211116471", "2211098157", "2212273755"


def state_of(archive: Archive, **params: Any) -> ScienceState:
    state = ScienceState(ArchiveSource(archive.root), **params)
    state.load()
    return state


def uids(state: ScienceState) -> list[str]:
    return [row.uid for row in state.listing.rows]


def test_files_are_listed_filtered_and_sorted_by_the_archive(november: Archive) -> None:
    state = state_of(november)
    assert uids(state) == [LONG, FLARE, QUIET]
    state.product = PIXELS
    assert uids(state) == [FLARE, QUIET]
    state.aim = BACKGROUNDS
    assert uids(state) == [QUIET]
    state.param.update(aim=FLARES, product=SPECTROGRAMS)
    assert uids(state) == [LONG]
    state.clear_filter()
    assert not state.filtered
    state.band = "20-84"
    assert uids(state) == [LONG, QUIET]
    state.param.update(band="", minutes=60, sort=["duration_s"])
    assert uids(state) == [FLARE, LONG]
    state.param.update(minutes=0, text="2211111136", sort=["no such column"])
    assert uids(state) == [FLARE]
    state.param.update(text="", start="2022-11-11", end="2022-11-11T12")
    assert uids(state) == [FLARE]
    state.start = "soon"
    assert "“soon” is not a time" in state.complaints["start"]


def test_a_flare_has_the_id_of_the_flare_list(november: Archive, tmp_path: Path) -> None:
    """The request of a file may name it otherwise."""
    named = november.science_file(FLARE)
    assert "Flare 2211111136" in named.purpose
    archive = Archive(shutil.copytree(november.root, tmp_path / "archive"))
    listed = Flare(
        flare_id="2211111137",
        t_peak=named.t_start,
        other_ids="2211111130 2211111136",
        source="list",
        updated_at=named.t_end,
    )
    archive.upsert("flares", [listed])
    state = state_of(archive, text="2211111137")
    (row,) = state.listing.rows
    before, between, after = named.purpose.split("2211111136")
    assert row.purpose == f"{before}2211111137 (2211111136 in the request){between}2211111137{after}"
    state.uid = FLARE
    assert state.detail.file == row


def test_less_than_no_minutes_are_none(november: Archive) -> None:
    state = ScienceState(ArchiveSource(november.root), minutes=-5)
    assert state.minutes == 0
    assert state.take_address("?minutes=-5&page=0") == [
        "Ignored invalid minutes=-5 in the URL.",
        "Ignored invalid page=0 in the URL.",
    ]


def test_the_address_holds_file_filter_and_order(november: Archive) -> None:
    state = ScienceState(ArchiveSource(november.root))
    assert state.take_address(f"?uid={FLARE}&type=pixels&sort=-counts&theme=dark&rows=7") == [
        "Ignored invalid rows=7 in the URL."
    ]
    state.load()
    assert state.detail.file.uid == FLARE
    assert state.address == f"?type=pixels&sort=-counts&uid={FLARE}&theme=dark"
    assert state.steps == Steps(before=False, after=True)
    state.step(1)
    assert (state.uid, state.steps) == (QUIET, Steps(before=True, after=False))
    state.step(5)
    assert state.uid == QUIET  # the last of the list
    state.close_file()
    assert (state.detail, state.address) == (None, "?type=pixels&sort=-counts&theme=dark")
    state.uid = "2201010001"
    assert "2201010001" in state.detail_problem
    assert uids(state) == [FLARE, QUIET]


def test_an_opened_file_comes_with_its_images_and_the_files_of_its_flare(november: Archive) -> None:
    detail = load_science(november, FLARE)
    assert {image.method for image in detail.images} >= {"bp", "clean", "em", "mem_ge", "vis_fwdfit", "full_disk_bp"}
    assert {image.uid for image in detail.images} == {FLARE}
    assert {row.what for row in detail.related} == {"background of images", "pointing and ephemeris"}
    assert load_science(november, LONG).images == ()
    by_name = load_science(november, detail.file.name)
    assert by_name.file == detail.file


def test_hidden_images_are_shown_to_their_author(small: Any, november: Archive, tmp_path: Path) -> None:
    root = tmp_path / "archive"
    shutil.copytree(november.root, root)
    archive = Archive(root)
    archive.upsert("images", [small.hidden.__class__(**vars(small.hidden) | {"uid": FLARE})])
    known = len(load_science(november, FLARE).images)
    for visitor, more in ((GUEST, 0), (Visitor("bob"), 0), (Visitor("alice"), 1), (Visitor("eve", operator=True), 1)):
        assert len(load_science(archive, FLARE, visitor).images) == known + more
    state = state_of(archive, uid=FLARE)
    archive.upsert("images", [small.images[0].__class__(**vars(small.images[0]) | {"uid": FLARE})])
    state.reload_images()
    assert len(state.detail.images) == known + 1


def test_a_long_spectrogram_is_drawn_in_few_bins_and_finer_when_zoomed(november: Archive) -> None:
    view = FileView(november.locate(LONG))
    assert not view.has_pixels
    assert view.drawn.duration.size <= DRAWN_BINS + 1
    assert view.drawn.merged > 1
    assert view.drawn.counts.sum() == view.spectra.counts.sum() == november.science_file(LONG).counts
    view.span = (np.datetime64("2022-12-27T17:10", "us"), np.datetime64("2022-12-27T17:12", "us"))
    assert view.drawn.merged == 1
    assert [(curve.low, curve.high) for curve in view.curves] == [(4, 10), (10, 15), (15, 25), (25, 50), (50, 84)]
    assert view.pixels() is None
    box = view.snap(*view.span, 6.5, 9.5)
    assert (box.low, box.high) == (6, 10)
    spectrum = view.spectrum(box)
    centre = view.spectra.t_start + (view.spectra.t_end - view.spectra.t_start) // 2
    inside = (centre >= view.span[0]) & (centre < view.span[1])
    channel = list(spectrum.e_low).index(6.0)
    expected = view.spectra.corrected[inside, channel + 0].sum() / view.spectra.duration[inside].sum()
    assert spectrum.rate[channel] == pytest.approx(expected)
    assert view.recorded(box) == view.spectra.counts[inside][:, channel : channel + 4].sum()


def test_what_is_chosen_snaps_to_whole_bins(november: Archive) -> None:
    view = FileView(november.locate(FLARE))
    start, end = np.datetime64("2022-11-11T11:36:00", "us"), np.datetime64("2022-11-11T11:36:50", "us")
    view.choose(start, end, 6.4, 9.9)
    assert view.box.start in view.data.t_start
    assert view.box.end in view.data.t_end
    assert view.box.start <= start < view.box.end
    assert view.data.time_bins(view.box.start, view.box.end) == view.data.time_bins(start, end)
    assert (view.box.low, view.box.high) == (6, 10)
    assert view.recorded(view.box) == view.pixels(view.box).sum() > 10_000
    whole = view.pixels()
    assert whole.sum() == november.science_file(FLARE).counts
    view.choose(np.datetime64("2023-01-01", "us"), np.datetime64("2023-01-02", "us"), 4, 9)
    assert "not inside the file" in view.problem
    assert view.box.low == 6  # what was chosen before stays
    minute = view.peak_minute()
    assert minute.start <= np.datetime64("2022-11-11T11:37", "us") <= minute.end
    assert (minute.low, minute.high) == (6, 10)
    assert dict(view.cards())["PRIMARY"][0][:2] == ("SIMPLE", "True")


def test_a_tab_offers_its_energies_until_some_are_chosen(november: Archive) -> None:
    def energies() -> tuple[float, float]:
        return view.box.low, view.box.high

    view = FileView(november.locate(FLARE))
    view.offer_energies(4, 28)
    assert view.box is None  # nothing is selected yet
    view.box = minute = view.peak_minute()
    view.offer_energies(4, 28)
    assert energies() == (4, 28)
    assert (view.box.start, view.box.end) == (minute.start, minute.end)
    view.offer_energies(200, 300)  # the file has none
    assert energies() == (4, 28)
    view.choose(minute.start, minute.end + np.timedelta64(120, "s"), 4, 28, typed=True)  # another time only
    assert view.box.end > minute.end
    view.offer_energies(*view.first_band)
    assert energies() == (6, 10)
    view.choose(minute.start, minute.end, 6, 10)  # drawn by hand
    view.offer_energies(4, 28)
    assert energies() == (6, 10)


def test_opened_files_are_kept_and_read_anew_when_they_change(november: Archive, tmp_path: Path) -> None:
    path = tmp_path / "file.fits"
    shutil.copy(november.locate(FLARE), path)
    first = opened(path)
    assert opened(path) is first
    assert spectra_of(path) is spectra_of(path)
    shutil.copy(november.locate(QUIET), path)
    assert opened(path) is not first
    reads: list[Path] = []
    cache = FileCache(lambda path: reads.append(path) or path.name, kept=2)
    places = [tmp_path / name for name in "abc"]
    for place in places:
        place.touch()
        cache(place)
    assert len(cache) == 2
    cache(places[2])
    assert reads == places
    cache(places[0])
    assert len(reads) == 4
    with pytest.raises(FileNotFoundError):
        cache(tmp_path / "nothing")
