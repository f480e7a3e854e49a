"""What a user asks for: image sets of one science file, for several time and energy ranges. A value, and JSON.

The form, the API and the Python client send the same JSON; unknown keys are refused. ``to_json`` is canonical (defaults
written out, times to the millisecond), so equal requests are equal texts.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from itertools import product
from typing import Any

import numpy as np

from archive.index.schema import ScienceFile
from jobs.queue import request_json as read
from jobs.shared.errors import BadRequest, LimitReached
from jobs.shared.limits import Limits
from stixcore.calibration.energy import EdgeCorrection
from stixcore.calibration.grids import AmplitudeScheme
from stixcore.coordinates import Pointing
from stixcore.errors import StixError
from stixcore.fits.spec import IMAGEABLE
from stixcore.fits.windows import WindowRule
from stixcore.imaging.methods import MethodParameters
from stixcore.imaging.reconstruction import Method
from stixcore.instrument.geometry import IMAGING_LABELS, PixelSet, detector_indices
from stixcore.reconstruct import ImageRequest, ShiftBins, default_methods
from stixcore.times import format_time

REQUEST_VERSION = 1
AUTO, NONE = read.AUTO, read.NONE
_NAME = re.compile(r"[A-Za-z0-9._-]{1,150}", re.ASCII)


@dataclass(frozen=True)
class ImagingRequest:
    """Image sets of one science file: every time range with every energy range, all other choices the same.

    Attributes
    ----------
    uid : str
        Science request, or the name of a file.
    time_ranges : tuple of (start, end), datetime64
        UTC at Solar Orbiter.
    energy_ranges : tuple of (low, high), keV
    background : str
        "auto" (nearest that qualifies), "none", or the uid or name of a file.
    methods : mapping of Method to parameters
        All methods with their defaults when empty.
    location : (x, y) in arcsec helioprojective, or None to search the full disk
    pointing : Pointing or None
        None: from the auxiliary files.
    shape : (ny, nx); pixel : float, arcsec
    subcollimators, pixel_set, amplitude_scheme, edge_correction
        See `stixcore.recipe.Recipe`.
    window_rule : WindowRule
        How a time range becomes whole bins.
    exact : bool
        Refuse a time range that is not one of whole bins.
    shift_bins : ShiftBins
        Whether counts of early files move to the time bin that they belong to.
    hidden : bool
        Only the user and operators see the images.

    Raises
    ------
    BadRequest
        When a value cannot be right whatever the data are.
    """

    uid: str
    time_ranges: tuple[tuple[np.datetime64, np.datetime64], ...]
    energy_ranges: tuple[tuple[float, float], ...]
    background: str = AUTO
    methods: Mapping[Method, MethodParameters] = field(default_factory=default_methods)
    location: tuple[float, float] | None = None
    pointing: Pointing | None = None
    shape: tuple[int, int] = (129, 129)
    pixel: float = 2.0
    subcollimators: tuple[str, ...] = IMAGING_LABELS
    pixel_set: PixelSet = PixelSet.TOP_BOT
    amplitude_scheme: AmplitudeScheme = AmplitudeScheme.GSW_2026
    edge_correction: EdgeCorrection = EdgeCorrection.POWER_LAW
    window_rule: WindowRule = WindowRule.CENTRES
    exact: bool = False
    shift_bins: ShiftBins = ShiftBins.AUTO
    hidden: bool = False

    def __post_init__(self) -> None:
        for name in (self.uid, self.background):
            _require(_NAME.fullmatch(name), f"{name!r} is neither the uid nor the name of a file")
        for what, choices in (
            ("time range", self.time_ranges),
            ("energy range", self.energy_ranges),
            ("method", self.methods),
            ("sub-collimator", self.subcollimators),
        ):
            _require(choices, f"a request needs at least one {what}")
            _require(len(set(choices)) == len(choices), f"the same {what} is asked for twice")
        for start, end in self.time_ranges:
            _require(start < end, f"the time range {start} … {end} is empty")
        for low, high in self.energy_ranges:
            _require(0 <= low < high < math.inf, f"the energy range {low:g}-{high:g} keV is empty")
        try:
            detector_indices(self.subcollimators)
        except StixError as error:
            raise BadRequest(*error.args) from error

    @property
    def recipes(self) -> int:
        """Number of image sets."""
        return len(self.time_ranges) * len(self.energy_ranges)

    def check_limits(self, limits: Limits) -> None:
        """Refuse what is more than one request may ask for.

        Raises
        ------
        LimitReached
        """
        if self.recipes > limits.recipes:
            message = f"this request asks for {self.recipes} image sets, {limits.recipes} at most"
            raise LimitReached(message)
        limits.check_map(self.shape, self.pixel, self.location)

    def check_file(self, file: ScienceFile) -> None:
        """Refuse what a science file cannot satisfy, as far as its row in the index tells.

        Raises
        ------
        BadRequest
        """
        _require(file.product in IMAGEABLE, f"{file.name} holds no pixel data, and images need them")
        covered = f"{format_time(file.t_start)} … {format_time(file.t_end)}"
        for start, end in self.time_ranges:
            overlaps = file.t_start < end and start < file.t_end
            _require(overlaps, f"the time range {start} … {end} is not inside {file.name}, which covers {covered}")
        covered = f"{file.e_low:g}-{file.e_high:g} keV"
        for low, high in self.energy_ranges:
            inside = file.e_low <= low and high <= file.e_high
            _require(inside, f"the energy range {low:g}-{high:g} keV is not inside {file.name}, which covers {covered}")

    def check_background(self, file: ScienceFile) -> None:
        """Refuse a background file that was taken during one of the time ranges: it holds the flare.

        Raises
        ------
        BadRequest
        """
        covered = f"{format_time(file.t_start)} … {format_time(file.t_end)}"
        for start, end in self.time_ranges:
            apart = end <= file.t_start or file.t_end <= start
            _require(apart, f"the background {file.name} ({covered}) overlaps the time range {start} … {end}")

    def parts(self) -> list[ImageRequest]:
        """Its image sets, in the order of their numbers: all energy ranges of the first time range come first."""
        return [
            ImageRequest(
                start=start,
                end=end,
                energy=energy,
                methods=self.methods,
                location=self.location,
                pointing=self.pointing,
                shape=self.shape,
                pixel=self.pixel,
                subcollimators=self.subcollimators,
                pixel_set=self.pixel_set,
                amplitude_scheme=self.amplitude_scheme,
                edge_correction=self.edge_correction,
                window_rule=self.window_rule,
                exact=self.exact,
                shift_bins=self.shift_bins,
            )
            for (start, end), energy in product(self.time_ranges, self.energy_ranges)
        ]

    def to_json(self) -> str:
        """Canonical JSON: sorted keys, no blanks, ASCII; the keys carry the units."""
        document = {
            "version": REQUEST_VERSION,
            "uid": self.uid,
            "time_ranges": [[format_time(start), format_time(end)] for start, end in self.time_ranges],
            "energy_ranges_kev": [list(energy) for energy in self.energy_ranges],
            "background": self.background,
            "methods": {
                str(method): json.loads(json.dumps(asdict(parameters), default=str))
                for method, parameters in self.methods.items()
            },
            "location": None if self.location is None else {read.X: self.location[0], read.Y: self.location[1]},
            "pointing": read.pointing_document(self.pointing),
            "shape": list(self.shape),
            "pixel_arcsec": self.pixel,
            "subcollimators": list(self.subcollimators),
            "pixel_set": str(self.pixel_set),
            "amplitude_scheme": str(self.amplitude_scheme),
            "edge_correction": str(self.edge_correction),
            "window_rule": str(self.window_rule),
            "exact": self.exact,
            "shift_bins": str(self.shift_bins),
            "hidden": self.hidden,
        }
        return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)


def parse_request(text: str | bytes, limits: Limits | None = None) -> ImagingRequest:
    """A request from JSON as people and programs write it: everything but uid and ranges has a default.

    Methods may be a list of names or an object of parameters, each of which has its default; ``shape`` may be one
    number.

    Raises
    ------
    BadRequest
        Naming the key that is missing, unknown or wrong.
    LimitReached
        When it is longer, or asks for more, than one request may.
    """
    limits = limits or Limits()
    if len(text) > limits.body:
        message = f"a request may be {limits.body} bytes long, this one has {len(text)}"
        raise LimitReached(message)
    document: Any = None
    with suppress(ValueError, RecursionError):
        document = json.loads(text, parse_constant=read.no_constant)
    if not isinstance(document, dict):
        message = "a request is a JSON object"
        raise BadRequest(message)
    known = ", ".join(_READERS)
    for key in document:
        _require(key in _READERS, f"unknown key {str(key)[:60]!r}; a request has {known}")
    for key in ("uid", "time_ranges", "energy_ranges_kev"):
        _require(key in document, f"{key} is missing")
    values = {}
    for key, value in document.items():
        name, reader = _READERS[key]
        try:
            values[name] = reader(value)
        except (TypeError, ValueError, KeyError, OverflowError, RecursionError, StixError) as error:
            message = f"{key}: {error}"
            raise BadRequest(message) from error
    version = values.pop("version", REQUEST_VERSION)
    _require(version == REQUEST_VERSION, f"version: found {version}, this software reads {REQUEST_VERSION}")
    request = ImagingRequest(**values)
    request.check_limits(limits)
    return request


#: Key of the JSON → attribute, and how its value is read.
_READERS: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "version": ("version", read.whole),
    "uid": ("uid", read.uid),
    "time_ranges": ("time_ranges", read.several(read.pair(read.time))),
    "energy_ranges_kev": ("energy_ranges", read.several(read.pair(read.number))),
    "background": ("background", read.uid),
    "methods": ("methods", read.methods),
    "location": ("location", read.location),
    "pointing": ("pointing", read.pointing),
    "shape": ("shape", read.shape),
    "pixel_arcsec": ("pixel", read.number),
    "subcollimators": ("subcollimators", read.several(read.text)),
    "pixel_set": ("pixel_set", PixelSet),
    "amplitude_scheme": ("amplitude_scheme", AmplitudeScheme),
    "edge_correction": ("edge_correction", EdgeCorrection),
    "window_rule": ("window_rule", WindowRule),
    "exact": ("exact", read.truth),
    "shift_bins": ("shift_bins", ShiftBins),
    "hidden": ("hidden", read.truth),
}


def _require(fits: object, message: str) -> None:
    if not fits:
        raise BadRequest(message)
