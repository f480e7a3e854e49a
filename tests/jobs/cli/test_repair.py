"""Damage to images, runs and their records: found and repaired, and nothing is left to find. Files: checks/test_run."""

import json
import shutil
import time
from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits

from archive import Archive, Image, Run, RunFilter, RunKind, RunStatus
from archive.checks.findings import Code, Level, is_sound, last_findings
from archive.checks.rebuild import UNKNOWN
from archive.checks.run import check
from archive.index.filters import ImageFilter
from archive.index.records import RECORD, Record, read_record, write_record
from archive.ingest.ingest import ingest
from jobs.cli.repair import Remaker, keep_flare_list, restore_flares
from jobs.imaging.task import RunContext, run_preview
from jobs.inputs import InputCatalog
from jobs.previews.run import index_previews, make_previews, plan_imaging
from stixcore.imaging.methods import PARAMETERS
from stixcore.imaging.reconstruction import Method
from stixcore.options import ImageRequest

pytestmark = pytest.mark.system

NOW = np.datetime64("2026-03-20T00:00:00", "us")


def later(hours=2.0):
    """Some time after everything that this test wrote."""
    return np.datetime64(time.time_ns() // 1000, "us") + np.timedelta64(round(hours * 3600), "s")


def rows_of(archive, *, apart=frozenset({"ingested_at"})):
    found = {}
    for name, key in (("science_files", "name"), ("images", "image_id"), ("runs", "run_id")):
        rows = archive.query(f"SELECT * FROM {name} ORDER BY {key}").to_pylist()
        found[name] = [{column: value for column, value in row.items() if column not in apart} for row in rows]
    return found


def codes(findings):
    return {str(one.code) for one in findings if one.level is not Level.INFO}


@pytest.fixture(scope="module")
def template(campaign, built_once):
    """Archive with one preview and one private run of a user, two small images each."""
    return Archive(built_once("repair", lambda root: build_template(campaign, root))[0])


def build_template(campaign, root):
    folder, truth = campaign
    archive = Archive(root, create=True)
    record = truth[0]
    ingest(archive, [folder / record[key] for key in ("file", "background", "auxiliary")], NOW)
    file = archive.science_file(record["uid"])
    peak = np.datetime64(record["peak_utc"], "us")
    half = np.timedelta64(30, "s")
    for number, (kind, author) in enumerate(((RunKind.AUTO, "auto"), (RunKind.USER, "alice"))):
        request = ImageRequest(
            peak - half, peak + half, (4.0, 10.0),
            methods={method: PARAMETERS[method]() for method in (Method.BP, Method.CLEAN)},
            location=(record["hpc_x"] + number, record["hpc_y"]), shape=(33, 33), pixel=6.0,
        )  # fmt: skip
        context = RunContext(
            kind, author, file.uid, file.name, "4-10 keV",
            flare_id=record["flare_id"], goes_class="C3.4", goes_flux=3.4e-6,
            simulated=True, hidden=kind is RunKind.USER,
        )  # fmt: skip
        task = plan_imaging(archive, InputCatalog.of(archive), file, request, context, NOW)
        index_previews(archive, [run_preview(task)])
    archive.build_read_model()
    assert len(archive.runs(RunFilter(all_hidden=True, statuses=("done",)))) == 2
    archive.close()


@pytest.fixture
def own(template, tmp_path, described_once, monkeypatch):
    monkeypatch.setattr("archive.checks.files.describe_filed", described_once)
    root = tmp_path / "archive"
    shutil.copytree(template.root, root)
    return Archive(root)


def run_of(archive, author="auto") -> Run:
    (run,) = archive.runs(RunFilter(author=author, all_hidden=True, statuses=("done",)))
    return run


def image_of(archive, author="auto", method="clean") -> Image:
    which = ImageFilter(recipe_id=run_of(archive, author).run_id, methods=(method,), all_hidden=True)
    (image,) = archive.images(which)
    return image


def repair(archive, *, remake=True):
    found = check(archive, later(), repair=True, remake=Remaker(archive) if remake else None)
    assert is_sound(found), [one.message for one in found if not one.repaired]
    again = check(archive, later())
    assert codes(again) == set(), [one.message for one in again]
    return found


def flip(path, place):
    content = bytearray(path.read_bytes())
    content[place] ^= 0x40
    path.write_bytes(content)


def image_gone(archive):
    archive.path_of(image_of(archive).file).unlink()


def image_of_user_gone(archive):
    archive.path_of(image_of(archive, "alice").file).unlink()


def image_damaged(archive):
    flip(archive.path_of(image_of(archive).file), 20_000)


def image_cut(archive):
    path = archive.path_of(image_of(archive).file)
    path.write_bytes(path.read_bytes()[:-2880])


def picture_gone(archive):
    archive.path_of(image_of(archive).png).unlink()


def picture_cut(archive):
    path = archive.path_of(image_of(archive).thumbnail)
    path.write_bytes(path.read_bytes()[:-20])


def report_empty(archive):
    archive.path_of(run_of(archive).folder + "/report.png").write_bytes(b"")


def report_gone(archive):
    archive.path_of(run_of(archive).folder + "/report.png").unlink()


def folder_gone(archive):
    shutil.rmtree(archive.path_of(run_of(archive).folder))


def run_row_gone(archive):
    archive.delete("runs", [run_of(archive, "alice").run_id])


def image_row_gone(archive):
    archive.delete("images", [image_of(archive, "alice").image_id])


def all_rows_gone(archive):
    run = run_of(archive, "alice")
    archive.delete("images", [f"{run.run_id}-{method}" for method in ("bp", "clean")])
    archive.delete("runs", [run.run_id])


def record_gone(archive):
    archive.path_of(f"{run_of(archive).folder}/{RECORD}").unlink()


def record_garbled(archive):
    archive.path_of(f"{run_of(archive).folder}/{RECORD}").write_text("{")


def record_false(archive):
    folder = archive.path_of(run_of(archive).folder)
    record = read_record(folder)
    write_record(folder, replace(record.run, author="mallory"), record.images)


def image_row_false(archive):
    archive.upsert("images", [replace(image_of(archive), chi2=1.0, n_iter=3)])


def run_row_false(archive):
    archive.upsert("runs", [replace(run_of(archive), roll_deg=12.0, counts_total=1.0)])


def recipe_false(archive):
    run = run_of(archive)
    archive.upsert("runs", [replace(run, recipe=run.recipe.replace('"pixel_arcsec":6.0', '"pixel_arcsec":5.0'))])


def row_of_another_file(archive):
    archive.upsert("images", [replace(image_of(archive), sha256="0" * 64, size=image_of(archive).size + 1)])


def rewritten(archive, change):
    """An image that somebody changed, with check sums that fit."""
    path = archive.path_of(image_of(archive).file)
    with fits.open(path, mode="update") as hdus:
        change(hdus[0])
        for hdu in hdus:
            hdu.add_checksum()


def pixels_unknown(archive):
    rewritten(archive, lambda hdu: hdu.data.__setitem__((3, 3), np.nan))


def header_against_recipe(archive):
    rewritten(archive, lambda hdu: hdu.header.__setitem__("STX_X", 77.0))


def grid_against_recipe(archive):
    rewritten(archive, lambda hdu: hdu.header.__setitem__("CDELT1", 77.0))


def header_against_row(archive):
    rewritten(archive, lambda hdu: hdu.header.__setitem__("TOTFLUX", 77.0))


def brighter(archive):
    rewritten(archive, lambda hdu: hdu.data.__imul__(2.0))


DAMAGES = [
    # damage, what a look tells, what a close look tells, whether images have to be made again
    (image_gone, "image-missing", "image-missing", True),
    (image_of_user_gone, "image-missing", "image-missing", True),
    (image_damaged, "", "image-unreadable", True),
    (image_cut, "image-changed", "image-changed", True),
    (pixels_unknown, "", "image-unreadable", True),
    (header_against_recipe, "", "image-unreadable", True),
    (grid_against_recipe, "", "image-unreadable", True),
    (header_against_row, "", "image-changed", True),
    (brighter, "", "image-changed", True),
    (picture_gone, "picture-missing", "picture-missing", True),
    (report_gone, "picture-missing", "picture-missing", True),
    (picture_cut, "", "picture-missing", True),
    (report_empty, "", "picture-missing", True),
    (folder_gone, "image-missing", "image-missing", True),
    (run_row_gone, "run-missing", "run-missing", False),
    (image_row_gone, "image-unindexed", "image-unindexed", False),
    (all_rows_gone, "image-unindexed", "image-unindexed", False),
    (record_gone, "record-missing", "record-missing", False),
    (record_garbled, "", "record-stale", False),
    (record_false, "", "record-stale", False),
    (image_row_false, "", "row-contradicts", False),
    (run_row_false, "", "row-contradicts", False),
    (recipe_false, "", "row-contradicts", False),
    (row_of_another_file, "image-changed", "image-changed", False),
]


@pytest.mark.parametrize(("damage", "look", "close_look", "again"), DAMAGES)
def test_damage_is_found_and_mended_to_what_was(own, damage, look, close_look, again):
    # the same file, byte for byte: the hashes are among the rows
    apart = frozenset({"ingested_at", "elapsed_s"} if again else {"ingested_at"})
    before = rows_of(own, apart=apart)
    damage(own)
    assert codes(check(own, later(), deep=False)) == set(look.split())
    made = []

    def remake(run, images):
        made.append(run.run_id)
        return Remaker(own)(run, images)

    found = check(own, later(), repair=True, remake=remake)
    assert codes(found) == set(close_look.split())
    assert is_sound(found)
    assert bool(made) == again
    assert rows_of(own, apart=apart) == before
    assert codes(check(own, later())) == set()


@pytest.mark.parametrize("damage", [image_gone, image_damaged, folder_gone])
def test_without_remaking_the_run_goes_so_that_previews_make_it_again(own, damage):
    run = run_of(own)
    damage(own)
    repair(own, remake=False)
    assert own.runs(RunFilter(author="auto", statuses=("done",))) == []
    assert not own.path_of(run.folder).exists()
    assert run_of(own, "alice").hidden
    kept = {path.name.rpartition("_")[2] for path in own.root.glob("quarantine/*/*.fits")}
    assert kept == {image_gone: {"bp.fits"}, image_damaged: {"bp.fits", "clean.fits"}, folder_gone: set()}[damage]


def test_images_whose_science_file_is_gone_cannot_be_made_again(own):
    own.path_of(own.science_file(run_of(own).science_name).path).unlink()
    image_gone(own)
    found = repair(own)
    assert {Code.FILE_MISSING, Code.IMAGE_MISSING} <= {one.code for one in found}
    assert own.runs(RunFilter(author="auto", statuses=("done",))) == []


def test_missing_picture_costs_no_image(own):
    picture_gone(own)
    own.path_of(own.science_file(run_of(own).science_name).path).unlink()
    found = check(own, later(), repair=True, remake=Remaker(own))
    (left,) = (one for one in found if not one.repaired and one.level is not Level.INFO)
    assert left.code is Code.PICTURE_MISSING
    assert own.path_of(image_of(own).file).is_file()


def test_an_image_comes_back_with_the_doubts_about_it_and_none_about_others(own):
    run = run_of(own, "alice")
    said = [
        {"code": "no_background", "severity": "note", "text": "no background was subtracted"},
        {"code": "poor_fit", "severity": "doubt", "text": "clean does not explain the visibilities", "method": "clean"},
    ]
    own.upsert("runs", [replace(run, warnings=json.dumps(said))])
    own.path_of(f"{run.folder}/{RECORD}").unlink()
    own.delete("images", [f"{run.run_id}-{method}" for method in ("bp", "clean")])
    repair(own)
    bp, clean = (own.image(f"{run.run_id}-{method}") for method in ("bp", "clean"))
    assert (bp.trusted, json.loads(bp.warnings)) == (True, said[:1])
    assert (clean.trusted, json.loads(clean.warnings)) == (False, said)


def test_without_a_record_the_image_tells_what_it_can_and_stays_private(own):
    run, image = run_of(own, "alice"), image_of(own, "alice")
    record_gone(own)
    all_rows_gone(own)
    own.path_of(f"{run.folder}/{RECORD}").unlink()
    assert codes(check(own, later())) == {"image-unindexed", "record-missing"}
    repair(own)
    rebuilt, picture = own.run(run.run_id), own.image(image.image_id)
    assert (rebuilt.author, rebuilt.kind, rebuilt.hidden) == (UNKNOWN, RunKind.USER, True)
    assert (picture.author, picture.hidden, picture.trusted) == (UNKNOWN, True, False)
    assert {entry["code"] for entry in json.loads(rebuilt.warnings)} == {"rebuilt"}
    unknown = {
        "author", "kind", "flare_id", "goes_class", "goes_flux", "background_reason", "background_candidates",
        "warnings", "trusted", "elapsed_s", "unit",
    }  # fmt: skip
    for row, truth in ((rebuilt, run), (picture, image)):
        for name, value in vars(truth).items():
            told = getattr(row, name)
            if name in unknown:
                continue
            if isinstance(value, float):
                assert told == pytest.approx(value, rel=1e-6, abs=1e-4), name
            elif isinstance(value, np.datetime64):
                assert abs(told - value) <= np.timedelta64(1, "ms"), name
            else:
                assert told == value, name


def test_set_that_a_killed_writer_left_is_no_run(own):
    """Neither rows nor record nor report: it was never finished, and nobody was told of it."""
    run = run_of(own)
    folder = own.path_of(run.folder)
    own.delete("images", [f"{run.run_id}-{method}" for method in ("bp", "clean")])
    own.delete("runs", [run.run_id])
    for name in (RECORD, "report.png", image_of(own, "alice").file):
        (folder / name).unlink(missing_ok=True)
    next(folder.glob("*_clean.fits")).unlink()
    assert check(own, later(0.5), repair=True) == ()  # the writer may still be at work
    assert codes(check(own, later())) == {"image-unindexed"}
    repair(own)
    assert not folder.exists()
    assert own.runs(RunFilter(author=UNKNOWN, all_hidden=True)) == []


def test_finished_set_whose_rows_are_on_their_way_is_spared_and_may_be_taken_in(own):
    before = rows_of(own)
    all_rows_gone(own)
    assert check(own, later(0.5)) == ()
    assert codes(check(own, later(0.5), repair=True)) == {"image-unindexed"}
    assert rows_of(own) == before


def test_folder_without_images_is_litter(own):
    folder = own.root / "images/2026/03/14/0123456789abcdef"
    folder.mkdir()
    assert check(own, later()) == ()
    (folder / "x.png").write_bytes(b"x")
    assert codes(check(own, later())) == {"leftover"}
    repair(own)
    assert not folder.exists()


def test_rows_that_change_while_an_image_is_looked_into_are_left_to_the_next_check(own, monkeypatch):
    import archive.checks.images as module

    def look(root, relative):
        own.upsert("runs", [replace(run_of(own), author="auto", band="4-11 keV")])
        return original(root, relative)

    original = module.read_image
    image_row_false(own)
    monkeypatch.setattr(module, "read_image", look)
    found = check(own, later(), repair=True)
    assert [one.repaired for one in found if one.code is Code.ROW_CONTRADICTS] == [False]
    monkeypatch.undo()
    assert image_of(own).n_iter == 3
    repair(own)
    assert image_of(own).n_iter != 3


@pytest.mark.parametrize("table", ["images", "runs"])
def test_damaged_month_comes_back_from_the_records(own, table):
    before = rows_of(own)
    own.close()
    shutil.rmtree(own.index / "read")
    (own.index / table / "2026-03.parquet").write_bytes(b"PAR1 nothing")
    assert codes(check(own, later(), deep=False)) == {"month-unreadable"}
    repair(own)
    assert rows_of(own) == before


@pytest.mark.parametrize("deep", [True, False])
def test_whole_index_of_a_campaign_is_rebuilt(own_archive, deep):
    own = own_archive
    before, skipped = rows_of(own), [run for run in own.runs(RunFilter()) if run.status != RunStatus.DONE]
    own.close()
    shutil.rmtree(own.index)
    new = Archive(own.root, create=True)
    found = check(new, later(), repair=True, deep=deep, remake=Remaker(new))
    assert codes(found) == {"file-unindexed", "image-unindexed", "spectrum-unindexed", "light-curve-stale"}
    make_previews(new, NOW)  # bands that were skipped have no files
    assert rows_of(new) == before
    assert skipped == [run for run in new.runs(RunFilter()) if run.status != RunStatus.DONE]
    assert codes(check(new, later(), deep=deep)) == set()


def test_flares_are_restored_from_light_curves_and_kept_lists(own_archive, tmp_path):
    from jobs.flares.detect import detect_flares
    from jobs.flares.lists import import_flares
    from jobs.flares.refresh import refresh_flares

    own = own_archive
    listed = tmp_path / "some_list.csv"
    listed.write_text("flare_id,peak_UTC,GOES_class\n2211111136,2022-11-11T11:36:10,C3.4\n")
    place = keep_flare_list(own, listed)
    assert place == keep_flare_list(own, listed)
    import_flares(own, listed, NOW)
    detect_flares(own, None, None, NOW)
    refresh_flares(own, NOW)
    before = own.query("SELECT * EXCLUDE (updated_at, limits_changed_at) FROM flares ORDER BY flare_id").to_pylist()
    assert len(before) >= 3
    assert restore_flares(own, NOW) == 0
    own.close()
    for folder in ("flares", "read"):
        shutil.rmtree(own.index / folder)
    assert restore_flares(own, NOW) == len(before)
    assert (
        own.query("SELECT * EXCLUDE (updated_at, limits_changed_at) FROM flares ORDER BY flare_id").to_pylist()
        == before
    )


def test_command_rebuilds_an_index_that_was_deleted(own_archive, stix_jobs):
    own = own_archive
    assert stix_jobs("flares", "--archive", own.root)[0] == 0
    before = rows_of(own)
    flares = own.query("SELECT * EXCLUDE (updated_at, limits_changed_at) FROM flares").to_pylist()
    assert flares
    own.close()
    shutil.rmtree(own.index)
    assert stix_jobs("check", "--archive", own.root)[0] == 1  # looking makes nothing
    assert not own.index.exists()
    status, out, _ = stix_jobs("check", "--archive", own.root, "--repair")
    assert (status, "(repaired)" in out) == (0, True)
    again = Archive(own.root)
    assert again.query("SELECT * EXCLUDE (updated_at, limits_changed_at) FROM flares").to_pylist() == flares
    make_previews(again, NOW)  # bands that were skipped have no files
    assert rows_of(again) == before
    _, findings = last_findings(own.root)
    assert {str(one.code) for one in findings} >= {"file-unindexed", "image-unindexed"}
    assert all(one.repaired for one in findings if one.level is not Level.INFO)


@pytest.mark.parametrize("what", ["nothing", "flares"])
def test_repair_looks_for_flares_only_where_some_were_lost(own_archive, stix_jobs, monkeypatch, what):
    import jobs.cli.repair as module

    assert stix_jobs("flares", "--archive", own_archive.root)[0] == 0
    searched = []
    monkeypatch.setattr(module, "restore_flares", lambda *words: searched.append(words))
    if what == "flares":
        own_archive.close()
        shutil.rmtree(own_archive.index / "read")
        (own_archive.index / "flares/2026-03.parquet").write_bytes(b"PAR1 nothing")
    stix_jobs("check", "--archive", own_archive.root, "--repair")
    assert len(searched) == (what == "flares")


def test_record_holds_rows_exactly(own, tmp_path):
    run, image = run_of(own), replace(image_of(own), e_high=np.inf, chi2=None)
    write_record(tmp_path, run, [image])
    assert read_record(tmp_path) == Record(run, (image,))
    content = json.loads((tmp_path / RECORD).read_text(), parse_constant=lambda text: pytest.fail(f"not JSON: {text}"))
    # what came later has its default; what was dropped is passed over
    del content["run"]["hidden"], content["images"][0]["flare_id"]
    content["run"]["mood"] = "good"
    (tmp_path / RECORD).write_text(json.dumps(content))
    assert read_record(tmp_path) == Record(replace(run, hidden=False), (replace(image, flare_id=None),))


@pytest.mark.parametrize("text", ["", "{}", '{"format": 99, "run": {}, "images": []}', '{"format": 1, "run": 5}', "[]"])
def test_record_that_cannot_be_understood_is_none(tmp_path, text):
    (tmp_path / RECORD).write_text(text)
    assert read_record(tmp_path) is None


def test_header_alone_decides_what_a_row_may_say(own):
    """An image from elsewhere, under the right name: its recipe is not the one of the folder."""
    mine, other = image_of(own), image_of(own, "alice")
    shutil.copy(own.path_of(other.file), own.path_of(mine.file))
    with fits.open(own.path_of(mine.file)) as hdus:
        assert hdus[0].header["RECIPEID"] == other.recipe_id
    (found,) = [one for one in check(own, later()) if one.level is not Level.INFO]
    assert found.code is Code.IMAGE_UNREADABLE
    assert f"expected recipe in the name {other.recipe_id}" in found.message


def test_a_set_with_a_method_that_is_not_installed_is_left_alone(own, caplog):
    """Made again without it, its sound images would be removed."""
    run = run_of(own)
    recipe = json.loads(run.recipe)
    recipe["methods"]["uniform"] = {"power": 1.0}
    recipe["packages"] = {"uniform": {"name": "stix-uniform", "version": "1.0"}}
    images = [image_of(own), image_of(own, method="bp")]
    before = {path: path.read_bytes() for path in (own.root / run.folder).iterdir()}
    assert not Remaker(own)(replace(run, recipe=json.dumps(recipe)), images)
    assert "uniform cannot be made: the recipe was made with stix-uniform 1.0, but no package" in caplog.text
    assert {path: path.read_bytes() for path in (own.root / run.folder).iterdir()} == before
    assert {image.image_id for image in images} <= {image.image_id for image in own.images(ImageFilter())}
