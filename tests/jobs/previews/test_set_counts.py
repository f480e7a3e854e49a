"""Counts by which previews are judged: those that the images have after the subtraction of the background."""

import numpy as np
import pytest

from archive import Archive
from archive.ingest.ingest import ingest
from jobs.inputs import InputCatalog
from jobs.previews.quiet import set_counts
from jobs.previews.windows import FlareInterval, SkippedBand, preview_windows
from stixcore.fits.read import read_pixel_data
from stixcore.imaging.back_projection import BackProjectionParameters
from stixcore.imaging.reconstruction import Method
from stixcore.options import ImageRequest
from stixcore.reconstruct import prepare_recipe, reconstruct

pytestmark = pytest.mark.needs_shared_data

NOW = np.datetime64("2026-11-30T00:00:00", "us")
FLARE = FlareInterval(
    "2211101252", np.datetime64("2022-11-10T12:43:04.033", "us"), np.datetime64("2022-11-10T13:08:08.036", "us")
)


@pytest.fixture(scope="module")
def small_flare(shared_data, tmp_path_factory):
    """An archive with a flare of 91 counts above background at 12-18 keV; 10,671 are recorded there."""
    archive = Archive(tmp_path_factory.mktemp("archive"), create=True)
    folder = shared_data / "nov2022"
    ingest(archive, [next((folder / "l1").glob(f"*_{uid}-*")) for uid in ("2211106153", "2211098157")], NOW)
    ingest(archive, sorted((folder / "aux").glob("*20221110*")), NOW)
    return archive


@pytest.fixture(scope="module")
def judged(small_flare):
    """The science file, its data, and its counts."""
    inputs = InputCatalog.of(small_flare)
    (file,) = (file for file in inputs.science.values() if file.uid == "2211106153")
    data = read_pixel_data(small_flare.path_of(file.path))
    return inputs, file, data, set_counts(small_flare, inputs, file, data)


def test_a_band_of_background_is_not_imaged(judged):
    *_, data, counts = judged
    soft, hard = preview_windows(data, flares=[FLARE], set_counts=counts)
    assert soft.band == (4.0, 10.0)
    assert isinstance(hard, SkippedBand)
    assert "12-20 keV: 92 above background" in hard.reason


@pytest.mark.parametrize("energy", [(4.0, 10.0), (12.0, 18.0)])
def test_the_counts_are_those_of_the_images(small_flare, judged, energy):
    inputs, file, data, counts = judged
    start, end = data.window(slice(10, 40))
    background = inputs.background_for(file, start, end, energy).chosen
    paths = [small_flare.path_of(one.path) for one in (file, background, *inputs.aspect_for(file, start, end))]
    request = ImageRequest(start, end, energy, methods={Method.BP: BackProjectionParameters()})
    recipe = prepare_recipe(request, paths[0], paths[1], paths[2:])
    images = reconstruct(recipe, lambda reference: next(path for path in paths if path.name == reference.name))
    assert counts(start, end, energy) == images.counts
