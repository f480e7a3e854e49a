"""A fit of several sources is at the place of the strongest one, whatever its brightest pixel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stixcore.imaging.forward_fit.image import draw
from stixcore.imaging.grid import ImageGrid
from stixcore.imaging.metrics import measure_source
from stixcore.imaging.reconstruction import Method, Reconstruction
from stixcore.options import ImageRequest
from stixcore.reconstruct import prepare_recipe, reconstruct

GRID = ImageGrid((129, 129), 2.0, (100.0, 50.0))


def test_a_narrow_second_source_is_not_the_position() -> None:
    wide = {"shape": "circle", "flux": 4.0, "x": 90.0, "y": 40.0, "fwhm": 35.0}
    narrow = {"shape": "circle", "flux": 1.0, "x": 130.0, "y": 110.0, "fwhm": 4.5}
    fit = Reconstruction(Method.VIS_FWDFIT, GRID, draw([narrow, wide], GRID), sources=(narrow, wide))
    assert GRID.peak(fit.image) == (130.0, 110.0)  # the brightest pixel
    assert fit.peak == (90.0, 40.0)
    measured = measure_source(fit.image, GRID, fit.sources)
    assert (measured.x, measured.y, measured.fwhm) == (90.0, 40.0, 35.0)


@pytest.mark.needs_shared_data
def test_the_flare_whose_second_source_moved_its_position(shared_data: Path) -> None:
    """2211133513: a source of a fifth of the flux, 4.5″ ± 11″ wide and 82″ away, was its listed position."""
    (science,) = (shared_data / "found").glob("*2211133513*")
    (background,) = (shared_data / "nov2022" / "l1").glob("*2211098157*")
    aspect = sorted((shared_data / "found").glob("*aux-ephemeris_20221113*"))
    start, end = (np.datetime64(f"2022-11-13T23:{time}", "us") for time in ("35:05.061", "37:47.161"))
    recipe = prepare_recipe(ImageRequest(start, end, (6.0, 10.0)), science, background, aspect)
    paths = {path.name: path for path in (science, background, *aspect)}
    images = reconstruct(recipe, lambda reference: paths[reference.name])
    for method in (Method.CLEAN, Method.EM, Method.MEM_GE, Method.VIS_FWDFIT):
        x, y = images.images[method].peak
        assert np.hypot(x - 1278.3, y - 504.5) < 5.0, method  # IDL's circle
