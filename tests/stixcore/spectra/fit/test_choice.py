"""Choice of a model by Akaike's criterion."""

from stixcore.spectra.fit.choice import choose_model
from stixcore.spectra.fit.result import Alternative


def alternative(model, k, aic):
    return Alternative(model, aic - 2 * k, k, aic, aic)


def test_more_parameters_need_a_lower_criterion_by_six():
    plain = alternative("vth", 2, 50.0)
    assert choose_model([plain, alternative("vth+thick2", 5, 44.1)], 12) == "vth"
    assert choose_model([plain, alternative("vth+thick2", 5, 44.0)], 12) == "vth+thick2"


def test_order_of_the_candidates_does_not_matter():
    models = [alternative("vth", 2, 90.0), alternative("vth+vth", 4, 45.0), alternative("vth+thick2", 5, 41.0)]
    assert choose_model(models, 12) == choose_model(models[::-1], 12) == "vth+vth"
    electrons = [*models[:2], alternative("vth+thick2", 5, 38.0)]
    assert choose_model(electrons, 12) == "vth+thick2"


def test_equal_numbers_of_parameters_go_by_the_criterion():
    models = [alternative("vth+vth", 4, 45.0), alternative("thin2+vth", 4, 44.0)]
    assert choose_model(models, 12) == "thin2+vth"


def test_a_model_without_degrees_of_freedom_is_no_candidate():
    models = [alternative("vth", 2, 90.0), alternative("vth+vth", 4, 40.0), alternative("vth+thick2", 5, 10.0)]
    assert choose_model(models, 5) == "vth+vth"
    assert choose_model(models, 2) == "vth"
