"""The recipe: identity, round trip, refusal of what it does not know."""

import json
from dataclasses import fields, replace

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


def test_an_ensemble_and_its_seed_are_in_the_recipe():
    """Without copies they are not, so that earlier ids stay."""
    recipe = a_recipe(ensemble=30, seed=7)
    assert {"ensemble": 30, "seed": 7}.items() <= recipe.to_dict().items()
    assert Recipe.from_json(recipe.to_json()) == recipe
    assert recipe.recipe_id != a_recipe(ensemble=30).recipe_id
    assert not {"ensemble", "seed"} & set(a_recipe().to_dict())


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
        {"ensemble": 30},
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
        ({"ensemble": 1}, "ensemble: expected 0, or 2 to 1000 copies, found 1"),
        ({"seed": 3}, "seed: expected a whole number from 0, and 0 without an ensemble, found 3"),
        ({"pixel": -1.0}, "pixel size"),
        ({"pixel": 1e-300}, "pixel size"),
        ({"energy_range": (4.0, float("inf"))}, "finite"),
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
    with pytest.raises(SelectionError, match="not a recipe"):
        Recipe.from_json(json.dumps(data))


@pytest.mark.parametrize(
    ("place", "value", "sentence"),
    [
        *(
            (("background_range",), value, "background_range: expected")
            for value in ([], [6], [5, 6], [None, None], "T")
        ),
        (("energy_range_kev",), [4.0], "energy_range_kev: expected a list of 2, found [4.0]"),
        (("energy_range_kev",), [True, 10.0], "energy_range_kev: expected a number from 0 to 1000, found true"),
        (("location_energy_kev",), [6.0, "10"], 'location_energy_kev: expected a number from 0 to 1000, found "10"'),
        (("time_range",), ["2022-11-11T11:35:40.271"], "time_range: expected a list of 2"),
        (("time_range",), "2022", "time_range: expected a list of 2"),
        (("time_range",), [1, 2], "time_range: expected a text, found 1"),
        (("shape",), [129], "shape: expected a list of 2, found [129]"),
        (("shape",), [129.5, 129], "shape: expected a whole number from 1 to 4096, found 129.5"),
        (("shape",), [True, 129], "shape: expected a whole number"),
        *((("shift_bins",), value, "shift_bins: expected true or false") for value in ("auto", 1, 1.5, None)),
        *(
            (("pixel_arcsec",), value, "pixel_arcsec: expected a number")
            for value in (1e-300, 1e300, None, True, 10**400)
        ),
        (("pointing", "roll_deg"), "0", 'pointing.roll_deg: expected a number from -360 to 360, found "0"'),
        (("pointing", "records"), 1.5, "pointing.records: expected a whole number"),
        (("location", "found_by"), 3, "location.found_by: expected a text, found 3"),
        (("science",), "science.fits", "science: expected an object"),
        (("science", "sha256"), 7, "science.sha256: expected a text"),
        (("aspect",), None, "aspect: expected a list"),
        (("subcollimators",), "10a", "subcollimators: expected a list"),
        (("calibration",), {"energy_table": 1}, "calibration: missing keys ['cal_file', 'phase_table']"),
        (("window_rule",), "inward", 'window_rule: expected one of centres, outward, found "inward"'),
        (("ensemble",), 2.0, "ensemble: expected a whole number from 0 to 1000, found 2.0"),
        (("methods",), ["clean"], "methods: expected an object"),
        (("methods", "magic"), {}, "expected names among"),
        (("methods", "clean", "gain"), "0.1", 'methods.clean.gain: expected a number, found "0.1"'),
        (
            ("methods", "clean", "max_iterations"),
            1.5,
            "methods.clean.max_iterations: expected a whole number, found 1.5",
        ),
        (("methods", "clean", "weighting"), ["natural"], "methods.clean.weighting: expected one of"),
        (("methods", "mem_ge", "total_flux"), "much", "methods.mem_ge.total_flux: expected a number"),
        (("methods", "ms_clean", "scales"), [0.0, None], "methods.ms_clean.scales: expected a number, found null"),
        (("methods", "vis_fwdfit", "fixed"), [{"x": "0"}], "methods.vis_fwdfit.fixed.x: expected a number"),
        (("methods", "vis_fwdfit", "fwhm_limits"), [1.0], "methods.vis_fwdfit.fwhm_limits: expected a list of 2"),
        (("version",), True, "version: expected a whole number from 1 to 2, found true"),
    ],
)
def test_a_value_of_another_type_is_named_with_its_key(place, value, sentence):
    data = a_recipe(pointing=Pointing(PointingSource.ASPECT, -1.4, -5.2, 93.1, records=3)).to_dict()
    *path, last = place
    inside = data
    for key in path:
        inside = inside[key]
    inside[last] = value
    with pytest.raises(SelectionError, match="not a recipe of version 1 or 2: ") as caught:
        Recipe.from_json(json.dumps(data))
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[" * 100_000, "too deep"),
        (a_recipe().to_json().replace('"pixel_arcsec":2.0', '"pixel_arcsec":NaN'), "NaN is not JSON"),
        (a_recipe().to_json().replace('"pixel_arcsec":2.0', '"pixel_arcsec":1e999'), "pixel_arcsec: expected a number"),
        (a_recipe().to_json().replace('"pixel_arcsec":2.0', '"pixel_arcsec":2.0,"pixel_arcsec":2.0'), "is there twice"),
        (a_recipe().to_json().replace('"roll_deg":-1.4', '"roll_deg":-Infinity'), "-Infinity is not JSON"),
    ],
)
def test_text_that_only_python_reads_is_no_recipe(text, sentence):
    with pytest.raises(SelectionError, match="not a recipe") as caught:
        Recipe.from_json(text)
    assert sentence in str(caught.value)


def test_everything_that_is_known_of_a_pointing_survives_the_round_trip():
    """A field that `Pointing` gains needs a key that the reader knows, too."""
    known = {"source": PointingSource.ASPECT, "interpolated": True, "records": 3, "rejected": 1}
    values = {each.name: known.get(each.name, 1.5) for each in fields(Pointing)}
    recipe = a_recipe(pointing=Pointing(**values))
    assert Recipe.from_json(recipe.to_json()) == recipe


def test_a_part_of_a_background_needs_one():
    part = ("2022-11-11T10:00:00.000", "2022-11-11T10:10:00.000")
    recipe = a_recipe(background_range=part)
    assert Recipe.from_json(recipe.to_json()) == recipe
    with pytest.raises(SelectionError, match="without a background file"):
        a_recipe(background_range=part, background=None)
    with pytest.raises(SelectionError, match="is empty"):
        a_recipe(background_range=part[::-1])


@pytest.mark.parametrize("text", ["", "[]", "null", "{", '{"version": 1}'])
def test_other_json_is_refused(text):
    with pytest.raises(SelectionError, match="not a recipe"):
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
        with pytest.raises(SelectionError, match="is not a time"):
            parse_time(text)
