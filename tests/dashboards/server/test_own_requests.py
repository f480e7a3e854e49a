import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archive import Archive
from dashboards.server.own_requests import own_requests
from jobs.queue.journal import Journal, RequestState, TaskResult
from jobs.queue.leases import Leases

NOW = np.datetime64("2026-11-25T12:00:00", "us")


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path / "archive", create=True)


def test_requests_of_one_user_newest_first_with_what_they_are(archive: Archive) -> None:
    journal = Journal(archive.root)
    for number, (user, kind) in enumerate([("anna", ""), ("bob", ""), ("anna", "animation"), ("anna", "cube")]):
        body = json.dumps({"uid": f"221111{number}", **({"kind": kind} if kind else {})})
        journal.submit(user, body, NOW, uid=f"221111{number}", task_count=1)
    cube, animation, images = own_requests(archive, journal, "anna")
    assert [one.kind for one in (cube, animation, images)] == ["cube", "animation", "images"]
    assert images.page == "science_data?uid=2211110&tab=analysis&request=1"
    assert (animation.page, animation.files, animation.is_gone) == ("", (), False)  # it waits


def test_files_that_were_made_and_that_were_removed(archive: Archive) -> None:
    journal, leases = Journal(archive.root), Leases(archive.root)
    request, _ = journal.submit("anna", json.dumps({"kind": "overlay"}), NOW, uid="2211110", task_count=1)
    assert leases.claim("worker", NOW, 30.0) is not None
    assert leases.record(request.request_id, "worker", [TaskResult(0, "0123456789abcdef", "")], 1.0)
    assert leases.finish(request.request_id, "worker", NOW, RequestState.DONE)
    folder = archive.root / "renderings" / "0123456789abcdef"
    folder.mkdir(parents=True)
    (folder / "rendering.json").write_text(json.dumps({"files": ["overlay.png"], "notes": []}))
    (one,) = own_requests(archive, journal, "anna")
    assert one.files == (("overlay.png", f"archive/rendering/{request.request_id}/overlay.png"),)
    assert not one.is_gone
    shutil.rmtree(folder)
    (one,) = own_requests(archive, journal, "anna")
    assert (one.files, one.is_gone) == ((), True)


def test_requests_for_spectra_have_the_files_of_their_results(small: Any, tmp_path: Path) -> None:
    journal, leases = Journal(tmp_path), Leases(tmp_path)
    made = {"spectrum": small.spectra[0].spectrum_id, "regions": small.regions[0].region_id, "spectra": "0" * 16}
    for kind, run_id in made.items():
        request, _ = journal.submit("anna", json.dumps({"kind": kind}), NOW, uid="2211110", task_count=1)
        assert leases.claim("worker", NOW, 30.0) is not None
        assert leases.record(request.request_id, "worker", [TaskResult(0, run_id, "")], 1.0)
        assert leases.finish(request.request_id, "worker", NOW, RequestState.DONE)
    gone, regions, spectrum = own_requests(small.archive, journal, "anna")
    assert spectrum.files == tuple(
        (name, f"archive/spectrum/{made['spectrum']}/{name}")
        for name in ("stx_spectrum.fits", "stx_srm.fits", "spectrum.json")
    )
    folder = small.archive.root / small.regions[0].folder
    assert {name for name, _ in regions.files} == {path.name for path in folder.iterdir()}
    assert {address for _, address in regions.files} == {
        f"archive/regions/{made['regions']}/{path.name}" for path in folder.iterdir()
    }
    assert [one.is_gone for one in (gone, regions, spectrum)] == [True, False, False]
