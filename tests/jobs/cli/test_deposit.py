"""``stix-jobs deposit``: packages that repositories read, with everything that makes the images again."""

import hashlib
import json
import subprocess
import sys
import zipfile
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from rocrate.rocrate import ROCrate

from archive import ImageFilter
from archive.landing.ro_crate import METADATA, PREVIEW
from jobs.cli.parser import main

LICENSE = "https://creativecommons.org/licenses/by/4.0/"


@pytest.fixture(scope="module")
def run(finished_archive):
    return next(run for run in finished_archive.runs() if run.folder and run.pointing_source == "aspect")


@pytest.fixture(scope="module")
def command(finished_archive, run):
    options = ["--archive", str(finished_archive.root), "--url", "https://stix.example.org", "--license", LICENSE]
    return lambda *words: main(["deposit", *options, *map(str, words)])


@pytest.fixture(scope="module")
def folder(command, run, tmp_path_factory):
    out = tmp_path_factory.mktemp("deposit") / "package"
    assert command(run.run_id, "--out", out) == 0
    return out


def entities(folder: Path) -> dict[str, dict]:
    return {one["@id"]: one for one in json.loads((folder / METADATA).read_text())["@graph"]}


def test_the_reader_of_ro_crate_finds_every_file(folder, finished_archive, run):
    crate = ROCrate(folder)
    assert crate.root_dataset["license"]["@id"] == LICENSE
    assert crate.root_dataset["url"] == f"https://stix.example.org/image/{run.run_id}"
    parts = {part.id for part in crate.root_dataset["hasPart"]}
    assert {path.name for path in folder.iterdir()} == {*parts, METADATA, PREVIEW}
    for one in entities(folder).values():
        if one["@type"] == "File":
            content = (folder / one["@id"]).read_bytes()
            assert (one["contentSize"], one["sha256"]) == (str(len(content)), hashlib.sha256(content).hexdigest())
    images = finished_archive.images(ImageFilter(recipe_id=run.run_id), limit=100)
    action = entities(folder)["#reconstruction"]
    assert {one["@id"] for one in action["result"]} == {image.file.rpartition("/")[2] for image in images}
    recipe = json.loads(run.recipe)
    assert recipe["science"]["name"] in {one["@id"] for one in action["object"]}


def test_every_word_is_of_the_vocabulary_and_every_reference_leads_somewhere(folder):
    context = json.loads(files("rocrate.data").joinpath("ro-crate.jsonld").read_text())["@context"]
    graph = entities(folder)
    for one in graph.values():
        kinds = one["@type"] if isinstance(one["@type"], list) else [one["@type"]]
        for word in [*kinds, *(key for key in one if not key.startswith("@"))]:
            assert word in context or word == "Profile", word
    for one in graph.values():
        values = [value for item in one.values() for value in (item if isinstance(item, list) else [item])]
        for value in values:
            if isinstance(value, dict):
                assert value["@id"] in graph or value["@id"] == "https://w3id.org/ro/crate/1.1", value


def test_its_script_makes_the_image_from_its_files(folder, finished_archive, run, tmp_path):
    image = next(one for one in finished_archive.images(ImageFilter(recipe_id=run.run_id)) if one.method == "clean")
    (script,) = folder.glob("*-clean.py")
    work = tmp_path / "work"
    work.mkdir()
    for path in folder.iterdir():
        (work / path.name).write_bytes(path.read_bytes())
    subprocess.run(
        [sys.executable, work / script.name, "--no-plot"], check=True, capture_output=True, timeout=300, cwd=work
    )
    name = image.file.rpartition("/")[2]
    made, filed = fits.getdata(work / f"reproduced_{name}"), fits.getdata(folder / name)
    assert np.array_equal(made, filed)


def test_a_zip_file_without_inputs_names_where_they_are(command, run, tmp_path):
    out = tmp_path / "package.zip"
    image_id = f"{run.run_id}-clean"
    assert command(image_id, "--out", out, "--no-inputs") == 0
    with zipfile.ZipFile(out) as package:
        assert package.testzip() is None
        package.extractall(tmp_path)
    folder = tmp_path / f"stix-{run.run_id}"
    graph = entities(folder)
    science = json.loads(run.recipe)["science"]
    assert not (folder / science["name"]).exists()
    (address,) = (one for one in graph if one.endswith(science["name"]))
    assert address.startswith("https://stix.example.org/archive/science/")
    assert graph[address]["sha256"] == science["sha256"]
    assert (folder / PREVIEW).read_text().count("<tr><td>") == len(list(folder.iterdir())) - 2


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["0" * 16, "--out", "new"], "there is no image set '0000000000000000'"),
        (["{run}", "--out", "old"], "old exists already"),
        (["{run}", "--out", "new", "--license", "CC-BY"], "license 'CC-BY' is not an address"),
    ],
)
def test_what_cannot_be_packed_is_said(command, run, tmp_path, monkeypatch, capsys, words, sentence):
    monkeypatch.chdir(tmp_path)
    Path("old").mkdir()
    assert command(*(word.format(run=run.run_id) for word in words)) == 1
    assert sentence in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} == {"old"}


def test_hidden_and_damaged_images_are_not_packed(own_archive, tmp_path, capsys):
    run = next(run for run in own_archive.runs() if run.folder)
    options = ["--archive", str(own_archive.root), "--url", "https://stix.example.org", "--license", LICENSE]
    images = own_archive.images(ImageFilter(recipe_id=run.run_id), limit=100)
    path = own_archive.path_of(images[0].file)
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert main(["deposit", *options, run.run_id, "--out", str(tmp_path / "package")]) == 1
    assert "has SHA-256" in capsys.readouterr().err
    own_archive.upsert("images", [replace(one, hidden=True, author="alice") for one in images])
    assert main(["deposit", *options, run.run_id, "--out", str(tmp_path / "package")]) == 1
    assert "there is no image set" in capsys.readouterr().err
    assert [one for one in tmp_path.iterdir() if one.name != "archive"] == []
