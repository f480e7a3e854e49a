"""The command line as others run it: names, options, JSON keys, exit status."""

import csv
import io
import json
import re
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.units import Unit

from archive import Archive
from archive.index.schema import IMAGES
from jobs.cli.parser import build_parser, main
from stixcore.fits.read import read_pixel_data
from stixcore.image_files.read import read_recipe
from stixcore.imaging.clean import CleanParameters, StopRule
from stixcore.imaging.reconstruction import Method

IMAGE_KEYS = {
    "method", "file", "peak_hpc_x", "peak_hpc_y", "total_flux", "max", "chi2", "n_iter", "stopped_by", "elapsed_s",
    "sources",
}  # fmt: skip


@pytest.fixture
def image_words(science_of, tmp_path):
    science, background, aux, record = science_of(0)
    peak = np.datetime64(record["peak_utc"])
    return [
        "image", science, "--background", background, "--aux", aux,
        "--start", peak - np.timedelta64(30, "s"), "--end", peak + np.timedelta64(30, "s"),
        "--energy", "4", "10", "--out", tmp_path / "out",
    ], record  # fmt: skip


def test_image_json_holds_what_the_contract_names(stix_jobs, image_words):
    words, record = image_words
    status, out, _ = stix_jobs(*words, "--json", "--method", "bp", "clean", "--ensemble", "3")
    result = json.loads(out)
    assert status == 0
    assert set(result) >= {
        "recipe_id", "location", "pointing", "counts", "visibilities", "images", "elapsed_s",
    }  # fmt: skip
    assert set(result["location"]) >= {"hpc_x", "hpc_y", "stix_x", "stix_y", "sidelobe_ratio", "method"}
    assert set(result["pointing"]) == {"source", "roll_deg", "x_arcsec", "y_arcsec"}
    assert result["pointing_scatter"]["sigma_arcsec"] >= 4.0
    assert result["pointing_scatter"]["rejected"] == 0
    (used,) = (one for one in result["pointings"] if one["used"])
    assert (used["source"], used["x_arcsec"]) == (result["pointing"]["source"], result["pointing"]["x_arcsec"])
    assert {one["source"] for one in result["pointings"]} == {"aspect", "spacecraft"}
    assert all(one["shift_suffices"] for one in result["pointings"])
    start, end = (words[words.index(word) + 1] for word in ("--start", "--end"))
    assert [np.datetime64(result["requested"][name]) for name in ("start", "end")] == [start, end]
    assert set(result["counts"]) == {"total", "background"}
    assert set(result["visibilities"][0]) == {"label", "u", "v", "re", "im", "sigma"}
    assert set(result["units"]["visibilities"]) == set(result["visibilities"][0]) - {"label"}
    assert set(result["units"]["counts"]) == set(result["counts"])
    assert set(result["units"]["location"]) == set(result["location"]) - {"sidelobe_ratio", "method", "candidates"}
    index = {column.name: column.unit for column in IMAGES.columns}
    for key, unit in result["units"]["images"].items():
        if isinstance(unit, str) and key != "missing_flux":
            assert Unit(index[key]) == Unit(unit)
    assert all(image["unit"] == fits.getheader(image["file"])["BUNIT"] for image in result["images"])
    assert len(result["visibilities"]) == 24
    assert [image["method"] for image in result["images"]] == ["bp", "clean"]
    assert all(set(image) >= IMAGE_KEYS for image in result["images"])
    assert all(set(image["sigma"]) == {"x", "y", "flux", "fwhm"} for image in result["images"])
    bp, clean = result["images"]
    assert bp["sigma"]["flux"] is None  # it measures none
    assert bp["missing_flux"] is None
    assert all(value > 0 for value in clean["sigma"].values())
    assert clean["sigma"]["x"] == clean["uncertainty"]["centroid_x"]["error"]
    assert isinstance(clean["missing_flux"], float)
    assert result["location"]["hpc_x"] == pytest.approx(record["hpc_x"], abs=15)
    assert result["location"]["hpc_y"] == pytest.approx(record["hpc_y"], abs=15)


def test_image_says_which_bins_it_took_and_exact_refuses(stix_jobs, image_words):
    words, _ = image_words
    data = read_pixel_data(words[1])
    words = list(words)
    first = words[words.index("--start") + 1] = data.t_start[3] - np.timedelta64(500, "ms")
    last = words[words.index("--end") + 1] = data.t_end[40] + np.timedelta64(400, "ms")
    options = ["--method", "bp", "--location", "0", "0"]
    status, out, _ = stix_jobs(*words, *options)
    expected = data.asked(first, last)
    assert (status, f"note: {expected}" in out) == (0, True)
    status, _, err = stix_jobs(*words, *options, "--exact")
    assert status == 1
    assert f"{data.header.name}: the time range is not one of whole bins: {expected}" in err
    words[words.index("--start") + 1] = f"{str(data.t_start[3])[:23]}+00:00"
    words[words.index("--end") + 1] = f"{str(data.t_end[40])[:23]}Z"
    status, out, _ = stix_jobs(*words, *options, "--exact")
    assert (status, "asked" in out) == (0, False)


def test_image_cuts_a_window_at_the_ends_of_the_file(stix_jobs, image_words):
    words, _ = image_words
    data = read_pixel_data(words[1])
    words = list(words)
    words[words.index("--start") + 1] = data.t_start[0] - np.timedelta64(60, "s")
    words[words.index("--end") + 1] = data.t_end[40]
    status, out, _ = stix_jobs(*words, "--method", "bp", "--location", "0", "0", "--json")
    result = json.loads(out)
    assert status == 0
    assert np.datetime64(result["time_range"][0]) == data.t_start[0].astype("datetime64[ms]")
    (note,) = [warning for warning in result["warnings"] if warning["code"] == "time_range"]
    assert note["text"].startswith("asked ")
    assert note["text"].endswith(f"(the file begins {str(data.t_start[0])[:19].replace('T', ' ')})")
    words[words.index("--end") + 1] = data.t_start[0] - np.timedelta64(1, "s")
    status, _, err = stix_jobs(*words, "--method", "bp")
    assert (status, "is not inside the file, which covers" in err) == (1, True)


def test_image_says_which_bins_of_the_background_it_took(stix_jobs, image_words):
    words, _ = image_words
    quiet = read_pixel_data(words[3])
    start, end = quiet.t_start[0] + np.timedelta64(1, "s"), quiet.t_end[0] - np.timedelta64(1, "s")
    options = ["--method", "bp", "--location", "0", "0", "--json", "--background-range"]
    status, out, _ = stix_jobs(*words, *options, start, end)
    result = json.loads(out)
    assert status == 0
    assert [np.datetime64(result["background_range"]["requested"][name]) for name in ("start", "end")] == [start, end]
    used = [np.datetime64(time) for time in result["background_range"]["time_range"]]
    assert used == [quiet.t_start[0].astype("datetime64[ms]"), quiet.t_end[0].astype("datetime64[ms]")]
    assert any(warning["code"] == "background_range" for warning in result["warnings"])
    del words[2:4]
    status, _, err = stix_jobs(*words, *options, start, end)
    assert (status, "is asked for, but no background file" in err) == (1, True)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--location", "1e9", "0"), "a map 1e+09 arcsec from Sun centre, 10000 at most"),
        (("--location", "nan", "0"), "a map nan arcsec from Sun centre"),
        (("--pixel", "1e-300"), "pixels of 1e-300 arcsec, 0.1 to 60 are possible"),
        (("--shape", "0"), "images of 0 pixels a side, 16 to 1024 are possible"),
        (("--ensemble", "-1"), "an ensemble of -1 copies, 2 to 1000 are possible"),
        (("--ensemble", "1"), "an ensemble of 1 copies"),
    ],
)
def test_image_refuses_what_requests_may_not_ask_for(stix_jobs, image_words, options, sentence):
    words, _ = image_words
    status, out, err = stix_jobs(*words, *options)
    assert (status, out, sentence in err) == (1, "", True)
    assert not words[words.index("--out") + 1].exists()


def test_image_for_people_names_files_that_exist(stix_jobs, image_words):
    words, _ = image_words
    status, out, _ = stix_jobs(*words, "--method", "bp", "--shape", "65", "--pixel", "4", "--location", "0", "0")
    assert status == 0
    assert "flare at (0.0, 0.0) arcsec" in out
    (path,) = [line.strip() for line in out.splitlines() if line.endswith("_bp.fits")]
    assert fits.getdata(path).shape == (65, 65)
    assert re.search(r"Back projection +peak \(-?[0-9.]+, -?[0-9.]+\) arcsec, (trusted|doubtful: )", out)


def test_image_with_names_of_the_mission(stix_jobs, image_words):
    words, _ = image_words
    options = [
        "--method",
        "clean",
        "--shape",
        "65",
        "--pixel",
        "4",
        "--location",
        "0",
        "0",
        "--names",
        "solo",
        "--json",
    ]
    status, out, _ = stix_jobs(*words, *options)
    path = Path(json.loads(out)["images"][0]["file"])
    assert status == 0
    assert re.fullmatch(r"solo_L3_stix-img-clean_\d{8}T\d{6}-\d{8}T\d{6}_V01_\d+-4-10kev-[0-9a-f]{16}\.fits", path.name)
    assert fits.getheader(path)["FILENAME"] == path.name
    status, out, _ = stix_jobs("validate", path)
    assert (status, out.startswith(f"{path.name}: 0 errors, 0 warnings")) == (0, True), out


def test_reproduce_agrees_and_notices_a_changed_pixel(stix_jobs, own_archive):
    image = next(image for image in own_archive.images() if image.method == "clean")
    path = own_archive.path_of(image.file)
    status, out, _ = stix_jobs("reproduce", path, "--archive", own_archive.root)
    assert (status, "reproduced" in out) == (0, True)
    with fits.open(path, mode="update") as hdus:
        hdus[0].data[3, 3] += hdus[0].data.max() * 1e-3
    status, out, _ = stix_jobs("reproduce", path, "--archive", own_archive.root)
    assert (status, "NOT reproduced" in out) == (1, True)


def test_reproduce_finds_an_image_by_its_id(stix_jobs, finished_archive):
    image = next(image for image in finished_archive.images() if image.method == "clean")
    status, out, _ = stix_jobs("reproduce", image.image_id, "--archive", finished_archive.root)
    assert (status, out.split(":")[0]) == (0, Path(image.file).name)
    status, _, err = stix_jobs("reproduce", "0123456789abcdef-clean", "--archive", finished_archive.root)
    assert (status, "0123456789abcdef-clean" in err) == (1, True)
    nowhere = finished_archive.root / "nowhere"
    status, _, err = stix_jobs("reproduce", image.image_id, "--archive", nowhere)
    assert (status, str(nowhere) in err) == (1, True)


def test_reproduce_without_the_input_says_which_file_is_missing(stix_jobs, own_archive, tmp_path):
    image = own_archive.images()[0]
    status, _, err = stix_jobs("reproduce", own_archive.path_of(image.file), "--archive", tmp_path / "nowhere")
    assert status == 1
    assert "input file solo_L1_stix-sci-xray-cpd" in err


@pytest.mark.parametrize("form", ["table", "json", "csv"])
def test_query_in_every_form(stix_jobs, finished_archive, form):
    sql = "select method, count(*) as n from images group by method order by method"
    status, out, _ = stix_jobs("query", sql, "--archive", finished_archive.root, "--format", form)
    assert status == 0
    if form == "json":
        assert {row["method"] for row in json.loads(out)} >= {"bp", "clean", "full_disk_bp"}
    elif form == "csv":
        assert {row["method"] for row in csv.DictReader(io.StringIO(out))} >= {"bp", "clean"}
    else:
        assert out.splitlines()[0].split() == ["method", "n"]


def test_query_as_parquet(finished_archive, tmp_path):
    import pyarrow.parquet as pq

    command = [sys.executable, "-m", "jobs.cli", "query", "select uid from runs", "--archive", finished_archive.root]
    result = subprocess.run([*command, "--format", "parquet"], capture_output=True, check=True)
    (tmp_path / "runs.parquet").write_bytes(result.stdout)
    assert pq.read_table(tmp_path / "runs.parquet").num_rows == len(finished_archive.runs())
    assert len(Table.read(tmp_path / "runs.parquet", format="parquet")) == len(finished_archive.runs())


@pytest.mark.parametrize("form", ["ecsv", "votable", "fits"])
def test_query_with_units_of_the_index(stix_jobs, finished_archive, tmp_path, form):
    """The columns of the tables that the query names have their units; computed ones have none."""
    from astropy.table import Table

    sql = "select image_id, peak_hpc_x, 2 as two from images"
    command = [sys.executable, "-m", "jobs.cli", "query", sql, "--archive", finished_archive.root, "--format", form]
    path = tmp_path / f"images.{form}"
    path.write_bytes(subprocess.run(command, capture_output=True, check=True).stdout)
    rows = Table.read(path, format={"ecsv": "ascii.ecsv"}.get(form, form))
    assert len(rows) == finished_archive.count_images()
    assert rows["peak_hpc_x"].unit.to_string() == "arcsec"
    assert (rows["two"].unit, rows["two"].dtype.kind, rows["two"][0]) == (None, "i", 2)


def test_query_as_json_has_null_for_what_json_does_not_know(stix_jobs, own_archive):
    sql = "select 'inf'::double as a, 'nan'::double as b, ['-inf'::double, 1.5] as c, {'d': 'nan'::float} as e"
    status, out, _ = stix_jobs("query", sql, "--archive", own_archive.root, "--format", "json")
    assert status == 0
    assert json.loads(out, parse_constant=pytest.fail) == [{"a": None, "b": None, "c": [None, 1.5], "e": {"d": None}}]


@pytest.mark.parametrize(("option", "names"), [("--bins", ["centres", "outward"]), ("--shift-bins", ["auto", "off"])])
def test_a_wrong_choice_is_refused_with_the_right_ones(capsys, option, names):
    with pytest.raises(SystemExit):
        main(["image", "x.fits", option, "foo"])
    said = capsys.readouterr().err
    assert "invalid choice" in said
    assert all(name in said.split("invalid choice")[1] for name in names)


def test_version_is_that_of_the_installed_distribution(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"stix-jobs {version('stix-flare-archive')}\n"


def test_help_names_the_methods(capsys):
    with pytest.raises(SystemExit):
        main(["image", "--help"])
    said = capsys.readouterr().out
    assert all(method.value in said for method in Method)


def test_query_cannot_write(stix_jobs, own_archive):
    status, _, err = stix_jobs("query", "delete from images", "--archive", own_archive.root)
    assert status == 1
    assert err.startswith("stix-jobs: ")


def test_ingest_twice_and_a_file_that_is_none(stix_jobs, campaign, tmp_path):
    archive = tmp_path / "archive"
    status, out, _ = stix_jobs("ingest", campaign[0], "--archive", archive)
    assert (status, "ingested" in out) == (0, True)
    status, out, _ = stix_jobs("ingest", campaign[0], "--archive", archive)
    assert (status, "known" in out, "ingested" in out) == (0, True, False)
    bad = tmp_path / "broken.fits"
    bad.write_bytes(b"SIMPLE  =                    T" + b" " * 2850)
    status, _, err = stix_jobs("ingest", bad, "--archive", archive)
    assert status == 1
    assert "broken.fits" in err


def test_every_file_that_is_named_gets_a_sentence(stix_jobs, campaign, tmp_path):
    archive, readme = tmp_path / "archive", tmp_path / "README"
    readme.write_text("x")
    good = next(path for path in sorted(campaign[0].iterdir()) if "ephemeris" in path.name)
    status, out, err = stix_jobs("ingest", good, readme, "--archive", archive)
    assert (status, f"{good}: ingested" in out, f"{readme}: not a FITS file" in err) == (1, True, True)
    status, out, _ = stix_jobs("ingest", good, "--archive", archive)
    assert (status, f"{good}: known" in out) == (0, True)


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["paint"],
        ["ingest"],
        ["image", "x.fits"],
        ["image", "x.fits", "--start", "today", "--end", "now", "--energy", "4", "10", "--out", "o"],
        ["query", "select 1", "--format", "yaml"],
    ],
)
def test_wrong_usage_is_status_2(words, capsys):
    try:
        status = main(words)
    except SystemExit as stop:
        status = stop.code
    assert status == 2
    assert capsys.readouterr().err


def test_image_takes_parameters_of_methods(stix_jobs, image_words):
    out_folder = image_words[0][image_words[0].index("--out") + 1]
    words = [*image_words[0], "--method", "clean", "--location", "0", "0", "--json"]
    status, out, _ = stix_jobs(*words, "--set", "clean.stop_rule=negative_extreme", "--set", "clean.max_iterations=7")
    (image,) = json.loads(out)["images"]
    chosen = read_recipe(out_folder / image["file"]).methods[Method.CLEAN]
    assert (status, chosen) == (0, CleanParameters(max_iterations=7, stop_rule=StopRule.NEGATIVE_EXTREME))
    for wrong, told in {
        "clean.gain=2": "0 < gain ≤ 1",
        "clean.gaim=2": "clean has no parameter 'gaim'; it has beam_fwhm, gain",
        "clean.stop_rule=never": "expected negative_extreme or noise, found 'never'",
        "em.tolerance=0.1": "em is not among the methods asked for: clean",
        "clean.gain": "expected METHOD.PARAMETER=VALUE, found 'clean.gain'",
    }.items():
        status, _, err = stix_jobs(*words, "--set", wrong)
        assert (status, told in err) == (1, True), err


def test_ignored_files_are_explained(stix_jobs, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    words = ("ingest", folder, "--archive", tmp_path / "archive")
    assert stix_jobs(*words)[1] == f"nothing found in {folder}\n"
    for name in ("README.md", "LICENSE", "solo_L0_stix-ql-background_20200506_V01.fits"):
        (folder / name).write_text("no data")
    status, out, err = stix_jobs(*words)
    assert (status, out.splitlines()) == (
        0,
        [
            "3 ignored",
            "  2 ignored: not a FITS file",
            "  1 ignored: product ql-background of level L0 is not kept here",
        ],
    )
    assert "LICENSE" not in err
    assert f"{folder / 'LICENSE'}: not a FITS file" in stix_jobs("-v", *words)[2]


@pytest.mark.parametrize(
    ("words", "name", "values"),
    [
        ("image f.fits --method bp --method clean em", "method", ["bp", "clean", "em"]),
        ("image f.fits --aux a.fits --aux b.fits", "aux", [Path("a.fits"), Path("b.fits")]),
        ("previews --archive=a --uid 1 2 --uid 3", "uid", ["1", "2", "3"]),
        ("spectrum f.fits --detectors 1 2 --detectors 3", "detectors", [1, 2, 3]),
        ("component-images f.fits --method clean --method bp", "method", ["clean", "bp"]),
    ],
)
def test_an_option_that_is_repeated_adds_up(words, name, values):
    """The last one alone counted before, and nothing said so."""
    command, *given = words.split()
    needed = "" if command == "previews" else "--start 2022-11-11T11:36 --end 2022-11-11T11:37 --out o"
    if command == "image":
        needed += " --energy 6 10"
    parse = build_parser().parse_args
    assert getattr(parse([command, *given, *needed.split()]), name) == values
    assert getattr(parse([command, given[0], *needed.split()]), name) != values  # the default is as before


def test_an_unknown_method_is_told_the_names_to_choose_from(capsys):
    words = ["image", "x.fits", "--start", "2022-11-11T11:36:00", "--end", "2022-11-11T11:37:00", "--energy", "6", "10"]
    with pytest.raises(SystemExit):
        main([*words, "--out", "y", "--method", "wavelets"])
    told = capsys.readouterr().err
    assert "'clean', 'ms_clean'" in told
    assert "Method." not in told


def test_a_missing_science_file_is_named(stix_jobs, tmp_path):
    status, _, err = stix_jobs(
        "image", tmp_path / "gone.fits", "--start", "2022-11-11T00:00", "--end", "2022-11-11T00:01",
        "--energy", "4", "10", "--out", tmp_path,
    )  # fmt: skip
    assert status == 1
    assert err == "stix-jobs: gone.fits: expected a regular file, found no such file.\n"


def test_help_names_every_command():
    text = build_parser().format_help()
    for command in (
        "demo",
        "ingest",
        "flares",
        "import-flares",
        "import-goes",
        "previews",
        "image",
        "reproduce",
        "worker",
        "query",
        "check",
        "doctor",
        "fetch",
    ):
        assert f"\n    {command}" in text


@pytest.mark.system
def test_demo_of_own_files(stix_jobs, campaign, tmp_path):
    folder, truth = campaign  # both flares are in the light curve, one of them has pixel data
    data = shutil.copytree(folder, tmp_path / "data", ignore=shutil.ignore_patterns(truth[1]["file"]))
    status, out, _ = stix_jobs("demo", "--data", data, "--no-serve", "--archive", tmp_path / "demo")
    assert status == 0
    assert "new image sets" in out
    assert len(Archive(tmp_path / "demo").flares()) == 2


def test_demo_of_an_empty_folder_says_what_is_wrong(stix_jobs, tmp_path):
    (tmp_path / "empty").mkdir()
    status, _, err = stix_jobs("demo", "--data", tmp_path / "empty", "--no-serve", "--archive", tmp_path / "demo")
    assert status == 1
    assert "could be used (it is empty)" in err
