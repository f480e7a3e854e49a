"""Calibration that the software does not ship goes along with an image, and every script says what it does with it."""

import hashlib
from pathlib import Path

import numpy as np

from archive.scripts.bundle import FOLDER, bundle_members
from archive.scripts.images import FLAVOURS
from archive.scripts.sources import source_of

NOW = np.datetime64("2026-11-29T12:00:00", "us")
SHIPPED_TABLE = "elut_table_20220918"


def test_bundle_includes_energy_tables_and_cal_files_of_the_archive(calibrated):
    source, _, folder, used = calibrated()
    members = bundle_members([source], lambda file: folder / file.name, NOW, inputs=True)
    files = {member.name: member.read() for member in members}
    table, cal_file = f"{used.energy_table.name}.csv", used.cal_file.name
    for name, digest in ((table, used.energy_table.sha256), (cal_file, used.cal_file.sha256)):
        assert hashlib.sha256(files[f"{FOLDER}/{name}"]).hexdigest() == digest
    addresses = [file.addresses[0].rpartition("/archive/")[2] for file in source.calibration]
    assert addresses == [f"calibration/{table}", f"calibration/{cal_file}"]


def test_bundle_does_not_include_tables_of_the_software(calibrated):
    source, *_ = calibrated(SHIPPED_TABLE)
    assert [file.name for file in source.calibration] == [source.cal_file.name]


def test_a_recipe_without_calibration_needs_no_such_files(made):
    source, _, folder = made()
    assert source.calibration == ()
    old = source_of(source.image, {**source.recipe, "version": 1}, "http://127.0.0.1:1")
    assert old.calibration == ()
    assert "ENERGY_TABLE = None\nCAL_FILE = None" in FLAVOURS[".py"](source)
    assert (folder / "science.fits").is_file()


def test_python_script_contains_every_value_of_the_recipe(calibrated):
    source, recipe, _, _ = calibrated(
        shift_bins=True, background_range=("2022-11-11T09:00:00.000", "2022-11-11T09:10:00.000")
    )
    space = {"Path": Path}
    text = FLAVOURS[".py"](source).split("\n# %% ")[1]
    exec(text.split("\n", 1)[1], space)  # the values at the top of the script
    later = {name: source.recipe[name] for name in ("calibration", "shift_bins", "background_range")}
    assert later.items() <= space["FURTHER"].items()
    assert space["METHODS"] == source.recipe["methods"]
    assert recipe.recipe_id == source.image.recipe_id
