"""The table of regions: values with errors, a second temperature where one was fitted, doubts, shares by channel."""

import re

import pytest

from dashboards.shared.region_looks import look_of, sign_html
from dashboards.shared.region_table import regions_html
from dashboards.shared.spectrum_table import readable
from stixcore.errors import InvalidProduct
from tests.dashboards.region_documents import part, regions_document
from tests.dashboards.spectrum_documents import text_of


def cells(page, name):
    """Cells of a row of the first table, by title of the column."""
    table = page.partition("</table>")[0]
    heads = [text_of(head) for head in re.findall(r"<th scope=\"col\">.*?</th>", table)]
    (row,) = [row for row in re.findall(r"<tr>.*?</tr>", table) if name in text_of(row)]
    found = [text_of(cell) for cell in re.findall(r"<t[hd][ >].*?</t[hd]>", row)]
    return dict(zip(heads, found, strict=True))


def test_every_region_has_its_values():
    page = regions_html(regions_document())
    north, south = cells(page, "north <1>"), cells(page, "south")
    assert (north["Share of counts"], north["Model"], north["Fit"]) == ("60.0 %", "vth+thick2", "trusted")
    assert (north["T [MK]"], north["δ"]) == ("18.18 ± 0.42", "5.30 −0.14 +0.13")
    assert (south["T [MK]"], south["T₂ [MK]"]) == ("20.0 ± 1.0", "40.0 −5.0 +8.0")
    assert south["EM₂ [10⁴⁹ cm⁻³]"] == "0.0040 ± 0.0010"
    assert north["T₂ [MK]"] == "–"
    outside = cells(page, "Outside the regions")
    assert (outside["Share of counts"], outside["Fit"]) == ("10.0 %", "none")
    assert cells(page, "Whole flare")["Counts"] == "1 500"
    assert "<1>" not in page
    assert "<large>" not in page


def test_a_second_temperature_has_a_column_only_where_one_was_fitted():
    page = regions_html(regions_document(regions=[part("north", 0.9)]))
    assert "T₂" not in page
    assert list(cells(page, "north"))[-3:] == ["F₀ [10³⁵ s⁻¹]", "χ² ÷ freedom", "Fit"]


def test_a_forward_fit_has_nothing_outside():
    said = text_of(regions_html(regions_document(outside=None)))
    assert "Outside" not in said


def test_doubts_name_their_region_as_it_is_called():
    said = text_of(regions_html(regions_document()))
    assert "The scale differs." in said
    assert "south: The error of T₂ is <large>." in said
    assert readable("EM_1e49_cm3_2 and EM_1e49_cm3 of T_keV, delta") == "EM₂ and EM of T, δ"


def test_shares_of_channels_with_their_reasons():
    said = text_of(regions_html(regions_document()))
    assert "4–6 keV 60.0 ± 2.0 % 30.0 ± 2.0 % 10.0 ± 2.0 % 100.0 % 1.01" in said
    assert "10–28 keV fewer than 1000 counts" in said


@pytest.mark.parametrize(
    "changes",
    [{"regions": None}, {"outside": 3}, {"imaged": [True]}, {"energy_kev": []}, {"whole": {}}, {"doubts": None}],
)
def test_what_does_not_describe_regions_is_refused(changes):
    with pytest.raises(InvalidProduct):
        regions_html(regions_document(**changes))


def test_regions_look_different_without_colours():
    looks = [look_of(number)[1:] for number in range(12)]
    assert len(set(looks)) == 12
    assert len({text_of(sign_html(number)) for number in range(6)}) == 6
