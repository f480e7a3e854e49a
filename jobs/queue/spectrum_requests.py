"""Requests for a spectrum of one time range, or for the spectra of regions of its images, and their JSON.

The key ``kind`` distinguishes them from requests for images (`jobs.queue.requests`). As there, unknown keys are refused
and ``to_json`` is canonical.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import (
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    Strict,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
)

from archive.index.schema import ScienceFile
from jobs.queue import journal_file
from jobs.queue.requests import (
    AUTO,
    ImagingRequest,
    Time,
    Uid,
    check_apart,
    check_inside,
    check_name,
    load_request,
    read_document,
    request_schema,
)
from jobs.regions.cost import check_time
from jobs.shared.errors import BadRequest
from jobs.shared.limits import Limits
from stixcore.errors import StixError
from stixcore.fits.spec import IMAGEABLE, ProductKind
from stixcore.imaging_spectroscopy.recipe_pair import LEAST_COUNTS
from stixcore.imaging_spectroscopy.region_recipe import (
    COPIES,
    MOST_REGIONS,
    REGION_METHODS,
    read_region,
    region_document,
    require_regions,
)
from stixcore.instrument.tables import N_DETECTORS, N_PIXELS
from stixcore.options import ImageRequest, Number, Whole, explain, found, reader, schema_of
from stixcore.printable import excerpt
from stixcore.spectra.fit.model import parameter_names
from stixcore.spectra.fit.statistic import Statistic
from stixcore.spectra.regions import Region
from stixcore.spectra.transmission import ResponseScheme
from stixcore.spectrum_recipe import NO_MODEL, SpectrumRequest

#: Science files with spectra.
WITH_SPECTRA = (*IMAGEABLE, ProductKind.SPECTROGRAM)


class MeasurementKind(StrEnum):
    """Kind of a request for spectra."""

    SPECTRUM = journal_file.SPECTRUM
    REGIONS = journal_file.REGIONS


type _Values = Mapping[str, Number]
_VALUES = WithJsonSchema({"type": "object", "additionalProperties": {"type": "number"}})


@dataclass(frozen=True, kw_only=True)
class SpectrumOptions:
    """Everything that determines a spectrum and its fit apart from the files and the time range.

    Attributes as in `stixcore.spectrum_recipe.SpectrumRequest`.

    Raises
    ------
    BadRequest
        When a value is invalid for any data.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(allow_inf_nan=False)

    model: Annotated[
        str, Strict(), Field(description=f"auto, {NO_MODEL}, or vth, thick2 and thin2 joined by +, such as vth+thick2")
    ] = AUTO
    energy: Annotated[
        tuple[Number, Number] | None,
        Field(alias="energy_range_kev", description="Range of the fit, keV; null: from attenuator and signal"),
    ] = None
    fixed: Annotated[_Values, _VALUES, Field(description="Parameters that are not fitted, by name")] = field(
        default_factory=dict
    )
    start_values: Annotated[_Values, _VALUES, Field(description="Values to start from, by name")] = field(
        default_factory=dict
    )
    statistic: Annotated[Statistic, Field(description="What the fit minimises")] = Statistic.CHI2
    scheme: Annotated[ResponseScheme, Field(description="Response, by year of the ground software")] = (
        ResponseScheme.GSW_2026
    )
    tailing: Annotated[bool, Strict(), Field(description="Response with the loss of charge in the detector")] = False
    detectors: Annotated[
        tuple[Whole, ...] | None, Field(description="Indices, 0 to 31; null: the 24 coarse detectors")
    ] = None
    pixels: Annotated[tuple[Whole, ...] | None, Field(description="Indices, 0 to 11; null: all")] = None
    location: Annotated[
        tuple[Number, Number] | None,
        Field(
            alias="location_arcsec",
            description="Of the flare, helioprojective, arcsec; null: found on the full disk",
        ),
    ] = None
    angle: Annotated[
        Number | None,
        Field(alias="angle_deg", description="Heliocentric angle for the reflection; null: of the location", ge=0),
    ] = None
    albedo: Annotated[bool, Strict(), Field(description="Whether the model includes reflection at the Sun")] = True
    background_range: Annotated[
        tuple[Time, Time] | None, Field(description="Part of the background file; null: all of it")
    ] = None

    def __post_init__(self) -> None:
        for name, limit in (("detectors", N_DETECTORS), ("pixels", N_PIXELS)):
            chosen = getattr(self, name)
            _require(chosen is None or chosen, f"{name}: expected at least one, or null for the default")
            for number in chosen or ():
                _require(0 <= number < limit, f"{name}: expected 0 to {limit - 1}, found {number}")
            _require(len(set(chosen or ())) == len(chosen or ()), f"{name}: the same number is given twice")
        if self.energy is not None:
            low, high = self.energy
            _require(0 <= low < high < math.inf, f"energy_range_kev: the range {low:g}-{high:g} keV is empty")
        if self.background_range is not None:
            _require(self.background_range[0] < self.background_range[1], "background_range: it is empty")
        known = check_model(self.model)
        for key, values in (("fixed", self.fixed), ("start_values", self.start_values)):
            _require(self.model != NO_MODEL or not values, f"{key}: nothing is fitted with the model {NO_MODEL}")
            for name in values if known else ():
                _require(
                    name in known,
                    f"{key}: {self.model} has no parameter {excerpt(name)}; it has {', '.join(sorted(known))}",
                )

    def request(self, start: np.datetime64, end: np.datetime64) -> SpectrumRequest:
        """The request to the spectroscopy for a time range."""
        options = {item.name: getattr(self, item.name) for item in fields(SpectrumOptions)}
        return SpectrumRequest(start=start, end=end, **options)


@dataclass(frozen=True, kw_only=True)
class SpectrumTaskRequest(SpectrumOptions):
    """The spectrum of one time range of a science file, with its fit.

    Attributes
    ----------
    uid : str
        Science request, or the name of a file.
    start, end : datetime64
        UTC at Solar Orbiter.
    background : str
        "auto" (nearest that qualifies), "none", or the uid or name of a file.
    hidden : bool
        Only the user and operators see it.

    Raises
    ------
    BadRequest
        When a value is invalid for any data.
    """

    uid: Annotated[Uid, Field(description="Science request, or the name of a file")]
    start: Annotated[Time, Field(description="Start, ISO 8601 UTC at Solar Orbiter")]
    end: Annotated[Time, Field(description="End, ISO 8601 UTC at Solar Orbiter")]
    background: Annotated[Uid, Field(description="auto, none, or uid or name of a file")] = AUTO
    hidden: Annotated[bool, Strict(), Field(description="Only you and operators see the result")] = False

    #: Table of the index with the results.
    table: ClassVar[str] = "spectra"
    task_count: ClassVar[int] = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in (self.uid, self.background):
            check_name(name)
        _require(self.start < self.end, f"the time range {self.start} … {self.end} is empty")

    def check_limits(self, limits: Limits) -> None:
        """One spectrum is within all limits."""

    def check_new(self) -> None:
        """There is nothing that only new requests must have."""

    def check_file(self, file: ScienceFile) -> None:
        """Check that a science file has the data, as far as its row in the index shows.

        Raises
        ------
        BadRequest
            When it has no spectra, or the time range is outside the file.
        """
        _require(file.product in WITH_SPECTRA, f"{file.name} holds neither pixel data nor a spectrogram")
        check_inside(file, self.start, self.end)

    def check_background(self, file: ScienceFile) -> None:
        """Check that a background file does not overlap the time range, unless only a part of it is used.

        Raises
        ------
        BadRequest
        """
        if self.background_range is None:
            check_apart(file, self.start, self.end)

    def to_json(self) -> str:
        """Canonical JSON: sorted keys, no spaces, ASCII."""
        return _canonical(MeasurementKind.SPECTRUM, _SPECTRUM.dump_python(self, mode="json", by_alias=True))


_REGION = Annotated[
    Region,
    PlainValidator(reader(read_region)),
    PlainSerializer(region_document),
    WithJsonSchema(
        {
            "type": "object",
            "description": "name, shape (circle, ellipse, polygon or contour) and its lengths in arcsec",
            "properties": {
                "name": {"type": "string"},
                "shape": {"type": "string", "enum": ["circle", "ellipse", "polygon", "contour"]},
            },
            "required": ["name", "shape"],
        }
    ),
]


def _read_imaging(value: Any) -> ImagingRequest:
    """The images of a request; errors need copies of the data, which a request for images need not have."""
    if not isinstance(value, Mapping):
        message = f"expected an object, {found(value)}"
        raise ValueError(message)  # noqa: TRY004 - pydantic takes a ValueError for a wrong value
    return read_document({"ensemble": COPIES, **value})


_IMAGING = Annotated[
    ImagingRequest,
    PlainValidator(reader(_read_imaging)),
    PlainSerializer(lambda request: json.loads(request.to_json())),
    WithJsonSchema(request_schema()),
    Field(description="File, background, time range, energies, method and map, as in a request for images"),
]


@dataclass(frozen=True, kw_only=True)
class RegionsRequest:
    """Spectra of the regions of an image: one time range, one method, and the channels of one energy range.

    Attributes
    ----------
    imaging : ImagingRequest
        File, background, time range, energies to image, method, map, and number and seed of the simulated copies;
        ``hidden`` is that of the spectra.
    regions : tuple of Region
    spectrum : SpectrumOptions
        Model, range and response; its location is that of the images.
    models : mapping of str to str
        Model of a region by its name, where it is not that of ``spectrum``.
    least_counts : float, ct
        Above background, for an image of a channel.

    Raises
    ------
    BadRequest
        When a value is invalid for any data.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(allow_inf_nan=False)

    imaging: _IMAGING
    regions: Annotated[
        tuple[_REGION, ...], Field(description="Regions with different names", json_schema_extra={"minItems": 1})
    ]
    spectrum: Annotated[SpectrumOptions, Field(description="Model, range and response of the fits")] = field(
        default_factory=SpectrumOptions
    )
    models: Annotated[
        Mapping[str, Annotated[str, Strict()]],
        WithJsonSchema({"type": "object", "additionalProperties": {"type": "string"}}),
        Field(description="Model of a region by its name, where it is not that of spectrum"),
    ] = field(default_factory=dict)
    least_counts: Annotated[
        Number, Field(description="Counts above background that a channel needs for an image", gt=0)
    ] = LEAST_COUNTS

    #: Table of the index with the results.
    table: ClassVar[str] = "region_spectra"
    task_count: ClassVar[int] = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "models", dict(sorted(self.models.items())))
        imaging = self.imaging
        for what, choices in (
            ("time range", imaging.time_ranges),
            ("energy range", imaging.energy_ranges),
            ("method", imaging.methods),
        ):
            _require(len(choices) == 1, f"imaging: expected one {what}, found {len(choices)}")
        _require(imaging.exact is False, "imaging.exact: has no effect on spectra of regions; leave it out")
        _require(self.spectrum.location is None, "spectrum.location_arcsec: the location is that of the images")
        for model in self.models.values():
            check_model(model)
        try:
            require_regions(self.regions, next(iter(imaging.methods)), self.models)
        except StixError as error:
            raise BadRequest(*error.args) from error

    @property
    def uid(self) -> str:
        """Science request, or the name of a file."""
        return self.imaging.uid

    @property
    def background(self) -> str:
        """As `ImagingRequest.background`."""
        return self.imaging.background

    @property
    def hidden(self) -> bool:
        """Whether only the user and operators see the spectra."""
        return self.imaging.hidden

    @property
    def start(self) -> np.datetime64:
        """Start of the time range."""
        return self.imaging.time_ranges[0][0]

    @property
    def end(self) -> np.datetime64:
        """End of the time range."""
        return self.imaging.time_ranges[0][1]

    @property
    def image(self) -> ImageRequest:
        """The images, for `stixcore.imaging_spectroscopy.prepare_regions.prepare_region_recipe`."""
        return ImageRequest(
            start=self.start,
            end=self.end,
            energy=self.imaging.energy_ranges[0],
            background_range=self.spectrum.background_range,
            **self.imaging.options,
        )

    def check_limits(self, limits: Limits) -> None:
        """Check that the maps and the copies are within the limits, and do not take longer than a request may.

        Raises
        ------
        LimitReached
        """
        imaging = self.imaging
        imaging.check_limits(limits)
        check_time(next(iter(imaging.methods)), imaging.shape, imaging.ensemble, limits.request)

    def check_new(self) -> None:
        """Check what is required of new requests only.

        Raises
        ------
        BadRequest
        """
        self.imaging.check_new()

    def check_file(self, file: ScienceFile) -> None:
        """Check that a science file has the data; errors as `ImagingRequest.check_file`."""
        self.imaging.check_file(file)

    def check_background(self, file: ScienceFile) -> None:
        """Check that a background file does not overlap the time range, unless only a part of it is used.

        Raises
        ------
        BadRequest
        """
        if self.spectrum.background_range is None:
            self.imaging.check_background(file)

    def to_json(self) -> str:
        """Canonical JSON: sorted keys, no spaces, ASCII."""
        return _canonical(MeasurementKind.REGIONS, _REGIONS.dump_python(self, mode="json", by_alias=True))


type MeasurementRequest = SpectrumTaskRequest | RegionsRequest
type QueuedRequest = ImagingRequest | MeasurementRequest

_SPECTRUM, _REGIONS = TypeAdapter(SpectrumTaskRequest), TypeAdapter(RegionsRequest)
_READERS: Mapping[MeasurementKind, TypeAdapter[Any]] = {
    MeasurementKind.SPECTRUM: _SPECTRUM,
    MeasurementKind.REGIONS: _REGIONS,
}


def measurement_schema(kind: MeasurementKind) -> dict[str, Any]:
    """JSON schema of a request for spectra."""
    schema = schema_of(_READERS[kind])
    schema["properties"] = {"kind": {"type": "string", "const": str(kind)}, **schema["properties"]}
    schema["required"] = ["kind", *schema["required"]]
    return {**schema, "additionalProperties": False, "description": _ABOUT[kind]}


_ABOUT = {
    MeasurementKind.SPECTRUM: "The spectrum of one time range of a science file, with its fit.",
    MeasurementKind.REGIONS: "Spectra of the regions of an image, with their fits. imaging has one time range, one "
    f"energy range and one method of {', '.join(REGION_METHODS)}; without imaging.ensemble, {COPIES} copies "
    f"of the data are simulated for the errors. At most {MOST_REGIONS} regions.",
}


def read_measurement(document: Mapping[str, Any]) -> MeasurementRequest:
    """Read a request for spectra from the values of a JSON object with the key ``kind``.

    Raises
    ------
    BadRequest
        Naming the key that is missing, unknown or wrong.
    """
    values = dict(document)
    adapter = _READERS[MeasurementKind(values.pop("kind"))]
    schema = adapter.json_schema()
    for key in values:
        known = ", ".join(("kind", *schema["properties"]))
        _require(key in schema["properties"], f"unknown key {str(key)[:60]!r}; a request has {known}")
    for key in schema["required"]:
        _require(key in values, f"{key} is missing")
    try:
        made: MeasurementRequest = adapter.validate_json(json.dumps(values), strict=True)
    except ValidationError as error:
        raise BadRequest(explain(error, key=True)) from error
    return made


def parse_queued(text: str | bytes, limits: Limits | None = None) -> QueuedRequest:
    """Read a request for images or for spectra from JSON; without ``kind`` it is for images.

    Raises
    ------
    BadRequest, LimitReached
        As `jobs.queue.requests.parse_request`.
    """
    document = load_request(text, limits or Limits())
    kind = document.pop("kind", None)
    if kind is None:
        made: QueuedRequest = read_document(document)
    elif kind in tuple(MeasurementKind):
        made = read_measurement({"kind": kind, **document})
    else:
        message = f"kind: expected {' or '.join(MeasurementKind)}, or no kind for images, {found(kind)}"
        raise BadRequest(message)
    made.check_limits(limits or Limits())
    return made


def check_model(model: str) -> frozenset[str]:
    """Parameters of a model; none for "auto", whose parameters depend on the data, and for "none".

    Raises
    ------
    BadRequest
        When a component is unknown.
    """
    if model in (AUTO, NO_MODEL):
        return frozenset()
    try:
        return parameter_names(model)
    except StixError as error:
        raise BadRequest(*error.args) from error


def _canonical(kind: MeasurementKind, document: Mapping[str, Any]) -> str:
    return json.dumps({"kind": str(kind), **document}, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _require(fits: object, message: str) -> None:
    if not fits:
        raise BadRequest(message)
