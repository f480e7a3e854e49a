"""Options of the imaging form from the URL, so that links can lead to a form that is filled in."""

from __future__ import annotations

from typing import Any, ClassVar

import param

from dashboards.pages.science_data.file_state import FileView
from dashboards.pages.science_data.imaging_form import GIVEN, ImagingForm
from dashboards.shared.address import AddressState
from stixcore.errors import StixError
from stixcore.times import parse_time

_NUMBER = r"[-+]?\d{1,6}(\.\d{1,15})?"
_TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?"


def numbers(count: int, doc: str) -> Any:
    """A parameter of ``count`` numbers with commas between them; or empty."""
    pattern = ",".join([_NUMBER] * count)
    return param.String("", regex=rf"^({pattern})?\Z", doc=doc)


class PrefilledForm(AddressState):
    """Options in the URL, as text; empty where the form decides."""

    window = param.String(
        "",
        regex=rf"^({_TIME},{_TIME},{_NUMBER},{_NUMBER})?\Z",
        doc="Start and end, UTC at Solar Orbiter, and energies [keV]",
    )
    given_pointing = numbers(3, "Roll [deg] and pointing x, y [arcsec]")
    given_location = numbers(2, "Centre of the map, helioprojective x, y [arcsec]")
    map_of_form = numbers(2, "Pixels along a side, and their size [arcsec]")

    #: Parameters and their names in the URL.
    prefilled_keys: ClassVar[dict[str, str]] = {
        "window": "window",
        "given_pointing": "given_pointing",
        "given_location": "given_location",
        "map_of_form": "map",
    }

    @property
    def nothing_prefilled(self) -> dict[str, str]:
        """Values of all options when the form decides."""
        return dict.fromkeys(self.prefilled_keys, "")


def fill_in(state: PrefilledForm, view: FileView, form: ImagingForm) -> None:
    """Fill the form from the URL; what is out of bounds is left out and said in ``view.problem``."""
    choose_window(state, view)  # first, because a selection clears the problem
    options = _options(state)
    before = {name: getattr(form, name) for name in options}
    form.param.update(**options)
    changed = [name for name, value in options.items() if getattr(form, name) != value]  # typed numbers stay in bounds
    if changed:
        form.param.update(**before)
        view.problem = f"the URL has an option that the form does not allow: {changed[0]}={options[changed[0]]:g}"


def choose_window(state: PrefilledForm, view: FileView) -> None:
    """Select the window in the URL, unless one is selected; if it cannot be, ``view.problem`` says why."""
    if not state.window or view.box is not None:
        return
    start, end, low, high = state.window.split(",")
    try:
        times = parse_time(start), parse_time(end)
    except StixError as error:
        view.problem = str(error)
        return
    view.choose(*times, float(low), float(high), typed=True)


def _options(state: PrefilledForm) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if state.given_pointing:
        roll, x, y = (float(text) for text in state.given_pointing.split(","))
        options |= {"pointing": GIVEN, "roll": roll, "pointing_x": x, "pointing_y": y}
    if state.given_location:
        x, y = (float(text) for text in state.given_location.split(","))
        options |= {"place": GIVEN, "x": x, "y": y}
    if state.map_of_form:
        side, pixel = state.map_of_form.split(",")
        options |= {"side": int(float(side)), "pixel": float(pixel)}
    return options
