"""The common result, its χ², and which visibilities are refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stixcore.errors import ReconstructionError
from stixcore.imaging.grid import ImageGrid
from stixcore.imaging.methods import PARAMETERS
from stixcore.imaging.reconstruction import (
    PER_BEAM,
    SURFACE_BRIGHTNESS,
    Method,
    Reconstruction,
    StopReason,
    chi_square,
    require_usable,
)
from stixcore.imaging.registry import built_in
from stixcore.visibility.visibilities import Visibilities


def two(vis=(1 + 1j, 2.0), sigma=(0.5, 1.0)):
    return Visibilities(np.zeros(2), np.zeros(2), np.array(vis, dtype=complex), np.array(sigma), ("10a", "10b"))


def test_chi_square():
    """Σ|V_pred - V_obs|²/σ² ÷ (2 n - n_parameters): real and imaginary part both count."""
    vis = two()
    assert chi_square(vis.vis, vis) == 0.0
    off = vis.vis + np.array([0.3 + 0.4j, 2j])
    assert chi_square(off, vis) == pytest.approx((0.25 / 0.25 + 4.0) / 4)
    assert chi_square(off, vis, 3) == pytest.approx(0.25 / 0.25 + 4.0)
    one = vis.select(["10a"])
    assert chi_square(one.vis + 0.5, one, 2) == pytest.approx(1.0)  # as many parameters as data: no division by zero


def test_chi_square_of_a_perfect_model_is_about_one():
    """Real and imaginary part both scatter with σ."""
    rng = np.random.default_rng(11)
    values = []
    for _ in range(300):
        noise = rng.normal(size=24) + 1j * rng.normal(size=24)
        vis = Visibilities(np.zeros(24), np.zeros(24), 5.0 + 0.3 * noise, np.full(24, 0.3), tuple(map(str, range(24))))
        values.append(chi_square(np.full(24, 5.0 + 0j), vis))
    assert np.mean(values) == pytest.approx(1.0, abs=0.05)


def test_names_of_products_do_not_change():
    """They are suffixes of file names in every archive."""
    assert [str(method) for method in Method] == [
        "full_disk_bp",
        "bp",
        "clean",
        "ms_clean",
        "em",
        "mem_ge",
        "vis_fwdfit",
    ]


def test_units_are_understood_by_astropy():
    import astropy.units as u

    assert u.Unit(SURFACE_BRIGHTNESS).is_equivalent(u.ct / u.s / u.cm**2 / u.keV / u.arcsec**2)
    assert u.Unit(PER_BEAM).is_equivalent(u.ct / u.s / u.cm**2 / u.keV / u.beam)


def test_result_defaults_and_peak():
    image = np.zeros((3, 5))
    image[2, 0] = 1.0
    result = Reconstruction(Method.BP, ImageGrid((3, 5), 2.0, (10.0, 20.0)), image)
    assert result.peak == (6.0, 22.0)
    assert result.unit == SURFACE_BRIGHTNESS
    assert result.stopped_by is StopReason.DIRECT
    assert np.isnan(result.chi2)
    assert result.history.size == 0


def test_usable_visibilities_pass():
    require_usable(two())
    require_usable(two(vis=(0.0, 1e-30)))


@pytest.mark.parametrize(
    ("vis", "complaint"),
    [
        (two(vis=(1, np.nan)), "visibility 10b is not a finite number"),
        (two(vis=(complex(0, np.inf), 1)), "visibility 10a is not a finite number"),
        (two(sigma=(1.0, 0.0)), "sigma of visibility 10b is not a positive number"),
        (two(sigma=(-1.0, 1.0)), "sigma of visibility 10a is not a positive number"),
        (two(sigma=(1.0, np.nan)), "sigma of visibility 10b is not a positive number"),
        (two(sigma=(1.0, np.inf)), "sigma of visibility 10b is not a positive number"),
        (two(vis=(0, 0)), "all visibilities are zero"),
        (
            replace(two(), u=np.empty(0), v=np.empty(0), vis=np.empty(0, complex), sigma=np.empty(0), labels=()),
            "there are no vis",
        ),
    ],
)
def test_unusable_visibilities_are_refused(vis, complaint):
    with pytest.raises(ReconstructionError, match=complaint):
        require_usable(vis)


def test_every_method_has_parameters_and_a_name_for_people():
    assert set(PARAMETERS) == set(Method)
    assert list(built_in()) == list(Method)
