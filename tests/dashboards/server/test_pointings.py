"""All pointings of an image set, over the network."""

import json
import urllib.request
from dataclasses import replace
from typing import Any
from urllib.error import HTTPError

import pytest

from archive import Archive, NotInArchive
from dashboards.server.pointings import pointing_file
from dashboards.shared.access import GUEST, Visitor
from jobs.imaging.pointings import known_pointings
from stixcore.coordinates import Pointing, PointingSource
from stixcore.image_files.read import read_image_file
from stixcore.recipe import Recipe


def test_pointings_of_an_image_set(imaged_server: Any, imaged: Archive) -> None:
    run = next(run for run in imaged.runs() if run.pointing_source == "aspect")
    place = f"{imaged_server.url}/archive/pointing/{run.run_id}.json"
    with urllib.request.urlopen(place, timeout=120) as answer:
        said = json.loads(answer.read())
        assert answer.headers["Content-Type"].startswith("application/json")
    aspect, attitude = said["pointings"]
    assert (aspect["source"], aspect["used"], attitude["source"]) == ("aspect", True, "spacecraft")
    assert (aspect["x_arcsec"], aspect["y_arcsec"]) == (run.pointing_x, run.pointing_y)
    assert (aspect["hpc_x"], aspect["hpc_y"]) == (run.hpc_x, run.hpc_y)
    assert attitude["hpc_x"] - run.hpc_x == pytest.approx(attitude["shift_x_arcsec"])
    assert attitude["shift_suffices"]
    assert said["stored"]
    with pytest.raises(HTTPError) as missing:
        urllib.request.urlopen(f"{imaged_server.url}/archive/pointing/{'0' * 16}.json", timeout=120)
    assert missing.value.code == 404
    missing.value.close()


def test_files_without_the_table_get_the_same_from_the_auxiliary_files(imaged: Archive) -> None:
    run = next(run for run in imaged.runs() if run.pointing_source == "aspect")
    image = next(image for image in imaged.images(limit=100) if image.recipe_id == run.run_id)
    recipe, stored = Recipe.from_json(run.recipe or ""), read_image_file(imaged.path_of(image.file)).pointings
    found = known_pointings(imaged, recipe, simulated=image.simulated)
    assert [(one.source, one.x, one.y, one.sigma) for one in found] == [
        (one.source, one.x, one.y, one.sigma) for one in stored
    ]
    given = replace(recipe, pointing=Pointing(PointingSource.MANUAL, 0.0, 1.0, 2.0), aspect=())
    assert known_pointings(imaged, given, simulated=image.simulated) == found
    assert known_pointings(imaged, given, simulated=not image.simulated) != found
    gone = replace(recipe, aspect=(replace(recipe.aspect[0], name="solo_L2_stix-aux-ephemeris_20300101_V01.fits"),))
    assert known_pointings(imaged, gone, simulated=image.simulated) == ()


def test_hidden_image_sets_are_for_those_who_see_their_images(imaged: Archive) -> None:
    run = next(run for run in imaged.runs() if run.pointing_source == "aspect")
    images = imaged.images(limit=100)
    imaged.upsert(
        "images", [replace(one, hidden=True, author="alice") for one in images if one.recipe_id == run.run_id]
    )
    try:
        with pytest.raises(NotInArchive, match="there is no image set"):
            pointing_file(imaged, run.run_id, GUEST)
        assert pointing_file(imaged, run.run_id, Visitor("somebody", operator=True))
    finally:
        imaged.upsert("images", images)
