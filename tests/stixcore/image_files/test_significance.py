"""The significance of an image: what it is divided by, and where there is none."""

from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits

from stixcore.errors import InvalidProduct, SelectionError
from stixcore.image_files.significance import read_significance
from stixcore.image_files.write import write_image
from stixcore.imaging.back_projection import back_project
from stixcore.imaging.ensemble import Ensemble, Measured
from stixcore.imaging.fourier import FourierOperator
from stixcore.imaging.reconstruction import Method

pytestmark = pytest.mark.needs_shared_data
CREATED = np.datetime64("2026-01-02T03:04:05", "us")


@pytest.fixture(scope="module")
def files(november_images, tmp_path_factory):
    folder = tmp_path_factory.mktemp("significance")
    for method in november_images.images:
        write_image(folder / f"{method}.fits", november_images, method, CREATED)
    return folder


def test_a_back_projection_is_divided_by_the_scatter_of_its_noise(files, november_images):
    found, vis = read_significance(files / "bp.fits"), november_images.vis
    image = november_images.images[Method.BP]
    sigma = image.image.max() / found.values.max()
    np.testing.assert_allclose(found.values, image.image / sigma, rtol=1e-5, atol=1e-5)
    rng, operator = np.random.default_rng(4), FourierOperator(vis.u, vis.v, image.grid)
    noise = [
        back_project(
            replace(vis, vis=vis.sigma * (rng.normal(size=len(vis)) + 1j * rng.normal(size=len(vis)))),
            image.grid,
            operator=operator,
        ).image
        for _ in range(60)
    ]
    assert sigma == pytest.approx(np.std(noise), rel=0.06)
    assert not found.from_ensemble
    assert "Side lobes" in found.meaning


@pytest.mark.parametrize("method", [Method.CLEAN, Method.MS_CLEAN])
def test_clean_is_divided_by_its_residual_or_by_the_noise_of_the_data(files, november_images, method):
    found, image = read_significance(files / f"{method}.fits"), november_images.images[method]
    sigma = image.image.max() / found.values.max()
    residual = np.sqrt((image.planes["residual"] ** 2).mean())
    # the residual and the dirty map have the same factor to a value per solid angle
    per_area = image.planes["dirty"].max() / november_images.images[Method.BP].image.max()
    noise = image.certificate["noise"] * per_area
    assert sigma == pytest.approx(max(residual, noise), rel=1e-4)
    assert "residual" in found.meaning


@pytest.mark.parametrize("method", [Method.EM, Method.MEM_GE, Method.VIS_FWDFIT, Method.FULL_DISK_BP])
def test_other_images_have_no_noise_of_their_own(files, method):
    reason = "side lobes" if method is Method.FULL_DISK_BP else "ensemble"
    with pytest.raises(SelectionError, match=reason):
        read_significance(files / f"{method}.fits")


def test_with_uncertainty_maps_the_image_is_divided_by_the_error(november_images, tmp_path):
    image = november_images.images[Method.EM].image
    error = np.linspace(0.0, 2.0, image.size).reshape(image.shape)
    one = Measured(1.0, 0.1, 0.2)
    ensemble = Ensemble(Method.EM, 12, 0, image, error / 5, error, error, image, one, one, one, one, one, one)
    write_image(tmp_path / "em.fits", replace(november_images, ensembles={Method.EM: ensemble}), Method.EM, CREATED)
    found = read_significance(tmp_path / "em.fits")
    assert found.from_ensemble
    assert "12 simulated copies" in found.meaning
    assert found.values[0, 0] == 0.0  # its error is 0
    np.testing.assert_allclose(found.values.ravel()[1:], (image / np.where(error > 0, error, 1)).ravel()[1:], rtol=1e-5)


def test_files_without_the_needed_tables_say_so(files, tmp_path):
    with fits.open(files / "clean.fits") as hdus:
        del hdus["PLANES"]
        hdus.writeto(tmp_path / "old.fits")
    with pytest.raises(SelectionError, match="no table PLANES"):
        read_significance(tmp_path / "old.fits")
    with pytest.raises(InvalidProduct, match=r"missing\.fits"):
        read_significance(tmp_path / "missing.fits")
