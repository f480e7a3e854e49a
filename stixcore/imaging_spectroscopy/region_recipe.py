"""The recipe of region spectra: everything that determines the spectra of the regions of an image, frozen.

It joins the recipe of the image set and the recipe of the spectrum of the whole flare, which have the same files and
the same time range, and adds the regions. Forms, the command line and scripts make recipes;
`stixcore.imaging_spectroscopy.measure_regions.measure_regions` runs them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields
from typing import Any

from stixcore.errors import SelectionError
from stixcore.imaging.grid import ImageGrid
from stixcore.imaging.reconstruction import Method, method_name
from stixcore.imaging_spectroscopy.recipe_pair import PairRecipe, require_same_data
from stixcore.printable import excerpt
from stixcore.spectra.regions import LONGEST_NAME, Circle, Contour, Ellipse, Polygon, Region

#: Version of the JSON format.
REGION_RECIPE_VERSION = 1
#: Raised whenever the software gives other numbers for the same recipe.
REGION_REVISION = 1
#: Simulated copies of the data, for the errors.
COPIES = 20
#: Most regions of a recipe.
MOST_REGIONS = 12
#: Methods whose flux can be divided among regions. A back projection has side lobes, and a full disk no flux.
REGION_METHODS = (Method.CLEAN, Method.MEM_GE, Method.EM, Method.VIS_FWDFIT)

_KINDS: Mapping[str, type[Region]] = {"circle": Circle, "ellipse": Ellipse, "polygon": Polygon, "contour": Contour}


@dataclass(frozen=True, kw_only=True)
class RegionRecipe(PairRecipe):
    """Everything that determines the spectra of regions.

    Attributes
    ----------
    images : Recipe
        Of the images of the channels: files, pointing, grid, location, one method of `REGION_METHODS` with its
        parameters, and number and seed of the simulated copies. Its energy range holds the channels that are imaged.
    spectrum : SpectrumRecipe
        Of the whole flare: the same files and time range, the response, and the model of the regions.
    regions : tuple of Region
        With different names. For a forward fit they are the sources: a circle or an ellipse at half maximum, whose
        position and size all channels share.
    models : mapping of str to str
        Model of a region by its name, where it is not that of ``spectrum``.
    least_counts : float, ct
        Counts above background that a channel needs for an image.
    revision, version : int
        Of the software that gives the numbers, and of the JSON format.

    Raises
    ------
    SelectionError
        When a value is impossible, or the two recipes do not belong together.
    """

    contents = "region spectra"
    format_version = REGION_RECIPE_VERSION

    regions: tuple[Region, ...]
    models: Mapping[str, str] = field(default_factory=dict)
    revision: int = REGION_REVISION
    version: int = REGION_RECIPE_VERSION

    def __post_init__(self) -> None:
        object.__setattr__(self, "least_counts", float(self.least_counts))
        object.__setattr__(self, "models", dict(sorted(self.models.items())))
        _require(0 < self.least_counts < math.inf, f"least_counts must be positive, found {self.least_counts:g}")
        _require(len(self.images.methods) == 1, "the images need one method")
        require_regions(self.regions, self.method, self.models)
        if self.method is Method.VIS_FWDFIT:
            _require_on_map(self.regions, self.images.grid)
        require_same_data(self.images, self.spectrum)

    @property
    def method(self) -> Method:
        """The method of the images."""
        return next(iter(self.images.methods))

    @property
    def region_id(self) -> str:
        """First 16 hex digits of the SHA-256 of the canonical JSON."""
        return self.text_id

    def model_of(self, name: str) -> str:
        """Model of a region."""
        return self.models.get(name, self.spectrum.request.model)

    def _more_values(self) -> dict[str, Any]:
        return {"regions": [region_document(region) for region in self.regions], "models": dict(self.models)}

    @classmethod
    def _more_fields(cls, data: Mapping[str, Any]) -> dict[str, Any]:
        return {"regions": tuple(read_region(region) for region in data["regions"]), "models": data["models"]}


def require_regions(regions: Sequence[Region], method: Method, models: Mapping[str, str]) -> None:
    """Check that a method can divide its flux among regions, and that models are those of regions.

    Parameters
    ----------
    regions : sequence of Region
    method : Method
    models : mapping of str to str
        Models by name of a region.

    Raises
    ------
    SelectionError
    """
    names = [region.name for region in regions]
    _require(names, "at least one region is needed")
    _require(len(names) <= MOST_REGIONS, f"at most {MOST_REGIONS} regions, found {len(names)}")
    twice = sorted({name for name in names if names.count(name) > 1})
    _require(not twice, f"two regions have the name {', '.join(map(repr, twice))}")
    unknown = sorted(set(models) - set(names))
    _require(not unknown, f"models: there is no region {', '.join(map(excerpt, unknown))}")
    _require(method in REGION_METHODS, f"method must be one of {', '.join(REGION_METHODS)}, found {method}")
    if method is Method.VIS_FWDFIT:
        others = [region.name for region in regions if not isinstance(region, Circle | Ellipse)]
        _require(not others, f"{method_name(method)}: the sources are circles and ellipses, {', '.join(others)} is not")


def region_document(region: Region) -> dict[str, Any]:
    """A region as JSON values: ``shape`` and the fields of its class, arcsec and degree."""
    # float: regions that are equal have one id
    document = {key: float(value) if isinstance(value, int) else value for key, value in asdict(region).items()}
    if isinstance(region, Polygon):
        document["corners"] = [[float(x), float(y)] for x, y in region.corners]
    return {"shape": type(region).__name__.lower(), **document}


def read_region(document: object) -> Region:
    """Inverse of `region_document`.

    Raises
    ------
    SelectionError
        Naming the region and the value that is wrong.
    """
    if not isinstance(document, Mapping):
        message = f"a region is a JSON object, found {document!r:.60}"
        raise SelectionError(message)
    values = dict(document)
    shape, name = values.pop("shape", None), values.get("name")
    if not isinstance(name, str):
        message = f"region {name!r:.60}: name must be a text"
        raise SelectionError(message)
    if not isinstance(shape, str) or shape not in _KINDS:
        message = f"region {name[:LONGEST_NAME]!r}: shape must be one of {', '.join(_KINDS)}, found {shape!r:.60}"
        raise SelectionError(message)
    try:
        _require_keys(shape, values)
        return _KINDS[shape](**{key: _read_value(shape, key, value) for key, value in values.items()})
    except ValueError as error:
        message = f"region {name[:LONGEST_NAME]!r}: {error}"
        raise SelectionError(message) from error


def _require_keys(shape: str, values: Mapping[str, Any]) -> None:
    keys = {item.name: item.default is MISSING for item in fields(_KINDS[shape])}
    for key in values:
        if key not in keys:
            message = f"a {shape} has {', '.join(keys)}, found {key!r:.60}"
            raise ValueError(message)
    for key, needed in keys.items():
        if needed and key not in values:
            message = f"{key} is missing"
            raise ValueError(message)


def _read_value(shape: str, key: str, value: Any) -> Any:
    """A field of a region from its JSON value."""
    if key == "name" or (value is None and shape == "contour" and key in ("x", "y")):
        return value
    if key != "corners":
        return _number(key, value)
    if not isinstance(value, list | tuple):
        message = f"corners: expected a list of [x, y], found {value!r:.60}"
        raise ValueError(message)  # noqa: TRY004 - one kind of error for a wrong value
    for corner in value:
        if not isinstance(corner, list | tuple) or len(corner) != 2:
            message = f"corners: expected [x, y], found {corner!r:.60}"
            raise ValueError(message)
    return tuple((_number("corners", x), _number("corners", y)) for x, y in value)


def _number(key: str, value: Any) -> float:
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
    except OverflowError:
        pass
    message = f"{key}: expected a number, found {value!r:.60}"
    raise ValueError(message)


def _require_on_map(sources: Sequence[Region], grid: ImageGrid) -> None:
    """Refuse a source whose centre is outside the map, so that no image shows it."""
    half_x, half_y = 0.5 * grid.shape[1] * grid.pixel, 0.5 * grid.shape[0] * grid.pixel
    for source in sources:
        if not isinstance(source, Circle | Ellipse):
            continue
        inside = abs(source.x - grid.center[0]) <= half_x and abs(source.y - grid.center[1]) <= half_y
        _require(inside, f"region {source.name!r}: its centre ({source.x:g}, {source.y:g}) is outside the map")


def _require(fits: object, message: str) -> None:
    if not fits:
        raise SelectionError(message)
