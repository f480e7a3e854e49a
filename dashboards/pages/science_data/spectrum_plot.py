"""Spectrum of a time range, with the expected background."""

from __future__ import annotations

import numpy as np
from bokeh.models import ColumnDataSource, CustomJSTickFormatter, FixedTicker, Range1d
from bokeh.models.annotations import BoxAnnotation, Whisker
from numpy.typing import NDArray

from dashboards.pages.science_data.spectrogram import LOWEST
from dashboards.shared.figure_style import CHOSEN, CURVES, INK, aria_label, quiet_figure
from stixcore.spectra import WindowSpectrum

Floats = NDArray[np.float64]


class SpectrumPlot:
    """Steps over the channels, on logarithmic axes."""

    def __init__(self, height: int = 320) -> None:
        self._steps = ColumnDataSource({"x": [], "rate": [], "background": [], "net": []})
        self._errors = ColumnDataSource({"x": [], "lower": [], "upper": []})
        self._band = BoxAnnotation(left=4, right=5, visible=False, fill_color=CHOSEN, fill_alpha=0.15)
        drawn = quiet_figure(
            html_attributes=aria_label("Count rate against energy: recorded, background, background-subtracted"),
            height=height,
            x_axis_type="log",
            y_axis_type="log",
            x_range=Range1d(start=LOWEST, end=150),
            y_range=Range1d(start=0.1, end=10),
            x_axis_label="Energy [keV]",
            y_axis_label="Rate [ct s⁻¹ keV⁻¹]",
            tools=["pan", "wheel_zoom", "reset"],
        )
        drawn.add_layout(self._band)
        for name, label, color in (
            ("rate", "recorded", CURVES[0]),
            ("background", "background", CURVES[1]),
            ("net", "without background", CURVES[2]),
        ):
            drawn.line("x", name, source=self._steps, color=color, line_width=1.8, legend_label=label)
        drawn.add_layout(
            Whisker(
                base="x",
                lower="lower",
                upper="upper",
                source=self._errors,
                line_color=CURVES[0],
                upper_head=None,
                lower_head=None,
            )
        )
        drawn.xaxis.ticker = FixedTicker(ticks=[4, 6, 10, 15, 25, 50, 84, 150], minor_ticks=[])
        drawn.xaxis.formatter = CustomJSTickFormatter(code="return String(tick)")
        legend = drawn.legend[0]
        legend.location = "bottom_left"  # a falling spectrum leaves space there
        legend.label_text_color = INK
        legend.label_text_font_size = "12px"
        legend.background_fill_alpha = legend.border_line_alpha = 0.0
        self.model = drawn

    def show(self, spectrum: WindowSpectrum, band: tuple[float, float] | None) -> None:
        """Draw a spectrum, with the selected band marked."""
        low = np.maximum(spectrum.e_low, LOWEST)
        x = np.stack([low, spectrum.e_high], axis=1).ravel()

        def steps(values: Floats) -> Floats:
            return np.repeat(np.where(values > 0, values, np.nan), 2)

        known = np.isfinite(spectrum.background).any()
        nothing = np.full(x.size, np.nan)
        for item in self.model.legend[0].items[1:]:  # background, and the rate without it
            item.visible = bool(known)
        self._steps.data = {
            "x": x,
            "rate": steps(spectrum.rate),
            "background": steps(spectrum.background) if known else nothing,
            "net": steps(spectrum.net) if known else nothing,
        }
        seen = np.concatenate([spectrum.rate, spectrum.background, spectrum.net])
        seen = seen[np.isfinite(seen) & (seen > 0)]
        if seen.size:  # Bokeh warns about a logarithmic axis without data
            self.model.y_range.update(start=0.5 * float(seen.min()), end=2.0 * float(seen.max()))
        self.model.x_range.update(start=0.95 * float(low[0]), end=1.05 * float(spectrum.e_high[-1]))
        lower, upper = spectrum.rate - spectrum.rate_error, spectrum.rate + spectrum.rate_error
        shown = lower > 0
        self._errors.data = {
            "x": np.sqrt(low * spectrum.e_high)[shown],
            "lower": lower[shown],
            "upper": upper[shown],
        }
        if band is None:
            self._band.visible = False
        else:
            self._band.update(left=max(band[0], LOWEST), right=band[1], visible=True)
