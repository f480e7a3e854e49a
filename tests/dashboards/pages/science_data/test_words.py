"""Every product of the table of science files has a word on the pages."""

from __future__ import annotations

import pytest

from dashboards.pages.science_data.state import PRODUCT_WORDS
from dashboards.pages.science_data.table import TYPES
from stixcore.fits.spec import IMAGEABLE, ProductKind


@pytest.mark.parametrize("kind", [*IMAGEABLE, ProductKind.SPECTROGRAM])
def test_products_have_words(kind: ProductKind) -> None:
    assert TYPES[str(kind)]
    assert PRODUCT_WORDS[str(kind)]
