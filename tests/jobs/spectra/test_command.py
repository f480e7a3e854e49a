"""The command of a request, read by the parser of ``stix-jobs``, asks for the same."""

import shlex

import numpy as np
import pytest

from jobs.cli.parser import build_parser
from jobs.spectra.command import spectrum_command
from stixcore.measure_spectrum import SpectrumRequest

START, END = np.datetime64("2022-11-11T11:36:40.271", "us"), np.datetime64("2022-11-11T11:37:40.271", "us")
PLAIN = SpectrumRequest(start=START, end=END)
FULL = SpectrumRequest(
    start=START,
    end=END,
    model="vth+thick2",
    energy=(6.5, 28.0),
    fixed={"delta": 5.1, "e_cut_keV": 1 / 3},
    statistic="cash",
    scheme="gsw-2022",
    tailing=True,
    detectors=(0, 2, 31),
    pixels=(0, 1),
    location=(-812.25, -1e-5),
    angle=12.5,
    albedo=False,
    background_range=(START, END),
)


def read(command, monkeypatch):
    """The request that the command makes, and its files."""
    seen = {}

    def measure(request, science, background, aspect, **_):
        seen.update(request=request, science=science, background=background, aspect=aspect)
        raise SystemExit

    monkeypatch.setattr("jobs.cli.spectrum.measure_spectrum", measure)
    words = shlex.split(command)
    assert words[0] == "stix-jobs"
    arguments = build_parser().parse_args(words[1:])
    with pytest.raises(SystemExit):
        arguments.command(arguments)
    return seen


@pytest.mark.parametrize("request_", [PLAIN, FULL], ids=["plain", "full"])
def test_the_command_asks_for_the_same(request_, monkeypatch):
    seen = read(spectrum_command(request_, "science.fits", "quiet.fits", ["a.fits", "b.fits"]), monkeypatch)
    assert seen["request"] == request_
    assert [str(seen[key]) for key in ("science", "background")] == ["science.fits", "quiet.fits"]
    assert [str(path) for path in seen["aspect"]] == ["a.fits", "b.fits"]


def test_without_background_and_pointing_and_with_a_name_that_a_shell_would_split(monkeypatch):
    seen = read(spectrum_command(PLAIN, "my flare; rm -r $HOME.fits", None, []), monkeypatch)
    assert str(seen["science"]) == "my flare; rm -r $HOME.fits"
    assert (seen["background"], seen["aspect"]) == (None, [])


def test_a_file_name_is_no_option(monkeypatch):
    assert str(read(spectrum_command(PLAIN, "--tailing", None, ["-v"]), monkeypatch)["science"]) == "--tailing"
