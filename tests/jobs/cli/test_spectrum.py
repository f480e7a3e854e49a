"""``stix-jobs spectrum`` as others run it: options, JSON keys, files, exit status."""

import json

import numpy as np
import pytest

from stixcore.measure_spectrum import SpectrumRequest, measure_spectrum
from stixcore.spectra.files import read_response_file, read_spectrum_file

CONTRACT = {"time_range", "energy_kev", "counts", "rate", "sigma", "livetime_s", "area_cm2", "response", "fit", "files"}


@pytest.fixture
def words(shared_data, tmp_path):
    l1 = shared_data / "nov2022" / "l1"
    (science,), (background,) = l1.glob("*_2211116471-*"), l1.glob("*_2211098157-*")
    (aspect,) = (shared_data / "nov2022" / "aux").glob("*_20221111_*")
    return [
        "spectrum", science, "--background", background, "--aux", aspect, "--archive", tmp_path / "none",
        "--start", "2022-11-11T11:36:00", "--end", "2022-11-11T11:38:00", "--out", tmp_path / "out",
    ]  # fmt: skip


def test_json_holds_what_the_contract_names(stix_jobs, words):
    status, out, _ = stix_jobs(*words, "--format", "all", "--json")
    result = json.loads(out)
    assert status == 0
    assert set(result) >= CONTRACT
    n = len(result["energy_kev"])
    assert all(len(result[key]) == n for key in ("counts", "rate", "sigma", "background", "systematic"))
    assert result["area_cm2"] == pytest.approx(24 * 8 * 0.096195, rel=1e-6)
    np.testing.assert_allclose(np.array(result["rate"]) * result["livetime_s"], result["counts"])
    response = result["response"]
    assert response["attenuator"] is False
    assert (response["scheme"], response["tailing"]) == ("gsw-2026", False)
    assert response["counts_kev"] == [low for low, _ in result["energy_kev"]] + [result["energy_kev"][-1][1]]
    assert len(response["photon_kev"]) == 3211
    fit = result["fit"]
    assert set(fit["parameters"]) == {"T_keV", "EM_1e49_cm3", "norm_1e35_per_s", "delta", "e_cut_keV"}
    assert all(set(value) >= {"value", "sigma_minus", "sigma_plus"} for value in fit["parameters"].values())
    assert {"model", "chi2", "ndof"} <= set(fit)
    assert len(fit["residuals"]) == len(fit["used"]) == n
    assert set(result["files"]) == {"spectrum", "response", "pha", "background", "rmf", "arf"}


def test_files_hold_the_spectrum_that_was_fitted(stix_jobs, words, tmp_path):
    _, out, _ = stix_jobs(*words, "--format", "all", "--json")
    result = json.loads(out)
    files = result["files"]
    net, background = np.array(result["counts"]), np.array(result["background"])
    flux = np.ones(len(result["response"]["photon_kev"]) - 1)
    for spectrum, counts in (("spectrum", net), ("pha", net + background), ("background", background)):
        np.testing.assert_allclose(read_spectrum_file(files[spectrum]).counts[0], counts, rtol=1e-5)
    pair, split = read_response_file(files["response"]), read_response_file(files["rmf"], files["arf"])
    # the pair contains 1/D², the split does not
    np.testing.assert_allclose(pair.fold(flux) * result["distance_au"] ** 2, split.fold(flux), rtol=1e-5)
    assert (pair.scheme, pair.tailing) == (split.scheme, split.tailing) == ("gsw-2026", False)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(
        path.rsplit("/", 1)[-1] for path in set(files.values())
    )


def test_in_words(stix_jobs, words):
    status, out, _ = stix_jobs(*words, "--fit", "vth", "--fixed", "T_keV=1.5", "--energy", "4", "10")
    assert status == 0
    assert "vth, 4-10 keV, χ²" in out
    assert "T_keV              1.5 (fixed) keV" in out
    assert "\\n" not in out
    status, out, _ = stix_jobs(*words, "--fit", "none")
    assert status == 0
    assert "vth" not in out


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--fixed", "T_keV"], "--fixed: expected NAME=VALUE with a number, found 'T_keV'"),
        (["--fixed", "T_keV=hot"], "found 'T_keV=hot'"),
        (["--fit", "sun"], "model must be auto or up to 4 of vth, thick2, thin2 joined by '+', found 'sun'"),
        (["--pixels", "12"], "pixels must be different indices from 0 to 11, found [12]"),
        (["--detectors", "8"], "8 is the flare locator, which has no response"),
        (["--fit", "none", "--fixed", "T_keV=1.5"], "--fixed 'T_keV=1.5': nothing is fitted with --fit none"),
        (["--energy", "30", "40"], "a fit needs at least 4 channels, the range has 0"),
    ],
)
def test_wrong_options_are_named_and_nothing_is_written(stix_jobs, words, tmp_path, options, sentence):
    status, _, error = stix_jobs(*words, *options)
    assert status == 1
    assert sentence in error
    assert not (tmp_path / "out").exists()


def test_a_file_as_folder_is_refused_before_anything_is_measured(stix_jobs, words, tmp_path):
    """The science file does not exist: it would be named first."""
    target = tmp_path / "out"
    target.write_text("kept")
    status, _, error = stix_jobs(words[0], "missing.fits", *words[2:])
    assert status == 1
    assert f"--out: {target} is a file; name a folder" in error
    assert target.read_text() == "kept"


def test_the_command_gives_what_the_function_gives(stix_jobs, words):
    _, out, _ = stix_jobs(*words, "--fit", "vth", "--tailing", "--scheme", "gsw-2022", "--json")
    result = json.loads(out)
    start, end = (np.datetime64(words[words.index(word) + 1], "us") for word in ("--start", "--end"))
    request = SpectrumRequest(start=start, end=end, model="vth", tailing=True, scheme="gsw-2022")
    measured = measure_spectrum(request, words[1], words[3], [words[5]])
    assert result["fit"]["chi2"] == pytest.approx(measured.fit.chi2, rel=1e-9)
    assert (result["response"]["scheme"], result["response"]["tailing"]) == ("gsw-2022", True)
