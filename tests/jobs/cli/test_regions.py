"""``stix-jobs regions`` as others run it: options, JSON keys, files, exit status."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image as Picture

from jobs.regions.command import region_option
from stixcore.imaging_spectroscopy.region_recipe import RegionRecipe, read_region
from stixcore.spectra.files import read_response_file, read_spectrum_file

CONTRACT = {
    "region_id", "simulated", "time_range", "requested", "method", "energy_kev", "imaged", "not_imaged", "least_counts",
    "copies", "whole", "scale", "regions", "outside", "doubts", "livetime_s", "area_cm2", "distance_au", "response",
    "units", "files",
}  # fmt: skip
NORTH, SOUTH = ["north", 813, 173, 18], ["south", 832, 130, 18]


@pytest.fixture
def words(shared_data, tmp_path):
    l1 = shared_data / "nov2022" / "l1"
    (science,), (background,) = l1.glob("*_2211116471-*"), l1.glob("*_2211098157-*")
    (aspect,) = (shared_data / "nov2022" / "aux").glob("*_20221111_*")
    return [
        "regions", science, "--background", background, "--aux", aspect, "--archive", tmp_path / "none",
        "--start", "2022-11-11T11:36:00", "--end", "2022-11-11T11:37:00", "--out", tmp_path / "out",
        "--location", 823.158, 147.763, "--shape", 65, "--energy", 6, 11, "--fit", "vth",
    ]  # fmt: skip


def test_json_holds_what_the_contract_names(stix_jobs, words, tmp_path):
    options = ["--circle", *NORTH, "--circle", *SOUTH, "--copies", 3, "--model", "north=none"]
    status, out, _ = stix_jobs(*words, *options, "--json")
    result = json.loads(out)
    assert status == 0
    assert set(result) >= CONTRACT
    n = len(result["energy_kev"])
    assert sum(result["imaged"]) == 5
    assert all(len(result[key]) == n for key in ("imaged", "not_imaged", "scale"))
    north, south = result["regions"]
    assert (north["name"], north["fit"], north["no_fit"]) == ("north", None, None)
    assert south["fit"]["model"] == "vth"
    assert read_region(south["shape"]).radius == 18
    for key in ("flux", "flux_sigma", "fraction", "fraction_sigma", "counts", "sigma"):
        assert [value is not None for value in south[key]] == result["imaged"]
    parts = [north, south, result["outside"]]
    total = [sum(values) for values in zip(*(part["counts"] for part in parts), strict=True) if None not in values]
    whole = [c for c, image in zip(result["whole"]["counts"], result["imaged"], strict=True) if image]
    assert total == pytest.approx(whole)
    assert set(result["files"]) == {"spectrum north", "spectrum south", "response", "table", "picture", "record"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        path.rsplit("/", 1)[-1] for path in result["files"].values()
    }


def test_files_hold_the_spectra(stix_jobs, words, tmp_path):
    _, out, _ = stix_jobs(*words, "--circle", *NORTH, "--copies", 2, "--json")
    result, out_folder = json.loads(out), tmp_path / "out"
    counts = np.array([value or 0.0 for value in result["regions"][0]["counts"]])
    written = read_spectrum_file(out_folder / "stx_spectrum_1_north.fits")
    np.testing.assert_allclose(written.counts[0], counts, rtol=1e-5)
    response = read_response_file(out_folder / "stx_srm.fits")
    assert response.scheme == "gsw-2026"
    record = json.loads((out_folder / "regions.json").read_text("utf-8"))
    assert RegionRecipe.from_json(json.dumps(record["recipe"])).region_id == result["region_id"]
    table = pq.read_table(out_folder / "regions.parquet")
    assert table["region"].to_pylist() == ["north"] * 5 + ["outside"] * 5
    np.testing.assert_allclose(table["counts"].to_numpy()[:5], counts[counts != 0.0])
    assert table.schema.field("counts").metadata[b"unit"] == b"ct"
    with Picture.open(out_folder / "regions.png") as picture:
        assert picture.size[0] > 1000


def test_the_record_can_be_used_again(stix_jobs, words, tmp_path):
    """Regions are read from the record of an earlier run, and give the same numbers."""
    stix_jobs(*words, "--circle", *NORTH, "--ellipse", "south", 832, 130, 20, 15, 30, "--copies", 2, "--json")
    record = json.loads((tmp_path / "out" / "regions.json").read_text("utf-8"))
    _, out, _ = stix_jobs(*words, "--regions", tmp_path / "out" / "regions.json", "--copies", 2, "--json")
    assert json.loads(out)["region_id"] == record["region_id"]
    assert json.loads(out)["regions"][1]["counts"] == record["regions"][1]["counts"]


def test_sources_are_fitted(stix_jobs, words):
    status, out, _ = stix_jobs(*words, "--method", "vis_fwdfit", "--sources", "16-28:2", "--json")
    result = json.loads(out)
    assert status == 0
    assert result["outside"] is None
    first, second = (region["shape"] for region in result["regions"])
    assert [region["name"] for region in result["regions"]] == ["16-28 keV 1", "16-28 keV 2"]
    assert first["x"] < second["x"]  # east first
    assert min(first["radius"], second["radius"]) >= 7.3


def test_text_says_what_was_found(stix_jobs, words):
    _, out, _ = stix_jobs(*words, "--contour", "bright", 0.5, "--copies", 2)
    assert "clean, 5 channels with an image, 6-11 keV" in out
    shares = [int(line.split()[-4].rstrip("%")) for line in out.splitlines() if line.endswith("% of the counts")]
    assert len(shares) == 2
    assert sum(shares) == pytest.approx(100, abs=1)  # rounded
    assert "vth, χ²" in out


def test_a_forward_fit_has_nothing_outside(stix_jobs, words):
    _, out, _ = stix_jobs(*words, "--circle", *NORTH, "--circle", *SOUTH, "--copies", 2, "--method", "vis_fwdfit")
    assert "north: " in out
    assert "outside" not in out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "no region: give --circle"),
        (["--circle", "a", "x", 1, 2], "--circle: expected numbers after the name, found 'x 1 2'"),
        (["--polygon", "a", 1, 2, 3], "--polygon 'a': expected pairs of x and y, found 3 numbers"),
        (["--contour", "a", 0.5, 3], "--contour 'a': expected LEVEL or LEVEL X Y, found 2 numbers"),
        (["--sources", "16:2"], "--sources: expected LO-HI:N, such as 16-28:2, found '16:2'"),
        (["--circle", *NORTH, "--model", "north"], "--model: expected NAME=MODEL, found 'north'"),
        (["--circle", *NORTH, "--model", "west=vth"], "there is no region 'west'"),
        (["--circle", "a", 0, 0, 10], "region 'a' is outside the map"),
        (["--polygon", "a", *[820, 140, 840, 140, 840, 160], "--method", "vis_fwdfit"], "the sources are circles"),
        (["--circle", *NORTH, "--circle", *NORTH], "two regions have the name 'north'"),
        (["--circle", *NORTH, "--fit", "hot"], "hot"),
        (["--circle", *NORTH, "--least-counts", 0], "least_counts must be positive"),
        (["--circle", *NORTH, "--shape", 2000], "images of 2000 pixels a side, 16 to 1024 are possible"),
        (["--circle", *NORTH, "--pixel", "nan"], "pixels of nan arcsec"),
        (["--circle", *NORTH, "--copies", 1], "an ensemble of 1 copies"),
        (["--circle", "a", 99999, 0, 10, "--method", "vis_fwdfit"], "'a': its centre (99999, 0) is outside the map"),
        (["--circle", *NORTH, "--least-counts", 1e30], "no channel between 6 and 11 keV can be imaged; the one with"),
        (["--contour", "a", 0.5, "nan", 0], "region 'a': x must be a finite number, found nan"),
    ],
)
def test_what_is_wrong_is_named(stix_jobs, words, options, message):
    status, _, errors = stix_jobs(*words, *options)
    assert status == 1
    assert message in errors


@pytest.mark.parametrize("command", ["regions", "component-images"])
def test_a_file_as_folder_is_refused_before_anything_is_measured(stix_jobs, words, tmp_path, command):
    """The science file does not exist: it would be named first."""
    target = tmp_path / "kept.txt"
    target.write_text("kept")
    status, _, errors = stix_jobs(command, "missing.fits", *words[2:], "--out", target)
    assert status == 1
    assert f"--out: {target} is a file; name a folder" in errors
    assert target.read_text() == "kept"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "expected a JSON list of regions"),
        ("[]", "expected a JSON list of regions"),
        ('[{"shape": "square", "name": "a"}]', "region 'a': shape must be one of"),
        ('[{"shape": "circle", "name": "a", "x": 1, "y": 2}]', "region 'a': radius is missing"),
        ('[{"shape": ["circle"], "name": "a"}]', "region 'a': shape must be one of"),
        (f'[{{"shape": "circle", "name": "a", "x": 1{"0" * 400}, "y": 2, "radius": 3}}]', "x: expected a number"),
        (r'[{"shape": "circle", "name": "\ud800", "x": 1, "y": 2, "radius": 3}]', "all of them printable"),
    ],
)
def test_a_damaged_file_of_regions_is_named(stix_jobs, words, tmp_path, text, message):
    (tmp_path / "mine.json").write_text(text, "utf-8")
    status, _, errors = stix_jobs(*words, "--regions", tmp_path / "mine.json")
    assert status == 1
    assert "mine.json" in errors
    assert message in errors


def test_the_command_of_a_region_reads_back(stix_jobs, words):
    """Options of the command give the regions that it was made from."""
    drawn = ["--circle", *NORTH, "--polygon", "p", 830, 120, 845.5, 120, 840, 140, "--contour", "c", 0.9]
    _, out, _ = stix_jobs(*words, *drawn, "--fit", "none", "--copies", 0, "--json")
    shapes = [read_region(region["shape"]) for region in json.loads(out)["regions"]]
    options = [word for shape in shapes for word in region_option(shape)]
    assert options == [str(word) for word in drawn]
