"""Texts of the URL that the spectrum form does not take: a line break at the end is part of the text."""

import pytest

from dashboards.pages.science_data.prefilled_spectrum import PrefilledSpectrum


@pytest.mark.parametrize("key", sorted(PrefilledSpectrum.prefilled_keys))
@pytest.mark.parametrize("text", ["\n", "yes\n", "4,5\n", "delta:5\n"])
def test_a_line_break_is_refused(key: str, text: str) -> None:
    with pytest.raises(ValueError, match=key):
        PrefilledSpectrum(**{key: text})
