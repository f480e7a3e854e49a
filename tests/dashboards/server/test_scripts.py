"""Scripts as a user meets them: downloaded from the running server, run alone in a fresh interpreter."""

import json
import random
import re
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import replace

import pytest
from astropy.io import fits

from archive import NotInArchive
from archive.scripts.images import FLAVOURS, python_script, script_name
from archive.scripts.sources import read_source
from dashboards.server.scripts import write_script
from dashboards.shared.access import GUEST, Visitor
from dashboards.shared.source import ArchiveSource
from jobs.imaging.reproduce import compare
from stixcore.calibration.energy import EdgeCorrection
from stixcore.calibration.grids import AmplitudeScheme
from stixcore.imaging.reconstruction import Method
from stixcore.recipe import Recipe
from stixcore.reconstruct import reconstruct


@pytest.fixture(scope="module")
def some(imaged, request):
    """Images chosen at random, another choice every time: a real one first where there are real ones."""
    seed = random.randrange(10**6)
    request.config.get_terminal_writer().line(f"seed of the choice of images: {seed}")
    everything = imaged.images(limit=1000)
    random.Random(seed).shuffle(everything)
    return sorted(everything, key=lambda image: image.simulated)


def download(address, folder):
    """What a browser would save: the file under the name the server gives it."""
    with urllib.request.urlopen(address, timeout=60) as answer:
        name = re.search(r'filename="([^"]+)"', answer.headers["Content-Disposition"])[1]
        (folder / name).write_bytes(answer.read())
    return folder / name


def run(script, *words, folder=None):
    """A fresh interpreter in the script's folder, with nothing of this project's source tree on its path."""
    return subprocess.run(
        [sys.executable, script.name, *words],
        cwd=folder or script.parent,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


TOGETHER = """
import runpy, sys
scripts, sys.argv[1:] = sys.argv[1:], ["--no-plot"]
for script in scripts:
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as end:
        print(end)
    print("end of a script")
"""


def run_together(*scripts):
    """Output of each of some scripts that share a fresh interpreter, since most of their time goes into imports."""
    words = [sys.executable, "-c", TOGETHER, *map(str, scripts)]
    done = subprocess.run(
        words, cwd=scripts[0].parent, capture_output=True, text=True, encoding="utf-8", timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    *said, rest = done.stdout.split("end of a script\n")
    assert (len(said), rest) == (len(scripts), "")
    return said


@pytest.mark.parametrize("number", [0, pytest.param(1, marks=pytest.mark.thorough)])
def test_the_python_script_gives_the_same_pixels(imaged, imaged_server, some, tmp_path, number):
    image = some[number]
    script = download(f"{imaged_server.url}/archive/script/{image.image_id}.py", tmp_path)
    done = run(script, *(["--no-plot"] if number else []))
    assert done.returncode == 0, done.stderr
    assert f"recipe {image.recipe_id} as in the archive" in done.stdout
    (made,) = tmp_path.glob("reproduced_*.fits")
    comparison = compare(imaged.path_of(image.file), made)
    assert comparison.difference <= 1e-6, comparison.sentence
    assert made.with_suffix(".png").is_file() == (number == 0)


def test_files_beside_the_script_are_taken_and_others_refused(imaged, some, tmp_path):
    source = read_source(imaged, some[0], "http://127.0.0.1:1")
    scripts = [tmp_path / folder / script_name(source, ".py") for folder in ("alone", "beside")]
    for script in scripts:
        script.parent.mkdir()
        script.write_text(python_script(source))
    (tmp_path / "beside" / source.science.name).write_bytes(b"something else")
    alone, beside = run_together(*scripts)
    assert f"cannot get {source.science.name!r}" in alone
    assert "does not match its checksum" in beside


def test_the_notebook_runs_cell_after_cell(imaged, imaged_server, some, tmp_path):
    path = download(f"{imaged_server.url}/archive/script/{some[-1].image_id}.ipynb", tmp_path)
    document = json.loads(path.read_text())
    assert (document["nbformat"], document["metadata"]["kernelspec"]["language"]) == (4, "python")
    assert len({cell["id"] for cell in document["cells"]}) == len(document["cells"]) > 8
    code = [cell["source"] for cell in document["cells"] if cell["cell_type"] == "code"]
    runner = tmp_path / "cells.py"
    cells = "import json, sys\nsys.argv.append('--no-plot')\nspace = {'__name__': '__main__'}\n"
    cells += f"for cell in json.loads({json.dumps(code)!r}):\n    exec(compile(cell, 'cell', 'exec'), space)\n"
    runner.write_text(cells)
    done = run(runner)
    assert done.returncode == 0, done.stderr
    (made,) = tmp_path.glob("reproduced_*.fits")
    assert compare(imaged.path_of(some[-1].file), made).agrees


def test_the_independent_script_finds_the_same_place(imaged, imaged_server, some, tmp_path):
    image = next(image for image in some if image.method == "clean")
    script = download(f"{imaged_server.url}/archive/script/{image.image_id}-stixpy.py", tmp_path)
    done = run(script, "--no-plot")
    assert done.returncode == 0, done.stderr
    found = re.search(r"clean: brightest at x = (\S+), y = (\S+) arcsec", done.stdout)
    # with the older calibration that stixpy has; of two sources of about the same brightness the other one may win
    recipe = Recipe.from_json(imaged.run(image.recipe_id).recipe)
    older = replace(recipe, amplitude_scheme=AmplitudeScheme.GSW_2021, edge_correction=EdgeCorrection.FLAT)
    x, y = reconstruct(older, lambda file: script.parent / file.name).images[Method.CLEAN].peak
    assert abs(float(found[1]) - x) <= 1.5 * image.pixel_arcsec
    assert abs(float(found[2]) - y) <= 1.5 * image.pixel_arcsec
    (made,) = tmp_path.glob("stixpy_*.fits")
    header = fits.getheader(made)
    assert header["CTYPE1"] == "HPLN-TAN"
    assert -180 < header["HGLN_OBS"] <= 180


HOSTILE = "it's \"a\" \\ {{ science }}\n# %% end\n🌞 é '''"


def test_hostile_names_run_and_are_printed(imaged, imaged_server, some, tmp_path):
    source = read_source(imaged, replace(some[-1], author=HOSTILE + "x" * 300), imaged_server.url)
    hostile = replace(source, science=replace(source.science, name=HOSTILE.replace("/", "")))
    (tmp_path / hostile.science.name).write_bytes(imaged.locate(source.science.name).read_bytes())
    script, notebook = tmp_path / "script.py", tmp_path / "notebook.py"
    script.write_text(FLAVOURS[".py"](hostile))
    cells = json.loads(FLAVOURS[".ipynb"](hostile))["cells"]
    notebook.write_text("\n".join(cell["source"] for cell in cells if cell["cell_type"] == "code"))
    for said in run_together(script, notebook):
        assert f"by {HOSTILE}{'x' * 300}" in said
        assert f"file {HOSTILE}" in said
        assert "changed" in said  # the name belongs to the recipe


def test_a_name_that_no_file_can_have_is_printed(imaged, some, tmp_path):
    source = read_source(imaged, some[0], "http://127.0.0.1:1")
    long = replace(source, science=replace(source.science, name="🌞" * 300))
    scripts = [tmp_path / f"script{suffix}" for suffix in (".py", "-stixpy.py")]
    for script, suffix in zip(scripts, (".py", "-stixpy.py"), strict=True):
        script.write_text(FLAVOURS[suffix](long))
    for said in run_together(*scripts):
        assert "🌞" * 300 in said
        assert "cannot get" in said


def test_scripts_are_tidy(imaged, some):
    source = read_source(imaged, some[0], "http://127.0.0.1:1")
    for suffix in (".py", "-stixpy.py"):
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "ruff",
                "check",
                "--isolated",
                "--line-length",
                "400",
                "--select",
                "E,F,W,B,SIM",
                "-",
            ],
            input=FLAVOURS[suffix](source),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout


def test_answers_of_the_route(imaged, imaged_server, some):
    address = f"{imaged_server.url}/archive/script/{some[0].image_id}"
    with urllib.request.urlopen(f"{address}.pro", timeout=30) as answer:
        text = answer.read().decode()
        assert answer.headers["Content-Disposition"].endswith('.pro"')
        assert f"{imaged_server.url}/archive/science/" in text
    for wrong in (f"{address}.exe", address.replace(some[0].recipe_id, "0123456789abcdef") + ".py"):
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(wrong, timeout=30)
        with caught.value as answer:
            assert (answer.code, json.loads(answer.read())["status"]) == (404, 404)
    for kind, names in (("science", "science_files"), ("aux", "aux_files")):
        for row in imaged.rows(f"SELECT name, size FROM {names} LIMIT 1"):
            with urllib.request.urlopen(f"{imaged_server.url}/archive/{kind}/{row['name']}", timeout=30) as answer:
                assert len(answer.read()) == row["size"]
    with pytest.raises(urllib.error.HTTPError, match="404") as caught:
        urllib.request.urlopen(f"{imaged_server.url}/archive/science/none.fits", timeout=30)
    caught.value.close()


def test_who_may_have_a_hidden_image(small):
    source = ArchiveSource(small.archive.root)
    for visitor in (GUEST, Visitor("bob")):
        with pytest.raises(NotInArchive, match="there is no image"):
            write_script(source, small.hidden.image_id, ".py", "http://server", visitor)
