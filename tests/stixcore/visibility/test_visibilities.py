"""The container of visibilities: selections, shifts, frames, and the way to ``xrayvision`` and back."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stixcore.coordinates import Pointing, PointingSource, hpc_to_stix, stix_to_hpc
from stixcore.errors import SelectionError
from stixcore.instrument.geometry import IMAGING_LABELS, detector_indices, uv_points
from stixcore.visibility.visibilities import Frame, Visibilities

OFFSET = st.floats(-2000, 2000)
POINTINGS = st.builds(Pointing, st.just(PointingSource.MANUAL), st.floats(-180, 180), OFFSET, OFFSET)


def point_source(x, y, flux=5.0):
    u, v = uv_points()[detector_indices(IMAGING_LABELS)].T
    vis = flux * np.exp(2j * np.pi * (u * x + v * y))
    return Visibilities(
        u=u, v=v, vis=vis, sigma=np.linspace(0.1, 1, 24), labels=IMAGING_LABELS, meta={"scheme": "gsw-2026"}
    )


def test_amplitude_and_phase():
    vis = Visibilities(np.zeros(3), np.zeros(3), np.array([3 + 4j, -1, -1j]), np.ones(3), ("10a", "10b", "10c"))
    np.testing.assert_allclose(vis.amplitude, [5, 1, 1])
    np.testing.assert_allclose(vis.phase, [np.rad2deg(np.arctan2(4, 3)), 180, -90])
    assert len(vis) == 3


def test_selection():
    vis = point_source(30, -20)
    part = vis.select(["3c", "10b"])
    assert part.labels == ("3c", "10b")
    np.testing.assert_array_equal(part.vis, vis.vis[[23, 1]])
    np.testing.assert_array_equal(part.sigma, vis.sigma[[23, 1]])
    np.testing.assert_array_equal(part.u, vis.u[[23, 1]])
    assert part.meta == vis.meta
    with pytest.raises(SelectionError, match=r"no visibilities of sub-collimators \['1a'\]"):
        vis.select(["10a", "1a"])


@given(OFFSET, OFFSET, OFFSET, OFFSET)
def test_shift_theorem(x, y, dx, dy):
    """A source moved by (dx, dy) turns V by e^{2πi(u dx + v dy)}; moving the phase centre along undoes it."""
    here, there = point_source(x, y), point_source(x + dx, y + dy)
    np.testing.assert_allclose(there.vis, here.vis * np.exp(2j * np.pi * (here.u * dx + here.v * dy)), atol=1e-9)
    np.testing.assert_allclose(there.shifted(dx, dy).vis, here.vis, atol=1e-9)
    assert there.shifted(dx, dy).phase_center == (dx, dy)


@given(OFFSET, OFFSET)
def test_a_source_at_the_phase_centre_has_no_phase(x, y):
    np.testing.assert_allclose(point_source(x, y).shifted(x, y).vis, 5.0, atol=1e-9)


@given(OFFSET, OFFSET, OFFSET, OFFSET)
def test_shifts_add_up_to_the_last_one(x, y, x2, y2):
    vis = point_source(100, 50)
    np.testing.assert_allclose(vis.shifted(x, y).shifted(x2, y2).vis, vis.shifted(x2, y2).vis, atol=1e-9)


def test_map_centre_phase_of_the_ground_software():
    """mapcentre = -(180/π)·2π(x_c u + y_c v) degrees, added to the phase."""
    vis = point_source(10, 20)
    added = -360.0 * (vis.u * 300.0 + vis.v * -120.0)
    expected = vis.amplitude * np.exp(1j * np.deg2rad(vis.phase + added))
    np.testing.assert_allclose(vis.shifted(300.0, -120.0).vis, expected, atol=1e-12)


@given(POINTINGS, OFFSET, OFFSET, st.floats(-100, 100), st.floats(-100, 100))
def test_helioprojective_visibilities_are_those_of_the_sky(pointing, x, y, dx, dy):
    """A source (dx, dy) west and north of the phase centre (x, y) has V = F·e^{2πi(u dx + v dy)} in rotated (u, v)."""
    stix = point_source(*hpc_to_stix(x + dx, y + dy, pointing))
    vis = stix.to_helioprojective(pointing, x, y)
    assert (vis.frame, vis.phase_center) == (Frame.HPC, (x, y))
    np.testing.assert_allclose(vis.vis, 5.0 * np.exp(2j * np.pi * (vis.u * dx + vis.v * dy)), atol=1e-8)
    np.testing.assert_allclose(np.hypot(vis.u, vis.v), np.hypot(stix.u, stix.v), rtol=1e-12)
    np.testing.assert_array_equal(vis.sigma, stix.sigma)


def test_without_roll_the_axes_are_exchanged():
    """u measures along x_stx, which is north; v along y_stx, which is east."""
    pointing = Pointing(PointingSource.MANUAL, 0.0, 0.0, 0.0)
    stix = point_source(0, 0)
    vis = stix.to_helioprojective(pointing, 0.0, 0.0)
    np.testing.assert_allclose(vis.u, -stix.v)
    np.testing.assert_allclose(vis.v, stix.u)
    assert stix_to_hpc(0.0, 0.0, pointing) == (0.0, 0.0)


def test_frames_are_not_changed_twice():
    pointing = Pointing(PointingSource.MANUAL, 10.0, 0.0, 0.0)
    vis = point_source(0, 0).to_helioprojective(pointing, 0.0, 0.0)
    with pytest.raises(SelectionError, match="in helioprojective axes already"):
        vis.to_helioprojective(pointing, 0.0, 0.0)


def test_a_result_never_changes_its_source():
    vis = point_source(10, 20)
    before = vis.vis.copy()
    vis.shifted(5, 5)
    vis.to_helioprojective(Pointing(PointingSource.MANUAL, 10.0, 5.0, 0.0), 1.0, 2.0)
    np.testing.assert_array_equal(vis.vis, before)
    with pytest.raises(FrozenInstanceError):
        vis.labels = ()


@pytest.mark.parametrize("name", ["u", "v", "vis", "sigma"])
def test_columns_of_another_length_are_refused(name):
    good = {"u": np.zeros(2), "v": np.zeros(2), "vis": np.zeros(2, dtype=complex), "sigma": np.ones(2)}
    with pytest.raises(SelectionError, match=rf"{name} has shape \(3,\), 2 labels need \(2,\)"):
        Visibilities(**(good | {name: np.zeros(3)}), labels=("10a", "10b"))


# --- xrayvision -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("frame", Frame)
def test_round_trip_through_xrayvision(frame, patience):
    vis = point_source(10, -35).shifted(7.0, -3.0)
    again = Visibilities.from_xrayvision(vis.to_xrayvision(), frame)
    for name in ("u", "v", "vis", "sigma"):
        np.testing.assert_allclose(getattr(again, name), getattr(vis, name), rtol=1e-14)
    assert (again.labels, again.phase_center, again.frame) == (vis.labels, vis.phase_center, frame)


def test_what_xrayvision_is_given(patience):
    import astropy.units as u

    vis = point_source(10, -35).shifted(7.0, -3.0)
    theirs = vis.to_xrayvision()
    assert theirs.visibilities.unit.is_equivalent(u.ct / u.s / u.keV / u.cm**2)
    np.testing.assert_array_equal(theirs.phase_center.to_value("arcsec"), [7.0, -3.0])  # (x, y)
    assert list(theirs.meta.vis_labels) == list(IMAGING_LABELS)
    assert theirs.meta.instrument == "STIX"
    np.testing.assert_allclose(theirs.amplitude_uncertainty.value, vis.sigma)
    np.testing.assert_allclose(theirs.amplitude.value, vis.amplitude)


def test_foreign_units_labels_and_errors(patience):
    """Arcminutes, no labels, and an error of the complex value instead of the amplitude."""
    import astropy.units as u
    from xrayvision.visibility import Visibilities as Xray

    flux = u.ct / u.s / u.keV / u.cm**2
    theirs = Xray(
        np.array([1 + 1j, 2.0]) * flux,
        np.array([0.6, 1.2]) / u.arcmin,
        np.array([0.0, -0.6]) / u.arcmin,
        phase_center=[1, -2] * u.arcmin,
        uncertainty=np.array([0.1, 0.2]) * flux,
    )
    ours = Visibilities.from_xrayvision(theirs)
    np.testing.assert_allclose(ours.u, [0.01, 0.02])
    np.testing.assert_allclose(ours.v, [0.0, -0.01])
    assert ours.phase_center == (60.0, -120.0)
    assert ours.labels == ("v0", "v1")
    # xrayvision projects a real error on the amplitude: σ·Re/amp
    np.testing.assert_allclose(ours.sigma, [0.1 / np.sqrt(2), 0.2])


def test_visibilities_without_errors_are_refused(patience):
    import astropy.units as u
    from xrayvision.visibility import Visibilities as Xray

    theirs = Xray(np.ones(2) * u.ct, np.ones(2) / u.arcsec, np.ones(2) / u.arcsec)
    with pytest.raises(SelectionError, match="carry no uncertainty"):
        Visibilities.from_xrayvision(theirs)
