"""Records of spectra and of regions in which any value is another one: shown without harm, or refused as damaged."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from dashboards.shared.region_table import regions_html
from dashboards.shared.spectrum_curves import SpectrumCurves
from dashboards.shared.spectrum_table import spectrum_html
from stixcore.errors import InvalidProduct
from tests.dashboards.region_documents import regions_document
from tests.dashboards.spectrum_documents import document

MARKUP = "<script>alert(1)</script>"
VALUES = (None, True, -1, 0, 1e308, 10**40, "", MARKUP, [], {}, [1], {"a": 1}, [[]], [MARKUP], {"text": 7})


def spectrum_page(values: Any) -> str:
    SpectrumCurves.of(values)
    return spectrum_html(values)


def places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Keys and indices of every value, of lists those of the first two."""
    yield place
    for key in value if isinstance(value, dict) else range(len(value))[:2] if isinstance(value, list) else ():
        yield from places(value[key], (*place, key))


def damaged(whole: dict[str, Any]) -> Iterator[tuple[tuple[Any, ...], Any, dict[str, Any]]]:
    """Place, value there, and document: with each value of `VALUES` in each place, and without the value."""
    for *before, last in filter(None, places(whole)):
        for value in (*VALUES, ...):
            changed = copy.deepcopy(whole)
            inner: Any = changed
            for key in before:
                inner = inner[key]
            if value is ...:
                del inner[last]
            else:
                inner[last] = value
            yield (*before, last), value, changed


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of numbers such as 1e308
@pytest.mark.parametrize(
    ("page", "whole"), [(spectrum_page, document()), (regions_html, regions_document())], ids=["spectrum", "regions"]
)
def test_a_damaged_value_is_refused_or_shown_as_text(page: Callable[[Any], str], whole: dict[str, Any]) -> None:
    assert page(whole)
    refused = 0
    for place, value, changed in damaged(whole):
        try:
            shown = page(changed)
        except InvalidProduct:
            refused += 1
        except Exception as error:  # noqa: BLE001 - whatever it is, the page would show an error
            pytest.fail(f"{place}: {value!r} gives {error!r}")
        else:
            assert MARKUP not in shown, place
    assert refused > 100
