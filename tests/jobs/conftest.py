"""A small simulated campaign and an archive made from it, once for all processes of a run."""

import json
import shutil

import numpy as np
import pytest

from archive import Archive
from archive.ingest.ingest import ingest
from jobs.cli.parser import main
from jobs.previews.run import make_previews
from stixcore.simulation.campaign import simulate_campaign

NOW = np.datetime64("2026-03-20T00:00:00", "us")


@pytest.fixture(scope="session")
def campaign(built_once):
    """Folder of a third of a day with two flares, and what was put in."""
    start = np.datetime64("2026-03-14T06:00:00", "us")

    def build(folder):
        return simulate_campaign(folder, 7, start, 0.34, 6.0, min_separation=3600.0)

    folder, truth = built_once("campaign", build)
    assert len(truth) == 2
    return folder, truth


@pytest.fixture(scope="session")
def finished_archive(campaign, built_once):
    """Archive with the campaign's previews; tests must not change it."""

    def build(folder):
        archive = Archive(folder, create=True)
        ingest(archive, [campaign[0]], NOW)
        make_previews(archive, NOW)
        archive.close()

    return Archive(built_once("finished", build)[0])


@pytest.fixture
def own_archive(finished_archive, tmp_path):
    """A copy of the finished archive that a test may change."""
    root = tmp_path / "archive"
    shutil.copytree(finished_archive.root, root)
    return Archive(root)


@pytest.fixture
def stix_jobs(capfd):
    """Run the command line; gives exit status, standard output and standard error."""

    def run(*words):
        capfd.readouterr()
        status = main([str(word) for word in words])
        captured = capfd.readouterr()
        return status, captured.out, captured.err

    return run


@pytest.fixture
def science_of(campaign):
    """Files of one simulated flare: science, background, auxiliary; and its truth."""

    def files(number):
        folder, truth = campaign
        record = truth[number]
        return folder / record["file"], folder / record["background"], folder / record["auxiliary"], record

    return files


@pytest.fixture
def as_json():
    return json.loads
