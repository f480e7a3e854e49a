"""Requests for the spectra of regions of an image, and their JSON; as those for a spectrum."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import ConfigDict, Field, PlainSerializer, PlainValidator, Strict, TypeAdapter, WithJsonSchema

from archive.index.schema import ScienceFile
from jobs.queue.requests import ImagingRequest, read_document, request_schema
from jobs.queue.spectrum_requests import MeasurementKind, SpectrumOptions, canonical_json, check_model, require
from jobs.regions.cost import check_time
from jobs.shared.errors import BadRequest
from jobs.shared.limits import Limits
from stixcore.errors import StixError
from stixcore.imaging_spectroscopy.recipe_pair import LEAST_COUNTS
from stixcore.imaging_spectroscopy.region_recipe import COPIES, read_region, region_document, require_regions
from stixcore.options import ImageRequest, Number, found, reader
from stixcore.spectra.regions import Region

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
            require(len(choices) == 1, f"imaging: expected one {what}, found {len(choices)}")
        require(imaging.exact is False, "imaging.exact: has no effect on spectra of regions; leave it out")
        require(self.spectrum.location is None, "spectrum.location_arcsec: the location is that of the images")
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
        return canonical_json(MeasurementKind.REGIONS, REGIONS_ADAPTER.dump_python(self, mode="json", by_alias=True))


REGIONS_ADAPTER = TypeAdapter(RegionsRequest)
