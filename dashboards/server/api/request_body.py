"""JSON schema of a request for images; what it means is decided by `jobs.queue.requests`, which reads it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from jobs.queue.requests import REQUEST_VERSION
from jobs.shared.limits import Limits
from stixcore.calibration.energy import EdgeCorrection
from stixcore.calibration.grids import AmplitudeScheme
from stixcore.fits.windows import WindowRule
from stixcore.instrument.geometry import IMAGING_LABELS, PixelSet
from stixcore.reconstruct import ShiftBins, default_methods

_LIMITS = Limits()
_SIDE = {"type": "integer", "minimum": _LIMITS.side[0], "maximum": _LIMITS.side[1]}


def _words(choices: Any) -> dict[str, Any]:
    return {"type": "string", "enum": [str(choice) for choice in choices]}


def _pairs(item: dict[str, Any], meaning: str) -> dict[str, Any]:
    pair = {"type": "array", "items": item, "minItems": 2, "maxItems": 2}
    return {"type": "array", "items": pair, "minItems": 1, "description": meaning}


def _method_parameters() -> dict[str, Any]:
    """Parameters of every method, with their defaults."""
    return {
        str(method): {
            "type": "object",
            "additionalProperties": False,
            "properties": {name: {"default": _plain(value)} for name, value in asdict(parameters).items()},
        }
        for method, parameters in default_methods().items()
    }


def _plain(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, (bool, int, float)) else str(value)


def _place(names: tuple[str, ...]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {name: {"type": "number"} for name in names},
        "required": list(names),
        "additionalProperties": False,
    }


REQUEST_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "Images of one science file: every time range with every energy range, all else the same. "
    f"At most {_LIMITS.recipes} combinations and {_LIMITS.body} bytes.",
    "required": ["uid", "time_ranges", "energy_ranges_kev"],
    "additionalProperties": False,
    "properties": {
        "version": {"type": "integer", "const": REQUEST_VERSION},
        "uid": {"type": "string", "description": "Science request, or the name of a file"},
        "time_ranges": _pairs({"type": "string"}, "Start and end, ISO 8601 UTC at Solar Orbiter"),
        "energy_ranges_kev": _pairs({"type": "number"}, "Lower and upper edge, keV"),
        "background": {"type": "string", "default": "auto", "description": "auto, none, or uid or name of a file"},
        "methods": {
            "description": "Methods by name, or with parameters; all of them by default",
            "oneOf": [
                {"type": "array", "items": _words(default_methods()), "minItems": 1},
                {"type": "object", "properties": _method_parameters(), "additionalProperties": False},
                {"type": "null"},
            ],
        },
        "location": {
            "description": "Map centre, helioprojective as seen from Solar Orbiter, arcsec; null: found by itself",
            "oneOf": [_place(("x_arcsec", "y_arcsec")), {"type": "null"}],
        },
        "pointing": {
            "description": "From the aspect solution (auto), assumed, or typed",
            "oneOf": [
                {"type": "string", "enum": ["auto", "assumed"]},
                _place(("roll_deg", "x_arcsec", "y_arcsec")),
                {"type": "null"},
            ],
        },
        "shape": {
            "description": "Pixels a side, or [ny, nx]",
            "default": 129,
            "oneOf": [_SIDE, {"type": "array", "items": _SIDE, "minItems": 2, "maxItems": 2}],
        },
        "pixel_arcsec": {
            "type": "number",
            "minimum": _LIMITS.pixel[0],
            "maximum": _LIMITS.pixel[1],
            "default": 2.0,
            "description": "Pixel size, arcsec",
        },
        "subcollimators": {"type": "array", "items": _words(IMAGING_LABELS), "minItems": 1},
        "pixel_set": _words(PixelSet),
        "amplitude_scheme": _words(AmplitudeScheme),
        "edge_correction": _words(EdgeCorrection),
        "window_rule": {
            **_words(WindowRule),
            "default": str(WindowRule.CENTRES),
            "description": "Bins whose centres lie in the time range, or those that cover it (ground software)",
        },
        "exact": {"type": "boolean", "default": False, "description": "Refuse a range that is not one of whole bins"},
        "shift_bins": {
            **_words(ShiftBins),
            "default": str(ShiftBins.AUTO),
            "description": "Whether counts of files before 2021-12-09 move to the time bin that they belong to",
        },
        "hidden": {"type": "boolean", "default": False, "description": "Only you and operators see the images"},
    },
}
