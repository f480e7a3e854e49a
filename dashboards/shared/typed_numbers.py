"""Numbers that visitors type.

A number field passes on whatever was typed. A plain parameter raises an exception for values out of bounds, which no
visitor sees, and field and page would differ; these parameters take the nearest allowed value, which the field then
shows. Empty or invalid input is ignored.
"""

from __future__ import annotations

from math import isfinite
from typing import Any

import param
from param.parameterized import instance_descriptor


class TypedNumber(param.Number[Any]):
    """A number that is clipped to its bounds."""

    @instance_descriptor  # bounds may belong to one instance
    def __set__(self, obj: Any, val: Any) -> None:
        super().__set__(obj, _allowed(self, obj, val, whole=False))


class TypedInteger(param.Integer[Any]):
    """An integer that is clipped to its bounds."""

    @instance_descriptor
    def __set__(self, obj: Any, val: Any) -> None:
        super().__set__(obj, _allowed(self, obj, val, whole=True))


def _allowed(parameter: param.Number[Any], obj: Any, value: Any, *, whole: bool) -> Any:
    if obj is not None and (value is None or (isinstance(value, float) and not isfinite(value))):
        return getattr(obj, str(parameter.name))
    is_number = isinstance(value, int) or (isinstance(value, float) and not whole)
    if not is_number:
        return value  # param raises its own error
    low, high = parameter.bounds or (None, None)
    above = value if low is None else max(value, low)
    return above if high is None else min(above, high)
