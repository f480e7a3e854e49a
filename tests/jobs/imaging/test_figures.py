"""Pictures: right way up, right colors, right places."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image as Picture

from jobs.imaging.figures import (
    DEFAULT_COLORS,
    PALETTES,
    STD_GAMMA_2,
    THUMBNAIL_PIXELS,
    color_table,
    colored,
    draw_map,
    thumbnail,
)
from jobs.imaging.report import doubts_line
from stixcore.imaging.grid import ImageGrid
from stixcore.imaging.reconstruction import Method
from stixcore.imaging.trust import Aspect, Finding, Severity


def opened(picture) -> np.ndarray:
    if isinstance(picture, bytes):
        picture = Picture.open(BytesIO(picture))
    return np.asarray(picture.convert("RGB"))


def test_colors_are_those_of_sunpy():
    import sunpy.visualization.colormaps as cm

    expected = cm.cmlist["std_gamma_2"](np.arange(256))[:, :3] * 255
    np.testing.assert_allclose(color_table(STD_GAMMA_2), expected, atol=1.5)


def lightness(table):
    """CIE L* of sRGB colours."""
    values = table / 255.0
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    luminance = linear @ [0.2126, 0.7152, 0.0722]
    return np.where(luminance > 0.008856, 116.0 * np.cbrt(luminance) - 16.0, 903.3 * luminance)


@pytest.mark.parametrize("name", [DEFAULT_COLORS, *PALETTES])
def test_lightness_follows_the_flux(name):
    """Where it falls, a ring appears in every source: std_gamma_2 falls by 25 around 0.7 of the maximum."""
    steps, usual = (np.diff(lightness(color_table(one).astype(float))) for one in (name, STD_GAMMA_2))
    assert steps.min() > -0.1
    assert steps.sum() > 75.0
    assert usual[usual < 0.0].sum() < -20.0


def test_north_is_up_and_west_is_right():
    image = np.zeros((64, 64))
    image[56, 48] = 1.0  # north-west: high row, high column
    rows, columns = np.nonzero(colored(image).sum(axis=2) > 100)
    assert (rows, columns) == (64 - 1 - 56, 48)
    small = opened(thumbnail(image)).sum(axis=2)
    row, column = np.unravel_index(small.argmax(), small.shape)
    assert row < THUMBNAIL_PIXELS / 4
    assert column > THUMBNAIL_PIXELS / 2


def test_values_outside_the_range_keep_the_ends_of_the_table():
    picture = colored(np.array([[-5.0, 0.0, 10.0, 100.0]]), 0.0, 10.0)
    np.testing.assert_array_equal(picture[0, [0, 1]], color_table()[[0, 0]])
    np.testing.assert_array_equal(picture[0, [2, 3]], color_table()[[255, 255]])


def test_a_flat_map_is_drawn():
    assert opened(thumbnail(np.zeros((33, 33)))).shape == (THUMBNAIL_PIXELS, THUMBNAIL_PIXELS, 3)


@pytest.mark.parametrize("rsun", [float("nan"), 1000.0])
def test_limb_is_drawn_where_the_radius_is_known(rsun):
    grid = ImageGrid((101, 101), 4.0, (1000.0, 0.0))  # centred on the west limb
    picture = opened(draw_map(np.zeros(grid.shape), grid, title="limb", rsun=rsun, size=400))
    middle = picture[34 + 195 : 34 + 205, 74 + 190 : 74 + 210].max()  # where x = 1000 arcsec lies
    assert (middle > 100) == np.isfinite(rsun)


def test_title_and_beam_are_drawn():
    grid = ImageGrid((65, 65), 2.0)
    with_beam = opened(draw_map(np.zeros(grid.shape), grid, title="CLEAN", beam_fwhm=20.0, size=256))
    without = opened(draw_map(np.zeros(grid.shape), grid, title="", size=256))
    assert (with_beam[:30] != without[:30]).any()
    assert (with_beam[200:290, 70:140] != without[200:290, 70:140]).any()


def test_the_report_says_which_images_are_doubtful():
    methods = [Method.CLEAN, Method.EM]
    note = Finding("attenuator", Severity.NOTE, "the attenuator was in")
    edge = Finding("edge_peak", Severity.DOUBT, "at the edge", Method.EM, frozenset({Aspect.POSITION, Aspect.FLUX}))
    every = Finding("few_counts", Severity.DOUBT, "few counts", doubts=frozenset({Aspect.SHAPE}))
    assert doubts_line((note,), methods) == ""
    assert doubts_line((note, edge), methods) == "Doubtful: position, flux of EM"
    assert doubts_line((every,), methods) == "Doubtful: shape of all images"
    assert doubts_line((edge, every), methods) == "Doubtful: shape of CLEAN; position, flux, shape of EM"


def test_the_label_of_the_scale_bar_is_inside_the_map():
    grid = ImageGrid((101, 101), 37.0)  # 500 arcsec are short, and their label is longer
    picture = opened(draw_map(np.zeros(grid.shape), grid, title="", size=300))
    label = picture[34 + 262 : 34 + 282, 74 : 74 + 300]
    assert label[:, :288].max() > 200
    assert label[:, 289:299].max() < 60
