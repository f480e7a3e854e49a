"""Filed spectra of regions on pages: which, for whom, in which order, their files, and what of damaged ones remains."""

from dataclasses import replace

import pytest

from archive import RegionFilter
from archive.index.recorded import REGION_RECORDS
from archive.layout import REGIONS_RECORD
from dashboards.shared import stored_regions
from dashboards.shared.access import GUEST, Visitor
from dashboards.shared.stored_regions import load_regions, names_of, stored_regions_html
from tests.dashboards.conftest import recipe_id
from tests.dashboards.region_documents import regions_document
from tests.dashboards.spectrum_documents import text_of

FLARE = RegionFilter(flare_id="2211111136")


@pytest.fixture
def archive(with_regions):
    return with_regions


def ids(found):
    return [one.row.region_id for one in found.found]


@pytest.mark.parametrize(
    ("visitor", "numbers"),
    [(GUEST, [1, 0]), (Visitor("bob"), [1, 0]), (Visitor("alice"), [2, 1, 0]), (Visitor("olga", True), [2, 1, 0])],
)
def test_the_last_filed_comes_first_and_hidden_ones_are_for_their_author(archive, visitor, numbers, monkeypatch):
    monkeypatch.setattr(stored_regions, "routes_are_served", lambda: False)
    found = load_regions(archive, FLARE, visitor)
    assert ids(found) == [recipe_id(number) for number in numbers]
    assert found.total == len(numbers)
    page = stored_regions_html(found, "flare")
    assert page.count('<details class="regions"') == len(numbers)
    assert page.count(" open>") == 1
    assert ("by alice, hidden" in text_of(page)) is (2 in numbers)
    assert (recipe_id(2) in page) is False  # its recipe has no form, and nothing links to its files


def test_values_and_names_are_shown_as_text(archive):
    page = stored_regions_html(load_regions(archive, FLARE, GUEST), "flare")
    said = text_of(page)
    for text in ("CLEAN: north <1>, south", "40.0 −5.0 +8.0", "T₂ [MK]", "by bob"):
        assert text in said
    assert "<1>" not in page


def test_files_and_picture_are_linked_where_they_are_served(archive, monkeypatch):
    monkeypatch.setattr(stored_regions, "routes_are_served", lambda: True)
    found = load_regions(archive, FLARE, GUEST)
    page = stored_regions_html(replace(found, found=found.found[:1]), "flare")
    place = f"archive/regions/{recipe_id(1)}"
    for name in (*regions_document()["files"].values(), REGIONS_RECORD):
        assert page.count(f'href="{place}/{name}" download') == 1
    assert page.count("<img") == 1
    assert f'src="{place}/regions.png"' in page
    assert "north &lt;1&gt; (FITS)" in page


def test_nothing_filed_is_one_sentence(archive):
    found = load_regions(archive, RegionFilter(flare_id="none"), GUEST)
    said = text_of(stored_regions_html(found, "file"))
    assert said == "No spectra of regions of this file have been filed."


def test_long_lists_are_cut_and_say_so(archive, monkeypatch):
    monkeypatch.setattr(stored_regions, "MOST", 1)
    found = load_regions(archive, FLARE, GUEST)
    assert ids(found) == [recipe_id(1)]
    assert "The last 1 of 2 that were filed." in text_of(stored_regions_html(found, "flare"))


@pytest.mark.parametrize("content", [None, b"{", b"{}"])
def test_a_damaged_record_is_reported_and_the_others_stay(archive, content, monkeypatch):
    monkeypatch.setattr(stored_regions, "routes_are_served", lambda: True)
    record = archive.root / archive.region_spectrum(recipe_id(1)).folder / REGIONS_RECORD
    record.unlink() if content is None else record.write_bytes(content)
    first, second = load_regions(archive, FLARE, GUEST).found
    assert (first.page, first.files) == ("", ())
    assert second.page
    page = stored_regions_html(load_regions(archive, FLARE, GUEST), "flare")
    assert page.count(stored_regions.DAMAGED) == 1
    assert f"archive/regions/{recipe_id(1)}" not in page


@pytest.mark.parametrize("changes", [{"files": None}, {"files": {"picture": 3}}, {"regions": [None]}, {"method": 3}])
def test_a_record_with_other_values_does_not_stop_the_page(archive, changes):
    row = archive.region_spectrum(recipe_id(1))
    REGION_RECORDS.write(archive.root / row.folder, row, regions_document(**changes), [])
    assert len(load_regions(archive, FLARE, GUEST).found) == 2


@pytest.mark.parametrize(("text", "names"), [('["a", "b"]', ("a", "b")), ("{", ()), ('{"a": 1}', ()), ("[" * 9999, ())])
def test_names_of_a_damaged_row_are_left_out(archive, text, names):
    assert names_of(replace(archive.region_spectrum(recipe_id(1)), names=text)) == names
