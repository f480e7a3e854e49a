"""Requests for a spectrum of one time range, and their JSON.

Unknown keys are refused, as in requests for images (`jobs.queue.requests`), and ``to_json`` is canonical.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import ConfigDict, Field, Strict, TypeAdapter, WithJsonSchema

from archive.index.schema import ScienceFile
from jobs.queue import journal_file
from jobs.queue.requests import AUTO, Time, Uid, check_apart, check_inside, check_name
from jobs.shared.errors import BadRequest
from jobs.shared.limits import Limits
from stixcore.errors import StixError
from stixcore.fits.spec import IMAGEABLE, ProductKind
from stixcore.instrument.tables import N_DETECTORS, N_PIXELS
from stixcore.options import Number, Whole
from stixcore.printable import excerpt
from stixcore.spectra.fit.model import parameter_names
from stixcore.spectra.fit.statistic import Statistic
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
            alias="location_arcsec", description="Of the flare, helioprojective, arcsec; null: found on the full disk"
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
            require(chosen is None or chosen, f"{name}: expected at least one, or null for the default")
            for number in chosen or ():
                require(0 <= number < limit, f"{name}: expected 0 to {limit - 1}, found {number}")
            require(len(set(chosen or ())) == len(chosen or ()), f"{name}: the same number is given twice")
        if self.energy is not None:
            low, high = self.energy
            require(0 <= low < high < math.inf, f"energy_range_kev: the range {low:g}-{high:g} keV is empty")
        if self.background_range is not None:
            require(self.background_range[0] < self.background_range[1], "background_range: it is empty")
        known = check_model(self.model)
        for key, values in (("fixed", self.fixed), ("start_values", self.start_values)):
            require(self.model != NO_MODEL or not values, f"{key}: nothing is fitted with the model {NO_MODEL}")
            for name in values if known else ():
                require(
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
        require(self.start < self.end, f"the time range {self.start} … {self.end} is empty")

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
        require(file.product in WITH_SPECTRA, f"{file.name} holds neither pixel data nor a spectrogram")
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
        return canonical_json(MeasurementKind.SPECTRUM, SPECTRUM_ADAPTER.dump_python(self, mode="json", by_alias=True))


SPECTRUM_ADAPTER = TypeAdapter(SpectrumTaskRequest)


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


def canonical_json(kind: MeasurementKind, document: Mapping[str, Any]) -> str:
    """Canonical JSON of a request: sorted keys, no spaces, ASCII."""
    return json.dumps({"kind": str(kind), **document}, sort_keys=True, separators=(",", ":"), allow_nan=False)


def require(fits: object, message: str) -> None:
    """Refuse a value that does not fit."""
    if not fits:
        raise BadRequest(message)
