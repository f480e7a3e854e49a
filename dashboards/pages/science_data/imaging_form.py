"""The form for interactive reconstruction: all options of a request, and a preview of the image."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np
import param

from archive import ScienceFile
from dashboards.pages.science_data.file_form import FileForm
from dashboards.pages.science_data.file_state import FileView, TimeEnergySelection
from dashboards.pages.science_data.method_fields import MethodFields
from dashboards.pages.science_data.opened_files import aspect_of, opened
from dashboards.shared.errors import NotUnderstood
from dashboards.shared.ranges import energy_band
from dashboards.shared.source import ArchiveSource
from dashboards.shared.typed_numbers import TypedInteger, TypedNumber
from jobs.inputs import BackgroundChoice
from jobs.queue.requests import AUTO, ImagingRequest
from jobs.shared.errors import BadRequest
from jobs.shared.limits import Limits
from stixcore.calibration.pointing import assumed_pointing
from stixcore.coordinates import Pointing, PointingSource
from stixcore.errors import StixError, public_sentence
from stixcore.fits.products import PixelData
from stixcore.fits.windows import WindowRule
from stixcore.imaging.clean import CleanParameters
from stixcore.imaging.em import EmParameters
from stixcore.imaging.ensemble import MAX_MEMBERS
from stixcore.imaging.forward_fit import ForwardFitParameters
from stixcore.imaging.methods import CLEAN_ITERATIONS, MethodParameters, default_methods
from stixcore.imaging.reconstruction import Method
from stixcore.imaging.registry import known_names, place_in_order, plug_ins
from stixcore.instant import InstantImage, instant_image
from stixcore.instrument.geometry import ALL_LABELS, IMAGING_LABELS, PixelSet
from stixcore.options import (
    MAX_DISTANCE,
    MAX_SEED,
    USUAL_MEMBERS,
    ImageRequest,
    ShiftBins,
    default_clean,
    default_mem_ge,
    option_schemas,
)
from stixcore.prepare import find_pointing
from stixcore.spectra import Interval, WindowSpectrum, equal_counts, equal_steps, native_bins

ONE, STEPS, BINS, COUNTS = "one", "steps", "bins", "counts"
SEARCHED, GIVEN, ASSUMED = "searched", "given", "assumed"
#: Images of fewer counts are mostly noise: a rule of thumb of the original pipeline.
ENOUGH_COUNTS = 10_000
#: Source shapes of a forward fit.
SHAPES: dict[str, tuple[str, ...]] = {
    "the best of all": ("auto",),
    "circle": ("circle",),
    "ellipse": ("ellipse",),
    "loop": ("loop",),
    "two circles": ("circle", "circle"),
}


@dataclass(frozen=True, eq=False)
class Feedback:
    """Results for a box before submission.

    Attributes
    ----------
    box : TimeEnergySelection
    instant : InstantImage or None
    spectrum : WindowSpectrum or None
        Includes the expected background.
    background : str
        Which background is used, and why.
    choice : BackgroundChoice or None
        All possible backgrounds, best first.
    n_images : int
        Number of images of the request; 0 if the request is invalid.
    problem : str
        Why there is no image, or no request.
    asked : str
        The typed time range, if it differs from the whole bins; else empty.
    copies : int
        Simulated copies of the data per image, for error bars; 0 for none.
    """

    box: TimeEnergySelection
    instant: InstantImage | None = None
    spectrum: WindowSpectrum | None = None
    background: str = ""
    choice: BackgroundChoice | None = None
    n_images: int = 0
    problem: str = ""
    asked: str = ""
    copies: int = 0


_OPTIONS = option_schemas()


def _described(key: str) -> dict[str, Any]:
    return {"default": _OPTIONS[key]["default"], "doc": _OPTIONS[key]["description"]}


def _limited(key: str) -> dict[str, Any]:
    schema = _OPTIONS[key]
    return {"default": schema["default"], "bounds": (schema["minimum"], schema["maximum"])}


def _choice(key: str, choices: type[StrEnum]) -> param.Selector[Any]:
    described = _described(key)
    return param.Selector(default=choices(described["default"]), objects=list(choices), doc=described["doc"])


class ImagingForm(FileForm):
    """Options selected by a visitor; the box is selected in the `FileView`.

    Parameters
    ----------
    view : FileView
        View of pixel data.
    source : ArchiveSource
    file : ScienceFile or None
        Its row in the index; None for a file of the visitor's own.
    """

    cut: param.Selector[Any] = param.Selector(default=ONE, objects=[ONE, STEPS, BINS, COUNTS], doc="Time intervals")
    step = TypedNumber(default=60.0, bounds=(0.1, 86400.0), step=10.0, doc="Length of a step, s")
    counts = TypedNumber(default=float(ENOUGH_COUNTS), bounds=(1.0, 1e9), step=1000.0, doc="Counts in an interval")
    energies = param.String("", doc="More energy ranges, keV: “10-15, 15-25”")
    methods = param.ListSelector(
        default=[str(method) for method in default_methods()], objects=list(known_names()), doc="Methods"
    )
    clean_iterations = TypedInteger(default=CLEAN_ITERATIONS, bounds=(0, 10_000), step=10)
    clean_gain = TypedNumber(default=CleanParameters().gain, bounds=(0.01, 1.0), step=0.05)
    clean_beam = TypedNumber(default=CleanParameters().beam_fwhm, bounds=(1.0, 180.0), step=1.0, doc="FWHM, arcsec")
    em_iterations = TypedInteger(default=EmParameters().max_iterations, bounds=(1, 50_000), step=100)
    em_tolerance = TypedNumber(default=EmParameters().tolerance, bounds=(1e-6, 1.0), step=0.0005)
    mem_choice: param.Selector[Any] = param.Selector(
        default=AUTO, objects=[AUTO, GIVEN], doc="Regularization of MEM_GE"
    )
    mem_percent = TypedNumber(default=1.0, bounds=(0.0, 20.0), step=0.5, doc="Regularization, %, if it is given")
    shape_of_sources: param.Selector[Any] = param.Selector(default="the best of all", objects=list(SHAPES))
    side = TypedInteger(**_limited("shape"), step=16, doc="Pixels along a side")
    pixel = TypedNumber(**_limited("pixel_arcsec"), step=0.5, doc="Size of a pixel, arcsec")
    subcollimators = param.ListSelector(default=list(IMAGING_LABELS), objects=list(ALL_LABELS))
    pixel_set = _choice("pixel_set", PixelSet)
    window_rule = _choice("window_rule", WindowRule)
    exact = param.Boolean(**_described("exact"))
    shift_bins = _choice("shift_bins", ShiftBins)
    place: param.Selector[Any] = param.Selector(default=SEARCHED, objects=[SEARCHED, GIVEN], doc="Location")
    x = TypedNumber(
        default=0.0, bounds=(-MAX_DISTANCE, MAX_DISTANCE), step=5.0, doc="Solar X of the map's centre, arcsec"
    )
    y = TypedNumber(
        default=0.0, bounds=(-MAX_DISTANCE, MAX_DISTANCE), step=5.0, doc="Solar Y of the map's centre, arcsec"
    )
    pointing: param.Selector[Any] = param.Selector(default=AUTO, objects=[AUTO, ASSUMED, GIVEN])
    roll = TypedNumber(default=0.0, bounds=(-360.0, 360.0), step=0.5, doc="deg")
    pointing_x = TypedNumber(default=0.0, bounds=(-10_000.0, 10_000.0), step=1.0, doc="arcsec")
    pointing_y = TypedNumber(default=0.0, bounds=(-10_000.0, 10_000.0), step=1.0, doc="arcsec")
    error_bars = param.Boolean(default=False, doc="Uncertainty maps and errors from simulated copies of the data")
    ensemble = TypedInteger(
        default=USUAL_MEMBERS, bounds=(2, MAX_MEMBERS), step=10, doc=_OPTIONS["ensemble"]["description"]
    )
    seed = TypedInteger(default=0, bounds=(0, MAX_SEED), doc=_OPTIONS["seed"]["description"])

    #: Parameters that affect the instant image.
    seen_at_once = (
        "background", "side", "pixel", "subcollimators", "pixel_set", "shift_bins", "place", "x", "y", "pointing",
        "roll", "pointing_x", "pointing_y",
    )  # fmt: skip
    #: Parameters that affect the number of images.
    counted = ("cut", "step", "counts", "energies", "methods", "error_bars", "ensemble")

    def __init__(self, view: FileView, source: ArchiveSource, file: ScienceFile | None, **params: Any) -> None:
        super().__init__(view, source, file, **params)
        if not isinstance(view.data, PixelData):
            message = f"{view.path.name} has no pixel data, which imaging requires"
            raise BadRequest(message)
        self.data: PixelData = view.data
        self.fields_of_packages = {method: MethodFields(method) for method in map(Method, plug_ins().methods)}

    # Request ---------------------------------------------------------------------------------------------------------

    def request(self, box: TimeEnergySelection, limits: Limits | None = None) -> ImagingRequest:
        """The request for the current options.

        Raises
        ------
        BadRequest, LimitReached, SelectionError, NotUnderstood
            If the options are invalid.
        """
        pointing = self._given_pointing()
        request = ImagingRequest(
            uid=self.file.name if self.file is not None else self.view.path.name,
            time_ranges=tuple(self.intervals(box)),
            energy_ranges=tuple(self.energy_ranges(box)),
            background=self.background,
            methods=self.method_parameters(),
            pointing=pointing,
            **self._options(),
            hidden=self.hidden,
        )
        request.check_limits(limits or Limits())
        return request

    def intervals(self, box: TimeEnergySelection) -> list[Interval]:
        """Time intervals: the box, or its subdivisions."""
        times = self.data.time_bins(box.start, box.end)
        match self.cut:
            case "steps":
                return equal_steps(self.data, times, float(self.step))
            case "bins":
                return native_bins(self.data, times)
            case "counts":
                channels = self.data.energy_channels(box.low, box.high)
                return equal_counts(self.data, times, channels, float(self.counts))
            case _:
                return [(box.start, box.end)]

    def energy_ranges(self, box: TimeEnergySelection) -> list[tuple[float, float]]:
        """Energy ranges: that of the box and the typed ones, extended to whole channels.

        Raises
        ------
        NotUnderstood, SelectionError
        """
        ranges = [(box.low, box.high)]
        for text in filter(None, (part.strip() for part in self.energies.split(","))):
            band = energy_band(text)
            if band is None:
                continue
            channels = self.data.energy_channels(*band)
            grown = float(self.data.e_low[channels][0]), float(self.data.e_high[channels][-1])
            if not np.isfinite(grown[1]):
                message = f"“{text}” includes the last channel, which has no upper edge"
                raise NotUnderstood(message)
            if grown not in ranges:
                ranges.append(grown)
        return ranges

    def method_parameters(self) -> dict[Method, MethodParameters]:
        """The selected methods with their parameters.

        Raises
        ------
        BadRequest
            If none is selected.
        """
        defaults = default_methods()
        chosen = {
            **defaults,
            Method.CLEAN: replace(
                default_clean(),
                max_iterations=self.clean_iterations,
                gain=float(self.clean_gain),
                beam_fwhm=float(self.clean_beam),
            ),
            Method.EM: EmParameters(self.em_iterations, float(self.em_tolerance)),
            Method.MEM_GE: replace(
                default_mem_ge(), percent_lambda=float(self.mem_percent) / 100 if self.mem_choice == GIVEN else None
            ),
            Method.VIS_FWDFIT: ForwardFitParameters(SHAPES[self.shape_of_sources]),
        }
        chosen |= {method: fields.parameters() for method, fields in self.fields_of_packages.items()}
        wanted = {method: chosen[method] for method in sorted(chosen, key=place_in_order) if method in self.methods}
        if not wanted:
            message = "select at least one method"
            raise BadRequest(message)
        return wanted

    def _given_place(self) -> tuple[float, float] | None:
        return (float(self.x), float(self.y)) if self.place == GIVEN else None

    def _given_pointing(self) -> Pointing | None:
        match self.pointing:
            case "assumed":
                return assumed_pointing()
            case "given":
                return Pointing(PointingSource.MANUAL, float(self.roll), float(self.pointing_x), float(self.pointing_y))
            case _:
                return None

    # Feedback before submission ----------------------------------------------------------------------------------

    def feedback(self, box: TimeEnergySelection) -> Feedback:
        """Counts, background, spectrum and an instant image of a box. Errors are reported in the result."""
        try:
            choice = self.candidates(box)
            background, explanation = self.background_data(box, choice)
        except (StixError, OSError) as error:
            return Feedback(box, problem=public_sentence(error))
        spectrum, instant, problem, n_images = None, None, "", 0
        try:
            catalog = self.calibration
            spectrum = self.view.spectrum(box, background, catalog)
            n_images = len(self.intervals(box)) * len(self.energy_ranges(box)) * len(self.method_parameters())
            instant = instant_image(self._instant_request(box), self.data, background, self.pointing_in(box), catalog)
            self.request(box)
        except (StixError, OSError) as error:
            problem = public_sentence(error)
        copies = self._options()["ensemble"]
        return Feedback(box, instant, spectrum, explanation, choice, n_images, problem, self.view.asked, copies)

    def _instant_request(self, box: TimeEnergySelection) -> ImageRequest:
        return ImageRequest(
            box.start,
            box.end,
            (box.low, box.high),
            **self._options(),
        )

    def _options(self) -> dict[str, Any]:
        """Options of the form except methods and pointing, as keyword arguments of `ImagingOptions`."""
        return {
            "location": self._given_place(),
            "shape": (self.side, self.side),
            "pixel": float(self.pixel),
            "subcollimators": tuple(label for label in ALL_LABELS if label in self.subcollimators),
            "pixel_set": self.pixel_set,
            "shift_bins": self.shift_bins,
            "ensemble": self.ensemble if self.error_bars else 0,
            "seed": self.seed if self.error_bars else 0,
        }

    def background_data(
        self, box: TimeEnergySelection, choice: BackgroundChoice | None = None
    ) -> tuple[PixelData | None, str]:
        """The background to subtract, and the reason; ``choice`` is the result of `candidates`, if known.

        Raises
        ------
        BadRequest
            If the selected file has no pixel data.
        """
        path, explanation = self.background_path(box, choice)
        found = None if path is None else opened(path)
        return (found if isinstance(found, PixelData) else None), explanation

    def pointing_in(self, box: TimeEnergySelection) -> Pointing:
        """Pointing in a box: as given, else from the auxiliary files, else assumed."""
        given = self._given_pointing()
        if given is not None:
            return given
        paths = self.aspect_paths(box)
        return find_pointing(self.data.header, [aspect_of(path) for path in paths], box.start, box.end)
