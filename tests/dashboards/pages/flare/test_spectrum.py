"""The spectra of the flare page: which one is shown, to whom, how it is drawn, and what can be downloaded."""

import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from archive import SpectrumFilter
from archive.layout import SPECTRUM_RECORD
from dashboards.pages.flare.content import load_flare
from dashboards.pages.flare.spectrum import spectra_html
from dashboards.pages.flare.spectrum_drawing import legend_html, spectrum_svg
from dashboards.pages.flare.state import FlareState
from dashboards.pages.flare.view import FlarePage, sheet_html
from dashboards.shared import stored_spectra
from dashboards.shared.access import GUEST, Visitor
from dashboards.shared.links import RouteLinks
from dashboards.shared.source import ArchiveSource
from dashboards.shared.spectrum_curves import SpectrumCurves
from dashboards.shared.stored_spectra import load_spectra
from tests.dashboards.conftest import recipe_id
from tests.dashboards.spectrum_documents import document, text_of

FITTED, UNFITTED, HIDDEN = (recipe_id(number) for number in (400, 401, 402))
ALICE = Visitor("alice")


def state_of(archive, search="", visitor=GUEST):
    state = FlareState(ArchiveSource(archive.root), lambda: visitor)
    state.take_address(f"?id=2211100301{search}")
    state.load()
    return state


def parsed(svg):
    return ET.fromstring(svg)


def test_the_spectrum_of_the_flare_is_shown_first_and_in_the_first_content(cubed):
    state = state_of(cubed)
    assert state.content.spectra.shown.spectrum_id == FITTED
    assert [row.spectrum_id for row in state.content.spectra.rows] == [FITTED, UNFITTED]
    opening = FlarePage.opening(state, RouteLinks(), dark=False)
    assert '<section id="spectrum"><h2>Spectrum</h2>' in opening
    said = text_of(opening)
    for text in (
        "18.18 ± 0.42 MK", "Automatic fit, not for publication.", "science request 2211098157", "2 spectra to choose",
    ):  # fmt: skip
        assert text in said
    assert '<svg class="spectrum"' in opening


@pytest.mark.parametrize(("visitor", "sees"), [(GUEST, False), (Visitor("bob"), False), (ALICE, True)])
def test_hidden_spectra_are_for_their_author(cubed, visitor, sees):
    state = state_of(cubed, f"&spectrum={HIDDEN}", visitor)
    assert (state.content.spectra.shown.spectrum_id == HIDDEN) is sees
    said = text_of(spectra_html(state.content))
    assert ("χ² is 2.6 <per> degree of freedom." in said) is sees
    assert ("by alice, hidden" in said) is sees
    if sees:
        assert "<per>" not in spectra_html(state.content)
        assert "not for publication" not in said


def test_a_click_shows_another_spectrum_and_keeps_the_rest(cubed):
    state = state_of(cubed)
    page = FlarePage(state, RouteLinks())
    sets = state.content.sets
    page._sheet._handle_msg(HIDDEN)
    assert state.content.spectra.shown.spectrum_id == FITTED
    page._sheet._handle_msg(UNFITTED)
    assert state.address == f"?id=2211100301&spectrum={UNFITTED}"
    assert state.content.sets is sets
    assert "No fit: no channel has <counts> above the background." in text_of(page._sheet.html)
    assert "<counts>" not in page._sheet.html
    page._sheet._handle_msg(FITTED)
    assert "18.18 ± 0.42 MK" in page._sheet.html


def test_downloads_are_linked_where_they_are_served(cubed, monkeypatch):
    content = load_flare(cubed, "2211100301")
    monkeypatch.setattr("dashboards.pages.flare.spectrum.routes_are_served", lambda: True)
    place = f"archive/spectrum/{FITTED}"
    links = re.findall(rf'href="{place}/([^"]+)" download', spectra_html(content))
    files = ["stx_spectrum.fits", "stx_srm.fits", "spectrum.json", "ogip.zip"]
    assert links == [*files, "reproduce.py", "fit.py", "fit.pro"]
    without = load_flare(cubed, "2211100301", spectrum_id=UNFITTED)
    assert "fit.py" not in spectra_html(without)
    monkeypatch.setattr("dashboards.pages.flare.spectrum.routes_are_served", lambda: False)
    assert place not in spectra_html(content)


def test_the_page_of_a_flare_without_spectra_says_why(flared):
    content = load_flare(flared.archive, "2211100301")
    assert content.spectra.shown is None
    assert "The archive has no spectrum of this flare: none has been made" in text_of(spectra_html(content))
    assert "it has no images" in spectra_html(replace(content, sets=()))


def test_a_damaged_record_is_reported_and_not_drawn(cubed, tmp_path):
    row = load_flare(cubed, "2211100301").spectra.shown
    record = cubed.root / row.folder / SPECTRUM_RECORD
    kept = record.read_bytes()
    try:
        for content in (b"{}", kept.replace(b'"livetime_s": 100.0', b'"livetime_s": null')):
            record.write_bytes(content)
            shown = spectra_html(load_flare(cubed, "2211100301"))
            assert "The record of this spectrum is damaged" in shown
            assert "<svg" not in shown
    finally:
        record.write_bytes(kept)


def test_long_lists_are_cut_and_say_so(cubed, monkeypatch):
    monkeypatch.setattr(stored_spectra, "MOST", 2)
    found = load_spectra(cubed, SpectrumFilter(flare_id="2211100301"), ALICE)
    assert (len(found.rows), found.total, found.shown.spectrum_id) == (2, 3, FITTED)
    listed = stored_spectra.choice_html(found, stored_spectra.addresses(found.rows, "flare?id=1"))
    assert "The first 2 of 3." in listed
    assert f'href="flare?id=1&amp;spectrum={UNFITTED}#spectrum"' in listed


def test_drawing_has_every_curve_and_mark():
    curves = SpectrumCurves.of(document())
    svg = parsed(spectrum_svg(curves, 'label <">'))
    kinds = [path.get("class") for path in svg.iter("path")]
    for kind in ("data", "model", "background", "part c0", "part c1"):
        assert kinds.count(kind) == 1, kind
    rates, residuals = svg.findall("svg")
    limits = [path for path in rates.iter("path") if path.get("class") == "limit"]
    assert limits[0].get("d").count("z") == 1
    assert sum(path.get("class") == "mark hollow" for path in residuals.iter("path")) == 1
    assert len(residuals.findall("path")) == 5 + 4 * 2 + 1  # lines; points with bars; one beyond the axis
    assert "fitted energies" in legend_html(curves)
    assert "upper limit (2 σ)" in legend_html(curves)


def test_points_are_where_their_energies_and_rates_are():
    """The first dot: 2 ct/s/keV at √20 keV, on axes from 0.97 × 4 to 1.03 × 28 keV and over `SpectrumCurves.rates`."""
    curves = SpectrumCurves.of(document())
    svg = parsed(spectrum_svg(curves, ""))
    rates = svg.findall("svg")[0]
    (dots,) = [path.get("d") for path in rates.iter("path") if path.get("class") == "mark"]
    x, y = map(float, re.match(r"M([\d.]+) ([\d.]+)", dots).groups())
    low, high = curves.rates
    width, height = float(rates.get("width")), float(rates.get("height"))
    assert x + 2.6 == pytest.approx(width * np.log(np.sqrt(20) / 3.88) / np.log(28.84 / 3.88), abs=0.1)
    assert y == pytest.approx(height * np.log(high / 2.0) / np.log(high / low), abs=0.1)


def test_drawing_without_fit_and_background():
    curves = SpectrumCurves.of(document(fit=None, background=[0.0] * 5))
    svg = parsed(spectrum_svg(curves, ""))
    assert len(svg.findall("svg")) == 1
    assert {"model", "background"}.isdisjoint(path.get("class") for path in svg.iter("path"))
    assert "model" not in legend_html(curves)


def test_section_is_linked_and_other_sections_stay(cubed):
    sheet = sheet_html(state_of(cubed), RouteLinks())
    assert '<a href="#spectrum">Spectrum</a>' in sheet
    names = re.findall(r'<section id="(\w+)"', sheet)
    assert names.index("images") < names.index("spectrum") < names.index("files")
