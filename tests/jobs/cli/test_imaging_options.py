"""Every imaging option is an argument of ``stix-jobs image``, with the default of its declaration."""

import argparse
from dataclasses import fields

import pytest

from jobs.cli.imaging_options import add_imaging_options, imaging_options
from jobs.shared.errors import BadRequest
from stixcore.calibration.energy import EdgeCorrection
from stixcore.calibration.grids import AmplitudeScheme
from stixcore.coordinates import Pointing, PointingSource
from stixcore.fits.windows import WindowRule
from stixcore.imaging.clean import CleanParameters
from stixcore.imaging.methods import default_methods
from stixcore.imaging.reconstruction import Method
from stixcore.instrument.geometry import PixelSet
from stixcore.options import ImagingOptions, ShiftBins, default_clean

#: Words of a command line → the option that they set.
WORDS = {
    "--method bp": {"methods": {Method.BP: default_methods()[Method.BP]}},
    "--location 10 -20.5": {"location": (10.0, -20.5)},
    "--pointing 1 2 3": {"pointing": Pointing(PointingSource.MANUAL, 1.0, 2.0, 3.0)},
    "--shape 64": {"shape": (64, 64)},
    "--pixel 3": {"pixel": 3.0},
    "--subcollimators 3a 10b": {"subcollimators": ("3a", "10b")},
    "--pixel-set SMALL": {"pixel_set": PixelSet.SMALL},
    "--amplitude-scheme gsw-2021": {"amplitude_scheme": AmplitudeScheme.GSW_2021},
    "--edge-correction none": {"edge_correction": EdgeCorrection.NONE},
    "--bins outward": {"window_rule": WindowRule.OUTWARD},
    "--exact": {"exact": True},
    "--shift-bins off": {"shift_bins": ShiftBins.OFF},
    "--ensemble 30": {"ensemble": 30},
    "--ensemble 30 --seed 7": {"ensemble": 30, "seed": 7},
}


def options_of(text: str) -> ImagingOptions:
    parser = argparse.ArgumentParser()
    add_imaging_options(parser)
    return imaging_options(parser.parse_args(text.split()))


def test_without_arguments_everything_has_its_default() -> None:
    assert options_of("") == ImagingOptions()


@pytest.mark.parametrize("words", WORDS)
def test_an_argument_sets_its_option_and_no_other(words: str) -> None:
    # the radius of a typed pointing is NaN, which is not equal to itself
    assert repr(options_of(words)) == repr(ImagingOptions(**WORDS[words]))


def test_no_option_is_missing_here() -> None:
    assert {name for option in WORDS.values() for name in option} == {field.name for field in fields(ImagingOptions)}


def test_parameters_of_a_method() -> None:
    chosen = options_of("--method clean em --set clean.gain=0.2 --set clean.weighting=uniform").methods
    assert list(chosen) == [Method.CLEAN, Method.EM]
    clean = chosen[Method.CLEAN]
    assert isinstance(clean, CleanParameters)
    assert (clean.gain, clean.weighting, clean.stop_rule) == (0.2, "uniform", default_clean().stop_rule)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("--seed 7", "seed: has no effect without simulated copies; set ensemble"),
        ("--set gain=1", "expected METHOD.PARAMETER=VALUE, found 'gain=1'"),
        ("--method bp --set clean.gain=1", "clean is not among the methods asked for: bp"),
        ("--set clean.gain=high", "--set: expected a number, found 'high'"),
        ("--set clean.gian=1", "--set: clean has no parameter 'gian'; it has beam_fwhm, gain"),
    ],
)
def test_a_wrong_setting_is_named(words: str, sentence: str) -> None:
    with pytest.raises(BadRequest, match=sentence):
        options_of(words)


def test_parameters_may_follow_the_name_of_a_method() -> None:
    methods = options_of("--method clean:gain=0.05,stop_rule=negative_extreme bp --set clean.beam_fwhm=15").methods
    assert list(methods) == [Method.BP, Method.CLEAN]
    expected = CleanParameters(max_iterations=default_clean().max_iterations, gain=0.05, beam_fwhm=15.0)
    assert methods[Method.CLEAN] == expected
    with pytest.raises(BadRequest, match="clean has no parameter 'power'"):
        options_of("--method clean:power=1")
    with pytest.raises(BadRequest, match="expected METHOD:PARAMETER=VALUE, found 'clean:gain'"):
        options_of("--method clean:gain")
