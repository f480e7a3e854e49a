"""Texts of the report."""

import math

import pytest

from jobs.imaging.report import shape_text


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ({"shape": "circle"}, "circle"),
        ({"shape": "ellipse", "position_angle": 30.0}, "ellipse"),
        ({"shape": "loop", "loop_angle": -38.2, "loop_angle_sigma": 6.8}, "loop bent by 38° ± 7°"),
        ({"shape": "loop", "loop_angle": 120.0, "loop_angle_sigma": math.nan}, "loop bent by 120°"),
    ],
)
def test_a_loop_says_how_much_it_is_bent(source, text):
    """Its image looks like an ellipse otherwise."""
    assert shape_text(source) == text
