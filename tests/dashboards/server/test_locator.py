"""Map and regions of the coarse flare locator, made for downloads."""

import json
import urllib.request
from dataclasses import replace
from io import BytesIO
from typing import Any
from urllib.error import HTTPError

import numpy as np
import pytest
from astropy.io import fits

from archive import Archive, NotInArchive
from dashboards.server.locator import locator_file
from dashboards.shared.access import GUEST, Visitor


def test_map_and_regions_of_an_image_set(imaged_server: Any, imaged: Archive) -> None:
    run = next(run for run in imaged.runs() if run.locator_x is not None)
    place = f"{imaged_server.url}/archive/locator/{run.run_id}"
    with urllib.request.urlopen(f"{place}.json", timeout=120) as answer:
        said = json.loads(answer.read())
        assert answer.headers["Content-Type"].startswith("application/json")
    assert (said["hpc_x"], said["hpc_y"]) == pytest.approx((run.locator_x, run.locator_y), abs=0.5)
    inner, middle, outer = (region["area_arcsec2"] for region in said["regions"])
    assert 0 < inner < middle < outer
    assert all(line[0] == line[-1] for region in said["regions"] for line in region["polygons"])
    with urllib.request.urlopen(f"{place}.fits", timeout=120) as answer, fits.open(BytesIO(answer.read())) as hdus:
        image = hdus["DELTA_CHI2"]
        assert np.nanmin(image.data) == pytest.approx(0.0, abs=0.5)
        assert image.header["CFL_HPX"] == pytest.approx(run.locator_x, abs=0.5)
        assert image.verify_checksum() == 1
    with pytest.raises(HTTPError) as missing:
        urllib.request.urlopen(f"{imaged_server.url}/archive/locator/{'0' * 16}.json", timeout=120)
    assert missing.value.code == 404
    missing.value.close()


def test_hidden_image_sets_are_for_those_who_see_their_images(imaged: Archive) -> None:
    run = next(run for run in imaged.runs() if run.locator_x is not None)
    images = imaged.images(limit=100)
    imaged.upsert(
        "images", [replace(one, hidden=True, author="alice") for one in images if one.recipe_id == run.run_id]
    )
    try:
        with pytest.raises(NotInArchive, match="there is no image set"):
            locator_file(imaged, run.run_id, "json", GUEST)
        assert locator_file(imaged, run.run_id, "json", Visitor("somebody", operator=True))
    finally:
        imaged.upsert("images", images)
