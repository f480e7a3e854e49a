"""Fields of the parameters of a package's method, without a browser."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import pytest
from pydantic import Field

from dashboards.pages.science_data.method_fields import MethodFields
from stixcore.imaging import registry
from stixcore.imaging.declaration import ImagingMethod, Package
from stixcore.imaging.reconstruction import Method


class Choice(StrEnum):
    FAST = "fast"
    GOOD = "good"


@dataclass(frozen=True)
class Many:
    power: Annotated[float, Field(ge=0, le=3)] = 1.0
    steps: Annotated[int, Field(ge=1, le=9)] = 2
    name: str = "flat"
    param: bool = False
    choice: Choice = Choice.FAST
    scales: tuple[float, ...] = (1.0, 2.0)
    limit: float | None = None


@pytest.fixture
def fields(monkeypatch: pytest.MonkeyPatch) -> MethodFields:
    many = ImagingMethod("many", "Many", Many(), lambda *_: None, package=Package("stix-many", "2.0"))
    assert many.fault() == ""
    monkeypatch.setattr(registry, "plug_ins", lambda: registry.PlugIns({"many": many}))
    return MethodFields(Method("many"))


def test_untouched_fields_give_the_defaults(fields: MethodFields) -> None:
    assert fields.parameters() == Many()
    labels = [widget.label for widget in fields.widgets()]
    assert labels == ["Many: power", "Many: steps", "Many: name", "Many: param", "Many: choice"]


def test_values_keep_their_type_and_bounds(fields: MethodFields) -> None:
    """A number field passes on 2 for 2.0; 2 and 2.0 are not the same recipe."""
    fields.state.param.update(value_power=2, value_steps=99, value_name="x", value_param=True, value_choice="good")
    made = fields.parameters()
    assert made == Many(2.0, 9, "x", True, Choice.GOOD)  # the nearest allowed number
    assert [type(value) for value in (made.power, made.steps, made.choice)] == [float, int, Choice]
