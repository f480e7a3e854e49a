"""The recipe of a spectrum: everything that determines counts, response and fit, frozen, and nothing else.

Previews, forms, the command line and scripts make recipes; `stixcore.measure_spectrum.measure_recipe` runs them. The
same recipe gives the same id and the same numbers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from stixcore.errors import SelectionError
from stixcore.json_recipe import JsonRecipe
from stixcore.recipe import Location
from stixcore.references import CalibrationReference, FileReference, TableReference
from stixcore.spectra.fit.recipe import AUTO
from stixcore.spectra.fit.statistic import Statistic
from stixcore.spectra.transmission import ResponseScheme
from stixcore.times import format_time, parse_time

#: Version of the JSON format.
SPECTRUM_RECIPE_VERSION = 1
#: Raised whenever the software gives other numbers for the same recipe: spectra of earlier revisions are made again.
SPECTRUM_REVISION = 2
#: Model of a request that wants counts and response only.
NO_MODEL = "none"


@dataclass(frozen=True, kw_only=True)
class SpectrumRequest:
    """What to measure, and how.

    Attributes
    ----------
    start, end : datetime64
        UTC at Solar Orbiter; the time bins whose centres are inside are summed.
    model : str
        "auto", components joined by "+" (see `stixcore.spectra.fit.recipe.fit_spectrum`), or "none".
    energy : (float, float), keV, optional
        Range of the fit; by default chosen from the data and the attenuator.
    fixed, start_values : mapping
        Parameters by name that are not fitted, and values to start from.
    statistic : str
        "chi2" or "cash".
    scheme : str
        Of the response: "gsw-2026" or "gsw-2022".
    tailing : bool
        Whether the response includes the loss of charge, which spectra of flares do not show
        (``docs/decisions/loss_of_charge.md``).
    detectors, pixels : tuple of int, optional
        Indices; by default the 24 coarse detectors and all pixels.
    location : (float, float), arcsec, optional
        Of the flare, helioprojective; by default searched on the full disk in pixel data.
    angle : float, degree, optional
        Heliocentric angle for the reflection at the Sun; by default that of the location.
    albedo : bool
        Whether reflection at the Sun is added to the model.
    background_range : (datetime64, datetime64), optional
        Part of the background file.
    """

    start: np.datetime64
    end: np.datetime64
    model: str = AUTO
    energy: tuple[float, float] | None = None
    fixed: Mapping[str, float] = field(default_factory=dict)
    start_values: Mapping[str, float] = field(default_factory=dict)
    statistic: str = Statistic.CHI2
    scheme: str = ResponseScheme.GSW_2026
    tailing: bool = False
    detectors: tuple[int, ...] | None = None
    pixels: tuple[int, ...] | None = None
    location: tuple[float, float] | None = None
    angle: float | None = None
    albedo: bool = True
    background_range: tuple[np.datetime64, np.datetime64] | None = None


@dataclass(frozen=True, kw_only=True)
class SpectrumRecipe(JsonRecipe):
    """Everything that determines a spectrum.

    Attributes
    ----------
    science : FileReference
    background : FileReference or None
    aspect : tuple of FileReference
        Auxiliary files that the pointing is taken from, in this order; empty when it is assumed.
    calibration : CalibrationReference
    thermal : TableReference or None
        Table of the thermal emission; None without a model.
    request : SpectrumRequest
        Its times are rounded to milliseconds, and its ``location`` is that of this recipe.
    location : Location or None
        Of the flare; None where it is unknown, and the response is for Sun centre.
    no_location : str
        Why it is unknown.
    revision : int
        Of the software that gives the numbers.
    version : int
        Version of the JSON format.

    Raises
    ------
    SelectionError
        When a value is impossible.
    """

    contents = "a spectrum"
    format_version = SPECTRUM_RECIPE_VERSION

    science: FileReference
    background: FileReference | None = None
    aspect: tuple[FileReference, ...] = ()
    calibration: CalibrationReference
    thermal: TableReference | None
    request: SpectrumRequest
    location: Location | None
    no_location: str = ""
    revision: int = SPECTRUM_REVISION
    version: int = SPECTRUM_RECIPE_VERSION

    def __post_init__(self) -> None:
        place = None if self.location is None else (self.location.x, self.location.y)
        object.__setattr__(self, "request", replace(_plain_request(self.request), location=place))
        if not self.request.start < self.request.end:
            message = f"the time range {' … '.join(map(format_time, self._times))} is empty"
            raise SelectionError(message)
        if self.request.background_range is not None and self.background is None:
            message = "background_range without a background file"
            raise SelectionError(message)
        if place is not None and not all(map(math.isfinite, place)):
            message = f"location must be two finite numbers, found {place}"
            raise SelectionError(message)
        _require_finite(self.request)

    @property
    def _times(self) -> tuple[np.datetime64, np.datetime64]:
        return self.request.start, self.request.end

    @property
    def t_start(self) -> np.datetime64:
        """Start of the time range."""
        return self.request.start

    @property
    def t_end(self) -> np.datetime64:
        """End of the time range."""
        return self.request.end

    @property
    def spectrum_id(self) -> str:
        """First 16 hex digits of the SHA-256 of the canonical JSON."""
        return self.text_id

    def to_dict(self) -> dict[str, Any]:
        """The recipe as plain JSON values; keys include the units."""
        location = self.location
        return {
            "version": self.version,
            "revision": self.revision,
            "science": asdict(self.science),
            "background": asdict(self.background) if self.background else None,
            "aspect": [asdict(file) for file in self.aspect],
            "calibration": asdict(self.calibration),
            "thermal": asdict(self.thermal) if self.thermal else None,
            "request": _request_document(self.request),
            "location": None
            if location is None
            else {"x_arcsec": location.x, "y_arcsec": location.y, "found_by": location.found_by},
            "no_location": self.no_location,
        }

    @classmethod
    def _from_dict(cls, data: Mapping[str, Any]) -> SpectrumRecipe:
        place, used = data["location"], data["calibration"]
        return cls(
            science=FileReference(**data["science"]),
            background=FileReference(**data["background"]) if data["background"] else None,
            aspect=tuple(FileReference(**file) for file in data["aspect"]),
            calibration=CalibrationReference(
                energy_table=TableReference(**used["energy_table"]),
                phase_table=TableReference(**used["phase_table"]),
                cal_file=FileReference(**used["cal_file"]) if used["cal_file"] else None,
            ),
            thermal=TableReference(**data["thermal"]) if data["thermal"] else None,
            request=_request_of(data["request"]),
            location=None
            if place is None
            else Location(float(place["x_arcsec"]), float(place["y_arcsec"]), str(place["found_by"])),
            no_location=str(data["no_location"]),
            revision=int(data["revision"]),
        )


def _plain_request(request: SpectrumRequest) -> SpectrumRequest:
    """The request in the types of its JSON text, so that equal requests have equal texts."""
    part = request.background_range
    return replace(
        request,
        start=parse_time(format_time(request.start)),
        end=parse_time(format_time(request.end)),
        energy=None if request.energy is None else (float(request.energy[0]), float(request.energy[1])),
        fixed={name: float(value) for name, value in sorted(request.fixed.items())},
        start_values={name: float(value) for name, value in sorted(request.start_values.items())},
        statistic=str(request.statistic),
        scheme=str(request.scheme),
        tailing=bool(request.tailing),
        detectors=None if request.detectors is None else tuple(sorted(int(one) for one in request.detectors)),
        pixels=None if request.pixels is None else tuple(sorted(int(one) for one in request.pixels)),
        angle=None if request.angle is None else float(request.angle),
        albedo=bool(request.albedo),
        background_range=None if part is None else (parse_time(format_time(part[0])), parse_time(format_time(part[1]))),
    )


def _require_finite(request: SpectrumRequest) -> None:
    """Refuse numbers that the JSON text cannot contain."""
    if request.energy is not None and not all(map(math.isfinite, request.energy)):
        message = "energy must be a lower and a higher energy in keV, found {:g} and {:g}".format(*request.energy)
        raise SelectionError(message)
    angle = {} if request.angle is None else {"angle": request.angle}
    fixed = {f"fixed {name}": value for name, value in request.fixed.items()}
    starts = {f"start value {name}": value for name, value in request.start_values.items()}
    for name, value in (angle | fixed | starts).items():
        if not math.isfinite(value):
            message = f"{name} must be a finite number, found {value}"
            raise SelectionError(message)


def _request_document(request: SpectrumRequest) -> dict[str, Any]:
    """A request as JSON values, without its location."""
    part = request.background_range
    return {
        "start": format_time(request.start),
        "end": format_time(request.end),
        "model": request.model,
        "energy_range_kev": None if request.energy is None else list(request.energy),
        "fixed": dict(request.fixed),
        "start_values": dict(request.start_values),
        "statistic": request.statistic,
        "scheme": request.scheme,
        "tailing": request.tailing,
        "detectors": None if request.detectors is None else list(request.detectors),
        "pixels": None if request.pixels is None else list(request.pixels),
        "angle_deg": request.angle,
        "albedo": request.albedo,
        "background_range": None if part is None else [format_time(part[0]), format_time(part[1])],
    }


def _request_of(data: Mapping[str, Any]) -> SpectrumRequest:
    """Inverse of `_request_document`."""
    energy, part = data["energy_range_kev"], data["background_range"]
    return SpectrumRequest(
        start=parse_time(data["start"]),
        end=parse_time(data["end"]),
        model=str(data["model"]),
        energy=None if energy is None else (energy[0], energy[1]),
        fixed=data["fixed"],
        start_values=data["start_values"],
        statistic=data["statistic"],
        scheme=data["scheme"],
        tailing=data["tailing"],
        detectors=None if data["detectors"] is None else tuple(data["detectors"]),
        pixels=None if data["pixels"] is None else tuple(data["pixels"]),
        angle=data["angle_deg"],
        albedo=data["albedo"],
        background_range=None if part is None else (parse_time(part[0]), parse_time(part[1])),
    )
