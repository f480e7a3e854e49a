"""Positions of flares by consensus of image sets."""

from __future__ import annotations

import math

import pytest

from jobs.flares.consensus import INTRINSIC, ImageSetPosition, consensus


def one(run_id="a", x=100.0, y=-200.0, sigma=2.0, counts=20_000.0, band="4-10 keV", **changes):
    return ImageSetPosition(run_id, band, "full_disk_bp+vis_fwdfit", x, y, sigma, counts, **changes)


def test_no_sets_give_no_position():
    assert consensus([]) is None


def test_one_set_is_the_position():
    found = consensus([one()])
    assert (found.x, found.y, found.sigma, found.doubts) == (100.0, -200.0, 2.0, ())


def test_sets_that_agree_are_averaged():
    """Weights 1 / (σ² + σ₀²); the error has the pointing, which the sets share, so it does not shrink."""
    found = consensus([one(x=100.0, sigma=2.0), one("b", x=110.0, sigma=5.0)])
    a, b = 1.0 / (4.0 + INTRINSIC**2), 1.0 / (25.0 + INTRINSIC**2)
    x = (100.0 * a + 110.0 * b) / (a + b)
    assert found.x == pytest.approx(x)
    scatter = (a * (100.0 - x) ** 2 + b * (110.0 - x) ** 2) / (a + b)
    assert found.sigma == pytest.approx(math.sqrt((4.0 * a + 25.0 * b) / (a + b) + scatter / 2.0))
    assert found.doubts == ()


def test_side_lobe_of_a_doubtful_set_has_no_influence():
    lobe = one("b", x=-900.0, counts=9_000.0, reasons=("a side lobe is nearly as bright",))
    found = consensus([lobe, one()])
    assert (found.x, found.doubts) == (100.0, ())


def test_two_places_of_similar_weight_are_a_doubt():
    found = consensus([one(), one("b", x=-900.0, counts=9_000.0, band="16-28 keV")])
    assert found.x == 100.0
    assert found.doubts == ("1 image set (16-28 keV) put the flare 1000″ away, at (-900″, -200″)",)


def test_another_place_within_its_errors_is_no_doubt():
    """Three σ; the error of the pointing is common to both sets and does not explain a distance."""
    sets = [one(), one("b", x=150.0, sigma=20.0, counts=9_000.0)]
    assert consensus(sets).doubts == ()
    (doubt,) = consensus([sets[0], one("b", x=150.0, sigma=10.0, counts=9_000.0)]).doubts
    assert doubt == "1 image set (4-10 keV) put the flare 50″ away, at (150″, -200″)"
    (doubt,) = consensus([one(sigma=30.0), one("b", x=150.0, sigma=31.0, counts=9_000.0)]).doubts
    assert "50″ away" in doubt


def test_most_votes_win_and_not_most_sets():
    weak = [one(str(n), x=-900.0 + n, counts=3_000.0, reasons=("few counts",)) for n in range(5)]
    assert consensus([*weak, one()]).x == 100.0
    assert consensus([*weak, one(counts=20_000.0, reasons=("few counts",))]).x < -890.0


def test_sets_with_few_counts_have_no_vote():
    """Slices of a time series with a hundredth of the counts cannot outvote the peak."""
    slices = [one(str(n), x=-900.0, counts=1_000.0) for n in range(100)]
    found = consensus([*slices, one(counts=100_000.0)])
    assert (found.x, found.doubts) == (100.0, ())
    assert consensus(slices[:1]).x == -900.0  # there is nothing better


def test_doubt_of_all_sets_is_the_doubt_of_the_flare():
    found = consensus([one(reasons=("a rival", "far away")), one("b", x=101.0, counts=5_000.0, reasons=("other",))])
    assert found.doubts == ("a rival", "far away")
    assert consensus([one(reasons=("a rival",)), one("b", counts=5_000.0)]).doubts == ()


def test_unknown_error_stays_unknown():
    assert consensus([one(sigma=None)]).sigma is None
    found = consensus([one(sigma=None, x=90.0), one("b", sigma=2.0)])
    assert found.sigma >= 2.0
    assert abs(found.x - 100.0) < 1.0


def test_images_far_from_their_set_are_a_doubt():
    assert consensus([one(offset=19.0)]).doubts == ()
    assert consensus([one(offset=30.0, sigma=11.0)]).doubts == ()
    (doubt,) = consensus([one(offset=30.0)]).doubts
    assert doubt == "the images are 30″ from the position of their set (4-10 keV)"
    assert consensus([one(offset=30.0), one("b", offset=1.0)]).doubts == ()


def test_coarse_locator_that_excludes_the_position_is_a_doubt():
    (doubt,) = consensus([one(locator=(800.0, 0.0), locator_level=0.9999)]).doubts
    assert doubt == "the coarse locator puts the flare at (800″, 0″) and excludes the position"
    assert consensus([one(locator=(150.0, -200.0), locator_level=0.9)]).doubts == ()


def test_order_of_the_sets_does_not_matter():
    sets = [one(), one("b", x=130.0), one("c", x=-900.0, counts=4_000.0), one("d", sigma=None)]
    assert consensus(sets) == consensus(sets[::-1])
