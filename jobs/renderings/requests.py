"""Requests for an animation, an overlay or an image cube, and their JSON.

The key ``kind`` distinguishes these requests from those for images (`jobs.queue.requests`). As there, unknown keys are
refused and ``to_json`` is canonical.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Strict, TypeAdapter, ValidationError

from archive.scripts.parts import ASSUMPTIONS
from archive.scripts.selections import LINEAR, LOG, AnimationLooks, OverlayLooks
from jobs.queue.measurement_requests import QueuedRequest, parse_queued
from jobs.queue.requests import ImagingRequest, load_request, parse_request
from jobs.queue.spectrum_requests import MeasurementKind
from jobs.renderings.overlay_maps import MAP_NAME
from jobs.shared.errors import BadRequest, LimitReached
from jobs.shared.limits import Limits
from stixcore.options import Whole, explain, found

_IMAGE_ID = re.compile(r"[0-9a-f]{16}-[a-z_]{1,20}", re.ASCII)
MAX_IMAGES, MAX_OVERLAID = 500, 12
FRAME_TIMES, SIZES, FIELDS = (0.02, 10.0), (128, 1088), (10.0, 10_000.0)


class RenderingKind(StrEnum):
    """Kind of rendering."""

    ANIMATION = "animation"
    OVERLAY = "overlay"
    CUBE = "cube"


@dataclass(frozen=True)
class AnimationRequest:
    """An animation of images, given by their ids in any order."""

    images: tuple[str, ...]
    looks: AnimationLooks = field(default_factory=AnimationLooks)

    def __post_init__(self) -> None:
        _check_images(self.images, MAX_IMAGES)
        _check_looks(self.looks)

    @property
    def task_count(self) -> int:
        """Number of parts."""
        return 1

    def to_json(self) -> str:
        """Canonical JSON."""
        return _canonical(RenderingKind.ANIMATION, {"images": list(self.images), "looks": _plain(self.looks)})


@dataclass(frozen=True)
class OverlayRequest:
    """Contours of images on the map ``looks.map_file`` in the folder ``overlays/`` of the archive."""

    images: tuple[str, ...]
    looks: OverlayLooks

    def __post_init__(self) -> None:
        _check_images(self.images, MAX_OVERLAID)
        looks = self.looks
        name = looks.map_file or ""
        _require(MAP_NAME.fullmatch(name), f"{name!r} is not the file name of a map")
        _require(looks.view in ("other", "stix"), f"view: expected other or stix, found {looks.view!r}")
        expected = ", ".join(ASSUMPTIONS)
        _require(looks.assumption in ASSUMPTIONS, f"assumption: expected {expected}, found {looks.assumption!r}")
        _require(
            0 < len(looks.levels) <= 20 and all(0 < level < 1 for level in looks.levels),
            "levels: expected shares of the maximum between 0 and 1",
        )
        _check_field(looks.field)

    @property
    def task_count(self) -> int:
        """Number of parts."""
        return 1

    def to_json(self) -> str:
        """Canonical JSON."""
        return _canonical(RenderingKind.OVERLAY, {"images": list(self.images), "looks": _plain(self.looks)})


@dataclass(frozen=True)
class CubeRequest:
    """Images of one file in several times and energy bands, as a cube with error bars, tables and animation.

    Attributes
    ----------
    imaging : ImagingRequest
    looks : AnimationLooks
    ensemble : int
        Number of simulated copies of the data per image, for error bars; with 0 only forward fits have error bars.
    """

    imaging: ImagingRequest
    looks: AnimationLooks = field(default_factory=AnimationLooks)
    ensemble: int = 12

    def __post_init__(self) -> None:
        _check_looks(self.looks)
        _require(0 <= self.ensemble <= 100, "ensemble: expected 0 to 100 copies")
        _require(
            not self.imaging.ensemble, "imaging.ensemble: the copies of a cube are its key ensemble, beside imaging"
        )

    @property
    def task_count(self) -> int:
        """Number of parts: the image sets and the cube."""
        return self.imaging.task_count + 1

    def to_json(self) -> str:
        """Canonical JSON."""
        imaging = json.loads(self.imaging.to_json())
        return _canonical(
            RenderingKind.CUBE, {"imaging": imaging, "looks": _plain(self.looks), "ensemble": self.ensemble}
        )


type RenderingRequest = AnimationRequest | OverlayRequest | CubeRequest
_COPIES, _IMAGES = TypeAdapter(Whole), TypeAdapter(tuple[Annotated[str, Strict()], ...])

type AnyRequest = QueuedRequest | RenderingRequest


def parse_any(text: str | bytes, limits: Limits | None = None) -> AnyRequest:
    """Read a request of any kind from JSON.

    Raises
    ------
    BadRequest, LimitReached
        As `parse_request`.
    """
    limits = limits or Limits()
    document = load_request(text, limits)
    if "kind" in document and document["kind"] not in tuple(MeasurementKind):
        if document["kind"] not in tuple(RenderingKind):
            known = ", ".join((*MeasurementKind, *RenderingKind))
            message = (
                f"kind: this version of the software knows {known}, and no kind for images, {found(document['kind'])}; "
                "retry the request with a newer version"
            )
            raise BadRequest(message)
        return _rendering(document, limits)
    return parse_queued(text, limits)


def _rendering(document: Mapping[str, Any], limits: Limits) -> RenderingRequest:
    try:
        kind = RenderingKind(document["kind"])
        imaging = kind is RenderingKind.CUBE
        _known(document, ("kind", "imaging", "looks", "ensemble") if imaging else ("kind", "images", "looks"))
        if imaging:
            return CubeRequest(
                imaging=parse_request(json.dumps(document["imaging"]), limits),
                looks=_looks(AnimationLooks, document.get("looks", {})),
                ensemble=_COPIES.validate_python(document.get("ensemble", 12)),
            )
        images, looks = _IMAGES.validate_python(document["images"]), document.get("looks", {})
        if kind is RenderingKind.ANIMATION:
            return AnimationRequest(images, _looks(AnimationLooks, looks))
        return OverlayRequest(images, _looks(OverlayLooks, looks))
    except ValidationError as error:
        message = f"this is not a request for a rendering: {error.title}: {explain(error)}"
        raise BadRequest(message) from error
    except (KeyError, ValueError) as error:
        message = f"this is not a request for a rendering: {type(error).__name__} {error}"
        raise BadRequest(message) from error


def _looks[Looks: (AnimationLooks, OverlayLooks)](kind: type[Looks], values: Any) -> Looks:
    """Looks from JSON; every value must have the type of its default."""
    _require(isinstance(values, Mapping), f"looks: expected an object, {found(values)}")
    _known(values, tuple(item.name for item in fields(kind)))
    try:
        return TypeAdapter(kind).validate_json(json.dumps(values), strict=True)
    except ValidationError as error:
        raise BadRequest(explain(error, key=True)) from error


def _known(document: Mapping[str, Any], keys: tuple[str, ...]) -> None:
    for key in document:
        _require(key in keys, f"unknown key {str(key)[:60]!r}; expected {', '.join(keys)}")


def _check_images(images: tuple[str, ...], most: int) -> None:
    _require(images, "name at least one image")
    _require(len(set(images)) == len(images), "the same image is named twice")
    if len(images) > most:
        message = f"{len(images)} images, {most} at most"
        raise LimitReached(message)
    for image_id in images:
        _require(_IMAGE_ID.fullmatch(image_id), f"{image_id[:60]!r} is not the id of an image")


def _check_looks(looks: AnimationLooks) -> None:
    _require(looks.scale in (LINEAR, LOG), f"scale: expected {LINEAR} or {LOG}, found {looks.scale!r}")
    for name, value, (low, high) in (
        ("frame_time", looks.frame_time, FRAME_TIMES),
        ("size", looks.size, SIZES),
    ):
        _require(low <= value <= high, f"{name}: expected {low:g} to {high:g}, found {value:g}")
    _check_field(looks.field)


def _check_field(value: float | None) -> None:
    low, high = FIELDS
    _require(value is None or low <= value <= high, f"field: expected {low:g} to {high:g} arcsec, found {value}")


def _plain(looks: AnimationLooks | OverlayLooks) -> dict[str, Any]:
    return {item.name: getattr(looks, item.name) for item in fields(looks)}


def _canonical(kind: RenderingKind, document: Mapping[str, Any]) -> str:
    return json.dumps({"kind": str(kind), **document}, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _require(fits: object, message: str) -> None:
    if not fits:
        raise BadRequest(message)
