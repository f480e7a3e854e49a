import math
from typing import Any

import param
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.shared.typed_numbers import TypedInteger, TypedNumber


class Form(param.Parameterized):
    size = TypedNumber(default=2.0, bounds=(0.1, 60.0))
    least = TypedInteger(default=3, bounds=(0, None))


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_the_nearest_allowed_number_is_taken(typed: float) -> None:
    form = Form(size=typed)
    assert form.size == min(max(typed, 0.1), 60.0)


@given(st.integers())
def test_so_of_whole_numbers(typed: int) -> None:
    assert Form(least=typed).least == max(typed, 0)


@pytest.mark.parametrize("typed", [None, math.nan, math.inf])
def test_what_is_no_number_changes_nothing(typed: Any) -> None:
    form = Form(size=5.0, least=7)
    form.param.update(size=typed, least=None)
    assert (form.size, form.least) == (5.0, 7)


def test_other_things_are_refused() -> None:
    form = Form()
    with pytest.raises(ValueError, match="only takes numeric values"):
        form.size = "5"
    for typed in (2.5, -2.5):
        with pytest.raises(ValueError, match="must be an integer"):
            form.least = typed
    with pytest.raises(ValueError, match="only takes numeric values"):
        Form.size = None
    assert (Form.size, Form.least) == (2.0, 3)


def test_bounds_may_be_those_of_one_instance() -> None:
    form = Form()
    form.param["size"].bounds = (0, 100)
    form.size = 90
    assert (form.size, Form(size=90).size) == (90, 60.0)
