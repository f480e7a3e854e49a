"""What tests of responses share: tables of the package, and numbers that others computed."""

import json

import pytest

from stixcore.spectra.tables import response_tables


@pytest.fixture(scope="session")
def native():
    return response_tables().channel_edges


@pytest.fixture(scope="session")
def photon():
    edges = response_tables().photon_edges
    return 0.5 * (edges[1:] + edges[:-1])


@pytest.fixture(scope="session")
def spectroscopy(shared_data):
    folder = shared_data / "spectroscopy"
    if not folder.exists():
        pytest.skip(f"{folder} is absent")
    return folder


@pytest.fixture(scope="session")
def gdl(spectroscopy):
    return json.loads((spectroscopy / "truth" / "gdl_reference.json").read_text())
