"""The advanced part of the imaging form: parameters of the methods, map, time range, error bars, location, pointing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import panel as pn
import panel.ui as pmui

from dashboards.pages.science_data import form_parts as parts
from dashboards.pages.science_data.form_parts import FIELD
from dashboards.pages.science_data.imaging_form import ASSUMED, GIVEN, SEARCHED, SHAPES, ImagingForm
from dashboards.pages.science_data.map_plot import MapPlot
from dashboards.shared.formatting import method_name
from jobs.queue.requests import AUTO
from stixcore.fits.windows import WindowRule
from stixcore.imaging.registry import known_names
from stixcore.instrument.geometry import PixelSet
from stixcore.options import ShiftBins

LAMBDAS = {"automatic: by signal to noise": AUTO, "as entered": GIVEN}
#: Side of the maps, pixel; with their axes they fit on a telephone.
MAP_PIXELS = 290
RULES = {"bins centred in the range": WindowRule.CENTRES, "bins that cover the range": WindowRule.OUTWARD}
SHIFTS = {"moved to their time bin": ShiftBins.AUTO, "not moved": ShiftBins.OFF}
PLACES = {"automatic: search the disk": SEARCHED, "as entered or clicked": GIVEN}
POINTINGS = {"automatic: from the auxiliary files": AUTO, "assumed: Sun centre, north up": ASSUMED, "as entered": GIVEN}


class AdvancedForm:
    """Widgets of the parameters of an `ImagingForm` that most visits leave as they are.

    Parameters
    ----------
    form : ImagingForm
    on_tap : callable
        Called with the position of a click on the full-disk map `disk`, arcsec.
    """

    def __init__(self, form: ImagingForm, on_tap: Callable[[float, float], None]) -> None:
        self._form = form
        self.disk = MapPlot(MAP_PIXELS, on_tap)

    def columns(self) -> list[Any]:
        """Three columns of groups of fields."""
        of, number = self._form.param, {"width": 130, **FIELD}
        choice: dict[str, Any] = {"margin": (6, 10, 4, 0), "description": "", "width": 300}
        late: list[Any] = []
        if self._form.data.can_shift_bins:  # files before December 2021 in full time resolution
            late = [pmui.Select.from_param(of.shift_bins, label="Delayed counts", options=SHIFTS, width=230, **FIELD)]
        return [
            parts.group(
                "Methods",
                pmui.MultiChoice.from_param(
                    of.methods, label="Methods", options={method_name(key): key for key in known_names()}, **choice
                ),
                pmui.IntInput.from_param(of.clean_iterations, label="CLEAN iterations", **number),
                pmui.FloatInput.from_param(of.clean_gain, label="CLEAN gain", **number),
                pmui.FloatInput.from_param(of.clean_beam, label="CLEAN beam [″]", **number),
                pmui.IntInput.from_param(of.em_iterations, label="EM iterations", **number),
                pmui.FloatInput.from_param(of.em_tolerance, label="EM tolerance", format="0.[000000]", **number),
                pmui.Select.from_param(of.mem_choice, label="MEM_GE λ", options=LAMBDAS, width=240, **FIELD),
                *self._while("mem_choice", pmui.FloatInput.from_param(of.mem_percent, label="MEM_GE λ [%]", **number)),
                pmui.Select.from_param(
                    of.shape_of_sources, label="Forward fit", options=list(SHAPES), width=150, **FIELD
                ),
                *self._fields_of_packages(),
            ),
            pn.Column(*self._data_fields(choice, number, late), sizing_mode="stretch_width", margin=0),
            pn.Column(*self._place_fields(number), sizing_mode="stretch_width", margin=0),
        ]

    def _data_fields(self, choice: dict[str, Any], number: dict[str, Any], late: list[Any]) -> list[Any]:
        """Fields of the map, the time range and the error bars."""
        of = self._form.param
        return [
            parts.group(
                "Map and data",
                pmui.IntInput.from_param(of.side, label="Map size [pixels]", **number),
                pmui.FloatInput.from_param(of.pixel, label="Pixel size [″]", **number),
                pmui.Select.from_param(
                    of.pixel_set, label="Pixel set", options={str(s): s for s in PixelSet}, width=130, **FIELD
                ),
                pmui.MultiChoice.from_param(
                    of.subcollimators, label="Sub-collimators", options=parts.subcollimator_options(), **choice
                ),
            ),
            parts.group(
                "Time range",
                pmui.Select.from_param(of.window_rule, label="Time bins", options=RULES, width=230, **FIELD),
                pmui.Checkbox.from_param(
                    of.exact, label="Require whole bins", size="small", margin=(6, 10, 6, 0), description=""
                ),
                *late,
            ),
            parts.group(
                "Error bars",
                pmui.Checkbox.from_param(
                    of.error_bars, label="From simulated copies of the data", size="small", margin=(6, 10, 6, 0),
                    description="",
                ),
                *self._while(
                    "error_bars",
                    pmui.IntInput.from_param(of.ensemble, label="Copies", **number),
                    pmui.IntInput.from_param(of.seed, label="Seed", **number),
                ),
            ),
        ]  # fmt: skip

    def _place_fields(self, number: dict[str, Any]) -> list[Any]:
        """Fields of location and pointing, with the full-disk map."""
        of = self._form.param
        return [
            parts.group(
                "Location",
                pmui.Select.from_param(of.place, label="Map centre", options=PLACES, width=240, **FIELD),
                *self._while(
                    "place",
                    pmui.FloatInput.from_param(of.x, label="Solar X [″]", **number),
                    pmui.FloatInput.from_param(of.y, label="Solar Y [″]", **number),
                ),
            ),
            pn.pane.HTML(
                "Full-disk map from the coarse grids, with its brightest peaks. Click a peak to centre the map there.",
                styles={"font-size": "13px"},
                margin=0,
            ),
            pn.pane.Bokeh(self.disk.model, margin=0),
            parts.group(
                "Pointing",
                pmui.Select.from_param(of.pointing, label="Pointing", options=POINTINGS, width=290, **FIELD),
                *self._while(
                    "pointing",
                    pmui.FloatInput.from_param(of.roll, label="Roll [°]", **number),
                    pmui.FloatInput.from_param(of.pointing_x, label="X [″]", **number),
                    pmui.FloatInput.from_param(of.pointing_y, label="Y [″]", **number),
                ),
            ),
        ]

    def _fields_of_packages(self) -> list[Any]:
        """Fields of the methods of packages, each shown while its method is selected."""
        form, shown = self._form, {method: own.widgets() for method, own in self._form.fields_of_packages.items()}

        def follow(*_: Any) -> None:
            for method, fields in shown.items():
                for field in fields:
                    field.visible = method in form.methods

        form.param.watch(follow, "methods")
        follow()
        return [field for fields in shown.values() for field in fields]

    def _while(self, choice: str, *fields: Any) -> tuple[Any, ...]:
        """Fields that are shown only while the form's ``choice`` needs them; what is automatic has no number."""

        def follow(*_: Any) -> None:
            for field in fields:
                field.visible = getattr(self._form, choice) in (GIVEN, True)

        self._form.param.watch(follow, choice)
        follow()
        return fields
