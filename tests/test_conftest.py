"""What `conftest.py` promises to every test."""

import gzip

import pytest


@pytest.mark.parametrize("content", [gzip.compress(b"packed in this second")])
def test_a_name_holds_no_bytes(request, content):
    assert content.startswith(b"\x1f\x8b")
    assert request.node.name == "test_a_name_holds_no_bytes[content]"
