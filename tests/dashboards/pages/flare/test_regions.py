"""Spectra of regions on the flare page: in the first content, for whom, and where there are none."""

import pytest

from dashboards.pages.flare.state import FlareState
from dashboards.pages.flare.view import FlarePage, sheet_html
from dashboards.shared.access import GUEST, Visitor
from dashboards.shared.links import RouteLinks
from dashboards.shared.source import ArchiveSource
from tests.dashboards.conftest import recipe_id
from tests.dashboards.spectrum_documents import text_of


def state_of(archive, visitor=GUEST):
    state = FlareState(ArchiveSource(archive.root), lambda: visitor)
    state.take_address("?id=2211100301")
    state.load()
    return state


def section(page):
    """Content of the section."""
    return page.partition('<section id="regions">')[2].partition("</section>")[0]


def test_region_spectra_are_in_the_first_content(cubed):
    opening = FlarePage.opening(state_of(cubed), RouteLinks(), dark=False)
    assert '<a href="#regions">Spectra of regions</a>' in opening
    said = text_of(section(opening))
    for text in ("MEM_GE: north <1>, south", "T₂ [MK]", "40.0 −5.0 +8.0", "Outside the regions 10.0", "by bob"):
        assert text in said


@pytest.mark.parametrize(("visitor", "sees"), [(GUEST, False), (Visitor("bob"), False), (Visitor("alice"), True)])
def test_hidden_region_spectra_are_for_their_author(cubed, visitor, sees):
    state = state_of(cubed, visitor)
    found = [one.row.region_id for one in state.content.regions.found]
    assert set(found) == {recipe_id(410), *([recipe_id(411)] if sees else [])}
    assert ("by alice, hidden" in text_of(section(sheet_html(state, RouteLinks())))) is sees


def test_a_flare_without_region_spectra_says_so(flared):
    said = text_of(section(sheet_html(state_of(flared.archive), RouteLinks())))
    assert said == "Spectra of regions No spectra of regions of this flare have been filed."
