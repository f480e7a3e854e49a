"""Recipes of region spectra: what is written reads back, and what is damaged is refused with a sentence."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stixcore.coordinates import Pointing, PointingSource
from stixcore.errors import SelectionError
from stixcore.imaging.methods import default_methods
from stixcore.imaging.reconstruction import Method
from stixcore.imaging_spectroscopy.region_recipe import RegionRecipe, read_region, region_document
from stixcore.recipe import Location, Recipe
from stixcore.references import CalibrationReference, FileReference, TableReference
from stixcore.spectra.regions import Circle, Contour, Ellipse, Polygon
from stixcore.spectrum_recipe import SpectrumRecipe, SpectrumRequest

places = st.floats(-2000.0, 2000.0)
sizes = st.floats(0.5, 500.0)
levels = st.floats(0.01, 0.99)
triangles = st.tuples(places, places, sizes).map(lambda t: ((t[0], t[1]), (t[0] + t[2], t[1]), (t[0], t[1] + t[2])))


def region_named(name):
    return st.one_of(
        st.builds(Circle, st.just(name), places, places, sizes),
        st.builds(Ellipse, st.just(name), places, places, sizes, sizes, st.floats(-360.0, 360.0)),
        st.builds(Polygon, st.just(name), triangles),
        st.builds(Contour, st.just(name), levels, places, places),
        st.builds(Contour, st.just(name), levels),
    )


printable = st.characters(exclude_categories=("C", "Z"), include_characters=" ")
names = st.lists(
    st.text(printable, min_size=1, max_size=12).filter(lambda name: name.strip() and name != "outside"),
    min_size=1,
    max_size=5,
    unique=True,
)
region_lists = names.flatmap(lambda found: st.tuples(*map(region_named, found)))


CIRCLE = (Circle("a", 0.0, 0.0, 10.0),)


def recipe(regions=CIRCLE, method=Method.CLEAN, **changes):
    science, table = FileReference("science.fits", "1", "ab" * 32), TableReference("table", "cd" * 32)
    calibration = CalibrationReference(table, table)
    start, end = (np.datetime64(f"2022-11-11T11:{minute}:00", "us") for minute in (36, 37))
    images = Recipe(
        science=science,
        background=None,
        aspect=(),
        pointing=Pointing(PointingSource.ASSUMED, 0.0, 0.0, 0.0, rsun=1500.0),
        time_range=("2022-11-11T11:36:00.000", "2022-11-11T11:37:00.000"),
        energy_range=(4.0, 28.0),
        location=Location.given(100.0, 50.0),
        location_energy=(6.0, 10.0),
        methods={method: default_methods()[method]},
        calibration=calibration,
        ensemble=20,
    )
    spectrum = SpectrumRecipe(
        science=science,
        calibration=calibration,
        thermal=table,
        request=SpectrumRequest(start=start, end=end),
        location=images.location,
    )
    return RegionRecipe(**({"images": images, "spectrum": spectrum, "regions": regions} | changes))


@given(regions=region_lists, least=st.floats(1.0, 1e6))
def test_a_recipe_reads_back_with_its_id(regions, least):
    made = recipe(regions, least_counts=least, models={regions[0].name: "thick2"})
    again = RegionRecipe.from_json(made.to_json())
    assert (again.regions, again.least_counts) == (made.regions, made.least_counts)
    assert again.to_dict() == made.to_dict()
    assert again.region_id == made.region_id
    assert again.model_of(regions[0].name) == "thick2"
    assert json.loads(made.to_json()) == made.to_dict()


@given(region=region_named("a"))
def test_a_region_reads_back(region):
    assert read_region(json.loads(json.dumps(region_document(region)))) == region


def test_equal_regions_have_one_id():
    """Whole numbers are those of a script; the recipe reads back with decimal ones."""
    made = recipe((Circle("a", 0, 0, 10), Polygon("b", ((50, 0), (60, 0), (60, 9)))))
    assert RegionRecipe.from_json(made.to_json()).region_id == made.region_id


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"shape": ["circle"]}, "region 'a': shape must be one of circle, .*found ..circle.."),
        ({"shape": {}}, "region 'a': shape must be one of circle, "),
        ({"x": 10**400}, "region 'a': x: expected a number, found 1000"),
        ({"x": None}, "region 'a': x: expected a number, found None"),
        ({"corners": [[0, 0]]}, "region 'a': a circle has name, x, y, radius, found 'corners'"),
        ({"name": "a" * 61}, "region 'a{60}': a name has at most 60 characters, all of them printable"),
        ({"name": "a\nb"}, r"region 'a\\nb': a name has at most 60"),
        ({"name": "\ud800"}, r"a name has at most 60"),
        ({"name": "outside"}, "region 'outside': this is the name of the flux outside all regions"),
        ({"name": "z" * 9_999, "radius": "b"}, "^region 'z{60}': radius: expected a number, found 'b'$"),
    ],
)
def test_damaged_regions_are_refused_with_a_sentence(changes, message):
    document = {"shape": "circle", "name": "a", "x": 0.0, "y": 0.0, "radius": 1.0}
    with pytest.raises(SelectionError, match=message):
        read_region(document | changes)
    del document["radius"]
    with pytest.raises(SelectionError, match="region 'a': radius is missing"):
        read_region(document)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"corners": None}, r"region 'a': corners: expected a list of \[x, y\], found None"),
        ({"corners": "abcdef"}, "region 'a': corners: expected a list"),
        ({"corners": [[0, 0], [1], [2, 2]]}, r"region 'a': corners: expected \[x, y\], found \[1\]"),
        ({"corners": [[0, 0], [1, "x"], [2, 2]]}, "region 'a': corners: expected a number, found 'x'"),
        ({"level": None}, "region 'a': level: expected a number, found None"),
        ({"level": 0.5, "x": float("nan"), "y": 1.0}, "region 'a': x must be a finite number, found nan"),
        ({"level": 0.5, "x": 0.0, "y": 1e999}, "region 'a': y must be a finite number, found inf"),
        ({"level": 0.5, "x": 0.0}, "region 'a': a contour needs both x and y"),
    ],
)
def test_damaged_polygons_and_contours_are_refused_with_a_sentence(document, message):
    shape = "polygon" if "corners" in document else "contour"
    with pytest.raises(SelectionError, match=message):
        read_region({"shape": shape, "name": "a", **document})


@given(data=st.data())
def test_a_damaged_recipe_is_refused(data):
    """Any value replaced by one of another kind, or any key left out, gives no other error and no other recipe."""
    document = recipe().to_dict()
    path = data.draw(st.sampled_from(list(paths_of(document))))
    target = document
    for step in path[:-1]:
        target = target[step]
    if data.draw(st.booleans()) and isinstance(target, dict):
        del target[path[-1]]
    else:
        target[path[-1]] = data.draw(st.sampled_from([{"a": 1}, [[]], "?", True, float("nan"), 1e400]))
    text = json.dumps(document)
    try:
        again = RegionRecipe.from_json(text)
    except SelectionError:
        return
    assert again.to_dict() == json.loads(text)  # the value is possible there


def paths_of(document, before=()):
    """Places of all values, from the outside in."""
    items = document.items() if isinstance(document, dict) else enumerate(document)
    for key, value in items:
        yield (*before, key)
        if isinstance(value, dict | list):
            yield from paths_of(value, (*before, key))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"regions": ()}, "at least one region is needed"),
        ({"regions": tuple(Circle(f"r{n}", 0, 0, 1) for n in range(13))}, "at most 12 regions, found 13"),
        ({"regions": (Circle("a", 0, 0, 1), Circle("a", 5, 5, 1))}, "two regions have the name 'a'"),
        ({"models": {"b": "vth"}}, "models: there is no region 'b'"),
        ({"least_counts": 0.0}, "least_counts must be positive"),
        ({"method": Method.BP}, "method must be one of"),
        ({"method": Method.VIS_FWDFIT, "regions": (Contour("c", 0.5),)}, "the sources are circles and ellipses, c"),
    ],
)
def test_impossible_recipes_are_refused(changes, message):
    with pytest.raises(SelectionError, match=message):
        recipe(**changes)


def test_images_and_spectrum_must_belong_together():
    made = recipe()
    with pytest.raises(SelectionError, match="the same time range"):
        replace(made, images=replace(made.images, time_range=("2022-11-11T11:36:00.000", "2022-11-11T11:38:00.000")))
    other = FileReference("other.fits", "2", "ef" * 32)
    with pytest.raises(SelectionError, match="the science file of the images is not that of the spectrum"):
        replace(made, images=replace(made.images, science=other))


def test_a_damaged_recipe_is_refused_with_a_sentence():
    with pytest.raises(SelectionError, match="this is not a recipe of region spectra of version 1: "):
        RegionRecipe.from_json("[1, 2")
    document = recipe().to_dict()
    for damage in ({"version": 2}, {"colour": "red"}, {"regions": 5}):
        with pytest.raises(SelectionError, match="this is not a recipe of region spectra of version 1: "):
            RegionRecipe.from_json(json.dumps(document | damage))
