"""The recipe: identity, round trip, refusal of what it does not know."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stixcore.coordinates import Pointing, PointingSource
from stixcore.errors import SelectionError
from stixcore.fits.windows import WindowRule
from stixcore.imaging.clean import CleanParameters, StopRule
from stixcore.imaging.forward_fit import ForwardFitParameters, ModelSelection
from stixcore.imaging.methods import PARAMETERS
from stixcore.imaging.reconstruction import Method
from stixcore.imaging.weights import Weighting
from stixcore.recipe import CalibrationReference, FileReference, Location, Recipe, TableReference
from stixcore.times import format_time, parse_time

CALIBRATION = CalibrationReference(
    TableReference("elut_table_20220918", "d" * 64),
    TableReference("phases", "e" * 64),
    FileReference("cal.fits", "", "f" * 64),
)


def a_recipe(**changes) -> Recipe:
    recipe = Recipe(
        science=FileReference("science.fits", "2211116471", "a" * 64),
        background=FileReference("background.fits", "2211098157", "b" * 64),
        aspect=(FileReference("aspect.fits", "", "c" * 64),),
        pointing=Pointing(PointingSource.ASPECT, -1.4, -5.2, 93.1, 1541.0, -21.4, 7.8, 9.3e10),
        time_range=("2022-11-11T11:35:40.271", "2022-11-11T11:37:40.271"),
        energy_range=(4.0, 10.0),
        location=Location(823.715, 146.579, "full_disk_bp"),
        location_energy=(6.0, 10.0),
        methods={method: parameters() for method, parameters in PARAMETERS.items()},
    )
    return replace(recipe, **changes)


def test_json_round_trip_keeps_recipe_and_id():
    recipe = a_recipe(methods={Method.CLEAN: CleanParameters(weighting=Weighting.UNIFORM, gain=0.05)})
    again = Recipe.from_json(recipe.to_json())
    assert again == recipe
    assert again.recipe_id == recipe.recipe_id
    assert isinstance(again.methods[Method.CLEAN].weighting, Weighting)


def test_a_parameter_that_came_later_changes_no_earlier_recipe():
    """A recipe names the stop rule only where it differs from the ground software's, once the only one."""
    before = a_recipe(methods={Method.CLEAN: CleanParameters()})
    assert set(before.to_dict()["methods"]["clean"]) == {"max_iterations", "gain", "beam_fwhm", "weighting"}
    assert Recipe.from_json(before.to_json()) == before
    now = a_recipe(methods={Method.CLEAN: CleanParameters(stop_rule=StopRule.NOISE)})
    assert now.recipe_id != before.recipe_id
    assert Recipe.from_json(now.to_json()).methods[Method.CLEAN].stop_rule is StopRule.NOISE


def test_a_recipe_of_version_1_keeps_its_text_and_its_id():
    fit = {Method.VIS_FWDFIT: ForwardFitParameters(selection=ModelSelection.PLAIN_BIC)}  # there was no other
    methods = {method: made() for method, made in PARAMETERS.items() if method is not Method.MS_CLEAN} | fit
    old = a_recipe(version=1, methods=methods, window_rule=WindowRule.OUTWARD)
    assert old.recipe_id == "56005a4c3dca49e3"  # as made before there was a version 2
    again = Recipe.from_json(old.to_json())
    assert (again, again.to_json(), again.version) == (old, old.to_json(), 1)
    with pytest.raises(SelectionError, match="version 1 cannot hold calibration"):
        replace(old, calibration=CALIBRATION)


@pytest.mark.parametrize(
    "further",
    [{}, {"calibration": CALIBRATION}, {"calibration": replace(CALIBRATION, cal_file=None)}, {"shift_bins": True}],
)
def test_what_version_2_adds_survives_the_round_trip(further):
    recipe = a_recipe(**further)
    assert Recipe.from_json(recipe.to_json()) == recipe
    assert (recipe.recipe_id == a_recipe().recipe_id) == (not further)
    assert set(recipe.to_dict()) - set(a_recipe().to_dict()) == set(further)


def test_the_scatter_of_the_pointing_survives_the_round_trip():
    scatter = {"rms_x": 1.25, "rms_y": 2.5, "peak_to_peak": 7.5, "rms_roll": 0.125, "records": 9, "rejected": 2}
    scatter |= {"interpolated": True}
    recipe = a_recipe(pointing=replace(a_recipe().pointing, **scatter))
    again = Recipe.from_json(recipe.to_json()).pointing
    assert {name: getattr(again, name) for name in scatter} == scatter
    assert again == recipe.pointing


def test_unknown_radius_survives_the_round_trip_as_null():
    recipe = a_recipe(pointing=Pointing(PointingSource.ASSUMED, 0.0, 26.1, 58.2))
    assert json.loads(recipe.to_json())["pointing"]["rsun_arcsec"] is None
    assert np.isnan(Recipe.from_json(recipe.to_json()).pointing.rsun)


def test_id_is_sixteen_hex_digits_and_does_not_depend_on_the_order_of_methods():
    recipe = a_recipe()
    turned = replace(recipe, methods=dict(reversed(recipe.methods.items())))
    assert len(recipe.recipe_id) == 16
    assert int(recipe.recipe_id, 16) >= 0
    assert turned.recipe_id == recipe.recipe_id


@pytest.mark.parametrize(
    "change",
    [
        {"pixel": 1.0},
        {"calibration": CALIBRATION},
        {"shift_bins": True},
        {"window_rule": WindowRule.OUTWARD},
        {"shape": (128, 129)},
        {"energy_range": (4.0, 11.0)},
        {"location": Location(823.716, 146.579, "full_disk_bp")},
        {"background": None},
        {"subcollimators": ("10a", "10b")},
        {"methods": {Method.CLEAN: CleanParameters(gain=0.2)}},
        {"time_range": ("2022-11-11T11:35:40.272", "2022-11-11T11:37:40.271")},
    ],
)
def test_every_change_changes_the_id(change):
    assert a_recipe(**change).recipe_id != a_recipe().recipe_id


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"energy_range": (10.0, 4.0)}, "energy"),
        ({"time_range": ("2022-11-11T12:00:00", "2022-11-11T11:00:00")}, "time"),
        ({"subcollimators": ("10a", "10a")}, "sub-collimators"),
        ({"subcollimators": ("cfl",)}, "cfl"),
        ({"subcollimators": ()}, "sub-collimator"),
        ({"methods": {}}, "method"),
        ({"shape": (0, 129)}, "pixels a side"),
        ({"pixel": -1.0}, "pixel size"),
        ({"location": Location(float("nan"), 0.0, "given")}, "finite"),
    ],
)
def test_impossible_recipes_cannot_be_built(change, word):
    with pytest.raises(SelectionError, match=word):
        a_recipe(**change)


@pytest.mark.parametrize(
    "damage",
    [
        lambda d: d.update(version=3),
        lambda d: d.update(pixels=2),
        lambda d: d.pop("shape"),
        lambda d: d["methods"].update(clean={"gain": 0.1}),
        lambda d: d["methods"].update(magic={}),
        lambda d: d["methods"]["clean"].update(color="red"),
        lambda d: d["science"].update(sha="x"),
        lambda d: d.update(pixel_set="SIDEWAYS"),
    ],
)
def test_text_that_is_no_recipe_is_refused(damage):
    data = a_recipe().to_dict()
    damage(data)
    with pytest.raises(SelectionError, match="no recipe"):
        Recipe.from_json(json.dumps(data))


@pytest.mark.parametrize("text", ["", "[]", "null", "{", '{"version": 1}'])
def test_other_json_is_refused(text):
    with pytest.raises(SelectionError, match="no recipe"):
        Recipe.from_json(text)


@given(
    st.datetimes(min_value=np.datetime64("2020-02-14", "us").item(), max_value=np.datetime64("2040-01-01", "us").item())
)
def test_times_survive_to_the_millisecond(when):
    time = np.datetime64(when, "us")
    assert abs(parse_time(format_time(time)) - time) <= np.timedelta64(500, "us")


def test_time_with_zone_letter_and_nonsense():
    assert parse_time("2022-11-11T11:36:00Z") == np.datetime64("2022-11-11T11:36:00")
    for text in ("yesterday", "today", "now", "", "NaT", "2022-13-01", "2022", "5"):
        with pytest.raises(SelectionError, match="is no time"):
            parse_time(text)
