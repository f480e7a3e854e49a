"""The executors under test: serial, child processes, and a Dask scheduler with two worker processes of our own."""

import sys
from pathlib import Path

import numpy as np
import pytest

from archive.index.schema import RunKind
from jobs.executors.make import make_executor
from jobs.imaging.task import ImagingTask, RunContext
from stixcore.imaging.methods import PARAMETERS
from stixcore.imaging.reconstruction import Method
from stixcore.options import ImageRequest
from stixcore.simulation.campaign import simulate_campaign

HERE = Path(__file__).parent
if str(HERE) not in sys.path:  # child processes inherit the path, and find the sample_tasks
    sys.path.insert(0, str(HERE))


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    from clusters import Cluster

    cluster = Cluster(tmp_path_factory.mktemp("cluster"))
    yield cluster
    cluster.close()


@pytest.fixture(scope="session")
def serial():
    with make_executor() as executor:
        yield executor


@pytest.fixture(scope="session")
def children():
    with make_executor(2) as executor:
        yield executor


@pytest.fixture(scope="session")
def dask(cluster):
    with make_executor(scheduler=cluster.address) as executor:
        yield executor


@pytest.fixture(params=["serial", "children", "dask"])
def executor(request):
    """Every executor in turn, the same one for all tests: none may leave it in a bad state."""
    return request.getfixturevalue(request.param)


@pytest.fixture(params=["children", "dask"])
def outer_executor(request):
    """Every executor that uses other processes."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def flare_files(tmp_path_factory):
    """A simulated flare: science and background files, and the middle of the flare."""
    folder = tmp_path_factory.mktemp("flare")
    (record,) = simulate_campaign(folder, 7, np.datetime64("2026-03-14T06:00:00", "us"), 0.1, 12.0)
    return folder / record["file"], folder / record["background"], np.datetime64(record["peak_utc"], "us")


@pytest.fixture
def imaging_tasks(flare_files, tmp_path):
    """Three image sets of that flare, to be written below a folder of the test's own."""
    science, background, peak = flare_files
    methods = {method: PARAMETERS[method]() for method in (Method.BP, Method.CLEAN)}
    minute = np.timedelta64(60, "s")
    return [
        ImagingTask(
            root=tmp_path,
            request=ImageRequest(peak + n * minute, peak + (n + 1) * minute, (4.0, 10.0), methods=methods),
            science=science,
            background=background,
            aspect=(),
            context=RunContext(RunKind.AUTO, "auto", "2603141000", science.name, "4-10 keV", simulated=True),
            created=np.datetime64("2026-03-20T00:00:00", "us"),
        )
        for n in range(3)
    ]
