"""The figure and the table of a spectrum: what they draw and say, for every kind of document."""

import numpy as np
import pytest
from bokeh.models.annotations import BoxAnnotation

from dashboards.shared.spectrum_curves import SpectrumCurves
from dashboards.shared.spectrum_figure import SpectrumFigure
from dashboards.shared.spectrum_table import spectrum_html, with_errors, with_unit
from stixcore.errors import InvalidProduct
from tests.dashboards.spectrum_documents import document, fit, text_of, value


def drawn(**changes):
    figure = SpectrumFigure()
    figure.show(document(**changes))
    return figure


def legend(figure):
    return [item.label.value for item in figure.rates.legend[0].items if item.visible]


def test_rates_are_per_second_and_kiloelectronvolt():
    curves = SpectrumCurves.of(document())
    np.testing.assert_allclose(curves.rate, [2.0, 4.0, 2.0, 0.2, -0.125])
    np.testing.assert_allclose(curves.background, [0.1, 0.1, 0.1, 0.1, 0.1375])
    np.testing.assert_allclose(curves.error[0], np.hypot(15.0, 0.07 * 200.0) / 100.0)
    np.testing.assert_allclose(curves.components["vth"], [1.8, 3.9, 5 / 3, 1 / 15, 0.0])


def test_steps_have_gaps_between_channels_and_where_nothing_is_above_zero():
    curves = SpectrumCurves.of(document())
    x, y = curves.steps(curves.rate)
    assert x.tolist() == [4, 5, 5, 7, 7, 10, 10, 16, 20, 20, 28]
    np.testing.assert_allclose(y[:8], [2, 2, 4, 4, 2, 2, 0.2, 0.2])
    assert np.isnan(y[8:]).all()


def test_channel_without_counts_above_background_is_an_upper_limit():
    figure = drawn()
    (limit,) = [item for item in figure.rates.legend[0].items if item.label.value == "upper limit (2 σ)"]
    assert limit.visible
    data = limit.renderers[0].data_source.data
    # max(−100, 0) + 2 σ, in 8 keV and 100 s
    np.testing.assert_allclose(data["rate"], [2 * np.hypot(20.0, 0.03 * 100.0) / 800.0])
    assert data["channel"] == ["20–28 keV"]
    assert "upper limit (2 σ)" not in legend(drawn(counts=[200.0, 800.0, 600.0, 120.0, 5.0]))


def test_everything_is_drawn_with_a_fit():
    figure = drawn()
    assert legend(figure) == [
        "data without background", "background", "model", "thermal (vth)", "thick target (thick2)", "upper limit (2 σ)"
    ]  # fmt: skip
    assert figure.residuals.visible
    for plot in (figure.rates, figure.residuals):
        band = plot.select_one(BoxAnnotation)
        assert (band.left, band.right, band.visible) == (4.0, 16.0, True)


def test_residuals_beyond_the_axis_are_triangles_at_its_end():
    figure = drawn()
    source = next(one.data_source for one in figure.residuals.renderers)
    assert list(source.data["marker"]) == ["circle"] * 4 + ["inverted_triangle"]
    assert list(source.data["fill"]) == [1, 1, 1, 1, 0]
    assert -figure.residuals.y_range.end < source.data["residual"][-1] < -0.9 * figure.residuals.y_range.end
    assert figure.residuals.y_range.end == 10.0


def test_without_a_fit_there_are_no_residuals_and_no_model():
    figure = drawn(fit=None)
    assert legend(figure) == ["data without background", "background", "upper limit (2 σ)"]
    assert not figure.residuals.visible
    assert figure.rates.xaxis.axis_label == "Energy [keV]"


def test_without_background_the_data_are_called_data():
    assert legend(drawn(background=[0.0] * 5, fit=None)) == ["data", "upper limit (2 σ)"]


def test_next_spectrum_replaces_all_of_the_last():
    figure = drawn()
    figure.show(document(fit=None))
    assert legend(figure) == legend(drawn(fit=None))
    figure.show(None)
    assert legend(figure) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"counts": [1.0]},
        {"energy_kev": [4.0, 5.0]},
        {"fit": {"model": "vth"}},
        {"livetime_s": None},
        {"livetime_s": 10**400},
    ],
)
def test_other_content_is_refused(changes):
    with pytest.raises(InvalidProduct, match=r"spectrum\.json: expected the description of a spectrum"):
        drawn(**changes)
    if "fit" in changes or "livetime_s" in changes:
        with pytest.raises(InvalidProduct, match=r"spectrum\.json"):
            spectrum_html(document(**changes))


@pytest.mark.parametrize("numbers", [(5e-324, 5e-324, 5e-324), (10**400, 1.0, 1.0)])
def test_impossible_numbers_are_refused(numbers):
    wrong = fit(parameters={"delta": value(*numbers)})
    with pytest.raises(InvalidProduct, match=r"spectrum\.json: expected the description of a spectrum"):
        spectrum_html(document(fit=wrong))


def test_table_has_every_parameter_with_both_errors():
    text = text_of(spectrum_html(document(), background="2211098157", automatic=True))
    for said in (
        "18.18 ± 0.42 MK", "1.567 −0.036 +0.037 keV", "(0.127 −0.013 +0.015) × 10⁴⁹ cm⁻³", "5.30 −0.14 +0.13",
        "(2.05 −0.64) × 10³⁵ s⁻¹ (open above)", "20 keV fixed", "−0.996",
        "F₀ and low-energy cutoff are determined only together",
        "4–16 keV. The fit starts at 4 keV", "3.0 ÷ 2 = 1.50", "vth+thick2 13.0, vth 89.0", "CHIANTI 10.1 (built in)",
        "heliocentric angle 32.9°", "2211098157", "elut_table_20220918", "gsw-2026, without loss of charge",
        "Automatic fit, not for publication.", "trusted",
    ):  # fmt: skip
        assert said in text, said


def test_order_of_parameters():
    text = spectrum_html(document())
    places = [text.index(name) for name in ("Temperature", "Emission measure", "Electrons", "Spectral", "Low-energy")]
    assert places == sorted(places)


def test_doubts_and_reasons_are_shown_and_escaped():
    doubts = [
        {"code": "fit.chi2", "text": "χ² is <b>2.6</b>", "serious": True},
        {"code": "fit.open", "text": "The data do not limit delta above.", "serious": False},
    ]
    page = spectrum_html(document(fit=fit(verdict="doubtful", doubts=doubts), doubts=["no background was subtracted"]))
    assert '<div class="doubt"><ul><li>χ² is &lt;b&gt;2.6&lt;/b&gt;.</li></ul></div>' in page
    assert "<li>The data do not limit δ above.</li>" in page
    assert "<li>No background was subtracted.</li>" in page
    assert "not for publication" not in page
    said = text_of(spectrum_html(document(fit=None, no_fit="no channel has a signal")))
    assert "No fit: no channel has a signal." in said


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ((18.18, 0.42, 0.44), "18.18 −0.42 +0.44"),
        ((18.18, 0.42, 0.42), "18.18 ± 0.42"),
        ((18.2, None, 0.4), "18.20 +0.40 (open below)"),
        ((18.2, None, None), "18.2 (open below and above)"),
        ((20.0, 0.0, 0.0), "20"),
        ((0.00034, 0.00001, 0.00002), "(3.40 −0.10 +0.20) × 10⁻⁴"),
        ((1.2e6, 3e4, 2e4), "(1.200 −0.030 +0.020) × 10⁶"),
        ((7e-5, 1.7e-5, 1.57), "(7.0 −1.7) × 10⁻⁵ (open above)"),
        ((5.0, 0.4, 500.0), "5.00 −0.40 +500.00"),
        ((5.0, 0.4, 501.0), "5.00 −0.40 (open above)"),
        ((0.0, 0.4, 0.5), "0.00 −0.40 +0.50"),
    ],
)
def test_errors_have_two_digits(numbers, text):
    assert with_errors(*numbers) == text


def test_powers_of_ten_in_units_multiply():
    assert with_unit("0.127 ± 0.014", "10⁴⁹ cm⁻³") == "(0.127 ± 0.014) × 10⁴⁹ cm⁻³"
    assert with_unit("18 ± 2", "MK") == "18 ± 2 MK"
    assert with_unit("20", "10⁴⁹ cm⁻³") == "20 × 10⁴⁹ cm⁻³"


def test_open_sides_come_after_the_unit():
    assert with_unit("18.20 +0.40 (open below)", "MK") == "18.20 +0.40 MK (open below)"
    assert with_unit("18.2 (open below and above)", "10⁴⁹ cm⁻³") == "18.2 × 10⁴⁹ cm⁻³ (open below and above)"
    assert with_unit("(7.0 −1.7) × 10⁻⁵ (open above)", "") == "(7.0 −1.7) × 10⁻⁵ (open above)"
