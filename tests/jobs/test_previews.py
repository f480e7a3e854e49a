"""Previews of a simulated campaign: every file ends as images or as a recorded reason, once."""

import hashlib
import json

import numpy as np
import pytest

from archive import Archive, ImageFilter, RunFilter, RunStatus, ingest
from jobs.executors import make_executor
from jobs.previews import make_previews

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


@pytest.mark.needs_shared_data
def test_real_files_of_a_day(shared_data, tmp_path):
    """A bright flare with two bands, a weak one with one bin, the background of both."""
    archive = Archive(tmp_path / "archive", create=True)
    folder = shared_data / "nov2022"
    names = ("2211116471", "2211113684", "2211098157")
    files = [path for uid in names for path in (folder / "l1").glob(f"*{uid}*")]
    ingest(archive, [*files, folder / "aux"], NOW)
    report = make_previews(archive, NOW)
    by_uid = {(run.uid, run.band): run for run in report.runs}
    assert {uid for uid, _ in by_uid} == {"2211116471", "2211113684"}  # not the background
    assert by_uid["2211116471", "16-28 keV"].status == RunStatus.DONE
    assert by_uid["2211113684", "16-28 keV"].status == RunStatus.SKIPPED
    flare = by_uid["2211116471", "4-10 keV"]
    assert flare.flare_id == "2211111136"  # named by the request
    assert flare.background_uid == "2211098157"
    assert (flare.hpc_x, flare.hpc_y) == pytest.approx((824, 146), abs=5)
