"""Image files: what sunpy and fitsverify say of them, and what stands in them."""

import subprocess
from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest
from astropy.io import fits

from stixcore.errors import InvalidProduct
from stixcore.fits.windows import WindowRule
from stixcore.image_files.header import image_header
from stixcore.image_files.read import read_image_file, read_recipe, read_uncertainty
from stixcore.image_files.write import write_image
from stixcore.imaging.reconstruction import Method
from stixcore.reconstruct import reconstruct

pytestmark = pytest.mark.needs_shared_data
CREATED = np.datetime64("2026-01-02T03:04:05", "us")


@pytest.fixture(scope="module")
def files(november_images, tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    for method in november_images.images:
        write_image(folder / f"{method}.fits", november_images, method, CREATED)
    return folder


@pytest.fixture(scope="module")
def header(files):
    return fits.getheader(files / "clean.fits")


def test_sunpy_reads_every_image_without_a_warning(files, november_images):
    import matplotlib as mpl
    import sunpy.map

    mpl.use("Agg")
    for method, image in november_images.images.items():
        loaded = sunpy.map.Map(files / f"{method}.fits")  # warnings are errors here
        loaded.peek(draw_limb=True, draw_grid=True)
        assert loaded.data.shape == image.grid.shape
        center = loaded.pixel_to_world(*(np.array(loaded.data.shape[::-1]) - 1) / 2 * _pixel())
        assert center.Tx.to_value("arcsec") == pytest.approx(image.grid.center[0], abs=0.1)
        assert center.Ty.to_value("arcsec") == pytest.approx(image.grid.center[1], abs=0.1)
        assert loaded.observer_coordinate.lon.to_value("deg") == pytest.approx(-21.4537, abs=0.01)
        assert loaded.observer_coordinate.radius.to_value("m") == pytest.approx(9.3117e10, rel=1e-4)
        assert loaded.unit is not None


def _pixel():
    import astropy.units as u

    return u.pix


@pytest.mark.needs_fitsverify
def test_fitsverify_finds_nothing(files):
    for path in files.glob("*.fits"):
        report = subprocess.run(["fitsverify", "-q", path], capture_output=True, text=True, check=False)
        assert report.returncode == 0, report.stdout
        assert "verification OK" in report.stdout


def test_checksums_are_right(files):
    with fits.open(files / "clean.fits", checksum=True) as hdus:  # a wrong sum is a warning, and so an error
        assert all("CHECKSUM" in hdu.header and "DATASUM" in hdu.header for hdu in hdus)


def test_times_of_all_three_clocks(header):
    assert header["DATE-OBS"] == header["DATE-BEG"] == "2022-11-11T11:35:40.271"
    assert header["DATE-AVG"] == "2022-11-11T11:36:40.271"
    assert header["DATE-END"] == "2022-11-11T11:37:40.271"
    assert header["DATE_EAR"] == "2022-11-11T11:38:43.702"  # as the IDL map of this window
    assert header["DATE_SUN"] == "2022-11-11T11:30:29.648"
    assert header["DATE"] == "2026-01-02T03:04:05.000"


def test_pointing_of_the_idl_map_of_the_same_window(header, shared_data):
    idl = fits.getheader(shared_data / "nov2022/idl/bp_nat_map-2211116471.fits")
    assert header["STX_X"] == pytest.approx(idl["STX_X"], abs=0.5)
    assert header["STX_Y"] == pytest.approx(idl["STX_Y"], abs=0.5)
    assert header["RSUN_OBS"] == pytest.approx(idl["RSUN_OBS"], abs=0.1)
    assert header["HGLT_OBS"] == pytest.approx(idl["HGLT_OBS"], abs=1e-3)
    assert header["PNTSRC"] == "aspect"


def test_known_slips_of_early_files_do_not_travel(header):
    assert header["CRLN_OBS"] != pytest.approx(header["HGLN_OBS"] % 360.0, abs=1.0)  # equal in the science file
    assert "HAEZ_OBS" not in header  # equals HAEX_OBS there
    assert "CROTA1" not in header  # not together with PC


def test_a_set_is_judged_once_for_all_its_files(november_images, tmp_path, monkeypatch):
    images, judged = replace(november_images), []
    monkeypatch.setattr(
        import_module("stixcore.reconstruct"), "assess", lambda of: judged.append(of) or november_images.findings
    )
    for method in images.images:
        write_image(tmp_path / f"{method}.fits", images, method, CREATED)
    assert judged == [images]


def test_the_recipe_and_the_candidates_are_the_same_tables_in_all_files_of_a_set(files, november_images):
    for method in november_images.images:
        with fits.open(files / f"{method}.fits", checksum=True) as hdus:  # a wrong checksum is a warning, an error here
            assert hdus["RECIPE"].data["recipe"][0] == november_images.recipe.to_json()
            found = [tuple(row) for row in hdus["CANDIDATES"].data]
        assert found == [(one.x, one.y, one.relative_height) for one in november_images.location.candidates]


def test_what_was_asked_for_stands_beside_the_bins(november_images):
    asked = "2022-11-11T11:35:45.000", "2022-11-11T11:37:30.000"
    changes = {"time_range": asked, "window_rule": WindowRule.OUTWARD, "shift_bins": True}
    images = replace(november_images, recipe=replace(november_images.recipe, **changes))
    header = image_header(images, Method.BP, CREATED)
    assert (header["REQ_BEG"], header["REQ_END"]) == asked
    assert (header["DATE-BEG"], header["DATE-END"]) == ("2022-11-11T11:35:40.271", "2022-11-11T11:37:40.271")
    assert (header["BINRULE"], header["BINSHIFT"]) == ("outward", True)
    header = image_header(november_images, Method.BP, CREATED)
    assert (header["BINRULE"], header["BINSHIFT"]) == ("centres", False)


def test_scatter_of_the_pointing(november_images):
    scatter = {"rms_x": 1.25, "rms_y": 2.5, "peak_to_peak": 7.5, "records": 9, "rejected": 2}
    pointing = replace(november_images.recipe.pointing, **scatter)
    images = replace(november_images, recipe=replace(november_images.recipe, pointing=pointing))
    header = image_header(images, Method.BP, CREATED)
    assert [header[f"PNT_{key}"] for key in ("RMSX", "RMSY", "P2P", "N", "NREJ")] == [1.25, 2.5, 7.5, 9, 2]
    assert header["PNT_SIG"] == pytest.approx(np.hypot(4.0, 2.5))


def test_degrees_of_freedom_of_a_forward_fit(november_images):
    """Twice 24 numbers less what describes the sources: flux and place, and one, three or four of the shape."""
    fit = november_images.images[Method.VIS_FWDFIT]
    parameters = sum({"circle": 4, "ellipse": 6, "loop": 7}[source["shape"]] for source in fit.sources)
    header = image_header(november_images, Method.VIS_FWDFIT, CREATED)
    assert header["CHI2DOF"] == 48 - parameters < 48


def test_numbers_of_the_image(header, november_images):
    image = november_images.images[Method.CLEAN]
    clean_header = image_header(november_images, Method.CLEAN, np.datetime64("2026-11-29", "ms"))
    assert clean_header["MISSFLUX"] == pytest.approx(image.certificate["missing_flux"], rel=1e-12)
    assert "MISSFLUX" in image_header(november_images, Method.EM, np.datetime64("2026-11-29", "ms"))
    assert "MISSFLUX" not in image_header(november_images, Method.BP, np.datetime64("2026-11-29", "ms"))
    assert header["CNTS_TOT"] == november_images.counts[0]
    assert header["NITER"] == image.n_iter
    assert header["CHI2"] == pytest.approx(image.chi2)
    assert header["RECIPEID"] == november_images.recipe.recipe_id
    assert (header["ENERGY_L"], header["ENERGY_H"]) == (6.0, 10.0)
    assert header["AMPSCHEM"] == "gsw-2026"


def test_recipe_planes_and_visibilities_stand_in_the_file(files, november_images):
    assert read_recipe(files / "clean.fits") == november_images.recipe
    image = november_images.images[Method.CLEAN]
    with fits.open(files / "clean.fits") as hdus:
        planes, vis = hdus["PLANES"].data, hdus["VISIBILITIES"].data
        total = planes["restored"] + planes["residual"]
        np.testing.assert_allclose(total, hdus[0].data, atol=1e-6 * image.image.max())
        np.testing.assert_allclose(vis["real"] + 1j * vis["imag"], november_images.vis.vis)
        residual = (vis["model_real"] + 1j * vis["model_imag"]) - november_images.vis.vis
        chi2 = (np.abs(residual) ** 2 / vis["sigma"] ** 2).sum() / (2 * len(vis))
        assert hdus[0].header["CHI2DOF"] == 2 * len(vis)
        assert chi2 == pytest.approx(hdus[0].header["CHI2"])


def test_a_file_without_recipe_is_refused(tmp_path):
    path = tmp_path / "other.fits"
    fits.PrimaryHDU(np.zeros((3, 3))).writeto(path)
    with pytest.raises(InvalidProduct, match="RECIPE"):
        read_recipe(path)
    (tmp_path / "text.fits").write_text("no FITS at all")
    with pytest.raises(InvalidProduct, match=r"text\.fits"):
        read_recipe(tmp_path / "text.fits")


def test_an_image_is_read_back(files, november_images):
    for method, image in november_images.images.items():
        found = read_image_file(files / f"{method}.fits")
        np.testing.assert_array_equal(found.pixels, image.image.astype(np.float32))
        assert found.grid.shape == image.grid.shape
        assert found.grid.center == pytest.approx(image.grid.center, abs=1e-9)
        assert (found.unit, found.header["ALG_USED"]) == (image.unit, method)
        assert found.extent[0] == pytest.approx(image.grid.center[0] + image.grid.x[0] - image.grid.pixel / 2)
        assert found.visibilities.labels == november_images.vis.labels
        np.testing.assert_array_equal(found.visibilities.sigma, november_images.vis.sigma)
        assert (found.visibilities.predicted is None) == (method in {Method.BP, Method.FULL_DISK_BP})


def test_sources_and_candidates_are_read_back_with_their_errors(files, november_images):
    fit = november_images.images[Method.VIS_FWDFIT]
    found = read_image_file(files / "vis_fwdfit.fits")
    assert [source["shape"] for source in found.sources] == [str(source["shape"]) for source in fit.sources]
    for stored, made in zip(found.sources, fit.sources, strict=True):
        for name in ("flux", "x", "y", "fwhm"):
            assert (stored[name], stored[f"{name}_sigma"]) == (made[name], made[f"{name}_sigma"])
        assert ("loop_angle" in stored) == ("loop_angle" in made)
    assert found.candidates == november_images.location.candidates
    assert read_image_file(files / "clean.fits").sources == ()


def test_what_is_no_image_is_refused(tmp_path):
    (tmp_path / "text.fits").write_text("no FITS at all")
    with pytest.raises(InvalidProduct, match=r"text\.fits"):
        read_image_file(tmp_path / "text.fits")


def test_uncertainty_table_has_bias_and_error_and_says_what_they_are(november_images, november_flare, tmp_path):
    """The errors that pages show are those with the bias."""
    recipe = replace(november_images.recipe, methods={Method.CLEAN: november_images.recipe.methods[Method.CLEAN]})
    paths = {path.name: path for path in november_flare}
    images = reconstruct(recipe, lambda file: paths[file.name], ensemble=4)
    ensemble = images.ensembles[Method.CLEAN]
    write_image(tmp_path / "clean.fits", images, Method.CLEAN, np.datetime64("2026-11-29", "ms"))
    with fits.open(tmp_path / "clean.fits") as hdus:
        table = hdus["UNCERTAINTY"]
        assert table.columns.names == ["mean", "sigma", "significance", "bias", "error"]
        np.testing.assert_allclose(table.data["error"], ensemble.error, rtol=1e-6)
        assert table.header["ICENT_X"] == ensemble.centroid_x.error
        assert table.header["SCENT_X"] == ensemble.centroid_x.sigma
        assert "holds the truth" in str(table.header["COMMENT"])
    assert read_image_file(tmp_path / "clean.fits").errors == {
        name: value for name, value in ensemble.errors().items() if value is not None
    }
    stored = read_uncertainty(tmp_path / "clean.fits")
    for name in ("sigma", "error", "significance"):
        np.testing.assert_allclose(getattr(stored, name), getattr(ensemble, name), rtol=1e-6)
    assert (stored.n, stored.seed) == (4, 0)


def test_image_without_uncertainty_has_no_map_and_a_missing_file_is_named(files, tmp_path):
    assert read_uncertainty(files / "clean.fits") is None
    with pytest.raises(InvalidProduct, match=r"missing\.fits"):
        read_uncertainty(tmp_path / "missing.fits")


@pytest.mark.needs_fitsverify
def test_fitsverify_finds_nothing_in_uncertainty_tables(november_images, november_flare, tmp_path):
    paths = {path.name: path for path in november_flare}
    images = reconstruct(november_images.recipe, lambda file: paths[file.name], ensemble=2, seed=7)
    assert set(images.ensembles) == set(images.images) - {Method.FULL_DISK_BP}
    for method in images.ensembles:
        path = tmp_path / f"{method}.fits"
        write_image(path, images, method, np.datetime64("2026-11-29", "ms"))
        report = subprocess.run(["fitsverify", "-q", path], capture_output=True, text=True, check=False)
        assert report.stdout.startswith("verification OK"), report.stdout
        assert read_uncertainty(path).seed == 7
