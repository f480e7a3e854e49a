"""``stix-jobs component-images`` as others run it: options, JSON keys, files, exit status."""

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
from jobs.components.figure import LEVELS, contour_lines
from stixcore.imaging_spectroscopy.component_recipe import ComponentRecipe


@pytest.fixture(scope="module")
def science(shared_data):
    l1 = shared_data / "nov2022" / "l1"
    (science,), (background,) = l1.glob("*_2211116471-*"), l1.glob("*_2211098157-*")
    (aspect,) = (shared_data / "nov2022" / "aux").glob("*_20221111_*")
    return [science, "--background", background, "--aux", aspect]


@pytest.fixture(scope="module")
def words(science, tmp_path_factory):
    folder = tmp_path_factory.mktemp("components")
    return [
        "component-images", *science, "--archive", folder / "none", "--start", "2022-11-11T11:36:00",
        "--end", "2022-11-11T11:37:00", "--energy", "4", "28", "--method", "clean", "mem_ge", "--out", folder / "out",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def result(words):
    """What one run prints."""
    printed = StringIO()
    with redirect_stdout(printed):
        assert main([str(word) for word in [*words, "--json"]]) == 0
    return json.loads(printed.getvalue())


def test_json_holds_images_weights_and_verdict(result):
    assert set(result) >= {"component_id", "verdict", "condition", "chi2", "ndof", "misfit", "fit", "units", "files"}
    assert [one["component"] for one in result["components"]] == ["vth", "thick2"]
    used = [channel for channel in result["channels"] if channel["used"]]
    assert all(sum(channel["weights"]) == pytest.approx(1.0) for channel in used)
    assert all(channel["reason"] for channel in result["channels"] if not channel["used"])
    assert result["ndof"] == 2 * 24 * (len(used) - 2)
    assert sum(one["chi2"] for one in result["subcollimators"]) == pytest.approx(result["chi2"])
    assert sum(channel["chi2"] for channel in used) == pytest.approx(result["chi2"])
    assert sum(channel["ndof"] for channel in used) == pytest.approx(result["ndof"])
    for one in result["components"]:
        assert [image["method"] for image in one["images"]] == ["clean", "mem_ge"]
        assert all(value["sigma"] > value["sigma_counting"] > 0 for value in one["visibilities"])
    record = json.loads(Path(result["files"]["record"]).read_text())
    assert record["components"][0]["images"][0]["file"] == Path(result["files"]["vth clean"]).name
    assert ComponentRecipe.from_json(json.dumps(record["recipe"])).component_id == result["component_id"]


def test_files_are_images_of_components(result):
    import sunpy.map

    for component in result["components"]:
        for image in component["images"]:
            loaded = sunpy.map.Map(image["file"])  # warnings are errors here
            assert float(loaded.data.max()) == pytest.approx(image["max"], rel=1e-6)
            with fits.open(image["file"]) as hdus:
                header = hdus[0].header
                assert header["COMPONEN"] == component["component"]
                assert header["COMPID"] == result["component_id"]
                assert header["COMPCHI2"] == pytest.approx(result["chi2"])
                assert "RECIPEID" not in header
                assert "RECIPE" not in hdus
                assert hdus["COMPONENT_RECIPE"].data["recipe"][0] == _canonical(result["recipe"])
                weights = hdus["WEIGHTS"].data
                shares = np.array([weights[f"weight_{one['component']}"] for one in result["components"]])
                np.testing.assert_allclose(shares[:, weights["used"]].sum(axis=0), 1.0)
                assert np.isnan(shares[:, ~weights["used"]]).all()
                table, vis = hdus["SEPARATION"].data, hdus["VISIBILITIES"].data
                flux, label = component["flux"], component["component"]
                np.testing.assert_allclose(vis["real"], flux * table[f"real_{label}"], rtol=1e-12)
                np.testing.assert_allclose(vis["sigma"], flux * table[f"sigma_{label}"], rtol=1e-12)


def _canonical(recipe):
    return json.dumps(recipe, sort_keys=True, separators=(",", ":"))


@pytest.mark.needs_fitsverify
def test_fitsverify_finds_nothing(result):
    for name, path in result["files"].items():
        if path.endswith(".fits"):
            report = subprocess.run(["fitsverify", "-q", path], capture_output=True, text=True, check=False)
            assert report.stdout.startswith("verification OK"), f"{name}: {report.stdout}"


def test_pictures_have_a_map_for_each_component_and_one_for_all(result):
    picture = np.asarray(Picture.open(result["files"]["picture mem_ge"]))
    width = picture.shape[1] // 3
    first, second, contours = (picture[90:450, k * width + 80 : (k + 1) * width - 20] for k in range(3))
    assert first.max() > 200
    assert second.max() > 200
    assert not np.array_equal(first, second)
    for color in ((230, 159, 0), (86, 180, 233)):
        assert (np.abs(contours.astype(int) - color).sum(axis=2) < 30).sum() > 100


def test_contours_are_at_fractions_of_the_maximum():
    x, y = np.arange(-30.0, 31.0), np.arange(-20.0, 21.0)
    lines = contour_lines(5.0 * np.exp(-(x[None, :] ** 2 + y[:, None] ** 2) / 100.0), x, y)
    radii = [np.hypot(*line.T).mean() for line in lines]
    assert radii == pytest.approx([np.sqrt(-100.0 * np.log(level)) for level in LEVELS], abs=0.1)
    assert contour_lines(np.zeros((41, 61)), x, y) == []


def test_in_words(stix_jobs, words, tmp_path):
    one_method = [word for word in words if word != "mem_ge"]
    status, out, _ = stix_jobs(*one_method, "--copies", "2", "--out", tmp_path)
    assert status == 0
    assert "separation trusted: condition number" in out
    assert "thick target: " in out
    assert "CLEAN" in out
    assert "MEM_GE" not in out


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--fit", "vth"], "the model of the spectrum is vth, a single component"),
        (["--fit", "none"], "component images need a spectrum with a model"),
        (["--energy", "20", "22"], "2 components need at least as many channels"),
        (["--least-counts", "0"], "least_counts must be positive, found 0"),
    ],
)
def test_what_cannot_be_done_is_said(stix_jobs, words, options, sentence):
    status, out, err = stix_jobs(*words, *options)
    assert status == 1
    assert sentence in err
    assert out == ""
