"""Defaults that are kept are those of Bokeh."""

from __future__ import annotations

from typing import Any

import pytest
from bokeh.core.property.descriptors import PropertyDescriptor
from bokeh.core.property.override import Override
from bokeh.document import Document
from bokeh.model import Model
from bokeh.models import ColumnDataSource, Div, Range1d
from bokeh.themes import Theme

from dashboards.panel_patches import stable_defaults
from dashboards.panel_patches.stable_defaults import remember_defaults


@pytest.fixture(autouse=True)
def patched() -> None:
    remember_defaults()


@pytest.mark.filterwarnings("ignore::bokeh.util.warnings.BokehDeprecationWarning")
def test_defaults_of_every_model_are_those_of_bokeh() -> None:
    compared = 0
    for model in list(Model.model_class_reverse_map.values()):
        try:
            first, second = model(), model()
        except (TypeError, ValueError):  # an abstract one, or one with a needed argument
            continue
        for name in model.properties():
            descriptor: Any = model.lookup(name)
            if not isinstance(descriptor, PropertyDescriptor) or name in first._property_values:
                continue
            wanted = stable_defaults._compute(descriptor, first)
            for one in (first, second, first):
                found = descriptor._get_default(one)
                assert type(found) is type(wanted)
                if type(wanted) in stable_defaults._UNCHANGING:
                    assert repr(found) == repr(wanted)
                    compared += 1
    assert compared > 10_000


def test_what_can_be_changed_belongs_to_one_model() -> None:
    first, second = ColumnDataSource(), ColumnDataSource()
    first.data["x"] = [1.0]
    first.tags.append("first")
    assert (second.data, second.tags) == ({}, [])


def test_a_theme_is_followed_and_left() -> None:
    document, one = Document(), Range1d()
    document.add_root(one)
    assert one.reset_start is None
    document.theme = Theme(json={"attrs": {"Range1d": {"reset_start": 3.0}}})
    assert one.reset_start == 3.0
    assert Range1d().reset_start is None
    document.theme = None
    assert one.reset_start is None


def test_an_override_in_a_subclass_is_its_own() -> None:
    class Tall(Div):
        height = Override(default=900)

    assert (Tall().height, Div().height, Tall().height) == (900, None, 900)
