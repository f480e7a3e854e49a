"""The form for fitting a spectrum: what to measure, and which fields are invalid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from math import isfinite
from typing import Any

import numpy as np
import param

from archive import Flare, ScienceFile
from archive.chianti import thermal_table
from dashboards.pages.science_data.file_form import FileForm
from dashboards.pages.science_data.file_state import FileView, TimeEnergySelection
from dashboards.shared.source import ArchiveSource
from dashboards.shared.typed_numbers import TypedNumber
from jobs.queue.requests import AUTO
from jobs.queue.spectrum_requests import SpectrumOptions, SpectrumTaskRequest
from jobs.shared.errors import BadRequest
from stixcore.errors import SelectionError, StixError, public_sentence
from stixcore.fits.products import PixelData
from stixcore.instrument.geometry import ALL_LABELS, IMAGING_LABELS, detector_indices
from stixcore.measure_spectrum import NO_MODEL, SpectrumRequest
from stixcore.options import MAX_DISTANCE
from stixcore.spectra.fit.components import COMPONENTS
from stixcore.spectra.fit.parameters import Parameter
from stixcore.spectra.fit.recipe import FULL
from stixcore.spectra.fit.statistic import Statistic
from stixcore.spectra.models.thermal import ThermalTable
from stixcore.spectra.transmission import ResponseScheme

SEARCHED, LISTED, GIVEN = "searched", "listed", "given"
COARSE, ALL, PICKED = "coarse", "all", "picked"
#: Name of a choice of pixels → their indices; None: all that were read out.
PIXELS: dict[str, tuple[int, ...] | None] = {
    ALL: None,
    "large": (0, 1, 2, 3, 4, 5, 6, 7),
    "top": (0, 1, 2, 3),
    "bottom": (4, 5, 6, 7),
    "small": (8, 9, 10, 11),
}
MODELS = (
    AUTO,
    "vth",
    "vth+vth",
    "vth+thick2",
    "vth+vth+thick2",
    "vth+thin2",
    "thick2",
    "thin2",
    NO_MODEL,
)
#: Names of fields on the page, for refusals.
TIME, BACKGROUND, ENERGY, DETECTORS, PIXEL_ROWS, LOCATION = (
    "Time range",
    "Background",
    "Energy range",
    "Detectors",
    "Pixels",
    "Location",
)


@dataclass(frozen=True)
class Refusal:
    """An invalid field: its name on the page, and why it is invalid."""

    field: str
    text: str


def parameters_of(model: str) -> dict[str, Parameter | None]:
    """Parameters of a model that a visitor can fix, by name; None for those that are never fitted."""
    found: dict[str, Parameter | None] = {}
    kinds: list[str] = []
    for kind in (FULL if model == AUTO else model).split("+"):
        if kind not in COMPONENTS:  # `NO_MODEL`
            continue
        kinds.append(kind)
        suffix = "" if kinds.count(kind) == 1 else f"_{kinds.count(kind)}"
        found |= {parameter.name + suffix: parameter for parameter in COMPONENTS[kind].parameters}
        found |= {name + suffix: None for name in COMPONENTS[kind].constants}
    return found


class SpectrumForm(FileForm):
    """Options selected by a visitor; the time range is that of the box selected in the `FileView`.

    Parameters
    ----------
    view : FileView
        View of pixel data or of a spectrogram.
    source : ArchiveSource
    file : ScienceFile or None
        Its row in the index; None for a file of the visitor's own.
    flares : sequence of Flare
        Flares of the list that overlap the file.
    """

    model: param.Selector[Any] = param.Selector(default=AUTO, objects=list(MODELS), doc="Model of the photons")
    energies: param.Selector[Any] = param.Selector(default=AUTO, objects=[AUTO, GIVEN], doc="Energy range of the fit")
    low = TypedNumber(default=4.0, bounds=(1.0, 150.0), step=1.0, doc="Lowest energy of the fit, keV, if given")
    high = TypedNumber(default=28.0, bounds=(1.0, 150.0), step=1.0, doc="Highest energy of the fit, keV, if given")
    fixed = param.Dict(default={}, doc="Text by name of parameter; empty where it is fitted")
    statistic: param.Selector[Any] = param.Selector(default=Statistic.CHI2, objects=list(Statistic))
    detectors: param.Selector[Any] = param.Selector(default=COARSE, objects=[COARSE, ALL, PICKED])
    labels = param.ListSelector(default=list(IMAGING_LABELS), objects=list(ALL_LABELS), doc="Detectors, if picked")
    pixels: param.Selector[Any] = param.Selector(default=ALL, objects=list(PIXELS))
    scheme: param.Selector[Any] = param.Selector(default=ResponseScheme.GSW_2026, objects=list(ResponseScheme))
    tailing = param.Boolean(default=False, doc="Response with the loss of charge")
    albedo = param.Boolean(default=True, doc="Reflection at the Sun")
    place: param.Selector[Any] = param.Selector(default=SEARCHED, objects=[SEARCHED, LISTED, GIVEN])
    x = TypedNumber(default=0.0, bounds=(-MAX_DISTANCE, MAX_DISTANCE), step=5.0, doc="Solar X of the flare, arcsec")
    y = TypedNumber(default=0.0, bounds=(-MAX_DISTANCE, MAX_DISTANCE), step=5.0, doc="Solar Y of the flare, arcsec")

    #: Parameters that change the result.
    options = (
        "background",
        "model",
        "energies",
        "low",
        "high",
        "fixed",
        "statistic",
        "detectors",
        "labels",
        "pixels",
        "scheme",
        "tailing",
        "albedo",
        "place",
        "x",
        "y",
    )
    #: Those in the advanced part of the form.
    advanced = ("fixed", "statistic", "detectors", "pixels", "scheme", "tailing", "albedo", "place")

    def __init__(
        self,
        view: FileView,
        source: ArchiveSource,
        file: ScienceFile | None,
        flares: Sequence[Flare] = (),
        **params: Any,
    ) -> None:
        super().__init__(view, source, file, **params)
        self.flares = tuple(flare for flare in flares if flare.hpc_x is not None and flare.hpc_y is not None)
        if not isinstance(view.data, PixelData) and self.flares and "place" not in params:
            self.place = LISTED  # a spectrogram has no image to search
        self._usual_place = self.place

    @property
    def differs_in_advanced(self) -> bool:
        """Whether an advanced option does not have its usual value."""
        usual = {name: self.param[name].default for name in self.advanced} | {"place": self._usual_place}
        return any(getattr(self, name) != value for name, value in usual.items())

    @property
    def can_choose_pixels(self) -> bool:
        """Whether detectors and pixels can be chosen; those of a spectrogram were summed on board."""
        return isinstance(self.view.data, PixelData)

    def background_energy(self, box: TimeEnergySelection) -> tuple[float, float]:  # noqa: ARG002 (the energies of the box do not matter)
        """Energy range that the background must cover, keV: that of the fit if it is given, else that of the file."""
        if self.energies == GIVEN and self.low < self.high:
            return float(self.low), float(self.high)
        data = self.view.data
        return float(data.e_low[0]), float(data.e_high[np.isfinite(data.e_high)].max())

    @property
    def table(self) -> ThermalTable | None:
        """Thermal emission from the files of the archive; None for the built-in table."""
        return thermal_table(self._source.archive().root)

    # Request ---------------------------------------------------------------------------------------------------------

    def request(self, box: TimeEnergySelection) -> SpectrumRequest:
        """What to measure.

        Raises
        ------
        BadRequest
            If a field is invalid; the message names it.
        """
        request, refusals = self.parsed(box)
        if refusals:
            raise BadRequest("; ".join(f"{refusal.field}: {refusal.text}" for refusal in refusals))
        return request

    def filed_request(self, box: TimeEnergySelection) -> SpectrumTaskRequest:
        """The same measurement as a request that files it.

        Raises
        ------
        BadRequest
            If a field is invalid; the message names it.
        """
        request = self.request(box)
        options = {option.name: getattr(request, option.name) for option in fields(SpectrumOptions)}
        uid = self.file.name if self.file is not None else self.name_of
        return SpectrumTaskRequest(
            uid=uid,
            start=request.start,
            end=request.end,
            background=self.background,
            hidden=self.hidden,
            **options,
        )

    def parsed(self, box: TimeEnergySelection) -> tuple[SpectrumRequest, tuple[Refusal, ...]]:
        """What to measure, with defaults for invalid fields, and the refusals of those."""
        refusals: list[Refusal] = []
        request = SpectrumRequest(
            start=box.start,
            end=box.end,
            model=self.model,
            energy=self._energy(refusals),
            fixed=self._fixed(refusals),
            statistic=self.statistic,
            scheme=self.scheme,
            tailing=self.tailing,
            detectors=self._detectors(refusals),
            pixels=PIXELS[self.pixels] if self.can_choose_pixels else None,
            location=self._location(box, refusals),
            albedo=self.albedo,
        )
        return request, tuple(refusals)

    def _energy(self, refusals: list[Refusal]) -> tuple[float, float] | None:
        if self.energies != GIVEN:
            return None
        if not self.low < self.high:
            refusals.append(Refusal(ENERGY, f"it must rise, found {self.low:g} to {self.high:g} keV"))
            return None
        return float(self.low), float(self.high)

    def _fixed(self, refusals: list[Refusal]) -> dict[str, float]:
        """Fixed values of the model's parameters; texts of other parameters are kept for a model that has them."""
        values = {}
        for name, parameter in parameters_of(self.model).items():
            text = str(self.fixed.get(name, "")).strip().replace("−", "-")
            if not text:
                continue
            try:
                values[name] = _valid(text, name, parameter)
            except StixError as error:
                refusals.append(Refusal(f"Fixed {name}", public_sentence(error)))
        return values

    def _detectors(self, refusals: list[Refusal]) -> tuple[int, ...] | None:
        if self.detectors == COARSE or not self.can_choose_pixels:
            return None
        labels = ALL_LABELS if self.detectors == ALL else self.labels
        if not labels:
            refusals.append(Refusal(DETECTORS, "select at least one"))
            return None
        return tuple(sorted(int(index) for index in detector_indices(labels)))

    def _location(self, box: TimeEnergySelection, refusals: list[Refusal]) -> tuple[float, float] | None:
        if self.place == GIVEN:
            return float(self.x), float(self.y)
        if self.place != LISTED:
            return None
        for flare in self.flares:
            if (flare.t_start or flare.t_peak) < box.end and (flare.t_end or flare.t_peak) > box.start:
                return float(flare.hpc_x or 0.0), float(flare.hpc_y or 0.0)
        refusals.append(Refusal(LOCATION, "no flare of the list with a position overlaps the time range"))
        return None


def _valid(text: str, name: str, parameter: Parameter | None) -> float:
    """A typed value.

    Raises
    ------
    SelectionError
        When it is not a number, or outside the bounds of the parameter.
    """
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not isfinite(value):
        message = f"expected a number, found “{text[:40]}”"
        raise SelectionError(message)
    if parameter is not None:
        return parameter.check(value, name)
    if not value > 0:
        message = f"{name} must be positive, found {value:g}"
        raise SelectionError(message)
    return value
