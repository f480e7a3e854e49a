"""``stix-jobs electron-maps`` as others run it: JSON keys, files, exit status."""

import json
import subprocess
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from PIL import Image as Picture

from jobs.cli.parser import main
from stixcore.imaging_spectroscopy.electron_maps import FLUX_UNIT, UNIT
from stixcore.imaging_spectroscopy.electron_recipe import ElectronRecipe


@pytest.fixture(scope="module")
def words(shared_data, tmp_path_factory):
    l1 = shared_data / "nov2022" / "l1"
    (science,), (background,) = l1.glob("*_2211116471-*"), l1.glob("*_2211098157-*")
    (aspect,) = (shared_data / "nov2022" / "aux").glob("*_20221111_*")
    folder = tmp_path_factory.mktemp("electrons")
    return [
        "electron-maps", science, "--background", background, "--aux", aspect, "--archive", folder / "none",
        "--start", "2022-11-11T11:36:00", "--end", "2022-11-11T11:37:00", "--electrons", "15", "25",
        "--method", "clean", "vis_fwdfit", "--out", folder / "out",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def result(words):
    """What one run prints."""
    printed = StringIO()
    with redirect_stdout(printed):
        assert main([str(word) for word in [*words, "--json"]]) == 0
    return json.loads(printed.getvalue())


def test_json_holds_maps_weights_and_verdict(result):
    assert set(result) >= {"electron_id", "verdict", "independent_energies", "chi2_per_dof", "misfit", "units", "files"}
    assert [one["energy_kev"] for one in result["maps"]] == [15.0, 25.0]
    assert len(result["subcollimators"]) == 24
    for one in result["maps"]:
        assert [image["method"] for image in one["images"]] == ["clean", "vis_fwdfit"]
        assert sum(one["weights"]) == pytest.approx(1.0)
        assert len(one["weights"]) == len(result["electron_bins"]["reference"])
        assert one["resolution_kev"] == sorted(one["resolution_kev"])
        assert all(image["unit"] == UNIT for image in one["images"])
    assert {found["code"] for found in result["maps"][1]["findings"]} >= {"electron_resolution"}
    units = result["units"]["maps"]
    images = units["images"]
    fluxes = [
        units["total"],
        units["total_sigma"],
        images["total_flux"],
        images["sources"]["flux"],
        images["sigma"]["flux"],
    ]
    assert fluxes == [FLUX_UNIT] * 5
    assert (images["max"], images["sources"]["x"]) == (UNIT, "arcsec")
    record = json.loads(Path(result["files"]["record"]).read_text())
    assert record["maps"][0]["images"][0]["file"] == Path(result["files"]["15keV clean"]).name
    assert ElectronRecipe.from_json(json.dumps(record["recipe"])).electron_id == result["electron_id"]


def test_files_are_images_in_units_of_electrons(result):
    import sunpy.map

    for one in result["maps"]:
        for image in one["images"]:
            loaded = sunpy.map.Map(image["file"])  # warnings are errors here
            assert float(loaded.data.max()) == pytest.approx(image["max"], rel=1e-6)
            assert loaded.unit.to("m-2 s-1 keV-1 arcsec-2") == pytest.approx(1e54)
            with fits.open(image["file"]) as hdus:
                header = hdus[0].header
                assert header["ELECENER"] == one["energy_kev"]
                assert header["ELECFLUX"] == pytest.approx(one["total"])
                assert header["ELECCONT"] == pytest.approx(one["contrast"])
                assert "1E50" in header.comments["TOTFLUX"]
                assert "RECIPE" not in hdus
                text = json.dumps(result["recipe"], sort_keys=True, separators=(",", ":"))
                assert hdus["ELECTRON_RECIPE"].data["recipe"][0] == text
                np.testing.assert_allclose(hdus["ELECTRONS"].data["weight"], one["weights"])
                assert hdus["VISIBILITIES"].columns["real"].unit == FLUX_UNIT
                assert hdus["CHANNELS"].data["used"].sum() == 11
                if image["method"] == "vis_fwdfit":
                    assert hdus["SOURCES"].columns["flux"].unit == FLUX_UNIT


@pytest.mark.needs_fitsverify
def test_fitsverify_finds_nothing(result):
    for name, path in result["files"].items():
        if path.endswith(".fits"):
            report = subprocess.run(["fitsverify", "-q", path], capture_output=True, text=True, check=False)
            assert report.stdout.startswith("verification OK"), f"{name}: {report.stdout}"


def test_pictures_have_a_map_for_each_energy(result):
    picture = np.asarray(Picture.open(result["files"]["picture clean"]))
    width = picture.shape[1] // 2
    first, second = (picture[90:450, k * width + 80 : (k + 1) * width - 20] for k in range(2))
    assert first.max() > 200
    assert second.max() > 200
    assert not np.array_equal(first, second)


def test_in_words(stix_jobs, words, tmp_path):
    one_method = [word for word in words if word != "vis_fwdfit"]
    status, out, _ = stix_jobs(*one_method, "--fit", "none", "--out", tmp_path)
    assert status == 0
    assert "photons of 10-28 keV, 11 channels" in out
    assert "independent energies" in out
    assert "the channels do not resolve electrons of 25 keV" in out


def test_impossible_energies_are_refused(stix_jobs, words, tmp_path):
    status, _, error = stix_jobs(*words, "--electrons", "30", "20", "--out", tmp_path)
    assert status != 0
    assert "ascending electron energies" in error
