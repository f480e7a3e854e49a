"""The instant image is the image that the recipe gives."""

from dataclasses import replace

import numpy as np
import pytest

from stixcore.errors import SelectionError
from stixcore.fits.products import PixelData
from stixcore.fits.read import read_aspect, read_pixel_data
from stixcore.imaging.back_projection import BackProjectionParameters
from stixcore.imaging.reconstruction import Method
from stixcore.imaging.trust import assess
from stixcore.instant import instant_image, snapped
from stixcore.instrument.geometry import PixelSet
from stixcore.options import ImageRequest, ShiftBins, default_clean
from stixcore.prepare import background_part, find_pointing
from stixcore.reconstruct import prepare_recipe, reconstruct

pytestmark = pytest.mark.needs_shared_data
START, END = np.datetime64("2022-11-11T11:36:00", "us"), np.datetime64("2022-11-11T11:37:00", "us")
ASKED = ImageRequest(START, END, energy=(6.0, 10.0), methods={Method.BP: BackProjectionParameters()})


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"location": (820.0, 150.0), "shape": (65, 97), "pixel": 3.0},
        {"pixel_set": PixelSet.TOP, "energy": (4.0, 12.0), "subcollimators": ("10a", "9b", "8c", "7a", "6b", "5c")},
    ],
    ids=["automatic", "given place", "other pixels"],
)
def test_same_pixels_as_the_final_back_projection(november_flare, changes):
    science, background, aspect = november_flare
    request = replace(ASKED, **changes)
    recipe = prepare_recipe(request, science, background, [aspect])
    paths = {path.name: path for path in november_flare}
    final = reconstruct(recipe, lambda file: paths[file.name])
    data = read_pixel_data(science)
    pointing = find_pointing(data.header, [read_aspect(aspect)], request.start, request.end)
    instant = instant_image(request, data, read_pixel_data(background), pointing)
    assert instant.location == recipe.location
    assert instant.image.peak == final.images[Method.BP].peak
    np.testing.assert_array_equal(instant.image.image, final.images[Method.BP].image)
    assert (instant.counts, instant.background) == final.counts
    assert instant.recorded > instant.counts  # those of the other detectors and pixels too


def test_an_image_of_a_method_is_that_of_the_recipe(november_flare):
    science, background, aspect = november_flare
    request = replace(ASKED, methods={Method.CLEAN: replace(default_clean(), beam_fwhm=12.0)}, shape=(65, 65))
    paths = {path.name: path for path in november_flare}
    final = reconstruct(prepare_recipe(request, science, background, [aspect]), lambda file: paths[file.name])
    data = read_pixel_data(science)
    pointing = find_pointing(data.header, [read_aspect(aspect)], request.start, request.end)
    instant = instant_image(request, data, read_pixel_data(background), pointing, method=Method.CLEAN)
    for plane in ("components", "restored"):
        np.testing.assert_array_equal(instant.image.planes[plane], final.images[Method.CLEAN].planes[plane])


def test_shifted_bins_stand_in_the_recipe_and_change_the_images(november_flare, monkeypatch):
    science, background, aspect = november_flare
    monkeypatch.setattr(PixelData, "can_shift_bins", property(lambda data: "2211116471" in data.header.name))
    paths = {path.name: path for path in november_flare}
    request = replace(ASKED, location=(820.0, 150.0))
    moved, kept = (
        prepare_recipe(replace(request, shift_bins=shift), science, background, [aspect]) for shift in ShiftBins
    )
    assert (moved.shift_bins, kept.shift_bins) == (True, False)
    shifted, plain = (reconstruct(recipe, lambda file: paths[file.name]) for recipe in (moved, kept))
    data = read_pixel_data(science)
    bins = data.time_bins(START, END)
    later = replace(request, start=data.t_start[bins.stop], end=data.t_end[bins.stop], shift_bins=ShiftBins.OFF)
    after = reconstruct(prepare_recipe(later, science, background, [aspect]), lambda file: paths[file.name])
    np.testing.assert_array_equal(shifted.pixels.counts, after.pixels.counts)  # of the row after, in this bin's time
    assert shifted.pixels.t_start == plain.pixels.t_start
    assert "bins_shifted" in {finding.code for finding in assess(shifted)}
    assert "bins_shifted" not in {finding.code for finding in assess(plain)}
    pointing = find_pointing(data.header, [read_aspect(aspect)], request.start, request.end)
    instant = instant_image(request, data, read_pixel_data(background), pointing)
    assert (instant.counts, instant.background) == shifted.counts


def test_late_counts_of_a_background_are_shifted_like_the_flares(november_flare, monkeypatch):
    """A part of the file as its own background: shifted, both have what the bins after them hold."""
    science, _, aspect = november_flare
    monkeypatch.setattr(PixelData, "can_shift_bins", property(lambda data: "2211116471" in data.header.name))
    data = read_pixel_data(science)
    bins = data.time_bins(START, END)

    def made(later, shift):
        first, last = bins.start + later, bins.stop - 1 + later
        request = replace(
            ASKED,
            start=data.t_start[first],
            end=data.t_end[last],
            location=(820.0, 150.0),
            shift_bins=shift,
            background_range=(data.t_start[first + 4], data.t_end[last + 4]),
        )
        return reconstruct(prepare_recipe(request, science, science, [aspect]), lambda _: science).counts

    moved, after, kept = made(0, ShiftBins.AUTO), made(1, ShiftBins.OFF), made(0, ShiftBins.OFF)
    assert moved == pytest.approx(after, rel=5e-3)
    assert kept[1] > 1.5 * after[1]
    quiet, _ = background_part(data, (START, END), shift=True)
    assert quiet.read().counts.sum() == data.read(slice(bins.start + 1, bins.stop + 1)).counts.sum() > 0


def test_a_box_snaps_to_whole_bins_inside_the_file(november_flare):
    data = read_pixel_data(november_flare[0])
    start, end, low, high = snapped(data, START, END, 6.2, 9.7)
    assert start in data.t_start
    assert end in data.t_end
    assert start <= START < end
    assert data.time_bins(start, end) == data.time_bins(START, END)
    assert (low, high) == (6.0, 10.0)
    everything = snapped(
        data, data.t_start[0] - np.timedelta64(9, "h"), data.t_end[-1] + np.timedelta64(9, "h"), 0, 999
    )
    assert everything == (data.t_start[0], data.t_end[-1], 4.0, data.e_high[np.isfinite(data.e_high)][-1])
    with pytest.raises(SelectionError, match="not inside the file"):
        snapped(data, np.datetime64("2022-11-12"), np.datetime64("2022-11-13"), 6, 10)


def test_refuses_what_the_recipe_refuses(november_flare):
    science, _, aspect = november_flare
    data = read_pixel_data(science)
    pointing = find_pointing(data.header, [read_aspect(aspect)], START, END)
    for make in (
        lambda: prepare_recipe(ASKED, science, science, [aspect]),
        lambda: instant_image(ASKED, data, data, pointing),
    ):
        with pytest.raises(SelectionError, match="is its own background"):
            make()
