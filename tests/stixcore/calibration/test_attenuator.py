import numpy as np
import pytest

from stixcore.calibration.attenuator import TRANSMISSIONS, without_attenuator


def test_only_the_part_above_the_quiet_level_is_scaled():
    rate = np.array([240.0, 250.0, 322.6, 200.0])
    corrected = without_attenuator(rate, 250.0, 0.726)
    assert corrected == pytest.approx([240.0, 250.0, 350.0, 200.0])


def test_a_flare_behind_the_attenuator_is_found_again():
    quiet, flare, transmission = 240.0, np.array([0.0, 10.0, 500.0]), 0.934
    assert without_attenuator(quiet + transmission * flare, quiet, transmission) == pytest.approx(quiet + flare)


def test_transmissions_follow_from_the_table_of_the_ground_software(shared_data):
    path = shared_data / "spectroscopy" / "tables" / "transmission_20251110.csv"
    if not path.exists():
        pytest.skip(f"{path} is absent")
    energy, window, _, attenuator = np.loadtxt(path, delimiter=",", skiprows=1).T

    def at(photon, column):
        return np.exp(np.interp(np.log(photon), np.log(energy), np.log(column)))

    def range_of(low, high):
        photon = np.geomspace(low, high, 2000)
        values = []
        for index in (2.0, 8.0):
            weight = photon ** (1.0 - index) * at(photon, window)  # E^-γ dE on a logarithmic grid
            values.append(float((weight * at(photon, attenuator)).sum() / weight.sum()))
        return values

    for band in TRANSMISSIONS:
        hard, soft = range_of(band.low, band.high)
        assert 0.5 * (hard + soft) == pytest.approx(band.middle, abs=0.001)
        assert 0.5 * (hard - soft) == pytest.approx(band.spread, abs=0.001)
    # a band is corrected only where the spectrum changes little
    assert all(band.spread / band.middle < 0.07 for band in TRANSMISSIONS)
    hard, soft = range_of(15.0, 25.0)
    assert (hard - soft) / (hard + soft) > 0.15
