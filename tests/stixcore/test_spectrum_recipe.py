"""The recipe of a spectrum: identity, round trip, refusal of what it does not know."""

import json
from dataclasses import replace

import numpy as np
import pytest

from stixcore.errors import SelectionError
from stixcore.recipe import Location
from stixcore.references import CalibrationReference, FileReference, TableReference
from stixcore.spectrum_recipe import SPECTRUM_REVISION, SpectrumRecipe, SpectrumRequest

START = np.datetime64("2022-11-11T11:36:00.2714", "us")
END = START + np.timedelta64(60, "s")


def a_recipe(**changes) -> SpectrumRecipe:
    request = SpectrumRequest(
        start=START,
        end=END,
        energy=(4, 28),
        fixed={"e_cut_keV": 20, "abundance": 1},
        detectors=(9, 3),
        background_range=(END, END + np.timedelta64(1, "h")),
    )
    recipe = SpectrumRecipe(
        science=FileReference("science.fits", "2211116471", "a" * 64),
        background=FileReference("background.fits", "2211098157", "b" * 64),
        aspect=(FileReference("aspect.fits", "", "c" * 64),),
        calibration=CalibrationReference(
            TableReference("elut_table_20220918", "d" * 64),
            TableReference("phases", "e" * 64),
            FileReference("cal.fits", "", "f" * 64),
        ),
        thermal=TableReference("CHIANTI 10.1 (built in)", "0" * 64),
        request=request,
        location=Location(823.715, 146.579, "full_disk_bp"),
    )
    return replace(recipe, **changes)


def asked(**options):
    """The change of a recipe to a request with these options."""
    return {"request": SpectrumRequest(start=START, end=END, **options)}


@pytest.mark.parametrize("change", [{}, {"location": None, "no_location": "it was not found"}, {"thermal": None}])
def test_json_round_trip_keeps_recipe_and_id(change):
    recipe = a_recipe(**change)
    again = SpectrumRecipe.from_json(recipe.to_json())
    assert again == recipe
    assert again.spectrum_id == recipe.spectrum_id
    assert len(recipe.spectrum_id) == 16
    assert int(recipe.spectrum_id, 16) >= 0


def test_the_request_has_the_location_of_the_recipe_and_whole_milliseconds():
    request = a_recipe().request
    assert request.location == (823.715, 146.579)
    assert request.start == np.datetime64("2022-11-11T11:36:00.271", "us")
    assert a_recipe(location=None).request.location is None


def test_equal_requests_have_one_id():
    one, other = a_recipe().request, replace(a_recipe().request, detectors=(3, 9), energy=(4.0, 28.0))
    other = replace(other, fixed=dict(reversed(other.fixed.items())), start=START)
    assert a_recipe(request=one).spectrum_id == a_recipe(request=other).spectrum_id


@pytest.mark.parametrize(
    "change",
    [
        {"model": "vth"},
        {"energy": None},
        {"fixed": {}},
        {"start_values": {"delta": 5.0}},
        {"statistic": "cash"},
        {"scheme": "gsw-2022"},
        {"tailing": True},
        {"detectors": None},
        {"pixels": (0, 1)},
        {"angle": 30.0},
        {"albedo": False},
        {"background_range": None},
        {"end": END + np.timedelta64(1, "s")},
    ],
)
def test_every_choice_is_part_of_the_identity(change):
    recipe = a_recipe()
    assert a_recipe(request=replace(recipe.request, **change)).spectrum_id != recipe.spectrum_id


@pytest.mark.parametrize("name", ["science", "background", "aspect", "calibration", "thermal", "location", "revision"])
def test_every_input_is_part_of_the_identity(name):
    other = {
        "science": FileReference("science.fits", "2211116471", "9" * 64),
        "background": FileReference("background.fits", "2211098157", "9" * 64),
        "aspect": (),
        "calibration": replace(a_recipe().calibration, cal_file=None),
        "thermal": TableReference("CHIANTI 10.1 (built in)", "9" * 64),
        "location": Location(823.0, 146.579, "full_disk_bp"),
        "revision": SPECTRUM_REVISION + 1,
    }
    assert a_recipe(**{name: other[name]}).spectrum_id != a_recipe().spectrum_id


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"version": 7}, "version: expected 1, found 7"),
        ({"colour": "red"}, r"unknown keys \['colour'\]"),
        ({"no_location": 5}, "does not know"),
        ({"science": None}, "not a recipe"),
        ({"location": {"x_arcsec": "left", "y_arcsec": 1.0, "found_by": "given"}}, "left"),
    ],
)
def test_a_text_that_is_no_recipe_is_refused_with_the_reason(change, said):
    text = json.dumps(a_recipe().to_dict() | change)
    with pytest.raises(SelectionError, match=said):
        SpectrumRecipe.from_json(text)


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", "[" * 100_000])
def test_other_texts_are_refused(text):
    with pytest.raises(SelectionError, match="not a recipe of a spectrum"):
        SpectrumRecipe.from_json(text)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"request": SpectrumRequest(start=END, end=START)}, "the time range 2022-11-11T11:37:00.271 … .* is empty"),
        ({"background": None}, "background_range without a background file"),
        ({"location": Location(float("nan"), 0.0, "given")}, "location must be two finite numbers"),
        (asked(energy=(4.0, np.inf)), "energy must be a lower and a higher energy in keV, found 4 and inf"),
        (asked(energy=(np.nan, 5.0), model="none"), "energy must be .* found nan and 5"),
        (asked(angle=np.nan, albedo=False), "angle must be a finite number, found nan"),
        (asked(fixed={"delta": np.inf}, model="none"), "fixed delta must be a finite number, found inf"),
        (asked(start_values={"delta": np.nan}), "start value delta must be a finite number, found nan"),
    ],
)
def test_impossible_values_are_refused(change, said):
    with pytest.raises(SelectionError, match=said):
        a_recipe(**change)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"x_arcsec":823.715', f'"x_arcsec":{10**400}'),
        (f'"revision":{SPECTRUM_REVISION}', '"revision":1e999'),
        ('"uid":"2211116471"', '"uid":NaN'),
    ],
)
def test_numbers_that_json_has_not_are_refused(old, new):
    text = a_recipe().to_json()
    assert old in text
    with pytest.raises(SelectionError, match="this is not a recipe of a spectrum of version 1"):
        SpectrumRecipe.from_json(text.replace(old, new))
