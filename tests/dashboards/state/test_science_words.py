"""Every product of the table of science files has a word on the pages."""

from __future__ import annotations

import pytest

from dashboards.components.science_table import TYPES
from dashboards.state.science import PRODUCT_WORDS
from stixcore.fits.spec import IMAGEABLE, ProductKind


@pytest.mark.parametrize("kind", [*IMAGEABLE, ProductKind.SPECTROGRAM])
def test_products_have_words(kind: ProductKind) -> None:
    assert TYPES[str(kind)]
    assert PRODUCT_WORDS[str(kind)]
