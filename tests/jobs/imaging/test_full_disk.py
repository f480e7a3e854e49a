"""Pictures of full-disk maps: Sun, peaks, location, other peaks and the locator's regions, each in its place."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image as Picture

from jobs.imaging.disk_marks import DiskMarks, scale_text
from jobs.imaging.figures import THUMBNAIL_PIXELS
from jobs.imaging.full_disk import (
    LOCATOR_COLOR,
    SOURCE_COLOR,
    draw_full_disk,
    full_disk_thumbnail,
)
from stixcore.image_files.locator_table import LocatorRegions
from stixcore.imaging.grid import ImageGrid
from stixcore.imaging.location import Candidate

GRID = ImageGrid((128, 128), 32.5)


def box(x, y, half):
    return np.array([[x - half, y - half], [x + half, y - half], [x + half, y + half], [x - half, y + half]])[
        [0, 1, 2, 3, 0]
    ]


MARKS = DiskMarks(
    (500.0, 700.0),
    (Candidate(-900.0, 200.0, 0.78),),
    LocatorRegions(
        450.0, 650.0, 100.0, 0.5, ((0.6827, (box(450, 650, 150),)), (0.9545, (box(450, 650, 300),)), (0.9973, ()))
    ),
)


def sky():
    """Ripples of 1 and a source of 5 at (500, 700)″."""
    image = np.random.default_rng(3).normal(size=GRID.shape)
    image[np.abs(GRID.y - 700.0).argmin(), np.abs(GRID.x - 500.0).argmin()] = 6.0
    return image


def pixels(picture):
    return np.asarray(picture.convert("RGB")).astype(int)


def near(picture, color):
    """Rows and columns whose color is that of a mark, within rounding."""
    return np.nonzero((np.abs(picture - np.array(color[:3])) < 12).all(axis=2))


def test_marks_are_where_they_belong():
    picture = pixels(draw_full_disk(sky(), GRID, MARKS, title="", rsun=1600.0, size=512))[34 : 34 + 512, 74 : 74 + 512]
    rows, columns = near(picture, SOURCE_COLOR)
    x, y = (columns.mean() - 255.5) * 4160 / 512, (255.5 - rows.mean()) * 4160 / 512
    assert np.hypot(x - 500.0, y - 700.0) < 15.0
    rows, columns = near(picture, LOCATOR_COLOR)
    across = (np.array([columns.min(), columns.max()]) - 255.5) * 4160 / 512
    np.testing.assert_allclose(across, [150.0, 750.0], atol=15.0)  # of the outer box


def test_the_disk_is_lighter_than_the_sky_and_ripples_are_not_drawn():
    picture = pixels(draw_full_disk(sky(), GRID, DiskMarks(), title="", rsun=1600.0, size=512))
    inside, outside = picture[34 + 256 : 34 + 300, 74 + 230 : 74 + 280], picture[36:60, 76:120]
    assert np.median(inside) > 10 > np.median(outside)
    dark = pixels(draw_full_disk(sky(), GRID, DiskMarks(), title="", size=512))[36:60, 76:120]
    assert (dark.sum(axis=2) > 60).mean() < 0.1


def test_the_legend_names_what_is_drawn_and_why_something_is_not():
    full, less = (
        draw_full_disk(sky(), GRID, marks, title="", rsun=1600.0)
        for marks in (MARKS, DiskMarks(no_locator="detector 9 was off"))
    )
    assert full.height - less.height == 3 * 18  # location, other peaks, and the second line of the locator
    bare = draw_full_disk(sky(), GRID, MARKS, title="", rsun=1600.0, legend=False)
    assert bare.height < less.height
    assert DiskMarks(no_locator="detector 9 was off").missing.endswith("coarse flare locator: detector 9 was off.")
    assert MARKS.missing == ""


@pytest.mark.parametrize("marks", [MARKS, DiskMarks()])
def test_a_thumbnail_shows_sun_and_location(marks):
    picture = pixels(Picture.open(BytesIO(full_disk_thumbnail(sky(), GRID, marks, 1600.0))))
    assert picture.shape == (THUMBNAIL_PIXELS, THUMBNAIL_PIXELS, 3)
    assert picture[64, 64].min() > 10 > picture[1:6, 1:6].min(axis=2).mean()
    ring = picture[:, :, 1] - picture[:, :, [0, 2]].max(axis=2) > 60
    assert ring.any() == (marks.source is not None)
    if ring.any():
        rows, columns = np.nonzero(ring)
        assert (columns.mean(), rows.mean()) == pytest.approx((63.5 + 500.0 / 32.5, 63.5 - 700.0 / 32.5), abs=1.0)


def test_the_scale_is_said():
    image = np.zeros(GRID.shape)
    assert "starts at 0 %" in scale_text(image)
    assert "starts at 80 %" in scale_text(np.random.default_rng(1).uniform(size=GRID.shape))
