"""Interpolated components: true to the model, with true derivatives."""

import numpy as np
import pytest

from stixcore.errors import SelectionError
from stixcore.spectra.fit.components import COMPONENTS, FoldedComponent
from stixcore.spectra.fit.model import SpectralModel

pytestmark = pytest.mark.usefixtures("thermal_stand_in")


@pytest.fixture
def folded(instrument):
    response = instrument()

    def make(name):
        component = COMPONENTS[name]
        return FoldedComponent(component, response.photon_edges, response.fold, component.constants)

    return make


CASES = [("vth", (0.36,)), ("vth", (1.234,)), ("vth", (7.45,)), ("thick2", (1.6, 9.0)), ("thick2", (3.9, 17.3)),
         ("thick2", (8.3, 41.0)), ("thick2", (11.9, 5.02)), ("thin2", (3.3, 15.5))]  # fmt: skip


@pytest.mark.parametrize(("name", "shape"), CASES)
def test_interpolation_is_true_to_a_part_in_500(folded, name, shape):
    made = folded(name)
    x = np.array([p.scaled(v) for p, v in zip(made.component.shape, shape, strict=True)])
    counts, slopes = made.counts(x)
    exact = made.exact(shape)
    seen = exact > 1e-12 * exact.max()
    np.testing.assert_allclose(counts[seen], exact[seen], rtol=2e-3)
    for k in range(x.size):
        step = np.zeros(x.size)
        step[k] = 1e-5
        numeric = (made.counts(x + step)[0] - made.counts(x - step)[0]) / 2e-5
        np.testing.assert_allclose(slopes[k], numeric, rtol=1e-5, atol=1e-7 * np.abs(numeric).max())


def test_derivatives_are_continuous_at_the_nodes(folded):
    made = folded("thick2")
    node = made.node_near((4.0, 20.0))
    before, after = made.counts(node - 1e-9), made.counts(node + 1e-9)
    np.testing.assert_allclose(before[1], after[1], rtol=1e-5)
    np.testing.assert_allclose(made.at_node(node), made.counts(node)[0], rtol=1e-10)


def test_the_norm_is_linear_and_components_add(instrument):
    response = instrument()
    model = SpectralModel("vth+thick2", response.photon_edges, response.fold, {})
    assert model.names == ["EM_1e49_cm3", "T_keV", "norm_1e35_per_s", "delta", "e_cut_keV"]
    x = np.log([0.2, 1.5, 3.0, 3.0, 20.0])
    used = np.arange(26) > 3
    counts, slopes = model.evaluator(used)(x)
    doubled, _ = model.evaluator(used)(x + np.log([2.0, 1, 2.0, 1, 1]))
    np.testing.assert_allclose(doubled, 2 * counts)
    np.testing.assert_allclose(slopes[0] + slopes[2], counts)
    exact = model.exact(x)
    assert set(exact) == {"vth", "thick2"}
    np.testing.assert_allclose(sum(exact.values())[used], counts, rtol=2e-3)


def test_constants_reach_the_model(instrument):
    response = instrument()
    rich = SpectralModel("vth", response.photon_edges, response.fold, {"abundance": 2.0})
    plain = SpectralModel("vth", response.photon_edges, response.fold, {})
    x = np.log([0.2, 1.5])
    np.testing.assert_allclose(rich.exact(x)["vth"], 2 * plain.exact(x)["vth"])
    broken = SpectralModel("thick2", response.photon_edges, response.fold, {"e_break_keV": 40.0, "delta_above": 9.0})
    single = SpectralModel("thick2", response.photon_edges, response.fold, {})
    x = np.log([1.0, 3.0, 20.0])
    assert (broken.exact(x)["thick2"][-1] < 0.5 * single.exact(x)["thick2"][-1]).all()


@pytest.mark.parametrize(
    ("name", "fixed", "match"),
    [
        ("vth+thick3", {}, "'vth\\+thick3'"),
        ("vth", {"delta": 4.0}, "no parameter 'delta'"),
        ("vth", {"T_keV": 40.0}, "T_keV must be 0.35 to 7.5 keV, found 40"),
        ("vth+vth+vth+vth+vth", {}, "up to 4"),
    ],
)
def test_errors_name_the_field_and_the_value(instrument, name, fixed, match):
    response = instrument()
    with pytest.raises(SelectionError, match=match):
        SpectralModel(name, response.photon_edges, response.fold, fixed)
