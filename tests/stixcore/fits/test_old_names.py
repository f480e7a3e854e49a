"""`stixcore.fits.write` works until 0.3.0, for scripts that were handed out before 0.2.0."""

import importlib
import sys

import pytest

from stixcore.image_files.write import write_image


def test_the_old_place_of_the_writer_names_the_new_one(monkeypatch):
    monkeypatch.delitem(sys.modules, "stixcore.fits.write", raising=False)
    with pytest.warns(DeprecationWarning, match=r"stixcore\.image_files\.write"):
        old = importlib.import_module("stixcore.fits.write")
    assert old.write_image is write_image
