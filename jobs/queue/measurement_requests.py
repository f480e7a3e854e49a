"""Read queued requests of every kind from JSON: images, a spectrum, or spectra of regions.

The key ``kind`` distinguishes those for spectra from those for images (`jobs.queue.requests`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from jobs.queue.region_requests import REGIONS_ADAPTER, RegionsRequest
from jobs.queue.requests import ImagingRequest, load_request, read_document
from jobs.queue.spectrum_requests import SPECTRUM_ADAPTER, MeasurementKind, SpectrumTaskRequest, require
from jobs.shared.errors import BadRequest
from jobs.shared.limits import Limits
from stixcore.imaging_spectroscopy.region_recipe import COPIES, MOST_REGIONS, REGION_METHODS
from stixcore.options import explain, found, schema_of

type MeasurementRequest = SpectrumTaskRequest | RegionsRequest
type QueuedRequest = ImagingRequest | MeasurementRequest

_READERS: Mapping[MeasurementKind, TypeAdapter[Any]] = {
    MeasurementKind.SPECTRUM: SPECTRUM_ADAPTER,
    MeasurementKind.REGIONS: REGIONS_ADAPTER,
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
        require(key in schema["properties"], f"unknown key {str(key)[:60]!r}; a request has {known}")
    for key in schema["required"]:
        require(key in values, f"{key} is missing")
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
