"""Imaging options, each declared once.

Image requests (`ImageRequest`, and the requests of `jobs`) embed `ImagingOptions`. Each field has a unit, bounds, a
default and a help text, from which the API schema, the command line and the documentation are generated
(`option_schemas`); the form takes defaults, bounds and help from it. pydantic reads and writes the JSON.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Annotated, Any, ClassVar, cast

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

from stixcore.calibration.energy import EdgeCorrection
from stixcore.calibration.grids import AmplitudeScheme
from stixcore.calibration.pointing import assumed_pointing
from stixcore.coordinates import Pointing, PointingSource
from stixcore.errors import StixError
from stixcore.fits.windows import WindowRule
from stixcore.imaging.clean import CleanParameters
from stixcore.imaging.ensemble import MAX_MEMBERS
from stixcore.imaging.mem import MemGeParameters
from stixcore.imaging.methods import (
    MethodParameters,
    declaration_of,
    default_methods,
    default_parameters,
)
from stixcore.imaging.reconstruction import Method, known_methods
from stixcore.imaging.registry import known_names
from stixcore.instrument.geometry import ALL_LABELS, IMAGING_LABELS, PixelSet

AUTO, ASSUMED = "auto", "assumed"
X, Y, ROLL = "x_arcsec", "y_arcsec", "roll_deg"
#: Larger numbers in JSON are mistakes.
_LARGEST = 1e15
#: Deepest nesting of lists and objects in JSON; requests need about five.
_DEEPEST = 20
#: Copies of an ensemble where error bars are chosen and no other number is given.
USUAL_MEMBERS = 30
MAX_SEED = 10**15
SEED_ALONE = "seed: has no effect without simulated copies; set ensemble (30 is usual), or leave out seed"


class ShiftBins(StrEnum):
    """Whether to move the counts of files before 2021-12-09 14:00 UTC, which belong to the preceding time bin.

    ``AUTO``: move them where `PixelData.can_shift_bins` allows it. ``OFF``: leave them, as the ground software does by
    default.
    """

    AUTO = "auto"
    OFF = "off"


def default_clean() -> CleanParameters:
    """Default parameters of CLEAN, see `default_methods`."""
    return cast("CleanParameters", default_parameters(Method.CLEAN))


def default_mem_ge() -> MemGeParameters:
    """Default parameters of MEM_GE, see `default_methods`."""
    return cast("MemGeParameters", default_parameters(Method.MEM_GE))


# Values with a JSON form of their own -----------------------------------------------------------------------------

Number = Annotated[float, Strict()]
Whole = Annotated[int, Strict()]


def found(value: Any) -> str:
    """An invalid value, quoted for an error message."""
    text = repr(value[:60]) if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)[:60]
    return f"found {text}"


def reader[Value](read: Callable[[Any], Value]) -> Callable[[Any], Value]:
    """A function for `PlainValidator` that raises ValueError, which pydantic collects, instead of `StixError`."""

    def validate(value: Any) -> Value:
        try:
            return read(value)
        except StixError as error:
            raise ValueError(*error.args) from error

    return validate


def _numbers(value: Any, names: tuple[str, ...]) -> list[float]:
    """The numbers in an object that must have exactly these keys."""
    if not isinstance(value, Mapping) or set(value) != set(names):
        message = f"expected an object with {', '.join(names)}, {found(value)}"
        raise ValueError(message)
    return [_NUMBER.validate_python(value[name]) for name in names]


def _read_location(value: Any) -> tuple[float, float] | None:
    if value is None:
        return None
    x, y = _numbers(value, (X, Y))
    return x, y


def _read_pointing(value: Any) -> Pointing | None:
    if value in (None, AUTO):
        return None
    if value == ASSUMED:
        return assumed_pointing()
    roll, x, y = _numbers(value, (ROLL, X, Y))
    return Pointing(PointingSource.MANUAL, roll, x, y)


def _write_pointing(value: Pointing | None) -> str | dict[str, float]:
    if value is None:
        return AUTO
    return ASSUMED if value == assumed_pointing() else {ROLL: value.roll, X: value.x, Y: value.y}


def _read_shape(value: Any) -> tuple[int, int]:
    if isinstance(value, list) and len(value) != 2:
        message = f"expected a list of two, {found(value)}"
        raise ValueError(message)
    return _SIDES.validate_python(value if isinstance(value, list) else (value, value))


def read_methods(value: Any) -> dict[Method, MethodParameters]:
    """Read methods from JSON: a list of names, or an object of parameters by name; None for all methods.

    Missing parameters have the values of `default_methods`.

    Raises
    ------
    ValueError, StixError
        When a method or parameter is invalid. The message names it.
    """
    if value is None:
        return default_methods()
    given = value if isinstance(value, Mapping) else {name: {} for name in _NAMES.validate_python(value)}
    return {_method(name): _parameters(name, values) for name, values in given.items()}


def _method(name: str) -> Method:
    if name not in known_names():
        *others, last = known_names()
        message = f"expected {', '.join(others)} or {last}, {found(name)}"
        raise ValueError(message)
    return Method(name)


def _parameters(name: str, values: Any) -> MethodParameters:
    default = default_parameters(Method(name))
    known = sorted(item.name for item in fields(default))
    if not isinstance(values, Mapping):
        message = f"expected an object with parameters of {name}, {found(values)}"
        raise ValueError(message)  # noqa: TRY004 - pydantic takes a ValueError for a wrong value
    for parameter in values:
        if parameter not in known:
            message = f"{name} has no parameter {parameter!r}; it has {', '.join(known) or 'none'}"
            raise ValueError(message)
    text = json.dumps({**asdict(default), **values}, default=str)
    read: MethodParameters = TypeAdapter(type(default)).validate_json(text, strict=True)
    return read


def _write_methods(methods: Mapping[Method, MethodParameters]) -> dict[str, Any]:
    return {
        str(method): json.loads(json.dumps(asdict(parameters), default=str)) for method, parameters in methods.items()
    }


_NUMBER, _SIDES = TypeAdapter(Number), TypeAdapter(tuple[Whole, Whole])
_NAMES = TypeAdapter(list[Annotated[str, Strict()]])


# Their JSON schema ------------------------------------------------------------------------------------------------


def _object(names: tuple[str, ...]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {name: {"type": "number"} for name in names},
        "required": list(names),
        "additionalProperties": False,
    }


def _methods_schema() -> dict[str, Any]:
    """JSON schema of methods: a list of names, or the parameters of each with type and default."""
    properties = {}
    for method in known_methods():
        properties[str(method)] = {
            "type": "object",
            "description": declaration_of(method).description,
            "additionalProperties": False,
            "properties": parameter_schemas(method),
        }
    names = {"type": "array", "items": {"type": "string", "enum": list(properties)}, "minItems": 1}
    return {
        "oneOf": [
            names,
            {"type": "object", "properties": properties, "additionalProperties": False},
            {"type": "null"},
        ]
    }


def parameter_schemas(method: Method) -> dict[str, dict[str, Any]]:
    """JSON schema of each parameter of a method by its name, with default and, where declared, help and bounds."""
    parameters = default_parameters(method)
    schema = inline(TypeAdapter(type(parameters)).json_schema())
    values = _write_methods({method: parameters})[str(method)]
    return {name: {**schema["properties"][name], "default": value} for name, value in values.items()}


class _MethodsSchema:
    """The schema of methods, made when it is asked for: it needs the methods of installed packages."""

    def __get_pydantic_json_schema__(self, *_: Any) -> dict[str, Any]:
        return _methods_schema()


def inline(schema: dict[str, Any]) -> dict[str, Any]:
    """Replace references in a JSON schema by their definitions and remove titles."""
    definitions = schema.get("$defs", {})

    def resolved(item: Any) -> Any:
        if isinstance(item, list):
            return [resolved(each) for each in item]
        if not isinstance(item, dict):
            return item
        if "$ref" in item:
            item = {**definitions[item["$ref"].rpartition("/")[2]], **item}
        skipped = {"$ref", "$defs"} | ({"title"} if isinstance(item.get("title"), str) else set())
        return {key: resolved(value) for key, value in item.items() if key not in skipped}

    plain: dict[str, Any] = resolved(schema)
    return plain


#: Bounds of a requested image: pixels per side, and pixel size in arcsec.
SIDE, PIXEL = (16, 1024), (0.1, 60.0)
_SIDE = {"minimum": SIDE[0], "maximum": SIDE[1]}
_SIDE_SCHEMA = {"type": "integer", **_SIDE}
#: Largest distance of the map centre from Sun centre along either axis, arcsec.
MAX_DISTANCE = 10_000.0

Methods = Annotated[
    Mapping[Method, MethodParameters],
    PlainValidator(reader(read_methods)),
    PlainSerializer(_write_methods),
    _MethodsSchema(),
]


@dataclass(frozen=True, kw_only=True)
class ImagingOptions:
    """Everything that determines images apart from the files, the time range and the energy range.

    Attributes
    ----------
    methods : mapping of Method to parameters
        All methods with their default parameters when empty.
    location : (x, y) or None
        Helioprojective, arcsec; None to search the full disk.
    pointing : Pointing or None
        Replaces the pointing from the auxiliary files.
    shape : (ny, nx), pixel
    pixel : float, arcsec
    subcollimators, pixel_set, amplitude_scheme, edge_correction
        See `stixcore.recipe.Recipe`.
    window_rule : WindowRule
        How the time range is converted to whole bins.
    exact : bool
        Refuse a time range that does not consist of whole bins.
    shift_bins : ShiftBins
        Whether to move the counts of early files to the time bin that they belong to.
    ensemble : int
        Simulated copies of the data per method, for uncertainty maps and error bars: 0 for none, or 2 to 1000. They do
        not change the images, but the recipe and its id.
    seed : int
        Seed of the noise of the copies; without copies it has no meaning.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(allow_inf_nan=False)

    methods: Annotated[Methods, Field(description="Methods by name, or with parameters; all of them by default")] = (
        field(default_factory=default_methods)
    )
    location: Annotated[
        tuple[float, float] | None,
        PlainValidator(_read_location),
        PlainSerializer(lambda place: None if place is None else dict(zip((X, Y), place, strict=True))),
        WithJsonSchema({"oneOf": [_object((X, Y)), {"type": "null"}]}),
        Field(
            description="Map centre, helioprojective as seen from Solar Orbiter, arcsec; null: found on the full disk",
            json_schema_extra={"unit": "arcsec", "minimum": -MAX_DISTANCE, "maximum": MAX_DISTANCE},
        ),
    ] = None
    pointing: Annotated[
        Pointing | None,
        PlainValidator(_read_pointing),
        PlainSerializer(_write_pointing),
        WithJsonSchema(
            {"oneOf": [{"type": "string", "enum": [AUTO, ASSUMED]}, _object((ROLL, X, Y)), {"type": "null"}]}
        ),
        Field(description="Roll in degrees and pointing in arcsec, or assumed; null: from the aspect solution"),
    ] = None
    shape: Annotated[
        tuple[int, int],
        PlainValidator(_read_shape),
        PlainSerializer(list),
        WithJsonSchema(
            {"oneOf": [_SIDE_SCHEMA, {"type": "array", "items": _SIDE_SCHEMA, "minItems": 2, "maxItems": 2}]}
        ),
        Field(
            description="Pixels a side, or [ny, nx]",
            json_schema_extra={"unit": "pixel", "default": 129, **_SIDE},
        ),
    ] = (129, 129)
    pixel: Annotated[
        Number,
        Field(
            alias="pixel_arcsec",
            description="Pixel size, arcsec",
            json_schema_extra={"unit": "arcsec", "minimum": PIXEL[0], "maximum": PIXEL[1]},
        ),
    ] = 2.0
    subcollimators: Annotated[
        tuple[Annotated[str, Strict()], ...],
        WithJsonSchema({"type": "array", "items": {"type": "string", "enum": list(ALL_LABELS)}, "minItems": 1}),
        Field(description="Labels of the sub-collimators to use, such as 3a"),
    ] = IMAGING_LABELS
    pixel_set: Annotated[PixelSet, Field(description="Which rows of pixels of a detector to use")] = PixelSet.TOP_BOT
    amplitude_scheme: Annotated[
        AmplitudeScheme, Field(description="Calibration of the visibility amplitudes, by year of the ground software")
    ] = AmplitudeScheme.GSW_2026
    edge_correction: Annotated[
        EdgeCorrection, Field(description="How counts of a channel are corrected to its nominal edges")
    ] = EdgeCorrection.POWER_LAW
    window_rule: Annotated[
        WindowRule,
        Field(description="Bins whose centres lie in the time range, or bins that cover it (ground software)"),
    ] = WindowRule.CENTRES
    exact: Annotated[bool, Strict(), Field(description="Refuse a range that is not one of whole bins")] = False
    shift_bins: Annotated[
        ShiftBins,
        Field(description="Move counts of files before 2021-12-09 to the time bin they belong to, in full resolution"),
    ] = ShiftBins.AUTO
    ensemble: Annotated[
        Whole,
        Field(
            description="Simulated copies of the data per method, for uncertainty maps and error bars; 0: none, "
            f"else 2 or more, {USUAL_MEMBERS} are usual",
            json_schema_extra={"unit": "copies", "minimum": 0, "maximum": MAX_MEMBERS},
        ),
    ] = 0
    seed: Annotated[
        Whole, Field(description="Seed of the noise of these copies", ge=0, le=MAX_SEED, json_schema_extra={"unit": ""})
    ] = 0

    @property
    def options(self) -> dict[str, Any]:
        """The options as keyword arguments for another class that embeds them."""
        return {item.name: getattr(self, item.name) for item in fields(ImagingOptions)}


@dataclass(frozen=True)
class ImageRequest(ImagingOptions):
    """One time and energy range to image, with imaging options; the files provide the rest of the recipe.

    Attributes
    ----------
    start, end : datetime64
        UTC at Solar Orbiter.
    energy : (low, high), keV
    background_range : (start, end) or None
        Part of the background file to use. With it, the science file can also serve as the background file; the range
        must not overlap the window.
    """

    start: np.datetime64
    end: np.datetime64
    energy: tuple[float, float]
    background_range: tuple[np.datetime64, np.datetime64] | None = field(default=None, kw_only=True)


_OPTIONS = TypeAdapter(ImagingOptions)


def option_schemas() -> dict[str, dict[str, Any]]:
    """JSON schema of each option by its key, with description, default, bounds and unit."""
    properties: dict[str, dict[str, Any]] = schema_of(_OPTIONS)["properties"]
    return properties


def schema_of(adapter: TypeAdapter[Any]) -> dict[str, Any]:
    """JSON schema of what an adapter reads, without references."""
    return inline(adapter.json_schema())


# Reading ----------------------------------------------------------------------------------------------------------

_EXPECTED = {
    "string_type": "a text",
    "float_type": "a number",
    "finite_number": "a number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "bool_type": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "mapping_type": "an object",
    "dict_type": "an object",
}


def read_options(document: Mapping[str, Any]) -> ImagingOptions:
    """Read options from the values of a JSON object; missing ones have their defaults.

    Raises
    ------
    ValueError
        When a value is invalid. The message names the key and what was expected.
    """
    try:
        return _OPTIONS.validate_json(json.dumps(document), strict=True)
    except ValidationError as error:
        raise ValueError(explain(error, key=True)) from error


def explain(error: ValidationError, *, key: bool = False) -> str:
    """Describe the first invalid value in a sentence: "expected a number, found 'high'"."""
    first = error.errors(include_url=False)[0]
    if key:
        return f"{first['loc'][0]}: {explain(error)}"
    given, context, kind = first["input"], first.get("ctx", {}), first["type"]
    if kind == "value_error":
        return str(context["error"])
    if (kind in ("too_long", "too_short", "missing") and context.get("field_type") == "Tuple") or kind == "missing":
        return f"expected a list of two, {found(given)}"
    if kind == "enum":
        return f"expected {context['expected'].replace(chr(39), '')}, {found(given)}"
    if kind in _EXPECTED:
        return f"expected {_EXPECTED[kind]}, {found(given)}"
    return f"{first['msg'][:1].lower()}{first['msg'][1:]}, {found(given)}"


def load_object(text: str | bytes) -> dict[str, Any] | None:
    """Parse a JSON object; None when the text is not one. NaN and Infinity are not valid.

    Raises
    ------
    ValueError
        When a number is larger than 10¹⁵, a text has half a character, or lists and objects are nested deeply. The
        message names the key.
    """
    document: Any = None
    with suppress(ValueError, RecursionError):
        document = json.loads(text, parse_constant=_no_constant)
    if not isinstance(document, dict):
        return None
    for key, value in document.items():
        fault = _fault(key) or _fault(value)
        if fault:
            message = f"{key[:60].encode('ascii', 'backslashreplace').decode()}: {fault}"
            raise ValueError(message)
    return document


def _no_constant(name: str) -> float:
    message = f"{name} is not JSON"
    raise ValueError(message)


def _fault(value: Any, depth: int = 1) -> str:
    """What makes a value impossible anywhere; empty if nothing does."""
    if isinstance(value, Mapping):
        return _fault([*value, *value.values()], depth)
    if isinstance(value, list):
        if depth > _DEEPEST:  # far from the depth at which Python and pydantic stop
            return f"lists and objects are nested more than {_DEEPEST} deep"
        return next((fault for item in value if (fault := _fault(item, depth + 1))), "")
    if isinstance(value, str):
        half = any("\ud800" <= letter <= "\udfff" for letter in value)
        return f"expected text, {found(value)} with half a character" if half else ""
    large = isinstance(value, (int, float)) and abs(value) > _LARGEST
    return f"expected a number, {found(value)}" if large else ""
