import numpy as np
import pytest

from stixcore.flares.attenuator import without_attenuator


def joined(n):
    return np.ones(n - 1, dtype=bool)


def curve():
    """A flare that rises and falls smoothly, (200,)."""
    return 250.0 + 50_000.0 * np.exp(-0.5 * ((np.arange(200) - 100.0) / 30.0) ** 2)


def test_without_attenuated_bins_nothing_changes():
    rate = curve()
    assert without_attenuator(rate, np.zeros(200, dtype=int), joined(200)) is rate


def test_attenuated_run_is_brought_back():
    rcr = np.zeros(200, dtype=int)
    rcr[80:120] = 1
    measured = np.where(rcr > 0, curve() / 40.0, curve())
    before = measured.copy()
    assert without_attenuator(measured, rcr, joined(200)) == pytest.approx(curve(), rel=0.15)
    assert (measured == before).all()


def test_several_states_are_brought_back():
    rcr = np.zeros(200, dtype=int)
    rcr[70:85], rcr[85:115], rcr[115:130] = 1, 3, 1
    measured = curve() / np.select([rcr == 1, rcr == 3], [40.0, 160.0], 1.0)
    assert without_attenuator(measured, rcr, joined(200)) == pytest.approx(curve(), rel=0.3)


@pytest.mark.parametrize("cut", [slice(0, 110), slice(90, 200)])
def test_one_neighbor_is_enough(cut):
    rcr = np.zeros(200, dtype=int)
    rcr[80:120] = 1
    measured = np.where(rcr > 0, curve() / 40.0, curve())[cut]
    mended = without_attenuator(measured, rcr[cut], joined(measured.size))
    assert mended == pytest.approx(curve()[cut], rel=0.15)


def test_beyond_a_gap_there_is_no_neighbor():
    rcr = np.zeros(200, dtype=int)
    rcr[80:] = 1
    measured = np.where(rcr > 0, curve() / 40.0, curve())
    touching = joined(200)
    touching[79] = False
    assert (without_attenuator(measured, rcr, touching) == measured).all()


def test_attenuated_throughout_stays_as_it_is():
    assert (without_attenuator(curve(), np.ones(200, dtype=int), joined(200)) == curve()).all()
