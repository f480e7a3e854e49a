"""Colours that must be told apart are, by every eye; and they stand out from the paper.

What the colour-blind see: severity 1 of Machado, Oliveira & Fernandes 2009 (IEEE TVCG 15, 1291), on linear RGB.
Distance: CIEDE2000, as Sharma, Wu & Dalal 2005 (Color Res. Appl. 30, 21) write it down. Contrast: WCAG 2.1, 1.4.11.
"""

from itertools import combinations

import numpy as np
import pytest

from dashboards.shared.curve_colors import DARK, LIGHT
from dashboards.shared.figure_style import CHOSEN, CURVES, INK
from dashboards.shared.sky_figure import CONTOUR_COLORS
from dashboards.shared.visibility_plot import COLORS as METHODS
from jobs.regions.figure import COLORS as REGIONS
from jobs.shared.palette import css_color

SIGHTS = {
    "normal": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
WHITE, BLACK, DARK_PAPER = "#ffffff", "#000000", "#131b24"

#: What is looked at together, and the papers it is drawn on.
PALETTES = {
    "bands, light": (LIGHT.bands, (LIGHT.paper, "#f6f8fa")),
    "bands, dark": (DARK.bands, (DARK.paper, "#0e141b")),
    "trust, light": ((LIGHT.trusted, LIGHT.doubtful), (LIGHT.paper,)),
    "trust, dark": ((DARK.trusted, DARK.doubtful), (DARK.paper,)),
    "flares and attenuator, light": ((LIGHT.flare, LIGHT.attenuator, LIGHT.ink), (LIGHT.paper,)),
    "flares and attenuator, dark": ((DARK.flare, DARK.attenuator, DARK.ink), (DARK.paper,)),
    "curves": (CURVES, (WHITE, DARK_PAPER)),
    "attenuator in the strip of a file": ((CURVES[1], INK), (WHITE, DARK_PAPER)),
    "methods": (tuple(METHODS.values()), (WHITE, DARK_PAPER)),  # what was measured is points with bars, they are dashes
    "regions": (tuple(map(css_color, REGIONS)), (BLACK,)),  # on maps, and beside the spectra
    "chosen": ((CHOSEN,), (WHITE, DARK_PAPER)),
    "contours": (CONTOUR_COLORS, (BLACK,)),
}
#: CIEDE2000 of two colours that a thin line is known by; 1 is just noticed where two fields touch.
APART = 10.0


def linear(color):
    values = np.array([int(color[start : start + 2], 16) for start in (1, 3, 5)]) / 255.0
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def contrast(one, other):
    darker, lighter = sorted(float(TO_XYZ[1] @ linear(color)) for color in (one, other))
    return (lighter + 0.05) / (darker + 0.05)


def lab(color, sight):
    relative = TO_XYZ @ np.clip(SIGHTS[sight] @ linear(color), 0.0, 1.0) / TO_XYZ.sum(axis=1)
    root = np.where(relative > (6 / 29) ** 3, np.cbrt(relative), relative / (3 * (6 / 29) ** 2) + 4 / 29)
    return 116 * root[1] - 16, 500 * (root[0] - root[1]), 200 * (root[1] - root[2])


def ciede2000(one, other):
    (l1, a1, b1), (l2, a2, b2) = one, other
    mean = (np.hypot(a1, b1) + np.hypot(a2, b2)) / 2
    stretch = 1.5 - 0.5 * np.sqrt(mean**7 / (mean**7 + 25**7))
    a1, a2 = a1 * stretch, a2 * stretch
    c1, c2 = np.hypot(a1, b1), np.hypot(a2, b2)
    h1, h2 = np.arctan2(b1, a1), np.arctan2(b2, a2)
    turn = (h2 - h1 + np.pi) % (2 * np.pi) - np.pi
    lightness, chroma, hue = (l1 + l2) / 2, (c1 + c2) / 2, (h1 + turn / 2) % (2 * np.pi)
    terms = ((-0.17, 1, -30), (0.24, 2, 0), (0.32, 3, 6), (-0.20, 4, -63))
    t = 1 + sum(size * np.cos(order * hue + np.deg2rad(phase)) for size, order, phase in terms)
    blue = np.deg2rad(60) * np.exp(-(((np.rad2deg(hue) - 275) / 25) ** 2))
    rotation = -2 * np.sqrt(chroma**7 / (chroma**7 + 25**7)) * np.sin(blue)
    d_l = (l2 - l1) / (1 + 0.015 * (lightness - 50) ** 2 / np.sqrt(20 + (lightness - 50) ** 2))
    d_c = (c2 - c1) / (1 + 0.045 * chroma)
    d_h = 2 * np.sqrt(c1 * c2) * np.sin(turn / 2) / (1 + 0.015 * chroma * t)
    return float(np.sqrt(d_l**2 + d_c**2 + d_h**2 + rotation * d_c * d_h))


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
        ((50.0, 2.49, -0.001), (50.0, -2.49, 0.0009), 7.1792),
        ((50.0, 2.5, 0.0), (73.0, 25.0, -18.0), 27.1492),
        ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
        ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
    ],
)
def test_the_distance_is_that_of_the_published_pairs(one, other, expected):
    assert ciede2000(one, other) == pytest.approx(expected, abs=5e-5)


def test_the_confusions_are_those_that_are_known():
    dark_red, olive = "#b00000", "#3f3f00"
    assert ciede2000(lab(dark_red, "normal"), lab(olive, "normal")) > 35
    assert ciede2000(lab(dark_red, "protanopia"), lab(olive, "protanopia")) < 8
    assert contrast(WHITE, BLACK) == pytest.approx(21.0)


@pytest.mark.parametrize("sight", SIGHTS)
@pytest.mark.parametrize("name", PALETTES)
def test_colors_that_mean_something_are_told_apart(name, sight):
    colors, _ = PALETTES[name]
    close = {
        (one, other): round(distance, 1)
        for one, other in combinations(colors, 2)
        if (distance := ciede2000(lab(one, sight), lab(other, sight))) < APART
    }
    assert not close


@pytest.mark.parametrize("name", PALETTES)
def test_colors_stand_out_from_the_paper(name):
    colors, papers = PALETTES[name]
    faint = {
        (color, paper): round(contrast(color, paper), 2)
        for color in colors
        for paper in papers
        if contrast(color, paper) < 3.0
    }
    assert not faint
