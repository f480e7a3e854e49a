"""Spectra from files: the M1.2 flare of 2022-11-11, and what happens where something is missing."""

from dataclasses import replace

import numpy as np
import pytest

from stixcore.coordinates import ASTRONOMICAL_UNIT, SOLAR_RADIUS
from stixcore.errors import CalibrationError, InvalidProduct, SelectionError
from stixcore.measure_spectrum import SpectrumRequest, measure_recipe, measure_spectrum
from stixcore.references import TableReference
from stixcore.spectra.fit.verdict import WORST_CHI2
from stixcore.spectra.models.thermal import KEV_PER_MK
from stixcore.spectrum_recipe import SpectrumRecipe

START, END = (np.datetime64(f"2022-11-11T11:{minute}:00", "us") for minute in (36, 38))


@pytest.fixture(scope="module")
def files(shared_data):
    """Science, background and auxiliary file."""
    l1 = shared_data / "nov2022" / "l1"
    (science,), (background,) = l1.glob("*_2211116471-*"), l1.glob("*_2211098157-*")
    (aspect,) = (shared_data / "nov2022" / "aux").glob("*_20221111_*")
    return science, background, (aspect,)


@pytest.fixture(scope="module")
def measured(files):
    return measure_spectrum(SpectrumRequest(start=START, end=END), *files)


def test_the_flare_has_a_hot_plasma_and_electrons(measured):
    fit = measured.fit
    assert fit.model == "vth+thick2"
    assert fit.energy.low == 4
    assert fit.reduced_chi2 < WORST_CHI2
    assert fit.verdict == "trusted"
    # class M1.2: the temperatures and emission measures of such flares
    assert 15 < fit.parameters["T_keV"].value / KEV_PER_MK < 22
    assert 0.05 < fit.parameters["EM_1e49_cm3"].value < 0.5
    assert 4 < fit.parameters["delta"].value < 6


def test_response_and_albedo_are_for_the_place_of_the_flare(measured):
    assert (measured.location.x, measured.location.y) == pytest.approx((825.1, 144.7), abs=2)  # as the image
    assert measured.response.place == pytest.approx((72.7, -826.5), abs=2)
    rho = np.hypot(825.1, 144.7) / 206264.8
    # sin θ = D sin ρ / R☉, less ρ
    angle = np.degrees(np.arcsin(np.sin(rho) * measured.distance * ASTRONOMICAL_UNIT / SOLAR_RADIUS) + rho)
    assert measured.fit.albedo_angle == pytest.approx(angle, abs=0.5)
    assert measured.distance == pytest.approx(0.622, abs=0.001)


def test_distance_from_the_header_where_no_auxiliary_file_is_given(files, measured):
    science, background, _ = files
    request = SpectrumRequest(start=START, end=END, model="none", location=(825.1, 144.7))
    alone = measure_spectrum(request, science, background)
    assert alone.fit is None
    assert alone.no_fit == ""
    assert alone.distance == pytest.approx(measured.distance, rel=1e-3)
    np.testing.assert_array_equal(alone.spectrum.counts, measured.spectrum.counts)


def test_a_spectrogram_needs_a_location_for_the_albedo(shared_data):
    (path,) = (shared_data / "spectroscopy" / "files").glob("*_2303197888-*")
    start = np.datetime64("2023-03-19T18:03:40", "us")
    request = SpectrumRequest(start=start, end=start + np.timedelta64(30, "s"), model="vth+thick2")
    blind = measure_spectrum(request, path)
    assert blind.location is None
    assert any("for a flare at Sun centre" in doubt for doubt in blind.doubts)
    assert any(doubt.code == "fit.no-albedo" for doubt in blind.fit.doubts)
    placed = measure_spectrum(replace(request, model="vth", location=(300.0, -200.0)), path)
    assert placed.fit.albedo_angle > 0
    assert not any("Sun centre" in doubt for doubt in placed.doubts)


def test_too_little_signal_is_a_reason_not_an_error(files):
    """The end of a file, with the minutes before as background."""
    science, _, aspect = files
    start = np.datetime64("2022-11-11T12:10:00", "us")
    end = start + np.timedelta64(60, "s")
    part = (start - np.timedelta64(2, "m"), start - np.timedelta64(1, "m"))
    weak = measure_spectrum(SpectrumRequest(start=start, end=end, background_range=part), science, science, aspect)
    assert weak.fit is None
    assert "a fit needs at least 4 channels" in weak.no_fit
    with pytest.raises(SelectionError, match="is its own background"):
        measure_spectrum(SpectrumRequest(start=start, end=end), science, science, aspect)


def test_wrong_options_are_named(files):
    science, background, aspect = files
    cases = {
        "model must be": {"model": "hot"},
        "no parameter 'tempo'": {"fixed": {"tempo": 1.0}},
        "angle must be 0 to 90": {"angle": 120.0},
        "a lower and a higher energy": {"energy": (20.0, 10.0)},
    }
    for words, options in cases.items():
        with pytest.raises(SelectionError, match=words):
            measure_spectrum(SpectrumRequest(start=START, end=END, **options), science, background, aspect)
    with pytest.raises(InvalidProduct, match="aux-ephemeris"):
        measure_spectrum(SpectrumRequest(start=START, end=END), aspect[0])


def test_the_recipe_of_a_spectrum_gives_the_same_numbers(measured, files):
    science, background, (aspect,) = files
    paths = {path.name: path for path in (science, background, aspect)}
    recipe = SpectrumRecipe.from_json(measured.recipe.to_json())
    assert recipe.location.found_by.startswith("full_disk_bp")
    again = measure_recipe(recipe, lambda reference: paths[reference.name])
    np.testing.assert_array_equal(again.spectrum.counts, measured.spectrum.counts)
    np.testing.assert_array_equal(again.response.matrix, measured.response.matrix)
    assert again.fit.parameters == measured.fit.parameters
    assert (again.fit.chi2, again.doubts) == (measured.fit.chi2, measured.doubts)
    assert again.recipe.spectrum_id == measured.recipe.spectrum_id


def test_a_recipe_is_refused_where_an_input_differs(measured, files):
    science, background, (aspect,) = files
    paths = {path.name: path for path in (science, background, aspect)}

    def measure(**changes):
        return measure_recipe(replace(measured.recipe, **changes), lambda reference: paths[reference.name])

    with pytest.raises(InvalidProduct, match="as in the recipe"):
        measure(background=replace(measured.recipe.background, sha256="0" * 64))
    with pytest.raises(CalibrationError, match="the recipe needs the thermal table CHIANTI 7"):
        measure(thermal=TableReference("CHIANTI 7", "0" * 64))
    with pytest.raises(SelectionError, match="has revision 0"):
        measure(revision=0)
