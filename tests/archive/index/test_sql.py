"""Parameters and conditions of queries."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest

from archive.index.sql import Conditions, bindable, quoted

NOON = datetime(2022, 11, 11, 12)  # noqa: DTZ001 (the index has naive times in UTC)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.datetime64("2022-11-11T12:00"), NOON),
        (NOON, NOON),
        (NOON.replace(tzinfo=timezone(timedelta(hours=2))), NOON - timedelta(hours=2)),
        (np.float64(1.5), 1.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        ((np.int64(1), "a"), [1, "a"]),
        ([(np.float64(2.0),)], [[2.0]]),
        ("text", "text"),
        (None, None),
    ],
)
def test_parameters_are_plain_values(value: Any, expected: Any) -> None:
    found = bindable(value)
    assert found == expected
    assert type(found) is type(expected)


def test_conditions_are_split_with_their_values() -> None:
    whole = Conditions.of(
        ("a = ?", 1), ("k IN (SELECT x FROM y WHERE z BETWEEN ? AND ?)", (2, 3)), ("d", ()), ("b = ?", 4)
    )
    chosen, others = whole.split("k IN (SELECT")
    assert (chosen.terms, chosen.values) == (("k IN (SELECT x FROM y WHERE z BETWEEN ? AND ?)",), (2, 3))
    assert (others.terms, others.values) == (("a = ?", "d", "b = ?"), (1, 4))


def test_conditions_without_a_value_are_left_out() -> None:
    conditions = Conditions.of(("a = ?", 1), ("b = ?", None), ("c BETWEEN ? AND ?", (2, 3)), ("d", ()))
    assert conditions.where == " WHERE (a = ?) AND (c BETWEEN ? AND ?) AND (d)"
    assert conditions.values == (1, 2, 3)
    assert (conditions & Conditions.of(("e = ?", 4))).values == (1, 2, 3, 4)
    assert Conditions.of(("a = ?", None)).where == ""


def test_quotes_in_text_are_doubled() -> None:
    assert quoted("it's") == "'it''s'"
