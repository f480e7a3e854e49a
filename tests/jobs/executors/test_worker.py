"""The worker's loop on every executor: one request, the same archive."""

import numpy as np
import pytest

from archive import Archive, ImageFilter
from archive.ingest.ingest import ingest
from jobs.queue.journal import Journal
from jobs.queue.requests import ImagingRequest
from jobs.queue.submit import submit
from jobs.queue.worker import Worker, WorkerSettings
from jobs.renderings.planner import RequestPlanner
from stixcore.imaging.methods import PARAMETERS
from stixcore.imaging.reconstruction import Method

pytestmark = pytest.mark.system

NOW = np.datetime64("2026-03-21T00:00:00", "us")
SECOND = np.timedelta64(1_000_000, "us")


@pytest.fixture
def make_images(flare_files, tmp_path, monkeypatch):
    """Have a worker make three image sets on an executor; gives the image files and their check sums."""

    def make(executor, name):
        archive = Archive(tmp_path / name, create=True)
        ingest(archive, [flare_files[0].parent], NOW)
        journal = Journal(archive.root)
        request = ImagingRequest(
            uid=archive.science_file(flare_files[0].name).uid,
            time_ranges=tuple(
                (flare_files[2] + n * 30 * SECOND, flare_files[2] + (n + 1) * 30 * SECOND) for n in range(3)
            ),
            energy_ranges=((4.0, 10.0),),
            methods={Method.BP: PARAMETERS[Method.BP](), Method.FULL_DISK_BP: PARAMETERS[Method.FULL_DISK_BP]()},
        )
        submitted, _ = submit(archive, journal, request, "anna", NOW)
        monkeypatch.setattr(executor, "close", lambda: None)  # the other tests need it
        Worker(archive.root, RequestPlanner(), executor, lambda: NOW, WorkerSettings(poll=0.05)).run(until_idle=True)
        done = journal.get(submitted.request_id)
        assert (done.state, done.reason, done.attempts) == ("done", "", 1)
        return {image.file: image.sha256 for image in archive.images(ImageFilter(author="anna"))}

    return make


def test_a_request_has_the_same_images_wherever_it_is_run(outer_executor, serial, make_images):
    expected = make_images(serial, "serial")
    assert len(expected) == 6
    assert make_images(outer_executor, "outer") == expected
