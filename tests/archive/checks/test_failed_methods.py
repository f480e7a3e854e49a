"""Which methods of a run have an image: those of its recipe without those of which its warnings say otherwise."""

import json

import pytest

from archive.checks.rebuild import expected_methods
from stixcore.imaging.reconstruction import Method, method_name
from tests.archive.conftest import make_run


@pytest.mark.parametrize("name", [str, method_name])  # rows of earlier versions have the value
def test_failed_methods_are_not_expected(name):
    recipe = json.dumps({"methods": {str(method): {} for method in Method}})
    for failed in Method:
        said = [{"code": "method_failed", "severity": "note", "text": f"{name(failed)} made no image: no counts"}]
        run = make_run("run", recipe=recipe, warnings=json.dumps(said))
        assert expected_methods(run) == tuple(str(method) for method in Method if method is not failed)
