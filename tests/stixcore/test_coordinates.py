"""STIX frame ↔ helioprojective: the ground software's algebra, ``stixpy``'s rotations, any pointing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stixcore.coordinates import (
    Pointing,
    PointingSource,
    hpc_to_stix,
    position_angle_to_hpc,
    rotate_uv_to_hpc,
    stix_to_hpc,
)

ARCSEC = st.floats(-4000, 4000)
POINTINGS = st.builds(Pointing, st.just(PointingSource.MANUAL), st.floats(-180, 180), ARCSEC, ARCSEC)
LEVEL = Pointing(PointingSource.MANUAL, 0.0, 0.0, 0.0)


def test_axes_without_roll():
    """The instrument's x runs along solar north, its y along solar east."""
    assert hpc_to_stix(100.0, 0.0, LEVEL) == (0.0, -100.0)  # west
    assert hpc_to_stix(0.0, 100.0, LEVEL) == (100.0, 0.0)  # north
    assert stix_to_hpc(1.0, 0.0, LEVEL) == (0.0, 1.0)
    assert stix_to_hpc(0.0, 1.0, LEVEL) == (-1.0, 0.0)


def test_where_the_axis_points_is_the_origin():
    pointing = Pointing(PointingSource.MANUAL, 25.0, 300.0, -150.0)
    roll = np.deg2rad(25.0)
    x, y = 300.0 * np.cos(roll) + 150.0 * np.sin(roll), 300.0 * np.sin(roll) - 150.0 * np.cos(roll)
    np.testing.assert_allclose(hpc_to_stix(x, y, pointing), (0, 0), atol=1e-12)


def test_positions_of_the_idl_maps(november):
    """IDL's peak of each map stands in its list in both frames; they differ by its pointing and the roll of the day."""
    from stixcore.calibration.pointing import pointing_at

    second = np.timedelta64(1, "s")
    for flare in november.flares:
        pointing = pointing_at(november.aspects, flare.peak - 20 * second, flare.peak + 20 * second)
        np.testing.assert_allclose(stix_to_hpc(*flare.bp_peak_stix, pointing), flare.bp_peak_hpc, atol=0.02)
        np.testing.assert_allclose(hpc_to_stix(*flare.bp_peak_hpc, pointing), flare.bp_peak_stix, atol=0.02)


@given(POINTINGS, ARCSEC, ARCSEC)
def test_round_trip(pointing, x, y):
    np.testing.assert_allclose(stix_to_hpc(*hpc_to_stix(x, y, pointing), pointing), (x, y), atol=1e-8)
    np.testing.assert_allclose(hpc_to_stix(*stix_to_hpc(x, y, pointing), pointing), (x, y), atol=1e-8)


@given(POINTINGS, ARCSEC, ARCSEC)
def test_ground_software_algebra(pointing, x, y):
    """HPC → roll: x' = x cos r + y sin r, y' = -x sin r + y cos r; minus STX_POINTING; x_stx = y', y_stx = -x'."""
    r = np.deg2rad(pointing.roll)
    x_rolled = x * np.cos(r) + y * np.sin(r) - pointing.x
    y_rolled = -x * np.sin(r) + y * np.cos(r) - pointing.y
    np.testing.assert_allclose(hpc_to_stix(x, y, pointing), (y_rolled, -x_rolled), atol=1e-9)


@given(POINTINGS, ARCSEC, ARCSEC, st.floats(-500, 500), st.floats(-500, 500))
def test_distances_are_kept(pointing, x, y, dx, dy):
    one, other = np.array(hpc_to_stix(x, y, pointing)), np.array(hpc_to_stix(x + dx, y + dy, pointing))
    assert np.hypot(*(other - one)) == pytest.approx(np.hypot(dx, dy), abs=1e-8)


@given(
    POINTINGS,
    ARCSEC,
    ARCSEC,
    st.floats(-500, 500),
    st.floats(-500, 500),
    st.floats(-0.07, 0.07),
    st.floats(-0.07, 0.07),
)
def test_rotated_uv_measure_the_same_phase(pointing, x, y, dx, dy, u, v):
    """u·x_stx + v·y_stx = u'·x + v'·y for every offset on the sky."""
    x0, y0 = hpc_to_stix(x, y, pointing)
    x1, y1 = hpc_to_stix(x + dx, y + dy, pointing)
    u_hpc, v_hpc = rotate_uv_to_hpc(u, v, pointing.roll)
    assert u * (x1 - x0) + v * (y1 - y0) == pytest.approx(u_hpc * dx + v_hpc * dy, abs=1e-8)


@given(st.floats(-180, 180), st.floats(0, 180))
def test_position_angle_follows_the_frame(roll, angle):
    pointing = Pointing(PointingSource.MANUAL, roll, 12.0, -30.0)
    x0, y0 = stix_to_hpc(0.0, 0.0, pointing)
    x1, y1 = stix_to_hpc(np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle)), pointing)
    direction = np.rad2deg(np.arctan2(y1 - y0, x1 - x0))
    ours = position_angle_to_hpc(angle, roll)
    assert 0 <= ours <= 180
    # the same line, whichever way it points
    assert abs(np.sin(np.deg2rad(ours - direction))) < 1e-9


@given(POINTINGS)
def test_turned_picture_equals_transformed_pixels(pointing):
    """IDL turns the array (``rotate(im, 1)``; here ``np.rot90(k=-1)``), shifts and rolls; we transform each pixel.

    The same as the matrix PC = [[-sin r, -cos r], [cos r, -sin r]] around the map centre.
    """
    n, pixel = 5, 10.0
    axis = (np.arange(n) - (n - 1) / 2) * pixel
    x_stix, y_stix = np.meshgrid(axis + 70.0, axis - 20.0)  # rows are y
    x, y = stix_to_hpc(x_stix, y_stix, pointing)
    # turned by 90°: row = y' = x_stix, column = x' = -y_stix
    x_turned, y_turned = (np.rot90(values, k=-1) for values in (-y_stix, x_stix))
    r = np.deg2rad(pointing.roll)
    rolled_x, rolled_y = x_turned + pointing.x, y_turned + pointing.y
    np.testing.assert_allclose(np.rot90(x, k=-1), rolled_x * np.cos(r) - rolled_y * np.sin(r), atol=1e-8)
    np.testing.assert_allclose(np.rot90(y, k=-1), rolled_x * np.sin(r) + rolled_y * np.cos(r), atol=1e-8)
    assert (np.diff(x_turned, axis=1) > 0).all()
    assert (np.diff(y_turned, axis=0) > 0).all()
    matrix = np.array([[-np.sin(r), -np.cos(r)], [np.cos(r), -np.sin(r)]])
    offset = np.stack([x_stix - 70.0, y_stix + 20.0]).reshape(2, -1)
    centre = np.array(stix_to_hpc(70.0, -20.0, pointing))[:, None]
    np.testing.assert_allclose(centre + matrix @ offset, [x.ravel(), y.ravel()], atol=1e-8)


@pytest.mark.parametrize("roll", [0.0, -12.3, 87.0, 179.9])
def test_stixpy_agrees_to_a_fraction_of_an_arcsecond(roll, monkeypatch, patience):
    """``stixpy`` rotates in three dimensions, the ground software adds arcseconds in a plane.

    They part with the third power of the angles: 0.02″ within 1000″ of the axis, 0.2″ at 2000″.
    """
    import astropy.units as u
    from astropy.coordinates import SkyCoord
    from astropy.time import Time
    from stixpy.coordinates import transforms
    from stixpy.coordinates.frames import STIXImaging
    from sunpy.coordinates import HeliographicStonyhurst, Helioprojective

    time, heeq = Time("2022-11-10T12:00:00"), np.array([9e7, -3e7, 1e7]) * u.km
    pointing = Pointing(PointingSource.MANUAL, roll, 140.0, -210.0)
    answer = roll * u.deg, heeq, np.array([pointing.x, pointing.y]) * u.arcsec
    monkeypatch.setattr(transforms, "get_hpc_info", lambda *_: answer)
    observer = HeliographicStonyhurst(*heeq, representation_type="cartesian", obstime=time)
    frame = Helioprojective(obstime=time, observer=observer)
    x, y = np.array([0.0, 500.0, -800.0, 2000.0]), np.array([0.0, -300.0, 900.0, 100.0])
    theirs = SkyCoord(x * u.arcsec, y * u.arcsec, frame=STIXImaging(obstime=time, observer=observer)).transform_to(
        frame
    )
    ours = stix_to_hpc(x, y, pointing)
    difference = np.hypot(theirs.Tx.to_value("arcsec") - ours[0], theirs.Ty.to_value("arcsec") - ours[1])
    assert difference.max() < 0.2
    assert difference[:2].max() < 0.02
