"""Previews of a simulated campaign: every file ends as images or as a recorded reason, once."""

import hashlib
import json
from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest
from astropy.io import fits

from archive import Archive, ImageFilter, RunFilter, RunKind, RunStatus
from archive.ingest.ingest import ingest
from jobs.executors.make import make_executor
from jobs.imaging.task import ImagingTask, RunContext, run_preview
from jobs.inputs import InputCatalog
from jobs.previews.run import make_previews, plan_imaging
from jobs.previews.stale import StalenessCheck, discard_stale_previews
from jobs.previews.windows import PreviewRules
from jobs.queue.planning import plan_request
from jobs.queue.requests import ImagingRequest
from stixcore.calibration.catalog import SHIPPED, CalibrationCatalog
from stixcore.image_files.read import read_uncertainty
from stixcore.imaging.back_projection import BackProjectionParameters
from stixcore.imaging.clean import CleanParameters
from stixcore.imaging.em import EmParameters
from stixcore.imaging.reconstruction import Method
from stixcore.imaging.trust import Aspect, Finding, Severity
from stixcore.instrument.energy_tables import Validity
from stixcore.options import ImageRequest, default_clean
from stixcore.recipe import Recipe

pytestmark = pytest.mark.system

NOW = np.datetime64("2026-03-20T00:00:00", "us")


def tree(root):
    """Hash of every file but locks."""
    files = sorted(path for path in root.rglob("*") if path.is_file() and "locks" not in path.parts)
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_every_band_of_every_flare_ends_as_images_or_as_a_reason(finished_archive, campaign):
    runs = finished_archive.runs(RunFilter(all_hidden=True))
    assert len(runs) == 2 * len(campaign[1])
    for run in runs:
        if run.status == RunStatus.DONE:
            methods = {image.method for image in finished_archive.images(ImageFilter(recipe_id=run.run_id))}
            assert methods == set(json.loads(run.recipe)["methods"])
        else:
            assert run.status == RunStatus.SKIPPED
            assert run.reason


def test_running_it_again_changes_nothing(own_archive):
    before = tree(own_archive.root)
    report = make_previews(own_archive, NOW + np.timedelta64(1, "D"))
    assert report.runs == ()
    assert tree(own_archive.root) == before


def test_flares_lie_where_they_were_put(finished_archive, campaign):
    for record in campaign[1]:
        for image in finished_archive.images(ImageFilter(uid=record["uid"], methods=("clean",))):
            if image.e_low < 10:
                distance = np.hypot(image.centroid_hpc_x - record["hpc_x"], image.centroid_hpc_y - record["hpc_y"])
                assert distance < 15.0, record  # arcsec; sources are up to 60 arcsec long


def test_rows_and_files_belong_together(finished_archive):
    for image in finished_archive.images():
        path = finished_archive.path_of(image.file)
        assert hashlib.sha256(path.read_bytes()).hexdigest() == image.sha256
        assert path.stat().st_size == image.size
        assert finished_archive.path_of(image.png).is_file()
        assert finished_archive.path_of(image.thumbnail).is_file()


def test_simulated_data_say_so_everywhere(finished_archive):
    assert all(image.simulated for image in finished_archive.images())
    assert all(run.simulated for run in finished_archive.runs())


def test_the_row_of_a_run_names_the_calibration_of_its_recipe(finished_archive):
    runs = [run for run in finished_archive.runs() if run.status == RunStatus.DONE]
    assert runs
    for run in runs:
        used = json.loads(run.recipe)["calibration"]
        for kind in ("energy_table", "phase_table"):
            assert used[kind] == {"name": getattr(run, kind), "sha256": getattr(run, f"{kind}_sha256")}
        assert (run.energy_table, run.cal_file) == ("elut_table_20251120", None)


@pytest.mark.parametrize(("energy", "word"), [((4.0, 10.0), "trusted"), ((16.0, 28.0), "doubtful")])
def test_a_preview_without_a_background_doubts_the_flux_of_em(small_task, energy, word):
    """Unless the quietest part of the file shows that it has little: below 1 % from 4 keV on, 17 % from 16 keV on."""
    methods = {Method.CLEAN: default_clean(), Method.EM: EmParameters()}
    # hard X-rays peak before the window of the task: from 10 s earlier on there are more than 3000 counts
    start = small_task.request.start - np.timedelta64(10, "s")
    request = replace(small_task.request, methods=methods, energy=energy, start=start)
    outcome = run_preview(replace(small_task, background=None, request=request))
    assert {image.method: image.verdict_flux for image in outcome.images} == {"clean": "trusted", "em": word}
    said = [json.loads(image.warnings) for image in outcome.images if image.method == "em"]
    # few counts from 16 keV on make the shape doubtful, not the flux
    doubts = [one["code"] for one in said[0] if one["severity"] == "doubt" and one["code"] != "low_snr"]
    assert doubts == ([] if word == "trusted" else ["background_unknown"])


@pytest.fixture
def own_calibration(finished_archive):
    """What an archive with an energy table and a CAL file of its own would choose from."""
    table = replace(SHIPPED.tables["elut_table_20251120"], name="elut_table_20991231", sha256="e" * 64)
    in_force = Validity(table.name, np.datetime64("2026-03-01", "us"), None)
    return CalibrationCatalog((table,), (in_force,))


@pytest.fixture
def small_task(science_of, tmp_path):
    """A task of one method and few pixels for a simulated flare."""
    science, background, auxiliary, record = science_of(0)
    time = np.datetime64(record["peak_utc"], "us")
    place, methods = (record["hpc_x"], record["hpc_y"]), {Method.CLEAN: CleanParameters()}
    request = ImageRequest(
        time, time + np.timedelta64(40, "s"), (4.0, 10.0), methods=methods, location=place, shape=(32, 32)
    )
    context = RunContext(RunKind.AUTO, "auto", record["uid"], science.name, "4-10 keV")
    return ImagingTask(tmp_path, request, science, background, (auxiliary,), context, NOW)


def test_the_row_of_an_image_has_the_verdict_on_each_part(small_task, monkeypatch):
    found = (
        Finding("made_up", Severity.DOUBT, "for this test", Method.CLEAN, frozenset({Aspect.POSITION})),
        Finding("made_up", Severity.DOUBT, "for this test", Method.BP, frozenset({Aspect.FLUX})),
    )
    monkeypatch.setattr(import_module("stixcore.reconstruct"), "assess", lambda images: found)
    methods = small_task.request.methods | {Method.BP: BackProjectionParameters()}
    outcome = run_preview(replace(small_task, request=replace(small_task.request, methods=methods)))
    rows = {image.method: (image.verdict_position, image.verdict_flux, image.verdict_shape) for image in outcome.images}
    assert rows == {"clean": ("doubtful", "trusted", "trusted"), "bp": ("trusted", "doubtful", "trusted")}
    for image in outcome.images:
        header = fits.getheader(small_task.root / image.file)
        assert rows[image.method] == (header["TRUSTPOS"], header["TRUSTFLX"], header["TRUSTSHP"])


def test_every_step_of_a_task_uses_its_own_calibration(small_task, own_calibration, monkeypatch):
    """Also the second look at a wider field: the table is in this catalogue only."""
    monkeypatch.setattr("jobs.imaging.task.flux_at_edge", lambda image: True)
    outcome = run_preview(replace(small_task, calibration=own_calibration))
    assert (outcome.run.reason, outcome.run.energy_table) == ("", "elut_table_20991231")
    assert {image.pixel_arcsec for image in outcome.images} == {4.0}


def test_previews_and_requests_are_planned_with_the_calibration_of_the_archive(
    finished_archive, own_calibration, monkeypatch
):
    monkeypatch.setattr(Archive, "calibration", own_calibration)
    run = next(run for run in finished_archive.runs() if run.status == RunStatus.DONE)
    file = finished_archive.science_file(run.uid)
    part = ImageRequest(run.t_start, run.t_end, (run.e_low, run.e_high))
    context = RunContext(RunKind.AUTO, "auto", run.uid, file.name, run.band)
    preview = plan_imaging(finished_archive, InputCatalog.of(finished_archive), file, part, context, NOW)
    request = ImagingRequest(run.uid, ((run.t_start, run.t_end),), ((run.e_low, run.e_high),))
    (asked,) = plan_request(finished_archive, request, "ann", NOW)
    assert preview.calibration is asked.calibration is own_calibration


def test_background_and_its_choice_are_recorded(finished_archive, campaign):
    run = next(run for run in finished_archive.runs() if run.status == RunStatus.DONE)
    candidates = json.loads(run.background_candidates)
    assert run.background_uid == candidates[0]["uid"]
    assert run.background_reason.startswith("nearest of")
    assert any(candidate["name"] == campaign[1][0]["background"] for candidate in candidates)


def test_force_makes_the_same_pixels_again(own_archive):
    uid = own_archive.images()[0].uid
    before = {image.image_id: own_archive.path_of(image.file).read_bytes() for image in own_archive.images()}
    make_previews(own_archive, NOW, uids=[uid], force=True)
    after = {image.image_id: own_archive.path_of(image.file).read_bytes() for image in own_archive.images()}
    assert after == before  # same recipe, same creation time: the same bytes


def test_a_killed_run_is_completed_by_the_next_one(own_archive):
    """Files without rows, as after a kill between writing files and the index."""
    complete = {image.image_id for image in own_archive.images()}
    lost = [run.run_id for run in own_archive.runs() if run.status == RunStatus.DONE][:1]
    own_archive.delete("runs", lost)
    own_archive.delete("images", [image_id for image_id in complete if image_id.startswith(lost[0])])
    report = make_previews(own_archive, NOW)
    assert [run.run_id for run in report.runs] == lost
    assert {image.image_id for image in own_archive.images()} == complete


def test_a_broken_science_file_is_recorded_and_the_others_are_imaged(campaign, tmp_path):
    archive = Archive(tmp_path / "archive", create=True)
    ingest(archive, [campaign[0]], NOW)
    broken = archive.locate(campaign[1][0]["uid"])
    broken.write_bytes(broken.read_bytes()[:30_000])
    report = make_previews(archive, NOW)
    failed = report.having(RunStatus.FAILED)
    assert {run.uid for run in failed} == {campaign[1][0]["uid"]}
    assert all(broken.name in run.reason and "truncated" in run.reason for run in failed)
    assert report.having(RunStatus.DONE)


def test_two_processes_give_what_one_gives(campaign, finished_archive, tmp_path):
    archive = Archive(tmp_path / "archive", create=True)
    ingest(archive, [campaign[0]], NOW)
    with make_executor(2) as executor:
        make_previews(archive, NOW, executor=executor)
    alone = {image.image_id: image.sha256 for image in finished_archive.images()}
    assert {image.image_id: image.sha256 for image in archive.images()} == alone


def test_a_skip_is_judged_again_when_rules_or_background_change(own_archive):
    strict = PreviewRules(min_counts=1e9, min_net_counts=1e9)
    own_archive.delete("images", [image.image_id for image in own_archive.images()])
    own_archive.delete("runs", [run.run_id for run in own_archive.runs()])
    skipped = make_previews(own_archive, NOW, rules=strict).having(RunStatus.SKIPPED)
    assert len(skipped) == 4
    assert all("1000000000 needed" in run.reason for run in skipped)
    assert discard_stale_previews(own_archive, NOW, strict) == ()
    own_archive.write_runs([replace(run, background_uid="0") for run in skipped], [])
    assert discard_stale_previews(own_archive, NOW, strict) == ()  # another background, the same answer
    stale = discard_stale_previews(own_archive, NOW)
    assert {one.reason for one in stale} == {"its counts are judged differently now"}
    assert len(stale) == 4


def test_images_with_too_few_counts_above_background_are_stale(own_archive):
    """By the rule of small flares; those by the rule of 10,000 counts stay unless all are background."""
    strict = PreviewRules(min_counts=1e9, min_net_counts=1e9)
    assert discard_stale_previews(own_archive, NOW, strict) == ()
    run = next(run for run in own_archive.runs() if run.status == RunStatus.DONE)
    small = replace(run, window_reason="60 s at the peak; small flare: 3500 counts above background")
    quiet = replace(run, counts_background=run.counts_total)
    for changed in (small, quiet):
        check = StalenessCheck(own_archive, strict, InputCatalog.of(own_archive))
        assert check.stale_reason(changed) == "its images have too few counts above background"
        today = replace(check, rules=PreviewRules())
        assert today.stale_reason(changed) == ""  # the window of today's rules


def test_copies_give_every_image_its_errors(small_task):
    outcome = run_preview(replace(small_task, ensemble=3))
    (image,) = outcome.images
    assert image.sigma_source == "ensemble"
    assert 0 < image.flux_sigma < image.total_flux
    assert image.centroid_sigma > 0
    assert 0 < image.fwhm_sigma < image.fwhm
    header = fits.getheader(small_task.root / image.file, "UNCERTAINTY")
    sigma = header["ICENT_X"], header["ICENT_Y"]
    assert image.centroid_sigma == pytest.approx(np.hypot(*sigma) / np.sqrt(2.0))
    (alone,) = run_preview(small_task).images
    assert (alone.sigma_source, alone.flux_sigma, alone.fwhm) == (None, None, image.fwhm)


def test_copies_that_a_request_asks_for_are_in_the_recipe_and_in_the_files_of_a_group(small_task):
    alone = run_preview(small_task).run
    asked = replace(small_task, request=replace(small_task.request, ensemble=3, seed=7))
    outcome = run_preview(replace(asked, context=replace(asked.context, group_id="cube-1")))
    assert outcome.run.run_id != alone.run_id
    assert Recipe.from_json(outcome.run.recipe).ensemble == 3
    (image,) = outcome.images
    assert image.sigma_source == "ensemble"
    stored = read_uncertainty(small_task.root / image.file)
    assert (stored.n, stored.seed) == (3, 7)


@pytest.mark.needs_shared_data
def test_real_files_of_a_day(shared_data, tmp_path):
    """A bright flare with two bands, a weak one in 10-15 keV, the background of both."""
    archive = Archive(tmp_path / "archive", create=True)
    folder = shared_data / "nov2022"
    names = ("2211116471", "2211110188", "2211098157")
    files = [path for uid in names for path in (folder / "l1").glob(f"*{uid}*")]
    ingest(archive, [*files, folder / "aux"], NOW)
    report = make_previews(archive, NOW)
    by_uid = {(run.uid, run.band): run for run in report.runs}
    assert {uid for uid, _ in by_uid} == {"2211116471", "2211110188"}  # not the background
    assert by_uid["2211116471", "16-28 keV"].status == RunStatus.DONE
    weak = by_uid["2211110188", "10-15 keV"]  # instead of 16-28 keV
    assert (weak.status, weak.e_low, weak.e_high) == (RunStatus.DONE, 10.0, 15.0)
    assert "not 16-28 keV: the file ends at 18 keV; too few counts" in weak.window_reason
    (note,) = (one for one in json.loads(weak.warnings) if one["code"] == "other_band")
    assert note["text"] == f"10-15 keV: {weak.window_reason}"
    assert make_previews(archive, NOW, uids=["2211110188"]).runs == ()  # it answers for 16-28 keV
    flare = by_uid["2211116471", "4-10 keV"]
    assert flare.flare_id == "2211111136"  # named by the request
    assert flare.background_uid == "2211098157"
    assert (flare.hpc_x, flare.hpc_y) == pytest.approx((824, 146), abs=5)
