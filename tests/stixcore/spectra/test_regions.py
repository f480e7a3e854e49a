"""Regions of an image: which pixels they have, what is refused, and their flux."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stixcore.errors import SelectionError
from stixcore.imaging.grid import ImageGrid
from stixcore.spectra.regions import (
    Circle,
    Contour,
    Ellipse,
    Polygon,
    _crossing_edges,
    contours_above,
    region_masks,
    region_sums,
    source_regions,
)

GRID = ImageGrid((60, 80), 2.0, (500.0, -200.0))  # 160″ × 120″
X, Y = GRID.center[0] + GRID.x, GRID.center[1] + GRID.y

offsets = st.floats(-20.0, 20.0)
radii = st.floats(3.0, 35.0)
angles = st.floats(-360.0, 360.0)


def mask_of(region, image=None):
    return region_masks([region], GRID, image)[0]


def gaussian(x, y, fwhm, peak):
    return peak * np.exp(-4.0 * np.log(2.0) * ((X[None, :] - x) ** 2 + (Y[:, None] - y) ** 2) / fwhm**2)


IMAGE = gaussian(480.0, -200.0, 15.0, 1.0) + gaussian(530.0, -190.0, 12.0, 0.6)


@given(dx=offsets, dy=offsets, radius=radii)
def test_the_area_of_a_circle(dx, dy, radius):
    """Pixels whose centres are on the wrong side are within half a diagonal of the outline."""
    area = mask_of(Circle("a", 500.0 + dx, -200.0 + dy, radius)).sum() * GRID.pixel_area
    reach = GRID.pixel / np.sqrt(2.0)
    assert abs(area - np.pi * radius**2) <= np.pi * ((radius + reach) ** 2 - radius**2)


@given(dx=offsets, dy=offsets, major=radii, minor=radii, angle=angles)
def test_an_ellipse(dx, dy, major, minor, angle):
    x, y = 500.0 + dx, -200.0 + dy
    ellipse = Ellipse("a", x, y, major, minor, angle)
    mask = mask_of(ellipse)
    assert not (mask & ~mask_of(Circle("b", x, y, max(major, minor) + 1e-6))).any()
    inner = Circle("c", x, y, min(major, minor) - 1e-6).contains(X[None, :], Y[:, None])
    assert not (inner & ~mask).any()
    # where a pixel centre is on the outline, rounding decides
    grown, shrunk = (replace(ellipse, major=major + d, minor=minor + d, position_angle=angle) for d in (1e-6, -1e-6))
    turned = Ellipse("d", x, y, minor, major, angle + 90.0).contains(X[None, :], Y[:, None])
    assert not (turned & ~grown.contains(X[None, :], Y[:, None])).any()
    assert not (shrunk.contains(X[None, :], Y[:, None]) & ~turned).any()


def test_a_position_angle_is_counter_clockwise_from_west():
    mask = mask_of(Ellipse("a", 500.0, -200.0, 40.0, 5.0, 45.0))
    rows, columns = np.nonzero(mask)
    assert np.corrcoef(rows, columns)[0, 1] > 0.9  # from the lower left to the upper right


@given(st.lists(st.tuples(st.floats(460.0, 540.0), st.floats(-240.0, -160.0)), min_size=3, max_size=12))
def test_a_polygon_is_the_same_for_a_map_and_for_single_points(corners):
    try:
        polygon = Polygon("a", tuple(corners))
    except SelectionError:  # edges cross
        return
    whole = polygon.contains(X[None, :], Y[:, None])
    x, y = np.meshgrid(X, Y)
    np.testing.assert_array_equal(polygon.contains(x, y), whole)
    np.testing.assert_array_equal(polygon.contains(x.ravel(), y.ravel()), whole.ravel())
    np.testing.assert_array_equal(polygon.contains(X[:, None], Y[None, :]), whole.T)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=3, max_size=8))
def test_crossing_edges_are_those_of_each_pair(corners):
    """The first pair of edges that are no neighbours and cross, looked for one by one."""

    def side(a, b, c):
        return np.sign((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]))

    edges = list(zip(corners, [*corners[1:], corners[0]], strict=True))
    found = (
        (i, j)
        for (i, one), (j, other) in combinations(enumerate(edges), 2)
        if j - i not in (1, len(edges) - 1)
        and side(*one, other[0]) * side(*one, other[1]) <= 0
        and side(*other, one[0]) * side(*other, one[1]) < 0
    )
    assert _crossing_edges(np.array(corners, dtype=float)) == next(found, None)


corner_sets = st.tuples(*[st.tuples(st.floats(1.0, 38.0), st.floats(1.0, 38.0)) for _ in range(4)])


@given(corners=corner_sets)
def test_halves_of_a_polygon_are_disjoint_and_make_the_whole(corners):
    """A quadrilateral with a corner in each quadrant around the centre, cut into four triangles."""
    signs = ((1, 1), (-1, 1), (-1, -1), (1, -1))
    a, b, c, d = ((500.0 + sx * dx, -200.0 + sy * dy) for (sx, sy), (dx, dy) in zip(signs, corners, strict=True))
    middle = (500.0, -200.0)
    whole = Polygon("whole", (a, b, c, d)).contains(X[None, :], Y[:, None])
    parts = [Polygon(f"{n}", (*edge, middle)) for n, edge in enumerate(((a, b), (b, c), (c, d), (d, a)))]
    masks = np.array([part.contains(X[None, :], Y[:, None]) for part in parts])
    assert (masks.sum(axis=0) == whole).all()
    backwards = Polygon("back", (d, c, b, a)).contains(X[None, :], Y[:, None])
    assert (backwards == whole).all()
    # flux adds up
    total = region_sums(IMAGE, whole[None], GRID)[0]
    assert region_sums(IMAGE, masks, GRID).sum() == pytest.approx(total)


def test_a_rectangle_has_its_pixels():
    mask = mask_of(Polygon("a", ((480.0, -210.0), (500.0, -210.0), (500.0, -190.0), (480.0, -190.0))))
    assert mask.sum() * GRID.pixel_area == 20.0 * 20.0
    rows, columns = np.nonzero(mask)
    assert X[columns].min() > 480.0
    assert X[columns].max() < 500.0
    assert Y[rows].min() > -210.0


@given(dx=offsets, dy=offsets, radius=st.floats(3.0, 15.0), steps=st.tuples(st.integers(-5, 5), st.integers(-5, 5)))
def test_a_region_moves_with_its_grid(dx, dy, radius, steps):
    circle = Circle("a", 500.0 + dx, -200.0 + dy, radius)
    moved = replace(GRID, center=(GRID.center[0] + 2.0 * steps[0], GRID.center[1] + 2.0 * steps[1]))
    first, second = (region_masks([circle], grid)[0] for grid in (GRID, moved))
    assert abs(int(first.sum()) - int(second.sum())) <= 4  # rounding where centres are on the outline
    assert (np.roll(second, steps[::-1], (0, 1)) != first).sum() <= 4


def test_contours_are_those_around_a_point():
    bright, faint = contours_above(IMAGE, GRID, 0.5)
    assert (bright.name, faint.name) == ("source 1", "source 2")
    assert (bright.x, bright.y) == pytest.approx((480.0, -200.0), abs=GRID.pixel)
    masks = region_masks([bright, faint], GRID, IMAGE)
    # area above half maximum of a circular Gaussian: π/4 FWHM²
    assert masks[0].sum() * GRID.pixel_area == pytest.approx(np.pi / 4.0 * 15.0**2, abs=np.pi * 15.0 * GRID.pixel / 2)
    level = 0.5 * IMAGE.max()
    assert (masks.any(axis=0) == (level <= IMAGE)).all()
    assert (mask_of(Contour("peak", 0.5), IMAGE) == masks[0]).all()
    wide = mask_of(Contour("peak", 1e-5), IMAGE)
    assert (wide & masks[1]).any()  # both sources are connected at a low level


def test_the_sources_of_a_forward_fit():
    sources = (
        {"shape": "circle", "x": 480.0, "y": -200.0, "fwhm": 15.0, "flux": 1.0},
        {"shape": "ellipse", "x": 530.0, "y": -190.0, "fwhm": 12.0, "fwhm_max": 20.0, "fwhm_min": 8.0,
         "position_angle": 30.0, "flux": 0.5},
    )  # fmt: skip
    circle, ellipse = source_regions(sources)
    assert circle == Circle("source 1", 480.0, -200.0, 7.5)
    assert ellipse == Ellipse("source 2", 530.0, -190.0, 10.0, 4.0, 30.0)
    assert source_regions(sources, 2.0)[0].radius == 15.0
    assert region_masks((circle, ellipse), GRID).sum(axis=(1, 2)).min() > 10
    with pytest.raises(SelectionError, match="no fitted sources"):
        source_regions(())


REFUSED = {
    "outside the map by 5 arcsec in the west": [Circle("a", 570.0, -200.0, 15.0)],
    "outside the map by 10 arcsec in the south": [Ellipse("a", 500.0, -260.0, 30.0, 10.0)],
    "outside the map by 20 arcsec in the east": [Polygon("a", ((400.0, -200.0), (450.0, -210.0), (450.0, -190.0)))],
    "outside the map by 1 arcsec in the north": [Ellipse("a", 500.0, -160.0, 21.0, 3.0, 90.0)],
    "contains no pixel centre": [Circle("a", 500.0, -200.0, 0.5)],
    "overlap in .* pixels": [Circle("a", 490.0, -200.0, 15.0), Circle("b", 510.0, -200.0, 15.0)],
    "two regions have the name 'a'": [Circle("a", 480.0, -200.0, 5.0), Circle("a", 510.0, -200.0, 5.0)],
    "at least one region": [],
    "is a contour, which needs an image": [Contour("a", 0.5)],
}


@pytest.mark.parametrize("words", REFUSED)
def test_regions_that_would_give_a_wrong_flux_are_refused(words):
    with pytest.raises(SelectionError, match=words):
        region_masks(REFUSED[words], GRID)


def test_contours_that_are_refused():
    for contour, words in (
        (Contour("a", 0.5, 900.0, -200.0), "its point .* is outside the map"),
        (Contour("a", 0.5, 500.0, -250.0), "below 50% of its maximum"),
        (Contour("a", 1e-30), "reaches the edge of the map"),
    ):
        with pytest.raises(SelectionError, match=words):
            mask_of(contour, IMAGE)
    for image in (np.zeros(GRID.shape), np.full(GRID.shape, np.nan)):
        with pytest.raises(SelectionError, match="no positive maximum"):
            mask_of(Contour("a", 0.5), image)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Circle("", 0.0, 0.0, 1.0), "needs a name"),
        (lambda: Circle("a", 0.0, np.nan, 1.0), "y must be a finite number"),
        (lambda: Circle("a", 0.0, 0.0, 0.0), "radius must be a positive number, found 0"),
        (lambda: Ellipse("a", 0.0, 0.0, 3.0, -1.0), "minor must be a positive number"),
        (lambda: Polygon("a", ((0.0, 0.0), (1.0, 1.0))), "3 to 200 corners, found 2"),
        (lambda: Polygon("a", ((0.0, 0.0), (2.0, 2.0), (2.0, 0.0), (0.0, 2.0))), "edges 1 and 3 .* cross"),
        (lambda: Polygon("a", ((0.0, 0.0), (np.inf, 2.0), (2.0, 0.0))), "x of corner 2 must be a finite number"),
        (lambda: Contour("a", 1.0), "level must be between 0 and 1"),
        (lambda: Contour("a", 0.5, 3.0), "both x and y"),
    ],
)
def test_impossible_shapes_are_refused(make, words):
    with pytest.raises(SelectionError, match=words):
        make()


def test_the_flux_of_a_region():
    regions = (Circle("left", 480.0, -200.0, 22.0), Circle("right", 530.0, -190.0, 22.0))
    left, right = region_sums(IMAGE, region_masks(regions, GRID), GRID)
    # flux of a Gaussian: π/(4 ln 2) · FWHM² · peak
    assert left == pytest.approx(np.pi / (4.0 * np.log(2.0)) * 15.0**2, rel=0.01)
    assert right == pytest.approx(np.pi / (4.0 * np.log(2.0)) * 12.0**2 * 0.6, rel=0.01)
