"""A flare of November 2022 with its dates moved: which calibration is named, and when it is doubted."""

import json
from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits

from jobs.cli.parser import main
from jobs.imaging.products import describe
from stixcore.calibration.catalog import SHIPPED, CalFile, CalibrationCatalog
from stixcore.errors import CalibrationError
from stixcore.image_files.write import write_image
from stixcore.imaging.back_projection import BackProjectionParameters
from stixcore.imaging.clean import CleanParameters
from stixcore.imaging.methods import default_methods
from stixcore.imaging.reconstruction import Method
from stixcore.options import ImageRequest
from stixcore.recipe import SINCE_VERSION_2, Recipe
from stixcore.reconstruct import prepare_recipe, reconstruct

FLARE, QUIET = "2211116471", "2211098157"
WINDOW = ("2022-11-11T11:36:00", "2022-11-11T11:37:00")


@pytest.fixture(scope="module")
def november_flare(shared_data):
    folder = shared_data / "nov2022" / "l1"
    return next(folder.glob(f"*_{FLARE}-*.fits")), next(folder.glob(f"*_{QUIET}-*.fits"))


@pytest.fixture
def moved(shared_data, tmp_path):
    """A function: copies of the flare and of its background, later by some days."""

    def move(uid, days):
        (source,) = (shared_data / "nov2022" / "l1").glob(f"*_{uid}-*.fits")
        path = tmp_path / f"moved_{days}_{uid}.fits"
        with fits.open(source) as hdus:
            for key in ("DATE-OBS", "DATE-BEG", "DATE-AVG", "DATE-END", "DATE_OBS", "DATE_BEG", "DATE_AVG", "DATE_END"):
                if key in hdus[0].header:
                    later = np.datetime64(hdus[0].header[key], "ms") + np.timedelta64(days, "D")
                    hdus[0].header[key] = str(later)
            hdus.writeto(path)
        return path

    return move


def window(days):
    return [np.datetime64(text, "us") + np.timedelta64(days, "D") for text in WINDOW]


def days_to(date):
    return int((np.datetime64(date) - np.datetime64("2022-11-11")) / np.timedelta64(1, "D"))


def make(moved, days, background=True):
    science = moved(FLARE, days)
    quiet = moved(QUIET, days) if background else None
    methods = {method: default_methods()[method] for method in (Method.BP, Method.MEM_GE)}
    recipe = prepare_recipe(ImageRequest(*window(days), (6.0, 10.0), methods=methods), science, quiet)
    paths = {path.name: path for path in (science, quiet) if path}
    return reconstruct(recipe, lambda file: paths[file.name]), paths


def test_a_flare_of_july_2026_names_its_table_everywhere(moved, tmp_path):
    images, _ = make(moved, days_to("2026-07-11"))
    table = SHIPPED.tables["elut_table_20260529"]
    assert images.recipe.calibration.energy_table.name == table.name
    assert json.loads(images.recipe.to_json())["calibration"]["energy_table"]["sha256"] == table.sha256
    named = describe(images, {})["calibration"]
    assert (named["energy_table"], named["energy_table_sha256"]) == (table.name, table.sha256)
    assert named["cal_file"] is None
    assert named["amplitude_scheme"] == "gsw-2026"
    assert "GridCorrection" in named["phase_table"]
    path = tmp_path / "image.fits"
    write_image(path, images, Method.MEM_GE, np.datetime64("2026-07-12"))
    header = fits.getheader(path)
    assert (header["ELUT"], header["ELUTHASH"]) == (table.name, table.sha256)
    assert header["FLNM_CAL"] == "none"
    codes = {found["code"] for found in describe(images, {})["warnings"]}
    assert "energy_table_unknown" not in codes
    assert "no_cal_file" in codes


def test_a_flare_of_2028_is_doubted(moved):
    images, _ = make(moved, days_to("2028-02-01"))
    doubts = [found for found in describe(images, {})["warnings"] if found["severity"] == "doubt"]
    (doubt,) = [found for found in doubts if "table" in found["code"]]
    assert "elut_table_20260529" in doubt["text"]


def test_the_wrong_table_changes_the_visibilities(moved):
    images, paths = make(moved, days_to("2026-07-11"))
    old = replace(images.recipe, version=1, **SINCE_VERSION_2)  # as before there was a list of our own
    right = reconstruct(replace(old, version=2, calibration=images.recipe.calibration), lambda file: paths[file.name])
    wrong = reconstruct(old, lambda file: paths[file.name])
    assert wrong.calibration.energy_table.name == "elut_table_20250523"
    change = np.abs(wrong.vis.amplitude / right.vis.amplitude - 1.0)
    assert (change > 0.01).sum() >= 12  # of 24
    assert change.max() > 0.03


def test_a_recipe_of_version_1_gives_the_pixels_that_it_gave(november_flare):
    """Numbers of the last software that knew no other version."""
    science, background = november_flare
    methods = {Method.BP: BackProjectionParameters(), Method.CLEAN: CleanParameters()}
    request = ImageRequest(*window(0), (6.0, 10.0), methods=methods, location=(820.0, 150.0))
    old = replace(prepare_recipe(request, science, background), version=1, **SINCE_VERSION_2)
    assert old.recipe_id == "c1c410e02ebdba07"
    paths = {path.name: path for path in (science, background)}
    images = reconstruct(Recipe.from_json(old.to_json()), lambda file: paths[file.name])
    assert images.vis.vis.sum() == pytest.approx(9329.051223033024 - 1668.8191831726044j, rel=1e-10)
    expected = {
        Method.BP: (733.4278073491804, 1838617.9262271144, (852.0, 132.0)),
        Method.CLEAN: (0.9213403162895076, 843.0759495772019, (854.0, 130.0)),
    }
    for method, (highest, total, peak) in expected.items():
        image = images.images[method]
        assert image.image.max() == pytest.approx(highest, rel=1e-9)
        assert np.abs(image.image).sum() == pytest.approx(total, rel=1e-9)
        assert image.peak == peak


def test_a_background_across_a_change_of_tables_is_refused(moved):
    science, quiet = moved(FLARE, days_to("2026-07-11")), moved(QUIET, days_to("2026-06-01"))
    request = ImageRequest(*window(days_to("2026-07-11")), (6.0, 10.0))
    with pytest.raises(CalibrationError, match=r"was elut_table_20251120, during the flare elut_table_20260529"):
        prepare_recipe(request, science, quiet)


def test_a_cal_file_of_the_archive_is_used_and_named(moved, shared_data, tmp_path, capsys):
    name = "solo_CAL_stix-cal-energy_20250302T230511-20250303T230512_V02.fits"
    root = str(tmp_path / "archive")
    assert main(["calibration", "add", str(shared_data / "products" / name), "--archive", root]) == 0
    days = days_to("2025-03-05")
    science, (start, end) = moved(FLARE, days), window(days)
    capsys.readouterr()
    made = ["--method", "bp", "--out", str(tmp_path / "out"), "--json", "--archive", root]
    assert main(["image", str(science), "--start", str(start), "--end", str(end), "--energy", "6", "10", *made]) == 0
    described = json.loads(capsys.readouterr().out)
    assert described["calibration"]["cal_file"] == name
    assert described["calibration"]["energy_table"] == "elut_table_20241114"
    assert "no_cal_file" not in {found["code"] for found in described["warnings"]}
    (image,) = [one for one in described["images"] if one["method"] == "bp"]
    assert fits.getheader(image["file"])["FLNM_CAL"] == name
    # the recipe names it: without the archive it cannot be run, with it the pixels agree
    (tmp_path / "out" / science.name).symlink_to(science)
    assert main(["reproduce", image["file"], "--archive", root]) == 0
    assert main(["reproduce", image["file"], "--archive", str(tmp_path / "none")]) == 1


@pytest.mark.parametrize("kept", ["archive", "beside the recipe"])
def test_a_cal_file_changes_the_visibilities(moved, shared_data, kept):
    """Measured edges instead of the table's, wherever the file that the recipe names is."""
    (path,) = (shared_data / "products").glob("solo_CAL_stix-cal-energy_20250302*")
    days = days_to("2025-03-05")
    science = moved(FLARE, days)
    methods = {Method.BP: BackProjectionParameters()}
    request = ImageRequest(*window(days), (6.0, 10.0), methods=methods, location=(824.0, 146.0), shape=(16, 16))
    catalog = CalibrationCatalog(cal_files=(CalFile.of(path),))
    recipe = prepare_recipe(request, science, catalog=catalog)
    paths = {science.name: science} | ({} if kept == "archive" else {path.name: path})
    used = catalog if kept == "archive" else SHIPPED
    measured = reconstruct(recipe, lambda file: paths[file.name], catalog=used)
    tabulated = reconstruct(
        replace(recipe, calibration=replace(recipe.calibration, cal_file=None)), lambda file: paths[file.name]
    )
    change = np.abs(measured.vis.vis / tabulated.vis.vis - 1.0)
    assert np.median(change) > 0.005
    assert change.max() < 0.5
    assert measured.calibration.energy_table.edges[0, 0, 0] == pytest.approx(4.067341, abs=5e-7)


def test_the_doctor_asks_for_newer_tables(tmp_path):
    from archive import Archive
    from jobs.cli.doctor import Verdict, examine

    Archive(tmp_path, create=True)

    def verdict(date):
        answers = {one.subject: one for one in examine(tmp_path, np.datetime64(date), pages="")}
        return answers["energy tables"].verdict

    assert verdict("2026-11-29") is Verdict.GOOD
    assert verdict("2028-01-01") is Verdict.WRONG
