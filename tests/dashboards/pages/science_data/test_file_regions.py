"""Spectra of regions of a science file: shown when they are filed, and who sees them."""

import pytest

from dashboards.pages.science_data.file_regions import FileRegions
from dashboards.pages.science_data.file_spectra_state import FileSpectraState
from dashboards.shared.access import GUEST, Visitor
from dashboards.shared.source import ArchiveSource
from tests.dashboards.conftest import make_described_regions
from tests.dashboards.spectrum_documents import text_of

FILE = "science.fits"


def state_of(archive, visitor=GUEST):
    state = FileSpectraState()
    state.source, state.visitor = ArchiveSource(archive.root), visitor
    return state


@pytest.mark.parametrize(("visitor", "number"), [(GUEST, 3), (Visitor("alice"), 4)])
def test_those_of_the_file_are_shown_with_hidden_ones_for_their_author(with_regions, visitor, number):
    state = state_of(with_regions, visitor)
    view = FileRegions(state)
    assert "No spectra of regions of this file have been filed." in text_of(view.view.object)
    state.load_spectra(FILE)
    assert view.view.object.count("<summary><b>") == number
    assert ("by alice, hidden" in text_of(view.view.object)) is (number == 4)
    state.load_spectra("other.fits")
    assert "No spectra of regions of this file have been filed." in text_of(view.view.object)


def test_what_is_filed_meanwhile_appears(with_regions):
    state = state_of(with_regions)
    state.load_spectra(FILE)
    view = FileRegions(state)
    assert "by carol" not in text_of(view.view.object)
    with_regions.write_region_spectra([make_described_regions(with_regions.root, 9, author="carol")])
    state.reload_spectra()
    assert "by carol" in text_of(view.view.object)


def test_a_lost_archive_leaves_nothing(with_regions, tmp_path):
    state = state_of(with_regions)
    state.load_spectra(FILE)
    state.source = ArchiveSource(tmp_path / "missing")
    state.reload_spectra()
    assert state.filed_regions.found == ()
    assert state.spectra.rows == ()
