"""Options of the region form in the URL, so that a link leads to the form as it is filled in."""

from __future__ import annotations

from typing import Any, ClassVar

import param

from dashboards.pages.science_data.file_state import TimeEnergySelection
from dashboards.pages.science_data.imaging_form import GIVEN
from dashboards.pages.science_data.prefilled import numbers
from dashboards.pages.science_data.prefilled_spectrum import PrefilledSpectrum, choice
from dashboards.pages.science_data.region_form import RegionForm
from dashboards.shared.region_entries import ADDRESS, address_of, entries_of
from jobs.queue.requests import AUTO
from stixcore.errors import StixError
from stixcore.imaging_spectroscopy.region_recipe import REGION_METHODS
from stixcore.times import format_time


class PrefilledRegions(PrefilledSpectrum):
    """Options in the URL, as text; empty where the form decides."""

    regions = param.String("", regex=rf"^{ADDRESS}\Z", doc="Regions, “circle:west:962,-121,12;…”")
    region_method = choice(REGION_METHODS, "Method of the images of the channels")
    region_copies = numbers(1, "Simulated copies of the data")
    region_counts = numbers(1, "Counts that a channel needs")

    #: Parameters and their names in the URL.
    prefilled_keys: ClassVar[dict[str, str]] = {
        **PrefilledSpectrum.prefilled_keys,
        "regions": "regions",
        "region_method": "method",
        "region_copies": "copies",
        "region_counts": "least_counts",
    }
    address_keys: ClassVar = {"uid": "uid", "tab": "tab", **prefilled_keys}


def fill_in_regions(state: PrefilledRegions, form: RegionForm) -> None:
    """Fill the form from the URL; if it has an option that the form does not allow, the view's ``problem`` says which.

    The window, the map and the pointing are filled in by `prefilled.fill_in`.
    """
    options: dict[str, Any] = {"entries": entries_of(state.regions)} if state.regions else {}
    texts = {"method": state.region_method, "model": state.fit_model, "background": state.fit_background}
    options |= {name: text for name, text in texts.items() if text}
    if state.region_copies:
        options["ensemble"] = int(float(state.region_copies))
    if state.region_counts:
        options["least"] = float(state.region_counts)
    before = {name: getattr(form, name) for name in options}
    try:
        form.param.update(**options)
    except ValueError:
        form.param.update(**before)
        form.view.problem = "the URL has options that the form does not allow"
        return
    changed = [name for name, value in options.items() if getattr(form, name) != value]  # typed numbers stay in bounds
    if changed:
        form.param.update(**before)
        form.view.problem = f"the URL has an option that the form does not allow: {changed[0]}={options[changed[0]]}"


def region_address(form: RegionForm, box: TimeEnergySelection, tab: str) -> str:
    """URL of the page with this form filled in; empty for a visitor's own file, or if a region is not valid."""
    if form.file is None:
        return ""
    usual = {name: form.param[name].default for name in ("ensemble", "least", "side", "pixel", "method")}
    texts = {
        "window": f"{format_time(box.start)},{format_time(box.end)},{box.low:.15g},{box.high:.15g}",
        "fit_model": "" if form.model == AUTO else form.model,
        "fit_background": "" if form.background == AUTO else form.background,
        "given_location": f"{form.x:.15g},{form.y:.15g}" if form.place == GIVEN else "",
        "given_pointing": f"{form.roll:.15g},{form.pointing_x:.15g},{form.pointing_y:.15g}"
        if form.pointing == GIVEN
        else "",
        "map_of_form": ""
        if (form.side, form.pixel) == (usual["side"], usual["pixel"])
        else f"{form.side},{form.pixel:.15g}",
        "region_method": "" if form.method == usual["method"] else str(form.method),
        "region_copies": "" if form.ensemble == usual["ensemble"] else str(form.ensemble),
        "region_counts": "" if form.least == usual["least"] else f"{form.least:.15g}",
    }
    try:
        texts["regions"] = address_of(form.entries)
        state = _Shared(uid=form.file.uid or form.file.name, tab=tab, **texts)
    except (ValueError, StixError):
        return ""
    return f"science_data{state.address}"


class _Shared(PrefilledRegions):
    """Options of a link to a form."""

    uid = param.String("")
    tab = param.String("")
