"""Spectra of a science file: the table, the figure of the chosen one, and who sees them."""

import dataclasses

import panel as pn
import pytest

from archive.layout import SPECTRUM_RECORD
from dashboards.pages.science_data.file_spectra import FileSpectra, list_html
from dashboards.pages.science_data.state import ScienceState
from dashboards.shared.access import GUEST, Visitor
from dashboards.shared.source import ArchiveSource
from dashboards.shared.stored_spectra import StoredSpectra, distinct_names
from tests.dashboards.conftest import make_spectrum, recipe_id
from tests.dashboards.spectrum_documents import text_of

FITTED, UNFITTED, HIDDEN = (recipe_id(number) for number in (505, 504, 503))


def state_of(archive, search="", visitor=GUEST):
    state = ScienceState(ArchiveSource(archive.root), visitor)
    state.take_address(f"?uid=2211116471{search}")
    state.load()
    return state


def drawn(view):
    """Types of what is below the table."""
    return [type(part).__name__ for part in view.view()[-1]]


def test_table_has_values_with_errors_and_reasons(tmp_path):
    values = {
        "temperature": 18.18, "temperature_minus": 0.42, "temperature_plus": 0.44, "delta": 5.3, "delta_minus": None,
        "delta_plus": 0.13, "chi2": 30.0, "ndof": 12, "verdict": "doubtful",
    }  # fmt: skip
    values |= {"temperature_2": 31.0, "temperature_2_minus": 2.0, "temperature_2_plus": None}
    without = {
        "model": None,
        "verdict": None,
        "temperature": None,
        "delta": None,
        "chi2": None,
        "no_fit": "no <signal>",
    }
    rows = (make_spectrum(tmp_path, 1, **values), make_spectrum(tmp_path, 2, **without))
    page = list_html(StoredSpectra(rows, 3, rows[0]))
    said = text_of(page)
    for text in (
        "18.18 −0.42 +0.44; 31.0 −2.0 (open above)",
        "5.30 +0.13 (open below)",
        "2.50",
        "doubtful",
        "none: no <signal>",
        "first 2 of 3",
    ):
        assert text in said
    assert "<signal>" not in page
    assert "no spectra of this file" in list_html(StoredSpectra())


def test_spectra_of_the_same_name_can_be_told_apart(tmp_path):
    rows = [make_spectrum(tmp_path, number) for number in (1, 2)]
    twin = dataclasses.replace(rows[0], spectrum_id=recipe_id(3))
    names = distinct_names([*rows, twin])
    assert [*names.values()] == [row.spectrum_id for row in (*rows, twin)]
    assert [name.endswith(key[:6]) for name, key in names.items()] == [True, False, True]


@pytest.mark.parametrize(("visitor", "sees"), [(GUEST, False), (Visitor("alice"), True)])
def test_hidden_spectra_are_for_their_author(science_archive, visitor, sees):
    state = state_of(science_archive, f"&spectrum={HIDDEN}", visitor)
    assert state.spectra.has(FITTED)
    assert state.spectra.has(HIDDEN) is sees
    assert (state.spectra.shown.spectrum_id == HIDDEN) is sees


def test_choosing_a_spectrum_draws_it(science_archive):
    state = state_of(science_archive)
    view = FileSpectra(state)
    assert drawn(view) == []
    state.spectrum = FITTED
    assert drawn(view) == ["Bokeh", "HTML"]
    assert "18.18 ± 0.42 MK" in text_of(view._numbers.object)
    assert f"spectrum={FITTED}" in state.address
    state.spectrum = UNFITTED
    assert isinstance(view.view()[-1][0], pn.pane.Bokeh)
    assert "No fit: none was requested." in text_of(view._numbers.object)
    state.spectrum = ""
    assert drawn(view) == []


def test_closing_the_file_forgets_the_spectrum(science_archive):
    state = state_of(science_archive, f"&spectrum={FITTED}")
    state.close_file()
    assert state.spectrum == ""
    assert "spectrum" not in state.address


def test_next_file_has_its_own_spectra(science_archive):
    state = state_of(science_archive, f"&spectrum={FITTED}")
    state.step(1)
    assert state.uid == "2211098157"
    assert state.spectrum == ""
    assert not state.spectra.has(FITTED)


def test_a_damaged_record_is_reported(science_archive):
    state = state_of(science_archive)
    row = next(row for row in state.spectra.rows if row.spectrum_id == FITTED)
    record = science_archive.root / row.folder / SPECTRUM_RECORD
    kept = record.read_bytes()
    try:
        record.write_text("{")
        state.spectrum = FITTED
        view = FileSpectra(state)
        assert drawn(view) == ["HTML"]
        assert "The record of this spectrum is damaged" in view._numbers.object
    finally:
        record.write_bytes(kept)
