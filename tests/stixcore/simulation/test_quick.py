"""Sums without files: exact without noise, Poisson with it, and good enough to find flares with."""

import numpy as np
import pytest

from stixcore.coordinates import hpc_to_stix
from stixcore.errors import SelectionError
from stixcore.imaging.location import locate_flare
from stixcore.instrument.geometry import IMAGING_LABELS, PixelSet, detector_indices
from stixcore.simulation.ephemeris import Orbit
from stixcore.simulation.quick import flux_for_counts, simulate_pixel_sums, true_visibilities
from stixcore.simulation.sources import Circle, Ellipse, Loop
from stixcore.visibility.form import form_visibilities

POINTING = Orbit(np.datetime64("2022-11-10T12:00:00", "us"), roll=-25.0).pointing(np.datetime64("2022-11-10T12:00:00"))
USED = detector_indices(IMAGING_LABELS)


def in_stix_frame(source):
    x, y = hpc_to_stix(source.x, source.y, POINTING)
    return float(x), float(y)


@pytest.mark.parametrize(
    "source",
    [Circle(300.0, -500.0, 15.0), Ellipse(-100.0, 50.0, 40.0, 20.0, 10.0), Loop(0.0, 800.0, 50.0, 27.0, 110.0, 50.0)],
)
def test_noise_free_sums_give_the_true_visibilities(source):
    pixels = simulate_pixel_sums([source], 1e5, pointing=POINTING, background=4000.0)
    flux = flux_for_counts([source], 1e5, pointing=POINTING)
    vis = form_visibilities(pixels, flare_xy=in_stix_frame(source))
    assert np.abs(vis.vis - true_visibilities([source], flux, pointing=POINTING).vis).max() < 1e-12 * flux
    assert pixels.totals(USED) == pytest.approx((104_000.0, 4000.0))


def test_the_same_source_in_the_stix_frame_gives_the_same_counts():
    source = Circle(300.0, -500.0, 15.0)
    there = Circle(*in_stix_frame(source), 15.0)
    here, same = simulate_pixel_sums([source], 1e4, pointing=POINTING), simulate_pixel_sums([there], 1e4)
    assert here.counts == pytest.approx(same.counts, rel=1e-9)


def test_noise_is_poisson():
    source, rng = Circle(300.0, -500.0, 15.0), np.random.default_rng(2)
    quiet = simulate_pixel_sums([source], 2e4, pointing=POINTING)
    draws = [simulate_pixel_sums([source], 2e4, rng, pointing=POINTING) for _ in range(100)]
    pulls = np.array([(draw.rate - quiet.rate)[USED] / quiet.rate_sigma[USED] for draw in draws])
    assert abs(pulls.mean()) < 4.0 / np.sqrt(pulls.size)
    assert pulls.std() == pytest.approx(1.0, abs=0.04)


@pytest.mark.parametrize("pixel_set", list(PixelSet))
def test_total_counts_are_those_of_the_pixel_set(pixel_set):
    pixels = simulate_pixel_sums([Circle(0.0, 0.0, 30.0)], 5e4, pixel_set=pixel_set)
    assert pixels.totals(USED)[0] == pytest.approx(5e4)
    assert pixels.pixel_set is pixel_set


def test_locations_of_random_flares_are_unbiased():
    rng, errors = np.random.default_rng(8), []
    for _ in range(20):
        radius, angle = POINTING.rsun * 1.05 * np.sqrt(rng.random()), rng.uniform(0, 2 * np.pi)
        source = Circle(radius * np.cos(angle), radius * np.sin(angle), rng.uniform(10.0, 60.0))
        counts = 10 ** rng.uniform(4.0, 6.0)
        vis = form_visibilities(simulate_pixel_sums([source], counts, rng, pointing=POINTING, background=500.0))
        found = locate_flare(vis, POINTING, POINTING.rsun)
        errors.append((found.x - source.x, found.y - source.y))
    distance = np.hypot(*np.transpose(errors))
    assert np.median(distance) < 2.0
    assert distance.max() < 8.0
    assert np.abs(np.mean(errors, axis=0)).max() < 3.0 * np.std(errors) / np.sqrt(20)


def test_the_same_generator_gives_the_same_counts():
    first, second = (simulate_pixel_sums([Circle(0.0, 0.0, 20.0)], 1e4, np.random.default_rng(1)) for _ in range(2))
    assert (first.counts == second.counts).all()


def test_negative_counts_are_refused():
    with pytest.raises(SelectionError, match="negative"):
        simulate_pixel_sums([Circle(0.0, 0.0, 20.0)], -1.0)
