"""The declaration of an imaging method: one object for a built-in method and for that of another package.

Form, command line, API, documentation, recipe, FITS suffix and display name come from it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter
from pydantic.errors import PydanticUserError

if TYPE_CHECKING:  # methods.py imports this module
    from stixcore.imaging.methods import ImagingInput
    from stixcore.imaging.reconstruction import Reconstruction

#: Names of methods, which are suffixes of file names and parts of addresses.
NAME = r"[a-z][a-z0-9_]{0,19}"
#: Names that another meaning would make ambiguous: words for all methods, and for none.
RESERVED = ("all", "auto", "none")
_LONGEST_TEXT = 200


class MethodInput(StrEnum):
    """What a method makes its image from, which simulated copies of the data vary."""

    VISIBILITIES = "visibilities"
    COUNTS = "counts"


@dataclass(frozen=True)
class Package:
    """The package that a method comes from.

    Attributes
    ----------
    name, version : str
        Of the installed distribution.
    """

    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


@dataclass(frozen=True)
class StoredParameters:
    """Parameters of a recipe whose method is not installed in the version that made the recipe: shown, but not used.

    Attributes
    ----------
    values : dict
        As in the recipe.
    """

    values: dict[str, Any]


@dataclass(frozen=True, eq=False)
class ImagingMethod:
    """An imaging method.

    Attributes
    ----------
    name : str
        Lower-case letters, digits and underscores, at most 20. It is the suffix of files, so its meaning never changes.
    display_name : str
        Name on pages, in reports and messages.
    parameters : instance of a frozen dataclass
        The default parameters. Each field has a default and is a bool, int, float, str, `StrEnum`, tuple or None;
        bounds and help come from ``Annotated[float, pydantic.Field(ge=0, le=3, description="…")]``.
    run : callable
        ``run(given, parameters)`` with an `ImagingInput` returns a `Reconstruction` on its grid.
    description : str
        One sentence for the documentation and for help texts.
    by_default : bool
        Whether previews, and requests that name no methods, include it.
    deconvolved : bool
        Whether the image is a model of the source, in `SURFACE_BRIGHTNESS`; else it is a dirty map, in `PER_BEAM`.
    data : MethodInput
        What the method uses.
    bias_weight, image_weight : float
        Share of the bias of simulated copies, and of the image, in its error, see `stixcore.imaging.ensemble`.
    paper : str
        Reference that downloads cite.
    package : Package or None
        Where an installed method comes from; set when it is found. None for a built-in method.
    """

    name: str
    display_name: str
    parameters: Any
    run: Callable[[ImagingInput, Any], Reconstruction]
    description: str = ""
    by_default: bool = False
    deconvolved: bool = True
    data: MethodInput = MethodInput.VISIBILITIES
    bias_weight: float = 1.0
    image_weight: float = 0.0
    paper: str = ""
    package: Package | None = None

    def fault(self) -> str:
        """What is wrong with the declaration, a sentence without its end; empty when nothing is."""
        name: Any = self.name  # another package may have given anything
        if not isinstance(name, str) or re.fullmatch(NAME, name, re.ASCII) is None or name in RESERVED:
            return f"the name must match {NAME} and be none of {', '.join(RESERVED)}, found {name!r}"
        for key in ("display_name", "description", "paper"):
            text = getattr(self, key)
            fits = isinstance(text, str) and text.isprintable() and len(text) <= _LONGEST_TEXT
            if not fits or (key == "display_name" and not text.strip()):
                return f"{key} must be up to {_LONGEST_TEXT} printable characters, found {text!r}"
        run: Any = self.run
        if not callable(run):
            return f"run must be a function, found {run!r}"
        return _fault_of_parameters(self.parameters)


def _fault_of_parameters(parameters: Any) -> str:
    kind: Any = type(parameters)
    declared = getattr(kind, "__dataclass_params__", None)
    if declared is None or not declared.frozen:
        return f"parameters must be an instance of a frozen dataclass, found {parameters!r}"
    try:
        hints = get_type_hints(kind)
        kind()
    except (NameError, TypeError) as error:
        return f"each field of {kind.__name__} must have a type and a default: {error}"
    wrong = [one.name for one in fields(kind) if not _is_plain(hints[one.name])]
    if wrong:
        return f"{kind.__name__}.{wrong[0]} must be a bool, int, float, str, StrEnum, tuple of these or None"
    try:
        adapter = TypeAdapter(kind)
        adapter.json_schema()
        adapter.validate_python(asdict(parameters))
    except (PydanticUserError, ValueError, TypeError) as error:
        return f"the default of {kind.__name__} is outside its own bounds, or these cannot be used: {error}"
    return ""


def _is_plain(hint: Any) -> bool:
    """Whether recipes, which are JSON, can contain values of a type."""
    arguments = get_args(hint)
    if isinstance(hint, UnionType) or get_origin(hint) is Union:
        others = [one for one in arguments if one is not NoneType]
        return len(others) == 1 and _is_plain(others[0])
    if get_origin(hint) is tuple:
        return all(one is Ellipsis or _is_plain(one) for one in arguments)
    return hint in (bool, int, float, str) or (isinstance(hint, type) and issubclass(hint, StrEnum))
