"""A user's request: image sets of one science file, for several time and energy ranges, and its JSON.

The form, the API and the Python client send the same JSON; unknown keys are refused. ``to_json`` is canonical (with all
defaults, times in milliseconds), so equal requests have equal JSON.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field, PlainSerializer, PlainValidator, Strict, TypeAdapter, ValidationError, WithJsonSchema

from archive.index.schema import ScienceFile
from jobs.shared.errors import BadRequest, LimitReached
from jobs.shared.limits import Limits
from stixcore.errors import StixError
from stixcore.fits.spec import IMAGEABLE
from stixcore.instrument.geometry import detector_indices
from stixcore.options import (
    AUTO,
    SEED_ALONE,
    ImageRequest,
    ImagingOptions,
    Number,
    explain,
    found,
    load_object,
    reader,
    schema_of,
)
from stixcore.times import format_time, parse_time

__all__ = ["AUTO", "NONE", "ImagingRequest", "parse_request", "request_schema"]

REQUEST_VERSION = 1
NONE = "none"
_NAME = re.compile(r"[A-Za-z0-9._-]{1,150}", re.ASCII)
_TEXT = TypeAdapter(Annotated[str, Strict()])


def _read_uid(value: Any) -> str:
    """A file name, or a uid with its leading zeros."""
    name = _TEXT.validate_python(value)
    return f"{int(name):010d}" if name.isascii() and name.isdigit() and len(name) <= 10 else name


def _read_time(value: Any) -> np.datetime64:
    """ISO 8601, to the millisecond."""
    time: np.datetime64 = parse_time(_TEXT.validate_python(value)).astype("datetime64[ms]").astype("datetime64[us]")
    return time


Uid = Annotated[str, PlainValidator(_read_uid), WithJsonSchema({"type": "string"})]
Time = Annotated[
    np.datetime64,
    PlainValidator(reader(_read_time)),
    PlainSerializer(format_time),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
_SOME = {"minItems": 1}


@dataclass(frozen=True)
class ImagingRequest(ImagingOptions):
    """Image sets of one science file: every time range with every energy range, with the same options.

    Attributes
    ----------
    uid : str
        Science request, or the name of a file.
    time_ranges : tuple of (start, end), datetime64
        UTC at Solar Orbiter.
    energy_ranges : tuple of (low, high), keV
    background : str
        "auto" (nearest that qualifies), "none", or the uid or name of a file.
    hidden : bool
        Only the user and operators see the images.

    Raises
    ------
    BadRequest
        When a value is invalid for any data.
    """

    uid: Annotated[Uid, Field(description="Science request, or the name of a file")]
    time_ranges: Annotated[
        tuple[tuple[Time, Time], ...],
        Field(description="Start and end, ISO 8601 UTC at Solar Orbiter", json_schema_extra=_SOME),
    ]
    energy_ranges: Annotated[
        tuple[tuple[Number, Number], ...],
        Field(alias="energy_ranges_kev", description="Lower and upper edge, keV", json_schema_extra=_SOME),
    ]
    background: Annotated[Uid, Field(description="auto, none, or uid or name of a file")] = AUTO
    hidden: Annotated[bool, Strict(), Field(description="Only you and operators see the images")] = field(
        default=False, kw_only=True
    )

    #: Table of the index with the results.
    table: ClassVar[str] = "runs"

    def __post_init__(self) -> None:
        for name in (self.uid, self.background):
            check_name(name)
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
    def task_count(self) -> int:
        """Number of image sets."""
        return len(self.time_ranges) * len(self.energy_ranges)

    def check_limits(self, limits: Limits) -> None:
        """Check that the request is within the limits.

        Raises
        ------
        LimitReached
            When it asks for too many image sets, too large a map, or too many copies of the data.
        """
        if self.task_count > limits.task_count:
            message = f"this request asks for {self.task_count} image sets, {limits.task_count} at most"
            raise LimitReached(message)
        limits.check_map(self.shape, self.pixel, self.location)
        limits.check_ensemble(self.ensemble)

    def check_new(self) -> None:
        """Check what is required of new requests only; stored ones stay readable.

        Raises
        ------
        BadRequest
            When it has a seed but no copies of the data.
        """
        _require(self.ensemble or not self.seed, SEED_ALONE)

    def check_file(self, file: ScienceFile) -> None:
        """Check that a science file has the data of the request, as far as its row in the index shows.

        Raises
        ------
        BadRequest
            When it has no pixel data, or a time or energy range is outside the file.
        """
        _require(file.product in IMAGEABLE, f"{file.name} holds no pixel data, and images need them")
        for start, end in self.time_ranges:
            check_inside(file, start, end)
        covered = f"{file.e_low:g}-{file.e_high:g} keV"
        for low, high in self.energy_ranges:
            inside = file.e_low <= low and high <= file.e_high
            _require(inside, f"the energy range {low:g}-{high:g} keV is not inside {file.name}, which covers {covered}")

    def check_background(self, file: ScienceFile) -> None:
        """Check that a background file does not overlap one of the time ranges: it would contain the flare.

        Raises
        ------
        BadRequest
        """
        for start, end in self.time_ranges:
            check_apart(file, start, end)

    def parts(self) -> list[ImageRequest]:
        """Its image sets in order: all energy ranges of the first time range come first."""
        return [
            ImageRequest(start=start, end=end, energy=energy, **self.options)
            for (start, end), energy in product(self.time_ranges, self.energy_ranges)
        ]

    def to_json(self) -> str:
        """Canonical JSON: sorted keys, no spaces, ASCII."""
        document = {"version": REQUEST_VERSION, **_REQUEST.dump_python(self, mode="json", by_alias=True)}
        return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)


_REQUEST = TypeAdapter(ImagingRequest)
_KEYS = ("version", *_REQUEST.json_schema()["properties"])


def request_schema() -> dict[str, Any]:
    """JSON schema of a request for images."""
    limits, schema = Limits(), schema_of(_REQUEST)
    schema["properties"] = {"version": {"type": "integer", "const": REQUEST_VERSION}, **schema["properties"]}
    return {
        **schema,
        "additionalProperties": False,
        "description": "Images of one science file: every time range with every energy range, all else the same. "
        f"At most {limits.task_count} combinations and {limits.body} bytes.",
    }


def parse_request(text: str | bytes, limits: Limits | None = None) -> ImagingRequest:
    """Read a request from JSON. Everything except uid and ranges has a default.

    Methods are a list of names, or an object with their parameters; ``shape`` may be a single number.

    Raises
    ------
    BadRequest
        Naming the key that is missing, unknown or wrong.
    LimitReached
        When it is too long or asks for too much.
    """
    limits = limits or Limits()
    request = read_document(load_request(text, limits))
    request.check_limits(limits)
    return request


def load_request(text: str | bytes, limits: Limits) -> dict[str, Any]:
    """The JSON object of a request of any kind.

    Raises
    ------
    BadRequest
        When it is none.
    LimitReached
        When it is too long.
    """
    if len(text) > limits.body:
        message = f"a request may be {limits.body} bytes long, this one has {len(text)}"
        raise LimitReached(message)
    try:
        document = load_object(text)
    except ValueError as error:
        raise BadRequest(*error.args) from error
    if document is None:
        message = "a request is a JSON object"
        raise BadRequest(message)
    return document


def read_document(document: Mapping[str, Any]) -> ImagingRequest:
    """Read a request from a JSON object; everything except uid and ranges has a default. Limits are not checked.

    Raises
    ------
    BadRequest
        Naming the key that is missing, unknown or wrong.
    """
    document = dict(document)
    for key in document:
        _require(key in _KEYS, f"unknown key {str(key)[:60]!r}; a request has {', '.join(_KEYS)}")
    for key in ("uid", "time_ranges", "energy_ranges_kev"):
        _require(key in document, f"{key} is missing")
    version = document.pop("version", REQUEST_VERSION)
    right = isinstance(version, int) and not isinstance(version, bool)
    _require(right, f"version: expected a whole number, {found(version)}")
    _require(version == REQUEST_VERSION, f"version: found {version}, this software reads {REQUEST_VERSION}")
    return read_request(document)


def read_request(document: dict[str, Any]) -> ImagingRequest:
    """A request from the values of a JSON object.

    Raises
    ------
    BadRequest
        Naming the invalid key.
    """
    try:
        return _REQUEST.validate_json(json.dumps(document), strict=True)
    except ValidationError as error:
        raise BadRequest(explain(error, key=True)) from error


def check_name(name: str) -> None:
    """Check that a text can be the uid or the name of a file.

    Raises
    ------
    BadRequest
    """
    _require(_NAME.fullmatch(name), f"{name[:60]!r} is neither the uid nor the name of a file")


def check_inside(file: ScienceFile, start: np.datetime64, end: np.datetime64) -> None:
    """Check that a time range overlaps a science file.

    Raises
    ------
    BadRequest
    """
    overlaps = file.t_start < end and start < file.t_end
    _require(overlaps, f"the time range {start} … {end} is not inside {file.name}, which covers {_covered(file)}")


def check_apart(file: ScienceFile, start: np.datetime64, end: np.datetime64) -> None:
    """Check that a background file does not overlap a time range.

    Raises
    ------
    BadRequest
    """
    apart = end <= file.t_start or file.t_end <= start
    _require(apart, f"the background {file.name} ({_covered(file)}) overlaps the time range {start} … {end}")


def _covered(file: ScienceFile) -> str:
    return f"{format_time(file.t_start)} … {format_time(file.t_end)}"


def _require(fits: object, message: str) -> None:
    if not fits:
        raise BadRequest(message)
