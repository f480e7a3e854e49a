"""When a fit is doubtful: values that the data do not limit."""

import pytest

from stixcore.spectra.fit.parameters import Value
from stixcore.spectra.fit.verdict import judge_values, no_background


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


def test_electrons_without_a_background_are_serious():
    assert no_background().serious
