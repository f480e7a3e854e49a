"""Overlays against sunpy's coordinate frames, and on real maps of SDO/AIA."""

import gzip

import astropy.units as u
import numpy as np
import pytest
import sunpy.map
from astropy.coordinates import SkyCoord
from astropy.io import fits
from sunpy.coordinates import HeliographicStonyhurst, Helioprojective, SphericalScreen

from archive.scripts.parts import overlay
from jobs.shared.limits import Limits

TIME = "2022-04-02T13:13:42.580"
AIA = "AIA20220402_131341_0304.fits"
PIXEL = 0.6  # arcsec, of AIA
RADIUS = 695_700 * u.km


@pytest.fixture(scope="module")
def aia(shared_data):
    return shared_data / "formats" / "aia" / AIA


def write_stix(path, lon, lat, observer_lon=30.0, observer_lat=4.0, distance=0.5, offset=0.0):
    """A simulated image: a Gaussian source at a heliographic place, seen by Solar Orbiter from somewhere."""
    observer = SkyCoord(
        observer_lon * u.deg, observer_lat * u.deg, distance * u.au, frame="heliographic_stonyhurst", obstime=TIME
    )
    place = SkyCoord(lon * u.deg, lat * u.deg, RADIUS, frame=HeliographicStonyhurst(obstime=TIME))
    seen = place.transform_to(Helioprojective(observer=observer, obstime=TIME, rsun=RADIUS))
    x, y = seen.Tx.to_value("arcsec") + offset, seen.Ty.to_value("arcsec")
    n, pixel = 129, 0.5
    header = fits.Header()
    header["CTYPE1"], header["CTYPE2"], header["CUNIT1"], header["CUNIT2"] = "HPLN-TAN", "HPLT-TAN", "arcsec", "arcsec"
    header["CDELT1"], header["CDELT2"], header["CRVAL1"], header["CRVAL2"] = pixel, pixel, 0.0, 0.0
    # the TAN projection of x, y
    plane_x = np.tan(np.deg2rad(x / 3600)) / np.cos(0) * 206264.806247
    plane_y = np.tan(np.deg2rad(y / 3600)) / np.cos(np.deg2rad(x / 3600)) * 206264.806247
    header["CRPIX1"], header["CRPIX2"] = (n + 1) / 2 - plane_x / pixel, (n + 1) / 2 - plane_y / pixel
    header["DATE-BEG"], header["DATE-END"] = "2022-04-02T13:09:10.000", "2022-04-02T13:10:10.000"
    header["ENERGY_L"], header["ENERGY_H"], header["ALG_USED"] = 4.0, 10.0, "clean"
    header["HGLN_OBS"], header["HGLT_OBS"], header["DSUN_OBS"] = (
        observer_lon,
        observer_lat,
        distance * 149_597_870_700.0,
    )
    steps = (np.arange(n) - (n - 1) / 2) * pixel
    source = np.exp(-(steps[:, None] ** 2 + steps**2) / (2 * 3.0**2))
    fits.PrimaryHDU(source.astype(np.float32), header).writeto(path)
    return observer, place


def middle_of(lines, level=0.9):
    """Middle of the highest contour."""
    (x, y), *_ = [(x, y) for found, x, y in lines if found == level]
    return np.mean([np.nanmin(x), np.nanmax(x)]), np.mean([np.nanmin(y), np.nanmax(y)])


@pytest.mark.parametrize("assumption", ["surface", "spherical"])
@pytest.mark.parametrize(("x", "y"), [(0.0, 0.0), (600.0, -900.0), (-1700.0, 300.0), (1980.0, 300.0)])
def test_positions_agree_with_sunpy(x, y, assumption):
    observer = SkyCoord(-40 * u.deg, 5 * u.deg, 0.48 * u.au, frame="heliographic_stonyhurst", obstime=TIME)
    other = SkyCoord(10 * u.deg, -6 * u.deg, 0.99 * u.au, frame="heliographic_stonyhurst", obstime=TIME)
    ours = [
        overlay.observer_at(o.lon.to_value("deg"), o.lat.to_value("deg"), o.radius.to_value("m"))
        for o in (observer, other)
    ]
    found_x, found_y, _ = overlay.seen_from(ours[1], overlay.places(ours[0], x, y, assumption))
    coordinate = SkyCoord(
        x * u.arcsec, y * u.arcsec, frame=Helioprojective(observer=observer, obstime=TIME, rsun=RADIUS)
    )
    target = Helioprojective(observer=other, obstime=TIME, rsun=RADIUS)
    on_disk = np.hypot(x, y) < overlay.radius_of(ours[0])
    if on_disk:
        expected = coordinate.transform_to(target)
    elif assumption == "surface":
        assert np.isnan(found_x)
        return
    else:
        with SphericalScreen(observer, only_off_disk=True):
            expected = coordinate.transform_to(target)
    assert found_x == pytest.approx(expected.Tx.to_value("arcsec"), abs=1e-3)
    assert found_y == pytest.approx(expected.Ty.to_value("arcsec"), abs=1e-3)


def test_positions_behind_the_sun_are_hidden_and_off_the_disk_visible():
    earth = overlay.observer_at(0.0, 0.0, 1.5e11)
    radius = overlay.SOLAR_RADIUS
    points = np.array(
        [[radius, 0, 0], [-radius, 0, 0], [0, 1.2 * radius, 0], [-radius, 0.5 * radius, 0], [-radius, 2 * radius, 0]]
    )
    assert overlay.seen_from(earth, points)[2].tolist() == [True, False, True, False, True]


def test_contours_are_within_a_pixel_of_the_source_in_both_views(aia, tmp_path):
    base = overlay.read_map(str(aia))
    real = sunpy.map.Map(str(aia))
    # a place in the middle of the cut-out
    middle = real.pixel_to_world(225 * u.pix, 200 * u.pix).transform_to(HeliographicStonyhurst(obstime=TIME))
    observer, place = write_stix(tmp_path / "stix.fits", middle.lon.to_value("deg"), middle.lat.to_value("deg"))
    stix = overlay.read_stix(tmp_path / "stix.fits")
    expected = place.transform_to(Helioprojective(observer=real.observer_coordinate, obstime=TIME, rsun=RADIUS))
    x, y = middle_of(overlay.contours_of(stix, base["observer"], "surface", [0.9]))
    assert abs(x - expected.Tx.to_value("arcsec")) < PIXEL
    assert abs(y - expected.Ty.to_value("arcsec")) < PIXEL
    column, row = overlay.pixel_of(base["wcs"], x, y)
    assert (column, row) == (pytest.approx(225, abs=1), pytest.approx(200, abs=1))
    # the other way round: a bright pixel of AIA comes to lie where Solar Orbiter sees that place
    base["data"] = np.zeros_like(base["data"])
    base["data"][200, 225] = 1.0
    seen = place.transform_to(Helioprojective(observer=observer, obstime=TIME, rsun=RADIUS))
    x0, y0 = seen.Tx.to_value("arcsec"), seen.Ty.to_value("arcsec")
    assert overlay.look(base, stix["observer"], np.array([x0]), np.array([y0]), "surface") > 0.25
    steps = np.arange(-8, 8.01, 0.1)
    grid = np.meshgrid(x0 + steps, y0 + steps)
    pixels = np.nan_to_num(overlay.look(base, stix["observer"], *grid, "surface"))
    x, y = (float((axis * pixels).sum() / pixels.sum()) for axis in grid)
    there_x, there_y, _ = overlay.seen_from(base["observer"], overlay.places(stix["observer"], x, y, "surface"))
    column, row = overlay.pixel_of(base["wcs"], there_x, there_y)
    assert (column, row) == (pytest.approx(225, abs=1), pytest.approx(200, abs=1))
    x, y = middle_of(overlay.contours_of(stix, stix["observer"], "surface", [0.9]))
    assert max(abs(x - x0), abs(y - y0)) < PIXEL


@pytest.mark.parametrize("view", ["other", "stix"])
def test_overlay_and_its_notes(aia, tmp_path, view):
    base = overlay.read_map(str(aia))
    write_stix(tmp_path / "stix.fits", 68.0, 10.0)
    stix = overlay.read_stix(tmp_path / "stix.fits")
    said = overlay.make_overlay([stix], base, tmp_path / "overlay.png", view=view, size=200)
    assert said[0].startswith("assumption: all sources are on the solar surface")
    assert "longitude 68.0, latitude 10.0 deg" in said[1]
    assert "s too" in said[2]
    assert len(said) == 3
    assert (tmp_path / "overlay.png").stat().st_size > 20_000


def test_hidden_sources_are_noted_and_not_drawn(aia, tmp_path):
    base = overlay.read_map(str(aia))
    write_stix(tmp_path / "behind.fits", 140.0, 10.0, observer_lon=120.0)
    write_stix(tmp_path / "beside.fits", 75.0, 10.0, observer_lon=-10.0, offset=80.0)
    behind, beside = (overlay.read_stix(tmp_path / f"{name}.fits") for name in ("behind", "beside"))
    said = overlay.make_overlay([behind], base, tmp_path / "overlay.png", size=100)
    assert any("is not drawn: it is behind the limb in this view" in sentence for sentence in said)
    assert "no contour was drawn: the sources are not visible in this view" in said
    assert not list(overlay.contours_of(behind, base["observer"], "surface", [0.5, 0.9]))
    said = overlay.make_overlay([beside], base, tmp_path / "overlay.png", size=100)
    assert any("off the disk, where the assumption defines no position" in sentence for sentence in said)
    said = overlay.make_overlay([beside], base, tmp_path / "overlay.png", size=100, assumption="planar")
    assert not any("not drawn" in sentence for sentence in said)
    # in its own view everything can be drawn
    said = overlay.make_overlay([behind], base, tmp_path / "overlay.png", size=100, view="stix")
    assert not any("not drawn" in sentence for sentence in said)


def test_light_travel_time(tmp_path):
    write_stix(tmp_path / "stix.fits", 68.0, 10.0)
    stix = overlay.read_stix(tmp_path / "stix.fits")
    late = overlay.time_for(stix, 149_597_870_700.0) - stix["middle"]
    assert late / np.timedelta64(1, "s") == pytest.approx(0.5 * 499.005, abs=0.01)


def test_note_on_a_map_of_another_day(aia, tmp_path):
    write_stix(tmp_path / "stix.fits", 68.0, 10.0)
    stix = overlay.read_stix(tmp_path / "stix.fits")
    base = overlay.read_map(str(aia)) | {"time": stix["middle"] + np.timedelta64(36, "h")}
    said = overlay.make_overlay([stix], base, tmp_path / "overlay.png", size=100)
    assert any("the map is 1.5 days too late; solar rotation by 19." in sentence for sentence in said)


@pytest.mark.parametrize(
    "frame", [("CRLN-CAR", "CRLT-CAR"), ("HGLN-CAR", "HGLT-CAR"), ("RA---TAN", "DEC--TAN"), ("HPLT-TAN", "HPLN-TAN")]
)
def test_maps_that_are_not_helioprojective_are_refused(tmp_path, frame):
    header = fits.Header({"CTYPE1": frame[0], "CTYPE2": frame[1], "CUNIT1": "deg", "CUNIT2": "deg", "DATE-OBS": TIME})
    header.update({"CDELT1": 0.01, "CDELT2": 0.01, "CRPIX1": 4.5, "CRPIX2": 4.5, "CRVAL1": 0.0, "CRVAL2": 0.0})
    header.update({"HGLN_OBS": 0.0, "HGLT_OBS": 0.0, "DSUN_OBS": 1.5e11})
    path = tmp_path / "map.fits"
    fits.PrimaryHDU(np.ones((8, 8)), header).writeto(path)
    with pytest.raises(ValueError, match=f"CTYPE1 = '{frame[0]}': expected a helioprojective map"):
        overlay.read_map(str(path))
    header["CTYPE1"], header["CTYPE2"] = "HPLN-TAN", "HPLT-TAN"
    fits.PrimaryHDU(np.ones((8, 8)), header).writeto(path, overwrite=True)
    assert overlay.read_map(str(path))["data"].shape == (8, 8)


def map_with(shape):
    header = fits.Header({"CTYPE1": "HPLN-TAN", "CTYPE2": "HPLT-TAN", "CUNIT1": "arcsec", "CUNIT2": "arcsec"})
    header.update({"CDELT1": 2.0, "CDELT2": 2.0, "CRPIX1": 4.5, "CRPIX2": 4.5, "CRVAL1": 0.0, "CRVAL2": 0.0})
    header.update({"HGLN_OBS": 0.0, "HGLT_OBS": 0.0, "DSUN_OBS": 1.5e11, "DATE-OBS": TIME})
    return fits.PrimaryHDU(np.arange(np.prod(shape), dtype=np.float32).reshape(shape), header)


def test_maps_with_more_than_two_axes_are_refused(tmp_path):
    path = tmp_path / "map.fits"
    map_with((3, 8, 8)).writeto(path)
    with pytest.raises(ValueError, match=r"map.fits: NAXIS = 3: expected an image with two axes, found 8 x 8 x 3"):
        overlay.read_map(str(path))
    map_with((1, 1, 8, 8)).writeto(path, overwrite=True)  # radio maps have axes of one pixel
    np.testing.assert_array_equal(overlay.read_map(str(path))["data"], np.arange(64.0).reshape(8, 8))


def test_maps_are_unpacked_to_a_limit(tmp_path, monkeypatch):
    path = tmp_path / "map.fits.gz"
    map_with((8, 8)).writeto(path)
    assert overlay.read_map(str(path))["data"].shape == (8, 8)
    assert Limits().map_unpacked == overlay.MAP_BYTES
    monkeypatch.setattr(overlay, "MAP_BYTES", 1 << 20)
    path.write_bytes(gzip.compress(b"SIMPLE  =" + bytes(1 << 20)))
    with pytest.raises(ValueError, match=r"map.fits.gz has more than 1 MiB when unpacked"):
        overlay.read_map(str(path))
    path.write_bytes(gzip.compress(gzip.compress(b"SIMPLE  =" + bytes(1 << 30))))  # astropy would unpack it again
    with pytest.raises(ValueError, match=r"map.fits.gz is not a FITS file"):
        overlay.read_map(str(path))


def test_maps_with_too_many_pixels_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(overlay, "MAP_SIDE", 7)
    map_with((6, 8)).writeto(tmp_path / "map.fits")
    with pytest.raises(ValueError, match="expected at most 7 pixels along a side, found 8"):
        overlay.read_map(str(tmp_path / "map.fits"))


OLD_MAP = "sci_9111_uid_2202155513_0_0_0_2022-02-15T18:11:49.918_fwfit.fits"


def test_data_center_map_in_arcsecs_is_read_with_its_observer(shared_data):
    base = overlay.read_map(str(shared_data / "formats" / OLD_MAP))
    # Solar Orbiter on that day, by L0, B0 and RSUN of the map
    assert base["observer"]["distance"] / 149_597_870_700.0 == pytest.approx(0.7234, abs=1e-3)
    assert np.rad2deg(np.arcsin(base["observer"]["outward"][2])) == pytest.approx(-3.1233, abs=1e-3)
    assert not base["is_earth_assumed"]
    # CRPIX, CDELT and CROTA2 of its header: the middle of the map, seen from Solar Orbiter
    x, y = overlay.arcsec_of(base["wcs"], 127.5, 127.5)
    turn, plane = np.deg2rad(-3.00469994545), np.array([128.5 + 1056.66271973, 128.5 + 491.016845703])
    expected = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) @ plane
    assert (x, y) == (pytest.approx(expected[0], abs=0.1), pytest.approx(expected[1], abs=0.1))


def test_line_breaks_in_cards_are_ignored(aia, tmp_path):
    content = aia.read_bytes()
    path = tmp_path / "windows.fits"
    card, at = b"CUNIT1  = 'arcsec\r\n'".ljust(78) + b"\r\n", content.index(b"CUNIT1  =")
    path.write_bytes(content[:at] + card + content[at + 80 :])
    with pytest.raises(OSError, match="non-printable"):
        sunpy.map.Map(path)
    base, original = (overlay.read_map(str(one)) for one in (path, aia))
    np.testing.assert_array_equal(base["data"], original["data"])
    assert (base["name"], base["time"]) == (original["name"], original["time"])
    np.testing.assert_allclose(base["observer"]["place"], original["observer"]["place"])


def test_note_on_a_map_without_an_observer(aia, tmp_path):
    with fits.open(aia) as hdus:
        header = hdus[0].header
        for key in [key for key in header if key.endswith("_OBS") or key in ("DSUN_OBS", "L0", "B0", "RSUN")]:
            if key not in ("DATE-OBS", "T_OBS", "DATE_OBS"):
                header.remove(key, ignore_missing=True)
        header.remove("BLANK", ignore_missing=True)
        fits.PrimaryHDU(hdus[0].data, header).writeto(tmp_path / "map.fits")
    write_stix(tmp_path / "stix.fits", 68.0, 10.0)
    stix = overlay.read_stix(tmp_path / "stix.fits")
    said = overlay.make_overlay([stix], overlay.read_map(str(tmp_path / "map.fits")), tmp_path / "o.png", size=100)
    assert "the header of the map has no observer: Earth is assumed" in said
