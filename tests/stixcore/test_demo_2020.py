"""The demo flare of the ground software, 2020-06-07, from its file as it was published in 2020 and from today's."""

import pytest

from stixcore.fits.windows import WindowRule
from stixcore.imaging.mem import FluxEstimate, MemGeParameters
from stixcore.imaging.reconstruction import Method
from stixcore.options import ImageRequest, ShiftBins
from stixcore.reconstruct import prepare_recipe, reconstruct
from stixcore.times import parse_time


@pytest.mark.parametrize("folder", ["found", "demo20200607"])
def test_mem_ge_of_early_and_present_files(shared_data, folder):
    demo = shared_data / "demo20200607"
    paths = [
        next((shared_data / folder).glob("*_1178428688-*.fits")),
        next(demo.glob("*_1178082832-*.fits")),
        *demo.glob("*ephemeris*"),
    ]
    request = ImageRequest(
        parse_time("2020-06-07T21:39:00"),
        parse_time("2020-06-07T21:42:49"),
        (6.0, 10.0),
        methods={Method.MEM_GE: MemGeParameters(flux_estimate=FluxEstimate.AMPLITUDE)},
        location=(-1592.0, -792.0),
        window_rule=WindowRule.OUTWARD,
        shift_bins=ShiftBins.OFF,
    )
    recipe = prepare_recipe(request, paths[0], paths[1], paths[2:])
    files = {path.name: path for path in paths}
    images = reconstruct(recipe, lambda file: files[file.name])
    image, points = images.images[Method.MEM_GE], len(images.vis)
    assert image.total_flux == pytest.approx(15.705651592, abs=5e-10)
    # χ² is per degree of freedom here; the ground software divides by the number of visibilities less one
    assert image.chi2 * 2 * points / (points - 1) == pytest.approx(1.3441635140, abs=5e-11)
