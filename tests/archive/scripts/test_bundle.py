"""What a bundle says about its files, whatever their names are."""

import hashlib
import json
from pathlib import PurePosixPath

import numpy as np
import pytest

from archive.scripts.bundle import FOLDER, bundle_members
from archive.scripts.images import FLAVOURS

NOW = np.datetime64("2026-11-23T12:00:00", "us")
HOSTILE = ["it's {{ method }}.fits", 'a"b\\c;$&.fits', "one\ntwo 🌞 é.fits"]


def contents(source, folder, **options):
    return {
        member.name: member.read()
        for member in bundle_members([source], lambda file: folder / file.name, NOW, **options)
    }


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_unchanged_in_the_manifest(made, name):
    author = name + "x" * 300
    source, _, folder = made(science=name, author=author)
    files = contents(source, folder, inputs=True)
    manifest = json.loads(files[f"{FOLDER}/manifest.json"])
    assert manifest["images"][0]["author"] == author
    listed = {entry["name"]: entry for entry in manifest["files"]}
    assert listed[name]["sha256"] == hashlib.sha256((folder / name).read_bytes()).hexdigest()
    assert "problem" not in listed[name]
    assert all(hashlib.sha256(files[f"{FOLDER}/{one}"]).hexdigest() == entry["sha256"] for one, entry in listed.items())
    assert all(PurePosixPath(member).parent == PurePosixPath(FOLDER) for member in files)  # nothing leads elsewhere


def test_missing_and_changed_files_are_listed(made):
    source, _, folder = made()
    (folder / "aux.fits").write_bytes(b"something else")
    files = contents(source, folder, inputs=True)
    manifest = json.loads(files[f"{FOLDER}/manifest.json"])
    assert manifest["missing"] == [source.fits.name]
    problems = {entry["name"]: entry["problem"] for entry in manifest["files"] if "problem" in entry}
    assert list(problems) == ["aux.fits"]
    scripts = [entry["name"] for entry in manifest["files"] if entry["what"].startswith("script")]
    assert len(scripts) == len(FLAVOURS)
    assert source.image.image_id in files[f"{FOLDER}/CITATION.txt"].decode()
