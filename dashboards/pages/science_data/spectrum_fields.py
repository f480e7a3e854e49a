"""Fields of the spectrum form: the usual and the advanced ones."""

from __future__ import annotations

from typing import Any

import panel as pn
import panel.ui as pmui

from dashboards.pages.science_data import form_parts as parts
from dashboards.pages.science_data.form_parts import FIELD
from dashboards.pages.science_data.spectrum_form import (
    ALL,
    BACKGROUND,
    COARSE,
    DETECTORS,
    ENERGY,
    GIVEN,
    LISTED,
    LOCATION,
    PICKED,
    PIXEL_ROWS,
    SEARCHED,
    SpectrumForm,
    parameters_of,
)
from dashboards.pages.science_data.spectrum_texts import model_options, pixel_options
from jobs.inputs import BackgroundChoice
from jobs.queue.requests import AUTO
from stixcore.fits.products import PixelData
from stixcore.spectra.fit.statistic import Statistic
from stixcore.spectra.transmission import ResponseScheme

RANGES = {"automatic": AUTO, "as entered": GIVEN}
STATISTICS = {"χ²": Statistic.CHI2, "Cash, for few counts": Statistic.CASH}
SCHEMES = {"since 2026 (gsw-2026)": ResponseScheme.GSW_2026, "of 2022–25 (gsw-2022)": ResponseScheme.GSW_2022}
DETECTOR_CHOICES = {"24 coarse ones": COARSE, "all 30": ALL, "as selected": PICKED}
_BOX: dict[str, Any] = {"size": "small", "margin": (6, 10, 6, 0), "description": ""}


class SpectrumFields:
    """Widgets of a `SpectrumForm`, except its time range.

    Parameters
    ----------
    form : SpectrumForm
    """

    def __init__(self, form: SpectrumForm) -> None:
        self._form = form
        self._fixed: dict[str, pmui.TextInput] = {}
        options = {"automatic": AUTO} | ({} if form.background == AUTO else {form.background: form.background})
        self._background = pmui.Select.from_param(
            form.param.background, label=BACKGROUND, options=options, width=340, **FIELD
        )

    def usual(self) -> list[Any]:
        """Model, energies and background."""
        of, number = self._form.param, {"width": 124, **FIELD}
        ends = (
            pmui.FloatInput.from_param(of.low, label="Fit from [keV]", **number),
            pmui.FloatInput.from_param(of.high, label="Fit to [keV]", **number),
        )
        return [
            pn.FlexBox(
                pmui.Select.from_param(of.model, label="Model", options=model_options(), width=340, **FIELD),
                pmui.Select.from_param(of.energies, label=ENERGY, options=RANGES, width=150, **FIELD),
                *self._while(lambda: self._form.energies == GIVEN, "energies", *ends),
                sizing_mode="stretch_width",
            ),
            self._background,
        ]

    def advanced(self) -> list[Any]:
        """Columns of groups: fixed values, data, response."""
        self._values = pn.FlexBox(sizing_mode="stretch_width", align_items="center")
        self._form.param.watch(self._show_fixed, "model")
        self._show_fixed()
        fixed = pn.Column(
            parts.group("Fixed values"),
            pn.pane.HTML(
                "A parameter with a value here is not fitted. Others are fitted, or have their usual value.",
                styles={"font-size": "13px"},
                margin=0,
            ),
            self._values,
            sizing_mode="stretch_width",
            margin=0,
        )
        return [fixed, parts.group("Data and statistic", *self._data()), parts.group("Response", *self._response())]

    def show_backgrounds(self, choice: BackgroundChoice) -> None:
        """Offer these backgrounds; one that the URL has chosen stays."""
        options = parts.background_options(choice)
        chosen = self._form.background
        if chosen not in options.values():
            options[chosen] = chosen
        if options != self._background.options:
            self._background.options = options
            self._background.param.trigger("value")  # the same value has a new label

    def _data(self) -> list[Any]:
        of = self._form.param
        statistic = pmui.Select.from_param(of.statistic, label="Statistic", options=STATISTICS, width=200, **FIELD)
        if not self._form.can_choose_pixels:  # they were summed on board
            return [statistic]
        picked = pmui.MultiChoice.from_param(
            of.labels,
            label="Detectors of the sum",
            options=parts.subcollimator_options(),
            width=300,
            margin=(6, 10, 4, 0),
            description="",
        )
        return [
            statistic,
            pmui.Select.from_param(of.detectors, label=DETECTORS, options=DETECTOR_CHOICES, width=170, **FIELD),
            *self._while(lambda: self._form.detectors == PICKED, "detectors", picked),
            pmui.Select.from_param(of.pixels, label=PIXEL_ROWS, options=pixel_options(), width=200, **FIELD),
        ]

    def _response(self) -> list[Any]:
        form, number = self._form, {"width": 130, **FIELD}
        of = form.param
        searched = "automatic: search the disk" if isinstance(form.view.data, PixelData) else "unknown: Sun centre"
        places = {searched: SEARCHED}
        if form.flares or form.place == LISTED:
            places["of the flare in the list"] = LISTED
        given = (
            pmui.FloatInput.from_param(of.x, label="Solar X [″]", **number),
            pmui.FloatInput.from_param(of.y, label="Solar Y [″]", **number),
        )
        return [
            pmui.Select.from_param(
                of.place, label=LOCATION, options={**places, "as entered": GIVEN}, width=240, **FIELD
            ),
            *self._while(lambda: form.place == GIVEN, "place", *given),
            pmui.Select.from_param(of.scheme, label="Response", options=SCHEMES, width=220, **FIELD),
            pmui.Checkbox.from_param(of.albedo, label="Reflection at the Sun (albedo)", **_BOX),
            pmui.Checkbox.from_param(of.tailing, label="Loss of charge in the detectors", **_BOX),
        ]

    def _show_fixed(self, *_: Any) -> None:
        """One field for each parameter of the model."""
        self._values[:] = [self._field(name) for name in parameters_of(self._form.model)]

    def _field(self, name: str) -> pmui.TextInput:
        if name not in self._fixed:
            field = pmui.TextInput(label=f"Fixed {name}", value=str(self._form.fixed.get(name, "")), width=215, **FIELD)

            def typed(event: Any) -> None:
                self._form.fixed = {**self._form.fixed, name: event.new or ""}

            field.param.watch(typed, "value")
            self._fixed[name] = field
        return self._fixed[name]

    def _while(self, needed: Any, choice: str, *fields: Any) -> tuple[Any, ...]:
        """Fields that are shown only while the form's ``choice`` needs them."""

        def follow(*_: Any) -> None:
            for field in fields:
                field.visible = needed()

        self._form.param.watch(follow, choice)
        follow()
        return fields
