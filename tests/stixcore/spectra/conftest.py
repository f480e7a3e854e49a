"""What tests of responses share: tables of the package, and numbers that others computed."""

import json

import numpy as np
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


@pytest.fixture
def agrees(record_property):
    """A function that asserts agreement with published numbers and records it for the table in ``docs/accuracy.md``."""

    def check(what, got, expected, *, rtol=0.0, atol=0.0):
        got, expected = np.atleast_1d(np.asarray(got, float)), np.atleast_1d(np.asarray(expected, float))
        np.testing.assert_allclose(got, expected, rtol=rtol, atol=atol, err_msg=what)
        worst = np.abs(got - expected) if atol else np.abs(got / expected - 1)
        at = np.unravel_index(worst.argmax(), worst.shape)
        # plain numbers: those of NumPy do not go from one test process to another
        row = {"what": what, "values": got.size, "expected": float(expected[at]), "got": float(got[at])}
        record_property("agreement", {**row, "worst": float(worst[at]), "rtol": float(rtol), "atol": float(atol)})

    return check
