import csv
import math

import numpy as np
import pytest

from stixcore.errors import SelectionError
from stixcore.flares import (
    EstimatedClass,
    class_of_flux,
    estimate_class,
    estimate_from_detector,
    flux_of_class,
)
from stixcore.flares.goes import DETECTOR_COEFFICIENTS, DETECTOR_RANGE, DETECTOR_SCATTER, detector_law, estimated_flux


@pytest.mark.parametrize(
    ("counts", "dsun_au", "logarithm"),
    [
        (1000.0, 1.0, -6.90 + 0.07505 * 3 + 0.07064 * 9),
        (4000.0, 0.5, -6.90 + 0.07505 * 3 + 0.07064 * 9),  # counts fall with the square of the distance
        (100_000.0, 1.0, -6.90 + 0.07505 * 5 + 0.07064 * 25),
    ],
)
def test_law_of_the_data_center(counts, dsun_au, logarithm):
    assert math.log10(estimated_flux(counts, dsun_au)) == pytest.approx(logarithm, abs=1e-12)


def test_range_shifts_the_counts_and_not_the_flux():
    assert estimated_flux(1000.0, 1.0, 0.3) == pytest.approx(estimated_flux(1000.0 * 10**0.3, 1.0))


def test_class_with_its_range():
    # x = 3: 6.6e-7, 9.1e-7, 1.3e-6 W m⁻²
    assert estimate_class(1000.0, 1.0) == EstimatedClass("B7", "B9", "C1.3", 9.14e-7, "counts")


def test_ten_of_a_letter_is_one_of_the_next():
    counts = 1090.0  # 9.6e-7 W m⁻²
    assert 9.5e-7 < estimated_flux(counts, 1.0) < 1e-6
    assert estimate_class(counts, 1.0).center == "C1"
    assert class_of_flux(9.96e-7) == "C1.0"


def test_attenuated_flare_has_a_lower_end_only():
    assert estimate_class(1000.0, 1.0, attenuated=True) == EstimatedClass("B7", source="counts")


@pytest.mark.parametrize(
    ("counts", "dsun_au"), [(0.0, 1.0), (-5.0, 1.0), (math.nan, 1.0), (100.0, math.nan), (1.0, 0.0)]
)
def test_no_estimate_from_nothing(counts, dsun_au):
    assert estimate_class(counts, dsun_au) == EstimatedClass()


@pytest.mark.parametrize(
    ("text", "flux"), [("C3.4", 3.4e-6), ("X28", 2.8e-3), ("B6.1", 6.1e-7), ("A1.0", 1e-8), ("A", None), ("M1", 1e-5)]
)
def test_class_as_flux(text, flux):
    assert flux_of_class(text) == (None if flux is None else pytest.approx(flux, rel=1e-12))


@pytest.mark.parametrize(
    ("flux", "text"), [(3.42e-6, "C3.4"), (2.8e-3, "X28.0"), (6.1e-7, "B6.1"), (3e-9, "A0.3"), (1e-5, "M1.0")]
)
def test_flux_as_class(flux, text):
    assert class_of_flux(flux) == text


@pytest.mark.parametrize("flux", [0.0, -1e-6, math.nan, math.inf])
def test_what_has_no_class(flux):
    with pytest.raises(SelectionError, match="has no GOES class"):
        class_of_flux(flux)


@pytest.mark.parametrize("text", ["", "c3.4", "C", "D1.0", "C3.4x", "C-1", "M1.2.3", "C٣"])
def test_what_is_no_class_is_refused(text):
    if text == "C":
        assert flux_of_class(text) is None  # a letter alone is a class without a number
        return
    with pytest.raises(SelectionError, match="not a GOES class"):
        flux_of_class(text)


def test_estimates_agree_with_goes(shared_data):
    """The 27 flares of C1 and more of November 2022: 22 inside the range, and no bias."""
    with (shared_data / "nov2022/idl/reference_locations.csv").open() as stream:
        flares = [row for row in csv.DictReader(stream) if row["goes_class"][0] in "CMX"]
    net = np.array([float(row["ql_peak_counts_4_10"]) - 239.0 for row in flares])
    dsun = np.array([float(row["solo_distance_au"]) for row in flares])
    measured = np.array([flux_of_class(row["goes_class"]) for row in flares])
    low, center, high = (
        np.array([estimated_flux(n, d, shift) for n, d in zip(net, dsun, strict=True)]) for shift in (-0.3, 0.0, 0.3)
    )
    assert len(flares) == 27
    assert ((low <= measured) & (measured <= high)).sum() >= 22
    assert abs(np.median(np.log10(center / measured))) < 0.1


def test_law_of_the_background_detector():
    a, b = DETECTOR_COEFFICIENTS
    assert math.log10(detector_law(10.0, 1.0)) == pytest.approx(a + b)
    assert detector_law(40.0, 0.5) == pytest.approx(detector_law(10.0, 1.0))  # falls with the square of the distance


def test_range_of_the_estimate_has_the_scatter_of_the_law_and_the_error_of_the_flux():
    exact, noisy = estimate_from_detector(20.0, 0.0, 1.0), estimate_from_detector(20.0, 10.0, 1.0)
    flux = detector_law(20.0, 1.0)
    assert exact.flux == pytest.approx(flux, rel=5e-3)
    assert exact.source == "background detector"
    assert flux_of_class(exact.high) == pytest.approx(flux * 10**DETECTOR_SCATTER, rel=0.05)
    assert flux_of_class(exact.low) == pytest.approx(flux / 10**DETECTOR_SCATTER, rel=0.07)
    assert flux_of_class(noisy.low) < flux_of_class(exact.low)
    assert flux_of_class(noisy.high) > flux_of_class(exact.high)


def test_estimate_is_not_extrapolated():
    faintest, brightest = DETECTOR_RANGE
    assert estimate_from_detector(faintest * 0.51, 0.0, 1.0).center is not None  # 0.29 dex
    assert estimate_from_detector(faintest * 0.49, 0.0, 1.0) == EstimatedClass()
    assert estimate_from_detector(brightest * 1.99, 0.0, 1.0).center is not None
    beyond = estimate_from_detector(brightest * 100, 0.0, 1.0)
    assert (beyond.center, beyond.high, beyond.flux) == (None, None, None)
    assert beyond.low == estimate_from_detector(brightest * 1.9952, 0.0, 1.0).low  # at least this


@pytest.mark.parametrize(("flux", "sigma", "dsun_au"), [(0.0, 0.1, 1.0), (-1.0, 0.1, 1.0), (5.0, math.nan, 1.0)])
def test_no_estimate_from_a_flux_that_is_none(flux, sigma, dsun_au):
    assert estimate_from_detector(flux, sigma, dsun_au) == EstimatedClass()


def test_coefficients_are_those_of_the_fit(shared_data):
    """`benchmarks.goes_law` fits the law to the real flares again."""
    from benchmarks.goes_law import fitted, samples

    law = fitted(list(samples()))
    assert law.n == 63
    assert (law.a, law.b) == (pytest.approx(DETECTOR_COEFFICIENTS[0], abs=5e-4), pytest.approx(0.840, abs=5e-4))
    assert law.scatter == pytest.approx(DETECTOR_SCATTER, abs=5e-4)
    assert law.r > 0.97
    assert (10**law.low, 10**law.high) == pytest.approx(DETECTOR_RANGE, rel=0.01)
