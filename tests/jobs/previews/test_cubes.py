"""Cubes of previews, made of a real flare once."""

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path, PurePosixPath

import numpy as np
import pyarrow.parquet as pq
import pytest
from astropy.table import Table
from astropy.units import Unit
from PIL import Image as Picture

from archive import Archive, ImageFilter, RunFilter
from archive.cubes import read_cube
from archive.ingest.ingest import ingest
from jobs.imaging.reproduce import reproduce
from jobs.inputs import InputCatalog
from jobs.previews.cubes import CubeRules, run_cube
from jobs.previews.make_cubes import _plan
from jobs.previews.run import make_previews
from jobs.previews.spectrum_track import thermal_source
from jobs.previews.tracks import PANEL, _step_at
from jobs.previews.windows import PreviewRules
from stixcore.imaging.reconstruction import Method
from stixcore.recipe import Recipe

pytestmark = pytest.mark.needs_shared_data

NOW = np.datetime64("2026-11-30T00:00:00", "us")
RULES = PreviewRules(bands=((6.0, 10.0),))
CUBE = CubeRules(step_counts=12_000.0, max_steps=3, copies=4, fit_counts=10_000.0)


@pytest.fixture(scope="module")
def made(shared_data, tmp_path_factory):
    """An archive with the cube of a flare of 2022-11-10, and the report of the previews."""
    archive = Archive(tmp_path_factory.mktemp("cube"), create=True)
    folder = shared_data / "nov2022"
    files = [path for uid in ("2211102195", "2211098157") for path in (folder / "l1").glob(f"*{uid}*")]
    ingest(archive, [*files, folder / "aux"], NOW)
    return archive, make_previews(archive, NOW, rules=RULES, cube=CUBE)


def cube_folder_of(archive):
    (record,) = archive.root.glob("cubes/*/*/*/*/cube.json")
    return record.parent


def test_steps_have_equal_counts_and_one_grid(made):
    archive, report = made
    (cube,) = report.cubes
    runs = archive.runs(RunFilter(grouped=True), sort=("t_start",))
    assert {run.run_id for run in runs} == set(cube.record["runs"])
    images = archive.images(ImageFilter(grouped=True), limit=100)
    assert len(images) == len(runs)
    grids = {(one.center_hpc_x, one.center_hpc_y, one.nx, one.ny, one.pixel_arcsec) for one in images}
    (preview,) = archive.runs(RunFilter(grouped=False))
    assert {grid[:2] for grid in grids} == {(preview.hpc_x, preview.hpc_y)}
    assert len(grids) == 1
    thermal = [run for run in runs if run.band == "4-10 keV"]
    counts = [run.counts_total - run.counts_background for run in thermal]
    assert len(counts) == 3  # 47,000 counts above background
    assert max(counts) < 2.0 * min(counts)
    assert all(before.t_end <= after.t_start for before, after in pairwise(thermal))


def test_sets_are_grouped_and_have_errors(made):
    archive, _ = made
    images = archive.images(ImageFilter(group_id=cube_folder_of(archive).name), limit=100)
    assert {image.method for image in images} == {"clean"}
    assert all(0 < image.flux_sigma < image.total_flux for image in images)
    assert all(image.sigma_source == "ensemble" and image.fwhm_sigma > 0 for image in images)
    assert not archive.images(ImageFilter(grouped=True, group_id="cube-0"))
    for image in images:  # the movie shows them; no picture, report or full-disk map of every step
        folder = archive.path_of(image.file).parent
        assert {path.suffixes[-1] for path in folder.iterdir()} == {".fits", ".png", ".json"}
        assert [path.name for path in folder.glob("*.png")] == [Path(image.thumbnail).name]
        assert image.png is None
    single = archive.images(ImageFilter(grouped=False))
    assert {image.method for image in single} > {"clean", "em"}
    fitted = {image.method: image.sigma_source for image in single}
    assert (fitted["vis_fwdfit"], fitted["clean"]) == ("fit", None)


def test_an_image_of_a_cube_is_that_of_its_recipe(made):
    """It is made from data that were prepared once for all steps."""
    archive, _ = made
    image = archive.images(ImageFilter(grouped=True), limit=1)[0]
    assert reproduce(archive.path_of(image.file), archive).agrees


def test_tracks_and_movie(made):
    archive, report = made
    folder = cube_folder_of(archive)
    assert folder.name.startswith("cube-")
    assert folder.name.endswith("-2211102195")
    names = {"cube.json", "movie.mp4", "poster.png", "tracks.parquet", "spectra_track.parquet"}
    assert {path.name for path in folder.iterdir()} == names
    table = pq.read_table(folder / "tracks.parquet")
    assert table.num_rows == len(report.cubes[0].sets)
    assert table.schema.field("x_sigma").metadata[b"unit"] == b"arcsec"
    assert str(Table.read(folder / "tracks.parquet", format="parquet")["flux"].unit) == "ct / (keV s cm2)"
    record = json.loads((folder / "cube.json").read_text())
    images = {image.image_id: image for image in archive.images(ImageFilter(grouped=True), limit=100)}
    for point in record["tracks"]:
        row = images[point["image_id"]]
        words = {"position": row.verdict_position, "flux": row.verdict_flux, "shape": row.verdict_shape}
        assert point["doubts"] == ",".join(name for name, word in words.items() if word == "doubtful")
    assert table["doubts"].to_pylist() == [point["doubts"] for point in record["tracks"]]
    assert [point["x"] for point in record["tracks"]] == table["x"].to_pylist()
    assert record["movie"]["frames"] == 3
    assert (folder / "poster.png").read_bytes()[:4] == b"\x89PNG"
    assert (folder / "movie.mp4").read_bytes()[4:8] == b"ftyp"


def test_fits_are_in_the_record_and_in_a_file(made):
    archive, report = made
    folder = cube_folder_of(archive)
    cube = read_cube(archive.root, PurePosixPath(folder.relative_to(archive.root)))
    table = pq.read_table(folder / "spectra_track.parquet")
    assert table.num_rows == len(cube.spectra) == len(report.cubes[0].record["spectra"]["track"]) > 1
    assert table["temperature"].to_pylist() == [one.temperature for one in cube.spectra]
    assert [tuple(json.loads(text)) for text in table["doubts"].to_pylist()] == [one.doubts for one in cube.spectra]
    assert table.schema.field("temperature_minus").metadata[b"unit"] == b"MK"
    read = Table.read(folder / "spectra_track.parquet", format="parquet")
    assert read["emission_measure"].unit == Unit("1e49 cm-3")
    assert str(read["e_cut_plus"].unit) == "keV"
    steps = sorted({(point["t_start"], point["t_end"]) for point in report.cubes[0].record["tracks"]})
    assert {one.as_json()["t_start"] for one in cube.spectra} <= {start for start, _ in steps}
    assert {one.as_json()["t_end"] for one in cube.spectra} <= {end for _, end in steps}
    for one in cube.spectra:
        assert one.counts >= CUBE.fit_counts
        assert 8.0 < one.temperature < 25.0  # a small flare
        assert 0.0 < one.temperature_minus < one.temperature


def test_fits_are_made_again_alone_and_images_stay(made):
    """For another rule, another table of thermal emission, or a cube from before there were fits."""
    archive, _ = made
    folder = cube_folder_of(archive)
    before = json.loads((folder / "cube.json").read_text())
    images = {path: path.stat().st_mtime_ns for run in before["runs"] for path in archive.root.rglob(f"*/{run}/*")}
    assert images
    (cube,) = make_previews(archive, NOW, rules=RULES, cube=replace(CUBE, fit_counts=1e9)).cubes
    assert (cube.sets, cube.keeps_images, cube.record["tracks"]) == ((), True, before["tracks"])
    assert cube.record["spectra"]["reason"].startswith("no step has 1000000000 counts above background")
    assert not (folder / "spectra_track.parquet").exists()
    (folder / "cube.json").write_text(json.dumps({key: value for key, value in before.items() if key != "spectra"}))
    (cube,) = make_previews(archive, NOW, rules=RULES, cube=CUBE).cubes
    assert json.loads((folder / "cube.json").read_text()) == before
    assert (folder / "spectra_track.parquet").is_file()
    assert make_previews(archive, NOW, rules=RULES, cube=CUBE).cubes == ()
    assert {path: path.stat().st_mtime_ns for path in images} == images
    (task,) = _plan(archive, InputCatalog.of(archive), archive.science_file("2211102195"), CUBE, NOW)
    assert task.is_made
    assert not replace(task, thermal="another table").is_made
    assert replace(task, thermal="another table").record is not None


def test_why_there_are_no_fits(made, tmp_path):
    archive, _ = made
    (task,) = _plan(archive, InputCatalog.of(archive), archive.science_file("2211102195"), CUBE, NOW)
    chianti = tmp_path / "calibration" / "chianti"
    chianti.mkdir(parents=True)
    (chianti / "chianti_lines_1_10_v100.sav").write_bytes(b"")
    cube = run_cube(replace(task, root=tmp_path, rules=replace(CUBE, max_steps=2, bands=((6.0, 10.0),), copies=2)))
    assert cube.record["spectra"]["track"] == []
    assert "calibration/chianti has no file of abundances" in cube.record["spectra"]["reason"]
    assert thermal_source(tmp_path) == cube.record["spectra"]["reason"]
    assert len(cube.sets) == 2


def test_a_cube_is_made_once_and_again_when_its_inputs_change(made):
    archive, report = made
    assert make_previews(archive, NOW, rules=RULES, cube=CUBE).cubes == ()
    before = {run.run_id for run in archive.runs(RunFilter(grouped=True))}
    assert before == set(report.cubes[0].record["runs"])
    assert make_previews(archive, NOW, rules=RULES).cubes == ()  # without a cube nothing is made or removed
    assert {run.run_id for run in archive.runs(RunFilter(grouped=True))} == before
    (cube,) = make_previews(archive, NOW, rules=RULES, cube=replace(CUBE, step_counts=23_000.0)).cubes
    after = {run.run_id for run in archive.runs(RunFilter(grouped=True))}
    assert after == set(cube.record["runs"])
    assert {image.recipe_id for image in archive.images(ImageFilter(grouped=True), limit=100)} == after
    assert all(
        Recipe.from_json(run.recipe).recipe_id == run.run_id and archive.path_of(run.folder).is_dir()
        for run in archive.runs(RunFilter(grouped=True))
    )
    (none,) = make_previews(archive, NOW, rules=RULES, cube=replace(CUBE, step_counts=1e9)).cubes
    assert (none.sets, none.record["reason"]) == ((), "no band has two steps with enough counts")
    assert archive.runs(RunFilter(grouped=True)) == []
    assert make_previews(archive, NOW, rules=RULES, cube=replace(CUBE, step_counts=1e9)).cubes == ()


@pytest.mark.parametrize("method", [Method.CLEAN, Method.MEM_GE])
def test_bands_are_side_by_side_in_the_movie(made, tmp_path, method):
    """The same flare, with two bands; MEM_GE measures about what CLEAN does."""
    archive, _ = made
    rules = replace(CUBE, bands=((4.0, 10.0), (6.0, 10.0)), max_steps=2, method=method)
    (task,) = _plan(archive, InputCatalog.of(archive), archive.science_file("2211102195"), rules, NOW)
    cube = run_cube(replace(task, root=tmp_path))
    movie, tracks = cube.record["movie"], cube.record["tracks"]
    assert (movie["bands_kev"], movie["frames"]) == ([[4.0, 10.0], [6.0, 10.0]], 2)
    (poster,) = tmp_path.rglob("poster.png")
    with Picture.open(poster) as picture:
        assert picture.size == (2 * PANEL, PANEL)
    assert [image.method for rows in cube.sets for image in rows.images] == [str(method)] * 4
    preview = next(image for image in archive.images(ImageFilter(grouped=False)) if image.method == "clean")
    for point in tracks:
        assert abs(point["x"] - preview.centroid_hpc_x) < 15.0
        assert abs(point["y"] - preview.centroid_hpc_y) < 15.0
        assert point["flux"] > 3.0 * point["flux_sigma"] > 0.0


def test_another_band_shows_the_step_at_the_time_of_a_frame():
    begin = np.datetime64("2022-11-10T18:00:00", "us")

    def step(start, end):
        return {"start": begin + np.timedelta64(start, "s"), "end": begin + np.timedelta64(end, "s")}

    other = [step(0, 10), step(10, 40), step(60, 70)]
    found = [_step_at(other, one) for one in (step(-20, 0), step(0, 4), step(8, 14), step(40, 44), step(54, 60))]
    assert found == [0, 0, 1, 1, 2]
