"""When a fit is doubtful: values that the data do not limit."""

import pytest

from stixcore.spectra.fit.parameters import Value
from stixcore.spectra.fit.verdict import judge_values, no_background
from stixcore.spectra.models.thermal import KEV_PER_MK


@pytest.mark.parametrize(
    ("name", "minus", "plus", "said", "serious"),
    [
        ("delta", None, None, "The data do not limit delta.", True),
        ("e_cut_keV", None, None, "The data do not limit e_cut_keV.", False),
        ("delta", None, 0.5, "The data do not limit delta below.", False),
        ("delta", 0.5, None, "The data do not limit delta above.", False),
    ],
)
def test_an_index_that_is_open_on_both_sides_is_serious(name, minus, plus, said, serious):
    (doubt,) = judge_values({name: Value(4.0, minus, plus)})
    assert (doubt.code, doubt.text, doubt.serious) == ("fit.open", said, serious)


@pytest.mark.parametrize(
    ("name", "mk", "doubted"), [("T_keV", 49.0, False), ("T_keV", 51.0, True), ("T_keV_2", 73.0, True)]
)
def test_heat_beyond_that_of_flares_is_serious(name, mk, doubted):
    doubts = judge_values({name: Value(mk * KEV_PER_MK, 0.2, 0.2)})
    assert [(doubt.code, doubt.serious) for doubt in doubts] == [("fit.hot", True)] * doubted
    assert all(f"{mk:.0f} MK" in doubt.text for doubt in doubts)


def test_electrons_without_a_background_are_serious():
    assert no_background().serious
